/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that move data. The protocol's send() and receive() never block
 * and take what they can; the loops that make them blocking, partial sends and
 * MSG_WAITALL are here, once for all protocols. Of whole packets: packet.c.
 */
#include "core/socket/socket.h"

#include <errno.h>
#include <limits.h>

#define PARTS_MAX 1024 /* IOV_MAX */

static bool streams(const struct berth_socket *socket)
{
	return socket->protocol->type == SOCK_STREAM;
}

/* Pending data errors come before new ones: POSIX: send(), and Linux's sk_stream_wait_connect(). */
int socket_may_send(struct berth_socket *socket)
{
	if (!socket->protocol->send)
		return -EOPNOTSUPP;
	if (socket->error && !socket_has_family(socket))
		return socket_take_error(socket);
	return 0;
}

/* Drop the first bytes of parts, which are the caller's copy. */
static void parts_advance(struct berth_message *message, size_t bytes)
{
	while (message->part_count && bytes >= message->parts->iov_len) {
		bytes -= message->parts->iov_len;
		message->parts++;
		message->part_count--;
	}
	if (bytes) {
		message->parts->iov_base = (uint8_t *)message->parts->iov_base + bytes;
		message->parts->iov_len -= bytes;
	}
}

static ssize_t send_some(struct berth_socket *socket, struct berth_message *message, size_t done)
{
	ssize_t r;
	int waited = 0;

	while ((r = socket->protocol->send(socket, message)) == -EAGAIN && !waited) {
		if (message->flags & MSG_DONTWAIT || !socket_open(socket))
			break;
		waited = socket_wait(socket, BERTH_POLLOUT, socket->options->send_timeout);
		if (waited < 0)
			return done ? (ssize_t)0 : waited;
		waited = socket_may_send(socket);
		if (waited < 0)
			return waited;
	}
	return r;
}

static ssize_t send_all(struct berth_socket *socket, struct berth_message *message)
{
	size_t total = message_size(message), done = 0;
	ssize_t r;

	do {
		r = send_some(socket, message, done);
		if (r < 0)
			break;
		done += (size_t)r;
		if (done == total)
			break;
		parts_advance(message, (size_t)r);
	} while (r > 0 && done < total && socket_open(socket) && streams(socket) && !(message->flags & MSG_DONTWAIT) &&
		 !socket->nonblocking && socket->stack->hooks.wait);
	socket_settle(socket);
	return done || r >= 0 ? (ssize_t)done : r;
}

/* Berth's message from POSIX's; parts holds the copy that send_all() eats up. */
static int message_from(const struct msghdr *from, int flags, struct iovec *parts, struct berth_message *message)
{
	if (!from || from->msg_iovlen > PARTS_MAX)
		return -EMSGSIZE;
	for (size_t i = 0; i < from->msg_iovlen; i++) {
		if (!from->msg_iov[i].iov_base && from->msg_iov[i].iov_len)
			return -EFAULT;
		parts[i] = from->msg_iov[i];
	}
	*message = (struct berth_message){
		.parts = parts,
		.part_count = from->msg_iovlen,
		.control = from->msg_control,
		.control_length = from->msg_control ? from->msg_controllen : 0,
		.flags = flags,
		.name = from->msg_name,
		.name_length = from->msg_name ? from->msg_namelen : 0,
	};
	return message_size(message) == SSIZE_MAX ? -EINVAL : 0;
}

/* Linux: tcp_sendmsg_locked() with MSG_FASTOPEN. */
static ssize_t send_opening(struct berth_socket *socket, const struct msghdr *from, struct berth_message *message)
{
	size_t taken = 0;
	int r = socket_open_by_sending(socket, from, message, &taken);
	ssize_t rest;

	if (r == -EINPROGRESS && taken)
		return (ssize_t)taken;
	if (r < 0)
		return r;
	parts_advance(message, taken);
	if (!message_size(message))
		return (ssize_t)taken;
	rest = send_all(socket, message);
	return rest < 0 && !taken ? rest : (ssize_t)taken + MAX(rest, 0);
}

/* Where a datagram goes. Linux: udp_sendmsg() takes AF_UNSPEC for AF_INET, and udpv6_sendmsg() for no address. */
static int destination_from(const struct berth_socket *socket, const struct msghdr *from, struct berth_message *message,
			    struct berth_endpoint *to)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	bool unspecified = from->msg_namelen >= sizeof(in.sin_family) &&
			   ((const struct sockaddr *)from->msg_name)->sa_family == AF_UNSPEC &&
			   socket->protocol == &udp_protocol;
	int r;

	if (unspecified && socket->family == AF_INET6)
		return 0;
	if (unspecified && from->msg_namelen >= sizeof(in)) {
		memcpy(&in, from->msg_name, sizeof(in));
		in.sin_family = AF_INET;
		r = address_from_sockaddr(socket, (struct sockaddr *)&in, sizeof(in), to);
	} else {
		r = address_from_sockaddr(socket, from->msg_name, from->msg_namelen, to);
	}
	if (r < 0)
		return r;
	if (!socket_peer_has_port(socket))
		to->port = 0;
	message->to = to;
	message->to_link = address_scope(from->msg_name, from->msg_namelen);
	return 0;
}

static ssize_t socket_send(struct berth_socket *socket, const struct msghdr *from, int flags)
{
	struct iovec parts[PARTS_MAX];
	struct berth_message message;
	struct berth_endpoint to;
	int r = message_from(from, flags, parts, &message);

	if (r < 0)
		return r;
	if (socket_opens_by_sending(socket, flags))
		return send_opening(socket, from, &message);
	if (socket_has_family(socket)) {
		; /* message.name says it */
	} else if (from->msg_name && from->msg_namelen && !streams(socket)) {
		r = destination_from(socket, from, &message, &to);
		if (r < 0)
			return r;
	} else if (from->msg_name && from->msg_namelen && socket->state != SOCKET_CONNECTED) {
		return -EPIPE; /* Linux: only Fast Open gives a stream's address a meaning */
	}
	r = socket_may_send(socket);
	return r < 0 ? r : send_all(socket, &message);
}

ssize_t berth_sendmsg(struct berth_stack *stack, int fd, const struct msghdr *message, int flags)
{
	struct berth_socket *socket = socket_enter(stack, fd);

	return socket_answer(socket ? socket_leave(socket, socket_send(socket, message, flags)) : -EBADF);
}

/* What is in one piece and goes where the socket is connected to. */
static ssize_t send_flat(struct berth_socket *socket, struct iovec part, int flags)
{
	struct berth_message message = { .parts = &part, .part_count = 1, .flags = flags };
	int r = part.iov_len >= SSIZE_MAX	 ? -EINVAL
		: !part.iov_base && part.iov_len ? -EFAULT
						 : socket_may_send(socket);

	return r < 0 ? r : send_all(socket, &message);
}

static ssize_t send_named(struct berth_stack *stack, int fd, const void *bytes, size_t size, int flags,
			  const struct sockaddr *address, socklen_t length)
{
	struct iovec part = { (void *)(uintptr_t)bytes, size };
	struct msghdr message = {
		.msg_name = (void *)(uintptr_t)address,
		.msg_namelen = address ? length : 0,
		.msg_iov = &part,
		.msg_iovlen = 1,
	};

	return berth_sendmsg(stack, fd, &message, flags);
}

ssize_t berth_sendto(struct berth_stack *stack, int fd, const void *bytes, size_t size, int flags,
		     const struct sockaddr *address, socklen_t length)
{
	return address ? send_named(stack, fd, bytes, size, flags, address, length)
		       : berth_send(stack, fd, bytes, size, flags);
}

ssize_t berth_send(struct berth_stack *stack, int fd, const void *bytes, size_t size, int flags)
{
	struct iovec part = { (void *)(uintptr_t)bytes, size };
	struct berth_socket *socket = socket_enter(stack, fd);

	if (!socket)
		return socket_answer(-EBADF);
	if (socket_opens_by_sending(socket, flags)) {
		socket_leave(socket, 0);
		return send_named(stack, fd, bytes, size, flags, NULL, 0);
	}
	return socket_answer(socket_leave(socket, send_flat(socket, part, flags)));
}

/* Data first, then the error, then the end of the stream. Linux: tcp_recvmsg_locked(). */
static ssize_t receive_some(struct berth_socket *socket, struct berth_message *message)
{
	ssize_t r;

	for (;;) {
		int flags = message->flags, waited;

		r = socket->protocol->receive(socket, message);
		if (flags & MSG_OOB)
			return r; /* Linux: urgent data is there or it is not */
		if ((r == -EAGAIN || r == 0 || r == -ENOTCONN) && socket->error && !socket_has_family(socket))
			return socket_take_error(socket);
		if (r != -EAGAIN || flags & MSG_DONTWAIT || !socket_open(socket))
			return r;
		waited = socket_wait(socket, BERTH_POLLIN | BERTH_POLLRDHUP, socket->options->receive_timeout);
		if (waited < 0)
			return waited;
		message->flags = flags;
	}
}

static bool wants_all(const struct berth_socket *socket, int flags)
{
	return streams(socket) && flags & MSG_WAITALL && !(flags & (MSG_DONTWAIT | MSG_PEEK)) && !socket->nonblocking &&
	       socket->stack->hooks.wait;
}

static ssize_t receive_all(struct berth_socket *socket, struct berth_message *message)
{
	size_t total = message_size(message), done = 0;
	int flags = message->flags;
	ssize_t r;

	do {
		message->flags = flags;
		r = receive_some(socket, message);
		if (r <= 0)
			break;
		done += (size_t)r;
		if (wants_all(socket, flags))
			parts_advance(message, (size_t)r);
	} while (socket_open(socket) && wants_all(socket, flags) && done < total && !(message->flags & MSG_EOR));
	socket_settle(socket);
	return done || r >= 0 ? (ssize_t)done : r;
}

static ssize_t socket_receive(struct berth_socket *socket, struct msghdr *to, int flags)
{
	struct iovec parts[PARTS_MAX];
	struct berth_message message;
	ssize_t r;

	if (!socket->protocol->receive)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE && !socket->protocol->receive_error)
		return -EAGAIN; /* nothing is ever queued there */
	r = message_from(to, flags, parts, &message);
	if (r < 0)
		return r;
	if (flags & MSG_ERRQUEUE) {
		r = socket->protocol->receive_error(socket, &message);
		socket_settle(socket);
	} else {
		r = receive_all(socket, &message);
	}
	if (r < 0)
		return r;
	to->msg_flags = message.flags & (streams(socket) ? MSG_TRUNC | MSG_CTRUNC | MSG_OOB
							 : MSG_TRUNC | MSG_CTRUNC | MSG_EOR | MSG_ERRQUEUE);
	to->msg_controllen = to->msg_control ? message.control_length : 0;
	if (socket_has_family(socket))
		to->msg_namelen = message.name_length;
	else if (streams(socket))
		to->msg_namelen = 0;
	else
		address_to_sockaddr_by(socket, &message.from, message.from_link, to->msg_name, &to->msg_namelen);
	return r;
}

ssize_t berth_recvmsg(struct berth_stack *stack, int fd, struct msghdr *message, int flags)
{
	struct berth_socket *socket = socket_enter(stack, fd);

	return socket_answer(socket ? socket_leave(socket, socket_receive(socket, message, flags)) : -EBADF);
}

ssize_t berth_recvfrom(struct berth_stack *stack, int fd, void *bytes, size_t size, int flags, struct sockaddr *address,
		       socklen_t *length)
{
	struct iovec part = { bytes, size };
	struct msghdr message = {
		.msg_name = address,
		.msg_namelen = address && length ? *length : 0,
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	ssize_t r = berth_recvmsg(stack, fd, &message, flags);

	if (r >= 0 && address && length)
		*length = message.msg_namelen;
	return r;
}

/* In one piece, and nobody asks where from. */
static ssize_t receive_flat(struct berth_socket *socket, struct iovec part, int flags)
{
	struct berth_message message = { .parts = &part, .part_count = 1, .flags = flags };

	if (!socket->protocol->receive)
		return -EOPNOTSUPP;
	if (part.iov_len >= SSIZE_MAX)
		return -EINVAL;
	return !part.iov_base && part.iov_len ? -EFAULT : receive_all(socket, &message);
}

ssize_t berth_recv(struct berth_stack *stack, int fd, void *bytes, size_t size, int flags)
{
	struct iovec part = { bytes, size };
	struct berth_socket *socket;

	if (flags & MSG_ERRQUEUE)
		return berth_recvfrom(stack, fd, bytes, size, flags, NULL, NULL);
	socket = socket_enter(stack, fd);
	return socket_answer(socket ? socket_leave(socket, receive_flat(socket, part, flags)) : -EBADF);
}

int berth_sockatmark(struct berth_stack *stack, int fd)
{
	struct berth_socket *socket = socket_get(stack, fd);

	if (!socket)
		return (int)socket_answer(-EBADF);
	return (int)socket_answer(socket->protocol->at_mark ? socket->protocol->at_mark(socket) : -ENOTTY);
}
