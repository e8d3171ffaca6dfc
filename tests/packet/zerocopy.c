/* SPDX-License-Identifier: BSD-2-Clause */
/* berth_send_packet() and berth_recv_packet(): whose the memory is, and when it is free again. */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <netinet/in.h>

static uint8_t bytes[3000];
static unsigned released;

static void note(void *context)
{
	released++;
	CHECK(context == bytes);
}

static int given_peer(void)
{
	released = 0;
	dialogue_begin(NULL);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	return given_accepted("win 65535 <mss 1000>");
}

static struct berth_packet *lent(size_t size)
{
	return berth_packet_wrap(berth_stack_packets(dialogue.stack), bytes, size, note, bytes);
}

static int64_t send_lent(int fd, size_t size)
{
	struct berth_packet *packet = lent(size);
	unsigned before = released;
	int64_t n = berth_send_packet(dialogue.stack, fd, packet, 0);

	if (n < 0) {
		n = -errno;
		CHECK_EQ(released, before); /* still ours */
		berth_packet_unref(packet);
	}
	return n;
}

static int64_t receive(int fd, struct berth_packet **packet)
{
	ssize_t n = berth_recv_packet(dialogue.stack, fd, packet, 0);

	return n < 0 ? -errno : n;
}

TEST(zerocopy, lent_memory_is_free_when_its_last_byte_is_acknowledged)
{
	int fd = given_peer();

	CHECK_EQ(send_lent(fd, 2500), 2500);
	sends(". 1:1001(1000) ack 1");
	sends(". 1001:2001(1000) ack 1");
	sends("P. 2001:2501(500) ack 1");
	arrives(". 1:1(0) ack 2001");
	CHECK_EQ(released, 0);
	sends_after(200, "P. 2001:2501(500) ack 1"); /* lost: sent from there again */
	arrives(". 1:1(0) ack 2501");
	CHECK_EQ(released, 1);
	dialogue_end();
	CHECK_EQ(released, 1);
}

TEST(zerocopy, lent_and_copied_bytes_stay_in_order)
{
	int fd = given_peer();

	arrives(". 1:1(0) ack 1 win 0");
	CHECK_EQ(write_bytes(fd, 10, 0), 10);
	CHECK_EQ(send_lent(fd, 20), 20);
	CHECK_EQ(write_bytes(fd, 30, 0), 30);
	CHECK_EQ(send_lent(fd, 1000), 1000);
	arrives(". 1:1(0) ack 1 win 2000");
	sends(". 1:1001(1000) ack 1");
	sends("P. 1001:1061(60) ack 1");
	arrives(". 1:1(0) ack 31");
	CHECK_EQ(released, 1);
	arrives(". 1:1(0) ack 1061");
	CHECK_EQ(released, 2);
	dialogue_end();
}

TEST(zerocopy, a_reset_frees_lent_memory_once)
{
	int fd = given_peer();

	send_lent(fd, 1000);
	ignore_sent();
	arrives("R. 1:1(0) ack 1");
	CHECK_EQ(released, 1);
	CHECK_EQ(send_lent(fd, 100), -ECONNRESET);
	CHECK_EQ(send_lent(fd, 100), -EPIPE);
	CHECK_EQ(released, 3);
	dialogue_end();
}

TEST(zerocopy, a_close_lets_lent_memory_go_when_all_is_acknowledged)
{
	int fd = given_peer();

	send_lent(fd, 1000);
	ignore_sent();
	berth_close(dialogue.stack, fd);
	CHECK_EQ(released, 0);
	sends("F. 1001:1001(0) ack 1");
	arrives(". 1:1(0) ack 1002");
	CHECK_EQ(released, 1);
	dialogue_end();
	CHECK_EQ(released, 1);
}

TEST(zerocopy, an_abort_and_the_end_of_a_stack_free_lent_memory_once)
{
	int fd = given_peer();

	send_lent(fd, 1000);
	berth_abort(dialogue.stack, fd);
	CHECK_EQ(released, 1);
	dialogue_end();
	CHECK_EQ(released, 1);
	fd = given_peer();
	send_lent(fd, 1000);
	dialogue_end();
	CHECK_EQ(released, 1);
}

TEST(zerocopy, what_is_refused_stays_the_callers)
{
	int fd = given_peer();
	int64_t n;

	arrives(". 1:1(0) ack 1 win 0");
	while ((n = write_bytes(fd, 60000, 0)) > 0)
		;
	CHECK_EQ(n, -EAGAIN);
	CHECK_EQ(send_lent(fd, 100), -EAGAIN);
	CHECK_EQ(released, 1); /* by its owner */
	released = 0;
	CHECK_EQ(send_lent(fd, 0), -EINVAL);
	CHECK(!lent(BERTH_WRAP_MAX + 1ul));
	dialogue_end();
}

TEST(zerocopy, without_memory_nothing_is_lent)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 700); /* one packet's */
	struct berth_packet *first;

	released = 0;
	first = berth_packet_wrap(pool, bytes, sizeof(bytes), note, bytes);
	CHECK(first);
	CHECK(!berth_packet_push(first, 1) && !berth_packet_put(first, 1));
	CHECK(!berth_packet_wrap(pool, bytes, 10, note, bytes));
	CHECK_EQ(released, 0);
	berth_packet_unref(first);
	CHECK_EQ(released, 1);
	berth_packet_pool_unref(pool);
}

TEST(zerocopy, what_came_is_taken_as_it_came)
{
	int fd = given_peer();
	struct berth_packet *first, *second;

	CHECK_EQ(receive(fd, &first), -EAGAIN);
	arrives(". 1:1001(1000) ack 1");
	arrives("F. 1001:2001(1000) ack 1");
	ignore_sent();
	CHECK_EQ(receive(fd, &first), 1000);
	CHECK_EQ(berth_stack_memory(dialogue.stack).used, berth_stack_memory(dialogue.stack).pool_used / 2);
	CHECK_EQ(read_bytes(fd, 400), 400);
	CHECK_EQ(receive(fd, &second), 600);
	CHECK_EQ(berth_packet_data(first)[0], 1);
	CHECK_EQ(berth_packet_data(second)[0], (uint8_t)1401);
	CHECK_EQ(receive(fd, &first), 0);
	CHECK_EQ(berth_stack_memory(dialogue.stack).used, 0);
	berth_packet_unref(first);
	berth_packet_unref(second);
	dialogue_end();
}

TEST(zerocopy, a_packet_ends_at_the_urgent_mark)
{
	int fd = given_peer();
	struct berth_packet *packet;

	arrives("U. 1:11(10) ack 1 urg 5");
	CHECK_EQ(receive(fd, &packet), 4);
	berth_packet_unref(packet);
	CHECK_EQ(berth_sockatmark(dialogue.stack, fd), 1);
	CHECK_EQ(receive(fd, &packet), 5);
	CHECK_EQ(berth_packet_data(packet)[0], 6);
	berth_packet_unref(packet);
	dialogue_end();
}

TEST(zerocopy, datagrams_are_not_moved_so)
{
	struct berth_packet *packet;
	int fd;

	released = 0;
	dialogue_begin(NULL);
	fd = berth_socket(dialogue.stack, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(send_lent(fd, 10), -EOPNOTSUPP);
	CHECK_EQ(receive(fd, &packet), -EOPNOTSUPP);
	CHECK_EQ(receive(1000, &packet), -EBADF);
	dialogue_end();
}
