/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors that concern datagrams sent earlier: SO_ERROR for all, and with
 * IP_RECVERR a queue that recvmsg(MSG_ERRQUEUE) reads, ip(7). An entry is a
 * packet: a struct sock_extended_err, then the payload that was the cause;
 * source is who complained, destination and port are whom it was sent to.
 */
#include "core/datagram/datagram.h"

#include <errno.h>
#include <linux/errqueue.h>

static const size_t entry_size = sizeof(struct sock_extended_err);

static struct sock_extended_err entry_of(const struct berth_packet *packet)
{
	struct sock_extended_err entry;

	memcpy(&entry, packet->data, sizeof(entry));
	return entry;
}

/* Put an entry at the end, if SO_RCVBUF has room for it. Linux: sock_queue_err_skb() */
static void queue(struct berth_socket *socket, const struct sock_extended_err *entry, struct berth_ip offender,
		  const struct berth_endpoint *to, const uint8_t *payload, size_t length)
{
	struct datagram *datagram = datagram_of(socket);
	struct berth_packet *packet = berth_packet_new(socket->stack->packets, 0, entry_size + length);

	if (packet && datagram->memory + packet_truesize(packet) > socket->receive_buffer) {
		berth_packet_unref(packet);
		packet = NULL;
	}
	if (!packet) {
		stack_event(socket->stack, BERTH_EVENT_SOCKET_DROP_ERROR);
		return;
	}
	memcpy(berth_packet_put(packet, entry_size), entry, entry_size);
	if (length)
		memcpy(berth_packet_put(packet, length), payload, length);
	packet->source = offender;
	packet->destination = to->ip;
	packet->source_port = to->port;
	datagram_hold(socket, packet);
	packet_queue_push(&datagram->errors, packet);
}

void datagram_error(struct berth_socket *socket, const struct berth_ip_error *error, uint16_t port,
		    const uint8_t *payload, size_t length)
{
	struct berth_endpoint to = { error->destination, port };
	struct sock_extended_err entry = {
		.ee_errno = (uint32_t)error->error,
		.ee_origin = error->icmp_version == 6 ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP,
		.ee_type = error->icmp_type,
		.ee_code = error->icmp_code,
		.ee_info = error->error == EMSGSIZE ? error->mtu : 0,
	};
	bool too_big = error->error == EMSGSIZE;

	if (too_big && socket->options->mtu_discover == IP_PMTUDISC_DONT)
		return;
	if (socket->options->receive_errors)
		queue(socket, &entry, error->reporter, &to, payload, length);
	else if ((!error->hard && !too_big) || socket->state != SOCKET_CONNECTED)
		return;
	socket->error = error->error;
	socket_notify_later(socket);
}

void datagram_too_big(struct berth_socket *socket, const struct berth_endpoint *remote, unsigned mtu)
{
	struct sock_extended_err entry = { .ee_errno = EMSGSIZE, .ee_origin = SO_EE_ORIGIN_LOCAL, .ee_info = mtu };

	if (!socket->options->receive_errors)
		return;
	queue(socket, &entry, ip_any, remote, NULL, 0);
	berth_socket_notify(socket); /* the caller gets the error itself */
}

/* The control message: the entry, and behind it the offender's address (SO_EE_OFFENDER). */
static void write_control(struct berth_socket *socket, const struct berth_packet *packet,
			  const struct sock_extended_err *entry, struct berth_message *message)
{
	struct {
		struct sock_extended_err entry;
		union {
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		} offender;
	} data = { .entry = *entry };
	bool six = socket->family == AF_INET6;
	size_t used = 0, size = entry_size + (six ? sizeof(data.offender.in6) : sizeof(data.offender.in));
	struct berth_endpoint offender = { packet->source, 0 };
	socklen_t length = sizeof(data.offender);

	if (!ip_is_any(offender.ip))
		address_to_sockaddr(socket, &offender, (struct sockaddr *)&data.offender, &length);
	message_put_control(message, &used, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, &data,
			    size);
	message->control_length = used;
}

static bool is_icmp(const struct sock_extended_err *entry)
{
	return entry->ee_origin == SO_EE_ORIGIN_ICMP || entry->ee_origin == SO_EE_ORIGIN_ICMP6;
}

/* The first entry was read; SO_ERROR is now the next one's. Linux: sock_dequeue_err_skb() */
static void take(struct berth_socket *socket)
{
	struct datagram *datagram = datagram_of(socket);
	struct berth_packet *packet = packet_queue_pop(&datagram->errors);
	struct sock_extended_err entry = entry_of(packet), next = { .ee_errno = 0 };

	if (datagram->errors.head)
		next = entry_of(datagram->errors.head);
	if (is_icmp(&next))
		socket->error = (int)next.ee_errno;
	else if (is_icmp(&entry))
		socket->error = 0;
	datagram_let_go(socket, packet);
	berth_packet_unref(packet);
}

ssize_t datagram_receive_error(struct berth_socket *socket, struct berth_message *message)
{
	struct berth_packet *packet = datagram_of(socket)->errors.head;
	struct sock_extended_err entry;
	size_t length, copied;

	if (!packet)
		return -EAGAIN;
	entry = entry_of(packet);
	length = packet->length - entry_size;
	message->flags = MSG_ERRQUEUE;
	copied = message_scatter(message, 0, packet->data + entry_size, length);
	if (copied < length)
		message->flags |= MSG_TRUNC;
	message->from = (struct berth_endpoint){ packet->destination, packet->source_port };
	write_control(socket, packet, &entry, message);
	take(socket);
	return (ssize_t)copied;
}
