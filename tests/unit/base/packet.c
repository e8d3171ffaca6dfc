/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/packet.h"
#include "test.h"

TEST(packet, grows_and_shrinks_at_both_ends)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct berth_packet *packet = berth_packet_new(pool, 64, 100);

	memcpy(berth_packet_put(packet, 5), "hello", 5);
	memcpy(berth_packet_push(packet, 2), "> ", 2);
	CHECK_EQ(berth_packet_length(packet), 7);
	CHECK_BYTES(berth_packet_data(packet), "> hello", 7);
	berth_packet_pull(packet, 2);
	berth_packet_trim(packet, 4);
	CHECK_EQ(berth_packet_length(packet), 4);
	CHECK_BYTES(berth_packet_data(packet), "hell", 4);
	berth_packet_unref(packet);
	berth_packet_pool_unref(pool);
}

TEST(packet, refuses_what_does_not_fit)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct berth_packet *packet = berth_packet_new(pool, 10, 10);

	CHECK(!berth_packet_push(packet, 11));
	CHECK(!berth_packet_put(packet, BERTH_PACKET_MAX));
	CHECK(!berth_packet_new(pool, 0, BERTH_PACKET_MAX + 1));
	CHECK(!berth_packet_new(pool, SIZE_MAX, 2));
	CHECK(!berth_packet_new(pool, 2, SIZE_MAX));
	berth_packet_pull(packet, 1000);
	CHECK_EQ(berth_packet_length(packet), 0);
	berth_packet_unref(packet);
	berth_packet_pool_unref(pool);
}

TEST(packet, outlives_the_owner_of_its_pool)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct berth_packet *packet = berth_packet_copy(pool, "abc", 3);

	berth_packet_pool_unref(pool);
	CHECK_BYTES(berth_packet_data(packet), "abc", 3);
	berth_packet_unref(packet); /* a leak or a use after free is the sanitizers' to find */
}

TEST(packet, pool_keeps_to_its_limit)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 10000);
	struct berth_packet *packets[20];
	int count = 0;

	while (count < 20 && (packets[count] = berth_packet_new(pool, 0, 1500)))
		count++;
	CHECK(count >= 3 && count <= 4);
	berth_packet_unref(packets[--count]);
	CHECK((packets[count] = berth_packet_new(pool, 0, 1500)) != NULL);
	for (int i = 0; i <= count; i++)
		berth_packet_unref(packets[i]);
	berth_packet_pool_unref(pool);
}

TEST(packet, clone_has_bytes_of_its_own)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct berth_packet *packet = berth_packet_copy(pool, "abc", 3), *clone = packet_clone(packet);

	berth_packet_data(packet)[0] = 'x';
	CHECK_BYTES(berth_packet_data(clone), "abc", 3);
	CHECK_EQ(packet_headroom(clone), packet_headroom(packet));
	berth_packet_unref(packet);
	berth_packet_unref(clone);
	berth_packet_pool_unref(pool);
}

TEST(packet, queue_is_first_in_first_out)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct packet_queue queue = { 0 };
	struct berth_packet *packet;

	for (int i = 0; i < 3; i++)
		packet_queue_push(&queue, berth_packet_copy(pool, "abc" + i, 1));
	CHECK_EQ(queue.count, 3);
	CHECK_EQ(queue.bytes, 3);
	for (int i = 0; i < 3; i++) {
		packet = packet_queue_pop(&queue);
		CHECK_EQ(packet->data[0], "abc"[i]);
		berth_packet_unref(packet);
	}
	CHECK(!packet_queue_pop(&queue));
	berth_packet_pool_unref(pool);
}
