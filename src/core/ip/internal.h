/* SPDX-License-Identifier: BSD-2-Clause */
/* ip/'s own: what its files share and nobody else needs. */
#ifndef CORE_IP_INTERNAL_H
#define CORE_IP_INTERNAL_H

#include "core/ip/ip.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <limits.h>

enum { IP_TOTAL_MAX = 65535 };

/* Path MTUs learnt from routers, pmtu.c. Fixed in size: old ones are overwritten. */
enum { PMTU_SETS = 128, PMTU_WAYS = 4 };
struct pmtu {
	struct berth_ip destination; /* any: free */
	unsigned mtu;
	berth_time until;
};

/* Redirected destinations, redirect.c. The same. */
enum { REDIRECTS_MAX = 64 };
struct redirect {
	struct berth_ip destination; /* any: free */
	struct berth_ip router;	     /* who said so; it must still be the gateway that the routes say */
	struct berth_ip gateway;
	struct berth_link *link;
	berth_time until;
};

/* Ways that were found, path.c: connections come and go between the same addresses. A power of two. */
enum { PATH_MEMOS = 32 };
struct path_memo {
	struct berth_ip destination, source;
	struct berth_link *link;
	struct ip_path path; /* generation 0: none */
};

/* Ways that sockets hold in common, kept.c. A power of two. */
enum { KEPT_BUCKETS = 64 };
struct kept_path {
	struct ip_path path;
	struct kept_path *next;
	size_t holders;
};

struct icmp {
	struct path_memo paths[PATH_MEMOS];
	struct kept_path *kept[KEPT_BUCKETS];
	struct pmtu pmtus[PMTU_SETS][PMTU_WAYS];
	struct redirect redirects[REDIRECTS_MAX];
	unsigned redirect_count;
	unsigned error_tokens; /* ICMP errors that may be sent now */
	berth_time tokens_at;  /* when error_tokens was true */
};

/* Unpredictable, so that nobody counts our packets. RFC 6864 §4, RFC 7739. */
static inline uint16_t ip_id4(struct berth_stack *stack)
{
	return (uint16_t)random_u64(&stack->random);
}
/* output.c: the header of what is sent so, without its lengths. */
struct wire_ip4 ip_header4(const struct berth_stack *stack, const struct ip_send *send, uint16_t id);
struct wire_ip6 ip_header6(const struct ip_path *path, const struct ip_send *send);

/* The known path MTU to destination, or limit if none is less. */
unsigned pmtu_find(struct berth_stack *stack, struct berth_ip destination, unsigned limit);
static inline bool pmtu_known(struct berth_stack *stack, struct berth_ip destination)
{
	return pmtu_find(stack, destination, UINT_MAX) != UINT_MAX;
}
/* A router says that more than mtu bytes don't pass; length is the packet's that was too big.
 * Returns the MTU to use from now on. */
unsigned pmtu_learn(struct berth_stack *stack, struct berth_ip destination, unsigned mtu, unsigned length);

/* What next_hop, as routes say it, is after redirects. */
struct berth_ip redirect_find(struct berth_stack *stack, struct berth_link *link, struct berth_ip destination,
			      struct berth_ip next_hop);
/* Is there one for destination, good or expired? */
bool redirect_known(const struct berth_stack *stack, struct berth_ip destination);
void redirect_forget_link(struct berth_stack *stack, const struct berth_link *link);

/* A packet from its arrival to its transport. */
struct ip_arrival {
	struct berth_link *link;
	struct berth_packet *packet; /* data at the IP header, no padding behind */
	struct berth_ip source, destination;
	uint8_t protocol;
	uint8_t ttl, traffic_class;
	uint32_t header_length; /* with options or extension headers */
	uint32_t protocol_at;	/* v6: where the number of protocol stands, for parameter problems */
	bool group;		/* destination is multicast or broadcast */
	bool router_alert;	/* v6. RFC 2711 */
};

/* arrival.packet is for us, whole, and may be known by its header. Takes it. */
void ip_dispatch(struct berth_stack *stack, const struct ip_arrival *arrival);
/* v6: go on at the header arrival->protocol, header_length bytes in. Takes the packet. */
void ip6_walk(struct berth_stack *stack, struct ip_arrival *arrival);
void ip4_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet);
void ip6_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet);
/* Can nothing have damaged packet? Then its checksums are not looked at. */
bool ip_trusted(const struct berth_link *link, const struct berth_packet *packet);
/* May a packet from outside have this source? */
bool ip_source_ok(struct berth_stack *stack, struct berth_link *link, struct berth_ip source);

/*
 * A fragment: arrival->packet's bytes from header_length on are length bytes
 * of a datagram, at offset. Takes the packet. Returns 1 when that completes the
 * datagram: arrival is now the whole of it; 0 when more must come, or it was dropped.
 */
struct fragment {
	uint32_t id;
	uint32_t offset, length; /* bytes */
	bool more;
};
int reassembly_add(struct berth_stack *stack, struct ip_arrival *arrival, const struct fragment *fragment);
int reassembly_init(struct berth_stack *stack);
void reassembly_fini(struct berth_stack *stack);
void reassembly_forget_link(struct berth_stack *stack, struct berth_link *link);

/* arrival is for someone else, and stack->forwarding is on. Takes the packet. */
void ip_forward(struct berth_stack *stack, const struct ip_arrival *arrival);

/* ICMP and ICMPv6 messages. arrival->packet's data is at the ICMP header. Take it. */
void icmp4_input(struct berth_stack *stack, const struct ip_arrival *arrival, const struct berth_ip_info *info);
void icmp6_input(struct berth_stack *stack, const struct ip_arrival *arrival, const struct berth_ip_info *info);

/* As icmp_send_error(), in ICMP's own words. value: what stands behind the checksum. */
void icmp_send_raw_error(struct berth_stack *stack, struct berth_link *link, const struct berth_packet *packet,
			 uint8_t type, uint8_t code, uint32_t value);

#endif
