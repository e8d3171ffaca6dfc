/* SPDX-License-Identifier: BSD-2-Clause */
/* What conditions do to packets, by counting. Seeds are fixed, so the counts are, too. */
#include "link/cable.h"
#include "test.h"

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

static uint64_t fates(uint64_t seed)
{
	struct berth_conditions conditions = { .delay = BERTH_MSEC,
					       .jitter = BERTH_MSEC,
					       .loss = BERTH_ALWAYS / 5,
					       .duplicate = BERTH_ALWAYS / 5,
					       .limit = 100000 };
	struct cable cable = cable_with(&conditions, seed);
	struct berth_packet *packet;
	uint64_t hash = 0;

	for (uint32_t i = 0; i < 2000; i++)
		send(&cable, i, 100, i * 1000);
	while ((packet = cable_take_due(&cable, BERTH_NEVER - 1))) {
		hash = hash * 31 + packet->mark * 7 + (uint64_t)packet->stamp;
		berth_packet_unref(packet);
	}
	done(&cable);
	return hash;
}

TEST(cable, the_same_seed_gives_the_same_fates)
{
	CHECK(fates(9) == fates(9));
	CHECK(fates(9) != fates(10));
}
