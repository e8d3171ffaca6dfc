/* SPDX-License-Identifier: BSD-2-Clause */
/* What udp/'s files share. */
#ifndef CORE_UDP_UDP_H
#define CORE_UDP_UDP_H

#include "core/datagram/datagram.h"

struct udp_socket {
	struct datagram datagram; /* first: datagram/ finds it there */
	uint16_t segment;	  /* UDP_SEGMENT: payload bytes of each datagram that a send is cut into; 0: off */
	bool coalesce;		  /* UDP_GRO: one read may give several */
};

static inline struct udp_socket *udp_of(struct berth_socket *socket)
{
	return (struct udp_socket *)socket->protocol_state;
}

int udp_set_option(struct berth_socket *socket, int option, const void *value, socklen_t length);
int udp_get_option(struct berth_socket *socket, int option, void *value, socklen_t *length);
ssize_t udp_receive(struct berth_socket *socket, struct berth_message *message);
ssize_t udp_send(struct berth_socket *socket, struct berth_message *message);

#endif
