/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending when nothing is under way and what is written fits into one segment:
 * requests, answers, keystrokes. It is what tcp_send() and tcp_output() come
 * to then, in a row: nothing waits, no window is in the way, Nagle has no
 * objection. Whatever is special in any way goes through those.
 */
#include "core/tcp/tcp.h"

#include "wire/checksum.h"

/* Are the conversation and the path as they nearly always are? */
static bool is_plain(const struct tcp_conn *conn, const struct berth_socket *socket)
{
	const struct tcp_work *work = conn->work;

	return conn->state == TCP_ESTABLISHED && conn->sack && conn->snd_una == conn->snd_max && !work->sendq.head &&
	       !work->blocks && !work->mtu_search && !conn->rate && !conn->busy && !conn->ecn && !conn->urgent_out &&
	       !conn->in_recovery && !conn->in_loss && !conn->settings->cork &&
	       !conn->settings->congestion->on_sample && !socket->stack->budget.pressure &&
	       ip_path_valid(socket->stack, socket->path) && socket->path->mtu == conn->mss_mtu;
}

/* May so many bytes go at once? After a pause the congestion window still holds a segment. */
static bool fits(const struct tcp_conn *conn, const struct berth_socket *socket, size_t size)
{
	return size && size <= conn->mss && conn->mss <= conn->cwnd && size <= conn->snd_wnd &&
	       size <= socket->send_buffer && budget_sure(&socket->stack->budget, tcp_memory(conn), size);
}

/* The record of it and the packet: all that memory may be wanting for. NULL: there is none. */
static struct berth_packet *prepare(struct tcp_conn *conn, const struct berth_message *message, size_t size)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	struct sendq *queue = &conn->work->sendq;
	struct berth_packet *packet;
	uint32_t length = (uint32_t)size;

	if (!tcp_sent_need(conn))
		return NULL;
	packet = berth_packet_new(stack->packets, PACKET_HEADROOM + WIRE_TCP_HEADER_MAX, size);
	if (!packet)
		return NULL;
	packet->length = length;
	if (!sendq_begin(queue, stack->packets, message, size) ||
	    !scoreboard_add(&conn->sent->board, conn->snd_max, conn->snd_max + length, conn->mss, stack->now)) {
		sendq_clear(queue);
		berth_packet_unref(packet);
		return NULL;
	}
	return packet;
}

static struct wire_tcp header_of(struct tcp_conn *conn, const struct berth_socket *socket)
{
	struct wire_tcp header = {
		.source_port = socket->demux.local.port,
		.destination_port = socket->demux.remote.port,
		.seq = conn->snd_max,
		.ack = conn->rcv_nxt,
		.flags = WIRE_TCP_ACK | WIRE_TCP_PSH,
		.has_timestamps = conn->timestamps,
	};

	if (conn->timestamps) {
		header.timestamp = tcp_timestamp_now(socket->stack, conn->timestamp_offset);
		header.timestamp_echo = conn->ts_recent;
	}
	return header;
}

/* The segment says that everything was received: what was owed is paid. */
static void note_sending(struct tcp_conn *conn, uint32_t length, berth_time now)
{
	tcp_note_answer(conn, now);
	conn->counters.segments_out++;
	conn->counters.data_out++;
	conn->snd_max += length;
	if (length < conn->mss)
		conn->work->snd_small_end = conn->snd_max;
	conn->work->first_sent = conn->last_sent = now;
	conn->last_ack_sent = conn->rcv_nxt;
	conn->unacked_bytes = 0;
	conn->unacked_small = 0;
	conn->ack_now = conn->more = conn->cwnd_limited = conn->send_new = false;
	tcp_timer_clear(conn, TCP_TIMER_DELAYED_ACK);
	tcp_timer_clear(conn, TCP_TIMER_PERSIST);
}

static void emit(struct tcp_conn *conn, struct berth_packet *packet)
{
	struct berth_socket *socket = tcp_socket(conn);
	struct wire_tcp header = header_of(conn, socket);
	struct tcp_emit emit = {
		.local = socket->demux.local,
		.remote = socket->demux.remote,
		.path = socket->path,
		.ttl = socket->options->ttl,
		.traffic_class = tcp_ecn_mark(conn, &header, true, socket->options->traffic_class),
		.summed = !tcp_unchecked(socket->path->link),
	};

	if (emit.summed)
		packet->mark = checksum_copy(0, packet->data, conn->work->sendq.head->data, packet->length);
	else
		memcpy(packet->data, conn->work->sendq.head->data, packet->length);
	note_sending(conn, packet->length, socket->stack->now);
	header.window = tcp_window_to_offer(conn);
	demux_expect(socket->stack, &socket->demux);
	(void)tcp_emit(socket->stack, &emit, &header, packet); /* a failure is a loss: the timers see to it */
}

/* A hook within emit() may have ended the conversation, or have left something to do. */
static void finish(struct tcp_conn *conn)
{
	if (!tcp_may_send(conn))
		return;
	if (tcp_flight(conn))
		tcp_timer_single(conn);
	conn->wake |= conn->settings->notsent_low_water != 0;
	if (conn->fin_queued || tcp_unsent(conn))
		tcp_output(conn);
}

bool tcp_send_single(struct tcp_conn *conn, const struct berth_message *message, size_t size)
{
	const struct berth_socket *socket = tcp_socket(conn);
	struct berth_packet *packet;

	if (message->flags & (MSG_OOB | MSG_MORE) || !fits(conn, socket, size) || !is_plain(conn, socket) ||
	    !tcp_work_need(conn))
		return false;
	packet = prepare(conn, message, size);
	if (!packet)
		return false;
	conn->busy = 1;
	if (tcp_stack_of(conn)->now - conn->last_sent > TCP_RTO_MIN) /* no timeout is shorter */
		tcp_congestion_idle(conn);
	conn->sending = true;
	emit(conn, packet);
	conn->sending = false;
	conn->snd_nxt = seq_max(conn->snd_nxt, conn->snd_max);
	finish(conn);
	tcp_leave(conn);
	return true;
}
