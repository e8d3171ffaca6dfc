/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What losses do to a conversation with SACK; the one without is recovery.c's.
 *
 * Three situations: open; in_recovery, while the window is brought down by
 * proportional rate reduction (RFC 6937) and rack.c says what is lost; in_loss
 * after a timeout, in slow start. Both end when SND.UNA reaches recover, the
 * end of what was out when they began. Each may turn out to have been for
 * nothing: by F-RTO (RFC 5682 §3), by an echoed timestamp that is older than
 * the first resending (Eifel, RFC 3522), or by DSACKs for everything that was
 * sent again. Then the window is what it was (RFC 4015 in Linux's form).
 */
#include "core/tcp/tcp.h"

static void undo_begin(struct tcp_conn *conn)
{
	conn->sent->undo = (struct tcp_undo){
		.possible = true,
		.from = conn->snd_una,
		.cwnd = conn->cwnd,
		.ssthresh = conn->ssthresh,
	};
}

static uint32_t flight_for_control(const struct tcp_conn *conn)
{
	return MIN(tcp_flight(conn), conn->cwnd); /* what was SACKed is not under way */
}

/* Bring the window down to ssthresh over the next round trip. */
static void reduction_begin(struct tcp_conn *conn)
{
	conn->recover = conn->snd_max;
	conn->in_recovery = true;
	conn->sent->reduction = (struct tcp_reduction){ .cwnd = MAX(conn->cwnd, conn->mss) };
	conn->ssthresh = tcp_control(conn)->on_loss(conn, flight_for_control(conn));
	conn->ecn_reduced = conn->ecn; /* the peer may stop telling of marks: this is the answer */
	tcp_timer_clear(conn, TCP_TIMER_PROBE);
}

void tcp_loss_congestion(struct tcp_conn *conn)
{
	if (tcp_control(conn)->on_sample || !tcp_sent_need(conn))
		return; /* it has its own measure of congestion. Linux: BBR and marks */
	conn->sent->undo.possible = false;
	conn->sent->probe.out = false;
	reduction_begin(conn);
}

static void recovery_begin(struct tcp_conn *conn)
{
	undo_begin(conn);
	reduction_begin(conn);
	conn->sent->probe.out = false;
	tcp_event(conn, BERTH_EVENT_TCP_FAST_RETRANSMIT);
}

/* RFC 6937 §3.1, with the slow start reduction bound for an ACK that advances. */
static void reduce(struct tcp_conn *conn, const struct delivery *delivery, bool advanced)
{
	struct tcp_reduction *reduction = &conn->sent->reduction;
	uint32_t pipe = conn->sent->board.pipe, send;

	if (tcp_control(conn)->on_sample)
		return;
	reduction->delivered += delivery->bytes;
	if (pipe > conn->ssthresh) {
		uint64_t target =
			((uint64_t)reduction->delivered * conn->ssthresh + reduction->cwnd - 1) / reduction->cwnd;

		send = target > reduction->out ? (uint32_t)MIN(target - reduction->out, UINT32_MAX / 2) : 0;
	} else {
		uint32_t owed = reduction->delivered > reduction->out ? reduction->delivered - reduction->out : 0;

		send = MAX(owed, delivery->bytes) + (advanced ? conn->mss : 0);
		send = MIN(send, conn->ssthresh - pipe);
	}
	if (!reduction->out) /* the fast retransmit itself */
		send = MAX(send, conn->mss);
	conn->cwnd = pipe + send;
}

static void recovery_end(struct tcp_conn *conn)
{
	conn->in_recovery = false;
	if (!tcp_control(conn)->on_sample)
		conn->cwnd = MAX(conn->ssthresh, conn->mss);
	conn->work->cwnd_acked = 0;
	tcp_rack_recovered(conn);
}

static void loss_end(struct tcp_conn *conn)
{
	conn->in_loss = conn->f_rto = false;
}

/* It was for nothing. */
static void undo(struct tcp_conn *conn)
{
	conn->in_recovery = false;
	loss_end(conn);
	conn->cwnd = MAX(conn->cwnd, conn->sent->undo.cwnd);
	conn->ssthresh = MAX(conn->ssthresh, conn->sent->undo.ssthresh);
	conn->sent->undo.possible = false;
	scoreboard_find_again(&conn->sent->board);
	if (tcp_control(conn)->on_undo)
		tcp_control(conn)->on_undo(conn);
	tcp_event(conn, BERTH_EVENT_TCP_SPURIOUS);
}

/* Does the ACK answer something that was sent before the first resending? */
static bool echoes_original(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	return conn->sent->undo.stamped && conn->timestamps && segment->header.has_timestamps &&
	       seq_lt(segment->header.timestamp_echo, conn->sent->undo.stamp);
}

static bool was_for_nothing(const struct tcp_conn *conn, const struct tcp_segment *segment, bool advanced)
{
	const struct tcp_undo *undo = &conn->sent->undo;

	if (!undo->possible || !undo->stamped)
		return false;
	return undo->bytes == 0 || (advanced && (conn->in_recovery || conn->in_loss) && echoes_original(conn, segment));
}

/* RFC 5682 §3: the answers to the first segments after a timeout tell whether it was spurious. */
static bool f_rto_step(struct tcp_conn *conn, const struct delivery *delivery, bool advanced)
{
	if (delivery->original) {
		undo(conn);
		return true;
	}
	if (seq_gt(conn->snd_max, conn->recover)) { /* step 3: new data was sent */
		if (!advanced || delivery->sacked)
			conn->f_rto = false;
	} else if (advanced && seq_lt(conn->snd_una, conn->recover)) { /* step 2b: send new data if there is some */
		conn->recover = conn->snd_max;
		conn->f_rto = conn->send_new =
			seq_gt(tcp_data_end(conn), conn->snd_max) && conn->snd_wnd > tcp_flight(conn);
	}
	return false;
}

static void loss_step(struct tcp_conn *conn, const struct delivery *delivery, bool advanced)
{
	if (conn->f_rto && f_rto_step(conn, delivery, advanced))
		return;
	if (seq_ge(conn->snd_una, conn->recover))
		loss_end(conn);
}

static void grow(struct tcp_conn *conn, uint32_t acked, uint32_t bytes)
{
	uint32_t flight = tcp_flight(conn) + acked;

	if (tcp_paced(conn) && !tcp_pace_fills_window(conn))
		return;
	if (conn->cwnd_limited || (conn->cwnd < conn->ssthresh && conn->cwnd < 2 * flight))
		tcp_control(conn)->on_ack(conn, bytes);
}

/*
 * What tcp_sack_take() comes to when nothing is amiss and all that is under way was sent in one go: as with single
 * requests and their answers.
 */
bool tcp_loss_ack_all(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const struct tcp_sent *sent = conn->sent;
	uint32_t acked = segment->ack - conn->snd_una;
	struct flight *flight;
	bool fin;

	if (segment->ack != conn->snd_max || segment->header.sack_count || conn->in_recovery || conn->in_loss ||
	    conn->rate || conn->settings->congestion->on_sample || sent->probe.out || sent->undo.possible)
		return false;
	flight = scoreboard_only(&sent->board);
	if (!flight || flight->end != segment->ack)
		return false;
	conn->sent->rack.rtt = tcp_stack_of(conn)->now - flight->sent;
	conn->sent->rack.serial = flight->serial;
	conn->sent->rack.end = flight->end;
	scoreboard_end_only(&conn->sent->board, flight);
	tcp_rtt_sample(&conn->rtt, sent->rack.rtt);
	fin = tcp_acknowledged(conn, segment);
	tcp_timer_clear(conn, TCP_TIMER_RETRANSMIT); /* RFC 6298 §5.2 */
	tcp_timer_clear(conn, TCP_TIMER_PROBE);
	tcp_timer_clear(conn, TCP_TIMER_REORDER);
	grow(conn, acked, acked);
	if (fin)
		tcp_fin_acknowledged(conn);
	return true;
}

void tcp_loss_ack(struct tcp_conn *conn, const struct tcp_segment *segment, const struct delivery *delivery,
		  bool duplicate)
{
	const struct tcp_congestion *control = tcp_control(conn);
	bool advanced = delivery->acked, was_recovering = conn->in_recovery, lost;
	struct rate_sample sample = { .prior_pipe = conn->sent->board.pipe + delivery->bytes };
	uint32_t lost_before = conn->sent->board.lost_bytes;

	tcp_rate_sample(conn, delivery, &sample);
	tcp_rack_update(conn, delivery);
	lost = tcp_rack_detect(conn);
	sample.lost = conn->sent->board.lost_bytes - lost_before;
	lost = lost && !tcp_mtu_probe_lost(conn);
	if (tcp_probe_answered(conn, advanced, duplicate, delivery) && !conn->in_recovery && !conn->in_loss)
		reduction_begin(conn);
	if ((duplicate || advanced) && was_for_nothing(conn, segment, advanced))
		undo(conn);
	else if (conn->in_loss)
		loss_step(conn, delivery, advanced);
	else if (conn->in_recovery && seq_ge(conn->snd_una, conn->recover))
		recovery_end(conn);
	if (!conn->in_loss && !conn->in_recovery && (lost || was_recovering) && conn->sent->board.lost_bytes)
		recovery_begin(conn);
	if (control->on_sample)
		control->on_sample(conn, &sample);
	else if (conn->in_recovery)
		reduce(conn, delivery, advanced);
	else if (advanced && !was_recovering)
		grow(conn, delivery->acked, delivery->bytes);
}

void tcp_loss_reorder_timeout(struct tcp_conn *conn)
{
	struct delivery nothing = { .bytes = 0 };

	if (!tcp_rack_detect(conn))
		return;
	if (!tcp_mtu_probe_lost(conn) && !conn->in_recovery && !conn->in_loss)
		recovery_begin(conn);
	if (conn->in_recovery)
		reduce(conn, &nothing, false);
	tcp_output(conn);
}

void tcp_loss_timeout(struct tcp_conn *conn)
{
	const struct flight *first = scoreboard_first(&conn->sent->board);

	if (!tcp_sent_need(conn))
		return;
	conn->f_rto = !conn->in_recovery;
	if (!conn->timeouts && !conn->in_recovery) { /* once for each loss, RFC 5681 §3.1 */
		undo_begin(conn);
		conn->ssthresh = tcp_control(conn)->on_loss(conn, flight_for_control(conn));
	}
	conn->in_recovery = false;
	conn->in_loss = true;
	conn->sent->probe.out = false;
	conn->recover = conn->snd_max;
	conn->cwnd = conn->mss;
	conn->work->cwnd_acked = 0;
	if (first && first->state == FLIGHT_SACKED) /* it would have been acknowledged. RFC 2018 §8 */
		scoreboard_renege(&conn->sent->board);
	scoreboard_lose_all(&conn->sent->board);
	tcp_timer_clear(conn, TCP_TIMER_PROBE);
	tcp_timer_clear(conn, TCP_TIMER_REORDER);
}

/* bytes are sent again (or for the first time). */
void tcp_loss_sent(struct tcp_conn *conn, uint32_t bytes, bool again)
{
	if (conn->in_recovery)
		conn->sent->reduction.out += bytes;
	if (!again || !conn->sent->undo.possible)
		return;
	conn->sent->undo.bytes += bytes;
	if (!conn->sent->undo.stamped) {
		conn->sent->undo.stamped = true;
		conn->sent->undo.stamp = tcp_timestamp_now(tcp_stack_of(conn), conn->timestamp_offset);
	}
}

/* The peer got [begin, end) twice. */
void tcp_loss_duplicate(struct tcp_conn *conn, uint32_t begin, uint32_t end)
{
	tcp_rack_duplicate(conn);
	if (conn->sent->undo.possible && seq_gt(end, conn->sent->undo.from))
		conn->sent->undo.bytes -= MIN(conn->sent->undo.bytes, end - begin);
}
