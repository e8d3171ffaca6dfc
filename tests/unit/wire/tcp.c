/* SPDX-License-Identifier: BSD-2-Clause */
/* The Fast Open option, RFC 7413 §4.1.1. The other options are seen at work in tests/packet. */
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
