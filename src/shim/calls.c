/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shim wants of libc, which may lack any of it; and time. */
#include "shim/shim.h"

#include <time.h>

enum { CANCEL_ASYNCHRONOUS = 1 }; /* glibc, musl: PTHREAD_CANCEL_ASYNCHRONOUS */

extern int *__errno_location(void);
extern int pthread_setcanceltype(int type, int *old) __attribute__((weak));
extern int clock_gettime(clockid_t clock, struct timespec *time) __attribute__((weak));

long finish(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	*__errno_location() = (int)-result;
	return -1;
}

/* glibc, since 2.32: has there never been another thread? Then glibc itself does not look whether this one is to end. */
extern char __libc_single_threaded __attribute__((weak));

long waiting(long number, long a, long b, long c, long d, long e, long f)
{
	int old = 0;
	long result;

	if (&__libc_single_threaded && __libc_single_threaded)
		return raw(number, a, b, c, d, e, f);
	/* As glibc did it for twenty years: the thread may end anywhere between these two. */
	if (pthread_setcanceltype)
		pthread_setcanceltype(CANCEL_ASYNCHRONOUS, &old);
	result = raw(number, a, b, c, d, e, f);
	if (pthread_setcanceltype)
		pthread_setcanceltype(old, NULL);
	return result;
}

int64_t clock_ms(void)
{
	struct timespec now = { 0 };

	if (!clock_gettime || clock_gettime(CLOCK_MONOTONIC_COARSE, &now))
		raw(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, (long)&now, 0, 0, 0, 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
