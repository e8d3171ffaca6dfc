/* SPDX-License-Identifier: BSD-2-Clause */
/* SACK both ways: what we tell of gaps, and how losses are found and mended with what the peer tells. */
#include "tests/packet/dialogue.h"

#include <netinet/in.h>

/* A handshake that says rtt 20 ms. */
static int given_path(const char *syn_ack)
{
	int fd;

	dialogue_begin(NULL);
	fd = begin_connect();
	sends("S 0:0(0) <mss 1460, wscale 9, ts 0, sackOK>");
	wait_ms(20);
	arrives(syn_ack);
	ignore_sent();
	return fd;
}

/* With timestamps, which leave 1000 of 1012 bytes. */
static int given_slow_path(void)
{
	return given_path("S. 0:0(0) ack 1 win 65535 <mss 1012, sackOK, ts 500>");
}

/* The first window is out, and it is time for answers. */
static int given_ten_segments(void)
{
	int fd = given_path("S. 0:0(0) ack 1 win 65535 <mss 1000, sackOK>");

	write_bytes(fd, 10000, 0);
	ignore_sent();
	wait_ms(20);
	return fd;
}

TEST(sack, is_offered_and_accepted)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000, sackOK>");
	sends("S. 0:0(0) ack 1 <mss 1460, sackOK>");
	dialogue_end();
}

/* RFC 2018 §2 */
TEST(sack, is_not_offered_to_a_peer_that_does_not)
{
	dialogue_begin(NULL);
	given_accepted("win 65535 <mss 1000>");
	arrives(". 1001:2001(1000) ack 1");
	sends(". 1:1(0) ack 1 <>");
	dialogue_end();
}

/* RFC 2018 §4 */
TEST(sack, the_most_recent_block_comes_first)
{
	dialogue_begin(NULL);
	given_accepted("win 65535 <mss 1000, sackOK>");
	arrives(". 1001:2001(1000) ack 1");
	sends(". 1:1(0) ack 1 <sack 1001:2001>");
	arrives(". 3001:4001(1000) ack 1");
	sends(". 1:1(0) ack 1 <sack 3001:4001 1001:2001>");
	arrives(". 5001:6001(1000) ack 1");
	sends(". 1:1(0) ack 1 <sack 5001:6001 3001:4001 1001:2001>");
	arrives(". 2001:3001(1000) ack 1");
	sends(". 1:1(0) ack 1 <sack 1001:4001 5001:6001>");
	arrives(". 1:1001(1000) ack 1");
	sends(". 1:1(0) ack 4001 <sack 5001:6001>");
	arrives(". 4001:5001(1000) ack 1");
	sends(". 1:1(0) ack 6001 <>");
	dialogue_end();
}

TEST(sack, three_blocks_fit_beside_timestamps)
{
	dialogue_begin(NULL);
	given_accepted("win 65535 <mss 1000, sackOK, ts 7>");
	for (int i = 0; i < 4; i++) {
		char segment[100];

		snprintf(segment, sizeof(segment), ". %d:%d(1000) ack 1 <ts 7>", 1001 + 2000 * i, 2001 + 2000 * i);
		ignore_sent();
		arrives(segment);
	}
	sends(". 1:1(0) ack 1 <ts 7, sack 7001:8001 5001:6001 3001:4001>");
	dialogue_end();
}

/* RFC 2883 §4.1 */
TEST(sack, a_duplicate_is_reported_once)
{
	dialogue_begin(NULL);
	given_accepted("win 65535 <mss 1000, sackOK>");
	arrives(". 1:1001(1000) ack 1");
	sends(". 1:1(0) ack 1001 <>");
	arrives(". 1:1001(1000) ack 1");
	sends(". 1:1(0) ack 1001 <sack 1:1001>");
	arrives(". 2001:3001(1000) ack 1");
	sends(". 1:1(0) ack 1001 <sack 2001:3001>");
	dialogue_end();
}

/* RFC 2883 §4.1.2: behind a gap, the block that it is in follows. */
TEST(sack, a_duplicate_behind_a_gap_is_followed_by_its_block)
{
	dialogue_begin(NULL);
	given_accepted("win 65535 <mss 1000, sackOK>");
	arrives(". 1001:3001(2000) ack 1");
	sends(". 1:1(0) ack 1 <sack 1001:3001>");
	arrives(". 2001:3001(1000) ack 1");
	sends(". 1:1(0) ack 1 <sack 2001:3001 1001:3001>");
	dialogue_end();
}

/* A full data segment has no room for blocks: the ACK goes as well. */
TEST(sack, data_of_ours_does_not_hide_a_gap)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000, sackOK>");

	write_bytes(fd, 50000, 0);
	ignore_sent();
	arrives(". 1001:2001(1000) ack 1001");
	sends(". 10001:11001(1000) ack 1 <>");
	sends(". 11001:12001(1000) ack 1 <>");
	sends(". 12001:12001(0) ack 1 <sack 1001:2001>");
	dialogue_end();
}

/* RFC 6675 §5, RFC 8985 §6.2: three segments SACKed behind a hole. */
TEST(sack, a_hole_is_sent_again_after_three_segments)
{
	given_ten_segments();
	arrives(". 1:1(0) ack 1 <sack 1001:2001>");
	silent(0);
	arrives(". 1:1(0) ack 1 <sack 1001:3001>");
	silent(0);
	arrives(". 1:1(0) ack 1 <sack 1001:4001>");
	sends(". 1:1001(1000) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_FAST_RETRANSMIT), 1);
	arrives(". 1:1(0) ack 10001");
	silent(5000);
	CHECK_EQ(events(BERTH_EVENT_TCP_RTO), 0);
	dialogue_end();
}

TEST(sack, several_holes_are_sent_again_in_one_round)
{
	given_ten_segments();
	arrives(". 1:1(0) ack 1 <sack 1001:2001 3001:4001 5001:10001>");
	sends(". 1:1001(1000) ack 1");
	sends(". 2001:3001(1000) ack 1");
	sends(". 4001:5001(1000) ack 1");
	arrives(". 1:1(0) ack 10001");
	CHECK_EQ(events(BERTH_EVENT_TCP_FAST_RETRANSMIT), 1);
	dialogue_end();
}

/* RFC 8985 §3.1: time tells of a lost resending; duplicate ACKs can't. */
TEST(sack, a_resending_that_is_lost_is_sent_again_without_a_timeout)
{
	int fd = given_ten_segments();

	write_bytes(fd, 20000, 0);
	arrives(". 1:1(0) ack 1 <sack 1001:6001>");
	sends(". 1:1001(1000) ack 1");
	arrives(". 1:1(0) ack 1 <sack 1001:10001>");
	ignore_sent();
	wait_ms(20);
	arrives(". 1:1(0) ack 1 <sack 1001:12001>");
	sends(". 1:1001(1000) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_RTO), 0);
	dialogue_end();
}

/* RFC 8985 §7 */
TEST(sack, a_silent_tail_is_probed)
{
	int fd = given_slow_path();

	write_bytes(fd, 3000, 0);
	ignore_sent();
	sends_after(42, "P. 2001:3001(1000) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_TAIL_PROBE), 1);
	wait_ms(20);
	arrives(". 1:1(0) ack 1 <ts 520, sack 2001:3001>");
	sends(". 1:1001(1000) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_RTO), 0);
	dialogue_end();
}

TEST(sack, a_probe_takes_new_data_when_there_is_some)
{
	int fd = given_slow_path();

	write_bytes(fd, 10100, 0);
	ignore_sent();
	sends_after(42, "P. 10001:10101(100) ack 1");
	arrives(". 1:1(0) ack 10101 <ts 520>");
	silent(5000);
	CHECK_EQ(events(BERTH_EVENT_TCP_RETRANSMIT), 0);
	dialogue_end();
}

/* Jitter brings ACKs in another order: with older timestamps than what came before. Linux: tcp_disordered_ack() */
TEST(sack, an_overtaken_ack_is_heard)
{
	int fd = given_slow_path();

	write_bytes(fd, 5000, 0);
	ignore_sent();
	wait_ms(20);
	arrives(". 1:1(0) ack 1 <ts 522, sack 4001:5001>");
	arrives(". 1:1(0) ack 1 <ts 521, sack 3001:4001>");
	arrives(". 1:1(0) ack 1 <ts 520, sack 2001:3001>");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 0);
	sends_after(5, ". 1:1001(1000) ack 1");		   /* a quarter of the round trip, for there is reordering */
	arrives(". 1:1(0) ack 1 <ts 10, sack 2001:3001>"); /* that is no reordering */
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 1);
	dialogue_end();
}

/* RFC 8985 §6.2 step 5 */
TEST(sack, a_little_reordering_is_no_loss)
{
	int fd = given_slow_path();

	write_bytes(fd, 3000, 0);
	ignore_sent();
	wait_ms(20);
	arrives(". 1:1(0) ack 1 <ts 520, sack 1001:2001>");
	silent(4);
	arrives(". 1:1(0) ack 3001 <ts 524>");
	silent(5000);
	CHECK_EQ(events(BERTH_EVENT_TCP_RETRANSMIT), 0);
	dialogue_end();
}

/* RFC 3522: the ACK echoes a timestamp from before the resending. */
TEST(sack, an_echo_of_the_first_sending_gives_the_window_back)
{
	int fd = given_slow_path();

	write_bytes(fd, 10000, 0);
	ignore_sent();
	wait_ms(20);
	arrives(". 1:1(0) ack 1 <ts 520, sack 1001:9001>");
	sends(". 1:1001(1000) ack 1");
	wait_ms(1);
	arrives(". 1:1(0) ack 10001 <ts 521, ecr 20>");
	CHECK_EQ(events(BERTH_EVENT_TCP_SPURIOUS), 1);
	dialogue_end();
}

/* RFC 2883 §5, RFC 3708: everything sent again was there already. */
TEST(sack, a_reported_duplicate_gives_the_window_back)
{
	given_ten_segments();
	arrives(". 1:1(0) ack 1 <sack 1001:4001>");
	sends(". 1:1001(1000) ack 1");
	wait_ms(1);
	arrives(". 1:1(0) ack 10001");
	CHECK_EQ(events(BERTH_EVENT_TCP_SPURIOUS), 0);
	arrives(". 1:1(0) ack 10001 <sack 1:1001>");
	CHECK_EQ(events(BERTH_EVENT_TCP_SPURIOUS), 1);
	dialogue_end();
}

/* RFC 5682 §3.1 */
TEST(sack, a_timeout_without_a_loss_is_noticed)
{
	int fd = given_ten_segments();

	write_bytes(fd, 20000, 0);
	sends_after(22, ". 10001:11001(1000) ack 1"); /* the tail probe */
	sends_after(220, ". 1:1001(1000) ack 1");
	arrives(". 1:1(0) ack 1001");
	sends(". 11001:12001(1000) ack 1"); /* new data: no go-back-N yet */
	sends(". 12001:13001(1000) ack 1");
	arrives(". 1:1(0) ack 2001");
	CHECK_EQ(events(BERTH_EVENT_TCP_SPURIOUS), 1);
	silent(10); /* all of it is under way again */
	dialogue_end();
}

TEST(sack, a_timeout_with_a_loss_sends_all_again)
{
	int fd = given_ten_segments();

	write_bytes(fd, 20000, 0);
	wait_ms(22);
	ignore_sent();
	sends_after(220, ". 1:1001(1000) ack 1");
	arrives(". 1:1(0) ack 1001");
	ignore_sent();
	arrives(". 1:1(0) ack 1001 <sack 11001:12001>");
	sends(". 1001:2001(1000) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_SPURIOUS), 0);
	dialogue_end();
}

/* RFC 2018 §8 */
TEST(sack, what_was_sacked_may_be_taken_back)
{
	given_ten_segments();
	arrives(". 1:1(0) ack 1 <sack 1001:10001>");
	sends(". 1:1001(1000) ack 1");
	arrives(". 1:1(0) ack 1001 <>"); /* it has thrown the rest away */
	sends_after(220, ". 1001:2001(1000) ack 1");
	arrives(". 1:1(0) ack 2001");
	sends(". 2001:3001(1000) ack 1");
	sends(". 3001:4001(1000) ack 1");
	dialogue_end();
}

/* Nothing a peer can put into SACK blocks does harm. */
TEST(sack, nonsense_is_ignored)
{
	given_ten_segments();
	arrives(". 1:1(0) ack 1 <sack 5001:5001 9001:4001 1:4000000000 10002:10003>");
	silent(10);
	arrives(". 1:1(0) ack 1 <sack 1500:1600 3001:3002 4002:5000 0:1>");
	silent(0);
	arrives(". 1:1(0) ack 10001");
	silent(5000);
	CHECK_EQ(events(BERTH_EVENT_TCP_RETRANSMIT), 0);
	dialogue_end();
}
