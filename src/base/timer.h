/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers in a 4-ary heap, ordered by deadline and then by when they were set,
 * so that runs repeat. Moving a timer to a later time is O(1): it keeps its
 * place and is put right when it comes up.
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <berth/protocol.h>

struct timers {
	const struct berth_allocator *allocator;
	struct berth_timer **heap; /* heap[1] is the root; heap[0] is not used */
	size_t count, room;
	uint64_t sequence;
	/* Whoever has to know when the first deadline comes to lie before told; told is INT64_MIN while nobody has. */
	void (*sooner)(void *context, berth_time deadline);
	void *context;
	berth_time told;
};

void timers_init(struct timers *timers, const struct berth_allocator *allocator);
void timers_fini(struct timers *timers);
/* From now on timers_set() can't fail while there are no more than count. Returns 0 or -ENOMEM. */
int timers_reserve(struct timers *timers, size_t count);
/* Returns 0 or -ENOMEM (then timer is as it was). */
int timers_set(struct timers *timers, struct berth_timer *timer, berth_time deadline);
void timers_cancel(struct timers *timers, struct berth_timer *timer);
/* Take the next timer that is due at now out of the heap; NULL when there is none. */
struct berth_timer *timers_take_due(struct timers *timers, berth_time now);
/* Not later than the first deadline; BERTH_NEVER when there is none. */
berth_time timers_deadline(const struct timers *timers);

/* Something is due at deadline, of the heap or beside it: tell whoever watches, if that is news. */
static inline void timers_tell(struct timers *timers, berth_time deadline)
{
	if (deadline < timers->told) {
		timers->told = deadline;
		timers->sooner(timers->context, deadline);
	}
}

/* The timer at the head of the heap: the first one, unless it has been moved later. NULL: none. */
static inline struct berth_timer *timers_first(const struct timers *timers)
{
	return timers->count ? timers->heap[1] : NULL;
}

static inline bool timer_armed(const struct berth_timer *timer)
{
	return timer->index_ != 0;
}

#endif
