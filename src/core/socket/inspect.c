/* SPDX-License-Identifier: BSD-2-Clause */
/* berth/inspect.h: sockets as ss shows them. */
#include "core/socket/socket.h"

#include "core/local/local.h"
#include "core/ping/ping.h"
#include "core/raw/raw.h"

#include <errno.h>

static const struct socket_inspector *inspector_of(const struct berth_protocol *protocol)
{
	if (protocol == &tcp_protocol)
		return &tcp_inspector;
	if (protocol->family == AF_UNIX)
		return &local_inspector;
	if (protocol == &udp_protocol || protocol == &udplite_protocol || protocol == &ping4_protocol ||
	    protocol == &ping6_protocol || protocol == &raw_protocol)
		return &datagram_inspector;
	return NULL;
}

static const char *generic_state(const struct berth_socket *socket)
{
	switch (socket->state) {
	case SOCKET_LISTENING:
		return "LISTEN";
	case SOCKET_CONNECTING:
		return "SYN-SENT";
	case SOCKET_CONNECTED:
		return "ESTAB";
	case SOCKET_CLOSED:
		return "CLOSING";
	}
	return "UNCONN";
}

static void inspect(struct berth_socket *socket, struct berth_socket_info *info)
{
	const struct socket_inspector *inspector = inspector_of(socket->protocol);

	*info = (struct berth_socket_info){
		.fd = socket->fd,
		.protocol = socket->demux.protocol,
		.protocol_name = socket->protocol->name,
		.family = socket->family,
		.type = socket->protocol->type,
		.state = generic_state(socket),
		.local = socket->demux.local,
		.remote = socket->demux.remote,
		.receive_buffer = socket->receive_buffer,
		.send_buffer = socket->send_buffer,
		.ipv6_wildcard = socket->family == AF_INET6 && ip_is_any(socket->demux.local.ip),
	};
	if (inspector)
		inspector->socket(socket, info);
}

int berth_socket_inspect(struct berth_stack *stack, int fd, struct berth_socket_info *ret_info)
{
	struct berth_socket *socket = socket_get(stack, fd);

	if (!socket)
		return -EBADF;
	inspect(socket, ret_info);
	return 0;
}

static bool hidden(const struct berth_socket *socket)
{
	return socket->claim.divert; /* the embedder's own plumbing */
}

int berth_socket_each(struct berth_stack *stack, int (*each)(void *context, const struct berth_socket_info *info),
		      void *context)
{
	struct berth_socket_info info;
	int r;

	LIST_EACH(&stack->sockets.all, node) {
		struct berth_socket *socket = LIST_ITEM(node, struct berth_socket, node);

		if (hidden(socket))
			continue;
		inspect(socket, &info);
		r = each(context, &info);
		if (r)
			return r;
	}
	return tcp_inspector.others ? tcp_inspector.others(stack, each, context) : 0;
}
