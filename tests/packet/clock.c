/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks and counters that do what they rarely do: a clock that steps back or
 * far ahead, sequence numbers and timestamps that pass 2^32 at a bad moment.
 */
#include "tests/packet/dialogue.h"

#include "base/bytes.h"

#include <errno.h>
#include <netinet/in.h>

#define HOUR (3600 * BERTH_SEC)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

enum { TEST_SO_KEEPALIVE = 9 };

/* One step of the clock, with no turn between. */
static void step(berth_time by)
{
	dialogue.now += by;
	berth_stack_advance(dialogue.stack, dialogue.now);
}

static size_t count_sent(void)
{
	size_t count = dialogue.out_end - dialogue.out_begin;

	ignore_sent();
	return count;
}

TEST(clock, back_is_as_if_it_stood_still)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");
	berth_time now = dialogue.now;

	write_bytes(fd, 100, 0);
	sends("P. 1:101(100) ack 1");
	berth_stack_advance(dialogue.stack, now - HOUR);
	berth_stack_advance(dialogue.stack, 0);
	berth_stack_advance(dialogue.stack, INT64_MIN);
	CHECK_EQ(berth_stack_now(dialogue.stack), now);
	dialogue.now = now - DAY;
	arrives("P. 1:11(10) ack 1 win 65535"); /* the clock is back a day, and a segment comes */
	CHECK_EQ(berth_stack_now(dialogue.stack), now);
	CHECK(berth_stack_deadline(dialogue.stack) >= now);
	CHECK_EQ(read_bytes(fd, 100), 10);
	dialogue.now = now;
	ignore_sent();
	sends_after(200, ". 1:101(100) ack 11"); /* when it would have been */
	dialogue_end();
}

/* The clock is wrong for long, then goes on from below: nothing fires, nothing is lost, until it has caught up. */
TEST(clock, going_on_from_below_fires_no_timer_twice)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");
	berth_time now = dialogue.now;

	write_bytes(fd, 100, 0);
	ignore_sent();
	for (berth_time t = now - BERTH_SEC; t <= now; t += BERTH_MSEC)
		berth_stack_advance(dialogue.stack, t);
	CHECK_EQ(count_sent(), 0);
	step(201 * BERTH_MSEC);
	CHECK_EQ(count_sent(), 1);
	for (berth_time t = now; t <= dialogue.now; t += BERTH_MSEC)
		berth_stack_advance(dialogue.stack, t);
	CHECK_EQ(count_sent(), 0);
	arrives(". 1:1(0) ack 101 win 65535");
	wait_ms(1000);
	CHECK_EQ(berth_stack_deadline(dialogue.stack), BERTH_NEVER);
	dialogue_end();
}

/* However far, every timer fires once, and the next deadline lies ahead: whoever turns by deadlines does not spin. */
TEST(clock, far_ahead_each_timer_fires_once)
{
	static const berth_time steps[] = { HOUR, DAY, YEAR, 10 * YEAR };

	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		dialogue_begin(NULL);
		int fd = given_connected("win 65535 <mss 1000>"), jumps = 0;

		write_bytes(fd, 100, 0);
		ignore_sent();
		step(steps[i]);
		CHECK_EQ(count_sent(), 1);
		CHECK_STR(state_of(fd), "ESTAB");
		CHECK(berth_stack_deadline(dialogue.stack) > dialogue.now);
		arrives(". 1:1(0) ack 101 win 65535"); /* the peer is there, and so is the conversation */
		step(steps[i]);
		CHECK_EQ(count_sent(), 0);
		CHECK_EQ(berth_stack_deadline(dialogue.stack), BERTH_NEVER);
		write_bytes(fd, 100, 0);
		for (ignore_sent(); berth_stack_deadline(dialogue.stack) != BERTH_NEVER && jumps < 20; jumps++) {
			step(steps[i]);
			CHECK(count_sent() <= 1);
		}
		CHECK_EQ(last_error(fd), ETIMEDOUT); /* by its rule: nobody answers */
		CHECK(jumps < 20);
		berth_close(dialogue.stack, fd);
		dialogue_end();
	}
}

TEST(clock, far_ahead_half_open_and_closed_ones_end)
{
	int fd, jumps = 0;

	dialogue_begin(NULL);
	fd = given_accepted("win 65535 <mss 1000>");
	dialogue.peer_port++;
	arrives("S 0:0(0) win 65535 <mss 1000>");
	CHECK_EQ(count_state("SYN-RECV"), 1);
	dialogue.peer_port--;
	ignore_sent();
	berth_close(dialogue.stack, fd);
	sends("F. 1:1(0) ack 1");
	arrives("F. 1:1(0) ack 2 win 65535");
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	for (; berth_stack_deadline(dialogue.stack) != BERTH_NEVER && jumps < 20; jumps++)
		step(DAY);
	CHECK(jumps < 20);
	CHECK_EQ(count_state("TIME-WAIT"), 0);
	CHECK_EQ(count_state("SYN-RECV"), 0);
	dialogue_end();
}

TEST(clock, far_ahead_a_keepalive_is_one_probe)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>"), jumps = 0;

	set_option(fd, SOL_SOCKET, TEST_SO_KEEPALIVE, 1);
	step(YEAR);
	CHECK_EQ(count_sent(), 1);
	arrives(". 1:1(0) ack 1 win 65535");
	CHECK_STR(state_of(fd), "ESTAB");
	for (; berth_stack_deadline(dialogue.stack) != BERTH_NEVER && jumps < 20; jumps++) {
		step(YEAR);
		CHECK(count_sent() <= 1);
	}
	CHECK_EQ(last_error(fd), ETIMEDOUT);
	CHECK(jumps < 20);
	dialogue_end();
}

/* Ours: a time is milliseconds in 32 bits, every 49.7 days once around. RFC 7323 §5.4 */
TEST(clock, our_timestamps_wrap_and_round_trips_stay_measured)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000, ts 1>");

	for (int day = 0; day < 60; day++) {
		char segment[80];
		unsigned from = 1 + 100 * (unsigned)day;

		step(DAY);
		write_bytes(fd, 100, 0);
		snprintf(segment, sizeof(segment), "P. %u:%u(100) ack 1 <ts %u>", from, from + 100, 1 + (unsigned)day);
		sends(segment);
		wait_ms(20);
		snprintf(segment, sizeof(segment), ". 1:1(0) ack %u win 65535 <ts %u>", from + 100, 2 + (unsigned)day);
		arrives(segment);
	}
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 0);
	write_bytes(fd, 100, 0);
	ignore_sent();
	silent(199); /* the time-out is what 20 ms make it, not 49 days */
	wait_ms(60);
	CHECK(count_sent() >= 1);
	dialogue_end();
}

/* The peer's, while it sends. */
TEST(clock, the_peers_timestamps_wrap)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000, ts 4294967290>");

	arrives("P. 1:101(100) ack 1 <ts 4294967295>");
	sends(". 1:1(0) ack 101 <ts 4294967295>");
	arrives("P. 101:201(100) ack 1 <ts 3>");
	sends(". 1:1(0) ack 201 <ts 3>");
	arrives("P. 201:301(100) ack 1 <ts 4294967295>"); /* from before the wrap: old */
	sends(". 1:1(0) ack 201 <ts 3>");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 1);
	CHECK_EQ(read_bytes(fd, 1000), 200);
	dialogue_end();
}

/* Idle for more than 2^31 ms, 24.8 days, what is newer looks older; RFC 7323 §5.5 then lets it in. */
TEST(clock, after_25_idle_days_the_peers_timestamps_are_believed)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000, ts 1000>");

	step(25 * DAY);
	arrives("P. 1:101(100) ack 1 <ts 2160001000>");
	sends(". 1:1(0) ack 101 <ts 2160001000>");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 0);
	CHECK_EQ(read_bytes(fd, 1000), 100);
	step(49 * DAY); /* and nearly once around */
	arrives("P. 101:201(100) ack 1 <ts 2098633704>");
	sends(". 1:1(0) ack 201 <ts 2098633704>");
	CHECK_EQ(read_bytes(fd, 1000), 100);
	dialogue_end();
}

/* A conversation whose two numbers are this much before 2^32 when it begins; ours come from the clock (RFC 6528). */
static int given_numbers(uint32_t ours, uint32_t peers)
{
	static const char options[] = "win 65535 <mss 1000, sackOK>";
	uint32_t isn;

	dialogue_begin(NULL);
	given_accepted(options);
	isn = dialogue.our_isn;
	dialogue_end();
	dialogue_begin(NULL);
	dialogue.peer_isn = 0 - peers;
	dialogue.now += (berth_time)(uint32_t)(0 - ours - isn) * 4 * BERTH_USEC; /* one every 4 microseconds */
	int fd = given_accepted(options);
	CHECK_EQ(dialogue.our_isn, (uint32_t)(0 - ours));
	return fd;
}

/* In the SYN, in data, in what is sent again, in a SACK, before the FIN and in it. */
TEST(wrap, wherever_the_numbers_pass_zero)
{
	for (uint32_t before = 0; before <= 3003; before += before < 3 || before >= 3000 ? 1 : 333) {
		int fd = given_numbers(before, 3003 - before);

		write_bytes(fd, 3000, 0);
		sends(". 1:1001(1000) ack 1");
		sends(". 1001:2001(1000) ack 1");
		sends("P. 2001:3001(1000) ack 1");
		arrives(". 1:1(0) ack 1001 win 65535 <sack 2001:3001>");
		wait_ms(10);
		sends(". 1001:2001(1000) ack 1");
		arrives(". 1:1(0) ack 3001 win 65535");
		arrives(". 1001:2001(1000) ack 3001 win 65535");
		sends(". 3001:3001(0) ack 1 <sack 1001:2001>");
		arrives(". 2001:3001(1000) ack 3001 win 65535");
		sends(". 3001:3001(0) ack 1 <sack 1001:3001>");
		arrives(". 1:1001(1000) ack 3001 win 65535");
		sends(". 3001:3001(0) ack 3001");
		CHECK_EQ(read_bytes(fd, 5000), 3000);
		arrives(". 1:1001(1000) ack 3001 win 65535"); /* again: old, not 2^32 ahead */
		wait_ms(0);
		ignore_sent();
		CHECK_EQ(read_bytes(fd, 5000), -EAGAIN);
		berth_close(dialogue.stack, fd);
		sends("F. 3001:3001(0) ack 3001");
		arrives("F. 3001:3001(0) ack 3002 win 65535");
		sends(". 3002:3002(0) ack 3002");
		CHECK_EQ(count_state("TIME-WAIT"), 1);
		dialogue_end();
	}
}
