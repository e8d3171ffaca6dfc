/* SPDX-License-Identifier: BSD-2-Clause */
/* Pacing: SO_MAX_PACING_RATE, the stack's setting, BBR; and what TCP_INFO says of rates. */
#include "tests/packet/dialogue.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* A path of 100 ms. */
static int given_far(const struct berth_limits *limits, const char *congestion)
{
	int fd;

	dialogue_begin(limits);
	fd = begin_connect();
	if (congestion)
		CHECK_EQ(berth_setsockopt(dialogue.stack, fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
					  (socklen_t)strlen(congestion)),
			 0);
	sends("S 0:0(0)");
	wait_ms(100);
	arrives("S. 0:0(0) ack 1 win 65535 <mss 1000, sackOK>");
	ignore_sent();
	return fd;
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	CHECK_EQ(berth_getsockopt(dialogue.stack, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

TEST(pace, a_largest_rate_is_kept_to_after_ten_segments)
{
	int fd = given_far(NULL, NULL);

	set_option(fd, SOL_SOCKET, SO_MAX_PACING_RATE, 100000);
	write_bytes(fd, 20000, 0);
	for (int i = 0; i < 10; i++) { /* Linux: the first ten go at once */
		char segment[64];

		snprintf(segment, sizeof(segment), ". %d:%d(1000) ack 1", 1 + i * 1000, 1001 + i * 1000);
		sends(segment);
	}
	wait_ms(100);
	arrives(". 1:1(0) ack 10001");
	sends(". 10001:11001(1000) ack 1");
	sends(". 11001:12001(1000) ack 1");
	sends_after(19, ". 12001:13001(1000) ack 1"); /* the first millisecond was late, and counts */
	sends(". 13001:14001(1000) ack 1");
	sends_after(20, ". 14001:15001(1000) ack 1");
	sends(". 15001:16001(1000) ack 1");
	CHECK_EQ(info_of(fd).tcpi_pacing_rate, 100000);
	CHECK_EQ(info_of(fd).tcpi_max_pacing_rate, 100000);
	dialogue_end();
}

TEST(pace, nothing_is_paced_that_need_not_be)
{
	int fd = given_far(NULL, NULL);

	write_bytes(fd, 20000, 0);
	wait_ms(100);
	ignore_sent();
	arrives(". 1:1(0) ack 10001");
	for (int i = 10; i < 20; i++) {
		char segment[64];

		snprintf(segment, sizeof(segment), ". %d:%d(1000) ack 1", 1 + i * 1000, 1001 + i * 1000);
		sends(segment);
	}
	CHECK_EQ(info_of(fd).tcpi_max_pacing_rate, UINT64_MAX);
	/* Twice the window in a round trip, in slow start. Linux: tcp_pacing_ss_ratio */
	CHECK_EQ(info_of(fd).tcpi_pacing_rate, 2 * 20000 * 10);
	arrives(". 1:1(0) ack 20001");
	CHECK_EQ(info_of(fd).tcpi_delivery_rate, 100000); /* of before: no round trip has passed since */
	dialogue_end();
}

TEST(pace, the_stack_may_pace_everything)
{
	struct berth_limits limits = { .pacing = BERTH_PACING_ALWAYS };
	int fd = given_far(&limits, NULL);

	write_bytes(fd, 30000, 0);
	wait_ms(100);
	ignore_sent();
	arrives(". 1:1(0) ack 10001"); /* 20 segments in 50 ms */
	sends(". 10001:11001(1000) ack 1");
	sends(". 11001:12001(1000) ack 1");
	sends_after(4, ". 12001:13001(1000) ack 1");
	sends(". 13001:14001(1000) ack 1");
	sends_after(5, ". 14001:15001(1000) ack 1");
	dialogue_end();
}

TEST(pace, tcp_info_tells_the_delivery_rate)
{
	int fd = given_far(NULL, NULL);

	write_bytes(fd, 10000, 0);
	wait_ms(100);
	ignore_sent();
	CHECK_EQ(info_of(fd).tcpi_delivery_rate, 0);
	arrives(". 1:1(0) ack 10001"); /* 9,000: the first left before there was anything to measure by */
	CHECK_EQ(info_of(fd).tcpi_delivery_rate, 100000);
	CHECK(!info_of(fd).tcpi_delivery_rate_app_limited);
	write_bytes(fd, 2000, 0);
	wait_ms(100);
	ignore_sent();
	arrives(". 1:1(0) ack 12001"); /* slower for want of data: that is no news */
	CHECK_EQ(info_of(fd).tcpi_delivery_rate, 100000);
	dialogue_end();
}

TEST(pace, the_largest_rate_has_32_bits_or_64)
{
	uint64_t wide = 1ull << 40;
	uint32_t narrow = 0;
	socklen_t length;
	int fd, udp;

	dialogue_begin(NULL);
	fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM, 0);
	length = sizeof(wide);
	CHECK_EQ(berth_getsockopt(dialogue.stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &wide, &length), 0);
	CHECK_EQ(length, 8);
	CHECK_EQ(wide, UINT64_MAX);
	wide = 1ull << 40;
	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &wide, sizeof(wide)), 0);
	length = sizeof(narrow);
	CHECK_EQ(berth_getsockopt(dialogue.stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, &length), 0);
	CHECK_EQ(narrow, UINT32_MAX);
	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, sizeof(narrow)), 0);
	length = sizeof(wide);
	CHECK_EQ(berth_getsockopt(dialogue.stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &wide, &length), 0);
	CHECK_EQ(wide, UINT64_MAX);
	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, 2), -1);
	udp = berth_socket(dialogue.stack, AF_INET, SOCK_DGRAM, 0);
	set_option(udp, SOL_SOCKET, SO_MAX_PACING_RATE, 7); /* taken, as Linux does */
	dialogue_end();
}

TEST(pace, bbr_paces_from_the_first_window)
{
	int fd = given_far(NULL, "bbr");
	char name[16] = "";
	socklen_t length = sizeof(name);

	CHECK_EQ(berth_getsockopt(dialogue.stack, fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
	CHECK_STR(name, "bbr");
	/* 2.885 times ten segments in a round trip */
	CHECK_EQ(info_of(fd).tcpi_pacing_rate, 288500);
	write_bytes(fd, 30000, 0);
	wait_ms(100);
	ignore_sent();
	arrives(". 1:1(0) ack 10001");
	sends(". 10001:11001(1000) ack 1");
	sends(". 11001:12001(1000) ack 1");
	silent(5);
	dialogue_end();
}

/* BBR needs to know what is delivered: without SACK it is Reno's window, unpaced or not. */
TEST(pace, bbr_without_sack_falls_back)
{
	int fd;

	dialogue_begin(NULL);
	fd = begin_connect();
	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3), 0);
	sends("S 0:0(0)");
	wait_ms(100);
	arrives("S. 0:0(0) ack 1 win 65535 <mss 1000>");
	ignore_sent();
	write_bytes(fd, 20000, 0);
	wait_ms(100);
	ignore_sent();
	arrives(". 1:1(0) ack 1");
	arrives(". 1:1(0) ack 1");
	arrives(". 1:1(0) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_FAST_RETRANSMIT), 1);
	CHECK_EQ(info_of(fd).tcpi_snd_ssthresh, 6);
	dialogue_end();
}
