/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libberth with both ends in one thread, on a cable of memory, data copied in
 * and out: measure_kernel.c uses the kernel's loopback in the same way, and
 * measure_lwip.c lwIP.
 */
#include "measure.h"
#include "pair.h"

#include <stdlib.h>

enum { PIECE = 64 * 1024, PORT = 80, MESSAGE_MAX = 1 << 20 };

static uint8_t out[MESSAGE_MAX], in[MESSAGE_MAX];

static struct pair_options options_given(void)
{
	return (struct pair_options){
		.mtu = (unsigned)argument("mtu", 1500),
		.superframe = (unsigned)argument("superframe", 0),
		.checksums = argument("checksums", 0) != 0,
		.loss_permyriad = (unsigned)(argument("loss", 0) * 100), /* given in percent */
		.time_wait = (unsigned)argument("time_waits", 1000),
	};
}

static void pair_join(struct pair *pair, int listener, int *ret_client, int *ret_server)
{
	*ret_client = pair_connect(pair, PORT);
	pair_run(pair);
	*ret_server = berth_accept(pair->stacks[1], listener, NULL, NULL, SOCK_NONBLOCK);
	if (*ret_server < 0)
		fail("accept");
}

/* Gbit/s of what round() says that it moved from client, on the first stack, to server. */
static double bulk_by(const struct pair_options *options, size_t (*round)(struct pair *pair, int client, int server))
{
	struct pair pair;
	int client, server;
	uint64_t bytes = 0;
	struct stint stint;

	pair_init(&pair, options);
	pair_join(&pair, pair_listen(&pair, PORT, 8), &client, &server);
	pair.loss_permyriad = options->loss_permyriad;
	if (options->blocking) {
		berth_set_nonblocking(pair.stacks[0], client, false);
		berth_set_nonblocking(pair.stacks[1], server, false);
	}
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 16; i++)
			bytes += round(&pair, client, server);
	pair_fini(&pair);
	return (double)bytes * 8 / stint.seconds / 1e9;
}

static size_t copied(struct pair *pair, int client, int server)
{
	size_t bytes = 0;
	ssize_t n;

	berth_send(pair->stacks[0], client, out, PIECE, 0);
	pair_run(pair);
	while ((n = berth_recv(pair->stacks[1], server, in, PIECE, 0)) > 0)
		bytes += (size_t)n;
	return bytes;
}

static double bulk(void)
{
	struct pair_options options = options_given();

	return bulk_by(&options, copied);
}

static size_t by_packets(struct pair *pair, int client, int server)
{
	struct berth_packet *packet = berth_packet_wrap(berth_stack_packets(pair->stacks[0]), out, PIECE, NULL, NULL);
	size_t bytes = 0;
	ssize_t n;

	if (berth_send_packet(pair->stacks[0], client, packet, 0) < 0)
		berth_packet_unref(packet);
	pair_run(pair);
	while ((n = berth_recv_packet(pair->stacks[1], server, &packet, 0)) > 0) {
		bytes += (size_t)n;
		berth_packet_unref(packet);
	}
	return bytes;
}

/* The same with the calls that don't copy: out of lent memory, in by the packet. */
static double bulk_packets(void)
{
	struct pair_options options = options_given();

	return bulk_by(&options, by_packets);
}

static size_t waiting(struct pair *pair, int client, int server)
{
	berth_send(pair->stacks[0], client, out, PIECE, 0);
	for (size_t got = 0; got < PIECE;) {
		ssize_t n = berth_recv(pair->stacks[1], server, in, PIECE - got, 0);

		if (n <= 0)
			fail("recv");
		got += (size_t)n;
	}
	return PIECE;
}

/* And with calls that block, as programs make them: who has to wait carries the frames meanwhile. */
static double bulk_blocking(void)
{
	struct pair_options options = options_given();

	options.blocking = true;
	return bulk_by(&options, waiting);
}

/* One message at a time, one way, of size bytes. */
static double message(void)
{
	struct pair_options options = options_given();
	size_t size = (size_t)argument("size", 1);
	struct pair pair;
	int client, server;
	uint64_t count = 0;
	struct stint stint;

	pair_init(&pair, &options);
	pair_join(&pair, pair_listen(&pair, PORT, 8), &client, &server);
	for (stint = stint_begin(); stint_goes_on(&stint); count++)
		for (size_t sent = 0, got = 0; got < size;) {
			ssize_t n = sent < size ? berth_send(pair.stacks[0], client, out, size - sent, 0) : 0;

			sent += n > 0 ? (size_t)n : 0;
			pair_run(&pair);
			while ((n = berth_recv(pair.stacks[1], server, in, sizeof(in), 0)) > 0)
				got += (size_t)n;
		}
	pair_fini(&pair);
	return stint.seconds / (double)count * 1e6;
}

static void connect_once(struct pair *pair, int listener, bool reset)
{
	int client, server;

	pair_join(pair, listener, &client, &server);
	if (reset)
		berth_abort(pair->stacks[1], server);
	else
		berth_close(pair->stacks[1], server); /* the server closes first: TIME-WAIT is its */
	pair_run(pair);
	berth_close(pair->stacks[0], client);
	pair_run(pair);
}

static double connects(void)
{
	struct pair_options options = options_given();
	bool reset = argument("reset", 0) != 0;
	struct pair pair;
	uint64_t count = 0;
	struct stint stint;
	int listener;

	pair_init(&pair, &options);
	listener = pair_listen(&pair, PORT, 8);
	for (unsigned i = (unsigned)argument("time_waits", 0); i; i--)
		connect_once(&pair, listener, false);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 100; i++, count++)
			connect_once(&pair, listener, reset);
	pair_fini(&pair);
	return (double)count / stint.seconds;
}

/* ---- many connections ---- */

struct crowd {
	unsigned count;
	int *clients, *servers;
	struct pair pair;
	double before; /* bytes in memory without it */
};

/* Many listeners: one port has only 28,232 local ports to talk to from one address. */
static void crowd_join(struct crowd *crowd)
{
	enum { A_PORT = 20000 };
	int listener = -1;

	for (unsigned i = 0; i < crowd->count; i++) {
		uint16_t port = (uint16_t)(1000 + i / A_PORT);

		if (i % A_PORT == 0)
			listener = pair_listen(&crowd->pair, port, 8);
		crowd->clients[i] = pair_connect(&crowd->pair, port);
		pair_run(&crowd->pair);
		crowd->servers[i] = berth_accept(crowd->pair.stacks[1], listener, NULL, NULL, SOCK_NONBLOCK);
		if (crowd->servers[i] < 0)
			fail("accept");
	}
}

static void crowd_init(struct crowd *crowd)
{
	struct pair_options options = options_given();
	size_t size;

	crowd->count = (unsigned)argument("connections", 1);
	size = crowd->count * sizeof(int);
	options.count_memory = true;
	crowd->clients = malloc(size);
	crowd->servers = malloc(size);
	if (!crowd->clients || !crowd->servers)
		fail("malloc");
	for (unsigned i = 0; i < crowd->count; i++)
		crowd->clients[i] = crowd->servers[i] = -1; /* in memory before it counts */
	pair_init(&crowd->pair, &options);
	crowd->before = resident_bytes();
	crowd_join(crowd);
}

/* Millions are left to the end of the process, which takes less time than to free them one by one. */
static void crowd_fini(struct crowd *crowd)
{
	static struct crowd *volatile left; /* not lost, for leak checkers */

	if (crowd->count >= 1000000) {
		left = malloc(sizeof(*left));
		if (left)
			*left = *crowd;
		return;
	}
	pair_fini(&crowd->pair);
	free(crowd->clients);
	free(crowd->servers);
}

static double echo(void)
{
	uint64_t count = 0, random = 88172645463325252u;
	struct crowd crowd;
	struct stint stint;

	crowd_init(&crowd);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 1000; i++, count++) {
			unsigned which = (unsigned)(xorshift(&random) % crowd.count);
			char byte = 'x';

			berth_send(crowd.pair.stacks[0], crowd.clients[which], &byte, 1, 0);
			pair_run(&crowd.pair);
			berth_recv(crowd.pair.stacks[1], crowd.servers[which], &byte, 1, 0);
			berth_send(crowd.pair.stacks[1], crowd.servers[which], &byte, 1, 0);
			pair_run(&crowd.pair);
			if (berth_recv(crowd.pair.stacks[0], crowd.clients[which], &byte, 1, 0) != 1)
				fail("echo");
		}
	crowd_fini(&crowd);
	return stint.seconds / (double)count * 1e6;
}

/* Bytes that the stacks asked for, an endpoint. */
static double memory(void)
{
	struct crowd crowd;
	size_t empty;
	struct pair_options options = options_given();

	options.count_memory = true;
	pair_init(&crowd.pair, &options);
	empty = crowd.pair.memory;
	pair_fini(&crowd.pair);
	crowd_init(&crowd);
	double each = (double)(crowd.pair.memory - empty) / (2.0 * crowd.count);
	crowd_fini(&crowd);
	return each;
}

/* What all endpoints together take of the machine's memory, malloc's own included, in GiB. */
static double resident(void)
{
	struct crowd crowd;

	crowd_init(&crowd);
	double all = (resident_bytes() - crowd.before) / (double)(1 << 30);
	crowd_fini(&crowd);
	return all;
}

/* One turn of a loop with nothing due. */
static double tick(void)
{
	struct crowd crowd;
	struct stint stint;
	uint64_t count = 0;
	berth_time never = 0;

	crowd_init(&crowd);
	crowd.pair.now += 60 * BERTH_SEC; /* what was left of making them is over */
	berth_stack_advance(crowd.pair.stacks[0], crowd.pair.now);
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 1000; i++, count++) {
			crowd.pair.now += BERTH_USEC;
			berth_stack_advance(crowd.pair.stacks[0], crowd.pair.now);
			never ^= berth_stack_deadline(crowd.pair.stacks[0]);
		}
	if (never == 1)
		fail("tick"); /* so that it is worked out */
	crowd_fini(&crowd);
	return stint.seconds / (double)count * 1e9;
}

int main(int argc, char **argv)
{
	static const struct measure measures[] = {
		{ "bulk", "Gbit/s", bulk },
		{ "bulk-packets", "Gbit/s", bulk_packets },
		{ "bulk-blocking", "Gbit/s", bulk_blocking },
		{ "message", "us", message },
		{ "connects", "1/s", connects },
		{ "echo", "us", echo },
		{ "memory", "bytes", memory },
		{ "resident", "GiB", resident },
		{ "tick", "ns", tick },
		{ 0 },
	};

	return measure_main(argc, argv, measures);
}
