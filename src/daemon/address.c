/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: struct sockaddr there, struct berth_endpoint here. */
#include "base/ip.h"
#include "daemon/state.h"

#include <arpa/inet.h>

socklen_t address_write(const struct berth_endpoint *endpoint, int family, struct sockaddr_storage *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
		in->sin_family = AF_INET;
		in->sin_port = htons(endpoint->port);
		memcpy(&in->sin_addr, endpoint->ip.bytes + 12, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(endpoint->port);
	memcpy(&in6->sin6_addr, endpoint->ip.bytes, 16);
	return sizeof(*in6);
}

bool address_read(const struct sockaddr *address, socklen_t length, struct berth_endpoint *ret_endpoint)
{
	if (length >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;
		ret_endpoint->port = ntohs(in->sin_port);
		ret_endpoint->ip = in->sin_addr.s_addr ? ip_from4((const uint8_t *)&in->sin_addr) : ip_any;
		return true;
	}
	if (length >= 24 && address->sa_family == AF_INET6) { /* the scope is optional. RFC 2133 */
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
		ret_endpoint->port = ntohs(in6->sin6_port);
		memcpy(ret_endpoint->ip.bytes, &in6->sin6_addr, 16);
		return true;
	}
	return false;
}
