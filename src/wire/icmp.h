/* SPDX-License-Identifier: BSD-2-Clause */
/* The part that all ICMP (RFC 792) and ICMPv6 (RFC 4443) messages share. */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_ICMP_LENGTH = 8 };

enum {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACHABLE = 3,
	ICMP4_SOURCE_QUENCH = 4,
	ICMP4_REDIRECT = 5,
	ICMP4_ECHO = 8,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER = 12,
};
enum {
	ICMP4_HOST_UNREACHABLE = 1, /* codes of ICMP4_UNREACHABLE */
	ICMP4_PROTOCOL_UNREACHABLE = 2,
	ICMP4_PORT_UNREACHABLE = 3,
	ICMP4_FRAGMENTATION_NEEDED = 4,
};
enum {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_ROUTER_SOLICIT = 133,
	ICMP6_ROUTER_ADVERT = 134,
	ICMP6_NEIGHBOUR_SOLICIT = 135,
	ICMP6_NEIGHBOUR_ADVERT = 136,
	ICMP6_REDIRECT = 137,
};
enum {
	ICMP6_ADDRESS_UNREACHABLE = 3, /* codes of ICMP6_UNREACHABLE */
	ICMP6_PORT_UNREACHABLE = 4,
	ICMP6_BAD_NEXT_HEADER = 1, /* codes of ICMP6_PARAMETER */
	ICMP6_BAD_OPTION = 2,
};
enum { ICMP_TTL_EXCEEDED = 0, ICMP_REASSEMBLY_EXCEEDED = 1 }; /* codes of time exceeded, both versions */

struct wire_icmp {
	uint8_t type, code;
	uint16_t checksum;
	uint32_t value; /* the four bytes behind the checksum: id and sequence, pointer, MTU */
};

/* Returns the length of this part, 8, or -EMSGSIZE. The checksum is not looked at. */
int wire_icmp_parse(const uint8_t *bytes, size_t length, struct wire_icmp *ret_icmp);
/* Write the first 8 bytes, then the checksum over all length bytes: sum is the pseudo header's, 0 for v4. */
void wire_icmp_build(uint8_t *bytes, size_t length, uint32_t sum, const struct wire_icmp *icmp);

/* Does the message report an error about another packet? RFC 1122 §3.2.2, RFC 4443 §2.1. */
static inline bool icmp4_is_error(uint8_t type)
{
	return type == ICMP4_UNREACHABLE || type == ICMP4_SOURCE_QUENCH || type == ICMP4_REDIRECT ||
	       type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER;
}
static inline bool icmp6_is_error(uint8_t type)
{
	return type < 128;
}

#endif
