/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CUBIC, RFC 9438: after a loss the window grows along a cubic curve of time,
 * flat around where the loss was, and never slower than Reno would. Slow start
 * ends before the queue is full by HyStart++, RFC 9406; differs from its §4.2:
 * an ACK counts whole, however much it acknowledges (L is infinite), for one
 * ACK often stands for a run of segments.
 *
 * All in integers: bytes, milliseconds on the curve.
 */
#include "core/tcp/tcp.h"

#define CURVE_MAX_MS 100000 /* further from the plateau the clamp to 1.5 cwnd holds long since */

/* RFC 9406 §4.3 */
#define ROUND_SAMPLES 8
#define RISE_LEAST (4 * BERTH_MSEC)
#define RISE_MOST (16 * BERTH_MSEC)
#define CAUTIOUS_ROUNDS 5
#define CAUTIOUS_DIVISOR 4

static uint32_t cube_root(uint64_t value)
{
	uint64_t root = 0;

	for (int bit = 20; bit >= 0; bit--) { /* roots are below 2^21: no cube overflows */
		uint64_t more = root | 1u << bit;

		if (more * more * more <= value)
			root = more;
	}
	return (uint32_t)root;
}

static void grow_by(struct tcp_conn *conn, uint64_t bytes)
{
	conn->cwnd = (uint32_t)MIN(conn->cwnd + bytes, TCP_CWND_MAX);
}

/* ---- slow start ---- */

static void round_begin(struct tcp_conn *conn)
{
	struct tcp_hystart *hystart = &conn->own->cubic.hystart;

	hystart->round_end = conn->snd_max;
	hystart->last_least = hystart->least;
	hystart->least = BERTH_NEVER;
	hystart->samples = 0;
	if (hystart->cautious && --hystart->rounds_left == 0)
		conn->ssthresh = conn->cwnd; /* §4.2: congestion avoidance */
}

/* Does the round trip time of this round, against the last one's, say that a queue builds up? */
static void hystart_sample(struct tcp_conn *conn)
{
	struct tcp_hystart *hystart = &conn->own->cubic.hystart;
	berth_time rise;

	hystart->least = MIN(hystart->least, conn->rtt.latest_us * BERTH_USEC);
	if (++hystart->samples < ROUND_SAMPLES || hystart->last_least == BERTH_NEVER)
		return;
	rise = MAX(RISE_LEAST, MIN(hystart->last_least / 8, RISE_MOST));
	if (!hystart->cautious && hystart->least >= hystart->last_least + rise) {
		hystart->cautious = true;
		hystart->baseline = hystart->least;
		hystart->rounds_left = CAUTIOUS_ROUNDS;
	} else if (hystart->cautious && hystart->least < hystart->baseline) {
		hystart->cautious = false; /* it was jitter */
	}
}

static void slow_start(struct tcp_conn *conn, uint32_t acked)
{
	struct tcp_hystart *hystart = &conn->own->cubic.hystart;

	if (conn->ssthresh != UINT32_MAX) { /* after a timeout or a pause, RFC 9438 §4.8: a new curve from there */
		conn->own->cubic.now.plateau = 0;
		grow_by(conn, MIN(acked, conn->ssthresh - conn->cwnd));
		return;
	}
	if (!hystart->begun) {
		*hystart = (struct tcp_hystart){ .begun = true, .least = BERTH_NEVER };
		round_begin(conn);
	} else if (seq_ge(conn->snd_una, hystart->round_end)) {
		round_begin(conn);
	}
	hystart_sample(conn);
	grow_by(conn, hystart->cautious ? acked / CAUTIOUS_DIVISOR : acked);
}

/* ---- congestion avoidance ---- */

/* RFC 9438 §4.2, equation 2. */
static void epoch_begin(struct tcp_conn *conn, berth_time now)
{
	struct tcp_cubic_epoch *epoch = &conn->own->cubic.now;

	epoch->begun = true;
	epoch->began = now;
	epoch->estimate = conn->cwnd;
	epoch->cwnd_credit = epoch->estimate_credit = 0;
	if (epoch->plateau > conn->cwnd) {
		epoch->k_ms = cube_root((uint64_t)(epoch->plateau - conn->cwnd) * 2500000000u / conn->mss);
	} else {
		epoch->k_ms = 0;
		epoch->plateau = conn->cwnd;
	}
}

/* Where the curve is at a time after the epoch's beginning, bytes. */
static uint64_t curve(const struct tcp_conn *conn, berth_time after)
{
	const struct tcp_cubic_epoch *epoch = &conn->own->cubic.now;
	int64_t from_k = MIN(after / BERTH_MSEC, 2 * CURVE_MAX_MS) - epoch->k_ms;
	uint64_t distance = (uint64_t)MIN(from_k < 0 ? -from_k : from_k, CURVE_MAX_MS);
	uint64_t rise = distance * distance * distance / 2500 * conn->mss / 1000000; /* C is 0.4 segments/s³ */

	if (from_k >= 0)
		return epoch->plateau + rise;
	return epoch->plateau > rise ? epoch->plateau - rise : 0;
}

/* §4.3: what Reno would have, from where the epoch began. Alpha is 3(1-β)/(1+β), 9/17, until it has caught up. */
static void estimate_grow(struct tcp_conn *conn, uint32_t acked)
{
	struct tcp_cubic_epoch *epoch = &conn->own->cubic.now;
	bool behind = epoch->estimate < conn->own->cubic.before_loss;

	epoch->estimate_credit += (uint64_t)acked * conn->mss * (behind ? 9 : 17);
	epoch->estimate += (uint32_t)(epoch->estimate_credit / (17 * (uint64_t)conn->cwnd));
	epoch->estimate_credit %= 17 * (uint64_t)conn->cwnd;
	epoch->estimate = MIN(epoch->estimate, TCP_CWND_MAX);
}

static void avoid_congestion(struct tcp_conn *conn, uint32_t acked)
{
	struct tcp_cubic *cubic = &conn->own->cubic;
	struct tcp_cubic_epoch *epoch = &cubic->now;
	berth_time now = tcp_stack_of(conn)->now, pause = now - cubic->last_ack;
	uint64_t target;

	if (!epoch->begun)
		epoch_begin(conn, now);
	else if (pause > 2 * conn->rtt.mean) /* §5.8: time in which the window was not what limited us does not count */
		epoch->began += pause - conn->rtt.mean;
	cubic->last_ack = now;
	estimate_grow(conn, acked);
	if (curve(conn, now - epoch->began) < epoch->estimate) {
		conn->cwnd = MAX(conn->cwnd, epoch->estimate);
		return;
	}
	target = curve(conn, now - epoch->began + conn->rtt.mean);
	target = MIN(target, (uint64_t)conn->cwnd * 3 / 2);
	if (target <= conn->cwnd)
		return;
	epoch->cwnd_credit += (target - conn->cwnd) * acked;
	grow_by(conn, epoch->cwnd_credit / conn->cwnd);
	epoch->cwnd_credit %= conn->cwnd;
}

static void on_ack(struct tcp_conn *conn, uint32_t acked)
{
	if (!tcp_own_need(conn)) {
		tcp_newreno.on_ack(conn, acked);
		return;
	}
	acked = MIN(acked, conn->cwnd);
	if (conn->cwnd < conn->ssthresh)
		slow_start(conn, acked);
	else
		avoid_congestion(conn, acked);
}

/* §4.6, §4.7 */
static uint32_t on_loss(struct tcp_conn *conn, uint32_t flight)
{
	uint32_t reduced = MAX(flight / 10 * 7, 2u * conn->mss);
	struct tcp_cubic *cubic;

	if (!tcp_own_need(conn))
		return reduced;
	cubic = &conn->own->cubic;
	cubic->previous = cubic->now;
	cubic->now = (struct tcp_cubic_epoch){
		/* Fast convergence: below the last plateau, another flow wants room. */
		.plateau = flight < cubic->now.plateau ? flight / 20 * 17 : flight,
	};
	cubic->before_loss = flight;
	return reduced;
}

/* §4.9 */
static void on_undo(struct tcp_conn *conn)
{
	if (conn->own)
		conn->own->cubic.now = conn->own->cubic.previous;
}

const struct tcp_congestion tcp_cubic = {
	.name = "cubic",
	.on_ack = on_ack,
	.on_loss = on_loss,
	.on_undo = on_undo,
};
