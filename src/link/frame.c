/* SPDX-License-Identifier: BSD-2-Clause */
#include "link/frame.h"

#include "base/ip.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include <errno.h>

struct frame {
	size_t network, transport; /* offsets of the headers */
	size_t end;		   /* of the IP packet; padding may follow */
	uint8_t protocol;
	bool ip6, fragment;
	struct berth_ip source, destination;
};

static int parse_ip4(const struct berth_packet *packet, struct frame *frame)
{
	struct wire_ip4 ip4;
	int length = wire_ip4_parse(packet->data + frame->network, packet->length - frame->network, &ip4);

	if (length < 0)
		return length;
	frame->transport = frame->network + (size_t)length;
	frame->end = frame->network + ip4.total_length;
	frame->protocol = ip4.protocol;
	frame->fragment = ip4.offset || ip4.more_fragments;
	frame->source = ip4.source;
	frame->destination = ip4.destination;
	return 0;
}

static int parse_ip6(const struct berth_packet *packet, struct frame *frame)
{
	struct wire_ip6 ip6;
	int length = wire_ip6_parse(packet->data + frame->network, packet->length - frame->network, &ip6);

	if (length < 0)
		return length;
	frame->ip6 = true;
	frame->transport = frame->network + (size_t)length;
	frame->end = frame->transport + ip6.payload_length;
	frame->protocol = ip6.next_header;
	frame->source = ip6.source;
	frame->destination = ip6.destination;
	return 0;
}

static int frame_parse(const struct berth_packet *packet, struct frame *ret_frame)
{
	struct wire_ethernet ethernet;
	int length = wire_ethernet_parse(packet->data, packet->length, &ethernet), r = -EPROTONOSUPPORT;

	if (length < 0)
		return length;
	*ret_frame = (struct frame){ .network = (size_t)length };
	if (ethernet.type == ETHERTYPE_IP4)
		r = parse_ip4(packet, ret_frame);
	else if (ethernet.type == ETHERTYPE_IP6)
		r = parse_ip6(packet, ret_frame);
	if (r >= 0 && ret_frame->end > packet->length)
		return -EMSGSIZE;
	return r;
}

/* Both protocols keep it at a place of its own; RFC 9293 §3.1, RFC 768. */
static size_t checksum_place(const struct frame *frame)
{
	if (frame->protocol == PROTOCOL_TCP && frame->end >= frame->transport + WIRE_TCP_HEADER)
		return frame->transport + WIRE_TCP_CHECKSUM_OFFSET;
	if (frame->protocol == PROTOCOL_UDP && frame->end >= frame->transport + WIRE_UDP_LENGTH)
		return frame->transport + 6;
	return 0;
}

static uint32_t pseudo_sum(const struct frame *frame)
{
	uint8_t header[40] = { 0 };
	size_t length = frame->end - frame->transport;

	memcpy(header, frame->source.bytes, 16); /* the mapped prefixes of IPv4 must not count: */
	memcpy(header + 16, frame->destination.bytes, 16);
	if (!frame->ip6) {
		memset(header, 0, 12);
		memset(header + 16, 0, 12);
	}
	put_be32(header + 32, (uint32_t)length);
	put_be32(header + 36, frame->protocol);
	return checksum_add(0, header, sizeof(header));
}

static void fill_checksum(struct berth_packet *packet, const struct frame *frame)
{
	size_t place = checksum_place(frame);
	uint16_t value;

	packet->checksum = PACKET_CHECKSUM_SUSPECT;
	if (!place || frame->fragment)
		return;
	put_be16(packet->data + place, 0);
	value = checksum_finish(
		checksum_add(pseudo_sum(frame), packet->data + frame->transport, frame->end - frame->transport));
	put_be16(packet->data + place, value || frame->protocol != PROTOCOL_UDP ? value : 0xffff);
}

void frame_checksum(struct berth_packet *packet)
{
	struct frame frame;

	if (packet->checksum == PACKET_CHECKSUM_SUSPECT)
		return;
	if (packet->checksum == PACKET_CHECKSUM_TRUSTED && frame_parse(packet, &frame) >= 0)
		fill_checksum(packet, &frame);
	packet->checksum = PACKET_CHECKSUM_SUSPECT;
}

bool frame_offload(struct berth_packet *packet, struct frame_offload *ret_offload)
{
	struct frame frame;
	uint8_t *transport;
	size_t place;

	if (frame_parse(packet, &frame) < 0 || frame.fragment)
		return false;
	place = checksum_place(&frame);
	if (!place)
		return false;
	transport = packet->data + frame.transport;
	*ret_offload = (struct frame_offload){
		.transport = frame.transport,
		.checksum = place - frame.transport,
		.payload = frame.transport + WIRE_UDP_LENGTH,
		.udp = frame.protocol == PROTOCOL_UDP,
		.ip6 = frame.ip6,
	};
	if (!ret_offload->udp) {
		ret_offload->payload = frame.transport + (size_t)(transport[12] >> 4) * 4;
		ret_offload->cwr = transport[13] & WIRE_TCP_CWR;
	}
	put_be16(packet->data + place, (uint16_t)~checksum_finish(pseudo_sum(&frame)));
	return true;
}

enum { ECN_MASK = 3, ECN_CE = 3 };

bool frame_mark(struct berth_packet *packet)
{
	struct frame frame;
	uint8_t *network;

	if (frame_parse(packet, &frame) < 0)
		return false;
	network = packet->data + frame.network;
	if (frame.ip6) { /* the traffic class lies across two bytes; RFC 8200 §3 */
		if (!(network[1] >> 4 & ECN_MASK))
			return false;
		network[1] |= ECN_CE << 4;
		return true;
	}
	if (!(network[1] & ECN_MASK))
		return false;
	network[1] |= ECN_CE;
	put_be16(network + 10, 0);
	put_be16(network + 10, checksum_finish(checksum_add(0, network, frame.transport - frame.network)));
	return true;
}

struct cut {
	const struct berth_packet *whole;
	struct frame frame;
	size_t headers, payload; /* bytes */
	size_t segment;
};

/* IP's lengths and identification are the segment's own. */
static void patch_network(struct berth_packet *part, const struct cut *cut, size_t number)
{
	uint8_t *network = part->data + cut->frame.network;
	size_t length = part->length - cut->frame.network;

	if (cut->frame.ip6) {
		put_be16(network + 4, (uint16_t)(length - WIRE_IP6_LENGTH));
		return;
	}
	put_be16(network + 2, (uint16_t)length);
	put_be16(network + 4, (uint16_t)(get_be16(network + 4) + number));
	put_be16(network + 10, 0);
	put_be16(network + 10, checksum_finish(checksum_add(0, network, cut->frame.transport - cut->frame.network)));
}

/* What belongs to the run's first (CWR) or last (FIN, PSH) segment goes there only. */
static void patch_transport(struct berth_packet *part, const struct cut *cut, size_t offset, size_t length)
{
	uint8_t *transport = part->data + cut->frame.transport;
	bool last = offset + length == cut->payload;

	if (cut->frame.protocol == PROTOCOL_UDP) {
		put_be16(transport + 4, (uint16_t)(WIRE_UDP_LENGTH + length));
		return;
	}
	put_be32(transport + 4, get_be32(transport + 4) + (uint32_t)offset);
	if (!last)
		transport[13] &= (uint8_t) ~(WIRE_TCP_FIN | WIRE_TCP_PSH);
	if (offset)
		transport[13] &= (uint8_t)~WIRE_TCP_CWR;
}

static struct berth_packet *cut_one(const struct cut *cut, size_t offset)
{
	size_t length = MIN(cut->segment, cut->payload - offset);
	struct berth_packet *part = berth_packet_new(cut->whole->pool, PACKET_HEADROOM, cut->headers + length);
	struct frame frame = cut->frame;

	if (!part)
		return NULL;
	memcpy(berth_packet_put(part, cut->headers), cut->whole->data, cut->headers);
	memcpy(berth_packet_put(part, length), cut->whole->data + cut->headers + offset, length);
	patch_network(part, cut, offset / cut->segment);
	patch_transport(part, cut, offset, length);
	part->checksum = cut->whole->checksum;
	if (part->checksum != PACKET_CHECKSUM_TRUSTED) {
		frame.end = cut->headers + length;
		fill_checksum(part, &frame);
		part->checksum = cut->whole->checksum;
	}
	return part;
}

static bool cut_begin(struct berth_packet *packet, struct cut *cut)
{
	size_t length;
	struct wire_tcp tcp;

	*cut = (struct cut){ .whole = packet, .segment = packet->segment_size };
	if (!cut->segment || frame_parse(packet, &cut->frame) < 0 || cut->frame.fragment)
		return false;
	length = cut->frame.end - cut->frame.transport;
	if (cut->frame.protocol == PROTOCOL_UDP && length >= WIRE_UDP_LENGTH)
		cut->headers = cut->frame.transport + WIRE_UDP_LENGTH;
	else if (cut->frame.protocol == PROTOCOL_TCP &&
		 wire_tcp_parse(packet->data + cut->frame.transport, length, &tcp) >= 0)
		cut->headers = cut->frame.transport + tcp.header_length;
	else
		return false;
	cut->payload = cut->frame.end - cut->headers;
	return cut->payload > cut->segment;
}

int frame_cut(struct berth_packet *packet, struct packet_queue *queue)
{
	struct cut cut;
	int r = 0;

	if (!cut_begin(packet, &cut)) {
		packet_queue_push(queue, packet);
		return 0;
	}
	for (size_t offset = 0; offset < cut.payload; offset += cut.segment) {
		struct berth_packet *part = cut_one(&cut, offset);

		if (part)
			packet_queue_push(queue, part);
		else
			r = -ENOMEM;
	}
	berth_packet_unref(packet);
	return r;
}
