/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and counters of events. The list itself is berth/events.def. */
#include "core/stack.h"

static const struct {
	const char *name, *text;
} events[] = {
#define EVENT(name, text) { #name, text },
#include <berth/events.def>
#undef EVENT
};

void stack_tell(struct berth_stack *stack, enum berth_event event, uint8_t protocol, const struct berth_endpoint *local,
		const struct berth_endpoint *remote)
{
	struct berth_event_info about = { .event = event };

	if (local) {
		about.protocol = protocol;
		about.local = *local;
		about.remote = *remote;
	}
	stack->hooks.event(stack->hooks.context, &about);
}

const char *berth_event_name(unsigned event)
{
	return event < BERTH_EVENT_COUNT ? events[event].name : NULL;
}

const char *berth_event_text(unsigned event)
{
	return event < BERTH_EVENT_COUNT ? events[event].text : NULL;
}

uint64_t berth_event_count(const struct berth_stack *stack, unsigned event)
{
	return event < BERTH_EVENT_COUNT ? stack->events[event] : 0;
}
