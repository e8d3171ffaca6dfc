/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What UDP, ping and raw sockets have in common: a queue of datagrams, a queue
 * of errors (MSG_ERRQUEUE), and the way from a message to a packet on its path.
 * struct datagram is the first thing in such a socket's protocol state.
 */
#ifndef CORE_DATAGRAM_DATAGRAM_H
#define CORE_DATAGRAM_DATAGRAM_H

#include "core/socket/socket.h"

struct datagram_options {
	uint8_t length; /* of whole words */
	uint8_t bytes[40];
};

struct datagram {
	struct packet_queue received; /* what the reader gets; source and destination in the packet */
	struct packet_queue errors;   /* error.c's */
	size_t memory;		      /* bytes that both take, by truesize */
	bool receive_shut, send_shut;
	/* BERTH_DIVERT: the datagram last received, so that the answer comes from where it went. */
	struct berth_endpoint last_from;
	struct berth_ip last_to;
	struct datagram_options *options; /* IP_OPTIONS; NULL: none */
};

static inline struct datagram *datagram_of(struct berth_socket *socket)
{
	return (struct datagram *)socket->protocol_state;
}

/* Callbacks of struct berth_protocol. */
void datagram_release(struct berth_socket *socket, bool abort);
void datagram_destroy(struct berth_socket *socket);
int datagram_connect(struct berth_socket *socket, const struct berth_endpoint *remote);
int datagram_disconnect(struct berth_socket *socket);
int datagram_shutdown(struct berth_socket *socket, int how);
unsigned datagram_readiness(struct berth_socket *socket);
ssize_t datagram_receive(struct berth_socket *socket, struct berth_message *message);
ssize_t datagram_receive_error(struct berth_socket *socket, struct berth_message *message);

/* Drop the oldest datagram, which there is. */
void datagram_take(struct berth_socket *socket);
/* packet comes into one of the queues, or leaves it: memory is counted. */
void datagram_hold(struct berth_socket *socket, const struct berth_packet *packet);
void datagram_let_go(struct berth_socket *socket, const struct berth_packet *packet);
/* Note in packet what its reader will want to know. */
void datagram_stamp(struct berth_packet *packet, const struct berth_ip_info *info, uint16_t source_port);
/* Queue packet, stamped, whose data is what is read; dropped by the name full if there is no room. Takes it.
 * Whoever waits is told by socket_notify_run(), which may close the socket. */
void datagram_deliver(struct berth_socket *socket, struct berth_packet *packet, enum berth_event full);

/*
 * An error about what socket sent to error->destination and port. Linux: hard
 * ones reach connected sockets, all of them those with IP_RECVERR, who also
 * get payload, of the packet that was the cause. Told by socket_notify_run().
 */
void datagram_error(struct berth_socket *socket, const struct berth_ip_error *error, uint16_t port,
		    const uint8_t *payload, size_t length);
/* The same found out here, while sending: more than mtu bytes to remote. */
void datagram_too_big(struct berth_socket *socket, const struct berth_endpoint *remote, unsigned mtu);

/* Ancillary data, control.c. Writes what message->control has room for; MSG_CTRUNC if that is not all. */
void datagram_write_control(struct berth_socket *socket, const struct berth_packet *packet,
			    struct berth_message *message);
/* What a sender asked for by ancillary data; fields not asked for keep their values. */
struct datagram_control {
	struct berth_ip source;
	unsigned link_index;
	uint8_t ttl, traffic_class;
	uint16_t segment; /* UDP_SEGMENT */
	bool has_options;
	struct datagram_options options;
};
/* ip_options.c. 0, -EINVAL or -EPERM (a source route). */
int datagram_check_options(const uint8_t *options, size_t length, struct datagram_options *ret_options);
int datagram_set_options(struct berth_socket *socket, const void *value, socklen_t length); /* or -ENOMEM */
void datagram_get_options(struct berth_socket *socket, void *value, socklen_t *length);
void datagram_forget_options(struct berth_socket *socket);
void datagram_write_options(struct berth_socket *socket, const struct berth_packet *packet,
			    struct berth_message *message, size_t *used);
/* 0 or -EINVAL. */
int datagram_read_control(const struct berth_socket *socket, const struct berth_message *message,
			  struct datagram_control *control);

/* Where a message goes, and how. */
struct datagram_way {
	struct berth_endpoint remote;
	struct datagram_control control;
	struct ip_path path;
};
/* Find message's way; gives the socket a port if it needs one. 0 or what send(2) says. */
int datagram_find_way(struct berth_socket *socket, const struct berth_message *message, struct datagram_way *way);
/* The IP header's fields for a packet of length bytes, transport header included. */
struct ip_send datagram_ip_send(const struct berth_socket *socket, const struct datagram_way *way, size_t length);
/* Send packet, whose data begins with the transport header. Takes it. */
int datagram_transmit(struct berth_socket *socket, struct berth_packet *packet, const struct datagram_way *way);

#endif
