/* SPDX-License-Identifier: BSD-2-Clause */
/* Data under bad conditions: timeouts, duplicates, shut windows, silence. */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <netinet/in.h>

#define TEST_TCP_KEEPIDLE 4
#define TEST_TCP_KEEPINTVL 5
#define TEST_TCP_KEEPCNT 6
#define TEST_TCP_USER_TIMEOUT 18

TEST(loss, a_segment_is_sent_again_with_backoff)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	sends("P. 1:101(100) ack 1");
	sends_after(200, "P. 1:101(100) ack 1");
	sends_after(400, "P. 1:101(100) ack 1");
	sends_after(800, "P. 1:101(100) ack 1");
	arrives(". 1:1(0) ack 101");
	silent(5000);
	CHECK_EQ(events(BERTH_EVENT_TCP_RTO), 3);
	dialogue_end();
}

TEST(loss, a_silent_peer_is_given_up_after_15_minutes)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	wait_ms(900 * 1000);
	CHECK_STR(state_of(fd), "ESTAB");
	wait_ms(200 * 1000);
	CHECK_EQ(last_error(fd), ETIMEDOUT);
	CHECK_EQ(write_bytes(fd, 1, 0), -EPIPE);
	dialogue_end();
}

TEST(loss, a_user_timeout_gives_up_earlier)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_USER_TIMEOUT, 3000);
	write_bytes(fd, 100, 0);
	wait_ms(2500);
	CHECK_STR(state_of(fd), "ESTAB");
	wait_ms(5000);
	CHECK_EQ(last_error(fd), ETIMEDOUT);
	dialogue_end();
}

/* RFC 5681 §3.2, RFC 6582: the first duplicates let new data go (RFC 3042), the third sends the lost. */
TEST(loss, three_duplicate_acks_send_the_lost_segment)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 20000, 0);
	ignore_sent();
	arrives(". 1:1(0) ack 1");
	sends(". 10001:11001(1000) ack 1");
	arrives(". 1:1(0) ack 1");
	sends(". 11001:12001(1000) ack 1");
	arrives(". 1:1(0) ack 1");
	sends(". 1:1001(1000) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_FAST_RETRANSMIT), 1);
	silent(10);
	arrives(". 1:1(0) ack 3001"); /* partial: the next one is lost, too */
	sends(". 3001:4001(1000) ack 1");
	arrives(". 1:1(0) ack 12001"); /* all */
	sends(". 12001:13001(1000) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_RTO), 0);
	dialogue_end();
}

TEST(loss, a_window_update_is_no_duplicate)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 20000 <mss 1000>");

	write_bytes(fd, 5000, 0);
	ignore_sent();
	arrives(". 1:1(0) ack 1 win 20001");
	arrives(". 1:1(0) ack 1 win 20002");
	arrives(". 1:1(0) ack 1 win 20003");
	silent(10);
	dialogue_end();
}

TEST(loss, after_a_timeout_one_segment_goes_and_then_two)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 5000, 0);
	ignore_sent();
	sends_after(200, ". 1:1001(1000) ack 1");
	silent(100);
	arrives(". 1:1(0) ack 1001");
	sends(". 1001:2001(1000) ack 1");
	sends(". 2001:3001(1000) ack 1");
	silent(10);
	dialogue_end();
}

TEST(loss, a_shut_window_is_probed_with_backoff)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 1000 <mss 1000>");

	write_bytes(fd, 1500, 0);
	sends(". 1:1001(1000) ack 1");
	arrives(". 1:1(0) ack 1001 win 0");
	sends_after(200, ". 1000:1000(0) ack 1");
	arrives(". 1:1(0) ack 1001 win 0");
	sends_after(400, ". 1000:1000(0) ack 1");
	arrives(". 1:1(0) ack 1001 win 0");
	sends_after(800, ". 1000:1000(0) ack 1");
	arrives(". 1:1(0) ack 1001 win 2000");
	sends("P. 1001:1501(500) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_PROBE), 3);
	dialogue_end();
}

TEST(loss, a_shut_window_that_is_answered_for_is_never_given_up)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 1000 <mss 1000>");

	write_bytes(fd, 1500, 0);
	ignore_sent();
	arrives(". 1:1(0) ack 1001 win 0");
	for (int i = 0; i < 60; i++) {
		wait_ms(120 * 1000);
		ignore_sent();
		arrives(". 1:1(0) ack 1001 win 0");
	}
	CHECK_STR(state_of(fd), "ESTAB");
	dialogue_end();
}

TEST(loss, a_shut_window_without_answers_is_given_up)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 1000 <mss 1000>");

	write_bytes(fd, 1500, 0);
	ignore_sent();
	arrives(". 1:1(0) ack 1001 win 0");
	wait_ms(1500 * 1000);
	CHECK_EQ(last_error(fd), ETIMEDOUT);
	dialogue_end();
}

/* RFC 1122 §4.2.3.4 */
TEST(loss, a_silly_window_is_not_filled_until_the_timer_says_so)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 4000 <mss 1000>");

	write_bytes(fd, 10000, 0);
	ignore_sent();
	arrives(". 1:1(0) ack 4001 win 100");
	sends_after(200, ". 4001:4101(100) ack 1");
	dialogue_end();
}

TEST(loss, keepalive_asks_and_gives_up)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TEST_TCP_KEEPINTVL, 5);
	set_option(fd, IPPROTO_TCP, TEST_TCP_KEEPCNT, 2);
	set_option(fd, IPPROTO_TCP, TEST_TCP_KEEPIDLE, 10);
	sends_after(10000, ". 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1");
	sends_after(10000, ". 0:0(0) ack 1");
	sends_after(5000, ". 0:0(0) ack 1");
	sends_after(5000, "R. 1:1(0) ack 1");
	CHECK_EQ(last_error(fd), ETIMEDOUT);
	dialogue_end();
}

TEST(loss, keepalive_may_be_turned_on_last)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_KEEPIDLE, 10);
	silent(20000);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	sends_after(10000, ". 0:0(0) ack 1");
	dialogue_end();
}

TEST(loss, an_idle_connection_costs_no_timer)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	ignore_sent();
	arrives(". 1:1(0) ack 101");
	wait_ms(1000);
	CHECK_EQ(berth_stack_deadline(dialogue.stack), BERTH_NEVER);
	dialogue_end();
}

/* RFC 7323 §5 */
TEST(loss, an_old_timestamp_is_dropped_and_answered)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000, ts 1000>");

	arrives("P. 1:101(100) ack 1 <ts 1010>");
	sends(". 1:1(0) ack 101 <ts 1010>");
	arrives("P. 101:201(100) ack 1 <ts 900>");
	sends(". 1:1(0) ack 101 <ts 1010>");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 1);
	CHECK_EQ(read_bytes(fd, 1000), 100);
	dialogue_end();
}

TEST(loss, a_link_that_gets_smaller_gets_smaller_segments)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1460>");

	write_bytes(fd, 1460, 0);
	sends("P. 1:1461(1460) ack 1");
	berth_link_set_mtu(dialogue.link, 1000);
	sends_after(200, ". 1:961(960) ack 1");
	dialogue_end();
}

TEST(loss, a_wrong_checksum_is_dropped)
{
	struct berth_packet *packet;

	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 10, 0);
	wait_ms(0);
	packet = dialogue.out[dialogue.out_begin++]; /* our own segment, sent back and damaged */
	for (int i = 0; i < 4; i++) {
		uint8_t *bytes = berth_packet_data(packet), swap = bytes[12 + i];

		bytes[12 + i] = bytes[16 + i];
		bytes[16 + i] = swap;
	}
	berth_packet_data(packet)[30] ^= 1;
	berth_stack_input(dialogue.stack, dialogue.link, packet, dialogue.now);
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_CHECKSUM), 1);
	dialogue_end();
}
