/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that arrive, made from the input. Headers are right unless the input
 * wants them wrong, so that what lies behind them is reached; sequence numbers
 * are given as distances from those of a conversation that is under way.
 */
#include "tests/fuzz/world.h"

#include "core/ip/ip.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp.h"

#include <netinet/in.h>

enum { FRAME_PAYLOAD_MAX = 1600 };

static uint8_t host_of(const struct end *end)
{
	return (uint8_t)(end->number + 1);
}

static void put_packet(struct end *end, const uint8_t *bytes, size_t length)
{
	struct berth_packet *packet = berth_packet_copy(berth_stack_packets(end->stack), bytes, length);

	if (packet) /* memory may fail here, too */
		berth_stack_input(end->stack, end->link, packet, end->world->now);
}

void frame_deliver(struct end *end, const uint8_t *packet, size_t length)
{
	uint8_t frame[WIRE_ETHERNET_LENGTH + WIRE_IP6_LENGTH + 64 + FRAME_PAYLOAD_MAX], host = host_of(end);
	struct wire_ethernet ethernet = { .destination = { 2, 0, 0, 0, 0, host },
					  .source = { 2, 0, 0, 0, 0, (uint8_t)(3 - host) },
					  .type = packet[0] >> 4 == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4 };

	if (end->world->type != BERTH_LINK_ETHERNET) {
		put_packet(end, packet, length);
		return;
	}
	if (length >= 2 && packet[0] == 0) /* ARP begins with its hardware type, 1 */
		ethernet.type = ETHERTYPE_ARP;
	MUST(length + WIRE_ETHERNET_LENGTH <= sizeof(frame));
	wire_ethernet_build(frame, &ethernet);
	memcpy(frame + WIRE_ETHERNET_LENGTH, packet, length);
	put_packet(end, frame, WIRE_ETHERNET_LENGTH + length);
}

static void fix_checksum(uint8_t protocol, uint32_t sum, uint8_t *bytes, size_t length)
{
	size_t at = protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2;

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_ICMP &&
	    protocol != IPPROTO_ICMPV6)
		return;
	if (length < at + 2)
		return;
	put_be16(bytes + at, 0);
	put_be16(bytes + at, checksum_finish(checksum_add(protocol == IPPROTO_ICMP ? 0 : sum, bytes, length)));
}

/* An IP packet from the peer with this payload. fragment: more and offset, or -1 for none. */
static void deliver_ip(struct end *end, bool ip6, uint8_t protocol, uint8_t *payload, size_t length, int fragment)
{
	uint8_t bytes[WIRE_IP6_LENGTH + WIRE_FRAGMENT_LENGTH + FRAME_PAYLOAD_MAX], host = host_of(end);
	struct berth_ip to = ip6 ? (struct berth_ip){ { 0xfd, [15] = host } } : ip_from_u32(0x0a000000u + host);
	struct berth_ip from = to;
	uint16_t offset = fragment < 0 ? 0 : (uint16_t)(fragment & 0xfff8);
	bool more = fragment >= 0 && fragment & 1;
	size_t header = ip6 ? WIRE_IP6_LENGTH : WIRE_IP4_LENGTH;

	from.bytes[15] = (uint8_t)(3 - host);
	if (fragment < 0)
		fix_checksum(protocol, ip_pseudo_sum(from, to, protocol, length), payload, length);
	if (!ip6) {
		wire_ip4_build(bytes, &(struct wire_ip4){ .total_length = (uint16_t)(header + length),
							  .id = 7,
							  .more_fragments = more,
							  .offset = offset,
							  .ttl = 64,
							  .protocol = protocol,
							  .source = from,
							  .destination = to });
	} else {
		size_t extension = fragment < 0 ? 0 : WIRE_FRAGMENT_LENGTH;

		wire_ip6_build(bytes, &(struct wire_ip6){ .payload_length = (uint16_t)(extension + length),
							  .next_header = extension ? PROTOCOL_FRAGMENT : protocol,
							  .hop_limit = 255,
							  .source = from,
							  .destination = to });
		if (extension)
			wire_fragment_build(bytes + header, &(struct wire_fragment){ .next_header = protocol,
										     .offset = offset,
										     .more_fragments = more,
										     .id = 7 });
		header += extension;
	}
	memcpy(bytes + header, payload, length);
	frame_deliver(end, bytes, header + length);
}

void frame_segment(struct end *end, const struct flow *flow, uint8_t flags, uint32_t seq, uint32_t ack)
{
	uint8_t bytes[WIRE_TCP_HEADER_MAX];
	struct wire_tcp tcp = { .source_port = flow->remote,
				.destination_port = flow->local,
				.seq = seq,
				.ack = ack,
				.flags = flags,
				.window = 60000 };
	size_t length = wire_tcp_build(bytes, &tcp);

	deliver_ip(end, flow->ip6, IPPROTO_TCP, bytes, length, -1);
}

void frame_sent(struct end *end, const uint8_t *packet, size_t length)
{
	uint8_t protocol = 0;
	bool ip6 = length && packet[0] >> 4 == 6;
	int offset = ip6 ? wire_ip6_find_transport(packet, length, &protocol) : WIRE_IP4_LENGTH;
	struct wire_tcp tcp;
	struct flow *flow = end->flows;

	if (!ip6 && length > WIRE_IP4_LENGTH)
		protocol = packet[9];
	if (offset < 0 || protocol != IPPROTO_TCP ||
	    wire_tcp_parse(packet + offset, length - (size_t)offset, &tcp) < 0 || tcp.flags & WIRE_TCP_RST)
		return;
	while (flow < end->flows + end->flow_count &&
	       (flow->ip6 != ip6 || flow->local != tcp.source_port || flow->remote != tcp.destination_port))
		flow++;
	if (flow == end->flows + WORLD_FLOWS) {
		flow = end->flows + tcp.destination_port % WORLD_FLOWS;
	} else if (flow == end->flows + end->flow_count) {
		end->flow_count++;
	}
	*flow = (struct flow){ ip6, tcp.source_port, tcp.destination_port, .ack = tcp.ack };
	flow->next = tcp.seq + (uint32_t)(length - (size_t)offset - tcp.header_length) + !!(tcp.flags & WIRE_TCP_SYN) +
		     !!(tcp.flags & WIRE_TCP_FIN);
}

/* ---- what the input says ---- */

static void raw_frame(struct end *end)
{
	size_t length = input_u16(end->world->input) % WORLD_FRAME_MAX;
	const uint8_t *bytes = input_bytes(end->world->input, &length);

	put_packet(end, bytes, length);
}

/* A small number as the byte says, or around 2^7 times that. */
static uint32_t distance(uint8_t byte)
{
	int value = (int8_t)byte;

	return (uint32_t)(value >= -64 && value < 64 ? value : value * 128);
}

static void tcp_segment(struct end *end)
{
	struct input *input = end->world->input;
	uint8_t bytes[WIRE_TCP_HEADER_MAX + FRAME_PAYLOAD_MAX] = { 0 }, which = input_u8(input);
	struct flow flow = { .ip6 = which & 0x80, .local = 80, .remote = (uint16_t)(3000 + which) };
	size_t options = input_u8(input) % 41u & ~3u, payload, header;
	const uint8_t *option_bytes = input_bytes(input, &options);
	struct wire_tcp tcp = { .flags = input_u8(input) };

	if (!(which & 0x40) && end->flow_count)
		flow = end->flows[which % end->flow_count];
	tcp.source_port = flow.remote;
	tcp.destination_port = flow.local;
	tcp.seq = flow.ack + distance(input_u8(input));
	tcp.ack = flow.next + distance(input_u8(input));
	tcp.window = (uint16_t)(input_u8(input) * 257u);
	tcp.urgent = input_u8(input);
	payload = input_u8(input) * 6u;
	wire_tcp_build(bytes, &tcp);
	header = WIRE_TCP_HEADER + (options + 3) / 4 * 4;
	memcpy(bytes + WIRE_TCP_HEADER, option_bytes, options);
	bytes[12] = (uint8_t)(header / 4 << 4);
	deliver_ip(end, flow.ip6, IPPROTO_TCP, bytes, header + payload, -1);
}

static void ip_packet(struct end *end, bool fragment)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, 0, 43, 60, 44 };
	struct input *input = end->world->input;
	uint8_t bytes[FRAME_PAYLOAD_MAX], how = input_u8(input);
	size_t length = fragment ? (input_u8(input) % 100u) * 8u + (how & 0x40 ? 3 : 0) : input_u8(input) * 4u;
	int position = fragment ? (input_u16(input) & 0x3ff9) : -1;
	const uint8_t *payload;

	payload = input_bytes(input, &length);
	memcpy(bytes, payload, length);
	deliver_ip(end, how & 0x80, how & 0x20 ? input_u8(input) : protocols[how & 7], bytes, length, position);
}

static void icmp_error(struct end *end)
{
	struct input *input = end->world->input;
	uint8_t bytes[WIRE_ICMP_LENGTH + 1280];
	size_t header = end->world->type == BERTH_LINK_ETHERNET ? WIRE_ETHERNET_LENGTH : 0, length;
	struct wire_icmp icmp = { .type = input_u8(input), .code = input_u8(input) };
	bool ip6;

	icmp.value = input_u16(input);
	length = 28u + input_u8(input) * 4u;
	if (end->last_length <= header)
		return;
	length = MIN(length, end->last_length - header);
	ip6 = end->last[header] >> 4 == 6;
	memcpy(bytes + WIRE_ICMP_LENGTH, end->last + header, length);
	wire_icmp_build(bytes, WIRE_ICMP_LENGTH + length, 0, &icmp);
	deliver_ip(end, ip6, ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, bytes, WIRE_ICMP_LENGTH + length, -1);
}

static void own_frame(struct end *end)
{
	uint16_t at = input_u16(end->world->input);

	if (!end->last_length)
		return;
	end->last[at % end->last_length] ^= input_u8(end->world->input);
	put_packet(end, end->last, end->last_length);
}

void frame_arrives(struct end *end)
{
	switch (input_u8(end->world->input) % 8) {
	case 0:
		raw_frame(end);
		break;
	case 1:
		own_frame(end);
		break;
	case 2:
		ip_packet(end, false);
		break;
	case 3:
		ip_packet(end, true);
		break;
	case 4:
		icmp_error(end);
		break;
	default:
		tcp_segment(end);
	}
}
