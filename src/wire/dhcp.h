/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DHCP messages for IPv4, and the options that a client and its server need
 * to understand each other. RFC 2131, RFC 2132, RFC 3396, RFC 3442. No state.
 */
#ifndef WIRE_DHCP_H
#define WIRE_DHCP_H

#include "base/ip.h"

enum { DHCP_SERVER_PORT = 67, DHCP_CLIENT_PORT = 68 };

enum wire_dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

enum {
	WIRE_DHCP_ADDRESSES_MAX = 4, /* routers, DNS servers: what is more is left out */
	WIRE_DHCP_ROUTES_MAX = 16,
	WIRE_DHCP_ID_MAX = 64,
	WIRE_DHCP_NAME_MAX = 63,
	WIRE_DHCP_LENGTH_MAX = 640, /* of what wire_dhcp_build() writes */
	WIRE_DHCP_LENGTH_MIN = 300, /* of what it writes, for the BOOTP relays of old. RFC 1542 §2.1 */
};

/* A classless static route. RFC 3442. */
struct wire_dhcp_route {
	struct berth_ip prefix;
	struct berth_ip gateway; /* any: the prefix is on the link */
	uint8_t length;
};

/* Addresses that were not said, or are 0.0.0.0, are ip_any; other things 0. */
struct wire_dhcp {
	bool from_server; /* op is BOOTREPLY */
	bool broadcast;	  /* the client can't take unicasts yet */
	uint8_t type;	  /* enum wire_dhcp_type */
	uint8_t mac[6];
	uint32_t xid;
	uint16_t seconds;
	struct berth_ip client; /* ciaddr: the client has this address and answers for it */
	struct berth_ip yours;	/* yiaddr: the server gives it */
	struct berth_ip requested, server;
	uint8_t prefix_length; /* of the subnet mask */
	uint8_t router_count, server_count, route_count;
	struct berth_ip routers[WIRE_DHCP_ADDRESSES_MAX];
	struct berth_ip servers[WIRE_DHCP_ADDRESSES_MAX]; /* of DNS */
	struct wire_dhcp_route routes[WIRE_DHCP_ROUTES_MAX];
	uint16_t mtu;
	uint32_t lease_s, renew_s, rebind_s; /* UINT32_MAX: for ever */
	uint8_t client_id[WIRE_DHCP_ID_MAX];
	uint8_t client_id_length;
	char host_name[WIRE_DHCP_NAME_MAX + 1];
};

/*
 * Read the payload of a UDP datagram. Returns 0, -EMSGSIZE (too short) or
 * -EPROTO: no DHCP for Ethernet, options that run over the end, have a length
 * that makes no sense, or a mask with holes.
 */
int wire_dhcp_parse(const uint8_t *bytes, size_t length, struct wire_dhcp *ret_dhcp);
/*
 * Write a message, options that are 0 or any left out; a client's also asks for
 * the options that are known here. Returns its length; bytes has room for
 * WIRE_DHCP_LENGTH_MAX.
 */
size_t wire_dhcp_build(uint8_t *bytes, const struct wire_dhcp *dhcp);

#endif
