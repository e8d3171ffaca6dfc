/* SPDX-License-Identifier: BSD-2-Clause */
/* Time and chance: clock.h. */
#include "os/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

berth_time clock_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (berth_time)time.tv_sec * BERTH_SEC + time.tv_nsec;
}

int64_t clock_wall(void)
{
	return (int64_t)time(NULL);
}

int64_t clock_wall_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (int64_t)time.tv_sec * BERTH_SEC + time.tv_nsec;
}

void entropy_fill(void *bytes, size_t size)
{
	uint8_t *to = bytes;

	while (size) {
		ssize_t n = getrandom(to, size, 0);
		if (n < 0 && errno != EINTR)
			abort(); /* no getrandom(2): older than any kernel that we run on, and nothing may be guessed */
		if (n > 0) {
			to += n;
			size -= (size_t)n;
		}
	}
}
