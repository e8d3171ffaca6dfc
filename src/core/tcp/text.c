/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text and FIN, RFC 9293 §3.10.7.4, seventh and eighth step; when to
 * acknowledge at once: RFC 5681 §4.2, RFC 1122 §4.2.3.2.
 */
#include "core/ip/gather.h"
#include "core/tcp/tcp.h"

/* ACKs that go at once after a gap: where data is lost, or overtakes, ACKs are too. */
#define WARY_ACKS 128

bool tcp_may_receive(const struct tcp_conn *conn)
{
	return conn->state == TCP_ESTABLISHED || conn->state == TCP_FIN_WAIT_1 || conn->state == TCP_FIN_WAIT_2 ||
	       (conn->state == TCP_SYN_RECEIVED && conn->opened_fast); /* the SYN's own */
}

/* Cut off what we have already and what was not offered. */
static void trim(struct tcp_conn *conn, struct tcp_segment *segment)
{
	uint32_t window_end = seq_max(conn->rcv_adv, conn->rcv_nxt);

	if (seq_lt(segment->seq, conn->rcv_nxt)) {
		uint32_t old = MIN(conn->rcv_nxt - segment->seq, segment->length);

		if (conn->sack && old)
			tcp_blocks_duplicate(conn, segment->seq, segment->seq + old);
		berth_packet_pull(segment->packet, old);
		segment->seq += old;
		segment->length -= old;
	}
	if (segment->length && seq_gt(segment->seq + segment->length, window_end)) {
		uint32_t fits = seq_gt(window_end, segment->seq) ? window_end - segment->seq : 0;

		segment->length = fits;
		segment->flags &= (uint8_t)~WIRE_TCP_FIN;
		berth_packet_trim(segment->packet, fits);
		conn->ack_now = true;
	}
}

/* Full segments are counted in what the peer really sends, which may be less than our MSS. */
static void learn_segment_size(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	uint32_t size = segment->packet->segment_size ? segment->packet->segment_size : segment->length;
	uint16_t most;

	if (size <= conn->receive_mss)
		return;
	/* A payload above our MSS is a run of segments that a driver has put together. */
	most = tcp_mss_of_mtu(tcp_stack_of(conn), tcp_socket(conn)->path->mtu, ip_is6(segment->remote.ip));
	conn->receive_mss = (uint16_t)MAX(MIN(size, most), conn->receive_mss);
}

/* In order: when must the ACK go? Every two full segments at the latest, or by the timer. */
static void plan_ack(struct tcp_conn *conn, uint32_t received)
{
	conn->unacked_bytes += received;
	conn->unanswered = true;
	if (received < conn->receive_mss && conn->unacked_small < 2)
		conn->unacked_small++;
	if (conn->quick_acks && !conn->interactive) {
		conn->quick_acks--;
		conn->ack_now = true;
	} else if (conn->unacked_bytes >= 2u * conn->receive_mss) {
		conn->ack_now = true;
	}
	/* One ACK for many may be the one that is lost: the probe that asks after it is not kept waiting. */
	if (received > 2u * conn->receive_mss && !conn->quick_acks)
		conn->quick_acks = 1;
	if (!conn->ack_now && !tcp_timer_on(conn, TCP_TIMER_DELAYED_ACK))
		tcp_timer_set(conn, TCP_TIMER_DELAYED_ACK, tcp_stack_of(conn)->now + TCP_DELAYED_ACK);
}

/*
 * Is there memory for packet? Data behind a gap goes first: the peer has it
 * still, for SACK is no promise (RFC 2018 §8). Linux: tcp_prune_queue()
 */
static bool make_room(struct tcp_conn *conn, const struct berth_packet *packet, bool early)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	size_t more = packet_truesize(packet);

	if (budget_takes(stack, tcp_memory(conn), conn->work->receiveq.memory, more))
		return true;
	if (!early && conn->work->receiveq.early) {
		receiveq_clear_early(&conn->work->receiveq);
		tcp_blocks_drop(conn);
		tcp_event(conn, BERTH_EVENT_TCP_PRUNED);
	}
	return !early && budget_takes(stack, tcp_memory(conn), conn->work->receiveq.memory, more);
}

bool tcp_next_text_fits(const struct tcp_conn *conn, const struct berth_packet *packet)
{
	const struct tcp_work *work = conn->work;

	return !work->receiveq.early && !work->blocks &&
	       budget_sure(&tcp_stack_of((struct tcp_conn *)conn)->budget, tcp_memory(conn), packet_truesize(packet));
}

/*
 * The segments that arrived behind this one and have the same header: their text
 * goes behind its. One that does not fit, or for which there is no memory, goes its own way.
 * While ACKs are quick two at most are taken as one: a path that loses data loses ACKs too,
 * and with the only one of a whole window a conversation stands still (RFC 5681 §4.2).
 */
static void take_gathered(struct tcp_conn *conn, struct gathered *gathered, const struct berth_link *link)
{
	uint32_t window_end = seq_max(conn->rcv_adv, conn->rcv_nxt);
	size_t most = conn->quick_acks > 1 && !conn->interactive ? 1 : SIZE_MAX;
	struct berth_packet *packet;

	while (most-- && (packet = gathered_next(gathered, link))) {
		uint32_t length = packet->length - (uint32_t)gathered->payload;

		/* Its number is not the next if the window cut the one before it. */
		if (gathered_seq(gathered) != conn->rcv_nxt || seq_gt(conn->rcv_nxt + length, window_end) ||
		    !(tcp_next_text_fits(conn, packet) || make_room(conn, packet, false)))
			return;
		gathered_take(gathered);
		conn->counters.segments_in++;
		conn->counters.data_in++;
		conn->rcv_nxt += length;
		receiveq_append(&conn->work->receiveq, packet); /* there was no gap, and there is none now */
	}
}

static void queue_text(struct tcp_conn *conn, struct tcp_segment *segment)
{
	uint32_t before = conn->rcv_nxt;
	bool gap = conn->work->receiveq.early || seq_gt(segment->seq, conn->rcv_nxt);
	size_t limit = 2u * (size_t)tcp_socket(conn)->receive_buffer + 2 * BERTH_PACKET_MAX;
	struct berth_packet *packet = segment->packet;
	struct gathered *gathered = tcp_stack_of(conn)->gathered;
	uint32_t received;

	segment->packet = NULL;
	conn->counters.data_in++;
	if (!make_room(conn, packet, seq_gt(segment->seq, conn->rcv_nxt))) {
		tcp_event(conn, BERTH_EVENT_TCP_DROP_MEMORY);
		berth_packet_unref(packet);
		conn->ack_now = true; /* the window has to be told */
		return;
	}
	if (!receiveq_put(&conn->work->receiveq, packet, segment->seq, &conn->rcv_nxt, limit))
		tcp_event(conn, BERTH_EVENT_TCP_DROP_BUFFER_FULL);
	else if (conn->sack && seq_gt(segment->seq, conn->rcv_nxt))
		tcp_blocks_early(conn, segment->seq, segment->seq + segment->length);
	else if (gathered && gathered->packets[0] == packet && !gap)
		take_gathered(conn, gathered, segment->info->link);
	received = conn->rcv_nxt - before;
	if (received && conn->work->blocks)
		sack_blocks_advance(conn->work->blocks, conn->rcv_nxt);
	conn->counters.bytes_received += received;
	if (gap) {
		conn->ack_now = true; /* a duplicate ACK, or word that the gap is filled */
		conn->quick_acks = WARY_ACKS;
	}
	if (received) {
		plan_ack(conn, received);
		conn->wake = true;
	}
}

/* queue_text() for that. */
void tcp_take_next_text(struct tcp_conn *conn, struct tcp_segment *segment)
{
	struct gathered *gathered = tcp_stack_of(conn)->gathered;
	struct berth_packet *packet = segment->packet;
	uint32_t before = conn->rcv_nxt;

	learn_segment_size(conn, segment);
	segment->packet = NULL;
	conn->counters.data_in++;
	conn->rcv_nxt += segment->length;
	receiveq_append(&conn->work->receiveq, packet);
	if (gathered && gathered->packets[0] == packet)
		take_gathered(conn, gathered, segment->info->link);
	conn->counters.bytes_received += conn->rcv_nxt - before;
	plan_ack(conn, conn->rcv_nxt - before);
}

bool tcp_take_text(struct tcp_conn *conn, struct tcp_segment *segment)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	uint32_t length = tcp_segment_length(segment);

	if (conn->ecn)
		tcp_ecn_receive(conn, segment);
	if (length && seq_le(segment->seq + length, conn->rcv_nxt)) {
		conn->ack_now = true; /* all old: our ACK was lost, perhaps */
		if (conn->sack && segment->length)
			tcp_blocks_duplicate(conn, segment->seq, segment->seq + segment->length);
	}
	if (!segment->length)
		return true;
	if (conn->released && seq_gt(segment->seq + segment->length, conn->rcv_nxt)) {
		/*
		 * Nobody will read it: say so. RFC 9293 §3.6 (half-closed); Linux: tcp_rcv_state_process().
		 * In answer to the segment: our FIN may not have come through, and only at the number
		 * that the peer waits for is a RST believed (RFC 5961 §3.2).
		 */
		tcp_reply_reset(stack, segment);
		tcp_finish(conn, 0);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_AFTER_CLOSE);
		return false;
	}
	if (!tcp_may_receive(conn))
		return true;
	learn_segment_size(conn, segment);
	trim(conn, segment);
	if (segment->length)
		queue_text(conn, segment);
	return true;
}

static void fin_taken(struct tcp_conn *conn)
{
	conn->rcv_nxt++;
	conn->rcv_adv = seq_max(conn->rcv_adv, conn->rcv_nxt);
	conn->fin_received = true;
	conn->fin_early = false;
	conn->ack_now = true;
	conn->wake = true;
	receiveq_clear_early(&conn->work->receiveq); /* nothing lies behind a FIN */
	tcp_blocks_drop(conn);
	if (conn->state == TCP_ESTABLISHED)
		tcp_set_state(conn, TCP_CLOSE_WAIT);
	else if (conn->state == TCP_FIN_WAIT_1)
		tcp_set_state(conn, TCP_CLOSING); /* had our FIN been acknowledged, this were FIN-WAIT-2 */
	else if (conn->state == TCP_FIN_WAIT_2)
		tcp_timewait_begin(conn);
}

bool tcp_take_fin(struct tcp_conn *conn, struct tcp_segment *segment)
{
	uint32_t fin_seq = segment->seq + segment->length;

	if (!tcp_may_receive(conn))
		return true;
	if ((segment->flags & WIRE_TCP_FIN) && seq_ge(fin_seq, conn->rcv_nxt)) {
		conn->fin_early = true;
		conn->work->fin_seq = fin_seq;
		conn->ack_now = true;
	}
	if (conn->fin_early && conn->work->fin_seq == conn->rcv_nxt)
		fin_taken(conn);
	else if (conn->fin_early && seq_lt(conn->work->fin_seq, conn->rcv_nxt))
		conn->fin_early = false; /* a peer that sends beyond its own FIN */
	return conn->state != TCP_CLOSED;
}
