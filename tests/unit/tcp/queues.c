/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/tcp/sendq.c, receiveq.c */
#include "tests/test.h"

#include "base/bytes.h"
#include "base/random.h"
#include "core/tcp/receiveq.h"
#include "core/tcp/sendq.h"

#include <sys/uio.h>

#define SIZE 200000
static uint8_t source[SIZE], target[SIZE];

static size_t least(size_t a, size_t b) /* MIN() would draw twice */
{
	return a < b ? a : b;
}

static void fill_source(void)
{
	for (size_t i = 0; i < SIZE; i++)
		source[i] = (uint8_t)(i * 7 + i / 251);
}

static struct berth_message message_of(struct iovec *part, void *bytes, size_t length)
{
	*part = (struct iovec){ bytes, length };
	return (struct berth_message){ .parts = part, .part_count = 1 };
}

TEST(tcp_sendq, bytes_come_out_as_they_went_in)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct sendq queue = { .bytes = 0 };
	struct random random;
	size_t written = 0, released = 0;

	fill_source();
	random_init(&random, 3);
	while (released < SIZE) {
		struct iovec part;
		size_t length = least(random_below(&random, 5000), SIZE - written), from, size;
		struct berth_message message = message_of(&part, source + written, length);

		CHECK_EQ(sendq_append(&queue, pool, &message, 0, length), length);
		written += length;
		CHECK_EQ(queue.bytes, written - released);
		from = random_below(&random, queue.bytes + 1);
		size = random_below(&random, queue.bytes - from + 1);
		sendq_copy(&queue, from, target, size);
		CHECK_BYTES(target, source + released + from, size);
		size = random_below(&random, queue.bytes + 1);
		size = written == SIZE ? queue.bytes : size;
		sendq_release(&queue, size);
		released += size;
	}
	CHECK(!queue.head);
	berth_packet_pool_unref(pool);
}

TEST(tcp_sendq, takes_what_memory_allows)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 80000);
	struct sendq queue = { .bytes = 0 };
	struct iovec part;
	struct berth_message message = message_of(&part, source, SIZE);
	size_t taken = sendq_append(&queue, pool, &message, 0, SIZE);

	CHECK(taken > 0 && taken < SIZE);
	CHECK_EQ(queue.bytes, taken);
	sendq_clear(&queue);
	CHECK_EQ(queue.bytes, 0);
	berth_packet_pool_unref(pool);
}

static struct berth_packet *piece(struct berth_packet_pool *pool, size_t from, size_t length)
{
	return berth_packet_copy(pool, source + from, length);
}

TEST(tcp_receiveq, pieces_in_any_order_with_any_overlap_become_the_stream)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	const uint32_t base = 0xffff0000; /* wraps on the way */
	struct random random;

	fill_source();
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct receiveq queue = { .last = NULL };
		uint32_t next = base;
		struct iovec part;
		struct berth_message message = message_of(&part, target, SIZE);
		size_t total = 100000;

		random_init(&random, seed);
		while (next - base < total) {
			size_t from = least((next - base) + random_below(&random, 20000), total - 1), length;

			from -= least(from, random_below(&random, 3000));
			if (random_below(&random, 4) == 0)
				from = next - base;
			length = least(1 + random_below(&random, 3000), total - from);
			receiveq_put(&queue, piece(pool, from, length), base + (uint32_t)from, &next, SIZE_MAX);
		}
		CHECK_EQ(queue.bytes, total);
		CHECK(!queue.early);
		CHECK_EQ(queue.early_memory, 0);
		CHECK_EQ(receiveq_copy(&queue, 0, &message, 0, SIZE), total);
		CHECK_BYTES(target, source, total);
		receiveq_release(&queue, 1234);
		CHECK_EQ(receiveq_copy(&queue, 10, &message, 0, 100), 100);
		CHECK_BYTES(target, source + 1244, 100);
		receiveq_clear(&queue);
	}
	berth_packet_pool_unref(pool);
}

TEST(tcp_receiveq, early_packets_have_a_memory_limit)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct receiveq queue = { .last = NULL };
	uint32_t next = 0;
	int taken = 0;

	for (uint32_t i = 0; i < 1000; i++)
		taken += receiveq_put(&queue, piece(pool, 0, 1), 10 + 2 * i, &next, 20000);
	CHECK(taken > 10 && taken < 100);
	CHECK(queue.early_memory <= 20000);
	receiveq_clear(&queue);
	CHECK_EQ(queue.early_memory, 0);
	berth_packet_pool_unref(pool);
}

TEST(tcp_receiveq, small_pieces_share_a_buffer)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct receiveq queue = { .last = NULL };
	uint32_t next = 0;

	fill_source();
	for (uint32_t i = 0; i < 100; i++)
		receiveq_put(&queue, piece(pool, i, 1), i, &next, SIZE_MAX);
	CHECK_EQ(queue.bytes, 100);
	CHECK(!queue.ready->next);
	CHECK_BYTES(queue.ready->data, source, 100);
	receiveq_clear(&queue);
	berth_packet_pool_unref(pool);
}
