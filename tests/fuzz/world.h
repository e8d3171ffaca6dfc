/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stack, or two on a cable, that a fuzz target drives from its input.
 * Whatever the input says, after each step: every frame sent is well formed
 * with right checksums, no timer is due any more, readiness has risen nowhere
 * without the ready hook saying so, and what it says agrees with what calls
 * do; at the end no memory is left over.
 *
 * End 0 is 10.0.0.1 and fd00::1, end 1 (or whoever the input plays) .2.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include "tests/fuzz/fuzz.h"

#include "base/ip.h"
#include "base/packet.h"

#include <berth/berth.h>

enum { WORLD_FDS = 16, WORLD_FLOWS = 8, WORLD_FRAME_MAX = 2048, WORLD_MTU = 1500 };

/* A TCP conversation seen on the cable, so that the input can speak of it in small numbers. */
struct flow {
	bool ip6;
	uint16_t local, remote;
	uint32_t next, ack; /* the sequence number after our last segment, and what it acknowledged */
};

struct world;

struct end {
	struct world *world;
	int number;
	struct berth_stack *stack;
	struct berth_link *link;
	struct packet_queue sent;  /* on the cable, not arrived */
	unsigned known[WORLD_FDS]; /* readiness that the hook told of and that did not fall since */
	bool low_water[WORLD_FDS]; /* SO_RCVLOWAT was set: data may wait without POLLIN */
	struct flow flows[WORLD_FLOWS];
	unsigned flow_count;
	uint8_t last[WORLD_FRAME_MAX]; /* the last frame sent */
	size_t last_length;
};

struct world {
	struct input *input;
	enum berth_link_type type;
	bool cookies;	/* for every SYN */
	unsigned count; /* of ends that are stacks */
	struct end ends[2];
	berth_time now;
	struct berth_allocator allocator;
	size_t live, live_bytes;
	unsigned fail_in; /* the allocation that fails, counted down; 0: none */
};

/* The input's first byte: link type, SYN cookies. Stacks come up with neighbours known. */
void world_up(struct world *world, struct input *input, unsigned count);
void world_down(struct world *world);
/* Let all that is due happen, and check what must hold. */
void world_settle(struct world *world);
/* Time passes, as the input says. */
void world_wait(struct world *world);

/* check.c: a frame that a stack sent. */
void check_frame(enum berth_link_type type, const uint8_t *bytes, size_t length);

/* frame.c: a frame, as the input says, arrives at end: raw, or TCP, IP, a fragment, an ICMP error
 * about our own last frame, that frame with a byte changed. */
void frame_arrives(struct end *end);
/* These bytes arrive behind a link header where the link has one. */
void frame_deliver(struct end *end, const uint8_t *packet, size_t length);
/* A segment from the peer to port, without options or data. */
void frame_segment(struct end *end, const struct flow *flow, uint8_t flags, uint32_t seq, uint32_t ack);
/* Remember the conversation that this sent IP packet belongs to. */
void frame_sent(struct end *end, const uint8_t *packet, size_t length);

/* call.c: an API call as the input says, on a descriptor that it chooses. */
void call_any(struct end *end);
/* Address .1 or .2 of a family, as the calls want it. Returns its length. */
socklen_t call_address(struct sockaddr_storage *storage, bool ip6, unsigned host, uint16_t port);

#endif
