/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP from the inside: what its files do for each other. What they do it to is in conn.h. */
#ifndef CORE_TCP_TCP_H
#define CORE_TCP_TCP_H

#include "core/tcp/conn.h"

/* state.c: states, entry and exit */
void tcp_set_state(struct tcp_conn *conn, enum tcp_state state);
const char *tcp_state_name(enum tcp_state state);
bool tcp_edge_legal(enum tcp_state from, enum tcp_state to);
void tcp_conn_init(struct tcp_conn *conn);
/* Memory of a conversation that is over. */
void tcp_conn_fini(struct tcp_conn *conn);
static inline void tcp_enter(struct tcp_conn *conn)
{
	conn->busy++;
}
/* End of an entry point: tell the socket layer. conn may be gone afterwards. */
void tcp_leave(struct tcp_conn *conn);
/* The conversation is over; error (positive errno) or 0 for a clean end. */
void tcp_finish(struct tcp_conn *conn, int error);
/* The same, with a RST to the peer where there is one. RFC 9293 §3.10.5. */
void tcp_abort(struct tcp_conn *conn, int error);
void tcp_orphan_wait(struct tcp_conn *conn);
void tcp_drop_queues(struct tcp_conn *conn);

/* arrival.c */
void tcp_arrive(struct tcp_conn *conn, struct tcp_segment *segment);
void tcp_arrive_established(struct tcp_conn *conn, struct tcp_segment *segment);
void tcp_segment_drop(struct berth_stack *stack, struct tcp_segment *segment, enum berth_event reason);
void tcp_become_established(struct tcp_conn *conn);
void tcp_challenge(struct tcp_conn *conn);
/* May a conversation that answered so at *last (0: never) do it now? */
bool tcp_challenge_allowed(struct berth_stack *stack, berth_time *last);

/* arrival_syn.c */
void tcp_arrive_syn_sent(struct tcp_conn *conn, struct tcp_segment *segment);

/* input.c: from IP to a conversation */
void tcp_input(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info);
void tcp_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted, size_t length);

/* ack.c, text.c: the steps with their own files. Return false when the segment ends there. */
bool tcp_take_ack(struct tcp_conn *conn, struct tcp_segment *segment);
static inline uint32_t tcp_window_of(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	bool syn = segment->flags & WIRE_TCP_SYN; /* never scaled, RFC 7323 §2.2 */

	return (uint32_t)segment->header.window << (syn ? 0 : conn->send_scale);
}
/* RFC 9293 §3.10.7.4: SND.WND, if this is not older than what said it. */
static inline void tcp_update_window(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (!seq_lt(conn->snd_wl1, segment->seq) &&
	    !(conn->snd_wl1 == segment->seq && seq_le(conn->snd_wl2, segment->ack)))
		return;
	conn->snd_wnd = tcp_window_of(conn, segment);
	conn->snd_wl1 = segment->seq;
	conn->snd_wl2 = segment->ack;
	conn->max_window = MAX(conn->max_window, conn->snd_wnd);
	if (conn->snd_wnd && conn->probes)
		conn->rtt.backoff = 0; /* the window is open: probing is over */
}
/* SND.UNA moves to the segment's ACK. Returns true when our FIN is acknowledged: tcp_fin_acknowledged() is last. */
bool tcp_acknowledged(struct tcp_conn *conn, const struct tcp_segment *segment);
void tcp_fin_acknowledged(struct tcp_conn *conn);
void tcp_sample_timestamp(struct tcp_conn *conn, const struct tcp_segment *segment);
bool tcp_may_receive(const struct tcp_conn *conn);
bool tcp_take_text(struct tcp_conn *conn, struct tcp_segment *segment);
/* Text at RCV.NXT, within the window: has it a place with nothing behind gaps, and is there memory? And then take it. */
bool tcp_next_text_fits(const struct tcp_conn *conn, const struct berth_packet *packet);
void tcp_take_next_text(struct tcp_conn *conn, struct tcp_segment *segment);
bool tcp_take_fin(struct tcp_conn *conn, struct tcp_segment *segment);

/* urgent.c */
bool tcp_take_urgent(struct tcp_conn *conn, struct tcp_segment *segment);
bool tcp_urgent_at_mark(const struct tcp_conn *conn);
bool tcp_urgent_hides_next(struct tcp_conn *conn);
/* Of wanted bytes, how many may be read at once, behind *ret_skip that are passed over? */
size_t tcp_urgent_readable(struct tcp_conn *conn, size_t wanted, size_t *ret_skip);
void tcp_urgent_taken(struct tcp_conn *conn); /* bytes were read */
ssize_t tcp_urgent_receive(struct tcp_conn *conn, struct berth_message *message, int flags);
void tcp_urgent_begin(struct tcp_conn *conn);
void tcp_urgent_mark(struct tcp_conn *conn, struct wire_tcp *header);

/* sack.c, loss.c, rack.c: ACKs and losses with SACK */
/* [begin, end) came again: our next ACK says so. It came behind a gap. Nothing lies behind a gap any more. */
void tcp_blocks_duplicate(struct tcp_conn *conn, uint32_t begin, uint32_t end);
void tcp_blocks_early(struct tcp_conn *conn, uint32_t begin, uint32_t end);
void tcp_blocks_drop(struct tcp_conn *conn);
void tcp_sack_begin(struct tcp_conn *conn);
void tcp_sack_take(struct tcp_conn *conn, struct tcp_segment *segment);
bool tcp_loss_ack_all(struct tcp_conn *conn, const struct tcp_segment *segment); /* false: it is not that simple */
void tcp_loss_ack(struct tcp_conn *conn, const struct tcp_segment *segment, const struct delivery *delivery,
		  bool duplicate);
void tcp_loss_timeout(struct tcp_conn *conn);
void tcp_loss_reorder_timeout(struct tcp_conn *conn);
void tcp_loss_sent(struct tcp_conn *conn, uint32_t bytes, bool again);
void tcp_loss_duplicate(struct tcp_conn *conn, uint32_t begin, uint32_t end);
void tcp_rack_update(struct tcp_conn *conn, const struct delivery *delivery);
bool tcp_rack_detect(struct tcp_conn *conn); /* true: something was found lost */
void tcp_rack_duplicate(struct tcp_conn *conn);
void tcp_rack_recovered(struct tcp_conn *conn);
void tcp_probe_arm(struct tcp_conn *conn);
void tcp_probe_timeout(struct tcp_conn *conn);
bool tcp_probe_answered(struct tcp_conn *conn, bool advanced, bool duplicate, const struct delivery *delivery);

/* The window shall shrink though nothing is lost. */
void tcp_loss_congestion(struct tcp_conn *conn);

/* ecn.c */
uint8_t tcp_ecn_syn(const struct tcp_conn *conn);
bool tcp_ecn_accepts(const struct berth_stack *stack, const struct tcp_segment *segment);
void tcp_ecn_begin(struct tcp_conn *conn, const struct tcp_segment *segment);
void tcp_ecn_receive(struct tcp_conn *conn, const struct tcp_segment *segment);
uint8_t tcp_ecn_mark(struct tcp_conn *conn, struct wire_tcp *header, bool fresh, uint8_t traffic_class);
void tcp_ecn_ack(struct tcp_conn *conn, const struct tcp_segment *segment);

/* recovery.c: loss without SACK, RFC 5681 §3.2 and RFC 6582 */
void tcp_recovery_duplicate(struct tcp_conn *conn);
void tcp_recovery_ack(struct tcp_conn *conn, uint32_t acked);
void tcp_recovery_timeout(struct tcp_conn *conn);

/* work.c: before anything is written to conn->work. False: no memory. */
bool tcp_work_need(struct tcp_conn *conn);
/* As new; and gone. */
void tcp_work_reset(struct tcp_conn *conn);
void tcp_work_fini(struct tcp_conn *conn);
void tcp_work_stock_fini(struct tcp_stack *tcp);
static inline bool tcp_working(const struct tcp_conn *conn)
{
	return conn->work != &tcp_work_none;
}
/* The entry point is over: is there nothing to keep it for? No timer and no byte, to begin with. */
void tcp_work_give_back(struct tcp_conn *conn);
static inline void tcp_work_settle(struct tcp_conn *conn)
{
	if (tcp_working(conn) && !conn->work->timers && !conn->work->sendq.head && !conn->work->receiveq.ready)
		tcp_work_give_back(conn);
}

/* rare.c: before anything is written to conn->rare, but for NULL where something was. False: no memory. */
bool tcp_rare_need(struct tcp_conn *conn);
void tcp_rare_reset(struct tcp_conn *conn);
void tcp_rare_fini(struct tcp_conn *conn);
/* sent.c: before anything is written to conn->sent. False: no memory. */
bool tcp_sent_need(struct tcp_conn *conn);
/* As new; and gone. */
void tcp_sent_reset(struct tcp_conn *conn);
void tcp_sent_fini(struct tcp_conn *conn);
/* The conversation is idle: is there anything to keep it for? */
void tcp_sent_settle(struct tcp_conn *conn);
void tcp_sent_stock_fini(struct tcp_stack *tcp);

/* rate.c, pace.c */
struct tcp_rate *tcp_rate_need(struct tcp_conn *conn);
void tcp_rate_drop(struct tcp_conn *conn);
void tcp_rate_sent(struct tcp_conn *conn, struct flight *flight, uint32_t pipe);
void tcp_rate_starved(struct tcp_conn *conn);
/* Once for each ACK: counts what it delivered. */
void tcp_rate_sample(struct tcp_conn *conn, const struct delivery *delivery, struct rate_sample *sample);
uint64_t tcp_rate_delivery(const struct tcp_conn *conn);
uint64_t tcp_pace_rate(const struct tcp_conn *conn);
uint32_t tcp_pace_burst(const struct tcp_conn *conn);
void tcp_pace_check(struct tcp_conn *conn);
bool tcp_pace_waits(struct tcp_conn *conn);
void tcp_pace_sent(struct tcp_conn *conn, uint32_t bytes);
void tcp_pace_timeout(struct tcp_conn *conn);
bool tcp_pace_fills_window(const struct tcp_conn *conn);

/* mtu.c: paths that swallow large packets */
unsigned tcp_mtu_limit(const struct tcp_conn *conn, unsigned mtu);
void tcp_mtu_drop(struct tcp_conn *conn);
void tcp_mtu_timeout(struct tcp_conn *conn);
bool tcp_mtu_probe(struct tcp_conn *conn);
void tcp_mtu_acknowledged(struct tcp_conn *conn);
bool tcp_mtu_probe_lost(struct tcp_conn *conn);

/* congestion.c */
/* The control that acts, which may not be the one that was chosen; see on_sample. */
const struct tcp_congestion *tcp_control(const struct tcp_conn *conn);
void tcp_congestion_begin(struct tcp_conn *conn);
void tcp_congestion_init(struct tcp_conn *conn);
void tcp_congestion_idle(struct tcp_conn *conn); /* data goes out, and nothing is under way */
const struct tcp_congestion *tcp_congestion_find(const char *name, size_t length);
/* conn->own, made now if there is none. False: no memory. */
bool tcp_own_need(struct tcp_conn *conn);
void tcp_own_drop(struct tcp_conn *conn);
uint32_t tcp_initial_window(uint32_t mss);

/* output.c */
void tcp_output(struct tcp_conn *conn);
void tcp_send_syn(struct tcp_conn *conn);
void tcp_send_ack(struct tcp_conn *conn);
void tcp_send_reset(struct tcp_conn *conn);
void tcp_send_probe(struct tcp_conn *conn, bool urgent);
/* Send so much new data as one segment, whatever the MSS. False: no memory. */
bool tcp_output_large(struct tcp_conn *conn, uint32_t length);
/* Send a tail loss probe. True: of new data. */
bool tcp_output_probe(struct tcp_conn *conn);
/* Send what lies at SND.UNA once more, whatever the window. With SACK: what is lost. */
void tcp_retransmit(struct tcp_conn *conn);
/* Send at least what a persist timeout allows. */
void tcp_force_output(struct tcp_conn *conn);

/* Data is sent. It answers data, even if that was acknowledged. Linux: tcp_event_data_sent() */
static inline void tcp_note_answer(struct tcp_conn *conn, berth_time now)
{
	if (conn->unacked_bytes || (conn->unanswered && now - conn->last_heard < TCP_DELAYED_ACK)) {
		conn->interactive = true;
		conn->quick_acks = 0;
	}
	conn->unanswered = false;
}
/* single.c: send all of message, of size bytes, at once and in one segment. False: it is not that simple. */
bool tcp_send_single(struct tcp_conn *conn, const struct berth_message *message, size_t size);

/* emit.c, beside what run.h has */
int tcp_path_find(struct berth_stack *stack, const struct berth_endpoint *local, const struct berth_endpoint *remote,
		  struct ip_path *ret_path);
/* Answer a segment that nobody wants. RFC 9293 §3.5.2 */
void tcp_reply_reset(struct berth_stack *stack, const struct tcp_segment *segment);
/* Send a bare segment to where none of our sockets is asked: requests, TIME-WAITs. */
void tcp_emit_bare(struct berth_stack *stack, const struct demux_node *node, const struct wire_tcp *header);

/* tune.c: buffer sizes. An ACK was taken; the application took bytes. */
void tcp_tune_send_more(struct tcp_conn *conn);
static inline void tcp_tune_send(struct tcp_conn *conn)
{
	if (2 * (uint64_t)MIN(conn->cwnd, conn->snd_wnd) > tcp_socket(conn)->send_buffer)
		tcp_tune_send_more(conn);
}
void tcp_tune_receive(struct tcp_conn *conn, size_t taken);

/* window.c: what we offer, and MSS */
uint16_t tcp_window_to_offer(struct tcp_conn *conn);
void tcp_window_opened(struct tcp_conn *conn);
uint32_t tcp_receive_space(struct tcp_conn *conn);
uint8_t tcp_scale_for(const struct berth_stack *stack);
/* Payload of a segment that the path and the peer can take, were mtu the path's. */
uint16_t tcp_mss_with(struct tcp_conn *conn, unsigned mtu);
void tcp_update_mss(struct tcp_conn *conn, unsigned mtu);
uint16_t tcp_mss_of_mtu(const struct berth_stack *stack, unsigned mtu, bool ip6);
uint32_t tcp_timestamp_now(const struct berth_stack *stack, uint32_t offset);

/* timer.c */
void tcp_timer_set(struct tcp_conn *conn, enum tcp_timer which, berth_time deadline);
static inline bool tcp_timer_on(const struct tcp_conn *conn, enum tcp_timer which)
{
	return conn->work->timers & 1u << which;
}
static inline void tcp_timer_clear(struct tcp_conn *conn, enum tcp_timer which)
{
	if (tcp_timer_on(conn, which))
		conn->work->timers &= (uint8_t) ~(1u << which);
}
void tcp_timer_clear_all(struct tcp_conn *conn);
/* Nothing is set: the timer need not come up. */
void tcp_timer_settle(struct tcp_conn *conn);
void tcp_timer_run(struct berth_timer *timer); /* of a struct tcp_work */
void tcp_timer_keepalive(struct tcp_conn *conn);
void tcp_timer_retransmit(struct tcp_conn *conn);
/* What tcp_timer_retransmit() and tcp_probe_arm() come to when a segment is the only one under way. */
void tcp_timer_single(struct tcp_conn *conn);

/* listen.c, request.c */
int tcp_listen(struct berth_socket *socket, int backlog);
int tcp_accept(struct berth_socket *socket, struct berth_socket **ret_socket);
void tcp_listener_close(struct tcp_conn *conn, bool quiet);
void tcp_listen_arrive(struct tcp_conn *parent, struct tcp_segment *segment, uint32_t isn_hint);
bool tcp_accept_full(const struct tcp_conn *parent);
/* A SYN at a listener begins a handshake. cookie: for Fast Open, or NULL. */
int tcp_request_new(struct tcp_conn *parent, const struct tcp_segment *segment, uint32_t iss,
		    const struct fastopen_cookie *cookie);
/* Fill in what the SYN says, outside of every list. 0, or why there is no way back. */
int tcp_request_init(struct tcp_request *request, struct tcp_conn *parent, const struct tcp_segment *segment);
struct wire_tcp tcp_request_header(const struct tcp_request *request); /* of the SYN-ACK */
/* A socket of what was agreed on, in the accept queue, entered. The request is in no demultiplexer. NULL: no memory. */
struct tcp_conn *tcp_request_spawn(const struct tcp_request *request, const struct tcp_segment *segment);
void tcp_request_free(struct tcp_request *request);
void tcp_request_arrive(struct tcp_request *request, struct tcp_segment *segment);

/* cookie.c: SYN cookies. The SYN-ACK of a SYN for which nothing is kept … */
void tcp_cookie_answer(struct tcp_conn *parent, const struct tcp_segment *syn);
/* … and its ACK. False: it is none. */
bool tcp_cookie_take(struct tcp_conn *parent, struct tcp_segment *segment);

/* fastopen.h's, for output.c and others that know SYNs */

/* timewait.c */
void tcp_timewait_begin(struct tcp_conn *conn);
void tcp_timewait_arrive(struct tcp_timewait *timewait, struct tcp_segment *segment);
void tcp_timewait_init(struct tcp_stack *tcp);
void tcp_timewait_fini(struct tcp_stack *tcp);

/* isn.c: RFC 6528 */
uint32_t tcp_isn(const struct berth_stack *stack, const struct berth_endpoint *local,
		 const struct berth_endpoint *remote);
uint32_t tcp_timestamp_offset(const struct berth_stack *stack, const struct berth_endpoint *local,
			      const struct berth_endpoint *remote);

/* calls.c, options.c: what the socket layer calls */
int tcp_connect(struct berth_socket *socket, const struct berth_endpoint *remote);
int tcp_disconnect(struct berth_socket *socket);
ssize_t tcp_send(struct berth_socket *socket, struct berth_message *message);
ssize_t tcp_receive(struct berth_socket *socket, struct berth_message *message);
int tcp_shutdown(struct berth_socket *socket, int how);
void tcp_release(struct berth_socket *socket, bool abort);
unsigned tcp_readiness(struct berth_socket *socket);
int tcp_at_mark(struct berth_socket *socket);
ssize_t tcp_send_packet(struct berth_socket *socket, struct berth_packet *packet, int flags);
ssize_t tcp_receive_packet(struct berth_socket *socket, struct berth_packet **ret_packet);
bool tcp_writeable(struct tcp_conn *conn);
/* The same, as far as the buffer goes: there may be no memory. */
bool tcp_buffer_writeable(const struct tcp_conn *conn);
uint32_t tcp_unsent(const struct tcp_conn *conn);
bool tcp_readable(struct tcp_conn *conn);
int tcp_setsockopt(struct berth_socket *socket, int name, const void *value, socklen_t length);
int tcp_getsockopt(struct berth_socket *socket, int name, void *value, socklen_t *length);
int tcp_settings_init(struct tcp_stack *tcp);
/* Before settings are written: 0 or -ENOMEM; and after. */
int tcp_settings_own(struct tcp_conn *conn);
void tcp_settings_settle(struct tcp_conn *conn);
/* options_opening.c: -ENOPROTOOPT when name is none of its options */
int tcp_opening_set(struct tcp_conn *conn, int name, const void *value, socklen_t length);
int tcp_opening_get(struct tcp_conn *conn, int name, void *value, socklen_t *length);

#endif
