/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local sockets: AF_UNIX between the sockets of one stack. unix(7), and where
 * that is silent Linux's net/unix/af_unix.c; the same calls give the same
 * results. Three protocols, of a family with names of its own, registered like
 * any other (berth/protocol.h).
 *
 * Nothing is sent anywhere: what is written is at once in the reader's queue,
 * as packets of the stack's pool, charged against the writer's SO_SNDBUF until
 * it is read. So there is one buffer, and a slow reader stops its writer.
 *
 * Invariants: peer->peers holds everyone whose peer it is; every packet in a
 * queue is in its sender's in_flight, while the sender lives; hooks run only at
 * the end of a call (socket_notify_later), when all of this is true.
 */
#ifndef CORE_LOCAL_LOCAL_H
#define CORE_LOCAL_LOCAL_H

#include "core/socket/socket.h"

#include <sys/un.h>

struct local_socket;

/*
 * A name that is bound, or was: a pathname stays after its socket, as the
 * file does that bind() makes, until berth_unlink(). Shared with the sockets
 * that were accepted under it and those that talk to them.
 */
struct local_name {
	struct list node; /* in its chain; self-linked: in the table no more */
	struct local_socket *holder;
	uint64_t hash;
	unsigned refs;
	uint8_t type;	/* abstract names: each type of socket has its own. Linux: unix_abstract_hash() */
	uint8_t length; /* of path; an abstract one's first byte is 0, a pathname's last one */
	char path[];
};

struct local_socket {
	struct local_name *name;
	struct local_socket *peer;    /* whom we send to, and for connections hear */
	struct local_name *peer_name; /* its name when it went */
	struct list peers, peer_node;
	struct packet_queue received; /* of struct local_piece */
	unsigned messages;	      /* whole ones in it */
	struct list in_flight;	      /* our pieces that nobody has read */
	size_t sent;		      /* bytes of those, by truesize */
	struct list waiters;	      /* found this full: told when it is not */
	struct list wait_node;
	struct list pending, pending_node; /* listener: connections to accept */
	unsigned pending_count, backlog;
	bool receive_shut, send_shut;
};

/* What lies before the data in a packet of a queue. */
struct local_piece {
	struct list in_flight;
	struct local_socket *sender; /* NULL: gone */
	struct local_name *from;     /* then: its last name. Linux: until then a reader sees the present one */
	size_t rest;		     /* bytes of the same message in the pieces behind this; streams: 0 */
};

extern const struct berth_protocol local_stream_protocol, local_seqpacket_protocol, local_datagram_protocol;
extern const struct socket_inspector local_inspector;

static inline struct local_socket *local_of(struct berth_socket *socket)
{
	return (struct local_socket *)socket->protocol_state;
}
static inline struct berth_socket *local_socket_of(struct local_socket *local)
{
	return socket_of_state(local);
}
static inline bool local_connects(const struct berth_socket *socket)
{
	return socket->protocol->type != SOCK_DGRAM;
}

/* Linux: unix_may_send(): a connected datagram socket hears its peer only, even when that is gone. */
static inline bool local_hears_other(struct local_socket *reader, const struct local_socket *sender)
{
	return local_socket_of(reader)->state == SOCKET_CONNECTED && reader->peer != sender;
}

/* name.c. Names are counted; unref of the last frees, and NULL is fine. */
struct local_name *local_name_ref(struct local_name *name);
void local_name_unref(struct berth_stack *stack, struct local_name *name);
/* Who holds the name in address, as sockets of type see it. 0, -EINVAL, -ENOENT (no such pathname) or -ECONNREFUSED (nobody there). */
int local_find(struct berth_stack *stack, int type, const struct sockaddr *address, socklen_t length,
	       struct local_socket **ret_holder);
int local_bind(struct berth_socket *socket, const struct sockaddr *address, socklen_t length);
int local_show_name(struct berth_socket *socket, bool peer, struct sockaddr *address, socklen_t *length);
/* What recvfrom() says of a sender: nothing, length 0, of one without a name. */
void local_show_sender(const struct local_name *name, struct sockaddr *address, socklen_t *length);
/* The socket ends: its abstract name is free, its pathname leads nowhere. */
void local_name_abandon(struct local_socket *local);
/* The stack ends. */
void local_names_fini(struct berth_stack *stack);

/* connect.c */
int local_connect(struct berth_socket *socket, const struct sockaddr *address, socklen_t length);
int local_pair(struct berth_socket *a, struct berth_socket *b);
int local_listen(struct berth_socket *socket, int backlog);
int local_accept(struct berth_socket *socket, struct berth_socket **ret_socket);
int local_shutdown(struct berth_socket *socket, int how);
void local_release(struct berth_socket *socket, bool abort);
void local_destroy(struct berth_socket *socket);
/* Whoever found local full may try again; told by socket_notify_run(). */
void local_wake_waiters(struct local_socket *local);
/* A peer that has gone was called name; NULL: it had none, or is forgotten. */
void local_remember_peer(struct local_socket *local, struct local_name *name);
/* No peer any more. */
void local_part(struct local_socket *local);

/* transfer.c */
ssize_t local_stream_send(struct berth_socket *socket, struct berth_message *message);
ssize_t local_datagram_send(struct berth_socket *socket, struct berth_message *message);
ssize_t local_seqpacket_send(struct berth_socket *socket, struct berth_message *message);
ssize_t local_stream_receive(struct berth_socket *socket, struct berth_message *message);
ssize_t local_datagram_receive(struct berth_socket *socket, struct berth_message *message);
/* Has a datagram socket as many messages as it may? */
bool local_queue_full(struct local_socket *local);
/* Throw away what nobody has read. */
void local_queue_clear(struct local_socket *local);

#endif
