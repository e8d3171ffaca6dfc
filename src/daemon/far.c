/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Express for datagrams: who sends is lent the far end of the receiver's pair,
 * and what it puts there is in the receiver's queue at once, with a tag like
 * those that datagram.c sends. The stack says who the receiver is, and keeps
 * the sender's port; it is asked anew several times a second, so conditions
 * and captures that are set later hold from then on.
 *
 * The end has another direction: what the receiver's program sends natively,
 * which only a connected socket does. Who is connected gets datagrams from its
 * peer only, and connect() on a socket whose end is lent makes a new pair
 * (CHANNEL_RENEW), so nobody reads what is not his.
 */
#include "base/ip.h"
#include "core/socket/socket.h"
#include "daemon/capture.h"
#include "daemon/links.h"
#include "daemon/state.h"
#include "net/network.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 65507, UNFRAGMENTED_MAX = 1452 };

/* An option's int, or fallback. */
static int option_of(const struct plug *plug, int level, int option, int fallback)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return berth_getsockopt(plug->host->stack, plug->fd, level, option, &value, &length) ? fallback : value;
}

static bool endpoint_of(const struct plug *plug, struct berth_endpoint *ret_local)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	return !berth_getsockname(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length) &&
	       address_read((struct sockaddr *)&address, length, ret_local);
}

/* The sender's own end towards remote: bound to a port now, as a first sendto() would. */
static int claim(const struct plug *plug, struct berth_ip remote, struct berth_endpoint *ret_local)
{
	struct sockaddr_storage any;
	socklen_t length;

	if (!endpoint_of(plug, ret_local))
		return -EAGAIN;
	if (!ret_local->port) {
		length = address_write(ret_local, plug->domain, &any);
		if (berth_bind(plug->host->stack, plug->fd, (struct sockaddr *)&any, length) < 0 ||
		    !endpoint_of(plug, ret_local))
			return -EAGAIN; /* the stack knows how to say it */
	}
	if (ip_is_any(ret_local->ip) && ip_is_loopback(remote))
		ret_local->ip = ip_is4(remote) ? ip_from_u32(INADDR_LOOPBACK) : remote;
	else if (ip_is_any(ret_local->ip))
		ret_local->ip = ip_is4(remote) ? berth_host_ip4(plug->host->host) : berth_host_ip6(plug->host->host);
	return ip_is_loopback(ret_local->ip) == ip_is_loopback(remote) ? 0 : -EAGAIN;
}

static bool read_remote(const struct request *request, struct berth_endpoint *ret_remote)
{
	const struct plug *plug = request->plug;
	struct sockaddr_storage address;
	socklen_t length = request->message->address_length;

	memcpy(&address, request->message->address, length);
	if (!length) {
		length = sizeof(address);
		if (berth_getpeername(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length) < 0)
			return false;
	}
	/* The other family's addresses on a dual-stack socket: the stack knows what may be. */
	return address_read((struct sockaddr *)&address, length, ret_remote) && ret_remote->port &&
	       (plug->domain == AF_INET ? ip_is4(ret_remote->ip) : ip_is6(ret_remote->ip));
}

/* Who gets what goes from local to remote, on host; NULL: nobody to whom it may go straight. */
static struct plug *find_receiver(struct host *host, const struct berth_endpoint *remote,
				  const struct berth_endpoint *local)
{
	struct demux_node *node = demux_find(host->stack, IPPROTO_UDP, remote, local);
	struct berth_link *link = ip_is_loopback(remote->ip) ? NULL : host->host->link;
	struct berth_socket *socket;
	struct plug *plug;

	if (node)
		socket = node->kind == DEMUX_SOCKET ? socket_of_demux(node) : NULL;
	else
		socket = port_find_bound(host->stack, IPPROTO_UDP, remote, local, link);
	plug = socket ? plug_of_fd(host, socket->fd) : NULL;
	if (!plug || !plug->lendable || plug->end < 0 || option_of(plug, IPPROTO_IP, IP_RECVORIGDSTADDR, 0))
		return NULL; /* tags that the sender makes have nothing but what fill_tag() puts in them */
	return plug;
}

/* Are there IP options in what it sends? */
static bool has_ip_options(const struct plug *plug)
{
	uint8_t options[40];
	socklen_t length = sizeof(options);

	return !berth_getsockopt(plug->host->stack, plug->fd, IPPROTO_IP, IP_OPTIONS, options, &length) && length;
}

static bool may_go_straight(const struct plug *plug)
{
	return plug->role == &role_datagram && plug->protocol == IPPROTO_UDP && plug->host->express && !plug->shut &&
	       !option_of(plug, IPPROTO_UDP, UDP_SEGMENT, 0) && !has_ip_options(plug);
}

static void fill_tag(const struct plug *from, const struct plug *to, const struct berth_endpoint *local,
		     const struct berth_endpoint *remote, struct channel_tag *tag)
{
	struct berth_endpoint destination = { .ip = remote->ip };
	bool six = from->domain == AF_INET6;
	struct sockaddr_storage address;

	*tag = (struct channel_tag){ .kind = TAG_DATAGRAM };
	tag->source_length = (uint16_t)address_write(local, to->domain, &address);
	memcpy(tag->source, &address, tag->source_length);
	tag->destination_length = (uint16_t)address_write(&destination, to->domain, &address);
	memcpy(tag->destination, &address, tag->destination_length);
	tag->link_index = ip_is_loopback(remote->ip) ? 1 : berth_link_index(to->host->host->link);
	tag->ttl = (uint32_t)option_of(from, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_UNICAST_HOPS : IP_TTL, 64);
	tag->traffic_class = (uint32_t)option_of(from, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_TCLASS : IP_TOS, 0);
}

int32_t far_lend(struct request *request)
{
	struct plug *plug = request->plug, *to;
	struct berth_endpoint remote, local;
	struct channel_tag tag;
	struct host *host;
	int discover, r;

	if (!may_go_straight(plug) || !read_remote(request, &remote))
		return -EAGAIN;
	host = ip_is_loopback(remote.ip) ? plug->host : host_of_ip(request->daemon, remote.ip);
	if (!host || !host->express || links_conditioned(plug->host, host) || capture_watches(plug->host, host))
		return -EAGAIN;
	r = claim(plug, remote.ip, &local);
	if (r)
		return r;
	host_touch(host);
	to = find_receiver(host, &remote, &local);
	if (!to || to->kind != SOCK_DGRAM)
		return -EAGAIN;
	fill_tag(plug, to, &local, &remote, &tag);
	memcpy(request->reply_payload, &tag, sizeof(tag));
	request->reply.payload_length = sizeof(tag);
	discover = option_of(plug, plug->domain == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			     plug->domain == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, IP_PMTUDISC_WANT);
	/* Who asks for it is told of what does not fit a frame, by the stack. */
	request->reply.value =
		discover == IP_PMTUDISC_DO || discover == IP_PMTUDISC_PROBE ? UNFRAGMENTED_MAX : DATAGRAM_MAX;
	request->reply_fd = to->end;
	to->lent = true;
	return 0;
}

int32_t far_replace(struct request *request)
{
	struct plug *plug = request->plug;
	uint64_t id;
	int old = plug->end, r;

	if (!plug->lendable || request->fd < 0 || request->payload_length != sizeof(id))
		return -EINVAL;
	memcpy(&id, request->payload, sizeof(id));
	if (plug_find(request->daemon, id))
		return -EEXIST;
	loop_remove(&request->daemon->loop, &plug->watch);
	plug->end = -1;
	close(old);
	r = plug_take_end(plug, request->fd, EPOLLIN | EPOLLRDHUP);
	if (r < 0)
		return r; /* without an end it can do nothing more than be swept: no descriptors are left */
	request->fd = -1;
	plug->lent = false;
	plug_rename(plug, id);
	plug_work(plug);
	return 0;
}
