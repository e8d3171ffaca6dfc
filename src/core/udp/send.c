/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending UDP: the header, and its checksum. RFC 768. */
#include "core/udp/udp.h"

#include "wire/checksum.h"
#include "wire/udp.h"

#include <errno.h>

#define PAYLOAD_MAX4 (65535 - 20 - WIRE_UDP_LENGTH)
#define PAYLOAD_MAX6 (65535 - WIRE_UDP_LENGTH)

static struct berth_packet *build(struct berth_socket *socket, const struct berth_message *message, size_t size,
				  const struct datagram_way *way)
{
	struct berth_packet *packet = berth_packet_new(socket->stack->packets, PACKET_HEADROOM,
						       size + WIRE_UDP_LENGTH);
	struct wire_udp header = {
		.source_port = socket->claim.port,
		.destination_port = way->remote.port,
		.length = (uint16_t)(size + WIRE_UDP_LENGTH),
	};
	uint8_t *bytes;

	if (!packet)
		return NULL;
	bytes = berth_packet_put(packet, size + WIRE_UDP_LENGTH);
	wire_udp_build(bytes, &header);
	message_gather(message, 0, bytes + WIRE_UDP_LENGTH, size);
	/* In fragments nobody could put it in later, on the way to another link. */
	if (way->path.link->flags & BERTH_LINK_NO_CHECKSUMS && packet->length + 40 <= way->path.mtu) {
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
		return packet;
	}
	header.checksum = checksum_finish(checksum_add(
		ip_pseudo_sum(way->path.source, way->remote.ip, IPPROTO_UDP, packet->length), bytes, packet->length));
	if (!header.checksum)
		header.checksum = 0xffff; /* RFC 768: 0 is "no checksum" */
	wire_udp_build(bytes, &header);
	return packet;
}

ssize_t udp_send(struct berth_socket *socket, struct berth_message *message)
{
	size_t size = message_size(message);
	struct berth_packet *packet;
	struct datagram_way way;
	int r = datagram_find_way(socket, message, &way);

	if (r < 0)
		return r;
	if (size > (ip_is4(way.remote.ip) ? PAYLOAD_MAX4 : PAYLOAD_MAX6))
		return -EMSGSIZE;
	packet = build(socket, message, size, &way);
	if (!packet)
		return -ENOBUFS;
	r = datagram_transmit(socket, packet, &way);
	return r < 0 ? r : (ssize_t)size;
}
