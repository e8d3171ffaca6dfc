/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP Fast Open, RFC 7413: what a conversation, a listener and a stack keep of
 * it. fastopen_server.c, fastopen_client.c, fastopen_cache.c.
 */
#ifndef CORE_TCP_FASTOPEN_H
#define CORE_TCP_FASTOPEN_H

#include "base/ip.h"
#include "base/list.h"
#include "base/random.h"
#include "wire/tcp.h"

#include <berth/protocol.h>

struct tcp_conn;
struct tcp_segment;
struct tcp_stack;

struct fastopen_cookie {
	uint8_t bytes[WIRE_TCP_COOKIE_MAX];
	uint8_t length;
	bool experimental; /* in the option of the experiment */
};
/* Tell cookie, or with none of its bytes ask for one, in a SYN or SYN-ACK. */
void fastopen_cookie_offer(const struct fastopen_cookie *cookie, struct wire_tcp *header);

/* What cookies are made with: the first makes them, both are good. RFC 7413 §4.1.2 asks for a way to change. */
struct fastopen_keys {
	struct hash_key keys[2];
	uint8_t count; /* 0: the stack's */
};

/* Of a conversation whose handshake is under way with data, or may be. Made when first used, gone with the handshake. */
struct fastopen {
	/* Passive: counted in the listener, in its pending or its resets. */
	struct tcp_conn *listener;
	struct list node;
	berth_time expiry; /* in resets */
	/* Active */
	struct berth_message *message; /* during the call that opens: whose data may go with the SYN */
	bool deferred;		       /* connect() said yes, and the SYN waits for data (TCP_FASTOPEN_CONNECT) */
	bool asked;		       /* our SYN had the option */
	bool sent;		       /* the first SYN is out: others go without */
	struct fastopen_cookie cookie; /* of the first SYN or SYN-ACK */
};

/* What is remembered of a server. fastopen_cache.c */
struct fastopen_peer {
	struct list node, age_node;
	struct berth_ip local, remote;
	struct fastopen_cookie cookie;
	uint16_t mss;
	uint8_t try_experimental; /* 1: it ignored the option; 2: the old one, too. Linux: try_exp */
	uint8_t losses;		  /* SYNs with data in a row that got no answer */
	berth_time lost_at;
};
#define FASTOPEN_BUCKETS 256
struct fastopen_cache {
	struct list buckets[FASTOPEN_BUCKETS];
	struct list ages; /* oldest use first */
	unsigned count;
};
/* NULL: not known. */
struct fastopen_peer *fastopen_cache_find(struct tcp_stack *tcp, const struct berth_ip *local,
					  const struct berth_ip *remote);
/* The same, made if need be. NULL: no memory. */
struct fastopen_peer *fastopen_cache_get(struct tcp_stack *tcp, const struct berth_ip *local,
					 const struct berth_ip *remote);
void fastopen_cache_fini(struct tcp_stack *tcp);

/* Server: fastopen_server.c */
/*
 * A SYN at a listener. A conversation that has its data, entered and with the SYN-ACK still to send by
 * fastopen_server_answer(); or NULL, and ret_cookie is what the ordinary SYN-ACK shall tell (length 0: nothing).
 */
struct tcp_conn *fastopen_server_arrive(struct tcp_conn *parent, struct tcp_segment *segment, uint32_t iss,
					struct fastopen_cookie *ret_cookie);
void fastopen_server_answer(struct tcp_conn *conn, struct tcp_segment *segment);
/* The first SYN-ACK: a cookie, if there is a new one. NULL: no data ever goes with it. */
struct berth_packet *fastopen_server_syn(struct tcp_conn *conn, struct wire_tcp *header);
/* A segment for a conversation in SYN-RECEIVED: was it our peer's SYN once more? Then it is answered. */
bool fastopen_server_syn_again(struct tcp_conn *conn, const struct tcp_segment *segment);
/* Who was let in on a cookie's word sent RST: for a while he counts. RFC 7413 §5.1 */
void fastopen_server_reset(struct tcp_conn *conn);
void fastopen_listener_close(struct tcp_conn *parent);
int fastopen_keys_set(struct fastopen_keys *keys, const void *bytes, size_t length);
size_t fastopen_keys_get(struct berth_stack *stack, const struct fastopen_keys *keys, uint8_t bytes[32]);

/* Client: fastopen_client.c */
/* connect(): shall the SYN wait for data? And does it carry the option? Returns -ENOBUFS or 0. */
int fastopen_client_connect(struct tcp_conn *conn);
/* The first SYN: fill in its option. Returns the data that goes with it, or NULL. */
struct berth_packet *fastopen_client_syn(struct tcp_conn *conn, struct wire_tcp *header);
/* The SYN is acknowledged: what of its data is, and what shall be remembered. SND.UNA moves. */
void fastopen_client_answered(struct tcp_conn *conn, const struct tcp_segment *segment);

/* Does the call that opens wait to send more than the SYN had room for? */
bool fastopen_client_has_more(const struct tcp_conn *conn);

/* The handshake is over, well or not. */
void fastopen_end(struct tcp_conn *conn);

#endif
