/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Express: two programs that both asked for it are joined socket to socket by
 * the kernel, and the stack only keeps the account: the client's port is
 * claimed there, and the conversation is listed as long as the client's socket
 * lives. The acceptor's questions come with the client's id.
 */
#include "base/ip.h"
#include "daemon/capture.h"
#include "daemon/links.h"
#include "daemon/state.h"

#include <errno.h>

enum { LISTENERS_MAX = 64 };

/* Those who listen there together (SO_REUSEPORT) take turns. */
static struct plug *find_listener(struct host *host, const struct berth_endpoint *wanted)
{
	struct plug *found[LISTENERS_MAX];
	size_t count = 0;

	LIST_EACH(&host->listeners, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, listening);
		if (count < LISTENERS_MAX && listener_hears(plug, wanted))
			found[count++] = plug;
	}
	for (size_t i = 0, first = count > 1 ? host->express_turn++ : 0; i < count; i++)
		if (plug_is_alive(found[(first + i) % count]))
			return found[(first + i) % count];
	return NULL;
}

int express_claim(struct plug *plug, const struct berth_endpoint *remote)
{
	struct berth_stack *stack = plug->host->stack;
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct berth_endpoint local = { .port = 0 };

	if (berth_getsockname(stack, plug->fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	address_read((struct sockaddr *)&address, length, &local);
	if (!local.port) {
		if (berth_bind(stack, plug->fd, (struct sockaddr *)&address, length) < 0)
			return errno == EADDRINUSE ? -EADDRNOTAVAIL : -errno;
		length = sizeof(address);
		berth_getsockname(stack, plug->fd, (struct sockaddr *)&address, &length);
		address_read((struct sockaddr *)&address, length, &local);
	}
	if (ip_is_any(local.ip) && ip_is_loopback(remote->ip))
		local.ip = ip_is4(remote->ip) ? ip_from_u32(INADDR_LOOPBACK) : remote->ip;
	else if (ip_is_any(local.ip))
		local.ip = ip_is4(remote->ip) ? berth_host_ip4(plug->host->host) : berth_host_ip6(plug->host->host);
	plug->express_local = local;
	plug->express_remote = *remote;
	return 0;
}

/*
 * The listener that its supervisor has connected the program to already, as it was told to shortly before (CONNECT_ROW):
 * a condition or capture that has begun since is for those that come later.
 */
static struct plug *chosen_listener(const struct request *request, struct host *host,
				    const struct berth_endpoint *remote)
{
	uint64_t id;

	memcpy(&id, request->payload, sizeof(id));
	struct plug *listener = plug_find(request->daemon, id);
	return listener && listener->host == host && listener_hears(listener, remote) ? listener : NULL;
}

int32_t express_connect(struct request *request, const struct sockaddr *address, socklen_t length)
{
	struct plug *plug = request->plug, *listener;
	struct berth_endpoint remote;

	if (plug->express)
		return -EISCONN;
	/* The stack knows what is wrong with the other family's address. */
	if (!request->host->express || plug->kind != SOCK_STREAM || !address_read(address, length, &remote) ||
	    address->sa_family != plug->domain)
		return -EAGAIN;
	struct host *host = ip_is_loopback(remote.ip) ? request->host : host_of_ip(request->daemon, remote.ip);
	bool chosen = request->message->flags & CHANNEL_QUIET && request->payload_length == sizeof(uint64_t);
	if (!host || !host->express)
		return chosen ? -ECONNREFUSED : -EAGAIN;
	if (!chosen && (links_conditioned(request->host, host) || capture_watches(request->host, host)))
		return -EAGAIN; /* conditions and captures are for every conversation: by wire, then */
	host_touch(host);
	listener = chosen ? chosen_listener(request, host, &remote) : find_listener(host, &remote);
	if (!listener)
		return chosen ? -ECONNREFUSED : -EAGAIN; /* the stack knows how to refuse */
	int r = express_claim(plug, &remote);
	if (r < 0)
		return r;
	plug->express = true;
	plug->express_listener = listener->id;
	request->reply.payload_length = express_listener_name(listener, request->reply_payload);
	return 0;
}

uint32_t express_listener_name(const struct plug *listener, uint8_t *ret_name)
{
	struct sockaddr_un name;
	uint32_t length = (uint32_t)(plug_name(listener, &name) - offsetof(struct sockaddr_un, sun_path) - 1);

	memcpy(ret_name, name.sun_path + 1, length);
	return length;
}

struct plug *express_listener(struct request *request, struct berth_endpoint *ret_remote)
{
	const struct sockaddr *address = (const struct sockaddr *)request->message->address;

	if (!request->host->express || !address_read(address, request->message->address_length, ret_remote) ||
	    address->sa_family != request->plug->domain)
		return NULL;
	struct host *host =
		ip_is_loopback(ret_remote->ip) ? request->host : host_of_ip(request->daemon, ret_remote->ip);
	if (!host || !host->express || links_conditioned(request->host, host) || capture_watches(request->host, host))
		return NULL;
	host_touch(host);
	return find_listener(host, ret_remote);
}

/* far: the question is the acceptor's, about its express peer. */
socklen_t express_name(const struct request *request, bool remote, struct sockaddr_storage *ret_address)
{
	struct plug *plug = request->plug;
	bool far = request->message->flags & CHANNEL_PEER_ID;
	int family = plug->domain;

	if (far) {
		struct plug *listener = plug_find(request->daemon, plug->express_listener);
		family = listener ? listener->domain : AF_INET6;
	}
	const struct berth_endpoint *end = remote != far ? &plug->express_remote : &plug->express_local;
	return address_write(end, ip_is4(end->ip) ? family : AF_INET6, ret_address);
}

/* pid: who has connected it. A ticket is good for the program that was given it, all else is done by supervisors. */
static bool sent_to(const struct plug *plug, uint64_t listener, pid_t pid)
{
	return plug && plug->express &&
	       (!listener || (listener == plug->express_listener && (!plug->ticket_pid || plug->ticket_pid == pid)));
}

bool express_accepted(struct request *request)
{
	uint64_t listener = 0;

	if (request->payload_length >= sizeof(listener))
		memcpy(&listener, request->payload, sizeof(listener));
	if (sent_to(request->plug, listener, request->message->value)) {
		request->reply.flags |= request->plug->ticket_pid ? CHANNEL_TICKET : 0;
		return true;
	}
	/* That it was sent there may be on its way (CHANNEL_QUIET). */
	channels_hear(request->daemon, request->message->id);
	request->plug = plug_find(request->daemon, request->message->id);
	return sent_to(request->plug, listener, request->message->value);
}
