/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port numbers of one protocol: a bucket of claims for each, in pages that
 * come when they are first needed, and a bitmap of the ports with any claim.
 */
#ifndef CORE_PORT_SPACE_H
#define CORE_PORT_SPACE_H

#include "core/port/port.h"

#define PORTS_A_PAGE 256

struct port_space {
	struct port_space *next;
	uint8_t protocol;
	uint16_t any_port;			  /* where a claim with any_port is, or was; 0: never */
	struct list *pages[65536 / PORTS_A_PAGE]; /* PORTS_A_PAGE lists of struct port_claim each */
	uint64_t used[65536 / 64];
};

#define PORT_COUNTERS 64 /* RFC 6056 §3.3.4's table; a power of two */

struct port_table {
	struct port_space *spaces;
	uint32_t counters[PORT_COUNTERS]; /* begin at random */
};

/* The space of protocol; made if need be when make is set. NULL: none, or no memory. */
struct port_space *port_space(struct berth_stack *stack, uint8_t protocol, bool make);
/* The bucket of port, or NULL: nothing there (make unset), or no memory. */
struct list *port_bucket(struct berth_stack *stack, struct port_space *space, uint16_t port, bool make);
static inline bool port_used(const struct port_space *space, uint16_t port)
{
	return space->used[port / 64] >> (port % 64) & 1;
}

/* May claim stand beside all others of its port? Its ip and flags count, its port is asked for. */
bool port_claim_allowed(struct berth_stack *stack, const struct port_claim *claim);
/*
 * Enter claim in its port's bucket. 0 or -ENOMEM. In a bucket those that wait
 * for peers come first, then those that share a port that was asked for, last
 * those that share a chosen one: so a look at the first tells most.
 */
int port_claim_enter(struct berth_stack *stack, struct port_claim *claim);
/* RFC 6056: claim->port from the ephemeral range, for port_claim(). 0 or -EADDRINUSE. */
int port_choose(struct berth_stack *stack, struct port_claim *claim);

int demux_init(struct berth_stack *stack);
void demux_fini(struct berth_stack *stack);

#endif
