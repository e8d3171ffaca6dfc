/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pacing: what a window allows leaves in bursts of a millisecond's worth, not
 * at once. BBR needs it; SO_MAX_PACING_RATE and the stack's limits ask for it.
 * Rates, ratios and sizes are those of Linux (tcp_update_pacing_rate(),
 * tcp_tso_autosize(), tcp_update_skb_after_send()).
 */
#include "core/tcp/tcp.h"

#define SLOW_START_PERCENT 200 /* Linux: tcp_pacing_ss_ratio */
#define AVOIDANCE_PERCENT 120  /* Linux: tcp_pacing_ca_ratio */
#define BURSTS_PER_SECOND 1024 /* Linux: sk_pacing_shift */
#define BURST_MAX 65280u
#define LATENESS_MAX BERTH_MSEC /* a timer that comes late does not make us slower */
#define UNPACED_SEGMENTS 10	/* Linux: TCP_INIT_CWND */

static uint64_t rate_limit(const struct tcp_conn *conn)
{
	return tcp_socket((struct tcp_conn *)conn)->options->max_pacing_rate;
}

/* Bytes a second. UINT64_MAX: no limit. */
uint64_t tcp_pace_rate(const struct tcp_conn *conn)
{
	uint64_t rate = conn->rate ? conn->rate->pacing_rate : 0;
	unsigned percent = conn->cwnd < conn->ssthresh / 2 ? SLOW_START_PERCENT : AVOIDANCE_PERCENT;

	if (!rate && conn->rtt.mean)
		rate = (uint64_t)((double)MAX(conn->cwnd, tcp_flight(conn)) * percent / 100 * BERTH_SEC /
				  (double)conn->rtt.mean);
	return MIN(rate ? rate : UINT64_MAX, rate_limit(conn));
}

/* The conversation is established, or its settings changed: must it pace? */
void tcp_pace_check(struct tcp_conn *conn)
{
	bool wanted = tcp_control(conn)->paced || rate_limit(conn) != UINT64_MAX ||
		      tcp_stack_of(conn)->limits.pacing == BERTH_PACING_ALWAYS;

	if (wanted && tcp_synchronized(conn->state) && tcp_rate_need(conn))
		conn->rate->paced = true; /* once and for all. Linux: SK_PACING_NEEDED */
}

void tcp_pacing_changed(struct berth_socket *socket)
{
	tcp_pace_check(tcp_conn_of(socket));
}

/* Bytes that leave together. */
uint32_t tcp_pace_burst(const struct tcp_conn *conn)
{
	uint64_t burst = tcp_pace_rate(conn) / BURSTS_PER_SECOND;

	return (uint32_t)MAX(MIN(burst, BURST_MAX), 2u * conn->mss);
}

/* Must what could be sent now wait? Then the timer is set. */
bool tcp_pace_waits(struct tcp_conn *conn)
{
	struct tcp_rate *rate = conn->rate;
	berth_time now = tcp_stack_of(conn)->now;

	if (!rate || !rate->paced || rate->burst_left)
		return false;
	if (rate->next <= now) {
		rate->burst_left = tcp_pace_burst(conn);
		return false;
	}
	tcp_timer_set(conn, TCP_TIMER_PACE, rate->next);
	return true;
}

void tcp_pace_sent(struct tcp_conn *conn, uint32_t bytes)
{
	struct tcp_rate *rate = conn->rate;
	berth_time now = tcp_stack_of(conn)->now;
	uint64_t speed;

	if (seq_ge(conn->snd_una, rate->round_end)) {
		rate->round_end = conn->snd_max;
		rate->last_most = rate->most;
		rate->most = 0;
	}
	rate->most = MAX(rate->most, tcp_flight(conn));
	rate->burst_left -= MIN(bytes, rate->burst_left);
	speed = tcp_pace_rate(conn);
	if (!speed || speed == UINT64_MAX || conn->counters.data_out < UNPACED_SEGMENTS) {
		rate->next = now;
		return;
	}
	rate->next = MAX(rate->next, now - LATENESS_MAX);
	rate->next += (berth_time)((double)bytes * BERTH_SEC / (double)speed);
}

void tcp_pace_timeout(struct tcp_conn *conn)
{
	tcp_output(conn);
}

/*
 * Is the window what holds a paced conversation back, some time in a round
 * trip? If its pace does, there is no reason to let the window grow.
 */
bool tcp_pace_fills_window(const struct tcp_conn *conn)
{
	const struct tcp_rate *rate = conn->rate;
	uint64_t most;

	most = MAX(rate->most, rate->last_most);
	return conn->cwnd < conn->ssthresh ? conn->cwnd < 2 * most : most + 2u * conn->mss >= conn->cwnd;
}
