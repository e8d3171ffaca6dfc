/* SPDX-License-Identifier: BSD-2-Clause */
/* What ss shows of conversations: sockets, and requests and TIME-WAITs, which are none. */
#include "core/tcp/tcp.h"

static uint32_t milliseconds(berth_time duration)
{
	return duration <= 0 ? 0 : (uint32_t)MIN(duration / BERTH_MSEC, UINT32_MAX);
}

/* Linux: ss tells of one timer only, the most urgent kind first. */
static void inspect_timer(struct tcp_conn *conn, struct berth_socket_info *info)
{
	static const struct {
		enum tcp_timer which;
		const char *name;
	} kinds[] = {
		{ TCP_TIMER_RETRANSMIT, "on" },
		{ TCP_TIMER_PERSIST, "persist" },
		{ TCP_TIMER_KEEPALIVE, "keepalive" },
		{ TCP_TIMER_ORPHAN, "timewait" },
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (!tcp_timer_on(conn, kinds[i].which))
			continue;
		info->timer = kinds[i].name;
		info->timer_ms = milliseconds(conn->work->deadline[kinds[i].which] - tcp_stack_of(conn)->now);
		return;
	}
}

static void inspect_socket(struct berth_socket *socket, struct berth_socket_info *info)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	uint32_t mss = MAX(conn->mss, 1);

	info->state = tcp_state_name(conn->state);
	info->congestion = conn->settings->congestion->name;
	if (conn->state == TCP_LISTEN) {
		info->receive_queue = conn->rare->listener->accepted_count;
		info->send_queue = conn->rare->listener->backlog;
		return;
	}
	info->receive_queue = (uint32_t)conn->work->receiveq.bytes;
	info->send_queue = (uint32_t)conn->work->sendq.bytes;
	info->rtt_us = (uint32_t)(conn->rtt.mean / BERTH_USEC);
	info->rttvar_us = (uint32_t)(conn->rtt.deviation / BERTH_USEC);
	info->rto_us = (uint32_t)(tcp_rtt_timeout(&conn->rtt) / BERTH_USEC);
	info->cwnd = conn->cwnd / mss;
	info->ssthresh = conn->ssthresh == UINT32_MAX ? 0 : conn->ssthresh / mss;
	info->mss = conn->mss;
	info->send_window = conn->snd_wnd;
	info->receive_window = seq_gt(conn->rcv_adv, conn->rcv_nxt) ? conn->rcv_adv - conn->rcv_nxt : 0;
	info->in_flight = tcp_flight(conn);
	info->timeouts = MAX(conn->timeouts, conn->probes);
	info->since_sent_ms = milliseconds(tcp_stack_of(conn)->now - conn->last_sent);
	info->since_heard_ms = milliseconds(tcp_stack_of(conn)->now - conn->last_heard);
	inspect_timer(conn, info);
	info->bytes_sent = tcp_bytes_sent(conn);
	info->bytes_acked = conn->counters.bytes_acked;
	info->bytes_received = conn->counters.bytes_received;
	info->segments_out = conn->counters.segments_out;
	info->segments_in = conn->counters.segments_in;
	info->retransmits = conn->rare->retransmits;
}

struct walk {
	int (*each)(void *context, const struct berth_socket_info *info);
	void *context;
	int result; /* the walk ends when it is not 0 */
};

static void inspect_node(void *context, struct demux_node *node)
{
	struct walk *walk = context;
	struct berth_socket_info info = {
		.fd = -1,
		.protocol = IPPROTO_TCP,
		.protocol_name = tcp_protocol.name,
		.family = ip_is6(node->local.ip) ? AF_INET6 : AF_INET,
		.type = SOCK_STREAM,
		.state = tcp_state_name(node->kind == DEMUX_REQUEST ? TCP_SYN_RECEIVED : TCP_TIME_WAIT),
		.local = node->local,
		.remote = node->remote,
	};

	if (node->kind == DEMUX_TIMEWAIT) {
		const struct tcp_timewait *timewait = CONTAINER_OF(node, struct tcp_timewait, demux);

		info.timer = "timewait";
		info.timer_ms = milliseconds(timewait->expiry - timewait->tcp->stack->now);
	}
	if (walk->result == 0)
		walk->result = walk->each(walk->context, &info);
}

static int inspect_others(struct berth_stack *stack, int (*each)(void *, const struct berth_socket_info *),
			  void *context)
{
	struct walk walk = { each, context, 0 };

	demux_each(stack, IPPROTO_TCP, inspect_node, &walk);
	return walk.result;
}

const struct socket_inspector tcp_inspector = { .socket = inspect_socket, .others = inspect_others };
