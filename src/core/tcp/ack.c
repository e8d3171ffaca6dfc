/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACK field. RFC 9293 §3.10.7.4, fifth step; RFC 5961 §5; RFC 5681 §2. */
#include "core/tcp/tcp.h"

/* RFC 5681 §2: same ACK, no data, same window, something under way. */
static bool is_duplicate(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	return segment->ack == conn->snd_una && !tcp_segment_length(segment) && tcp_flight(conn) &&
	       tcp_window_of(conn, segment) == conn->snd_wnd;
}

/*
 * RFC 7323 §4, for when Karn forbids to time a segment of our own. An echo from
 * before the last resending is no measure: when the ACK of the first sending
 * was lost, the answer to the second may echo the first's time (a duplicate
 * does not move TS.Recent), and the sample would be the timeout itself.
 */
void tcp_sample_timestamp(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	berth_time now = tcp_stack_of(conn)->now, elapsed;

	if (!conn->timestamps || !segment->header.has_timestamps)
		return;
	elapsed = (tcp_timestamp_now(tcp_stack_of(conn), conn->timestamp_offset) - segment->header.timestamp_echo) *
		  BERTH_MSEC;
	if (elapsed <= now - conn->rare->last_resent + BERTH_MSEC)
		tcp_rtt_sample(&conn->rtt, MAX(elapsed, BERTH_MSEC / 2));
}

static void sample_rtt(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (!conn->work->timed) {
		tcp_sample_timestamp(conn, segment);
	} else if (seq_ge(segment->ack, conn->work->timed_seq)) {
		tcp_rtt_sample(&conn->rtt, tcp_stack_of(conn)->now - conn->work->timed_at);
		conn->work->timed = false;
	}
}

void tcp_fin_acknowledged(struct tcp_conn *conn)
{
	if (conn->state == TCP_FIN_WAIT_1) {
		tcp_set_state(conn, TCP_FIN_WAIT_2);
		if (conn->released)
			tcp_orphan_wait(conn);
	} else if (conn->state == TCP_CLOSING) {
		tcp_timewait_begin(conn);
	} else if (conn->state == TCP_LAST_ACK) {
		tcp_finish(conn, 0);
	}
}

bool tcp_acknowledged(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	uint32_t acked = segment->ack - conn->snd_una;
	bool fin = tcp_fin_sent(conn) && segment->ack == tcp_data_end(conn) + 1;
	bool was_writeable = conn->wake || tcp_writeable(conn);

	sendq_release(&conn->work->sendq, acked - fin);
	conn->counters.bytes_acked += acked - fin;
	conn->snd_una = segment->ack;
	conn->snd_nxt = seq_max(conn->snd_nxt, conn->snd_una);
	if (conn->urgent_out && seq_ge(conn->snd_una, conn->work->urgent_end))
		conn->urgent_out = false;
	conn->work->first_sent = tcp_stack_of(conn)->now;
	conn->timeouts = 0;
	conn->soft_error = 0;
	if (conn->work->mtu_search)
		tcp_mtu_acknowledged(conn);
	if (fin) {
		conn->fin_queued = false;
		conn->fin_acked = true;
	}
	conn->wake |= !was_writeable && tcp_writeable(conn);
	return fin;
}

static void new_data_acknowledged(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	uint32_t acked = segment->ack - conn->snd_una, flight = tcp_flight(conn);
	bool was_recovering = conn->in_recovery, fin;

	sample_rtt(conn, segment);
	fin = tcp_acknowledged(conn, segment);
	tcp_recovery_ack(conn, acked);
	if (!was_recovering && (!tcp_paced(conn) || tcp_pace_fills_window(conn)) &&
	    (conn->cwnd_limited || (conn->cwnd < conn->ssthresh && conn->cwnd < 2 * flight)))
		tcp_control(conn)->on_ack(conn, acked);
	if (tcp_flight(conn))
		tcp_timer_retransmit(conn); /* RFC 6298 §5.3 */
	else
		tcp_timer_clear(conn, TCP_TIMER_RETRANSMIT); /* §5.2 */
	if (fin)
		tcp_fin_acknowledged(conn);
}

/* RFC 9293: our SYN is acknowledged, or the segment is refused. */
static bool take_syn_ack(struct tcp_conn *conn, struct tcp_segment *segment)
{
	if (!seq_gt(segment->ack, conn->iss) || seq_gt(segment->ack, conn->snd_max)) {
		tcp_reply_reset(tcp_stack_of(conn), segment);
		tcp_segment_drop(tcp_stack_of(conn), segment, BERTH_EVENT_TCP_DROP_BAD_ACK);
		return false;
	}
	sample_rtt(conn, segment);
	conn->snd_wl1 = segment->seq;
	conn->snd_wl2 = segment->ack;
	conn->snd_wnd = tcp_window_of(conn, segment);
	conn->max_window = MAX(conn->max_window, conn->snd_wnd);
	conn->snd_una = conn->iss + 1;
	if (!conn->opened_fast)
		fastopen_client_answered(conn, segment);
	tcp_become_established(conn);
	if (tcp_flight(conn)) /* Fast Open: sent before this came */
		tcp_timer_retransmit(conn);
	return true;
}

/* An ACK outside of SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT is someone else's. RFC 5961 §5.2. */
static bool plausible(struct tcp_conn *conn, struct tcp_segment *segment)
{
	if (seq_le(segment->ack, conn->snd_max) && seq_ge(segment->ack, conn->snd_una - conn->max_window))
		return true;
	tcp_challenge(conn);
	tcp_segment_drop(tcp_stack_of(conn), segment, BERTH_EVENT_TCP_DROP_BAD_ACK);
	return false;
}

bool tcp_take_ack(struct tcp_conn *conn, struct tcp_segment *segment)
{
	bool duplicate;

	if (!(segment->flags & WIRE_TCP_ACK)) {
		tcp_segment_drop(tcp_stack_of(conn), segment, BERTH_EVENT_TCP_DROP_NO_ACK);
		return false;
	}
	if (conn->state == TCP_SYN_RECEIVED && !take_syn_ack(conn, segment))
		return false;
	if (!plausible(conn, segment))
		return false;
	if (seq_lt(segment->ack, conn->snd_una))
		return true; /* an old one: its data may still be good */
	duplicate = is_duplicate(conn, segment);
	tcp_update_window(conn, segment);
	conn->probes = 0; /* the peer lives: probing goes on for as long as it answers */
	if (conn->ecn)
		tcp_ecn_ack(conn, segment);
	if (conn->sack)
		tcp_sack_take(conn, segment);
	else if (seq_gt(segment->ack, conn->snd_una))
		new_data_acknowledged(conn, segment);
	else if (duplicate)
		tcp_recovery_duplicate(conn);
	tcp_tune_send(conn);
	return conn->state != TCP_CLOSED;
}
