/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Redirects, both versions. A redirect counts only if it comes from the very
 * gateway that we use for that destination, on a link that heeds routers, and
 * names a neighbour (RFC 1122 §3.2.2.2, RFC 4861 §8.1); on routers, none counts
 * (RFC 1812 §5.2.7.2, RFC 4861 §8.3). It never changes the
 * route table: it stands beside it for ten minutes, for one destination, and
 * only as long as the routes still name that gateway.
 */
#include "core/ip/internal.h"
#include "core/route/route.h"

#define REDIRECT_LIFE (600 * BERTH_SEC)

struct berth_ip redirect_find(struct berth_stack *stack, struct berth_link *link, struct berth_ip destination,
			      struct berth_ip next_hop)
{
	const struct icmp *icmp = stack->icmp;

	for (unsigned i = 0; i < icmp->redirect_count; i++) {
		const struct redirect *redirect = &icmp->redirects[i];

		if (ip_equal(redirect->destination, destination) && redirect->link == link &&
		    ip_equal(redirect->router, next_hop) && redirect->until > stack->now)
			return redirect->gateway;
	}
	return next_hop;
}

bool redirect_known(const struct berth_stack *stack, struct berth_ip destination)
{
	const struct icmp *icmp = stack->icmp;

	for (unsigned i = 0; i < icmp->redirect_count; i++)
		if (ip_equal(icmp->redirects[i].destination, destination))
			return true;
	return false;
}

/* The entry of destination, else a free one, else the oldest. */
static struct redirect *slot_for(struct icmp *icmp, struct berth_ip destination)
{
	struct redirect *oldest = &icmp->redirects[0];

	for (unsigned i = 0; i < icmp->redirect_count; i++) {
		struct redirect *redirect = &icmp->redirects[i];

		if (ip_equal(redirect->destination, destination))
			return redirect;
		if (redirect->until < oldest->until)
			oldest = redirect;
	}
	if (icmp->redirect_count < REDIRECTS_MAX)
		return &icmp->redirects[icmp->redirect_count++];
	return oldest;
}

/* On one of link's own prefixes, and nobody special there. RFC 1122: "on the connected (sub-) net" */
static bool is_neighbour(const struct berth_link *link, struct berth_ip ip)
{
	if (ip_is_multicast(ip) || ip_is_limited_broadcast(ip) || ip_is_local(link->stack, ip) ||
	    ip_is_broadcast(link->stack, ip))
		return false;
	LIST_EACH(&link->addresses, node) {
		const struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (ip_in_prefix(ip, address->ip, address->prefix_length))
			return true;
	}
	return false;
}

static bool is_allowed(const struct berth_link *link, struct berth_ip router, struct berth_ip destination,
		       struct berth_ip gateway)
{
	const struct route *route = route_find(link->stack, destination, NULL);

	if (!(link->flags & BERTH_LINK_AUTOCONF) || link->stack->forwarding || !route || route->link != link ||
	    ip_is_any(route->gateway))
		return false;
	if (!ip_equal(redirect_find(link->stack, route->link, destination, route->gateway), router))
		return false;
	/* IPv6 says "it is a neighbour" of destinations that no prefix covers (§8.3); IPv4 does not. */
	return is_neighbour(link, gateway) || (!ip_is4(destination) && ip_equal(gateway, destination));
}

bool ip_redirect(struct berth_link *link, struct berth_ip router, struct berth_ip destination, struct berth_ip gateway)
{
	struct berth_stack *stack = link->stack;

	if (!is_allowed(link, router, destination, gateway)) {
		stack_event(stack, BERTH_EVENT_REDIRECT_DROP);
		return false;
	}
	*slot_for(stack->icmp, destination) = (struct redirect){
		.destination = destination,
		.router = route_find(stack, destination, NULL)->gateway,
		.gateway = gateway,
		.link = link,
		.until = stack->now + REDIRECT_LIFE,
	};
	route_changed(stack);
	stack_event(stack, BERTH_EVENT_REDIRECT_HEEDED);
	return true;
}

void ip_redirect_failed(struct berth_link *link, struct berth_ip gateway)
{
	struct icmp *icmp = link->stack->icmp;

	for (unsigned i = 0; i < icmp->redirect_count; i++) {
		struct redirect *redirect = &icmp->redirects[i];

		if (redirect->link != link || !ip_equal(redirect->gateway, gateway))
			continue;
		*redirect = (struct redirect){ .until = 0 };
		route_changed(link->stack);
	}
}

void redirect_forget_link(struct berth_stack *stack, const struct berth_link *link)
{
	for (unsigned i = 0; i < stack->icmp->redirect_count; i++)
		if (stack->icmp->redirects[i].link == link)
			stack->icmp->redirects[i] = (struct redirect){ .until = 0 };
}
