/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program sees of the real machine's network. On the virtual network it
 * is the gateway that talks for whoever is outside; at the edge, where a program
 * is told an address or gives one, the gateway's stands for the real one.
 */
#include "base/ip.h"
#include "daemon/state.h"
#include "net/network.h"

#include <berth/inspect.h>

enum { HOLDERS_MAX = 8 };

static bool on_network(struct daemon *daemon, struct berth_ip ip)
{
	return ip_is4(ip) ? ip_in_prefix(ip, daemon->net->subnet4, daemon->net->subnet4_length)
			  : ip_in_prefix(ip, daemon->net->subnet6, 64);
}

bool outside_showable(struct daemon *daemon, struct berth_ip ip)
{
	/* A real client with an address of the network's own range would be taken for a host. */
	return !on_network(daemon, ip) && !ip_is_any(ip) && !ip_is_multicast(ip);
}

void outside_show(struct daemon *daemon, uint8_t protocol, struct berth_endpoint *endpoint)
{
	struct host *gateway = daemon->gateway;
	int fds[HOLDERS_MAX];

	if (!gateway || !(ip_equal(endpoint->ip, berth_host_ip4(gateway->host)) ||
			  ip_equal(endpoint->ip, berth_host_ip6(gateway->host))))
		return;
	int count = berth_port_holders(gateway->stack, protocol, endpoint->port, fds, HOLDERS_MAX);
	for (int i = 0; i < MIN(count, HOLDERS_MAX); i++) {
		struct plug *plug = plug_of_fd(gateway, fds[i]);
		if (plug && plug->shown.port) {
			*endpoint = plug->shown;
			return;
		}
	}
}

bool outside_show_address(struct daemon *daemon, uint8_t protocol, int family, struct sockaddr_storage *address,
			  socklen_t *length)
{
	struct berth_endpoint endpoint, shown;

	if (!daemon->gateway || !address_read((struct sockaddr *)address, *length, &endpoint))
		return false;
	shown = endpoint;
	outside_show(daemon, protocol, &shown);
	if (ip_equal(shown.ip, endpoint.ip) || (family == AF_INET && !ip_is4(shown.ip)))
		return false; /* nobody's, or one that this family has no words for */
	*length = address_write(&shown, family, address);
	return true;
}
