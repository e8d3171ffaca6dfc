/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TIME-WAIT, RFC 9293 §3.6.1: a small struct that keeps the four-tuple and the
 * port for 60 s (Linux: TCP_TIMEWAIT_LEN), answers a FIN that comes again and
 * gives way to a new conversation where that is safe (RFC 6191).
 *
 * All wait equally long, so they stand in one list in order of expiry and one
 * timer serves them.
 */
#include "core/tcp/tcp.h"

static void timewait_free(struct tcp_timewait *timewait)
{
	struct tcp_stack *tcp = timewait->tcp;

	demux_remove(tcp->stack, &timewait->demux);
	port_release(tcp->stack, &timewait->claim);
	list_remove(&timewait->node);
	tcp->timewait_count--;
	stack_free(tcp->stack, timewait, sizeof(*timewait));
}

static int timewait_schedule(struct tcp_timewait *timewait)
{
	struct tcp_stack *tcp = timewait->tcp;

	timewait->expiry = tcp->stack->now + TCP_TIME_WAIT_TIME;
	list_remove(&timewait->node);
	list_append(&tcp->timewaits, &timewait->node);
	if (timer_armed(&tcp->timewait_timer))
		return 0;
	return timers_set(&tcp->stack->timers, &tcp->timewait_timer, timewait->expiry);
}

static void timewait_run(struct berth_timer *timer)
{
	struct tcp_stack *tcp = CONTAINER_OF(timer, struct tcp_stack, timewait_timer);
	struct tcp_timewait *first;

	while ((first = LIST_FIRST(&tcp->timewaits, struct tcp_timewait, node))) {
		if (first->expiry > tcp->stack->now) {
			(void)timers_set(&tcp->stack->timers, timer, first->expiry);
			return;
		}
		timewait_free(first);
	}
}

static struct tcp_timewait *timewait_new(struct tcp_conn *conn)
{
	struct berth_socket *socket = tcp_socket(conn);
	struct tcp_stack *tcp = tcp_of(socket->stack);
	struct tcp_timewait *timewait;

	if (tcp->timewait_count >= socket->stack->limits.time_wait) {
		stack_event(socket->stack, BERTH_EVENT_TCP_TIME_WAIT_LIMIT);
		return NULL;
	}
	timewait = stack_alloc(socket->stack, sizeof(*timewait));
	if (!timewait)
		return NULL;
	timewait->tcp = tcp;
	timewait->demux.kind = DEMUX_TIMEWAIT;
	timewait->demux.protocol = IPPROTO_TCP;
	timewait->demux.local = socket->demux.local;
	timewait->demux.remote = socket->demux.remote;
	timewait->snd_nxt = conn->snd_max;
	timewait->rcv_nxt = conn->rcv_nxt;
	timewait->timestamps = conn->timestamps;
	timewait->timestamp_offset = conn->timestamp_offset;
	timewait->ts_recent = conn->ts_recent;
	timewait->ts_recent_at = conn->ts_recent_at;
	timewait->window = (uint16_t)((conn->rcv_adv - conn->rcv_nxt) >> conn->receive_scale);
	timewait->claim = socket->claim;
	list_init(&timewait->claim.node);
	timewait->claim.of_socket = false;
	timewait->claim.listening = false;
	list_init(&timewait->node);
	return timewait;
}

void tcp_timewait_begin(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	struct tcp_timewait *timewait;

	tcp_set_state(conn, TCP_TIME_WAIT);
	if (conn->ack_now)
		tcp_send_ack(conn);
	timewait = timewait_new(conn);
	if (timewait) {
		timewait->tcp->timewait_count++;
		if (demux_replace(stack, &tcp_socket(conn)->demux, &timewait->demux) < 0 ||
		    port_claim_share(stack, &timewait->claim) < 0 || timewait_schedule(timewait) < 0)
			timewait_free(timewait);
	}
	tcp_finish(conn, 0);
}

static void timewait_ack(struct tcp_timewait *timewait)
{
	struct berth_stack *stack = timewait->tcp->stack;
	struct wire_tcp header = {
		.source_port = timewait->demux.local.port,
		.destination_port = timewait->demux.remote.port,
		.seq = timewait->snd_nxt,
		.ack = timewait->rcv_nxt,
		.flags = WIRE_TCP_ACK,
		.window = timewait->window,
		.has_timestamps = timewait->timestamps,
		.timestamp = tcp_timestamp_now(stack, timewait->timestamp_offset),
		.timestamp_echo = timewait->ts_recent,
	};

	if (tcp_challenge_allowed(stack, &timewait->last_challenge))
		tcp_emit_bare(stack, &timewait->demux, &header);
}

static bool too_old(const struct tcp_timewait *timewait, const struct tcp_segment *segment)
{
	return timewait->timestamps && segment->header.has_timestamps &&
	       seq_lt(segment->header.timestamp, timewait->ts_recent) &&
	       tcp_coarse(timewait->tcp->stack->now) - timewait->ts_recent_at < tcp_coarse(TCP_PAWS_AGE);
}

/* RFC 6191 §2: a later timestamp, or a higher sequence number, proves a SYN new. */
static bool is_new_syn(const struct tcp_timewait *timewait, const struct tcp_segment *segment)
{
	if ((segment->flags & (WIRE_TCP_SYN | WIRE_TCP_ACK | WIRE_TCP_RST)) != WIRE_TCP_SYN)
		return false;
	if (timewait->timestamps && segment->header.has_timestamps && segment->header.timestamp != timewait->ts_recent)
		return seq_gt(segment->header.timestamp, timewait->ts_recent);
	return seq_gt(segment->seq, timewait->rcv_nxt);
}

/* Does the segment begin a new conversation? Then timewait is gone. */
static bool give_way(struct tcp_timewait *timewait, struct tcp_segment *segment)
{
	struct berth_stack *stack = timewait->tcp->stack;
	struct berth_socket *socket;
	uint32_t isn;

	if (!is_new_syn(timewait, segment))
		return false;
	socket = port_find_bound(stack, IPPROTO_TCP, &segment->local, &segment->remote, segment->info->link);
	if (!socket || tcp_conn_of(socket)->state != TCP_LISTEN)
		return false;
	isn = timewait->snd_nxt + UINT16_MAX + 2; /* above all that was sent. Linux: tcp_timewait_state_process() */
	timewait_free(timewait);
	stack_event(stack, BERTH_EVENT_TCP_TIME_WAIT_REUSED);
	tcp_listen_arrive(tcp_conn_of(socket), segment, isn ? isn : 1);
	return true;
}

/*
 * RFC 9293 §3.10.7.4: CLOSED. An exact one only (RFC 5961): it comes from a peer that begins anew with our old ports, and
 * that our ACK told it can't; RFC 1337's fix would leave it waiting for a minute. Linux: tcp_rfc1337 0
 */
static void timewait_reset(struct tcp_timewait *timewait, struct tcp_segment *segment)
{
	struct berth_stack *stack = timewait->tcp->stack;

	if (segment->seq != timewait->rcv_nxt || too_old(timewait, segment)) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_OUT_OF_WINDOW);
		return;
	}
	stack_event_between(stack, BERTH_EVENT_TCP_RST_RECEIVED, IPPROTO_TCP, &segment->local, &segment->remote);
	timewait_free(timewait);
}

void tcp_timewait_arrive(struct tcp_timewait *timewait, struct tcp_segment *segment)
{
	struct berth_stack *stack = timewait->tcp->stack;

	if (segment->flags & WIRE_TCP_RST) {
		timewait_reset(timewait, segment);
		return;
	}
	if (too_old(timewait, segment)) {
		timewait_ack(timewait);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_PAWS);
		return;
	}
	if (give_way(timewait, segment))
		return;
	if (segment->seq == timewait->rcv_nxt && !tcp_segment_length(segment))
		return; /* an ACK: nothing to say */
	if ((segment->flags & WIRE_TCP_FIN) && segment->seq + tcp_segment_length(segment) == timewait->rcv_nxt)
		(void)timewait_schedule(timewait); /* §3.10.7.4: restart the 2 MSL timeout */
	timewait_ack(timewait);
}

void tcp_timewait_init(struct tcp_stack *tcp)
{
	list_init(&tcp->timewaits);
	tcp->timewait_timer.run = timewait_run;
}

void tcp_timewait_fini(struct tcp_stack *tcp)
{
	timers_cancel(&tcp->stack->timers, &tcp->timewait_timer);
	while (!list_empty(&tcp->timewaits))
		timewait_free(LIST_FIRST(&tcp->timewaits, struct tcp_timewait, node));
}
