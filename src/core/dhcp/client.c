/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's states, RFC 2131 §4.4, and who moves them:
 *
 *	OFF -> INIT		 berth_link_dhcp_start()
 *	INIT -> SELECTING	 a random delay is over: DHCPDISCOVER
 *	SELECTING -> REQUESTING	 the first offer that makes sense
 *	REQUESTING -> PROBING	 DHCPACK; straight to BOUND with BERTH_DHCP_NO_PROBE
 *	PROBING -> BOUND	 nobody else has the address (RFC 5227 §2.1)
 *	PROBING, BOUND … -> INIT somebody has: DHCPDECLINE, and ten seconds of silence
 *	BOUND -> RENEWING	 T1
 *	RENEWING -> REBINDING	 T2
 *	RENEWING, REBINDING -> BOUND	DHCPACK
 *	REQUESTING … REBINDING -> INIT	DHCPNAK; four requests without an answer; the lease is over
 *
 * One timer runs in every state but OFF and a BOUND for ever. The lease is not
 * kept over a restart, so there is no INIT-REBOOT.
 */
#include "core/dhcp/client.h"
#include "core/neigh/neigh.h"
#include "wire/udp.h"

#include <errno.h>

enum { REQUESTS_MAX = 4, PROBES = 3, ANNOUNCEMENTS = 2 };
#define START_DELAY \
	(1 * BERTH_SEC) /* Differs: RFC 2131 §4.4.1 has 1 to 10 s, for rooms of terminals after a power cut */
#define DECLINE_DELAY (10 * BERTH_SEC) /* §3.1 (5) */
#define NAK_DELAY (1 * BERTH_SEC)
#define ASK_AGAIN_MIN (60 * BERTH_SEC) /* §4.4.5: while renewing */
/* RFC 5227 §1.1 */
#define PROBE_WAIT (1 * BERTH_SEC)
#define PROBE_MIN (1 * BERTH_SEC)
#define PROBE_MAX (2 * BERTH_SEC)
#define ANNOUNCE_WAIT (2 * BERTH_SEC)
#define ANNOUNCE_INTERVAL (2 * BERTH_SEC)

static struct berth_stack *stack_of(const struct dhcp *dhcp)
{
	return dhcp->link->stack;
}

static berth_time random_time(struct dhcp *dhcp, berth_time below)
{
	return (berth_time)random_below(&stack_of(dhcp)->random, (uint64_t)below);
}

/* Without memory for a timer nothing would ever end: it ends now. */
static void wake_at(struct dhcp *dhcp, berth_time when)
{
	if (when == BERTH_NEVER) {
		timers_cancel(&stack_of(dhcp)->timers, &dhcp->timer);
	} else if (timers_set(&stack_of(dhcp)->timers, &dhcp->timer, when) < 0) {
		stack_event(stack_of(dhcp), BERTH_EVENT_DHCP_LOST);
		lease_undo(dhcp);
		dhcp->state = BERTH_DHCP_OFF;
	}
}

static void wake_in(struct dhcp *dhcp, berth_time delay)
{
	wake_at(dhcp, stack_of(dhcp)->now + delay);
}

/* 4 s, 8, 16, 32, 64, 64 …, each a second more or less. RFC 2131 §4.1 */
static berth_time backoff(struct dhcp *dhcp)
{
	berth_time base = (4 * BERTH_SEC) << MIN(dhcp->tries, 4u);

	return base - BERTH_SEC + random_time(dhcp, 2 * BERTH_SEC);
}

/* Begin anew, after a delay. What was in force is no more. */
static void restart(struct dhcp *dhcp, berth_time delay)
{
	if (dhcp->has_address)
		stack_event(stack_of(dhcp), BERTH_EVENT_DHCP_LOST);
	lease_undo(dhcp);
	dhcp->state = BERTH_DHCP_INIT;
	wake_in(dhcp, delay);
}

static void discover(struct dhcp *dhcp)
{
	dhcp->state = BERTH_DHCP_SELECTING;
	dhcp->tries = 0;
	dhcp->began_at = stack_of(dhcp)->now;
	dhcp->xid = (uint32_t)random_u64(&stack_of(dhcp)->random);
	dhcp->offer = (struct wire_dhcp){ .type = 0 };
	dhcp_send(dhcp, DHCP_DISCOVER);
	wake_in(dhcp, backoff(dhcp));
}

static void discover_again(struct dhcp *dhcp)
{
	dhcp->tries++;
	dhcp_send(dhcp, DHCP_DISCOVER);
	wake_in(dhcp, backoff(dhcp));
}

static void request(struct dhcp *dhcp)
{
	dhcp->asked_at = stack_of(dhcp)->now;
	dhcp_send(dhcp, DHCP_REQUEST);
	wake_in(dhcp, backoff(dhcp));
}

static void request_again(struct dhcp *dhcp)
{
	if (++dhcp->tries >= REQUESTS_MAX)
		restart(dhcp, 0);
	else
		request(dhcp);
}

/* Ask for more time, and again after half of what is left until then, a minute at least. §4.4.5 */
static void extend(struct dhcp *dhcp, berth_time until)
{
	berth_time now = stack_of(dhcp)->now;

	dhcp->asked_at = now;
	dhcp_send(dhcp, DHCP_REQUEST);
	wake_at(dhcp, until == BERTH_NEVER ? until : MIN(until, now + MAX((until - now) / 2, ASK_AGAIN_MIN)));
}

static void renew(struct dhcp *dhcp, enum berth_dhcp_state state)
{
	berth_time now = stack_of(dhcp)->now;

	if (now >= dhcp->expires_at) {
		restart(dhcp, 0);
		return;
	}
	if (state == BERTH_DHCP_RENEWING && now >= dhcp->rebind_at)
		state = BERTH_DHCP_REBINDING;
	if (dhcp->state != state) {
		dhcp->state = state;
		dhcp->xid = (uint32_t)random_u64(&stack_of(dhcp)->random);
		dhcp->began_at = now;
	}
	extend(dhcp, state == BERTH_DHCP_RENEWING ? dhcp->rebind_at : dhcp->expires_at);
}

/* BOUND: tell the neighbours twice, then sleep until T1. */
static void stay_bound(struct dhcp *dhcp)
{
	berth_time now = stack_of(dhcp)->now, due = dhcp->renew_at;

	if (now >= dhcp->renew_at) {
		renew(dhcp, BERTH_DHCP_RENEWING);
		return;
	}
	if (dhcp->announcements) {
		dhcp->announcements--;
		arp_announce(dhcp->link, dhcp->offer.yours);
	}
	if (dhcp->announcements)
		due = MIN(due, now + ANNOUNCE_INTERVAL);
	wake_at(dhcp, due);
}

static void bind_address(struct dhcp *dhcp)
{
	if (lease_apply(dhcp) < 0) { /* the embedder has it already, or there is no memory */
		restart(dhcp, DECLINE_DELAY);
		return;
	}
	dhcp->state = BERTH_DHCP_BOUND;
	dhcp->announcements = ANNOUNCEMENTS;
	stack_event(stack_of(dhcp), BERTH_EVENT_DHCP_BOUND);
	stay_bound(dhcp);
}

static void probe(struct dhcp *dhcp)
{
	if (dhcp->tries++ == PROBES) {
		bind_address(dhcp);
		return;
	}
	arp_probe(dhcp->link, dhcp->offer.yours);
	wake_in(dhcp, dhcp->tries == PROBES ? ANNOUNCE_WAIT : PROBE_MIN + random_time(dhcp, PROBE_MAX - PROBE_MIN));
}

static void run(struct berth_timer *timer)
{
	struct dhcp *dhcp = CONTAINER_OF(timer, struct dhcp, timer);

	switch (dhcp->state) {
	case BERTH_DHCP_OFF:
		return;
	case BERTH_DHCP_INIT:
		discover(dhcp);
		return;
	case BERTH_DHCP_SELECTING:
		discover_again(dhcp);
		return;
	case BERTH_DHCP_REQUESTING:
		request_again(dhcp);
		return;
	case BERTH_DHCP_PROBING:
		probe(dhcp);
		return;
	case BERTH_DHCP_BOUND:
		stay_bound(dhcp);
		return;
	case BERTH_DHCP_RENEWING:
	case BERTH_DHCP_REBINDING:
		renew(dhcp, dhcp->state);
		return;
	}
}

static void decline(struct dhcp *dhcp)
{
	stack_event(stack_of(dhcp), BERTH_EVENT_DHCP_DECLINED);
	lease_undo(dhcp); /* first: it must not be used to say that it can't be */
	dhcp_send(dhcp, DHCP_DECLINE);
	restart(dhcp, DECLINE_DELAY);
}

/* The server's word in SELECTING. Returns false if it is none that counts. */
static bool take_offer(struct dhcp *dhcp, const struct wire_dhcp *message)
{
	if (dhcp->state != BERTH_DHCP_SELECTING || message->type != DHCP_OFFER || !lease_makes_sense(message))
		return false;
	dhcp->offer = *message;
	dhcp->state = BERTH_DHCP_REQUESTING;
	dhcp->tries = 0;
	request(dhcp);
	return true;
}

static bool take_ack(struct dhcp *dhcp, const struct wire_dhcp *message)
{
	if (message->type != DHCP_ACK || !lease_makes_sense(message) || !ip_equal(message->yours, dhcp->offer.yours))
		return false;
	if (dhcp->state == BERTH_DHCP_RENEWING || dhcp->state == BERTH_DHCP_REBINDING) {
		dhcp->offer = *message;
		lease_apply(dhcp);
		dhcp->state = BERTH_DHCP_BOUND;
		stack_event(stack_of(dhcp), BERTH_EVENT_DHCP_RENEWED);
		stay_bound(dhcp);
		return true;
	}
	if (dhcp->state != BERTH_DHCP_REQUESTING || !ip_equal(message->server, dhcp->offer.server))
		return false;
	dhcp->offer = *message;
	dhcp->tries = 0;
	if (dhcp->flags & BERTH_DHCP_NO_PROBE) {
		bind_address(dhcp);
	} else {
		dhcp->state = BERTH_DHCP_PROBING;
		wake_in(dhcp, random_time(dhcp, PROBE_WAIT));
	}
	return true;
}

static bool take_nak(struct dhcp *dhcp, const struct wire_dhcp *message)
{
	bool asked = dhcp->state == BERTH_DHCP_REQUESTING || dhcp->state == BERTH_DHCP_RENEWING;

	if (message->type != DHCP_NAK || (!asked && dhcp->state != BERTH_DHCP_REBINDING) || ip_is_any(message->server))
		return false;
	if (asked && !ip_equal(message->server, dhcp->offer.server))
		return false;
	stack_event(stack_of(dhcp), BERTH_EVENT_DHCP_REFUSED);
	restart(dhcp, NAK_DELAY);
	return true;
}

/* RFC 6842 §3: an answer that names another client is not for us. */
static bool is_for(const struct dhcp *dhcp, const struct wire_dhcp *message)
{
	if (!message->from_server || message->xid != dhcp->xid || memcmp(message->mac, dhcp->link->mac, 6) != 0)
		return false;
	return !message->client_id_length || (message->client_id_length == dhcp->client_id_length &&
					      !memcmp(message->client_id, dhcp->client_id, dhcp->client_id_length));
}

void dhcp_input(struct berth_link *link, struct berth_packet *packet)
{
	struct dhcp *dhcp = link->dhcp;
	struct wire_dhcp message;

	if (wire_dhcp_parse(packet->data, packet->length, &message) < 0)
		stack_drop(link->stack, packet, BERTH_EVENT_DHCP_DROP_MALFORMED);
	else if (!is_for(dhcp, &message) ||
		 !(take_offer(dhcp, &message) || take_ack(dhcp, &message) || take_nak(dhcp, &message)))
		stack_drop(link->stack, packet, BERTH_EVENT_DHCP_DROP_UNEXPECTED);
	else
		berth_packet_unref(packet);
}

bool dhcp_expects(const struct berth_link *link)
{
	return link->dhcp && !link->dhcp->has_address;
}

/* RFC 5227 §2.1.1: another host has the address, or is probing it as well. */
void dhcp_arp(struct berth_link *link, const struct wire_arp *arp)
{
	struct dhcp *dhcp = link->dhcp;

	if (!dhcp || dhcp->state != BERTH_DHCP_PROBING)
		return;
	if (ip_equal(arp->sender_ip, dhcp->offer.yours) ||
	    (arp->operation == ARP_REQUEST && !ip_u32(arp->sender_ip) && ip_equal(arp->target_ip, dhcp->offer.yours) &&
	     memcmp(arp->sender_mac, link->mac, 6) != 0))
		decline(dhcp);
}

void dhcp_conflict(struct berth_link *link, struct berth_ip ip)
{
	struct dhcp *dhcp = link->dhcp;

	if (dhcp && dhcp->has_address && ip_equal(ip, dhcp->offer.yours)) {
		stack_event(link->stack, BERTH_EVENT_DHCP_LOST);
		decline(dhcp);
	}
}

int dhcp_servers(const struct berth_link *link, struct berth_ip *ret_servers, int max)
{
	const struct dhcp *dhcp = link->dhcp;
	int count = 0;

	while (dhcp && dhcp->has_address && count < dhcp->offer.server_count && count < max) {
		ret_servers[count] = dhcp->offer.servers[count];
		count++;
	}
	return count;
}

static int configure(struct dhcp *dhcp, const struct berth_dhcp_config *config)
{
	const char *name = config->host_name ? config->host_name : "";

	if (strlen(name) > WIRE_DHCP_NAME_MAX)
		return -EINVAL;
	strcpy(dhcp->host_name, name);
	dhcp->flags = config->flags;
	if (!config->client_id) {
		dhcp->client_id[0] = 1; /* Ethernet. RFC 2132 §9.14 */
		memcpy(dhcp->client_id + 1, dhcp->link->mac, 6);
		dhcp->client_id_length = 7;
		return 0;
	}
	if (config->client_id_length < 2 || config->client_id_length > WIRE_DHCP_ID_MAX)
		return -EINVAL;
	memcpy(dhcp->client_id, config->client_id, config->client_id_length);
	dhcp->client_id_length = (uint8_t)config->client_id_length;
	return 0;
}

int berth_link_dhcp_start(struct berth_link *link, const struct berth_dhcp_config *config)
{
	static const struct berth_dhcp_config none;
	struct dhcp *dhcp;
	int r;

	if (link->type != BERTH_LINK_ETHERNET)
		return -EOPNOTSUPP;
	if (link->dhcp && link->dhcp->state != BERTH_DHCP_OFF)
		return -EALREADY;
	dhcp_forget(link);
	dhcp = stack_alloc(link->stack, sizeof(*dhcp));
	if (!dhcp)
		return -ENOMEM;
	dhcp->link = link;
	dhcp->timer.run = run;
	dhcp->state = BERTH_DHCP_INIT;
	link->dhcp = dhcp;
	r = configure(dhcp, config ? config : &none);
	if (r >= 0)
		r = timers_set(&link->stack->timers, &dhcp->timer, link->stack->now + random_time(dhcp, START_DELAY));
	if (r < 0)
		dhcp_forget(link);
	return r;
}

void berth_link_dhcp_stop(struct berth_link *link)
{
	struct dhcp *dhcp = link->dhcp;

	if (dhcp && dhcp->has_address) {
		dhcp_send(dhcp, DHCP_RELEASE);
		lease_undo(dhcp);
	}
	dhcp_forget(link);
}

void dhcp_forget(struct berth_link *link)
{
	struct dhcp *dhcp = link->dhcp;

	if (!dhcp)
		return;
	timers_cancel(&link->stack->timers, &dhcp->timer);
	link->dhcp = NULL;
	stack_free(link->stack, dhcp, sizeof(*dhcp));
}

void berth_link_dhcp_inspect(const struct berth_link *link, struct berth_dhcp_info *ret_info)
{
	const struct dhcp *dhcp = link->dhcp;

	*ret_info = (struct berth_dhcp_info){ .state = dhcp ? dhcp->state : BERTH_DHCP_OFF };
	if (!dhcp || !dhcp->has_address)
		return;
	ret_info->address = dhcp->offer.yours;
	ret_info->server = dhcp->offer.server;
	ret_info->router = dhcp->offer.router_count ? dhcp->offer.routers[0] : ip_any;
	ret_info->prefix_length = dhcp->offer.prefix_length;
	ret_info->mtu = dhcp->offer.mtu;
	ret_info->dns_server_count = (unsigned)dhcp_servers(link, ret_info->dns_servers, WIRE_DHCP_ADDRESSES_MAX);
	ret_info->renew_at = dhcp->renew_at;
	ret_info->rebind_at = dhcp->rebind_at;
	ret_info->expires_at = dhcp->expires_at;
}
