/* SPDX-License-Identifier: BSD-2-Clause */
/* The Fast Open option, RFC 7413 §4.1.1, and what no peer that means well sends. The other options are seen at work in
 * tests/packet. */
#include "wire/tcp.h"

#include "test.h"

#include <string.h>

static const uint8_t cookie[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static struct wire_tcp there_and_back(const struct wire_tcp *tcp, uint8_t bytes[WIRE_TCP_HEADER_MAX])
{
	struct wire_tcp back = { .flags = 0 };

	CHECK_EQ(wire_tcp_parse(bytes, wire_tcp_build(bytes, tcp), &back), 0);
	return back;
}

TEST(fastopen_option, a_cookie_survives_in_both_kinds)
{
	for (int experimental = 0; experimental < 2; experimental++) {
		for (uint8_t length = 0; length <= WIRE_TCP_COOKIE_MAX; length += length ? 2 : 4) {
			struct wire_tcp tcp = { .flags = WIRE_TCP_SYN,
						.has_mss = true,
						.mss = 1460,
						.has_fastopen = true,
						.fastopen_experimental = experimental,
						.cookie = cookie,
						.cookie_length = length };
			uint8_t bytes[WIRE_TCP_HEADER_MAX];
			struct wire_tcp back = there_and_back(&tcp, bytes);

			CHECK(back.has_fastopen);
			CHECK_EQ(back.fastopen_experimental, experimental);
			CHECK_EQ(back.cookie_length, length);
			CHECK(!memcmp(back.cookie, cookie, length));
			CHECK_EQ(back.mss, 1460);
		}
	}
}

TEST(fastopen_option, one_of_a_wrong_size_is_none)
{
	static const uint8_t sizes[] = { 1, 2, 3, 5, 15, 17, 18 };

	for (size_t i = 0; i < sizeof(sizes); i++) {
		uint8_t bytes[WIRE_TCP_HEADER_MAX] = { [12] = 15 << 4, [13] = WIRE_TCP_SYN, [20] = 34 };
		struct wire_tcp tcp;

		bytes[21] = (uint8_t)(2 + sizes[i]);
		CHECK_EQ(wire_tcp_parse(bytes, sizeof(bytes), &tcp), 0);
		CHECK(!tcp.has_fastopen);
	}
}

TEST(fastopen_option, it_counts_in_a_syn_only)
{
	uint8_t bytes[WIRE_TCP_HEADER_MAX];
	struct wire_tcp tcp = {
		.flags = WIRE_TCP_ACK, .has_fastopen = true, .cookie = cookie, .cookie_length = sizeof(cookie)
	};

	CHECK(!there_and_back(&tcp, bytes).has_fastopen);
}

TEST(fastopen_option, without_room_it_is_left_out)
{
	uint8_t bytes[WIRE_TCP_HEADER_MAX];
	struct wire_tcp tcp = { .flags = WIRE_TCP_SYN,
				.has_mss = true,
				.mss = 1460,
				.has_timestamps = true,
				.has_sack_permitted = true,
				.has_scale = true,
				.has_fastopen = true,
				.fastopen_experimental = true,
				.cookie = cookie,
				.cookie_length = sizeof(cookie) };

	CHECK(there_and_back(&tcp, bytes).has_fastopen); /* 20 + 4 + 12 + 4 + 20 */
	tcp.sack_count = 1;
	CHECK_EQ(there_and_back(&tcp, bytes).sack_count, 0);
	tcp.has_scale = false;
	tcp.cookie_length = 8;
	CHECK_EQ(wire_tcp_size(&tcp), 48);
}

static struct wire_tcp parse_options(const uint8_t *options, size_t length)
{
	uint8_t bytes[WIRE_TCP_HEADER_MAX] = { 0, 1, 0, 2 };
	struct wire_tcp tcp = { .flags = 0 };

	memcpy(bytes + WIRE_TCP_HEADER, options, length);
	bytes[12] = (uint8_t)((WIRE_TCP_HEADER + length) / 4 << 4);
	bytes[13] = WIRE_TCP_SYN;
	CHECK_EQ(wire_tcp_parse(bytes, WIRE_TCP_HEADER + length, &tcp), 0);
	return tcp;
}

#define OPTIONS(...) parse_options((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

TEST(tcp_options, of_a_wrong_size_are_not_there)
{
	uint8_t blocks[40] = { 5, 34, 1 };

	CHECK(!OPTIONS(2, 4, 0, 0).has_mss); /* an MSS of 0 is none */
	CHECK(!OPTIONS(2, 3, 5, 0).has_mss);
	CHECK(!OPTIONS(3, 4, 1, 1).has_scale);
	CHECK_EQ(OPTIONS(3, 3, 200, 0).scale, WIRE_TCP_SCALE_MAX);
	CHECK(!OPTIONS(4, 3, 0, 0).has_sack_permitted);
	CHECK(!OPTIONS(8, 4, 0, 0).has_timestamps);
	CHECK_EQ(OPTIONS(5, 6, 1, 2, 3, 4, 0, 0).sack_count, 0);
	CHECK(!OPTIONS(254, 3, 0xf9, 0).has_fastopen);
	CHECK(!OPTIONS(254, 4, 0xf9, 0x88).has_fastopen);
	CHECK(!OPTIONS(2, 5, 5, 180).has_mss); /* over the end */
	CHECK(!OPTIONS(1, 1, 1, 2).has_mss);
	CHECK(!OPTIONS(2, 1, 5, 180).has_mss);
	CHECK_EQ(parse_options(blocks, 36).sack_count, WIRE_TCP_SACK_MAX);
	memcpy(blocks, (const uint8_t[]){ 5, 18 }, 2); /* four and one in two options */
	memset(blocks + 2, 0, 38);
	blocks[18] = 5;
	blocks[19] = 18;
	CHECK_EQ(parse_options(blocks, 36).sack_count, 4);
	blocks[1] = 10;
	blocks[10] = 5;
	blocks[11] = 26;
	CHECK_EQ(parse_options(blocks, 36).sack_count, 4);
}
