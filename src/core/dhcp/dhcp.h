/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DHCP client of a link, for those who carry its messages to it: UDP, IP
 * before there is an address, and ARP while the address is being probed. The
 * embedder's side is berth/dhcp.h.
 */
#ifndef CORE_DHCP_DHCP_H
#define CORE_DHCP_DHCP_H

#include "core/stack.h"
#include "wire/arp.h"

/* Does link wait for its first address, so that a datagram to one it does not have may be its server's? */
bool dhcp_expects(const struct berth_link *link);
/* A datagram from the servers' port to the clients' on a link with a client; data is behind the UDP header.
 * Takes packet. */
void dhcp_input(struct berth_link *link, struct berth_packet *packet);
/* Someone says by ARP that it has, or wants, an address: perhaps the one that is being probed. */
void dhcp_arp(struct berth_link *link, const struct wire_arp *arp);
/* The address is used by someone who does not yield to our defence. RFC 5227 §2.4 (b). */
void dhcp_conflict(struct berth_link *link, struct berth_ip ip);
/* DNS servers of the lease; up to max. */
int dhcp_servers(const struct berth_link *link, struct berth_ip *ret_servers, int max);
/* link goes away, and its addresses and routes with it. */
void dhcp_forget(struct berth_link *link);

#endif
