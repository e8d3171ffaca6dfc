/* SPDX-License-Identifier: BSD-2-Clause */
/* A recorded rate (berth/conditions.h), and where one is in it. */
#ifndef LINK_TRACE_H
#define LINK_TRACE_H

#include <berth/conditions.h>

enum {
	TRACE_NAME_MAX = 40,
	/* mahimahi counts IP packets of 1500 bytes; a cable carries frames, of which each has an Ethernet header. */
	TRACE_BYTES = 1514,
};

struct berth_trace {
	unsigned references;
	char name[TRACE_NAME_MAX + 1];
	size_t count;
	uint32_t milliseconds[];
};

/* A place in a trace. All zero: it has not begun. */
struct trace_place {
	bool begun;
	berth_time round; /* when the present time through the trace began */
	size_t next;	  /* the opportunity that is not used up */
	uint32_t left;	  /* bytes that it still has */
};

/* Carry length bytes from now on: what is left of opportunities is for the next. Returns when the last byte leaves. */
berth_time trace_carry(const struct berth_trace *trace, struct trace_place *place, size_t length, berth_time now);

#endif
