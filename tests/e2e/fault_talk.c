/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two programs that talk in every way that fault_steps.py puts faults into: names,
 * connections that wait and that do not, refused ones, datagrams, fork(). An
 * error is said and ends it with 4; wrong bytes with 5, which never may be.
 *
 *	fault_talk server|client WORD	(the word is for who looks for us)
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LENGTH = 40000, PATIENCE_MS = 4000 };

static uint8_t sent[LENGTH], got[LENGTH];

static void fail(const char *call)
{
	fprintf(stderr, "fault_talk: %s: %s\n", call, errno ? strerror(errno) : "early end");
	exit(4);
}

static int try(int value, const char *call)
{
	if (value < 0)
		fail(call);
	return value;
}

/* Ready for events, or it is an error: nothing here takes that long. */
static void await(int fd, short events)
{
	struct pollfd ready = { .fd = fd, .events = events };

	errno = ETIMEDOUT;
	if (poll(&ready, 1, PATIENCE_MS) != 1)
		fail("poll");
}

static struct sockaddr_in at(uint32_t ip, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	address.sin_addr.s_addr = ip;
	return address;
}

/* Say it all, and hear it all again, and then its end. */
static void converse(int fd)
{
	size_t out = 0, in = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (in < LENGTH) {
		await(fd, (short)(POLLIN | (out < LENGTH ? POLLOUT : 0)));
		n = out < LENGTH ? send(fd, sent + out, LENGTH - out, MSG_NOSIGNAL) : 0;
		if (n < 0 && errno != EAGAIN)
			fail("send");
		out += n > 0 ? (size_t)n : 0;
		n = recv(fd, got + in, LENGTH - in, 0);
		errno = n == 0 ? 0 : errno;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			fail("recv");
		in += n > 0 ? (size_t)n : 0;
	}
	if (memcmp(sent, got, LENGTH))
		exit(5);
	try(shutdown(fd, SHUT_WR), "shutdown");
	await(fd, POLLIN);
	n = recv(fd, got, 1, 0);
	if (n > 0)
		exit(5);
	try((int)n, "recv at the end");
	close(fd);
}

static void connect_and_converse(uint32_t server, int flags)
{
	struct sockaddr_in address = at(server, 7);
	int fd = try(socket(AF_INET, SOCK_STREAM | flags, 0), "socket"), error = 0;
	socklen_t length = sizeof(address);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS)
		fail("connect");
	await(fd, POLLOUT);
	try(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) }), "getsockopt");
	errno = error;
	if (error)
		fail("connect, later");
	try(getsockname(fd, (struct sockaddr *)&address, &length), "getsockname");
	converse(fd);
}

static void refused(uint32_t server)
{
	struct sockaddr_in address = at(server, 9);
	int fd = try(socket(AF_INET, SOCK_STREAM, 0), "socket");

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		exit(5);
	if (errno != ECONNREFUSED)
		fail("connect that is refused");
	close(fd);
}

static void datagrams(uint32_t server)
{
	struct sockaddr_in address = at(server, 7), from;
	int fd = try(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	socklen_t length = sizeof(from);

	for (int i = 0; i < 2; i++) {
		try((int)sendto(fd, sent, 1000, 0, (struct sockaddr *)&address, sizeof(address)), "sendto");
		await(fd, POLLIN);
		if (try((int)recvfrom(fd, got, LENGTH, 0, (struct sockaddr *)&from, &length), "recvfrom") != 1000 ||
		    memcmp(sent, got, 1000))
			exit(5);
	}
	close(fd);
}

static uint32_t lookup(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	uint32_t ip;

	errno = EHOSTUNREACH;
	if (getaddrinfo(name, "7", &hints, &found))
		fail("getaddrinfo");
	ip = ((struct sockaddr_in *)found->ai_addr)->sin_addr.s_addr;
	freeaddrinfo(found);
	return ip;
}

static void client(void)
{
	uint32_t server = lookup("server");
	struct sockaddr_in address = at(server, 7);
	int status, fd;
	pid_t child;

	connect_and_converse(server, 0);
	connect_and_converse(server, SOCK_NONBLOCK);
	refused(server);
	datagrams(server);
	child = try(fork(), "fork");
	if (child == 0) {
		connect_and_converse(server, 0);
		exit(0);
	}
	errno = ECHILD;
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		fail("the child");
	fd = try(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	try((int)sendto(fd, "quit", 4, 0, (struct sockaddr *)&address, sizeof(address)), "sendto");
	exit(WEXITSTATUS(status));
}

/* One who calls is answered by a process of its own. */
static void answer(int listener)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	int fd = accept(listener, (struct sockaddr *)&from, &length);
	ssize_t n, done;

	if (fd < 0) {
		fprintf(stderr, "fault_talk: accept: %s\n", strerror(errno));
		return;
	}
	if (fork() == 0) {
		while ((n = recv(fd, got, LENGTH, 0)) > 0)
			for (ssize_t from_here = 0; from_here < n; from_here += done)
				done = try((int)send(fd, got + from_here, (size_t)(n - from_here), MSG_NOSIGNAL),
					   "send");
		try((int)n, "recv");
		exit(0);
	}
	close(fd);
}

static void server(void)
{
	struct sockaddr_in any = at(INADDR_ANY, 7);
	int listener = try(socket(AF_INET, SOCK_STREAM, 0), "socket"), fd;
	struct pollfd ready[2];

	signal(SIGCHLD, SIG_IGN);
	try(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), "setsockopt");
	try(bind(listener, (struct sockaddr *)&any, sizeof(any)), "bind");
	try(listen(listener, 10), "listen");
	fd = try(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	try(bind(fd, (struct sockaddr *)&any, sizeof(any)), "bind");
	puts("ready");
	fflush(stdout);
	ready[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
	ready[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
	while (poll(ready, 2, -1) > 0 || errno == EINTR) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		ssize_t n = ready[1].revents ? recvfrom(fd, got, LENGTH, 0, (struct sockaddr *)&from, &length) : 0;

		if (n == 4)
			exit(0);
		if (n > 0)
			sendto(fd, got, (size_t)n, 0, (struct sockaddr *)&from, length);
		if (ready[0].revents)
			answer(listener);
	}
}

int main(int count, char **words)
{
	for (size_t i = 0; i < LENGTH; i++)
		sent[i] = (uint8_t)(i * 2654435761u >> 24);
	if (count == 3 && !strcmp(words[1], "server"))
		server();
	if (count == 3 && !strcmp(words[1], "client"))
		client();
	fprintf(stderr, "usage: fault_talk server|client WORD\n");
	return 2;
}
