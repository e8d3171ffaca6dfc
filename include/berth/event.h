/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that can happen to a packet or a connection has a name. Each
 * event has a counter in its stack; drops are events whose name has DROP in it.
 */
#ifndef BERTH_EVENT_H
#define BERTH_EVENT_H

#include <berth/protocol.h>
#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_stack;

enum berth_event {
#define EVENT(name, text) BERTH_EVENT_##name,
#include <berth/events.def>
#undef EVENT
	BERTH_EVENT_COUNT
};

/* What an event hook is told (struct berth_hooks, stack.h). */
struct berth_event_info {
	unsigned event;	  /* enum berth_event */
	uint8_t protocol; /* 6, 17, …; 0: the packet was not looked into that far, and what follows is zero */
	struct berth_endpoint local, remote; /* of the conversation, as far as it is known */
	const char *state, *before; /* TCP_STATE: the new state and the old one, in ss's words or "CLOSED"; else NULL */
};

/* "TCP_DROP_CHECKSUM", and what it means in a line; NULL past the last. */
BERTH_EXPORT const char *berth_event_name(unsigned event);
BERTH_EXPORT const char *berth_event_text(unsigned event);
/* How often event has happened in stack. */
BERTH_EXPORT uint64_t berth_event_count(const struct berth_stack *stack, unsigned event);

#ifdef __cplusplus
}
#endif
#endif
