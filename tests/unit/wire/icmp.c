/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP, neighbour discovery and UDP. */
#include "wire/icmp.h"

#include "base/random.h"
#include "truncate.h"
#include "wire/checksum.h"
#include "wire/ndp.h"
#include "wire/udp.h"

#include <errno.h>

TEST(icmp, builds_what_it_parses)
{
	struct wire_icmp in = { .type = ICMP4_ECHO, .value = 0x00070001 }, out;
	uint8_t bytes[12] = { [8] = 'd', 'a', 't', 'a' };

	wire_icmp_build(bytes, sizeof(bytes), 0, &in);
	REQUIRE(wire_icmp_parse(bytes, sizeof(bytes), &out) == WIRE_ICMP_LENGTH);
	CHECK_EQ(out.type, ICMP4_ECHO);
	CHECK_EQ(out.value, 0x00070001);
	CHECK_EQ(checksum_finish(checksum_add(0, bytes, sizeof(bytes))), 0);
	CHECK_TRUNCATED(wire_icmp_parse, bytes, (size_t)WIRE_ICMP_LENGTH, &out);
}

TEST(udp, builds_what_it_parses)
{
	struct wire_udp in = { 5353, 53, 12, 0xbeef }, out;
	uint8_t bytes[12] = { 0 };

	wire_udp_build(bytes, &in);
	REQUIRE(wire_udp_parse(bytes, sizeof(bytes), &out) == WIRE_UDP_LENGTH);
	CHECK_EQ(out.source_port, 5353);
	CHECK_EQ(out.destination_port, 53);
	CHECK_EQ(out.length, 12);
	CHECK_EQ(out.checksum, 0xbeef);
	CHECK_TRUNCATED(wire_udp_parse, bytes, sizeof(bytes), &out);
	bytes[5] = 7;
	CHECK_EQ(wire_udp_parse(bytes, sizeof(bytes), &out), -EPROTO);
}

static size_t neighbour(uint8_t bytes[32], uint8_t type)
{
	struct wire_ndp ndp = { .type = type,
				.solicited = true,
				.override = true,
				.has_link_address = true,
				.link_address = { 2, 0, 0, 0, 0, 9 } };

	if (type != ICMP6_NEIGHBOUR_ADVERT)
		ndp.solicited = ndp.override = false;
	berth_ip_parse("fe80::9", &ndp.target);
	return wire_ndp_build(bytes, &ndp);
}

TEST(ndp, neighbour_messages_build_what_they_parse)
{
	for (uint8_t type = ICMP6_NEIGHBOUR_SOLICIT; type <= ICMP6_NEIGHBOUR_ADVERT; type++) {
		struct wire_ndp ndp;
		uint8_t bytes[32];
		size_t length = neighbour(bytes, type);

		CHECK_EQ(length, 32);
		REQUIRE(wire_ndp_parse(bytes, length, &ndp) == 32);
		CHECK_EQ(ndp.type, type);
		CHECK_EQ(ndp.target.bytes[15], 9);
		CHECK(ndp.has_link_address);
		CHECK_EQ(ndp.link_address[5], 9);
		CHECK_EQ(ndp.solicited, type == ICMP6_NEIGHBOUR_ADVERT);
		CHECK_EQ(ndp.override, type == ICMP6_NEIGHBOUR_ADVERT);
	}
}

TEST(ndp, cut_neighbour_messages_are_refused)
{
	struct wire_ndp ndp;
	uint8_t bytes[32];

	neighbour(bytes, ICMP6_NEIGHBOUR_ADVERT);
	for (size_t cut = 0; cut < 32; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);

		memcpy(copy, bytes, cut);
		CHECK_EQ(wire_ndp_parse(copy, cut, &ndp) >= 0, cut == WIRE_NDP_NEIGHBOUR_LENGTH);
		free(copy);
	}
}

static int parse_changed(size_t at, uint8_t value)
{
	struct wire_ndp ndp;
	uint8_t bytes[32];

	neighbour(bytes, ICMP6_NEIGHBOUR_SOLICIT);
	bytes[at] = value;
	return wire_ndp_parse(bytes, sizeof(bytes), &ndp);
}

TEST(ndp, what_rfc_4861_forbids_is_refused)
{
	struct berth_ip mapped = ip_from_u32(0x0a000001);
	struct wire_ndp ndp;
	uint8_t bytes[32];

	CHECK_EQ(parse_changed(1, 1), -EPROTO);	   /* code */
	CHECK_EQ(parse_changed(8, 0xff), -EPROTO); /* multicast target */
	CHECK_EQ(parse_changed(25, 0), -EPROTO);   /* option of length 0 */
	CHECK_EQ(parse_changed(25, 2), -EPROTO);   /* option over the end */
	CHECK_EQ(parse_changed(0, ICMP6_REDIRECT + 1), -EPROTO);
	CHECK_EQ(parse_changed(24, 99), 32); /* an unknown option is skipped */
	neighbour(bytes, ICMP6_NEIGHBOUR_SOLICIT);
	memcpy(bytes + 8, mapped.bytes, 16);
	CHECK_EQ(wire_ndp_parse(bytes, sizeof(bytes), &ndp), -EPROTO);
}

TEST(ndp, router_advertisement_parses)
{
	static const uint8_t bytes[] = {
		134,  0,    0,	0,    64, 0xc0, 0x07, 0x08, 0, 0, 0x75, 0x30, 0, 0, 0x03, 0xe8, /* header */
		1,    1,    2,	0,    0,  0,	0,    1,    5, 1, 0,	0,    0, 0, 0x05, 0xdc, /* link address, MTU */
		3,    4,    64, 0xc0, 0,  1,	0,    0,    0, 0, 0x80, 0,    0, 0, 0,	  0,
		0xfd, 0x77, 0,	0,    0,  0,	0,    0,    0, 0, 0,	0,    0, 0, 0,	  0, /* prefix fd77::/64 */
	};
	struct wire_ndp ndp;

	REQUIRE(wire_ndp_parse(bytes, sizeof(bytes), &ndp) == sizeof(bytes));
	CHECK_EQ(ndp.hop_limit, 64);
	CHECK(ndp.managed);
	CHECK(ndp.other);
	CHECK_EQ(ndp.lifetime_s, 1800);
	CHECK_EQ(ndp.reachable_ms, 30000);
	CHECK_EQ(ndp.retransmit_ms, 1000);
	CHECK_EQ(ndp.mtu, 1500);
	CHECK(ndp.has_link_address);
	REQUIRE(ndp.prefix_count == 1);
	CHECK_EQ(ndp.prefixes[0].length, 64);
	CHECK(ndp.prefixes[0].on_link);
	CHECK(ndp.prefixes[0].autonomous);
	CHECK_EQ(ndp.prefixes[0].valid_s, 65536);
	CHECK_EQ(ndp.prefixes[0].preferred_s, 32768);
	CHECK_TRUNCATED(wire_ndp_parse, bytes, (size_t)16, &ndp);
}

TEST(ndp, redirects_parse)
{
	uint8_t bytes[48] = { ICMP6_REDIRECT, [8] = 0xfe, [9] = 0x80, [23] = 1, [24] = 0xfd,
			      [39] = 9,	      [40] = 2,	  [41] = 1,   [42] = 2, [47] = 7 };
	struct wire_ndp ndp;

	REQUIRE(wire_ndp_parse(bytes, sizeof(bytes), &ndp) == 48);
	CHECK_EQ(ndp.target.bytes[15], 1);
	CHECK_EQ(ndp.destination.bytes[15], 9);
	CHECK(ndp.has_link_address);
	CHECK_EQ(ndp.link_address[5], 7);
	CHECK_TRUNCATED(wire_ndp_parse, bytes, (size_t)40, &ndp);
	bytes[8] = 0xfd; /* a router by its global address */
	CHECK_EQ(wire_ndp_parse(bytes, sizeof(bytes), &ndp), -EPROTO);
	memcpy(bytes + 8, bytes + 24, 16); /* "it is on the link" */
	CHECK_EQ(wire_ndp_parse(bytes, sizeof(bytes), &ndp), 48);
	bytes[24] = 0xff;
	CHECK_EQ(wire_ndp_parse(bytes, sizeof(bytes), &ndp), -EPROTO);
}

TEST(ndp, redirects_are_between_ip6_addresses)
{
	static const struct berth_ip good = { { 0xfd, [15] = 9 } }, group = { { 0xff, 2, [15] = 9 } };
	struct berth_ip none = { { 0 } }, mapped = ip_from_u32(0x0a000001);
	const struct berth_ip *pairs[][2] = {
		{ &good, &none }, { &good, &mapped }, { &mapped, &good }, { &group, &good }
	};
	struct wire_ndp ndp;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		uint8_t bytes[40] = { ICMP6_REDIRECT };

		memcpy(bytes + 8, pairs[i][0]->bytes, 16);
		memcpy(bytes + 24, pairs[i][1]->bytes, 16);
		CHECK_EQ(wire_ndp_parse(bytes, sizeof(bytes), &ndp), -EPROTO);
	}
}

TEST(ndp, dns_servers_that_cannot_be_are_left_out)
{
	static const struct berth_ip group = { { 0xff, 2, [15] = 9 } };
	struct berth_ip mapped = ip_from_u32(0x0a000001);
	uint8_t bytes[16 + 8 + 7 * 16 + 24] = { ICMP6_ROUTER_ADVERT, [16] = 25, [17] = 15, [23] = 100 };
	struct wire_ndp ndp;

	memcpy(bytes + 40, group.bytes, 16);
	memcpy(bytes + 56, mapped.bytes, 16); /* the first is none at all */
	CHECK_EQ(wire_ndp_parse(bytes, 16 + 8 + 7 * 16, &ndp), 16 + 8 + 7 * 16);
	CHECK_EQ(ndp.server_count, 0);
	for (int i = 0; i < 7; i++)
		bytes[24 + 16 * i] = 0xfd;
	memcpy(bytes + 136, (const uint8_t[24]){ 25, 3, [7] = 50, [8] = 0xfd }, 24);
	CHECK_EQ(wire_ndp_parse(bytes, sizeof(bytes), &ndp), sizeof(bytes));
	CHECK_EQ(ndp.server_count, WIRE_NDP_SERVERS_MAX);
	CHECK_EQ(ndp.servers_s, 50); /* of two options the shorter time */
	bytes[17] = 1;		     /* too short for any */
	CHECK_EQ(wire_ndp_parse(bytes, 24, &ndp), 24);
	bytes[0] = ICMP6_ROUTER_SOLICIT; /* no such option there */
	bytes[9] = 2;
	CHECK_EQ(wire_ndp_parse(bytes, 24, &ndp), 24);
}

TEST(udplite, coverage_within_the_packet)
{
	uint8_t bytes[12] = { 0, 53, 0, 54, 0, 8, 1, 2 };
	struct wire_udp udp;

	CHECK_EQ(wire_udplite_parse(bytes, sizeof(bytes), &udp), 8);
	CHECK_EQ(udp.length, 8);
	CHECK_EQ(wire_udplite_parse(bytes, 7, &udp), -EMSGSIZE);
	bytes[5] = 0; /* all of it. RFC 3828 §3.1 */
	CHECK_EQ(wire_udplite_parse(bytes, sizeof(bytes), &udp), 8);
	CHECK_EQ(udp.length, 12);
	bytes[5] = 7;
	CHECK_EQ(wire_udplite_parse(bytes, sizeof(bytes), &udp), -EPROTO);
	bytes[5] = 13;
	CHECK_EQ(wire_udplite_parse(bytes, sizeof(bytes), &udp), -EPROTO);
	bytes[5] = 12;
	bytes[6] = bytes[7] = 0; /* a checksum there must be */
	CHECK_EQ(wire_udplite_parse(bytes, sizeof(bytes), &udp), -EPROTO);
}

TEST(icmp, which_messages_are_errors)
{
	for (int type = 0; type < 256; type++) {
		CHECK_EQ(icmp4_is_error((uint8_t)type),
			 type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
		CHECK_EQ(icmp6_is_error((uint8_t)type), type < 128);
	}
}

TEST(ndp, dns_servers_parse)
{
	uint8_t bytes[16 + 40] = {
		ICMP6_ROUTER_ADVERT, [16] = 25, [17] = 5, [22] = 4, [24] = 0xfd, [39] = 1, [40] = 0xfd, [55] = 2
	};
	struct wire_ndp ndp;

	REQUIRE(wire_ndp_parse(bytes, sizeof(bytes), &ndp) == sizeof(bytes));
	REQUIRE(ndp.server_count == 2);
	CHECK_EQ(ndp.servers_s, 1024);
	CHECK_EQ(ndp.servers[1].bytes[15], 2);
	bytes[17] = 4; /* an even length is none of this option's */
	CHECK_EQ(wire_ndp_parse(bytes, 16 + 32, &ndp), 48);
	CHECK_EQ(ndp.server_count, 0);
}

TEST(ndp, router_solicitation_is_built)
{
	struct wire_ndp ndp = { .type = ICMP6_ROUTER_SOLICIT,
				.has_link_address = true,
				.link_address = { 2, 0, 0, 0, 0, 5 } };
	uint8_t bytes[32];

	CHECK_EQ(wire_ndp_build(bytes, &ndp), 16);
	REQUIRE(wire_ndp_parse(bytes, 16, &ndp) == 16);
	CHECK_EQ(ndp.link_address[5], 5);
}

TEST(ndp, router_solicitation_parses)
{
	static const uint8_t bytes[8] = { 133 };
	struct wire_ndp ndp;

	CHECK_EQ(wire_ndp_parse(bytes, sizeof(bytes), &ndp), 8);
	CHECK(!ndp.has_link_address);
}

TEST(ndp, noise_is_survived)
{
	struct random random;

	random_init(&random, 7);
	for (int i = 0; i < 20000; i++) {
		size_t length = (size_t)random_below(&random, 120);
		uint8_t *bytes = malloc(length + 1);
		struct wire_ndp ndp;

		for (size_t at = 0; at < length; at++)
			bytes[at] = (uint8_t)random_below(&random, at < 2 ? 1 : 6);
		if (length)
			bytes[0] = (uint8_t)(133 + random_below(&random, 5));
		wire_ndp_parse(bytes, length, &ndp);
		free(bytes);
	}
}

TEST(ndp, solicited_node_group)
{
	struct berth_ip ip, group;

	berth_ip_parse("fe80::1:2ab:cdef", &ip);
	berth_ip_parse("ff02::1:ffab:cdef", &group);
	CHECK(ip_equal(ip_solicited_node(ip), group));
}
