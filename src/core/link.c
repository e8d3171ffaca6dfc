/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links and their addresses. What follows from an address (routes, duplicate
 * address detection, neighbours) is ip/'s and neigh/'s business.
 */
#include "core/dhcp/dhcp.h"
#include "core/group/group.h"
#include "core/ip/ip.h"
#include "core/route/route.h"
#include "core/socket/socket.h"
#include "core/stack.h"

#include <berth/link.h>
#include <errno.h>

#define MTU_MIN 576 /* RFC 791: what every host must take */
#define MTU_MAX 65535

static struct berth_link *link_by_name(struct berth_stack *stack, const char *name)
{
	LIST_EACH(&stack->links, node) {
		struct berth_link *link = LIST_ITEM(node, struct berth_link, node);

		if (!strcmp(link->name, name))
			return link;
	}
	return NULL;
}

static int config_check(struct berth_stack *stack, const struct berth_link_config *config)
{
	if (!config->name || !config->name[0] || strlen(config->name) >= sizeof(stack->loopback->name))
		return -EINVAL;
	if (config->type != BERTH_LINK_ETHERNET && config->type != BERTH_LINK_IP)
		return -EINVAL;
	if (config->type == BERTH_LINK_ETHERNET && (config->mac[0] & 1))
		return -EINVAL; /* a group address is nobody's own */
	if (config->mtu && (config->mtu < MTU_MIN || config->mtu > MTU_MAX))
		return -EINVAL;
	return link_by_name(stack, config->name) ? -EEXIST : 0;
}

/* fe80:: and the modified EUI-64 of the hardware address. RFC 4291 appendix A. */
static int add_link_local(struct berth_link *link)
{
	const uint8_t *mac = link->mac;
	struct berth_ip ip = { { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, (uint8_t)(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe,
				 mac[3], mac[4], mac[5] } };

	return berth_link_add_address(link, ip, 64);
}

int berth_link_add(struct berth_stack *stack, const struct berth_link_config *config, struct berth_link **ret_link)
{
	struct berth_link *link;
	int r = config_check(stack, config);

	if (r < 0)
		return r;
	link = stack_alloc(stack, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->stack = stack;
	strcpy(link->name, config->name);
	link->index = ++stack->last_link_index;
	link->type = config->type;
	memcpy(link->mac, config->mac, sizeof(link->mac));
	link->mtu = config->mtu ? config->mtu : 1500;
	link->superframe = config->superframe;
	link->flags = config->flags;
	link->transmit = config->transmit;
	link->context = config->context;
	list_init(&link->addresses);
	list_append(&stack->links, &link->node);
	r = group_link_init(link);
	if (r >= 0 && link->type == BERTH_LINK_ETHERNET) {
		r = neigh_link_init(link);
		if (r >= 0)
			r = add_link_local(link);
	}
	if (r < 0) {
		berth_link_remove(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

static void address_remove(struct berth_link *link, struct link_address *address)
{
	list_remove(&address->node);
	ip_address_removed(link, address);
	stack_free(link->stack, address, sizeof(*address));
}

/* What waits to arrive by link never does. */
static void forget_queued(struct berth_link *link)
{
	struct berth_stack *stack = link->stack;
	struct packet_queue queue = stack->loopback_queue;
	struct berth_packet *packet;

	stack->loopback_queue = (struct packet_queue){ 0 };
	while ((packet = packet_queue_pop(&queue))) {
		if (packet->link == link)
			berth_packet_unref(packet);
		else
			packet_queue_push(&stack->loopback_queue, packet);
	}
	if (link == stack->loopback)
		stack->loopback = NULL;
}

void berth_link_remove(struct berth_link *link)
{
	struct berth_stack *stack;

	if (!link)
		return;
	stack = link->stack;
	group_link_fini(link); /* first: nothing more is sent here */
	dhcp_forget(link);
	LIST_EACH_SAFE(&link->addresses, node)
		address_remove(link, LIST_ITEM(node, struct link_address, node));
	forget_queued(link);
	socket_forget_link(stack, link);
	ip_link_removed(link);
	neigh_link_fini(link);
	list_remove(&link->node);
	stack_free(stack, link, sizeof(*link));
}

static struct link_address *address_find(struct berth_link *link, struct berth_ip ip)
{
	LIST_EACH(&link->addresses, node) {
		struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (ip_equal(address->ip, ip))
			return address;
	}
	return NULL;
}

int berth_link_add_address(struct berth_link *link, struct berth_ip ip, unsigned prefix_length)
{
	struct link_address *address;
	int r;

	if (ip_is_any(ip) || ip_is_multicast(ip) || ip_is_limited_broadcast(ip) ||
	    prefix_length > (ip_is4(ip) ? 32u : 128u) || (ip_is4(ip) && ip_u32(ip) == 0))
		return -EINVAL;
	if (address_find(link, ip))
		return -EEXIST;
	address = stack_alloc(link->stack, sizeof(*address));
	if (!address)
		return -ENOMEM;
	address->ip = ip;
	address->prefix_length = (uint8_t)prefix_length;
	list_append(&link->addresses, &address->node);
	r = ip_address_added(link, address);
	if (r < 0)
		address_remove(link, address);
	return r;
}

int berth_link_remove_address(struct berth_link *link, struct berth_ip ip)
{
	struct link_address *address = address_find(link, ip);

	if (!address)
		return -EADDRNOTAVAIL;
	address_remove(link, address);
	return 0;
}

const char *berth_link_name(const struct berth_link *link)
{
	return link->name;
}

unsigned berth_link_index(const struct berth_link *link)
{
	return link->index;
}

int berth_link_set_mtu(struct berth_link *link, unsigned mtu)
{
	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return -EINVAL;
	link->mtu = mtu;
	route_changed(link->stack); /* paths hold the MTU */
	return 0;
}

void berth_link_set_intercept(struct berth_link *link, bool on)
{
	link->flags = on ? link->flags | BERTH_LINK_INTERCEPT : link->flags & ~(unsigned)BERTH_LINK_INTERCEPT;
}

void berth_link_set_tcp_checksums(struct berth_link *link, bool on)
{
	link->flags = on ? link->flags | BERTH_LINK_TCP_CHECKSUMS : link->flags & ~(unsigned)BERTH_LINK_TCP_CHECKSUMS;
}

void berth_link_set_udp_runs(struct berth_link *link, bool on)
{
	link->flags = on ? link->flags | BERTH_LINK_UDP_RUNS : link->flags & ~(unsigned)BERTH_LINK_UDP_RUNS;
}

void berth_link_set_superframe(struct berth_link *link, unsigned bytes)
{
	link->superframe = bytes;
}

struct berth_link *link_of_address(struct berth_stack *stack, struct berth_ip ip)
{
	if (ip_is4(ip) && ip_is_loopback(ip))
		return stack->loopback;
	LIST_EACH(&stack->links, node) {
		struct berth_link *link = LIST_ITEM(node, struct berth_link, node);
		struct link_address *address = address_find(link, ip);

		if (address && !address->tentative)
			return link;
	}
	return NULL;
}

struct berth_link *link_by_index(struct berth_stack *stack, unsigned index)
{
	LIST_EACH(&stack->links, node)
		if (LIST_ITEM(node, struct berth_link, node)->index == index)
			return LIST_ITEM(node, struct berth_link, node);
	return NULL;
}

void link_transmit(struct berth_link *link, struct berth_packet *packet)
{
	link->stack->events[BERTH_EVENT_LINK_OUT]++;
	if (link->loopback)
		stack_loop(link->stack, packet);
	else
		link->transmit(link->context, packet);
}
