/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports. A claim says who may use a local address and port; the demultiplexer
 * says whose a packet is. Claims are kept per protocol and port number, so
 * every protocol has the whole space 1-65535 for itself.
 */
#ifndef CORE_PORT_PORT_H
#define CORE_PORT_PORT_H

#include "core/stack.h"

enum { CLAIM_IP4 = 1, CLAIM_IP6 = 2 };

struct port_claim {
	struct list node;   /* in its bucket; self-linked: no claim */
	struct berth_ip ip; /* any: wildcard */
	uint16_t port;	    /* 0: none */
	uint8_t protocol;
	uint8_t families : 2;	/* CLAIM_*: which versions a wildcard speaks for */
	bool of_socket : 1;	/* it is a socket's; else a TIME-WAIT's */
	bool reuse_address : 1; /* SO_REUSEADDR */
	bool reuse_port : 1;	/* SO_REUSEPORT */
	bool listening : 1;	/* TCP LISTEN: then SO_REUSEADDR does not help */
	bool datagram : 1;	/* UDP's rule: both must have reuse */
	bool chosen : 1;	/* port was chosen by us, not asked for */
	bool shared : 1;	/* joined without a check (below); never waits for a peer */
	bool any_port : 1;	/* BERTH_ANY_PORT: waits at ports that nobody else waits at, too */
	bool divert : 1;	/* BERTH_DIVERT: last resort, conflicts with no one */
	unsigned link_index;	/* SO_BINDTODEVICE; 0: any */
};

/*
 * Take claim->port (0: choose one, RFC 6056 §3.3.4; claim->port is then filled
 * in). Conflict rules: Linux: inet_csk_bind_conflict(), udp_lib_get_port().
 * Returns 0, -EADDRINUSE or -ENOMEM.
 */
int port_claim(struct berth_stack *stack, struct port_claim *claim);
void port_release(struct berth_stack *stack, struct port_claim *claim);
/* Would claim, already held, still be allowed if it were listening? 0 or -EADDRINUSE. */
int port_may_listen(struct berth_stack *stack, const struct port_claim *claim);
/*
 * Choose a local port for a connection to remote such that the four-tuple is
 * new; ports of other connections may be shared when the remote end differs.
 * claim->ip is the local address. Returns 0, -EADDRNOTAVAIL or -ENOMEM.
 */
int port_claim_connect(struct berth_stack *stack, struct port_claim *claim, const struct berth_endpoint *remote);
/* Would what remote answers to claim's address and port be steered to this stack? True where nothing is steered. */
bool port_comes_home(struct berth_stack *stack, const struct port_claim *claim, const struct berth_endpoint *remote);
/* BERTH_ANY_PORT of a claim that is held: the last one that was given it, in its protocol, has it. */
void port_set_any(struct berth_stack *stack, struct port_claim *claim, bool on);
/* Join the bucket of parent's port without a check: an accepted connection, a TIME-WAIT. */
int port_claim_share(struct berth_stack *stack, struct port_claim *claim);

enum demux_kind {
	DEMUX_SOCKET,	/* a struct berth_socket */
	DEMUX_REQUEST,	/* TCP: a handshake not finished (SYN-RECEIVED) */
	DEMUX_TIMEWAIT, /* TCP: what is left of a connection */
};

struct demux_node {
	struct demux_node *next;
	uint32_t hash;
	uint8_t kind; /* enum demux_kind */
	uint8_t protocol;
	bool linked;
	struct berth_endpoint local, remote;
};

/* Connected conversations, by four-tuple. add: 0, -EADDRINUSE (tuple taken) or -ENOMEM. */
int demux_add(struct berth_stack *stack, struct demux_node *node);
/* node, of the same four-tuple, takes old's place. As demux_add() if old has none. */
int demux_replace(struct berth_stack *stack, struct demux_node *old, struct demux_node *node);
void demux_remove(struct berth_stack *stack, struct demux_node *node);
/* Something was sent to node's peer: an answer is likely to be asked for next. */
void demux_expect(struct berth_stack *stack, struct demux_node *node);
struct demux_node *demux_find(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *local,
			      const struct berth_endpoint *remote);
/* Walk all of protocol's nodes that are not sockets; each may not add or remove. */
void demux_each(struct berth_stack *stack, uint8_t protocol, void (*each)(void *context, struct demux_node *node),
		void *context);

/*
 * Sockets waiting at a port without a peer: listeners, unconnected datagram
 * sockets. Best match first: exact address over wildcard, own family over
 * dual-stack; among SO_REUSEPORT equals by hash of the four-tuple.
 */
struct berth_socket *port_find_bound(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *local,
				     const struct berth_endpoint *remote, struct berth_link *link);

/* Call each for every socket that a broadcast datagram to local is for. */
void port_each_bound(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *local,
		     const struct berth_endpoint *remote, struct berth_link *link,
		     void (*each)(void *context, struct berth_socket *socket), void *context);
/* Does a BERTH_DIVERT socket answer for remote: at that very address, at any address, or not? */
enum port_divert { DIVERT_NONE, DIVERT_ANY, DIVERT_EXACT };
enum port_divert port_diverted(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *remote);

int port_init(struct berth_stack *stack);
void port_fini(struct berth_stack *stack);

#endif
