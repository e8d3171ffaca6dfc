/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receive queue: packets as they came, by reference, their data cut down
 * to payload. The ready list is in order and without gaps up to RCV.NXT; the
 * early list holds what came after a gap, sorted, without overlap.
 *
 * What it takes of memory is bounded whatever a peer sends: small payloads are
 * copied together, and early packets count with their whole buffers.
 */
#ifndef CORE_TCP_RECEIVEQ_H
#define CORE_TCP_RECEIVEQ_H

#include "base/packet.h"

#include <berth/protocol.h>

struct receiveq {
	struct berth_packet *ready, *last; /* last is meaningless while ready is NULL */
	struct berth_packet *early;	   /* by packet->mark, the sequence number */
	struct berth_packet *early_last;   /* meaningless while early is NULL */
	uint32_t bytes;			   /* of ready: what a reader may have */
	uint32_t memory, early_memory;	   /* of both lists, and of early alone */
};

/*
 * Put packet, whose data is payload that begins at seq, into the queue. Takes
 * ownership. *next is RCV.NXT and moves; payload before it is dropped. Early
 * packets may hold memory_limit bytes of memory together. Returns false when
 * the packet was thrown away for that limit.
 */
bool receiveq_put(struct receiveq *queue, struct berth_packet *packet, uint32_t seq, uint32_t *next,
		  size_t memory_limit);
/* packet, not empty, is what comes next, and nothing is early. Takes ownership. */
void receiveq_append(struct receiveq *queue, struct berth_packet *packet);
/* Copy up to length ready bytes from offset into message at message_offset. Returns bytes copied. */
size_t receiveq_copy(const struct receiveq *queue, size_t offset, const struct berth_message *message,
		     size_t message_offset, size_t length);
/* Take the first ready packet, which is there. The caller's. */
struct berth_packet *receiveq_pop(struct receiveq *queue);
/* Forget the first ready bytes; they are there. */
void receiveq_release(struct receiveq *queue, size_t bytes);
void receiveq_clear_early(struct receiveq *queue);
void receiveq_clear(struct receiveq *queue);

#endif
