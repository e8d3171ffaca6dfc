/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast Open, the listener's side, RFC 7413 §4.2.2; Linux: tcp_try_fastopen().
 * A SYN with a good cookie makes a whole conversation at once: it stands in
 * the accept queue with the SYN's data, in SYN-RECEIVED, and may be read,
 * written and closed before the ACK of our SYN-ACK is here. Only the SYN-ACK
 * is sent again until then.
 *
 * A cookie is SipHash of both addresses under a key, as Linux makes it, so
 * that servers with the same key know each other's.
 */
#include "core/tcp/tcp.h"

#define RESET_COUNTS_FOR (60 * BERTH_SEC) /* Linux: reqsk_fastopen_remove() */
#define COOKIE_LENGTH 8

void fastopen_cookie_offer(const struct fastopen_cookie *cookie, struct wire_tcp *header)
{
	header->has_fastopen = true;
	header->fastopen_experimental = cookie->experimental;
	header->cookie = cookie->bytes;
	header->cookie_length = cookie->length;
}

/* ---- keys and cookies ---- */

int fastopen_keys_set(struct fastopen_keys *keys, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;

	if (length != 16 && length != 32)
		return -EINVAL;
	*keys = (struct fastopen_keys){ .count = (uint8_t)(length / 16) };
	for (size_t i = 0; i < keys->count; i++, from += 16)
		keys->keys[i] = (struct hash_key){ get_le64(from), get_le64(from + 8) };
	return 0;
}

static const struct fastopen_keys *stack_keys(struct berth_stack *stack)
{
	struct fastopen_keys *keys = &tcp_of(stack)->fastopen_keys;

	if (!keys->count)
		*keys = (struct fastopen_keys){ .keys = { { random_u64(&stack->random), random_u64(&stack->random) } },
						.count = 1 };
	return keys;
}

size_t fastopen_keys_get(struct berth_stack *stack, const struct fastopen_keys *keys, uint8_t bytes[32])
{
	if (!keys->count)
		keys = stack_keys(stack);
	for (size_t i = 0; i < keys->count; i++) {
		put_le64(bytes + 16 * i, keys->keys[i].k0);
		put_le64(bytes + 16 * i + 8, keys->keys[i].k1);
	}
	return 16u * keys->count;
}

int berth_stack_set_fastopen_key(struct berth_stack *stack, const void *key, size_t length)
{
	return fastopen_keys_set(&tcp_of(stack)->fastopen_keys, key, length);
}

static const struct fastopen_keys *keys_of(struct tcp_conn *parent)
{
	const struct fastopen_keys *keys = &parent->rare->listener->fastopen_keys;

	return keys->count ? keys : stack_keys(tcp_stack_of(parent));
}

static void cookie_make(struct fastopen_cookie *cookie, const struct hash_key *key, const struct tcp_segment *segment)
{
	size_t size = ip_is6(segment->remote.ip) ? 16 : 4, skip = 16 - size;
	uint8_t bytes[32];

	memcpy(bytes, segment->remote.ip.bytes + skip, size);
	memcpy(bytes + size, segment->local.ip.bytes + skip, size);
	put_le64(cookie->bytes, hash_bytes(*key, bytes, 2 * size));
	cookie->length = COOKIE_LENGTH;
	cookie->experimental = segment->header.fastopen_experimental;
}

/* Is the SYN's cookie ours? *ret_cookie: the one that it should have. */
static bool cookie_good(struct tcp_conn *parent, const struct tcp_segment *segment, struct fastopen_cookie *ret_cookie)
{
	const struct fastopen_keys *keys = keys_of(parent);
	const struct wire_tcp *header = &segment->header;

	for (size_t i = keys->count; i--;) { /* the first key's is what remains */
		cookie_make(ret_cookie, &keys->keys[i], segment);
		if (header->cookie_length == COOKIE_LENGTH &&
		    !memcmp(header->cookie, ret_cookie->bytes, COOKIE_LENGTH)) {
			if (i == 0)
				ret_cookie->length = 0; /* nothing to tell */
			else
				cookie_make(ret_cookie, &keys->keys[0], segment);
			return true;
		}
	}
	return false;
}

/* ---- how many are let in before their handshake ends ---- */

static bool has_room(struct tcp_conn *parent)
{
	struct berth_stack *stack = tcp_stack_of(parent);
	struct tcp_listener *listener = parent->rare->listener;
	struct fastopen *oldest = LIST_FIRST(&listener->fastopen_resets, struct fastopen, node);

	if (listener->fastopen_count < parent->settings->fastopen_queue)
		return true;
	if (!parent->settings->fastopen_queue || !oldest || oldest->expiry > stack->now) {
		stack_event(stack, BERTH_EVENT_TCP_FASTOPEN_CROWDED);
		return false;
	}
	list_remove(&oldest->node);
	listener->fastopen_count--;
	stack_free(stack, oldest, sizeof(*oldest));
	return true;
}

void fastopen_server_reset(struct tcp_conn *conn)
{
	struct fastopen *fastopen = conn->rare->fastopen;

	if (!fastopen->listener || !conn->parent) /* who has been accepted costs nobody's attention any more */
		return;
	list_remove(&fastopen->node);
	fastopen->expiry = tcp_stack_of(conn)->now + RESET_COUNTS_FOR;
	list_append(&fastopen->listener->rare->listener->fastopen_resets, &fastopen->node);
	conn->rare->fastopen = NULL;
}

void fastopen_end(struct tcp_conn *conn)
{
	struct fastopen *fastopen = conn->rare->fastopen;

	if (!fastopen)
		return;
	if (fastopen->listener) {
		list_remove(&fastopen->node);
		fastopen->listener->rare->listener->fastopen_count--;
	}
	conn->rare->fastopen = NULL;
	stack_free(tcp_stack_of(conn), fastopen, sizeof(*fastopen));
}

void fastopen_listener_close(struct tcp_conn *parent)
{
	struct tcp_listener *listener = parent->rare->listener;

	LIST_EACH_SAFE(&listener->fastopen_pending, node) {
		list_remove(node);
		LIST_ITEM(node, struct fastopen, node)->listener = NULL; /* its conversation goes on */
	}
	LIST_EACH_SAFE(&listener->fastopen_resets, node) {
		struct fastopen *fastopen = LIST_ITEM(node, struct fastopen, node);

		list_remove(node);
		stack_free(tcp_stack_of(parent), fastopen, sizeof(*fastopen));
	}
}

/* ---- a SYN ---- */

static struct tcp_conn *spawn(struct tcp_conn *parent, struct tcp_segment *segment, uint32_t iss)
{
	struct berth_stack *stack = tcp_stack_of(parent);
	struct fastopen *fastopen = stack_alloc(stack, sizeof(*fastopen));
	struct tcp_request request;
	struct tcp_conn *conn = NULL;

	if (fastopen && tcp_request_init(&request, parent, segment) == 0) {
		request.iss = iss;
		request.retries = 1; /* no sample of the round trip time */
		conn = tcp_request_spawn(&request, segment);
	}
	if (conn && !tcp_rare_need(conn)) {
		tcp_protocol.destroy(tcp_socket(conn));
		berth_socket_done(tcp_socket(conn));
		conn = NULL;
	}
	if (!conn) {
		stack_free(stack, fastopen, sizeof(*fastopen));
		return NULL;
	}
	fastopen->listener = parent;
	list_append(&parent->rare->listener->fastopen_pending, &fastopen->node);
	parent->rare->listener->fastopen_count++;
	conn->rare->fastopen = fastopen;
	conn->opened_fast = true;
	conn->ever_connected = true;
	conn->timeouts = 0;
	conn->snd_wnd = conn->max_window = segment->header.window; /* not scaled, RFC 7323 §2.2 */
	return conn;
}

struct tcp_conn *fastopen_server_arrive(struct tcp_conn *parent, struct tcp_segment *segment, uint32_t iss,
					struct fastopen_cookie *ret_cookie)
{
	struct berth_stack *stack = tcp_stack_of(parent);
	const struct wire_tcp *header = &segment->header;
	bool free_of_cookie =
		(stack->limits.fastopen & BERTH_FASTOPEN_SERVER_NO_COOKIE) || parent->settings->fastopen_no_cookie;
	struct tcp_conn *conn = NULL;

	ret_cookie->length = 0;
	if (!(stack->limits.fastopen & BERTH_FASTOPEN_SERVER) || !parent->settings->fastopen_queue ||
	    !(segment->length || header->has_fastopen) || !has_room(parent))
		return NULL;
	if (header->has_fastopen && !header->cookie_length && !free_of_cookie) {
		stack_event(stack, BERTH_EVENT_TCP_FASTOPEN_ASKED);
		cookie_make(ret_cookie, &keys_of(parent)->keys[0], segment);
		return NULL;
	}
	if (free_of_cookie || (header->has_fastopen && cookie_good(parent, segment, ret_cookie)))
		conn = spawn(parent, segment, iss);
	if (conn)
		conn->rare->fastopen->cookie = *ret_cookie;
	if (header->has_fastopen || free_of_cookie)
		stack_event(stack, conn ? BERTH_EVENT_TCP_FASTOPEN_ACCEPTED : BERTH_EVENT_TCP_FASTOPEN_REFUSED);
	return conn;
}

void fastopen_server_answer(struct tcp_conn *conn, struct tcp_segment *segment)
{
	struct berth_stack *stack = tcp_stack_of(conn);

	tcp_set_state(conn, TCP_SYN_RECEIVED);
	tcp_congestion_init(conn);
	conn->last_heard = stack->now;
	conn->work->timed = true;
	conn->work->timed_seq = conn->snd_una;
	conn->work->timed_at = conn->work->first_sent = stack->now;
	conn->counters.segments_in = 1;
	tcp_event(conn, BERTH_EVENT_TCP_PASSIVE_OPEN);
	segment->seq++;
	segment->flags &= (uint8_t)~WIRE_TCP_SYN;
	conn->syn_data = conn->syn_data_acked = segment->length;
	if (segment->length)
		tcp_take_text(conn, segment);
	tcp_send_syn(conn);
	tcp_timer_retransmit(conn);
}

struct berth_packet *fastopen_server_syn(struct tcp_conn *conn, struct wire_tcp *header)
{
	struct fastopen_cookie *cookie = &conn->rare->fastopen->cookie;

	if (conn->opened_fast && cookie->length) {
		fastopen_cookie_offer(cookie, header);
		cookie->length = 0;
	}
	return NULL;
}

/* Linux: tcp_check_req(), "pure retransmitted SYN". */
bool fastopen_server_syn_again(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (!conn->opened_fast || conn->state != TCP_SYN_RECEIVED || segment->seq != conn->irs ||
	    (segment->flags & (WIRE_TCP_SYN | WIRE_TCP_ACK | WIRE_TCP_RST | WIRE_TCP_FIN)) != WIRE_TCP_SYN)
		return false;
	conn->work->timed = false; /* Karn */
	tcp_send_syn(conn);
	return true;
}
