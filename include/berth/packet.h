/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets: one contiguous buffer with headroom, counted references.
 *
 * A packet comes from a pool and goes back to it with the last reference. A
 * pool belongs to one thread; several stacks of that thread may share one, and
 * then packets travel between them without a copy. The pool lives until its
 * owner and its last packet have let go of it.
 */
#ifndef BERTH_PACKET_H
#define BERTH_PACKET_H

#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_packet;
struct berth_packet_pool;

/* The largest packet there is: a superframe with every header before it. */
#define BERTH_PACKET_MAX (65536 + 256)

/*
 * Make a pool that holds at most limit bytes of packet memory (0: no limit).
 * allocator NULL means malloc. Returns NULL when there is no memory.
 */
BERTH_EXPORT struct berth_packet_pool *berth_packet_pool_new(const struct berth_allocator *allocator, size_t limit);
BERTH_EXPORT struct berth_packet_pool *berth_packet_pool_ref(struct berth_packet_pool *pool);
BERTH_EXPORT void berth_packet_pool_unref(struct berth_packet_pool *pool);

/*
 * Make an empty packet with room for headroom bytes in front and size bytes
 * behind. The caller owns the one reference. NULL: no memory, or over the limit.
 */
BERTH_EXPORT struct berth_packet *berth_packet_new(struct berth_packet_pool *pool, size_t headroom, size_t size);
/* Make a packet that holds a copy of size bytes, with default headroom. */
BERTH_EXPORT struct berth_packet *berth_packet_copy(struct berth_packet_pool *pool, const void *bytes, size_t size);
/*
 * Make a packet of size bytes (at most BERTH_WRAP_MAX) of someone else's
 * memory, for berth_send_packet(): with no room in front or behind, so it can't
 * be sent by a link itself. The bytes must stay as they are until release is
 * called with context: once, when the last reference is gone. That happens
 * inside of the stack: release may note it, but calls nothing of Berth's. NULL:
 * no memory, or too large; release (which may be NULL) is not called.
 */
#define BERTH_WRAP_MAX (1u << 30)
BERTH_EXPORT struct berth_packet *berth_packet_wrap(struct berth_packet_pool *pool, const void *bytes, size_t size,
						    void (*release)(void *context), void *context);
BERTH_EXPORT struct berth_packet *berth_packet_ref(struct berth_packet *packet);
BERTH_EXPORT void berth_packet_unref(struct berth_packet *packet);

BERTH_EXPORT uint8_t *berth_packet_data(struct berth_packet *packet);
BERTH_EXPORT size_t berth_packet_length(const struct berth_packet *packet);

/*
 * Grow at the front, shrink at the front, grow at the back, cut at the back.
 * push and put return the first new byte, or NULL when there is no room; pull
 * and trim never pass the packet's length.
 */
BERTH_EXPORT uint8_t *berth_packet_push(struct berth_packet *packet, size_t bytes);
BERTH_EXPORT uint8_t *berth_packet_pull(struct berth_packet *packet, size_t bytes);
BERTH_EXPORT uint8_t *berth_packet_put(struct berth_packet *packet, size_t bytes);
BERTH_EXPORT void berth_packet_trim(struct berth_packet *packet, size_t length);

#ifdef __cplusplus
}
#endif
#endif
