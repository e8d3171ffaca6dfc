/* SPDX-License-Identifier: BSD-2-Clause */
/* What a local socket is ready for, how it is shown, and the three protocols' tables. */
#include "core/local/local.h"

static int local_open(struct berth_socket *socket)
{
	struct local_socket *local = local_of(socket);

	list_init(&local->peers);
	list_init(&local->peer_node);
	list_init(&local->in_flight);
	list_init(&local->waiters);
	list_init(&local->wait_node);
	list_init(&local->pending);
	list_init(&local->pending_node);
	return 0;
}

/*
 * Linux: unix_writable(), unix_dgram_poll(): a quarter of the buffer may be
 * unread. Differs: one who found a queue or backlog full is not writable until
 * that has changed, so that the change can be reported.
 */
static bool writable(struct berth_socket *socket)
{
	struct local_socket *local = local_of(socket), *peer = local->peer;

	if (socket->state == SOCKET_LISTENING || !list_empty(&local->wait_node))
		return false;
	if (local->sent * 4 > socket->send_buffer)
		return false;
	return socket->protocol->type == SOCK_STREAM || !peer || peer->peer == local || !local_queue_full(peer);
}

/* Linux: unix_poll(). A connection that never was, or has ended both ways, is hung up. */
static unsigned local_readiness(struct berth_socket *socket)
{
	struct local_socket *local = local_of(socket);
	unsigned events = writable(socket) ? BERTH_POLLOUT : 0;

	if (local->received.head || local->receive_shut || local->pending_count)
		events |= BERTH_POLLIN;
	if (local->receive_shut)
		events |= BERTH_POLLRDHUP;
	if ((local->receive_shut && local->send_shut) ||
	    (local_connects(socket) && socket->state == SOCKET_UNCONNECTED))
		events |= BERTH_POLLHUP;
	return events;
}

static void local_inspect(struct berth_socket *socket, struct berth_socket_info *info)
{
	const struct local_socket *local = local_of(socket);
	const struct local_name *peer = local->peer ? local->peer->name : local->peer_name;

	info->receive_queue = local->pending_count ? local->pending_count : (uint32_t)local->received.bytes;
	info->send_queue = socket->state == SOCKET_LISTENING ? local->backlog : (uint32_t)local->sent;
	info->local_name = local->name ? local->name->path : NULL;
	info->local_name_length = local->name ? local->name->length : 0;
	info->remote_name = peer ? peer->path : NULL;
	info->remote_name_length = peer ? peer->length : 0;
}

const struct socket_inspector local_inspector = { .socket = local_inspect };

static void detach(struct berth_stack *stack, void *state)
{
	local_names_fini(stack); /* all sockets are gone: pathnames that nobody holds */
}

#define LOCAL_COMMON \
	.family = AF_UNIX, .state_size = sizeof(struct local_socket), .open = local_open, .release = local_release, \
	.destroy = local_destroy, .bind = local_bind, .connect_name = local_connect, .show_name = local_show_name, \
	.pair = local_pair, .shutdown = local_shutdown, .readiness = local_readiness

const struct berth_protocol local_stream_protocol = {
	.name = "local-stream",
	.type = SOCK_STREAM,
	LOCAL_COMMON,
	.detach = detach,
	.listen = local_listen,
	.accept = local_accept,
	.send = local_stream_send,
	.receive = local_stream_receive,
};

const struct berth_protocol local_seqpacket_protocol = {
	.name = "local-seqpacket",
	.type = SOCK_SEQPACKET,
	LOCAL_COMMON,
	.listen = local_listen,
	.accept = local_accept,
	.send = local_seqpacket_send,
	.receive = local_datagram_receive,
};

const struct berth_protocol local_datagram_protocol = {
	.name = "local-dgram",
	.type = SOCK_DGRAM,
	LOCAL_COMMON,
	.send = local_datagram_send,
	.receive = local_datagram_receive,
};
