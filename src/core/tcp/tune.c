/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers that grow to what the path needs, unless the application chose
 * their sizes: from the limits' defaults up to the limits' maxima, never back.
 *
 * Sending: twice what may be under way, so that the application fills one half
 * while the other is on its way. Linux: tcp_sndbuf_expand().
 *
 * Receiving: dynamic right-sizing (Fisk and Feng; Linux:
 * tcp_rcv_space_adjust()): what the application took in the last round trip
 * may double in the next. Differs: a reader that was away for longer than a
 * round trip counts by its rate, so a slow one keeps its buffer small.
 */
#include "core/tcp/tcp.h"

/* Who took little in one call, and was not sent much in all, need not be watched. */
#define LITTLE_AT_ONCE 1024u
#define LITTLE_IN_ALL 8			 /* parts of the buffer */
#define ROUND_UNKNOWN (100 * BERTH_MSEC) /* no sample: the handshake was sent again, and we never sent data */

void tcp_tune_send_more(struct tcp_conn *conn)
{
	struct berth_socket *socket = tcp_socket(conn);
	uint64_t wanted = 2 * (uint64_t)MIN(conn->cwnd, conn->snd_wnd);
	bool was_writeable;

	if (wanted <= socket->send_buffer || socket->options->send_buffer_set || socket->stack->budget.pressure)
		return;
	was_writeable = tcp_writeable(conn);
	wanted = MIN(wanted, socket->stack->limits.send_buffer_max);
	socket->send_buffer = (uint32_t)MAX(wanted, socket->send_buffer);
	conn->wake |= !was_writeable && tcp_writeable(conn);
}

/* What the window must be for the next round, if this one brought taken bytes and the last one before. */
static uint64_t window_for(uint64_t taken, uint64_t before, uint32_t mss)
{
	uint64_t window = 2 * taken + 16 * (uint64_t)mss;

	/* In slow start the peer may double once more before we look again. */
	return window + 2 * window * (taken - before) / MAX(before, 1);
}

void tcp_tune_receive(struct tcp_conn *conn, size_t taken)
{
	struct berth_socket *socket = tcp_socket(conn);
	struct tcp_tuning *tuning;
	berth_time round = conn->rtt.mean ? conn->rtt.mean : ROUND_UNKNOWN, elapsed;
	uint64_t in_round, wanted;

	if (socket->options->receive_buffer_set)
		return;
	if (!conn->rare->tuning.since && taken < LITTLE_AT_ONCE &&
	    conn->counters.bytes_received < socket->receive_buffer / LITTLE_IN_ALL)
		return;
	if (!tcp_rare_need(conn))
		return;
	tuning = &conn->rare->tuning;
	elapsed = socket->stack->now - tuning->since;
	tuning->taken += taken;
	if (elapsed < round)
		return;
	in_round = elapsed >= 2 * round ? (uint64_t)((double)tuning->taken * (double)round / (double)elapsed)
					: tuning->taken;
	if (tuning->since && in_round > tuning->last && !socket->stack->budget.pressure) {
		uint64_t most = socket->stack->limits.receive_buffer_max;

		wanted = tuning->last ? window_for(in_round, tuning->last, conn->receive_mss) : 2 * in_round;
		socket->receive_buffer = (uint32_t)MAX(MIN(wanted, most), socket->receive_buffer);
		tuning->last = in_round;
	}
	tuning->since = socket->stack->now;
	tuning->taken = 0;
}
