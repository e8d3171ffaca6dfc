/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/port/space.h"

#include <assert.h>
#include <errno.h>

int port_init(struct berth_stack *stack)
{
	stack->ports = stack_alloc(stack, sizeof(*stack->ports));
	if (!stack->ports)
		return -ENOMEM;
	for (size_t i = 0; i < PORT_COUNTERS; i++)
		stack->ports->counters[i] = (uint32_t)random_u64(&stack->random);
	return demux_init(stack);
}

static void space_free(struct berth_stack *stack, struct port_space *space)
{
	for (size_t i = 0; i < COUNT_OF(space->pages); i++)
		stack_free(stack, space->pages[i], PORTS_A_PAGE * sizeof(struct list));
	stack_free(stack, space, sizeof(*space));
}

void port_fini(struct berth_stack *stack)
{
	demux_fini(stack);
	if (!stack->ports)
		return;
	while (stack->ports->spaces) {
		struct port_space *space = stack->ports->spaces;

		stack->ports->spaces = space->next;
		space_free(stack, space);
	}
	stack_free(stack, stack->ports, sizeof(*stack->ports));
	stack->ports = NULL;
}

struct port_space *port_space(struct berth_stack *stack, uint8_t protocol, bool make)
{
	struct port_space *space;

	for (space = stack->ports->spaces; space; space = space->next)
		if (space->protocol == protocol)
			return space;
	space = make ? stack_alloc(stack, sizeof(*space)) : NULL;
	if (space) {
		space->protocol = protocol;
		space->next = stack->ports->spaces;
		stack->ports->spaces = space;
	}
	return space;
}

struct list *port_bucket(struct berth_stack *stack, struct port_space *space, uint16_t port, bool make)
{
	struct list **page = &space->pages[port / PORTS_A_PAGE];

	if (!*page && make) {
		*page = stack_alloc(stack, PORTS_A_PAGE * sizeof(struct list));
		for (size_t i = 0; *page && i < PORTS_A_PAGE; i++)
			list_init(&(*page)[i]);
	}
	return *page ? &(*page)[port % PORTS_A_PAGE] : NULL;
}

static struct list *first_shared(struct list *bucket)
{
	LIST_EACH(bucket, node)
		if (LIST_ITEM(node, struct port_claim, node)->shared)
			return node;
	return bucket;
}

int port_claim_enter(struct berth_stack *stack, struct port_claim *claim)
{
	struct port_space *space = port_space(stack, claim->protocol, true);
	struct list *bucket = space ? port_bucket(stack, space, claim->port, true) : NULL;

	if (!bucket)
		return -ENOMEM;
	if (claim->shared && claim->chosen)
		list_append(bucket, &claim->node);
	else if (claim->shared)
		list_append(first_shared(bucket), &claim->node);
	else
		list_prepend(bucket, &claim->node);
	space->used[claim->port / 64] |= UINT64_C(1) << (claim->port % 64);
	return 0;
}

void port_release(struct berth_stack *stack, struct port_claim *claim)
{
	struct port_space *space;
	struct list *bucket;

	if (!claim->node.next || list_empty(&claim->node))
		return;
	list_remove(&claim->node);
	space = port_space(stack, claim->protocol, false);
	bucket = port_bucket(stack, space, claim->port, false);
	assert(bucket); /* the claim was in it */
	if (list_empty(bucket))
		space->used[claim->port / 64] &= ~(UINT64_C(1) << (claim->port % 64));
	claim->port = 0;
}
