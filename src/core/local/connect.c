/* SPDX-License-Identifier: BSD-2-Clause */
/* Local sockets find each other, and part. */
#include "core/local/local.h"

#include <errno.h>

void local_wake_waiters(struct local_socket *local)
{
	LIST_EACH_SAFE(&local->waiters, node) {
		list_remove(node);
		socket_notify_later(local_socket_of(LIST_ITEM(node, struct local_socket, wait_node)));
	}
}

void local_remember_peer(struct local_socket *local, struct local_name *name)
{
	local_name_unref(local_socket_of(local)->stack, local->peer_name);
	local->peer_name = local_name_ref(name);
}

static void join(struct local_socket *local, struct local_socket *peer)
{
	struct berth_socket *socket = local_socket_of(local);

	local->peer = peer;
	list_append(&peer->peers, &local->peer_node);
	local_remember_peer(local, NULL);
	socket->state = SOCKET_CONNECTED;
	socket_notify_later(socket);
}

void local_part(struct local_socket *local)
{
	local->peer = NULL;
	list_remove(&local->peer_node);
}

int local_pair(struct berth_socket *a, struct berth_socket *b)
{
	join(local_of(a), local_of(b));
	join(local_of(b), local_of(a));
	socket_notify_run(a->stack);
	return 0;
}

/* Linux: unix_stream_connect(), in its order. */
static int connect_check(struct berth_socket *socket, struct local_socket *listener)
{
	struct berth_socket *other = local_socket_of(listener);

	if (other->protocol != socket->protocol)
		return -EPROTOTYPE;
	if (other->state != SOCKET_LISTENING || listener->receive_shut)
		return -ECONNREFUSED;
	if (listener->pending_count > listener->backlog) {
		list_append(&listener->waiters, &local_of(socket)->wait_node);
		return -EAGAIN;
	}
	if (socket->state != SOCKET_UNCONNECTED)
		return socket->state == SOCKET_CONNECTED ? -EISCONN : -EINVAL;
	return 0;
}

static int stream_connect(struct berth_socket *socket, struct local_socket *listener)
{
	struct local_socket *local = local_of(socket), *child;
	struct berth_socket *made;
	int r = connect_check(socket, listener);

	if (r < 0)
		return r;
	r = socket_new(socket->stack, socket->protocol, 0, AF_UNIX, &made);
	if (r < 0)
		return r;
	child = local_of(made);
	child->name = local_name_ref(listener->name);
	join(local, child);
	join(child, local);
	list_append(&listener->pending, &child->pending_node);
	listener->pending_count++;
	socket_notify_later(local_socket_of(listener));
	socket_notify_run(socket->stack);
	return 0;
}

/* Linux: unix_dgram_disconnected(): what an earlier peer sent is lost, and it is told. */
static void leave_peer(struct local_socket *local)
{
	struct local_socket *peer = local->peer;

	local_part(local);
	if (local->received.head) {
		local_queue_clear(local);
		local_wake_waiters(local);
		if (peer && peer->peer == local) {
			local_socket_of(peer)->error = ECONNRESET;
			socket_notify_later(local_socket_of(peer));
		}
	}
}

static int datagram_disconnect(struct berth_socket *socket)
{
	struct local_socket *local = local_of(socket);

	if (socket->state == SOCKET_CONNECTED)
		leave_peer(local);
	local_remember_peer(local, NULL);
	socket->state = SOCKET_UNCONNECTED;
	socket_notify_run(socket->stack);
	return 0;
}

/* Linux: unix_dgram_connect(). */
static int datagram_connect(struct berth_socket *socket, struct local_socket *peer)
{
	struct local_socket *local = local_of(socket);

	if (local_socket_of(peer)->protocol != socket->protocol)
		return -EPROTOTYPE;
	if (local_hears_other(peer, local))
		return -EPERM;
	if (socket->state == SOCKET_CONNECTED && local->peer != peer)
		leave_peer(local);
	local_part(local);
	join(local, peer);
	socket_notify_run(socket->stack);
	return 0;
}

int local_connect(struct berth_socket *socket, const struct sockaddr *address, socklen_t length)
{
	struct local_socket *local = local_of(socket), *other;
	int r;

	list_remove(&local->wait_node);
	if (!local_connects(socket) && address->sa_family == AF_UNSPEC)
		return datagram_disconnect(socket);
	r = local_find(socket->stack, socket->protocol->type, address, length, &other);
	if (r < 0)
		return r;
	r = local_connects(socket) ? stream_connect(socket, other) : datagram_connect(socket, other);
	return r >= 0 && !socket_open(socket) ? -EBADF : r;
}

int local_listen(struct berth_socket *socket, int backlog)
{
	struct local_socket *local = local_of(socket);

	if (!local->name)
		return -EINVAL;
	local->backlog = (unsigned)backlog;
	local_wake_waiters(local);
	socket_notify_run(socket->stack);
	return 0;
}

int local_accept(struct berth_socket *socket, struct berth_socket **ret_socket)
{
	struct local_socket *local = local_of(socket);
	struct local_socket *child = LIST_FIRST(&local->pending, struct local_socket, pending_node);

	if (!child)
		return local->receive_shut && !socket->nonblocking ? -EINVAL : -EAGAIN; /* Linux, too */
	list_remove(&child->pending_node);
	local->pending_count--;
	*ret_socket = local_socket_of(child);
	local_wake_waiters(local);
	socket_notify_run(socket->stack); /* a hook may close the listener; the child is its own by now */
	return 0;
}

/* Linux: unix_shutdown(). It asks for no connection. */
int local_shutdown(struct berth_socket *socket, int how)
{
	struct local_socket *local = local_of(socket), *peer = local->peer;

	local->receive_shut |= how != SHUT_WR;
	local->send_shut |= how != SHUT_RD;
	if (peer && local_connects(socket)) {
		peer->send_shut |= how != SHUT_WR;
		peer->receive_shut |= how != SHUT_RD;
		socket_notify_later(local_socket_of(peer));
	}
	if (local->receive_shut)
		local_wake_waiters(local);
	socket_notify_later(socket);
	socket_notify_run(socket->stack);
	return 0;
}

/* Linux: unix_release_sock(): the other end of a connection sees the end, and a reset if something was lost. */
static void tell_peer(struct local_socket *peer, bool lost)
{
	struct berth_socket *socket = local_socket_of(peer);

	if (local_connects(socket)) {
		peer->receive_shut = peer->send_shut = true;
		if (lost)
			socket->error = ECONNRESET;
	}
	socket_notify_later(socket);
}

static void let_go(struct local_socket *local, bool embryo)
{
	bool lost = local->received.head || embryo;

	local_part(local);
	LIST_EACH_SAFE(&local->peers, node) {
		struct local_socket *peer = LIST_ITEM(node, struct local_socket, peer_node);

		local_part(peer);
		local_remember_peer(peer, local->name);
		tell_peer(peer, lost);
	}
	local_wake_waiters(local);
	local_destroy(local_socket_of(local));
}

void local_release(struct berth_socket *socket, bool abort)
{
	struct local_socket *local = local_of(socket);
	struct berth_stack *stack = socket->stack;

	LIST_EACH_SAFE(&local->pending, node) {
		struct local_socket *child = LIST_ITEM(node, struct local_socket, pending_node);

		let_go(child, true);
		berth_socket_done(local_socket_of(child));
	}
	let_go(local, false);
	berth_socket_done(socket);
	socket_notify_run(stack);
}

/* The memory goes: nobody may point here any more. */
void local_destroy(struct berth_socket *socket)
{
	struct local_socket *local = local_of(socket);

	LIST_EACH_SAFE(&local->in_flight, node) {
		struct local_piece *piece = LIST_ITEM(node, struct local_piece, in_flight);

		piece->sender = NULL;
		piece->from = local_name_ref(local->name);
		list_remove(node);
	}
	local_queue_clear(local);
	LIST_EACH_SAFE(&local->waiters, node)
		list_remove(node);
	LIST_EACH_SAFE(&local->peers, node)
		local_part(LIST_ITEM(node, struct local_socket, peer_node));
	local_part(local);
	list_remove(&local->wait_node);
	list_remove(&local->pending_node);
	LIST_EACH_SAFE(&local->pending, node)
		list_remove(node);
	local_name_abandon(local);
}
