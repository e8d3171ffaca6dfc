/* SPDX-License-Identifier: BSD-2-Clause */
/* Buffers that grow with what the path and the application do. */
#include "tests/packet/dialogue.h"

static int buffer_of(int fd, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	CHECK_EQ(berth_getsockopt(dialogue.stack, fd, SOL_SOCKET, option, &value, &length), 0);
	return value;
}

static const struct berth_limits small = { .send_buffer = 16384, .receive_buffer = 16384 };

static int given_slow_path(void)
{
	int fd;

	dialogue_begin(&small);
	fd = begin_connect();
	sends("S 0:0(0)");
	wait_ms(20);
	arrives("S. 0:0(0) ack 1 win 65535 <mss 1000, wscale 7, sackOK>");
	ignore_sent();
	return fd;
}

/* The peer sends what the window lets it, round by round, and it is read at once. */
static void pass_rounds(int fd, int rounds, int segments)
{
	int at = 1;

	for (int round = 0; round < rounds; round++) {
		wait_ms(20);
		for (int i = 0; i < segments; i++, at += 1000) {
			char segment[100];

			snprintf(segment, sizeof(segment), ". %d:%d(1000) ack 1", at, at + 1000);
			arrives(segment);
		}
		read_bytes(fd, 100000);
		ignore_sent();
	}
}

TEST(tune, a_reader_that_keeps_up_gets_a_larger_window)
{
	int fd = given_slow_path();

	pass_rounds(fd, 4, 12);
	CHECK(buffer_of(fd, SO_RCVBUF) >= 24000);
	dialogue_end();
}

TEST(tune, a_receive_buffer_that_was_chosen_stays)
{
	int fd = given_slow_path();

	set_option(fd, SOL_SOCKET, SO_RCVBUF, 8192);
	pass_rounds(fd, 4, 12);
	CHECK_EQ(buffer_of(fd, SO_RCVBUF), 16384);
	dialogue_end();
}

TEST(tune, a_reader_that_is_slow_keeps_its_buffer)
{
	int fd = given_slow_path();

	for (int i = 0; i < 5; i++) {
		wait_ms(1000);
		pass_rounds(fd, 1, 4);
	}
	CHECK_EQ(buffer_of(fd, SO_RCVBUF), 16384);
	dialogue_end();
}

TEST(tune, the_send_buffer_follows_the_congestion_window)
{
	int fd = given_slow_path();

	for (int round = 0; round < 4; round++) {
		char segment[100];
		int64_t n;

		while ((n = write_bytes(fd, 100000, 0)) > 0)
			;
		wait_ms(20);
		ignore_sent();
		snprintf(segment, sizeof(segment), ". 1:1(0) ack %d win 60000",
			 1 + 10000 * (1 << round) - 10000 + 10000);
		arrives(segment);
	}
	CHECK(buffer_of(fd, SO_SNDBUF) >= 40000);
	dialogue_end();
}
