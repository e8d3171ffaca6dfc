/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct virtio_net_hdr, which TAP devices and AF_PACKET sockets put before each
 * frame: what of its checksum and of its cutting into segments was left to
 * whoever comes next, in both directions. Linux: include/uapi/linux/virtio_net.h
 */
#ifndef DRIVER_VNET_H
#define DRIVER_VNET_H

#include "base/packet.h"
#include "driver/tee.h"

#include <linux/virtio_net.h>

enum {
	VNET_FRAME_EXTRA = 14 + 4, /* Ethernet header and a VLAN tag */
	VNET_RUN_MAX = 65536 + VNET_FRAME_EXTRA,
	VNET_SUPERFRAME = 65280,
};

/* What headers of before Linux 6.2 do not know. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* The driver's link, on which runs (UDP's, too, if udp) are sent whole and checksums of TCP are left to the kernel; or not. */
void vnet_offload(struct berth_link *link, bool on, bool udp);
/* What the header says of packet, which arrived with it. False: a run of a kind that is nothing for us. */
bool vnet_take(const struct virtio_net_hdr *header, struct berth_packet *packet);
/* The header for packet, which is to be sent; writes the pseudo header's sum where the kernel wants it. */
void vnet_give(struct berth_packet *packet, struct virtio_net_hdr *ret_header);

/*
 * packet, which holds its first size bytes, with what is over in rest: length
 * bytes in all. Takes packet; NULL: no memory.
 */
struct berth_packet *vnet_join(struct berth_packet *packet, const uint8_t *rest, size_t size, size_t length);

/* A device to read frames from, and where they go. */
struct vnet_source {
	void *device;
	/* One frame's packet, or NULL and a negative errno in *ret_error; -ENOMSG: one that is to be skipped. */
	struct berth_packet *(*read_one)(void *device, int *ret_error);
	const struct driver_tee *tee; /* its in, if there is one, has them in place of the stack */
	struct berth_stack *stack;
	struct berth_link *link;
};

/* At most max frames, handed over in batches. Returns how many; none, and why, if it is for more than that there are none. */
int vnet_read(const struct vnet_source *source, int max, berth_time now);

#endif
