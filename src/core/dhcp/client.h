/* SPDX-License-Identifier: BSD-2-Clause */
/* dhcp/'s own. */
#ifndef CORE_DHCP_CLIENT_H
#define CORE_DHCP_CLIENT_H

#include "core/dhcp/dhcp.h"
#include "wire/dhcp.h"

#include <berth/dhcp.h>

struct dhcp {
	struct berth_link *link;
	enum berth_dhcp_state state;
	struct berth_timer timer;
	unsigned flags;
	uint8_t client_id[WIRE_DHCP_ID_MAX];
	uint8_t client_id_length;
	char host_name[WIRE_DHCP_NAME_MAX + 1];

	uint32_t xid;
	unsigned tries;		/* of the message that waits for an answer; probes while PROBING */
	unsigned announcements; /* still to be sent */
	berth_time began_at;	/* asking: "secs" counts from here */
	berth_time asked_at;	/* the last DHCPREQUEST left; the lease counts from here. RFC 2131 §4.4.1 */
	struct wire_dhcp offer; /* the offer that was taken, and then its acknowledgment */
	berth_time renew_at, rebind_at, expires_at;

	/* What of it is in force. lease.c's */
	bool has_address;
	uint8_t route_count;
	struct wire_dhcp_route routes[WIRE_DHCP_ROUTES_MAX];
	unsigned mtu, mtu_before; /* set by us; 0: not */
};

/* message.c. Send one as the state wants it. */
void dhcp_send(struct dhcp *dhcp, enum wire_dhcp_type type);

/* lease.c. Put what dhcp->offer says into force, or change what is; the times are reckoned from asked_at.
 * 0 or -ENOMEM. */
int lease_apply(struct dhcp *dhcp);
/* Take all of it back. */
void lease_undo(struct dhcp *dhcp);
/* Are the things that a lease needs in it, and do they make sense? */
bool lease_makes_sense(const struct wire_dhcp *dhcp);

#endif
