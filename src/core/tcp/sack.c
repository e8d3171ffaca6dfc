/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ACK in a conversation that agreed on SACK: RFC 2018, RFC 2883. What is
 * delivered goes to the scoreboard, what that means to loss.c and rack.c.
 */
#include "core/tcp/tcp.h"

static bool need_blocks(struct tcp_conn *conn)
{
	if (!conn->work->blocks)
		conn->work->blocks = stack_alloc(tcp_stack_of(conn), sizeof(*conn->work->blocks));
	return conn->work->blocks;
}

void tcp_blocks_duplicate(struct tcp_conn *conn, uint32_t begin, uint32_t end)
{
	if (need_blocks(conn))
		sack_blocks_duplicate(conn->work->blocks, begin, end);
}

/* A duplicate is told first, and then the block that it is in. */
void tcp_blocks_early(struct tcp_conn *conn, uint32_t begin, uint32_t end)
{
	if (!need_blocks(conn))
		return;
	if (sack_blocks_cover(conn->work->blocks, begin, end))
		sack_blocks_duplicate(conn->work->blocks, begin, end);
	sack_blocks_add(conn->work->blocks, begin, end);
}

void tcp_blocks_drop(struct tcp_conn *conn)
{
	if (!conn->work->blocks)
		return;
	stack_free(tcp_stack_of(conn), conn->work->blocks, sizeof(*conn->work->blocks));
	conn->work->blocks = NULL;
}

/* RFC 2883 §4: the first block lies below the ACK, or within the second. */
static bool is_duplicate(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const struct wire_tcp_sack *first = &segment->header.sack[0], *second = &segment->header.sack[1];

	if (!seq_lt(first->begin, first->end) || seq_gt(first->end, conn->snd_max) ||
	    seq_lt(first->begin, conn->snd_una - conn->max_window))
		return false; /* not of this conversation's recent past */
	if (seq_lt(first->begin, segment->ack))
		return seq_le(first->end, segment->ack);
	return segment->header.sack_count > 1 && seq_ge(first->begin, second->begin) && seq_le(first->end, second->end);
}

/* Returns true when the peer told of a duplicate. */
static bool take_blocks(struct tcp_conn *conn, const struct tcp_segment *segment, struct delivery *delivery)
{
	const struct wire_tcp *header = &segment->header;
	bool duplicate = header->sack_count && is_duplicate(conn, segment);

	if (duplicate)
		tcp_loss_duplicate(conn, header->sack[0].begin, header->sack[0].end);
	for (unsigned i = duplicate; i < header->sack_count; i++) {
		uint32_t begin = seq_max(header->sack[i].begin, conn->snd_una), end = header->sack[i].end;

		if (seq_lt(begin, end) && seq_le(end, conn->snd_max) && seq_gt(end, segment->ack))
			scoreboard_sack(&conn->sent->board, begin, end, delivery);
	}
	return duplicate;
}

/* Both SYNs permitted it. */
void tcp_sack_begin(struct tcp_conn *conn)
{
	conn->sack = true;
}

static struct delivery delivery_of(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	struct delivery delivery = {
		.now = stack->now,
		.least_rtt = conn->rtt.smallest,
		.original_end = conn->recover,
		.echo_age_ms = UINT32_MAX,
		.had_sacks = conn->sent->board.sacked_bytes,
		.highest_before = conn->sent->board.highest_sacked,
	};

	if (conn->timestamps && segment->header.has_timestamps)
		delivery.echo_age_ms =
			tcp_timestamp_now(stack, conn->timestamp_offset) - segment->header.timestamp_echo;
	return delivery;
}

void tcp_sack_take(struct tcp_conn *conn, struct tcp_segment *segment)
{
	bool waiting = tcp_flight(conn), duplicate, fin = false;
	struct delivery delivery;

	if (!waiting && !segment->header.sack_count)
		return; /* nothing to acknowledge: we only receive */
	if (waiting && tcp_loss_ack_all(conn, segment))
		return;
	if (!tcp_sent_need(conn))
		return; /* as good as lost: there will be another */
	delivery = delivery_of(conn, segment);
	duplicate = take_blocks(conn, segment, &delivery);
	if (seq_gt(segment->ack, conn->snd_una)) {
		delivery.acked = segment->ack - conn->snd_una;
		scoreboard_acknowledge(&conn->sent->board, segment->ack, &delivery);
		if (delivery.sampled && !delivery.resent)
			tcp_rtt_sample(&conn->rtt, delivery.rtt);
		else
			tcp_sample_timestamp(conn, segment);
		fin = tcp_acknowledged(conn, segment);
		if (tcp_flight(conn))
			tcp_timer_retransmit(conn); /* RFC 6298 §5.3 */
		else
			tcp_timer_clear(conn, TCP_TIMER_RETRANSMIT); /* §5.2 */
	}
	if (waiting || duplicate)
		tcp_loss_ack(conn, segment, &delivery, duplicate);
	if (delivery.bytes)
		tcp_probe_arm(conn);
	if (fin)
		tcp_fin_acknowledged(conn);
}
