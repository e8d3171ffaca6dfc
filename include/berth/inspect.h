/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking in: what sockets there are, in which state, who holds which port.
 */
#ifndef BERTH_INSPECT_H
#define BERTH_INSPECT_H

#include <berth/protocol.h>
#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct berth_socket_info {
	int fd; /* -1: no descriptor (not accepted yet, closing, SYN-RECV, TIME-WAIT) */
	uint8_t protocol;
	const char *protocol_name;
	int family, type;
	const char *state; /* ss's words: "LISTEN", "ESTAB", "TIME-WAIT", …; "UNCONN" without a peer */
	struct berth_endpoint local, remote; /* wildcard: all zero ip */
	bool ipv6_wildcard;		     /* local is :: and not 0.0.0.0 */
	/*
	 * Local sockets, else NULL: bytes as in sun_path, an abstract name's first is 0, a
	 * pathname's last. Valid until the next call on the stack.
	 */
	const char *local_name, *remote_name;
	size_t local_name_length, remote_name_length;
	uint32_t receive_queue;		      /* bytes not read; a listener: connections not accepted */
	uint32_t send_queue;		      /* bytes not acknowledged; a listener: its backlog */
	uint32_t receive_buffer, send_buffer; /* bytes: SO_RCVBUF, SO_SNDBUF */
	const char *timer; /* ss's words: "on" (retransmission), "persist", "keepalive", "timewait"; NULL: none runs */
	uint32_t timer_ms; /* until it is due */
	/* TCP only, else 0 */
	uint32_t rtt_us, rttvar_us, rto_us;
	uint32_t cwnd, ssthresh; /* segments; ssthresh 0: not yet set */
	uint32_t mss;		 /* bytes */
	uint32_t send_window;	 /* bytes the peer takes */
	uint32_t receive_window; /* bytes that we said we would take */
	uint32_t in_flight;	 /* bytes sent and not acknowledged */
	uint32_t timeouts;	 /* retransmission timeouts, or window probes, in a row without an answer */
	uint32_t since_sent_ms, since_heard_ms; /* since the last segment with data went out, since any came in */
	uint64_t bytes_sent, bytes_acked, bytes_received;
	uint64_t segments_out, segments_in;
	uint32_t retransmits;	/* segments sent again, in all */
	const char *congestion; /* "cubic" */
};

/*
 * Call each for every socket of stack; info is valid during the call. each
 * returns 0 to go on; anything else ends the walk and is returned. each may
 * not open or close sockets.
 */
BERTH_EXPORT int berth_socket_each(struct berth_stack *stack,
				   int (*each)(void *context, const struct berth_socket_info *info), void *context);
/* The same for the one at fd. Returns 0 or -EBADF. */
BERTH_EXPORT int berth_socket_inspect(struct berth_stack *stack, int fd, struct berth_socket_info *ret_info);

/*
 * Who holds port: fills ret_fds with up to max descriptors bound to it (-1 for
 * holders without one) and returns how many holders there are.
 */
BERTH_EXPORT int berth_port_holders(struct berth_stack *stack, uint8_t protocol, uint16_t port, int *ret_fds, int max);

/* The registered name of a port ("http" for 80, IANA), or NULL. protocol: 6 or 17. */
BERTH_EXPORT const char *berth_service_name(uint8_t protocol, uint16_t port);
/* The port of a service's name, or -ENOENT. */
BERTH_EXPORT int berth_service_port(uint8_t protocol, const char *name);

#ifdef __cplusplus
}
#endif
#endif
