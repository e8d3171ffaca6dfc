/* SPDX-License-Identifier: BSD-2-Clause */
/* What a simulated world consists of; tcp_worlds.c lives in it. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/packet.h"
#include "base/random.h"

#include <berth/berth.h>

#define FLOWS_MAX 3
#define TIME_LIMIT (20000 * BERTH_SEC)
#define DEFAULT_WORLDS 10000

struct frame {
	berth_time due;
	struct berth_packet *packet;
	int to;
};

struct flow {
	int initiator;
	int listener, fd[2];			 /* -1: not open */
	size_t to_send[2], sent[2], received[2]; /* by side */
	bool shut[2], end[2], closed[2], dead;
};

struct cable {
	unsigned loss, repeat, damage; /* of 1000 */
	berth_time delay, jitter;
};

struct world {
	uint64_t seed;
	struct random random;
	struct berth_allocator allocator;
	size_t live, live_bytes;
	unsigned fail_one_in; /* allocations; 0: none */
	struct berth_stack *stacks[2];
	struct berth_link *links[2];
	struct berth_ip addresses[2];
	struct end {
		struct world *world;
		int side;
	} ends[2];
	struct cable cable;
	struct frame frames[8192];
	size_t frame_count;
	uint64_t lost;
	struct flow flows[FLOWS_MAX];
	int flow_count;
	bool ip6, rough, hasty, quiet; /* quiet: hooks close nothing */
	berth_time now, tick;
	char failure[200];
};

#endif
