/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP requests and answers, one at a time, with the plain calls of any program:
 * the bench-run parts that no common tool measures.
 *
 *	udp_echo PORT                 answer for ever
 *	udp_echo HOST PORT SECONDS    ask for SECONDS; prints requests a second
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 100, REQUEST = 32 };

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int serve(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	char bytes[2048];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("udp_echo");
		return 1;
	}
	for (;;) {
		struct sockaddr_in peer;
		socklen_t length = sizeof(peer);
		ssize_t n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&peer, &length);
		if (n >= 0)
			sendto(fd, bytes, (size_t)n, 0, (struct sockaddr *)&peer, length);
	}
}

static int connect_to(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM }, *found = NULL;
	struct timeval wait = { .tv_usec = 100000 };
	int r = getaddrinfo(host, port, &hints, &found);

	if (r) {
		fprintf(stderr, "udp_echo: %s: %s\n", host, gai_strerror(r));
		return -1;
	}
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
		perror("udp_echo");
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

/* One request and its answer. A lost one is asked again; so is a server that is not there yet, a little later. */
static int ask(int fd, char *bytes)
{
	for (int i = 0; i < TRIES; i++) {
		if (send(fd, bytes, REQUEST, 0) == REQUEST && recv(fd, bytes, REQUEST, 0) == REQUEST)
			return 0;
		if (errno == ECONNREFUSED)
			usleep(50000);
	}
	fprintf(stderr, "udp_echo: nobody answers\n");
	return -1;
}

int main(int argc, char **argv)
{
	char bytes[REQUEST] = { 0 };
	unsigned long count = 0;

	if (argc == 2)
		return serve(argv[1]);
	if (argc != 4) {
		fprintf(stderr, "usage: udp_echo PORT | udp_echo HOST PORT SECONDS\n");
		return 2;
	}
	int fd = connect_to(argv[1], argv[2]);
	if (fd < 0 || ask(fd, bytes) < 0)
		return 1;
	double begin = seconds(), end = begin + atof(argv[3]);
	while (seconds() < end) {
		if (ask(fd, bytes) < 0)
			return 1;
		count++;
	}
	printf("%.0f\n", (double)count / (seconds() - begin));
	return 0;
}
