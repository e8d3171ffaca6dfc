/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet from the inside (the outside is berth/packet.h). Pools keep
 * freed buffers by size class for the next packet.
 */
#ifndef BASE_PACKET_H
#define BASE_PACKET_H

#include <berth/packet.h>

/* Room in front of a transport header for IPv6 (40), Ethernet (14) and VXLAN outside (50+). */
#define PACKET_HEADROOM 128

#define PACKET_CLASSES 4 /* sizes of buffers */

struct berth_packet_pool {
	const struct berth_allocator *allocator;
	struct berth_packet *stock[PACKET_CLASSES];
	size_t stocked[PACKET_CLASSES]; /* bytes */
	size_t used, limit;		/* bytes of live packets; limit 0: none */
	size_t refs;			/* owners and live packets */
};

enum packet_checksum {
	PACKET_CHECKSUM_PRESENT, /* computed by the sender, not yet verified */
	PACKET_CHECKSUM_TRUSTED, /* verified, or on a path that damages nothing */
	PACKET_CHECKSUM_SUSPECT, /* computed, and to be verified whatever the link says: a cable damages */
};

struct berth_packet {
	struct berth_packet_pool *pool;
	struct berth_packet *next; /* for whoever owns the packet to queue it by */
	uint8_t *data;		   /* first byte */
	uint32_t length;
	uint32_t room; /* bytes of buffer[] */
	uint32_t refs;
	uint16_t segment_size; /* superframe: payload bytes of each TCP segment, or datagram, in it; else 0 */
	uint8_t checksum;      /* enum packet_checksum */
	uint8_t size_class;
	/* For the network layer's use while it has the packet. */
	struct berth_link *link;
	uint32_t mark;	  /* free use by the present owner: TCP keeps the sequence number here */
	berth_time stamp; /* when it was sent or is due, by the present owner's clock */
	/* Where a datagram came from and went to, while it waits in a socket. */
	struct berth_ip source, destination;
	uint16_t source_port;
	uint8_t ttl, traffic_class;
	bool looped;  /* our own multicast or broadcast, back without having left */
	bool wrapped; /* data is someone else's memory; buffer holds a struct packet_wrap */
	_Alignas(16) uint8_t buffer[];
};

static inline size_t packet_tailroom(const struct berth_packet *packet)
{
	return packet->wrapped ? 0 : (size_t)(packet->buffer + packet->room - (packet->data + packet->length));
}
static inline size_t packet_headroom(const struct berth_packet *packet)
{
	return packet->wrapped ? 0 : (size_t)(packet->data - packet->buffer);
}
/* berth_packet_pull() where bytes are known to be there, berth_packet_push() and berth_packet_put() where room is. */
static inline void packet_pull(struct berth_packet *packet, uint32_t bytes)
{
	packet->data += bytes;
	packet->length -= bytes;
}
static inline uint8_t *packet_push(struct berth_packet *packet, uint32_t bytes)
{
	packet->data -= bytes;
	packet->length += bytes;
	return packet->data;
}
/* Bytes of a pool's live packets, and how many there may be (0: any number). */
static inline size_t packet_pool_used(const struct berth_packet_pool *pool)
{
	return pool->used;
}
static inline size_t packet_pool_limit(const struct berth_packet_pool *pool)
{
	return pool->limit;
}
/* The most payload, behind room for all headers, of a packet that takes no more memory than this; that of the smallest
 * if none does. */
size_t packet_payload_within(size_t memory);
/* A copy with its own buffer and the same headroom; NULL: no memory. */
struct berth_packet *packet_clone(const struct berth_packet *packet);
/* Bytes of memory that a packet takes, for accounting. */
static inline size_t packet_truesize(const struct berth_packet *packet)
{
	return sizeof(*packet) + packet->room;
}

/* First in, first out, through packet->next. */
struct packet_queue {
	struct berth_packet *head, **tail; /* tail is meaningless while head is NULL */
	size_t count, bytes;
};
static inline void packet_queue_push(struct packet_queue *queue, struct berth_packet *packet)
{
	packet->next = NULL;
	if (queue->head)
		*queue->tail = packet;
	else
		queue->head = packet;
	queue->tail = &packet->next;
	queue->count++;
	queue->bytes += packet->length;
}
static inline struct berth_packet *packet_queue_pop(struct packet_queue *queue)
{
	struct berth_packet *packet = queue->head;

	if (packet) {
		queue->head = packet->next;
		packet->next = NULL;
		queue->count--;
		queue->bytes -= packet->length;
	}
	return packet;
}
void packet_queue_clear(struct packet_queue *queue);

#endif
