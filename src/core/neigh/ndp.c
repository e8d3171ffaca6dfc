/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbour discovery as a host does it, RFC 4861 §7.2. What routers say goes
 * to autoconf.c, and to ip/redirect.c.
 */
#include "core/neigh/table.h"

#include "core/ip/ip.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"

enum { NDP_HOP_LIMIT = 255 };

static const struct berth_ip all_nodes = { { 0xff, 0x02, [15] = 1 } };

/* Send to mac, or (NULL) wherever destination's neighbour entry or group says. */
static void ndp_send(struct berth_link *link, const struct wire_ndp *ndp, struct berth_ip source,
		     struct berth_ip destination, const uint8_t *mac)
{
	enum { ROOM = WIRE_IP6_LENGTH + WIRE_NDP_NEIGHBOUR_LENGTH + WIRE_NDP_LINK_OPTION_LENGTH };
	struct berth_packet *packet = berth_packet_new(link->stack->packets, PACKET_HEADROOM, ROOM);
	struct wire_ip6 ip6 = {
		.next_header = PROTOCOL_ICMP6, .hop_limit = NDP_HOP_LIMIT, .source = source, .destination = destination
	};
	uint8_t *bytes;
	size_t length;

	if (!packet) {
		stack_event(link->stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return;
	}
	bytes = berth_packet_put(packet, ROOM);
	length = wire_ndp_build(bytes + WIRE_IP6_LENGTH, ndp);
	ip6.payload_length = (uint16_t)length;
	wire_ip6_build(bytes, &ip6);
	put_be16(bytes + WIRE_IP6_LENGTH + 2,
		 checksum_finish(checksum_add(ip_pseudo_sum(source, destination, PROTOCOL_ICMP6, length),
					      bytes + WIRE_IP6_LENGTH, length)));
	berth_packet_trim(packet, WIRE_IP6_LENGTH + length);
	if (mac)
		neigh_send_frame(link, packet, mac, ETHERTYPE_IP6);
	else
		neigh_output(link, destination, packet);
}

void ndp_solicit(struct berth_link *link, struct berth_ip ip, const uint8_t *mac, struct berth_ip source)
{
	struct wire_ndp ndp = { .type = ICMP6_NEIGHBOUR_SOLICIT, .target = ip };

	/* "MUST NOT be included when the source IP address is the unspecified address." §4.3 */
	ndp.has_link_address = !ip_is_any(source);
	memcpy(ndp.link_address, link->mac, 6);
	ndp_send(link, &ndp, source, mac ? ip : ip_solicited_node(ip), mac);
}

void ndp_solicit_routers(struct berth_link *link)
{
	static const struct berth_ip all_routers = { { 0xff, 0x02, [15] = 2 } };
	struct wire_ndp ndp = { .type = ICMP6_ROUTER_SOLICIT };
	struct berth_ip source = neigh_source(link, all_routers);

	LIST_EACH(&link->addresses, node) {
		const struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (ip_is6(address->ip) && ip_is_link_local(address->ip) && !address->tentative)
			source = address->ip;
	}
	ndp.has_link_address = !ip_is_any(source); /* §4.1 */
	memcpy(ndp.link_address, link->mac, 6);
	ndp_send(link, &ndp, source, all_routers, NULL);
}

static void advertise(struct berth_link *link, struct berth_ip target, struct berth_ip to)
{
	struct wire_ndp ndp = { .type = ICMP6_NEIGHBOUR_ADVERT,
				.target = target,
				.router = link->stack->forwarding,
				.solicited = !ip_is_any(to),
				.override = true,
				.has_link_address = true };

	memcpy(ndp.link_address, link->mac, 6);
	ndp_send(link, &ndp, target, ip_is_any(to) ? all_nodes : to, NULL);
}

/* What §7.1 asks for beyond the message itself. */
static bool makes_sense(const struct wire_ndp *ndp, const struct wire_ip6 *ip6)
{
	if (ip6->hop_limit != NDP_HOP_LIMIT)
		return false;
	if (ndp->type == ICMP6_ROUTER_ADVERT || ndp->type == ICMP6_REDIRECT)
		return ip_is_link_local(ip6->source); /* §6.1.2, §8.1 */
	if (ndp->type == ICMP6_NEIGHBOUR_ADVERT)
		return !(ndp->solicited && ip_is_multicast(ip6->destination));
	if (ndp->type == ICMP6_NEIGHBOUR_SOLICIT && ip_is_any(ip6->source))
		return !ndp->has_link_address && ip_equal(ip6->destination, ip_solicited_node(ndp->target));
	return true;
}

static void solicit_input(struct berth_link *link, const struct wire_ndp *ndp, const struct wire_ip6 *ip6)
{
	const struct link_address *address = neigh_own_address(link, ndp->target);
	struct neigh *neigh;

	if (!address)
		return;
	if (address->tentative) { /* RFC 4862 §5.4.3 */
		if (ip_is_any(ip6->source))
			dad_fail(link, address);
		return;
	}
	if (ndp->has_link_address && !mac_is_group(ndp->link_address)) {
		neigh = neigh_find(link->neigh, ip6->source);
		if (neigh) {
			neigh_learn(neigh, ndp->link_address, NEIGH_CLAIMED);
		} else if (!neigh_own_address(link, ip6->source)) {
			neigh = neigh_new(link->neigh, ip6->source, NEIGH_HEARD);
			if (neigh)
				memcpy(neigh->mac, ndp->link_address, 6);
		}
	}
	advertise(link, ndp->target, ip6->source);
}

/* §7.2.5, and RFC 4862 §5.4.4 for tentative ones. */
static void advert_input(struct berth_link *link, const struct wire_ndp *ndp)
{
	const struct link_address *address = neigh_own_address(link, ndp->target);
	struct neigh *neigh = neigh_find(link->neigh, ndp->target);
	const uint8_t *mac;

	if (address) {
		if (address->tentative)
			dad_fail(link, address);
		else
			stack_event(link->stack, BERTH_EVENT_NEIGH_DROP_CONFLICT);
		return;
	}
	if (!neigh || (ndp->has_link_address && mac_is_group(ndp->link_address)))
		return;
	if (neigh->state == NEIGH_INCOMPLETE && !ndp->has_link_address)
		return;
	mac = ndp->has_link_address ? ndp->link_address : neigh->mac;
	if (neigh->state != NEIGH_INCOMPLETE && !ndp->override && memcmp(mac, neigh->mac, 6)) {
		if (neigh->state == NEIGH_REACHABLE)
			neigh->state = NEIGH_STALE;
		return;
	}
	neigh_learn(neigh, mac, ndp->solicited ? NEIGH_CONFIRMED : NEIGH_CLAIMED);
}

/* A link address that a router's message tells of ip. §6.3.4, §8.3 */
static void learn_unasked(struct berth_link *link, struct berth_ip ip, const uint8_t mac[6])
{
	struct neigh *neigh = neigh_find(link->neigh, ip);

	if (mac_is_group(mac) || neigh_own_address(link, ip))
		return;
	if (neigh) {
		neigh_learn(neigh, mac, NEIGH_CLAIMED);
		return;
	}
	neigh = neigh_new(link->neigh, ip, NEIGH_HEARD);
	if (neigh)
		memcpy(neigh->mac, mac, 6);
}

static void router_input(struct berth_link *link, const struct wire_ndp *ndp, struct berth_ip router)
{
	if (ndp->has_link_address)
		learn_unasked(link, router, ndp->link_address);
	autoconf_advert(link, ndp, router);
}

static void redirect_input(struct berth_link *link, const struct wire_ndp *ndp, struct berth_ip router)
{
	if (ip_redirect(link, router, ndp->destination, ndp->target) && ndp->has_link_address)
		learn_unasked(link, ndp->target, ndp->link_address);
}

void ndp_input(struct berth_link *link, struct berth_packet *packet, const struct wire_ip6 *ip6)
{
	struct berth_stack *stack = link->stack;
	struct wire_ndp ndp;

	if (!link->neigh) {
		stack_drop(stack, packet, BERTH_EVENT_ICMP_DROP_TYPE);
		return;
	}
	if (wire_ndp_parse(packet->data, packet->length, &ndp) < 0 || !makes_sense(&ndp, ip6)) {
		stack_drop(stack, packet, BERTH_EVENT_NDP_DROP_MALFORMED);
		return;
	}
	if (ndp.type == ICMP6_NEIGHBOUR_SOLICIT) {
		solicit_input(link, &ndp, ip6);
	} else if (ndp.type == ICMP6_NEIGHBOUR_ADVERT) {
		advert_input(link, &ndp);
	} else if (ndp.type == ICMP6_ROUTER_ADVERT && link->neigh->autoconf) {
		router_input(link, &ndp, ip6->source);
	} else if (ndp.type == ICMP6_REDIRECT) {
		redirect_input(link, &ndp, ip6->source);
	} else {
		stack_drop(stack, packet, BERTH_EVENT_ICMP_DROP_TYPE);
		return;
	}
	berth_packet_unref(packet);
}
