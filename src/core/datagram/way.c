/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending datagrams: whereto, by which way, with which header. Linux: udp_sendmsg(). */
#include "core/datagram/datagram.h"

#include "wire/udp.h"

#include <errno.h>

static int destination(struct berth_socket *socket, const struct berth_message *message,
		       struct berth_endpoint *ret_remote)
{
	if (!message->to && socket->state != SOCKET_CONNECTED)
		return -EDESTADDRREQ;
	*ret_remote = message->to ? *message->to : socket->demux.remote;
	if (socket_peer_has_port(socket) && !ret_remote->port)
		return -EINVAL;
	ret_remote->ip = address_or_loopback(socket, ret_remote->ip);
	if (socket->options->ipv6_only && ip_is4(ret_remote->ip))
		return -ENETUNREACH;
	if (!socket->options->broadcast && ip_is_broadcast(socket->stack, ret_remote->ip))
		return -EACCES;
	return 0;
}

static bool answers_diverted(struct berth_socket *socket, const struct berth_endpoint *remote)
{
	const struct datagram *datagram = datagram_of(socket);

	return socket->claim.divert && datagram->last_from.port == remote->port &&
	       ip_equal(datagram->last_from.ip, remote->ip);
}

/* The address to send from: asked for with this message, bound to, or any. */
static int source_of(struct berth_socket *socket, const struct datagram_way *way, struct berth_ip *ret_source)
{
	struct berth_ip source = way->control.source, to = way->remote.ip;

	if (ip_is_any(source) && answers_diverted(socket, &way->remote))
		source = datagram_of(socket)->last_to;
	else if (!ip_is_any(source) && !ip_is_local(socket->stack, source) && !socket->claim.divert)
		return -EINVAL;
	if (ip_is_any(source))
		source = socket->demux.local.ip;
	if (!ip_is_any(source) && ip_is4(source) != ip_is4(to))
		return ip_is4(source) ? -EINVAL : -ENETUNREACH;
	*ret_source = ip_is_multicast(source) || ip_is_broadcast(socket->stack, source) ? ip_any : source;
	return 0;
}

static int find_path(struct berth_socket *socket, const struct berth_message *message, struct datagram_way *way)
{
	unsigned link_index = way->control.link_index;
	struct berth_ip source;
	int r;

	if (!message->to && ip_is_any(way->control.source) && !link_index) {
		const struct ip_path *path;

		r = socket_path(socket, &path);
		if (r >= 0) {
			way->path = *path;
			way->path.next_hop = ip_path_next_hop(path, way->remote.ip);
		}
		return r;
	}
	r = source_of(socket, way, &source);
	if (r < 0)
		return r;
	if (link_index && !socket->bound_link) {
		struct berth_link *link = link_by_index(socket->stack, link_index);

		if (!link)
			return message->to_link == link_index ? -ENETUNREACH : -ENODEV;
		return ip_path_find(socket->stack, way->remote.ip, source, link, &way->path);
	}
	return socket_route(socket, &way->remote, source, &way->path);
}

static int autobind(struct berth_socket *socket)
{
	int r;

	if (socket->claim.port || !socket_has_port(socket))
		return 0;
	r = socket_claim(socket, (struct berth_endpoint){ .ip = socket_bound_ip(socket) });
	return r == -EADDRINUSE ? -EAGAIN : r; /* Linux: inet_autobind() */
}

int datagram_find_way(struct berth_socket *socket, const struct berth_message *message, struct datagram_way *way)
{
	int r;

	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (datagram_of(socket)->send_shut)
		return -EPIPE;
	way->control = (struct datagram_control){ .traffic_class = socket->options->traffic_class,
						  .link_index = message->to_link };
	if ((r = destination(socket, message, &way->remote)) < 0 ||
	    (r = datagram_read_control(socket, message, &way->control)) < 0 || (r = autobind(socket)) < 0)
		return r;
	r = find_path(socket, message, way);
	if (r >= 0 && socket->options->mtu_discover >= IP_PMTUDISC_PROBE)
		way->path.mtu = way->path.link->mtu; /* what routers said does not count. ip(7) */
	if (r >= 0 && message->flags & MSG_CONFIRM)
		ip_path_confirm(&way->path, way->remote.ip);
	return r;
}

/* The message's own, or the socket's. NULL: none. */
static const struct datagram_options *options_for(const struct berth_socket *socket, const struct datagram_way *way)
{
	const struct datagram *datagram = (const struct datagram *)socket->protocol_state;

	if (!ip_is4(way->remote.ip))
		return NULL;
	return way->control.has_options ? &way->control.options : datagram->options;
}

struct ip_send datagram_ip_send(const struct berth_socket *socket, const struct datagram_way *way, size_t length)
{
	uint8_t discover = socket->options->mtu_discover;
	const struct datagram_options *options = options_for(socket, way);
	size_t header = ip_is4(way->remote.ip) ? 20 + (size_t)(options ? options->length : 0) : 40;
	struct ip_send send = {
		.source = way->path.source,
		.destination = way->remote.ip,
		.protocol = socket->demux.protocol,
		.ttl = way->control.ttl,
		.traffic_class = way->control.traffic_class,
		.options = options ? options->bytes : NULL,
		.options_length = options ? options->length : 0,
		/* Linux: ip_dont_fragment(): with WANT only what would not be fragmented here. */
		.dont_fragment = discover == IP_PMTUDISC_DO || discover == IP_PMTUDISC_PROBE ||
				 (socket->options->dont_fragment6 && !ip_is4(way->remote.ip)) ||
				 (discover == IP_PMTUDISC_WANT && length + header <= way->path.mtu),
	};

	socket_fill_send(socket, &send);
	return send;
}

int datagram_transmit(struct berth_socket *socket, struct berth_packet *packet, const struct datagram_way *way)
{
	/* Of a run each datagram is what has to pass. */
	size_t length = packet->segment_size ? (size_t)packet->segment_size + WIRE_UDP_LENGTH : packet->length;
	struct ip_send send = datagram_ip_send(socket, way, length);
	size_t header = ip_is4(way->remote.ip) ? 20 : 40;
	int r = -EMSGSIZE;

	if (socket->options->mtu_discover == IP_PMTUDISC_INTERFACE && length + header > way->path.mtu)
		stack_drop(socket->stack, packet, BERTH_EVENT_IP_DROP_TOO_BIG);
	else
		r = ip_send(socket->stack, packet, &way->path, &send);

	if (r == -EMSGSIZE)
		datagram_too_big(socket, &way->remote, way->path.mtu);
	return r;
}
