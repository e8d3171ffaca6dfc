/* SPDX-License-Identifier: BSD-2-Clause */
/* What conditions do to packets, by counting. Seeds are fixed, so the counts are, too. */
#include "base/bytes.h"
#include "link/cable.h"
#include "test.h"
#include "wire/checksum.h"

static struct berth_packet_pool *pool;

static struct cable cable_with(const struct berth_conditions *conditions, uint64_t seed)
{
	struct cable cable;

	if (!pool)
		pool = berth_packet_pool_new(NULL, 0);
	cable_init(&cable, NULL, seed);
	cable_set_conditions(&cable, conditions);
	return cable;
}

static void send(struct cable *cable, uint32_t mark, size_t length, berth_time now)
{
	struct berth_packet *packet = berth_packet_new(pool, 128, length);

	memset(berth_packet_put(packet, length), 0, length);
	packet->mark = mark;
	cable_send(cable, packet, now);
}

static void done(struct cable *cable)
{
	cable_fini(cable);
	berth_packet_pool_unref(pool);
	pool = NULL;
}

/* Send count packets a millisecond apart, take all out, and say how many came. */
static unsigned pass(struct cable *cable, unsigned count)
{
	struct berth_packet *packet;
	unsigned came = 0;

	for (unsigned i = 0; i < count; i++)
		send(cable, i, 100, i * BERTH_MSEC);
	while ((packet = cable_take_due(cable, BERTH_NEVER - 1))) {
		came++;
		berth_packet_unref(packet);
	}
	return came;
}

TEST(cable, loses_as_often_as_it_should)
{
	struct cable cable = cable_with(&(struct berth_conditions){ .loss = BERTH_ALWAYS / 10, .limit = 1000000 }, 1);
	unsigned came = pass(&cable, 100000);

	CHECK(came > 89755 && came < 90245); /* 99% interval of the binomial: 90,000 ± 245 */
	CHECK_EQ(cable.counters.dropped[CABLE_DROP_LOSS], 100000 - came);
	done(&cable);
}

TEST(cable, with_every_loss_lets_nothing_through)
{
	struct cable cable = cable_with(&(struct berth_conditions){ .loss = BERTH_ALWAYS }, 1);

	CHECK_EQ(pass(&cable, 1000), 0);
	done(&cable);
}

/* In the bad state (a tenth of the time) half are lost: 5% in all, and in runs. */
TEST(cable, bursts_come_in_runs)
{
	struct berth_conditions conditions = { .bursts = true,
					       .to_bad = BERTH_ALWAYS / 90,
					       .to_good = BERTH_ALWAYS / 10,
					       .loss_in_bad = BERTH_ALWAYS / 2,
					       .limit = 1000000 };
	struct cable cable = cable_with(&conditions, 1);
	struct berth_packet *packet;
	uint32_t next = 0, gaps = 0, lost = 0;

	for (uint32_t i = 0; i < 100000; i++) {
		send(&cable, i, 100, i);
		packet = cable_take_due(&cable, i);
		if (!packet)
			continue;
		gaps += packet->mark != next;
		lost += packet->mark - next;
		next = packet->mark + 1;
		berth_packet_unref(packet);
	}
	CHECK(lost > 4500 && lost < 5500);
	CHECK(lost > gaps * 3 / 2); /* on its own, a loss would have a gap to itself */
	done(&cable);
}

TEST(cable, delay_and_jitter_are_where_they_should_be)
{
	struct berth_conditions conditions = {
		.delay = 40 * BERTH_MSEC, .jitter = 5 * BERTH_MSEC, .distribution = BERTH_NORMAL, .limit = 1000000
	};
	struct cable cable = cable_with(&conditions, 1);
	double sum = 0, squares = 0;
	unsigned count = 20000;

	for (uint32_t i = 0; i < count; i++) {
		berth_time now = i * BERTH_SEC;
		struct berth_packet *packet;
		double delay;

		send(&cable, i, 100, now);
		delay = (double)(cable_deadline(&cable) - now) / 1e6;
		packet = cable_take_due(&cable, now + BERTH_SEC);
		REQUIRE(packet);
		berth_packet_unref(packet);
		sum += delay;
		squares += delay * delay;
	}
	CHECK(sum / count > 39.9 && sum / count < 40.1);
	CHECK(squares / count - sum / count * sum / count > 23.5 && squares / count - sum / count * sum / count < 26.5);
	done(&cable);
}

TEST(cable, without_jitter_keeps_the_order)
{
	struct cable cable = cable_with(&(struct berth_conditions){ .delay = BERTH_MSEC }, 1);
	struct berth_packet *packet;

	for (uint32_t i = 0; i < 100; i++)
		send(&cable, i, 100, i);
	for (uint32_t i = 0; i < 100; i++) {
		packet = cable_take_due(&cable, 2 * BERTH_MSEC);
		REQUIRE(packet);
		CHECK_EQ(packet->mark, i);
		berth_packet_unref(packet);
	}
	done(&cable);
}

TEST(cable, comes_out_in_order_of_time_whatever_the_jitter)
{
	struct cable cable =
		cable_with(&(struct berth_conditions){ .delay = BERTH_SEC, .jitter = BERTH_SEC, .limit = 10000 }, 3);
	struct berth_packet *packet;
	berth_time last = 0, due;
	unsigned out_of_order = 0, count = 0;
	uint32_t highest = 0;

	for (uint32_t i = 0; i < 5000; i++)
		send(&cable, i, 100, i * BERTH_MSEC);
	while ((due = cable_deadline(&cable)) != BERTH_NEVER) {
		CHECK(due >= last);
		last = due;
		CHECK(!cable_take_due(&cable, due - 1));
		packet = cable_take_due(&cable, due);
		REQUIRE(packet);
		out_of_order += packet->mark < highest;
		highest = packet->mark > highest ? packet->mark : highest;
		count++;
		berth_packet_unref(packet);
	}
	CHECK_EQ(count, 5000);
	CHECK(out_of_order > 1000);
	done(&cable);
}

TEST(cable, rate_spaces_packets_and_the_limit_drops)
{
	struct berth_conditions conditions = { .rate = 8000000, .limit = 10 }; /* 1000 bytes a millisecond */
	struct cable cable = cable_with(&conditions, 1);
	struct berth_packet *packet;

	for (uint32_t i = 0; i < 25; i++)
		send(&cable, i, 1000, 0);
	CHECK_EQ(cable.counters.dropped[CABLE_DROP_LIMIT], 15);
	for (uint32_t i = 1; i <= 10; i++) {
		CHECK_EQ(cable_deadline(&cable), i * BERTH_MSEC);
		packet = cable_take_due(&cable, i * BERTH_MSEC);
		REQUIRE(packet);
		berth_packet_unref(packet);
	}
	send(&cable, 0, 1000, BERTH_SEC); /* idle meanwhile: the rate saves nothing up */
	CHECK_EQ(cable_deadline(&cable), BERTH_SEC + BERTH_MSEC);
	done(&cable);
}

TEST(cable, duplicates_and_reorders_by_chance)
{
	struct berth_conditions conditions = {
		.delay = 10 * BERTH_MSEC, .duplicate = BERTH_ALWAYS / 10, .reorder = BERTH_ALWAYS / 4, .limit = 1000000
	};
	struct cable cable = cable_with(&conditions, 1);
	unsigned came = pass(&cable, 10000);

	CHECK(came > 10850 && came < 11150);
	CHECK_EQ(cable.counters.duplicated, came - 10000);
	CHECK(cable.counters.reordered > 2500 && cable.counters.reordered < 3050);
	done(&cable);
}

TEST(cable, cut_and_mended)
{
	struct cable cable = cable_with(&(struct berth_conditions){ .cut = true }, 1);

	CHECK_EQ(pass(&cable, 10), 0);
	CHECK_EQ(cable.counters.dropped[CABLE_DROP_CUT], 10);
	cable_set_conditions(&cable, &(struct berth_conditions){ .cut = false });
	CHECK_EQ(pass(&cable, 10), 10);
	done(&cable);
}

/* When what is under way comes out, one after the other. */
static unsigned times_out(struct cable *cable, berth_time *ret_times, unsigned max)
{
	struct berth_packet *packet;
	unsigned count = 0;

	while (cable_deadline(cable) != BERTH_NEVER && count < max) {
		berth_time due = cable_deadline(cable);

		packet = cable_take_due(cable, due); /* NULL: only now it is known when the next slot comes */
		if (packet)
			ret_times[count++] = due;
		berth_packet_unref(packet);
	}
	return count;
}

static void check_times(struct cable *cable, const int *milliseconds, unsigned count)
{
	berth_time times[32];

	CHECK_EQ(times_out(cable, times, COUNT_OF(times)), count);
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(times[i], milliseconds[i] * BERTH_MSEC);
}

static struct berth_trace *trace_of(const uint32_t *moments, size_t count)
{
	struct berth_trace *trace = NULL;

	CHECK_EQ(berth_trace_new("t", moments, count, &trace), 0);
	return trace;
}

TEST(cable, carries_a_packet_at_each_moment_of_its_trace_and_begins_again)
{
	struct berth_trace *trace = trace_of((uint32_t[]){ 1, 1, 5, 10 }, 4);
	struct cable cable = cable_with(&(struct berth_conditions){ .trace = trace }, 1);

	berth_trace_unref(trace); /* the cable has it now */
	for (uint32_t i = 0; i < 6; i++)
		send(&cable, i, 1514, 0);
	check_times(&cable, (int[]){ 1, 1, 5, 10, 11, 11 }, 6);
	send(&cable, 0, 1514, 16 * BERTH_MSEC); /* what passed meanwhile is lost: the next is at 20 */
	check_times(&cable, (int[]){ 20 }, 1);
	send(&cable, 0, 1514, 1000015 * BERTH_MSEC); /* long idle, and just in time */
	check_times(&cable, (int[]){ 1000015 }, 1);
	done(&cable);
}

TEST(cable, shares_a_traces_moments_by_bytes)
{
	struct berth_trace *trace = trace_of((uint32_t[]){ 1, 2, 3, 4 }, 4);
	struct cable cable = cable_with(&(struct berth_conditions){ .trace = trace }, 1);

	for (uint32_t i = 0; i < 3; i++)
		send(&cable, i, 700, 0); /* two in the first, the third's end in the second */
	send(&cable, 3, 3000, 0);
	check_times(&cable, (int[]){ 1, 1, 2, 4 }, 4);
	cable_set_conditions(&cable, &(struct berth_conditions){ .limit = 5 });
	CHECK(!cable.conditions.trace);
	berth_trace_unref(trace);
	done(&cable);
}

TEST(cable, trace_that_makes_no_sense_is_refused)
{
	struct berth_trace *trace;

	CHECK(berth_trace_new("t", (uint32_t[]){ 0 }, 1, &trace) < 0);
	CHECK(berth_trace_new("t", (uint32_t[]){ 5, 4 }, 2, &trace) < 0);
	CHECK(berth_trace_new("t", (uint32_t[]){ 5 }, 0, &trace) < 0);
}

TEST(cable, slots_hold_packets_together)
{
	struct berth_conditions conditions = { .slot_min = 10 * BERTH_MSEC, .slot_max = 10 * BERTH_MSEC };
	struct cable cable = cable_with(&conditions, 1);

	send(&cable, 0, 100, BERTH_MSEC);
	CHECK(!cable_take_due(&cable, BERTH_MSEC)); /* from here the slot is 10 ms away */
	send(&cable, 1, 100, 5 * BERTH_MSEC);
	send(&cable, 2, 100, 9 * BERTH_MSEC);
	check_times(&cable, (int[]){ 11, 11, 11 }, 3);
	conditions.slot_packets = 2;
	cable_set_conditions(&cable, &conditions);
	for (uint32_t i = 0; i < 5; i++)
		send(&cable, i, 100, 100 * BERTH_MSEC);
	check_times(&cable, (int[]){ 110, 110, 120, 120, 130 }, 5);
	conditions.slot_packets = 0;
	conditions.slot_bytes = 250;
	cable_set_conditions(&cable, &conditions);
	for (uint32_t i = 0; i < 4; i++)
		send(&cable, i, 100, 200 * BERTH_MSEC);
	check_times(&cable, (int[]){ 210, 210, 210, 220 }, 4);
	done(&cable);
}

TEST(cable, slots_come_at_times_between_the_two)
{
	struct berth_conditions conditions = { .slot_min = BERTH_MSEC, .slot_max = 3 * BERTH_MSEC, .slot_packets = 1 };
	struct cable cable = cable_with(&conditions, 1);
	berth_time times[900], longest = 0, shortest = BERTH_SEC;

	for (uint32_t i = 0; i < COUNT_OF(times); i++)
		send(&cable, i, 100, 0);
	CHECK_EQ(times_out(&cable, times, COUNT_OF(times)), COUNT_OF(times));
	for (uint32_t i = 1; i < COUNT_OF(times); i++) {
		longest = MAX(longest, times[i] - times[i - 1]);
		shortest = MIN(shortest, times[i] - times[i - 1]);
	}
	CHECK(shortest >= BERTH_MSEC && shortest < BERTH_MSEC * 11 / 10);
	CHECK(longest <= 3 * BERTH_MSEC && longest > BERTH_MSEC * 29 / 10);
	CHECK(times[899] > 1760 * BERTH_MSEC && times[899] < 1840 * BERTH_MSEC);
	done(&cable);
}

TEST(cable, rate_counts_overheads_and_cells)
{
	/* 100 bytes and 4: three cells of 48, each with 5 more: 159 bytes at one byte a microsecond. */
	struct berth_conditions conditions = {
		.rate = 8000000, .rate_overhead = 4, .rate_cell = 48, .rate_cell_overhead = 5
	};
	struct cable cable = cable_with(&conditions, 1);

	send(&cable, 0, 100, 0);
	CHECK_EQ(cable_deadline(&cable), 159000);
	done(&cable);
}

TEST(cable, limit_of_bytes_drops)
{
	struct cable cable = cable_with(&(struct berth_conditions){ .delay = BERTH_SEC, .limit_bytes = 1000 }, 1);
	berth_time times[32];

	for (uint32_t i = 0; i < 5; i++)
		send(&cable, i, 300, 0);
	send(&cable, 6, 100, 0); /* a small one still fits */
	CHECK_EQ(cable.counters.dropped[CABLE_DROP_LIMIT], 2);
	CHECK_EQ(times_out(&cable, times, COUNT_OF(times)), 4);
	CHECK_EQ(cable.bytes_under_way, 0);
	done(&cable);
}

static void send_ip(struct cable *cable, bool six, uint8_t ecn)
{
	uint8_t bytes[14 + 40] = { [12] = six ? 0x86 : 8, [13] = six ? 0xdd : 0 }, *ip = bytes + 14;
	struct berth_packet *packet = berth_packet_new(pool, 128, sizeof(bytes));

	if (six) {
		ip[0] = 0x60;
		ip[1] = (uint8_t)(ecn << 4);
		ip[6] = 59; /* nothing follows */
	} else {
		memcpy(ip, (uint8_t[]){ 0x45, ecn, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2 }, 20);
		put_be16(ip + 10, checksum_finish(checksum_add(0, ip, 20)));
	}
	memcpy(berth_packet_put(packet, sizeof(bytes)), bytes, sizeof(bytes));
	cable_send(cable, packet, 0);
}

TEST(cable, marks_instead_of_losing_when_it_can)
{
	struct cable cable = cable_with(&(struct berth_conditions){ .loss = BERTH_ALWAYS, .ecn = true }, 1);
	struct berth_packet *packet;

	for (int six = 0; six < 2; six++)
		for (uint8_t ecn = 0; ecn < 4; ecn++) {
			send_ip(&cable, six, ecn);
			packet = cable_take_due(&cable, 0);
			CHECK_EQ(packet != NULL, ecn > 0); /* ends that can't be told lose it */
			if (!packet)
				continue;
			CHECK_EQ(six ? packet->data[15] >> 4 & 3 : packet->data[15] & 3, 3);
			CHECK(six || checksum_finish(checksum_add(0, packet->data + 14, 20)) == 0);
			berth_packet_unref(packet);
		}
	CHECK_EQ(cable.counters.marked, 6);
	CHECK_EQ(cable.counters.dropped[CABLE_DROP_LOSS], 2);
	done(&cable);
}

/* Everything that is drawn by chance, at once. */
static uint64_t fates(uint64_t seed)
{
	struct berth_trace *trace = trace_of((uint32_t[]){ 0, 0, 1, 1, 1, 2, 7 }, 7);
	struct berth_conditions conditions = { .delay = BERTH_MSEC,
					       .jitter = BERTH_MSEC,
					       .delay_correlation = BERTH_ALWAYS / 4,
					       .distribution = BERTH_PARETONORMAL,
					       .bursts = true,
					       .to_bad = BERTH_ALWAYS / 20,
					       .to_good = BERTH_ALWAYS / 5,
					       .loss_in_bad = BERTH_ALWAYS / 2,
					       .duplicate = BERTH_ALWAYS / 5,
					       .reorder = BERTH_ALWAYS / 5,
					       .corrupt = BERTH_ALWAYS / 5,
					       .rate = 50000000,
					       .trace = trace,
					       .slot_min = BERTH_MSEC,
					       .slot_max = 3 * BERTH_MSEC,
					       .slot_packets = 8,
					       .limit_bytes = 100000,
					       .limit = 100000 };
	struct cable cable = cable_with(&conditions, seed);
	struct berth_packet *packet;
	uint64_t hash = 0;
	berth_time due;

	for (uint32_t i = 0; i < 1000; i++)
		send(&cable, i, 100, i * 1000);
	while ((due = cable_deadline(&cable)) != BERTH_NEVER) {
		packet = cable_take_due(&cable, due);
		for (size_t i = 0; packet && i < packet->length; i++)
			hash = hash * 31 + packet->data[i];
		hash = hash * 31 + (packet ? packet->mark * 7 + (uint64_t)due : 0);
		berth_packet_unref(packet);
	}
	berth_trace_unref(trace);
	done(&cable);
	return hash;
}

TEST(cable, the_same_seed_gives_the_same_fates)
{
	uint64_t first = fates(9);

	for (int run = 0; run < 100; run++)
		CHECK(fates(9) == first);
	CHECK(fates(10) != first);
}
