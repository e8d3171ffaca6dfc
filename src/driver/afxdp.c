/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One of the kernel's interfaces as a link, by AF_XDP: frames pass through
 * memory that is shared with the kernel, many for a system call, before (in
 * arrival) and past (in sending) the kernel's own stack. All that the interface
 * receives is ours. A frame is what a wire would carry: whole, with checksums;
 * nothing can be left to the kernel.
 *
 * Of each queue of the interface there is a socket (xdp_queue.c); the program
 * that leads frames to them is xdp_program.c's.
 */
#include "base/bytes.h"
#include "driver/tee.h"
#include "driver/vnet.h"
#include "driver/xdp_program.h"
#include "driver/xdp_queue.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEADROOM = 256, /* that the kernel keeps in a frame. Linux: XDP_PACKET_HEADROOM */
	FRAME_SMALL = 2048,
	FRAME_LARGE = 4096,
	QUEUES_MAX = 64,
	BUSY_TRIES = 100,
	BUSY_MS = 20,
};

struct berth_afxdp {
	struct berth_stack *stack;
	struct berth_link *link;
	struct driver_tee tee;
	struct xdp_program program;
	struct xdp_queue *queues;
	unsigned count, next; /* next: whose turn it is to be read */
	int several;	      /* epoll(7) of the queues; -1: there is but one */
	int promiscuous;      /* a socket: while it is open, the interface hears what is for other stations */
};

void afxdp_set_tee(struct berth_afxdp *device, const struct driver_tee *tee)
{
	device->tee = *tee;
}

void afxdp_write(struct berth_afxdp *device, struct berth_packet *packet)
{
	struct xdp_queue *queue = &device->queues[0];
	uint8_t *frame = packet->length <= queue->frame_size ? xdp_queue_begin(queue) : NULL;

	if (frame) { /* else lost, as where a queue is full */
		memcpy(frame, packet->data, packet->length);
		xdp_queue_end(queue, frame, packet->length);
	}
	berth_packet_unref(packet);
}

static void device_transmit(void *context, struct berth_packet *packet)
{
	struct berth_afxdp *device = context;

	if (device->tee.out)
		device->tee.out(device->tee.context, packet);
	else
		afxdp_write(device, packet);
}

/* How many queues name receives by; 1 where the driver does not say. */
static unsigned queues_of(int fd, const char *name)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq request = { .ifr_data = (void *)&channels };

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return 1;
	return MAX(channels.rx_count + channels.combined_count, 1u);
}

static int hear_all(int fd, unsigned index)
{
	struct packet_mreq promiscuous = { .mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC };
	int r = setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous));

	return r < 0 ? -errno : 0;
}

/* A socket that was closed is there for some milliseconds more: the kernel gives its queue and memory back by itself. */
static int open_queue(struct xdp_queue *queue, unsigned index, unsigned number, unsigned frame_size)
{
	int r = xdp_queue_open(queue, index, number, frame_size);

	for (int tries = 0; r == -EBUSY && tries < BUSY_TRIES; tries++) {
		poll(NULL, 0, BUSY_MS);
		r = xdp_queue_open(queue, index, number, frame_size);
	}
	return r;
}

static int open_queues(struct berth_afxdp *device, unsigned index, unsigned frame_size)
{
	for (unsigned i = 0; i < device->count; i++)
		device->queues[i].fd = -1;
	for (unsigned i = 0; i < device->count; i++) {
		int r = open_queue(&device->queues[i], index, i, frame_size);

		if (r >= 0)
			r = xdp_program_set(&device->program, i, device->queues[i].fd);
		if (r < 0)
			return r;
	}
	return 0;
}

static int watch_queues(struct berth_afxdp *device)
{
	if (device->count == 1)
		return 0;
	device->several = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; device->several >= 0 && i < device->count; i++) {
		struct epoll_event event = { .events = EPOLLIN };

		if (epoll_ctl(device->several, EPOLL_CTL_ADD, device->queues[i].fd, &event) < 0)
			return -errno;
	}
	return device->several < 0 ? -errno : 0;
}

static int open_interface(struct berth_afxdp *device, const char *name, unsigned frame_size)
{
	unsigned index = if_nametoindex(name);
	int r;

	if (!index)
		return -ENODEV;
	device->promiscuous = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: gets no frames */
	if (device->promiscuous < 0)
		return -errno;
	device->count = queues_of(device->promiscuous, name);
	if (device->count > QUEUES_MAX)
		return -E2BIG;
	device->queues = calloc(device->count, sizeof(*device->queues));
	if (!device->queues)
		return -ENOMEM;
	if ((r = xdp_program_open(&device->program, device->count)) < 0 ||
	    (r = open_queues(device, index, frame_size)) < 0 || (r = watch_queues(device)) < 0 ||
	    (r = hear_all(device->promiscuous, index)) < 0)
		return r;
	return xdp_program_attach(&device->program, index);
}

static int add_link(struct berth_afxdp *device, const char *name, const uint8_t mac[6], unsigned mtu)
{
	struct berth_link_config config = {
		.name = name, .type = BERTH_LINK_ETHERNET, .mtu = mtu, .transmit = device_transmit, .context = device
	};

	memcpy(config.mac, mac, sizeof(config.mac));
	return berth_link_add(device->stack, &config, &device->link);
}

int berth_afxdp_open(struct berth_stack *stack, const char *name, const uint8_t mac[6], unsigned mtu,
		     struct berth_afxdp **ret_device)
{
	struct berth_afxdp *device;
	unsigned whole;
	int r;

	mtu = mtu ? mtu : 1500;
	whole = mtu + VNET_FRAME_EXTRA + HEADROOM;
	if (whole > FRAME_LARGE || mtu > FRAME_LARGE)
		return -EINVAL;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;
	device->stack = stack;
	device->several = device->promiscuous = -1;
	device->program = (struct xdp_program){ -1, -1, -1 };
	r = open_interface(device, name, whole > FRAME_SMALL ? FRAME_LARGE : FRAME_SMALL);
	if (r >= 0)
		r = add_link(device, name, mac, mtu);
	if (r < 0) {
		berth_afxdp_close(device);
		return r;
	}
	*ret_device = device;
	return 0;
}

void berth_afxdp_close(struct berth_afxdp *device)
{
	if (!device)
		return;
	if (device->link) {
		berth_link_remove(device->link);
		berth_afxdp_flush(device); /* its last words */
	}
	xdp_program_close(&device->program);
	for (unsigned i = 0; device->queues && i < device->count; i++)
		xdp_queue_close(&device->queues[i]);
	free(device->queues);
	if (device->several >= 0)
		close(device->several);
	if (device->promiscuous >= 0)
		close(device->promiscuous);
	free(device);
}

int berth_afxdp_fd(const struct berth_afxdp *device)
{
	return device->several >= 0 ? device->several : device->queues[0].fd;
}

struct berth_link *berth_afxdp_link(struct berth_afxdp *device)
{
	return device->link;
}

void berth_afxdp_flush(struct berth_afxdp *device)
{
	if (device->queues[0].unsent)
		xdp_queue_flush(&device->queues[0]);
}

/* One frame, of the queues in turns. As vnet_source wants it. */
static struct berth_packet *read_one(void *opaque, int *ret_error)
{
	struct berth_afxdp *device = opaque;
	struct xdp_queue *queue = NULL;
	const uint8_t *frame = NULL;
	struct berth_packet *packet;
	size_t length = 0;

	for (unsigned i = 0; i < device->count && !frame; i++) {
		queue = &device->queues[device->next];
		frame = xdp_queue_take(queue, &length);
		device->next = (device->next + 1) % device->count;
	}
	*ret_error = frame ? -ENOMEM : -EAGAIN;
	if (!frame)
		return NULL;
	packet = berth_packet_copy(berth_stack_packets(device->stack), frame, length);
	xdp_queue_give_back(queue, frame); /* without memory the frame is lost, as on a full queue */
	return packet;
}

int berth_afxdp_read(struct berth_afxdp *device, int max, berth_time now)
{
	struct vnet_source source = { device, read_one, &device->tee, device->stack, device->link };
	int r;

	berth_afxdp_flush(device);
	r = vnet_read(&source, max, now);
	berth_afxdp_flush(device);
	return r;
}
