/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stack per core: cores= threads, each with a pair of stacks and a cable of
 * its own. All pairs have the same two addresses and one steering: a frame that
 * berth_steer_frame() gives to another core than the one that it is on ends the
 * measurement. Prints what all do together; with cpu=1 by the time that each had
 * a processor, which is what to go by where others want the cores, too.
 */
#include "measure.h"
#include "pair.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PIECE = 64 * 1024, PORT = 80, CORES_MAX = 64 };

struct core {
	pthread_t thread;
	unsigned index;
	struct pair pair;
	int listener, client, server;
	uint8_t out[PIECE], in[PIECE];
	double rate; /* a second */
};

static struct core cores[CORES_MAX];
static struct berth_steering steering = { .key = { 7, 8 } };
static pthread_barrier_t start;
static uint64_t (*turn)(struct core *core);

static void join(struct core *core)
{
	core->client = pair_connect(&core->pair, PORT);
	pair_run(&core->pair);
	core->server = berth_accept(core->pair.stacks[1], core->listener, NULL, NULL, SOCK_NONBLOCK);
	if (core->server < 0)
		fail("accept");
}

static uint64_t bulk_turn(struct core *core)
{
	uint64_t bytes = 0;
	ssize_t n;

	berth_send(core->pair.stacks[0], core->client, core->out, PIECE, 0);
	pair_run(&core->pair);
	while ((n = berth_recv(core->pair.stacks[1], core->server, core->in, PIECE, 0)) > 0)
		bytes += (uint64_t)n;
	return bytes;
}

static uint64_t echo_turn(struct core *core)
{
	struct pair *pair = &core->pair;
	char byte = 'x';

	berth_send(pair->stacks[0], core->client, &byte, 1, 0);
	pair_run(pair);
	berth_recv(pair->stacks[1], core->server, &byte, 1, 0);
	berth_send(pair->stacks[1], core->server, &byte, 1, 0);
	pair_run(pair);
	if (berth_recv(pair->stacks[0], core->client, &byte, 1, 0) != 1)
		fail("echo");
	return 1;
}

static uint64_t connect_turn(struct core *core)
{
	int client = core->client, server = core->server;

	join(core);
	berth_close(core->pair.stacks[1], core->server);
	pair_run(&core->pair);
	berth_close(core->pair.stacks[0], core->client);
	pair_run(&core->pair);
	core->client = client;
	core->server = server;
	return 1;
}

/* Of the calling thread. */
static double processor_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *run(void *argument_of)
{
	struct core *core = argument_of;
	struct pair_options options = { .mtu = 1500,
					.superframe = (unsigned)argument("superframe", 0),
					.checksums = argument("checksums", 0) != 0,
					.time_wait = 1000,
					.steering = &steering,
					.index = core->index };
	uint64_t count = 0;
	struct stint stint;
	double before;

	pair_init(&core->pair, &options);
	core->listener = pair_listen(&core->pair, PORT, 8);
	join(core);
	pthread_barrier_wait(&start);
	before = processor_seconds();
	for (stint = stint_begin(); stint_goes_on(&stint);)
		for (int i = 0; i < 16; i++)
			count += turn(core);
	core->rate = (double)count / (argument("cpu", 0) != 0 ? processor_seconds() - before : stint.seconds);
	pthread_barrier_wait(&start); /* nobody's core is idle while another is measured */
	pair_fini(&core->pair);
	return NULL;
}

static double together(uint64_t (*one_turn)(struct core *core))
{
	double rate = 0;

	turn = one_turn;
	steering.count = (unsigned)argument("cores", 2);
	if (steering.count < 1 || steering.count > CORES_MAX) {
		fprintf(stderr, "measure_cores: cores= is 1 to %d\n", CORES_MAX);
		return 0;
	}
	pthread_barrier_init(&start, NULL, steering.count);
	for (unsigned i = 0; i < steering.count; i++) {
		cores[i].index = i;
		if (pthread_create(&cores[i].thread, NULL, run, &cores[i]))
			fail("pthread_create");
	}
	for (unsigned i = 0; i < steering.count; i++) {
		pthread_join(cores[i].thread, NULL);
		rate += cores[i].rate;
	}
	return rate;
}

static double bulk(void)
{
	return together(bulk_turn) * 8 / 1e9;
}

static double echoes(void)
{
	return together(echo_turn);
}

static double connects(void)
{
	return together(connect_turn);
}

int main(int argc, char **argv)
{
	static const struct measure measures[] = {
		{ "bulk", "Gbit/s", bulk },
		{ "echoes", "1/s", echoes },
		{ "connects", "1/s", connects },
		{ 0 },
	};

	return measure_main(argc, argv, measures);
}
