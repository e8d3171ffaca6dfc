/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks in one thread, joined by a cable of memory: what measurements of
 * libberth go by, in real time, and the instruction gate, in simulated time.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <berth/berth.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pair {
	struct berth_stack *stacks[2];
	struct berth_link *links[2];
	struct pair_end {
		struct pair *pair;
		int side;
	} ends[2];
	struct queue {
		struct berth_packet **packets;
		size_t head, count, room; /* room is a power of two */
	} queues[2];			  /* by receiver */
	struct berth_packet_pool *pool;
	/* Where it is one of several with the same addresses: who looks at frames, by receiver, and which of them it is. */
	struct berth_steer *steers[2];
	unsigned index;
	berth_time now;
	bool simulated;
	unsigned loss_permyriad; /* of the frames, both ways */
	uint64_t random;
	size_t memory; /* bytes allocated by the stacks, if counted */
	struct berth_allocator allocator;
};

struct pair_options {
	unsigned mtu, superframe;
	bool checksums, count_memory;
	bool simulated;			       /* time: a microsecond a pair_run() */
	bool blocking;			       /* sockets wait, and a wait carries frames */
	const struct berth_steering *steering; /* NULL: none; both sides are number index of it */
	unsigned index;
	unsigned time_wait;	 /* limit */
	unsigned loss_permyriad; /* for the caller to set in pair when the handshake is through */
};

void pair_init(struct pair *pair, const struct pair_options *options);
void pair_fini(struct pair *pair);
/* Carry frames until none is left; the clock follows the real one, unless it is simulated. */
void pair_run(struct pair *pair);
/* A listener at side 1, port; side 0 connects. */
int pair_listen(struct pair *pair, uint16_t port, int backlog);
int pair_connect(struct pair *pair, uint16_t port);

#endif
