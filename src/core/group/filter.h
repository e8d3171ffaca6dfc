/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of sources, sorted, and what it means: only these, or all but these. RFC 3376 §2. */
#ifndef CORE_GROUP_FILTER_H
#define CORE_GROUP_FILTER_H

#include "base/ip.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stddef.h>

struct filter {
	bool exclude;
	size_t count, room;
	struct berth_ip *sources;
};

void filter_fini(struct filter *filter, const struct berth_allocator *allocator);
bool filter_has(const struct filter *filter, struct berth_ip source);
static inline bool filter_accepts(const struct filter *filter, struct berth_ip source)
{
	return filter_has(filter, source) != filter->exclude;
}
/* Someone is wanted at all. */
static inline bool filter_listens(const struct filter *filter)
{
	return filter->exclude || filter->count;
}
/* 0 (fine if it is there already) or -ENOMEM. */
int filter_add(struct filter *filter, const struct berth_allocator *allocator, struct berth_ip source);
/* False: it was not there. */
bool filter_remove(struct filter *filter, struct berth_ip source);

#endif
