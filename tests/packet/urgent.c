/* SPDX-License-Identifier: BSD-2-Clause */
/* Urgent data, RFC 9293 §3.8.5 and RFC 6093, as Linux has it. The peer's bytes are their sequence numbers. */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <netinet/in.h>

#define TEST_TCP_CORK 3

static int given_peer(void)
{
	dialogue_begin(NULL);
	return given_accepted("win 65535 <mss 1000>");
}

static int64_t receive(int fd, void *bytes, size_t size, int flags)
{
	ssize_t n = berth_recv(dialogue.stack, fd, bytes, size, flags);

	return n < 0 ? -errno : n;
}

/* Read: how many bytes, and the first of them; or -errno. */
#define CHECK_READS(fd, flags, count, first) \
	do { \
		uint8_t bytes_[100] = { 0 }; \
		CHECK_EQ(receive(fd, bytes_, sizeof(bytes_), flags), count); \
		CHECK_EQ(bytes_[0], first); \
	} while (0)

static int at_mark(int fd)
{
	return berth_sockatmark(dialogue.stack, fd);
}

static bool has(int fd, unsigned event)
{
	return ready(fd) & event;
}

static int64_t write_urgent(int fd, size_t size)
{
	return write_bytes(fd, size, MSG_OOB);
}

TEST(urgent, the_pointer_is_behind_the_last_byte)
{
	int fd = given_peer();

	CHECK_EQ(write_urgent(fd, 3), 3);
	sends("U. 1:4(3) ack 1 urg 3");
	arrives(". 1:1(0) ack 4");
	write_bytes(fd, 5, 0); /* acknowledged: no longer urgent */
	sends(". 4:9(5) ack 1");
	dialogue_end();
}

TEST(urgent, all_that_comes_before_it_carries_the_pointer)
{
	int fd = given_peer();

	set_option(fd, IPPROTO_TCP, TEST_TCP_CORK, 1);
	write_bytes(fd, 500, 0);
	silent(0);
	CHECK_EQ(write_urgent(fd, 1600), 1600); /* nor does the cork hold it */
	sends("U. 1:1001(1000) ack 1 urg 2100");
	sends("U. 1001:2001(1000) ack 1 urg 1100");
	sends("U. 2001:2101(100) ack 1 urg 100");
	arrives(". 1:1(0) ack 1001");
	arrives(". 1:1(0) ack 1001");
	arrives(". 1:1(0) ack 1001");
	arrives(". 1:1(0) ack 1001");
	sends("U. 1001:2001(1000) ack 1 urg 1100"); /* sent again */
	dialogue_end();
}

TEST(urgent, a_pointer_farther_than_the_field_says_so_as_far_as_it_can)
{
	int fd = given_peer();

	CHECK_EQ(write_urgent(fd, 70000), 70000);
	sends("U. 1:1001(1000) ack 1 urg 65535");
	for (uint32_t end = 1001; end < 69001; end += 1000) {
		char ack[40];

		snprintf(ack, sizeof(ack), ". 1:1(0) ack %u", end);
		arrives(ack);
		wait_ms(0);
		ignore_sent();
	}
	wait_ms(500); /* the rest is sent again */
	sends("U. 68001:69001(1000) ack 1 urg 2000");
	dialogue_end();
}

TEST(urgent, a_shut_window_is_told_by_probes)
{
	int fd = given_peer();

	arrives(". 1:1(0) ack 1 win 0");
	CHECK_EQ(write_urgent(fd, 10), 10);
	sends_after(200, "U. 1:1(0) ack 1 urg 10");
	sends("U. 0:0(0) ack 1 urg 11"); /* what any shut window is asked with */
	arrives(". 1:1(0) ack 1 win 1000");
	sends("U. 1:11(10) ack 1 urg 10");
	dialogue_end();
}

TEST(urgent, the_last_byte_is_read_out_of_band_and_leaves_a_mark)
{
	int fd = given_peer();

	CHECK_READS(fd, MSG_OOB, -EINVAL, 0);
	CHECK_EQ(at_mark(fd), 0);
	arrives("U. 1:4(3) ack 1 urg 3");
	CHECK(has(fd, BERTH_POLLPRI) && has(fd, BERTH_POLLIN));
	CHECK_READS(fd, MSG_OOB | MSG_PEEK, 1, 3);
	CHECK_READS(fd, 0, 2, 1);
	CHECK_EQ(at_mark(fd), 1);
	CHECK(has(fd, BERTH_POLLPRI) && !has(fd, BERTH_POLLIN));
	CHECK_READS(fd, MSG_OOB, 1, 3);
	CHECK_READS(fd, MSG_OOB, -EINVAL, 0);
	CHECK(!has(fd, BERTH_POLLPRI));
	CHECK_EQ(at_mark(fd), 1);
	CHECK_READS(fd, 0, -EAGAIN, 0); /* passes the mark */
	CHECK_EQ(at_mark(fd), 0);
	dialogue_end();
}

TEST(urgent, a_read_stops_at_the_mark_and_goes_on_behind_it)
{
	int fd = given_peer();

	arrives("U. 1:11(10) ack 1 urg 5");
	CHECK_READS(fd, MSG_PEEK, 4, 1);
	CHECK_READS(fd, MSG_WAITALL, 4, 1);
	CHECK_READS(fd, MSG_PEEK, 5, 6); /* peeking passes no mark */
	CHECK_EQ(at_mark(fd), 1);
	CHECK_READS(fd, 0, 5, 6);
	CHECK_EQ(at_mark(fd), 0);
	CHECK_READS(fd, MSG_OOB, -EINVAL, 0); /* it went by */
	dialogue_end();
}

TEST(urgent, inline_it_is_data_that_begins_at_the_mark)
{
	int fd = given_peer();

	set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	arrives("U. 1:4(3) ack 1 urg 2");
	CHECK(has(fd, BERTH_POLLPRI));
	CHECK_READS(fd, MSG_OOB, -EINVAL, 0);
	CHECK_READS(fd, 0, 1, 1);
	CHECK_EQ(at_mark(fd), 1);
	CHECK(has(fd, BERTH_POLLPRI) && has(fd, BERTH_POLLIN));
	CHECK_READS(fd, 0, 2, 2);
	CHECK_EQ(at_mark(fd), 0);
	CHECK(!has(fd, BERTH_POLLPRI));
	dialogue_end();
}

TEST(urgent, inline_a_newer_pointer_takes_no_byte_from_a_reader_at_the_mark)
{
	int fd = given_peer();

	set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	arrives("U. 1:4(3) ack 1 urg 2");
	CHECK_READS(fd, 0, 1, 1);
	CHECK_EQ(at_mark(fd), 1);
	arrives("U. 4:6(2) ack 1 urg 2");
	CHECK_EQ(at_mark(fd), 0);
	CHECK_READS(fd, 0, 3, 2);
	CHECK_EQ(at_mark(fd), 1);
	CHECK_READS(fd, 0, 1, 5);
	dialogue_end();
}

TEST(urgent, a_newer_pointer_makes_the_old_byte_data)
{
	int fd = given_peer();

	arrives("U. 1:3(2) ack 1 urg 2");
	arrives("U. 3:5(2) ack 1 urg 2");
	arrives("U. 5:7(2) ack 1 urg 0"); /* behind the mark it is the newest */
	CHECK_READS(fd, MSG_OOB, 1, 5);
	CHECK_READS(fd, 0, 4, 1);
	CHECK_EQ(at_mark(fd), 1);
	CHECK_READS(fd, 0, 1, 6);
	dialogue_end();
}

TEST(urgent, a_reader_at_the_old_mark_has_had_its_byte)
{
	int fd = given_peer();

	arrives("U. 1:2(1) ack 1 urg 1");
	CHECK_READS(fd, MSG_OOB, 1, 1);
	arrives("U. 2:4(2) ack 1 urg 2");
	CHECK_READS(fd, 0, 1, 2);
	CHECK_READS(fd, MSG_OOB, 1, 3);
	dialogue_end();
}

TEST(urgent, word_of_it_comes_before_the_byte)
{
	int fd = given_peer();

	arrives("U. 1:3(2) ack 1 urg 6");
	CHECK(!has(fd, BERTH_POLLPRI));
	CHECK_READS(fd, MSG_OOB, -EAGAIN, 0);
	arrives(". 5:9(4) ack 1"); /* behind a gap, and there it is */
	CHECK(has(fd, BERTH_POLLPRI));
	CHECK_READS(fd, MSG_OOB, 1, 6);
	CHECK_READS(fd, 0, 2, 1);
	arrives(". 3:5(2) ack 1");
	CHECK_READS(fd, 0, 3, 3);
	CHECK_EQ(at_mark(fd), 1);
	CHECK_READS(fd, 0, 2, 7);
	dialogue_end();
}

TEST(urgent, a_pointer_to_what_was_read_means_nothing)
{
	int fd = given_peer();

	arrives(". 1:11(10) ack 1");
	CHECK_READS(fd, 0, 10, 1);
	arrives("U. 1:11(10) ack 1 urg 5");
	arrives(". 11:12(1) ack 1 urg 1"); /* nor does one without the flag */
	CHECK(!has(fd, BERTH_POLLPRI));
	CHECK_READS(fd, 0, 1, 11);
	dialogue_end();
}

TEST(urgent, it_comes_through_a_shut_window)
{
	int fd = given_peer();
	uint32_t next = 1;

	set_option(fd, SOL_SOCKET, SO_RCVBUF, 2304);
	while (next < 65536) { /* what was offered first */
		uint32_t length = 65536 - next < 1000 ? 65536 - next : 1000;
		char segment[60];

		snprintf(segment, sizeof(segment), ". %u:%u(%u) ack 1", next, next + length, length);
		arrives(segment);
		next += length;
	}
	ignore_sent();
	arrives("U. 65536:65537(1) ack 1 urg 1");
	sends(". 1:1(0) ack 65536 win 0");
	CHECK(has(fd, BERTH_POLLPRI));
	CHECK_READS(fd, MSG_OOB, 1, 0);
	ignore_sent();
	dialogue_end();
}

TEST(urgent, the_end_comes_behind_the_mark)
{
	int fd = given_peer();

	arrives("UF. 1:2(1) ack 1 urg 1");
	CHECK(has(fd, BERTH_POLLPRI) && has(fd, BERTH_POLLRDHUP));
	CHECK_READS(fd, MSG_OOB, 1, 1);
	CHECK_READS(fd, 0, 0, 0);
	CHECK_READS(fd, MSG_OOB, -EINVAL, 0);
	dialogue_end();
}

TEST(urgent, datagrams_have_none)
{
	int fd;

	dialogue_begin(NULL);
	fd = berth_socket(dialogue.stack, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(at_mark(fd), -1);
	CHECK_EQ(errno, ENOTTY);
	CHECK_EQ(berth_sockatmark(dialogue.stack, 1000), -1);
	CHECK_EQ(errno, EBADF);
	dialogue_end();
}
