/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody who sees nothing of a conversation, but knows its addresses and ports, and guesses the rest: RFC 5961, and
 * what Cao and others read out of a common limit of challenges (CVE-2016-5696).
 */
#include "tests/packet/dialogue.h"

#include <errno.h>

enum { WINDOW = 65535, GUESSES = 65537 }; /* GUESSES times WINDOW is 2^32 - 1: every window is met once */

/* One segment into each window of the sequence space, with what the format makes of its number; never the exact one. */
static void sweep(const char *format)
{
	char text[100];

	for (uint32_t i = 0; i < GUESSES; i++) {
		snprintf(text, sizeof(text), format, 2 + i * WINDOW, 2 + i * WINDOW);
		arrives(text);
	}
}

static void check_conversation_lives(int fd)
{
	wait_ms(1000);
	ignore_sent();
	CHECK_STR(state_of(fd), "ESTAB");
	arrives("P. 1:101(100) ack 1");
	wait_ms(1000);
	CHECK_EQ(read_bytes(fd, 1000), 100);
	ignore_sent();
	CHECK_EQ(write_bytes(fd, 100, 0), 100);
	sends("P. 1:101(100) ack 101");
}

/* §3.2 */
TEST(blind, a_reset_in_every_window_ends_nothing)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	sweep("R %u:%u(0)");
	CHECK(events(BERTH_EVENT_TCP_DROP_RST_CHALLENGED) >= 1);
	CHECK_EQ(dialogue.out_end - dialogue.out_begin, 1); /* one challenge */
	CHECK_EQ(events(BERTH_EVENT_TCP_RST_RECEIVED), 0);
	check_conversation_lives(fd);
	dialogue_end();
}

/* §4.2 */
TEST(blind, a_syn_in_every_window_ends_nothing)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	sweep("S %u:%u(0) win 1000");
	CHECK_EQ(dialogue.out_end - dialogue.out_begin, 1);
	CHECK_EQ(events(BERTH_EVENT_TCP_CHALLENGE_LIMITED), GUESSES - 1);
	check_conversation_lives(fd);
	dialogue_end();
}

/* §5.2: an ACK must be within the largest window that the peer had ever offered, of 2^32 possible ones. */
TEST(blind, data_with_an_old_or_early_ack_is_not_taken)
{
	static const char *const guesses[] = {
		"P. 1:101(100) ack 2", "P. 1:101(100) ack 2147483648", "P. 1:101(100) ack 3221225472",
		"P. 1:101(100) ack 4294901760", /* 1 - 65535 - 2: one too old */
	};

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	for (size_t i = 0; i < sizeof(guesses) / sizeof(*guesses); i++) {
		wait_ms(1000);
		arrives(guesses[i]);
		sends(". 1:1(0) ack 1");
		CHECK_EQ(read_bytes(fd, 1000), -EAGAIN);
	}
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_BAD_ACK), 4);
	arrives("P. 1:101(100) ack 4294901762"); /* 1 - 65535: the oldest that the RFC lets pass */
	CHECK_EQ(read_bytes(fd, 1000), 100);
	dialogue_end();
}

/* What a good guess left where nothing had come yet gives way to the peer's own, in order. Linux: tcp_ofo_queue() */
TEST(blind, data_in_order_wins_over_what_waited)
{
	char bytes[100];
	int wrong = 0;

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	dialogue.peer_isn += 7; /* other bytes at the same numbers */
	arrives("P. 44:94(50) ack 1");
	dialogue.peer_isn -= 7;
	arrives("P. 1:101(100) ack 1");
	CHECK_EQ(berth_recv(dialogue.stack, fd, bytes, sizeof(bytes), 0), 100);
	for (int i = 0; i < 100; i++)
		wrong += (uint8_t)bytes[i] != 1 + i;
	CHECK_EQ(wrong, 0);
	dialogue_end();
}

static void given_two(int fds[2])
{
	fds[0] = given_accepted("win 65535 <mss 1000>");
	dialogue.peer_port = PEER_PORT + 1;
	arrives("S 0:0(0) win 65535 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1");
	fds[1] = accept_child();
	CHECK(fds[1] >= 0);
}

/* CVE-2016-5696: who counts the challenges of a conversation of his own learns nothing of another's. */
TEST(blind, challenges_are_counted_for_each_conversation)
{
	int fds[2];

	dialogue_begin(NULL);
	given_two(fds);
	for (int i = 0; i < 1000; i++)
		arrives("R 100:100(0)");
	sends(". 1:1(0) ack 1");
	silent(0);
	dialogue.peer_port = PEER_PORT;
	arrives("R 100:100(0)");
	CHECK_EQ(dialogue.out_end - dialogue.out_begin, 1); /* its first, whatever the other one had */
	ignore_sent();
	CHECK_STR(state_of(fds[0]), "ESTAB");
	CHECK_STR(state_of(fds[1]), "ESTAB");
	dialogue_end();
}

/* The same of one that is half open. */
TEST(blind, half_open_conversations_count_for_themselves)
{
	dialogue_begin(NULL);
	open_listener(10);
	for (int peer = 0; peer < 2; peer++) {
		dialogue.peer_port = (uint16_t)(PEER_PORT + peer);
		arrives("S 0:0(0) win 65535 <mss 1000>");
		sends("S. 0:0(0) ack 1");
		for (int i = 0; i < 1000; i++)
			arrives("R 100:100(0)");
		sends(". 1:1(0) ack 1");
		silent(0);
	}
	arrives(". 1:1(0) ack 1");
	CHECK(accept_child() >= 0);
	dialogue_end();
}

TEST(blind, an_ack_of_a_half_open_conversation_must_be_exact)
{
	dialogue_begin(NULL);
	open_listener(10);
	arrives("S 0:0(0) win 65535 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 2");
	sends("R 2:2(0)");
	arrives("P. 1:101(100) ack 0");
	sends("R 0:0(0)");
	CHECK(accept_child() < 0);
	arrives(". 1:1(0) ack 1");
	CHECK(accept_child() >= 0);
	dialogue_end();
}
