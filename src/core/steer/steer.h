/* SPDX-License-Identifier: BSD-2-Clause */
/* The rule of berth/steer.h from the inside: what the choice of ports and the look at frames share. */
#ifndef CORE_STEER_STEER_H
#define CORE_STEER_STEER_H

#include "base/random.h"

#include <berth/steer.h>

struct steering {
	struct hash_key key;
	unsigned count; /* 0: a stack that is alone */
	unsigned index;
	uint16_t dealt_from;
};

/* Returns 0, or -EINVAL: there can't be such a one. */
int steering_init(struct steering *steering, const struct berth_steering *config, unsigned index);
/* As berth_steer_flow(). */
unsigned steering_flow(const struct steering *steering, uint8_t protocol, const struct berth_endpoint *local,
		       const struct berth_endpoint *remote);
/* Is the first thing in a packet of protocol two ports? */
bool steering_has_ports(uint8_t protocol);

#endif
