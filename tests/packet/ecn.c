/* SPDX-License-Identifier: BSD-2-Clause */
/* Explicit congestion notification, RFC 3168. */
#include "tests/packet/dialogue.h"

static int given_ecn(void)
{
	struct berth_limits limits = { .ecn = BERTH_ECN_ASK };
	int fd;

	dialogue_begin(&limits);
	fd = begin_connect();
	sends("SEC 0:0(0)");
	wait_ms(20);
	arrives("S.E 0:0(0) ack 1 win 65535 <mss 1000, sackOK>");
	sends(". 1:1(0) ack 1");
	return fd;
}

TEST(ecn, is_not_asked_for_by_default)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	dialogue_end();
}

TEST(ecn, is_accepted_by_default)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("SEC 0:0(0) win 65535 <mss 1000>");
	sends("S.E 0:0(0) ack 1");
	dialogue_end();
}

TEST(ecn, may_be_off)
{
	struct berth_limits limits = { .ecn = BERTH_ECN_OFF };

	dialogue_begin(&limits);
	open_listener(5);
	arrives("SEC 0:0(0) win 65535 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	dialogue_end();
}

/* §6.1.1.1: the first SYN may have been dropped for its bits. */
TEST(ecn, a_syn_that_is_sent_again_does_not_ask)
{
	struct berth_limits limits = { .ecn = BERTH_ECN_ASK };

	dialogue_begin(&limits);
	begin_connect();
	sends("SEC 0:0(0)");
	sends_after(1000, "S 0:0(0)");
	arrives("S.E 0:0(0) ack 1 win 65535 <mss 1000>");
	ignore_sent();
	write_bytes(dialogue.fd, 100, 0);
	sends("P. 1:101(100) ack 1");
	dialogue_end();
}

/* §6.1.1: both bits in the answer are a peer that reflects what it does not know. */
TEST(ecn, a_reflected_setup_is_no_answer)
{
	struct berth_limits limits = { .ecn = BERTH_ECN_ASK };

	dialogue_begin(&limits);
	begin_connect();
	sends("SEC 0:0(0)");
	arrives("S.EC 0:0(0) ack 1 win 65535 <mss 1000>");
	ignore_sent();
	write_bytes(dialogue.fd, 100, 0);
	sends("P. 1:101(100) ack 1");
	dialogue_end();
}

/* §6.1.3 */
TEST(ecn, a_mark_is_echoed_until_the_peer_says_cwr)
{
	given_ecn();
	arrives(". 1:1001(1000) CE ack 1");
	sends(".E 1:1(0) ack 1001");
	arrives(". 1001:2001(1000) ECT ack 1");
	sends(".E 1:1(0) ack 2001");
	arrives(".C 2001:3001(1000) ECT ack 1");
	sends(". 1:1(0) ack 3001");
	CHECK_EQ(events(BERTH_EVENT_TCP_ECN_MARKED), 1);
	dialogue_end();
}

/* §6.1.2: new data is ECT; an echo shrinks the window once and is answered with CWR. */
TEST(ecn, an_echo_reduces_the_window_once)
{
	int fd = given_ecn();

	write_bytes(fd, 60000, 0);
	for (int i = 0; i < 10; i++) {
		char segment[100];

		snprintf(segment, sizeof(segment), ". %d:%d(1000) ECT ack 1", 1 + 1000 * i, 1001 + 1000 * i);
		sends(segment);
	}
	wait_ms(20);
	arrives(".E 1:1(0) ack 2001");
	sends(".C 10001:11001(1000) ECT ack 1"); /* two were delivered, seven tenths of that may follow */
	arrives(".E 1:1(0) ack 4001");		 /* seven are under way: that is what the window shrinks to */
	silent(0);
	arrives(". 1:1(0) ack 5001");
	sends(". 11001:12001(1000) ECT ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_ECN_ECHO), 1);
	CHECK_EQ(events(BERTH_EVENT_TCP_RETRANSMIT), 0);
	dialogue_end();
}

/* §6.1.5 */
TEST(ecn, what_is_sent_again_is_not_marked_as_capable)
{
	int fd = given_ecn();

	write_bytes(fd, 100, 0);
	sends("P. 1:101(100) ECT ack 1");
	sends_after(220, "P. 1:101(100) ack 1");
	dialogue_end();
}
