/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DHCP messages: dhcp.h. An option may come in pieces, and in the fields "file"
 * and "sname" if option 52 says so; the pieces are put together in RFC 3396's
 * order before they are read. Options that are not known are passed over.
 */
#include "wire/dhcp.h"

#include <errno.h>

enum {
	AT_FLAGS = 10,
	AT_CLIENT = 12,
	AT_YOURS = 16,
	AT_MAC = 28,
	AT_NAME = 44,
	NAME_LENGTH = 64,
	AT_FILE = 108,
	FILE_LENGTH = 128,
	AT_COOKIE = 236,
	AT_OPTIONS = 240,
};
enum { OP_REQUEST = 1, OP_REPLY = 2, HARDWARE_ETHERNET = 1, FLAG_BROADCAST = 0x8000 };
#define COOKIE 0x63825363u

enum {
	OPTION_PAD = 0,
	OPTION_MASK = 1,
	OPTION_ROUTERS = 3,
	OPTION_SERVERS = 6,
	OPTION_HOST_NAME = 12,
	OPTION_MTU = 26,
	OPTION_REQUESTED = 50,
	OPTION_LEASE = 51,
	OPTION_OVERLOAD = 52,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_WANTED = 55,
	OPTION_RENEW = 58,
	OPTION_REBIND = 59,
	OPTION_CLIENT_ID = 61,
	OPTION_ROUTES = 121,
	OPTION_END = 255,
};

/* What a client asks for; the routes before the router. RFC 3442: "Client Administrator Responsibilities". */
static const uint8_t wanted[] = { OPTION_MASK, OPTION_ROUTES, OPTION_ROUTERS, OPTION_SERVERS,
				  OPTION_MTU,  OPTION_LEASE,  OPTION_RENEW,   OPTION_REBIND };

/* An option's value, put together. */
struct value {
	uint8_t bytes[512];
	size_t length;
};

static struct berth_ip address_from(const uint8_t *octets)
{
	return get_be32(octets) ? ip_from4(octets) : ip_any;
}

/* Add what an area of options says of code to value. 0 or -EPROTO. */
static int gather(const uint8_t *area, size_t length, uint8_t code, struct value *value)
{
	for (size_t at = 0; at < length && area[at] != OPTION_END;) {
		size_t size;

		if (area[at] == OPTION_PAD) {
			at++;
			continue;
		}
		if (length - at < 2 || area[at + 1] > length - at - 2)
			return -EPROTO;
		size = area[at + 1];
		if (area[at] == code) {
			if (size > sizeof(value->bytes) - value->length)
				return -EPROTO;
			memcpy(value->bytes + value->length, area + at + 2, size);
			value->length += size;
		}
		at += 2 + size;
	}
	return 0;
}

/* The option code of a message. 1: there; 0: not; -EPROTO. RFC 3396 §7. */
static int option(const uint8_t *bytes, size_t length, unsigned overload, uint8_t code, struct value *ret_value)
{
	int r;

	ret_value->length = 0;
	r = gather(bytes + AT_OPTIONS, length - AT_OPTIONS, code, ret_value);
	if (r == 0 && overload & 1)
		r = gather(bytes + AT_FILE, FILE_LENGTH, code, ret_value);
	if (r == 0 && overload & 2)
		r = gather(bytes + AT_NAME, NAME_LENGTH, code, ret_value);
	return r < 0 ? r : ret_value->length != 0;
}

static int take_addresses(const struct value *value, struct berth_ip *addresses, uint8_t *count)
{
	if (value->length % 4)
		return -EPROTO;
	for (size_t at = 0; at < value->length && *count < WIRE_DHCP_ADDRESSES_MAX; at += 4)
		if (get_be32(value->bytes + at))
			addresses[(*count)++] = ip_from4(value->bytes + at);
	return 0;
}

static uint32_t mask_of(uint8_t prefix_length)
{
	return (uint32_t)(UINT64_C(0xffffffff00000000) >> prefix_length);
}

static int take_mask(const struct value *value, uint8_t *prefix_length)
{
	uint32_t mask;

	if (value->length != 4)
		return -EPROTO;
	mask = get_be32(value->bytes);
	*prefix_length = (uint8_t)(mask ? 32 - __builtin_ctz(mask) : 0);
	return mask == mask_of(*prefix_length) ? 0 : -EPROTO;
}

static int take_routes(const struct value *value, struct wire_dhcp *dhcp)
{
	for (size_t at = 0; at < value->length;) {
		uint8_t bits = value->bytes[at++], octets[4] = { 0 };
		size_t significant = (bits + 7u) / 8;
		struct wire_dhcp_route route = { .length = bits };

		if (bits > 32 || value->length - at < significant + 4)
			return -EPROTO;
		memcpy(octets, value->bytes + at, significant);
		route.prefix = ip_mask(ip_from4(octets), bits);
		route.gateway = address_from(value->bytes + at + significant);
		at += significant + 4;
		if (dhcp->route_count < WIRE_DHCP_ROUTES_MAX)
			dhcp->routes[dhcp->route_count++] = route;
	}
	return 0;
}

static int take_number(const struct value *value, uint32_t *number)
{
	if (value->length != 4)
		return -EPROTO;
	*number = get_be32(value->bytes);
	return 0;
}

static int take_address(const struct value *value, struct berth_ip *address)
{
	if (value->length != 4)
		return -EPROTO;
	*address = address_from(value->bytes);
	return 0;
}

/* Text, cut at a zero byte; of what is too long nothing is kept. */
static int take_name(const struct value *value, struct wire_dhcp *dhcp)
{
	size_t length = strnlen((const char *)value->bytes, value->length);

	if (length > WIRE_DHCP_NAME_MAX)
		return 0;
	memcpy(dhcp->host_name, value->bytes, length);
	dhcp->host_name[length] = 0;
	return 0;
}

static int take(uint8_t code, const struct value *value, struct wire_dhcp *dhcp)
{
	switch (code) {
	case OPTION_MASK:
		return take_mask(value, &dhcp->prefix_length);
	case OPTION_ROUTERS:
		return take_addresses(value, dhcp->routers, &dhcp->router_count);
	case OPTION_SERVERS:
		return take_addresses(value, dhcp->servers, &dhcp->server_count);
	case OPTION_HOST_NAME:
		return take_name(value, dhcp);
	case OPTION_MTU:
		dhcp->mtu = value->length == 2 ? get_be16(value->bytes) : 0;
		return value->length == 2 ? 0 : -EPROTO;
	case OPTION_REQUESTED:
		return take_address(value, &dhcp->requested);
	case OPTION_LEASE:
		return take_number(value, &dhcp->lease_s);
	case OPTION_SERVER:
		return take_address(value, &dhcp->server);
	case OPTION_RENEW:
		return take_number(value, &dhcp->renew_s);
	case OPTION_REBIND:
		return take_number(value, &dhcp->rebind_s);
	case OPTION_CLIENT_ID:
		if (value->length < 2 || value->length > WIRE_DHCP_ID_MAX)
			return -EPROTO;
		dhcp->client_id_length = (uint8_t)value->length;
		memcpy(dhcp->client_id, value->bytes, value->length);
		return 0;
	case OPTION_ROUTES:
		return take_routes(value, dhcp);
	}
	return 0;
}

static void take_header(const uint8_t *bytes, struct wire_dhcp *dhcp)
{
	*dhcp = (struct wire_dhcp){
		.from_server = bytes[0] == OP_REPLY,
		.xid = get_be32(bytes + 4),
		.seconds = get_be16(bytes + 8),
		.broadcast = get_be16(bytes + AT_FLAGS) & FLAG_BROADCAST,
		.client = address_from(bytes + AT_CLIENT),
		.yours = address_from(bytes + AT_YOURS),
	};
	memcpy(dhcp->mac, bytes + AT_MAC, sizeof(dhcp->mac));
}

int wire_dhcp_parse(const uint8_t *bytes, size_t length, struct wire_dhcp *ret_dhcp)
{
	static const uint8_t codes[] = { OPTION_MASK,  OPTION_ROUTERS,	 OPTION_SERVERS, OPTION_HOST_NAME,
					 OPTION_MTU,   OPTION_REQUESTED, OPTION_LEASE,	 OPTION_SERVER,
					 OPTION_RENEW, OPTION_REBIND,	 OPTION_ROUTES,	 OPTION_CLIENT_ID };
	struct value value;
	struct wire_dhcp dhcp;
	unsigned overload;
	int r;

	if (length < AT_OPTIONS)
		return -EMSGSIZE;
	if ((bytes[0] != OP_REQUEST && bytes[0] != OP_REPLY) || bytes[1] != HARDWARE_ETHERNET || bytes[2] != 6 ||
	    get_be32(bytes + AT_COOKIE) != COOKIE)
		return -EPROTO;
	take_header(bytes, &dhcp);
	if ((r = option(bytes, length, 0, OPTION_OVERLOAD, &value)) < 0)
		return r;
	overload = r && value.length == 1 ? value.bytes[0] : 0;
	if ((r = option(bytes, length, overload, OPTION_TYPE, &value)) < 0)
		return r;
	if (value.length != 1 || value.bytes[0] < DHCP_DISCOVER || value.bytes[0] > DHCP_INFORM)
		return -EPROTO;
	dhcp.type = value.bytes[0];
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		r = option(bytes, length, overload, codes[i], &value);
		if (r > 0)
			r = take(codes[i], &value, &dhcp);
		if (r < 0)
			return r;
	}
	*ret_dhcp = dhcp;
	return 0;
}

static uint8_t *put(uint8_t *to, uint8_t code, const void *value, size_t length)
{
	if (!length)
		return to;
	to[0] = code;
	to[1] = (uint8_t)length;
	memcpy(to + 2, value, length);
	return to + 2 + length;
}

static uint8_t *put_number(uint8_t *to, uint8_t code, uint32_t number)
{
	uint8_t bytes[4];

	put_be32(bytes, number);
	return put(to, code, bytes, number ? 4 : 0);
}

static uint8_t *put_addresses(uint8_t *to, uint8_t code, const struct berth_ip *addresses, size_t count)
{
	uint8_t bytes[4 * WIRE_DHCP_ADDRESSES_MAX];

	for (size_t i = 0; i < count; i++)
		memcpy(bytes + 4 * i, addresses[i].bytes + 12, 4);
	return put(to, code, bytes, 4 * count);
}

static uint8_t *put_routes(uint8_t *to, const struct wire_dhcp *dhcp)
{
	uint8_t bytes[9 * WIRE_DHCP_ROUTES_MAX], *at = bytes;

	for (size_t i = 0; i < dhcp->route_count; i++) {
		const struct wire_dhcp_route *route = &dhcp->routes[i];
		size_t significant = (route->length + 7u) / 8;

		*at++ = route->length;
		memcpy(at, route->prefix.bytes + 12, significant);
		memcpy(at + significant, route->gateway.bytes + 12, 4);
		at += significant + 4;
	}
	return put(to, OPTION_ROUTES, bytes, (size_t)(at - bytes));
}

static void build_header(uint8_t *bytes, const struct wire_dhcp *dhcp)
{
	memset(bytes, 0, AT_OPTIONS);
	bytes[0] = dhcp->from_server ? OP_REPLY : OP_REQUEST;
	bytes[1] = HARDWARE_ETHERNET;
	bytes[2] = 6;
	put_be32(bytes + 4, dhcp->xid);
	put_be16(bytes + 8, dhcp->seconds);
	put_be16(bytes + AT_FLAGS, dhcp->broadcast ? FLAG_BROADCAST : 0);
	memcpy(bytes + AT_CLIENT, dhcp->client.bytes + 12, 4);
	memcpy(bytes + AT_YOURS, dhcp->yours.bytes + 12, 4);
	memcpy(bytes + AT_MAC, dhcp->mac, 6);
	put_be32(bytes + AT_COOKIE, COOKIE);
}

size_t wire_dhcp_build(uint8_t *bytes, const struct wire_dhcp *dhcp)
{
	uint8_t *to = bytes + AT_OPTIONS, mtu[2];
	bool asks = dhcp->type == DHCP_DISCOVER || dhcp->type == DHCP_REQUEST;

	build_header(bytes, dhcp);
	put_be16(mtu, dhcp->mtu);
	to = put(to, OPTION_TYPE, &dhcp->type, 1);
	to = put(to, OPTION_CLIENT_ID, dhcp->client_id, dhcp->client_id_length);
	to = put_addresses(to, OPTION_REQUESTED, &dhcp->requested, !ip_is_any(dhcp->requested));
	to = put_addresses(to, OPTION_SERVER, &dhcp->server, !ip_is_any(dhcp->server));
	to = put_number(to, OPTION_LEASE, dhcp->lease_s);
	to = put_number(to, OPTION_RENEW, dhcp->renew_s);
	to = put_number(to, OPTION_REBIND, dhcp->rebind_s);
	if (dhcp->prefix_length)
		to = put_number(to, OPTION_MASK, mask_of(dhcp->prefix_length));
	to = put_routes(to, dhcp);
	to = put_addresses(to, OPTION_ROUTERS, dhcp->routers, dhcp->router_count);
	to = put_addresses(to, OPTION_SERVERS, dhcp->servers, dhcp->server_count);
	to = put(to, OPTION_MTU, mtu, dhcp->mtu ? 2 : 0);
	to = put(to, OPTION_HOST_NAME, dhcp->host_name, strlen(dhcp->host_name));
	to = put(to, OPTION_WANTED, wanted, asks ? sizeof(wanted) : 0);
	*to++ = OPTION_END;
	while (to < bytes + WIRE_DHCP_LENGTH_MIN)
		*to++ = OPTION_PAD;
	return (size_t)(to - bytes);
}
