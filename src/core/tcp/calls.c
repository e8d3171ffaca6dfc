/* SPDX-License-Identifier: BSD-2-Clause */
/* What the socket layer asks of a conversation: RFC 9293 §3.10.1-5, with Linux's errors. */
#include "core/tcp/tcp.h"

int tcp_connect(struct berth_socket *socket, const struct berth_endpoint *remote)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	struct berth_stack *stack = socket->stack;

	if (conn->state != TCP_CLOSED)
		return conn->state == TCP_LISTEN ? -EISCONN : -EALREADY;
	tcp_conn_init(conn);
	tcp_timer_retransmit(conn);
	if (!timer_armed(&conn->timer))
		return -ENOMEM;
	tcp_enter(conn);
	conn->iss = tcp_isn(stack, &socket->demux.local, &socket->demux.remote);
	conn->snd_una = conn->snd_small_end = conn->iss;
	conn->snd_nxt = conn->snd_max = conn->iss + 1;
	conn->timestamps = conn->scaling = true;
	conn->timestamp_offset = tcp_timestamp_offset(stack, &socket->demux.local, &socket->demux.remote);
	conn->receive_scale = tcp_scale_for(stack);
	conn->timed = true;
	conn->timed_seq = conn->snd_max;
	conn->timed_at = conn->first_sent = stack->now;
	tcp_set_state(conn, TCP_SYN_SENT);
	tcp_event(conn, BERTH_EVENT_TCP_ACTIVE_OPEN);
	tcp_send_syn(conn);
	tcp_leave(conn);
	return -EINPROGRESS;
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

ssize_t tcp_send(struct berth_socket *socket, struct berth_message *message)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	size_t total = message_size(message), taken, space;

	if (conn->write_shutdown || conn->state == TCP_CLOSED || conn->state == TCP_LISTEN)
		return -EPIPE;
	if (conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RECEIVED)
		return -EAGAIN;
	if (!total)
		return 0;
	if (conn->sendq.bytes >= socket->options.send_buffer)
		return -EAGAIN;
	space = socket->options.send_buffer - conn->sendq.bytes;
	tcp_enter(conn);
	taken = sendq_append(&conn->sendq, socket->stack->packets, message, 0, MIN(total, space));
	conn->more = message->flags & MSG_MORE;
	if (message->flags & MSG_OOB && taken)
		tcp_urgent_begin(conn);
	tcp_output(conn);
	tcp_leave(conn);
	return taken ? (ssize_t)taken : -ENOBUFS;
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
	receiveq_release(&conn->receiveq, bytes);
	if (conn->urgent_in != TCP_URGENT_NONE)
		tcp_urgent_taken(conn);
	tcp_tune_receive(conn, bytes);
	tcp_window_opened(conn);
	tcp_leave(conn);
}

ssize_t tcp_receive(struct berth_socket *socket, struct berth_message *message)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	size_t wanted = message_size(message), ready = conn->receiveq.ready.bytes, taken = MIN(wanted, ready), skip = 0;
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
	if (!(flags & MSG_TRUNC)) /* Linux: tcp(7), MSG_TRUNC throws the bytes away */
		receiveq_copy(&conn->receiveq, skip, message, 0, taken);
	if (!(flags & MSG_PEEK))
		take_bytes(conn, skip + taken);
	if (taken < wanted && tcp_urgent_at_mark(conn))
		message->flags = MSG_EOR; /* MSG_WAITALL waits no further */
	return taken || !skip ? (ssize_t)taken : nothing_to_read(conn, wanted);
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
	abort = abort || conn->receiveq.ready.bytes;
	if (abort || conn->state == TCP_SYN_SENT) {
		tcp_abort(conn, 0);
		return;
	}
	receiveq_clear_early(&conn->receiveq);
	conn->blocks.count = 0;
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

/* Linux: sk_stream_is_writeable(), at least a third of the buffer is free. */
bool tcp_writeable(struct tcp_conn *conn)
{
	size_t used = conn->sendq.bytes, room = tcp_socket(conn)->options.send_buffer;

	return used < room && room - used >= used / 2;
}

bool tcp_readable(struct tcp_conn *conn)
{
	size_t low = MAX(tcp_socket(conn)->options.receive_low_water, 1u);

	if (conn->urgent_in != TCP_URGENT_NONE && tcp_urgent_hides_next(conn))
		low++;
	return conn->receiveq.ready.bytes >= low;
}

/* Linux: tcp_poll(). */
unsigned tcp_readiness(struct berth_socket *socket)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	unsigned events = 0;

	if (conn->state == TCP_LISTEN)
		return list_empty(&conn->listener->accepted) ? 0 : BERTH_POLLIN;
	if (conn->state == TCP_CLOSED || (conn->write_shutdown && at_end(conn)))
		events |= BERTH_POLLHUP;
	if (at_end(conn))
		events |= BERTH_POLLIN | BERTH_POLLRDHUP;
	if (conn->state != TCP_SYN_SENT && conn->state != TCP_SYN_RECEIVED) {
		if (tcp_readable(conn))
			events |= BERTH_POLLIN;
		if (conn->write_shutdown || tcp_writeable(conn))
			events |= BERTH_POLLOUT;
		if (conn->urgent_in == TCP_URGENT_HERE)
			events |= BERTH_POLLPRI;
	}
	return socket->error ? events | BERTH_POLLERR : events;
}
