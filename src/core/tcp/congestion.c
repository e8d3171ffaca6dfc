/* SPDX-License-Identifier: BSD-2-Clause */
/* What congestion controls share: the table of them, the first window and the window after a pause. */
#include "core/tcp/tcp.h"

static const struct tcp_congestion *const table[] = { &tcp_cubic, &tcp_newreno, &tcp_bbr };

const struct tcp_congestion *tcp_congestion_find(const char *name, size_t length)
{
	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (strlen(table[i]->name) == length && !memcmp(table[i]->name, name, length))
			return table[i];
	return NULL;
}

const struct tcp_congestion *tcp_control(const struct tcp_conn *conn)
{
	const struct tcp_congestion *chosen = conn->settings->congestion;

	return chosen->on_sample && (!conn->sack || !conn->own) ? &tcp_newreno : chosen;
}

bool tcp_own_need(struct tcp_conn *conn)
{
	if (!conn->own)
		conn->own = stack_alloc(tcp_stack_of(conn), sizeof(*conn->own));
	return conn->own;
}

void tcp_own_drop(struct tcp_conn *conn)
{
	stack_free(tcp_stack_of(conn), conn->own, sizeof(*conn->own));
	conn->own = NULL;
}

void tcp_congestion_begin(struct tcp_conn *conn)
{
	const struct tcp_congestion *control;

	tcp_own_drop(conn);
	if (conn->settings->congestion->on_begin)
		(void)tcp_own_need(conn); /* without, NewReno does it */
	control = tcp_control(conn);
	tcp_pace_check(conn);
	if (control->on_begin)
		control->on_begin(conn);
	else if (conn->rate)
		conn->rate->pacing_rate = 0;
}

/* RFC 6928 §2: min(10*MSS, max(2*MSS, 14600)) */
uint32_t tcp_initial_window(uint32_t mss)
{
	return MIN(10 * mss, MAX(2 * mss, 14600u));
}

void tcp_congestion_init(struct tcp_conn *conn)
{
	conn->cwnd = tcp_initial_window(conn->mss);
	/* RFC 6928 §2: one segment when a SYN or its answer was lost */
	if (conn->timeouts)
		conn->cwnd = conn->mss;
	conn->ssthresh = UINT32_MAX;
	conn->recover = conn->iss;
	tcp_congestion_begin(conn);
}

/*
 * RFC 5681 §4.1: after a pause the old window says little of the path. As RFC
 * 2861 and Linux (tcp_cwnd_restart()) have it: half of it for each timeout that
 * passed, and slow start leads back to three quarters.
 */
void tcp_congestion_idle(struct tcp_conn *conn)
{
	berth_time timeout = tcp_rtt_timeout(&conn->rtt), idle = tcp_stack_of(conn)->now - conn->last_sent;
	uint32_t least = MIN(conn->cwnd, tcp_initial_window(conn->mss));

	if (tcp_control(conn)->on_start) {
		tcp_control(conn)->on_start(conn);
		return;
	}
	if (idle <= timeout)
		return;
	if (conn->ssthresh != UINT32_MAX)
		conn->ssthresh = MAX(conn->ssthresh, conn->cwnd / 4 * 3);
	for (; idle > timeout && conn->cwnd > least; idle -= timeout)
		conn->cwnd /= 2;
	conn->cwnd = MAX(conn->cwnd, least);
}
