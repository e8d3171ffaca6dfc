/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that arrive together. The segments of one conversation that follow each
 * other with the same header, as a bulk sender's do, are taken as one: the first
 * goes the usual way through every check, and where its text is put into the
 * receive queue, the others' is put behind it. Whatever is not taken there, for
 * any reason, goes the usual way after it. (Linux: GRO.)
 */
#ifndef CORE_IP_GATHER_H
#define CORE_IP_GATHER_H

#include "core/stack.h"

/* The frames behind the first of a run; stack->gathered while the first is under way. */
struct gathered {
	struct berth_packet *const *packets; /* the first, and those that follow it */
	size_t count, taken;
	size_t network, transport, payload; /* where headers begin in each of them, and where they end */
};

/* How many of count frames, the first included, make a run. 1: the first goes alone, and ret_gathered is not set. */
size_t gather(const struct berth_stack *stack, const struct berth_link *link, struct berth_packet *const *packets,
	      size_t count, struct gathered *ret_gathered);

/*
 * The next that was not taken yet, if its checksums are right; its data is all
 * of the frame still. NULL: none. The caller takes it by gathered_take(), which
 * cuts it down to its payload, or leaves it.
 */
struct berth_packet *gathered_next(const struct gathered *gathered, const struct berth_link *link);
uint32_t gathered_seq(const struct gathered *gathered); /* the next one's */
void gathered_take(struct gathered *gathered);

#endif
