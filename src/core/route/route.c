/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes in a keyed hash by prefix and length. A lookup asks for each length
 * that is present, longest first: a bitmap knows which those are, and real
 * tables have few. IPv4 routes are kept as prefixes of ::ffff:0:0/96, and so
 * have at least 96 bits; no IPv6 destination begins like that (wire/ip6.h).
 *
 * Among routes of one prefix, an earlier one goes before a later one.
 */
#include "core/route/route.h"

#include <errno.h>

enum { BUCKETS_MIN = 64 };

struct route_table {
	struct route **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	unsigned of_length[129];
	uint64_t lengths[3]; /* bit n: of_length[n] is not 0 */
};

int route_table_init(struct berth_stack *stack)
{
	struct route_table *table = stack_alloc(stack, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->bucket_count = BUCKETS_MIN;
	table->buckets = stack_alloc(stack, table->bucket_count * sizeof(*table->buckets));
	if (!table->buckets) {
		stack_free(stack, table, sizeof(*table));
		return -ENOMEM;
	}
	stack->routes = table;
	route_changed(stack);
	return 0;
}

void route_table_fini(struct berth_stack *stack)
{
	struct route_table *table = stack->routes;

	if (!table)
		return;
	for (size_t i = 0; i < table->bucket_count; i++) {
		while (table->buckets[i]) {
			struct route *route = table->buckets[i];

			table->buckets[i] = route->next;
			stack_free(stack, route, sizeof(*route));
		}
	}
	stack_free(stack, table->buckets, table->bucket_count * sizeof(*table->buckets));
	stack_free(stack, table, sizeof(*table));
	stack->routes = NULL;
}

static uint64_t route_hash(const struct berth_stack *stack, struct berth_ip prefix, unsigned bits)
{
	uint64_t words[3] = { 0, 0, bits };

	memcpy(words, prefix.bytes, 16);
	return hash_words(stack->hash_key, words, 3);
}

static struct route **bucket_of(const struct berth_stack *stack, struct berth_ip prefix, unsigned bits)
{
	const struct route_table *table = stack->routes;

	return &table->buckets[route_hash(stack, prefix, bits) & (table->bucket_count - 1)];
}

/* ip with all but the first bits of its 128 bits zero. */
static struct berth_ip mask_bits(struct berth_ip ip, unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > 8 * i ? MIN(bits - 8 * i, 8u) : 0;

		ip.bytes[i] &= (uint8_t)(0xff00 >> keep);
	}
	return ip;
}

static const struct route *find_length(struct berth_stack *stack, struct berth_ip destination, unsigned bits,
				       struct berth_link *link)
{
	struct berth_ip prefix = mask_bits(destination, bits);

	for (struct route *route = *bucket_of(stack, prefix, bits); route; route = route->next)
		if (route->bits == bits && ip_equal(route->prefix, prefix) && (!link || route->link == link))
			return route;
	return NULL;
}

const struct route *route_find(struct berth_stack *stack, struct berth_ip destination, struct berth_link *link)
{
	const struct route_table *table = stack->routes;
	unsigned floor = ip_is4(destination) ? 96 : 0;

	for (int word = 2; word >= 0; word--) {
		uint64_t left = table->lengths[word];

		while (left) {
			unsigned bit = 63 - (unsigned)__builtin_clzll(left);
			unsigned bits = (unsigned)word * 64 + bit;
			const struct route *route;

			if (bits < floor)
				return NULL;
			route = find_length(stack, destination, bits, link);
			if (route)
				return route;
			left &= ~(1ull << bit);
		}
	}
	return NULL;
}

/* Twice the buckets when there are more routes than buckets. Without memory, chains grow instead. */
static void table_grow(struct berth_stack *stack)
{
	struct route_table *table = stack->routes;
	size_t old_count = table->bucket_count;
	struct route **old = table->buckets, **buckets;

	if (table->count < old_count)
		return;
	buckets = stack_alloc(stack, 2 * old_count * sizeof(*buckets));
	if (!buckets)
		return;
	table->buckets = buckets;
	table->bucket_count = 2 * old_count;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct route *route = old[i], **end;

			old[i] = route->next;
			route->next = NULL;
			end = bucket_of(stack, route->prefix, route->bits);
			while (*end)
				end = &(*end)->next;
			*end = route;
		}
	}
	stack_free(stack, old, old_count * sizeof(*old));
}

/* Where the pointer to this very route is: *result is NULL when there is none. */
static struct route **route_slot(struct berth_stack *stack, const struct route *wanted)
{
	struct route **slot = bucket_of(stack, wanted->prefix, wanted->bits);

	for (; *slot; slot = &(*slot)->next)
		if ((*slot)->bits == wanted->bits && ip_equal((*slot)->prefix, wanted->prefix) &&
		    ip_equal((*slot)->gateway, wanted->gateway) && (*slot)->link == wanted->link)
			break;
	return slot;
}

static int route_insert(struct berth_stack *stack, const struct route *wanted)
{
	struct route_table *table = stack->routes;
	struct route *route;

	if (table->count >= stack->limits.routes)
		return -ENOBUFS;
	route = stack_alloc(stack, sizeof(*route));
	if (!route)
		return -ENOBUFS;
	table_grow(stack);
	*route = *wanted;
	*route_slot(stack, wanted) = route;
	table->count++;
	table->of_length[route->bits]++;
	table->lengths[route->bits / 64] |= 1ull << route->bits % 64;
	route_changed(stack);
	return 0;
}

static void route_delete(struct berth_stack *stack, struct route **slot)
{
	struct route_table *table = stack->routes;
	struct route *route = *slot;

	*slot = route->next;
	table->count--;
	if (--table->of_length[route->bits] == 0)
		table->lengths[route->bits / 64] &= ~(1ull << route->bits % 64);
	stack_free(stack, route, sizeof(*route));
	route_changed(stack);
}

static struct route route_of(struct berth_ip prefix, unsigned length, struct berth_ip gateway, struct berth_link *link)
{
	unsigned bits = ip_is4(prefix) ? length + 96 : length;
	bool none = ip_is_any(gateway) || (ip_is4(gateway) && ip_u32(gateway) == 0);

	return (struct route){
		.prefix = mask_bits(prefix, bits),
		.bits = (uint8_t)bits,
		.gateway = none ? ip_any : gateway,
		.link = link,
	};
}

static bool route_makes_sense(struct berth_ip prefix, unsigned length, struct berth_ip gateway)
{
	bool v4 = ip_is4(prefix);

	if (length > (v4 ? 32u : 128u))
		return false;
	if (ip_is_any(gateway))
		return true;
	return v4 == ip_is4(gateway) && !ip_is_multicast(gateway) && !ip_is_limited_broadcast(gateway);
}

int berth_route_add(struct berth_stack *stack, struct berth_ip prefix, unsigned length, struct berth_ip gateway,
		    struct berth_link *link)
{
	struct route wanted, **slot;

	if (!link || link->stack != stack || !route_makes_sense(prefix, length, gateway))
		return -EINVAL;
	wanted = route_of(prefix, length, gateway, link);
	wanted.configured = true;
	slot = route_slot(stack, &wanted);
	if (!*slot)
		return route_insert(stack, &wanted);
	if ((*slot)->configured)
		return -EEXIST;
	(*slot)->configured = true;
	return 0;
}

int berth_route_remove(struct berth_stack *stack, struct berth_ip prefix, unsigned length, struct berth_ip gateway,
		       struct berth_link *link)
{
	struct route wanted, **slot;

	if (!link || !route_makes_sense(prefix, length, gateway))
		return -ESRCH;
	wanted = route_of(prefix, length, gateway, link);
	slot = route_slot(stack, &wanted);
	if (!*slot)
		return -ESRCH;
	route_delete(stack, slot); /* Linux: a connected route may be deleted like any other */
	return 0;
}

int route_add_connected(struct berth_link *link, struct berth_ip prefix, unsigned length)
{
	struct route wanted = route_of(prefix, length, ip_any, link), **slot = route_slot(link->stack, &wanted);

	wanted.uses = 1;
	if (!*slot)
		return route_insert(link->stack, &wanted);
	(*slot)->uses++;
	return 0;
}

void route_remove_connected(struct berth_link *link, struct berth_ip prefix, unsigned length)
{
	struct route wanted = route_of(prefix, length, ip_any, link), **slot = route_slot(link->stack, &wanted);

	if (!*slot || (*slot)->uses == 0)
		return;
	if (--(*slot)->uses == 0 && !(*slot)->configured)
		route_delete(link->stack, slot);
}

void route_remove_link(struct berth_link *link)
{
	struct route_table *table = link->stack->routes;

	for (size_t i = 0; table && i < table->bucket_count; i++) {
		struct route **slot = &table->buckets[i];

		while (*slot) {
			if ((*slot)->link == link)
				route_delete(link->stack, slot);
			else
				slot = &(*slot)->next;
		}
	}
}

static bool same_prefix(const struct route *a, const struct route *b)
{
	return a->bits == b->bits && ip_equal(a->prefix, b->prefix);
}

/* Put the route at slot behind all others of its bucket, if one of them is of its prefix. Says if it moved. */
static bool move_back(struct route **slot)
{
	struct route *route = *slot, **end = &route->next;
	bool others = false;

	while (*end) {
		others = others || same_prefix(*end, route);
		end = &(*end)->next;
	}
	if (!others)
		return false;
	*end = route;
	*slot = route->next;
	route->next = NULL;
	return true;
}

void route_gateway_failed(struct berth_link *link, struct berth_ip gateway)
{
	struct route_table *table = link->stack->routes;
	bool moved = false;

	for (size_t i = 0; table && i < table->bucket_count; i++) {
		for (struct route **slot = &table->buckets[i]; *slot; slot = &(*slot)->next) {
			if ((*slot)->link != link || !ip_equal((*slot)->gateway, gateway))
				continue;
			if (!move_back(slot))
				continue;
			moved = true;
			break; /* one bucket has a prefix and gateway once, or the next failure goes on */
		}
	}
	if (moved)
		route_changed(link->stack);
}
