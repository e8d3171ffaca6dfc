/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A protocol of one's own: the interface that Berth's TCP and UDP themselves
 * are written to. Fill in a struct berth_protocol, register it with a stack,
 * and berth_socket(stack, domain, type, number) opens sockets of it, with
 * addresses, ports, readiness and errors like the built-in ones.
 *
 * Inside a protocol, functions return 0 (or a count) or a negative errno.
 * A callback left NULL answers -EOPNOTSUPP (output: nothing happens).
 */
#ifndef BERTH_PROTOCOL_H
#define BERTH_PROTOCOL_H

#include <berth/packet.h>
#include <berth/socket.h>
#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_stack;
struct berth_link;
struct berth_socket; /* a socket, as protocols see it */

/* One end of a conversation. */
struct berth_endpoint {
	struct berth_ip ip;
	uint16_t port; /* host byte order */
};

/* What IP knew of a packet that arrived. */
struct berth_ip_info {
	struct berth_ip source, destination;
	struct berth_link *link;
	uint8_t protocol;
	uint8_t ttl;
	uint8_t traffic_class; /* TOS byte, with ECN in the low two bits */
	bool multicast;	       /* not to us alone: multicast or broadcast */
	bool checked;	       /* the link vouches for checksums */
};

/* An ICMP error about a packet of ours, or the stack's own word that it can't be sent. */
struct berth_ip_error {
	struct berth_ip source, destination; /* of our packet */
	struct berth_ip reporter;	     /* who sent the ICMP message */
	uint8_t protocol;
	int error;    /* positive errno as Linux maps it: ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, … */
	bool hard;    /* final for a connected datagram socket; TCP decides by itself (RFC 5461) */
	unsigned mtu; /* with EMSGSIZE: bytes */
	uint8_t icmp_type, icmp_code;
	uint8_t icmp_version; /* 4 or 6 */
};

struct berth_message {
	struct iovec *parts;
	size_t part_count;
	const struct berth_endpoint *to; /* send: where to, NULL if connected */
	struct berth_endpoint from;	 /* receive: filled in */
	/* With a family of one's own instead of to and from; as msg_name and msg_namelen are, each way. */
	struct sockaddr *name;
	socklen_t name_length;
	void *control;		      /* cmsg buffer, or NULL */
	size_t control_length;	      /* in: room; out, on receive: used */
	unsigned to_link;	      /* send: the link that to's scope names (RFC 4007); 0: none */
	struct berth_link *from_link; /* receive: the link that it came by, or NULL */
	int flags;		      /* in: MSG_*; out, on receive: MSG_TRUNC and the like */
};

enum {
	/* Peers have an address only: remote.port is 0 whatever the caller says (an ICMP echo has one identifier). */
	BERTH_PROTOCOL_PORTLESS_PEERS = 1 << 0,
};

struct berth_protocol {
	const char *name;  /* "tcp" */
	uint8_t number;	   /* IP protocol number; 0 with a family of its own */
	int family;	   /* 0: over IP, by AF_INET and AF_INET6. Else the domain of berth_socket(), see below */
	int type;	   /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
	unsigned flags;	   /* BERTH_PROTOCOL_* */
	size_t state_size; /* bytes of protocol state behind each socket, zeroed at open */

	/* A stack takes the protocol in or goes away: per-stack state, if any. */
	int (*attach)(struct berth_stack *stack, void **ret_state);
	void (*detach)(struct berth_stack *stack, void *state);

	/* Life of a socket. release: the descriptor is closed; the protocol calls
	 * berth_socket_done() at once or when the conversation has ended. */
	int (*open)(struct berth_socket *socket);
	void (*release)(struct berth_socket *socket, bool abort);
	/* The memory goes now, whatever the state; send nothing. */
	void (*destroy)(struct berth_socket *socket);

	int (*listen)(struct berth_socket *socket, int backlog);
	/* Hand over one finished connection: a socket without descriptor. -EAGAIN when none. */
	int (*accept)(struct berth_socket *socket, struct berth_socket **ret_socket);
	/* remote is set on the socket already, source address and port are chosen.
	 * 0: connected; -EINPROGRESS: berth_socket_notify() later. */
	int (*connect)(struct berth_socket *socket, const struct berth_endpoint *remote);
	int (*disconnect)(struct berth_socket *socket);
	ssize_t (*send)(struct berth_socket *socket, struct berth_message *message);
	/* MSG_EOR in what comes back ends a MSG_WAITALL early, also for streams. */
	ssize_t (*receive)(struct berth_socket *socket, struct berth_message *message);
	/* berth_send_packet(): takes packet, which is not empty, on success. berth_recv_packet(): a packet of the
	 * caller's. NULL: -EOPNOTSUPP. */
	ssize_t (*send_packet)(struct berth_socket *socket, struct berth_packet *packet, int flags);
	ssize_t (*receive_packet)(struct berth_socket *socket, struct berth_packet **ret_packet);
	/* recvmsg(MSG_ERRQUEUE), which never waits: -EAGAIN when there is nothing. NULL: there never is. */
	ssize_t (*receive_error)(struct berth_socket *socket, struct berth_message *message);
	int (*shutdown)(struct berth_socket *socket, int how);
	/* Options at the protocol's own level (level == number); -ENOPROTOOPT if unknown. */
	int (*setsockopt)(struct berth_socket *socket, int option, const void *value, socklen_t length);
	int (*getsockopt)(struct berth_socket *socket, int option, void *value, socklen_t *length);
	/* BERTH_POLL* as of now. */
	unsigned (*readiness)(struct berth_socket *socket);
	/* 1: what is read next is urgent data, or comes right behind it; else 0. NULL: -ENOTTY. */
	int (*at_mark)(struct berth_socket *socket);

	/* A packet of this protocol; data is at the transport header. Takes ownership. */
	void (*input)(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info);
	/* quoted: at least the first 8 bytes of our transport header. */
	void (*error)(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted,
		      size_t length);

	/*
	 * A family of its own: names that are not an address and a port, nothing that goes
	 * through IP. AF_UNIX is one (local sockets). Then these are called instead of the
	 * port space and connect(), and input may be NULL; the protocol finds its sockets by
	 * itself. Names are as the caller gave them, unchecked.
	 */
	int (*bind)(struct berth_socket *socket, const struct sockaddr *address, socklen_t length);
	/* As connect(), once connected the socket is so. -EAGAIN: try again when it is writable. */
	int (*connect_name)(struct berth_socket *socket, const struct sockaddr *address, socklen_t length);
	/* getsockname(), or getpeername() with peer; length is as theirs. */
	int (*show_name)(struct berth_socket *socket, bool peer, struct sockaddr *address, socklen_t *length);
	/* berth_socketpair(): connect two new sockets with each other. */
	int (*pair)(struct berth_socket *a, struct berth_socket *b);
};

/*
 * Register protocol, which stays the caller's and outlives the stack. Returns
 * 0, -EEXIST (number taken, or family and type), -EINVAL, -ENOMEM, or -ENOBUFS
 * (more than 16 with families of their own).
 */
BERTH_EXPORT int berth_protocol_register(struct berth_stack *stack, const struct berth_protocol *protocol);

/* What attach returned for this protocol number; NULL if none. */
BERTH_EXPORT void *berth_protocol_state(struct berth_stack *stack, uint8_t number);
/* The same of a protocol with a family of its own. */
BERTH_EXPORT void *berth_family_state(struct berth_stack *stack, int family, int type);

/* A socket's parts. */
BERTH_EXPORT void *berth_socket_state(struct berth_socket *socket); /* state_size bytes, aligned 16 */
BERTH_EXPORT struct berth_stack *berth_socket_stack(struct berth_socket *socket);
BERTH_EXPORT const struct berth_endpoint *berth_socket_local(const struct berth_socket *socket);
BERTH_EXPORT const struct berth_endpoint *berth_socket_remote(const struct berth_socket *socket);

/* Readiness may have changed: ask readiness() and tell whoever waits. */
BERTH_EXPORT void berth_socket_notify(struct berth_socket *socket);
/* Leave an error (positive errno) for SO_ERROR and the next call. */
BERTH_EXPORT void berth_socket_fail(struct berth_socket *socket, int error);
/* After release: the protocol has no more use for the socket. Frees it. */
BERTH_EXPORT void berth_socket_done(struct berth_socket *socket);
/* Over IP: make a connected socket of listener's protocol and options, without descriptor,
 * for accept; it is in the demultiplexer at once. Returns 0, -ENOMEM, -EADDRINUSE. */
BERTH_EXPORT int berth_socket_spawn(struct berth_socket *listener, const struct berth_endpoint *local,
				    const struct berth_endpoint *remote, struct berth_socket **ret_socket);

/*
 * Whom a packet is for: the connected socket of these two ends, else the best
 * bound one (a listener, for connection protocols). NULL: nobody.
 */
BERTH_EXPORT struct berth_socket *berth_socket_lookup(struct berth_stack *stack, uint8_t protocol,
						      const struct berth_endpoint *local,
						      const struct berth_endpoint *remote, struct berth_link *link);

/*
 * Send packet, whose data begins with the transport header, from the socket's
 * local address to ip. Takes ownership. checksum_offset: where the 16-bit
 * Internet checksum with pseudo header goes (field zeroed by the caller), or
 * -1 for none. Returns 0 or a negative errno (-ENETUNREACH, -EMSGSIZE, …).
 */
BERTH_EXPORT int berth_socket_output(struct berth_socket *socket, struct berth_packet *packet, struct berth_ip to,
				     int checksum_offset);
/* Check a received transport checksum with pseudo header: true if right (or vouched for). */
BERTH_EXPORT bool berth_checksum_ok(const struct berth_packet *packet, const struct berth_ip_info *info);
/* Tell the sender of packet (data at transport header) that nobody listens there: ICMP port unreachable. */
BERTH_EXPORT void berth_refuse(struct berth_stack *stack, const struct berth_packet *packet,
			       const struct berth_ip_info *info);

/* Timers for protocols: the caller's memory, armed with a deadline, run once. */
struct berth_timer {
	void (*run)(struct berth_timer *timer);
	berth_time deadline;  /* read only: when it is due */
	berth_time position_; /* the heap's own */
	uint64_t sequence_;
	size_t index_; /* 0: not armed */
};
/* Arm, or move, timer to run at deadline. timer->run is set. Returns 0 or -ENOMEM. */
BERTH_EXPORT int berth_timer_set(struct berth_stack *stack, struct berth_timer *timer, berth_time deadline);
BERTH_EXPORT void berth_timer_cancel(struct berth_stack *stack, struct berth_timer *timer);
/* Random bits from the stack's seeded generator. */
BERTH_EXPORT uint64_t berth_random(struct berth_stack *stack);

#ifdef __cplusplus
}
#endif
#endif
