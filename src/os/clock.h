/* SPDX-License-Identifier: BSD-2-Clause */
/* Time and chance, from the kernel. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <berth/types.h>

/* CLOCK_MONOTONIC in nanoseconds. */
berth_time clock_now(void);
/* Since 1970: seconds, and nanoseconds. */
int64_t clock_wall(void);
int64_t clock_wall_ns(void);
/* Fill bytes with random ones. Does not fail; waits for the kernel's pool at boot. */
void entropy_fill(void *bytes, size_t size);

#endif
