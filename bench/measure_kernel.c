/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's loopback used as measure_berth.c uses libberth: both ends in one
 * thread, sockets that don't block. And, between two processes (pair-*,
 * exchange, visits), what the same bytes cost over AF_UNIX: a limit for programs.
 */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, MESSAGE_MAX = 1 << 20, A_PORT = 20000 };

static uint8_t out[MESSAGE_MAX], in[MESSAGE_MAX];

static void nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static int tcp_listen(struct sockaddr_in *name)
{
	socklen_t length = sizeof(*name);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	if (bind(fd, (struct sockaddr *)name, length) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)name, &length) < 0)
		fail("listen");
	return fd;
}

static void tcp_join(int listener, const struct sockaddr_in *name, int *ret_client, int *ret_server)
{
	*ret_client = socket(AF_INET, SOCK_STREAM, 0);
	if (*ret_client < 0 || connect(*ret_client, (const struct sockaddr *)name, sizeof(*name)) < 0)
		fail("connect");
	*ret_server = accept(listener, NULL, NULL);
	if (*ret_server < 0)
		fail("accept");
}

/* Two ends that are connected; local=1: of AF_UNIX. */
static void two_ends(int ret_fds[2])
{
	struct sockaddr_in name;
	int listener;

	if (argument("local", 0) != 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ret_fds) < 0)
			fail("socketpair");
		for (int i = 0; i < 2; i++) /* the kernel clips it to net.core.wmem_max */
			setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &(int){ 1 << 20 }, sizeof(int));
		return;
	}
	listener = tcp_listen(&name);
	tcp_join(listener, &name, &ret_fds[0], &ret_fds[1]);
	close(listener);
}

static double bulk(void)
{
	uint64_t bytes = 0;
	struct stint stint;
	int fds[2];

	two_ends(fds);
	nonblocking(fds[0]);
	nonblocking(fds[1]);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 16; i++) {
			ssize_t n;

			if (send(fds[0], out, PIECE, 0) < 0 && errno != EAGAIN)
				fail("send");
			while ((n = recv(fds[1], in, PIECE, 0)) > 0)
				bytes += (uint64_t)n;
		}
	return (double)bytes * 8 / stint.seconds / 1e9;
}

static double message(void)
{
	size_t size = (size_t)argument("size", 1);
	uint64_t count = 0;
	struct stint stint;
	int fds[2];

	two_ends(fds);
	nonblocking(fds[0]);
	nonblocking(fds[1]);
	for (stint = stint_begin(); stint_goes_on(&stint); count++)
		for (size_t sent = 0, got = 0; got < size;) {
			ssize_t n = sent < size ? send(fds[0], out, size - sent, 0) : 0;

			sent += n > 0 ? (size_t)n : 0;
			while ((n = recv(fds[1], in, sizeof(in), 0)) > 0)
				got += (size_t)n;
		}
	return stint.seconds / (double)count * 1e6;
}

static double connects(void)
{
	bool reset = argument("reset", 0) != 0;
	struct linger linger = { reset, 0 };
	struct sockaddr_in name;
	int listener = tcp_listen(&name), client, server;
	uint64_t count = 0;
	struct stint stint = stint_begin();

	/* 28,232 local ports, each a minute in TIME-WAIT: stop before they run out */
	while (stint_goes_on(&stint) && (reset || count < 4000))
		for (int i = 0; i < 100; i++, count++) {
			tcp_join(listener, &name, &client, &server);
			if (reset)
				setsockopt(server, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
			close(server);
			close(client);
		}
	return (double)count / stint.seconds;
}

static double echo(void)
{
	unsigned connections = (unsigned)argument("connections", 1);
	int(*fds)[2] = malloc(connections * sizeof(*fds)), listener = -1;
	struct rlimit limit;
	uint64_t count = 0, random = 88172645463325252u;
	struct sockaddr_in name;
	struct stint stint;
	char byte = 'x';

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned i = 0; i < connections; i++) {
		if (argument("local", 0) != 0) {
			two_ends(fds[i]);
			continue;
		}
		if (i % A_PORT == 0)
			listener = tcp_listen(&name);
		tcp_join(listener, &name, &fds[i][0], &fds[i][1]);
	}
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 1000; i++, count++) {
			int *which = fds[xorshift(&random) % connections];

			if (send(which[0], &byte, 1, 0) != 1 || recv(which[1], &byte, 1, 0) != 1 ||
			    send(which[1], &byte, 1, 0) != 1 || recv(which[0], &byte, 1, 0) != 1)
				fail("echo");
		}
	for (unsigned i = 0; i < connections; i++) { /* by RST: no TIME-WAIT for who comes next */
		struct linger linger = { 1, 0 };

		setsockopt(fds[i][0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(fds[i][0]);
	}
	free(fds);
	return stint.seconds / (double)count * 1e6;
}

/* ---- two processes ---- */

static pid_t child_of(void (*run)(int (*fds)[2], int count, size_t size), int (*fds)[2], int count, size_t size)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		for (int i = 0; i < count; i++)
			close(fds[i][0]); /* so that the parent's end is the end */
		run(fds, count, size);
		_exit(0);
	}
	for (int i = 0; i < count; i++)
		close(fds[i][1]);
	return pid;
}

static void swallow(int (*fds)[2], int count, size_t size)
{
	while (recv(fds[0][1], in, sizeof(in), 0) > 0)
		;
}

static double pair_bulk(void)
{
	uint64_t bytes = 0;
	struct stint stint;
	int fds[1][2];
	pid_t pid;

	two_ends(fds[0]);
	pid = child_of(swallow, fds, 1, 0);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 16; i++) {
			ssize_t n = send(fds[0][0], out, 2 * PIECE, 0);

			if (n < 0)
				fail("send");
			bytes += (uint64_t)n;
		}
	close(fds[0][0]);
	waitpid(pid, NULL, 0);
	return (double)bytes * 8 / stint.seconds / 1e9;
}

static int epoll_of(int (*fds)[2], int count, int side)
{
	int epoll = epoll_create1(0);

	for (int i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[i][side] };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i][side], &event) < 0)
			fail("epoll");
	}
	return epoll;
}

static void answer_all(int (*fds)[2], int count, size_t size)
{
	int epoll = epoll_of(fds, count, 1);
	struct epoll_event ready[64];

	for (;;) {
		int n = epoll_wait(epoll, ready, 64, -1);

		for (int i = 0; i < n; i++) {
			ssize_t got = recv(ready[i].data.fd, in, sizeof(in), 0);

			if (got <= 0)
				return;
			send(ready[i].data.fd, out, size, 0);
		}
	}
}

/*
 * Requests and answers, as a server with epoll and a client with as many
 * connections make them when they do nothing else: what the system calls, the
 * wake-ups and the copies of a benchmark of programs cost by themselves.
 */
static double exchange(void)
{
	int connections = (int)argument("connections", 1), epoll;
	size_t request = (size_t)argument("request", 40), size = (size_t)argument("answer", 40);
	int(*fds)[2] = malloc((size_t)connections * sizeof(*fds));
	struct epoll_event ready[64];
	uint64_t count = 0;
	struct stint stint;
	pid_t pid;

	for (int i = 0; i < connections; i++)
		two_ends(fds[i]);
	pid = child_of(answer_all, fds, connections, size);
	epoll = epoll_of(fds, connections, 0);
	for (int i = 0; i < connections; i++)
		send(fds[i][0], out, request, 0);
	for (stint = stint_begin(); stint_goes_on(&stint);) {
		int n = epoll_wait(epoll, ready, 64, 1000);

		for (int i = 0; i < n; i++, count++)
			if (recv(ready[i].data.fd, in, sizeof(in), 0) <= 0 ||
			    send(ready[i].data.fd, out, request, 0) < 0)
				fail("exchange");
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return (double)count / stint.seconds;
}

/* ---- connections between two processes ---- */

enum { VISITS = 20 };

static void serve_visits(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(0);
		if (recv(fd, in, sizeof(in), 0) > 0)
			send(fd, out, 256, 0);
		close(fd);
	}
}

/* As many connections at once as VISITS, one request and one answer in each, by AF_UNIX: what programs can't be faster than. */
static double visits(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(sa_family_t);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fds[VISITS];
	uint64_t count = 0;
	struct stint stint;
	pid_t pid;

	if (bind(listener, (struct sockaddr *)&name, length) < 0 ||
	    listen(listener, VISITS) < 0) /* a name of its own */
		fail("bind");
	length = sizeof(name);
	if (getsockname(listener, (struct sockaddr *)&name, &length) < 0 || (pid = fork()) < 0)
		fail("fork");
	if (pid == 0)
		serve_visits(listener);
	for (stint = stint_begin(); stint_goes_on(&stint); count += VISITS) {
		for (int i = 0; i < VISITS; i++) {
			fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
			if (connect(fds[i], (struct sockaddr *)&name, length) < 0 || send(fds[i], out, 40, 0) != 40)
				fail("visit");
		}
		for (int i = 0; i < VISITS; i++) {
			while (recv(fds[i], in, sizeof(in), 0) > 0)
				;
			close(fds[i]);
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return (double)count / stint.seconds;
}

int main(int argc, char **argv)
{
	static const struct measure measures[] = {
		{ "bulk", "Gbit/s", bulk },	      { "message", "us", message },
		{ "connects", "1/s", connects },      { "echo", "us", echo },
		{ "pair-bulk", "Gbit/s", pair_bulk }, { "exchange", "1/s", exchange },
		{ "visits", "1/s", visits },	      { 0 },
	};

	signal(SIGPIPE, SIG_IGN);
	return measure_main(argc, argv, measures);
}
