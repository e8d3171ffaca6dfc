/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A DHCP client for a link's IPv4 address: RFC 2131, with classless routes
 * (RFC 3442) and a probe for others that use the address (RFC 5227) before it
 * is ours. The stack adds and removes the address and the routes by itself; the
 * event hook tells of BERTH_EVENT_DHCP_BOUND, _RENEWED and _LOST, and
 * berth_link_dhcp_inspect() of what the lease says. Works as the stack's time
 * goes by: berth_stack_deadline() knows of it.
 */
#ifndef BERTH_DHCP_H
#define BERTH_DHCP_H

#include <berth/link.h>

#ifdef __cplusplus
extern "C" {
#endif

enum berth_dhcp_state {
	BERTH_DHCP_OFF,
	BERTH_DHCP_INIT,       /* about to ask */
	BERTH_DHCP_SELECTING,  /* servers are asked for an offer */
	BERTH_DHCP_REQUESTING, /* one of them is asked for what it offered */
	BERTH_DHCP_PROBING,    /* acknowledged; the link is asked whether anybody uses it */
	BERTH_DHCP_BOUND,
	BERTH_DHCP_RENEWING,  /* T1 is over: the server is asked for more time */
	BERTH_DHCP_REBINDING, /* T2 is over: any server is asked */
};

enum {
	BERTH_DHCP_NO_PROBE = 1 << 0,  /* take the address without the six seconds of RFC 5227 §2.1 */
	BERTH_DHCP_NO_ROUTES = 1 << 1, /* leave routers and classless routes alone */
	BERTH_DHCP_NO_MTU = 1 << 2,    /* leave the link's MTU alone; else it may become less */
};

struct berth_dhcp_config {
	const char *host_name;	  /* told to servers, up to 63 bytes; copied. NULL: none */
	const uint8_t *client_id; /* type and id, 2 to 64 bytes, copied; NULL: 1 and the hardware address */
	size_t client_id_length;
	unsigned flags; /* BERTH_DHCP_NO_* */
};

struct berth_dhcp_info {
	enum berth_dhcp_state state;
	/* From here on only from BOUND to REBINDING; zero before. */
	struct berth_ip address, server;
	struct berth_ip router; /* the first default router; all zero: none */
	unsigned prefix_length;
	unsigned mtu; /* as the server said; 0: it did not */
	struct berth_ip dns_servers[4];
	unsigned dns_server_count;
	berth_time renew_at, rebind_at, expires_at; /* BERTH_NEVER: a lease for ever */
};

/*
 * Ask for an address on link, an Ethernet link, from now on until
 * berth_link_dhcp_stop(). config may be NULL. Returns 0, -EALREADY,
 * -EOPNOTSUPP (no Ethernet), -EINVAL (a name or id too long) or -ENOMEM.
 */
BERTH_EXPORT int berth_link_dhcp_start(struct berth_link *link, const struct berth_dhcp_config *config);
/* Give the address back (DHCPRELEASE), remove it and its routes, and ask no more. Fine if nothing was started. */
BERTH_EXPORT void berth_link_dhcp_stop(struct berth_link *link);
/* How far it is. */
BERTH_EXPORT void berth_link_dhcp_inspect(const struct berth_link *link, struct berth_dhcp_info *ret_info);

#ifdef __cplusplus
}
#endif
#endif
