/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"
#include "base/timer.h"
#include "test.h"

#include <stdlib.h>

static struct berth_timer *ran[2048];
static size_t ran_count;

static void note(struct berth_timer *timer)
{
	ran[ran_count++] = timer;
}

static size_t run_due(struct timers *timers, berth_time now)
{
	struct berth_timer *timer;

	ran_count = 0;
	while ((timer = timers_take_due(timers, now)))
		timer->run(timer);
	return ran_count;
}

TEST(timer, runs_in_order_of_deadline)
{
	struct timers timers;
	struct berth_timer a = { .run = note }, b = { .run = note }, c = { .run = note };

	timers_init(&timers, NULL);
	timers_set(&timers, &a, 30);
	timers_set(&timers, &b, 10);
	timers_set(&timers, &c, 20);
	CHECK_EQ(timers_deadline(&timers), 10);
	CHECK_EQ(run_due(&timers, 25), 2);
	CHECK(ran[0] == &b && ran[1] == &c);
	CHECK(timer_armed(&a) && !timer_armed(&b));
	timers_fini(&timers);
}

TEST(timer, equal_deadlines_run_in_the_order_they_were_set)
{
	struct timers timers;
	struct berth_timer t[40];

	timers_init(&timers, NULL);
	for (int i = 0; i < 40; i++) {
		t[i] = (struct berth_timer){ .run = note };
		timers_set(&timers, &t[i], 5);
	}
	CHECK_EQ(run_due(&timers, 5), 40);
	for (int i = 0; i < 40; i++)
		CHECK(ran[i] == &t[i]);
	timers_fini(&timers);
}

TEST(timer, moved_later_does_not_run_early)
{
	struct timers timers;
	struct berth_timer a = { .run = note };

	timers_init(&timers, NULL);
	timers_set(&timers, &a, 10);
	timers_set(&timers, &a, 50);
	CHECK_EQ(run_due(&timers, 49), 0);
	CHECK_EQ(timers_deadline(&timers), 50);
	CHECK_EQ(run_due(&timers, 50), 1);
	timers_fini(&timers);
}

TEST(timer, moved_earlier_runs_early)
{
	struct timers timers;
	struct berth_timer a = { .run = note }, b = { .run = note };

	timers_init(&timers, NULL);
	timers_set(&timers, &b, 40);
	timers_set(&timers, &a, 50);
	timers_set(&timers, &a, 10);
	CHECK_EQ(timers_deadline(&timers), 10);
	CHECK_EQ(run_due(&timers, 10), 1);
	timers_fini(&timers);
}

TEST(timer, cancelled_does_not_run)
{
	struct timers timers;
	struct berth_timer a = { .run = note };

	timers_init(&timers, NULL);
	timers_set(&timers, &a, 10);
	timers_cancel(&timers, &a);
	timers_cancel(&timers, &a);
	CHECK_EQ(timers_deadline(&timers), BERTH_NEVER);
	CHECK_EQ(run_due(&timers, 100), 0);
	timers_fini(&timers);
}

/* A thousand timers set, moved and cancelled at random behave as a plain list of deadlines would. */
TEST(timer, agrees_with_a_naive_model)
{
	enum { COUNT = 1000 };
	static struct berth_timer t[COUNT];
	static berth_time model[COUNT];
	struct timers timers;
	struct random random;

	timers_init(&timers, NULL);
	random_init(&random, 7);
	for (int i = 0; i < COUNT; i++) {
		t[i] = (struct berth_timer){ .run = note };
		model[i] = BERTH_NEVER;
	}
	for (berth_time now = 0; now < 2000; now++) {
		size_t due = 0;

		for (int j = 0; j < 20; j++) {
			size_t i = random_below(&random, COUNT);

			if (random_below(&random, 4) == 0) {
				timers_cancel(&timers, &t[i]);
				model[i] = BERTH_NEVER;
			} else {
				model[i] = now + 1 + (berth_time)random_below(&random, 100);
				timers_set(&timers, &t[i], model[i]);
			}
		}
		for (int i = 0; i < COUNT; i++) {
			if (model[i] <= now + 1) {
				due++;
				model[i] = BERTH_NEVER;
			}
		}
		CHECK_EQ(run_due(&timers, now + 1), due);
		if (test_failed())
			break;
	}
	timers_fini(&timers);
}

static berth_time heard[8];
static int heard_count;

static void hear(void *context, berth_time deadline)
{
	heard[heard_count++ % 8] = deadline;
}

TEST(timer, a_watcher_hears_of_what_is_sooner_than_it_knows_and_no_more)
{
	struct timers timers;
	struct berth_timer a = { .run = note }, b = { .run = note };

	timers_init(&timers, NULL);
	timers_set(&timers, &a, 50);
	timers.sooner = hear;
	timers.told = 50;
	timers_set(&timers, &b, 60);
	timers_set(&timers, &a, 70);
	CHECK_EQ(heard_count, 0);
	timers_set(&timers, &b, 40);
	timers_set(&timers, &a, 45);
	CHECK(heard_count == 1 && heard[0] == 40);
	timers_tell(&timers, 39);
	CHECK(heard_count == 2 && heard[1] == 39);
	timers_fini(&timers);
}

static int allocations;

static void *count_alloc(void *context, size_t size)
{
	allocations++;
	return malloc(size);
}

static void count_free(void *context, void *memory, size_t size)
{
	free(memory);
}

TEST(timer, what_was_reserved_needs_no_memory_later)
{
	static const struct berth_allocator allocator = { count_alloc, count_free, NULL };
	static struct berth_timer t[200];
	struct timers timers;

	timers_init(&timers, &allocator);
	for (size_t i = 0; i < 200; i++) {
		CHECK_EQ(timers_reserve(&timers, i + 1), 0);
		int before = allocations;
		CHECK_EQ(timers_set(&timers, &t[i], 5), 0);
		CHECK_EQ(allocations, before);
	}
	timers_fini(&timers);
}
