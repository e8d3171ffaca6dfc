/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual network: hosts, each a stack with a name, joined by a switch; a
 * name service that knows them all. Pure, like the stacks: frames between
 * hosts move inside berth_net_advance(), in one order given one seed.
 *
 * One thread owns a network with all that is in it.
 */
#ifndef BERTH_NET_H
#define BERTH_NET_H

#include <berth/conditions.h>
#include <berth/stack.h>
#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_net;
struct berth_host;

struct berth_net_config {
	uint64_t seed;
	berth_time now;
	const char *name;	 /* "default" when NULL; copied */
	struct berth_ip subnet4; /* all zero: 10.77.0.0 */
	unsigned subnet4_length; /* 0: 16 */
	struct berth_ip subnet6; /* all zero: fd77::/64 */
	unsigned mtu;		 /* 0: 1500 */
	unsigned superframe;	 /* as in berth_link_config; UINT_MAX: none; 0: 64 KiB */
	const struct berth_allocator *allocator;
	struct berth_limits limits; /* of each host's stack */
	size_t memory; /* bytes of packets of all hosts together, shared as berth_stack_memory() says; 0: no limit */
};

/* Make an empty network. NULL: no memory, or a subnet that makes no sense. */
BERTH_EXPORT struct berth_net *berth_net_new(const struct berth_net_config *config);
/* End it with all its hosts. NULL is fine. */
BERTH_EXPORT void berth_net_free(struct berth_net *net);

/*
 * Add a host. name is a DNS label (RFC 1123 §2.1); address all zero picks the
 * lowest free ones; hooks as for a stack (NULL: none). Returns 0, -EEXIST
 * (name), -EADDRINUSE, -EINVAL (name, or address outside the subnet),
 * -ENOSPC (subnet full) or -ENOMEM. The host is the network's.
 */
BERTH_EXPORT int berth_net_add_host(struct berth_net *net, const char *name, struct berth_ip address,
				    const struct berth_hooks *hooks, struct berth_host **ret_host);
BERTH_EXPORT void berth_net_remove_host(struct berth_host *host);
BERTH_EXPORT struct berth_host *berth_net_find_host(struct berth_net *net, const char *name);
/* Hosts in the order they came; NULL begins, NULL ends. */
BERTH_EXPORT struct berth_host *berth_net_next_host(struct berth_net *net, struct berth_host *after);

/*
 * Have name, a DNS label, found as host, too. Several hosts may share one: all their addresses are the answer,
 * and each has its turn at being the first of them. A host's own name goes before. Returns 0, -EINVAL (no label), -EEXIST (a host's own name) or -ENOMEM.
 */
BERTH_EXPORT int berth_host_add_name(struct berth_host *host, const char *name);

/* What a host is made of: its stack (the host's, gone with it), name, and addresses. */
BERTH_EXPORT struct berth_stack *berth_host_stack(struct berth_host *host);
BERTH_EXPORT const char *berth_host_name(const struct berth_host *host);
BERTH_EXPORT struct berth_ip berth_host_ip4(const struct berth_host *host);
BERTH_EXPORT struct berth_ip berth_host_ip6(const struct berth_host *host);

/* As seen from the host: what it sends, what it receives. */
enum { BERTH_OUT = 1, BERTH_IN = 2, BERTH_BOTH = 3 };

/*
 * Give host's cable conditions, in one direction or both. They hold for what
 * is sent from now on; no conversation is reset. Returns 0 or -EINVAL.
 */
BERTH_EXPORT int berth_host_set_conditions(struct berth_host *host, int direction,
					   const struct berth_conditions *conditions);
/* What one direction has now. */
BERTH_EXPORT struct berth_conditions berth_host_conditions(const struct berth_host *host, int direction);

/*
 * The same for what goes from one host to one other, on top of their cables'
 * own. All zero: none. Returns 0, -EINVAL (the same host, two networks) or
 * -ENOMEM.
 */
BERTH_EXPORT int berth_pair_set_conditions(struct berth_host *from, struct berth_host *to,
					   const struct berth_conditions *conditions);
BERTH_EXPORT struct berth_conditions berth_pair_conditions(const struct berth_host *from, const struct berth_host *to);

/* What a cable has done so far. */
struct berth_cable_info {
	uint64_t packets_in, bytes_in, packets_out, bytes_out;
	uint64_t lost, over_limit, cut, no_memory; /* packets dropped, by reason */
	uint64_t duplicated, reordered, corrupted, marked;
	uint64_t under_way; /* packets */
};
BERTH_EXPORT struct berth_cable_info berth_host_cable(const struct berth_host *host, int direction);
BERTH_EXPORT struct berth_cable_info berth_pair_cable(const struct berth_host *from, const struct berth_host *to);

/* A frame where it leaves or reaches a host. */
struct berth_frame {
	struct berth_host *host;
	int direction;	      /* BERTH_OUT or BERTH_IN */
	const uint8_t *bytes; /* Ethernet, as a cable would carry it: cut to segments, with checksums */
	size_t length;
	berth_time time;
	const char *dropped;	 /* NULL: not; else why: "loss", "limit", "cut", "memory" */
	struct berth_host *from; /* dropped between two hosts (berth_pair_set_conditions()): who sent it; else NULL */
	const struct berth_conditions *conditions; /* of the cable that dropped it, during the call; else NULL */
};

/*
 * Have frame called for every frame that a host sends or gets, and for those
 * that cables drop. NULL ends it. While nobody looks it costs nothing. frame
 * must not call back into the network.
 */
BERTH_EXPORT void berth_net_observe(struct berth_net *net,
				    void (*frame)(void *context, const struct berth_frame *frame), void *context);

/*
 * The same for frames that cables drop, and no others: it costs nothing while
 * no cable has conditions. Both may be asked for; each is called.
 */
BERTH_EXPORT void berth_net_observe_drops(struct berth_net *net,
					  void (*frame)(void *context, const struct berth_frame *frame), void *context);

/*
 * Move every frame that is due, run every timer that is due. Call after API calls, too. Costs what there is to do:
 * hosts that have nothing due are not looked at. Of those that are due together, who was added first has its turn first.
 */
BERTH_EXPORT void berth_net_advance(struct berth_net *net, berth_time now);
/* When berth_net_advance() must next be called; the past when frames wait already. */
BERTH_EXPORT berth_time berth_net_deadline(const struct berth_net *net);

#ifdef __cplusplus
}
#endif
#endif
