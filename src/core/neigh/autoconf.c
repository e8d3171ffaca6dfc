/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a host learns from routers: who they are (RFC 4861 §6.3), which
 * prefixes are on the link, and addresses in them (RFC 4862 §5.5); MTU, hop
 * limit, timers, DNS servers (RFC 8106). Each thing learnt has an end; one
 * timer runs until the next. What the embedder configured by itself is never
 * taken over, and so never taken away.
 *
 * Limits: THINGS_MAX learnt things a link.
 */
#include "core/neigh/table.h"

#include "core/dhcp/dhcp.h"
#include "core/route/route.h"

#include <errno.h>

enum { THINGS_MAX = 32, MAX_SOLICITS = 3 };
#define SOLICIT_INTERVAL (4 * BERTH_SEC) /* RFC 4861 §10 */
#define SOLICIT_DELAY (1 * BERTH_SEC)
#define TWO_HOURS (7200 * BERTH_SEC) /* RFC 4862 §5.5.3 (e) */
enum { MTU_MIN6 = 1280 };

enum thing_kind {
	THING_ROUTER,  /* ip; a default route */
	THING_PREFIX,  /* ip and length; a route to the link */
	THING_ADDRESS, /* ip */
};

struct thing {
	struct list node; /* in autoconf->things */
	enum thing_kind kind;
	struct berth_ip ip;
	unsigned length;
	berth_time until, preferred_until;
};

struct autoconf {
	struct berth_link *link;
	struct list things;
	size_t count;
	struct berth_timer expiry;
	struct berth_timer solicit;
	unsigned solicits;
	uint8_t server_count;
	struct berth_ip servers[WIRE_NDP_SERVERS_MAX];
	berth_time servers_until;
};

static berth_time end_of(const struct berth_stack *stack, uint32_t seconds)
{
	return seconds == UINT32_MAX ? BERTH_NEVER : stack->now + seconds * BERTH_SEC; /* §4.6.2: infinity */
}

static struct thing *thing_find(const struct autoconf *autoconf, enum thing_kind kind, struct berth_ip ip,
				unsigned length)
{
	LIST_EACH(&autoconf->things, node) {
		struct thing *thing = LIST_ITEM(node, struct thing, node);

		if (thing->kind == kind && thing->length == length && ip_equal(thing->ip, ip))
			return thing;
	}
	return NULL;
}

/* Put into force. 0 or why not; -EEXIST: the embedder has it already. */
static int thing_apply(struct berth_link *link, const struct thing *thing)
{
	switch (thing->kind) {
	case THING_ROUTER:
		return berth_route_add(link->stack, ip_any, 0, thing->ip, link);
	case THING_PREFIX:
		return route_add_connected(link, thing->ip, thing->length);
	case THING_ADDRESS:
		return berth_link_add_address(link, thing->ip, 128); /* §5.5: says nothing of what is on the link */
	}
	return -EINVAL;
}

static void thing_undo(struct berth_link *link, const struct thing *thing)
{
	if (thing->kind == THING_ROUTER)
		berth_route_remove(link->stack, ip_any, 0, thing->ip, link);
	else if (thing->kind == THING_PREFIX)
		route_remove_connected(link, thing->ip, thing->length);
	else
		berth_link_remove_address(link, thing->ip);
}

static struct thing *thing_new(struct autoconf *autoconf, enum thing_kind kind, struct berth_ip ip, unsigned length)
{
	struct berth_stack *stack = autoconf->link->stack;
	struct thing *thing = autoconf->count < THINGS_MAX ? stack_alloc(stack, sizeof(*thing)) : NULL;

	if (!thing) {
		stack_event(stack, BERTH_EVENT_NDP_DROP_LIMIT);
		return NULL;
	}
	*thing = (struct thing){ .kind = kind, .ip = ip, .length = length };
	if (thing_apply(autoconf->link, thing) < 0) {
		stack_free(stack, thing, sizeof(*thing));
		return NULL;
	}
	list_append(&autoconf->things, &thing->node);
	autoconf->count++;
	return thing;
}

static void thing_free(struct autoconf *autoconf, struct thing *thing)
{
	list_remove(&thing->node);
	autoconf->count--;
	stack_free(autoconf->link->stack, thing, sizeof(*thing));
}

static void thing_end(struct autoconf *autoconf, struct thing *thing)
{
	thing_undo(autoconf->link, thing);
	thing_free(autoconf, thing);
}

static void set_deprecated(struct autoconf *autoconf, const struct thing *thing)
{
	struct berth_stack *stack = autoconf->link->stack;
	struct link_address *address = neigh_own_address(autoconf->link, thing->ip);
	bool deprecated = thing->preferred_until <= stack->now;

	if (!address || address->deprecated == deprecated)
		return;
	address->deprecated = deprecated;
	route_changed(stack); /* cached paths hold a source */
}

/* Set the timer to what ends next, after ending what is over. */
static void plan(struct autoconf *autoconf)
{
	struct berth_stack *stack = autoconf->link->stack;
	berth_time next = BERTH_NEVER;

	LIST_EACH_SAFE(&autoconf->things, node) {
		struct thing *thing = LIST_ITEM(node, struct thing, node);

		if (thing->until <= stack->now) {
			thing_end(autoconf, thing);
			continue;
		}
		next = MIN(next, thing->until);
		if (thing->kind != THING_ADDRESS)
			continue;
		set_deprecated(autoconf, thing);
		if (thing->preferred_until > stack->now)
			next = MIN(next, thing->preferred_until);
	}
	if (next == BERTH_NEVER)
		timers_cancel(&stack->timers, &autoconf->expiry);
	else
		timers_set(&stack->timers, &autoconf->expiry, next); /* without memory: at the next advertisement */
}

static void expiry_timer(struct berth_timer *timer)
{
	plan(CONTAINER_OF(timer, struct autoconf, expiry));
}

static void solicit_timer(struct berth_timer *timer)
{
	struct autoconf *autoconf = CONTAINER_OF(timer, struct autoconf, solicit);
	struct berth_stack *stack = autoconf->link->stack;

	ndp_solicit_routers(autoconf->link);
	if (++autoconf->solicits < MAX_SOLICITS)
		timers_set(&stack->timers, timer, stack->now + SOLICIT_INTERVAL);
}

/* RFC 4861 §6.3.4: a lifetime of zero ends a router's service at once. */
static void take_router(struct autoconf *autoconf, struct berth_ip router, uint16_t lifetime_s)
{
	struct thing *thing = thing_find(autoconf, THING_ROUTER, router, 0);

	if (!thing && lifetime_s)
		thing = thing_new(autoconf, THING_ROUTER, router, 0);
	if (thing)
		thing->until = end_of(autoconf->link->stack, lifetime_s);
}

static void take_on_link(struct autoconf *autoconf, const struct wire_ndp_prefix *prefix)
{
	struct berth_ip ip = ip_mask(prefix->prefix, prefix->length);
	struct thing *thing = thing_find(autoconf, THING_PREFIX, ip, prefix->length);

	if (!thing && prefix->valid_s)
		thing = thing_new(autoconf, THING_PREFIX, ip, prefix->length);
	if (thing)
		thing->until = end_of(autoconf->link->stack, prefix->valid_s);
}

/* prefix and the modified EUI-64 of the hardware address. RFC 2464 §4 */
static struct berth_ip address_in(const struct berth_link *link, struct berth_ip prefix)
{
	const uint8_t id[8] = { (uint8_t)(link->mac[0] ^ 2),
				link->mac[1],
				link->mac[2],
				0xff,
				0xfe,
				link->mac[3],
				link->mac[4],
				link->mac[5] };

	memcpy(prefix.bytes + 8, id, sizeof(id));
	return prefix;
}

/* RFC 4862 §5.5.3. Rule (e) keeps a forged advertisement from ending addresses at once. */
static void take_address(struct autoconf *autoconf, const struct wire_ndp_prefix *prefix)
{
	struct berth_stack *stack = autoconf->link->stack;
	berth_time valid_until = end_of(stack, prefix->valid_s);
	struct berth_ip ip = address_in(autoconf->link, prefix->prefix);
	struct thing *thing;

	if (ip_is_link_local(prefix->prefix) || ip_is_multicast(prefix->prefix) || prefix->length != 64 ||
	    prefix->preferred_s > prefix->valid_s)
		return;
	thing = thing_find(autoconf, THING_ADDRESS, ip, 128);
	if (!thing) {
		if (!prefix->valid_s || !(thing = thing_new(autoconf, THING_ADDRESS, ip, 128)))
			return;
		thing->until = valid_until;
	} else if (valid_until > thing->until || valid_until - stack->now > TWO_HOURS) {
		thing->until = valid_until;
	} else if (thing->until - stack->now > TWO_HOURS) {
		thing->until = stack->now + TWO_HOURS;
	}
	thing->preferred_until = end_of(stack, prefix->preferred_s);
}

static void take_parameters(struct berth_link *link, const struct wire_ndp *ndp)
{
	struct neigh_table *table = link->neigh;

	if (ndp->hop_limit)
		link->hop_limit = ndp->hop_limit;
	if (ndp->reachable_ms && ndp->reachable_ms <= 3600000) /* §6.2.1: an hour at most */
		table->reachable_time = ndp->reachable_ms * BERTH_MSEC;
	if (ndp->retransmit_ms && ndp->retransmit_ms <= 60000)
		table->retransmit_time = MAX(ndp->retransmit_ms, 10u) * BERTH_MSEC; /* no storm because of a slip */
	if (ndp->mtu >= MTU_MIN6 && ndp->mtu <= link->mtu && ndp->mtu != link->mtu6) {
		link->mtu6 = ndp->mtu;
		route_changed(link->stack);
	}
}

static void take_servers(struct autoconf *autoconf, const struct wire_ndp *ndp)
{
	if (!ndp->server_count)
		return;
	autoconf->server_count = ndp->server_count;
	memcpy(autoconf->servers, ndp->servers, sizeof(autoconf->servers));
	autoconf->servers_until = end_of(autoconf->link->stack, ndp->servers_s);
}

void autoconf_advert(struct berth_link *link, const struct wire_ndp *ndp, struct berth_ip router)
{
	struct autoconf *autoconf = link->neigh->autoconf;

	stack_event(link->stack, BERTH_EVENT_NDP_ROUTER_HEEDED);
	if (ndp->lifetime_s) /* §6.3.7: a router that serves ends the asking */
		timers_cancel(&link->stack->timers, &autoconf->solicit);
	take_parameters(link, ndp);
	take_router(autoconf, router, ndp->lifetime_s);
	take_servers(autoconf, ndp);
	for (size_t i = 0; i < ndp->prefix_count; i++) {
		const struct wire_ndp_prefix *prefix = &ndp->prefixes[i];

		if (prefix->on_link && prefix->length && !ip_is_link_local(prefix->prefix) &&
		    !ip_is_multicast(prefix->prefix))
			take_on_link(autoconf, prefix);
		if (prefix->autonomous)
			take_address(autoconf, prefix);
	}
	plan(autoconf);
}

int autoconf_init(struct berth_link *link)
{
	struct berth_stack *stack = link->stack;
	struct autoconf *autoconf = stack_alloc(stack, sizeof(*autoconf));
	berth_time delay = (berth_time)random_below(&stack->random, (uint64_t)SOLICIT_DELAY);

	if (!autoconf)
		return -ENOMEM;
	autoconf->link = link;
	autoconf->expiry.run = expiry_timer;
	autoconf->solicit.run = solicit_timer;
	list_init(&autoconf->things);
	link->neigh->autoconf = autoconf;
	return timers_set(&stack->timers, &autoconf->solicit, stack->now + delay);
}

/* Routes and addresses are gone, or go, with the link. */
void autoconf_fini(struct berth_link *link)
{
	struct autoconf *autoconf = link->neigh->autoconf;
	struct berth_stack *stack = link->stack;

	if (!autoconf)
		return;
	LIST_EACH_SAFE(&autoconf->things, node)
		thing_free(autoconf, LIST_ITEM(node, struct thing, node));
	timers_cancel(&stack->timers, &autoconf->expiry);
	timers_cancel(&stack->timers, &autoconf->solicit);
	link->neigh->autoconf = NULL;
	stack_free(stack, autoconf, sizeof(*autoconf));
}

int berth_link_dns_servers(const struct berth_link *link, struct berth_ip *ret_servers, int max)
{
	const struct autoconf *autoconf = link->neigh ? link->neigh->autoconf : NULL;
	int count = 0;

	if (autoconf && autoconf->servers_until > link->stack->now) {
		while (count < autoconf->server_count && count < max) {
			ret_servers[count] = autoconf->servers[count];
			count++;
		}
	}
	return count + dhcp_servers(link, ret_servers + count, max - count);
}
