/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ping sockets. The sender writes a whole ICMP echo request, whose identifier
 * and checksum are put in here; the reader gets the reply from its ICMP header
 * on. icmp(7), Linux: net/ipv4/ping.c.
 *
 * Differs: a connected one hears its peer only; on Linux everyone that answers
 * with its identifier.
 */
#include "core/ping/ping.h"

#include "core/datagram/datagram.h"
#include "core/group/group.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip6.h"

#include <errno.h>

enum { MESSAGE_MAX = 65535 - 20, ID_AT = 4 };

static bool is_echo(const struct berth_socket *socket, const uint8_t *message)
{
	return message[0] == (socket->family == AF_INET ? ICMP4_ECHO : ICMP6_ECHO) && message[1] == 0;
}

static void seal(struct berth_packet *packet, const struct berth_socket *socket, const struct datagram_way *way)
{
	uint32_t sum = 0;

	if (socket->family == AF_INET6)
		sum = ip_pseudo_sum(way->path.source, way->remote.ip, PROTOCOL_ICMP6, packet->length);
	put_be16(packet->data + ID_AT, socket->claim.port);
	put_be16(packet->data + 2, 0);
	put_be16(packet->data + 2, checksum_finish(checksum_add(sum, packet->data, packet->length)));
}

/* Linux: ping_v4_sendmsg(), ping_common_sendmsg(). */
static ssize_t ping_send(struct berth_socket *socket, struct berth_message *message)
{
	size_t size = message_size(message);
	struct berth_packet *packet;
	struct datagram_way way;
	int r;

	if (size > MESSAGE_MAX)
		return -EMSGSIZE;
	if (size < WIRE_ICMP_LENGTH)
		return -EINVAL;
	r = datagram_find_way(socket, message, &way);
	if (r < 0)
		return r;
	if (ip_is4(way.remote.ip) != (socket->family == AF_INET))
		return -EINVAL;
	packet = berth_packet_new(socket->stack->packets, PACKET_HEADROOM, size);
	if (!packet)
		return -ENOBUFS;
	message_gather(message, 0, berth_packet_put(packet, size), size);
	if (!is_echo(socket, packet->data)) {
		berth_packet_unref(packet);
		return -EINVAL;
	}
	seal(packet, socket, &way);
	r = datagram_transmit(socket, packet, &way);
	return r < 0 ? r : (ssize_t)size;
}

static struct berth_socket *find(struct berth_stack *stack, uint8_t protocol, struct berth_ip local, uint16_t id,
				 struct berth_ip remote, struct berth_link *link)
{
	struct berth_endpoint here = { local, id }, there = { remote, 0 };

	return berth_socket_lookup(stack, protocol, &here, &there, link);
}

void ping_input(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info)
{
	struct berth_socket *socket = find(stack, info->protocol, info->destination, get_be16(packet->data + ID_AT),
					   info->source, info->link);

	if (!socket || (info->multicast && ip_is_multicast(info->destination) &&
			!group_wanted(socket, info->link, info->destination, info->source))) {
		stack_drop(stack, packet, BERTH_EVENT_PING_DROP_NO_SOCKET);
		return;
	}
	datagram_stamp(packet, info, 0);
	datagram_deliver(socket, packet, BERTH_EVENT_PING_DROP_BUFFER_FULL);
	socket_notify_run(stack);
}

void ping_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted, size_t length)
{
	struct berth_socket *socket;

	if (length < WIRE_ICMP_LENGTH || quoted[0] != (error->protocol == PROTOCOL_ICMP4 ? ICMP4_ECHO : ICMP6_ECHO))
		return;
	socket = find(stack, error->protocol, error->source, get_be16(quoted + ID_AT), error->destination, NULL);
	if (socket)
		datagram_error(socket, error, 0, quoted, length); /* Linux: from the ICMP header on */
	socket_notify_run(stack);
}

#define PING_PROTOCOL(number_) \
	{ \
		.name = "ping", .number = number_, .type = SOCK_DGRAM, .flags = BERTH_PROTOCOL_PORTLESS_PEERS, \
		.state_size = sizeof(struct datagram), .release = datagram_release, .destroy = datagram_destroy, \
		.connect = datagram_connect, .disconnect = datagram_disconnect, .send = ping_send, \
		.receive = datagram_receive, .receive_error = datagram_receive_error, .shutdown = datagram_shutdown, \
		.readiness = datagram_readiness, .input = ping_input, .error = ping_error, \
	}
const struct berth_protocol ping4_protocol = PING_PROTOCOL(PROTOCOL_ICMP4);
const struct berth_protocol ping6_protocol = PING_PROTOCOL(PROTOCOL_ICMP6);
