/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding losses by time: RACK-TLP, RFC 8985, for conversations with SACK.
 *
 * RACK: a transmission is lost when one sent later was delivered and a round
 * trip plus a window for reordering has passed. Three segments SACKed and no
 * reordering ever seen make that window zero, which is RFC 6675's threshold.
 * TLP: a probe asks for a SACK when the tail of what was sent stays silent.
 *
 * Transmissions are ordered by serial number, not by time: many leave in one
 * instant. Differs from §6.2 step 5: the timer is set for the first that will
 * be lost, not the last, so that an ACK looks only at what it finds lost.
 */
#include "core/tcp/tcp.h"

#define DUPLICATE_THRESHOLD 3
#define WINDOW_PERSISTS 16 /* recoveries, RFC 8985 §6.2 step 4 */
#define PROBE_SLACK (2 * BERTH_MSEC)

static bool sent_before(const struct flight *flight, const struct tcp_rack *rack)
{
	return flight->serial < rack->serial || (flight->serial == rack->serial && seq_lt(flight->end, rack->end));
}

void tcp_rack_update(struct tcp_conn *conn, const struct delivery *delivery)
{
	struct tcp_rack *rack = &conn->sent->rack;

	rack->reordering |= delivery->reordered;
	if (!delivery->any)
		return;
	rack->rtt = delivery->now - delivery->sent;
	if (delivery->serial > rack->serial || (delivery->serial == rack->serial && seq_gt(delivery->end, rack->end))) {
		rack->serial = delivery->serial;
		rack->end = delivery->end;
	}
}

/* A DSACK: a resending was for nothing. Wait longer from now on, once a round trip. */
void tcp_rack_duplicate(struct tcp_conn *conn)
{
	struct tcp_rack *rack = &conn->sent->rack;

	rack->persists = WINDOW_PERSISTS;
	if (rack->round_known && seq_lt(conn->snd_una, rack->round_end))
		return;
	rack->round_known = true;
	rack->round_end = conn->snd_max;
	rack->steps += rack->steps < UINT8_MAX;
}

void tcp_rack_recovered(struct tcp_conn *conn)
{
	struct tcp_rack *rack = &conn->sent->rack;

	if (rack->persists)
		rack->persists--;
	else
		rack->steps = 1;
}

static berth_time reordering_window(const struct tcp_conn *conn)
{
	const struct tcp_rack *rack = &conn->sent->rack;

	if (!rack->reordering && (conn->in_recovery || conn->in_loss ||
				  conn->sent->board.sacked_bytes >= DUPLICATE_THRESHOLD * (uint32_t)conn->mss))
		return 0;
	return MIN(conn->rtt.smallest / 4 * MAX(rack->steps, 1), conn->rtt.mean);
}

bool tcp_rack_detect(struct tcp_conn *conn)
{
	berth_time now = tcp_stack_of(conn)->now, patience = conn->sent->rack.rtt + reordering_window(conn);
	struct flight *flight;
	bool found = false;

	tcp_timer_clear(conn, TCP_TIMER_REORDER);
	while ((flight = scoreboard_oldest(&conn->sent->board)) && sent_before(flight, &conn->sent->rack)) {
		if (flight->sent + patience > now) {
			tcp_timer_set(conn, TCP_TIMER_REORDER, flight->sent + patience);
			break;
		}
		scoreboard_lose(&conn->sent->board, flight);
		found = true;
	}
	return found;
}

/* §7.2. At the latest when the timeout is due: the probe goes in its place. */
void tcp_probe_arm(struct tcp_conn *conn)
{
	berth_time now = tcp_stack_of(conn)->now, wait = 2 * conn->rtt.mean;

	if (!conn->sack)
		return;
	if (!tcp_flight(conn) || conn->in_recovery || conn->in_loss || conn->sent->probe.out || !conn->rtt.mean ||
	    !conn->snd_wnd || conn->sent->board.lost_bytes || !tcp_synchronized(conn->state)) {
		tcp_timer_clear(conn, TCP_TIMER_PROBE);
		return;
	}
	wait += tcp_flight(conn) <= conn->mss ? TCP_RTO_MIN : PROBE_SLACK;
	wait += now;
	if (tcp_timer_on(conn, TCP_TIMER_RETRANSMIT))
		wait = MIN(wait, conn->work->deadline[TCP_TIMER_RETRANSMIT]);
	tcp_timer_set(conn, TCP_TIMER_PROBE, wait);
}

void tcp_probe_timeout(struct tcp_conn *conn)
{
	if (!tcp_flight(conn) || conn->in_recovery || conn->in_loss)
		return;
	conn->sent->probe.out = true; /* one at a time: sending must not arm the next */
	conn->sent->probe.again = !tcp_output_probe(conn);
	conn->sent->probe.end = conn->snd_max;
	tcp_event(conn, BERTH_EVENT_TCP_TAIL_PROBE);
	if (tcp_synchronized(conn->state))
		tcp_timer_retransmit(conn);
}

/* §7.4.2. Returns true when the probe repaired a loss that nothing else would have told of. */
bool tcp_probe_answered(struct tcp_conn *conn, bool advanced, bool duplicate, const struct delivery *delivery)
{
	if (!conn->sent->probe.out || seq_lt(conn->snd_una, conn->sent->probe.end))
		return false;
	if (!conn->sent->probe.again || duplicate) {
		conn->sent->probe.out = false; /* new data, or both arrived */
		return false;
	}
	if (seq_gt(conn->snd_una, conn->sent->probe.end)) {
		conn->sent->probe.out = false;
		return true;
	}
	if (!advanced && !delivery->sacked)
		conn->sent->probe.out = false; /* a plain duplicate ACK: the probe came second */
	return false;
}
