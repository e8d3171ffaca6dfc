/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One address, several stacks: one for each core, each owned by a thread of the
 * caller's, with nothing shared. What arrives is steered: a rule says which
 * stack a frame is for, and the stacks choose their ports so that answers come
 * home by the same rule.
 *
 *   - A conversation (TCP, UDP, UDP-Lite, SCTP, DCCP) goes by a keyed hash of
 *     both addresses, both ports and the protocol, which is the same in both
 *     directions. With one steering at both ends of a cable, the stacks of the
 *     same index meet, and no frame has to go from one thread to another.
 *   - Ports from dealt_from on are dealt out: what is for such a port of ours,
 *     or for such an identifier of a ping, is for stack port % count, whoever
 *     sent it. Sockets without a peer get theirs there when they do not ask for
 *     one; connections get theirs below, chosen by the hash.
 *   - ICMP errors go where the packet that they quote came from, fragments where
 *     the datagram's first one went.
 *   - ARP requests, neighbour solicitations and DHCP answers are for the first
 *     stack, which answers for all; what all have to know (ARP replies, router
 *     and neighbour advertisements, redirects, multicast, broadcast) is for all.
 *
 * A service has a listener, or a socket bound to its port, on each stack (as
 * with SO_REUSEPORT): each gets the conversations that are steered to it. Servers
 * of TCP Fast Open share a key: berth_stack_set_fastopen_key(). What a stack
 * sends to its own address stays in it.
 *
 * This follows what network cards do to spread flows over queues (receive side
 * scaling), and Linux for listeners; the rule is our own.
 */
#ifndef BERTH_STEER_H
#define BERTH_STEER_H

#include <berth/link.h>
#include <berth/protocol.h>
#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_stack;

enum { BERTH_STEER_MAX = 256 }; /* stacks */
enum { BERTH_STEER_ALL = -1 };	/* a frame for every one of them */

struct berth_steering {
	uint64_t key[2];     /* one for all; from entropy unless in a simulation, so that nobody can aim at one core */
	unsigned count;	     /* stacks, 1 to BERTH_STEER_MAX */
	uint16_t dealt_from; /* the first port that is dealt out, 40,000 or more; 0: 61,000 */
};

/*
 * stack is number index of those that steering, which is copied, speaks of. Ports
 * are chosen by it from now on. A port that was asked for is taken as it is; then
 * connect() fails with EADDRNOTAVAIL where the answers would go to another stack.
 * NULL: stack is alone again. Returns 0 or -EINVAL.
 */
BERTH_EXPORT int berth_stack_set_steering(struct berth_stack *stack, const struct berth_steering *steering,
					  unsigned index);

/*
 * Which stack has the conversation of these two ends: local is the stacks' own.
 * Of protocols whose ports are not known here, the addresses decide alone.
 */
BERTH_EXPORT unsigned berth_steer_flow(const struct berth_steering *steering, uint8_t protocol,
				       const struct berth_endpoint *local, const struct berth_endpoint *remote);

/* Who looks at frames. It remembers which way fragments went, so it has one owner, like a stack. */
struct berth_steer;

/* steering is copied; frames are a link's of that type. NULL: no memory, or a steering that makes no sense. */
BERTH_EXPORT struct berth_steer *berth_steer_new(const struct berth_steering *steering, enum berth_link_type type,
						 const struct berth_allocator *allocator);
BERTH_EXPORT void berth_steer_free(struct berth_steer *steer);

/*
 * Which stack a frame that arrived at now is for, or BERTH_STEER_ALL: give each a
 * copy (berth_packet_copy(), from the pool of whoever gets it; a pool belongs to
 * one thread). Frames that make no sense are the first one's, which counts them.
 * A fragment that comes before its datagram's first one, or after 1,024 other
 * datagrams, is for all: whoever gets the first one has then all of them.
 */
BERTH_EXPORT int berth_steer_frame(struct berth_steer *steer, const void *bytes, size_t length, berth_time now);

#ifdef __cplusplus
}
#endif
#endif
