/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket from the inside. The socket layer owns the descriptor, the
 * addresses, the claim on a port, generic options, readiness and SO_ERROR;
 * the protocol's state lies right behind it in the same allocation.
 *
 * Life: berth_socket() or berth_socket_spawn() makes it; the descriptor and
 * the protocol hold it. close takes the descriptor away and calls release();
 * berth_socket_done() ends it.
 */
#ifndef CORE_SOCKET_SOCKET_H
#define CORE_SOCKET_SOCKET_H

#include "core/ip/ip.h"
#include "core/port/port.h"
#include "core/stack.h"

#include <berth/inspect.h>
#include <berth/socket.h>

#include <errno.h>
#include <limits.h>

/* What an application set, shared with sockets that have the same; socket_set_option() alone writes it. */
struct socket_options {
	unsigned holders;
	int32_t linger_seconds; /* -1: off */
	uint32_t receive_low_water;
	berth_time receive_timeout, send_timeout; /* 0: none */
	uint64_t max_pacing_rate;		  /* bytes a second; UINT64_MAX: none */
	uint8_t ttl;				  /* 0: default. Unicast, both versions */
	uint8_t traffic_class;
	bool send_buffer_set, receive_buffer_set; /* by SO_SNDBUF, SO_RCVBUF: TCP leaves them as they are */
	bool reuse_address, reuse_port, broadcast, keepalive, ipv6_only, oob_inline, dont_route;
	bool receive_packet_info, receive_ttl, receive_traffic_class;	/* cmsg wanted */
	bool receive_original, receive_timestamp, receive_timestamp_ns; /* … IP_RECVORIGDSTADDR, SO_TIMESTAMP(NS) */
	bool receive_options, return_options;				/* IP_RECVOPTS, IP_RETOPTS */
	bool freebind, transparent, bind_no_port, dont_fragment6, no_checksum;
	bool receive_errors;  /* IP_RECVERR: errors reach unconnected sockets, soft ones too */
	uint8_t mtu_discover; /* IP_PMTUDISC_* */
	/* IP_MULTICAST_* and IPV6_MULTICAST_*; group/option.c's */
	uint8_t multicast_ttl4, multicast_ttl6;
	bool multicast_loop4, multicast_loop6, multicast_all4, multicast_all6;
	unsigned multicast_link4, multicast_link6; /* index; 0: choose */
	struct berth_ip multicast_source4;
	struct berth_ip bound_ip; /* bind()'s, of a socket whose bound_to says so */
};

/* What bind() was given. */
enum socket_bound {
	BOUND_ANY,   /* nothing, or the wildcard */
	BOUND_LOCAL, /* demux.local.ip */
	BOUND_APART, /* options->bound_ip: no address that a connection could have */
};

enum socket_state {
	SOCKET_UNCONNECTED,
	SOCKET_LISTENING,
	SOCKET_CONNECTING,
	SOCKET_CONNECTED, /* also a connected datagram socket */
	SOCKET_CLOSED,	  /* the descriptor is gone */
};

/* What an exchange seldom touches comes first, what it does lies together with the protocol's state. */
struct berth_socket {
	struct port_claim claim;
	struct list node;	 /* in stack->sockets.all */
	struct list later_node;	 /* in stack->sockets.later, or budget.starved */
	struct demux_node demux; /* kind DEMUX_SOCKET; holds local, remote and protocol number */
	struct berth_stack *stack;
	const struct berth_protocol *protocol;
	const struct ip_path *path; /* last found way to remote, kept by ip/; generation 0: none, or no longer good */
	struct socket_options *options;
	struct list ready_node;		      /* in stack->sockets.ready */
	struct membership *memberships;	      /* group/'s; NULL: none */
	struct berth_link *bound_link;	      /* SO_BINDTODEVICE */
	uint32_t send_buffer, receive_buffer; /* bytes of payload */
	int fd;				      /* -1: none */
	int error;			      /* positive errno for SO_ERROR */
	uint16_t reported;		      /* readiness that hook and berth_poll() know of */
	uint8_t family;			      /* AF_INET or AF_INET6, as asked for in berth_socket() */
	uint8_t state;			      /* enum socket_state; protocols move it */
	uint16_t calls;			      /* API calls that are inside this socket now */
	bool nonblocking : 1;
	bool doomed : 1;      /* berth_socket_done() was called inside a call: the memory goes when that ends */
	bool bound : 1;	      /* bind() chose the port; else it goes with the connection */
	uint8_t bound_to : 2; /* enum socket_bound */
	_Alignas(16) uint8_t protocol_state[];
};

static inline struct berth_socket *socket_of_demux(struct demux_node *node)
{
	return CONTAINER_OF(node, struct berth_socket, demux);
}
static inline struct berth_socket *socket_of_state(void *protocol_state)
{
	return CONTAINER_OF(protocol_state, struct berth_socket, protocol_state);
}
static inline bool socket_connectionless(const struct berth_socket *socket)
{
	return socket->protocol->type == SOCK_DGRAM || socket->protocol->type == SOCK_RAW;
}
static inline bool socket_has_port(const struct berth_socket *socket)
{
	return socket->protocol->type != SOCK_RAW;
}
/* Names are the protocol's own, nothing is sent through IP. */
static inline bool socket_has_family(const struct berth_socket *socket)
{
	return socket->protocol->family != 0;
}
static inline bool socket_peer_has_port(const struct berth_socket *socket)
{
	return !(socket->protocol->flags & BERTH_PROTOCOL_PORTLESS_PEERS);
}
static inline size_t socket_size(const struct berth_protocol *protocol)
{
	return sizeof(struct berth_socket) + protocol->state_size;
}

int socket_path_find(struct berth_socket *socket); /* anew */
/* A path to the connected remote, found anew when routes changed. 0, -ENOMEM or as ip_path_find(). */
static inline int socket_path(struct berth_socket *socket, const struct ip_path **ret_path)
{
	int r = ip_path_valid(socket->stack, socket->path) ? 0 : socket_path_find(socket);

	if (r < 0)
		return r;
	*ret_path = socket->path;
	return 0;
}
/* path is the way to remote from now on. 0 or -ENOMEM. It is to be found anew. */
int socket_path_keep(struct berth_socket *socket, const struct ip_path *path);
void socket_path_forget(struct berth_socket *socket);

/* What protocols tell of themselves to berth/inspect.h: fills in what it knows. The built-in
 * protocols have one; TCP's also reports requests and TIME-WAITs, which are no sockets. */
struct socket_inspector {
	void (*socket)(struct berth_socket *socket, struct berth_socket_info *info);
	int (*others)(struct berth_stack *stack, int (*each)(void *, const struct berth_socket_info *), void *context);
};
extern const struct socket_inspector tcp_inspector, datagram_inspector;

/* The built-in protocols. */
extern const struct berth_protocol tcp_protocol, udp_protocol, udplite_protocol;
/* tcp/fastopen_client.c: a send that opens the connection. begin: message's data may go with the SYN, of
 * tcp_connect() or, when that was put off, of tcp_fastopen_go(); 0 or -errno. taken: what did, when it is over. */
int tcp_fastopen_begin(struct berth_socket *socket, struct berth_message *message);
void tcp_fastopen_go(struct berth_socket *socket);
size_t tcp_fastopen_taken(struct berth_socket *socket);
bool tcp_fastopen_opened(const struct berth_socket *socket);
bool tcp_fastopen_deferred(const struct berth_socket *socket);
/* SO_KEEPALIVE was set or cleared on a socket of tcp_protocol. */
void tcp_keepalive_changed(struct berth_socket *socket);
void tcp_pacing_changed(struct berth_socket *socket); /* SO_MAX_PACING_RATE */

/* The descriptor's socket, or NULL. */
struct berth_socket *socket_get(struct berth_stack *stack, int fd);
/*
 * Around each API call: hooks may close the socket while a call is inside it,
 * so its memory stays until the call has left. enter: NULL if there is no such
 * descriptor. leave returns r.
 */
struct berth_socket *socket_enter(struct berth_stack *stack, int fd);
ssize_t socket_leave(struct berth_socket *socket, ssize_t r);
/* May the call go on, or has a hook closed the socket? */
static inline bool socket_open(const struct berth_socket *socket)
{
	return socket->fd >= 0 && !socket->doomed;
}
/* Put socket in the table at the lowest free descriptor, from then on its own. 0 or -EMFILE, -ENOMEM. */
int socket_install(struct berth_socket *socket);
void socket_uninstall(struct berth_socket *socket);
/* A socket without descriptor, name or peer; number is protocol's, or any with a raw socket. 0, -ENOMEM or
 * the protocol's own error. */
int socket_new(struct berth_stack *stack, const struct berth_protocol *protocol, uint8_t number, int family,
	       struct berth_socket **ret_socket);
/* link goes away: no socket may keep it. */
void socket_forget_link(struct berth_stack *stack, struct berth_link *link);
/*
 * berth_socket_notify(), but only when socket_notify_run() is called: hooks may
 * close any socket, so none are called while a list of sockets is walked.
 */
void socket_notify_later(struct berth_socket *socket);
void socket_notify_run(struct berth_stack *stack);
/* What was reported may have ended: take back what is no longer true, report nothing. */
void socket_settle(struct berth_socket *socket);
/*
 * Wait until fd is ready for one of events or, with them, BERTH_POLLERR or
 * HUP. 0; -EAGAIN: non-blocking, or timeout (0: none) is over; -EBADF: closed
 * meanwhile; or what the wait hook said.
 */
int socket_wait(struct berth_socket *socket, unsigned events, berth_time timeout);
/* The same in single steps, for those who wait for something else: when timeout (0: none) from now is over; one
 * turn of the wait hook. */
berth_time socket_deadline(const struct berth_socket *socket, berth_time timeout);
int socket_pause(struct berth_socket *socket, berth_time deadline);
/* Connect, and wait for it if the socket blocks. As berth_connect(), with a negative errno. */
int socket_connect(struct berth_socket *socket, const struct sockaddr *address, socklen_t length);
int socket_connect_wait(struct berth_socket *socket);
/* A send that opens the connection by itself (MSG_FASTOPEN, or after TCP_FASTOPEN_CONNECT)? */
bool socket_opens_by_sending(const struct berth_socket *socket, int flags);
/* That. 0: connected; -EINPROGRESS; or another negative errno. *ret_taken: bytes of message that are on their way. */
int socket_open_by_sending(struct berth_socket *socket, const struct msghdr *from, struct berth_message *message,
			   size_t *ret_taken);
/* Is there an error to report before data is sent? It is taken. 0 or -errno. */
int socket_may_send(struct berth_socket *socket);
/* The public calls' answer: -1 and errno for a negative r. */
static inline ssize_t socket_answer(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}
/* Take the pending error: a negative errno, or 0. */
int socket_take_error(struct berth_socket *socket);

/* Names. from: 0, -EINVAL, -EAFNOSUPPORT. to: writes what fits, length becomes what it takes. */
int address_from_sockaddr(const struct berth_socket *socket, const struct sockaddr *address, socklen_t length,
			  struct berth_endpoint *ret_endpoint);
/* Linux: a destination of 0.0.0.0 or :: means this host. */
struct berth_ip address_or_loopback(const struct berth_socket *socket, struct berth_ip ip);
void address_to_sockaddr(const struct berth_socket *socket, const struct berth_endpoint *endpoint,
			 struct sockaddr *address, socklen_t *length);
/* getsockname() and getpeername(), whatever the family. 0 or -ENOTCONN. */
int socket_show_name(struct berth_socket *socket, bool peer, struct sockaddr *address, socklen_t *length);
/* The same of an address that a packet from link had: RFC 4007's zone is that link's. NULL: unknown. */
void address_to_sockaddr_by(const struct berth_socket *socket, const struct berth_endpoint *endpoint,
			    const struct berth_link *link, struct sockaddr *address, socklen_t *length);
/* The link that a link-local address names with sin6_scope_id; 0: none, or no address of that kind. */
unsigned address_scope(const struct sockaddr *address, socklen_t length);
/*
 * bind() and connect() to a link-local address keep the socket to its link from
 * then on. 0, -EINVAL (none is said, or another one before), -ENODEV or
 * -ENETUNREACH (no such link). Linux: __inet6_bind(), __ip6_datagram_connect().
 */
int socket_enter_scope(struct berth_socket *socket, const struct sockaddr *address, socklen_t length, bool binds);
/* SO_BINDTODEVICE; link NULL: any again. */
void socket_bind_link(struct berth_socket *socket, struct berth_link *link);
uint8_t claim_families(const struct berth_socket *socket, struct berth_ip ip);
/* The same for a connection that a socket bound to bound_ip has: one of a dual-stack wildcard keeps IPv4's
 * wildcard away even at an IPv6 address. Linux: inet_rcv_saddr_equal(), for only bind() sets sk_ipv6only. */
uint8_t connection_families(const struct berth_socket *socket, struct berth_ip bound_ip, struct berth_ip ip);

/* What bind() was given; local.ip may be narrower while connected. */
struct berth_ip socket_bound_ip(const struct berth_socket *socket);
/* That is ip now, and so is local.ip. 0 or -ENOMEM. */
int socket_set_bound_ip(struct berth_socket *socket, struct berth_ip ip);
/* Name socket and port as a call needs it: bind(), or the first send. */
int socket_claim(struct berth_socket *socket, struct berth_endpoint local);
/* The way to remote, by loopback where a BERTH_DIVERT socket answers for it. As ip_path_find(). */
int socket_route(struct berth_socket *socket, const struct berth_endpoint *remote, struct berth_ip source,
		 struct ip_path *ret_path);
/* TTL or hop limit, and what becomes of multicasts, for a packet to remote. As options say. */
void socket_fill_send(const struct berth_socket *socket, struct ip_send *send);
/* Dissolve a connection's names: out of the demultiplexer, remote gone, a chosen port free. */
void socket_unname(struct berth_socket *socket);

/* Options above the protocol's own. setsockopt(): 0 or -errno. */
int socket_set_option(struct berth_socket *socket, int level, int option, const void *value, socklen_t length);
int socket_get_option(struct berth_socket *socket, int level, int option, void *value, socklen_t *length);

/* Cut or copy scattered memory. Returns bytes copied. */
size_t message_scatter(const struct berth_message *message, size_t offset, const void *bytes, size_t length);
size_t message_gather(const struct berth_message *message, size_t offset, void *bytes, size_t length);
size_t message_size_of_many(const struct berth_message *message);
/* Bytes in all; SSIZE_MAX: that or more. */
static inline size_t message_size(const struct berth_message *message)
{
	return message->part_count == 1 && message->parts->iov_len < SSIZE_MAX ? message->parts->iov_len
									       : message_size_of_many(message);
}
/* Append one control message behind the *used bytes that are there, cut where the room ends. */
void message_put_control(struct berth_message *message, size_t *used, int level, int type, const void *data,
			 size_t size);

int socket_table_init(struct berth_stack *stack);
void socket_table_fini(struct berth_stack *stack);

#endif
