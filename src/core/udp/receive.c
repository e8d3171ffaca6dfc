/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading UDP. With UDP_GRO, datagrams of one sender that wait one behind the
 * other, all of one length but for a shorter last, are read as one, and a
 * control message says that length. udp(7).
 *
 * Differs: Linux joins them as they arrive, and a short buffer cuts the sum;
 * here no more are joined than the reader's buffer holds, and MSG_PEEK shows one.
 */
#include "core/udp/udp.h"

#include <netinet/udp.h>

enum { TOGETHER_MAX = 65535 };

/* What datagrams must share to be read as one. */
struct kind {
	struct berth_ip source, destination;
	uint16_t source_port;
	uint8_t ttl, traffic_class;
	struct berth_link *link;
	size_t length;
};

static struct kind kind_of(const struct berth_packet *packet)
{
	return (struct kind){ packet->source,	     packet->destination, packet->source_port, packet->ttl,
			      packet->traffic_class, packet->link,	  packet->length };
}

static bool joins(const struct berth_packet *packet, const struct kind *kind)
{
	return ip_equal(packet->source, kind->source) && ip_equal(packet->destination, kind->destination) &&
	       packet->source_port == kind->source_port && packet->ttl == kind->ttl &&
	       packet->traffic_class == kind->traffic_class && packet->link == kind->link && packet->length &&
	       packet->length <= kind->length;
}

/* Read on behind the first, which had kind->length bytes. Returns the sum. */
static size_t read_on(struct berth_socket *socket, const struct berth_message *message, const struct kind *kind)
{
	struct datagram *datagram = datagram_of(socket);
	size_t room = MIN(message_size(message), (size_t)TOGETHER_MAX), done = kind->length, last = done;

	while (datagram->received.head && last == kind->length && joins(datagram->received.head, kind)) {
		const struct berth_packet *packet = datagram->received.head;

		last = packet->length;
		if (done + last > room)
			break;
		done += message_scatter(message, done, packet->data, last);
		datagram_take(socket);
	}
	return done;
}

ssize_t udp_receive(struct berth_socket *socket, struct berth_message *message)
{
	struct datagram *datagram = datagram_of(socket);
	bool single = !udp_of(socket)->coalesce || message->flags & MSG_PEEK || !datagram->received.head;
	size_t room = message->control_length, used, done;
	struct kind kind;
	ssize_t r;
	int size;

	if (single)
		return datagram_receive(socket, message);
	kind = kind_of(datagram->received.head);
	r = datagram_receive(socket, message);
	if (r <= 0 || message->flags & MSG_TRUNC)
		return r;
	done = read_on(socket, message, &kind);
	if (done == kind.length)
		return r;
	used = message->control_length;
	size = (int)kind.length;
	message->control_length = room;
	message_put_control(message, &used, IPPROTO_UDP, UDP_GRO, &size, sizeof(size));
	message->control_length = used;
	return (ssize_t)done;
}
