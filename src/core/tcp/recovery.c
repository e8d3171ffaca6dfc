/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loss: fast retransmit and fast recovery (RFC 5681 §3.2 as changed by RFC
 * 6582), and what a timeout does to the window (RFC 5681 §3.1).
 */
#include "core/tcp/tcp.h"

#define DUPLICATE_THRESHOLD 3

/* RFC 6582 §3.2 steps 2 and 3. */
static void recovery_begin(struct tcp_conn *conn)
{
	conn->recover = conn->snd_max;
	conn->ssthresh = tcp_control(conn)->on_loss(conn, tcp_flight(conn));
	conn->in_recovery = true;
	tcp_event(conn, BERTH_EVENT_TCP_FAST_RETRANSMIT);
	tcp_retransmit(conn);
	conn->cwnd = conn->ssthresh + DUPLICATE_THRESHOLD * conn->mss;
}

void tcp_recovery_duplicate(struct tcp_conn *conn)
{
	conn->dup_acks += conn->dup_acks < UINT8_MAX;
	if (conn->in_recovery) {
		conn->cwnd += conn->mss; /* RFC 5681 §3.2 step 4: a segment has left the network */
		return;
	}
	/* Only for data sent after the last recovery: duplicates of our own resending say nothing. */
	if (conn->dup_acks == DUPLICATE_THRESHOLD && seq_gt(conn->snd_una, conn->recover))
		recovery_begin(conn);
}

static void recovery_end(struct tcp_conn *conn)
{
	uint32_t flight = MAX(tcp_flight(conn), conn->mss);

	conn->cwnd = MIN(conn->ssthresh, flight + conn->mss); /* step 3, option 1: no burst */
	conn->in_recovery = false;
	conn->work->cwnd_acked = 0;
}

/* New data was acknowledged, SND.UNA has moved by acked bytes. */
void tcp_recovery_ack(struct tcp_conn *conn, uint32_t acked)
{
	conn->dup_acks = 0;
	if (!conn->in_recovery)
		return;
	if (seq_ge(conn->snd_una, conn->recover)) { /* a full acknowledgment: all that was out when it began */
		recovery_end(conn);
		return;
	}
	/* A partial one: the next segment is lost too. */
	tcp_retransmit(conn);
	conn->cwnd -= MIN(acked, conn->cwnd);
	if (acked >= conn->mss)
		conn->cwnd += conn->mss;
	conn->cwnd = MAX(conn->cwnd, conn->mss);
}

void tcp_recovery_timeout(struct tcp_conn *conn)
{
	/* ssthresh once for each loss, not for each time its resending fails (RFC 5681 §3.1). */
	if (!conn->timeouts)
		conn->ssthresh = tcp_control(conn)->on_loss(conn, tcp_flight(conn));
	conn->cwnd = conn->mss;
	conn->work->cwnd_acked = 0;
	conn->dup_acks = 0;
	conn->in_recovery = false;
	conn->work->timed = false;
	conn->recover = conn->snd_max; /* RFC 6582 §3.2 step 4 */
	conn->snd_nxt = conn->snd_una;
}
