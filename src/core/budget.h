/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may hold how much of a stack's memory, and who is refused first.
 *
 * What counts is packets in sockets' queues, with their whole buffers, against
 * berth_limits.memory. A socket may hold as much as is still free of five
 * eighths of it. So one alone gets half of that, two get a third each, and
 * there is something left for the next: whoever holds most is refused first,
 * and nobody can take what a smaller one needs. (The rule is that of
 * shared-memory switches: Choudhury and Hahne, "Dynamic queue length
 * thresholds", 1998, with alpha 1.)
 *
 * The sixth eighth is for those that have little to send, so that many can't be
 * shut out by a few; the seventh for those to whom little has come, so that
 * what is kept for sending can't shut out what would let it go. The last is
 * for packets under way, ACKs among them.
 *
 * The same rule holds between the stacks that share a packet pool.
 *
 * Under pressure, from half of the limit on, buffers don't grow. Who is
 * refused when sending waits in a list that a timer goes through, since the
 * memory may become free in another stack.
 */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include "base/list.h"

#include <berth/protocol.h>

#define BUDGET_MINIMUM 4096u /* Linux: tcp_rmem[0], tcp_wmem[0] */

struct berth_stack;
struct berth_socket;

struct budget {
	size_t used;
	size_t fair;	  /* what all may use together by the rule, of a stack alone; 0: of one that shares its pool */
	uint32_t largest; /* bytes of data that a packet can carry at any time */
	bool pressure, shared; /* shared: the pool has other stacks */
	struct list starved;   /* sockets that wait for memory to send, by later_node */
	struct berth_timer timer;
};

void budget_init(struct berth_stack *stack, bool shared);
/* When the stack has its packet pool: how large may a packet be? */
void budget_measure(struct berth_stack *stack);
/* How many bytes may a socket that holds held bytes, of them own in this direction, take in addition? */
size_t budget_room(const struct berth_stack *stack, size_t held, size_t own);
/*
 * Is there so much that nobody need ask? Without pressure less than half of the memory is used; a socket that has
 * nothing to send finds room in the sixth eighth, whatever it has received.
 */
static inline bool budget_easy(const struct budget *budget)
{
	return !budget->pressure && !budget->shared;
}
/* The same for more bytes that a socket which holds held already is to take: then both rules below say yes. */
static inline bool budget_sure(const struct budget *budget, size_t held, size_t more)
{
	return budget->used + held + more <= budget->fair;
}
/* May it take this packet of more bytes that arrived? One is always welcome, if there is memory at all. */
bool budget_takes(const struct berth_stack *stack, size_t held, size_t own, size_t more);
/* What sockets' queues hold changed: look whether there is pressure. */
void budget_look(struct berth_stack *stack);
/* socket wants to send and may not: it is notified when it may. False: there is no memory even for that. */
bool budget_starve(struct berth_socket *socket);

#endif
