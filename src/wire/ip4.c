/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/ip4.h"

#include "wire/checksum.h"

#include <errno.h>

enum { FLAG_DF = WIRE_IP4_DF, FLAG_MF = 0x2000, OFFSET_MASK = 0x1fff };
enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_RECORD = 7,
	OPTION_TIMESTAMP = 68,
	OPTION_LSRR = 131,
	OPTION_SSRR = 137,
	OPTION_ALERT = 148
};

int wire_ip4_parse_quoted(const uint8_t *bytes, size_t length, struct wire_ip4 *ret_ip4)
{
	struct wire_ip4 ip4;
	uint16_t fragment;

	if (length < WIRE_IP4_LENGTH)
		return -EMSGSIZE;
	if (bytes[0] >> 4 != 4)
		return -EPROTO;
	ip4.header_length = (uint8_t)((bytes[0] & 15) * 4);
	ip4.traffic_class = bytes[1];
	ip4.total_length = get_be16(bytes + 2);
	if (ip4.header_length < WIRE_IP4_LENGTH || ip4.total_length < ip4.header_length)
		return -EPROTO;
	if (ip4.header_length > length)
		return -EMSGSIZE;
	fragment = get_be16(bytes + 6);
	ip4.id = get_be16(bytes + 4);
	ip4.dont_fragment = fragment & FLAG_DF;
	ip4.more_fragments = fragment & FLAG_MF;
	ip4.offset = (uint16_t)((fragment & OFFSET_MASK) * 8);
	ip4.ttl = bytes[8];
	ip4.protocol = bytes[9];
	ip4.source = ip_from4(bytes + 12);
	ip4.destination = ip_from4(bytes + 16);
	*ret_ip4 = ip4;
	return ip4.header_length;
}

int wire_ip4_parse(const uint8_t *bytes, size_t length, struct wire_ip4 *ret_ip4)
{
	int r = wire_ip4_parse_quoted(bytes, length, ret_ip4);

	if (r >= 0 && ret_ip4->total_length > length)
		return -EMSGSIZE;
	return r;
}

bool wire_ip4_checksum_ok(const uint8_t *bytes, size_t header_length)
{
	return checksum_finish(checksum_add(0, bytes, header_length)) == 0;
}

int wire_ip4_check_options(const uint8_t *bytes, size_t header_length)
{
	for (size_t at = WIRE_IP4_LENGTH; at < header_length;) {
		uint8_t option = bytes[at];

		if (option == OPTION_END)
			return 0;
		if (option == OPTION_NOP) {
			at++;
			continue;
		}
		if (header_length - at < 2 || bytes[at + 1] < 2 || bytes[at + 1] > header_length - at)
			return -EPROTO;
		if ((option == OPTION_RECORD && (bytes[at + 1] < 3 || bytes[at + 2] < 4)) ||
		    (option == OPTION_TIMESTAMP && (bytes[at + 1] < 4 || bytes[at + 2] < 5)))
			return -EPROTO;
		if (option == OPTION_LSRR || option == OPTION_SSRR)
			return -EACCES;
		at += bytes[at + 1];
	}
	return 0;
}

void wire_ip4_build(uint8_t *bytes, const struct wire_ip4 *ip4)
{
	uint16_t fragment = (uint16_t)(ip4->offset / 8);

	if (ip4->dont_fragment)
		fragment |= FLAG_DF;
	if (ip4->more_fragments)
		fragment |= FLAG_MF;
	wire_ip4_put(bytes, 0x45000000u | (uint32_t)ip4->traffic_class << 16 | ip4->total_length,
		     (uint32_t)ip4->id << 16 | fragment, (uint32_t)ip4->ttl << 24 | (uint32_t)ip4->protocol << 16,
		     ip_u32(ip4->source), ip_u32(ip4->destination));
}

void wire_ip4_build_alert(uint8_t *bytes, const struct wire_ip4 *ip4)
{
	wire_ip4_build(bytes, ip4);
	bytes[0] = 0x46;
	bytes[20] = OPTION_ALERT;
	bytes[21] = 4;
	put_be16(bytes + 22, 0);
	put_be16(bytes + 10, 0);
	put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, WIRE_IP4_ALERT_LENGTH)));
}
