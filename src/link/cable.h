/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cable: one direction of a link in memory. Packets go in at one end and
 * come out, by reference, at the other when they are due. Conditions (loss,
 * jitter, rate, ...) are decided in cable_send(), which may hold, copy or drop
 * a packet; whoever takes packets out sees only when they are due. A cable
 * knows nothing of what it carries and calls no one.
 *
 * Invariant: the queue is ordered by packet->stamp, the time a packet is due.
 */
#ifndef LINK_CABLE_H
#define LINK_CABLE_H

#include "base/packet.h"

struct cable_conditions {
	berth_time delay; /* nanoseconds from end to end */
};

struct cable {
	struct cable_conditions conditions;
	struct packet_queue queue;
	uint64_t packets_in, bytes_in, packets_out;
};

void cable_init(struct cable *cable);
/* Throws away what is under way. */
void cable_fini(struct cable *cable);
/* Put packet in at now. Takes ownership. Its stamp is the cable's from here on. */
void cable_send(struct cable *cable, struct berth_packet *packet, berth_time now);
/* The next packet that is due at now, which becomes the caller's; NULL when there is none. */
struct berth_packet *cable_take_due(struct cable *cable, berth_time now);
/* When the next packet is due; BERTH_NEVER when the cable is empty. */
berth_time cable_deadline(const struct cable *cable);

#endif
