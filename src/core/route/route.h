/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The route table: longest prefix first, both versions in one table. A link's
 * own prefixes are routes too (automatic); those added by the embedder are not.
 */
#ifndef CORE_ROUTE_ROUTE_H
#define CORE_ROUTE_ROUTE_H

#include "core/stack.h"

struct route {
	struct route *next; /* in its bucket */
	struct berth_ip prefix;
	struct berth_ip gateway; /* any: the destination is on the link */
	struct berth_link *link;
	uint8_t bits;	 /* of prefix, counted over all 128 */
	unsigned uses;	 /* automatic: how many addresses want it */
	bool configured; /* by berth_route_add() */
};

int route_table_init(struct berth_stack *stack);
void route_table_fini(struct berth_stack *stack);

/* The best route to destination, over link if link is given; NULL: none. Valid until routes change. */
const struct route *route_find(struct berth_stack *stack, struct berth_ip destination, struct berth_link *link);

/* The route that an address brings with it; counted, as two addresses may share one. */
int route_add_connected(struct berth_link *link, struct berth_ip prefix, unsigned length);
void route_remove_connected(struct berth_link *link, struct berth_ip prefix, unsigned length);
/*
 * gateway, on link, does not answer. Routes of the same prefix by others go
 * before its own from now on. RFC 1122 §3.3.1.5, RFC 4861 §6.3.6
 */
void route_gateway_failed(struct berth_link *link, struct berth_ip gateway);
/* link goes away. */
void route_remove_link(struct berth_link *link);

/* Cached paths may be wrong from here on. */
static inline void route_changed(struct berth_stack *stack)
{
	if (++stack->route_generation == 0)
		stack->route_generation = 1; /* 0 marks a path that was never found */
}

#endif
