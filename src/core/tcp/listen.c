/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners: who is let in, and the queue of those who wait for accept().
 * RFC 9293 §3.10.7.2. A queue of backlog + 1 is full, as on Linux.
 */
#include "core/tcp/tcp.h"

#define SYN_QUEUE_MIN 16u

/* What TCP_FASTOPEN_KEY said is the listener's from now on. */
static void keys_move(struct tcp_conn *conn)
{
	if (!conn->rare->keys_to_be)
		return;
	conn->rare->listener->fastopen_keys = *conn->rare->keys_to_be;
	stack_free(tcp_stack_of(conn), conn->rare->keys_to_be, sizeof(*conn->rare->keys_to_be));
	conn->rare->keys_to_be = NULL;
}

int tcp_listen(struct berth_socket *socket, int backlog)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	if (conn->state != TCP_LISTEN) {
		struct tcp_listener *listener;

		if (conn->state != TCP_CLOSED)
			return -EINVAL;
		listener = stack_alloc(socket->stack, sizeof(*listener));
		if (!listener)
			return -ENOMEM;
		list_init(&listener->requests);
		list_init(&listener->accepted);
		list_init(&listener->fastopen_pending);
		list_init(&listener->fastopen_resets);
		tcp_conn_init(conn);
		if (!tcp_rare_need(conn)) {
			stack_free(socket->stack, listener, sizeof(*listener));
			return -ENOMEM;
		}
		conn->rare->listener = listener;
		tcp_enter(conn);
		tcp_set_state(conn, TCP_LISTEN);
		conn->rare->listener->backlog = (unsigned)MIN(backlog, TCP_BACKLOG_MAX);
		keys_move(conn);
		if (!conn->settings->fastopen_queue && (socket->stack->limits.fastopen & BERTH_FASTOPEN_LISTENERS) &&
		    tcp_settings_own(conn) == 0) {
			conn->settings->fastopen_queue = conn->rare->listener->backlog;
			tcp_settings_settle(conn);
		}
		tcp_leave(conn);
		return 0;
	}
	conn->rare->listener->backlog = (unsigned)MIN(backlog, TCP_BACKLOG_MAX);
	return 0;
}

bool tcp_accept_full(const struct tcp_conn *parent)
{
	return parent->rare->listener->accepted_count > parent->rare->listener->backlog;
}

static void unqueue(struct tcp_conn *child)
{
	child->parent->rare->listener->accepted_count--;
	child->parent = NULL;
	list_remove(&tcp_socket(child)->ready_node);
}

int tcp_accept(struct berth_socket *socket, struct berth_socket **ret_socket)
{
	struct tcp_conn *conn = tcp_conn_of(socket);
	struct berth_socket *child;

	if (conn->state != TCP_LISTEN)
		return -EINVAL;
	child = LIST_FIRST(&conn->rare->listener->accepted, struct berth_socket, ready_node);
	if (!child)
		return -EAGAIN;
	unqueue(tcp_conn_of(child));
	*ret_socket = child;
	return 0;
}

/* Nobody will take these any more: they are reset, as on Linux (inet_csk_listen_stop()). */
static void end_child(struct tcp_conn *child)
{
	tcp_enter(child);
	child->released = true;
	tcp_abort(child, 0);
	tcp_leave(child);
}

void tcp_listener_close(struct tcp_conn *conn, bool quiet)
{
	struct tcp_listener *listener = conn->rare->listener;

	if (!listener)
		return;
	fastopen_listener_close(conn);
	LIST_EACH_SAFE(&listener->requests, node)
		tcp_request_free(LIST_ITEM(node, struct tcp_request, node));
	while (!list_empty(&listener->accepted)) {
		struct tcp_conn *child = tcp_conn_of(LIST_FIRST(&listener->accepted, struct berth_socket, ready_node));

		unqueue(child);
		if (!quiet)
			end_child(child);
	}
	conn->rare->listener = NULL;
	stack_free(tcp_stack_of(conn), listener, sizeof(*listener));
}

/*
 * Linux: inet_csk_reqsk_queue_is_full(), but not below what it was before 4.3.
 * Differs: a backlog of 1 does not send anybody to cookies where there is room, for a
 * handshake by cookie does not survive the loss of its ACK.
 */
static bool crowded(const struct tcp_conn *parent)
{
	const struct berth_limits *limits = &tcp_stack_of((struct tcp_conn *)parent)->limits;

	return parent->rare->listener->request_count >=
	       MIN(MAX(parent->rare->listener->backlog, SYN_QUEUE_MIN), limits->syn_queue);
}

/* May a conversation begin? 0, -ECONNREFUSED (say no), or another negative errno (say nothing). */
static int admit(struct tcp_conn *parent, struct tcp_segment *segment)
{
	struct berth_socket *socket = tcp_socket(parent);
	struct berth_stack *stack = socket->stack;
	int r;

	if (tcp_accept_full(parent)) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_BACKLOG);
		return -EAGAIN;
	}
	if (crowded(parent) && stack->limits.syn_cookies == BERTH_SYN_COOKIES_OFF) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_SYN_QUEUE);
		return -EAGAIN;
	}
	if (!stack->hooks.admit)
		return 0;
	r = stack->hooks.admit(stack->hooks.context, socket->fd);
	if (r == 0 && (parent->state != TCP_LISTEN || parent->released))
		r = -ECONNREFUSED; /* the hook closed the listener */
	if (r < 0)
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_ADMIT);
	return r;
}

/* SYN-ACK: for a request, or with Fast Open for a socket at once. */
static void answer(struct tcp_conn *parent, struct tcp_segment *segment, uint32_t iss)
{
	struct fastopen_cookie cookie;
	struct tcp_conn *conn = fastopen_server_arrive(parent, segment, iss, &cookie);

	if (conn) {
		parent->wake = true;
		fastopen_server_answer(conn, segment);
		tcp_leave(conn);
	} else if (tcp_request_new(parent, segment, iss, cookie.length ? &cookie : NULL) < 0) {
		tcp_segment_drop(tcp_stack_of(parent), segment, BERTH_EVENT_LINK_DROP_NO_MEMORY);
	}
}

static void begin(struct tcp_conn *parent, struct tcp_segment *segment, uint32_t isn_hint)
{
	struct berth_stack *stack = tcp_stack_of(parent);
	int r = admit(parent, segment);

	if (r == -ECONNREFUSED)
		tcp_reply_reset(stack, segment);
	if (r < 0)
		return;
	/* Who takes over a TIME-WAIT has proven to be there. Linux: tcp_conn_request() */
	if (!isn_hint && (crowded(parent) || stack->limits.syn_cookies == BERTH_SYN_COOKIES_ALWAYS))
		tcp_cookie_answer(parent, segment);
	else
		answer(parent, segment, isn_hint ? isn_hint : tcp_isn(stack, &segment->local, &segment->remote));
}

void tcp_listen_arrive(struct tcp_conn *parent, struct tcp_segment *segment, uint32_t isn_hint)
{
	struct berth_stack *stack = tcp_stack_of(parent);

	if (segment->flags & WIRE_TCP_RST) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_NO_SOCKET);
	} else if (segment->flags & WIRE_TCP_ACK) {
		tcp_enter(parent);
		if (tcp_cookie_take(parent, segment)) {
			tcp_leave(parent);
			return;
		}
		tcp_leave(parent);
		tcp_reply_reset(stack, segment);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_NO_SOCKET);
	} else if ((segment->flags & (WIRE_TCP_SYN | WIRE_TCP_FIN)) != WIRE_TCP_SYN) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_NO_ACK); /* Linux: SYN with FIN, too */
	} else {
		tcp_enter(parent);
		begin(parent, segment, isn_hint);
		tcp_leave(parent);
	}
}
