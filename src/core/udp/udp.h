/* SPDX-License-Identifier: BSD-2-Clause */
/* What udp/'s files share. */
#ifndef CORE_UDP_UDP_H
#define CORE_UDP_UDP_H

#include "core/datagram/datagram.h"

struct udp_socket {
	struct datagram datagram; /* first: datagram/ finds it there */
	uint16_t segment;	  /* UDP_SEGMENT: payload bytes of each datagram that a send is cut into; 0: off */
	bool coalesce;		  /* UDP_GRO: one read may give several */
	/* UDP-Lite: bytes under the checksum, header included; 0: all. Received: at least. */
	bool send_partly, receive_checked; /* … if it was set */
	uint16_t send_coverage, receive_coverage;
};

static inline struct udp_socket *udp_of(struct berth_socket *socket)
{
	return (struct udp_socket *)socket->protocol_state;
}

/* UDP-Lite is UDP with another idea of what a checksum is for. RFC 3828 */
static inline bool udp_is_lite(const struct berth_socket *socket)
{
	return socket->demux.protocol == IPPROTO_UDPLITE;
}

int udp_set_option(struct berth_socket *socket, int option, const void *value, socklen_t length);
int udp_get_option(struct berth_socket *socket, int option, void *value, socklen_t *length);
int udplite_set_option(struct berth_socket *socket, int option, const void *value, socklen_t length);
int udplite_get_option(struct berth_socket *socket, int option, void *value, socklen_t *length);
ssize_t udp_receive(struct berth_socket *socket, struct berth_message *message);
ssize_t udp_send(struct berth_socket *socket, struct berth_message *message);

#endif
