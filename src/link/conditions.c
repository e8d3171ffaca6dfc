/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions as words and back: berth/conditions.h. One parser serves the command line, the API and files. */
#include <berth/conditions.h>

#include "base/bytes.h"
#include "link/trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct reader {
	char *const *words;
	size_t count, at;
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 2, 3))) static int complain(struct reader *reader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (reader->error_size)
		vsnprintf(reader->error, reader->error_size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit times[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
static const struct unit rates[] = {
	{ "bit", 1 }, { "kbit", 1000 }, { "mbit", 1000000 }, { "gbit", 1000000000 },
	{ "bps", 8 }, { "kbps", 8000 }, { "mbps", 8000000 }, { "gbps", UINT64_C(8000000000) },
};

/* tc(8): of 1024. */
static const struct unit sizes[] = { { "b", 1 }, { "kb", 1024 }, { "mb", 1048576 } };

/* A decimal number of up to 9 digits before and after the point, times 10^9; *rest is what follows it. */
static bool read_decimal(const char *word, uint64_t *ret_billionths, const char **rest)
{
	uint64_t whole = 0, part = 0, step = 100000000;
	const char *c = word;

	for (; *c >= '0' && *c <= '9'; c++) {
		if (c - word >= 9)
			return false;
		whole = whole * 10 + (uint64_t)(*c - '0');
	}
	if (c == word)
		return false;
	if (*c == '.')
		for (c++; *c >= '0' && *c <= '9'; c++, step /= 10)
			part += step * (uint64_t)(*c - '0');
	*ret_billionths = whole * 1000000000 + part;
	*rest = c;
	return true;
}

static bool read_unit(const char *word, const struct unit *units, size_t count, uint64_t *ret_value)
{
	uint64_t billionths;
	const char *rest;

	if (!read_decimal(word, &billionths, &rest))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rest, units[i].name))
			continue;
		*ret_value = (uint64_t)((unsigned __int128)billionths * units[i].factor / 1000000000);
		return true;
	}
	return false;
}

static const char *next(struct reader *reader)
{
	return reader->at < reader->count ? reader->words[reader->at++] : NULL;
}

static const char *peek(const struct reader *reader)
{
	return reader->at < reader->count ? reader->words[reader->at] : NULL;
}

static bool take_word(struct reader *reader, const char *word)
{
	if (!peek(reader) || strcmp(peek(reader), word))
		return false;
	reader->at++;
	return true;
}

#define TIME_MAX (3600 * BERTH_SEC)

static int take_time(struct reader *reader, const char *what, berth_time *ret_time)
{
	const char *word = next(reader);
	uint64_t value;

	if (!word)
		return complain(reader, "%s: a time is missing (as in %s 40ms)", what, what);
	if (!read_unit(word, times, COUNT_OF(times), &value))
		return complain(reader, "%s: '%s' is not a time (as in 40ms; ns, us, ms or s)", what, word);
	if (value > TIME_MAX)
		return complain(reader, "%s: '%s' is more than an hour", what, word);
	*ret_time = (berth_time)value;
	return 0;
}

static bool read_chance(const char *word, berth_chance *ret_chance)
{
	uint64_t billionths;
	const char *rest;

	if (!read_decimal(word, &billionths, &rest) || strcmp(rest, "%") || billionths > UINT64_C(100000000000))
		return false;
	*ret_chance = (berth_chance)((unsigned __int128)billionths * BERTH_ALWAYS / UINT64_C(100000000000));
	return true;
}

static int take_chance(struct reader *reader, const char *what, berth_chance *ret_chance)
{
	const char *word = next(reader);

	if (!word)
		return complain(reader, "%s: a chance is missing (as in %s 1%%)", what, what);
	if (!read_chance(word, ret_chance))
		return complain(reader, "%s: '%s' is not a chance from 0%% to 100%%", what, word);
	return 0;
}

/* One more chance, if there is one; otherwise *ret_chance is without. */
static bool take_optional_chance(struct reader *reader, berth_chance *ret_chance, berth_chance without)
{
	*ret_chance = without;
	if (!peek(reader) || !read_chance(peek(reader), ret_chance))
		return false;
	reader->at++;
	return true;
}

static int take_number(struct reader *reader, const char *what, uint32_t *ret_number)
{
	const char *word = next(reader);
	char *end = NULL;
	unsigned long value = word && *word >= '0' && *word <= '9' ? strtoul(word, &end, 10) : 0;

	if (!end || *end || value < 1 || value > 10000000)
		return complain(reader, "%s: %s%s%s is not a number from 1 to 10000000", what, word ? "'" : "",
				word ? word : "nothing", word ? "'" : "");
	*ret_number = (uint32_t)value;
	return 0;
}

static const char *const distributions[] = { "uniform", "normal", "pareto", "paretonormal" };

static int take_distribution(struct reader *reader, struct berth_conditions *to)
{
	const char *word = next(reader);

	for (size_t i = 0; word && i < COUNT_OF(distributions); i++) {
		if (strcmp(word, distributions[i]))
			continue;
		to->distribution = (enum berth_distribution)i;
		return 0;
	}
	return complain(reader, "distribution: '%s' is none of uniform, normal, pareto, paretonormal",
			word ? word : "");
}

static int take_delay(struct reader *reader, struct berth_conditions *to)
{
	uint64_t jitter;
	int r = take_time(reader, "delay", &to->delay);

	if (r < 0)
		return r;
	to->jitter = 0;
	to->delay_correlation = 0;
	if (peek(reader) && read_unit(peek(reader), times, COUNT_OF(times), &jitter)) {
		r = take_time(reader, "jitter", &to->jitter);
		if (r < 0)
			return r;
		take_optional_chance(reader, &to->delay_correlation, 0);
	}
	return take_word(reader, "distribution") ? take_distribution(reader, to) : 0;
}

static int take_rtt(struct reader *reader, struct berth_conditions *to)
{
	berth_time rtt = 0;
	int r = take_time(reader, "rtt", &rtt);

	if (r >= 0)
		to->delay = rtt / 2;
	return r;
}

static int take_loss(struct reader *reader, struct berth_conditions *to)
{
	int r;

	to->loss = to->loss_correlation = 0;
	to->bursts = take_word(reader, "gemodel");
	if (!to->bursts) {
		take_word(reader, "random");
		r = take_chance(reader, "loss", &to->loss);
		if (r >= 0)
			take_optional_chance(reader, &to->loss_correlation, 0);
		return r;
	}
	r = take_chance(reader, "loss gemodel", &to->to_bad);
	if (r < 0)
		return r;
	/* Defaults: tc-netem(8). */
	take_optional_chance(reader, &to->to_good, BERTH_ALWAYS - to->to_bad);
	take_optional_chance(reader, &to->loss_in_bad, BERTH_ALWAYS);
	take_optional_chance(reader, &to->loss_in_good, 0);
	return 0;
}

static int take_pair(struct reader *reader, const char *what, berth_chance *chance, berth_chance *correlation)
{
	int r = take_chance(reader, what, chance);

	if (r >= 0)
		take_optional_chance(reader, correlation, 0);
	return r;
}

static int take_reorder(struct reader *reader, struct berth_conditions *to)
{
	int r = take_pair(reader, "reorder", &to->reorder, &to->reorder_correlation);

	to->reorder_gap = 0;
	if (r >= 0 && take_word(reader, "gap"))
		r = take_number(reader, "gap", &to->reorder_gap);
	return r;
}

/* tc-netem(8): rate RATE [PACKETOVERHEAD [CELLSIZE [CELLOVERHEAD]]], in bytes. */
static bool take_optional_bytes(struct reader *reader, int32_t least, int32_t *ret_bytes)
{
	const char *word = peek(reader);
	char *end;
	long value;

	*ret_bytes = 0;
	if (!word || !((*word >= '0' && *word <= '9') || (*word == '-' && word[1] >= '0' && word[1] <= '9')))
		return false;
	value = strtol(word, &end, 10);
	if (*end || value < least || value > 65535)
		return false;
	reader->at++;
	*ret_bytes = (int32_t)value;
	return true;
}

static void take_overheads(struct reader *reader, struct berth_conditions *to)
{
	int32_t cell = 0;

	to->rate_cell_overhead = 0;
	if (take_optional_bytes(reader, -65535, &to->rate_overhead) && take_optional_bytes(reader, 0, &cell))
		take_optional_bytes(reader, -65535, &to->rate_cell_overhead);
	to->rate_cell = (uint32_t)cell;
}

static int take_rate(struct reader *reader, struct berth_conditions *to)
{
	const char *word = next(reader);

	if (!word)
		return complain(reader, "rate: a rate is missing (as in rate 10mbit)");
	if (!read_unit(word, rates, COUNT_OF(rates), &to->rate) || (to->rate && to->rate < 8))
		return complain(reader,
				"rate: '%s' is not a rate (as in 10mbit; bit, kbit, mbit, gbit, or bps, kbps, mbps, "
				"gbps for bytes)",
				word);
	take_overheads(reader, to);
	return 0;
}

static int take_trace(struct reader *reader, struct berth_conditions *to)
{
	const char *word = next(reader);

	if (!word)
		return complain(reader, "trace: a file of moments in milliseconds is missing (or off)");
	if (!strcmp(word, "off"))
		to->trace = NULL;
	else if (!to->trace)
		return complain(reader, "trace: '%s' has not been read: moments come with it, or it is off", word);
	return 0;
}

static int take_slot(struct reader *reader, struct berth_conditions *to)
{
	uint64_t max;
	int r = take_time(reader, "slot", &to->slot_min);

	if (r < 0)
		return r;
	to->slot_max = to->slot_min;
	to->slot_packets = to->slot_bytes = 0;
	if (peek(reader) && read_unit(peek(reader), times, COUNT_OF(times), &max)) {
		r = take_time(reader, "slot", &to->slot_max);
		if (r < 0)
			return r;
		if (to->slot_max < to->slot_min)
			return complain(reader, "slot: the longest time comes after the shortest (as in slot 1ms 5ms)");
	}
	if (take_word(reader, "packets"))
		r = take_number(reader, "slot packets", &to->slot_packets);
	if (r >= 0 && take_word(reader, "bytes"))
		r = take_number(reader, "slot bytes", &to->slot_bytes);
	return r;
}

static int take_limit(struct reader *reader, struct berth_conditions *to)
{
	uint64_t bytes;

	if (!peek(reader) || !read_unit(peek(reader), sizes, COUNT_OF(sizes), &bytes))
		return take_number(reader, "limit", &to->limit);
	if (bytes < 64 || bytes > UINT32_MAX)
		return complain(reader, "limit: '%s' is not from 64b to 4095mb", peek(reader));
	to->limit_bytes = (uint32_t)bytes;
	reader->at++;
	return 0;
}

static int take_one(struct reader *reader, const char *word, struct berth_conditions *to)
{
	if (!strcmp(word, "delay"))
		return take_delay(reader, to);
	if (!strcmp(word, "rtt"))
		return take_rtt(reader, to);
	if (!strcmp(word, "loss"))
		return take_loss(reader, to);
	if (!strcmp(word, "duplicate"))
		return take_pair(reader, "duplicate", &to->duplicate, &to->duplicate_correlation);
	if (!strcmp(word, "corrupt"))
		return take_pair(reader, "corrupt", &to->corrupt, &to->corrupt_correlation);
	if (!strcmp(word, "reorder"))
		return take_reorder(reader, to);
	if (!strcmp(word, "rate"))
		return take_rate(reader, to);
	if (!strcmp(word, "trace"))
		return take_trace(reader, to);
	if (!strcmp(word, "slot"))
		return take_slot(reader, to);
	if (!strcmp(word, "ecn") || !strcmp(word, "noecn"))
		return to->ecn = *word == 'e', 0;
	if (!strcmp(word, "limit"))
		return take_limit(reader, to);
	if (!strcmp(word, "cut"))
		return to->cut = true, 0;
	if (!strcmp(word, "mend"))
		return to->cut = false, 0;
	return complain(
		reader,
		"'%s' is no condition (delay, rtt, loss, ecn, duplicate, corrupt, reorder, rate, trace, slot, limit, "
		"cut, mend)",
		word);
}

int berth_conditions_parse(struct berth_conditions *conditions, char *const *words, size_t count, char *error,
			   size_t error_size)
{
	struct reader reader = { words, count, 0, error, error_size };
	struct berth_conditions to = *conditions;
	const char *word;

	if (!count)
		return complain(&reader, "no condition is named (as in delay 40ms loss 1%%)");
	while ((word = next(&reader))) {
		int r = take_one(&reader, word, &to);

		if (r < 0)
			return r;
	}
	if (to.reorder && !to.delay)
		return complain(&reader, "reorder: needs a delay, or there is nothing to overtake");
	*conditions = to;
	return 0;
}

struct writer {
	char *text;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format, ...)
{
	va_list arguments;
	int n;

	if (writer->used >= BERTH_CONDITIONS_STRLEN - 1)
		return;
	if (writer->used)
		writer->text[writer->used++] = ' ';
	va_start(arguments, format);
	n = vsnprintf(writer->text + writer->used, BERTH_CONDITIONS_STRLEN - writer->used, format, arguments);
	va_end(arguments);
	writer->used = MIN(writer->used + (size_t)MAX(n, 0), BERTH_CONDITIONS_STRLEN - 1u);
}

/* value in the largest unit that leaves it at least 1, without needless zeros. */
static const char *in_units(uint64_t value, const struct unit *units, size_t count, char text[40])
{
	size_t best = 0;
	int length;

	for (size_t i = 0; i < count; i++)
		if (value >= units[i].factor)
			best = i;
	length = snprintf(text, 40, "%llu.%09llu", (unsigned long long)(value / units[best].factor),
			  (unsigned long long)((unsigned __int128)(value % units[best].factor) * 1000000000 /
					       units[best].factor));
	while (length && text[length - 1] == '0')
		length--;
	if (length && text[length - 1] == '.')
		length--;
	snprintf(text + length, (size_t)(40 - length), "%s", units[best].name);
	return text;
}

/* Six digits behind the point say 2^32 steps well enough; rounded, so that 1% comes back as 1%. */
static const char *percent(berth_chance chance, char text[40])
{
	uint64_t millionths = ((unsigned __int128)chance * 100000000 + BERTH_ALWAYS / 2) / BERTH_ALWAYS;
	int length = snprintf(text, 40, "%llu.%06llu", (unsigned long long)(millionths / 1000000),
			      (unsigned long long)(millionths % 1000000));

	while (text[length - 1] == '0')
		length--;
	if (text[length - 1] == '.')
		length--;
	snprintf(text + length, (size_t)(40 - length), "%%");
	return text;
}

static void put_pair(struct writer *writer, const char *what, berth_chance chance, berth_chance correlation)
{
	char one[40], other[40];

	if (chance && correlation)
		put(writer, "%s %s %s", what, percent(chance, one), percent(correlation, other));
	else if (chance)
		put(writer, "%s %s", what, percent(chance, one));
}

static void put_delay(struct writer *writer, const struct berth_conditions *from)
{
	char text[40];

	if (!from->delay && !from->jitter)
		return;
	put(writer, "delay %s", in_units((uint64_t)from->delay, times, COUNT_OF(times), text));
	if (from->jitter)
		put(writer, "%s", in_units((uint64_t)from->jitter, times, COUNT_OF(times), text));
	if (from->jitter && from->delay_correlation)
		put(writer, "%s", percent(from->delay_correlation, text));
	if (from->distribution)
		put(writer, "distribution %s", distributions[from->distribution]);
}

static void put_loss(struct writer *writer, const struct berth_conditions *from)
{
	char p[40], r[40], h[40], k[40];

	if (from->bursts)
		put(writer, "loss gemodel %s %s %s %s", percent(from->to_bad, p), percent(from->to_good, r),
		    percent(from->loss_in_bad, h), percent(from->loss_in_good, k));
	else
		put_pair(writer, "loss", from->loss, from->loss_correlation);
}

static void put_rate(struct writer *writer, const struct berth_conditions *from)
{
	char text[40];

	if (from->rate) {
		put(writer, "rate %s", in_units(from->rate, rates, 4, text));
		if (from->rate_overhead || from->rate_cell)
			put(writer, "%d", from->rate_overhead);
		if (from->rate_cell)
			put(writer, "%u %d", from->rate_cell, from->rate_cell_overhead);
	}
	if (from->trace)
		put(writer, "trace %s", from->trace->name);
}

static void put_slot(struct writer *writer, const struct berth_conditions *from)
{
	char text[40];

	if (!from->slot_max)
		return;
	put(writer, "slot %s", in_units((uint64_t)from->slot_min, times, COUNT_OF(times), text));
	if (from->slot_max != from->slot_min)
		put(writer, "%s", in_units((uint64_t)from->slot_max, times, COUNT_OF(times), text));
	if (from->slot_packets)
		put(writer, "packets %u", from->slot_packets);
	if (from->slot_bytes)
		put(writer, "bytes %u", from->slot_bytes);
}

/* bytes in the largest unit that leaves a whole number. */
static const char *in_size(uint32_t bytes, char text[40])
{
	size_t best = 0;

	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		if (bytes % sizes[i].factor == 0)
			best = i;
	snprintf(text, 40, "%u%s", bytes / (uint32_t)sizes[best].factor, sizes[best].name);
	return text;
}

char *berth_conditions_format(const struct berth_conditions *conditions, char text[BERTH_CONDITIONS_STRLEN])
{
	struct writer writer = { text, 0 };
	char size[40];

	text[0] = '\0';
	put_delay(&writer, conditions);
	put_loss(&writer, conditions);
	if (conditions->ecn)
		put(&writer, "ecn");
	put_pair(&writer, "duplicate", conditions->duplicate, conditions->duplicate_correlation);
	put_pair(&writer, "corrupt", conditions->corrupt, conditions->corrupt_correlation);
	put_pair(&writer, "reorder", conditions->reorder, conditions->reorder_correlation);
	if (conditions->reorder && conditions->reorder_gap)
		put(&writer, "gap %u", conditions->reorder_gap);
	put_rate(&writer, conditions);
	put_slot(&writer, conditions);
	if (conditions->limit)
		put(&writer, "limit %u", conditions->limit);
	if (conditions->limit_bytes)
		put(&writer, "limit %s", in_size(conditions->limit_bytes, size));
	if (conditions->cut)
		put(&writer, "cut");
	if (!writer.used)
		put(&writer, "perfect");
	return text;
}
