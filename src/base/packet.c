/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet pools. Three size classes cover what networks carry: small control
 * packets, one Ethernet frame, a superframe. A pool counts the memory of live
 * packets against its limit and keeps a bounded stock of free ones.
 */
#include "base/packet.h"

#include "base/bytes.h"
#include "base/memory.h"

static const uint32_t class_room[PACKET_CLASSES] = { 320, 2048, 9472, BERTH_PACKET_MAX };
#define HEADER_MAX 60	       /* of TCP, the largest that goes behind the headroom */
#define STOCK_BYTES (4u << 20) /* of free packets kept, a class */

struct berth_packet_pool *berth_packet_pool_new(const struct berth_allocator *allocator, size_t limit)
{
	struct berth_packet_pool *pool = memory_new(allocator, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->allocator = allocator;
	pool->limit = limit;
	pool->refs = 1;
	return pool;
}

struct berth_packet_pool *berth_packet_pool_ref(struct berth_packet_pool *pool)
{
	pool->refs++;
	return pool;
}

static void packet_release(struct berth_packet_pool *pool, struct berth_packet *packet)
{
	memory_free(pool->allocator, packet, packet_truesize(packet));
}

void berth_packet_pool_unref(struct berth_packet_pool *pool)
{
	if (!pool || --pool->refs)
		return;
	for (size_t i = 0; i < PACKET_CLASSES; i++) {
		while (pool->stock[i]) {
			struct berth_packet *packet = pool->stock[i];

			pool->stock[i] = packet->next;
			packet_release(pool, packet);
		}
	}
	memory_free(pool->allocator, pool, sizeof(*pool));
}

static inline struct berth_packet *take_or_make(struct berth_packet_pool *pool, size_t class)
{
	struct berth_packet *packet = pool->stock[class];

	if (packet) {
		pool->stock[class] = packet->next;
		pool->stocked[class] -= packet_truesize(packet);
		return packet;
	}
	packet = memory_alloc(pool->allocator, sizeof(*packet) + class_room[class]);
	if (packet)
		packet->room = class_room[class];
	return packet;
}

size_t packet_payload_within(size_t memory)
{
	size_t class = PACKET_CLASSES - 1;

	while (class && sizeof(struct berth_packet) + class_room[class] > memory)
		class --;
	return class_room[class] - PACKET_HEADROOM - HEADER_MAX;
}

struct berth_packet *berth_packet_new(struct berth_packet_pool *pool, size_t headroom, size_t size)
{
	struct berth_packet *packet;
	size_t class = 0;

	if (headroom > BERTH_PACKET_MAX || size > BERTH_PACKET_MAX - headroom)
		return NULL;
	while (class_room[class] < headroom + size)
		class ++;
	if (pool->limit && pool->used + sizeof(*packet) + class_room[class] > pool->limit)
		return NULL;
	packet = take_or_make(pool, class);
	if (!packet)
		return NULL;
	*packet = (struct berth_packet){
		.pool = pool,
		.data = packet->buffer + headroom,
		.room = class_room[class],
		.refs = 1,
		.size_class = (uint8_t) class,
	};
	pool->used += packet_truesize(packet);
	pool->refs++;
	return packet;
}

struct berth_packet *berth_packet_copy(struct berth_packet_pool *pool, const void *bytes, size_t size)
{
	struct berth_packet *packet = berth_packet_new(pool, PACKET_HEADROOM, size);

	if (packet)
		memcpy(berth_packet_put(packet, size), bytes, size);
	return packet;
}

struct packet_wrap {
	void (*release)(void *context);
	void *context;
};

struct berth_packet *berth_packet_wrap(struct berth_packet_pool *pool, const void *bytes, size_t size,
				       void (*release)(void *context), void *context)
{
	struct packet_wrap wrap = { release, context };
	struct berth_packet *packet;

	if (size > BERTH_WRAP_MAX)
		return NULL;
	packet = berth_packet_new(pool, 0, sizeof(wrap));
	if (!packet)
		return NULL;
	memcpy(packet->buffer, &wrap, sizeof(wrap));
	packet->wrapped = true;
	packet->data = (uint8_t *)(uintptr_t)bytes;
	packet->length = (uint32_t)size;
	return packet;
}

static void unwrap(struct berth_packet *packet)
{
	struct packet_wrap wrap;

	memcpy(&wrap, packet->buffer, sizeof(wrap));
	if (wrap.release)
		wrap.release(wrap.context);
}

struct berth_packet *packet_clone(const struct berth_packet *packet)
{
	size_t headroom = packet_headroom(packet);
	struct berth_packet *copy = berth_packet_new(packet->pool, headroom, packet->length);

	if (!copy)
		return NULL;
	memcpy(copy->data, packet->data, packet->length);
	copy->length = packet->length;
	copy->segment_size = packet->segment_size;
	copy->checksum = packet->checksum;
	copy->link = packet->link;
	copy->mark = packet->mark;
	copy->stamp = packet->stamp;
	copy->source = packet->source;
	copy->destination = packet->destination;
	copy->source_port = packet->source_port;
	copy->ttl = packet->ttl;
	copy->traffic_class = packet->traffic_class;
	copy->looped = packet->looped;
	return copy;
}

struct berth_packet *berth_packet_ref(struct berth_packet *packet)
{
	packet->refs++;
	return packet;
}

void berth_packet_unref(struct berth_packet *packet)
{
	struct berth_packet_pool *pool;
	size_t class;

	if (!packet || --packet->refs)
		return;
	if (packet->wrapped)
		unwrap(packet);
	pool = packet->pool;
	class = packet->size_class;
	pool->used -= packet_truesize(packet);
	if (pool->refs > 1 && pool->stocked[class] + packet_truesize(packet) <= STOCK_BYTES) {
		packet->next = pool->stock[class];
		pool->stock[class] = packet;
		pool->stocked[class] += packet_truesize(packet);
	} else {
		packet_release(pool, packet);
	}
	berth_packet_pool_unref(pool);
}

uint8_t *berth_packet_data(struct berth_packet *packet)
{
	return packet->data;
}

size_t berth_packet_length(const struct berth_packet *packet)
{
	return packet->length;
}

uint8_t *berth_packet_push(struct berth_packet *packet, size_t bytes)
{
	if (bytes > packet_headroom(packet))
		return NULL;
	packet->data -= bytes;
	packet->length += (uint32_t)bytes;
	return packet->data;
}

uint8_t *berth_packet_pull(struct berth_packet *packet, size_t bytes)
{
	bytes = MIN(bytes, packet->length);
	packet->data += bytes;
	packet->length -= (uint32_t)bytes;
	return packet->data;
}

uint8_t *berth_packet_put(struct berth_packet *packet, size_t bytes)
{
	uint8_t *end = packet->data + packet->length;

	if (bytes > packet_tailroom(packet))
		return NULL;
	packet->length += (uint32_t)bytes;
	return end;
}

void berth_packet_trim(struct berth_packet *packet, size_t length)
{
	packet->length = (uint32_t)MIN(length, packet->length);
}

void packet_queue_clear(struct packet_queue *queue)
{
	struct berth_packet *packet;

	while ((packet = packet_queue_pop(queue)))
		berth_packet_unref(packet);
}
