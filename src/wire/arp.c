/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/arp.h"

#include <errno.h>

enum { HARDWARE_ETHERNET = 1, PROTOCOL_IP4 = 0x0800 };

int wire_arp_parse(const uint8_t *bytes, size_t length, struct wire_arp *ret_arp)
{
	if (length < WIRE_ARP_LENGTH)
		return -EMSGSIZE;
	if (get_be16(bytes) != HARDWARE_ETHERNET || get_be16(bytes + 2) != PROTOCOL_IP4)
		return -EPROTO;
	if (bytes[4] != 6 || bytes[5] != 4)
		return -EPROTO;
	ret_arp->operation = get_be16(bytes + 6);
	memcpy(ret_arp->sender_mac, bytes + 8, 6);
	ret_arp->sender_ip = ip_from4(bytes + 14);
	memcpy(ret_arp->target_mac, bytes + 18, 6);
	ret_arp->target_ip = ip_from4(bytes + 24);
	return WIRE_ARP_LENGTH;
}

void wire_arp_build(uint8_t *bytes, const struct wire_arp *arp)
{
	put_be16(bytes, HARDWARE_ETHERNET);
	put_be16(bytes + 2, PROTOCOL_IP4);
	bytes[4] = 6;
	bytes[5] = 4;
	put_be16(bytes + 6, arp->operation);
	memcpy(bytes + 8, arp->sender_mac, 6);
	memcpy(bytes + 14, arp->sender_ip.bytes + 12, 4);
	memcpy(bytes + 18, arp->target_mac, 6);
	memcpy(bytes + 24, arp->target_ip.bytes + 12, 4);
}
