/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending datagrams: whereto, by which way, with which header. Linux: udp_sendmsg(). */
#include "core/udp/udp.h"

#include "wire/checksum.h"
#include "wire/udp.h"

#include <errno.h>

#define PAYLOAD_MAX4 (65535 - 20 - WIRE_UDP_LENGTH)
#define PAYLOAD_MAX6 (65535 - WIRE_UDP_LENGTH)

static int destination(struct berth_socket *socket, const struct berth_message *message,
		       struct berth_endpoint *ret_remote)
{
	if (!message->to && socket->state != SOCKET_CONNECTED)
		return -EDESTADDRREQ;
	*ret_remote = message->to ? *message->to : socket->demux.remote;
	if (!ret_remote->port)
		return -EINVAL;
	ret_remote->ip = address_or_loopback(socket, ret_remote->ip);
	if (socket->options.ipv6_only && ip_is4(ret_remote->ip))
		return -ENETUNREACH;
	if (!socket->options.broadcast && ip_is_broadcast(socket->stack, ret_remote->ip))
		return -EACCES;
	return 0;
}

static bool answers_diverted(struct berth_socket *socket, const struct berth_endpoint *remote)
{
	const struct udp_socket *udp = udp_of(socket);

	return socket->claim.divert && udp->last_from.port == remote->port && ip_equal(udp->last_from.ip, remote->ip);
}

/* The address to send from: asked for with this message, bound to, or any. */
static int source_of(struct berth_socket *socket, const struct berth_endpoint *remote,
		     const struct udp_control *control, struct berth_ip *ret_source)
{
	struct berth_ip source = control->source;

	if (ip_is_any(source) && answers_diverted(socket, remote))
		source = udp_of(socket)->last_to;
	else if (!ip_is_any(source) && !ip_is_local(socket->stack, source))
		return -EINVAL;
	if (ip_is_any(source))
		source = socket->demux.local.ip;
	if (!ip_is_any(source) && ip_is4(source) != ip_is4(remote->ip))
		return ip_is4(source) ? -EINVAL : -ENETUNREACH;
	*ret_source = ip_is_multicast(source) || ip_is_broadcast(socket->stack, source) ? ip_any : source;
	return 0;
}

static int find_path(struct berth_socket *socket, const struct berth_message *message,
		     const struct berth_endpoint *remote, const struct udp_control *control, struct ip_path *ret_path)
{
	struct berth_ip source;
	int r;

	if (!message->to && ip_is_any(control->source) && !control->link_index) {
		struct ip_path *path;

		r = socket_path(socket, &path);
		if (r >= 0)
			*ret_path = *path;
		return r;
	}
	r = source_of(socket, remote, control, &source);
	if (r < 0)
		return r;
	if (control->link_index && !socket->bound_link) {
		struct berth_link *link = link_by_index(socket->stack, control->link_index);

		return link ? ip_path_find(socket->stack, remote->ip, source, link, ret_path) : -ENODEV;
	}
	return socket_route(socket, remote, source, ret_path);
}

static struct berth_packet *build(struct berth_socket *socket, const struct berth_message *message, size_t size,
				  const struct berth_endpoint *remote, const struct ip_path *path)
{
	struct berth_packet *packet = berth_packet_new(socket->stack->packets, PACKET_HEADROOM,
						       size + WIRE_UDP_LENGTH);
	struct wire_udp header = {
		.source_port = socket->claim.port,
		.destination_port = remote->port,
		.length = (uint16_t)(size + WIRE_UDP_LENGTH),
	};
	uint8_t *bytes;

	if (!packet)
		return NULL;
	bytes = berth_packet_put(packet, size + WIRE_UDP_LENGTH);
	wire_udp_build(bytes, &header);
	message_gather(message, 0, bytes + WIRE_UDP_LENGTH, size);
	if (path->link->flags & BERTH_LINK_NO_CHECKSUMS) {
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
		return packet;
	}
	header.checksum = checksum_finish(checksum_add(
		ip_pseudo_sum(path->source, remote->ip, IPPROTO_UDP, packet->length), bytes, packet->length));
	if (!header.checksum)
		header.checksum = 0xffff; /* RFC 768: 0 is "no checksum" */
	wire_udp_build(bytes, &header);
	return packet;
}

static int autobind(struct berth_socket *socket)
{
	int r;

	if (socket->claim.port)
		return 0;
	r = socket_claim(socket, (struct berth_endpoint){ .port = 0 });
	return r == -EADDRINUSE ? -EAGAIN : r; /* Linux: inet_autobind() */
}

static int transmit(struct berth_socket *socket, struct berth_packet *packet, const struct berth_endpoint *remote,
		    const struct ip_path *path, const struct udp_control *control)
{
	uint8_t discover = socket->options.mtu_discover;
	size_t header = ip_is4(remote->ip) ? 20 : 40;
	struct ip_send send = {
		.source = path->source,
		.destination = remote->ip,
		.protocol = IPPROTO_UDP,
		.ttl = control->ttl,
		.traffic_class = control->traffic_class,
		/* Linux: ip_dont_fragment(): with WANT only what would not be fragmented here. */
		.dont_fragment = discover == IP_PMTUDISC_DO ||
				 (discover == IP_PMTUDISC_WANT && packet->length + header <= path->mtu),
	};

	socket_fill_send(socket, &send);
	return ip_send(socket->stack, packet, path, &send);
}

ssize_t udp_send(struct berth_socket *socket, struct berth_message *message)
{
	struct udp_control control = { .traffic_class = socket->options.traffic_class };
	size_t size = message_size(message);
	struct berth_endpoint remote;
	struct berth_packet *packet;
	struct ip_path path;
	int r;

	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (udp_of(socket)->send_shut)
		return -EPIPE;
	if ((r = destination(socket, message, &remote)) < 0)
		return r;
	if (size > (ip_is4(remote.ip) ? PAYLOAD_MAX4 : PAYLOAD_MAX6))
		return -EMSGSIZE;
	if ((r = udp_control_read(message, &control)) < 0 || (r = autobind(socket)) < 0 ||
	    (r = find_path(socket, message, &remote, &control, &path)) < 0)
		return r;
	packet = build(socket, message, size, &remote, &path);
	if (!packet)
		return -ENOBUFS;
	r = transmit(socket, packet, &remote, &path, &control);
	return r < 0 ? r : (ssize_t)size;
}
