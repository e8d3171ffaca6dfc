/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP_DEFER_ACCEPT: a connection is there when it has said something. Linux: tcp(7), tcp_check_req() */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static void defer(int seconds)
{
	set_option(dialogue.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds);
}

/* A listener that defers, and a peer that has said nothing but its ACK. */
static void given_deferred(int seconds)
{
	dialogue_begin(NULL);
	open_listener(5);
	defer(seconds);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 1000");
	CHECK_EQ(accept_child(), -EAGAIN);
}

static void given_client(void)
{
	dialogue_begin(NULL);
	dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	defer(1);
	begin_connect();
	sends("S 0:0(0)");
}

TEST(defer, a_deferred_connection_waits_for_data)
{
	given_deferred(10);
	silent(5000);
	arrives(". 1:11(10) ack 1 win 1000");
	sends(". 1:1(0) ack 11");
	CHECK(accept_child() >= 0);
	dialogue_end();
}

TEST(defer, a_deferred_connection_may_speak_at_once)
{
	given_deferred(10);
	arrives(". 1:11(10) ack 1 win 1000");
	sends(". 1:1(0) ack 11");
	CHECK(accept_child() >= 0);
	dialogue_end();
}

/* Five SYN-ACKs that nobody answers are the end; who has answered is waited for as long as was asked. */
TEST(defer, more_timeouts_than_syn_acks_may_pass)
{
	given_deferred(300);
	silent(100000);
	CHECK_EQ(count_state("SYN-RECV"), 1);
	arrives(". 1:11(10) ack 1 win 1000");
	sends(". 1:1(0) ack 11");
	CHECK(accept_child() >= 0);
	dialogue_end();
}

/* While data is waited for no SYN-ACK is sent again but the last. Linux: syn_ack_recalc() */
TEST(defer, a_deferred_connection_that_never_speaks)
{
	given_deferred(3);
	sends_after(3000, "S. 0:0(0) ack 1"); /* the first of the two is left out */
	arrives(". 1:1(0) ack 1 win 1000");
	CHECK(accept_child() >= 0); /* it had its chance */
	dialogue_end();
}

TEST(defer, a_deferred_connection_with_a_fin_is_there)
{
	dialogue_begin(NULL);
	open_listener(5);
	defer(10);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives("F. 1:1(0) ack 1 win 1000");
	CHECK(accept_child() >= 0);
	CHECK_EQ(read_bytes(dialogue.child, 10), 0);
	dialogue_end();
}

/* Linux: who defers at a client saves the ACK, because data follows. */
TEST(defer, a_client_may_defer_its_ack)
{
	given_client();
	arrives("S. 0:0(0) ack 1 win 1000 <mss 1000>");
	silent(30);
	CHECK_STR(state_of(dialogue.fd), "ESTAB");
	write_bytes(dialogue.fd, 10, 0);
	sends("P. 1:11(10) ack 1");
	dialogue_end();
}

/* The SYN-ACK brings data: that is answered at once, deferred or not. */
TEST(defer, a_syn_ack_with_data_and_fin)
{
	given_client();
	arrives("SF. 0:10(10) ack 1 win 1000 <mss 1000>");
	sends(". 1:1(0) ack 12");
	CHECK_EQ(read_bytes(dialogue.fd, 100), 10);
	CHECK_EQ(read_bytes(dialogue.fd, 100), 0);
	dialogue_end();
}
