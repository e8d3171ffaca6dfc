/* SPDX-License-Identifier: BSD-2-Clause */
/* Openings: active, passive, at once, refused, crowded. */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <netinet/in.h>

#define TEST_TCP_SYNCNT 7

TEST(handshake, a_connection_is_opened)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0) win 65535 <mss 1460, wscale 9, ts 0>");
	CHECK_EQ(ready(dialogue.fd), 0);
	arrives("S. 0:0(0) ack 1 win 1000 <mss 1000, wscale 7, ts 100>");
	sends(". 1:1(0) ack 1 win 512 <ts 100>");
	CHECK_STR(state_of(dialogue.fd), "ESTAB");
	CHECK_EQ(ready(dialogue.fd), BERTH_POLLOUT);
	CHECK_EQ(last_error(dialogue.fd), 0);
	dialogue_end();
}

TEST(handshake, a_connection_is_accepted)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000, wscale 7, ts 100>");
	sends("S. 0:0(0) ack 1 win 65535 <mss 1460, wscale 9, ts 100>");
	CHECK_EQ(count_state("SYN-RECV"), 1);
	CHECK_EQ(accept_child(), -EAGAIN);
	arrives(". 1:1(0) ack 1 win 1000 <ts 101>");
	CHECK_EQ(count_state("SYN-RECV"), 0);
	CHECK_EQ(ready(dialogue.fd), BERTH_POLLIN);
	CHECK(accept_child() >= 0);
	CHECK_STR(state_of(dialogue.child), "ESTAB");
	CHECK_EQ(ready(dialogue.fd), 0);
	silent(1000);
	dialogue_end();
}

TEST(handshake, options_the_peer_does_not_offer_are_not_used)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000");
	sends("S. 0:0(0) ack 1 win 65535 <mss 1460>");
	arrives(". 1:1(0) ack 1 win 65535");
	accept_child();
	write_bytes(dialogue.child, 2000, 0);
	sends(". 1:537(536) ack 1 win 65535 <>"); /* the default MSS, RFC 9293 §3.7.1 */
	dialogue_end();
}

TEST(handshake, data_in_the_last_ack_is_taken)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:101(100) ack 1 win 1000");
	sends(". 1:1(0) ack 101");
	accept_child();
	CHECK_EQ(read_bytes(dialogue.child, 1000), 100);
	dialogue_end();
}

TEST(handshake, a_syn_is_sent_again_with_backoff_and_given_up)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	sends_after(1000, "S 0:0(0)");
	sends_after(2000, "S 0:0(0)");
	sends_after(4000, "S 0:0(0)");
	sends_after(8000, "S 0:0(0)");
	sends_after(16000, "S 0:0(0)");
	sends_after(32000, "S 0:0(0)");
	silent(70000);
	CHECK_EQ(ready(dialogue.fd) & (BERTH_POLLERR | BERTH_POLLHUP), BERTH_POLLERR | BERTH_POLLHUP);
	CHECK_EQ(last_error(dialogue.fd), ETIMEDOUT);
	CHECK_EQ(events(BERTH_EVENT_TCP_TIMEOUT), 1);
	dialogue_end();
}

TEST(handshake, tcp_syncnt_sets_the_number_of_syns)
{
	dialogue_begin(NULL);
	dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_option(dialogue.fd, IPPROTO_TCP, TEST_TCP_SYNCNT, 1);
	begin_connect();
	sends("S 0:0(0)");
	sends_after(1000, "S 0:0(0)");
	silent(5000);
	CHECK_EQ(last_error(dialogue.fd), ETIMEDOUT);
	dialogue_end();
}

TEST(handshake, a_syn_ack_is_sent_again_with_backoff_and_given_up)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	sends_after(1000, "S. 0:0(0) ack 1");
	sends_after(2000, "S. 0:0(0) ack 1");
	sends_after(4000, "S. 0:0(0) ack 1");
	sends_after(8000, "S. 0:0(0) ack 1");
	sends_after(16000, "S. 0:0(0) ack 1");
	silent(40000);
	CHECK_EQ(count_state("SYN-RECV"), 0);
	dialogue_end();
}

TEST(handshake, a_repeated_syn_is_answered_again)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	CHECK_EQ(count_state("SYN-RECV"), 1);
	dialogue_end();
}

TEST(handshake, nobody_listens_and_rst_says_so)
{
	dialogue_begin(NULL);
	arrives("S 0:0(0) win 1000");
	sends("R. 0:0(0) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_NO_SOCKET), 1);
	dialogue_end();
}

TEST(handshake, to_hold_a_port_is_not_to_listen)
{
	dialogue_begin(NULL);
	open_bound();
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("R. 0:0(0) ack 1");
	dialogue_end();
}

TEST(handshake, a_refused_connection_fails_and_may_be_tried_again)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	arrives("R. 0:0(0) ack 1");
	CHECK_EQ(last_error(dialogue.fd), ECONNREFUSED);
	begin_connect();
	sends("S 0:0(0)");
	arrives("S. 0:0(0) ack 1 win 1000");
	sends(". 1:1(0) ack 1");
	CHECK_STR(state_of(dialogue.fd), "ESTAB");
	dialogue_end();
}

TEST(handshake, a_syn_ack_for_another_syn_is_reset)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	arrives("S. 0:0(0) ack 5 win 1000");
	sends("R 5:5(0)");
	CHECK_STR(state_of(dialogue.fd), "SYN-SENT");
	arrives("R. 0:0(0) ack 5");
	CHECK_STR(state_of(dialogue.fd), "SYN-SENT");
	dialogue_end();
}

/* RFC 9293 §3.5, figure 7 */
TEST(handshake, both_open_at_once)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1 <mss 1460>");
	CHECK_STR(state_of(dialogue.fd), "SYN-RECV");
	arrives("S. 0:0(0) ack 1 win 1000 <mss 1000>");
	CHECK_STR(state_of(dialogue.fd), "ESTAB");
	write_bytes(dialogue.fd, 10, 0);
	sends(". 1:11(10) ack 1");
	dialogue_end();
}

TEST(handshake, both_open_at_once_and_one_syn_ack_is_lost)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	sends_after(1000, "S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 1000");
	CHECK_STR(state_of(dialogue.fd), "ESTAB");
	dialogue_end();
}

/* As on Linux, a backlog of n lets n + 1 wait. */
TEST(handshake, a_full_accept_queue_drops_syns)
{
	dialogue_begin(NULL);
	open_listener(0);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 1000");
	dialogue.peer_port++;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	silent(0);
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_BACKLOG), 1);
	CHECK(accept_child() >= 0);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	dialogue_end();
}

TEST(handshake, the_syn_queue_has_a_limit)
{
	struct berth_limits limits = { .syn_queue = 2, .syn_cookies = BERTH_SYN_COOKIES_OFF };

	dialogue_begin(&limits);
	open_listener(100);
	for (uint16_t port = 6000; port < 6005; port++) {
		dialogue.peer_port = port;
		arrives("S 0:0(0) win 1000 <mss 1000>");
	}
	CHECK_EQ(count_state("SYN-RECV"), 2);
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_SYN_QUEUE), 3);
	dialogue_end();
}

TEST(handshake, the_embedder_may_refuse_or_ignore)
{
	dialogue_begin(NULL);
	open_listener(5);
	dialogue.admit = -ECONNREFUSED;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("R. 0:0(0) ack 1");
	dialogue.admit = -EAGAIN;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	silent(0);
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_ADMIT), 2);
	dialogue_end();
}

TEST(handshake, the_embedder_may_close_the_listener_when_asked)
{
	dialogue_begin(NULL);
	open_listener(5);
	dialogue.admit_closes = true;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("R. 0:0(0) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_ADMIT), 1);
	dialogue_end();
}

TEST(handshake, the_largest_buffer_decides_the_scale_up_to_14)
{
	struct berth_limits limits = { .receive_buffer_max = 2000000000 };

	dialogue_begin(&limits);
	begin_connect();
	sends("S 0:0(0) <mss 1460, sackOK, ts 0, wscale 14>");
	dialogue_end();
}

TEST(handshake, closing_the_listener_forgets_requests_and_resets_children)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 1000");
	dialogue.peer_port++;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	ignore_sent();
	berth_close(dialogue.stack, dialogue.fd);
	CHECK_EQ(count_state("SYN-RECV"), 0);
	dialogue.peer_port--;
	sends("R. 1:1(0) ack 1");
	silent(100000);
	dialogue_end();
}

TEST(handshake, an_rst_ends_a_half_open_one_only_if_exact)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives("R 500:500(0)");
	sends(". 1:1(0) ack 1");
	CHECK_EQ(count_state("SYN-RECV"), 1);
	arrives("R 1:1(0)");
	CHECK_EQ(count_state("SYN-RECV"), 0);
	dialogue_end();
}

TEST(handshake, an_ack_that_fits_no_request_is_reset)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 77 win 1000");
	sends("R 77:77(0)");
	CHECK_EQ(count_state("SYN-RECV"), 1);
	dialogue_end();
}

TEST(handshake, shutdown_before_the_answer_ends_the_attempt)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	CHECK_EQ(berth_shutdown(dialogue.stack, dialogue.fd, SHUT_RDWR), 0);
	silent(10000);
	CHECK_EQ(ready(dialogue.fd), BERTH_POLLOUT | BERTH_POLLHUP);
	dialogue_end();
}
