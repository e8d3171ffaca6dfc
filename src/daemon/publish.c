/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Published ports: a real socket of this machine listens, and every connection
 * to it is carried on by one of the gateway's to the host. The two are joined
 * like a program's (stream.c), with a real connection in place of the Unix
 * socket. What can't be connected is reset. UDP is relay.c's.
 */
#include "base/ip.h"
#include "daemon/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

/* close() is to be a RST. */
static void end_by_reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void refuse(int fd)
{
	end_by_reset(fd);
	close(fd);
}

struct plug *publish_connect(struct publish *publish, int kind, const struct plug_role *role)
{
	struct daemon *daemon = publish->host->daemon;
	struct host *gateway = host_gateway(daemon);
	struct berth_endpoint to = { .ip = berth_host_ip4(publish->host->host), .port = publish->port };
	struct sockaddr_storage address;
	socklen_t length = address_write(&to, AF_INET, &address);

	if (!gateway)
		return NULL;
	host_touch(gateway);
	int fd = berth_socket(gateway->stack, AF_INET, kind | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return NULL;
	struct plug *plug = plug_new(gateway, plug_new_id(daemon), role, fd);
	if (!plug)
		return NULL;
	plug->domain = AF_INET;
	plug->kind = kind;
	plug->protocol = kind == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	plug->pid = getpid();
	memcpy(plug->command, "berth", 6);
	plug->real = plug->connecting = kind == SOCK_STREAM;
	if (berth_connect(gateway->stack, fd, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS) {
		plug_abort(plug);
		return NULL;
	}
	return plug;
}

/* Begin a connection of the gateway's to publish's host. NULL: it can't be. */
static struct plug *connect_inside(struct publish *publish)
{
	struct plug *plug = publish_connect(publish, SOCK_STREAM, &role_stream);
	int one = 1;

	/* A relay adds no delay. */
	if (plug)
		berth_setsockopt(plug->host->stack, plug->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return plug;
}

static void publish_ready(struct loop_watch *watch, uint32_t events)
{
	struct publish *publish = CONTAINER_OF(watch, struct publish, watch);
	struct daemon *daemon = publish->host->daemon;
	struct sockaddr_storage client;
	socklen_t length = sizeof(client);
	int fd, one = 1;
	bool short_of;

	for (; (fd = spare_accept(daemon, watch->fd, (struct sockaddr *)&client, &length, &short_of)) >= 0;
	     length = sizeof(client)) {
		if (short_of) {
			end_by_reset(fd);
			spare_refused(daemon, fd);
			continue;
		}
		struct plug *plug = connect_inside(publish);
		struct berth_endpoint from;
		if (plug && address_read((struct sockaddr *)&client, length, &from) &&
		    outside_showable(daemon, from.ip))
			plug->shown = from;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (!plug || plug_take_end(plug, fd, 0) < 0) {
			plug_abort(plug);
			refuse(fd);
			continue;
		}
		stream_begin(plug);
	}
}

/* A socket of the real machine that listens or, for UDP, is bound. Returns it, or a negative errno; the port it got in *ret_port. */
static int listen_outside(struct berth_ip ip, uint16_t port, int type, uint16_t *ret_port)
{
	struct berth_endpoint at = { .ip = ip, .port = port };
	struct sockaddr_storage address;
	int family = ip_is4(at.ip) ? AF_INET : AF_INET6, one = 1;
	socklen_t length = address_write(&at, family, &address);
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (family == AF_INET6) /* :: is IPv6's alone: 0.0.0.0 may be published beside it */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
			   sizeof(one)); /* past connections' TIME_WAIT is no obstacle */
	if (bind(fd, (struct sockaddr *)&address, length) < 0 || (type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0) ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	address_read((struct sockaddr *)&address, length, &at);
	*ret_port = at.port;
	return fd;
}

int32_t publish_open(struct host *host, const struct channel_publish *wanted)
{
	bool udp = wanted->protocol == IPPROTO_UDP;
	struct berth_ip ip;
	uint16_t port = 0;

	if ((wanted->protocol != IPPROTO_TCP && !udp) || !wanted->port)
		return -EINVAL;
	if (!host_gateway(host->daemon))
		return -ENOMEM; /* its name and address are nobody else's */
	memcpy(ip.bytes, wanted->real_ip, sizeof(ip.bytes));
	int fd = listen_outside(ip, wanted->real_port, udp ? SOCK_DGRAM : SOCK_STREAM, &port);
	if (fd < 0)
		return fd;
	struct publish *publish = calloc(1, sizeof(*publish));
	int r = publish ? 0 : -ENOMEM;
	if (publish) {
		publish->host = host;
		publish->watch.fd = -1;
		publish->watch.ready = udp ? relay_ready : publish_ready;
		publish->real_ip = ip;
		publish->real_port = port;
		publish->port = wanted->port;
		publish->protocol = wanted->protocol;
		list_init(&publish->flows);
		r = loop_add(&host->daemon->loop, &publish->watch, fd, EPOLLIN);
	}
	if (r < 0) {
		close(fd);
		free(publish);
		return r;
	}
	list_append(&host->published, &publish->node);
	if (udp)
		relay_open(publish);
	return port;
}

struct publish *publish_find(struct host *host, const struct channel_publish *wanted)
{
	LIST_EACH(&host->published, node) {
		struct publish *publish = LIST_ITEM(node, struct publish, node);
		if (!memcmp(publish->real_ip.bytes, wanted->real_ip, sizeof(wanted->real_ip)) &&
		    publish->real_port == wanted->real_port && publish->port == wanted->port &&
		    publish->protocol == wanted->protocol)
			return publish;
	}
	return NULL;
}

void publish_free(struct publish *publish)
{
	int fd = publish->watch.fd;

	relay_close(publish);
	loop_remove(&publish->host->daemon->loop, &publish->watch);
	if (fd >= 0)
		close(fd);
	list_remove(&publish->node);
	free(publish);
}
