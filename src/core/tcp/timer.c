/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A conversation's timers: several deadlines behind one timer of the stack's,
 * which is set to the earliest. A deadline that is cleared leaves the timer
 * where it is; it comes up, finds nothing due and is set right then. That
 * keeps a ping-pong from touching the heap.
 */
#include "base/timer.h"

#include "core/tcp/tcp.h"

static berth_time earliest(const struct tcp_conn *conn)
{
	berth_time deadline = BERTH_NEVER;

	for (unsigned i = 0; i < TCP_TIMERS; i++)
		if (tcp_timer_on(conn, i))
			deadline = MIN(deadline, conn->work->deadline[i]);
	return deadline;
}

void tcp_timer_set(struct tcp_conn *conn, enum tcp_timer which, berth_time deadline)
{
	/* Without memory for it, or for the heap, this waits for the next event; a peer's segment is one. */
	if (!tcp_work_need(conn))
		return;
	conn->work->timers |= (uint8_t)(1u << which);
	conn->work->deadline[which] = deadline;
	if ((timer_armed(&conn->work->timer) && conn->work->timer.deadline <= deadline))
		return;
	(void)timers_set(&tcp_stack_of(conn)->timers, &conn->work->timer, deadline);
}

void tcp_timer_settle(struct tcp_conn *conn)
{
	if (!conn->work->timers)
		timers_cancel(&tcp_stack_of(conn)->timers, &conn->work->timer);
}

void tcp_timer_clear_all(struct tcp_conn *conn)
{
	if (!tcp_working(conn))
		return;
	conn->work->timers = 0;
	timers_cancel(&tcp_stack_of(conn)->timers, &conn->work->timer);
}

void tcp_timer_retransmit(struct tcp_conn *conn)
{
	tcp_timer_set(conn, TCP_TIMER_RETRANSMIT, tcp_stack_of(conn)->now + tcp_rtt_timeout(&conn->rtt));
}

void tcp_timer_single(struct tcp_conn *conn)
{
	berth_time now = tcp_stack_of(conn)->now, deadline;
	struct tcp_work *work = conn->work;

	if (!tcp_timer_on(conn, TCP_TIMER_RETRANSMIT))
		work->deadline[TCP_TIMER_RETRANSMIT] = now + tcp_rtt_timeout(&conn->rtt); /* RFC 6298 §5.1 */
	deadline = work->deadline[TCP_TIMER_RETRANSMIT];
	work->timers |= 1u << TCP_TIMER_RETRANSMIT;
	if (conn->rtt.mean && conn->snd_wnd && !conn->sent->probe.out) { /* RFC 8985 §7.2 */
		deadline = MIN(deadline, now + 2 * conn->rtt.mean + TCP_RTO_MIN);
		work->deadline[TCP_TIMER_PROBE] = deadline;
		work->timers |= 1u << TCP_TIMER_PROBE;
	} else {
		tcp_timer_clear(conn, TCP_TIMER_PROBE);
	}
	if (!timer_armed(&work->timer) || work->timer.deadline > deadline)
		(void)timers_set(&tcp_stack_of(conn)->timers, &work->timer, deadline);
}

static bool user_timeout_over(const struct tcp_conn *conn, berth_time since, berth_time now)
{
	return conn->settings->user_timeout_ms && now - since >= conn->settings->user_timeout_ms * BERTH_MSEC;
}

static void give_up(struct tcp_conn *conn)
{
	tcp_event(conn, BERTH_EVENT_TCP_TIMEOUT);
	tcp_abort(conn, conn->soft_error ? conn->soft_error : ETIMEDOUT);
}

/* Linux: one more for a SYN-ACK whose conversation is open already (tcp_fastopen_synack_timer()) */
static unsigned syn_retries(const struct tcp_conn *conn)
{
	if (conn->opened_fast)
		return TCP_SYN_ACK_RETRIES + 1;
	return conn->settings->syn_retries ? conn->settings->syn_retries : TCP_SYN_RETRIES;
}

static void syn_timeout(struct tcp_conn *conn)
{
	unsigned retries = syn_retries(conn);

	if (conn->timeouts >= retries || user_timeout_over(conn, conn->work->first_sent, tcp_stack_of(conn)->now)) {
		give_up(conn);
		return;
	}
	conn->timeouts++;
	conn->work->timed = false;
	tcp_rtt_backoff(&conn->rtt);
	tcp_event(conn, BERTH_EVENT_TCP_RETRANSMIT);
	if (tcp_rare_need(conn))
		conn->rare->retransmits++;
	tcp_send_syn(conn);
	tcp_timer_retransmit(conn);
}

/* RFC 9293 §3.8.3; Linux: retransmits_timed_out(). */
static bool retransmitted_enough(const struct tcp_conn *conn, berth_time now)
{
	unsigned retries = conn->released ? TCP_ORPHAN_RETRIES : TCP_RETRIES;

	if (user_timeout_over(conn, conn->work->first_sent, now))
		return true;
	return conn->timeouts && now - conn->work->first_sent >= tcp_rtt_give_up(retries);
}

static void retransmit_timeout(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);

	if (conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RECEIVED) {
		syn_timeout(conn);
		return;
	}
	if (!tcp_flight(conn))
		return;
	if (retransmitted_enough(conn, stack->now)) {
		give_up(conn);
		return;
	}
	tcp_event(conn, BERTH_EVENT_TCP_RTO);
	if (conn->sack)
		tcp_loss_timeout(conn);
	else
		tcp_recovery_timeout(conn);
	conn->timeouts += conn->timeouts < UINT8_MAX;
	tcp_mtu_timeout(conn);
	tcp_rtt_backoff(&conn->rtt); /* RFC 6298 §5.5 */
	tcp_retransmit(conn);
	tcp_timer_retransmit(conn);
	tcp_output(conn);
}

/* RFC 9293 §3.8.6.1: probes go on for as long as the peer answers. */
static void persist_timeout(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	unsigned retries = conn->released ? TCP_ORPHAN_RETRIES : TCP_RETRIES;

	if (conn->probes >= retries ||
	    (conn->probes && user_timeout_over(conn, conn->work->probing_since, stack->now))) {
		give_up(conn);
		return;
	}
	tcp_force_output(conn);
}

/* Linux: tcp_keepalive_timer(). */
static void keepalive_timeout(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	const struct tcp_settings *settings = conn->settings;
	bool idle_long = stack->now - conn->last_heard >= settings->keepalive_idle;

	if (!tcp_socket(conn)->options->keepalive || !tcp_synchronized(conn->state))
		return;
	if (tcp_flight(conn) || conn->work->sendq.bytes || !idle_long) {
		conn->keepalives = 0;
		tcp_timer_keepalive(conn);
		return;
	}
	if (settings->user_timeout_ms ? conn->keepalives && user_timeout_over(conn, conn->last_heard, stack->now)
				      : conn->keepalives >= settings->keepalive_probes) {
		give_up(conn);
		return;
	}
	conn->keepalives++;
	tcp_send_probe(conn, false);
	tcp_timer_set(conn, TCP_TIMER_KEEPALIVE, stack->now + settings->keepalive_interval);
}

/* When nothing is heard until then, ask. Moved only when it comes up. */
void tcp_timer_keepalive(struct tcp_conn *conn)
{
	berth_time now = tcp_stack_of(conn)->now, due = conn->last_heard + conn->settings->keepalive_idle;

	if (!tcp_socket(conn)->options->keepalive || !tcp_synchronized(conn->state)) {
		tcp_timer_clear(conn, TCP_TIMER_KEEPALIVE);
		return;
	}
	tcp_timer_set(conn, TCP_TIMER_KEEPALIVE, due > now ? due : now + conn->settings->keepalive_idle);
}

void tcp_keepalive_changed(struct berth_socket *socket)
{
	tcp_conn_of(socket)->keepalives = 0;
	tcp_timer_keepalive(tcp_conn_of(socket));
}

static void delayed_ack_timeout(struct tcp_conn *conn)
{
	conn->interactive = conn->interactive && conn->unacked_bytes == 0;
	tcp_send_ack(conn);
}

static void orphan_timeout(struct tcp_conn *conn)
{
	if (conn->state == TCP_FIN_WAIT_2)
		tcp_finish(conn, 0);
}

static void (*const handlers[TCP_TIMERS])(struct tcp_conn *conn) = {
	[TCP_TIMER_PROBE] = tcp_probe_timeout,	       [TCP_TIMER_REORDER] = tcp_loss_reorder_timeout,
	[TCP_TIMER_RETRANSMIT] = retransmit_timeout,   [TCP_TIMER_PERSIST] = persist_timeout,
	[TCP_TIMER_DELAYED_ACK] = delayed_ack_timeout, [TCP_TIMER_KEEPALIVE] = keepalive_timeout,
	[TCP_TIMER_PACE] = tcp_pace_timeout,	       [TCP_TIMER_ORPHAN] = orphan_timeout,
};

void tcp_timer_run(struct berth_timer *timer)
{
	struct tcp_conn *conn = CONTAINER_OF(timer, struct tcp_work, timer)->conn;
	struct berth_stack *stack = tcp_stack_of(conn);

	tcp_enter(conn);
	for (unsigned i = 0; i < TCP_TIMERS && conn->state != TCP_CLOSED; i++) {
		if (!tcp_timer_on(conn, i) || conn->work->deadline[i] > stack->now)
			continue;
		tcp_timer_clear(conn, i);
		handlers[i](conn);
	}
	if (conn->state != TCP_CLOSED && conn->work->timers)
		(void)timers_set(&stack->timers, &conn->work->timer, earliest(conn));
	tcp_leave(conn);
}
