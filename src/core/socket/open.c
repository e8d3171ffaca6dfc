/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that make, name, connect and end sockets. POSIX semantics over any
 * protocol; the functions named socket_*() return negative errno, the public
 * ones set errno.
 */
#include "core/socket/socket.h"

#include "core/ping/ping.h"
#include "core/raw/raw.h"

#include <errno.h>

#define TYPE_MASK 0xf

/* errno and -1, or the value as it is. */
static int answer(int r)
{
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

static const struct berth_protocol *default_protocol(int type)
{
	return type == SOCK_STREAM ? &tcp_protocol : type == SOCK_DGRAM ? &udp_protocol : NULL;
}

static bool family_known(const struct berth_stack *stack, int domain)
{
	for (size_t i = 0; i < STACK_FAMILIES && stack->families[i].protocol; i++)
		if (stack->families[i].protocol->family == domain)
			return true;
	return false;
}

/* Linux: unix_create(). A protocol number may be the domain's, if any. */
static int family_choose(struct berth_stack *stack, int domain, int type, int number,
			 const struct berth_protocol **ret_protocol)
{
	const struct stack_family *family;

	if (!family_known(stack, domain))
		return -EAFNOSUPPORT;
	if (number && number != domain)
		return -EPROTONOSUPPORT;
	family = stack_family(stack, domain, domain == AF_UNIX && type == SOCK_RAW ? SOCK_DGRAM : type);
	if (!family)
		return -ESOCKTNOSUPPORT;
	*ret_protocol = family->protocol;
	return 0;
}

/* Linux: inet_create(): which errno for which mistake. */
static int protocol_choose(struct berth_stack *stack, int domain, int type, int number,
			   const struct berth_protocol **ret_protocol)
{
	const struct berth_protocol *protocol;

	if (domain != AF_INET && domain != AF_INET6)
		return family_choose(stack, domain, type, number, ret_protocol);
	if (number < 0 || number > 255)
		return -EINVAL;
	if (type == SOCK_RAW) {
		*ret_protocol = &raw_protocol;
		return number ? 0 : -EPROTONOSUPPORT;
	}
	if (type == SOCK_DGRAM && number == (domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		*ret_protocol = domain == AF_INET ? &ping4_protocol : &ping6_protocol;
		return 0;
	}
	protocol = number ? stack->protocols[number] : default_protocol(type);
	if (!protocol)
		return number ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
	if (protocol->type != type)
		return number == IPPROTO_TCP || number == IPPROTO_UDP ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
	*ret_protocol = protocol;
	return 0;
}

static int socket_make(struct berth_stack *stack, int domain, int type, int number)
{
	const struct berth_protocol *protocol;
	struct berth_socket *socket;
	int r = protocol_choose(stack, domain, type & TYPE_MASK, number, &protocol);

	if (r < 0)
		return r;
	if (!number || protocol->family)
		number = protocol->number;
	r = socket_new(stack, protocol, (uint8_t)number, domain, &socket);
	if (r < 0)
		return r;
	r = socket_install(socket);
	if (r < 0) {
		socket->state = SOCKET_CLOSED;
		if (protocol->release)
			protocol->release(socket, true);
		else
			berth_socket_done(socket);
		return r;
	}
	socket->nonblocking = type & SOCK_NONBLOCK;
	r = socket->fd;
	berth_socket_notify(socket); /* a hook may close it */
	return r;
}

int berth_socket(struct berth_stack *stack, int domain, int type, int protocol)
{
	return answer(socket_make(stack, domain, type, protocol));
}

static int socket_pair(struct berth_stack *stack, int domain, int type, int protocol, int ret_fds[2])
{
	struct berth_socket *a, *b;
	int r;

	if (!ret_fds)
		return -EFAULT;
	ret_fds[0] = socket_make(stack, domain, type, protocol);
	if (ret_fds[0] < 0)
		return ret_fds[0];
	r = ret_fds[1] = socket_make(stack, domain, type, protocol);
	a = socket_get(stack, ret_fds[0]);
	b = socket_get(stack, ret_fds[1]);
	if (r >= 0)
		r = !a || !b ? -EBADF : a->protocol->pair ? a->protocol->pair(a, b) : -EOPNOTSUPP;
	if (r >= 0)
		return 0;
	if (b)
		berth_close(stack, ret_fds[1]);
	if (a)
		berth_close(stack, ret_fds[0]);
	return r;
}

int berth_socketpair(struct berth_stack *stack, int domain, int type, int protocol, int ret_fds[2])
{
	return answer(socket_pair(stack, domain, type, protocol, ret_fds));
}

/* Has the stack ip? A link-local address counts on its own link only. RFC 4007 §6 */
static bool is_local_on(const struct berth_socket *socket, struct berth_ip ip)
{
	const struct berth_link *bound = socket->bound_link;

	if (!ip_is6(ip) || !ip_is_link_local(ip) || !bound)
		return ip_is_local(socket->stack, ip);
	LIST_EACH(&bound->addresses, node) {
		const struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (ip_equal(address->ip, ip) && !address->tentative)
			return true;
	}
	return false;
}

/* Linux: __inet_bind(), inet_addr_valid_or_nonlocal(). */
static int may_bind_to(const struct berth_socket *socket, struct berth_ip ip)
{
	bool anywhere = socket->claim.divert || socket->options->freebind || socket->options->transparent;

	if (ip_is_any(ip) || anywhere || is_local_on(socket, ip))
		return 0;
	if (socket_connectionless(socket) && (ip_is_multicast(ip) || ip_is_broadcast(socket->stack, ip)))
		return 0;
	return -EADDRNOTAVAIL;
}

/* AF_UNSPEC with 0.0.0.0 passes for AF_INET. Linux: __inet_bind(), for old programs. */
static bool names_nothing(const struct berth_socket *socket, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_in in;

	if (socket->family != AF_INET || !address || length < sizeof(in))
		return false;
	memcpy(&in, address, sizeof(in));
	return in.sin_family == AF_UNSPEC && !in.sin_addr.s_addr;
}

static int socket_bind(struct berth_stack *stack, int fd, const struct sockaddr *address, socklen_t length)
{
	struct berth_socket *socket = socket_get(stack, fd);
	struct berth_endpoint local;
	bool bound;
	int r;

	if (!socket)
		return -EBADF;
	if (socket_has_family(socket))
		return socket->protocol->bind(socket, address, length);
	if (names_nothing(socket, address, length)) {
		local = (struct berth_endpoint){ .port = ntohs(((const struct sockaddr_in *)address)->sin_port) };
	} else {
		r = address_from_sockaddr(socket, address, length, &local);
		if (r < 0)
			return r == -ENETUNREACH ? -EINVAL : r;
		if (address->sa_family != socket->family)
			return -EAFNOSUPPORT;
	}
	bound = socket->claim.port || socket->state != SOCKET_UNCONNECTED;
	if (bound && socket->family == AF_INET6)
		return -EINVAL;
	if ((r = socket_enter_scope(socket, address, length, true)) < 0 || (r = may_bind_to(socket, local.ip)) < 0)
		return r;
	if (bound)
		return -EINVAL;
	if (socket->options->bind_no_port && !local.port) { /* connect() or listen() will find one. Linux: ip(7) */
		socket->claim.ip = local.ip;
		return socket_set_bound_ip(socket, local.ip);
	}
	r = socket_claim(socket, local);
	socket->bound = r >= 0;
	return r;
}

int berth_bind(struct berth_stack *stack, int fd, const struct sockaddr *address, socklen_t length)
{
	return answer(socket_bind(stack, fd, address, length));
}

static int claim_to_listen(struct berth_socket *socket)
{
	int r;

	if (socket->claim.port)
		return socket->state == SOCKET_UNCONNECTED ? port_may_listen(socket->stack, &socket->claim) : 0;
	r = socket_claim(socket, (struct berth_endpoint){ .ip = socket_bound_ip(socket) });
	if (r >= 0)
		socket->bound = true;
	return r;
}

static int socket_listen(struct berth_socket *socket, int backlog)
{
	int r;

	if (!socket->protocol->listen)
		return -EOPNOTSUPP;
	if (socket->state != SOCKET_UNCONNECTED && socket->state != SOCKET_LISTENING)
		return -EINVAL;
	r = socket_has_family(socket) ? 0 : claim_to_listen(socket);
	if (r < 0)
		return r;
	r = socket->protocol->listen(socket, MAX(backlog, 0));
	if (r < 0 || !socket_open(socket))
		return r < 0 ? r : -EBADF;
	socket->state = SOCKET_LISTENING;
	socket->claim.listening = true;
	socket_settle(socket);
	return 0;
}

int berth_listen(struct berth_stack *stack, int fd, int backlog)
{
	struct berth_socket *socket = socket_enter(stack, fd);

	return answer(socket ? (int)socket_leave(socket, socket_listen(socket, backlog)) : -EBADF);
}

static int take_child(struct berth_socket *listener, struct berth_socket **ret_child)
{
	int r;

	while ((r = listener->protocol->accept(listener, ret_child)) == -EAGAIN) {
		r = socket_wait(listener, BERTH_POLLIN, listener->options->receive_timeout);
		if (r < 0)
			return r;
		if (!socket_open(listener) || listener->state != SOCKET_LISTENING)
			return -EINVAL;
	}
	return r;
}

static int socket_accept(struct berth_socket *listener, struct sockaddr *address, socklen_t *length, int flags)
{
	struct berth_stack *stack = listener->stack;
	struct berth_socket *child;
	int r;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	if (!listener->protocol->accept)
		return -EOPNOTSUPP;
	if (listener->state != SOCKET_LISTENING)
		return -EINVAL;
	r = take_child(listener, &child);
	if (r < 0)
		return r;
	socket_settle(listener);
	r = socket_install(child);
	if (r < 0) { /* Linux: the connection is lost, too */
		child->state = SOCKET_CLOSED;
		child->protocol->release(child, true);
		return r;
	}
	child->nonblocking = flags & SOCK_NONBLOCK;
	child->reported = (uint16_t)berth_readiness(stack, child->fd);
	if (child->reported)
		list_append(&stack->sockets.ready, &child->ready_node);
	socket_show_name(child, true, address, length);
	return child->fd;
}

int berth_accept(struct berth_stack *stack, int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	struct berth_socket *listener = socket_enter(stack, fd);

	return answer(listener ? (int)socket_leave(listener, socket_accept(listener, address, length, flags)) : -EBADF);
}

/* Linux: inet_autobind() for datagrams; a connection takes its port by four-tuple. */
static int name_for_connect(struct berth_socket *socket, const struct berth_endpoint *remote, struct berth_ip source)
{
	struct port_claim *claim = &socket->claim;
	int r;

	if (!socket_has_port(socket)) {
		socket->demux.local.ip = source;
		socket->demux.remote = *remote;
		return 0;
	}
	claim->ip = source;
	claim->families = connection_families(socket, socket_bound_ip(socket), source);
	if (!claim->port) {
		if (socket->protocol->type == SOCK_DGRAM)
			r = port_claim(socket->stack, claim);
		else
			r = port_claim_connect(socket->stack, claim, remote);
		if (r < 0)
			return r == -EADDRINUSE ? -EADDRNOTAVAIL : r;
	} else if (!port_comes_home(socket->stack, claim, remote)) {
		return -EADDRNOTAVAIL; /* another stack would get the answers */
	}
	socket->demux.local = (struct berth_endpoint){ source, claim->port };
	socket->demux.remote = *remote;
	r = demux_add(socket->stack, &socket->demux);
	/* Datagram sockets with reuse may have the same peer; they are found by their claims. */
	if (r == -EADDRINUSE)
		return socket_connectionless(socket) ? 0 : -EADDRNOTAVAIL;
	return r;
}

/* Linux: __inet_stream_connect(): may this socket connect now? */
static int may_connect(struct berth_socket *socket)
{
	switch (socket->state) {
	case SOCKET_CONNECTING:
		return -EALREADY;
	case SOCKET_CONNECTED:
		return socket_connectionless(socket) ? 0 : -EISCONN;
	case SOCKET_LISTENING:
		return -EISCONN;
	}
	return socket->protocol->connect ? 0 : -EOPNOTSUPP;
}

static int connect_check(struct berth_socket *socket, struct berth_endpoint *remote)
{
	if (!socket_peer_has_port(socket))
		remote->port = 0;
	else if (!remote->port && !socket_connectionless(socket))
		return -ECONNREFUSED; /* Linux: tcp_v4_connect() goes on and is refused; no segment could say so here */
	remote->ip = address_or_loopback(socket, remote->ip);
	if (!socket_connectionless(socket) &&
	    (ip_is_multicast(remote->ip) || ip_is_broadcast(socket->stack, remote->ip)))
		return -ENETUNREACH;
	if (socket_connectionless(socket) && !socket->options->broadcast && ip_is_broadcast(socket->stack, remote->ip))
		return -EACCES;
	return 0;
}

static int connect_begin(struct berth_socket *socket, struct berth_endpoint remote)
{
	int r = connect_check(socket, &remote);
	struct ip_path path;

	if (r < 0)
		return r;
	socket_unname(socket); /* an earlier attempt's, or a datagram socket's earlier peer */
	r = socket_route(socket, &remote, socket_bound_ip(socket), &path);
	if (r < 0)
		return r;
	r = name_for_connect(socket, &remote, path.source);
	if (r >= 0)
		r = socket_path_keep(socket, &path);
	if (r >= 0)
		r = socket->protocol->connect(socket, &remote);
	if (!socket_open(socket))
		return -EBADF; /* closed by a hook */
	if (r >= 0)
		socket->state = SOCKET_CONNECTED;
	else if (r == -EINPROGRESS)
		socket->state = socket->state == SOCKET_CONNECTED ? SOCKET_CONNECTED : SOCKET_CONNECTING;
	else
		socket_unname(socket);
	return r;
}

int socket_connect_wait(struct berth_socket *socket)
{
	int r = socket_wait(socket, BERTH_POLLOUT, socket->options->send_timeout);

	if (r == -EAGAIN)
		return -EINPROGRESS;
	if (r < 0)
		return r;
	r = socket_take_error(socket);
	if (r < 0)
		return r;
	return socket->state == SOCKET_CONNECTED ? 0 : -ECONNABORTED;
}

static int socket_disconnect(struct berth_socket *socket)
{
	int r = socket->protocol->disconnect ? socket->protocol->disconnect(socket) : -EOPNOTSUPP;

	if (r < 0 || !socket_open(socket))
		return r < 0 ? r : -EBADF;
	socket->state = SOCKET_UNCONNECTED;
	socket->claim.listening = false;
	socket_unname(socket);
	socket_settle(socket);
	return 0;
}

static int connect_by_name(struct berth_socket *socket, const struct sockaddr *address, socklen_t length)
{
	berth_time deadline = socket_deadline(socket, socket->options->send_timeout);
	int r;

	while ((r = socket->protocol->connect_name(socket, address, length)) == -EAGAIN) {
		r = socket_pause(socket, deadline);
		if (r < 0)
			break;
	}
	if (socket_open(socket))
		socket_settle(socket);
	return r;
}

int socket_connect(struct berth_socket *socket, const struct sockaddr *address, socklen_t length)
{
	struct berth_endpoint remote;
	int r;

	if (!address || length < sizeof(sa_family_t))
		return -EINVAL;
	if (socket_has_family(socket))
		return connect_by_name(socket, address, length);
	if (address->sa_family == AF_UNSPEC)
		return socket_disconnect(socket);
	r = address_from_sockaddr(socket, address, length, &remote);
	if (r < 0)
		return r;
	if (socket->error && socket->state == SOCKET_UNCONNECTED && !socket_connectionless(socket))
		return socket_take_error(socket); /* of the attempt before. Linux: sock_error() */
	r = may_connect(socket);
	if (r == -EALREADY && !socket->nonblocking && socket->stack->hooks.wait)
		return socket_connect_wait(socket);
	if (r < 0)
		return r;
	r = socket_enter_scope(socket, address, length, false);
	if (r < 0)
		return r;
	r = connect_begin(socket, remote);
	if (r == -EINPROGRESS)
		r = socket_connect_wait(socket);
	return r;
}

int berth_connect(struct berth_stack *stack, int fd, const struct sockaddr *address, socklen_t length)
{
	struct berth_socket *socket = socket_enter(stack, fd);

	return answer(socket ? (int)socket_leave(socket, socket_connect(socket, address, length)) : -EBADF);
}

static int socket_shutdown(struct berth_socket *socket, int how)
{
	int r;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (!socket->protocol->shutdown)
		return -EOPNOTSUPP;
	if (socket->state == SOCKET_UNCONNECTED && !socket_has_family(socket))
		return -ENOTCONN;
	r = socket->protocol->shutdown(socket, how);
	if (r >= 0)
		berth_socket_notify(socket);
	return r;
}

int berth_shutdown(struct berth_stack *stack, int fd, int how)
{
	struct berth_socket *socket = socket_enter(stack, fd);

	return answer(socket ? (int)socket_leave(socket, socket_shutdown(socket, how)) : -EBADF);
}

static int socket_close(struct berth_stack *stack, int fd, bool abort)
{
	struct berth_socket *socket = socket_get(stack, fd);

	if (!socket)
		return -EBADF;
	abort = abort || socket->options->linger_seconds == 0;
	socket_uninstall(socket);
	socket->state = SOCKET_CLOSED;
	if (socket->protocol->release)
		socket->protocol->release(socket, abort);
	else
		berth_socket_done(socket);
	return 0;
}

int berth_close(struct berth_stack *stack, int fd)
{
	return answer(socket_close(stack, fd, false));
}

int berth_abort(struct berth_stack *stack, int fd)
{
	return answer(socket_close(stack, fd, true));
}

int berth_getsockname(struct berth_stack *stack, int fd, struct sockaddr *address, socklen_t *length)
{
	struct berth_socket *socket = socket_get(stack, fd);

	if (!socket)
		return answer(-EBADF);
	if (!address || !length)
		return answer(-EFAULT);
	return answer(socket_show_name(socket, false, address, length));
}

int berth_getpeername(struct berth_stack *stack, int fd, struct sockaddr *address, socklen_t *length)
{
	struct berth_socket *socket = socket_get(stack, fd);

	if (!socket)
		return answer(-EBADF);
	if (!address || !length)
		return answer(-EFAULT);
	return answer(socket_show_name(socket, true, address, length));
}

int berth_setsockopt(struct berth_stack *stack, int fd, int level, int option, const void *value, socklen_t length)
{
	struct berth_socket *socket = socket_enter(stack, fd);

	return answer(socket ? (int)socket_leave(socket, socket_set_option(socket, level, option, value, length))
			     : -EBADF);
}

int berth_getsockopt(struct berth_stack *stack, int fd, int level, int option, void *value, socklen_t *length)
{
	struct berth_socket *socket = socket_get(stack, fd);

	return answer(socket ? socket_get_option(socket, level, option, value, length) : -EBADF);
}

int berth_set_nonblocking(struct berth_stack *stack, int fd, bool on)
{
	struct berth_socket *socket = socket_get(stack, fd);

	if (!socket)
		return answer(-EBADF);
	socket->nonblocking = on;
	return 0;
}
