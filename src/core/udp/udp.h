/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP's state of a socket, shared by udp/'s files. */
#ifndef CORE_UDP_UDP_H
#define CORE_UDP_UDP_H

#include "core/socket/socket.h"

struct udp_socket {
	struct packet_queue received; /* payload only; source and destination in the packet */
	size_t memory;		      /* bytes that received takes, by truesize */
	bool receive_shut, send_shut;
	/* BERTH_DIVERT: the datagram last received, so that the answer comes from where it went. */
	struct berth_endpoint last_from;
	struct berth_ip last_to;
};

static inline struct udp_socket *udp_of(struct berth_socket *socket)
{
	return (struct udp_socket *)socket->protocol_state;
}

/* Ancillary data. Writes what message->control has room for; sets MSG_CTRUNC if that is not all. */
void udp_control_write(struct berth_socket *socket, const struct berth_packet *packet,
		       struct berth_message *message);

/* What a sender asked for by ancillary data; fields not asked for keep their values. */
struct udp_control {
	struct berth_ip source;
	unsigned link_index;
	uint8_t ttl, traffic_class;
};
/* 0 or -EINVAL. */
int udp_control_read(const struct berth_message *message, struct udp_control *control);

ssize_t udp_send(struct berth_socket *socket, struct berth_message *message);

#endif
