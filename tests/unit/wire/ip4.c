/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/ip4.h"

#include "truncate.h"

#include <errno.h>

static void sample(uint8_t bytes[28])
{
	struct wire_ip4 ip4 = { .traffic_class = 0x2e,
				.total_length = 28,
				.id = 0x1234,
				.dont_fragment = true,
				.more_fragments = true,
				.offset = 1480,
				.ttl = 63,
				.protocol = 17,
				.source = ip_from_u32(0x0a000001),
				.destination = ip_from_u32(0x0a000002) };

	memset(bytes, 0, 28);
	wire_ip4_build(bytes, &ip4);
}

TEST(ip4, builds_what_it_parses)
{
	struct wire_ip4 ip4;
	uint8_t bytes[28];

	sample(bytes);
	REQUIRE(wire_ip4_parse(bytes, sizeof(bytes), &ip4) == WIRE_IP4_LENGTH);
	CHECK_EQ(ip4.traffic_class, 0x2e);
	CHECK_EQ(ip4.total_length, 28);
	CHECK_EQ(ip4.id, 0x1234);
	CHECK(ip4.dont_fragment);
	CHECK(ip4.more_fragments);
	CHECK_EQ(ip4.offset, 1480);
	CHECK_EQ(ip4.ttl, 63);
	CHECK_EQ(ip4.protocol, 17);
	CHECK_EQ(ip_u32(ip4.source), 0x0a000001);
	CHECK_EQ(ip_u32(ip4.destination), 0x0a000002);
	CHECK(wire_ip4_checksum_ok(bytes, WIRE_IP4_LENGTH));
	CHECK_TRUNCATED(wire_ip4_parse, bytes, sizeof(bytes), &ip4);
}

TEST(ip4, every_flipped_bit_fails_the_checksum)
{
	for (size_t bit = 0; bit < 8 * WIRE_IP4_LENGTH; bit++) {
		uint8_t bytes[28];

		sample(bytes);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(!wire_ip4_checksum_ok(bytes, WIRE_IP4_LENGTH));
	}
}

TEST(ip4, wrong_version_and_lengths_are_refused)
{
	struct wire_ip4 ip4;
	uint8_t bytes[28];

	sample(bytes);
	bytes[0] = 0x65;
	CHECK_EQ(wire_ip4_parse(bytes, sizeof(bytes), &ip4), -EPROTO);
	bytes[0] = 0x44; /* a header of 16 bytes */
	CHECK_EQ(wire_ip4_parse(bytes, sizeof(bytes), &ip4), -EPROTO);
	bytes[0] = 0x4f; /* of 60, in a packet of 28 */
	CHECK_EQ(wire_ip4_parse(bytes, sizeof(bytes), &ip4), -EPROTO);
	sample(bytes);
	bytes[3] = 19; /* a packet shorter than its header */
	CHECK_EQ(wire_ip4_parse(bytes, sizeof(bytes), &ip4), -EPROTO);
	bytes[3] = 29; /* longer than what came */
	CHECK_EQ(wire_ip4_parse(bytes, sizeof(bytes), &ip4), -EMSGSIZE);
}

TEST(ip4, a_quoted_packet_may_be_cut)
{
	struct wire_ip4 ip4;
	uint8_t bytes[28];

	sample(bytes);
	put_be16(bytes + 2, 1500);
	CHECK_EQ(wire_ip4_parse(bytes, sizeof(bytes), &ip4), -EMSGSIZE);
	CHECK_EQ(wire_ip4_parse_quoted(bytes, sizeof(bytes), &ip4), WIRE_IP4_LENGTH);
	CHECK_EQ(ip4.total_length, 1500);
	CHECK_TRUNCATED(wire_ip4_parse_quoted, bytes, (size_t)WIRE_IP4_LENGTH, &ip4);
}

static int options(const uint8_t *list, size_t length)
{
	uint8_t bytes[WIRE_IP4_LENGTH_MAX] = { 0 };

	memcpy(bytes + WIRE_IP4_LENGTH, list, length);
	return wire_ip4_check_options(bytes, WIRE_IP4_LENGTH + length);
}

TEST(ip4, options_are_looked_at)
{
	CHECK_EQ(options((const uint8_t[]){ 1, 1, 1, 0 }, 4), 0);
	CHECK_EQ(options((const uint8_t[]){ 148, 4, 0, 0 }, 4), 0);	  /* router alert */
	CHECK_EQ(options((const uint8_t[]){ 0, 131, 0, 0 }, 4), 0);	  /* behind the end */
	CHECK_EQ(options((const uint8_t[]){ 131, 3, 4, 1 }, 4), -EACCES); /* source routes */
	CHECK_EQ(options((const uint8_t[]){ 1, 137, 3, 4 }, 4), -EACCES);
	CHECK_EQ(options((const uint8_t[]){ 7, 5, 0, 0 }, 4), -EPROTO); /* over the end */
	CHECK_EQ(options((const uint8_t[]){ 7, 1, 0, 0 }, 4), -EPROTO); /* shorter than itself */
	CHECK_EQ(options((const uint8_t[]){ 1, 1, 1, 7 }, 4), -EPROTO);
}
