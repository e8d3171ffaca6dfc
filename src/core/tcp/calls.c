/* SPDX-License-Identifier: BSD-2-Clause */
/* What the socket layer asks of a conversation: RFC 9293 §3.10.1-5, with Linux's errors. */
#include "core/tcp/tcp.h"

static void send_first_syn(struct tcp_conn *conn)
{
	struct berth_stack *stack = tcp_stack_of(conn);

	conn->work->timed = true;
	conn->work->timed_seq = conn->iss + 1;
	conn->work->timed_at = conn->work->first_sent = stack->now;
	tcp_timer_retransmit(conn);
	tcp_event(conn, BERTH_EVENT_TCP_ACTIVE_OPEN);
	if (conn->state == TCP_SYN_SENT)
		tcp_send_syn(conn);
}

void tcp_fastopen_go(struct berth_socket *socket)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	tcp_enter(conn);
	send_first_syn(conn);
	conn->wake = true; /* it looked writeable until now */
	tcp_leave(conn);
}

int tcp_connect(struct berth_socket *socket, const struct berth_endpoint *remote)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	struct berth_stack *stack = socket->stack;
	int r;

	if (conn->state != TCP_CLOSED)
		return conn->state == TCP_LISTEN ? -EISCONN : -EALREADY;
	tcp_conn_init(conn);
	if (!tcp_work_need(conn))
		return -ENOMEM;
	r = fastopen_client_connect(conn);
	if (r < 0)
		return r;
	tcp_timer_retransmit(conn);
	if (!timer_armed(&conn->work->timer))
		return -ENOMEM;
	tcp_enter(conn);
	conn->iss = tcp_isn(stack, &socket->demux.local, &socket->demux.remote);
	conn->snd_una = conn->work->snd_small_end = conn->iss;
	conn->snd_nxt = conn->snd_max = conn->iss + 1;
	conn->timestamps = stack->limits.timestamps == BERTH_TIMESTAMPS_ON;
	conn->scaling = stack->limits.window_scaling == BERTH_WINDOW_SCALING_ON;
	conn->timestamp_offset = tcp_timestamp_offset(stack, &socket->demux.local, &socket->demux.remote);
	conn->receive_scale = conn->scaling ? tcp_scale_for(stack) : 0;
	tcp_set_state(conn, TCP_SYN_SENT);
	r = -EINPROGRESS;
	if (conn->rare->fastopen && conn->rare->fastopen->deferred) {
		tcp_timer_clear(conn, TCP_TIMER_RETRANSMIT);
		r = 0;
	} else {
		send_first_syn(conn);
	}
	tcp_leave(conn);
	return r;
}

/* connect(AF_UNSPEC). Linux: tcp_disconnect() */
int tcp_disconnect(struct berth_socket *socket)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	tcp_enter(conn);
	tcp_listener_close(conn, false);
	tcp_abort(conn, 0);
	tcp_conn_init(conn);
	conn->wake = true;
	socket->error = 0;
	tcp_leave(conn);
	return 0;
}

static uint32_t low_water(const struct tcp_conn *conn)
{
	const struct berth_stack *stack = tcp_stack_of((struct tcp_conn *)conn);

	return conn->settings->notsent_low_water ? conn->settings->notsent_low_water : stack->limits.notsent_low_water;
}

/* What may go at once, or a run of half of the window. Linux: tcp_xmit_size_goal() */
static size_t piece_size(const struct tcp_conn *conn)
{
	uint32_t flight = tcp_flight(conn) + tcp_unsent(conn), room = MIN(conn->cwnd, conn->snd_wnd);
	uint32_t mss = MAX(conn->mss, 1);

	return room > flight ? room - flight : MAX(conn->max_window / 2 / mss, 1) * (size_t)mss;
}

/* TCP_NOTSENT_LOWAT: no more than a piece beyond the mark waits to be sent. Linux: tcp_stream_memory_free() */
static size_t take_and_send(struct tcp_conn *conn, struct berth_message *message, size_t wanted)
{
	uint32_t mark = low_water(conn);
	size_t most = mark == UINT32_MAX ? wanted : piece_size(conn), taken = 0, piece;

	do {
		if (taken) /* what could go at once is gone */
			most = MAX(conn->max_window / 2 / MAX(conn->mss, 1), 1) * (size_t)conn->mss;
		piece = sendq_append(&conn->work->sendq, tcp_stack_of(conn)->packets, message, taken,
				     MIN(wanted - taken, most));
		taken += piece;
		conn->more = message->flags & MSG_MORE;
		if (message->flags & MSG_OOB && piece)
			tcp_urgent_begin(conn);
		tcp_output(conn);
	} while (piece && taken < wanted && tcp_may_send(conn) && tcp_unsent(conn) < mark);
	return taken;
}

static size_t memory_room(struct tcp_conn *conn)
{
	return budget_room(tcp_stack_of(conn), tcp_memory(conn), conn->work->sendq.memory);
}

/* How many bytes may be queued now: more than 0, or -errno. With -EAGAIN tcp_writeable() says when. */
static ssize_t room_to_send(struct tcp_conn *conn)
{
	uint32_t buffer = tcp_socket(conn)->send_buffer;
	size_t room;

	if (conn->write_shutdown || conn->state == TCP_CLOSED || conn->state == TCP_LISTEN)
		return -EPIPE;
	if (!tcp_may_send(conn))
		return -EAGAIN;
	if (conn->work->sendq.bytes >= buffer || tcp_unsent(conn) >= low_water(conn))
		return -EAGAIN;
	room = MIN(buffer - conn->work->sendq.bytes, memory_room(conn));
	return room ? (ssize_t)room : -EAGAIN;
}

ssize_t tcp_send(struct berth_socket *socket, struct berth_message *message)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	size_t total = message_size(message), taken;
	ssize_t room;

	if (tcp_send_single(conn, message, total))
		return (ssize_t)total;
	room = room_to_send(conn);
	if (room < 0 && (room != -EAGAIN || total || !tcp_may_send(conn)))
		return room;
	if (!total)
		return 0;
	if (!tcp_work_need(conn))
		return -ENOBUFS;
	tcp_enter(conn);
	taken = take_and_send(conn, message, MIN(total, (size_t)room));
	tcp_leave(conn);
	return taken ? (ssize_t)taken : -ENOBUFS;
}

ssize_t tcp_send_packet(struct berth_socket *socket, struct berth_packet *packet, int flags)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	ssize_t room = room_to_send(conn), length = (ssize_t)packet->length;

	if (room < 0)
		return room;
	if (!tcp_work_need(conn))
		return -ENOBUFS;
	tcp_enter(conn);
	sendq_push(&conn->work->sendq, packet);
	conn->more = flags & MSG_MORE;
	if (flags & MSG_OOB)
		tcp_urgent_begin(conn);
	tcp_output(conn);
	tcp_leave(conn);
	return length;
}

static bool at_end(const struct tcp_conn *conn)
{
	return conn->fin_received || conn->read_shutdown;
}

static ssize_t nothing_to_read(const struct tcp_conn *conn, size_t wanted)
{
	if (at_end(conn) || !wanted)
		return 0;
	return conn->state == TCP_CLOSED ? -ENOTCONN : -EAGAIN;
}

static void take_bytes(struct tcp_conn *conn, size_t bytes)
{
	tcp_enter(conn);
	receiveq_release(&conn->work->receiveq, bytes);
	if (conn->urgent_in != TCP_URGENT_NONE)
		tcp_urgent_taken(conn);
	tcp_tune_receive(conn, bytes);
	tcp_window_opened(conn);
	tcp_leave(conn);
}

ssize_t tcp_receive(struct berth_socket *socket, struct berth_message *message)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	size_t wanted = message_size(message), ready = conn->work->receiveq.bytes, taken = MIN(wanted, ready), skip = 0;
	int flags = message->flags;

	message->flags = 0;
	message->control_length = 0;
	if (conn->state == TCP_LISTEN)
		return -ENOTCONN;
	if (flags & MSG_OOB)
		return tcp_urgent_receive(conn, message, flags);
	if (!ready)
		return nothing_to_read(conn, wanted);
	if (conn->urgent_in != TCP_URGENT_NONE && wanted)
		taken = tcp_urgent_readable(conn, wanted, &skip);
	if (flags & MSG_TRUNC)
		; /* Linux: tcp(7), it throws the bytes away */
	else if (!skip && taken <= conn->work->receiveq.ready->length)
		message_scatter(message, 0, conn->work->receiveq.ready->data, taken);
	else
		receiveq_copy(&conn->work->receiveq, skip, message, 0, taken);
	if (!(flags & MSG_PEEK))
		take_bytes(conn, skip + taken);
	if (taken < wanted && tcp_urgent_at_mark(conn))
		message->flags = MSG_EOR; /* MSG_WAITALL waits no further */
	return taken || !skip ? (ssize_t)taken : nothing_to_read(conn, wanted);
}

ssize_t tcp_receive_packet(struct berth_socket *socket, struct berth_packet **ret_packet)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	struct berth_packet *packet;
	size_t skip = 0, most = conn->work->receiveq.bytes;

	if (conn->state == TCP_LISTEN)
		return -ENOTCONN;
	if (most && conn->urgent_in != TCP_URGENT_NONE)
		most = tcp_urgent_readable(conn, most, &skip);
	if (skip)
		take_bytes(conn, skip);
	if (!most)
		return nothing_to_read(conn, 1);
	if (most < conn->work->receiveq.ready->length) { /* up to the mark: that much is copied */
		packet = berth_packet_copy(socket->stack->packets, conn->work->receiveq.ready->data, most);
		if (!packet)
			return -ENOBUFS;
		take_bytes(conn, most);
	} else {
		packet = berth_packet_ref(conn->work->receiveq.ready);
		take_bytes(conn, packet->length);
	}
	*ret_packet = packet;
	return (ssize_t)packet->length;
}

int tcp_at_mark(struct berth_socket *socket)
{
	return tcp_urgent_at_mark(tcp_conn_of(socket));
}

/* RFC 9293 §3.10.4: our FIN goes behind what is queued. */
static void close_sending(struct tcp_conn *conn)
{
	if (conn->write_shutdown)
		return;
	conn->write_shutdown = true;
	conn->fin_queued = true;
	conn->more = false;
	conn->wake = true;
	if (conn->state == TCP_ESTABLISHED)
		tcp_set_state(conn, TCP_FIN_WAIT_1);
	else if (conn->state == TCP_CLOSE_WAIT)
		tcp_set_state(conn, TCP_LAST_ACK);
	tcp_output(conn);
}

int tcp_shutdown(struct berth_socket *socket, int how)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	if (conn->state == TCP_CLOSED)
		return -ENOTCONN;
	if (conn->state == TCP_LISTEN && how == SHUT_WR)
		return 0;
	if (conn->state == TCP_LISTEN || conn->state == TCP_SYN_SENT) { /* Linux: inet_shutdown() */
		tcp_disconnect(socket);
		socket->state = SOCKET_UNCONNECTED;
		socket->claim.listening = false;
		return 0;
	}
	if (how != SHUT_RD && !tcp_work_need(conn))
		return -ENOBUFS;
	tcp_enter(conn);
	if (how != SHUT_WR) {
		conn->read_shutdown = true;
		conn->wake = true;
	}
	if (how != SHUT_RD)
		close_sending(conn);
	tcp_leave(conn);
	return 0;
}

/* Linux: tcp_close(). Unread data means RST, RFC 2525 §2.17. */
static void end_conversation(struct tcp_conn *conn, bool abort)
{
	/* Linux: tcp_check_oom(): without memory for a farewell there is none. */
	abort = abort || conn->work->receiveq.bytes || !tcp_work_need(conn);
	if (abort || conn->state == TCP_SYN_SENT) {
		tcp_abort(conn, 0);
		return;
	}
	receiveq_clear_early(&conn->work->receiveq);
	tcp_blocks_drop(conn);
	close_sending(conn);
	if (conn->state == TCP_FIN_WAIT_2)
		tcp_orphan_wait(conn);
}

void tcp_release(struct berth_socket *socket, bool abort)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	tcp_enter(conn);
	conn->released = true;
	if (conn->state != TCP_CLOSED && conn->state != TCP_LISTEN) /* tcp_leave() ends a listener */
		end_conversation(conn, abort);
	tcp_leave(conn);
}

/* Of what was written, bytes that were never sent. */
uint32_t tcp_unsent(const struct tcp_conn *conn)
{
	return seq_gt(tcp_data_end(conn), conn->snd_max) ? tcp_data_end(conn) - conn->snd_max : 0;
}

/* Linux: sk_stream_is_writeable(), at least a third of the buffer is free. */
bool tcp_buffer_writeable(const struct tcp_conn *conn)
{
	size_t used = conn->work->sendq.bytes, room = tcp_socket((struct tcp_conn *)conn)->send_buffer;

	return used < room && room - used >= used / 2 && 2 * (uint64_t)tcp_unsent(conn) < low_water(conn);
}

/* All that tcp_writeable() asks, where nothing is scarce. */
static bool surely_writeable(const struct tcp_conn *conn)
{
	const struct berth_socket *socket = tcp_socket((struct tcp_conn *)conn);
	uint64_t used = conn->work->sendq.bytes;

	return used < socket->send_buffer && used + used / 2 <= socket->send_buffer && 2 * used < low_water(conn) &&
	       budget_sure(&socket->stack->budget, tcp_memory(conn), 1);
}

bool tcp_writeable(struct tcp_conn *conn)
{
	if (!conn->work->sendq.bytes && budget_easy(&tcp_stack_of(conn)->budget) && tcp_socket(conn)->send_buffer)
		return true;
	return tcp_buffer_writeable(conn) && (memory_room(conn) || !budget_starve(tcp_socket(conn)));
}

/* Linux: tcp_epollin_ready(). A mark that the window does not let the peer reach counts as reached. */
bool tcp_readable(struct tcp_conn *conn)
{
	size_t mark = MAX(tcp_socket(conn)->options->receive_low_water, 1u), low = mark;

	if (!conn->work->receiveq.bytes)
		return false;
	if (conn->urgent_in != TCP_URGENT_NONE && tcp_urgent_hides_next(conn))
		low++;
	if (conn->work->receiveq.bytes >= low)
		return true;
	return mark > 1 && conn->work->receiveq.bytes && tcp_receive_space(conn) <= conn->receive_mss;
}

/* Linux: tcp_poll(). */
unsigned tcp_readiness(struct berth_socket *socket)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	unsigned events = 0;

	if (conn->state == TCP_ESTABLISHED && !conn->write_shutdown && !conn->read_shutdown && !socket->error &&
	    conn->urgent_in == TCP_URGENT_NONE) { /* as nearly always */
		if (conn->work->receiveq.bytes)
			events = tcp_readable(conn) ? BERTH_POLLIN : 0;
		return surely_writeable(conn) || tcp_writeable(conn) ? events | BERTH_POLLOUT : events;
	}
	if (conn->state == TCP_LISTEN)
		return list_empty(&conn->rare->listener->accepted) ? 0 : BERTH_POLLIN;
	if (conn->state == TCP_CLOSED || (conn->write_shutdown && at_end(conn)))
		events |= BERTH_POLLHUP;
	if (at_end(conn))
		events |= BERTH_POLLIN | BERTH_POLLRDHUP;
	if (conn->rare->fastopen && conn->rare->fastopen->deferred)
		events |= BERTH_POLLOUT; /* the SYN waits for data */
	if (tcp_may_send(conn) || conn->state == TCP_CLOSED) {
		if (tcp_readable(conn))
			events |= BERTH_POLLIN;
		if (conn->write_shutdown || tcp_writeable(conn))
			events |= BERTH_POLLOUT;
		if (conn->urgent_in == TCP_URGENT_HERE)
			events |= BERTH_POLLPRI;
	}
	return socket->error ? events | BERTH_POLLERR : events;
}
