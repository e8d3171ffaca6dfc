/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lease says, in force: the address with its prefix, routes, a smaller
 * MTU, and the three times. What the embedder has configured itself is neither
 * taken over nor taken away.
 */
#include "core/dhcp/client.h"

#include <errno.h>

enum { MTU_MIN = 576 };

bool lease_makes_sense(const struct wire_dhcp *dhcp)
{
	struct berth_ip ip = dhcp->yours;

	return !ip_is_any(ip) && !ip_is_multicast(ip) && !ip_is_loopback(ip) && !ip_is_limited_broadcast(ip) &&
	       ip_u32(ip) >> 24 != 0 && !ip_is_any(dhcp->server) && dhcp->lease_s;
}

/* Without a mask: that of the address's class, as in RFC 950's days. */
static uint8_t prefix_of(const struct wire_dhcp *offer)
{
	uint8_t first = offer->yours.bytes[12];

	if (offer->prefix_length)
		return offer->prefix_length;
	return first < 128 ? 8 : first < 192 ? 16 : 24;
}

static berth_time after(const struct dhcp *dhcp, uint32_t seconds)
{
	return seconds == UINT32_MAX ? BERTH_NEVER : dhcp->asked_at + seconds * BERTH_SEC;
}

/* RFC 2131 §4.4.5: T1 is half of the lease and T2 seven eighths, unless the server says other sensible times. */
static void take_times(struct dhcp *dhcp)
{
	uint32_t lease = dhcp->offer.lease_s, renew = dhcp->offer.renew_s, rebind = dhcp->offer.rebind_s;

	if (!rebind || rebind >= lease)
		rebind = lease == UINT32_MAX ? lease : lease - lease / 8;
	if (!renew || renew >= rebind)
		renew = lease == UINT32_MAX ? lease : MIN(lease / 2, rebind);
	dhcp->renew_at = after(dhcp, renew);
	dhcp->rebind_at = after(dhcp, rebind);
	dhcp->expires_at = after(dhcp, lease);
}

/* Routes as the lease has them: the classless ones, or else a default route by each router. RFC 3442: never both. */
static uint8_t routes_of(const struct dhcp *dhcp, struct wire_dhcp_route *routes)
{
	const struct wire_dhcp *offer = &dhcp->offer;

	if (dhcp->flags & BERTH_DHCP_NO_ROUTES)
		return 0;
	if (offer->route_count) {
		memcpy(routes, offer->routes, sizeof(*routes) * offer->route_count);
		return offer->route_count;
	}
	for (uint8_t i = 0; i < offer->router_count; i++)
		routes[i] = (struct wire_dhcp_route){ .prefix = ip_from_u32(0), .gateway = offer->routers[i] };
	return offer->router_count;
}

static void routes_undo(struct dhcp *dhcp)
{
	for (uint8_t i = 0; i < dhcp->route_count; i++) {
		const struct wire_dhcp_route *route = &dhcp->routes[i];

		berth_route_remove(dhcp->link->stack, route->prefix, route->length, route->gateway, dhcp->link);
	}
	dhcp->route_count = 0;
}

static void routes_apply(struct dhcp *dhcp)
{
	struct wire_dhcp_route routes[WIRE_DHCP_ROUTES_MAX];
	uint8_t count;

	memset(routes, 0, sizeof(routes));
	count = routes_of(dhcp, routes);
	routes_undo(dhcp);
	for (uint8_t i = 0; i < count; i++) {
		const struct wire_dhcp_route *route = &routes[i];

		if (berth_route_add(dhcp->link->stack, route->prefix, route->length, route->gateway, dhcp->link) == 0)
			dhcp->routes[dhcp->route_count++] = *route;
	}
}

static void mtu_undo(struct dhcp *dhcp)
{
	if (dhcp->mtu && dhcp->link->mtu == dhcp->mtu)
		berth_link_set_mtu(dhcp->link, dhcp->mtu_before);
	dhcp->mtu = 0;
}

/* RFC 2132 §5.1. More than the link carries is not believed. */
static void mtu_apply(struct dhcp *dhcp)
{
	uint16_t mtu = dhcp->offer.mtu;

	mtu_undo(dhcp);
	if (dhcp->flags & BERTH_DHCP_NO_MTU || mtu < MTU_MIN || mtu >= dhcp->link->mtu)
		return;
	dhcp->mtu_before = dhcp->link->mtu;
	dhcp->mtu = mtu;
	berth_link_set_mtu(dhcp->link, mtu);
}

int lease_apply(struct dhcp *dhcp)
{
	int r = 0;

	if (!dhcp->has_address)
		r = berth_link_add_address(dhcp->link, dhcp->offer.yours, prefix_of(&dhcp->offer));
	if (r < 0)
		return r;
	dhcp->has_address = true;
	dhcp->offer.prefix_length = prefix_of(&dhcp->offer);
	take_times(dhcp);
	routes_apply(dhcp);
	mtu_apply(dhcp);
	return 0;
}

void lease_undo(struct dhcp *dhcp)
{
	routes_undo(dhcp);
	mtu_undo(dhcp);
	if (dhcp->has_address)
		berth_link_remove_address(dhcp->link, dhcp->offer.yours);
	dhcp->has_address = false;
}
