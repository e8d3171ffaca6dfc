/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/budget.h"

#include "core/socket/socket.h"

/* Eighths of the limit: for all by the rule; little to send, too; little to receive, too. */
enum { SHARED = 5, SENDING, RECEIVING };

#define LOOK_AGAIN (10 * BERTH_MSEC) /* Linux: sk_stream_wait_memory() waits up to 200 ms */

static size_t left_of(size_t limit, size_t used, size_t eighths)
{
	limit = limit / 8 * eighths;
	return limit > used ? limit - used : 0;
}

/* Of so many eighths. counted: bytes of a packet that the pool has already. */
static size_t left(const struct berth_stack *stack, size_t eighths, size_t counted)
{
	size_t own = left_of(stack->limits.memory, stack->budget.used, eighths), pool_limit;

	if (!stack->budget.shared || !(pool_limit = packet_pool_limit(stack->packets)))
		return own;
	return MIN(own, left_of(pool_limit, packet_pool_used(stack->packets) - counted, eighths));
}

/* What the rule leaves to a socket that holds so much. Among stacks that share a pool it holds for them, too. */
static size_t share(const struct berth_stack *stack, size_t held, size_t left)
{
	if (stack->budget.shared && packet_pool_limit(stack->packets) && stack->budget.used >= left)
		return 0;
	return left > held ? left - held : 0;
}

size_t budget_room(const struct berth_stack *stack, size_t held, size_t own)
{
	size_t fair, least = own < BUDGET_MINIMUM ? BUDGET_MINIMUM - own : 0;

	if (!stack->budget.shared) { /* share() and left() of one stack alone */
		fair = left_of(stack->limits.memory, stack->budget.used + held, SHARED);
		if (fair >= BUDGET_MINIMUM)
			return fair;
	}
	fair = share(stack, held, left(stack, SHARED, 0));
	return fair >= least ? fair : MAX(fair, MIN(left(stack, SENDING, 0), least));
}

bool budget_takes(const struct berth_stack *stack, size_t held, size_t own, size_t more)
{
	return share(stack, held, left(stack, SHARED, more)) >= more || (!own && left(stack, RECEIVING, more) >= more);
}

static bool over(const struct berth_stack *stack, size_t eighths)
{
	size_t pool_limit = packet_pool_limit(stack->packets);

	return stack->budget.used >= stack->limits.memory / 8 * eighths ||
	       (stack->budget.shared && pool_limit && packet_pool_used(stack->packets) >= pool_limit / 8 * eighths);
}

/* Begins at half, ends below three eighths. */
void budget_look(struct berth_stack *stack)
{
	struct budget *budget = &stack->budget;
	bool pressure = over(stack, budget->pressure ? 3 : 4);

	if (pressure && !budget->pressure)
		stack_event(stack, BERTH_EVENT_MEMORY_PRESSURE);
	budget->pressure = pressure;
}

bool budget_starve(struct berth_socket *socket)
{
	struct berth_stack *stack = socket->stack;
	struct budget *budget = &stack->budget;

	if (!budget->timer.index_ && berth_timer_set(stack, &budget->timer, stack->now + LOOK_AGAIN) < 0)
		return false;
	if (list_empty(&socket->later_node)) /* else it is notified soon, and is here again if need be */
		list_append(&budget->starved, &socket->later_node);
	return true;
}

static void look_again(struct berth_timer *timer)
{
	struct berth_stack *stack = CONTAINER_OF(timer, struct berth_stack, budget.timer);
	struct list *starved = &stack->budget.starved;
	unsigned waiting = 0;

	budget_look(stack);
	while (!list_empty(starved)) {
		struct list *node = starved->next;

		list_remove(node);
		list_append(&stack->sockets.later, node);
		waiting++;
	}
	/* Told here and not by who asks whether it is writeable: a hook may close what it is told of, or call on it. */
	while (waiting--)
		stack_event(stack, BERTH_EVENT_MEMORY_SEND_REFUSED);
	socket_notify_run(stack);
}

void budget_init(struct berth_stack *stack, bool shared)
{
	stack->budget.shared = shared;
	stack->budget.timer.run = look_again;
	list_init(&stack->budget.starved);
}

void budget_measure(struct berth_stack *stack)
{
	size_t limit = stack->limits.memory, pool_limit = packet_pool_limit(stack->packets);

	if (pool_limit)
		limit = MIN(limit, pool_limit);
	stack->budget.shared = stack->budget.shared && pool_limit; /* who shares what has no end need not be asked */
	stack->budget.fair = stack->budget.shared ? 0 : stack->limits.memory / 8 * SHARED;
	stack->budget.largest = (uint32_t)packet_payload_within(limit / 8);
}

struct berth_memory berth_stack_memory(const struct berth_stack *stack)
{
	return (struct berth_memory){
		.limit = stack->limits.memory,
		.used = stack->budget.used,
		.pressure = stack->budget.pressure,
		.pool_limit = packet_pool_limit(stack->packets),
		.pool_used = packet_pool_used(stack->packets),
	};
}
