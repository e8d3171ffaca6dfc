/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets: a queue of datagrams and its rules. RFC 768, RFC 1122 §4.1;
 * errors and limits as Linux's udp(7). Sending is in send.c, ancillary data in
 * control.c.
 *
 * A datagram waits as the packet it came in, cut down to its payload. Memory
 * is counted by packet_truesize() against SO_RCVBUF, as Linux does.
 */
#include "core/udp/udp.h"

#include "core/group/group.h"
#include "wire/udp.h"

#include <errno.h>

static void udp_destroy(struct berth_socket *socket)
{
	packet_queue_clear(&udp_of(socket)->received);
	udp_of(socket)->memory = 0;
}

static void udp_release(struct berth_socket *socket, bool abort)
{
	udp_destroy(socket);
	berth_socket_done(socket);
}

static int udp_connect(struct berth_socket *socket, const struct berth_endpoint *remote)
{
	return 0; /* the socket layer has done it all */
}

static int udp_disconnect(struct berth_socket *socket)
{
	udp_of(socket)->receive_shut = udp_of(socket)->send_shut = false;
	return 0;
}

static int udp_shutdown(struct berth_socket *socket, int how)
{
	struct udp_socket *udp = udp_of(socket);

	udp->receive_shut |= how != SHUT_WR;
	udp->send_shut |= how != SHUT_RD;
	return 0;
}

static unsigned udp_readiness(struct berth_socket *socket)
{
	const struct udp_socket *udp = udp_of(socket);
	unsigned events = BERTH_POLLOUT;

	if (udp->received.head || udp->receive_shut)
		events |= BERTH_POLLIN;
	if (udp->receive_shut)
		events |= BERTH_POLLRDHUP;
	if (udp->receive_shut && udp->send_shut)
		events |= BERTH_POLLHUP;
	return events;
}

static struct berth_packet *take(struct udp_socket *udp)
{
	struct berth_packet *packet = packet_queue_pop(&udp->received);

	udp->memory -= packet_truesize(packet);
	return packet;
}

static ssize_t udp_receive(struct berth_socket *socket, struct berth_message *message)
{
	struct udp_socket *udp = udp_of(socket);
	struct berth_packet *packet = udp->received.head;
	bool peek = message->flags & MSG_PEEK, whole = message->flags & MSG_TRUNC;
	size_t copied, length;

	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!packet)
		return socket->error ? -EAGAIN : udp->receive_shut ? 0 : -EAGAIN;
	message->flags = 0;
	length = packet->length;
	copied = message_scatter(message, 0, packet->data, length);
	if (copied < length)
		message->flags |= MSG_TRUNC;
	message->from = (struct berth_endpoint){ packet->source, packet->source_port };
	udp->last_from = message->from;
	udp->last_to = packet->destination;
	udp_control_write(socket, packet, message);
	if (!peek)
		berth_packet_unref(take(udp));
	return (ssize_t)(whole ? length : copied);
}

struct delivery {
	struct berth_packet *packet;
	unsigned sockets;
};

/* Queue packet, whose data is the payload, at socket. Takes it. */
static void deliver(struct berth_socket *socket, struct berth_packet *packet)
{
	struct udp_socket *udp = udp_of(socket);

	if (udp->receive_shut || udp->memory + packet_truesize(packet) > socket->options.receive_buffer) {
		stack_drop(socket->stack, packet, BERTH_EVENT_UDP_DROP_BUFFER_FULL);
		return;
	}
	udp->memory += packet_truesize(packet);
	packet_queue_push(&udp->received, packet);
	berth_socket_notify(socket);
}

static void deliver_copy(void *context, struct berth_socket *socket)
{
	struct delivery *delivery = context;
	const struct berth_packet *packet = delivery->packet;
	struct berth_packet *copy;

	if (ip_is_multicast(packet->destination) &&
	    !group_wanted(socket, packet->link, packet->destination, packet->source))
		return;
	delivery->sockets++;
	copy = packet_clone(packet);
	if (copy)
		deliver(socket, copy);
	else
		stack_event(socket->stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
}

/* RFC 768: length and checksum; RFC 8200 §8.1: IPv6 has no "no checksum". */
static int udp_check(struct berth_packet *packet, const struct berth_ip_info *info, struct wire_udp *header)
{
	int r = wire_udp_parse(packet->data, packet->length, header);

	if (r < 0)
		return BERTH_EVENT_UDP_DROP_MALFORMED;
	berth_packet_trim(packet, header->length);
	if (!header->checksum && ip_is4(info->source))
		return 0;
	if (!header->checksum && !info->checked)
		return BERTH_EVENT_UDP_DROP_CHECKSUM;
	return berth_checksum_ok(packet, info) ? 0 : BERTH_EVENT_UDP_DROP_CHECKSUM;
}

static void stamp(struct berth_packet *packet, const struct berth_ip_info *info, uint16_t source_port)
{
	packet->source = info->source;
	packet->source_port = source_port;
	packet->destination = info->destination;
	packet->ttl = info->ttl;
	packet->traffic_class = info->traffic_class;
	packet->link = info->link;
}

static void udp_input(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info)
{
	struct berth_endpoint local, remote;
	struct berth_socket *socket;
	struct wire_udp header;
	int drop = udp_check(packet, info, &header);

	if (drop) {
		stack_drop(stack, packet, (enum berth_event)drop);
		return;
	}
	local = (struct berth_endpoint){ info->destination, header.destination_port };
	remote = (struct berth_endpoint){ info->source, header.source_port };
	stamp(packet, info, header.source_port);
	if (info->multicast) {
		struct delivery delivery = { .packet = packet };

		berth_packet_pull(packet, WIRE_UDP_LENGTH);
		port_each_bound(stack, IPPROTO_UDP, &local, &remote, info->link, deliver_copy, &delivery);
		if (delivery.sockets)
			berth_packet_unref(packet);
		else
			stack_drop(stack, packet, BERTH_EVENT_UDP_DROP_GROUP);
		return;
	}
	socket = berth_socket_lookup(stack, IPPROTO_UDP, &local, &remote, info->link);
	if (!socket) {
		berth_refuse(stack, packet, info);
		stack_drop(stack, packet, BERTH_EVENT_UDP_DROP_NO_SOCKET);
		return;
	}
	berth_packet_pull(packet, WIRE_UDP_LENGTH);
	deliver(socket, packet);
}

/* Linux: __udp4_lib_err(): hard errors reach connected sockets, all errors those with IP_RECVERR. */
static void udp_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted,
		      size_t length)
{
	struct berth_endpoint local = { error->source, 0 }, remote = { error->destination, 0 };
	struct berth_socket *socket;

	if (length < WIRE_UDP_LENGTH)
		return;
	local.port = get_be16(quoted);
	remote.port = get_be16(quoted + 2);
	socket = berth_socket_lookup(stack, IPPROTO_UDP, &local, &remote, NULL);
	if (!socket || (error->error == EMSGSIZE && socket->options.mtu_discover == IP_PMTUDISC_DONT))
		return;
	if (!socket->options.receive_errors && (!error->hard || socket->state != SOCKET_CONNECTED))
		return;
	berth_socket_fail(socket, error->error);
}

static void udp_inspect(struct berth_socket *socket, struct berth_socket_info *info)
{
	info->state = socket->state == SOCKET_CONNECTED ? "ESTAB" : "UNCONN";
	info->receive_queue = (uint32_t)udp_of(socket)->received.bytes;
}

const struct socket_inspector udp_inspector = { .socket = udp_inspect };

const struct berth_protocol udp_protocol = {
	.name = "udp",
	.number = IPPROTO_UDP,
	.type = SOCK_DGRAM,
	.state_size = sizeof(struct udp_socket),
	.release = udp_release,
	.destroy = udp_destroy,
	.connect = udp_connect,
	.disconnect = udp_disconnect,
	.send = udp_send,
	.receive = udp_receive,
	.shutdown = udp_shutdown,
	.readiness = udp_readiness,
	.input = udp_input,
	.error = udp_error,
};
