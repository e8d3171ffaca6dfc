/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the program points to may not be there. libc hands such pointers on, and
 * the kernel says EFAULT; here they are looked at, so the kernel is asked first,
 * by the cheapest calls that touch memory and do nothing else. What is a little
 * above our own frame is the callers': most pointers are of that kind.
 */
#include "shim/shim.h"

enum { PAGE = 4096, NEAR = 16384, NO_SUCH_HOW = 99, SIGNAL_SET = 8 };

static bool is_near(const void *at, size_t length)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

	return (uintptr_t)at - frame < NEAR && length < NEAR;
}

/* Linux reads the set before it looks at what is to be done with it. */
static bool word_readable(uintptr_t at)
{
	return raw(SYS_rt_sigprocmask, NO_SUCH_HOW, (long)(at & ~(uintptr_t)(SIGNAL_SET - 1)), 0, SIGNAL_SET, 0, 0) ==
	       -EINVAL;
}

bool readable(const void *at, size_t length)
{
	uintptr_t first = (uintptr_t)at, last = first + length - 1;

	if (!length || is_near(at, length))
		return true;
	if (first < PAGE || last < first || !word_readable(first))
		return false;
	while (first / PAGE != last / PAGE) {
		first += PAGE - first % PAGE;
		if (!word_readable(first))
			return false;
	}
	return true;
}

/* The number of the processor is written there, 4 bytes. */
static bool word_writable(uintptr_t at)
{
	return raw(SYS_getcpu, (long)at, 0, 0, 0, 0, 0) == 0;
}

bool writable(void *at, size_t length)
{
	uintptr_t first = (uintptr_t)at, last = first + length - sizeof(int);

	if (is_near(at, length))
		return true;
	return first && word_writable(first) &&
	       (first / PAGE == (last + sizeof(int) - 1) / PAGE || word_writable(last));
}
