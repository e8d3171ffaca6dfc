/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/ndp.h"

#include "wire/icmp.h"

#include <errno.h>

enum {
	OPTION_SOURCE_LINK = 1,
	OPTION_TARGET_LINK = 2,
	OPTION_PREFIX = 3,
	OPTION_MTU = 5,
	OPTION_DNS_SERVERS = 25,
};
enum { NA_ROUTER = 0x80, NA_SOLICITED = 0x40, NA_OVERRIDE = 0x20 };

struct berth_ip ip_solicited_node(struct berth_ip ip)
{
	struct berth_ip group = { { 0xff, 0x02, [11] = 0x01, [12] = 0xff } };

	memcpy(group.bytes + 13, ip.bytes + 13, 3);
	return group;
}

static void take_prefix(struct wire_ndp *ndp, const uint8_t *option)
{
	struct wire_ndp_prefix *prefix = &ndp->prefixes[ndp->prefix_count];

	if (ndp->prefix_count == WIRE_NDP_PREFIXES_MAX || option[2] > 128)
		return;
	prefix->length = option[2];
	prefix->on_link = option[3] & 0x80;
	prefix->autonomous = option[3] & 0x40;
	prefix->valid_s = get_be32(option + 4);
	prefix->preferred_s = get_be32(option + 8);
	prefix->prefix = ip_from6(option + 16);
	if (!ip_is4(prefix->prefix))
		ndp->prefix_count++;
}

/* RFC 8106 §5.1: an odd length of at least 3. */
static void take_servers(struct wire_ndp *ndp, const uint8_t *option, size_t size)
{
	uint32_t lifetime = get_be32(option + 4);

	if (size < 24 || size % 16 != 8)
		return;
	ndp->servers_s = ndp->server_count ? MIN(ndp->servers_s, lifetime) : lifetime;
	for (size_t at = 8; at < size && ndp->server_count < WIRE_NDP_SERVERS_MAX; at += 16) {
		struct berth_ip server = ip_from6(option + at);

		if (!ip_is4(server) && !ip_is_any(server) && !ip_is_multicast(server))
			ndp->servers[ndp->server_count++] = server;
	}
}

static uint8_t link_option_of(uint8_t type)
{
	return type == ICMP6_NEIGHBOUR_ADVERT || type == ICMP6_REDIRECT ? OPTION_TARGET_LINK : OPTION_SOURCE_LINK;
}

static void take_option(struct wire_ndp *ndp, const uint8_t *option, size_t size)
{
	uint8_t link_option = link_option_of(ndp->type);

	if (option[0] == link_option && size == WIRE_NDP_LINK_OPTION_LENGTH) {
		ndp->has_link_address = true;
		memcpy(ndp->link_address, option + 2, 6);
	} else if (option[0] == OPTION_MTU && size == 8 && ndp->type == ICMP6_ROUTER_ADVERT) {
		ndp->mtu = get_be32(option + 4);
	} else if (option[0] == OPTION_PREFIX && size == 32 && ndp->type == ICMP6_ROUTER_ADVERT) {
		take_prefix(ndp, option);
	} else if (option[0] == OPTION_DNS_SERVERS && ndp->type == ICMP6_ROUTER_ADVERT) {
		take_servers(ndp, option, size);
	}
}

/* "All included options have a length that is greater than zero." Unknown ones are skipped. */
static int parse_options(struct wire_ndp *ndp, const uint8_t *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		size_t size;

		if (length - at < 8)
			return -EPROTO;
		size = bytes[at + 1] * 8u;
		if (size == 0 || size > length - at)
			return -EPROTO;
		take_option(ndp, bytes + at, size);
		at += size;
	}
	return 0;
}

static void parse_router_advert(struct wire_ndp *ndp, const uint8_t *bytes)
{
	ndp->hop_limit = bytes[4];
	ndp->managed = bytes[5] & 0x80;
	ndp->other = bytes[5] & 0x40;
	ndp->lifetime_s = get_be16(bytes + 6);
	ndp->reachable_ms = get_be32(bytes + 8);
	ndp->retransmit_ms = get_be32(bytes + 12);
}

static int parse_neighbour(struct wire_ndp *ndp, const uint8_t *bytes)
{
	ndp->target = ip_from6(bytes + 8);
	if (ip_is_multicast(ndp->target) || ip_is_any(ndp->target) || ip_is4(ndp->target))
		return -EPROTO;
	if (ndp->type == ICMP6_NEIGHBOUR_ADVERT) {
		ndp->router = bytes[4] & NA_ROUTER;
		ndp->solicited = bytes[4] & NA_SOLICITED;
		ndp->override = bytes[4] & NA_OVERRIDE;
	}
	return 0;
}

/* §8.1: "The ICMP Destination Address field … does not contain a multicast address." */
static int parse_redirect(struct wire_ndp *ndp, const uint8_t *bytes)
{
	ndp->target = ip_from6(bytes + 8);
	ndp->destination = ip_from6(bytes + 24);
	if (ip_is_multicast(ndp->destination) || ip_is_any(ndp->destination) || ip_is4(ndp->destination))
		return -EPROTO;
	if (ip_is4(ndp->target) || ip_is_multicast(ndp->target))
		return -EPROTO;
	return ip_is_link_local(ndp->target) || ip_equal(ndp->target, ndp->destination) ? 0 : -EPROTO;
}

static size_t fixed_length(uint8_t type)
{
	switch (type) {
	case ICMP6_ROUTER_SOLICIT:
		return WIRE_NDP_SOLICIT_LENGTH;
	case ICMP6_ROUTER_ADVERT:
		return 16;
	case ICMP6_REDIRECT:
		return 40;
	}
	return WIRE_NDP_NEIGHBOUR_LENGTH;
}

int wire_ndp_parse(const uint8_t *bytes, size_t length, struct wire_ndp *ret_ndp)
{
	struct wire_ndp ndp = { 0 };
	size_t fixed;
	int r = 0;

	if (length < WIRE_ICMP_LENGTH)
		return -EMSGSIZE;
	ndp.type = bytes[0];
	if (ndp.type < ICMP6_ROUTER_SOLICIT || ndp.type > ICMP6_REDIRECT || bytes[1] != 0)
		return -EPROTO;
	fixed = fixed_length(ndp.type);
	if (length < fixed)
		return -EMSGSIZE;
	if (ndp.type == ICMP6_ROUTER_ADVERT)
		parse_router_advert(&ndp, bytes);
	else if (ndp.type == ICMP6_REDIRECT)
		r = parse_redirect(&ndp, bytes);
	else if (ndp.type != ICMP6_ROUTER_SOLICIT)
		r = parse_neighbour(&ndp, bytes);
	if (r == 0)
		r = parse_options(&ndp, bytes + fixed, length - fixed);
	if (r < 0)
		return r;
	*ret_ndp = ndp;
	return (int)length;
}

size_t wire_ndp_build(uint8_t *bytes, const struct wire_ndp *ndp)
{
	size_t length = fixed_length(ndp->type);

	memset(bytes, 0, length);
	bytes[0] = ndp->type;
	if (ndp->router)
		bytes[4] |= NA_ROUTER;
	if (ndp->solicited)
		bytes[4] |= NA_SOLICITED;
	if (ndp->override)
		bytes[4] |= NA_OVERRIDE;
	if (ndp->type != ICMP6_ROUTER_SOLICIT)
		memcpy(bytes + 8, ndp->target.bytes, 16);
	if (!ndp->has_link_address)
		return length;
	bytes[length] = link_option_of(ndp->type);
	bytes[length + 1] = 1;
	memcpy(bytes + length + 2, ndp->link_address, 6);
	return length + WIRE_NDP_LINK_OPTION_LENGTH;
}
