/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/ethernet.h"

#include <errno.h>

const uint8_t mac_broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

int wire_ethernet_parse(const uint8_t *bytes, size_t length, struct wire_ethernet *ret_ethernet)
{
	if (length < WIRE_ETHERNET_LENGTH)
		return -EMSGSIZE;
	memcpy(ret_ethernet->destination, bytes, 6);
	memcpy(ret_ethernet->source, bytes + 6, 6);
	ret_ethernet->type = get_be16(bytes + 12);
	return WIRE_ETHERNET_LENGTH;
}

void wire_ethernet_build(uint8_t *bytes, const struct wire_ethernet *ethernet)
{
	memcpy(bytes, ethernet->destination, 6);
	memcpy(bytes + 6, ethernet->source, 6);
	put_be16(bytes + 12, ethernet->type);
}

void mac_of_multicast(uint8_t mac[6], struct berth_ip ip)
{
	if (ip_is_limited_broadcast(ip)) {
		memcpy(mac, mac_broadcast, 6);
	} else if (ip_is4(ip)) {
		mac[0] = 0x01;
		mac[1] = 0x00;
		mac[2] = 0x5e;
		mac[3] = ip.bytes[13] & 0x7f;
		memcpy(mac + 4, ip.bytes + 14, 2);
	} else {
		mac[0] = mac[1] = 0x33;
		memcpy(mac + 2, ip.bytes + 12, 4);
	}
}
