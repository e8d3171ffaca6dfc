/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP: how connections begin and end, and what each side sees of it. */
#include "probe.h"

#include <signal.h>

static union address closed_port(void)
{
	int fd = open_bound(AF_INET, SOCK_STREAM);
	union address address = loopback(AF_INET, port_of(fd));

	close(fd);
	return address;
}

static void connect_refused(void)
{
	union address address = closed_port();
	int fd = socket(AF_INET, SOCK_STREAM, 0), listener = open_listener(AF_INET, 5);

	say_result("connect", connect(fd, &address.any, sizeof(address.in)));
	say_error("error", fd);
	say_poll("poll", fd, 0);
	say_result("write", write(fd, "x", 1));
	say_result("read", read(fd, &address, 1));
	address = loopback(AF_INET, port_of(listener));
	say_result("again", connect(fd, &address.any, sizeof(address.in)));
	say_count("write", write(fd, "x", 1));
}

static void connect_refused_nonblocking(void)
{
	union address address = closed_port();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), listener = open_listener(AF_INET, 5);

	say_result("connect", connect(fd, &address.any, sizeof(address.in)));
	say_poll("poll", fd, POLLOUT);
	say_error("error", fd);
	say_error("error", fd);
	say_poll("poll", fd, 0);
	say_result("write", write(fd, "x", 1));
	address = loopback(AF_INET, port_of(listener));
	say_result("again", connect(fd, &address.any, sizeof(address.in)));
	say_poll("poll", fd, POLLOUT);
	say_error("error", fd);
	say_count("write", write(fd, "x", 1));
}

/* Many, each made at once; then nobody listens any more, which whoever comes next is told in one way or the other. */
static void connects_in_a_row(void)
{
	int listener = open_listener(AF_INET, 128), good = 0, error;
	union address address = loopback(AF_INET, port_of(listener));
	socklen_t length = sizeof(error);

	for (int i = 0; i < 200; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), other;
		char byte = 0;

		connect(fd, &address.any, sizeof(address.in));
		other = await(fd, POLLOUT) & POLLOUT ? accept(listener, NULL, NULL) : -1;
		good += write(fd, "x", 1) == 1 && read(other, &byte, 1) == 1 && byte == 'x';
		close(other);
		close(fd);
		if (i < 199)
			continue;
		close(listener);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fd, &address.any, sizeof(address.in));
		error = errno;
		if (error == EINPROGRESS && (await(fd, POLLERR | POLLHUP) & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP))
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	}
	say(" good=%d last=%s", good, strerrorname_np(error));
}

static void connect_nonblocking(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), listener = open_listener(AF_INET, 5);
	union address address = loopback(AF_INET, port_of(listener));

	say_poll("before", fd, 0);
	say_result("connect", connect(fd, &address.any, sizeof(address.in)));
	say_poll("poll", fd, POLLOUT);
	say_error("error", fd);
	say_result("second", connect(fd, &address.any, sizeof(address.in)));
	say_result("third", connect(fd, &address.any, sizeof(address.in)));
	say_count("write", write(fd, "x", 1));
}

static void connect_twice(void)
{
	int ends[2], listener = open_listener(AF_INET, 5);
	union address address = loopback(AF_INET, port_of(listener));

	open_pair(ends);
	say_result("again", connect(ends[0], &address.any, sizeof(address.in)));
	say_result("accepted", connect(ends[1], &address.any, sizeof(address.in)));
	say_result("listening", connect(listener, &address.any, sizeof(address.in)));
}

static void connect_bad_address(void)
{
	union address address = loopback(AF_INET, 1);
	int fd = socket(AF_INET, SOCK_STREAM, 0), fd6 = socket(AF_INET6, SOCK_STREAM, 0);

	say_result("short", connect(fd, &address.any, 8));
	say_result("tiny", connect(fd, &address.any, 1));
	say_result("negative", connect(fd, &address.any, (socklen_t)-1));
	say_result("huge", connect(fd, &address.any, 4096));
	say_result("null", connect(fd, NULL, sizeof(address.in)));
	say_result("v4-on-v6", connect(fd6, &address.any, sizeof(address.in)));
	address.any.sa_family = AF_UNIX;
	say_result("family", connect(fd, &address.any, sizeof(address.in)));
	address = loopback(AF_INET, 0);
	say_result("port-0", connect(fd, &address.any, sizeof(address.in)));
}

static void connect_unspecified(void)
{
	int listener = open_listener(AF_INET, 5), fd = socket(AF_INET, SOCK_STREAM, 0), accepted;
	union address address = loopback(AF_INET, port_of(listener)), peer;
	socklen_t length = sizeof(peer);

	address.in.sin_addr.s_addr = 0; /* Linux: this host */
	say_result("connect", connect(fd, &address.any, sizeof(address.in)));
	accepted = accept(listener, &peer.any, &length);
	say_address("from", &peer, port_of(fd));
	say_count("write", write(accepted, "x", 1));
	say_poll("poll", fd, POLLIN);
}

static void connect_dissolve(void)
{
	int listener = open_listener(AF_INET, 5), fd = open_client(listener), accepted = accept(listener, NULL, NULL);
	union address none = { .any = { .sa_family = AF_UNSPEC } }, peer, to = loopback(AF_INET, port_of(listener));
	socklen_t length = sizeof(peer);

	say_result("dissolve", connect(fd, &none.any, sizeof(none.any)));
	say_result("peer", getpeername(fd, &peer.any, &length));
	say_poll("other", accepted, POLLIN);
	say_result("read", read(accepted, &peer, 1));
	say_result("again", connect(fd, &to.any, sizeof(to.in)));
	say_count("write", write(fd, "x", 1));
	accepted = accept(listener, NULL, NULL);
	say_poll("poll", accepted, POLLIN);
}

static void connect_self(void)
{
	int fd = open_bound(AF_INET, SOCK_STREAM);
	union address address = loopback(AF_INET, port_of(fd));
	char bytes[8] = "";

	say_result("connect", connect(fd, &address.any, sizeof(address.in)));
	say_count("write", write(fd, "me", 2));
	say_poll("poll", fd, POLLIN);
	say_count("read", recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
	say(" %s", bytes);
}

static void accept_address(void)
{
	int listener = open_listener(AF_INET, 5), fd = open_client(listener), fd2 = open_client(listener), accepted;
	union address address;
	socklen_t length = sizeof(address);

	accepted = accept(listener, &address.any, &length);
	say(" length=%u", length);
	say_address("peer", &address, port_of(fd));
	length = sizeof(address);
	getsockname(accepted, &address.any, &length);
	say_address("own", &address, port_of(listener));
	memset(&address, 0x55, sizeof(address));
	length = 4;
	accepted = accept(listener, &address.any, &length);
	say(" short-length=%u", length);
	say(" port-there=%d beyond=%x", ntohs(address.in.sin_port) == port_of(fd2), address.in.sin_addr.s_addr & 0xff);
}

static void accept_mapped(void)
{
	int listener = socket(AF_INET6, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), accepted;
	union address address = { .in6 = { .sin6_family = AF_INET6 } };
	socklen_t length = sizeof(address);

	say_result("bind", bind(listener, &address.any, sizeof(address.in6)));
	listen(listener, 5);
	address = loopback(AF_INET, port_of(listener));
	say_result("connect", connect(fd, &address.any, sizeof(address.in)));
	accepted = accept(listener, &address.any, &length);
	say(" length=%u", length);
	say_address("peer", &address, port_of(fd));
	length = sizeof(address);
	getsockname(accepted, &address.any, &length);
	say_address("own", &address, port_of(listener));
}

static void accept_errors(void)
{
	int listener = open_listener(AF_INET, 5), bound = open_bound(AF_INET, SOCK_STREAM), ends[2];
	union address address;
	socklen_t length = (socklen_t)-1;

	open_pair(ends);
	set_nonblocking(listener);
	say_result("none", accept(listener, NULL, NULL));
	say_result("bound", accept(bound, NULL, NULL));
	say_result("connected", accept(ends[0], NULL, NULL));
	say_result("udp", accept(socket(AF_INET, SOCK_DGRAM, 0), NULL, NULL));
	say_result("file", accept(0, NULL, NULL));
	say_result("closed", accept(999, NULL, NULL));
	say_result("flags", accept4(listener, NULL, NULL, 1));
	open_client(listener);
	await(listener, POLLIN);
	say_result("length", accept(listener, &address.any, &length));
	open_client(listener);
	await(listener, POLLIN);
	say_result("pointer", accept(listener, (struct sockaddr *)1, &length));
}

static void half_close(void)
{
	int ends[2];
	char bytes[8];

	open_pair(ends);
	say_count("write", write(ends[0], "abc", 3));
	say_result("shut", shutdown(ends[0], SHUT_WR));
	say_poll("own", ends[0], 0);
	say_poll("peer", ends[1], POLLRDHUP);
	say_count("read", read(ends[1], bytes, 8));
	say_count("end", read(ends[1], bytes, 8));
	say_count("back", write(ends[1], "de", 2));
	say_poll("own", ends[0], POLLIN);
	say_count("read", read(ends[0], bytes, 8));
	say_result("write", write(ends[0], "x", 1));
	say_result("shut-again", shutdown(ends[0], SHUT_WR));
	shutdown(ends[1], SHUT_WR);
	say_poll("both", ends[0], POLLRDHUP);
	say_poll("both", ends[1], POLLHUP);
}

static void peer_closes(void)
{
	int ends[2];
	char byte;

	open_pair(ends);
	write(ends[1], "z", 1);
	await(ends[0], POLLIN);
	close(ends[1]);
	say_poll("poll", ends[0], POLLRDHUP);
	say_count("read", read(ends[0], &byte, 1));
	say_count("end", read(ends[0], &byte, 1));
	say_error("error", ends[0]);
	say_count("first", send(ends[0], "x", 1, MSG_NOSIGNAL));
	say_poll("then", ends[0], POLLHUP | POLLERR);
	say_result("second", send(ends[0], "x", 1, MSG_NOSIGNAL));
	say_result("third", send(ends[0], "x", 1, MSG_NOSIGNAL));
	say_count("read", read(ends[0], &byte, 1));
	say_error("error", ends[0]);
}

static void close_unread(void)
{
	int ends[2];
	char byte;

	open_pair(ends);
	write(ends[0], "unread", 6);
	await(ends[1], POLLIN);
	close(ends[1]);
	say_poll("poll", ends[0], POLLERR);
	say_result("read", read(ends[0], &byte, 1));
	say_count("again", read(ends[0], &byte, 1));
	say_result("write", write(ends[0], "x", 1));
	say_poll("poll", ends[0], 0);
}

static void linger_reset(void)
{
	struct linger linger = { .l_onoff = 1 };
	int ends[2];
	char byte;

	open_pair(ends);
	say_result("linger", setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(ends[1]);
	say_poll("poll", ends[0], POLLERR);
	say_error("error", ends[0]);
	say_error("error", ends[0]);
	say_poll("poll", ends[0], 0);
	say_count("read", read(ends[0], &byte, 1));
	say_result("write", write(ends[0], "x", 1));
}

static void linger_reset_after_data(void)
{
	struct linger linger = { .l_onoff = 1 };
	int ends[2];
	char bytes[8];

	open_pair(ends);
	write(ends[1], "data", 4);
	await(ends[0], POLLIN);
	setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(ends[1]);
	say_poll("poll", ends[0], POLLERR);
	say_count("first", read(ends[0], bytes, 8));
	say_count("second", read(ends[0], bytes, 8));
	say_count("third", read(ends[0], bytes, 8));
}

/* The order of one process' calls: after its close(), with a reset, the other end has no peer, and what was sent. */
static void reset_and_name(void)
{
	struct linger linger = { .l_onoff = 1 };
	int unnamed = 0, read_all = 0, ends[2];
	union address address;
	char bytes[8];

	for (int i = 0; i < 50; i++) {
		socklen_t length = sizeof(address);

		open_pair(ends);
		write(ends[1], "data", 4);
		setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(ends[1]);
		unnamed += getpeername(ends[0], &address.any, &length) < 0 && errno == ENOTCONN;
		read_all += recv(ends[0], bytes, 8, MSG_DONTWAIT) == 4;
		close(ends[0]);
	}
	say(" unnamed=%d read=%d", unnamed, read_all);
}

static void reset_while_blocked(void)
{
	struct linger linger = { .l_onoff = 1 };
	int ends[2];
	char byte;

	open_pair(ends);
	if (!fork()) {
		close(ends[0]);
		nap(50);
		setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		_exit(0);
	}
	close(ends[1]);
	say_result("read", read(ends[0], &byte, 1));
	say_count("again", read(ends[0], &byte, 1));
}

static void shutdown_states(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), ends[2], listener = open_listener(AF_INET, 5);
	char byte;

	say_result("unconnected", shutdown(fd, SHUT_WR));
	open_pair(ends);
	say_result("how", shutdown(ends[0], 3));
	say_result("rd", shutdown(ends[0], SHUT_RD));
	say_poll("poll", ends[0], 0);
	say_count("read", read(ends[0], &byte, 1));
	say_count("peer-writes", send(ends[1], "x", 1, MSG_NOSIGNAL));
	say_count("own-writes", write(ends[0], "y", 1));
	await(ends[1], POLLIN);
	say_count("peer-reads", recv(ends[1], &byte, 1, MSG_DONTWAIT));
	say_result("rdwr", shutdown(ends[0], SHUT_RDWR));
	say_poll("poll", ends[0], 0);
	say_result("write", write(ends[0], "x", 1));
	say_poll("peer", ends[1], POLLRDHUP);
	say_result("listener", shutdown(listener, SHUT_RD));
	say_result("accept", accept(listener, NULL, NULL));
	say_poll("listener", listener, 0);
	say_result("listen-again", listen(listener, 5));
}

static void unconnected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), listener = open_listener(AF_INET, 5);
	union address address;
	socklen_t length = sizeof(address);
	char byte;

	say_result("write", write(fd, "x", 1));
	say_result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	say_result("read", read(fd, &byte, 1));
	say_result("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
	say_result("recvfrom", recvfrom(fd, &byte, 1, 0, &address.any, &length));
	say_result("getpeername", getpeername(fd, &address.any, &length));
	say_result("getsockname", getsockname(fd, &address.any, &length));
	say_address("name", &address, 0);
	say_poll("poll", fd, 0);
	say_result("listener-write", write(listener, "x", 1));
	say_result("listener-read", read(listener, &byte, 1));
	say_poll("listener-poll", listener, 0);
}

static volatile sig_atomic_t pipes;

static void count_pipe(int number)
{
	pipes = pipes + 1;
}

static void broken_pipe(void)
{
	int ends[2];

	signal(SIGPIPE, count_pipe);
	open_pair(ends);
	shutdown(ends[0], SHUT_WR);
	say_result("write", write(ends[0], "x", 1));
	say(" signals=%d", (int)pipes);
	say_result("nosignal", send(ends[0], "x", 1, MSG_NOSIGNAL));
	say(" signals=%d", (int)pipes);
	say_result("unconnected", write(socket(AF_INET, SOCK_STREAM, 0), "x", 1));
	say(" signals=%d", (int)pipes);
}

static void backlog_overflow(void)
{
	int listener = open_listener(AF_INET, 1), up = 0;
	union address address = loopback(AF_INET, port_of(listener));
	int fds[8];

	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], &address.any, sizeof(address.in));
	}
	nap(200);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		struct pollfd poll_fd = { .fd = fds[i], .events = POLLOUT };

		up += poll(&poll_fd, 1, 0) == 1 && !(poll_fd.revents & POLLERR);
	}
	say(" some-wait=%d", up < 8);
	/* Those that are through can be taken, and work. */
	for (up = 0; up < 2; up++)
		say_count("write", write(accept(listener, NULL, NULL), "x", 1));
	say_poll("first", fds[0], POLLIN);
}

static void port_after_close(void)
{
	int ends[2], again, on = 1, listener = open_listener(AF_INET, 5);
	union address address = loopback(AF_INET, port_of(listener));
	char byte;

	ends[0] = open_client(listener);
	ends[1] = accept(listener, NULL, NULL);
	close(ends[1]); /* first, so this side has TIME-WAIT */
	read(ends[0], &byte, 1);
	close(ends[0]);
	close(listener);
	nap(50);
	again = socket(AF_INET, SOCK_STREAM, 0);
	say_result("plain", bind(again, &address.any, sizeof(address.in)));
	setsockopt(again, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	say_result("reuse", bind(again, &address.any, sizeof(address.in)));
	say_result("listen", listen(again, 5));
}

static void closed_listener_refuses(void)
{
	int listener = open_listener(AF_INET, 5), fd, queued = open_client(listener), plain;
	union address address = loopback(AF_INET, port_of(listener));
	char byte;

	close(listener);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say_result("connect", connect(fd, &address.any, sizeof(address.in)));
	say_poll("queued", queued, POLLHUP);
	say_result("read", read(queued, &byte, 1));
	plain = socket(AF_INET, SOCK_STREAM, 0);
	say_result("bind", bind(plain, &address.any, sizeof(address.in)));
}

const struct scenario tcp_scenarios[] = {
	{ "tcp-connect-refused", connect_refused },
	{ "tcp-connect-refused-nonblocking", connect_refused_nonblocking },
	{ "tcp-connect-nonblocking", connect_nonblocking },
	{ "tcp-connects-in-a-row", connects_in_a_row },
	{ "tcp-connect-twice", connect_twice },
	{ "tcp-connect-bad-address", connect_bad_address },
	{ "tcp-connect-any-address", connect_unspecified },
	{ "tcp-connect-dissolve", connect_dissolve },
	{ "tcp-connect-self", connect_self },
	{ "tcp-accept-address", accept_address },
	{ "tcp-accept-mapped", accept_mapped },
	{ "tcp-accept-errors", accept_errors },
	{ "tcp-half-close", half_close },
	{ "tcp-peer-closes", peer_closes },
	{ "tcp-close-unread", close_unread },
	{ "tcp-linger-reset", linger_reset },
	{ "tcp-linger-reset-after-data", linger_reset_after_data },
	{ "tcp-reset-and-name", reset_and_name },
	{ "tcp-reset-while-blocked", reset_while_blocked },
	{ "tcp-shutdown", shutdown_states },
	{ "tcp-unconnected", unconnected },
	{ "tcp-broken-pipe", broken_pipe },
	{ "tcp-backlog-overflow", backlog_overflow },
	{ "tcp-port-after-close", port_after_close },
	{ "tcp-closed-listener", closed_listener_refuses },
	{ 0 },
};
