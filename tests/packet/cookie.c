/* SPDX-License-Identifier: BSD-2-Clause */
/* SYN cookies: when they are given, what they remember, what is no cookie. RFC 4987 §3.6 */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

static const struct berth_limits always = { .syn_cookies = BERTH_SYN_COOKIES_ALWAYS };

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	berth_getsockopt(dialogue.stack, fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info;
}

TEST(cookie, one_keeps_nothing_and_opens_the_connection)
{
	dialogue_begin(&always);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000, wscale 7, sackOK, ts 100>");
	sends("S. 0:0(0) ack 1 win 65535 <mss 1460, wscale 9, sackOK, ts 100>");
	CHECK_EQ(count_state("SYN-RECV"), 0);
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_SENT), 1);
	silent(5000); /* nothing is sent again */
	arrives(". 1:1(0) ack 1 win 1000 <ts 101>");
	CHECK(accept_child() >= 0);
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_TAKEN), 1);
	arrives(". 1:11(10) ack 1 win 1000 <ts 102>");
	CHECK_EQ(read_bytes(dialogue.child, 100), 10);
	dialogue_end();
}

TEST(cookie, timestamps_bring_back_scale_sack_and_ecn)
{
	struct tcp_info info;

	dialogue_begin(&always);
	open_listener(5);
	arrives("SEC 0:0(0) win 1000 <mss 1460, wscale 7, sackOK, ts 100>");
	sends("S.E 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 500 <ts 101>");
	accept_child();
	info = info_of(dialogue.child);
	CHECK_EQ(info.tcpi_options, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE | TCPI_OPT_ECN);
	CHECK_EQ(info.tcpi_snd_wscale, 7);
	CHECK_EQ(info.tcpi_rcv_wscale, 9);
	CHECK_EQ(info.tcpi_snd_wnd, 500 << 7);
	CHECK_EQ(info.tcpi_snd_mss, 1460 - 12);
	dialogue_end();
}

TEST(cookie, a_stamp_is_never_in_the_future)
{
	dialogue_begin(&always);
	open_listener(5);
	for (int i = 0; i < 70; i++) {
		uint32_t before;

		arrives("S 0:0(0) win 1000 <mss 1460, wscale 3, ts 100>");
		sends("S. 0:0(0) ack 1");
		before = dialogue.last_timestamp;
		arrives(". 1:11(10) ack 1 win 500 <ts 101>");
		accept_child();
		sends(". 1:1(0) ack 11");
		CHECK((int32_t)(dialogue.last_timestamp - before) >= 0 && dialogue.last_timestamp - before < 128);
		berth_abort(dialogue.stack, dialogue.child);
		ignore_sent();
		wait_ms(1);
	}
	dialogue_end();
}

TEST(cookie, without_timestamps_only_the_mss_comes_back)
{
	struct tcp_info info;

	dialogue_begin(&always);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1350, wscale 7, sackOK>");
	sends("S. 0:0(0) ack 1 <mss 1460>");
	arrives(". 1:1(0) ack 1 win 500");
	accept_child();
	info = info_of(dialogue.child);
	CHECK_EQ(info.tcpi_options, 0);
	CHECK_EQ(info.tcpi_snd_wnd, 500);
	CHECK_EQ(info.tcpi_snd_mss, 1300); /* the next in the table */
	dialogue_end();
}

TEST(cookie, data_in_the_ack_is_taken)
{
	dialogue_begin(&always);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:101(100) ack 1 win 1000");
	sends(". 1:1(0) ack 101");
	accept_child();
	CHECK_EQ(read_bytes(dialogue.child, 1000), 100);
	dialogue_end();
}

TEST(cookie, a_full_queue_gives_them_and_an_empty_one_does_not)
{
	struct berth_limits limits = { .syn_queue = 2 };

	dialogue_begin(&limits);
	open_listener(100);
	for (uint16_t port = 6000; port < 6005; port++) {
		dialogue.peer_port = port;
		arrives("S 0:0(0) win 1000 <mss 1000>");
		sends("S. 0:0(0) ack 1");
	}
	CHECK_EQ(count_state("SYN-RECV"), 2);
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_SENT), 3);
	arrives(". 1:1(0) ack 1 win 1000");
	CHECK(accept_child() >= 0);
	dialogue_end();
}

/* Linux: inet_csk_reqsk_queue_is_full() */
TEST(cookie, the_backlog_is_the_limit_of_the_queue_but_not_below_16)
{
	static const int backlogs[] = { 1, 20 };

	for (int i = 0; i < 2; i++) {
		dialogue_begin(NULL);
		open_listener(backlogs[i]);
		for (int syn = 0; syn < 25; syn++) {
			dialogue.peer_port++;
			arrives("S 0:0(0) win 1000 <mss 1000>");
		}
		CHECK_EQ(count_state("SYN-RECV"), i ? 20 : 16);
		CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_SENT), i ? 5 : 9);
		dialogue_end();
	}
}

TEST(cookie, it_spoils_within_two_minutes)
{
	dialogue_begin(&always);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	wait_ms(119000);
	dialogue.peer_port++; /* another keeps the listener tasting */
	arrives("S 0:0(0) win 1000 <mss 1000>");
	ignore_sent();
	dialogue.peer_port--;
	wait_ms(2000);
	dialogue.isn_known = true;
	arrives(". 1:1(0) ack 1 win 1000");
	CHECK_EQ(accept_child(), -EAGAIN);
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_FAILED), 1);
	dialogue_end();
}

TEST(cookie, a_guess_is_reset)
{
	dialogue_begin(&always);
	open_listener(5);
	arrives(". 1:1(0) ack 1 win 1000"); /* none is out: nobody looks */
	sends("R 1:1(0)");
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_FAILED), 0);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 77777 win 1000");
	sends("R 77777:77777(0)");
	arrives(". 500:500(0) ack 1 win 1000"); /* right, but of another SYN */
	sends("R 1:1(0)");
	dialogue.peer_port++; /* right, but another's */
	arrives(". 1:1(0) ack 1 win 1000");
	sends("R 1:1(0)");
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_FAILED), 3);
	CHECK_EQ(accept_child(), -EAGAIN);
	dialogue_end();
}

/* Else what lies between would be lost without a word. */
TEST(cookie, no_other_segment_brings_it_back_than_the_next_one)
{
	char segment[60];

	dialogue_begin(&always);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	for (int first = 2; first < 8; first++) {
		snprintf(segment, sizeof(segment), "F. %d:%d(10) ack 1 win 1000", first, first + 10);
		arrives(segment);
		sends("R 1:1(0)");
	}
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_FAILED), 6);
	arrives("F. 1:11(10) ack 1 win 1000");
	sends(". 1:1(0) ack 12");
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_TAKEN), 1);
	dialogue_end();
}

TEST(cookie, a_full_accept_queue_takes_none)
{
	dialogue_begin(&always);
	open_listener(0);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 1000");
	dialogue.peer_port++;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	silent(0);
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_BACKLOG), 1);
	dialogue_end();
}
