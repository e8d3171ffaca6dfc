/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPv4 header. RFC 791, RFC 1122 §3.2.1. */
#ifndef WIRE_IP4_H
#define WIRE_IP4_H

#include "base/ip.h"

enum { WIRE_IP4_DF = 0x4000 }; /* in the third and fourth byte of identification and fragment */
enum { WIRE_IP4_LENGTH = 20, WIRE_IP4_ALERT_LENGTH = 24, WIRE_IP4_LENGTH_MAX = 60, WIRE_IP4_OPTIONS_MAX = 40 };

struct wire_ip4 {
	uint8_t header_length; /* bytes, with options */
	uint8_t traffic_class;
	uint16_t total_length; /* bytes, header and payload */
	uint16_t id;
	bool dont_fragment, more_fragments;
	uint16_t offset; /* bytes */
	uint8_t ttl, protocol;
	struct berth_ip source, destination;
};

/*
 * Returns the header's length, -EMSGSIZE (fewer bytes than the header or the
 * total length say) or -EPROTO (version, lengths that make no sense). The
 * checksum is wire_ip4_checksum_ok()'s.
 */
int wire_ip4_parse(const uint8_t *bytes, size_t length, struct wire_ip4 *ret_ip4);
/* The same for a packet quoted in an ICMP error: its payload may be cut off. */
int wire_ip4_parse_quoted(const uint8_t *bytes, size_t length, struct wire_ip4 *ret_ip4);
/* bytes hold a whole header. */
bool wire_ip4_checksum_ok(const uint8_t *bytes, size_t header_length);
/* Look at the options: 0, -EPROTO (malformed) or -EACCES (source routed: RFC 7126 §4.3). */
int wire_ip4_check_options(const uint8_t *bytes, size_t header_length);
/* Write WIRE_IP4_LENGTH bytes with their checksum; header_length is not looked at. */
void wire_ip4_build(uint8_t *bytes, const struct wire_ip4 *ip4);
/* The same of the header's five words as they are at hand, the third without its checksum. */
static inline void wire_ip4_put(uint8_t *bytes, uint32_t lengths, uint32_t fragment, uint32_t hop, uint32_t source,
				uint32_t destination)
{
	uint64_t sum = (uint64_t)lengths + fragment + hop + source + destination;

	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	put_be32(bytes, lengths);
	put_be32(bytes + 4, fragment);
	put_be32(bytes + 8, hop | (uint16_t)~sum);
	put_be32(bytes + 12, source);
	put_be32(bytes + 16, destination);
}
/* The same with the router alert option (RFC 2113): WIRE_IP4_ALERT_LENGTH bytes. */
void wire_ip4_build_alert(uint8_t *bytes, const struct wire_ip4 *ip4);

/* The same with options, length bytes of whole words that wire_ip4_check_options() liked. */
void wire_ip4_build_options(uint8_t *bytes, const struct wire_ip4 *ip4, const uint8_t *options, size_t length);

/* ip4_options.c. Write ip and time where record route and timestamp options have room for the next hop. */
void wire_ip4_options_record(uint8_t *options, size_t length, struct berth_ip ip, uint32_t time);
/* Those that an answer carries back: record route, timestamp. Returns their length, in whole words. RFC 1122 §3.2.2.6 */
size_t wire_ip4_options_echo(const uint8_t *options, size_t length, uint8_t ret_options[WIRE_IP4_OPTIONS_MAX]);
/* Those that every fragment has, not only the first. RFC 791 §3.1 */
size_t wire_ip4_options_copied(const uint8_t *options, size_t length, uint8_t ret_options[WIRE_IP4_OPTIONS_MAX]);

#endif
