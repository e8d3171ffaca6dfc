/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack from the inside: what every part of core/ may use of it. Parts
 * keep their own state behind their own header and hang it in here.
 */
#ifndef CORE_STACK_H
#define CORE_STACK_H

#include "base/ip.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/packet.h"
#include "base/random.h"
#include "base/share.h"
#include "base/timer.h"
#include "core/budget.h"
#include "core/steer/steer.h"

#include <berth/event.h>
#include <berth/protocol.h>
#include <berth/stack.h>

struct neigh_table;
struct reassembly;
struct route_table;
struct port_table;
struct demux;
struct icmp;
struct groups;
struct dhcp;
struct gathered;
struct local_names;

struct link_address {
	struct list node;
	struct berth_ip ip;
	uint8_t prefix_length; /* 0-32 for IPv4 */
	bool tentative;	       /* DAD is under way: may not be used yet. RFC 4862 §5.4 */
	bool deprecated;       /* not for new conversations, if there is another. RFC 4862 §5.5.4 */
	bool in_group;	       /* the link is in its solicited-node group */
};

struct berth_link {
	struct list node; /* in stack->links */
	struct berth_stack *stack;
	char name[16];
	unsigned index;
	enum berth_link_type type;
	bool loopback;
	uint8_t mac[6];
	unsigned mtu, superframe, flags;
	unsigned mtu6;	   /* IPv6's, as routers say; 0: mtu */
	uint8_t hop_limit; /* IPv6's default, as routers say; 0: ours */
	void (*transmit)(void *context, struct berth_packet *packet);
	void *context;
	struct list addresses;	   /* struct link_address */
	struct neigh_table *neigh; /* Ethernet links; neigh/'s */
	struct groups *groups;	   /* group/'s */
	struct dhcp *dhcp;	   /* dhcp/'s; NULL: off */
	/* ip/input.c's: of the last packet whose addresses were good, while route_generation is this. */
	struct berth_ip known_source, known_destination;
	uint8_t known4[8]; /* the same as IPv4's header has them; only while they are IPv4's */
	uint32_t known_generation;
};

struct socket_table {
	struct berth_socket **slots; /* by descriptor */
	size_t room, lowest_free;    /* no free slot lies below lowest_free */
	struct list all;	     /* every socket, with a descriptor or without */
	struct list ready;	     /* sockets that berth_poll() has to report */
	struct list later;	     /* sockets to notify when a walk over them is over */
	size_t count;
	struct share options; /* struct socket_options */
};

/* A protocol with names of its own, and what its attach() returned. */
struct stack_family {
	const struct berth_protocol *protocol;
	void *state;
};
#define STACK_FAMILIES 16

struct berth_stack {
	berth_time now;
	const struct berth_allocator *allocator;
	struct berth_packet_pool *packets;
	struct berth_limits limits; /* no field is 0 */
	struct berth_hooks hooks;
	struct random random;
	uint64_t sequence_seed;	  /* of sequence numbers and timestamps; 0: from random */
	struct steering steering; /* which of several stacks with one address this is, for the choice of ports */
	struct hash_key hash_key; /* of demultiplexing and every table a peer can fill */
	struct timers timers;
	struct list links;
	struct berth_link *loopback;
	unsigned last_link_index;
	struct gathered *gathered;	    /* ip/gather.h's: what follows the packet under way; NULL: nothing */
	struct packet_queue loopback_queue; /* sent to ourselves, delivered by advance(); packet->link: as if by that */
	struct route_table *routes;
	bool forwarding;	   /* packets for others go on */
	uint32_t route_generation; /* changes whenever a cached ip_path may be wrong */
	struct reassembly *reassembly;
	struct icmp *icmp;
	struct port_table *ports;
	struct demux *demux;
	struct socket_table sockets;
	struct budget budget;
	struct list raws; /* raw/'s sockets */
	const struct berth_protocol *protocols[256];
	void *protocol_states[256];
	struct stack_family families[STACK_FAMILIES]; /* the used ones come first */
	struct local_names *local_names;	      /* local/'s; NULL: none */
	uint64_t events[BERTH_EVENT_COUNT];
};

/* What a socket's queues hold was before bytes, and is now. */
static inline void budget_change(struct berth_stack *stack, size_t before, size_t now)
{
	struct budget *budget = &stack->budget;

	budget->used += now - before;
	if (budget->pressure || budget->used >= budget->fair / 2) /* as long as it is less there is none */
		budget_look(stack);
}

/* event.c: tell the embedder, who may do anything. The ends: of the conversation, or NULL. */
void stack_tell(struct berth_stack *stack, enum berth_event event, uint8_t protocol, const struct berth_endpoint *local,
		const struct berth_endpoint *remote);

/* Something happened that belongs to no conversation, or to none that is known. */
static inline void stack_event(struct berth_stack *stack, enum berth_event event)
{
	stack->events[event]++;
	if (stack->hooks.event)
		stack_tell(stack, event, 0, NULL, NULL);
}

/* Something happened between these two. */
static inline void stack_event_between(struct berth_stack *stack, enum berth_event event, uint8_t protocol,
				       const struct berth_endpoint *local, const struct berth_endpoint *remote)
{
	stack->events[event]++;
	if (stack->hooks.event)
		stack_tell(stack, event, protocol, local, remote);
}

/* Drop packet (which this takes) for a named reason. */
static inline void stack_drop(struct berth_stack *stack, struct berth_packet *packet, enum berth_event reason)
{
	stack_event(stack, reason);
	berth_packet_unref(packet);
}

static inline void *stack_alloc(struct berth_stack *stack, size_t size) /* zeroed */
{
	return memory_new(stack->allocator, size);
}
static inline void stack_free(struct berth_stack *stack, void *memory, size_t size)
{
	memory_free(stack->allocator, memory, size);
}

/*
 * Have sooner called whenever berth_stack_deadline() comes to lie before told:
 * what the watcher last heard, or told here. One watcher, which outlives the stack.
 */
void stack_watch(struct berth_stack *stack, void (*sooner)(void *context, berth_time deadline), void *context);
static inline void stack_told(struct berth_stack *stack, berth_time deadline)
{
	stack->timers.told = deadline;
}

/* Queue packet, which this takes, to arrive at ourselves. */
static inline void stack_loop(struct berth_stack *stack, struct berth_packet *packet)
{
	packet_queue_push(&stack->loopback_queue, packet);
	timers_tell(&stack->timers, stack->now);
}

/* Hand a finished frame or packet to link; counts it. Takes ownership. Loopback queues it. */
void link_transmit(struct berth_link *link, struct berth_packet *packet);
/* The protocol that serves domain, a family of its own, with sockets of type; NULL: none. */
const struct stack_family *stack_family(const struct berth_stack *stack, int domain, int type);
/* The link that has this address (not tentative), or NULL. 127.0.0.0/8 is all loopback's. */
struct berth_link *link_of_address(struct berth_stack *stack, struct berth_ip ip);
/* NULL: there is none. */
struct berth_link *link_by_index(struct berth_stack *stack, unsigned index);

#endif
