/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/tcp: scoreboard.c, blocks.c */
#include "tests/test.h"

#include "base/random.h"
#include "base/seq.h"
#include "core/tcp/blocks.h"
#include "core/tcp/scoreboard.h"

#include <stdlib.h>

static size_t live;
static bool failing;

static void *count_alloc(void *context, size_t size)
{
	if (failing)
		return NULL;
	live++;
	return malloc(size);
}
static void count_free(void *context, void *memory, size_t size)
{
	live--;
	free(memory);
}
static const struct berth_allocator allocator = { count_alloc, count_free, NULL };

static struct flight_pool pool;
static struct scoreboard board;

static void begin(void)
{
	pool = (struct flight_pool){ .allocator = &allocator };
	scoreboard_init(&board, &pool);
}

static void end(void)
{
	scoreboard_clear(&board);
	flight_pool_fini(&pool);
	CHECK_EQ(live, 0);
}

TEST(scoreboard, a_sack_takes_whole_segments_out_of_the_pipe)
{
	struct delivery delivery = { .now = 100, .echo_age_ms = UINT32_MAX };

	begin();
	CHECK(scoreboard_add(&board, 1000, 11000, 1000, 1));
	CHECK_EQ(board.pipe, 10000);
	scoreboard_sack(&board, 2500, 5500, &delivery); /* two whole ones are in it */
	CHECK_EQ(board.pipe, 8000);
	CHECK_EQ(board.sacked_bytes, 2000);
	CHECK_EQ(delivery.bytes, 2000);
	CHECK_EQ(delivery.rtt, 99);
	scoreboard_acknowledge(&board, 4000, &delivery);
	CHECK_EQ(board.pipe, 6000);
	CHECK_EQ(board.sacked_bytes, 1000);
	CHECK_EQ(delivery.bytes, 4000);
	end();
}

TEST(scoreboard, a_lost_run_is_joined_and_cut_to_size)
{
	struct delivery delivery = { .now = 100, .echo_age_ms = UINT32_MAX };
	struct flight *flight;

	begin();
	for (uint32_t i = 0; i < 10; i++)
		scoreboard_add(&board, i * 1000, i * 1000 + 1000, 1000, i);
	scoreboard_sack(&board, 5000, 6000, &delivery);
	scoreboard_lose_all(&board);
	CHECK_EQ(board.lost_bytes, 9000);
	flight = scoreboard_take_lost(&board, 3000);
	CHECK_EQ(flight->begin, 0);
	CHECK_EQ(flight->end, 3000);
	scoreboard_resent(&board, flight, 1000, 50);
	flight = scoreboard_take_lost(&board, 8000);
	CHECK_EQ(flight->begin, 3000);
	CHECK_EQ(flight->end, 5000); /* up to what is SACKed */
	CHECK_EQ(board.pipe, 3000);
	scoreboard_find_again(&board);
	CHECK_EQ(board.pipe, 9000);
	CHECK_EQ(scoreboard_oldest(&board)->begin, 3000);
	end();
}

TEST(scoreboard, without_memory_a_sack_says_less)
{
	struct delivery delivery = { .now = 100, .echo_age_ms = UINT32_MAX };

	begin();
	scoreboard_add(&board, 0, 10000, 1000, 1);
	failing = true;
	scoreboard_sack(&board, 3000, 5000, &delivery);
	CHECK_EQ(board.pipe, 10000);
	CHECK(!scoreboard_add(&board, 10000, 11000, 1000, 1));
	failing = false;
	end();
}

static void check_whole(uint32_t una, uint32_t max)
{
	uint32_t at = una, totals[3] = { 0, 0, 0 };

	LIST_EACH(&board.order, node) {
		const struct flight *flight = LIST_ITEM(node, struct flight, order);

		if (flight->begin != at || flight->end == at)
			test_fail(__FILE__, __LINE__, "a gap at %u", at - una);
		at = flight->end;
		totals[flight->state] += flight->end - flight->begin;
	}
	CHECK_EQ(at, max);
	CHECK_EQ(totals[FLIGHT_SENT], board.pipe);
	CHECK_EQ(totals[FLIGHT_LOST], board.lost_bytes);
	CHECK_EQ(totals[FLIGHT_SACKED], board.sacked_bytes);
}

/* Whatever is done to it, every byte has one record and the sums are right. */
TEST(scoreboard, any_sequence_of_events_keeps_it_whole)
{
	struct random random;
	uint32_t una = 0xffff0000, max = una;

	random_init(&random, 1);
	begin();
	for (int i = 0; i < 20000; i++) {
		struct delivery delivery = { .now = i, .echo_age_ms = UINT32_MAX };
		uint32_t size = 1 + (uint32_t)random_below(&random, 5000), out = max - una;
		uint32_t from = una + (uint32_t)random_below(&random, out + 1);
		struct flight *flight;

		switch (random_below(&random, 8)) {
		case 0 ... 2:
			scoreboard_add(&board, max, max + size, 100 + (uint16_t)random_below(&random, 900), i);
			max += size;
			break;
		case 3:
			una = out > 60000 ? seq_max(from, una + out / 2) : seq_min(from, una + size);
			scoreboard_acknowledge(&board, una, &delivery);
			break;
		case 4:
			if (out)
				scoreboard_sack(&board, from, seq_min(from + size, max), &delivery);
			break;
		case 5:
			flight = scoreboard_oldest(&board);
			if (flight)
				scoreboard_lose(&board, flight);
			break;
		case 6:
			flight = scoreboard_take_lost(&board, 3000);
			if (flight)
				scoreboard_resent(&board, flight, 500, i);
			break;
		default:
			if (random_below(&random, 50) == 0)
				scoreboard_renege(&board);
			else if (random_below(&random, 20) == 0)
				scoreboard_lose_all(&board);
			else
				(void)scoreboard_last(&board);
		}
		check_whole(una, max);
	}
	end();
}

/* A peer that takes a window of small segments apart must not make us slow: this ends at once, or not at all. */
TEST(scoreboard, a_hostile_peer_costs_little)
{
	enum { SEGMENTS = 200000 };
	struct delivery delivery = { .now = 1, .echo_age_ms = UINT32_MAX };
	struct random random;

	random_init(&random, 2);
	begin();
	scoreboard_add(&board, 0, SEGMENTS * 50, 50, 1);
	for (uint32_t i = 0; i < SEGMENTS; i++) {
		uint32_t at = (uint32_t)random_below(&random, SEGMENTS / 2) * 100;

		scoreboard_sack(&board, at, at + 50, &delivery);
	}
	for (uint32_t i = 0; i < SEGMENTS; i++)
		scoreboard_sack(&board, 0, SEGMENTS * 50, &delivery);
	CHECK_EQ(board.pipe, 0);
	end();
}

TEST(blocks, what_touches_becomes_one)
{
	struct sack_blocks blocks = { .count = 0 };

	sack_blocks_add(&blocks, 100, 200);
	sack_blocks_add(&blocks, 300, 400);
	sack_blocks_add(&blocks, 200, 300);
	CHECK_EQ(blocks.count, 1);
	CHECK_EQ(blocks.block[0].begin, 100);
	CHECK_EQ(blocks.block[0].end, 400);
	CHECK(sack_blocks_cover(&blocks, 150, 350));
	CHECK(!sack_blocks_cover(&blocks, 350, 450));
	sack_blocks_advance(&blocks, 400);
	CHECK_EQ(blocks.count, 0);
}

TEST(blocks, the_oldest_of_five_is_forgotten)
{
	struct sack_blocks blocks = { .count = 0 };

	for (uint32_t i = 0; i < 5; i++)
		sack_blocks_add(&blocks, i * 1000, i * 1000 + 100);
	CHECK_EQ(blocks.count, 4);
	CHECK_EQ(blocks.block[0].begin, 4000);
	CHECK_EQ(blocks.block[3].begin, 1000);
}
