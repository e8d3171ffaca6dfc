/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of what has arrived. A datagram waits as the packet it came in,
 * cut down to what is read. Memory is counted by packet_truesize() against
 * SO_RCVBUF, as Linux does.
 */
#include "core/datagram/datagram.h"

#include <errno.h>

void datagram_destroy(struct berth_socket *socket)
{
	struct datagram *datagram = datagram_of(socket);

	packet_queue_clear(&datagram->received);
	packet_queue_clear(&datagram->errors);
	budget_change(socket->stack, datagram->memory, 0);
	datagram->memory = 0;
	datagram_forget_options(socket);
}

void datagram_release(struct berth_socket *socket, bool abort)
{
	datagram_destroy(socket);
	berth_socket_done(socket);
}

int datagram_connect(struct berth_socket *socket, const struct berth_endpoint *remote)
{
	return 0; /* the socket layer has done it all */
}

int datagram_disconnect(struct berth_socket *socket)
{
	datagram_of(socket)->receive_shut = datagram_of(socket)->send_shut = false;
	return 0;
}

int datagram_shutdown(struct berth_socket *socket, int how)
{
	struct datagram *datagram = datagram_of(socket);

	datagram->receive_shut |= how != SHUT_WR;
	datagram->send_shut |= how != SHUT_RD;
	return 0;
}

unsigned datagram_readiness(struct berth_socket *socket)
{
	const struct datagram *datagram = datagram_of(socket);
	unsigned events = BERTH_POLLOUT;

	if (datagram->received.head || datagram->receive_shut)
		events |= BERTH_POLLIN;
	if (datagram->errors.head)
		events |= BERTH_POLLERR;
	if (datagram->receive_shut)
		events |= BERTH_POLLRDHUP;
	if (datagram->receive_shut && datagram->send_shut)
		events |= BERTH_POLLHUP;
	return events;
}

void datagram_hold(struct berth_socket *socket, const struct berth_packet *packet)
{
	datagram_of(socket)->memory += packet_truesize(packet);
	budget_change(socket->stack, 0, packet_truesize(packet));
}

void datagram_let_go(struct berth_socket *socket, const struct berth_packet *packet)
{
	datagram_of(socket)->memory -= packet_truesize(packet);
	budget_change(socket->stack, packet_truesize(packet), 0);
}

void datagram_take(struct berth_socket *socket)
{
	struct berth_packet *packet = packet_queue_pop(&datagram_of(socket)->received);

	datagram_let_go(socket, packet);
	berth_packet_unref(packet);
}

ssize_t datagram_receive(struct berth_socket *socket, struct berth_message *message)
{
	struct datagram *datagram = datagram_of(socket);
	struct berth_packet *packet = datagram->received.head;
	bool peek = message->flags & MSG_PEEK, whole = message->flags & MSG_TRUNC;
	size_t copied, length;

	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!packet)
		return socket->error ? -EAGAIN : datagram->receive_shut ? 0 : -EAGAIN;
	message->flags = 0;
	length = packet->length;
	copied = message_scatter(message, 0, packet->data, length);
	if (copied < length)
		message->flags |= MSG_TRUNC;
	message->from = (struct berth_endpoint){ packet->source, packet->source_port };
	message->from_link = packet->link;
	datagram->last_from = message->from;
	datagram->last_to = packet->destination;
	datagram_write_control(socket, packet, message);
	if (!peek)
		datagram_take(socket);
	return (ssize_t)(whole ? length : copied);
}

void datagram_stamp(struct berth_packet *packet, const struct berth_ip_info *info, uint16_t source_port)
{
	packet->source = info->source;
	packet->source_port = source_port;
	packet->destination = info->destination;
	packet->ttl = info->ttl;
	packet->traffic_class = info->traffic_class;
	packet->link = info->link;
	packet->stamp = info->link->stack->now;
}

/* The buffer is full, or nobody will read it. */
static void drop_full(struct berth_socket *socket, struct berth_packet *packet, enum berth_event full)
{
	struct berth_endpoint remote = { packet->source, packet->source_port };

	stack_event_between(socket->stack, full, socket->protocol->number, &socket->demux.local, &remote);
	berth_packet_unref(packet);
}

void datagram_deliver(struct berth_socket *socket, struct berth_packet *packet, enum berth_event full)
{
	struct datagram *datagram = datagram_of(socket);

	if (datagram->receive_shut || datagram->memory + packet_truesize(packet) > socket->receive_buffer) {
		drop_full(socket, packet, full);
		return;
	}
	if (!budget_takes(socket->stack, datagram->memory, datagram->memory, packet_truesize(packet))) {
		drop_full(socket, packet, BERTH_EVENT_SOCKET_DROP_MEMORY);
		return;
	}
	datagram_hold(socket, packet);
	packet_queue_push(&datagram->received, packet);
	socket_notify_later(socket);
}

static void datagram_inspect(struct berth_socket *socket, struct berth_socket_info *info)
{
	info->state = socket->state == SOCKET_CONNECTED ? "ESTAB" : "UNCONN";
	info->receive_queue = (uint32_t)datagram_of(socket)->received.bytes;
}

const struct socket_inspector datagram_inspector = { .socket = datagram_inspect };
