/* SPDX-License-Identifier: BSD-2-Clause */
/* Reno's growth, RFC 5681 §3.1; what NewReno adds is in recovery.c. */
#include "core/tcp/tcp.h"

static void on_ack(struct tcp_conn *conn, uint32_t acked)
{
	if (conn->cwnd < conn->ssthresh) {
		/* Slow start by bytes: one ACK may stand for many segments (RFC 3465; Linux: tcp_slow_start()). */
		conn->cwnd += MIN(acked, TCP_CWND_MAX - conn->cwnd);
		return;
	}
	conn->work->cwnd_acked += MIN(acked, conn->cwnd); /* a segment more for each window acknowledged */
	if (conn->work->cwnd_acked >= conn->cwnd) {
		conn->work->cwnd_acked -= conn->cwnd;
		conn->cwnd += conn->cwnd < TCP_CWND_MAX ? conn->mss : 0;
	}
}

static uint32_t on_loss(struct tcp_conn *conn, uint32_t flight)
{
	return MAX(flight / 2, 2u * conn->mss); /* equation (4) */
}

const struct tcp_congestion tcp_newreno = { .name = "reno", .on_ack = on_ack, .on_loss = on_loss };
