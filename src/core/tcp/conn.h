/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What TCP keeps of a conversation. RFC 9293 and the RFCs named where they are followed.
 *
 * A conversation is, in the order of its life, a tcp_request (SYN-RECEIVED, a
 * listener's), a tcp_conn (the state behind a socket) and a tcp_timewait.
 * Each is in the demultiplexer under its four-tuple, one at a time.
 *
 * Invariants of a tcp_conn:
 *  - only tcp_set_state() writes state;
 *  - SND.UNA <= SND.NXT <= snd_max. With SACK, SND.NXT is snd_max and the
 *    scoreboard has a record of every byte between SND.UNA and there. Without,
 *    SND.NXT goes back to SND.UNA after a timeout and the data between is sent
 *    again (RFC 5681 §3.1 and go-back-N);
 *  - sendq's first byte is at SND.UNA (once our SYN is acknowledged);
 *  - the right edge of the window offered, rcv_adv, never moves left;
 *  - the application hears of changes only from tcp_leave(), the last thing an
 *    entry point does, because it may close the socket from there.
 */
#ifndef CORE_TCP_CONN_H
#define CORE_TCP_CONN_H

#include "base/seq.h"
#include "base/timer.h"
#include "core/socket/socket.h"
#include "core/tcp/blocks.h"
#include "core/tcp/congestion.h"
#include "core/tcp/fastopen.h"
#include "core/tcp/receiveq.h"
#include "core/tcp/rtt.h"
#include "core/tcp/run.h"
#include "core/tcp/scoreboard.h"
#include "core/tcp/sendq.h"
#include "wire/tcp.h"

#include <errno.h>

enum tcp_state {
	TCP_CLOSED,
	TCP_LISTEN,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED, /* here only by simultaneous open; listeners have tcp_request */
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT, /* passed through: what remains is a tcp_timewait */
	TCP_STATES,
};

enum tcp_timer {
	TCP_TIMER_PROBE, /* before RETRANSMIT: due at once, it goes first and moves the other */
	TCP_TIMER_REORDER,
	TCP_TIMER_RETRANSMIT,
	TCP_TIMER_PERSIST,
	TCP_TIMER_DELAYED_ACK,
	TCP_TIMER_KEEPALIVE,
	TCP_TIMER_PACE,
	TCP_TIMER_ORPHAN, /* FIN-WAIT-2 without a descriptor */
	TCP_TIMERS,
};

/* What is known of urgent data that arrives. */
enum tcp_urgent {
	TCP_URGENT_NONE,    /* no mark */
	TCP_URGENT_AWAITED, /* the pointer came, the byte not yet */
	TCP_URGENT_HERE,    /* urgent_byte is to be read */
	TCP_URGENT_TAKEN,   /* it was; the mark is still ahead */
};

#define TCP_BACKLOG_MAX 4096 /* Linux: net.core.somaxconn */
#define TCP_SYN_RETRIES 6    /* Linux: tcp_syn_retries, tcp_synack_retries (5) */
#define TCP_SYN_ACK_RETRIES 5
#define TCP_RETRIES 15			      /* Linux: tcp_retries2 */
#define TCP_ORPHAN_RETRIES 8		      /* Linux: tcp_orphan_retries() */
#define TCP_DELAYED_ACK (40 * BERTH_MSEC)     /* Linux: TCP_DELACK_MIN */
#define TCP_QUICK_ACKS 16		      /* Linux: TCP_MAX_QUICKACKS */
#define TCP_TIME_WAIT_TIME (60 * BERTH_SEC)   /* Linux: TCP_TIMEWAIT_LEN */
#define TCP_FIN_WAIT_2_TIME (60 * BERTH_SEC)  /* Linux: TCP_FIN_TIMEOUT */
#define TCP_KEEPALIVE_IDLE (7200 * BERTH_SEC) /* RFC 9293 §3.8.4 */
#define TCP_KEEPALIVE_INTERVAL (75 * BERTH_SEC)
#define TCP_KEEPALIVE_PROBES 9
#define TCP_PAWS_AGE (24 * 86400 * BERTH_SEC) /* RFC 7323 §5.5 */
#define TCP_CWND_MAX (1u << 30)		      /* what a scaled window can hold */
#define TCP_CHALLENGE_GAP (500 * BERTH_MSEC)  /* Linux: tcp_invalid_ratelimit */

struct tcp_conn;

/* What an application set, shared with sockets that have the same; survives disconnect. See tcp_settings_own(). */
struct tcp_settings {
	unsigned holders;
	bool no_delay, cork;
	uint8_t syn_retries; /* 0: the default */
	uint8_t keepalive_probes;
	uint16_t max_segment;	  /* TCP_MAXSEG, 0: none */
	uint32_t user_timeout_ms; /* 0: none */
	uint32_t window_clamp;	  /* 0: none */
	int32_t linger2_seconds;  /* 0: the default; -1: none at all */
	uint8_t defer_accept;	  /* TCP_DEFER_ACCEPT, in timeouts of a SYN-ACK */
	bool fastopen_connect, fastopen_no_cookie;
	uint32_t fastopen_queue;    /* TCP_FASTOPEN: handshakes with data at once; 0: none */
	uint32_t notsent_low_water; /* 0: the stack's */
	berth_time keepalive_idle, keepalive_interval;
	const struct tcp_congestion *congestion;
};

struct tcp_listener {
	struct list requests; /* struct tcp_request */
	struct list accepted; /* finished, not taken yet: sockets by ready_node, which has no use before */
	unsigned request_count, accepted_count, backlog;
	berth_time cookies_until; /* until then an ACK may bring back a SYN cookie */
	/* struct fastopen: in SYN-RECEIVED; and those that were reset and count for some time yet */
	struct list fastopen_pending, fastopen_resets;
	unsigned fastopen_count;
	struct fastopen_keys fastopen_keys;
};

/* See also struct tcp_rare, and tcp_bytes_sent(). */
struct tcp_counters {
	uint64_t bytes_acked, bytes_received;
	uint32_t segments_out, segments_in, data_out, data_in; /* as wide as TCP_INFO has them */
};

/* How fast the application reads; see tune.c. */
struct tcp_tuning {
	berth_time since; /* 0: not begun */
	uint64_t taken;	  /* bytes since then */
	uint64_t last;	  /* the most in one round trip */
};

/* RACK, RFC 8985 §5.3; see rack.c. */
struct tcp_rack {
	uint64_t serial; /* of the latest transmission that is known to be delivered … */
	uint32_t end;	 /* … up to here */
	uint32_t round_end;
	berth_time rtt;
	bool reordering;  /* has been seen */
	bool round_known; /* a DSACK was counted in the round that ends at round_end */
	uint8_t steps;	  /* reordering window, in quarters of the least rtt; 0 is 1 */
	uint8_t persists; /* recoveries until it is 1 again */
};

/* The tail loss probe under way. */
struct tcp_probe {
	bool out, again; /* again: it repeated data that was sent before */
	uint32_t end;
};

/* Proportional rate reduction, RFC 6937. */
struct tcp_reduction {
	uint32_t cwnd; /* when it began */
	uint32_t delivered, out;
};

/* What to go back to when a loss turns out to be none. */
struct tcp_undo {
	bool possible, stamped;
	uint32_t from, cwnd, ssthresh;
	uint32_t bytes; /* sent again and not reported as duplicates */
	uint32_t stamp; /* timestamp of the first of them */
};

/*
 * What is known of segments that were sent, with SACK. Allocated when the
 * first is, and given back when the conversation is idle and nothing was
 * learnt for later. Without, there is tcp_sent_none, which is only read.
 */
struct tcp_sent {
	union {
		struct scoreboard board;
		struct tcp_sent *next; /* in the stack's stock */
	};
	struct tcp_rack rack;
	struct tcp_probe probe;
	struct tcp_reduction reduction;
	struct tcp_undo undo;
};
extern const struct tcp_sent tcp_sent_none;

union tcp_own {
	struct tcp_cubic cubic;
	struct tcp_bbr bbr;
};

/*
 * What a conversation has only while something goes on: bytes that wait, a
 * timer that runs. It is there from tcp_work_need() until an entry ends with
 * neither. An idle conversation has tcp_work_none, which is only read.
 */
struct tcp_work {
	struct tcp_conn *conn;
	struct tcp_work *next; /* in the stack's stock */
	struct sendq sendq;
	struct receiveq receiveq;
	struct sack_blocks *blocks;	   /* NULL: nothing came out of order, or there was no memory to say so */
	struct tcp_mtu_search *mtu_search; /* see mtu.c; NULL: no black hole was met */
	bool timed;
	uint8_t urgent_byte;
	uint32_t urgent_end, urgent_seq;
	uint32_t fin_seq;
	uint32_t cwnd_acked;	/* towards cwnd's next segment; newreno.c */
	uint32_t charged;	/* what the stack's budget counts for both queues */
	uint32_t snd_small_end; /* end of the last segment below MSS: Nagle as Minshall has it */
	uint32_t timed_seq;	/* without SACK: the ACK of this seq gives a sample; valid while timed */
	berth_time timed_at;
	berth_time first_sent;	  /* when the oldest unacknowledged segment first timed out's start */
	berth_time probing_since; /* user timeout while the window is shut */
	struct berth_timer timer;
	uint8_t timers; /* 1 << enum tcp_timer: which run */
	berth_time deadline[TCP_TIMERS];
};
extern const struct tcp_work tcp_work_none;
#define TCP_STOCK 256 /* free ones that a stack keeps, of struct tcp_work and of struct tcp_sent each */

/*
 * What few conversations ever need. Allocated when the first of it is; the
 * others have tcp_rare_none, which is only read.
 */
struct tcp_rare {
	struct tcp_listener *listener;	  /* LISTEN only */
	struct fastopen_keys *keys_to_be; /* TCP_FASTOPEN_KEY came before listen() */
	struct fastopen *fastopen;	  /* while a handshake of it is under way; else NULL */
	uint8_t fastopen_fail;		  /* as in TCP_INFO */
	uint16_t syn_taken;		  /* bytes that went with the SYN */
	uint32_t retransmits;		  /* segments, as wide as TCP_INFO has them */
	uint64_t bytes_retransmitted;
	berth_time last_resent, last_challenge;
	struct tcp_tuning tuning;
};
extern const struct tcp_rare tcp_rare_none;

/*
 * Fields that an exchange touches lie side by side. An endpoint is this and a
 * struct berth_socket, so every byte here is counted ten million times.
 */
struct tcp_conn {
	uint8_t state : 4;
	uint8_t told_state : 4; /* of which the embedder heard */
	uint8_t busy;		/* entry points under way */
	uint8_t send_scale, receive_scale;
	uint8_t quick_acks;    /* full segments still to be acknowledged at once */
	uint8_t unacked_small; /* segments below receive_mss among unacked_bytes, 2 at most */
	uint8_t dup_acks, timeouts, probes, keepalives;
	uint8_t urgent_in : 2; /* enum tcp_urgent; with a mark at work->urgent_seq */
	bool urgent_out : 1;   /* what lies before work->urgent_end is, and not acknowledged yet; see urgent.c */
	/* For the end of the present entry: */
	bool wake : 1, ack_now : 1;
	bool sending : 1;     /* tcp_output() is under way */
	bool more : 1;	      /* the last send said MSG_MORE */
	bool interactive : 1; /* data answers data: no quick ACKs (Linux: pingpong) */
	bool unanswered : 1;  /* data came after the last that we sent */
	bool in_recovery : 1, cwnd_limited : 1;
	bool in_loss : 1, f_rto : 1;	    /* with SACK: after a timeout; and that may have been spurious */
	bool send_new : 1;		    /* the output under way sends new data before lost data */
	bool ecn_echo : 1, ecn_reduced : 1; /* ECE until CWR comes; CWR with the next data */
	/* What the handshake agreed on */
	bool timestamps : 1, scaling : 1, sack : 1, ecn : 1;
	bool waited : 1;       /* CLOSED because a tcp_timewait took over */
	bool released : 1;     /* the descriptor is gone */
	bool fin_queued : 1;   /* our FIN comes after the last byte of sendq, not acknowledged yet */
	bool fin_acked : 1;    /* it is */
	bool fin_received : 1; /* the peer's FIN was taken: end of stream */
	bool fin_early : 1;    /* a FIN waits behind a gap, at work->fin_seq */
	bool write_shutdown : 1, read_shutdown : 1;
	bool ever_connected : 1;
	/* Fast Open: a listener's; data went with the SYN; the SYN-ACK acknowledged all of it */
	bool opened_fast : 1, syn_data : 1, syn_data_acked : 1;
	uint16_t error;	      /* positive errno to leave in the socket at the end of the entry */
	uint16_t soft_error;  /* what ICMP said, for when we give up. RFC 5461 §4 */
	uint16_t peer_mss;    /* from its SYN */
	uint16_t mss;	      /* payload bytes, options taken off */
	uint16_t receive_mss; /* largest segment seen of late: delayed ACK counts in it */

	/* Send. RFC 9293 §3.3.1 */
	uint32_t snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2, max_window;
	unsigned mss_mtu; /* the path MTU that mss was computed for */

	/* Receive */
	uint32_t rcv_nxt, rcv_adv, last_ack_sent;
	uint32_t unacked_bytes; /* received since the last ACK went out */
	uint32_t confirmed;	/* when the neighbour was last said to be reachable, as tcp_coarse() has it */

	/* Timestamps. RFC 7323 */
	uint32_t timestamp_offset, ts_recent;
	uint32_t ts_recent_at; /* when ts_recent came, as tcp_coarse() has it */

	/* Congestion and time */
	uint32_t cwnd, ssthresh;
	struct tcp_rtt rtt;
	berth_time last_sent, last_heard;
	struct tcp_work *work;
	struct tcp_sent *sent; /* with SACK; tcp_sent_none before anything was */
	struct tcp_settings *settings;
	union tcp_own *own;    /* the congestion control's; NULL: none yet, or no memory for it */
	struct tcp_rate *rate; /* see rate.h; NULL: none yet */
	struct tcp_counters counters;
	uint32_t iss, irs, recover;
	uint32_t ecn_until; /* no other reduction for a mark before SND.UNA is there */
	struct tcp_rare *rare;
	struct tcp_conn *parent; /* in this listener's accept queue */
};

/* A handshake in which we wait for the ACK of our SYN-ACK. */
struct tcp_request {
	struct demux_node demux;
	struct list node; /* in listener->requests */
	struct tcp_conn *parent;
	uint32_t iss, irs, ts_recent, timestamp_offset, window;
	uint16_t peer_mss, mss, offered_window;
	bool timestamps, scaling, sack, ecn;
	bool acked; /* TCP_DEFER_ACCEPT: the ACK came, the data did not */
	uint8_t send_scale, receive_scale, retries;
	berth_time created, last_sent, last_challenge;
	struct berth_timer timer;
};

/* What is left of a conversation, RFC 9293 §3.6.1; see timewait.c. */
struct tcp_timewait {
	struct demux_node demux;
	struct port_claim claim;
	struct list node; /* in tcp_stack.timewaits, by expiry */
	struct tcp_stack *tcp;
	berth_time expiry, last_challenge;
	uint32_t snd_nxt, rcv_nxt, ts_recent, timestamp_offset;
	uint32_t ts_recent_at; /* as tcp_coarse() has it */
	uint16_t window;
	bool timestamps;
};

/* What TCP keeps in each stack. */
struct tcp_stack {
	struct berth_stack *stack;
	struct hash_key isn_key, timestamp_key;
	struct hash_key cookie_keys[2]; /* cookie.c's, drawn when first used */
	bool cookies_keyed;
	struct fastopen_keys fastopen_keys;
	struct fastopen_cache *fastopen_cache; /* NULL: not used yet */
	struct flight_pool flights;
	struct share settings;	/* struct tcp_settings */
	struct tcp_work *works; /* free ones */
	struct tcp_sent *sents;
	unsigned work_count, sent_count;
	struct list timewaits;
	unsigned timewait_count;
	struct berth_timer timewait_timer;
};

/* A segment that arrived, in host order. The packet is taken away when its payload is queued. */
struct tcp_segment {
	struct berth_packet *packet; /* data at payload; NULL once taken */
	const struct berth_ip_info *info;
	struct wire_tcp header;
	struct berth_endpoint local, remote;
	uint32_t ack, seq, length; /* length: payload bytes, without SYN and FIN */
	uint8_t flags;
};

static inline struct berth_socket *tcp_socket(struct tcp_conn *conn)
{
	return socket_of_state(conn);
}
static inline struct berth_stack *tcp_stack_of(struct tcp_conn *conn)
{
	return tcp_socket(conn)->stack;
}
/* Something happened to conn. */
static inline void tcp_event(struct tcp_conn *conn, enum berth_event event)
{
	const struct demux_node *ends = &tcp_socket(conn)->demux;

	stack_event_between(tcp_stack_of(conn), event, IPPROTO_TCP, &ends->local, &ends->remote);
}
static inline struct tcp_conn *tcp_conn_of(struct berth_socket *socket)
{
	return (struct tcp_conn *)socket->protocol_state;
}
static inline struct tcp_stack *tcp_of(struct berth_stack *stack)
{
	return stack->protocol_states[IPPROTO_TCP];
}
/* Time that four bytes hold for longer than anybody lives, in steps of about a second. */
static inline uint32_t tcp_coarse(berth_time time)
{
	return (uint32_t)(time >> 30);
}
/* SEG.LEN of RFC 9293: SYN and FIN count. */
static inline uint32_t tcp_segment_length(const struct tcp_segment *segment)
{
	return segment->length + !!(segment->flags & WIRE_TCP_SYN) + !!(segment->flags & WIRE_TCP_FIN);
}
/* The sequence number behind the last byte written: our FIN's, when it is queued. */
static inline uint32_t tcp_data_end(const struct tcp_conn *conn)
{
	return conn->snd_una + (uint32_t)conn->work->sendq.bytes;
}
static inline bool tcp_fin_sent(const struct tcp_conn *conn)
{
	return conn->fin_queued && seq_gt(conn->snd_max, tcp_data_end(conn));
}
static inline uint32_t tcp_flight(const struct tcp_conn *conn)
{
	return conn->snd_max - conn->snd_una;
}

/* RFC 9293 §3.5.2: states in which both SYNs are known to both. */
static inline bool tcp_synchronized(enum tcp_state state)
{
	return state >= TCP_ESTABLISHED;
}
/* May it send more than its SYN? */
static inline bool tcp_may_send(const struct tcp_conn *conn)
{
	return tcp_synchronized(conn->state) || (conn->state == TCP_SYN_RECEIVED && conn->opened_fast);
}
/* Must what it sends be paced? */
static inline bool tcp_paced(const struct tcp_conn *conn)
{
	return conn->rate && conn->rate->paced;
}
/* Bytes of data sent, those that were sent again included. */
static inline uint64_t tcp_bytes_sent(const struct tcp_conn *conn)
{
	bool syn = conn->state == TCP_SYN_SENT || (conn->state == TCP_SYN_RECEIVED && !conn->opened_fast);
	uint32_t numbers = syn + tcp_fin_sent(conn);

	return conn->counters.bytes_acked + conn->rare->bytes_retransmitted + tcp_flight(conn) -
	       MIN(numbers, tcp_flight(conn));
}
/* Bytes of memory that both queues hold. */
static inline uint32_t tcp_memory(const struct tcp_conn *conn)
{
	return conn->work->sendq.memory + conn->work->receiveq.memory;
}

#endif
