/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Out to the real machine's network, where a rule allows it (rules.h). The
 * daemon has a real socket, an ordinary user's; the gateway joins it to the
 * program's by our own TCP or UDP, so that what goes out has the conditions of
 * its cable and is seen in captures.
 *
 * TCP: first the real connection, then the one on the network, from the
 * program's socket to a listener of the gateway's: so connect() fails as the
 * real one did. The two are matched by the program's address and port.
 *
 * UDP: for each destination of a program's socket the gateway has a socket, and
 * a real one that is connected. They end with the program's socket; when there
 * are too many, the one made first gives way.
 */
#include "base/ip.h"
#include "daemon/rules.h"
#include "daemon/state.h"
#include "net/network.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 1024, FLOWS_MAX = 512, DATAGRAMS_A_TURN = 64, PORT_DOMAIN = 53 };

/* The gateway's side, until it is a stream like others; or for good, of a UDP flow. */
struct outbound {
	uint64_t program;	    /* the id of the program's plug */
	struct berth_endpoint from; /* the program's socket on the network; port 0: not known yet */
};

/* Is it neither a host's, nor the program's own, nor a group's? Names are asked of the name service (resolver.h). */
static bool is_outside(struct daemon *daemon, const struct berth_endpoint *to)
{
	return outside_showable(daemon, to->ip) && !ip_is_loopback(to->ip) && !ip_is_limited_broadcast(to->ip) &&
	       !(ip_is6(to->ip) && ip_is_link_local(to->ip)) && to->port != PORT_DOMAIN;
}

static const char *protocol_of(const struct plug *plug, char text[16])
{
	if (plug->protocol == IPPROTO_TCP || plug->protocol == IPPROTO_UDP)
		return plug->protocol == IPPROTO_TCP ? "tcp" : "udp";
	snprintf(text, 16, "protocol %u", plug->protocol);
	return plug->protocol == IPPROTO_ICMP || plug->protocol == IPPROTO_ICMPV6 ? "icmp" : text;
}

static int deny(struct plug *plug, const struct berth_endpoint *to)
{
	char address[BERTH_IP_STRLEN], number[16], text[BERTH_IP_STRLEN + 40];

	berth_ip_format(to->ip, address);
	if (to->port)
		snprintf(text, sizeof(text), ip_is4(to->ip) ? "%s:%u/%s" : "[%s]:%u/%s", address, to->port,
			 protocol_of(plug, number));
	else
		snprintf(text, sizeof(text), "%s/%s", address, protocol_of(plug, number));
	rules_deny(plug->host, plug->command, text);
	return -ENETUNREACH;
}

/* A real socket on its way to to. Returns it or a negative errno. */
static int connect_outside(const struct berth_endpoint *to, int type)
{
	int family = ip_is4(to->ip) ? AF_INET : AF_INET6, one = 1, error;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage address;
	socklen_t length = address_write(to, family, &address);

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* a relay adds no delay */
	if (!connect(fd, (struct sockaddr *)&address, length) || errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* A plug of the gateway's for a real socket, which it takes, also on failure (NULL). */
static struct plug *gateway_plug(struct plug *program, int end, int fd, const struct plug_role *role, uint32_t events)
{
	struct host *gateway = program->host->daemon->gateway;
	struct outbound *outbound = calloc(1, sizeof(*outbound));
	struct plug *plug = outbound ? plug_new(gateway, plug_new_id(gateway->daemon), role, fd) : NULL;

	if (!plug) {
		free(outbound);
		close(end);
		return NULL;
	}
	plug->outbound = outbound;
	gateway->daemon->outbound_flows += program->kind == SOCK_DGRAM;
	plug->domain = program->domain;
	plug->kind = program->kind;
	plug->protocol = program->protocol;
	plug->pid = getpid();
	memcpy(plug->command, "berth", 6);
	plug->real = true;
	outbound->program = program->id;
	if (plug_take_end(plug, end, events) < 0) {
		close(end);
		plug_free(plug);
		return NULL;
	}
	return plug;
}

static void outbound_ended(struct plug *plug)
{
	free(plug->outbound);
	plug->outbound = NULL;
}

static void flow_ended(struct plug *plug)
{
	plug->host->daemon->outbound_flows--;
	outbound_ended(plug);
}

static void nothing_ready(struct plug *plug)
{
}

static void end_nothing(struct plug *plug, uint32_t events)
{
}

/* The program's plug that waits for this one, or NULL. */
static struct plug *program_of(struct plug *plug)
{
	struct plug *program = plug_find(plug->host->daemon, plug->outbound->program);

	return program && program->outside_pending ? program : NULL;
}

static struct plug *listener_of(const struct host *gateway);

/* The gateway's address and port for its listener, as program's family has it. */
static bool listener_address(struct plug *program, struct sockaddr_storage *ret_address, socklen_t *ret_length)
{
	struct host *gateway = program->host->daemon->gateway;
	struct plug *listener = gateway ? listener_of(gateway) : NULL;
	struct berth_endpoint to = { .port = 0 };
	struct sockaddr_storage own;
	socklen_t length = sizeof(own);

	if (!listener || berth_getsockname(gateway->stack, listener->fd, (struct sockaddr *)&own, &length) ||
	    !address_read((struct sockaddr *)&own, length, &to))
		return false;
	to.ip = ip_is4(program->shown.ip) ? berth_host_ip4(gateway->host) : berth_host_ip6(gateway->host);
	*ret_length = address_write(&to, program->domain, ret_address);
	return true;
}

/* The real connection is there: now the one on the network. */
static void connect_inside(struct plug *plug, struct plug *program)
{
	struct berth_stack *stack = program->host->stack;
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	int error = ENETUNREACH;

	host_touch(program->host);
	if (listener_address(program, &address, &length))
		error = berth_connect(stack, program->fd, (struct sockaddr *)&address, length) ? errno : EINPROGRESS;
	length = sizeof(address);
	program->outside_pending = false;
	if (error == EINPROGRESS && !berth_getsockname(stack, program->fd, (struct sockaddr *)&address, &length) &&
	    address_read((struct sockaddr *)&address, length, &plug->outbound->from))
		return;
	stream_connect_failed(program, error);
	plug_abort(plug);
}

static void connecting_end_ready(struct plug *plug, uint32_t events)
{
	struct plug *program = program_of(plug);
	int error = 0;

	getsockopt(plug->end, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) });
	if (!program) {
		plug_abort(plug);
		return;
	}
	if (error) {
		program->outside_pending = false;
		stream_connect_failed(program, error);
		plug_abort(plug);
		return;
	}
	loop_change(&plug->host->daemon->loop, &plug->watch, 0);
	connect_inside(plug, program);
}

static const struct plug_role role_connecting = { "outbound", nothing_ready, connecting_end_ready, outbound_ended };

/* The gateway's plug that waits for a connection from here. */
static struct plug *find_waiting(struct host *gateway, const struct berth_endpoint *from)
{
	LIST_EACH(&gateway->plugs, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);
		if (plug->role == &role_connecting && plug->outbound->from.port == from->port &&
		    ip_equal(plug->outbound->from.ip, from->ip))
			return plug;
	}
	return NULL;
}

static void listener_ready(struct plug *listener)
{
	struct host *gateway = listener->host;
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct berth_endpoint from;
	int fd;

	while ((fd = berth_accept(gateway->stack, listener->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK)) >=
	       0) {
		struct plug *plug =
			address_read((struct sockaddr *)&address, length, &from) ? find_waiting(gateway, &from) : NULL;
		length = sizeof(address);
		/* Somebody who found the port without having been sent there. */
		if (!plug || plug_take_fd(plug, fd) < 0) {
			berth_abort(gateway->stack, fd);
			continue;
		}
		outbound_ended(plug);
		plug->role = &role_stream;
		plug->established = true;
		stream_begin(plug);
	}
}

static const struct plug_role role_listener_outbound = { "outbound listener", listener_ready, end_nothing, NULL };

static struct plug *listener_of(const struct host *gateway)
{
	LIST_EACH((struct list *)&gateway->plugs, node)
		if (LIST_ITEM(node, struct plug, node)->role == &role_listener_outbound)
			return LIST_ITEM(node, struct plug, node);
	return NULL;
}

bool outbound_idle(const struct host *gateway)
{
	LIST_EACH((struct list *)&gateway->plugs, node)
		if (LIST_ITEM(node, struct plug, node)->role != &role_listener_outbound)
			return false;
	return true;
}

/* The listener, for IPv4 and IPv6, at a port that the stack chooses. Returns 0 or a negative errno. */
static int listener_open(struct daemon *daemon)
{
	struct host *gateway = host_gateway(daemon);
	struct plug *plug;
	int fd;

	if (!gateway)
		return -ENETUNREACH;
	if (listener_of(gateway))
		return 0;
	host_touch(gateway);
	fd = berth_socket(gateway->stack, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	plug = plug_new(gateway, plug_new_id(daemon), &role_listener_outbound, fd);
	if (!plug)
		return -ENOMEM;
	plug->domain = AF_INET6;
	plug->kind = SOCK_STREAM;
	plug->protocol = IPPROTO_TCP;
	plug->pid = getpid();
	memcpy(plug->command, "berth", 6);
	if (!berth_listen(gateway->stack, fd, BACKLOG)) /* Linux: listening binds */
		return 0;
	plug_free(plug);
	return -ENETUNREACH;
}

int32_t outbound_connect(struct request *request, const struct berth_endpoint *to)
{
	struct plug *program = request->plug, *plug;
	int end, r;

	if (!is_outside(request->daemon, to))
		return 1;
	if (!rules_allow(program->host, to))
		return deny(program, to);
	r = listener_open(request->daemon);
	end = r < 0 ? r : connect_outside(to, SOCK_STREAM);
	if (end < 0)
		return end;
	plug = gateway_plug(program, end, -1, &role_connecting, EPOLLOUT);
	if (!plug)
		return -ENOMEM;
	program->shown = *to;
	program->role = &role_stream;
	program->connecting = program->connect_told_later = program->outside_pending = true;
	program->error = 0;
	program->connect_channel = request->channel;
	program->connect_tag = request->message->tag;
	return -EINPROGRESS;
}

/* From the program: to the real socket. */
static void flow_core_ready(struct plug *plug)
{
	struct daemon *daemon = plug->host->daemon;
	struct plug *program = plug_find(daemon, plug->outbound->program);
	struct sockaddr_storage address;
	struct berth_endpoint from;

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		socklen_t length = sizeof(address);
		ssize_t n = berth_recvfrom(plug->host->stack, plug->fd, daemon->scratch, SCRATCH_SIZE, MSG_DONTWAIT,
					   (struct sockaddr *)&address, &length);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 || !program || !address_read((struct sockaddr *)&address, length, &from))
			continue;
		/* Only for whom the rule was asked. */
		if (host_of_ip(daemon, from.ip) != program->host)
			continue;
		plug->outbound->from = from;
		if (send(plug->end, daemon->scratch, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    errno == ECONNREFUSED) /* an earlier one's; this one goes now */
			send(plug->end, daemon->scratch, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	plug_work(plug);
}

/* From outside: to the program. */
static void flow_end_ready(struct plug *plug, uint32_t events)
{
	struct daemon *daemon = plug->host->daemon;
	struct plug *program = plug_find(daemon, plug->outbound->program);
	struct sockaddr_storage address;
	socklen_t length = address_write(&plug->outbound->from, plug->domain, &address);

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = recv(plug->end, daemon->scratch, SCRATCH_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n >= 0 && plug->outbound->from.port)
			berth_sendto(plug->host->stack, plug->fd, daemon->scratch, (size_t)n,
				     MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, length);
		else if (n < 0 && program && program->shown.port) /* Linux: connected sockets hear of it */
			datagram_fail(program, errno);
	}
}

static const struct plug_role role_flow = { "outbound flow", flow_core_ready, flow_end_ready, flow_ended };

/* The flow of program's socket to to; and, on the way, those whose program's socket is gone end. */
static struct plug *flow_find(struct plug *program, const struct berth_endpoint *to)
{
	struct host *gateway = program->host->daemon->gateway;
	struct plug *found = NULL;

	if (!gateway)
		return NULL;
	LIST_EACH(&gateway->plugs, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);
		if (plug->role == &role_flow && plug->outbound->program == program->id &&
		    plug->shown.port == to->port && ip_equal(plug->shown.ip, to->ip))
			found = plug;
	}
	return found;
}

/* Make room for one more flow. */
static void flows_limit(struct host *gateway)
{
	struct plug *oldest = NULL;
	size_t count = 0;

	LIST_EACH_SAFE(&gateway->plugs, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);
		if (plug->role != &role_flow)
			continue;
		if (!plug_find(gateway->daemon, plug->outbound->program)) {
			plug_free(plug);
			continue;
		}
		oldest = oldest ? oldest : plug;
		count++;
	}
	if (count >= FLOWS_MAX)
		plug_free(oldest);
}

void outbound_program_ended(struct plug *program)
{
	struct host *gateway = program->host->daemon->gateway;

	if (!gateway || program->host == gateway) /* a flow itself is ending */
		return;
	LIST_EACH_SAFE(&gateway->plugs, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);
		if (plug->role == &role_flow && plug->outbound->program == program->id)
			plug_free(plug);
	}
}

/* Returns the flow, or NULL with *ret_error. */
static struct plug *flow_new(struct plug *program, const struct berth_endpoint *to, int *ret_error)
{
	struct host *gateway = host_gateway(program->host->daemon);
	struct sockaddr_storage any;
	struct plug *plug;
	int end, fd;

	*ret_error = -ENETUNREACH;
	if (!gateway)
		return NULL;
	flows_limit(gateway);
	host_touch(gateway);
	end = connect_outside(to, SOCK_DGRAM);
	if (end < 0) {
		*ret_error = end;
		return NULL;
	}
	fd = berth_socket(gateway->stack, program->domain, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	plug = fd < 0 ? NULL : gateway_plug(program, end, fd, &role_flow, EPOLLIN);
	if (!plug) {
		if (fd < 0)
			close(end);
		*ret_error = -ENOBUFS;
		return NULL;
	}
	plug->shown = *to;
	socklen_t length = address_write(&(struct berth_endpoint){ .port = 0 }, program->domain, &any);
	if (!berth_bind(gateway->stack, fd, (struct sockaddr *)&any, length))
		return plug;
	plug_free(plug);
	return NULL;
}

int outbound_datagram(struct plug *plug, struct berth_endpoint *to)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct plug *flow;
	int r = 0;

	if (!list_empty(&plug->host->published) && plug->protocol == IPPROTO_UDP && relay_find(plug->host, to))
		return 0;
	if (!is_outside(plug->host->daemon, to))
		return 0;
	if (plug->protocol != IPPROTO_UDP || !rules_allow(plug->host, to))
		return deny(plug, to);
	flow = flow_find(plug, to);
	if (!flow)
		flow = flow_new(plug, to, &r);
	if (!flow)
		return r;
	if (berth_getsockname(flow->host->stack, flow->fd, (struct sockaddr *)&address, &length))
		return -ENETUNREACH;
	bool four = ip_is4(to->ip);
	address_read((struct sockaddr *)&address, length, to);
	to->ip = four ? berth_host_ip4(flow->host->host) : berth_host_ip6(flow->host->host);
	return 0;
}
