/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a neighbour, RFC 4861 §7.3, for ARP's entries too (RFC 1122
 * §2.3.2.1 asks that stale ones be found out).
 *
 *	(none) -> INCOMPLETE	 something is to be sent
 *	(none) -> STALE		 it asked for us
 *	INCOMPLETE -> REACHABLE, STALE	 it answered; it said so unasked
 *	INCOMPLETE, PROBE -> (none)	 three questions without an answer
 *	REACHABLE -> STALE	 reachable_until is over (noticed when next used); new hardware address
 *	STALE -> DELAY		 used
 *	DELAY -> PROBE		 5 s later
 *	DELAY, PROBE -> REACHABLE	 it answered
 *
 * A timer runs only in INCOMPLETE, DELAY and PROBE: idle neighbours cost no time.
 */
#include "core/neigh/table.h"

#include "core/ip/ip.h"
#include "wire/ethernet.h"

#define DELAY_FIRST_PROBE (5 * BERTH_SEC)
enum { MAX_SOLICIT = 3 };
/* What waits for one neighbour. RFC 1122 §2.3.2.2 asks for at least one packet. */
enum { WAITING_PACKETS = 64, WAITING_BYTES = 256 << 10 };

struct link_address *neigh_own_address(const struct berth_link *link, struct berth_ip ip)
{
	LIST_EACH(&link->addresses, node) {
		struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (ip_equal(address->ip, ip))
			return address;
	}
	return NULL;
}

struct berth_ip neigh_source(const struct berth_link *link, struct berth_ip ip)
{
	struct berth_ip best = ip_any;

	LIST_EACH(&link->addresses, node) {
		struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (address->tentative || ip_is4(address->ip) != ip_is4(ip))
			continue;
		if (ip_in_prefix(ip, address->ip, address->prefix_length))
			return address->ip;
		if (ip_is_any(best))
			best = address->ip;
	}
	return best;
}

void neigh_send_frame(struct berth_link *link, struct berth_packet *packet, const uint8_t mac[6], uint16_t type)
{
	struct wire_ethernet ethernet = { .type = type };
	uint8_t *header = berth_packet_push(packet, WIRE_ETHERNET_LENGTH);

	if (!header) {
		stack_drop(link->stack, packet, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return;
	}
	memcpy(ethernet.destination, mac, 6);
	memcpy(ethernet.source, link->mac, 6);
	wire_ethernet_build(header, &ethernet);
	link_transmit(link, packet);
}

static void send_ip(struct berth_link *link, struct berth_ip next_hop, struct berth_packet *packet,
		    const uint8_t mac[6])
{
	neigh_send_frame(link, packet, mac, ip_is4(next_hop) ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
}

/* Ask once, and set the timer. Without memory for a timer the entry ends now. */
static void solicit(struct neigh *neigh)
{
	struct neigh_table *table = neigh->table;
	struct berth_stack *stack = table->link->stack;
	const uint8_t *mac = neigh->state == NEIGH_PROBE ? neigh->mac : NULL;

	if (timers_set(&stack->timers, &neigh->timer, stack->now + table->retransmit_time) < 0) {
		neigh_drop(neigh, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return;
	}
	neigh->solicits++;
	if (ip_is4(neigh->ip))
		arp_solicit(table->link, neigh->ip, mac);
	else
		ndp_solicit(table->link, neigh->ip, mac, neigh_source(table->link, neigh->ip));
}

void neigh_timer(struct berth_timer *timer)
{
	struct neigh *neigh = CONTAINER_OF(timer, struct neigh, timer);

	if (neigh->state == NEIGH_DELAY) {
		neigh->state = NEIGH_PROBE;
		neigh->solicits = 0;
	}
	if (neigh->solicits >= MAX_SOLICIT)
		neigh_fail(neigh);
	else
		solicit(neigh);
}

static void wait_for(struct neigh *neigh, struct berth_packet *packet)
{
	struct packet_queue *waiting = &neigh->waiting;

	while (waiting->count && (waiting->count >= WAITING_PACKETS || waiting->bytes + packet->length > WAITING_BYTES))
		stack_drop(neigh->table->link->stack, packet_queue_pop(waiting), BERTH_EVENT_NEIGH_DROP_QUEUE_FULL);
	packet_queue_push(waiting, packet);
}

static void begin(struct berth_link *link, struct berth_ip next_hop, struct berth_packet *packet)
{
	struct neigh *neigh = neigh_new(link->neigh, next_hop, NEIGH_PENDING);

	if (!neigh) {
		stack_drop(link->stack, packet, BERTH_EVENT_NEIGH_DROP_TABLE_FULL);
		return;
	}
	wait_for(neigh, packet);
	solicit(neigh);
}

/* Its reachability is used: STALE ones get their chance to be found out. */
static void use(struct neigh *neigh)
{
	struct berth_stack *stack = neigh->table->link->stack;

	if (neigh->state == NEIGH_REACHABLE && stack->now > neigh->reachable_until)
		neigh->state = NEIGH_STALE;
	if (neigh->state == NEIGH_STALE &&
	    timers_set(&stack->timers, &neigh->timer, stack->now + DELAY_FIRST_PROBE) == 0)
		neigh->state = NEIGH_DELAY;
	neigh_set_class(neigh, NEIGH_KNOWN);
}

static bool is_link_broadcast(const struct berth_link *link, struct berth_ip ip)
{
	LIST_EACH(&link->addresses, node) {
		struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (ip_is4(address->ip) && address->prefix_length <= 30 &&
		    ip_u32(ip) == (ip_u32(address->ip) | 0xffffffffu >> address->prefix_length))
			return true;
	}
	return false;
}

void neigh_output(struct berth_link *link, struct berth_ip next_hop, struct berth_packet *packet)
{
	struct neigh *neigh;
	uint8_t mac[6];

	if (ip_is_multicast(next_hop) || ip_is_limited_broadcast(next_hop)) {
		mac_of_multicast(mac, next_hop);
		send_ip(link, next_hop, packet, mac);
		return;
	}
	neigh = neigh_find(link->neigh, next_hop);
	if (!neigh && ip_is4(next_hop) && is_link_broadcast(link, next_hop)) {
		send_ip(link, next_hop, packet, mac_broadcast);
	} else if (!neigh) {
		begin(link, next_hop, packet);
	} else if (neigh->state == NEIGH_INCOMPLETE) {
		wait_for(neigh, packet);
	} else {
		use(neigh);
		send_ip(link, next_hop, packet, neigh->mac);
	}
}

static void confirm(struct neigh *neigh)
{
	struct berth_stack *stack = neigh->table->link->stack;

	/* Between half and one and a half of the base, RFC 4861 §6.3.2: not all at once. */
	neigh->state = NEIGH_REACHABLE;
	neigh->reachable_until = stack->now + neigh->table->reachable_time / 2 +
				 (berth_time)random_below(&stack->random, (uint64_t)neigh->table->reachable_time);
	timers_cancel(&stack->timers, &neigh->timer);
}

void neigh_confirm(struct berth_link *link, struct berth_ip next_hop)
{
	struct neigh *neigh = link->neigh ? neigh_find(link->neigh, next_hop) : NULL;

	if (!neigh || neigh->state == NEIGH_INCOMPLETE)
		return;
	if (neigh->state == NEIGH_REACHABLE &&
	    neigh->reachable_until - link->stack->now > link->neigh->reachable_time / 4)
		return; /* soon enough next time */
	confirm(neigh);
}

static void send_waiting(struct neigh *neigh)
{
	struct berth_link *link = neigh->table->link;
	struct packet_queue waiting = neigh->waiting;
	struct berth_packet *packet;

	neigh->waiting = (struct packet_queue){ 0 };
	neigh_set_class(neigh, NEIGH_KNOWN);
	while ((packet = packet_queue_pop(&waiting)))
		send_ip(link, neigh->ip, packet, neigh->mac);
}

void neigh_forget(struct berth_link *link, struct berth_ip ip)
{
	struct neigh *neigh = link->neigh && link->neigh->count ? neigh_find(link->neigh, ip) : NULL;

	if (neigh && neigh->state != NEIGH_INCOMPLETE) /* that is being asked for, and nothing waits for the others */
		neigh_drop(neigh, BERTH_EVENT_NEIGH_DROP_UNRESOLVED);
}

void neigh_learn(struct neigh *neigh, const uint8_t mac[6], enum neigh_news news)
{
	bool first = neigh->state == NEIGH_INCOMPLETE;
	bool changed = first || memcmp(neigh->mac, mac, 6) != 0;

	memcpy(neigh->mac, mac, 6);
	if (news == NEIGH_CONFIRMED) {
		confirm(neigh);
	} else if (changed) {
		neigh->state = NEIGH_STALE;
		timers_cancel(&neigh->table->link->stack->timers, &neigh->timer);
	}
	if (first)
		send_waiting(neigh);
}
