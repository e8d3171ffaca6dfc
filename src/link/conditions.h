/* SPDX-License-Identifier: BSD-2-Clause */
/* berth/conditions.h from the inside. */
#ifndef LINK_CONDITIONS_H
#define LINK_CONDITIONS_H

#include <berth/conditions.h>

/* Is a cable with these perfect? Correlations and the like say nothing without what they go with. */
static inline bool conditions_are_none(const struct berth_conditions *conditions)
{
	return !conditions->delay && !conditions->jitter && !conditions->loss && !conditions->bursts &&
	       !conditions->duplicate && !conditions->reorder && !conditions->corrupt && !conditions->rate &&
	       !conditions->trace && !conditions->slot_max && !conditions->limit && !conditions->limit_bytes &&
	       !conditions->cut;
}

#endif
