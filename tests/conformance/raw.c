/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/conformance/raw.h"

#include "core/ip/ip.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <netinet/in.h>

static struct berth_ip address(const char *text, const char *otherwise)
{
	struct berth_ip ip = ip_any;

	CHECK_EQ(berth_ip_parse(text ? text : otherwise, &ip), 0);
	return ip;
}

static void deliver(const uint8_t *bytes, size_t length)
{
	berth_stack_input(dialogue.stack, dialogue.link,
			  berth_packet_copy(berth_stack_packets(dialogue.stack), bytes, length), dialogue.now);
}

/* The IP header in front of length bytes. Returns its own length. */
static size_t put_ip(uint8_t *bytes, struct berth_ip from, struct berth_ip to, uint8_t protocol, size_t length)
{
	if (ip_is4(from)) {
		wire_ip4_build(bytes, &(struct wire_ip4){ .total_length = (uint16_t)(WIRE_IP4_LENGTH + length),
							  .ttl = 64,
							  .protocol = protocol,
							  .source = from,
							  .destination = to });
		return WIRE_IP4_LENGTH;
	}
	wire_ip6_build(bytes, &(struct wire_ip6){ .payload_length = (uint16_t)length,
						  .next_header = protocol,
						  .hop_limit = 64,
						  .source = from,
						  .destination = to });
	return WIRE_IP6_LENGTH;
}

/* Options go between an IPv4 header at bytes and what follows it. */
static void put_ip_options(uint8_t *bytes, size_t length, const struct raw *raw)
{
	size_t header = WIRE_IP4_LENGTH + raw->ip_option_length;

	memmove(bytes + header, bytes + WIRE_IP4_LENGTH, length - WIRE_IP4_LENGTH);
	memcpy(bytes + WIRE_IP4_LENGTH, raw->ip_options, raw->ip_option_length);
	bytes[0] = (uint8_t)(0x40 | header / 4);
	put_be16(bytes + 2, (uint16_t)(length + raw->ip_option_length));
	put_be16(bytes + 10, 0);
	put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, header)));
}

void raw_arrives(const struct raw *raw)
{
	struct berth_ip from = address(raw->from, "10.0.0.2"), to = address(raw->to, "10.0.0.1");
	uint8_t bytes[4096] = { 0 };
	size_t options = (raw->option_length + 3) / 4 * 4, length = WIRE_TCP_HEADER + options + raw->length;
	size_t ip = put_ip(bytes, from, to, IPPROTO_TCP, length);
	uint8_t *tcp = bytes + ip;
	struct wire_tcp header = {
		.source_port = dialogue.peer_port,
		.destination_port = dialogue.our_port,
		.seq = raw->seq + dialogue.peer_isn,
		.ack = raw->flags & WIRE_TCP_ACK ? raw->ack + dialogue.our_isn : 0,
		.flags = raw->flags,
		.window = raw->shut	? 0
			  : raw->window ? raw->window
					: 65535,
		.urgent = raw->urgent,
	};

	wire_tcp_build(tcp, &header);
	if (options)
		memcpy(tcp + WIRE_TCP_HEADER, raw->options, raw->option_length);
	tcp[12] = (uint8_t)((WIRE_TCP_HEADER + options) / 4 << 4);
	put_be16(tcp + WIRE_TCP_CHECKSUM_OFFSET,
		 checksum_finish(checksum_add(ip_pseudo_sum(from, to, IPPROTO_TCP, length), tcp, length)));
	if (raw->ip_option_length)
		put_ip_options(bytes, ip + length, raw);
	deliver(bytes, ip + length + raw->ip_option_length);
}

const uint8_t *sent_packet(size_t *ret_length)
{
	berth_stack_advance(dialogue.stack, dialogue.now);
	if (dialogue.out_begin == dialogue.out_end)
		return NULL;
	*ret_length = berth_packet_length(dialogue.out[dialogue.out_begin]);
	return berth_packet_data(dialogue.out[dialogue.out_begin]);
}

bool sent_header(struct wire_tcp *ret_tcp)
{
	size_t length, header;
	const uint8_t *bytes = sent_packet(&length);

	if (!bytes)
		return false;
	header = bytes[0] >> 4 == 6 ? WIRE_IP6_LENGTH : WIRE_IP4_LENGTH;
	return wire_tcp_parse(bytes + header, length - header, ret_tcp) == 0;
}

void icmp_arrives(uint8_t type, uint8_t code, uint32_t value)
{
	struct wire_icmp icmp = { .type = type, .code = code, .value = value };
	uint8_t bytes[1500];
	size_t length, ip;
	const uint8_t *quoted = sent_packet(&length);

	if (!quoted) {
		test_fail(__FILE__, __LINE__, "there is no packet to report an error about");
		return;
	}
	length = MIN(length, 28u); /* as much as RFC 792 asks for */
	ip = put_ip(bytes, address(NULL, "10.0.0.2"), address(NULL, "10.0.0.1"), IPPROTO_ICMP,
		    WIRE_ICMP_LENGTH + length);
	memcpy(bytes + ip + WIRE_ICMP_LENGTH, quoted, length);
	wire_icmp_build(bytes + ip, WIRE_ICMP_LENGTH + length, 0, &icmp);
	deliver(bytes, ip + WIRE_ICMP_LENGTH + length);
}
