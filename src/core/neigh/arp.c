/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP. RFC 826; who may say what about whom follows RFC 5227's precautions.
 * Entries are made for those who ask for us, and changed for those we know; a
 * gratuitous announcement makes none.
 */
#include "core/neigh/table.h"

#include "core/dhcp/dhcp.h"
#include "wire/arp.h"
#include "wire/ethernet.h"

static void arp_send(struct berth_link *link, const struct wire_arp *arp, const uint8_t mac[6])
{
	struct berth_packet *packet = berth_packet_new(link->stack->packets, PACKET_HEADROOM, WIRE_ARP_LENGTH);

	if (!packet) {
		stack_event(link->stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return;
	}
	wire_arp_build(berth_packet_put(packet, WIRE_ARP_LENGTH), arp);
	neigh_send_frame(link, packet, mac, ETHERTYPE_ARP);
}

void arp_solicit(struct berth_link *link, struct berth_ip ip, const uint8_t *mac)
{
	struct wire_arp arp = { .operation = ARP_REQUEST, .target_ip = ip };

	arp.sender_ip = neigh_source(link, ip); /* none: all zero, a probe (RFC 5227 §2.1.1) */
	memcpy(arp.sender_mac, link->mac, 6);
	arp_send(link, &arp, mac ? mac : mac_broadcast);
}

/* Say to all, of ip, that sender has it. */
static void ask_all(struct berth_link *link, struct berth_ip sender, struct berth_ip ip)
{
	struct wire_arp arp = { .operation = ARP_REQUEST, .sender_ip = sender, .target_ip = ip };

	memcpy(arp.sender_mac, link->mac, 6);
	arp_send(link, &arp, mac_broadcast);
}

void arp_probe(struct berth_link *link, struct berth_ip ip)
{
	ask_all(link, ip_from_u32(0), ip);
}

void arp_announce(struct berth_link *link, struct berth_ip ip)
{
	ask_all(link, ip, ip);
}

/*
 * RFC 5227 §2.4: the first time we say that ip is ours; who claims it again
 * within ten seconds does not yield. Then an address of DHCP's is given up (b),
 * and a configured one kept without more words (c).
 */
static void defend(struct berth_link *link, struct berth_ip ip)
{
	struct neigh_table *table = link->neigh;
	bool again = link->stack->now - table->conflict_at < DEFEND_INTERVAL;

	table->conflict_at = link->stack->now;
	if (again) {
		dhcp_conflict(link, ip);
		return;
	}
	stack_event(link->stack, BERTH_EVENT_ARP_DEFENDED);
	arp_announce(link, ip);
}

static void arp_reply(struct berth_link *link, const struct wire_arp *request)
{
	struct wire_arp arp = { .operation = ARP_REPLY,
				.sender_ip = request->target_ip,
				.target_ip = request->sender_ip };

	memcpy(arp.sender_mac, link->mac, 6);
	memcpy(arp.target_mac, request->sender_mac, 6);
	arp_send(link, &arp, request->sender_mac);
	stack_event(link->stack, BERTH_EVENT_ARP_REPLY_SENT);
}

static bool arp_makes_sense(const struct wire_arp *arp)
{
	static const uint8_t none[6];

	if (arp->operation != ARP_REQUEST && arp->operation != ARP_REPLY)
		return false;
	if (mac_is_group(arp->sender_mac) || !memcmp(arp->sender_mac, none, 6))
		return false;
	return !ip_is_multicast(arp->sender_ip) && !ip_is_limited_broadcast(arp->sender_ip) &&
	       !ip_is_loopback(arp->sender_ip);
}

/* RFC 826's "merge flag" algorithm: change what is known, add it only if it speaks to us. */
static void arp_learn(struct berth_link *link, const struct wire_arp *arp, bool for_us)
{
	struct neigh *neigh = neigh_find(link->neigh, arp->sender_ip);
	bool asked;

	if (!neigh) {
		if (!for_us || arp->operation != ARP_REQUEST)
			return;
		neigh = neigh_new(link->neigh, arp->sender_ip, NEIGH_HEARD);
		if (neigh)
			memcpy(neigh->mac, arp->sender_mac, 6);
		return;
	}
	asked = neigh->state == NEIGH_INCOMPLETE || neigh->state == NEIGH_PROBE;
	neigh_learn(neigh, arp->sender_mac,
		    asked && for_us && arp->operation == ARP_REPLY ? NEIGH_CONFIRMED : NEIGH_CLAIMED);
}

void arp_input(struct berth_link *link, struct berth_packet *packet)
{
	struct berth_stack *stack = link->stack;
	const struct link_address *target;
	struct wire_arp arp;

	if (wire_arp_parse(packet->data, packet->length, &arp) < 0 || !arp_makes_sense(&arp)) {
		stack_drop(stack, packet, BERTH_EVENT_ARP_DROP_MALFORMED);
		return;
	}
	if (neigh_own_address(link, arp.sender_ip)) {
		stack_drop(stack, packet, BERTH_EVENT_NEIGH_DROP_CONFLICT);
		defend(link, arp.sender_ip);
		return;
	}
	dhcp_arp(link, &arp);
	target = neigh_own_address(link, arp.target_ip);
	if (ip_u32(arp.sender_ip) != 0)
		arp_learn(link, &arp, target != NULL);
	if (target && arp.operation == ARP_REQUEST)
		arp_reply(link, &arp);
	berth_packet_unref(packet);
}
