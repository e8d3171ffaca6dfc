/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An AF_PACKET socket on one of the kernel's interfaces as a link: packet(7).
 * Veths pass frames on with the checksum left to hardware that is not there;
 * the kernel says so (TP_STATUS_CSUMNOTREADY), and such frames, which never
 * were on a wire, count as good. Segmentation offload has to be off on the far
 * end, for a frame longer than the MTU is cut.
 */
#include "base/packet.h"

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

enum { FRAME_EXTRA = 14 + 4 };

struct berth_afpacket {
	struct berth_stack *stack;
	struct berth_link *link;
	int fd;
	unsigned mtu;
};

static void device_transmit(void *context, struct berth_packet *packet)
{
	struct berth_afpacket *device = context;

	/* A full queue loses the frame: nobody waits for a driver. */
	while (send(device->fd, packet->data, packet->length, MSG_DONTWAIT) < 0 && errno == EINTR)
		;
	berth_packet_unref(packet);
}

static int set_up(int fd, unsigned index)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)index };
	struct packet_mreq promiscuous = { .mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC };
	int one = 1;

	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 ||
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
	int r = open_device(name, &device->fd);
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

/* What the kernel says of the frame's checksum. */
static bool checksum_left_out(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct tpacket_auxdata data;
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(data)))
			continue;
		memcpy(&data, CMSG_DATA(c), sizeof(data));
		return data.tp_status & TP_STATUS_CSUMNOTREADY;
	}
	return false;
}

/* One frame. Returns its packet, or NULL and *ret_error; -ENOMSG: one that is to be skipped. */
static struct berth_packet *read_one(struct berth_afpacket *device, int *ret_error)
{
	size_t size = device->mtu + FRAME_EXTRA;
	struct berth_packet *packet = berth_packet_new(berth_stack_packets(device->stack), 0, size);
	struct sockaddr_ll from;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];

	*ret_error = -ENOMEM;
	if (!packet)
		return NULL;
	struct iovec part = { .iov_base = packet->data, .iov_len = size };
	struct msghdr message = { .msg_name = &from,
				  .msg_namelen = sizeof(from),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(device->fd, &message, MSG_DONTWAIT);
	if (n < 0 || from.sll_pkttype == PACKET_OUTGOING || message.msg_flags & MSG_TRUNC) {
		*ret_error = n < 0 && errno != EINTR ? -errno : -ENOMSG;
		berth_packet_unref(packet);
		return NULL;
	}
	packet->length = (uint32_t)n;
	if (checksum_left_out(&message))
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
	return packet;
}

int berth_afpacket_read(struct berth_afpacket *device, int max, berth_time now)
{
	int count = 0, error;

	for (int tries = 0; tries < max; tries++) {
		struct berth_packet *packet = read_one(device, &error);
		if (packet) {
			berth_stack_input(device->stack, device->link, packet, now);
			count++;
		} else if (error != -ENOMSG) {
			return count || error == -EAGAIN ? count : error;
		}
	}
	return count;
}
