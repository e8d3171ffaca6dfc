/* SPDX-License-Identifier: BSD-2-Clause */
/* poll(), select() and epoll: when a socket is ready, and how often that is said. */
#include "probe.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>

static void say_epoll(const char *label, int epoll, int timeout)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} bits[] = { { EPOLLIN, "IN" },	      { EPOLLPRI, "PRI" }, { EPOLLOUT, "OUT" },
		     { EPOLLRDHUP, "RDHUP" }, { EPOLLERR, "ERR" }, { EPOLLHUP, "HUP" } };
	struct epoll_event events[8];
	int count = epoll_wait(epoll, events, COUNT_OF(events), timeout);

	say(" %s", label);
	if (count <= 0)
		say("=none");
	for (int i = 0; i < count; i++) {
		const char *between = "=";

		for (size_t j = 0; j < COUNT_OF(bits); j++) {
			if (!(events[i].events & bits[j].bit))
				continue;
			say("%s%s", between, bits[j].name);
			between = "|";
		}
	}
}

static int epoll_of(int fd, uint32_t events)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		say_result("add", -1);
	return epoll;
}

static void edge(void)
{
	int ends[2], epoll;
	char bytes[8];

	open_pair(ends);
	epoll = epoll_of(ends[1], EPOLLIN | EPOLLRDHUP | EPOLLET);
	say_epoll("quiet", epoll, 0);
	write(ends[0], "abcd", 4);
	say_epoll("data", epoll, 3000);
	say_epoll("again", epoll, 30);
	say_count("part", read(ends[1], bytes, 2));
	say_epoll("after-part", epoll, 30);
	write(ends[0], "ef", 2);
	say_epoll("more", epoll, 3000);
	say_count("rest", read(ends[1], bytes, 8));
	shutdown(ends[0], SHUT_WR);
	say_epoll("end", epoll, 3000);
	say_epoll("again", epoll, 30);
}

static void edge_out(void)
{
	int ends[2], epoll;
	static char block[65536];
	ssize_t total = 0, n;

	open_pair(ends);
	set_nonblocking(ends[0]);
	epoll = epoll_of(ends[0], EPOLLOUT | EPOLLET);
	say_epoll("begin", epoll, 3000);
	say_epoll("again", epoll, 30);
	/* Full: and stays so, though what is between goes on taking for a moment. */
	for (int i = 0; i < 20; i++) {
		while ((n = write(ends[0], block, sizeof(block))) > 0)
			total += n;
		nap(10);
	}
	say_result("full", n);
	epoll_wait(epoll, &(struct epoll_event){ 0 }, 1, 0);
	while (total > 0 && (n = read(ends[1], block, sizeof(block))) > 0)
		total -= n;
	say(" left=%zd", total);
	say_epoll("drained", epoll, 3000);
	say_count("write", write(ends[0], "x", 1));
}

static void one_shot(void)
{
	int ends[2], epoll;
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };

	open_pair(ends);
	epoll = epoll_of(ends[1], EPOLLIN | EPOLLONESHOT);
	write(ends[0], "a", 1);
	say_epoll("first", epoll, 3000);
	write(ends[0], "b", 1);
	say_epoll("disarmed", epoll, 50);
	say_result("rearm", epoll_ctl(epoll, EPOLL_CTL_MOD, ends[1], &event));
	say_epoll("second", epoll, 3000);
}

static void before_connect(void)
{
	int listener = open_listener(AF_INET, 5), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll;
	union address address = loopback(AF_INET, port_of(listener));

	epoll = epoll_of(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	say_epoll("unconnected", epoll, 0);
	say_epoll("again", epoll, 0);
	say_result("connect", connect(fd, &address.any, sizeof(address.in)));
	say_epoll("connected", epoll, 3000);
	say_epoll("again", epoll, 30);
	write(accept(listener, NULL, NULL), "x", 1);
	say_epoll("data", epoll, 3000);
}

static void after_connect(void)
{
	int listener = open_listener(AF_INET, 5), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll;
	union address address = loopback(AF_INET, port_of(listener));

	connect(fd, &address.any, sizeof(address.in));
	epoll = epoll_of(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	say_epoll("connected", epoll, 3000);
	close(accept(listener, NULL, NULL));
	say_epoll("closed", epoll, 3000);
}

static void hang_up(void)
{
	struct linger linger = { .l_onoff = 1 };
	int ends[2], epoll;

	open_pair(ends);
	epoll = epoll_of(ends[0], 0);
	shutdown(ends[1], SHUT_WR);
	await(ends[0], POLLRDHUP);
	say_epoll("end-only", epoll, 0);
	shutdown(ends[0], SHUT_WR);
	await(ends[0], POLLHUP);
	say_epoll("both", epoll, 0);
	open_pair(ends);
	epoll = epoll_of(ends[0], 0);
	setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(ends[1]);
	await(ends[0], POLLHUP);
	say_epoll("reset", epoll, 0);
}

static void listener_events(void)
{
	int listener = open_listener(AF_INET, 8), epoll = epoll_of(listener, EPOLLIN | EPOLLET), copy;

	set_nonblocking(listener);
	say_epoll("none", epoll, 0);
	open_client(listener);
	say_epoll("one", epoll, 3000);
	say_epoll("again", epoll, 30);
	open_client(listener);
	say_epoll("two", epoll, 3000);
	say_result("accept", accept(listener, NULL, NULL));
	say_result("accept", accept(listener, NULL, NULL));
	say_result("accept", accept(listener, NULL, NULL));
	say_poll("poll", listener, 0);
	copy = epoll_create1(0);
	say_result("exclusive", epoll_ctl(copy, EPOLL_CTL_ADD, listener,
					  &(struct epoll_event){ .events = EPOLLIN | EPOLLEXCLUSIVE }));
}

static void duplicate_keeps(void)
{
	int ends[2], epoll, copy;

	open_pair(ends);
	copy = dup(ends[1]);
	epoll = epoll_of(ends[1], EPOLLIN);
	close(ends[1]);
	write(ends[0], "x", 1);
	say_epoll("after-close", epoll, 3000);
	say_result("remove", epoll_ctl(epoll, EPOLL_CTL_DEL, ends[1], NULL));
	close(copy);
	say_epoll("all-closed", epoll, 30);
	copy = epoll_of(epoll, EPOLLIN);
	open_pair(ends);
	epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &(struct epoll_event){ .events = EPOLLIN });
	write(ends[0], "x", 1);
	say_epoll("nested", copy, 3000);
}

static void fresh(void)
{
	int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp6 = socket(AF_INET6, SOCK_STREAM, 0);
	int bound = open_bound(AF_INET, SOCK_STREAM);

	say_poll("udp", udp, 0);
	say_poll("tcp6", tcp6, 0);
	say_poll("bound", bound, 0);
	say_epoll("udp", epoll_of(udp, EPOLLIN | EPOLLOUT), 0);
	say_epoll("tcp6", epoll_of(tcp6, EPOLLIN | EPOLLOUT | EPOLLRDHUP), 0);
}

static void fill_sets(int fd, fd_set *in, fd_set *out, fd_set *other)
{
	fd_set *const sets[] = { in, out, other };

	for (int i = 0; i < 3; i++) {
		FD_ZERO(sets[i]);
		FD_SET(fd, sets[i]);
	}
}

static void select_sets(void)
{
	int ends[2], r;
	fd_set in, out, other;
	struct timeval time = { 3, 0 };

	open_pair(ends);
	write(ends[0], "x", 1);
	await(ends[1], POLLIN);
	fill_sets(ends[1], &in, &out, &other);
	r = select(ends[1] + 1, &in, &out, &other, &time);
	say(" data=%d in=%d out=%d other=%d", r, FD_ISSET(ends[1], &in), FD_ISSET(ends[1], &out),
	    FD_ISSET(ends[1], &other));
	close(ends[1]);
	await(ends[0], POLLERR);
	fill_sets(ends[0], &in, &out, &other);
	r = select(ends[0] + 1, &in, &out, &other, &time);
	say(" reset=%d in=%d out=%d other=%d", r, FD_ISSET(ends[0], &in), FD_ISSET(ends[0], &out),
	    FD_ISSET(ends[0], &other));
}

static void urgent(void)
{
	int ends[2], at = -1;
	char bytes[8] = "";

	open_pair(ends);
	write(ends[0], "ab", 2);
	say_count("send", send(ends[0], "!", 1, MSG_OOB));
	say_poll("poll", ends[1], POLLIN | POLLPRI);
	say_count("urgent", recv(ends[1], bytes, 1, MSG_OOB | MSG_DONTWAIT));
	say(" %.1s", bytes);
	say_count("read", read(ends[1], bytes, 8));
	ioctl(ends[1], SIOCATMARK, &at);
	say(" %.2s at-mark=%d", bytes, at);
	say_result("again", recv(ends[1], bytes, 1, MSG_OOB | MSG_DONTWAIT));
	write(ends[0], "cd", 2);
	await(ends[1], POLLIN);
	say_count("rest", read(ends[1], bytes, 8));
	say(" %.2s", bytes);
}

static void low_water(void)
{
	int ends[2], mark = 4;
	char bytes[8];

	open_pair(ends);
	say_result("set", setsockopt(ends[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)));
	write(ends[0], "ab", 2);
	nap(50);
	say_poll("two", ends[1], 0);
	write(ends[0], "cd", 2);
	say_poll("four", ends[1], POLLIN);
	say_count("read", recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT));
	write(ends[0], "ef", 2);
	nap(50);
	say_poll("again", ends[1], 0);
	mark = 2;
	setsockopt(ends[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
	say_poll("lowered", ends[1], POLLIN);
	mark = 100;
	setsockopt(ends[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
	say_count("read", recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT));
	write(ends[0], "gh", 2);
	close(ends[0]);
	say_poll("end", ends[1], POLLIN);
	say_count("read", read(ends[1], bytes, sizeof(bytes)));
}

static void low_water_inherited(void)
{
	int listener = open_listener(AF_INET, 5), client, server, mark = 4, events, epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };

	setsockopt(listener, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
	client = open_client(listener);
	server = accept(listener, NULL, NULL);
	mark = 0;
	getsockopt(server, SOL_SOCKET, SO_RCVLOWAT, &mark, &(socklen_t){ sizeof(mark) });
	say(" mark=%d", mark);
	epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event);
	write(client, "abc", 3);
	events = epoll_wait(epoll, &event, 1, 50);
	say_count("three", events);
	write(client, "d", 1);
	say_count("four", epoll_wait(epoll, &event, 1, 3000));
	mark = -1;
	setsockopt(server, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
	mark = 0;
	getsockopt(listener, SOL_SOCKET, SO_RCVLOWAT, &mark, &(socklen_t){ sizeof(mark) });
	say(" listener=%d", mark);
}

/* More than the window lets the peer send: what can come is as much as is asked for. */
static void low_water_window(void)
{
	static char block[1 << 16];
	int ends[2], mark = 1 << 29;

	open_pair(ends);
	setsockopt(ends[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
	set_nonblocking(ends[0]);
	for (int i = 0; i < 1000 && !(poll(&(struct pollfd){ ends[1], POLLIN, 0 }, 1, 0)); i++) {
		while (write(ends[0], block, sizeof(block)) > 0)
			;
		nap(5);
	}
	say_poll("full", ends[1], POLLIN);
}

const struct scenario readiness_scenarios[] = {
	{ "ready-edge", edge },
	{ "ready-edge-out", edge_out },
	{ "ready-one-shot", one_shot },
	{ "ready-before-connect", before_connect },
	{ "ready-after-connect", after_connect },
	{ "ready-hang-up", hang_up },
	{ "ready-listener", listener_events },
	{ "ready-duplicate", duplicate_keeps },
	{ "ready-fresh", fresh },
	{ "ready-select", select_sets },
	{ "ready-urgent", urgent },
	{ "ready-low-water", low_water },
	{ "ready-low-water-inherited", low_water_inherited },
	{ "ready-low-water-window", low_water_window },
	{ 0 },
};
