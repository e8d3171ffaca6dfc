/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00; Linux's
 * tcp_bbr.c, whose constants these are): a model of the path, from what it
 * delivers at most and how long it takes at least, decides how fast to send
 * and how much may be under way. Loss is no signal of congestion.
 *
 * STARTUP doubles until the bandwidth grows no more for three rounds, DRAIN
 * empties the queue that this made, PROBE_BW sends a quarter faster for one of
 * eight round trips and a quarter slower for the next, PROBE_RTT lets the path
 * run empty for 200 ms when the least round trip time is 10 s old.
 *
 * Version 1, because a program that asks for "bbr" gets that from Linux.
 * Differs: no search for policers (Linux: bbr_lt_bw_sampling(), which later
 * versions dropped), and marks (ECN) are not asked for their meaning.
 */
#include "core/tcp/tcp.h"

enum { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };
enum { OPEN, RECOVERY, LOSS };

#define BANDWIDTH_ROUNDS 10
#define LEAST_RTT_LIFE (10 * BERTH_SEC)
#define PROBE_RTT_TIME (200 * BERTH_MSEC)
#define CYCLES 8
#define WINDOW_LEAST 4	   /* segments */
#define AGGREGATE_ROUNDS 5 /* each of two slots */
#define AGGREGATE_TIME (100 * BERTH_MSEC)
#define AGGREGATE_RESET (1u << 20) /* segments */
#define UNSEEN_RTT BERTH_MSEC

static const double high_gain = 2.885, drain_gain = 1 / 2.885, window_gain = 2, margin = 0.99;
static const double cycle_gain[CYCLES] = { 1.25, 0.75, 1, 1, 1, 1, 1, 1 };

/* ---- the model ---- */

/* The best of the last BANDWIDTH_ROUNDS rounds, by three samples of falling value and rising age. */
static void max_update(struct tcp_bbr_max *max, uint32_t round, uint64_t value)
{
	if (value >= max->value[0] || round - max->round[2] > BANDWIDTH_ROUNDS) {
		for (int i = 0; i < 3; i++) {
			max->value[i] = value;
			max->round[i] = round;
		}
		return;
	}
	for (int i = 1; i < 3; i++) {
		if (value < max->value[i])
			continue;
		for (; i < 3; i++) {
			max->value[i] = value;
			max->round[i] = round;
		}
	}
	while (round - max->round[0] > BANDWIDTH_ROUNDS) { /* the best is too old: the next takes its place */
		for (int i = 0; i < 2; i++) {
			max->value[i] = max->value[i + 1];
			max->round[i] = max->round[i + 1];
		}
		max->value[2] = value;
		max->round[2] = round;
	}
	/* The others must not all be from one moment. */
	if (max->round[1] == max->round[0] && round - max->round[0] > BANDWIDTH_ROUNDS / 4)
		for (int i = 1; i < 3; i++) {
			max->value[i] = value;
			max->round[i] = round;
		}
	else if (max->round[2] == max->round[1] && round - max->round[0] > BANDWIDTH_ROUNDS / 2) {
		max->value[2] = value;
		max->round[2] = round;
	}
}

static uint64_t bandwidth_of(const struct tcp_conn *conn)
{
	return conn->own->bbr.bandwidth.value[0];
}

static void count_round(struct tcp_conn *conn, const struct rate_sample *sample)
{
	struct tcp_bbr *bbr = &conn->own->bbr;

	bbr->round_start = false;
	if (!sample->valid || sample->prior_delivered < bbr->round_end)
		return;
	bbr->round_end = conn->rate->delivered;
	bbr->round++;
	bbr->round_start = true;
	bbr->conserving = false;
}

static void update_bandwidth(struct tcp_conn *conn, const struct rate_sample *sample)
{
	count_round(conn, sample);
	if (sample->valid && (!sample->limited || sample->rate >= bandwidth_of(conn)))
		max_update(&conn->own->bbr.bandwidth, conn->own->bbr.round, sample->rate);
}

/* Bytes that fill the path gain times. */
static uint32_t product(const struct tcp_conn *conn, double gain)
{
	double bytes;

	if (!conn->own->bbr.least_rtt)
		return tcp_initial_window(conn->mss);
	bytes = (double)bandwidth_of(conn) * (double)conn->own->bbr.least_rtt / BERTH_SEC * gain;
	return bytes < TCP_CWND_MAX ? (uint32_t)bytes : TCP_CWND_MAX;
}

/* What must be under way for that, when bursts are on the way and ACKs come late. */
static uint32_t inflight(const struct tcp_conn *conn, double gain)
{
	const struct tcp_bbr *bbr = &conn->own->bbr;
	uint32_t bytes = product(conn, gain) + 3 * tcp_pace_burst(conn);

	if (bbr->mode == PROBE_BW && bbr->cycle == 0)
		bytes += 2u * conn->mss;
	return bytes + conn->mss - bytes % conn->mss;
}

/* ---- ACKs that come in heaps ---- */

static void update_aggregation(struct tcp_conn *conn, const struct rate_sample *sample)
{
	struct tcp_bbr *bbr = &conn->own->bbr;
	uint64_t expected, extra;
	berth_time now = conn->rate->delivered_at;

	if (!sample->valid || !sample->bytes)
		return;
	if (bbr->round_start && ++bbr->aggregate_rounds >= AGGREGATE_ROUNDS) {
		bbr->aggregate_rounds = 0;
		bbr->aggregate_slot ^= 1;
		bbr->aggregated[bbr->aggregate_slot] = 0;
	}
	expected = (uint64_t)((double)bandwidth_of(conn) * (double)(now - bbr->epoch_at) / BERTH_SEC);
	if (bbr->epoch_acked <= expected || bbr->epoch_acked + sample->bytes >= AGGREGATE_RESET * (uint64_t)conn->mss) {
		bbr->epoch_acked = expected = 0;
		bbr->epoch_at = now;
	}
	bbr->epoch_acked += sample->bytes;
	extra = MIN(bbr->epoch_acked - expected, conn->cwnd);
	bbr->aggregated[bbr->aggregate_slot] = MAX(bbr->aggregated[bbr->aggregate_slot], (uint32_t)extra);
}

static uint32_t aggregation_room(const struct tcp_conn *conn)
{
	const struct tcp_bbr *bbr = &conn->own->bbr;
	uint64_t most = (uint64_t)((double)bandwidth_of(conn) * AGGREGATE_TIME / BERTH_SEC);

	return bbr->full ? (uint32_t)MIN(MAX(bbr->aggregated[0], bbr->aggregated[1]), most) : 0;
}

/* ---- modes ---- */

static double pacing_gain(const struct tcp_bbr *bbr)
{
	switch (bbr->mode) {
	case STARTUP:
		return high_gain;
	case DRAIN:
		return drain_gain;
	case PROBE_BW:
		return cycle_gain[bbr->cycle];
	}
	return 1;
}

static void probe_bandwidth(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);

	conn->own->bbr.mode = PROBE_BW;
	/* Any phase but the slow one, which makes no sense without the fast one before. */
	conn->own->bbr.cycle = (uint8_t)((CYCLES - random_below(&stack->random, CYCLES - 1)) % CYCLES);
	conn->own->bbr.cycle_at = stack->now;
}

static bool phase_over(const struct tcp_conn *conn, const struct rate_sample *sample)
{
	const struct tcp_bbr *bbr = &conn->own->bbr;
	bool whole = tcp_stack_of((struct tcp_conn *)conn)->now - bbr->cycle_at > bbr->least_rtt;
	double gain = cycle_gain[bbr->cycle];

	if (gain > 1) /* until it had its effect, or there is no room for it */
		return whole && (sample->lost || sample->prior_pipe >= inflight(conn, gain));
	if (gain < 1)
		return whole || sample->prior_pipe <= inflight(conn, 1);
	return whole;
}

static void update_cycle(struct tcp_conn *conn, const struct rate_sample *sample)
{
	struct tcp_bbr *bbr = &conn->own->bbr;

	if (bbr->mode != PROBE_BW || !phase_over(conn, sample))
		return;
	bbr->cycle = (bbr->cycle + 1) % CYCLES;
	bbr->cycle_at = tcp_stack_of(conn)->now;
}

/* Three rounds without a quarter more: this is what the path can do. */
static void check_full(struct tcp_conn *conn, const struct rate_sample *sample)
{
	struct tcp_bbr *bbr = &conn->own->bbr;

	if (bbr->full || !bbr->round_start || sample->limited)
		return;
	if (bandwidth_of(conn) >= bbr->full_bandwidth + bbr->full_bandwidth / 4) {
		bbr->full_bandwidth = bandwidth_of(conn);
		bbr->full_rounds = 0;
		return;
	}
	bbr->full = ++bbr->full_rounds >= 3;
}

static void check_drain(struct tcp_conn *conn)
{
	struct tcp_bbr *bbr = &conn->own->bbr;

	if (bbr->mode == STARTUP && bbr->full) {
		bbr->mode = DRAIN;
		conn->ssthresh = inflight(conn, 1);
	}
	if (bbr->mode == DRAIN && conn->sent->board.pipe <= inflight(conn, 1))
		probe_bandwidth(conn);
}

static void save_window(struct tcp_conn *conn)
{
	struct tcp_bbr *bbr = &conn->own->bbr;

	if (bbr->was == OPEN && bbr->mode != PROBE_RTT)
		bbr->prior_cwnd = conn->cwnd;
	else
		bbr->prior_cwnd = MAX(bbr->prior_cwnd, conn->cwnd);
}

static void probe_rtt_end(struct tcp_conn *conn)
{
	struct tcp_bbr *bbr = &conn->own->bbr;
	berth_time now = tcp_stack_of(conn)->now;

	if (!bbr->probe_done_at || now <= bbr->probe_done_at)
		return;
	bbr->least_at = now;
	conn->cwnd = MAX(conn->cwnd, bbr->prior_cwnd);
	if (bbr->full)
		probe_bandwidth(conn);
	else
		bbr->mode = STARTUP;
}

static void probe_rtt_step(struct tcp_conn *conn)
{
	struct tcp_bbr *bbr = &conn->own->bbr;

	/* Samples of now are low because we hold back. */
	conn->rate->limited_until = conn->rate->delivered + conn->sent->board.pipe + 1;
	if (!bbr->probe_done_at) {
		if (conn->sent->board.pipe > WINDOW_LEAST * (uint32_t)conn->mss)
			return;
		bbr->probe_done_at = tcp_stack_of(conn)->now + PROBE_RTT_TIME;
		bbr->probe_round_done = false;
		bbr->round_end = conn->rate->delivered;
		return;
	}
	bbr->probe_round_done |= bbr->round_start;
	if (bbr->probe_round_done)
		probe_rtt_end(conn);
}

static void update_least_rtt(struct tcp_conn *conn, const struct rate_sample *sample)
{
	struct tcp_bbr *bbr = &conn->own->bbr;
	berth_time now = tcp_stack_of(conn)->now;
	bool expired = now > bbr->least_at + LEAST_RTT_LIFE;

	if (sample->rtt && (!bbr->least_rtt || sample->rtt < bbr->least_rtt || (expired && !sample->delayed))) {
		bbr->least_rtt = sample->rtt;
		bbr->least_at = now;
	}
	if (expired && !bbr->restarting && bbr->mode != PROBE_RTT) {
		save_window(conn);
		bbr->mode = PROBE_RTT;
		bbr->probe_done_at = 0;
	}
	if (bbr->mode == PROBE_RTT)
		probe_rtt_step(conn);
	if (sample->valid && sample->bytes)
		bbr->restarting = false;
}

/* ---- what follows from it ---- */

static uint64_t rounded(double rate)
{
	return (uint64_t)(MIN(rate, 1e18) + 0.5);
}

static void set_pace(struct tcp_conn *conn, double gain)
{
	double rate = (double)bandwidth_of(conn) * gain * margin;

	if (!conn->own->bbr.seen_rtt && conn->rtt.mean) { /* the first: from the window that we began with */
		conn->own->bbr.seen_rtt = true;
		rate = high_gain * tcp_initial_window(conn->mss) * BERTH_SEC / (double)conn->rtt.mean;
	}
	if (rate >= 1 && (conn->own->bbr.full || rate > (double)conn->rate->pacing_rate))
		conn->rate->pacing_rate = rounded(rate);
}

/* After a loss: at first only what was delivered goes out; at the end the window is what it was. */
static bool recover_or_restore(struct tcp_conn *conn, const struct rate_sample *sample, uint32_t *cwnd)
{
	struct tcp_bbr *bbr = &conn->own->bbr;
	uint8_t is = conn->in_loss ? LOSS : conn->in_recovery ? RECOVERY : OPEN, was = bbr->was;

	bbr->was = is;
	if (is == LOSS && was != LOSS) {
		bbr->full_bandwidth = 0; /* the path may be another one */
		bbr->round_start = true;
	}
	*cwnd -= MIN(sample->lost, *cwnd - MIN(*cwnd, conn->mss));
	if (is == RECOVERY && was != RECOVERY) {
		bbr->conserving = true;
		bbr->round_end = conn->rate->delivered;
		*cwnd = conn->sent->board.pipe + sample->bytes;
	} else if (was != OPEN && is == OPEN) {
		*cwnd = MAX(*cwnd, bbr->prior_cwnd);
		bbr->conserving = false;
	}
	if (bbr->conserving)
		*cwnd = MAX(*cwnd, conn->sent->board.pipe + sample->bytes);
	return bbr->conserving;
}

static void set_window(struct tcp_conn *conn, const struct rate_sample *sample)
{
	struct tcp_bbr *bbr = &conn->own->bbr;
	uint32_t cwnd = conn->cwnd, least = WINDOW_LEAST * (uint32_t)conn->mss, target;

	if (sample->bytes && !recover_or_restore(conn, sample, &cwnd)) {
		target = inflight(conn, bbr->mode == PROBE_BW	 ? window_gain
					: bbr->mode == PROBE_RTT ? 1
								 : high_gain) +
			 aggregation_room(conn);
		if (bbr->full)
			cwnd = MIN(cwnd + sample->bytes, target);
		else if (cwnd < target || conn->rate->delivered < tcp_initial_window(conn->mss))
			cwnd += sample->bytes;
		cwnd = MAX(cwnd, least);
	}
	if (bbr->mode == PROBE_RTT)
		cwnd = MIN(cwnd, least);
	conn->cwnd = MIN(cwnd, TCP_CWND_MAX);
}

/* ---- what TCP calls ---- */

static void on_begin(struct tcp_conn *conn)
{
	struct tcp_bbr *bbr = &conn->own->bbr;
	berth_time now = tcp_stack_of(conn)->now, rtt = conn->rtt.mean ? conn->rtt.mean : UNSEEN_RTT;

	*bbr = (struct tcp_bbr){ .least_rtt = conn->rtt.smallest, .least_at = now, .epoch_at = now };
	bbr->prior_cwnd = conn->cwnd;
	bbr->seen_rtt = conn->rtt.mean;
	conn->ssthresh = UINT32_MAX;
	if (!conn->rate)
		return;
	bbr->round_end = conn->rate->delivered;
	conn->rate->pacing_rate = rounded(high_gain * conn->cwnd * BERTH_SEC / (double)rtt);
}

static void on_start(struct tcp_conn *conn)
{
	struct tcp_bbr *bbr = &conn->own->bbr;

	if (!conn->rate || !conn->rate->limited_until)
		return;
	bbr->restarting = true;
	bbr->epoch_at = tcp_stack_of(conn)->now;
	bbr->epoch_acked = 0;
	if (bbr->mode == PROBE_BW)
		set_pace(conn, 1);
	else if (bbr->mode == PROBE_RTT)
		probe_rtt_end(conn);
}

static void on_sample(struct tcp_conn *conn, const struct rate_sample *sample)
{
	if (!conn->rate) { /* there was no memory */
		tcp_congestion_begin(conn);
		return;
	}
	update_bandwidth(conn, sample);
	update_aggregation(conn, sample);
	update_cycle(conn, sample);
	check_full(conn, sample);
	check_drain(conn);
	update_least_rtt(conn, sample);
	set_pace(conn, pacing_gain(&conn->own->bbr));
	set_window(conn, sample);
}

/* Nothing changes by it, but the window is remembered for the time after. */
static uint32_t on_loss(struct tcp_conn *conn, uint32_t flight)
{
	save_window(conn);
	return conn->ssthresh;
}

static void on_undo(struct tcp_conn *conn)
{
	conn->own->bbr.full_bandwidth = 0;
	conn->own->bbr.full_rounds = 0;
}

/* Never called: on_sample does it. */
static void on_ack(struct tcp_conn *conn, uint32_t acked)
{
}

const struct tcp_congestion tcp_bbr = {
	.name = "bbr",
	.paced = true,
	.on_begin = on_begin,
	.on_start = on_start,
	.on_sample = on_sample,
	.on_ack = on_ack,
	.on_loss = on_loss,
	.on_undo = on_undo,
};
