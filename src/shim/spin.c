/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting awake. Who asks and is answered by datagrams waits for a few
 * microseconds each time, and to fall asleep and be woken, on another processor
 * above all, takes ten times that. So who has had several short waits in a row
 * looks again and again for a moment before it sleeps. Once that was in vain
 * it takes twice as many short waits as before: a processor is never kept
 * awake for what does not come. Linux has it as SO_BUSY_POLL, in drivers.
 *
 * It is known by the descriptor's number: a wrong guess costs a moment.
 */
#include "shim/shim.h"

#include <time.h>

enum {
	NUMBERS = 256,
	SHORT_NS = 100000, /* is a short wait; and how long is waited awake */
	SOON_NS = 8000,	   /* is no longer than a switch on one processor, or it was there before */
	NEED_LEAST = 4,
	NEED_MOST = 4096,
};

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* need << 16 | short waits in a row; atomic. */
static uint32_t habits[NUMBERS];

extern int clock_gettime(clockid_t clock, struct timespec *time) __attribute__((weak));

static int64_t clock_ns(void)
{
	struct timespec now = { 0 };

	if (!clock_gettime || clock_gettime(CLOCK_MONOTONIC, &now))
		raw(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void spin_forget(int fd)
{
	if (fd >= 0)
		__atomic_store_n(&habits[fd % NUMBERS], 0, __ATOMIC_RELAXED);
}

/* The call itself, again and again, without waiting. */
static long look(long number, long a, long b, long c, long d, int64_t until_ns)
{
	long dontwait = MSG_DONTWAIT, r;

	do {
		__builtin_ia32_pause();
		r = number == SYS_recvmsg ? raw(number, a, b, c | dontwait, 0, 0, 0)
					  : raw(number, a, b, c, d | dontwait, 0, 0);
	} while (r == -EAGAIN && clock_ns() < until_ns);
	return r;
}

/* What a wait says of those to come. asleep: it was not met awake. */
static uint32_t learn(unsigned need, unsigned count, bool tried, bool asleep, int64_t waited_ns)
{
	if (tried && asleep)
		return MIN_OF(2 * need, NEED_MOST) << 16;
	if (waited_ns > SHORT_NS)
		return need << 16;
	if (tried && need > NEED_LEAST)
		need--;
	if (waited_ns >= SOON_NS && count < NEED_MOST)
		count++;
	return need << 16 | (tried ? MAX_OF(count, need) : count);
}

long spin_receive(long number, int fd, long b, long c, long d)
{
	uint32_t *habit = &habits[(unsigned)fd % NUMBERS], value = __atomic_load_n(habit, __ATOMIC_RELAXED);
	unsigned need = MAX_OF(value >> 16, NEED_LEAST), count = value & UINT16_MAX;
	long flags = number == SYS_recvmsg ? c : d, r = -EAGAIN;
	bool tried = count >= need;
	int64_t begin;

	if (flags & MSG_DONTWAIT)
		return waiting(number, native(fd), b, c, d, 0, 0);
	begin = clock_ns();
	if (tried)
		r = look(number, native(fd), b, c, d, begin + SHORT_NS);
	bool asleep = r == -EAGAIN;
	if (asleep)
		r = waiting(number, native(fd), b, c, d, 0, 0);
	/* Not one that waits, or whose time is over: nothing is known of those. */
	value = r < 0 ? 0 : learn(need, count, tried, asleep, clock_ns() - begin);
	__atomic_store_n(habit, value, __ATOMIC_RELAXED);
	return r;
}
