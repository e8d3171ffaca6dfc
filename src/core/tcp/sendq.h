/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The send queue: the bytes from SND.UNA to the last one written, in chunks
 * from the packet pool. Empty, it holds no memory. It knows no sequence
 * numbers, only offsets from its first byte.
 */
#ifndef CORE_TCP_SENDQ_H
#define CORE_TCP_SENDQ_H

#include "base/packet.h"

#include <berth/protocol.h>

struct sendq {
	struct berth_packet *head, *last; /* last is meaningless while head is NULL */
	/* Where the last look-up ended: reads go on from there most of the time. */
	struct berth_packet *cursor;
	uint32_t cursor_offset; /* of cursor's first byte */
	uint32_t bytes;
	uint32_t memory; /* of the chunks, with their whole buffers */
};

/* Take up to length bytes of message, beginning at offset. Returns bytes taken: fewer when memory ends. */
size_t sendq_append(struct sendq *queue, struct berth_packet_pool *pool, const struct berth_message *message,
		    size_t offset, size_t length);
/* The same of all of message, which fits into one chunk, into an empty queue. False: no memory. */
bool sendq_begin(struct sendq *queue, struct berth_packet_pool *pool, const struct berth_message *message,
		 size_t length);
/* Put packet, which is not empty, at the end. Takes ownership. */
void sendq_push(struct sendq *queue, struct berth_packet *packet);
/* Copy length bytes at offset; they are there. */
void sendq_copy(struct sendq *queue, size_t offset, void *to, size_t length);
/* The same, and their checksum's sum, as checksum_add() has it. */
uint32_t sendq_copy_sum(struct sendq *queue, size_t offset, void *to, size_t length);
/* Forget the first bytes; they are there. */
void sendq_release(struct sendq *queue, size_t bytes);
void sendq_clear(struct sendq *queue);

#endif
