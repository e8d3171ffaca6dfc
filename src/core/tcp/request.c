/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN-RECEIVED for a listener: a small struct in the demultiplexer instead of
 * a socket, so that a flood of SYNs costs little. Data on a SYN is not kept;
 * the peer sends it again. (fastopen.c keeps it, cookie.c not even the struct.)
 */
#include "core/tcp/tcp.h"

static void request_run(struct berth_timer *timer);

static struct berth_stack *stack_of(const struct tcp_request *request)
{
	return tcp_stack_of(request->parent);
}

void tcp_request_free(struct tcp_request *request)
{
	struct berth_stack *stack = stack_of(request);

	demux_remove(stack, &request->demux);
	timers_cancel(&stack->timers, &request->timer);
	list_remove(&request->node);
	request->parent->rare->listener->request_count--;
	stack_free(stack, request, sizeof(*request));
}

struct wire_tcp tcp_request_header(const struct tcp_request *request)
{
	return (struct wire_tcp){
		.source_port = request->demux.local.port,
		.destination_port = request->demux.remote.port,
		.seq = request->iss,
		.ack = request->irs + 1,
		.flags = (uint8_t)(WIRE_TCP_SYN | WIRE_TCP_ACK | (request->ecn ? WIRE_TCP_ECE : 0)),
		.window = request->offered_window,
		.has_mss = true,
		.mss = request->mss,
		.has_scale = request->scaling,
		.scale = request->receive_scale,
		.has_sack_permitted = request->sack,
		.has_timestamps = request->timestamps,
		.timestamp = tcp_timestamp_now(stack_of(request), request->timestamp_offset),
		.timestamp_echo = request->ts_recent,
	};
}

/* cookie: for Fast Open, told once; or NULL. */
static void request_send(struct tcp_request *request, const struct fastopen_cookie *cookie)
{
	struct wire_tcp header = tcp_request_header(request);

	if (cookie)
		fastopen_cookie_offer(cookie, &header);
	request->last_sent = stack_of(request)->now;
	tcp_emit_bare(stack_of(request), &request->demux, &header);
}

static void request_event(struct tcp_request *request, enum berth_event event)
{
	stack_event_between(stack_of(request), event, IPPROTO_TCP, &request->demux.local, &request->demux.remote);
}

/* 1 s, doubled each time: RFC 6298 §5. */
static int request_arm(struct tcp_request *request)
{
	return timers_set(&stack_of(request)->timers, &request->timer,
			  stack_of(request)->now + (TCP_RTO_INITIAL << request->retries));
}

/* TCP_DEFER_ACCEPT: is data still waited for? Linux: it is as long as that many SYN-ACKs would take. */
static bool deferring(const struct tcp_request *request)
{
	return request->retries < request->parent->settings->defer_accept;
}

/* Linux: syn_ack_recalc(). The last SYN-ACK of the time that data is waited for goes out: the peer's last chance. */
static bool should_send(const struct tcp_request *request)
{
	return !request->acked || request->retries + 1 >= request->parent->settings->defer_accept;
}

static bool expired(const struct tcp_request *request)
{
	return request->retries >= TCP_SYN_ACK_RETRIES && (!request->acked || !deferring(request));
}

static void request_timeout(struct tcp_request *request)
{
	if (expired(request)) {
		request_event(request, BERTH_EVENT_TCP_TIMEOUT);
		tcp_request_free(request);
		return;
	}
	if (should_send(request)) {
		request_event(request, BERTH_EVENT_TCP_RETRANSMIT);
		request_send(request, NULL);
	}
	request->retries++;
	if (request_arm(request) < 0)
		tcp_request_free(request);
}

static void request_run(struct berth_timer *timer)
{
	struct tcp_request *request = CONTAINER_OF(timer, struct tcp_request, timer);
	struct tcp_conn *parent = request->parent;

	tcp_enter(parent);
	request_timeout(request);
	tcp_leave(parent);
}

static void request_fill(struct tcp_request *request, const struct tcp_segment *segment, unsigned mtu)
{
	struct berth_stack *stack = stack_of(request);
	const struct wire_tcp *header = &segment->header;
	bool ip6 = ip_is6(segment->remote.ip);
	uint16_t max_segment = request->parent->settings->max_segment;

	request->irs = segment->seq;
	request->window = header->window; /* not scaled, RFC 7323 §2.2 */
	request->peer_mss = header->has_mss ? header->mss : ip6 ? 1220 : 536;
	request->mss = tcp_mss_of_mtu(stack, mtu, ip6);
	if (max_segment)
		request->mss = MIN(request->mss, max_segment);
	request->scaling = header->has_scale;
	request->send_scale = header->has_scale ? header->scale : 0;
	request->receive_scale = header->has_scale ? tcp_scale_for(stack) : 0;
	request->timestamps = header->has_timestamps && stack->limits.timestamps == BERTH_TIMESTAMPS_ON;
	request->sack = header->has_sack_permitted;
	request->ecn = tcp_ecn_accepts(stack, segment);
	request->ts_recent = header->timestamp;
	request->timestamp_offset = tcp_timestamp_offset(stack, &segment->local, &segment->remote);
	request->offered_window = (uint16_t)MIN(tcp_receive_space(request->parent), UINT16_MAX);
	request->created = stack->now;
}

int tcp_request_init(struct tcp_request *request, struct tcp_conn *parent, const struct tcp_segment *segment)
{
	struct ip_path path;
	int r = tcp_path_find(tcp_stack_of(parent), &segment->local, &segment->remote, &path);

	if (r < 0)
		return r;
	*request = (struct tcp_request){
		.parent = parent,
		.timer.run = request_run,
		.demux = { .kind = DEMUX_REQUEST,
			   .protocol = IPPROTO_TCP,
			   .local = segment->local,
			   .remote = segment->remote },
	};
	list_init(&request->node);
	request_fill(request, segment, path.mtu);
	return 0;
}

int tcp_request_new(struct tcp_conn *parent, const struct tcp_segment *segment, uint32_t iss,
		    const struct fastopen_cookie *cookie)
{
	struct berth_stack *stack = tcp_stack_of(parent);
	struct tcp_request *request = stack_alloc(stack, sizeof(*request));
	int r;

	if (!request)
		return -ENOMEM;
	r = tcp_request_init(request, parent, segment);
	if (r < 0) {
		stack_free(stack, request, sizeof(*request));
		return r;
	}
	request->iss = iss;
	list_append(&parent->rare->listener->requests, &request->node);
	parent->rare->listener->request_count++;
	r = demux_add(stack, &request->demux);
	if (r >= 0)
		r = request_arm(request);
	if (r < 0)
		tcp_request_free(request);
	else
		request_send(request, cookie);
	return r;
}

static void conn_from_request(struct tcp_conn *conn, const struct tcp_request *request,
			      const struct tcp_segment *segment)
{
	struct berth_socket *socket = tcp_socket(conn);
	const struct ip_path *path;

	share_unref(&tcp_of(socket->stack)->settings, conn->settings);
	conn->settings = share_ref(&tcp_of(socket->stack)->settings, request->parent->settings);
	conn->iss = request->iss;
	conn->irs = request->irs;
	conn->snd_una = conn->snd_nxt = conn->snd_max = conn->work->snd_small_end = request->iss + 1;
	conn->rcv_nxt = conn->last_ack_sent = request->irs + 1;
	conn->rcv_adv = conn->rcv_nxt + request->offered_window;
	conn->scaling = request->scaling;
	conn->send_scale = request->send_scale;
	conn->receive_scale = request->receive_scale;
	conn->timestamps = request->timestamps;
	if (request->sack)
		tcp_sack_begin(conn);
	conn->ecn = request->ecn;
	conn->ecn_until = conn->snd_una;
	conn->timestamp_offset = request->timestamp_offset;
	conn->ts_recent = request->ts_recent;
	conn->ts_recent_at = tcp_coarse(request->created);
	conn->snd_wnd = (uint32_t)segment->header.window << conn->send_scale;
	conn->max_window = MAX(conn->snd_wnd, request->window);
	conn->snd_wl1 = segment->seq;
	conn->snd_wl2 = segment->ack;
	conn->peer_mss = request->peer_mss;
	tcp_update_mss(conn, socket_path(socket, &path) == 0 ? path->mtu : 576);
	conn->receive_mss = MIN(request->mss, conn->mss);
	conn->timeouts = request->retries;
	if (!request->retries && !request->acked)
		tcp_rtt_sample(&conn->rtt, socket->stack->now - request->last_sent);
}

struct tcp_conn *tcp_request_spawn(const struct tcp_request *request, const struct tcp_segment *segment)
{
	struct tcp_conn *parent = request->parent, *conn;
	struct berth_socket *child;

	if (berth_socket_spawn(tcp_socket(parent), &request->demux.local, &request->demux.remote, &child) < 0)
		return NULL;
	conn = tcp_conn_of(child);
	if (!tcp_work_need(conn)) {
		tcp_conn_fini(conn);
		berth_socket_done(child);
		return NULL;
	}
	tcp_enter(conn);
	conn_from_request(conn, request, segment);
	conn->parent = parent;
	list_append(&parent->rare->listener->accepted, &child->ready_node);
	parent->rare->listener->accepted_count++;
	return conn;
}

/* The handshake is done: a socket takes the request's place. NULL: no memory. */
static struct tcp_conn *request_to_conn(struct tcp_request *request, const struct tcp_segment *segment)
{
	struct berth_stack *stack = stack_of(request);
	struct tcp_conn *conn;

	demux_remove(stack, &request->demux);
	conn = tcp_request_spawn(request, segment);
	if (!conn) {
		if (demux_add(stack, &request->demux) < 0)
			tcp_request_free(request);
		return NULL;
	}
	tcp_become_established(conn);
	tcp_request_free(request);
	tcp_event(conn, BERTH_EVENT_TCP_PASSIVE_OPEN);
	return conn;
}

static void request_finish(struct tcp_request *request, struct tcp_segment *segment)
{
	struct tcp_conn *parent = request->parent, *conn;
	struct berth_stack *stack = stack_of(request);

	if (tcp_accept_full(parent)) { /* Linux: the ACK is dropped; the SYN-ACK's timer tries again */
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_BACKLOG);
		return;
	}
	if (deferring(request) && !segment->length && !(segment->flags & WIRE_TCP_FIN)) {
		request->acked = true;
		return;
	}
	conn = request_to_conn(request, segment);
	if (!conn) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return;
	}
	parent->wake = true;
	conn->counters.segments_in = 2;
	tcp_arrive_established(conn, segment); /* its data, if it has some */
	tcp_leave(conn);
}

/* Not acceptable: say where we are. RFC 9293 §3.10.7.4, first step. */
static void request_ack(struct tcp_request *request)
{
	struct berth_stack *stack = stack_of(request);
	struct wire_tcp header = {
		.source_port = request->demux.local.port,
		.destination_port = request->demux.remote.port,
		.seq = request->iss + 1,
		.ack = request->irs + 1,
		.flags = WIRE_TCP_ACK,
		.window = (uint16_t)(request->offered_window >> request->receive_scale),
		.has_timestamps = request->timestamps,
		.timestamp = tcp_timestamp_now(stack, request->timestamp_offset),
		.timestamp_echo = request->ts_recent,
	};

	if (tcp_challenge_allowed(stack, &request->last_challenge))
		tcp_emit_bare(stack, &request->demux, &header);
}

static bool out_of_window(const struct tcp_request *request, const struct tcp_segment *segment)
{
	uint32_t begin = request->irs + 1, end = begin + request->offered_window;

	return !seq_ge(segment->seq + tcp_segment_length(segment), begin) || !seq_le(segment->seq, end);
}

static bool too_old(const struct tcp_request *request, const struct tcp_segment *segment)
{
	return request->timestamps && segment->header.has_timestamps && !(segment->flags & WIRE_TCP_RST) &&
	       seq_lt(segment->header.timestamp, request->ts_recent);
}

/* RST and SYN in a half-open conversation. True: that was it. */
static bool request_control(struct tcp_request *request, struct tcp_segment *segment)
{
	struct berth_stack *stack = stack_of(request);

	if (segment->flags & WIRE_TCP_RST) { /* RFC 5961 §3.2 */
		if (segment->seq == request->irs + 1) {
			request_event(request, BERTH_EVENT_TCP_RST_RECEIVED);
			tcp_request_free(request);
		} else {
			request_ack(request);
			tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_RST_CHALLENGED);
		}
		return true;
	}
	if (segment->flags & WIRE_TCP_SYN) {
		request_ack(request);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_RST_CHALLENGED);
		return true;
	}
	if (!(segment->flags & WIRE_TCP_ACK)) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_NO_ACK);
		return true;
	}
	return false;
}

static void arrive(struct tcp_request *request, struct tcp_segment *segment)
{
	struct berth_stack *stack = stack_of(request);
	bool syn = (segment->flags & (WIRE_TCP_SYN | WIRE_TCP_ACK | WIRE_TCP_RST)) == WIRE_TCP_SYN;

	if (syn && segment->seq == request->irs) { /* our SYN-ACK was lost */
		request_send(request, NULL);
		return;
	}
	if (out_of_window(request, segment) || too_old(request, segment)) {
		if (!(segment->flags & WIRE_TCP_RST))
			request_ack(request);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_OUT_OF_WINDOW);
		return;
	}
	if (request_control(request, segment))
		return;
	if (segment->ack != request->iss + 1) {
		tcp_reply_reset(stack, segment);
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_BAD_ACK);
		return;
	}
	request_finish(request, segment);
}

/* The listener is held: a hook may close it on the way, and that frees its requests. */
void tcp_request_arrive(struct tcp_request *request, struct tcp_segment *segment)
{
	struct tcp_conn *parent = request->parent;

	tcp_enter(parent);
	arrive(request, segment);
	tcp_leave(parent);
}
