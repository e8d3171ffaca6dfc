/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends that open a connection: sendto() and sendmsg() with MSG_FASTOPEN, and
 * the first one after a connect() that TCP_FASTOPEN_CONNECT put off. Linux:
 * tcp_sendmsg_fastopen(), __inet_stream_connect().
 */
#include "core/socket/socket.h"

#include <errno.h>

bool socket_opens_by_sending(const struct berth_socket *socket, int flags)
{
	if (socket->protocol != &tcp_protocol)
		return false;
	return tcp_fastopen_deferred(socket) || (flags & MSG_FASTOPEN && !tcp_fastopen_opened(socket));
}

static int send_now(struct berth_socket *socket)
{
	socket->state = SOCKET_CONNECTING;
	tcp_fastopen_go(socket);
	return socket_open(socket) ? socket_connect_wait(socket) : -EBADF;
}

static int open_with(struct berth_socket *socket, const struct msghdr *from)
{
	if (tcp_fastopen_deferred(socket))
		return send_now(socket);
	return socket_connect(socket, from->msg_name, from->msg_namelen);
}

int socket_open_by_sending(struct berth_socket *socket, const struct msghdr *from, struct berth_message *message,
			   size_t *ret_taken)
{
	const struct sockaddr *address = from->msg_name;
	bool blocking = !socket->nonblocking;
	int r;

	if (address && from->msg_namelen >= sizeof(address->sa_family) && address->sa_family == AF_UNSPEC)
		return -EOPNOTSUPP;
	r = tcp_fastopen_begin(socket, message);
	if (r < 0)
		return r;
	if (message->flags & MSG_DONTWAIT)
		socket->nonblocking = true;
	r = open_with(socket, from);
	if (blocking)
		socket->nonblocking = false;
	*ret_taken = tcp_fastopen_taken(socket);
	return r;
}
