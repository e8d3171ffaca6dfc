/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/timer.h"

#include "base/memory.h"

#include <errno.h>

void timers_init(struct timers *timers, const struct berth_allocator *allocator)
{
	*timers = (struct timers){ .allocator = allocator, .told = INT64_MIN };
}

void timers_fini(struct timers *timers)
{
	memory_free(timers->allocator, timers->heap, timers->room * sizeof(*timers->heap));
	timers->heap = NULL;
	timers->count = timers->room = 0;
}

static bool before(const struct berth_timer *a, const struct berth_timer *b)
{
	if (a->position_ != b->position_)
		return a->position_ < b->position_;
	return a->sequence_ < b->sequence_;
}

static void place(struct timers *timers, size_t index, struct berth_timer *timer)
{
	timers->heap[index] = timer;
	timer->index_ = index;
}

static size_t parent_of(size_t index)
{
	return (index - 2) / 4 + 1;
}

static void sift_up(struct timers *timers, size_t index, struct berth_timer *timer)
{
	while (index > 1 && before(timer, timers->heap[parent_of(index)])) {
		place(timers, index, timers->heap[parent_of(index)]);
		index = parent_of(index);
	}
	place(timers, index, timer);
}

static size_t first_child(const struct timers *timers, size_t index)
{
	size_t begin = (index - 1) * 4 + 2;
	size_t end = begin + 4 <= timers->count + 1 ? begin + 4 : timers->count + 1;
	size_t best = begin;

	for (size_t i = begin + 1; i < end; i++)
		if (before(timers->heap[i], timers->heap[best]))
			best = i;
	return begin < end ? best : 0;
}

static void sift_down(struct timers *timers, size_t index, struct berth_timer *timer)
{
	size_t child;

	while ((child = first_child(timers, index)) && before(timers->heap[child], timer)) {
		place(timers, index, timers->heap[child]);
		index = child;
	}
	place(timers, index, timer);
}

int timers_reserve(struct timers *timers, size_t count)
{
	size_t room = timers->room ? timers->room : 64;
	struct berth_timer **heap;

	if (count + 1 <= timers->room)
		return 0;
	while (room < count + 1)
		room *= 2;
	heap = memory_grow(timers->allocator, timers->heap, timers->room * sizeof(*heap), room * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	timers->heap = heap;
	timers->room = room;
	return 0;
}

static void reposition(struct timers *timers, struct berth_timer *timer)
{
	timer->position_ = timer->deadline;
	timer->sequence_ = ++timers->sequence;
	if (timer->index_ > 1 && before(timer, timers->heap[parent_of(timer->index_)]))
		sift_up(timers, timer->index_, timer);
	else
		sift_down(timers, timer->index_, timer);
}

int timers_set(struct timers *timers, struct berth_timer *timer, berth_time deadline)
{
	if (!timer->index_) {
		if (timers_reserve(timers, timers->count + 1) < 0)
			return -ENOMEM;
		timer->deadline = timer->position_ = deadline;
		timer->sequence_ = ++timers->sequence;
		timers->count++;
		sift_up(timers, timers->count, timer);
		timers_tell(timers, deadline);
		return 0;
	}
	timer->deadline = deadline;
	if (deadline < timer->position_) {
		reposition(timers, timer);
		timers_tell(timers, deadline);
	}
	return 0;
}

void timers_cancel(struct timers *timers, struct berth_timer *timer)
{
	size_t hole = timer->index_;
	struct berth_timer *last;

	if (!hole)
		return;
	last = timers->heap[timers->count--];
	timer->index_ = 0;
	if (last == timer)
		return;
	if (hole > 1 && before(last, timers->heap[parent_of(hole)]))
		sift_up(timers, hole, last);
	else
		sift_down(timers, hole, last);
}

struct berth_timer *timers_take_due(struct timers *timers, berth_time now)
{
	while (timers->count && timers->heap[1]->position_ <= now) {
		struct berth_timer *timer = timers->heap[1];

		if (timer->deadline > timer->position_) {
			reposition(timers, timer);
			continue;
		}
		timers_cancel(timers, timer);
		return timer;
	}
	return NULL;
}

berth_time timers_deadline(const struct timers *timers)
{
	return timers->count ? timers->heap[1]->position_ : BERTH_NEVER;
}
