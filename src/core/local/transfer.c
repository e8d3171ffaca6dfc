/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is written lies in the reader's queue at once. A stream's bytes go
 * behind the last ones while their packet has room; a message is one piece, or
 * several if it is longer than a packet can be.
 *
 * No descriptors are passed (SCM_RIGHTS fails with EINVAL): a stack has one
 * owner, and its descriptors are numbers that mean the same to everybody who
 * talks here. So the number itself, as data, is all there is to pass.
 */
#include "core/local/local.h"

#include <errno.h>

#define PIECE_AT sizeof(struct local_piece)
#define PIECE_MAX (BERTH_PACKET_MAX - PIECE_AT)
#define MESSAGE_OVERHEAD 32 /* Linux: unix_dgram_sendmsg(): SO_SNDBUF less this is the longest message */

static struct local_piece *piece_of(struct berth_packet *packet)
{
	return (struct local_piece *)packet->buffer;
}

static const struct local_name *sender_name(struct berth_packet *packet)
{
	const struct local_piece *piece = piece_of(packet);

	return piece->sender ? piece->sender->name : piece->from;
}

static size_t room(const struct berth_socket *socket)
{
	size_t sent = local_of((struct berth_socket *)(uintptr_t)socket)->sent;

	return sent < socket->send_buffer ? socket->send_buffer - sent : 0;
}

bool local_queue_full(struct local_socket *local)
{
	return local->messages > local_socket_of(local)->stack->limits.local_datagrams;
}

/* A packet for length bytes of sender's, charged to it. NULL: no memory. */
static struct berth_packet *piece_new(struct local_socket *sender, size_t length)
{
	struct berth_socket *socket = local_socket_of(sender);
	struct berth_packet *packet = berth_packet_new(socket->stack->packets, PIECE_AT, length);
	struct local_piece *piece;

	if (!packet)
		return NULL;
	piece = piece_of(packet);
	*piece = (struct local_piece){ .sender = sender };
	list_append(&sender->in_flight, &piece->in_flight);
	sender->sent += packet_truesize(packet);
	return packet;
}

static void piece_free(struct berth_stack *stack, struct berth_packet *packet)
{
	struct local_piece *piece = piece_of(packet);

	if (piece->sender) {
		piece->sender->sent -= packet_truesize(packet);
		list_remove(&piece->in_flight);
		socket_notify_later(local_socket_of(piece->sender));
	}
	local_name_unref(stack, piece->from);
	berth_packet_unref(packet);
}

static void queue_drop(struct berth_stack *stack, struct packet_queue *queue)
{
	struct berth_packet *packet;

	while ((packet = packet_queue_pop(queue)))
		piece_free(stack, packet);
}

void local_queue_clear(struct local_socket *local)
{
	queue_drop(local_socket_of(local)->stack, &local->received);
	local->messages = 0;
}

/* The oldest piece has been read. */
static void queue_take(struct local_socket *local)
{
	piece_free(local_socket_of(local)->stack, packet_queue_pop(&local->received));
}

/* Linux: __scm_send(): control messages of SOL_SOCKET that are not known are errors; here, all of them. */
static int check_control(const struct berth_message *message)
{
	struct msghdr header = { .msg_control = message->control, .msg_controllen = message->control_length };

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header); cmsg; cmsg = CMSG_NXTHDR(&header, cmsg))
		if (cmsg->cmsg_len < sizeof(*cmsg) || cmsg->cmsg_level == SOL_SOCKET)
			return -EINVAL;
	return 0;
}

/* Linux: unix_stream_sendmsg(), in its order. */
static int stream_check(struct berth_socket *socket, const struct berth_message *message)
{
	struct local_socket *local = local_of(socket);

	if (check_control(message) < 0)
		return -EINVAL;
	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (message->name && message->name_length)
		return socket->state == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	return local->send_shut || !local->peer || local->peer->receive_shut ? -EPIPE : 0;
}

/* Bytes from offset on into the peer's last packet, or a new one. How many, or -ENOBUFS. */
static ssize_t stream_append(struct local_socket *local, struct berth_message *message, size_t offset, size_t length)
{
	struct packet_queue *queue = &local->peer->received;
	struct berth_packet *last = queue->head ? CONTAINER_OF(queue->tail, struct berth_packet, next) : NULL;
	size_t fits = last ? packet_tailroom(last) : 0;
	struct berth_packet *packet = last;

	if (!fits) {
		fits = PIECE_MAX;
		packet = piece_new(local, MIN(length, fits));
		if (!packet)
			return -ENOBUFS;
		packet_queue_push(queue, packet);
	}
	fits = MIN(fits, length);
	message_gather(message, offset, berth_packet_put(packet, fits), fits);
	queue->bytes += fits; /* pushing an empty packet added nothing */
	return (ssize_t)fits;
}

ssize_t local_stream_send(struct berth_socket *socket, struct berth_message *message)
{
	struct local_socket *local = local_of(socket);
	size_t size = message_size(message), done = 0;
	ssize_t r = stream_check(socket, message);

	if (r < 0)
		return r;
	while (done < size && room(socket)) {
		r = stream_append(local, message, done, size - done);
		if (r < 0)
			break;
		done += (size_t)r;
	}
	if (!done)
		return size && r >= 0 ? -EAGAIN : r;
	socket_notify_later(local_socket_of(local->peer));
	socket_notify_run(socket->stack);
	return (ssize_t)done;
}

/* One message into reader's queue, all or nothing. 0 or -ENOBUFS. */
static int message_deliver(struct local_socket *local, struct local_socket *reader, struct berth_message *message)
{
	struct berth_stack *stack = local_socket_of(local)->stack;
	struct packet_queue pieces = { .head = NULL };
	size_t size = message_size(message), done = 0, length;

	do {
		struct berth_packet *packet;

		length = MIN(size - done, PIECE_MAX);
		packet = piece_new(local, length);
		if (!packet) {
			queue_drop(stack, &pieces);
			return -ENOBUFS;
		}
		message_gather(message, done, berth_packet_put(packet, length), length);
		done += length;
		piece_of(packet)->rest = size - done;
		packet_queue_push(&pieces, packet);
	} while (done < size);
	while (pieces.head)
		packet_queue_push(&reader->received, packet_queue_pop(&pieces));
	reader->messages++;
	socket_notify_later(local_socket_of(reader));
	return 0;
}

/* Linux: unix_dgram_sendmsg(): the peer has gone, and that is found out now. */
static int peer_is_gone(struct berth_socket *socket)
{
	struct local_socket *local = local_of(socket);

	local_queue_clear(local);
	local_wake_waiters(local);
	socket->state = SOCKET_UNCONNECTED;
	local_remember_peer(local, NULL);
	return -ECONNREFUSED;
}

static int find_reader(struct berth_socket *socket, const struct berth_message *message, size_t size,
		       struct local_socket **ret_reader)
{
	struct local_socket *local = local_of(socket);
	bool named = message->name && message->name_length && !local_connects(socket);
	int r = check_control(message);

	if (r < 0 || message->flags & MSG_OOB)
		return r < 0 ? r : -EOPNOTSUPP;
	if (size + MESSAGE_OVERHEAD > socket->send_buffer)
		return -EMSGSIZE;
	if (socket->error)
		return socket_take_error(socket);
	if (local->send_shut)
		return -EPIPE;
	if (named)
		return local_find(socket->stack, socket->protocol->type, message->name, message->name_length,
				  ret_reader);
	if (socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	*ret_reader = local->peer;
	if (!local->peer)
		return local_connects(socket) ? -EPIPE : peer_is_gone(socket);
	return 0;
}

/* Linux: unix_dgram_sendmsg(). Full is the reader's number of messages, unless it talks to us only, or our bytes. */
static int may_deliver(struct local_socket *local, struct local_socket *reader)
{
	struct berth_socket *socket = local_socket_of(local);

	if (local_socket_of(reader)->protocol != socket->protocol)
		return -EPROTOTYPE;
	if (local_hears_other(reader, local))
		return -EPERM;
	if (reader->receive_shut)
		return -EPIPE;
	if (!room(socket))
		return -EAGAIN;
	if (reader->peer == local || !local_queue_full(reader))
		return 0;
	list_append(&reader->waiters, &local->wait_node);
	return -EAGAIN;
}

ssize_t local_datagram_send(struct berth_socket *socket, struct berth_message *message)
{
	struct local_socket *local = local_of(socket), *reader = NULL;
	size_t size = message_size(message);
	int r;

	list_remove(&local->wait_node);
	r = find_reader(socket, message, size, &reader);
	if (r >= 0)
		r = may_deliver(local, reader);
	if (r >= 0)
		r = message_deliver(local, reader, message);
	socket_notify_run(socket->stack);
	return r < 0 ? r : (ssize_t)size;
}

/* Linux: unix_seqpacket_sendmsg(). */
ssize_t local_seqpacket_send(struct berth_socket *socket, struct berth_message *message)
{
	if (socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	return local_datagram_send(socket, message);
}

/* Linux: __unix_dgram_recvmsg(): a datagram socket has no end that non-blocking readers see. */
static ssize_t nothing(struct berth_socket *socket, struct berth_message *message)
{
	bool waits = !socket->nonblocking && !(message->flags & MSG_DONTWAIT);

	message->name_length = 0;
	if (!local_of(socket)->receive_shut || (!local_connects(socket) && !waits))
		return -EAGAIN;
	message->flags = 0;
	return 0;
}

/* Fill message from the queue's first bytes; what is not peeked at is taken. */
static size_t stream_read(struct local_socket *local, struct berth_message *message, bool peek)
{
	struct berth_packet *packet = local->received.head, *next;
	size_t size = message_size(message), done = 0;

	local_show_sender(sender_name(packet), message->name, &message->name_length);
	for (; packet && done < size; packet = next) {
		size_t length = MIN(packet->length, size - done);

		next = packet->next;
		message_scatter(message, done, packet->data, length);
		done += length;
		if (peek)
			continue;
		berth_packet_pull(packet, length);
		local->received.bytes -= length;
		if (!packet->length)
			queue_take(local);
	}
	return done;
}

/* Linux: unix_stream_read_generic(). */
ssize_t local_stream_receive(struct berth_socket *socket, struct berth_message *message)
{
	struct local_socket *local = local_of(socket);
	bool peek = message->flags & MSG_PEEK;
	size_t done;

	if (socket->state != SOCKET_CONNECTED)
		return -EINVAL;
	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	message->control_length = 0;
	if (!local->received.head)
		return socket->error ? socket_take_error(socket) : nothing(socket, message);
	message->flags = 0;
	done = stream_read(local, message, peek);
	socket_notify_run(socket->stack);
	return (ssize_t)done;
}

/* Copy the first message; its length, which may be more than fits. */
static size_t message_read(struct local_socket *local, struct berth_message *message, size_t *ret_copied)
{
	struct berth_packet *packet = local->received.head;
	size_t length = 0;

	*ret_copied = 0;
	for (;; packet = packet->next) {
		*ret_copied += message_scatter(message, length, packet->data, packet->length);
		length += packet->length;
		if (!piece_of(packet)->rest)
			return length;
	}
}

static void message_take(struct local_socket *local)
{
	bool was_full = local_queue_full(local), more;

	do {
		more = piece_of(local->received.head)->rest;
		queue_take(local);
	} while (more);
	local->messages--;
	if (!was_full)
		return;
	local_wake_waiters(local);
	LIST_EACH(&local->peers, node) /* whose readiness says whether this is full */
		socket_notify_later(local_socket_of(LIST_ITEM(node, struct local_socket, peer_node)));
}

ssize_t local_datagram_receive(struct berth_socket *socket, struct berth_message *message)
{
	struct local_socket *local = local_of(socket);
	bool peek = message->flags & MSG_PEEK, whole = message->flags & MSG_TRUNC;
	size_t length, copied;

	if (local_connects(socket) && socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	if (message->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (socket->error)
		return socket_take_error(socket);
	message->control_length = 0;
	if (!local->received.head)
		return nothing(socket, message);
	local_show_sender(sender_name(local->received.head), message->name, &message->name_length);
	length = message_read(local, message, &copied);
	message->flags = copied < length ? MSG_TRUNC : 0;
	if (!peek)
		message_take(local);
	socket_notify_run(socket->stack);
	return (ssize_t)(whole ? length : copied);
}
