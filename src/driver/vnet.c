/* SPDX-License-Identifier: BSD-2-Clause */
#include "driver/vnet.h"

#include "link/frame.h"

#include <berth/link.h>
#include <berth/stack.h>
#include <errno.h>
#include <string.h>

void vnet_offload(struct berth_link *link, bool on, bool udp)
{
	berth_link_set_superframe(link, on ? VNET_SUPERFRAME : 0);
	berth_link_set_tcp_checksums(link, on);
	berth_link_set_udp_runs(link, on && udp);
}

bool vnet_take(const struct virtio_net_hdr *header, struct berth_packet *packet)
{
	uint8_t type = header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;

	if (type != VIRTIO_NET_HDR_GSO_NONE && type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6 &&
	    type != VIRTIO_NET_HDR_GSO_UDP_L4)
		return false;
	if (type != VIRTIO_NET_HDR_GSO_NONE)
		packet->segment_size = header->gso_size;
	/* Not computed yet, for it never was on a wire; or verified by what it came through. */
	if (header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
	return true;
}

void vnet_give(struct berth_packet *packet, struct virtio_net_hdr *ret_header)
{
	struct frame_offload at;

	*ret_header = (struct virtio_net_hdr){ .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	if (!packet->segment_size && packet->checksum != PACKET_CHECKSUM_TRUSTED)
		return;
	if (!frame_offload(packet, &at))
		return;
	ret_header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	ret_header->csum_start = (uint16_t)at.transport;
	ret_header->csum_offset = (uint16_t)at.checksum;
	if (!packet->segment_size || packet->length <= at.payload + packet->segment_size)
		return;
	ret_header->gso_type = at.udp	? VIRTIO_NET_HDR_GSO_UDP_L4
			       : at.ip6 ? VIRTIO_NET_HDR_GSO_TCPV6
					: VIRTIO_NET_HDR_GSO_TCPV4;
	if (at.cwr)
		ret_header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	ret_header->gso_size = packet->segment_size;
	ret_header->hdr_len = (uint16_t)at.payload;
}

struct berth_packet *vnet_join(struct berth_packet *packet, const uint8_t *rest, size_t size, size_t length)
{
	struct berth_packet *whole = berth_packet_new(packet->pool, 0, length);

	if (whole) {
		memcpy(whole->data, packet->data, size);
		memcpy(whole->data + size, rest, length - size);
	}
	berth_packet_unref(packet);
	return whole;
}

enum { BATCH = 64 }; /* frames that are handed to the stack together */

static void hand_over(const struct vnet_source *source, struct berth_packet *const *packets, size_t count,
		      berth_time now)
{
	if (count && source->tee->in)
		source->tee->in(source->tee->context, packets, count, now);
	else if (count)
		berth_stack_input_many(source->stack, source->link, packets, count, now);
}

int vnet_read(const struct vnet_source *source, int max, berth_time now)
{
	struct berth_packet *batch[BATCH];
	size_t waiting = 0;
	int count = 0, error = 0;

	for (int tries = 0; tries < max && (!error || error == -ENOMSG); tries++) {
		struct berth_packet *packet = source->read_one(source->device, &error);

		if (!packet)
			continue;
		error = 0;
		batch[waiting++] = packet;
		count++;
		if (waiting == BATCH) {
			hand_over(source, batch, waiting, now);
			waiting = 0;
		}
	}
	hand_over(source, batch, waiting, now);
	return count || !error || error == -ENOMSG || error == -EAGAIN ? count : error;
}
