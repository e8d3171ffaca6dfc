/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recorded rates: trace.h. As mahimahi has it, an opportunity that finds nothing
 * to carry is lost, one may carry the ends of several packets, and a packet that
 * is longer than one goes on in the next.
 */
#include "link/trace.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

int berth_trace_new(const char *name, const uint32_t *milliseconds, size_t count, struct berth_trace **ret_trace)
{
	struct berth_trace *trace;

	if (!count || count > BERTH_TRACE_MAX || !milliseconds[count - 1])
		return -EINVAL;
	for (size_t i = 1; i < count; i++)
		if (milliseconds[i] < milliseconds[i - 1])
			return -EINVAL;
	trace = malloc(sizeof(*trace) + count * sizeof(*milliseconds));
	if (!trace)
		return -ENOMEM;
	*trace = (struct berth_trace){ .references = 1, .count = count };
	for (size_t i = 0; i < TRACE_NAME_MAX && name[i]; i++)
		trace->name[i] = (char)(is_plain(name[i]) ? name[i] : '_');
	if (!trace->name[0])
		trace->name[0] = '_';
	memcpy(trace->milliseconds, milliseconds, count * sizeof(*milliseconds));
	*ret_trace = trace;
	return 0;
}

struct berth_trace *berth_trace_ref(struct berth_trace *trace)
{
	trace->references++;
	return trace;
}

void berth_trace_unref(struct berth_trace *trace)
{
	if (trace && !--trace->references)
		free(trace);
}

static berth_time period(const struct berth_trace *trace)
{
	return trace->milliseconds[trace->count - 1] * BERTH_MSEC;
}

static berth_time next_time(const struct berth_trace *trace, const struct trace_place *place)
{
	return place->round + trace->milliseconds[place->next] * BERTH_MSEC;
}

static void go_on(const struct berth_trace *trace, struct trace_place *place)
{
	place->left = TRACE_BYTES;
	if (++place->next < trace->count)
		return;
	place->next = 0;
	place->round += period(trace);
}

/* Opportunities that passed with nothing to carry are gone. */
static void skip(const struct berth_trace *trace, struct trace_place *place, berth_time now)
{
	size_t low = 0, high = trace->count;

	if (next_time(trace, place) >= now)
		return;
	place->round += (now - place->round) / period(trace) * period(trace);
	while (low < high) { /* the first that is not before now */
		size_t middle = (low + high) / 2;

		if (place->round + trace->milliseconds[middle] * BERTH_MSEC < now)
			low = middle + 1;
		else
			high = middle;
	}
	place->next = low; /* there is one: the last is a period after the round's beginning */
	place->left = TRACE_BYTES;
}

berth_time trace_carry(const struct berth_trace *trace, struct trace_place *place, size_t length, berth_time now)
{
	berth_time when;

	if (!place->begun)
		*place = (struct trace_place){ .begun = true, .round = now, .left = TRACE_BYTES };
	skip(trace, place, now);
	while (length > place->left) {
		length -= place->left;
		go_on(trace, place);
	}
	when = next_time(trace, place);
	place->left -= (uint32_t)length;
	if (!place->left)
		go_on(trace, place);
	return when;
}
