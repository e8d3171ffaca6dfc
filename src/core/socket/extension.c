/* SPDX-License-Identifier: BSD-2-Clause */
/* berth/protocol.h: what a protocol, ours or an embedder's, may ask of the socket layer. */
#include "core/socket/socket.h"

#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <errno.h>

const struct stack_family *stack_family(const struct berth_stack *stack, int domain, int type)
{
	for (size_t i = 0; i < STACK_FAMILIES && stack->families[i].protocol; i++)
		if (stack->families[i].protocol->family == domain && stack->families[i].protocol->type == type)
			return &stack->families[i];
	return NULL;
}

/* One that has names of its own, and nothing to do with IP. */
static int register_family(struct berth_stack *stack, const struct berth_protocol *protocol)
{
	struct stack_family *family = stack->families;
	int r;

	if (protocol->family == AF_INET || protocol->family == AF_INET6 || protocol->number)
		return -EINVAL;
	if (!protocol->bind || !protocol->connect_name || !protocol->show_name)
		return -EINVAL;
	if (stack_family(stack, protocol->family, protocol->type))
		return -EEXIST;
	while (family < stack->families + STACK_FAMILIES && family->protocol)
		family++;
	if (family == stack->families + STACK_FAMILIES)
		return -ENOBUFS;
	r = protocol->attach ? protocol->attach(stack, &family->state) : 0;
	if (r >= 0)
		family->protocol = protocol;
	return r < 0 ? r : 0;
}

void *berth_family_state(struct berth_stack *stack, int family, int type)
{
	const struct stack_family *found = stack_family(stack, family, type);

	return found ? found->state : NULL;
}

int berth_protocol_register(struct berth_stack *stack, const struct berth_protocol *protocol)
{
	void *state = NULL;
	int r;

	if (!protocol->name)
		return -EINVAL;
	if (protocol->type != SOCK_STREAM && protocol->type != SOCK_DGRAM && protocol->type != SOCK_SEQPACKET)
		return -EINVAL;
	if (protocol->family)
		return register_family(stack, protocol);
	if (!protocol->number || !protocol->input)
		return -EINVAL;
	/* What the network layer itself answers to: ICMP, ICMPv6, IGMP and IPv6's extension headers. */
	if (protocol->number == IPPROTO_ICMP || protocol->number == IPPROTO_ICMPV6 ||
	    protocol->number == IPPROTO_IGMP || protocol->number == IPPROTO_ROUTING ||
	    protocol->number == IPPROTO_FRAGMENT || protocol->number == IPPROTO_NONE ||
	    protocol->number == IPPROTO_DSTOPTS)
		return -EINVAL;
	if (stack->protocols[protocol->number])
		return -EEXIST;
	r = protocol->attach ? protocol->attach(stack, &state) : 0;
	if (r < 0)
		return r;
	stack->protocols[protocol->number] = protocol;
	stack->protocol_states[protocol->number] = state;
	return 0;
}

void *berth_protocol_state(struct berth_stack *stack, uint8_t number)
{
	return stack->protocol_states[number];
}

void *berth_socket_state(struct berth_socket *socket)
{
	return socket->protocol_state;
}

struct berth_stack *berth_socket_stack(struct berth_socket *socket)
{
	return socket->stack;
}

const struct berth_endpoint *berth_socket_local(const struct berth_socket *socket)
{
	return &socket->demux.local;
}

const struct berth_endpoint *berth_socket_remote(const struct berth_socket *socket)
{
	return &socket->demux.remote;
}

struct berth_socket *berth_socket_lookup(struct berth_stack *stack, uint8_t protocol,
					 const struct berth_endpoint *local, const struct berth_endpoint *remote,
					 struct berth_link *link)
{
	struct demux_node *node = demux_find(stack, protocol, local, remote);

	if (node && node->kind == DEMUX_SOCKET)
		return socket_of_demux(node);
	return port_find_bound(stack, protocol, local, remote, link);
}

static void fill_checksum(struct berth_packet *packet, const struct ip_path *path, const struct ip_send *send,
			  int offset)
{
	uint32_t sum;
	uint16_t value;

	if (path->link->flags & BERTH_LINK_NO_CHECKSUMS) {
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
		return;
	}
	sum = ip_pseudo_sum(send->source, send->destination, send->protocol, packet->length);
	value = checksum_finish(checksum_add(sum, packet->data, packet->length));
	/* 0 means "none" to UDP (RFC 768), and 0xffff is the same number. */
	put_be16(packet->data + offset, value ? value : 0xffff);
}

int berth_socket_output(struct berth_socket *socket, struct berth_packet *packet, struct berth_ip to,
			int checksum_offset)
{
	struct berth_endpoint remote = { to, socket->demux.remote.port };
	struct ip_path path;
	struct ip_send send = {
		.destination = to,
		.protocol = socket->demux.protocol,
		.traffic_class = socket->options->traffic_class,
		.dont_fragment = socket->options->mtu_discover == IP_PMTUDISC_DO,
	};
	int r = socket_route(socket, &remote, socket->demux.local.ip, &path);

	if (r < 0) {
		berth_packet_unref(packet);
		return r;
	}
	send.source = path.source;
	socket_fill_send(socket, &send);
	if (checksum_offset >= 0 && (size_t)checksum_offset + 2 <= packet->length)
		fill_checksum(packet, &path, &send, checksum_offset);
	return ip_send(socket->stack, packet, &path, &send);
}

bool berth_checksum_ok(const struct berth_packet *packet, const struct berth_ip_info *info)
{
	uint32_t sum;

	if (info->checked)
		return true;
	sum = ip_pseudo_sum(info->source, info->destination, info->protocol, packet->length);
	return checksum_finish(checksum_add(sum, packet->data, packet->length)) == 0;
}

/* The packet's IP header is gone by now; write it again from what IP knew, in front of a copy. */
static struct berth_packet *with_header(const struct berth_packet *packet, const struct berth_ip_info *info)
{
	struct wire_ip4 ip4 = {
		.traffic_class = info->traffic_class,
		.total_length = (uint16_t)(packet->length + WIRE_IP4_LENGTH),
		.ttl = info->ttl,
		.protocol = info->protocol,
		.source = info->source,
		.destination = info->destination,
	};
	struct wire_ip6 ip6 = {
		.traffic_class = info->traffic_class,
		.payload_length = (uint16_t)packet->length,
		.next_header = info->protocol,
		.hop_limit = info->ttl,
		.source = info->source,
		.destination = info->destination,
	};
	struct berth_packet *copy = berth_packet_copy(packet->pool, packet->data, packet->length);

	if (!copy)
		return NULL;
	if (ip_is4(info->source))
		wire_ip4_build(berth_packet_push(copy, WIRE_IP4_LENGTH), &ip4);
	else
		wire_ip6_build(berth_packet_push(copy, WIRE_IP6_LENGTH), &ip6);
	return copy;
}

void berth_refuse(struct berth_stack *stack, const struct berth_packet *packet, const struct berth_ip_info *info)
{
	struct berth_packet *quoted = info->multicast ? NULL : with_header(packet, info);

	if (quoted)
		icmp_send_error(stack, info->link, quoted, ICMP_ERROR_PORT, 0);
	berth_packet_unref(quoted);
}
