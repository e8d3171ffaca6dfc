/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A link: where a stack meets a cable. The embedder (or a driver, or the
 * virtual network) supplies transmit; frames that arrive go to
 * berth_stack_input(). A link says what it can carry, and the stack uses it.
 */
#ifndef BERTH_LINK_H
#define BERTH_LINK_H

#include <berth/packet.h>
#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_link;
struct berth_stack;

enum berth_link_type {
	BERTH_LINK_ETHERNET, /* frames with Ethernet II headers; ARP and NDP find neighbours */
	BERTH_LINK_IP,	     /* bare IP packets, point to point; no neighbours (TUN, a tunnel) */
};

enum {
	/* What is sent here is never damaged: checksums are neither computed nor verified. */
	BERTH_LINK_NO_CHECKSUMS = 1 << 0,
	/* IPv6 addresses are used at once, without duplicate address detection (RFC 4862 §5.4). */
	BERTH_LINK_NO_DAD = 1 << 1,
	/*
	 * Ethernet: routers on the link are asked for and heeded. IPv6 addresses, default
	 * routes, MTU and hop limit come from their advertisements (RFC 4861 §6.3,
	 * RFC 4862 §5.5), and redirects of the router in use count for ten minutes
	 * (RFC 4861 §8.3, RFC 1122 §3.2.2.2). Off, none of their messages has any effect.
	 */
	BERTH_LINK_AUTOCONF = 1 << 2,
	/*
	 * Every unicast packet that arrives here is ours, whoever it is addressed to: we
	 * are asked, and answer, in that address's name. What waits at a wildcard address
	 * gets connections to any (berth_getsockname() of what was accepted says which);
	 * with BERTH_ANY_PORT (socket.h) those to any port. A transparent proxy's side.
	 */
	BERTH_LINK_INTERCEPT = 1 << 3,
	/*
	 * What transmit hands frames to computes TCP's checksums, as the drivers have the
	 * kernel do it: TCP segments are sent without. What arrives is verified as ever.
	 */
	BERTH_LINK_TCP_CHECKSUMS = 1 << 4,
	/*
	 * superframe is for UDP, too: what a socket sends with UDP_SEGMENT may leave as one
	 * packet, whose UDP header has the whole length and no checksum. What transmit hands
	 * it to cuts it, and computes them (UDP segmentation offload), or gives it to a stack
	 * as it is. Runs that arrive are taken in any case.
	 */
	BERTH_LINK_UDP_RUNS = 1 << 5,
};

struct berth_link_config {
	const char *name; /* up to 15 bytes, "eth0"; copied */
	enum berth_link_type type;
	uint8_t mac[6];	     /* Ethernet only */
	unsigned mtu;	     /* bytes of IP packet, 576 (1280 with IPv6) to 65535; 0: 1500 */
	unsigned superframe; /* largest run of TCP segments carried as one packet, 0: none (MTU holds) */
	unsigned flags;
	/*
	 * Carry packet away. Takes ownership, even on failure. Must not call back
	 * into the stack: queue it, and deliver after this call has returned.
	 */
	void (*transmit)(void *context, struct berth_packet *packet);
	void *context;
};

/*
 * Add a link, up at once, to stack, which owns it. An Ethernet link gets its
 * link-local IPv6 address (RFC 4291 appendix A). Returns 0, -EEXIST (name),
 * -EINVAL or -ENOMEM.
 */
BERTH_EXPORT int berth_link_add(struct berth_stack *stack, const struct berth_link_config *config,
				struct berth_link **ret_link);

/* Remove link with its addresses and routes; sockets bound to those stay and fail as on Linux. */
BERTH_EXPORT void berth_link_remove(struct berth_link *link);

/*
 * Give link an address; the prefix becomes a route. Returns 0, -EEXIST,
 * -EINVAL (no unicast address, or length out of range) or -ENOMEM.
 */
BERTH_EXPORT int berth_link_add_address(struct berth_link *link, struct berth_ip address, unsigned prefix_length);
/* Returns 0 or -EADDRNOTAVAIL. */
BERTH_EXPORT int berth_link_remove_address(struct berth_link *link, struct berth_ip address);

/* As it was given when the link was made; the link's. */
BERTH_EXPORT const char *berth_link_name(const struct berth_link *link);
BERTH_EXPORT unsigned berth_link_index(const struct berth_link *link); /* 1 is loopback */
/* Change the MTU, in bytes, while running. Returns 0 or -EINVAL. */
BERTH_EXPORT int berth_link_set_mtu(struct berth_link *link, unsigned mtu);
/*
 * DNS servers that routers on a BERTH_LINK_AUTOCONF link advertise (RFC 8106),
 * then those of a DHCP lease (dhcp.h), up to max. Returns how many.
 */
BERTH_EXPORT int berth_link_dns_servers(const struct berth_link *link, struct berth_ip *ret_servers, int max);
/* Set or clear BERTH_LINK_INTERCEPT while running; links that a driver made begin without. */
BERTH_EXPORT void berth_link_set_intercept(struct berth_link *link, bool on);
/* Set or clear BERTH_LINK_TCP_CHECKSUMS while running. */
BERTH_EXPORT void berth_link_set_tcp_checksums(struct berth_link *link, bool on);
/* Set or clear BERTH_LINK_UDP_RUNS while running. */
BERTH_EXPORT void berth_link_set_udp_runs(struct berth_link *link, bool on);
/* Change superframe, as in the config, while running. */
BERTH_EXPORT void berth_link_set_superframe(struct berth_link *link, unsigned bytes);

#ifdef __cplusplus
}
#endif
#endif
