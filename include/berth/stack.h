/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stack: one protocol engine with its links, addresses, routes, ports and
 * sockets. It makes no system call, starts no thread and has no global state.
 * Frames, API calls and the time go in; frames and readiness come out. The
 * same inputs with the same seed give the same outputs, byte for byte.
 *
 * One thread owns a stack. Hooks are called from inside the call that caused
 * them; a hook must not free the stack or remove a link, and should note what
 * to do and do it after the call returned. berth_close() from a hook is safe.
 */
#ifndef BERTH_STACK_H
#define BERTH_STACK_H

#include <berth/link.h>
#include <berth/packet.h>
#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_stack;
struct berth_event_info;

struct berth_hooks {
	void *context;
	/*
	 * The readiness of descriptor fd changed: events is the whole new set of
	 * BERTH_POLL* (socket.h). Called once per rise, not once per packet: after
	 * a call, the same bit is reported again only when it went away between.
	 */
	void (*ready)(void *context, int fd, unsigned events);
	/*
	 * A conversation wants in at listener fd. Return 0 to go on, -ECONNREFUSED
	 * to answer RST, any other negative errno to drop the segment (the peer
	 * tries again). NULL: everyone is let in.
	 */
	int (*admit)(void *context, int fd);
	/*
	 * Blocking calls: let the world go on until deadline at the latest (advance
	 * the stack, move frames), then return 0; or a negative errno such as -EINTR
	 * to end the call. NULL: every socket acts as if non-blocking.
	 */
	int (*wait)(void *context, berth_time deadline);
	/* The time as of this call, for wait's callers. Needed when wait is given. */
	berth_time (*now)(void *context);
	/* Something of event.h happened: a drop, a change of state; frames are counted only. May be NULL; about is valid during the call. */
	void (*event)(void *context, const struct berth_event_info *about);
};

/* Explicit congestion notification of TCP (RFC 3168). Linux: tcp_ecn 2, 1, 0. */
enum { BERTH_ECN_ACCEPT = 1, BERTH_ECN_ASK, BERTH_ECN_OFF };

/* Timestamps of TCP (RFC 7323 §3): offered and accepted, or not. Linux: tcp_timestamps 1, 0. */
enum { BERTH_TIMESTAMPS_ON = 1, BERTH_TIMESTAMPS_OFF };

/* Selective acknowledgements (RFC 2018), window scaling (RFC 7323 §2). Linux: tcp_sack, tcp_window_scaling 1, 0. */
enum { BERTH_SACK_ON = 1, BERTH_SACK_OFF };
enum { BERTH_WINDOW_SCALING_ON = 1, BERTH_WINDOW_SCALING_OFF };

/* SYN cookies (RFC 4987 §3.6): when the SYN queue is full, for every SYN, never. Linux: tcp_syncookies 1, 2, 0. */
enum { BERTH_SYN_COOKIES_WHEN_FULL = 1, BERTH_SYN_COOKIES_ALWAYS, BERTH_SYN_COOKIES_OFF };

/*
 * TCP Fast Open (RFC 7413), bits. Linux: tcp_fastopen. A listener offers it
 * when asked by TCP_FASTOPEN, or all do by BERTH_FASTOPEN_LISTENERS; with
 * _NO_COOKIE data is sent, or taken, though nothing proves the address.
 */
enum {
	BERTH_FASTOPEN_CLIENT = 0x1,
	BERTH_FASTOPEN_SERVER = 0x2,
	BERTH_FASTOPEN_CLIENT_NO_COOKIE = 0x4,
	BERTH_FASTOPEN_SERVER_NO_COOKIE = 0x200,
	BERTH_FASTOPEN_LISTENERS = 0x400,
	BERTH_FASTOPEN_OFF = 0x8000,
};

/* Pacing of TCP: where SO_MAX_PACING_RATE or the congestion control (bbr) asks for it, or everywhere. */
enum { BERTH_PACING_ASKED = 1, BERTH_PACING_ALWAYS };

/* Black holes of TCP's path MTU discovery (RFC 4821): look for them after timeouts, or not. Linux: tcp_mtu_probing 1, 0. */
enum { BERTH_MTU_PROBING_AFTER_TIMEOUTS = 1, BERTH_MTU_PROBING_OFF };

/* Limits, all set at run time. 0 in any field means the default beside it. */
struct berth_limits {
	size_t memory;		     /* bytes of packets and buffers: 256 MiB; see berth_stack_memory() */
	unsigned sockets;	     /* descriptors: 1,048,576 */
	unsigned neighbours;	     /* ARP and NDP entries a link: 1,024 */
	unsigned routes;	     /* 4,096 */
	unsigned reassemblies;	     /* fragmented datagrams at once: 64 */
	unsigned time_wait;	     /* connections in TIME_WAIT: 262,144 */
	unsigned syn_queue;	     /* half-open connections a listener, if its backlog is not less: 4,096 */
	unsigned memberships;	     /* multicast groups a socket: 64 */
	unsigned group_sources;	     /* sources that a membership names: 64 */
	unsigned send_buffer;	     /* bytes a socket, what SO_SNDBUF begins with: 256 KiB */
	unsigned receive_buffer;     /* bytes a socket, what SO_RCVBUF begins with: 256 KiB */
	unsigned send_buffer_max;    /* what SO_SNDBUF may reach, by TCP itself too: 16 MiB */
	unsigned receive_buffer_max; /* what SO_RCVBUF may reach, by TCP itself too: 16 MiB */
	unsigned ecn;		     /* BERTH_ECN_*: accept it, don't ask */
	unsigned hop_limit;	     /* time to live of what no socket has another for, 1 to 255: 64 */
	unsigned local_datagrams;    /* unread at a local socket, then senders wait: 10. Linux: max_dgram_qlen */
	unsigned timestamps;	     /* BERTH_TIMESTAMPS_*: on */
	unsigned sack;		     /* BERTH_SACK_*: on */
	unsigned window_scaling;     /* BERTH_WINDOW_SCALING_*: on */
	unsigned syn_cookies;	     /* BERTH_SYN_COOKIES_*: when the queue is full */
	unsigned fastopen;	     /* BERTH_FASTOPEN_*: client and server */
	unsigned fastopen_cache;     /* servers whose Fast Open cookies are kept: 1,024 */
	unsigned notsent_low_water;  /* what TCP_NOTSENT_LOWAT is where it was not set: no limit */
	unsigned mtu_probing;	     /* BERTH_MTU_PROBING_*: after timeouts */
	unsigned pacing;	     /* BERTH_PACING_*: where it is asked for */
};

struct berth_stack_config {
	uint64_t seed; /* of every random choice; from entropy unless in a simulation */
	/*
	 * Of TCP's sequence numbers and timestamps alone (RFC 6528, RFC 7323 §7.1); 0: from seed. A stack that takes
	 * over another's address, and its clock, goes on where that was, so that no peer's TIME-WAIT takes it for old.
	 */
	uint64_t sequence_seed;
	berth_time now;				 /* the time at birth */
	const struct berth_allocator *allocator; /* NULL: malloc */
	struct berth_packet_pool *packets;	 /* shared pool (a reference is taken); NULL: own */
	struct berth_limits limits;
	struct berth_hooks hooks;
};

/* Make a stack; config may be NULL. It has a loopback link, 127.0.0.1/8 and ::1. NULL: no memory. */
BERTH_EXPORT struct berth_stack *berth_stack_new(const struct berth_stack_config *config);

/* End the stack: conversations vanish without a word, links are removed. NULL is fine. */
BERTH_EXPORT void berth_stack_free(struct berth_stack *stack);

/*
 * A frame arrived on link at time now. Takes ownership of packet. Time may
 * stand still between calls, but an earlier now counts as the last one seen.
 */
BERTH_EXPORT void berth_stack_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet,
				    berth_time now);

/*
 * count frames arrived on link at time now, in this order. As berth_stack_input()
 * for each of them, but cheaper: TCP segments in a row that continue each other
 * are taken, and acknowledged, together. Takes ownership of the packets; the
 * array stays the caller's, and unchanged.
 */
BERTH_EXPORT void berth_stack_input_many(struct berth_stack *stack, struct berth_link *link,
					 struct berth_packet *const *packets, size_t count, berth_time now);

/* Run every timer that is due at now, and deliver what loopback holds. */
BERTH_EXPORT void berth_stack_advance(struct berth_stack *stack, berth_time now);

/*
 * What the stack's Fast Open cookies are made with: 16 bytes, or 32 (two keys:
 * the first makes cookies, both are good, so that keys can be changed). Servers
 * that share an address share it. Without, it comes from the seed. Linux:
 * tcp_fastopen_key, whose cookies are the same. A listener may have its own by
 * TCP_FASTOPEN_KEY. Returns 0 or -EINVAL (length).
 */
BERTH_EXPORT int berth_stack_set_fastopen_key(struct berth_stack *stack, const void *key, size_t length);

/* When berth_stack_advance() must next be called; BERTH_NEVER when nothing is planned. */
BERTH_EXPORT berth_time berth_stack_deadline(const struct berth_stack *stack);

/* The last time that the stack was told, in nanoseconds. */
BERTH_EXPORT berth_time berth_stack_now(const struct berth_stack *stack);

/*
 * What the sockets of a stack hold: packets in their queues, with their whole
 * buffers. A socket may hold as much as is still free of five eighths of the
 * limit, so the largest holder is refused first and one alone gets half of it.
 * Two eighths more are for sockets that hold little, the last is for packets
 * under way. Stacks that share a pool with a
 * limit share it by the same rule. A refused sender gets EAGAIN, or waits, and
 * BERTH_POLLOUT when there is room again; what arrives and has no room is
 * dropped (data behind a gap first) and is sent again by TCP. Under pressure,
 * from half of the limit on, buffers and windows stop growing.
 */
struct berth_memory {
	size_t used, limit;	      /* bytes; limit as in berth_limits */
	size_t pool_used, pool_limit; /* of the packet pool, packets under way included; limit 0: none */
	bool pressure;
};
BERTH_EXPORT struct berth_memory berth_stack_memory(const struct berth_stack *stack);

/* The pool that packets for this stack are best made from. Stays the stack's. */
BERTH_EXPORT struct berth_packet_pool *berth_stack_packets(struct berth_stack *stack);

/*
 * Be a router (RFC 1812): packets that are for no address of ours go on to where
 * the routes say, with a hop less to live; their senders hear of it if they
 * can't (ICMP time exceeded, unreachable, too big). Off at birth. Redirects are
 * neither sent nor heeded, multicasts are not forwarded.
 */
BERTH_EXPORT void berth_stack_set_forwarding(struct berth_stack *stack, bool on);

/*
 * Add a route: packets for prefix/length go out at link, to gateway (all zero:
 * the destination is on the link). Returns 0, -EEXIST, -ENOBUFS (limit), -EINVAL.
 */
BERTH_EXPORT int berth_route_add(struct berth_stack *stack, struct berth_ip prefix, unsigned length,
				 struct berth_ip gateway, struct berth_link *link);
/* Returns 0, or -ESRCH when there is no such route. */
BERTH_EXPORT int berth_route_remove(struct berth_stack *stack, struct berth_ip prefix, unsigned length,
				    struct berth_ip gateway, struct berth_link *link);

#ifdef __cplusplus
}
#endif
#endif
