/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet II. RFC 894, RFC 2464, IEEE 802.3. */
#ifndef WIRE_ETHERNET_H
#define WIRE_ETHERNET_H

#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_ETHERNET_LENGTH = 14, WIRE_MAC_LENGTH = 6 };
enum { ETHERTYPE_IP4 = 0x0800, ETHERTYPE_ARP = 0x0806, ETHERTYPE_IP6 = 0x86dd };

struct wire_ethernet {
	uint8_t destination[WIRE_MAC_LENGTH], source[WIRE_MAC_LENGTH];
	uint16_t type;
};

/* Returns the header's length or -EMSGSIZE (too short). */
int wire_ethernet_parse(const uint8_t *bytes, size_t length, struct wire_ethernet *ret_ethernet);
/* Write WIRE_ETHERNET_LENGTH bytes. */
void wire_ethernet_build(uint8_t *bytes, const struct wire_ethernet *ethernet);

static inline bool mac_is_group(const uint8_t mac[6]) /* multicast or broadcast */
{
	return mac[0] & 1;
}
/* Where a multicast or limited broadcast packet goes. RFC 1112 §6.4, RFC 2464 §7. */
void mac_of_multicast(uint8_t mac[6], struct berth_ip ip);

extern const uint8_t mac_broadcast[6];

#endif
