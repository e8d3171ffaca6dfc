/* SPDX-License-Identifier: BSD-2-Clause */
/* Endings: FIN in every order, RST and its rules, TIME-WAIT. */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <netinet/in.h>

TEST(close, we_close_first)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	berth_close(dialogue.stack, fd);
	sends("F. 1:1(0) ack 1");
	CHECK_EQ(count_state("FIN-WAIT-1"), 1);
	arrives(". 1:1(0) ack 2");
	CHECK_EQ(count_state("FIN-WAIT-2"), 1);
	arrives("F. 1:1(0) ack 2");
	sends(". 2:2(0) ack 2");
	CHECK_EQ(count_state("FIN-WAIT-2"), 0);
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	silent(59000);
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	silent(2000);
	CHECK_EQ(count_state("TIME-WAIT"), 0);
	dialogue_end();
}

TEST(close, the_peer_closes_first)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("F. 1:1(0) ack 1");
	sends(". 1:1(0) ack 2");
	CHECK_STR(state_of(fd), "CLOSE-WAIT");
	CHECK_EQ(ready(fd), BERTH_POLLIN | BERTH_POLLOUT | BERTH_POLLRDHUP);
	CHECK_EQ(read_bytes(fd, 10), 0);
	berth_close(dialogue.stack, fd);
	sends("F. 1:1(0) ack 2");
	CHECK_EQ(count_state("LAST-ACK"), 1);
	arrives(". 2:2(0) ack 2");
	CHECK_EQ(count_state("LAST-ACK"), 0);
	CHECK_EQ(count_state("TIME-WAIT"), 0);
	dialogue_end();
}

TEST(close, both_close_at_once)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	berth_close(dialogue.stack, fd);
	sends("F. 1:1(0) ack 1");
	arrives("F. 1:1(0) ack 1");
	sends(". 2:2(0) ack 2");
	CHECK_EQ(count_state("CLOSING"), 1);
	arrives(". 2:2(0) ack 2");
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	dialogue_end();
}

TEST(close, fin_and_its_ack_come_together)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	berth_close(dialogue.stack, fd);
	sends("F. 1:1(0) ack 1");
	arrives("F. 1:1(0) ack 2");
	sends(". 2:2(0) ack 2");
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	dialogue_end();
}

TEST(close, half_closed_the_peer_may_go_on)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	CHECK_EQ(berth_shutdown(dialogue.stack, fd, SHUT_WR), 0);
	sends("P. 1:101(100) ack 1");
	sends("F. 101:101(0) ack 1");
	CHECK_EQ(write_bytes(fd, 1, 0), -EPIPE);
	arrives(". 1:1(0) ack 102");
	CHECK_STR(state_of(fd), "FIN-WAIT-2");
	arrives("P. 1:501(500) ack 102");
	sends(". 102:102(0) ack 501");
	CHECK_EQ(read_bytes(fd, 1000), 500);
	silent(100000); /* with a descriptor FIN-WAIT-2 has no end */
	CHECK_STR(state_of(fd), "FIN-WAIT-2");
	arrives("FP. 501:601(100) ack 102");
	sends(". 102:102(0) ack 602");
	CHECK_EQ(ready(fd) & BERTH_POLLHUP, BERTH_POLLHUP);
	CHECK_EQ(read_bytes(fd, 1000), 100);
	CHECK_EQ(read_bytes(fd, 1000), 0);
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	berth_close(dialogue.stack, fd);
	silent(1000);
	dialogue_end();
}

TEST(close, an_orphan_waits_60_s_in_fin_wait_2)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	berth_close(dialogue.stack, fd);
	sends("F. 1:1(0) ack 1");
	arrives(". 1:1(0) ack 2");
	silent(59000);
	CHECK_EQ(count_state("FIN-WAIT-2"), 1);
	silent(2000);
	CHECK_EQ(count_state("FIN-WAIT-2"), 0);
	dialogue_end();
}

TEST(close, a_lost_fin_is_sent_again)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	berth_close(dialogue.stack, fd);
	sends("P. 1:101(100) ack 1");
	sends("F. 101:101(0) ack 1");
	arrives(". 1:1(0) ack 101");
	sends_after(200, "F. 101:101(0) ack 1");
	dialogue_end();
}

TEST(close, unread_data_makes_it_a_reset)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("P. 1:101(100) ack 1");
	ignore_sent();
	berth_close(dialogue.stack, fd);
	sends("R. 1:1(0) ack 101");
	silent(100000);
	dialogue_end();
}

TEST(close, linger_0_makes_it_a_reset)
{
	struct linger linger = { 1, 0 };

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	berth_setsockopt(dialogue.stack, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	berth_close(dialogue.stack, fd);
	sends("R. 1:1(0) ack 1");
	dialogue_end();
}

TEST(close, data_after_close_is_answered_with_a_reset)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	berth_close(dialogue.stack, fd);
	sends("F. 1:1(0) ack 1");
	arrives("P. 1:101(100) ack 2");
	sends("R 2:2(0)");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_AFTER_CLOSE), 1);
	CHECK_EQ(count_state("FIN-WAIT-1") + count_state("FIN-WAIT-2"), 0);
	dialogue_end();
}

/* It would be challenged at any other number than the one that the peer waits for. */
TEST(close, data_after_a_lost_fin_is_reset_where_the_peer_is)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	berth_close(dialogue.stack, fd);
	sends("F. 1:1(0) ack 1");
	arrives("P. 1:101(100) ack 1");
	sends("R 1:1(0)");
	silent(10000);
	dialogue_end();
}

TEST(close, an_early_fin_waits_for_what_is_missing)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("F. 101:201(100) ack 1");
	sends(". 1:1(0) ack 1");
	CHECK_STR(state_of(fd), "ESTAB");
	arrives(". 1:101(100) ack 1");
	sends(". 1:1(0) ack 202");
	CHECK_STR(state_of(fd), "CLOSE-WAIT");
	CHECK_EQ(read_bytes(fd, 1000), 200);
	CHECK_EQ(read_bytes(fd, 1000), 0);
	dialogue_end();
}

TEST(close, a_reset_is_an_error_after_the_data)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("R. 1:1(0) ack 1");
	CHECK(ready(fd) & BERTH_POLLERR);
	CHECK_EQ(read_bytes(fd, 10), -ECONNRESET);
	CHECK_EQ(read_bytes(fd, 10), 0);
	CHECK_EQ(write_bytes(fd, 10, 0), -EPIPE);
	CHECK_EQ(events(BERTH_EVENT_TCP_RST_RECEIVED), 1);
	dialogue_end();
}

/* RFC 5961 §3.2 */
TEST(close, a_reset_in_the_window_but_not_exact_is_challenged)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("R 100:100(0)");
	sends(". 1:1(0) ack 1");
	CHECK_STR(state_of(fd), "ESTAB");
	arrives("R 400000:400000(0)"); /* outside: nothing */
	silent(0);
	CHECK_STR(state_of(fd), "ESTAB");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_RST_CHALLENGED), 1);
	dialogue_end();
}

/* RFC 5961 §4.2 */
TEST(close, a_syn_in_a_conversation_is_challenged)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("S 1:1(0) win 1000");
	sends(". 1:1(0) ack 1");
	CHECK_STR(state_of(fd), "ESTAB");
	arrives("R 1:1(0)"); /* a peer that did restart answers so */
	CHECK_EQ(last_error(fd), ECONNRESET);
	dialogue_end();
}

/* RFC 5961 §5.2 */
TEST(close, an_ack_of_what_was_never_sent_is_challenged)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 1000 <mss 1000>");

	arrives("P. 1:101(100) ack 5000");
	sends(". 1:1(0) ack 1");
	CHECK_EQ(read_bytes(fd, 1000), -EAGAIN);
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_BAD_ACK), 1);
	dialogue_end();
}

/* RFC 5961 §7. Linux: tcp_invalid_ratelimit, half a second; RST, SYN and ACK count together. */
TEST(close, challenges_have_a_rate_limit)
{
	dialogue_begin(NULL);
	given_accepted("win 1000 <mss 1000>");

	for (int i = 0; i < 500; i++) {
		arrives("R 100:100(0)");
		arrives("S 100:100(0)");
		arrives(". 1:1(0) ack 5000");
	}
	sends(". 1:1(0) ack 1");
	silent(499);
	CHECK_EQ(events(BERTH_EVENT_TCP_CHALLENGE_LIMITED), 1499);
	silent(1);
	arrives("R 100:100(0)");
	sends(". 1:1(0) ack 1");
	dialogue_end();
}

/* Rules of RFC 9293 §3.10.7.1 */
TEST(close, a_closed_port_answers_with_the_right_reset)
{
	dialogue_begin(NULL);
	arrives(". 1:101(100) ack 77");
	sends("R 77:77(0)");
	arrives("F 5:105(100)");
	sends("R. 0:0(0) ack 106");
	arrives("R 1:1(0)");
	silent(0);
	dialogue_end();
}

static void given_time_wait(const char *peer_options)
{
	bool timestamps = strstr(peer_options, "ts");
	int fd = given_accepted(peer_options);

	berth_close(dialogue.stack, fd);
	wait_ms(0);
	ignore_sent();
	arrives(timestamps ? "F. 1:1(0) ack 2 <ts 1001>" : "F. 1:1(0) ack 2");
	wait_ms(0);
	ignore_sent();
	CHECK_EQ(count_state("TIME-WAIT"), 1);
}

TEST(close, time_wait_answers_a_repeated_fin_and_begins_anew)
{
	dialogue_begin(NULL);
	given_time_wait("win 1000 <mss 1000>");
	silent(50000);
	arrives("F. 1:1(0) ack 2");
	sends(". 2:2(0) ack 2");
	silent(50000);
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	silent(20000);
	CHECK_EQ(count_state("TIME-WAIT"), 0);
	dialogue_end();
}

/* Linux: tcp_rfc1337 is 0 */
TEST(close, time_wait_is_ended_by_an_exact_reset_alone)
{
	dialogue_begin(NULL);
	given_time_wait("win 1000 <mss 1000>");
	arrives("R 1:1(0)");
	arrives("R 3:3(0)");
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	arrives("R 2:2(0)");
	CHECK_EQ(count_state("TIME-WAIT"), 0);
	dialogue_end();
}

/* A peer that was born anew with our peer's address and port, and clocks that run behind. */
TEST(close, time_wait_does_not_lock_out_a_peer_born_anew)
{
	dialogue_begin(NULL);
	given_time_wait("win 1000 <mss 1000, ts 1000>");
	arrives("S 1000:1000(0) win 1000 <mss 1000, ts 500>");
	sends(". 2:2(0) ack 2");
	arrives("R 2:2(0)"); /* what a SYN-SENT says to such an ACK: RFC 9293 §3.10.7.3 */
	arrives("S 1000:1000(0) win 1000 <mss 1000, ts 1500>");
	CHECK_EQ(count_state("SYN-RECV"), 1);
	dialogue_end();
}

/* RFC 6191 */
TEST(close, time_wait_gives_way_to_a_newer_syn)
{
	dialogue_begin(NULL);
	given_time_wait("win 1000 <mss 1000, ts 1000>");
	arrives("S 1000:1000(0) win 1000 <mss 1000, ts 1500>");
	CHECK_EQ(count_state("TIME-WAIT"), 0);
	CHECK_EQ(count_state("SYN-RECV"), 1);
	CHECK_EQ(events(BERTH_EVENT_TCP_TIME_WAIT_REUSED), 1);
	dialogue_end();
}

TEST(close, time_wait_does_not_give_way_to_an_old_syn)
{
	dialogue_begin(NULL);
	given_time_wait("win 1000 <mss 1000, ts 1000>");
	arrives("S 1000:1000(0) win 1000 <mss 1000, ts 500>");
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	CHECK_EQ(count_state("SYN-RECV"), 0);
	dialogue_end();
}

TEST(close, time_waits_have_a_limit)
{
	struct berth_limits limits = { .time_wait = 1 };

	dialogue_begin(&limits);
	given_time_wait("win 1000 <mss 1000>");
	dialogue.peer_port++;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 1000");
	berth_close(dialogue.stack, accept_child());
	sends("F. 1:1(0) ack 1");
	arrives("F. 1:1(0) ack 2");
	sends(". 2:2(0) ack 2");
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	CHECK_EQ(events(BERTH_EVENT_TCP_TIME_WAIT_LIMIT), 1);
	dialogue_end();
}

TEST(close, disconnect_makes_the_socket_new)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	CHECK_EQ(berth_connect(dialogue.stack, fd, &nobody, sizeof(nobody)), 0);
	sends("R. 1:1(0) ack 1");
	CHECK_EQ(ready(fd), BERTH_POLLOUT | BERTH_POLLHUP);
	begin_connect();
	sends("S 0:0(0)");
	dialogue_end();
}

TEST(close, shut_rd_reads_the_end)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	CHECK_EQ(read_bytes(fd, 10), -EAGAIN);
	CHECK_EQ(berth_shutdown(dialogue.stack, fd, SHUT_RD), 0);
	CHECK_EQ(read_bytes(fd, 10), 0);
	CHECK_EQ(ready(fd), BERTH_POLLIN | BERTH_POLLOUT | BERTH_POLLRDHUP);
	dialogue_end();
}
