/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One end of a measured link, an ordinary program with ordinary UDP sockets:
 * bench/links runs the same two over Berth's cables and over the kernel's.
 *
 *	link_probe receive PORT            prints "ready", then "NUMBER SENT RECEIVED" for each datagram
 *	link_probe send ADDRESS PORT COUNT BYTES GAP
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, which both ends share. The sender
 * keeps to its gaps (microseconds) on the whole; 0: as fast as it goes. It ends
 * with last words, which are said a few times, as they may be lost.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	DATAGRAMS_MAX = 200000,
	BYTES_MAX = 1472,
	LAST_WORDS = 200,
	PATIENCE_MS = 20000,
	GREETINGS = 50,
	ANSWER_MS = 200
};

#define LAST UINT64_MAX
#define HELLO (UINT64_MAX - 1)

struct stamp {
	uint64_t number, sent; /* number LAST: last words; HELLO: to be sent back */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int receive(uint16_t port)
{
	static struct stamp stamps[DATAGRAMS_MAX];
	static uint64_t times[DATAGRAMS_MAX];
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 8 << 20;
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	size_t count = 0;
	char bytes[BYTES_MAX];

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail("link_probe: bind");
	puts("ready");
	fflush(stdout);
	while (count < DATAGRAMS_MAX && poll(&ready, 1, PATIENCE_MS) > 0) {
		socklen_t size = sizeof(address);

		if (recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&address, &size) <
		    (ssize_t)sizeof(*stamps))
			continue;
		memcpy(&stamps[count], bytes, sizeof(*stamps));
		times[count] = now_ns();
		if (stamps[count].number == LAST)
			break;
		if (stamps[count].number == HELLO)
			sendto(fd, bytes, sizeof(*stamps), 0, (struct sockaddr *)&address, size);
		else
			count++;
	}
	for (size_t i = 0; i < count; i++)
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", stamps[i].number, stamps[i].sent, times[i]);
	return 0;
}

static void wait_until(uint64_t moment)
{
	struct timespec when = { (time_t)(moment / 1000000000), (long)(moment % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

/* Until it is answered: neighbours are found then, which a lost question would delay by a second. */
static void greet(int fd)
{
	struct stamp hello = { HELLO, 0 };
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	for (int i = 0; i < GREETINGS; i++) {
		send(fd, &hello, sizeof(hello), 0);
		if (poll(&ready, 1, ANSWER_MS) > 0 && recv(fd, &hello, sizeof(hello), 0) > 0)
			return;
	}
}

static int send_all(const char *host, uint16_t port, uint64_t count, size_t length, uint64_t gap_us)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t begun;
	char bytes[BYTES_MAX] = { 0 };

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || length < sizeof(struct stamp) || length > BYTES_MAX ||
	    count > DATAGRAMS_MAX || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail("link_probe: connect");
	greet(fd);
	begun = now_ns();
	for (uint64_t i = 0; i < count + LAST_WORDS; i++) {
		struct stamp stamp = { i < count ? i : LAST, 0 };

		if (i >= count)
			usleep(20000); /* the others are under way, and may be slow */
		else if (gap_us)
			wait_until(begun + i * gap_us * 1000);
		stamp.sent = now_ns();
		memcpy(bytes, &stamp, sizeof(stamp));
		if (send(fd, bytes, length, 0) < 0 && i >= count)
			return 0; /* nobody is there any more: it was heard */
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "receive"))
		return receive((uint16_t)atoi(argv[2]));
	if (argc == 7 && !strcmp(argv[1], "send"))
		return send_all(argv[2], (uint16_t)atoi(argv[3]), strtoull(argv[4], NULL, 10),
				strtoull(argv[5], NULL, 10), strtoull(argv[6], NULL, 10));
	fprintf(stderr, "usage: link_probe receive PORT | send ADDRESS PORT COUNT BYTES GAP\n");
	return 2;
}
