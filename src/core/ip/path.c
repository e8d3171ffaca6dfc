/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways: destination to link, next hop, source address and MTU. Own addresses
 * go by loopback whatever routes say, as on Linux; groups leave by the bound
 * link, the source's, or the first that is no loopback.
 */
#include "core/ip/internal.h"
#include "core/route/route.h"

#include <errno.h>

/* RFC 4291 §2.6, RFC 6724 §3.1: scopes as in multicast addresses, for both versions. */
enum { SCOPE_LINK = 2, SCOPE_GLOBAL = 14 };

static unsigned scope_of(struct berth_ip ip)
{
	if (!ip_is4(ip) && ip_is_multicast(ip))
		return ip.bytes[1] & 15;
	if (ip_is_link_local(ip) || ip_is_loopback(ip))
		return SCOPE_LINK;
	if (ip_is4(ip) && ip_u32(ip) >> 8 == 0xe00000)
		return SCOPE_LINK; /* 224.0.0.0/24, RFC 5771 §4 */
	return SCOPE_GLOBAL;
}

static unsigned common_bits(struct berth_ip a, struct berth_ip b)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned differ = a.bytes[i] ^ b.bytes[i];

		if (differ)
			return 8 * i + (unsigned)__builtin_clz(differ) - 24;
	}
	return 128;
}

/* The default policy table's labels: which prefixes go well together. RFC 6724 §2.1 */
static unsigned label_of(struct berth_ip ip)
{
	static const struct {
		struct berth_ip prefix;
		uint8_t length, label;
	} policy[] = {
		{ { { [15] = 1 } }, 128, 0 },	      /* ::1 */
		{ { { [10] = 0xff, 0xff } }, 96, 4 }, /* IPv4 */
		{ { { 0x20, 0x02 } }, 16, 2 },	      /* 6to4 */
		{ { { 0x20, 0x01 } }, 32, 5 },	      /* Teredo */
		{ { { 0xfc } }, 7, 13 },	      /* unique local */
		{ { { 0xfe, 0xc0 } }, 10, 11 },	      /* site local, of old */
		{ { { 0x3f, 0xfe } }, 16, 12 },	      /* 6bone, of old */
	};

	for (size_t i = 0; i < COUNT_OF(policy); i++)
		if (common_bits(ip, policy[i].prefix) >= policy[i].length)
			return policy[i].label;
	return 1;
}

/* Rule 8 counts what may be a network's: the interface's half is chance. */
static unsigned common_network(struct berth_ip a, struct berth_ip b)
{
	return ip_is4(a) ? common_bits(a, b) : MIN(common_bits(a, b), 64u);
}

/*
 * Is a the better source for destination? RFC 6724 §5, rules 2, 3, 6 and 8; rule 1 is loopback's, rule 5 the
 * route's, and of home and temporary addresses there are none.
 */
static bool source_better(const struct link_address *a, const struct link_address *b, struct berth_ip destination)
{
	unsigned wanted = scope_of(destination), scope_a = scope_of(a->ip), scope_b = scope_of(b->ip);

	if (scope_a < scope_b)
		return scope_a >= wanted;
	if (scope_b < scope_a)
		return scope_b < wanted;
	if (a->deprecated != b->deprecated)
		return b->deprecated;
	if (!ip_is4(destination)) {
		bool a_fits = label_of(a->ip) == label_of(destination),
		     b_fits = label_of(b->ip) == label_of(destination);

		if (a_fits != b_fits)
			return a_fits;
	}
	return common_network(a->ip, destination) > common_network(b->ip, destination);
}

static const struct link_address *best_source(const struct berth_link *link, struct berth_ip destination,
					      const struct link_address *best)
{
	LIST_EACH(&link->addresses, node) {
		const struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (address->tentative || ip_is4(address->ip) != ip_is4(destination))
			continue;
		if (!best || source_better(address, best, destination))
			best = address;
	}
	return best;
}

/* IPv4 as Linux: an address of the next hop's subnet first. inet_select_addr(). */
static const struct link_address *subnet_source(const struct berth_link *link, struct berth_ip next_hop)
{
	LIST_EACH(&link->addresses, node) {
		const struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (!address->tentative && ip_in_prefix(next_hop, address->ip, address->prefix_length))
			return address;
	}
	return NULL;
}

static int choose_source(struct berth_stack *stack, struct berth_ip destination, struct ip_path *path)
{
	const struct link_address *best = NULL;

	if (ip_is4(destination))
		best = subnet_source(path->link, path->next_hop);
	if (!best)
		best = best_source(path->link, destination, NULL);
	if (!best && !ip_is_link_local(destination)) {
		/* Another link's will do: the weak host model, RFC 1122 §3.3.4.2. */
		LIST_EACH(&stack->links, node) {
			const struct berth_link *link = LIST_ITEM(node, struct berth_link, node);

			if (!link->loopback)
				best = best_source(link, destination, best);
		}
	}
	if (!best)
		return -EADDRNOTAVAIL;
	path->source = best->ip;
	return 0;
}

struct berth_link *ip_group_link(struct berth_stack *stack, struct berth_ip source)
{
	struct berth_link *link = ip_is_any(source) ? NULL : link_of_address(stack, source);

	if (link && !link->loopback)
		return link;
	LIST_EACH(&stack->links, node) {
		link = LIST_ITEM(node, struct berth_link, node);
		if (!link->loopback)
			return link;
	}
	return NULL;
}

/* Fill in link and next_hop. 0 or -ENETUNREACH. */
static int choose_link(struct berth_stack *stack, struct berth_ip destination, struct berth_ip source,
		       struct berth_link *bound, struct ip_path *path)
{
	const struct route *route = NULL;

	path->next_hop = destination;
	if (ip_is_multicast(destination) || ip_is_limited_broadcast(destination)) {
		path->link = bound ? bound : ip_group_link(stack, source);
		return path->link ? 0 : -ENETUNREACH;
	}
	if (!bound && !ip_is_any(source)) { /* of equal routes, the one by the source's own link */
		struct berth_link *home = link_of_address(stack, source);

		route = route_find(stack, destination, NULL);
		if (route && home && !home->loopback && route->link != home) {
			const struct route *other = route_find(stack, destination, home);

			if (other && other->bits == route->bits)
				route = other;
		}
	} else {
		route = route_find(stack, destination, bound);
	}
	if (!route || (route->link->loopback && !ip_is_loopback(destination)))
		return -ENETUNREACH;
	path->link = route->link;
	if (!ip_is_any(route->gateway))
		path->next_hop = redirect_find(stack, path->link, destination, route->gateway);
	return 0;
}

static bool is_unspecified(struct berth_ip ip)
{
	return ip_is_any(ip) || (ip_is4(ip) && ip_u32(ip) == 0);
}

/* The source towards a destination that answers by loopback without being ours (BERTH_DIVERT). */
static struct berth_ip source_by_loopback(struct berth_stack *stack, struct berth_ip destination)
{
	struct ip_path outside;
	const struct link_address *address;

	if (choose_link(stack, destination, ip_any, NULL, &outside) == 0 &&
	    choose_source(stack, destination, &outside) == 0)
		return outside.source;
	address = best_source(stack->loopback, destination, NULL);
	return address ? address->ip : destination;
}

/* Linux: of the local table, the address that 127.0.0.0/8 was configured with. Every other is its own source. */
static struct berth_ip source_to_self(struct berth_ip destination)
{
	return ip_is4(destination) && ip_is_loopback(destination) ? ip_from_u32(INADDR_LOOPBACK) : destination;
}

static void path_by_loopback(struct berth_stack *stack, struct berth_ip destination, struct berth_ip source,
			     struct ip_path *path)
{
	path->link = stack->loopback;
	path->next_hop = destination;
	path->mtu = stack->loopback->mtu;
	if (!is_unspecified(source))
		path->source = source;
	else
		path->source = ip_is_local(stack, destination) ? source_to_self(destination)
							       : source_by_loopback(stack, destination);
}

static int find(struct berth_stack *stack, struct berth_ip destination, struct berth_ip source, struct berth_link *link,
		struct ip_path *ret_path)
{
	struct ip_path path = { .generation = stack->route_generation };
	int r;

	if (is_unspecified(destination))
		return -ENETUNREACH;
	if (stack->loopback && (ip_is_local(stack, destination) || link == stack->loopback)) {
		path_by_loopback(stack, destination, source, &path);
		*ret_path = path;
		return 0;
	}
	r = choose_link(stack, destination, source, link, &path);
	if (r < 0)
		return r;
	if (!is_unspecified(source))
		path.source = source;
	else if ((r = choose_source(stack, destination, &path)) < 0)
		return r;
	if (ip_is_loopback(path.source) && !path.link->loopback)
		return -EINVAL; /* Linux: __mkroute_output(). It could never be answered. */
	path.group = ip_is_multicast(destination) || ip_is_broadcast(stack, destination);
	path.mtu = path.link->mtu;
	if (!ip_is4(destination) && path.link->mtu6)
		path.mtu = MIN(path.mtu, path.link->mtu6); /* RFC 4861 §6.3.4 */
	path.mtu = pmtu_find(stack, destination, path.mtu);
	*ret_path = path;
	return 0;
}

/* Where the answer to this question is remembered. Whoever chooses addresses can only make others' be forgotten. */
static struct path_memo *memo_of(struct berth_stack *stack, struct berth_ip destination, struct berth_ip source)
{
	uint64_t to[2], from[2];

	memcpy(to, destination.bytes, sizeof(to));
	memcpy(from, source.bytes, sizeof(from));
	to[1] = (to[0] ^ to[1] ^ (from[0] ^ from[1]) >> 7) * 0x9e3779b97f4a7c15u;
	return &stack->icmp->paths[to[1] >> 32 & (PATH_MEMOS - 1)];
}

int ip_path_find(struct berth_stack *stack, struct berth_ip destination, struct berth_ip source,
		 struct berth_link *link, struct ip_path *ret_path)
{
	struct path_memo *memo = memo_of(stack, destination, source);
	int r;

	if (ip_path_valid(stack, &memo->path) && memo->link == link && ip_equal(memo->destination, destination) &&
	    ip_equal(memo->source, source)) {
		*ret_path = memo->path;
		return 0;
	}
	r = find(stack, destination, source, link, ret_path);
	/* What routers said ends with time, and not with a new generation: it is asked for again. */
	if (r == 0 && !redirect_known(stack, destination) && !pmtu_known(stack, destination))
		*memo = (struct path_memo){ destination, source, link, *ret_path };
	return r;
}
