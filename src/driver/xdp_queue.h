/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One queue's AF_XDP socket: memory cut into frames that the kernel and we hand
 * each other by their offsets, in four rings. Each ring has one writer and one
 * reader; what is free to be received into goes by the fill ring, what was
 * received by the receive ring, what is to be sent by the transmit ring, and
 * what was sent comes back by the completion ring. Linux: networking/af_xdp.rst
 *
 * Invariant: of the receiving half every frame is in the fill ring, in the receive
 * ring, with the kernel between them, or taken; of the sending half every frame
 * is in free, in the transmit or completion ring, or with the kernel.
 */
#ifndef DRIVER_XDP_QUEUE_H
#define DRIVER_XDP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XDP_RECEIVE_FRAMES = 2048, XDP_SEND_FRAMES = 1024 }; /* powers of two */

struct xdp_ring {
	uint32_t *producer, *consumer, *flags; /* shared with the kernel */
	void *entries;
	uint32_t mask;
	uint32_t ours; /* our side's counter: the same as what is shared, or not told yet */
	void *map;
	size_t map_length;
};

struct xdp_queue {
	int fd;
	uint8_t *memory;
	size_t memory_length;
	unsigned frame_size;
	struct xdp_ring fill, receive, send, completion;
	uint64_t free[XDP_SEND_FRAMES]; /* offsets of frames to send in */
	unsigned free_count, unsent;	/* unsent: in the transmit ring, as far as we know */
};

/* Frames of frame_size, 2048 or 4096 bytes, for queue number of interface. 0 or a negative errno; nothing stays open then. */
int xdp_queue_open(struct xdp_queue *queue, unsigned interface, unsigned number, unsigned frame_size);
/* One whose fd is -1 was not opened. */
void xdp_queue_close(struct xdp_queue *queue);

/* The next frame that arrived, in the queue's memory until it is given back. NULL: there is none. */
const uint8_t *xdp_queue_take(struct xdp_queue *queue, size_t *ret_length);
/* The frame that was taken last may be received into again. */
void xdp_queue_give_back(struct xdp_queue *queue, const uint8_t *bytes);

/* A frame to write to, and its room; NULL: all are under way. */
uint8_t *xdp_queue_begin(struct xdp_queue *queue);
/* It has length bytes, and is to be sent; by the next flush at the latest. */
void xdp_queue_end(struct xdp_queue *queue, uint8_t *bytes, size_t length);
/* Have the kernel send what waits. What it does not take now waits for the next time. */
void xdp_queue_flush(struct xdp_queue *queue);

#endif
