/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network of libberth's in one thread: how it grows with hosts, and what TCP
 * makes of delay and loss (in real time, as between two programs).
 */
#include "measure.h"

#include <berth/berth.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PIECE = 64 * 1024, PORT = 80 };

static struct berth_net *net;
static struct berth_host **hosts;
static unsigned host_count;
static uint8_t bytes[PIECE];
static size_t held; /* bytes that the network asked for */

static void *held_alloc(void *context, size_t size)
{
	held += size;
	return malloc(size);
}

static void held_free(void *context, void *memory, size_t size)
{
	held -= size;
	free(memory);
}

static const struct berth_allocator allocator = { held_alloc, held_free, NULL };

static void make_hosts(unsigned count)
{
	struct berth_net_config config = { .seed = 1,
					   .now = berth_clock(),
					   .allocator = &allocator,
					   .superframe = (unsigned)argument("superframe", UINT_MAX) };

	net = berth_net_new(&config);
	hosts = calloc(count, sizeof(struct berth_host *));
	for (host_count = 0; host_count < count; host_count++) {
		char name[32];

		snprintf(name, sizeof(name), "h%u", host_count);
		if (berth_net_add_host(net, name, (struct berth_ip){ { 0 } }, NULL, &hosts[host_count]))
			fail("a host");
	}
}

/* What is due now, and what that makes due. */
static void carry(void)
{
	berth_time now = berth_clock();

	do {
		berth_net_advance(net, now);
	} while (berth_net_deadline(net) <= now);
}

static int listen_on(struct berth_host *host)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct berth_stack *stack = berth_host_stack(host);
	int fd = berth_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (berth_bind(stack, fd, (struct sockaddr *)&name, sizeof(name)) < 0 || berth_listen(stack, fd, 8) < 0)
		fail("listen");
	return fd;
}

/* The two ends of a conversation between two hosts. */
struct talk {
	struct berth_stack *from, *to;
	int client, server;
};

static struct talk talk_between(struct berth_host *from, struct berth_host *to, int listener)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct berth_ip ip = berth_host_ip4(to);
	struct talk talk = { berth_host_stack(from), berth_host_stack(to), -1, -1 };

	memcpy(&name.sin_addr, ip.bytes + 12, 4);
	talk.client = berth_socket(talk.from, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (berth_connect(talk.from, talk.client, (struct sockaddr *)&name, sizeof(name)) < 0 && errno != EINPROGRESS)
		fail("connect");
	while (talk.server < 0) {
		carry();
		talk.server = berth_accept(talk.to, listener, NULL, NULL, SOCK_NONBLOCK);
	}
	return talk;
}

/* Every host talks with the next one; then one conversation at random at a time says a byte, and is answered. */
static double echo(void)
{
	unsigned count = (unsigned)argument("hosts", 2);
	uint64_t turns = 0, random = 88172645463325252u;
	struct talk *talks = calloc(count, sizeof(*talks));
	struct stint stint;

	make_hosts(count);
	for (unsigned i = 0; i < count; i++)
		talks[i] = talk_between(hosts[i], hosts[(i + 1) % count], listen_on(hosts[(i + 1) % count]));
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 100; i++, turns++) {
			struct talk *talk = &talks[xorshift(&random) % count];
			char byte = 'x';

			berth_send(talk->from, talk->client, &byte, 1, 0);
			carry();
			berth_recv(talk->to, talk->server, &byte, 1, 0);
			berth_send(talk->to, talk->server, &byte, 1, 0);
			carry();
			if (berth_recv(talk->from, talk->client, &byte, 1, 0) != 1)
				fail("echo");
		}
	return stint.seconds / (double)turns * 1e6;
}

/* Bytes a host, with nothing on it. */
static double memory(void)
{
	unsigned count = (unsigned)argument("hosts", 1000);
	size_t one;

	make_hosts(1);
	one = held;
	berth_net_free(net);
	held = 0;
	make_hosts(count);
	return count > 1 ? (double)(held - one) / (count - 1) : (double)one;
}

static void sleep_until(berth_time deadline)
{
	berth_time left = deadline - berth_clock();
	struct timespec time = { left / BERTH_SEC, left % BERTH_SEC };

	if (left > 0)
		nanosleep(&time, NULL);
}

/* Goodput in Gbit/s with delay=MS and loss=PERCENT in each direction: what is read once it has had warm= seconds. */
static double goodput(void)
{
	struct berth_conditions conditions = { .delay = (berth_time)(argument("delay", 0) * (double)BERTH_MSEC) };
	double warm = argument("warm", 0.5), begun, last = 0;
	struct stint stint;
	struct talk talk;
	uint64_t read = 0, before = 0;

	conditions.loss = (berth_chance)(argument("loss", 0) / 100 * (double)BERTH_ALWAYS);
	conditions.limit = 1000000; /* packets: a queue is not what is measured */
	make_hosts(2);
	berth_host_set_conditions(hosts[0], BERTH_BOTH, &conditions);
	talk = talk_between(hosts[0], hosts[1], listen_on(hosts[1]));
	begun = clock_seconds();
	for (stint = stint_begin(), stint.limit += warm; stint_goes_on(&stint);) {
		ssize_t n;

		while (berth_send(talk.from, talk.client, bytes, sizeof(bytes), 0) > 0)
			;
		carry();
		while ((n = berth_recv(talk.to, talk.server, bytes, sizeof(bytes), 0)) > 0)
			read += (uint64_t)n;
		carry();
		if (!last && stint.seconds >= warm) {
			before = read;
			last = clock_seconds();
		}
		if (!(berth_readiness(talk.from, talk.client) & BERTH_POLLOUT) &&
		    !(berth_readiness(talk.to, talk.server) & BERTH_POLLIN))
			sleep_until(berth_net_deadline(net));
	}
	return (double)(read - before) * 8 / (clock_seconds() - (last ? last : begun)) / 1e9;
}

int main(int argc, char **argv)
{
	static const struct measure measures[] = {
		{ "echo", "us", echo },
		{ "memory", "bytes", memory },
		{ "goodput", "Gbit/s", goodput },
		{ 0 },
	};

	return measure_main(argc, argv, measures);
}
