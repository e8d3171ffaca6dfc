/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPv6 header and its extension headers. RFC 8200. */
#ifndef WIRE_IP6_H
#define WIRE_IP6_H

#include "base/ip.h"

enum { WIRE_IP6_LENGTH = 40, WIRE_FRAGMENT_LENGTH = 8, WIRE_ALERT_LENGTH = 8, WIRE_IP6_MTU_MIN = 1280 };

/* Protocol numbers, one space for both versions (RFC 5237). */
enum {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_ICMP4 = 1,
	PROTOCOL_IGMP = 2,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_ICMP6 = 58,
	PROTOCOL_NONE = 59,
	PROTOCOL_DESTINATION_OPTIONS = 60,
};

struct wire_ip6 {
	uint8_t traffic_class;
	uint32_t flow_label;	 /* 20 bits */
	uint16_t payload_length; /* bytes after this header */
	uint8_t next_header, hop_limit;
	struct berth_ip source, destination;
};

/*
 * Returns the header's length, -EMSGSIZE (too short for header or payload),
 * -EPROTO (version) or -EADDRNOTAVAIL: an IPv4-mapped address, which means
 * IPv4 in here and nothing on the wire (RFC 4942 §2.2).
 */
int wire_ip6_parse(const uint8_t *bytes, size_t length, struct wire_ip6 *ret_ip6);
/* The same for a packet quoted in an ICMPv6 error: its payload may be cut off. */
int wire_ip6_parse_quoted(const uint8_t *bytes, size_t length, struct wire_ip6 *ret_ip6);
/* Write WIRE_IP6_LENGTH bytes. */
void wire_ip6_build(uint8_t *bytes, const struct wire_ip6 *ip6);

struct wire_fragment {
	uint8_t next_header;
	uint16_t offset; /* bytes */
	bool more_fragments;
	uint32_t id;
};
/* Returns the header's length or -EMSGSIZE. RFC 8200 §4.5. */
int wire_fragment_parse(const uint8_t *bytes, size_t length, struct wire_fragment *ret_fragment);
void wire_fragment_build(uint8_t *bytes, const struct wire_fragment *fragment);

struct wire_routing {
	uint8_t next_header, type, segments_left;
};
/* Returns the header's length or -EMSGSIZE. RFC 8200 §4.4. */
int wire_routing_parse(const uint8_t *bytes, size_t length, struct wire_routing *ret_routing);

/* What an unknown option's top two bits ask for. RFC 8200 §4.2. */
enum wire_option_action {
	OPTION_SKIP = 0,
	OPTION_DISCARD = 1,
	OPTION_REPORT = 2,	   /* discard, send parameter problem */
	OPTION_REPORT_UNICAST = 3, /* the same, unless the destination is multicast */
};
struct wire_options {
	uint8_t next_header;
	uint8_t action;	   /* enum wire_option_action, of the first option that is not to be skipped */
	uint16_t pointer;  /* where that option is, from the header's first byte */
	bool router_alert; /* with the value for MLD, 0. RFC 2711 */
};
/* Write a hop-by-hop header of WIRE_ALERT_LENGTH bytes that alerts routers to MLD. RFC 2711, RFC 3810 §5. */
void wire_alert_build(uint8_t *bytes, uint8_t next_header);
/*
 * A hop-by-hop or destination options header; padding and router alerts are known here.
 * Returns the header's length, -EMSGSIZE, or -EPROTO (an option runs over the
 * end; more than 32 options, RFC 8504 §5.3).
 */
int wire_options_parse(const uint8_t *bytes, size_t length, struct wire_options *ret_options);

/*
 * Find the upper-layer header in length bytes from an IPv6 header on, walking
 * over extension headers. Returns its offset and protocol; -EMSGSIZE when it
 * lies past the end or in another fragment.
 */
int wire_ip6_find_transport(const uint8_t *bytes, size_t length, uint8_t *ret_protocol);
/* The same; *ret_fragment is the fragment header if there is one on the way, and else stays as it is. */
int wire_ip6_find_fragment(const uint8_t *bytes, size_t length, uint8_t *ret_protocol,
			   struct wire_fragment *ret_fragment);

#endif
