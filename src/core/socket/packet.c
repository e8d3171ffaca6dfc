/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls that move whole packets: transfer.c's, without copies. */
#include "core/socket/socket.h"

static ssize_t send_packet(struct berth_socket *socket, struct berth_packet *packet, int flags)
{
	ssize_t r = socket_may_send(socket);

	if (r < 0)
		return r;
	if (!socket->protocol->send_packet)
		return -EOPNOTSUPP;
	if (!packet || !packet->length)
		return -EINVAL;
	while ((r = socket->protocol->send_packet(socket, packet, flags)) == -EAGAIN) {
		if (flags & MSG_DONTWAIT || !socket_open(socket))
			break;
		r = socket_wait(socket, BERTH_POLLOUT, socket->options->send_timeout);
		if (r == 0)
			r = socket_may_send(socket);
		if (r < 0)
			break;
	}
	socket_settle(socket);
	return r;
}

ssize_t berth_send_packet(struct berth_stack *stack, int fd, struct berth_packet *packet, int flags)
{
	struct berth_socket *socket = socket_enter(stack, fd);

	return socket_answer(socket ? socket_leave(socket, send_packet(socket, packet, flags)) : -EBADF);
}

/* Data first, then the error, then the end of the stream, as receive_some() has it. */
static ssize_t receive_packet(struct berth_socket *socket, struct berth_packet **ret_packet, int flags)
{
	ssize_t r;

	if (!socket->protocol->receive_packet || flags & ~MSG_DONTWAIT)
		return -EOPNOTSUPP;
	for (;;) {
		r = socket->protocol->receive_packet(socket, ret_packet);
		if (r <= 0 && socket->error)
			r = socket_take_error(socket);
		if (r != -EAGAIN || flags & MSG_DONTWAIT || !socket_open(socket))
			break;
		r = socket_wait(socket, BERTH_POLLIN | BERTH_POLLRDHUP, socket->options->receive_timeout);
		if (r < 0)
			break;
	}
	socket_settle(socket);
	return r;
}

ssize_t berth_recv_packet(struct berth_stack *stack, int fd, struct berth_packet **ret_packet, int flags)
{
	struct berth_socket *socket = socket_enter(stack, fd);

	return socket_answer(socket ? socket_leave(socket, receive_packet(socket, ret_packet, flags)) : -EBADF);
}
