/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network layer's state with a stack, a link, an address, and the
 * questions about addresses that transports ask.
 */
#include "core/ip/internal.h"
#include "core/group/group.h"
#include "core/neigh/neigh.h"
#include "core/ping/ping.h"
#include "core/raw/raw.h"
#include "core/route/route.h"
#include "wire/checksum.h"
#include "wire/ndp.h"

#include <errno.h>

int ip_init(struct berth_stack *stack)
{
	int r;

	stack->icmp = stack_alloc(stack, sizeof(*stack->icmp));
	if (!stack->icmp)
		return -ENOMEM;
	stack->icmp->tokens_at = stack->now - BERTH_SEC; /* full at birth */
	r = route_table_init(stack);
	return r < 0 ? r : reassembly_init(stack);
}

void ip_fini(struct berth_stack *stack)
{
	reassembly_fini(stack);
	route_table_fini(stack);
	stack_free(stack, stack->icmp, sizeof(*stack->icmp));
	stack->icmp = NULL;
}

int ip_address_added(struct berth_link *link, struct link_address *address)
{
	int r = route_add_connected(link, address->ip, address->prefix_length);

	if (r == -ENOBUFS)
		return -ENOMEM;
	if (!ip_is4(address->ip)) {
		r = group_join_own(link, ip_solicited_node(address->ip), !(link->flags & BERTH_LINK_NO_DAD));
		if (r < 0)
			return r;
		address->in_group = true;
	}
	route_changed(link->stack); /* the address itself is now reached by loopback */
	if (link->neigh && !ip_is4(address->ip) && !(link->flags & BERTH_LINK_NO_DAD))
		return dad_start(link, address);
	return 0;
}

void ip_address_removed(struct berth_link *link, struct link_address *address)
{
	dad_stop(link, address);
	if (address->in_group)
		group_leave_own(link, ip_solicited_node(address->ip));
	route_remove_connected(link, address->ip, address->prefix_length);
	route_changed(link->stack);
}

void ip_link_removed(struct berth_link *link)
{
	if (link->stack->routes)
		route_remove_link(link);
	if (link->stack->reassembly)
		reassembly_forget_link(link->stack, link);
	if (link->stack->icmp)
		redirect_forget_link(link->stack, link);
	route_changed(link->stack);
}

void ip_path_confirm(const struct ip_path *path, struct berth_ip destination)
{
	if (path->link && path->link->neigh)
		neigh_confirm(path->link, ip_path_next_hop(path, destination));
}

bool ip_is_local(struct berth_stack *stack, struct berth_ip ip)
{
	return link_of_address(stack, ip) != NULL;
}

static bool is_directed_broadcast(const struct link_address *address, uint32_t ip)
{
	/* RFC 3021: 31-bit prefixes have none, and 32-bit ones have no room for it. */
	if (!ip_is4(address->ip) || address->prefix_length > 30)
		return false;
	return ip == (ip_u32(address->ip) | 0xffffffffu >> address->prefix_length);
}

bool ip_is_broadcast(struct berth_stack *stack, struct berth_ip ip)
{
	if (!ip_is4(ip))
		return false;
	if (ip_is_limited_broadcast(ip))
		return true;
	LIST_EACH(&stack->links, link_node) {
		struct berth_link *link = LIST_ITEM(link_node, struct berth_link, node);

		LIST_EACH(&link->addresses, node)
			if (is_directed_broadcast(LIST_ITEM(node, struct link_address, node), ip_u32(ip)))
				return true;
	}
	return false;
}

uint32_t ip_pseudo_sum(struct berth_ip source, struct berth_ip destination, uint8_t protocol, size_t length)
{
	/* Both versions' pseudo headers add up to this; the upper half of length is 0 with v4. */
	uint32_t sum = protocol + (uint32_t)(length & 0xffff) + (uint32_t)(length >> 16 & 0xffff);
	size_t from = ip_is4(destination) ? 12 : 0;

	sum = checksum_add(sum, source.bytes + from, 16 - from);
	return checksum_add(sum, destination.bytes + from, 16 - from);
}

void ip_deliver_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted,
		      size_t length)
{
	const struct berth_protocol *protocol = stack->protocols[error->protocol];

	raw_error(stack, error, quoted, length);
	if (error->protocol == PROTOCOL_ICMP4 || error->protocol == PROTOCOL_ICMP6)
		ping_error(stack, error, quoted, length);
	else if (protocol && protocol->error)
		protocol->error(stack, error, quoted, length);
}
