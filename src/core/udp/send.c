/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending UDP: the header, and its checksum. RFC 768. */
#include "core/udp/udp.h"

#include "wire/checksum.h"
#include "wire/udp.h"

#include <errno.h>

#define PAYLOAD_MAX4 (65535 - 20 - WIRE_UDP_LENGTH)
#define PAYLOAD_MAX6 (65535 - WIRE_UDP_LENGTH)
enum { SEGMENTS_MAX = 128 }; /* Linux: UDP_MAX_SEGMENTS */

/* UDP-Lite: the coverage instead of the length, and always a checksum. RFC 3828 §3.1 */
static void put_lite_checksum(struct berth_socket *socket, uint8_t *bytes, size_t length,
			      const struct datagram_way *way)
{
	const struct udp_socket *udp = udp_of(socket);
	struct wire_udp header = { .source_port = socket->claim.port, .destination_port = way->remote.port };
	uint32_t sum = ip_pseudo_sum(way->path.source, way->remote.ip, IPPROTO_UDPLITE, length);
	bool partly = udp->send_partly && udp->send_coverage && udp->send_coverage < length;

	header.length = partly ? udp->send_coverage : (uint16_t)length;
	wire_udp_build(bytes, &header);
	header.checksum = checksum_finish(checksum_add(sum, bytes, header.length));
	if (!header.checksum)
		header.checksum = 0xffff; /* §3.1: never zero */
	wire_udp_build(bytes, &header);
}

/*
 * A datagram of size bytes of message from offset on; with segment, a run of
 * several of that many each, which the link carries as one (BERTH_LINK_UDP_RUNS).
 */
static struct berth_packet *build(struct berth_socket *socket, const struct berth_message *message, size_t offset,
				  size_t size, size_t segment, const struct datagram_way *way)
{
	struct berth_packet *packet = berth_packet_new(socket->stack->packets, PACKET_HEADROOM, size + WIRE_UDP_LENGTH);
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
	message_gather(message, offset, bytes + WIRE_UDP_LENGTH, size);
	if (segment) {
		packet->segment_size = (uint16_t)segment;
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
		return packet;
	}
	if (udp_is_lite(socket)) {
		put_lite_checksum(socket, bytes, packet->length, way);
		return packet;
	}
	/* In fragments nobody could put it in later, on the way to another link. */
	if (way->path.link->flags & BERTH_LINK_NO_CHECKSUMS && packet->length + 40 <= way->path.mtu) {
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
		return packet;
	}
	if (socket->options->no_checksum && ip_is4(way->remote.ip))
		return packet; /* SO_NO_CHECK, RFC 768: zero is none */
	header.checksum = checksum_finish(checksum_add(
		ip_pseudo_sum(way->path.source, way->remote.ip, IPPROTO_UDP, packet->length), bytes, packet->length));
	if (!header.checksum)
		header.checksum = 0xffff; /* RFC 768: 0 is "no checksum" */
	wire_udp_build(bytes, &header);
	return packet;
}

static int send_one(struct berth_socket *socket, const struct berth_message *message, size_t offset, size_t size,
		    size_t segment, const struct datagram_way *way)
{
	struct berth_packet *packet = build(socket, message, offset, size, size > segment ? segment : 0, way);

	return packet ? datagram_transmit(socket, packet, way) : -ENOBUFS;
}

/* UDP_SEGMENT: may size bytes be cut into datagrams of segment bytes? Linux: udp_send_skb() */
static int check_segments(const struct datagram_way *way, size_t size, size_t segment)
{
	size_t header = (ip_is4(way->remote.ip) ? 20 : 40) + WIRE_UDP_LENGTH;

	return segment + header > way->path.mtu || size > segment * SEGMENTS_MAX ? -EINVAL : 0;
}

/* How many bytes, cut into datagrams of segment, may leave as one packet; segment: none do. */
static size_t run_length(const struct berth_socket *socket, const struct datagram_way *way, size_t segment)
{
	const struct berth_link *link = way->path.link;
	size_t headers = (ip_is4(way->remote.ip) ? 20 : 40) + WIRE_UDP_LENGTH;

	if (!(link->flags & BERTH_LINK_UDP_RUNS) || link->superframe < headers + 2 * segment || way->path.group ||
	    udp_is_lite(socket) || socket->options->no_checksum || way->control.has_options ||
	    datagram_of((struct berth_socket *)socket)->options)
		return segment;
	return (link->superframe - headers) / segment * segment;
}

ssize_t udp_send(struct berth_socket *socket, struct berth_message *message)
{
	size_t size = message_size(message), segment, step, done = 0;
	struct datagram_way way;
	int r = datagram_find_way(socket, message, &way);

	if (r < 0)
		return r;
	if (size > (ip_is4(way.remote.ip) ? PAYLOAD_MAX4 : PAYLOAD_MAX6))
		return -EMSGSIZE;
	segment = way.control.segment ? way.control.segment : udp_of(socket)->segment;
	if (!segment || size <= segment)
		segment = step = size;
	else if ((r = check_segments(&way, size, segment)) < 0)
		return r;
	else
		step = run_length(socket, &way, segment);
	do { /* an empty datagram is one, too */
		size_t piece = MIN(step, size - done);

		r = send_one(socket, message, done, piece, segment, &way);
		if (r < 0)
			return done ? (ssize_t)size : r; /* what is missing is lost, as datagrams are */
		done += piece;
	} while (done < size);
	return (ssize_t)size;
}
