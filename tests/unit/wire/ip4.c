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

TEST(ip4, options_that_say_where_to_write_say_it_right)
{
	CHECK_EQ(options((const uint8_t[]){ 7, 7, 4, 0, 0, 0, 0, 0 }, 8), 0);
	CHECK_EQ(options((const uint8_t[]){ 7, 2, 1, 1 }, 4), -EPROTO); /* no pointer */
	CHECK_EQ(options((const uint8_t[]){ 7, 3, 3, 0 }, 4), -EPROTO); /* into its own head */
	CHECK_EQ(options((const uint8_t[]){ 68, 4, 5, 0 }, 4), 0);
	CHECK_EQ(options((const uint8_t[]){ 68, 3, 5, 0 }, 4), -EPROTO);
	CHECK_EQ(options((const uint8_t[]){ 68, 4, 4, 0 }, 4), -EPROTO);
}

/* What record() makes of these options, of which it looks at length bytes. */
static void check_record(const uint8_t *before, const uint8_t *after, size_t length)
{
	uint8_t bytes[WIRE_IP4_OPTIONS_MAX] = { 0 };

	memcpy(bytes, before, length);
	wire_ip4_options_record(bytes, length, ip_from_u32(0x0a000001), 0x01020304);
	CHECK_BYTES(bytes, after, length);
}

#define RECORD(length, before, ...) \
	check_record((const uint8_t[length])before, (const uint8_t[length])__VA_ARGS__, length)
#define BYTES(...) \
	{ \
		__VA_ARGS__ \
	}

TEST(ip4, a_route_is_recorded_where_there_is_room)
{
	RECORD(8, BYTES(1, 7, 7, 4, 0, 0, 0, 0), BYTES(1, 7, 7, 8, 10, 0, 0, 1));
	RECORD(8, BYTES(1, 7, 7, 5, 0, 0, 0, 0), BYTES(1, 7, 7, 5, 0, 0, 0, 0)); /* room for three bytes */
	RECORD(8, BYTES(1, 7, 7, 3, 0, 0, 0, 0), BYTES(1, 7, 7, 3, 0, 0, 0, 0));
	RECORD(4, BYTES(7, 2, 4, 0), BYTES(7, 2, 4, 0)); /* no option of this kind */
	RECORD(4, BYTES(1, 1, 1, 7), BYTES(1, 1, 1, 7)); /* nor one over the end */
	RECORD(4, BYTES(7, 1, 4, 0), BYTES(7, 1, 4, 0));
	RECORD(4, BYTES(7, 9, 4, 0), BYTES(7, 9, 4, 0));
	RECORD(4, BYTES(0, 7, 3, 4), BYTES(0, 7, 3, 4)); /* behind the end */
}

TEST(ip4, time_is_recorded_as_asked)
{
	RECORD(8, BYTES(68, 8, 5, 0, 0, 0, 0, 0), BYTES(68, 8, 9, 0, 1, 2, 3, 4));
	RECORD(12, BYTES(68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0), BYTES(68, 12, 13, 1, 10, 0, 0, 1, 1, 2, 3, 4));
	RECORD(12, BYTES(68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0), BYTES(68, 12, 13, 3, 10, 0, 0, 1, 1, 2, 3, 4));
	RECORD(12, BYTES(68, 12, 5, 3, 10, 0, 0, 2, 0, 0, 0, 0), BYTES(68, 12, 5, 3, 10, 0, 0, 2, 0, 0, 0, 0));
	RECORD(4, BYTES(68, 4, 5, 0), BYTES(68, 4, 5, 0x10)); /* no room: counted */
	RECORD(4, BYTES(68, 4, 5, 0xf0), BYTES(68, 4, 5, 0xf0));
	RECORD(4, BYTES(68, 4, 5, 3), BYTES(68, 4, 5, 3));
	RECORD(8, BYTES(68, 8, 4, 0, 0, 0, 0, 0), BYTES(68, 8, 4, 0, 0, 0, 0, 0));
	RECORD(8, BYTES(68, 8, 5, 2, 0, 0, 0, 0), BYTES(68, 8, 5, 2, 0, 0, 0, 0)); /* no such kind */
	RECORD(4, BYTES(68, 3, 5, 0), BYTES(68, 3, 5, 0));
}

/* Whatever length is said, no more than a header holds is kept. */
TEST(ip4, options_kept_are_whole_words_and_no_more_than_fit)
{
	uint8_t options[80], kept[WIRE_IP4_OPTIONS_MAX];

	memset(options, 1, sizeof(options));
	memcpy(options, (const uint8_t[]){ 7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0 }, 11);
	CHECK_EQ(wire_ip4_options_echo(options, 12, kept), 8);
	CHECK_BYTES(kept, ((const uint8_t[]){ 7, 7, 4, 0, 0, 0, 0, 0 }), 8);
	CHECK_EQ(wire_ip4_options_copied(options, 12, kept), 4);
	CHECK_BYTES(kept, ((const uint8_t[]){ 148, 4, 0, 0 }), 4);
	options[1] = 39;
	options[39] = 7;
	options[40] = 3;
	CHECK_EQ(wire_ip4_options_echo(options, sizeof(options), kept), 40);
}
