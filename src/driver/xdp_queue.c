/* SPDX-License-Identifier: BSD-2-Clause */
#include "driver/xdp_queue.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

enum {
	KERNEL_TAKES = 32, /* frames a system call, in copy mode. Linux: TX_BATCH_SIZE, max_tx_budget */
	TRIES_MAX = XDP_SEND_FRAMES / KERNEL_TAKES + 1,
};

static int option(int fd, int name, const void *value, socklen_t length)
{
	return setsockopt(fd, SOL_XDP, name, value, length) < 0 ? -errno : 0;
}

static int make_memory(struct xdp_queue *queue)
{
	struct xdp_umem_reg registration = { .chunk_size = queue->frame_size };
	uint32_t receive = XDP_RECEIVE_FRAMES, send = XDP_SEND_FRAMES;
	int r;

	queue->memory_length = (size_t)queue->frame_size * (XDP_RECEIVE_FRAMES + XDP_SEND_FRAMES);
	queue->memory = mmap(NULL, queue->memory_length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (queue->memory == MAP_FAILED)
		return -ENOMEM;
	registration.addr = (uintptr_t)queue->memory;
	registration.len = queue->memory_length;
	if ((r = option(queue->fd, XDP_UMEM_REG, &registration, sizeof(registration))) < 0 ||
	    (r = option(queue->fd, XDP_UMEM_FILL_RING, &receive, sizeof(receive))) < 0 ||
	    (r = option(queue->fd, XDP_RX_RING, &receive, sizeof(receive))) < 0 ||
	    (r = option(queue->fd, XDP_UMEM_COMPLETION_RING, &send, sizeof(send))) < 0 ||
	    (r = option(queue->fd, XDP_TX_RING, &send, sizeof(send))) < 0)
		return r;
	return 0;
}

static int map_ring(int fd, struct xdp_ring *ring, const struct xdp_ring_offset *offset, uint64_t page, uint32_t count,
		    size_t entry)
{
	uint8_t *map;

	ring->map_length = (size_t)offset->desc + count * entry;
	map = mmap(NULL, ring->map_length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)page);
	if (map == MAP_FAILED)
		return -errno;
	ring->map = map;
	ring->producer = (uint32_t *)(map + offset->producer);
	ring->consumer = (uint32_t *)(map + offset->consumer);
	ring->flags = (uint32_t *)(map + offset->flags);
	ring->entries = map + offset->desc;
	ring->mask = count - 1;
	return 0;
}

static int map_rings(struct xdp_queue *queue)
{
	struct xdp_mmap_offsets at;
	socklen_t length = sizeof(at);
	int fd = queue->fd, r;

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length) < 0)
		return -errno;
	if (length != sizeof(at))
		return -EOPNOTSUPP; /* before Linux 5.4, whose rings can't ask to be woken */
	if ((r = map_ring(fd, &queue->fill, &at.fr, XDP_UMEM_PGOFF_FILL_RING, XDP_RECEIVE_FRAMES, sizeof(uint64_t))) <
		    0 ||
	    (r = map_ring(fd, &queue->receive, &at.rx, XDP_PGOFF_RX_RING, XDP_RECEIVE_FRAMES,
			  sizeof(struct xdp_desc))) < 0 ||
	    (r = map_ring(fd, &queue->completion, &at.cr, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_SEND_FRAMES,
			  sizeof(uint64_t))) < 0 ||
	    (r = map_ring(fd, &queue->send, &at.tx, XDP_PGOFF_TX_RING, XDP_SEND_FRAMES, sizeof(struct xdp_desc))) < 0)
		return r;
	return 0;
}

/* What is shared with the kernel: what we write is seen after all that was written before it, and the other way round. */
static uint32_t theirs(const uint32_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}
static void tell(uint32_t *counter, uint32_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELEASE);
}

static void fill_put(struct xdp_queue *queue, uint64_t offset)
{
	struct xdp_ring *fill = &queue->fill;

	((uint64_t *)fill->entries)[fill->ours++ & fill->mask] = offset; /* room for all of them */
	tell(fill->producer, fill->ours);
}

int xdp_queue_open(struct xdp_queue *queue, unsigned interface, unsigned number, unsigned frame_size)
{
	struct sockaddr_xdp name = { .sxdp_family = AF_XDP,
				     .sxdp_flags = XDP_USE_NEED_WAKEUP, /* without a copy where the driver can */
				     .sxdp_ifindex = interface,
				     .sxdp_queue_id = number };
	int r;

	*queue = (struct xdp_queue){ .frame_size = frame_size };
	queue->memory = MAP_FAILED;
	queue->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (queue->fd < 0)
		return -errno;
	r = make_memory(queue);
	if (r >= 0)
		r = map_rings(queue);
	for (uint64_t i = 0; r >= 0 && i < XDP_RECEIVE_FRAMES; i++)
		fill_put(queue, i * frame_size);
	for (uint64_t i = 0; i < XDP_SEND_FRAMES; i++)
		queue->free[queue->free_count++] = (XDP_RECEIVE_FRAMES + i) * frame_size;
	if (r >= 0 && bind(queue->fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		r = -errno;
	if (r < 0)
		xdp_queue_close(queue);
	return r;
}

static void unmap(struct xdp_ring *ring)
{
	if (ring->map)
		munmap(ring->map, ring->map_length);
	ring->map = NULL;
}

void xdp_queue_close(struct xdp_queue *queue)
{
	if (queue->fd < 0)
		return;
	unmap(&queue->fill);
	unmap(&queue->receive);
	unmap(&queue->send);
	unmap(&queue->completion);
	close(queue->fd); /* the kernel keeps the pages while it still uses them */
	if (queue->memory != MAP_FAILED)
		munmap(queue->memory, queue->memory_length);
	queue->fd = -1;
}

const uint8_t *xdp_queue_take(struct xdp_queue *queue, size_t *ret_length)
{
	struct xdp_ring *receive = &queue->receive;
	const struct xdp_desc *frame;

	if (receive->ours == theirs(receive->producer))
		return NULL;
	frame = &((const struct xdp_desc *)receive->entries)[receive->ours & receive->mask];
	*ret_length = frame->len;
	return queue->memory + frame->addr;
}

void xdp_queue_give_back(struct xdp_queue *queue, const uint8_t *bytes)
{
	tell(queue->receive.consumer, ++queue->receive.ours);
	fill_put(queue, (uint64_t)(bytes - queue->memory) / queue->frame_size * queue->frame_size);
	if (theirs(queue->fill.flags) & XDP_RING_NEED_WAKEUP)
		recvfrom(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void reclaim(struct xdp_queue *queue)
{
	struct xdp_ring *completion = &queue->completion;
	uint32_t end = theirs(completion->producer);

	while (completion->ours != end)
		queue->free[queue->free_count++] =
			((const uint64_t *)completion->entries)[completion->ours++ & completion->mask];
	tell(completion->consumer, end);
}

uint8_t *xdp_queue_begin(struct xdp_queue *queue)
{
	if (!queue->free_count)
		reclaim(queue);
	if (!queue->free_count)
		xdp_queue_flush(queue);
	return queue->free_count ? queue->memory + queue->free[queue->free_count - 1] : NULL;
}

void xdp_queue_end(struct xdp_queue *queue, uint8_t *bytes, size_t length)
{
	struct xdp_ring *send = &queue->send;

	((struct xdp_desc *)send->entries)[send->ours++ & send->mask] =
		(struct xdp_desc){ .addr = (uint64_t)(bytes - queue->memory), .len = (uint32_t)length };
	queue->free_count--;
	tell(send->producer, send->ours);
	if (++queue->unsent >= KERNEL_TAKES)
		xdp_queue_flush(queue);
}

void xdp_queue_flush(struct xdp_queue *queue)
{
	struct xdp_ring *send = &queue->send;

	for (int i = 0; i < TRIES_MAX && theirs(send->consumer) != send->ours; i++) {
		if (!(theirs(send->flags) & XDP_RING_NEED_WAKEUP))
			break;
		/* EAGAIN: it took as many as it takes at once. All else: it can't now. */
		if (sendto(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EINTR)
			break;
	}
	queue->unsent = send->ours - theirs(send->consumer);
	reclaim(queue);
}
