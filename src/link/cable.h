/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cable: one direction of a link in memory. Packets go in at one end and
 * come out, by reference, at the other when they are due. Conditions (loss,
 * jitter, rate, …) are decided in cable_send(), which may hold, copy, damage or
 * drop a packet; whoever takes packets out sees only when they are due. A cable
 * calls no one, and draws from a generator of its own, so that what happens on
 * it does not depend on other cables.
 *
 * Under conditions superframes are cut first: a real cable carries segments.
 *
 * Invariants: the queue is ordered by packet->stamp, the time a packet is due;
 * the heap holds the packets that would break that order.
 */
#ifndef LINK_CABLE_H
#define LINK_CABLE_H

#include "base/packet.h"
#include "base/random.h"
#include "link/trace.h"

#include <berth/conditions.h>

/* Why a packet did not arrive. */
enum cable_drop { CABLE_DROP_LOSS, CABLE_DROP_LIMIT, CABLE_DROP_CUT, CABLE_DROP_MEMORY, CABLE_DROPS };

struct cable_counters {
	uint64_t packets_in, bytes_in, packets_out, bytes_out;
	uint64_t dropped[CABLE_DROPS], duplicated, reordered, corrupted, marked;
};

struct late {
	struct berth_packet *packet;
	uint64_t sequence;
};

struct cable {
	struct berth_conditions conditions;
	bool perfect; /* conditions are all zero */
	bool bad;     /* Gilbert–Elliott's state */
	struct random random;
	uint32_t last_delay, last_loss, last_duplicate, last_reorder, last_corrupt; /* draws, for correlation */
	uint32_t since_reorder;
	berth_time busy_until; /* the rate's: when the last packet in has left the sender */
	struct trace_place trace_place;
	berth_time slot;		   /* when the next one opens, or opened */
	uint32_t slot_packets, slot_bytes; /* that it has carried */
	uint64_t bytes_under_way;
	struct packet_queue queue;
	struct late *heap; /* heap[0] is the next */
	size_t late_count, late_room;
	uint64_t sequence;
	struct cable_counters counters;
	const struct berth_allocator *allocator;
};

/* allocator stays the caller's. */
void cable_init(struct cable *cable, const struct berth_allocator *allocator, uint64_t seed);
/* Throws away what is under way. */
void cable_fini(struct cable *cable);
/* Lose what is in order and under way, for want of memory. */
void cable_lose(struct cable *cable);
void cable_set_conditions(struct cable *cable, const struct berth_conditions *conditions);
/* Put packet in at now. Takes ownership. Its stamp is the cable's from here on. */
void cable_send(struct cable *cable, struct berth_packet *packet, berth_time now);
/* The next packet that is due at now, which becomes the caller's; NULL when there is none. */
struct berth_packet *cable_take_due(struct cable *cable, berth_time now);
/* When the next packet is due; BERTH_NEVER when the cable is empty. */
berth_time cable_deadline(const struct cable *cable);

#endif
