/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/checksum.h"

#include "base/bytes.h"
#include "base/random.h"
#include "test.h"
#include "wire/checksum_ways.h"

/* RFC 1071 §4.1, word by word. */
static uint16_t naive(uint32_t begin, const uint8_t *bytes, size_t length)
{
	uint64_t sum = begin;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void fill(uint8_t *bytes, size_t length, uint64_t seed)
{
	struct random random;

	random_init(&random, seed);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)random_u64(&random);
}

TEST(checksum, example_of_rfc_1071)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	CHECK_EQ(checksum_finish(checksum_add(0, bytes, sizeof(bytes))), (uint16_t)~0xddf2);
}

TEST(checksum, agrees_with_naive_sum_at_every_alignment_and_length)
{
	uint8_t bytes[256];

	fill(bytes, sizeof(bytes), 1);
	for (size_t at = 0; at < 16; at++)
		for (size_t length = 0; length <= sizeof(bytes) - at; length++)
			CHECK_EQ(checksum_finish(checksum_add(0, bytes + at, length)), naive(0, bytes + at, length));
}

TEST(checksum, agrees_with_naive_sum_on_random_data)
{
	static uint8_t bytes[65536];
	struct random random;

	random_init(&random, 2);
	for (int i = 0; i < 200; i++) {
		size_t length = (size_t)random_below(&random, sizeof(bytes) + 1);
		uint32_t begin = (uint32_t)random_u64(&random);

		fill(bytes, length, (uint64_t)i);
		CHECK_EQ(checksum_finish(checksum_add(begin, bytes, length)), naive(begin, bytes, length));
	}
}

TEST(checksum, carries_nothing_away_on_all_ones)
{
	static uint8_t bytes[65536];

	memset(bytes, 0xff, sizeof(bytes));
	for (size_t length = 65500; length <= sizeof(bytes); length++)
		CHECK_EQ(checksum_finish(checksum_add(0xffffffff, bytes, length)), naive(0xffffffff, bytes, length));
}

TEST(checksum, pieces_of_even_length_add_up)
{
	uint8_t bytes[301];
	uint32_t sum;

	fill(bytes, sizeof(bytes), 3);
	for (size_t cut = 0; cut <= 300; cut += 2) {
		sum = checksum_add(0, bytes + cut, sizeof(bytes) - cut);
		sum = checksum_add(sum, bytes, cut);
		CHECK_EQ(checksum_finish(sum), naive(0, bytes, sizeof(bytes)));
	}
}

TEST(checksum, copying_sums_and_copies)
{
	uint8_t from[99], to[99];

	fill(from, sizeof(from), 4);
	CHECK_EQ(checksum_finish(checksum_copy(7, to, from, sizeof(from))), naive(7, from, sizeof(from)));
	CHECK_BYTES(to, from, sizeof(from));
}

TEST(checksum, copying_agrees_at_every_alignment_and_length)
{
	uint8_t from[400], to[400];

	fill(from, sizeof(from), 6);
	for (size_t at = 0; at < 16; at++) {
		for (size_t length = 0; length <= sizeof(from) - 16; length++) {
			memset(to, 0xee, sizeof(to));
			CHECK_EQ(checksum_finish(checksum_copy(9, to + 15 - at, from + at, length)),
				 naive(9, from + at, length));
			CHECK_BYTES(to + 15 - at, from + at, length);
			CHECK_EQ(to[15 - at + length], 0xee); /* and nothing behind it */
		}
	}
}

/* The sum itself may differ by a multiple of 2^16 - 1; what it folds to may not. */
static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

TEST(checksum, every_way_of_this_processor_agrees_with_the_plain_one)
{
	static uint8_t from[16 + 4096], to[16 + 4096];
	const struct checksum_way *plain = &checksum_ways[checksum_way_count - 1];

	CHECK(plain->here());
	for (const struct checksum_way *way = checksum_ways; way < plain; way++) {
		if (!way->here())
			continue;
		for (size_t at = 0; at < 16; at++) {
			for (size_t length = CHECKSUM_BLOCK; length <= 4096; length += CHECKSUM_BLOCK) {
				fill(from, sizeof(from), length + at);
				if (length % 256 == 0)
					memset(from, 0xff, sizeof(from));
				CHECK_EQ(fold(way->add(from + at, length)), fold(plain->add(from + at, length)));
				CHECK_EQ(fold(way->copy(to + 15 - at, from + at, length)),
					 fold(plain->add(from + at, length)));
				CHECK_BYTES(to + 15 - at, from + at, length);
			}
		}
	}
}

TEST(checksum, is_zero_over_data_that_holds_its_checksum)
{
	uint8_t bytes[40];

	fill(bytes, sizeof(bytes), 5);
	put_be16(bytes + 10, 0);
	put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, sizeof(bytes))));
	CHECK_EQ(checksum_finish(checksum_add(0, bytes, sizeof(bytes))), 0);
}
