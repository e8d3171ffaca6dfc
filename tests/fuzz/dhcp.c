/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP: limits hold, and what was understood is still the same when it was written again. */
#include "tests/fuzz/fuzz.h"

#include "wire/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wire_dhcp dhcp, again;
	uint8_t built[WIRE_DHCP_LENGTH_MAX];
	size_t length;

	memset(&dhcp, 0, sizeof(dhcp));
	if (wire_dhcp_parse(bytes, size, &dhcp) < 0)
		return 0;
	MUST(dhcp.router_count <= WIRE_DHCP_ADDRESSES_MAX && dhcp.server_count <= WIRE_DHCP_ADDRESSES_MAX);
	MUST(dhcp.route_count <= WIRE_DHCP_ROUTES_MAX && dhcp.client_id_length <= WIRE_DHCP_ID_MAX);
	MUST(strlen(dhcp.host_name) <= WIRE_DHCP_NAME_MAX && dhcp.prefix_length <= 32);
	for (size_t i = 0; i < dhcp.route_count; i++)
		MUST(ip_is4(dhcp.routes[i].prefix) && dhcp.routes[i].length <= 32);
	length = wire_dhcp_build(built, &dhcp);
	MUST(length >= WIRE_DHCP_LENGTH_MIN && length <= sizeof(built));
	MUST(wire_dhcp_parse(built, length, &again) == 0);
	MUST(again.type == dhcp.type && again.xid == dhcp.xid && again.lease_s == dhcp.lease_s);
	MUST(again.route_count == dhcp.route_count && again.prefix_length == dhcp.prefix_length);
	MUST(!memcmp(again.routes, dhcp.routes, sizeof(dhcp.routes[0]) * dhcp.route_count));
	MUST(ip_equal(again.yours, dhcp.yours) && ip_equal(again.server, dhcp.server));
	MUST(!strcmp(again.host_name, dhcp.host_name) && again.mtu == dhcp.mtu);
	return 0;
}
