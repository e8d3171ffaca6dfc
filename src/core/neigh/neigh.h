/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours: from the next hop's IP address to its hardware address, by ARP
 * (RFC 826) and neighbour discovery (RFC 4861), with one table a link and the
 * latter's states for both.
 */
#ifndef CORE_NEIGH_NEIGH_H
#define CORE_NEIGH_NEIGH_H

#include "core/stack.h"
#include "wire/ip6.h"

/*
 * Send packet, whose data begins at its IP header, to next_hop on an Ethernet
 * link; it waits if the hardware address is not known. Takes ownership. There
 * is headroom for the Ethernet header.
 */
void neigh_output(struct berth_link *link, struct berth_ip next_hop, struct berth_packet *packet);

/* An ARP packet, behind its Ethernet header. Takes ownership. */
void arp_input(struct berth_link *link, struct berth_packet *packet);
/*
 * A router or neighbour message; data begins at the ICMPv6 header, whose
 * checksum is right. ip6 is the header before it. Takes ownership.
 */
void ndp_input(struct berth_link *link, struct berth_packet *packet, const struct wire_ip6 *ip6);

/* A transport's word that next_hop passes packets on: RFC 4861 §7.3.1. Costs little. */
void neigh_confirm(struct berth_link *link, struct berth_ip next_hop);

/* Whoever has ip has left the link for sure: who sends there has to ask again. Fine if ip is not known. */
void neigh_forget(struct berth_link *link, struct berth_ip ip);

/* Does anybody have ip? It is not ours yet. RFC 5227 §2.1.1 */
void arp_probe(struct berth_link *link, struct berth_ip ip);
/* Tell everybody that ip is ours. RFC 5227 §2.3 */
void arp_announce(struct berth_link *link, struct berth_ip ip);

/* Duplicate address detection: address is tentative until it ends. 0 or -ENOMEM. */
int dad_start(struct berth_link *link, struct link_address *address);
/* address goes away; fine if there is no detection. */
void dad_stop(struct berth_link *link, const struct link_address *address);

#endif
