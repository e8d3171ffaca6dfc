/* SPDX-License-Identifier: BSD-2-Clause */
/* src/wire/tcp.c */
#include "tests/test.h"

#include "base/bytes.h"
#include "wire/tcp.h"

#include <errno.h>

static size_t header(uint8_t *bytes, uint8_t flags, const uint8_t *options, size_t length)
{
	memset(bytes, 0, 60);
	bytes[12] = (uint8_t)((20 + length) / 4 << 4);
	bytes[13] = flags;
	memcpy(bytes + 20, options, length);
	return 20 + length;
}

TEST(wire_tcp, what_is_built_is_parsed)
{
	struct wire_tcp tcp = {
		.source_port = 1234, .destination_port = 80, .seq = 0xfffffffe, .ack = 7, .window = 512,
		.flags = WIRE_TCP_SYN | WIRE_TCP_ACK, .has_mss = true, .mss = 1460, .has_scale = true, .scale = 9,
		.has_sack_permitted = true, .has_timestamps = true, .timestamp = 77, .timestamp_echo = 88,
	}, parsed;
	uint8_t bytes[60];
	size_t size = wire_tcp_build(bytes, &tcp);

	CHECK_EQ(size, 40);
	CHECK_EQ(wire_tcp_parse(bytes, size, &parsed), 0);
	CHECK_EQ(parsed.source_port, 1234);
	CHECK_EQ(parsed.destination_port, 80);
	CHECK_EQ(parsed.seq, 0xfffffffe);
	CHECK_EQ(parsed.ack, 7);
	CHECK_EQ(parsed.window, 512);
	CHECK_EQ(parsed.flags, tcp.flags);
	CHECK_EQ(parsed.header_length, 40);
	CHECK(parsed.has_mss && parsed.mss == 1460);
	CHECK(parsed.has_scale && parsed.scale == 9);
	CHECK(parsed.has_sack_permitted);
	CHECK(parsed.has_timestamps && parsed.timestamp == 77 && parsed.timestamp_echo == 88);
}

TEST(wire_tcp, sack_blocks_fit_beside_timestamps)
{
	struct wire_tcp tcp = { .flags = WIRE_TCP_ACK, .has_timestamps = true, .sack_count = 4 }, parsed;
	uint8_t bytes[60];

	for (uint32_t i = 0; i < 4; i++)
		tcp.sack[i] = (struct wire_tcp_sack){ 100 * i, 100 * i + 50 };
	CHECK_EQ(wire_tcp_build(bytes, &tcp), 60);
	CHECK_EQ(wire_tcp_parse(bytes, 60, &parsed), 0);
	CHECK_EQ(parsed.sack_count, 3);
	CHECK_EQ(parsed.sack[2].begin, 200);
	CHECK_EQ(parsed.sack[2].end, 250);
}

TEST(wire_tcp, unknown_options_are_skipped)
{
	static const uint8_t options[] = { 1, 99, 5, 0, 0, 0, 2, 4, 5, 180, 0, 0 };
	struct wire_tcp tcp;
	uint8_t bytes[60];
	size_t size = header(bytes, WIRE_TCP_SYN, options, sizeof(options));

	CHECK_EQ(wire_tcp_parse(bytes, size, &tcp), 0);
	CHECK(tcp.has_mss && tcp.mss == 1460);
}

TEST(wire_tcp, options_that_are_cut_off_or_of_wrong_length_are_not_there)
{
	static const uint8_t scripts[][8] = {
		{ 2, 0, 5, 180 }, { 2, 1, 5, 180 }, { 2, 40, 5, 180 },	 { 2, 3, 5, 1 },
		{ 1, 1, 1, 2 },	  { 8, 4, 0, 0 },   { 0, 2, 4, 5, 180 }, { 2, 4, 0, 0 },
	};
	struct wire_tcp tcp;
	uint8_t bytes[60];

	for (size_t i = 0; i < COUNT_OF(scripts); i++) {
		size_t size = header(bytes, WIRE_TCP_SYN, scripts[i], 8);

		CHECK_EQ(wire_tcp_parse(bytes, size, &tcp), 0);
		CHECK(!tcp.has_mss && !tcp.has_timestamps);
	}
}

TEST(wire_tcp, options_of_syns_count_in_syns_only)
{
	static const uint8_t options[] = { 2, 4, 5, 180, 3, 3, 7, 1 };
	struct wire_tcp tcp;
	uint8_t bytes[60];
	size_t size = header(bytes, WIRE_TCP_ACK, options, sizeof(options));

	CHECK_EQ(wire_tcp_parse(bytes, size, &tcp), 0);
	CHECK(!tcp.has_mss && !tcp.has_scale);
}

TEST(wire_tcp, a_scale_above_14_counts_as_14)
{
	static const uint8_t options[] = { 3, 3, 200, 0 };
	struct wire_tcp tcp;
	uint8_t bytes[60];
	size_t size = header(bytes, WIRE_TCP_SYN, options, sizeof(options));

	CHECK_EQ(wire_tcp_parse(bytes, size, &tcp), 0);
	CHECK_EQ(tcp.scale, 14);
}

TEST(wire_tcp, a_header_that_does_not_fit_is_refused)
{
	static const uint8_t none[1];
	struct wire_tcp tcp;
	uint8_t bytes[60];

	header(bytes, WIRE_TCP_ACK, none, 0);
	for (size_t length = 0; length < 20; length++)
		CHECK_EQ(wire_tcp_parse(bytes, length, &tcp), -EINVAL);
	CHECK_EQ(wire_tcp_parse(bytes, 20, &tcp), 0);
	bytes[12] = 4 << 4; /* less than the least */
	CHECK_EQ(wire_tcp_parse(bytes, 60, &tcp), -EINVAL);
	bytes[12] = 15 << 4;
	CHECK_EQ(wire_tcp_parse(bytes, 59, &tcp), -EINVAL);
	CHECK_EQ(wire_tcp_parse(bytes, 60, &tcp), 0);
}
