/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network layer as the transports see it: v4 and v6 alike. A path is the
 * answer to "how do I get there", small enough to be kept in a socket and good
 * until stack->route_generation moves.
 */
#ifndef CORE_IP_IP_H
#define CORE_IP_IP_H

#include "core/stack.h"

struct ip_path {
	struct berth_link *link;
	struct berth_ip source; /* the address to send from */
	struct berth_ip
		next_hop;    /* neighbour on the link: a gateway or the destination; any, if kept: the destination */
	unsigned mtu;	     /* bytes of IP packet: the link's, or less after PMTUD */
	uint32_t generation; /* of stack->route_generation when found; 0: none found yet */
	bool group;	     /* to a multicast or broadcast address */
};

struct ip_send {
	struct berth_ip source, destination;
	uint8_t protocol;
	uint8_t ttl; /* 0: the default, 64 */
	uint8_t traffic_class;
	bool dont_fragment; /* v4: set DF. Packets over the MTU then fail with -EMSGSIZE (both versions) */
	bool no_loop;	    /* to a group: not to ourselves, even if we are in it */
	bool stays_here;    /* to a group: to ourselves only (a multicast TTL of 0) */
	uint8_t options_length;
	const uint8_t *options; /* v4: of whole words; route and time are recorded on the way. NULL: none */
};

/* For the timestamp option: milliseconds that are not of the day, and say so. RFC 791 §3.1 */
static inline uint32_t ip_option_time(berth_time now)
{
	return (uint32_t)(now / BERTH_MSEC) | 0x80000000u;
}

/* Never found. */
extern const struct ip_path ip_path_none;

static inline struct berth_ip ip_path_next_hop(const struct ip_path *path, struct berth_ip destination)
{
	return ip_is_any(path->next_hop) ? destination : path->next_hop;
}

static inline bool ip_path_valid(const struct berth_stack *stack, const struct ip_path *path)
{
	return path->generation == stack->route_generation;
}

/*
 * Find the way to destination. source ip_any: choose (RFC 6724); otherwise it
 * is kept. link NULL: any. Destinations that are our own go by loopback.
 * With link the loopback link, any destination goes by loopback (BERTH_DIVERT).
 * Returns 0, -ENETUNREACH, -EADDRNOTAVAIL (no address of that family), or
 * -EINVAL (a loopback source for a destination that is not here, as on Linux).
 */
int ip_path_find(struct berth_stack *stack, struct berth_ip destination, struct berth_ip source,
		 struct berth_link *link, struct ip_path *ret_path);

/*
 * A lasting copy of path to destination, for ip_path_drop(). Most
 * conversations of a host leave by the same few ways, and so share them.
 * NULL: no memory.
 */
const struct ip_path *ip_path_keep(struct berth_stack *stack, const struct ip_path *path, struct berth_ip destination);
/* ip_path_none is fine. */
void ip_path_drop(struct berth_stack *stack, const struct ip_path *path);

/*
 * Send packet, whose data begins with the transport header, along path. Takes
 * ownership, even on failure. Adds the IP header (and, through neigh, the
 * Ethernet header), fragments where that is allowed. A superframe
 * (packet->segment_size) passes whole; the transport asked link->superframe.
 * Returns 0, -EMSGSIZE, -ENOBUFS. A neighbour that does not answer is reported
 * later through the protocol's error callback (EHOSTUNREACH).
 */
int ip_send(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path,
	    const struct ip_send *send);

/* What many packets to one place have in common; see run.c. */
struct ip_run {
	const struct ip_path *path;
	struct berth_ip next_hop;
	bool v4;
	uint8_t length;
	uint8_t header[40];
	uint32_t sum; /* v4's checksum, without lengths and identification */
};
/* False: this is nothing for a run; ip_send() has to do it. */
bool ip_run_begin(struct berth_stack *stack, const struct ip_path *path, const struct ip_send *send,
		  struct ip_run *ret_run);
/* As ip_send(). packet is nobody else's, fits the path's MTU with its IP header, and has room for all headers. */
void ip_run_send(struct berth_stack *stack, const struct ip_run *run, struct berth_packet *packet);

/*
 * The same for a packet that has its IP header already (IP_HDRINCL). It is not
 * fragmented: -EMSGSIZE.
 */
int ip_send_headed(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path);

/* Hand packet, which begins at its IP header, to link for next_hop. Takes ownership. */
void ip_link_output(struct berth_link *link, struct berth_ip next_hop, struct berth_packet *packet);
/* The link that a group's packets leave by when nobody says: source's, or the first that is no loopback. */
struct berth_link *ip_group_link(struct berth_stack *stack, struct berth_ip source);

/*
 * A packet that begins with an IP header came in by link. Takes ownership. A
 * transport's input() gets the packet with packet->mark bytes of IP header
 * (options and extension headers included) right before its data.
 */
void ip_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet);
/* An Ethernet frame came in by link: ARP, or IP after the header is gone. Takes ownership. */
void ethernet_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet);

/* A transport got an answer that only a working path can have brought: a hint for neigh/, RFC 4861 §7.3.1. */
void ip_path_confirm(const struct ip_path *path, struct berth_ip destination);
/*
 * router, on link, says that packets to destination had better go to gateway
 * (destination itself: it is on the link). Heeded if it may say so. Says if it was.
 */
bool ip_redirect(struct berth_link *link, struct berth_ip router, struct berth_ip destination, struct berth_ip gateway);
/* gateway does not answer: redirects to it count no more. */
void ip_redirect_failed(struct berth_link *link, struct berth_ip gateway);

/* Is ip an address of this stack, as a packet's destination (loopback net included)? */
bool ip_is_local(struct berth_stack *stack, struct berth_ip ip);
/* Is ip the directed broadcast address of one of our IPv4 prefixes, or 255.255.255.255? */
bool ip_is_broadcast(struct berth_stack *stack, struct berth_ip ip);

/* The pseudo header's part of a transport checksum, not folded. RFC 9293 §3.1, RFC 8200 §8.1. */
uint32_t ip_pseudo_sum(struct berth_ip source, struct berth_ip destination, uint8_t protocol, size_t length);

/* Give a transport what ICMP (or our own neighbour layer) learnt about a packet of ours. */
void ip_deliver_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted,
		      size_t length);

/* Send an ICMP error of the packet's own version about packet, whose data begins at its
 * IP header; silent where RFC 1122 §3.2.2 or RFC 4443 §2.4(e) wants silence, and
 * rate-limited. packet stays the caller's. */
enum icmp_error {
	ICMP_ERROR_HOST,
	ICMP_ERROR_PORT,
	ICMP_ERROR_PROTOCOL,
	ICMP_ERROR_TTL,
	ICMP_ERROR_REASSEMBLY,
	ICMP_ERROR_PARAMETER
};
void icmp_send_error(struct berth_stack *stack, struct berth_link *link, const struct berth_packet *packet,
		     enum icmp_error error, uint32_t pointer);

/* Per-stack and per-link state of ip/, route/, neigh/. _init returns 0 or -ENOMEM. */
int ip_init(struct berth_stack *stack);
void ip_fini(struct berth_stack *stack);
int neigh_link_init(struct berth_link *link); /* Ethernet only; starts nothing */
void neigh_link_fini(struct berth_link *link);
/* An address was added (DAD starts unless BERTH_LINK_NO_DAD; routes are made) or goes away. */
int ip_address_added(struct berth_link *link, struct link_address *address);
void ip_address_removed(struct berth_link *link, struct link_address *address);
/* link goes away: forget its routes, paths, fragments. */
void ip_link_removed(struct berth_link *link);

#endif
