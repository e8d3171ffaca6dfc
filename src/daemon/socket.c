/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket(): a plug for a socket that a program has made. Of a stream socket
 * nobody tells until something is done with it; the first call on it says what
 * it is, and it is made then, on the host where the program made it.
 */
#include "daemon/journal.h"
#include "daemon/state.h"

#include <errno.h>

/* Stream sockets are looked after when their number has doubled: their closing is told by nobody. */
static void sweep_sometimes(struct request *request)
{
	struct daemon *daemon = request->daemon;
	size_t idle = 0;

	if (++daemon->idle_plugs < daemon->sweep_at)
		return;
	plugs_sweep(request->host);
	LIST_EACH(&daemon->hosts, node)
		LIST_EACH(&LIST_ITEM(node, struct host, node)->plugs, inner)
			idle++;
	daemon->idle_plugs = 0;
	daemon->sweep_at = MAX(idle, 256);
}

/* Whose socket is it: of the session that chose its id, wherever a program on another host got it from. */
static struct channel *maker_of(struct request *request)
{
	uint64_t base = request->message->id >> 32 << 32;

	if (CHANNEL_ID_BASE(request->channel->session) == base)
		return request->channel;
	LIST_EACH(&request->daemon->hosts, node)
		LIST_EACH(&LIST_ITEM(node, struct host, node)->channels, inner) {
			struct channel *channel = LIST_ITEM(inner, struct channel, node);
			if (CHANNEL_ID_BASE(channel->session) == base)
				return channel;
		}
	return request->channel;
}

int32_t call_socket(struct request *request)
{
	const struct channel_message *message = request->message;
	struct channel *maker = maker_of(request);
	bool stream = message->kind == SOCK_STREAM, netlink = message->domain == AF_NETLINK;
	const struct plug_role *role = stream ? &role_idle : netlink ? &role_netlink : &role_datagram;
	int fd = -1;

	if (plug_find(request->daemon, message->id))
		return -EEXIST;
	sweep_sometimes(request);
	if (!netlink) {
		fd = berth_socket(maker->host->stack, message->domain, message->kind | SOCK_NONBLOCK,
				  message->protocol);
		if (fd < 0)
			return -errno;
	}
	struct plug *plug = plug_new(maker->host, message->id, role, fd);
	if (!plug)
		return -ENOMEM;
	plug->domain = message->domain;
	plug->kind = message->kind;
	plug->lendable = plug->role == &role_datagram && message->flags & CHANNEL_LENDABLE;
	plug->protocol = message->protocol;
	plug->session = maker->session;
	plug->pid = message->pid;
	memcpy(plug->command, message->command, sizeof(plug->command));
	plug->command[sizeof(plug->command) - 1] = 0;
	if (stream)
		return 0;
	/* One that was sent and did not come: there was no descriptor to take it with. */
	int r = request->fd < 0 ? -ENFILE : plug_take_end(plug, request->fd, EPOLLIN | EPOLLRDHUP);
	if (r < 0) {
		plug_free(plug);
		return r;
	}
	request->fd = -1;
	if (!netlink)
		datagram_open(plug);
	return 0;
}

int32_t call_socket_first(struct request *request)
{
	const struct channel_message *message = request->message;
	struct channel_message made = *message;
	int32_t r;

	if (message->kind != SOCK_STREAM || message->id & CHANNEL_ID_ACCEPTED || !message->id)
		return -EBADF;
	made.type = CHANNEL_SOCKET;
	request->message = &made;
	r = call_socket(request);
	journal_call(request, r);
	request->message = message;
	request->plug = plug_find(request->daemon, message->id);
	return r;
}
