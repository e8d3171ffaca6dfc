/* SPDX-License-Identifier: BSD-2-Clause */
/* SEGMENT ARRIVES in SYN-SENT, RFC 9293 §3.10.7.3. */
#include "core/tcp/tcp.h"

#define ANSWER_DELAY (200 * BERTH_MSEC) /* Linux: TCP_DELACK_MAX */

static bool ack_acceptable(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	return seq_gt(segment->ack, conn->iss) && seq_le(segment->ack, conn->snd_max);
}

/* What the peer's SYN offers and so do we. RFC 7323 §2.2, §3.2; RFC 9293 §3.7.1 (default MSS). */
static void take_options(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const struct wire_tcp *header = &segment->header;
	bool ip6 = ip_is6(segment->remote.ip);

	conn->peer_mss = header->has_mss ? header->mss : ip6 ? 1220 : 536;
	conn->scaling = header->has_scale;
	conn->send_scale = header->has_scale ? header->scale : 0;
	if (!header->has_scale)
		conn->receive_scale = 0;
	conn->timestamps = header->has_timestamps && tcp_stack_of(conn)->limits.timestamps == BERTH_TIMESTAMPS_ON;
	if (header->has_sack_permitted)
		tcp_sack_begin(conn);
	tcp_ecn_begin(conn, segment);
	if (conn->timestamps) {
		conn->ts_recent = header->timestamp;
		conn->ts_recent_at = tcp_coarse(tcp_stack_of(conn)->now);
	}
	conn->mss_mtu = 0; /* compute MSS anew */
}

static void take_syn(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const struct ip_path *path;

	conn->irs = segment->seq;
	conn->rcv_nxt = conn->last_ack_sent = segment->seq + 1;
	conn->rcv_adv = conn->rcv_nxt + MIN(tcp_receive_space(conn), UINT16_MAX); /* as our SYN said */
	take_options(conn, segment);
	tcp_update_mss(conn, socket_path(tcp_socket(conn), &path) == 0 ? path->mtu : 576);
	conn->receive_mss = conn->mss;
	conn->snd_wnd = conn->max_window = segment->header.window;
	conn->snd_wl1 = segment->seq;
	conn->snd_wl2 = segment->ack;
}

/* Linux: TCP_DEFER_ACCEPT at a client, or a write that waits, says that data follows, which saves an ACK. */
static bool answer_may_wait(struct tcp_conn *conn)
{
	if (fastopen_client_has_more(conn))
		conn->interactive = true;
	return conn->settings->defer_accept || fastopen_client_has_more(conn);
}

static void connected(struct tcp_conn *conn, struct tcp_segment *segment)
{
	bool delay;

	delay = answer_may_wait(conn);
	conn->snd_una = conn->iss + 1;
	fastopen_client_answered(conn, segment);
	if (conn->work->timed) {
		tcp_rtt_sample(&conn->rtt, tcp_stack_of(conn)->now - conn->work->timed_at);
		conn->work->timed = false;
	}
	tcp_become_established(conn);
	conn->ack_now = !delay;
	segment->seq++; /* the SYN is done with; data and FIN may follow (sixth step) */
	segment->flags &= (uint8_t)~WIRE_TCP_SYN;
	if (segment->length || (segment->flags & WIRE_TCP_FIN)) {
		tcp_take_text(conn, segment);
		tcp_take_fin(conn, segment);
	}
	if (delay && !conn->ack_now)
		tcp_timer_set(conn, TCP_TIMER_DELAYED_ACK, tcp_stack_of(conn)->now + ANSWER_DELAY);
	tcp_output(conn);
	if (conn->syn_data && !conn->syn_data_acked)
		conn->work->snd_small_end = conn->snd_una; /* what went again is not what Nagle waits for */
	if (conn->ack_now && conn->state != TCP_CLOSED)
		tcp_send_ack(conn);
}

void tcp_arrive_syn_sent(struct tcp_conn *conn, struct tcp_segment *segment)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	bool ack = segment->flags & WIRE_TCP_ACK;

	if (ack && !ack_acceptable(conn, segment)) {
		tcp_reply_reset(stack, segment);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_BAD_ACK);
		return;
	}
	if (segment->flags & WIRE_TCP_RST) {
		if (!ack) {
			tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_NO_ACK);
			return;
		}
		tcp_event(conn, BERTH_EVENT_TCP_RST_RECEIVED);
		tcp_finish(conn, ECONNREFUSED);
		return;
	}
	if (!(segment->flags & WIRE_TCP_SYN)) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_NO_ACK);
		return;
	}
	take_syn(conn, segment);
	if (ack) {
		connected(conn, segment);
		return;
	}
	tcp_set_state(conn, TCP_SYN_RECEIVED); /* both open at once: SYN-ACK with our ISS again */
	tcp_send_syn(conn);
	tcp_timer_retransmit(conn);
}
