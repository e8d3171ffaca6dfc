/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The states of a conversation, RFC 9293 §3.3.2, and the ways in and out of
 * the engine. Nothing else writes conn->state.
 */
#include "core/tcp/tcp.h"

#include <assert.h>

#define TO(state) (1u << TCP_##state)

/* Every edge there is, with the function behind it. Everything may go to CLOSED: tcp_finish(). */
static const uint16_t edges[TCP_STATES] = {
	[TCP_CLOSED] = TO(LISTEN)	  /* tcp_listen() */
		       | TO(SYN_SENT)	  /* tcp_connect() */
		       | TO(SYN_RECEIVED) /* fastopen_server_answer() */
		       | TO(ESTABLISHED), /* tcp_request_arrive(): the child of a request */
	[TCP_LISTEN] = TO(CLOSED),
	[TCP_SYN_SENT] = TO(CLOSED) | TO(SYN_RECEIVED)	   /* tcp_arrive_syn_sent(): simultaneous open */
			 | TO(ESTABLISHED),		   /* tcp_become_established() */
	[TCP_SYN_RECEIVED] = TO(CLOSED) | TO(ESTABLISHED), /* tcp_become_established() */
	[TCP_ESTABLISHED] = TO(CLOSED) | TO(FIN_WAIT_1)	   /* tcp_shutdown(), tcp_release() */
			    | TO(CLOSE_WAIT),		   /* tcp_take_fin() */
	[TCP_FIN_WAIT_1] = TO(CLOSED) | TO(FIN_WAIT_2)	   /* tcp_take_ack() */
			   | TO(CLOSING),		   /* tcp_take_fin() */
	[TCP_FIN_WAIT_2] = TO(CLOSED) | TO(TIME_WAIT),	   /* tcp_take_fin() */
	[TCP_CLOSE_WAIT] = TO(CLOSED) | TO(LAST_ACK),	   /* tcp_shutdown(), tcp_release() */
	[TCP_CLOSING] = TO(CLOSED) | TO(TIME_WAIT),	   /* tcp_take_ack() */
	[TCP_LAST_ACK] = TO(CLOSED),			   /* tcp_take_ack() */
	[TCP_TIME_WAIT] = TO(CLOSED),			   /* tcp_timewait_begin() */
};

bool tcp_edge_legal(enum tcp_state from, enum tcp_state to)
{
	return edges[from] & 1u << to;
}

void tcp_set_state(struct tcp_conn *conn, enum tcp_state state)
{
	assert(tcp_edge_legal(conn->state, state));
	conn->waited = conn->state == TCP_TIME_WAIT;
	conn->state = (uint8_t)state;
	conn->wake = true;
}

/* ss's words. */
const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[TCP_STATES] = {
		[TCP_CLOSED] = "UNCONN",	 [TCP_LISTEN] = "LISTEN",	  [TCP_SYN_SENT] = "SYN-SENT",
		[TCP_SYN_RECEIVED] = "SYN-RECV", [TCP_ESTABLISHED] = "ESTAB",	  [TCP_FIN_WAIT_1] = "FIN-WAIT-1",
		[TCP_FIN_WAIT_2] = "FIN-WAIT-2", [TCP_CLOSE_WAIT] = "CLOSE-WAIT", [TCP_CLOSING] = "CLOSING",
		[TCP_LAST_ACK] = "LAST-ACK",	 [TCP_TIME_WAIT] = "TIME-WAIT",
	};

	return names[state];
}

static void charge(struct tcp_conn *conn)
{
	uint32_t memory = tcp_memory(conn);

	if (memory == conn->work->charged)
		return;
	budget_change(tcp_stack_of(conn), conn->work->charged, memory);
	conn->work->charged = memory;
}

void tcp_drop_queues(struct tcp_conn *conn)
{
	if (tcp_working(conn)) {
		sendq_clear(&conn->work->sendq);
		receiveq_clear(&conn->work->receiveq);
	}
	tcp_sent_reset(conn);
	if (conn->rate)
		tcp_rate_drop(conn);
	if (conn->work->mtu_search)
		tcp_mtu_drop(conn);
	charge(conn);
	if (conn->own)
		tcp_own_drop(conn);
	if (conn->work->blocks)
		tcp_blocks_drop(conn);
}

/* Everything but the settings as new; the socket may be used again after a failed connect(). */
void tcp_conn_init(struct tcp_conn *conn)
{
	struct tcp_settings *settings = conn->settings;
	struct tcp_work *work;
	struct tcp_sent *sent;
	struct tcp_rare *rare;
	uint8_t busy = conn->busy;

	if (!conn->work)
		tcp_work_fini(conn); /* of a new one: it has none */
	tcp_drop_queues(conn);
	tcp_work_reset(conn);
	tcp_rare_reset(conn);
	work = conn->work;
	sent = conn->sent;
	rare = conn->rare;
	*conn = (struct tcp_conn){ .settings = settings, .busy = busy, .rare = rare, .sent = sent, .work = work };
	tcp_rtt_init(&conn->rtt);
	conn->quick_acks = TCP_QUICK_ACKS;
}

void tcp_conn_fini(struct tcp_conn *conn)
{
	tcp_drop_queues(conn);
	tcp_work_fini(conn);
	tcp_sent_fini(conn);
	fastopen_end(conn);
	tcp_rare_fini(conn);
	share_unref(&tcp_of(tcp_stack_of(conn))->settings, conn->settings);
	conn->settings = NULL;
}

static const char *told_name(unsigned state)
{
	return state == TCP_CLOSED ? "CLOSED" : tcp_state_name(state);
}

/* Tell of the state that this entry ends with. The hook may close the socket: conn is still busy. */
static void tell_state(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	const struct demux_node *ends = &tcp_socket(conn)->demux;
	struct berth_event_info about = {
		.event = BERTH_EVENT_TCP_STATE,
		.protocol = IPPROTO_TCP,
		.local = ends->local,
		.remote = ends->remote,
		.state = conn->waited ? tcp_state_name(TCP_TIME_WAIT) : told_name(conn->state),
		.before = told_name(conn->told_state),
	};

	conn->told_state = conn->state;
	stack->events[BERTH_EVENT_TCP_STATE]++;
	if (stack->hooks.event)
		stack->hooks.event(stack->hooks.context, &about);
}

void tcp_leave(struct tcp_conn *conn)
{
	struct berth_socket *socket = tcp_socket(conn);
	int error;

	if (conn->busy > 1) {
		conn->busy--;
		return;
	}
	while (conn->told_state != conn->state)
		tell_state(conn);
	error = conn->error;
	if (conn->released && conn->state == TCP_LISTEN) {
		tcp_listener_close(conn, false);
		tcp_finish(conn, 0);
	}
	conn->busy = 0;
	charge(conn);
	tcp_work_settle(conn);
	if (conn->state == TCP_CLOSED && conn->released) {
		tcp_conn_fini(conn);
		berth_socket_done(socket);
		return;
	}
	if (!conn->wake && !error)
		return;
	conn->wake = false;
	conn->error = 0;
	if (error)
		berth_socket_fail(socket, error);
	else
		berth_socket_notify(socket);
}

void tcp_finish(struct tcp_conn *conn, int error)
{
	struct berth_socket *socket = tcp_socket(conn);

	if (conn->state == TCP_CLOSED)
		return;
	if (!conn->ever_connected && !conn->released)
		socket->state = SOCKET_UNCONNECTED; /* connect() failed: it may be tried again */
	tcp_set_state(conn, TCP_CLOSED);
	tcp_timer_clear_all(conn);
	fastopen_end(conn);
	if (tcp_working(conn)) {
		sendq_clear(&conn->work->sendq);
		receiveq_clear_early(&conn->work->receiveq);
	}
	scoreboard_clear(&conn->sent->board);
	tcp_rate_drop(conn);
	tcp_mtu_drop(conn);
	demux_remove(socket->stack, &socket->demux);
	conn->read_shutdown = conn->write_shutdown = true;
	conn->error = (uint16_t)error;
	conn->wake = true;
}

void tcp_abort(struct tcp_conn *conn, int error)
{
	if (tcp_synchronized(conn->state) || conn->state == TCP_SYN_RECEIVED)
		tcp_send_reset(conn);
	tcp_finish(conn, error);
}

/* FIN-WAIT-2 without a descriptor: the peer's FIN may never come. Linux: tcp_fin_timeout, TCP_LINGER2. */
void tcp_orphan_wait(struct tcp_conn *conn)
{
	int32_t seconds = conn->settings->linger2_seconds;
	berth_time wait = seconds ? seconds * BERTH_SEC : TCP_FIN_WAIT_2_TIME;

	if (seconds < 0)
		tcp_abort(conn, 0);
	else
		tcp_timer_set(conn, TCP_TIMER_ORPHAN, tcp_stack_of(conn)->now + wait);
}
