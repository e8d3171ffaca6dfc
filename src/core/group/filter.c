/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/group/filter.h"

#include <errno.h>

void filter_fini(struct filter *filter, const struct berth_allocator *allocator)
{
	memory_free(allocator, filter->sources, filter->room * sizeof(*filter->sources));
	*filter = (struct filter){ 0 };
}

/* Where source is, or would be. */
static size_t place(const struct filter *filter, struct berth_ip source)
{
	size_t low = 0, high = filter->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(filter->sources[middle].bytes, source.bytes, 16) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct filter *filter, size_t at, struct berth_ip source)
{
	return at < filter->count && ip_equal(filter->sources[at], source);
}

bool filter_has(const struct filter *filter, struct berth_ip source)
{
	return is_at(filter, place(filter, source), source);
}

int filter_add(struct filter *filter, const struct berth_allocator *allocator, struct berth_ip source)
{
	size_t at = place(filter, source), size = sizeof(source);

	if (is_at(filter, at, source))
		return 0;
	if (filter->count == filter->room) {
		size_t room = filter->room ? filter->room * 2 : 4;
		struct berth_ip *sources = memory_grow(allocator, filter->sources, filter->room * size, room * size);

		if (!sources)
			return -ENOMEM;
		filter->sources = sources;
		filter->room = room;
	}
	memmove(filter->sources + at + 1, filter->sources + at, (filter->count - at) * size);
	filter->sources[at] = source;
	filter->count++;
	return 0;
}

bool filter_remove(struct filter *filter, struct berth_ip source)
{
	size_t at = place(filter, source);

	if (!is_at(filter, at, source))
		return false;
	filter->count--;
	memmove(filter->sources + at, filter->sources + at + 1, (filter->count - at) * sizeof(source));
	return true;
}
