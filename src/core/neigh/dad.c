/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Duplicate address detection. RFC 4862 §5.4: after a random delay, one
 * solicitation for the address from nowhere; a second of silence, and it is ours.
 *
 * An address that proves to be someone else's stays tentative, and so unused,
 * until it is removed (§5.4.5).
 */
#include "core/neigh/table.h"

#include "core/route/route.h"

#include <errno.h>

#define RETRANS_TIMER (1 * BERTH_SEC)
#define MAX_DELAY (1 * BERTH_SEC) /* MAX_RTR_SOLICITATION_DELAY */

struct dad {
	struct list node; /* in table->dads */
	struct berth_link *link;
	struct link_address *address;
	struct berth_timer timer;
	bool asked;
};

static void dad_free(struct dad *dad)
{
	struct berth_stack *stack = dad->link->stack;

	timers_cancel(&stack->timers, &dad->timer);
	list_remove(&dad->node);
	stack_free(stack, dad, sizeof(*dad));
}

static void dad_succeed(struct dad *dad)
{
	dad->address->tentative = false;
	route_changed(dad->link->stack); /* it may be the better source from now on */
	dad_free(dad);
}

static void dad_timer(struct berth_timer *timer)
{
	struct dad *dad = CONTAINER_OF(timer, struct dad, timer);
	struct berth_stack *stack = dad->link->stack;

	if (dad->asked || timers_set(&stack->timers, timer, stack->now + RETRANS_TIMER) < 0) {
		dad_succeed(dad);
		return;
	}
	dad->asked = true;
	ndp_solicit(dad->link, dad->address->ip, NULL, ip_any);
}

int dad_start(struct berth_link *link, struct link_address *address)
{
	struct berth_stack *stack = link->stack;
	struct dad *dad = stack_alloc(stack, sizeof(*dad));
	berth_time delay = (berth_time)random_below(&stack->random, (uint64_t)MAX_DELAY);

	if (!dad)
		return -ENOMEM;
	dad->link = link;
	dad->address = address;
	dad->timer.run = dad_timer;
	list_append(&link->neigh->dads, &dad->node);
	if (timers_set(&stack->timers, &dad->timer, stack->now + delay) < 0) {
		dad_free(dad);
		return -ENOMEM;
	}
	address->tentative = true;
	return 0;
}

static struct dad *dad_find(struct berth_link *link, const struct link_address *address)
{
	LIST_EACH(&link->neigh->dads, node) {
		struct dad *dad = LIST_ITEM(node, struct dad, node);

		if (dad->address == address)
			return dad;
	}
	return NULL;
}

void dad_stop(struct berth_link *link, const struct link_address *address)
{
	struct dad *dad = link->neigh ? dad_find(link, address) : NULL;

	if (dad)
		dad_free(dad);
}

void dad_fail(struct berth_link *link, const struct link_address *address)
{
	struct dad *dad = dad_find(link, address);

	if (!dad)
		return; /* known to be someone else's already */
	stack_event(link->stack, BERTH_EVENT_NDP_DUPLICATE_ADDRESS);
	dad_free(dad);
}
