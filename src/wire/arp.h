/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP for IPv4 over Ethernet; other kinds do not parse. RFC 826. */
#ifndef WIRE_ARP_H
#define WIRE_ARP_H

#include "base/ip.h"

enum { WIRE_ARP_LENGTH = 28 };
enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct wire_arp {
	uint16_t operation;
	uint8_t sender_mac[6], target_mac[6];
	struct berth_ip sender_ip, target_ip;
};

/* Returns the length, -EMSGSIZE (too short) or -EPROTO (not Ethernet and IPv4). */
int wire_arp_parse(const uint8_t *bytes, size_t length, struct wire_arp *ret_arp);
/* Write WIRE_ARP_LENGTH bytes. */
void wire_arp_build(uint8_t *bytes, const struct wire_arp *arp);

#endif
