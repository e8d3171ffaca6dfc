/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The neighbour table: a keyed hash, and a list for each class of worth, least
 * recently used first. It holds at most limits.neighbours entries; see
 * enum neigh_class for who makes room for whom.
 */
#include "core/neigh/table.h"

#include "core/ip/ip.h"
#include "core/route/route.h"
#include "wire/icmp.h"
#include "wire/ip4.h"

#include <errno.h>

int neigh_link_init(struct berth_link *link)
{
	struct neigh_table *table = stack_alloc(link->stack, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->link = link;
	list_init(&table->dads);
	table->reachable_time = 30 * BERTH_SEC;
	table->retransmit_time = 1 * BERTH_SEC;
	table->conflict_at = link->stack->now - DEFEND_INTERVAL;
	for (size_t i = 0; i < NEIGH_CLASSES; i++)
		list_init(&table->classes[i]);
	link->neigh = table;
	return link->flags & BERTH_LINK_AUTOCONF ? autoconf_init(link) : 0;
}

static struct neigh **bucket_of(struct neigh_table *table, struct berth_ip ip)
{
	uint64_t words[2];

	memcpy(words, ip.bytes, sizeof(words));
	return &table->buckets[hash_words(table->link->stack->hash_key, words, 2) % NEIGH_BUCKETS];
}

struct neigh *neigh_find(struct neigh_table *table, struct berth_ip ip)
{
	struct neigh *neigh = *bucket_of(table, ip);

	while (neigh && !ip_equal(neigh->ip, ip))
		neigh = neigh->next;
	return neigh;
}

static void class_leave(struct neigh *neigh)
{
	neigh->table->counts[neigh->class]--;
	list_remove(&neigh->node);
}

static void class_enter(struct neigh *neigh, enum neigh_class class)
{
	neigh->class = (uint8_t) class;
	neigh->table->counts[class]++;
	list_append(&neigh->table->classes[class], &neigh->node);
}

void neigh_set_class(struct neigh *neigh, enum neigh_class class)
{
	if (neigh->class == class && neigh->table->classes[class].prev == &neigh->node)
		return;
	class_leave(neigh);
	class_enter(neigh, class);
}

static struct neigh *least_recent(struct neigh_table *table, enum neigh_class class)
{
	return LIST_FIRST(&table->classes[class], struct neigh, node);
}

/* Whom a new entry of this class pushes out of a full table; NULL: nobody, it must stay outside. */
static struct neigh *victim_for(struct neigh_table *table, enum neigh_class class)
{
	struct neigh *victim = least_recent(table, NEIGH_HEARD);
	bool many_pending = table->counts[NEIGH_PENDING] * 4 >= table->link->stack->limits.neighbours;

	if (victim || class == NEIGH_HEARD)
		return victim;
	if (!many_pending)
		victim = least_recent(table, NEIGH_KNOWN);
	return victim ? victim : least_recent(table, NEIGH_PENDING);
}

static int make_room(struct neigh_table *table, enum neigh_class class)
{
	while (table->count >= table->link->stack->limits.neighbours) {
		struct neigh *victim = victim_for(table, class);

		if (!victim)
			return -ENOBUFS;
		neigh_drop(victim, BERTH_EVENT_NEIGH_DROP_TABLE_FULL);
	}
	return 0;
}

struct neigh *neigh_new(struct neigh_table *table, struct berth_ip ip, enum neigh_class class)
{
	struct neigh *neigh, **bucket = bucket_of(table, ip);

	if (make_room(table, class) < 0)
		return NULL;
	neigh = stack_alloc(table->link->stack, sizeof(*neigh));
	if (!neigh)
		return NULL;
	neigh->table = table;
	neigh->ip = ip;
	neigh->state = class == NEIGH_PENDING ? NEIGH_INCOMPLETE : NEIGH_STALE;
	neigh->timer.run = neigh_timer;
	neigh->next = *bucket;
	*bucket = neigh;
	table->count++;
	class_enter(neigh, class);
	return neigh;
}

/* Tell the transport about a packet that found no neighbour. Linux: ipv4_link_failure(), ndisc_error_report(). */
static void report_undeliverable(struct berth_link *link, const struct berth_packet *packet)
{
	struct berth_stack *stack = link->stack;
	struct berth_ip_error error = { .error = EHOSTUNREACH };
	struct wire_ip4 ip4;
	struct wire_ip6 ip6;
	int at = wire_ip4_parse_quoted(packet->data, packet->length, &ip4);

	if (at >= 0) {
		if (ip4.offset)
			return;
		error.source = ip4.source;
		error.destination = ip4.destination;
		error.protocol = ip4.protocol;
		error.icmp_version = 4;
		error.icmp_type = ICMP4_UNREACHABLE;
		error.icmp_code = ICMP4_HOST_UNREACHABLE;
	} else {
		at = wire_ip6_parse_quoted(packet->data, packet->length, &ip6);
		if (at >= 0)
			at = wire_ip6_find_transport(packet->data, packet->length, &error.protocol);
		if (at < 0)
			return;
		error.source = ip6.source;
		error.destination = ip6.destination;
		error.icmp_version = 6;
		error.icmp_type = ICMP6_UNREACHABLE;
		error.icmp_code = ICMP6_ADDRESS_UNREACHABLE;
	}
	if (!ip_is_local(stack, error.source)) { /* we are a router on its way: RFC 1812 §4.3.3.1 */
		icmp_send_error(stack, link, packet, ICMP_ERROR_HOST, 0);
		return;
	}
	error.reporter = error.source;
	ip_deliver_error(stack, &error, packet->data + at, packet->length - (size_t)at);
}

static void neigh_release(struct neigh *neigh)
{
	struct neigh_table *table = neigh->table;
	struct neigh **slot = bucket_of(table, neigh->ip);

	while (*slot != neigh)
		slot = &(*slot)->next;
	*slot = neigh->next;
	class_leave(neigh);
	table->count--;
	timers_cancel(&table->link->stack->timers, &neigh->timer);
	stack_free(table->link->stack, neigh, sizeof(*neigh));
}

void neigh_drop(struct neigh *neigh, enum berth_event reason)
{
	struct berth_stack *stack = neigh->table->link->stack;
	struct berth_packet *packet;

	while ((packet = packet_queue_pop(&neigh->waiting)))
		stack_drop(stack, packet, reason);
	neigh_release(neigh);
}

void neigh_fail(struct neigh *neigh)
{
	struct berth_link *link = neigh->table->link;
	struct packet_queue waiting = neigh->waiting;
	struct berth_packet *packet;

	ip_redirect_failed(link, neigh->ip);
	route_gateway_failed(link, neigh->ip);
	neigh_release(neigh); /* first: a transport that is told may send again */
	while ((packet = packet_queue_pop(&waiting))) {
		report_undeliverable(link, packet);
		stack_drop(link->stack, packet, BERTH_EVENT_NEIGH_DROP_UNRESOLVED);
	}
}

/* The addresses, and with them what dad.c holds, are gone already. */
void neigh_link_fini(struct berth_link *link)
{
	struct neigh_table *table = link->neigh;

	if (!table)
		return;
	autoconf_fini(link);
	for (size_t i = 0; i < NEIGH_CLASSES; i++) {
		struct neigh *neigh;

		while ((neigh = least_recent(table, (enum neigh_class)i))) {
			packet_queue_clear(&neigh->waiting);
			neigh_release(neigh);
		}
	}
	link->neigh = NULL;
	stack_free(link->stack, table, sizeof(*table));
}
