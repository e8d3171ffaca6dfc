/* SPDX-License-Identifier: BSD-2-Clause */
/* Random jitter of a given shape. */
#ifndef LINK_DISTRIBUTION_H
#define LINK_DISTRIBUTION_H

#include <berth/conditions.h>

#define DISTRIBUTION_UNIT 8192

/* Turn 32 random bits into a draw with mean 0; deviation is what enum berth_distribution says of jitter. */
int64_t distribution_draw(enum berth_distribution distribution, uint32_t draw, int64_t deviation);

#endif
