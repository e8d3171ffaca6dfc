/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP peer with the calls of any program: bulk in one direction.
 *
 *	peer sink PORT                       take what comes, for ever
 *	peer source PORT                     send for ever to who comes
 *	peer up|down HOST PORT SECONDS       to a sink, from a source; prints Gbit/s
 */
#include "measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 256 * 1024, PATIENCE = 200 };

static char bytes[PIECE];

/* One conversation after the other. */
static void serve(uint16_t port, bool source)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(listener, 8) < 0)
		fail("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			fail("accept");
		while ((source ? send(fd, bytes, sizeof(bytes), 0) : recv(fd, bytes, sizeof(bytes), 0)) > 0)
			;
		close(fd);
	}
}

/* The other end may need a moment to be there. */
static int dial(const char *host, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, host, &to.sin_addr);
	for (int i = 0; i < PATIENCE; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			return fd;
		close(fd);
		usleep(20000);
	}
	fail("connect");
}

static void ask(bool up, const char *host, uint16_t port, double limit)
{
	int fd = dial(host, port);
	double begun = clock_seconds(), seconds = 0;
	uint64_t count = 0;

	for (; seconds < limit; seconds = clock_seconds() - begun) {
		ssize_t n = up ? send(fd, bytes, sizeof(bytes), 0) : recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			fail(up ? "send" : "recv");
		count += (uint64_t)n;
	}
	printf("%.6g\n", (double)count * 8 / seconds / 1e9);
}

int main(int argc, char **argv)
{
	bool server = argc == 3 && (!strcmp(argv[1], "sink") || !strcmp(argv[1], "source"));
	bool client = argc == 5 && (!strcmp(argv[1], "up") || !strcmp(argv[1], "down"));

	signal(SIGPIPE, SIG_IGN);
	if (server)
		serve((uint16_t)atoi(argv[2]), !strcmp(argv[1], "source"));
	if (client) {
		ask(!strcmp(argv[1], "up"), argv[2], (uint16_t)atoi(argv[3]), strtod(argv[4], NULL));
		return 0;
	}
	fprintf(stderr, "usage: peer sink|source PORT | up|down HOST PORT SECONDS\n");
	return 2;
}
