/* SPDX-License-Identifier: BSD-2-Clause */
/* Data under good conditions: segments, ACKs, windows, Nagle. */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <netinet/in.h>

#define TEST_TCP_NODELAY 1
#define TEST_TCP_MAXSEG 2
#define TEST_TCP_CORK 3
#define TEST_TCP_QUICKACK 12

TEST(transfer, bytes_are_cut_into_segments)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	CHECK_EQ(write_bytes(fd, 2500, 0), 2500);
	sends(". 1:1001(1000) ack 1");
	sends(". 1001:2001(1000) ack 1");
	sends("P. 2001:2501(500) ack 1");
	arrives(". 1:1(0) ack 2501 win 65535");
	silent(1000);
	dialogue_end();
}

TEST(transfer, timestamps_take_their_room_from_the_mss)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000, ts 5>");

	write_bytes(fd, 1000, 0);
	sends(". 1:989(988) ack 1 <ts 5>");
	sends(". 989:1001(12) ack 1 <ts 5>");
	dialogue_end();
}

TEST(transfer, maxseg_limits_segments)
{
	dialogue_begin(NULL);
	dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_option(dialogue.fd, IPPROTO_TCP, TEST_TCP_MAXSEG, 500);
	begin_connect();
	sends("S 0:0(0) <mss 500, wscale 9, ts 0>");
	arrives("S. 0:0(0) ack 1 win 65535 <mss 1000>");
	sends(". 1:1(0) ack 1");
	write_bytes(dialogue.fd, 600, 0);
	sends(". 1:501(500) ack 1");
	sends(". 501:601(100) ack 1");
	dialogue_end();
}

TEST(transfer, the_first_window_is_ten_segments)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 30000, 0);
	for (int i = 0; i < 10; i++)
		sends_at(__FILE__, __LINE__,
			 (const char *[]){ ". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1",
					   ". 3001:4001(1000) ack 1", ". 4001:5001(1000) ack 1",
					   ". 5001:6001(1000) ack 1", ". 6001:7001(1000) ack 1",
					   ". 7001:8001(1000) ack 1", ". 8001:9001(1000) ack 1",
					   ". 9001:10001(1000) ack 1" }[i]);
	silent(10);
	arrives(". 1:1(0) ack 2001 win 65535"); /* slow start: two acknowledged, four may go */
	sends(". 10001:11001(1000) ack 1");
	sends(". 11001:12001(1000) ack 1");
	sends(". 12001:13001(1000) ack 1");
	sends(". 13001:14001(1000) ack 1");
	silent(10);
	dialogue_end();
}

TEST(transfer, the_windows_scale_counts)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 10 <mss 1000, wscale 7>");

	write_bytes(fd, 5000, 0); /* a SYN's window is not scaled: 10 bytes */
	sends("P. 1:11(10) ack 1");
	arrives(". 1:1(0) ack 11 win 10"); /* now it is: 1280 */
	sends(". 11:1011(1000) ack 1");
	silent(10);
	dialogue_end();
}

TEST(transfer, the_first_segments_are_acknowledged_at_once)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("P. 1:101(100) ack 1");
	sends(". 1:1(0) ack 101");
	CHECK_EQ(ready(fd), BERTH_POLLIN | BERTH_POLLOUT);
	CHECK_EQ(read_bytes(fd, 1000), 100);
	CHECK_EQ(read_bytes(fd, 1000), -EAGAIN);
	dialogue_end();
}

TEST(transfer, an_ack_is_delayed_by_40_ms)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_QUICKACK, 0);
	arrives("P. 1:101(100) ack 1");
	sends_after(40, ". 1:1(0) ack 101");
	silent(1000);
	dialogue_end();
}

TEST(transfer, every_second_full_segment_is_acknowledged)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_QUICKACK, 0);
	arrives(". 1:1001(1000) ack 1");
	silent(0);
	arrives(". 1001:2001(1000) ack 1");
	sends(". 1:1(0) ack 2001");
	arrives(". 2001:3001(1000) ack 1");
	sends_after(40, ". 1:1(0) ack 3001");
	dialogue_end();
}

/* A sender whose buffer is small may have nothing more to send before. Linux: __tcp_cleanup_rbuf() */
TEST(transfer, a_reader_that_empties_the_queue_acknowledges_small_segments)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	for (int i = 0; i < 20; i++) { /* quick ACKs are used up */
		char segment[64];

		snprintf(segment, sizeof(segment), ". %d:%d(1000) ack 1", 1 + i * 1000, 1001 + i * 1000);
		arrives(segment);
	}
	wait_ms(50);
	read_bytes(fd, 20000);
	ignore_sent();
	arrives("P. 20001:20101(100) ack 1");
	silent(1);
	read_bytes(fd, 50);
	silent(1);
	read_bytes(fd, 50);
	sends(". 1:1(0) ack 20101");
	silent(100);
	arrives(". 20101:21101(1000) ack 1"); /* a full one alone: the second may come */
	read_bytes(fd, 1000);
	sends_after(40, ". 1:1(0) ack 21101");
	arrives(". 21101:22101(1000) ack 1");
	arrives("P. 22101:22201(100) ack 1");
	read_bytes(fd, 500); /* more than a full segment, not all read */
	sends(". 1:1(0) ack 22201");
	dialogue_end();
}

TEST(transfer, whoever_answers_is_given_time_for_it)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("P. 1:101(100) ack 1");
	sends(". 1:1(0) ack 101");
	read_bytes(fd, 100);
	write_bytes(fd, 10, 0);
	sends("P. 1:11(10) ack 101");
	arrives("P. 101:201(100) ack 11");
	read_bytes(fd, 100);
	write_bytes(fd, 10, 0);
	sends("P. 11:21(10) ack 201");
	arrives("P. 201:301(100) ack 21");
	read_bytes(fd, 100); /* the question-and-answer so far promises an answer */
	silent(5);
	write_bytes(fd, 10, 0);
	sends("P. 21:31(10) ack 301");
	dialogue_end();
}

TEST(transfer, an_answer_carries_the_ack)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_QUICKACK, 0);
	arrives("P. 1:101(100) ack 1");
	write_bytes(fd, 50, 0);
	sends("P. 1:51(50) ack 101");
	arrives(". 101:101(0) ack 51");
	silent(1000);
	dialogue_end();
}

TEST(transfer, nagle_holds_a_second_small_segment)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	sends("P. 1:101(100) ack 1");
	write_bytes(fd, 100, 0);
	write_bytes(fd, 100, 0);
	silent(50);
	arrives(". 1:1(0) ack 101");
	sends("P. 101:301(200) ack 1");
	dialogue_end();
}

TEST(transfer, nodelay_sends_at_once)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	sends("P. 1:101(100) ack 1");
	write_bytes(fd, 100, 0);
	silent(0);
	set_option(fd, IPPROTO_TCP, TEST_TCP_NODELAY, 1);
	sends("P. 101:201(100) ack 1");
	write_bytes(fd, 100, 0);
	sends("P. 201:301(100) ack 1");
	dialogue_end();
}

TEST(transfer, a_cork_holds_partial_segments)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_CORK, 1);
	write_bytes(fd, 1100, 0);
	sends(". 1:1001(1000) ack 1");
	arrives(". 1:1(0) ack 1001");
	silent(100);
	set_option(fd, IPPROTO_TCP, TEST_TCP_CORK, 0);
	sends("P. 1001:1101(100) ack 1");
	dialogue_end();
}

TEST(transfer, nodelay_lets_go_what_a_cork_holds)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_CORK, 1);
	write_bytes(fd, 100, 0);
	silent(10);
	set_option(fd, IPPROTO_TCP, TEST_TCP_NODELAY, 1);
	sends("P. 1:101(100) ack 1");
	write_bytes(fd, 100, 0);
	silent(10); /* it is still corked */
	dialogue_end();
}

TEST(transfer, msg_more_waits_for_the_rest)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, MSG_MORE);
	silent(100);
	write_bytes(fd, 100, 0);
	sends("P. 1:201(200) ack 1");
	dialogue_end();
}

TEST(transfer, msg_more_waits_200_ms_at_most)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, MSG_MORE);
	sends_after(200, "P. 1:101(100) ack 1");
	dialogue_end();
}

TEST(transfer, the_offered_window_shrinks_with_unread_data_and_opens_with_reading)
{
	struct berth_limits limits = { .receive_buffer = 4000, .receive_buffer_max = 4000 };

	dialogue_begin(&limits);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives(". 1:1001(1000) ack 1");
	sends(". 1:1(0) ack 1001 win 3000");
	arrives(". 1001:2001(1000) ack 1");
	sends(". 1:1(0) ack 2001 win 2000");
	arrives(". 2001:4001(2000) ack 1");
	sends(". 1:1(0) ack 4001 win 0");
	CHECK_EQ(read_bytes(fd, 100), 100); /* too little to tell: RFC 1122 §4.2.3.3 */
	silent(1000);
	CHECK_EQ(read_bytes(fd, 4000), 3900);
	sends(". 1:1(0) ack 4001 win 4000");
	dialogue_end();
}

TEST(transfer, data_beyond_the_window_is_not_taken)
{
	struct berth_limits limits = { .receive_buffer = 2000, .receive_buffer_max = 2000 };

	dialogue_begin(&limits);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives(". 1:1001(1000) ack 1");
	sends(". 1:1(0) ack 1001");
	arrives(". 1001:2501(1500) ack 1");
	sends(". 1:1(0) ack 2001 win 0");
	arrives(". 2001:2501(500) ack 1"); /* a probe into the shut window */
	sends(". 1:1(0) ack 2001 win 0");
	CHECK_EQ(read_bytes(fd, 5000), 2000);
	dialogue_end();
}

TEST(transfer, early_data_waits_for_what_is_missing)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives(". 1001:2001(1000) ack 1");
	sends(". 1:1(0) ack 1");
	arrives(". 3001:4001(1000) ack 1");
	sends(". 1:1(0) ack 1");
	CHECK_EQ(read_bytes(fd, 5000), -EAGAIN);
	arrives(". 1:1001(1000) ack 1");
	sends(". 1:1(0) ack 2001");
	arrives(". 1501:3501(2000) ack 1"); /* overlaps both */
	sends(". 1:1(0) ack 4001");
	CHECK_EQ(read_bytes(fd, 5000), 4000);
	dialogue_end();
}

TEST(transfer, old_data_is_acknowledged_again_and_not_delivered_twice)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives(". 1:1001(1000) ack 1");
	sends(". 1:1(0) ack 1001");
	arrives(". 1:1001(1000) ack 1");
	sends(". 1:1(0) ack 1001");
	CHECK_EQ(read_bytes(fd, 5000), 1000);
	CHECK_EQ(read_bytes(fd, 5000), -EAGAIN);
	dialogue_end();
}

TEST(transfer, peek_leaves_data_and_trunc_throws_it_away)
{
	uint8_t bytes[100];

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("P. 1:101(100) ack 1");
	CHECK_EQ(berth_recv(dialogue.stack, fd, bytes, 10, MSG_PEEK), 10);
	CHECK_EQ(bytes[0], 1);
	CHECK_EQ(berth_recv(dialogue.stack, fd, bytes, 10, MSG_TRUNC), 10);
	CHECK_EQ(berth_recv(dialogue.stack, fd, bytes, 10, 0), 10);
	CHECK_EQ(bytes[0], 11);
	dialogue_end();
}

TEST(transfer, a_full_send_buffer_says_eagain_until_a_third_is_free)
{
	struct berth_limits limits = { .send_buffer = 3000, .send_buffer_max = 3000 };

	dialogue_begin(&limits);
	int fd = given_connected("win 65535 <mss 1000>");

	CHECK_EQ(write_bytes(fd, 5000, 0), 3000);
	CHECK_EQ(write_bytes(fd, 1, 0), -EAGAIN);
	CHECK_EQ(ready(fd), 0);
	arrives(". 1:1(0) ack 501");
	CHECK_EQ(ready(fd), 0);
	arrives(". 1:1(0) ack 1501");
	CHECK_EQ(ready(fd), BERTH_POLLOUT);
	dialogue_end();
}

TEST(transfer, tcp_info_tells_the_truth)
{
	uint8_t info[8];
	socklen_t length = sizeof(info);

	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000, wscale 3, ts 1>");

	CHECK_EQ(berth_getsockopt(dialogue.stack, fd, IPPROTO_TCP, 11, info, &length), 0);
	CHECK_EQ(length, sizeof(info)); /* cut to the caller's room */
	CHECK_EQ(info[0], 1);		/* ESTABLISHED */
	CHECK_EQ(info[5], 1 | 4);	/* timestamps, window scale */
	CHECK_EQ(info[6], 9 << 4 | 3);
	dialogue_end();
}

TEST(transfer, options_that_do_not_exist_are_refused)
{
	int value = 1;
	char name[16];
	socklen_t length = sizeof(name);

	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, IPPROTO_TCP, 9999, &value, sizeof(value)), -1);
	CHECK_EQ(errno, ENOPROTOOPT);
	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, IPPROTO_TCP, 23, &value, sizeof(value)), -1);
	CHECK_EQ(errno, EINVAL); /* TCP_FASTOPEN on a connection */
	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, IPPROTO_TCP, 13, "vegas", 5), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, IPPROTO_TCP, 13, "reno", 4), 0);
	CHECK_EQ(berth_getsockopt(dialogue.stack, fd, IPPROTO_TCP, 13, name, &length), 0);
	CHECK_STR(name, "reno");
	dialogue_end();
}

TEST(transfer, a_superframe_carries_many_segments)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	berth_link_set_superframe(dialogue.link, 65536);
	write_bytes(fd, 20500, 0);
	sends(". 1:10001(10000) ack 1"); /* the window counts its bytes */
	silent(0);
	arrives(". 1:1(0) ack 10001");
	sends("P. 10001:20501(10500) ack 1");
	dialogue_end();
}

TEST(transfer, a_superframe_received_is_acknowledged_at_once)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_QUICKACK, 0);
	arrives(". 1:1001(1000) ack 1");
	sends_after(40, ". 1:1(0) ack 1001");
	arrives(". 1001:9001(8000) ack 1");
	wait_ms(0);
	CHECK_EQ(dialogue.out_end - dialogue.out_begin, 1);
	dialogue_end();
}
