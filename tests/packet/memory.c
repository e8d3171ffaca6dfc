/* SPDX-License-Identifier: BSD-2-Clause */
/* What a peer sees of a stack whose memory ends: src/core/budget.c. */
#include "tests/packet/dialogue.h"

#include <errno.h>
#include <netinet/in.h>

static int given_little_memory(void)
{
	struct berth_limits limits = { .memory = 64 << 10 };

	dialogue_begin(&limits);
	return given_accepted("win 65535 <mss 1000, sackOK>");
}

static void arrives_at(uint32_t seq, uint32_t length)
{
	char segment[60];

	snprintf(segment, sizeof(segment), ". %u:%u(%u) ack 1", seq, seq + length, length);
	arrives(segment);
	ignore_sent(); /* what was sent is memory, too */
}

static size_t held(void)
{
	return berth_stack_memory(dialogue.stack).used;
}

TEST(memory, data_behind_a_gap_is_thrown_away_first)
{
	int fd = given_little_memory();

	for (uint32_t i = 1; i < 40; i++)
		arrives_at(1 + i * 1000, 1000);
	CHECK(held() <= 32 << 10); /* one alone gets half */
	CHECK(events(BERTH_EVENT_TCP_DROP_MEMORY) > 0);
	CHECK_EQ(events(BERTH_EVENT_TCP_PRUNED), 0);
	ignore_sent();
	arrives(". 1:1001(1000) ack 1"); /* for this there is room */
	CHECK_EQ(events(BERTH_EVENT_TCP_PRUNED), 1);
	sends(". 1:1(0) ack 1001");
	CHECK_EQ(read_bytes(fd, 50000), 1000);
	dialogue_end();
}

TEST(memory, the_window_closes_before_data_must_be_dropped)
{
	int fd = given_little_memory();
	uint32_t next = 1001;

	arrives_at(1, 1000);
	/* One alone gets half of five eighths of the 64 KiB, 20 KiB: as many packets as fit into that, whole. */
	for (size_t packet = held(); held() + packet <= 20 << 10; next += 1000) {
		size_t before = held();
		arrives_at(next, 1000);
		CHECK_EQ(held(), before + packet);
		if (held() == before)
			break;
	}
	ignore_sent();
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_MEMORY), 0);
	CHECK_EQ(read_bytes(fd, 50000), next - 1);
	CHECK_EQ(held(), 0);
	dialogue_end();
}

TEST(memory, what_has_no_room_is_taken_when_it_comes_again)
{
	int fd = given_little_memory();
	uint32_t next = 1;

	while (!events(BERTH_EVENT_TCP_DROP_MEMORY)) {
		arrives_at(next, 1000);
		next += 1000;
	}
	next -= 1000;
	ignore_sent();
	CHECK_EQ(read_bytes(fd, 50000), next - 1);
	ignore_sent();
	arrives_at(next, 1000);
	CHECK_EQ(read_bytes(fd, 50000), 1000);
	dialogue_end();
}

TEST(memory, a_sender_is_refused_and_told_when_there_is_room)
{
	struct berth_limits limits = { .memory = 64 << 10 };
	int64_t n, sent = 0;
	char ack[50];

	dialogue_begin(&limits);
	int fd = given_accepted("win 100 <mss 1000>");

	while ((n = write_bytes(fd, 1000, 0)) > 0)
		sent += n;
	CHECK_EQ(n, -EAGAIN);
	CHECK(sent > 10000 && sent < 40000);
	CHECK(!(ready(fd) & BERTH_POLLOUT));
	for (uint32_t acked = 101; acked < sent; acked += 1000) {
		snprintf(ack, sizeof(ack), ". 1:1(0) ack %u win 1000", acked);
		arrives(ack);
		ignore_sent();
	}
	CHECK(ready(fd) & BERTH_POLLOUT);
	CHECK_EQ(write_bytes(fd, 1000, 0), 1000);
	dialogue_end();
}
