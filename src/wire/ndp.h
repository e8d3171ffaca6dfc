/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbour discovery messages: router and neighbour solicitations and
 * advertisements, redirects. RFC 4861 §4; parsing makes the validity checks of
 * §6.1, §7.1 and §8.1 but for those on the IP header and checksum, which are
 * the caller's.
 */
#ifndef WIRE_NDP_H
#define WIRE_NDP_H

#include "base/ip.h"

enum { WIRE_NDP_PREFIXES_MAX = 8, WIRE_NDP_SERVERS_MAX = 4 };
enum { WIRE_NDP_SOLICIT_LENGTH = 8 }; /* a router solicitation without options */
/* A neighbour solicitation or advertisement as we send it: with a link address, or without. */
enum { WIRE_NDP_NEIGHBOUR_LENGTH = 24, WIRE_NDP_LINK_OPTION_LENGTH = 8 };

struct wire_ndp_prefix {
	struct berth_ip prefix;
	uint8_t length;
	bool on_link, autonomous;
	uint32_t valid_s, preferred_s;
};

struct wire_ndp {
	uint8_t type;			  /* ICMP6_ROUTER_SOLICIT … ICMP6_REDIRECT */
	struct berth_ip target;		  /* NS, NA, redirect */
	struct berth_ip destination;	  /* redirect */
	bool router, solicited, override; /* NA */
	bool has_link_address;		  /* source's (RS, RA, NS) or target's (NA, redirect) */
	uint8_t link_address[6];
	/* RA */
	uint8_t hop_limit;
	bool managed, other;
	uint16_t lifetime_s;
	uint32_t reachable_ms, retransmit_ms;
	uint32_t mtu; /* 0: not said */
	uint8_t prefix_count;
	struct wire_ndp_prefix prefixes[WIRE_NDP_PREFIXES_MAX]; /* further ones are left out */
	uint8_t server_count; /* DNS servers, RFC 8106 §5.1; further ones are left out */
	uint32_t servers_s;   /* how long they may be used: the shortest of their options */
	struct berth_ip servers[WIRE_NDP_SERVERS_MAX];
};

/* bytes begin at the ICMPv6 header. Returns length, -EMSGSIZE (too short) or -EPROTO (invalid). */
int wire_ndp_parse(const uint8_t *bytes, size_t length, struct wire_ndp *ret_ndp);
/*
 * Write a neighbour solicitation or advertisement, or a router solicitation,
 * checksum left zero. bytes have room for 32. Returns its length.
 */
size_t wire_ndp_build(uint8_t *bytes, const struct wire_ndp *ndp);

/* ff02::1:ffXX:XXXX for ip. RFC 4291 §2.7.1. */
struct berth_ip ip_solicited_node(struct berth_ip ip);

#endif
