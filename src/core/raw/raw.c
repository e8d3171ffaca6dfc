/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw sockets. An IPv4 reader gets packets from the IP header on, an IPv6
 * reader what is behind all headers (RFC 3542 §3). Writers give the payload,
 * or with IP_HDRINCL (always, for IPPROTO_RAW) the IP header as well, whose
 * length, checksum and, if zero, source and identification are filled in.
 */
#include "core/raw/internal.h"

#include "core/group/group.h"
#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <errno.h>

static int raw_open(struct berth_socket *socket)
{
	struct raw_socket *raw = raw_of(socket);

	raw->socket = socket;
	raw->checksum_at = -1;
	socket->demux.local.port = socket->demux.protocol; /* what getsockname() shows on Linux */
	list_append(&socket->stack->raws, &raw->node);
	return 0;
}

static void raw_destroy(struct berth_socket *socket)
{
	list_remove(&raw_of(socket)->node);
	datagram_destroy(socket);
}

static void raw_release(struct berth_socket *socket, bool abort)
{
	raw_destroy(socket);
	berth_socket_done(socket);
}

/* Is it for a packet of this protocol between these two? Linux: raw_v4_match() */
static bool matches(const struct raw_socket *raw, uint8_t protocol, struct berth_ip local, struct berth_ip remote,
		    const struct berth_link *link)
{
	const struct berth_socket *socket = raw->socket;

	if (socket->demux.protocol != protocol || protocol == IPPROTO_RAW ||
	    ip_is4(local) != (socket->family == AF_INET))
		return false;
	if (!ip_is_any(socket->demux.local.ip) && !ip_equal(socket->demux.local.ip, local))
		return false;
	if (socket->state == SOCKET_CONNECTED && !ip_equal(socket->demux.remote.ip, remote))
		return false;
	return !socket->bound_link || !link || socket->bound_link == link;
}

/* transport: the payload behind the IP headers. Linux: icmp_filter(), icmpv6_filter() */
static bool filtered(const struct raw_socket *raw, uint8_t protocol, const uint8_t *transport, size_t length)
{
	if (protocol != PROTOCOL_ICMP4 && protocol != PROTOCOL_ICMP6)
		return false;
	if (!length)
		return true;
	if (protocol == PROTOCOL_ICMP4)
		return transport[0] < 32 && raw->filter4 >> transport[0] & 1;
	return raw->filter6[transport[0] >> 5] >> (transport[0] & 31) & 1;
}

/* RFC 3542 §3.1: a wrong checksum is not shown, of ICMPv6 and where IPV6_CHECKSUM asks for it. */
static bool damaged(const struct raw_socket *raw, const struct berth_ip_info *info, const uint8_t *transport,
		    size_t length)
{
	uint32_t sum;

	if (ip_is4(info->source) || info->checked)
		return false;
	if (info->protocol != PROTOCOL_ICMP6 && raw->checksum_at < 0)
		return false;
	sum = ip_pseudo_sum(info->source, info->destination, info->protocol, length);
	return checksum_finish(checksum_add(sum, transport, length)) != 0;
}

static void deliver(struct raw_socket *raw, const struct berth_packet *packet, const struct berth_ip_info *info,
		    size_t header_length)
{
	struct berth_packet *copy = packet_clone(packet);

	if (!copy) {
		stack_event(raw->socket->stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return;
	}
	copy->mark = 0; /* an IPv4 header is where it begins */
	if (!ip_is4(info->source))
		berth_packet_pull(copy, header_length);
	datagram_stamp(copy, info, 0);
	datagram_deliver(raw->socket, copy, BERTH_EVENT_RAW_DROP_BUFFER_FULL);
}

bool raw_input(struct berth_stack *stack, const struct berth_packet *packet, const struct berth_ip_info *info,
	       size_t header_length)
{
	const uint8_t *transport = packet->data + header_length;
	size_t length = packet->length - header_length;
	bool group = ip_is_multicast(info->destination), wanted = false;

	LIST_EACH(&stack->raws, node) {
		struct raw_socket *raw = LIST_ITEM(node, struct raw_socket, node);

		if (!matches(raw, info->protocol, info->destination, info->source, info->link))
			continue;
		if (group && !group_wanted(raw->socket, info->link, info->destination, info->source))
			continue;
		wanted = true;
		if (!filtered(raw, info->protocol, transport, length) && !damaged(raw, info, transport, length))
			deliver(raw, packet, info, header_length);
	}
	socket_notify_run(stack);
	return wanted;
}

void raw_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted, size_t length)
{
	LIST_EACH(&stack->raws, node) {
		struct raw_socket *raw = LIST_ITEM(node, struct raw_socket, node);

		if (matches(raw, error->protocol, error->source, error->destination, NULL))
			datagram_error(raw->socket, error, 0, quoted, length);
	}
	socket_notify_run(stack);
}

static int put_checksum(struct berth_packet *packet, const struct raw_socket *raw, const struct datagram_way *way)
{
	uint8_t protocol = raw->socket->demux.protocol;
	int at = protocol == PROTOCOL_ICMP6 ? 2 : raw->checksum_at;
	uint32_t sum = ip_pseudo_sum(way->path.source, way->remote.ip, protocol, packet->length);

	if (at < 0 || ip_is4(way->remote.ip))
		return 0;
	if ((size_t)at + 2 > packet->length)
		return -EINVAL;
	put_be16(packet->data + at, 0);
	put_be16(packet->data + at, checksum_finish(checksum_add(sum, packet->data, packet->length)));
	return 0;
}

/* The header that the writer gave: what is ours to fill in. Linux: raw_send_hdrinc() */
static int fix_header4(struct berth_stack *stack, struct berth_packet *packet, const struct datagram_way *way)
{
	size_t header_length;
	uint8_t *bytes = packet->data;

	if (packet->length < WIRE_IP4_LENGTH)
		return -EINVAL;
	header_length = (bytes[0] & 15) * 4u;
	if (header_length < WIRE_IP4_LENGTH || header_length > packet->length)
		return -EINVAL;
	put_be16(bytes + 2, (uint16_t)packet->length);
	if (!get_be16(bytes + 4))
		put_be16(bytes + 4, (uint16_t)random_u64(&stack->random));
	if (!get_be32(bytes + 12))
		memcpy(bytes + 12, way->path.source.bytes + 12, 4);
	put_be16(bytes + 10, 0);
	put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, header_length)));
	return 0;
}

static int transmit(struct berth_socket *socket, struct berth_packet *packet, const struct datagram_way *way)
{
	const struct raw_socket *raw = raw_of(socket);
	int r = 0;

	if (!raw->header_included && socket->demux.protocol != IPPROTO_RAW) {
		r = put_checksum(packet, raw, way);
		if (r >= 0)
			return datagram_transmit(socket, packet, way);
	} else if (ip_is4(way->remote.ip)) {
		r = fix_header4(socket->stack, packet, way);
	} else if (packet->length < WIRE_IP6_LENGTH) {
		r = -EINVAL;
	}
	if (r < 0) {
		berth_packet_unref(packet);
		return r;
	}
	r = ip_send_headed(socket->stack, packet, &way->path);
	if (r == -EMSGSIZE)
		datagram_too_big(socket, &way->remote, way->path.mtu);
	return r;
}

static ssize_t raw_send(struct berth_socket *socket, struct berth_message *message)
{
	size_t size = message_size(message);
	struct berth_packet *packet;
	struct datagram_way way;
	int r = size > 65535 ? -EMSGSIZE : datagram_find_way(socket, message, &way);

	if (r < 0)
		return r;
	if (ip_is4(way.remote.ip) != (socket->family == AF_INET))
		return -EINVAL;
	packet = berth_packet_new(socket->stack->packets, PACKET_HEADROOM, size);
	if (!packet)
		return -ENOBUFS;
	message_gather(message, 0, berth_packet_put(packet, size), size);
	r = transmit(socket, packet, &way);
	return r < 0 ? r : (ssize_t)size;
}

const struct berth_protocol raw_protocol = {
	.name = "raw",
	.type = SOCK_RAW,
	.flags = BERTH_PROTOCOL_PORTLESS_PEERS,
	.state_size = sizeof(struct raw_socket),
	.open = raw_open,
	.release = raw_release,
	.destroy = raw_destroy,
	.connect = datagram_connect,
	.disconnect = datagram_disconnect,
	.send = raw_send,
	.receive = datagram_receive,
	.receive_error = datagram_receive_error,
	.shutdown = datagram_shutdown,
	.readiness = datagram_readiness,
};
