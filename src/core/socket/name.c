/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names: between struct sockaddr and Berth's endpoints, and from an endpoint
 * to a claim on its port and a way there. IPv4 on an AF_INET6 socket is mapped
 * (RFC 3493 §3.7), unless IPV6_V6ONLY forbids it.
 */
#include "core/socket/socket.h"

#include <errno.h>

/* On an AF_INET6 socket 0.0.0.0 stays IPv4's: ::ffff:0.0.0.0. */
static int from_inet(const struct berth_socket *socket, const struct sockaddr *address, socklen_t length,
		     struct berth_endpoint *ret_endpoint)
{
	struct sockaddr_in in;

	if (length < sizeof(in))
		return -EINVAL;
	memcpy(&in, address, sizeof(in));
	ret_endpoint->port = ntohs(in.sin_port);
	ret_endpoint->ip = ip_from_u32(ntohl(in.sin_addr.s_addr));
	if (!in.sin_addr.s_addr && socket->family == AF_INET)
		ret_endpoint->ip = ip_any;
	return 0;
}

static int from_inet6(const struct berth_socket *socket, const struct sockaddr *address, socklen_t length,
		      struct berth_endpoint *ret_endpoint)
{
	struct sockaddr_in6 in6;

	if (length <
	    offsetof(struct sockaddr_in6, sin6_scope_id)) /* RFC 2133's shorter form. Linux: SIN6_LEN_RFC2133 */
		return -EINVAL;
	memcpy(&in6, address, MIN(length, sizeof(in6)));
	ret_endpoint->port = ntohs(in6.sin6_port);
	ret_endpoint->ip = ip_from6(in6.sin6_addr.s6_addr);
	if (ip_is4(ret_endpoint->ip) && socket->options->ipv6_only)
		return -ENETUNREACH;
	return 0;
}

int address_from_sockaddr(const struct berth_socket *socket, const struct sockaddr *address, socklen_t length,
			  struct berth_endpoint *ret_endpoint)
{
	sa_family_t family;

	if (!address || length < sizeof(family))
		return -EINVAL;
	memcpy(&family, address, sizeof(family));
	if (family == AF_INET && (socket->family == AF_INET || socket->protocol->type == SOCK_DGRAM))
		return from_inet(socket, address, length, ret_endpoint);
	if (socket->family == AF_INET6 && length < offsetof(struct sockaddr_in6, sin6_scope_id))
		return -EINVAL; /* Linux: looks at the length first */
	if (family != socket->family)
		return -EAFNOSUPPORT;
	return from_inet6(socket, address, length, ret_endpoint);
}

/* Linux: __ipv6_addr_needs_scope_id() */
static bool needs_scope(struct berth_ip ip)
{
	if (!ip_is6(ip))
		return false;
	return ip_is_multicast(ip) ? (ip.bytes[1] & 15) <= 2 : ip_is_link_local(ip);
}

unsigned address_scope(const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_in6 in6;

	if (length < sizeof(in6) || address->sa_family != AF_INET6)
		return 0;
	memcpy(&in6, address, sizeof(in6));
	return needs_scope(ip_from6(in6.sin6_addr.s6_addr)) ? in6.sin6_scope_id : 0;
}

int socket_enter_scope(struct berth_socket *socket, const struct sockaddr *address, socklen_t length, bool binds)
{
	unsigned scope;
	struct berth_endpoint endpoint;
	struct berth_link *link;
	int r;

	if (socket->family == AF_INET)
		return 0; /* has none */
	scope = address_scope(address, length);
	r = address_from_sockaddr(socket, address, length, &endpoint);

	if (r < 0 || !needs_scope(endpoint.ip) || ip_is_multicast(endpoint.ip) > binds)
		return r;
	if (!scope)
		return socket->bound_link ? 0 : -EINVAL;
	if (!binds && socket->bound_link && socket->bound_link->index != scope)
		return -EINVAL;
	link = link_by_index(socket->stack, scope);
	if (!link)
		return binds ? -ENODEV : -ENETUNREACH;
	socket_bind_link(socket, link);
	return 0;
}

static void to_inet(const struct berth_endpoint *endpoint, struct sockaddr_in *in)
{
	*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(endpoint->port) };
	if (ip_is4(endpoint->ip))
		in->sin_addr.s_addr = htonl(ip_u32(endpoint->ip));
}

/* The zone of ip: of the link that has it, that it came in by, or that the socket keeps to. */
static uint32_t scope_of(const struct berth_socket *socket, struct berth_ip ip, const struct berth_link *link)
{
	const struct berth_link *home = ip_is_multicast(ip) ? NULL : link_of_address(socket->stack, ip);

	if (!link)
		link = socket->bound_link ? socket->bound_link : home ? home : socket->path->link;
	else if (link->loopback && home)
		link = home;
	return link ? link->index : 0;
}

static void to_inet6(const struct berth_socket *socket, const struct berth_endpoint *endpoint,
		     const struct berth_link *link, struct sockaddr_in6 *in6)
{
	*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(endpoint->port) };
	memcpy(in6->sin6_addr.s6_addr, endpoint->ip.bytes, 16);
	if (needs_scope(endpoint->ip))
		in6->sin6_scope_id = scope_of(socket, endpoint->ip, link);
}

struct berth_ip address_or_loopback(const struct berth_socket *socket, struct berth_ip ip)
{
	static const struct berth_ip loopback6 = { { [15] = 1 } };

	if (ip_is_any(ip) && socket->family == AF_INET6)
		return loopback6;
	if (ip_is_any(ip) || (ip_is4(ip) && !ip_u32(ip)))
		return ip_from_u32(INADDR_LOOPBACK);
	return ip;
}

void address_to_sockaddr(const struct berth_socket *socket, const struct berth_endpoint *endpoint,
			 struct sockaddr *address, socklen_t *length)
{
	address_to_sockaddr_by(socket, endpoint, NULL, address, length);
}

void address_to_sockaddr_by(const struct berth_socket *socket, const struct berth_endpoint *endpoint,
			    const struct berth_link *link, struct sockaddr *address, socklen_t *length)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} name;
	socklen_t size = socket->family == AF_INET ? sizeof(name.in) : sizeof(name.in6);

	if (!address || !length)
		return;
	if (socket->family == AF_INET)
		to_inet(endpoint, &name.in);
	else
		to_inet6(socket, endpoint, link, &name.in6);
	memcpy(address, &name, MIN(*length, size));
	*length = size;
}

int socket_show_name(struct berth_socket *socket, bool peer, struct sockaddr *address, socklen_t *length)
{
	if (socket_has_family(socket))
		return address && length ? socket->protocol->show_name(socket, peer, address, length) : 0;
	if (peer && socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	address_to_sockaddr(socket, peer ? &socket->demux.remote : &socket->demux.local, address, length);
	return 0;
}

uint8_t claim_families(const struct berth_socket *socket, struct berth_ip ip)
{
	if (ip_is4(ip))
		return CLAIM_IP4;
	if (ip_is6(ip))
		return CLAIM_IP6;
	if (socket->family == AF_INET)
		return CLAIM_IP4;
	return socket->options->ipv6_only ? CLAIM_IP6 : CLAIM_IP4 | CLAIM_IP6;
}

uint8_t connection_families(const struct berth_socket *socket, struct berth_ip bound_ip, struct berth_ip ip)
{
	if (ip_is6(ip) && ip_is_any(bound_ip))
		return claim_families(socket, bound_ip);
	return claim_families(socket, ip);
}

struct berth_ip socket_bound_ip(const struct berth_socket *socket)
{
	if (socket->bound_to == BOUND_LOCAL)
		return socket->demux.local.ip;
	return socket->bound_to == BOUND_APART ? socket->options->bound_ip : ip_any;
}

/* Nothing is sent from a group, nor from 0.0.0.0 on an AF_INET6 socket: a connection has another address then. */
static bool is_apart(struct berth_ip ip)
{
	return ip_is_multicast(ip) || (ip_is4(ip) && !ip_u32(ip));
}

int socket_set_bound_ip(struct berth_socket *socket, struct berth_ip ip)
{
	struct share *share = &socket->stack->sockets.options;

	if (is_apart(ip)) {
		struct socket_options *own = share_own(share, socket->options);

		if (!own)
			return -ENOMEM;
		own->bound_ip = ip;
		socket->options = share_settle(share, own);
	}
	socket->bound_to = is_apart(ip) ? BOUND_APART : ip_is_any(ip) ? BOUND_ANY : BOUND_LOCAL;
	socket->demux.local.ip = ip;
	return 0;
}

int socket_claim(struct berth_socket *socket, struct berth_endpoint local)
{
	struct port_claim *claim = &socket->claim;
	int r;

	if (!socket_has_port(socket))
		return socket_set_bound_ip(socket, local.ip);
	claim->ip = local.ip;
	claim->port = local.port;
	claim->families = claim_families(socket, local.ip);
	claim->reuse_address = socket->options->reuse_address;
	claim->reuse_port = socket->options->reuse_port;
	claim->listening = false;
	r = port_claim(socket->stack, claim);
	if (r < 0) {
		claim->port = 0;
		return r;
	}
	r = socket_set_bound_ip(socket, local.ip);
	if (r < 0) {
		port_release(socket->stack, claim);
		return r;
	}
	socket->demux.local.port = claim->port;
	return 0;
}

/* The address that the host is known by: of the first link that is not loopback. */
static struct berth_ip main_address(struct berth_stack *stack, bool is4)
{
	struct berth_ip best = ip_any;

	LIST_EACH(&stack->links, link_node) {
		struct berth_link *link = LIST_ITEM(link_node, struct berth_link, node);

		LIST_EACH(&link->addresses, node) {
			struct link_address *address = LIST_ITEM(node, struct link_address, node);

			if (ip_is4(address->ip) != is4 || address->tentative || ip_is_link_local(address->ip))
				continue;
			if (ip_is_any(best) || ip_is_loopback(best))
				best = address->ip;
		}
	}
	return best;
}

/* The link and address that this socket's multicasts leave by; NULL and as it was: no option says. */
static struct berth_link *multicast_way(const struct berth_socket *socket, struct berth_ip group,
					struct berth_ip *source)
{
	const struct socket_options *options = socket->options;
	bool v4 = ip_is4(group);

	if (v4 && ip_is_any(*source))
		*source = options->multicast_source4;
	return link_by_index(socket->stack, v4 ? options->multicast_link4 : options->multicast_link6);
}

void socket_fill_send(const struct berth_socket *socket, struct ip_send *send)
{
	const struct socket_options *options = socket->options;
	bool v4 = ip_is4(send->destination);

	if (!ip_is_multicast(send->destination)) {
		send->ttl = send->ttl ? send->ttl : options->ttl;
		return;
	}
	if (!send->ttl) {
		send->ttl = v4 ? options->multicast_ttl4 : options->multicast_ttl6;
		send->stays_here = !send->ttl;
	}
	send->no_loop = v4 ? !options->multicast_loop4 : !options->multicast_loop6;
}

int socket_route(struct berth_socket *socket, const struct berth_endpoint *remote, struct berth_ip source,
		 struct ip_path *ret_path)
{
	struct berth_stack *stack = socket->stack;
	struct berth_link *loopback = stack->loopback;
	enum port_divert divert = port_diverted(stack, socket->demux.protocol, remote);
	struct berth_link *link = socket->bound_link;
	int r;

	if (ip_is_multicast(source))
		source = ip_any; /* bound to a group: that is no one to send from. RFC 1122 §3.2.1.3 */
	if (!link && ip_is_multicast(remote->ip))
		link = multicast_way(socket, remote->ip, &source);
	r = ip_path_find(stack, remote->ip, source, link, ret_path);
	if (divert == DIVERT_NONE || ip_is_multicast(remote->ip))
		return r;
	if (r >= 0 && (ret_path->link->loopback || (divert == DIVERT_ANY && ip_equal(ret_path->next_hop, remote->ip))))
		return r;
	if (ip_is_any(source))
		source = main_address(stack, ip_is4(remote->ip));
	if (ip_is_any(source))
		return r;
	*ret_path = (struct ip_path){ .link = loopback,
				      .source = source,
				      .next_hop = remote->ip,
				      .mtu = loopback->mtu,
				      .generation = stack->route_generation };
	return 0;
}

int socket_path_keep(struct berth_socket *socket, const struct ip_path *path)
{
	const struct ip_path *kept = ip_path_keep(socket->stack, path, socket->demux.remote.ip);

	if (!kept)
		return -ENOMEM;
	ip_path_drop(socket->stack, socket->path);
	socket->path = kept;
	return 0;
}

void socket_path_forget(struct berth_socket *socket)
{
	ip_path_drop(socket->stack, socket->path);
	socket->path = &ip_path_none;
}

int socket_path_find(struct berth_socket *socket)
{
	struct ip_path path;
	int r = socket_route(socket, &socket->demux.remote, socket->demux.local.ip, &path);

	return r < 0 ? r : socket_path_keep(socket, &path);
}

void socket_unname(struct berth_socket *socket)
{
	demux_remove(socket->stack, &socket->demux);
	socket->demux.remote = (struct berth_endpoint){ .port = 0 };
	socket_path_forget(socket);
	socket->demux.local.ip = socket->claim.ip = socket_bound_ip(socket);
	socket->claim.families = claim_families(socket, socket->claim.ip);
	if (!socket->bound && socket_has_port(socket)) {
		port_release(socket->stack, &socket->claim);
		socket->demux.local.port = 0;
	}
}
