/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop, with an eventfd for what comes. */
#include "os/loop.h"
#include "tests/test.h"

#include <sys/eventfd.h>
#include <unistd.h>

enum { VAIN_FREE = 4, VAIN_MOST = 14, TURNS = 4 };

struct given {
	struct loop loop;
	struct loop_watch watch;
	unsigned heard;
};

static void hear_one(struct loop_watch *watch, uint32_t events)
{
	uint64_t value;

	CONTAINER_OF(watch, struct given, watch)->heard += read(watch->fd, &value, sizeof(value)) == sizeof(value);
}

static bool given_loop(struct given *given)
{
	*given = (struct given){ .watch = { .ready = hear_one } };
	return !loop_init(&given->loop) && !loop_add(&given->loop, &given->watch, eventfd(0, EFD_NONBLOCK), EPOLLIN);
}

static void given_over(struct given *given)
{
	loop_close(&given->loop, &given->watch);
	loop_fini(&given->loop);
}

/* Something comes, and then nothing. */
static void event_and_silence(struct given *given)
{
	uint64_t one = 1;

	REQUIRE(write(given->watch.fd, &one, sizeof(one)) == sizeof(one));
	CHECK_EQ(loop_turn(&given->loop, 0), 0);
	CHECK_EQ(loop_turn(&given->loop, 5 * BERTH_MSEC), 0);
}

TEST(loop, an_event_runs_its_watch_once)
{
	struct given given;

	REQUIRE(given_loop(&given));
	event_and_silence(&given);
	CHECK_EQ(given.heard, 1);
	given_over(&given);
}

TEST(loop, looking_in_vain_becomes_rare)
{
	struct given given;

	REQUIRE(given_loop(&given));
	for (unsigned i = 1; i <= VAIN_FREE; i++) {
		event_and_silence(&given);
		CHECK_EQ(given.loop.vain, i);
		CHECK_EQ(given.loop.passes, 0);
	}
	for (unsigned i = 1; i <= 3; i++) {
		while (given.loop.passes)
			event_and_silence(&given);
		CHECK_EQ(given.loop.vain, VAIN_FREE + i - 1);
		event_and_silence(&given);
		CHECK_EQ(given.loop.vain, VAIN_FREE + i);
		CHECK_EQ(given.loop.passes, (1u << i) - 1);
	}
	given.loop.vain = VAIN_MOST;
	given.loop.passes = 0;
	event_and_silence(&given);
	CHECK_EQ(given.loop.vain, VAIN_MOST);
	given_over(&given);
}

TEST(loop, who_slept_does_not_look)
{
	struct given given;

	REQUIRE(given_loop(&given));
	for (int i = 0; i < TURNS; i++)
		CHECK_EQ(loop_turn(&given.loop, 2 * BERTH_MSEC), 0);
	CHECK_EQ(given.loop.vain, 0);
	given_over(&given);
}

TEST(loop, a_deadline_that_is_near_is_slept_for)
{
	struct given given;
	uint64_t one = 1;

	REQUIRE(given_loop(&given));
	REQUIRE(write(given.watch.fd, &one, sizeof(one)) == sizeof(one));
	CHECK_EQ(loop_turn(&given.loop, 0), 0);
	CHECK_EQ(loop_turn(&given.loop, BERTH_MSEC / 2), 0);
	CHECK_EQ(given.loop.vain, 0);
	given_over(&given);
}

TEST(loop, what_is_found_has_it_look_each_time)
{
	struct given given;
	uint64_t one = 1;

	REQUIRE(given_loop(&given));
	given.loop.vain = 3;
	given.loop.busy = true; /* and it is its turn to look */
	REQUIRE(write(given.watch.fd, &one, sizeof(one)) == sizeof(one));
	CHECK_EQ(loop_turn(&given.loop, BERTH_SEC), 0);
	CHECK_EQ(given.heard, 1);
	if (given.loop.vain) /* this machine took the processor away for a millisecond: that has not paid */
		CHECK_EQ(given.loop.vain, 4);
	else
		CHECK_EQ(given.loop.passes, 0);
	given_over(&given);
}
