/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"
#include "base/random.h"
#include "test.h"

#include <berth/conditions.h>
#include <errno.h>
#include <stdlib.h>

static char error[200];

static int parse(struct berth_conditions *conditions, const char *text)
{
	char copy[500], *words[40], *rest = NULL;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	error[0] = '\0';
	return berth_conditions_parse(conditions, words, count, error, sizeof(error));
}

TEST(conditions, are_read_as_netem_has_them)
{
	struct berth_conditions c = { .delay = 0 };

	CHECK_EQ(parse(&c, "delay 40ms 5ms 25% distribution normal loss 1% rate 10mbit limit 100"), 0);
	CHECK_EQ(c.delay, 40 * BERTH_MSEC);
	CHECK_EQ(c.jitter, 5 * BERTH_MSEC);
	CHECK_EQ(c.delay_correlation, BERTH_ALWAYS / 4);
	CHECK_EQ(c.distribution, BERTH_NORMAL);
	CHECK_EQ(c.loss, BERTH_ALWAYS / 100);
	CHECK_EQ(c.rate, 10000000);
	CHECK_EQ(c.limit, 100);
}

TEST(conditions, that_are_not_named_stay)
{
	struct berth_conditions c = { .delay = 0 };

	CHECK_EQ(parse(&c, "delay 40ms 5ms"), 0);
	CHECK_EQ(parse(&c, "loss 2%"), 0);
	CHECK_EQ(c.delay, 40 * BERTH_MSEC);
	CHECK_EQ(parse(&c, "delay 1ms"), 0);
	CHECK_EQ(c.jitter, 0);
	CHECK(c.loss > 0);
	CHECK_EQ(parse(&c, "cut"), 0);
	CHECK(c.cut);
	CHECK_EQ(parse(&c, "mend"), 0);
	CHECK(!c.cut);
}

TEST(conditions, units_and_fractions_are_exact)
{
	struct berth_conditions c = { .delay = 0 };

	CHECK_EQ(parse(&c, "delay 1.5us rate 2.5gbit"), 0);
	CHECK_EQ(c.delay, 1500);
	CHECK_EQ(c.rate, 2500000000);
	CHECK_EQ(parse(&c, "rate 1mbps rtt 100ms"), 0);
	CHECK_EQ(c.rate, 8000000);
	CHECK_EQ(c.delay, 50 * BERTH_MSEC);
	CHECK_EQ(parse(&c, "loss 100%"), 0);
	CHECK_EQ(c.loss, BERTH_ALWAYS);
}

TEST(conditions, bursts_have_netems_defaults)
{
	struct berth_conditions c = { .delay = 0 };

	CHECK_EQ(parse(&c, "loss gemodel 1%"), 0);
	CHECK(c.bursts);
	CHECK_EQ(c.to_good, BERTH_ALWAYS - BERTH_ALWAYS / 100);
	CHECK_EQ(c.loss_in_bad, BERTH_ALWAYS);
	CHECK_EQ(c.loss_in_good, 0);
	CHECK_EQ(parse(&c, "loss 1%"), 0);
	CHECK(!c.bursts);
}

TEST(conditions, mistakes_are_named_and_change_nothing)
{
	static const struct {
		const char *words, *says;
	} mistakes[] = {
		{ "", "no condition" },
		{ "delay", "time is missing" },
		{ "delay 40", "'40' is not a time" },
		{ "delay -1ms", "'-1ms' is not a time" },
		{ "delay 2000000s", "more than an hour" },
		{ "delay 99999999999ms", "not a time" },
		{ "loss", "chance is missing" },
		{ "loss 5", "'5' is not a chance" },
		{ "loss 101%", "'101%' is not a chance" },
		{ "rate fast", "'fast' is not a rate" },
		{ "rate 1bit", "'1bit' is not a rate" },
		{ "limit 0", "'0' is not a number" },
		{ "limit", "nothing is not a number" },
		{ "delay 1ms distribution weird", "'weird' is none of" },
		{ "limit 2b", "'2b' is not from" },
		{ "slot", "time is missing" },
		{ "slot 5ms 1ms", "longest time comes after" },
		{ "slot 1ms packets 0", "'0' is not a number" },
		{ "trace", "is missing" },
		{ "trace x", "'x' has not been read" },
		{ "speed 1", "'speed' is no condition" },
	};
	struct berth_conditions c = { .delay = 7 };

	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		CHECK_EQ(parse(&c, mistakes[i].words), -EINVAL);
		if (!strstr(error, mistakes[i].says))
			test_fail(__FILE__, __LINE__, "\"%s\" says \"%s\"", mistakes[i].words, error);
		CHECK_EQ(c.delay, 7);
	}
}

TEST(conditions, are_written_as_they_are_read)
{
	static const char *const texts[] = {
		"perfect",
		"delay 40ms",
		"delay 40ms 5ms 25% distribution pareto loss 1% 30% duplicate 0.1% corrupt 0.01% reorder 2% 50% gap 5 rate 10mbit "
		"limit 100 cut",
		"delay 1.5us loss gemodel 1% 10% 70% 0.1%",
		"rate 1.25gbit",
		"loss 1% ecn rate 1mbit 20 slot 1ms 5ms packets 3 bytes 4000 limit 100 limit 64kb",
		"rate 1mbit -4 48 5 slot 2ms",
	};
	char text[BERTH_CONDITIONS_STRLEN];

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct berth_conditions c = { .delay = 0 };

		if (i)
			CHECK_EQ(parse(&c, texts[i]), 0);
		CHECK_STR(berth_conditions_format(&c, text), texts[i]);
	}
}

TEST(conditions, trace_goes_by_its_name)
{
	struct berth_conditions c = { .delay = 0 };
	char text[BERTH_CONDITIONS_STRLEN];
	struct berth_trace *trace;

	CHECK_EQ(berth_trace_new("a train/to X", (uint32_t[]){ 5 }, 1, &trace), 0);
	c.trace = trace;
	CHECK_EQ(parse(&c, "delay 1ms"), 0);
	CHECK_STR(berth_conditions_format(&c, text), "delay 1ms trace a_train_to_X");
	CHECK_EQ(parse(&c, text), 0);
	CHECK(c.trace == trace);
	CHECK_EQ(parse(&c, "trace off"), 0);
	CHECK(!c.trace);
	berth_trace_unref(trace);
}

TEST(conditions, reordering_needs_a_delay)
{
	struct berth_conditions c = { .delay = 0 };

	CHECK_EQ(parse(&c, "reorder 5%"), -EINVAL);
	CHECK(strstr(error, "needs a delay"));
	CHECK_EQ(parse(&c, "reorder 5% delay 1ms"), 0);
}

/* Words at random: whatever they are, reading them ends well, and what was accepted can be written and read again. */
TEST(conditions, survive_any_words)
{
	static const char *const vocabulary[] = {
		"delay",      "loss",	 "rate",    "1ms",	    "5%",     "10mbit", "gemodel", "gap",
		"3",	      "cut",	 "reorder", "distribution", "normal", "%",	".",	   "1.",
		"999999999s", "limit",	 "corrupt", "duplicate",    "rtt",    "random", "1e9",	   "",
		"slot",	      "packets", "bytes",   "ecn",	    "trace",  "off",	"-4",	   "64kb"
	};
	struct random random;
	int accepted = 0;

	random_init(&random, 5);
	for (int round = 0; round < 20000; round++) {
		struct berth_conditions c = { .delay = 0 }, again = { .delay = 0 };
		char words[400] = "", text[BERTH_CONDITIONS_STRLEN];

		for (uint64_t n = random_below(&random, 9); n; n--) {
			strcat(words, vocabulary[random_below(&random, COUNT_OF(vocabulary))]);
			strcat(words, " ");
		}
		if (parse(&c, words) < 0) {
			CHECK(error[0]);
			continue;
		}
		accepted++;
		berth_conditions_format(&c, text);
		if (strcmp(text, "perfect") && parse(&again, text) < 0)
			test_fail(__FILE__, __LINE__, "\"%s\" became \"%s\": %s", words, text, error);
	}
	CHECK(accepted > 100);
}
