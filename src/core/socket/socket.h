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

struct socket_options {
	uint32_t send_buffer;	 /* bytes of payload */
	uint32_t receive_buffer; /* bytes of payload */
	int32_t linger_seconds;	 /* -1: off */
	berth_time receive_timeout, send_timeout; /* 0: none */
	uint32_t receive_low_water;
	uint8_t ttl;	       /* 0: default. Unicast, both versions */
	uint8_t traffic_class;
	bool reuse_address, reuse_port, broadcast, keepalive, ipv6_only, oob_inline, dont_route;
	bool receive_packet_info, receive_ttl, receive_traffic_class; /* cmsg wanted */
	uint8_t mtu_discover; /* IP_PMTUDISC_* */
};

enum socket_state {
	SOCKET_UNCONNECTED,
	SOCKET_LISTENING,
	SOCKET_CONNECTING,
	SOCKET_CONNECTED, /* also a connected datagram socket */
	SOCKET_CLOSED,	  /* the descriptor is gone */
};

struct berth_socket {
	struct demux_node demux; /* kind DEMUX_SOCKET; holds local, remote and protocol number */
	struct port_claim claim;
	struct berth_stack *stack;
	const struct berth_protocol *protocol;
	struct list node;	/* in stack->sockets.all */
	struct list ready_node; /* in stack->sockets.ready */
	struct ip_path path;	/* last found way to remote */
	struct socket_options options;
	struct berth_link *bound_link; /* SO_BINDTODEVICE */
	int fd;		   /* -1: none */
	int error;	   /* positive errno for SO_ERROR */
	uint16_t reported; /* readiness that hook and berth_poll() know of */
	uint8_t family;	   /* AF_INET or AF_INET6, as asked for in berth_socket() */
	uint8_t state;	   /* enum socket_state; protocols move it */
	bool nonblocking;
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
static inline size_t socket_size(const struct berth_protocol *protocol)
{
	return sizeof(struct berth_socket) + protocol->state_size;
}

/* A path to the connected remote, found anew when routes changed. 0 or as ip_path_find(). */
int socket_path(struct berth_socket *socket, struct ip_path **ret_path);

/* What protocols tell of themselves to berth/inspect.h: fills in what it knows. The built-in
 * protocols have one; TCP's also reports requests and TIME-WAITs, which are no sockets. */
struct socket_inspector {
	void (*socket)(struct berth_socket *socket, struct berth_socket_info *info);
	int (*others)(struct berth_stack *stack, int (*each)(void *, const struct berth_socket_info *),
		      void *context);
};
extern const struct socket_inspector tcp_inspector, udp_inspector;

/* The built-in protocols. */
extern const struct berth_protocol tcp_protocol, udp_protocol;

/* Cut or copy scattered memory. Returns bytes copied. */
size_t message_scatter(const struct berth_message *message, size_t offset, const void *bytes, size_t length);
size_t message_gather(const struct berth_message *message, size_t offset, void *bytes, size_t length);
size_t message_size(const struct berth_message *message);

int socket_table_init(struct berth_stack *stack);
void socket_table_fini(struct berth_stack *stack);

#endif
