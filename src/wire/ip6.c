/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/ip6.h"

#include <errno.h>

enum { OPTION_PAD1 = 0, OPTION_PADN = 1, OPTION_ALERT = 5, OPTIONS_MAX = 32, HEADERS_MAX = 8 };

int wire_ip6_parse_quoted(const uint8_t *bytes, size_t length, struct wire_ip6 *ret_ip6)
{
	struct wire_ip6 ip6;

	if (length < WIRE_IP6_LENGTH)
		return -EMSGSIZE;
	if (bytes[0] >> 4 != 6)
		return -EPROTO;
	ip6.traffic_class = (uint8_t)(get_be16(bytes) >> 4);
	ip6.flow_label = get_be32(bytes) & 0xfffff;
	ip6.payload_length = get_be16(bytes + 4);
	ip6.next_header = bytes[6];
	ip6.hop_limit = bytes[7];
	ip6.source = ip_from6(bytes + 8);
	ip6.destination = ip_from6(bytes + 24);
	if (ip_is4(ip6.source) || ip_is4(ip6.destination))
		return -EADDRNOTAVAIL;
	*ret_ip6 = ip6;
	return WIRE_IP6_LENGTH;
}

int wire_ip6_parse(const uint8_t *bytes, size_t length, struct wire_ip6 *ret_ip6)
{
	int r = wire_ip6_parse_quoted(bytes, length, ret_ip6);

	if (r >= 0 && ret_ip6->payload_length > length - WIRE_IP6_LENGTH)
		return -EMSGSIZE;
	return r;
}

void wire_ip6_build(uint8_t *bytes, const struct wire_ip6 *ip6)
{
	put_be32(bytes, 6u << 28 | (uint32_t)ip6->traffic_class << 20 | (ip6->flow_label & 0xfffff));
	put_be16(bytes + 4, ip6->payload_length);
	bytes[6] = ip6->next_header;
	bytes[7] = ip6->hop_limit;
	memcpy(bytes + 8, ip6->source.bytes, 16);
	memcpy(bytes + 24, ip6->destination.bytes, 16);
}

int wire_fragment_parse(const uint8_t *bytes, size_t length, struct wire_fragment *ret_fragment)
{
	if (length < WIRE_FRAGMENT_LENGTH)
		return -EMSGSIZE;
	ret_fragment->next_header = bytes[0];
	ret_fragment->offset = get_be16(bytes + 2) & 0xfff8;
	ret_fragment->more_fragments = bytes[3] & 1;
	ret_fragment->id = get_be32(bytes + 4);
	return WIRE_FRAGMENT_LENGTH;
}

void wire_fragment_build(uint8_t *bytes, const struct wire_fragment *fragment)
{
	bytes[0] = fragment->next_header;
	bytes[1] = 0;
	put_be16(bytes + 2, (uint16_t)((fragment->offset & 0xfff8) | fragment->more_fragments));
	put_be32(bytes + 4, fragment->id);
}

/* Length of an extension header that counts itself in units of 8, less one. */
static int extension_length(const uint8_t *bytes, size_t length)
{
	size_t size;

	if (length < 8)
		return -EMSGSIZE;
	size = (bytes[1] + 1u) * 8;
	return size <= length ? (int)size : -EMSGSIZE;
}

int wire_routing_parse(const uint8_t *bytes, size_t length, struct wire_routing *ret_routing)
{
	int r = extension_length(bytes, length);

	if (r < 0)
		return r;
	ret_routing->next_header = bytes[0];
	ret_routing->type = bytes[2];
	ret_routing->segments_left = bytes[3];
	return r;
}

int wire_options_parse(const uint8_t *bytes, size_t length, struct wire_options *ret_options)
{
	struct wire_options options = { .action = OPTION_SKIP };
	int r = extension_length(bytes, length), count = 0;

	if (r < 0)
		return r;
	options.next_header = bytes[0];
	for (size_t at = 2, end = (size_t)r; at < end; count++) {
		if (bytes[at] == OPTION_PAD1) {
			at++;
			continue;
		}
		if (end - at < 2 || bytes[at + 1] > end - at - 2 || count >= OPTIONS_MAX)
			return -EPROTO;
		if (bytes[at] != OPTION_PADN && bytes[at] >> 6 != OPTION_SKIP && !options.action) {
			options.action = bytes[at] >> 6;
			options.pointer = (uint16_t)at;
		}
		if (bytes[at] == OPTION_ALERT && bytes[at + 1] == 2 && get_be16(bytes + at + 2) == 0)
			options.router_alert = true;
		at += 2u + bytes[at + 1];
	}
	*ret_options = options;
	return r;
}

void wire_alert_build(uint8_t *bytes, uint8_t next_header)
{
	const uint8_t header[WIRE_ALERT_LENGTH] = { next_header, 0, OPTION_ALERT, 2, 0, 0, OPTION_PADN, 0 };

	memcpy(bytes, header, sizeof(header));
}

static bool is_extension(uint8_t protocol)
{
	return protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_ROUTING ||
	       protocol == PROTOCOL_DESTINATION_OPTIONS;
}

int wire_ip6_find_transport(const uint8_t *bytes, size_t length, uint8_t *ret_protocol)
{
	struct wire_fragment fragment;

	return wire_ip6_find_fragment(bytes, length, ret_protocol, &fragment);
}

int wire_ip6_find_fragment(const uint8_t *bytes, size_t length, uint8_t *ret_protocol,
			   struct wire_fragment *ret_fragment)
{
	size_t at = WIRE_IP6_LENGTH;
	uint8_t protocol;

	if (length < WIRE_IP6_LENGTH)
		return -EMSGSIZE;
	protocol = bytes[6];
	for (int i = 0; i < HEADERS_MAX; i++) {
		int r;

		if (protocol == PROTOCOL_FRAGMENT) {
			r = wire_fragment_parse(bytes + at, length - at, ret_fragment);
			if (r >= 0 && ret_fragment->offset)
				return -EMSGSIZE;
		} else if (is_extension(protocol)) {
			r = extension_length(bytes + at, length - at);
		} else {
			*ret_protocol = protocol;
			return (int)at;
		}
		if (r < 0)
			return r;
		protocol = bytes[at];
		at += (size_t)r;
	}
	return -EMSGSIZE;
}
