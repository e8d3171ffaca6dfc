/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/ip6.h"

#include "truncate.h"

#include <errno.h>

static void sample(uint8_t bytes[48])
{
	struct wire_ip6 ip6 = { .traffic_class = 0xb8,
				.flow_label = 0xabcde,
				.payload_length = 8,
				.next_header = PROTOCOL_UDP,
				.hop_limit = 64 };

	memset(bytes, 0, 48);
	berth_ip_parse("fd00::1", &ip6.source);
	berth_ip_parse("fd00::2", &ip6.destination);
	wire_ip6_build(bytes, &ip6);
}

TEST(ip6, builds_what_it_parses)
{
	struct wire_ip6 ip6;
	uint8_t bytes[48];

	sample(bytes);
	REQUIRE(wire_ip6_parse(bytes, sizeof(bytes), &ip6) == WIRE_IP6_LENGTH);
	CHECK_EQ(ip6.traffic_class, 0xb8);
	CHECK_EQ(ip6.flow_label, 0xabcde);
	CHECK_EQ(ip6.payload_length, 8);
	CHECK_EQ(ip6.next_header, PROTOCOL_UDP);
	CHECK_EQ(ip6.hop_limit, 64);
	CHECK_EQ(ip6.source.bytes[15], 1);
	CHECK_EQ(ip6.destination.bytes[15], 2);
	CHECK_TRUNCATED(wire_ip6_parse, bytes, sizeof(bytes), &ip6);
}

TEST(ip6, wrong_version_is_refused)
{
	struct wire_ip6 ip6;
	uint8_t bytes[48];

	sample(bytes);
	bytes[0] = 0x40;
	CHECK_EQ(wire_ip6_parse(bytes, sizeof(bytes), &ip6), -EPROTO);
}

TEST(ip6, mapped_addresses_are_not_for_the_wire)
{
	struct berth_ip mapped = ip_from_u32(0x7f000001);
	struct wire_ip6 ip6;
	uint8_t bytes[48];

	sample(bytes);
	memcpy(bytes + 8, mapped.bytes, 16);
	CHECK_EQ(wire_ip6_parse(bytes, sizeof(bytes), &ip6), -EADDRNOTAVAIL);
	sample(bytes);
	memcpy(bytes + 24, mapped.bytes, 16);
	CHECK_EQ(wire_ip6_parse(bytes, sizeof(bytes), &ip6), -EADDRNOTAVAIL);
}

TEST(ip6, fragment_header_builds_what_it_parses)
{
	struct wire_fragment in = { PROTOCOL_TCP, 1232, true, 0xdeadbeef }, out;
	uint8_t bytes[WIRE_FRAGMENT_LENGTH];

	wire_fragment_build(bytes, &in);
	REQUIRE(wire_fragment_parse(bytes, sizeof(bytes), &out) == WIRE_FRAGMENT_LENGTH);
	CHECK_EQ(out.next_header, PROTOCOL_TCP);
	CHECK_EQ(out.offset, 1232);
	CHECK(out.more_fragments);
	CHECK_EQ(out.id, 0xdeadbeef);
	CHECK_TRUNCATED(wire_fragment_parse, bytes, sizeof(bytes), &out);
}

TEST(ip6, routing_header_parses)
{
	static const uint8_t bytes[24] = { PROTOCOL_UDP, 2, 0, 1 };
	struct wire_routing routing;

	REQUIRE(wire_routing_parse(bytes, sizeof(bytes), &routing) == 24);
	CHECK_EQ(routing.next_header, PROTOCOL_UDP);
	CHECK_EQ(routing.type, 0);
	CHECK_EQ(routing.segments_left, 1);
	CHECK_TRUNCATED(wire_routing_parse, bytes, sizeof(bytes), &routing);
}

static int parse_options(const uint8_t bytes[8], struct wire_options *options)
{
	return wire_options_parse(bytes, 8, options);
}

TEST(ip6, padding_is_skipped)
{
	static const uint8_t padded[8] = { PROTOCOL_UDP, 0, 1, 4 };
	static const uint8_t ones[8] = { PROTOCOL_UDP, 0 };
	struct wire_options options;

	CHECK_EQ(parse_options(padded, &options), 8);
	CHECK_EQ(options.action, OPTION_SKIP);
	CHECK_EQ(parse_options(ones, &options), 8);
	CHECK_EQ(options.next_header, PROTOCOL_UDP);
	CHECK_TRUNCATED(wire_options_parse, padded, sizeof(padded), &options);
}

TEST(ip6, unknown_options_say_what_to_do)
{
	for (uint8_t action = 0; action < 4; action++) {
		uint8_t bytes[8] = { PROTOCOL_UDP, 0, 0, (uint8_t)(action << 6 | 0x1e), 3 };
		struct wire_options options;

		REQUIRE(parse_options(bytes, &options) == 8);
		CHECK_EQ(options.action, action);
		CHECK_EQ(options.pointer, action ? 3 : 0);
	}
}

TEST(ip6, options_over_the_end_or_too_many_are_refused)
{
	static const uint8_t over[8] = { PROTOCOL_UDP, 0, 0x1e, 5 };
	static const uint8_t no_length[8] = { PROTOCOL_UDP, 0, 1, 3, 0, 0, 0, 0x1e };
	uint8_t many[80] = { PROTOCOL_UDP, 9 };
	struct wire_options options;

	CHECK_EQ(parse_options(over, &options), -EPROTO);
	CHECK_EQ(parse_options(no_length, &options), -EPROTO);
	for (size_t i = 2; i < sizeof(many); i += 2)
		many[i] = 0x1e;
	CHECK_EQ(wire_options_parse(many, sizeof(many), &options), -EPROTO);
}

TEST(ip6, transport_is_found_behind_extension_headers)
{
	uint8_t bytes[40 + 8 + 8 + 8] = { 0 }, protocol;

	sample(bytes);
	bytes[6] = PROTOCOL_HOP_BY_HOP;
	bytes[40] = PROTOCOL_FRAGMENT;
	bytes[48] = PROTOCOL_TCP;
	CHECK_EQ(wire_ip6_find_transport(bytes, sizeof(bytes), &protocol), 56);
	CHECK_EQ(protocol, PROTOCOL_TCP);
	CHECK_TRUNCATED(wire_ip6_find_transport, bytes, (size_t)56, &protocol);
	bytes[51] = 8; /* a later fragment */
	CHECK(wire_ip6_find_transport(bytes, sizeof(bytes), &protocol) < 0);
}

TEST(ip6, an_endless_chain_of_headers_ends)
{
	uint8_t bytes[40 + 8 * 20] = { 0 }, protocol;

	sample(bytes);
	bytes[6] = PROTOCOL_DESTINATION_OPTIONS;
	for (size_t at = 40; at < sizeof(bytes); at += 8)
		bytes[at] = PROTOCOL_DESTINATION_OPTIONS;
	CHECK(wire_ip6_find_transport(bytes, sizeof(bytes), &protocol) < 0);
}
