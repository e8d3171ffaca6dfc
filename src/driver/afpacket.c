/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An AF_PACKET socket on one of the kernel's interfaces as a link: packet(7).
 *
 * What arrives need not be what a wire would carry. The kernel leaves to hardware
 * that a veth does not have: checksums (it says so, and such frames, which never
 * were on a wire, count as good) and cutting (a frame may hold a run of TCP
 * segments, up to 64 KiB). Each frame therefore comes with a struct virtio_net_hdr
 * before it (PACKET_VNET_HDR), and the stack takes the run as one packet. The same
 * is left to the kernel in what is sent: vnet.h.
 */
#include "driver/tee.h"
#include "driver/vnet.h"
#include "link/frame.h"

#include <arpa/inet.h>
#include <berth/driver.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* The peer sends a whole window at once; nobody reads meanwhile. The kernel counts 2 KiB and more a frame. */
	QUEUE_BYTES = 8 << 20,
};

struct berth_afpacket {
	struct berth_stack *stack;
	struct berth_link *link;
	int fd;
	unsigned mtu;
	bool no_udp_runs; /* the kernel refused one: it is from before Linux 6.2 */
	struct driver_tee tee;
	uint8_t rest[VNET_RUN_MAX]; /* where a frame goes on that is longer than the MTU */
};

/* What came with a frame. */
struct arrival {
	struct virtio_net_hdr header;
	struct sockaddr_ll from;
	uint32_t status; /* TP_STATUS_* */
	int flags;	 /* of the message */
	size_t length;
};

void afpacket_set_tee(struct berth_afpacket *device, const struct driver_tee *tee)
{
	device->tee = *tee;
}

bool afpacket_knows_udp_runs(const struct berth_afpacket *device)
{
	return !device->no_udp_runs;
}

/* 0 or a negative errno. */
static int write_one(struct berth_afpacket *device, struct berth_packet *packet, bool *ret_udp_run)
{
	struct virtio_net_hdr header;
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = packet->data, .iov_len = packet->length },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	vnet_give(packet, &header);
	*ret_udp_run = header.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4;
	while (sendmsg(device->fd, &message, MSG_DONTWAIT) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

void afpacket_write(struct berth_afpacket *device, struct berth_packet *packet)
{
	struct packet_queue pieces = { 0 };
	bool udp_run;

	/* A full queue loses the frame: nobody waits for a driver. */
	if (write_one(device, packet, &udp_run) != -EINVAL || !udp_run) {
		berth_packet_unref(packet);
		return;
	}
	device->no_udp_runs = true;
	berth_link_set_udp_runs(device->link, false);
	frame_cut(packet, &pieces);
	while ((packet = packet_queue_pop(&pieces))) {
		(void)write_one(device, packet, &udp_run);
		berth_packet_unref(packet);
	}
}

static void device_transmit(void *context, struct berth_packet *packet)
{
	struct berth_afpacket *device = context;

	if (device->tee.out)
		device->tee.out(device->tee.context, packet);
	else
		afpacket_write(device, packet);
}

/* A long queue; who has no CAP_NET_ADMIN gets as much as net.core.rmem_max allows. */
static void set_queue(int fd)
{
	int bytes = QUEUE_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int set_up(int fd, unsigned index)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)index };
	struct packet_mreq promiscuous = { .mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC };
	int one = 1;

	set_queue(fd);
	/* What the kernel's own stack sends on the interface is no arrival. Before Linux 4.20 read_one() leaves it out. */
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) < 0)
		return -errno;
	return 0;
}

static int open_device(const char *name, int *ret_fd)
{
	unsigned index = if_nametoindex(name);
	int fd, r;

	if (!index)
		return -ENODEV;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* protocol 0: nothing before bind() */
	if (fd < 0)
		return -errno;
	r = set_up(fd, index);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int berth_afpacket_open(struct berth_stack *stack, const char *name, const uint8_t mac[6], unsigned mtu,
			struct berth_afpacket **ret_device)
{
	struct berth_afpacket *device = calloc(1, sizeof(*device));

	if (!device)
		return -ENOMEM;
	device->stack = stack;
	device->mtu = mtu ? mtu : 1500;
	int r = device->mtu > VNET_RUN_MAX - VNET_FRAME_EXTRA ? -EINVAL : open_device(name, &device->fd);
	if (r < 0) {
		free(device);
		return r;
	}
	struct berth_link_config config = { .name = name,
					    .type = BERTH_LINK_ETHERNET,
					    .mtu = device->mtu,
					    .transmit = device_transmit,
					    .context = device };
	memcpy(config.mac, mac, sizeof(config.mac));
	r = berth_link_add(stack, &config, &device->link);
	if (r < 0) {
		close(device->fd);
		free(device);
		return r;
	}
	vnet_offload(device->link, true, true);
	*ret_device = device;
	return 0;
}

void berth_afpacket_close(struct berth_afpacket *device)
{
	if (!device)
		return;
	berth_link_remove(device->link);
	close(device->fd);
	free(device);
}

int berth_afpacket_fd(const struct berth_afpacket *device)
{
	return device->fd;
}

struct berth_link *berth_afpacket_link(struct berth_afpacket *device)
{
	return device->link;
}

/* TP_STATUS_* of a frame: what the kernel says of its checksum and of a VLAN tag that it took off. */
static uint32_t status_of(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct tpacket_auxdata data;
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(data)))
			continue;
		memcpy(&data, CMSG_DATA(c), sizeof(data));
		return data.tp_status;
	}
	return 0;
}

/* The next frame: its first size bytes to bytes, what is over to device->rest. 0 or a negative errno. */
static int receive(struct berth_afpacket *device, void *bytes, size_t size, struct arrival *ret_arrival)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec parts[] = {
		{ .iov_base = &ret_arrival->header, .iov_len = sizeof(ret_arrival->header) },
		{ .iov_base = bytes, .iov_len = size },
		{ .iov_base = device->rest, .iov_len = sizeof(device->rest) },
	};
	struct msghdr message = { .msg_name = &ret_arrival->from,
				  .msg_namelen = sizeof(ret_arrival->from),
				  .msg_iov = parts,
				  .msg_iovlen = 3,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(device->fd, &message, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(ret_arrival->header))
		return -EINVAL;
	ret_arrival->status = status_of(&message);
	ret_arrival->flags = message.msg_flags;
	ret_arrival->length = (size_t)n - sizeof(ret_arrival->header);
	return 0;
}

/* Ours to take: from outside, whole, of no VLAN. */
static bool is_ours(const struct arrival *arrival)
{
	return arrival->from.sll_pkttype != PACKET_OUTGOING && !(arrival->flags & MSG_TRUNC) &&
	       !(arrival->status & TP_STATUS_VLAN_VALID);
}

/* One frame. Returns its packet, or NULL and *ret_error; -ENOMSG: one that is to be skipped. */
static struct berth_packet *read_one(void *opaque, int *ret_error)
{
	struct berth_afpacket *device = opaque;
	size_t size = device->mtu + VNET_FRAME_EXTRA;
	struct berth_packet *packet = berth_packet_new(berth_stack_packets(device->stack), 0, size);
	struct arrival arrival;
	int r;

	*ret_error = -ENOMEM;
	if (!packet)
		return NULL;
	r = receive(device, packet->data, size, &arrival);
	if (r < 0 || !is_ours(&arrival)) {
		/* EINVAL: a frame that virtio_net_hdr has no words for, a tunnel's; it is gone from the queue. */
		*ret_error = r < 0 && r != -EINTR && r != -EINVAL ? r : -ENOMSG;
		berth_packet_unref(packet);
		return NULL;
	}
	if (arrival.length > size)
		packet = vnet_join(packet, device->rest, size, arrival.length);
	if (!packet)
		return NULL;
	packet->length = (uint32_t)arrival.length;
	if (!vnet_take(&arrival.header, packet)) { /* cut otherwise than TCP is */
		*ret_error = -ENOMSG;
		berth_packet_unref(packet);
		return NULL;
	}
	if (arrival.status & TP_STATUS_CSUMNOTREADY)
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
	return packet;
}

int berth_afpacket_read(struct berth_afpacket *device, int max, berth_time now)
{
	struct vnet_source source = { device, read_one, &device->tee, device->stack, device->link };

	return vnet_read(&source, max, now);
}
