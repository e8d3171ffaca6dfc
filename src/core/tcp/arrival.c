/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SEGMENT ARRIVES for a conversation, RFC 9293 §3.10.7.4: one function for
 * each step, in the order of the RFC. A step returns false when the segment
 * ends there. The third step (security) has nothing to do.
 */
#include "core/tcp/tcp.h"

typedef bool tcp_step(struct tcp_conn *conn, struct tcp_segment *segment);

void tcp_segment_drop(struct berth_stack *stack, struct tcp_segment *segment, enum berth_event reason)
{
	stack_event_between(stack, reason, IPPROTO_TCP, &segment->local, &segment->remote);
	berth_packet_unref(segment->packet);
	segment->packet = NULL;
}

/*
 * RFC 5961 §7: each conversation has a limit of its own. A stack's one counter would tell whoever shares it, by what
 * is left, how often somebody else's conversation was challenged: enough to guess addresses, ports and sequence
 * numbers (CVE-2016-5696). Linux: __tcp_oow_rate_limited()
 */
bool tcp_challenge_allowed(struct berth_stack *stack, berth_time *last)
{
	if (*last && stack->now - *last < TCP_CHALLENGE_GAP) {
		stack_event(stack, BERTH_EVENT_TCP_CHALLENGE_LIMITED);
		return false;
	}
	*last = MAX(stack->now, 1);
	return true;
}

void tcp_challenge(struct tcp_conn *conn)
{
	if (tcp_rare_need(conn) && tcp_challenge_allowed(tcp_stack_of(conn), &conn->rare->last_challenge))
		tcp_send_ack(conn);
}

/*
 * Answer a segment that is not acceptable with an ACK. Two confused ends must
 * not answer each other for ever, so pure ACKs, and SYNs, are answered as
 * challenges are (Linux: tcp_oow_rate_limited()).
 */
static void answer_unacceptable(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (segment->flags & WIRE_TCP_RST)
		return;
	if (tcp_segment_length(segment) && !(segment->flags & WIRE_TCP_SYN))
		tcp_send_ack(conn);
	else
		tcp_challenge(conn);
}

/* RFC 7323 §5.3 R1: protection against wrapped sequence numbers. */
static bool too_old(const struct tcp_conn *conn, const struct tcp_segment *segment, berth_time now)
{
	return conn->timestamps && segment->header.has_timestamps && !(segment->flags & WIRE_TCP_RST) &&
	       seq_lt(segment->header.timestamp, conn->ts_recent) &&
	       tcp_coarse(now) - conn->ts_recent_at < tcp_coarse(TCP_PAWS_AGE);
}

/*
 * A duplicate ACK that others overtook: it carries no data and moves nothing, so that no wrapped sequence number can
 * do harm, and its SACK blocks are worth having. Linux: tcp_disordered_ack()
 */
static bool overtaken(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	uint32_t behind = conn->ts_recent - segment->header.timestamp; /* ms */

	return segment->flags & WIRE_TCP_ACK && !tcp_segment_length(segment) && segment->seq == conn->rcv_nxt &&
	       segment->ack == conn->snd_una && (uint32_t)segment->header.window << conn->send_scale == conn->snd_wnd &&
	       behind <= tcp_rtt_timeout(&conn->rtt) / BERTH_MSEC;
}

/* RFC 9293 §3.4; as Linux, what lies between our last ACK and RCV.NXT, or ends at the window's edge, is good. */
static bool acceptable(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	uint32_t end = segment->seq + tcp_segment_length(segment);

	return seq_ge(end, seq_min(conn->last_ack_sent, conn->rcv_nxt)) &&
	       seq_le(segment->seq, seq_max(conn->rcv_adv, conn->rcv_nxt));
}

/* A shut window takes no text, but ACK and RST count. §3.10.7.4, first step. */
static void strip_text_for_shut_window(struct tcp_conn *conn, struct tcp_segment *segment)
{
	if (seq_gt(conn->rcv_adv, conn->rcv_nxt) || seq_lt(segment->seq, conn->rcv_nxt) || !tcp_segment_length(segment))
		return;
	segment->length = 0;
	segment->flags &= (uint8_t)~WIRE_TCP_FIN;
	conn->ack_now = true;
}

/* First: the sequence number. */
static bool check_sequence(struct tcp_conn *conn, struct tcp_segment *segment)
{
	struct berth_stack *stack = tcp_stack_of(conn);

	if (too_old(conn, segment, stack->now) && !overtaken(conn, segment)) {
		answer_unacceptable(conn, segment);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_PAWS);
		return false;
	}
	if (!acceptable(conn, segment)) {
		if (conn->sack && segment->length && seq_lt(segment->seq, conn->rcv_nxt))
			tcp_blocks_duplicate(conn, segment->seq,
					     seq_min(segment->seq + segment->length, conn->rcv_nxt));
		answer_unacceptable(conn, segment);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_OUT_OF_WINDOW);
		return false;
	}
	strip_text_for_shut_window(conn, segment);
	return true;
}

static int reset_error(const struct tcp_conn *conn)
{
	switch (conn->state) {
	case TCP_SYN_RECEIVED:
		return conn->opened_fast ? ECONNRESET : ECONNREFUSED;
	case TCP_CLOSE_WAIT:
		return EPIPE; /* Linux: tcp_reset() */
	default:
		return ECONNRESET;
	}
}

/* Second: RST. Only an exact one counts, RFC 5961 §3.2. */
static bool check_reset(struct tcp_conn *conn, struct tcp_segment *segment)
{
	struct berth_stack *stack = tcp_stack_of(conn);

	if (!(segment->flags & WIRE_TCP_RST))
		return true;
	if (segment->seq != conn->rcv_nxt) {
		tcp_challenge(conn);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_RST_CHALLENGED);
		return false;
	}
	tcp_event(conn, BERTH_EVENT_TCP_RST_RECEIVED);
	if (conn->rare->fastopen)
		fastopen_server_reset(conn);
	/* Differs from §3.10.7.4: what came before it stays readable, as everywhere. Linux: tcp_reset() */
	tcp_finish(conn, reset_error(conn));
	return false;
}

/* The SYN-ACK of a peer that opened at the same time as we did. RFC 9293 §3.5, figure 7. */
static bool is_crossing_syn_ack(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	return conn->state == TCP_SYN_RECEIVED && (segment->flags & WIRE_TCP_ACK) && segment->seq == conn->irs &&
	       seq_gt(segment->ack, conn->iss) && seq_le(segment->ack, conn->snd_max);
}

/* Fourth: a SYN in a conversation is challenged, RFC 5961 §4.2. */
static bool check_syn(struct tcp_conn *conn, struct tcp_segment *segment)
{
	if (!(segment->flags & WIRE_TCP_SYN))
		return true;
	if (is_crossing_syn_ack(conn, segment)) {
		segment->seq++;
		segment->flags &= (uint8_t)~WIRE_TCP_SYN;
		/* its window field is not scaled, as in any SYN */
		segment->header.window = (uint16_t)(segment->header.window >> conn->send_scale);
		return true;
	}
	tcp_challenge(conn);
	tcp_segment_drop(tcp_stack_of(conn), segment, BERTH_EVENT_TCP_DROP_RST_CHALLENGED);
	return false;
}

/*
 * RFC 7323 §4.3: remember the timestamp that our next ACK is to echo. Once the
 * ACK field was good: a forged segment must not leave one that makes the
 * peer's own look old.
 */
static bool note_timestamp(struct tcp_conn *conn, struct tcp_segment *segment)
{
	const struct wire_tcp *header = &segment->header;

	if (conn->timestamps && header->has_timestamps && seq_le(segment->seq, conn->last_ack_sent) &&
	    !too_old(conn, segment, tcp_stack_of(conn)->now)) {
		conn->ts_recent = header->timestamp;
		conn->ts_recent_at = tcp_coarse(tcp_stack_of(conn)->now);
	}
	return true;
}

static tcp_step *const steps[] = {
	check_sequence, check_reset,	 check_syn,	tcp_take_ack,
	note_timestamp, tcp_take_urgent, tcp_take_text, tcp_take_fin,
};

/*
 * Something new was acknowledged or received: what we send arrives, and the
 * neighbour need not be asked. RFC 4861 §7.3.1; once a second is often enough.
 */
static void confirm_path(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	const struct ip_path *path = tcp_socket(conn)->path;
	uint32_t now = tcp_coarse(stack->now);

	if (conn->confirmed == now)
		return;
	conn->confirmed = now;
	if (ip_path_valid(stack, path))
		ip_path_confirm(path, tcp_socket(conn)->demux.remote.ip);
}

/*
 * The next segment of a conversation in which nothing is amiss, with text for which there is room and memory, or
 * none; and it acknowledges everything, or nothing is under way. (Van Jacobson's header prediction.)
 */
static bool is_expected(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const struct wire_tcp *header = &segment->header;

	return conn->state == TCP_ESTABLISHED && (segment->flags & ~WIRE_TCP_PSH) == WIRE_TCP_ACK &&
	       segment->seq == conn->rcv_nxt && segment->ack == conn->snd_max && !header->sack_count && conn->sack &&
	       !conn->busy && !conn->ecn && !conn->fin_early && conn->urgent_in == TCP_URGENT_NONE &&
	       (!conn->timestamps || (header->has_timestamps && seq_ge(header->timestamp, conn->ts_recent))) &&
	       seq_diff(conn->rcv_adv, conn->rcv_nxt) >= (int32_t)segment->length;
}

/*
 * What tcp_arrive_established() comes to for such a segment: each step below is one of those there, without what can't
 * be. False: nothing was done, it has to go that way.
 */
static bool take_expected(struct tcp_conn *conn, struct tcp_segment *segment)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	bool acknowledges = conn->snd_una != segment->ack, text = segment->length;

	if (!is_expected(conn, segment) || !tcp_work_need(conn) || (text && !tcp_next_text_fits(conn, segment->packet)))
		return false;
	conn->wake |= text; /* so that nobody need look whether the ACK is a reason to */
	if (acknowledges && !tcp_loss_ack_all(conn, segment))
		return false;
	conn->busy = 1;
	conn->last_heard = stack->now;
	conn->keepalives = 0;
	tcp_update_window(conn, segment);
	conn->probes = 0;
	tcp_tune_send(conn);
	if (conn->timestamps && segment->seq == conn->last_ack_sent) {
		conn->ts_recent = segment->header.timestamp;
		conn->ts_recent_at = tcp_coarse(stack->now);
	}
	if (text)
		tcp_take_next_text(conn, segment);
	if (text || acknowledges)
		confirm_path(conn);
	tcp_output(conn);
	if (conn->ack_now && conn->state != TCP_CLOSED)
		tcp_send_ack(conn);
	return true;
}

void tcp_arrive_established(struct tcp_conn *conn, struct tcp_segment *segment)
{
	uint32_t acknowledged = conn->snd_una, received = conn->rcv_nxt;

	if (!tcp_work_need(conn)) {
		tcp_segment_drop(tcp_stack_of(conn), segment, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return;
	}
	conn->last_heard = tcp_stack_of(conn)->now;
	conn->keepalives = 0;
	for (size_t i = 0; i < COUNT_OF(steps); i++)
		if (!steps[i](conn, segment))
			return;
	if (conn->snd_una != acknowledged || conn->rcv_nxt != received)
		confirm_path(conn);
	tcp_output(conn);
	if (conn->ack_now && conn->state != TCP_CLOSED)
		tcp_send_ack(conn);
}

void tcp_become_established(struct tcp_conn *conn)
{
	tcp_set_state(conn, TCP_ESTABLISHED);
	conn->ever_connected = true;
	conn->last_heard = tcp_stack_of(conn)->now;
	tcp_congestion_init(conn);
	conn->timeouts = 0;
	conn->soft_error = 0;
	fastopen_end(conn);
	tcp_timer_clear(conn, TCP_TIMER_RETRANSMIT);
	tcp_timer_keepalive(conn);
	tcp_timer_settle(conn);
	if (!conn->released)
		tcp_socket(conn)->state = SOCKET_CONNECTED;
	if (conn->fin_queued) /* CLOSE came while the handshake was under way, §3.10.4 */
		tcp_set_state(conn, TCP_FIN_WAIT_1);
}

void tcp_arrive(struct tcp_conn *conn, struct tcp_segment *segment)
{
	conn->counters.segments_in++;
	if (take_expected(conn, segment)) {
		tcp_leave(conn);
		return;
	}
	tcp_enter(conn);
	if (conn->state == TCP_SYN_SENT)
		tcp_arrive_syn_sent(conn, segment);
	else if (fastopen_server_syn_again(conn, segment))
		;
	else if (conn->state == TCP_CLOSED)
		tcp_reply_reset(tcp_stack_of(conn), segment); /* §3.10.7.1 */
	else
		tcp_arrive_established(conn, segment);
	tcp_leave(conn);
}
