/* SPDX-License-Identifier: BSD-2-Clause */
/* What a simulated world consists of; tcp_worlds.c lives in it, traits.c makes each another one. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/packet.h"
#include "base/random.h"

#include <berth/berth.h>

#include <sys/socket.h>

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
	int listener, fd[2]; /* -1: not open */
	berth_time opens_at;
	bool opened;
	size_t to_send[2], sent[2], received[2]; /* by side */
	bool shut[2], end[2], closed[2], dead;
};

struct cable {
	unsigned loss, repeat, damage; /* of 1000 */
	unsigned narrow;	       /* larger packets vanish without a word; 0: none do */
	berth_time delay, jitter;
};

/* What is not the same in all worlds. */
struct traits {
	unsigned syn_cookies, pacing, mtu_probing, ecn; /* of struct berth_limits, for both ends */
	unsigned fastopen[2];				/* by side; 0: nobody asks for it */
	size_t memory;					/* of a stack; 0: plenty */
	bool urgent;					/* some is; read in line */
	bool lends;					/* packets go in and out without a copy */
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
	struct traits traits;
	struct frame frames[8192];
	size_t frame_count;
	uint64_t lost;
	struct flow flows[FLOWS_MAX];
	int flow_count;
	bool ip6, rough, hasty, quiet; /* quiet: hooks close nothing */
	berth_time now, tick;
	char failure[200];
};

static inline uint64_t below(struct world *world, uint64_t bound)
{
	return random_below(&world->random, bound);
}

static inline bool chance(struct world *world, unsigned of_1000)
{
	return below(world, 1000) < of_1000;
}

/* traits.c. Choose them, when the cable is known. */
void traits_choose(struct world *world);
void traits_print(const struct world *world);
/* Those of both stacks alike. */
void traits_limit(const struct world *world, int side, struct berth_limits *limits);
/* Before the listener listens; before the other end connects. */
void traits_listener(struct world *world, struct berth_stack *stack, int fd);
/* Connect, with data in the SYN where that is asked for. Returns bytes that were taken, or -1 with errno. */
ssize_t traits_connect(struct world *world, const struct flow *flow, const struct sockaddr *address, socklen_t length,
		       const void *bytes, size_t size);
/* Send and receive, by one of the ways that there are. */
ssize_t traits_send(struct world *world, int side, int fd, const void *bytes, size_t size);
ssize_t traits_receive(struct world *world, int side, int fd, void *bytes, size_t size, int flags);
/* A frame comes to its end of the cable. Takes ownership of packet. */
void traits_arrive(struct world *world, int side, struct berth_packet *packet);
/* May a call have failed with errno, although the world is not rough? */
bool traits_excuse(const struct world *world, const struct flow *flow);
/* An option of an open socket takes another value. */
void traits_change(struct world *world, int side, int fd);

/* What all worlds together have seen. False: not all that they are for, although there were many. */
void traits_sum_up(struct world *world);
bool traits_seen(unsigned long worlds);

#endif
