/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast Open, the side that connects, RFC 7413 §4.2.1; Linux: tcp_send_syn_data(),
 * tcp_rcv_fastopen_synack(). The data of sendto(MSG_FASTOPEN), or of the first
 * write after a connect() that TCP_FASTOPEN_CONNECT put off, goes with the SYN
 * when a cookie of the server is known. A SYN that is sent again goes without
 * both; what the SYN-ACK does not acknowledge of the data goes again at once.
 *
 * The data lies in sendq from the first SYN on; SND.NXT says how much of it.
 */
#include "core/tcp/tcp.h"

#define OPTIONS_MAX 40	   /* room that a SYN keeps for options, ours and those of middleboxes */
#define LOSSES_TOLERATED 1 /* Linux before 4.14: tcp_fastopen_cookie_check() */
#define AVOID_FOR(losses) (60 * BERTH_SEC << MIN(losses, 10)) /* RFC 7413 §4.1.3.1 */

enum { FAIL_NONE, FAIL_NO_COOKIE, FAIL_DATA_NOT_ACKED, FAIL_SYN_SENT_AGAIN }; /* tcpi_fastopen_client_fail */

static struct fastopen_peer *peer_of(struct tcp_conn *conn)
{
	const struct demux_node *ends = &tcp_socket(conn)->demux;

	return fastopen_cache_find(tcp_of(tcp_stack_of(conn)), &ends->local.ip, &ends->remote.ip);
}

static bool without_cookie(struct tcp_conn *conn)
{
	return conn->settings->fastopen_no_cookie ||
	       (tcp_stack_of(conn)->limits.fastopen & BERTH_FASTOPEN_CLIENT_NO_COOKIE);
}

/* SYNs with data that get no answer mean a middlebox on the way. */
static bool swallowed(const struct fastopen_peer *peer, berth_time now)
{
	return peer && peer->losses > LOSSES_TOLERATED && now < peer->lost_at + AVOID_FOR(peer->losses);
}

/* May data go with the SYN? */
static bool may_send_data(struct tcp_conn *conn, const struct fastopen_peer *peer)
{
	if (swallowed(peer, tcp_stack_of(conn)->now))
		return false;
	return without_cookie(conn) || (peer && peer->cookie.length);
}

static struct fastopen *begin(struct tcp_conn *conn)
{
	if (!tcp_rare_need(conn))
		return NULL;
	if (!conn->rare->fastopen)
		conn->rare->fastopen = stack_alloc(tcp_stack_of(conn), sizeof(*conn->rare->fastopen));
	return conn->rare->fastopen;
}

int fastopen_client_connect(struct tcp_conn *conn)
{
	if (conn->rare->fastopen || !conn->settings->fastopen_connect)
		return 0;
	if (!begin(conn))
		return -ENOBUFS;
	conn->rare->fastopen->deferred = may_send_data(conn, peer_of(conn));
	return 0;
}

int tcp_fastopen_begin(struct berth_socket *socket, struct berth_message *message)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	if (!(socket->stack->limits.fastopen & BERTH_FASTOPEN_CLIENT))
		return -EOPNOTSUPP;
	if (conn->rare->fastopen && !conn->rare->fastopen->deferred)
		return -EALREADY;
	if (conn->state != TCP_CLOSED && !(conn->rare->fastopen && conn->rare->fastopen->deferred))
		return conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RECEIVED ? -EALREADY : -EISCONN;
	if (!begin(conn))
		return -ENOBUFS;
	conn->rare->fastopen->message = message;
	conn->rare->syn_taken = 0;
	return 0;
}

size_t tcp_fastopen_taken(struct berth_socket *socket)
{
	struct tcp_conn *conn = tcp_conn_of(socket);

	if (conn->rare->fastopen)
		conn->rare->fastopen->message = NULL;
	if (conn->rare->fastopen && conn->state == TCP_CLOSED)
		fastopen_end(conn);
	return conn->rare->syn_taken;
}

/* Linux: a further MSG_FASTOPEN finds the connection made, and sends as any other. */
bool tcp_fastopen_opened(const struct berth_socket *socket)
{
	const struct tcp_conn *conn = (const struct tcp_conn *)socket->protocol_state;

	return conn->syn_data && tcp_synchronized(conn->state);
}

bool tcp_fastopen_deferred(const struct berth_socket *socket)
{
	const struct tcp_conn *conn = (const struct tcp_conn *)socket->protocol_state;

	return conn->rare->fastopen && conn->rare->fastopen->deferred;
}

/* Bytes that may go with the SYN. Linux: the cached MSS, bounded by the path, less all options there could be. */
static uint32_t room(struct tcp_conn *conn, const struct fastopen_peer *peer)
{
	bool ip6 = ip_is6(tcp_socket(conn)->demux.remote.ip);
	const struct ip_path *path;
	unsigned mtu = socket_path(tcp_socket(conn), &path) == 0 ? path->mtu : 576;
	unsigned mss = tcp_mss_of_mtu(tcp_stack_of(conn), mtu, ip6);

	if (peer && peer->mss)
		mss = MIN(mss, peer->mss);
	if (conn->settings->max_segment)
		mss = MIN(mss, conn->settings->max_segment);
	return mss > OPTIONS_MAX ? mss - OPTIONS_MAX : 0;
}

/* Take data from the call that opens. NULL: there is none, or no memory. */
static struct berth_packet *take_data(struct tcp_conn *conn, struct fastopen *fastopen, uint32_t most)
{
	struct berth_stack *stack = tcp_stack_of(conn);
	uint32_t length = fastopen->message ? (uint32_t)MIN(message_size(fastopen->message), most) : 0;
	struct berth_packet *packet;

	if (!length)
		return NULL;
	packet = berth_packet_new(stack->packets, PACKET_HEADROOM + WIRE_TCP_HEADER_MAX, length);
	if (!packet)
		return NULL;
	length = (uint32_t)sendq_append(&conn->work->sendq, stack->packets, fastopen->message, 0, length);
	sendq_copy(&conn->work->sendq, 0, berth_packet_put(packet, length), length);
	conn->rare->syn_taken = (uint16_t)length;
	conn->syn_data = length;
	conn->snd_nxt = conn->snd_max = conn->iss + 1 + length;
	conn->counters.data_out++;
	return packet;
}

struct berth_packet *fastopen_client_syn(struct tcp_conn *conn, struct wire_tcp *header)
{
	struct fastopen *fastopen = conn->rare->fastopen;
	struct fastopen_peer *peer = peer_of(conn);
	struct fastopen_cookie cookie = { .experimental = peer && peer->try_experimental == 1 };
	bool data = may_send_data(conn, peer);

	if (fastopen->sent)
		return NULL; /* RFC 7413 §4.2.1: again, but without */
	fastopen->sent = true;
	fastopen->deferred = false;
	if (peer && data && peer->cookie.length)
		cookie = peer->cookie;
	fastopen->asked = !without_cookie(conn) && !swallowed(peer, tcp_stack_of(conn)->now);
	if (fastopen->asked) {
		fastopen->cookie = cookie;
		fastopen_cookie_offer(&fastopen->cookie, header);
	}
	if (!data)
		conn->rare->fastopen_fail = FAIL_NO_COOKIE;
	return data ? take_data(conn, fastopen, room(conn, peer)) : NULL;
}

bool fastopen_client_has_more(const struct tcp_conn *conn)
{
	const struct fastopen *fastopen = conn->rare->fastopen;

	return fastopen && fastopen->message && message_size(fastopen->message) > conn->rare->syn_taken;
}

/* Linux: tcp_fastopen_cache_set() */
static void remember(struct tcp_conn *conn, const struct tcp_segment *segment, bool lost, uint8_t try_experimental)
{
	const struct demux_node *ends = &tcp_socket(conn)->demux;
	const struct wire_tcp *header = &segment->header;
	struct fastopen_peer *peer = fastopen_cache_get(tcp_of(tcp_stack_of(conn)), &ends->local.ip, &ends->remote.ip);

	if (!peer)
		return;
	peer->mss = conn->peer_mss;
	if (header->has_fastopen && header->cookie_length && conn->rare->fastopen->asked) {
		peer->cookie = (struct fastopen_cookie){ .length = header->cookie_length,
							 .experimental = header->fastopen_experimental };
		memcpy(peer->cookie.bytes, header->cookie, header->cookie_length);
	} else if (try_experimental > peer->try_experimental && !peer->cookie.length) {
		peer->try_experimental = try_experimental;
	}
	peer->losses = lost ? (uint8_t)MIN(peer->losses + 1, UINT8_MAX) : 0;
	if (lost)
		peer->lost_at = tcp_stack_of(conn)->now;
}

/* Of our data, what the SYN-ACK did not acknowledge goes again as if it had never been sent. */
static void take_acknowledged(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	uint32_t acked = segment->ack - (conn->iss + 1), sent = conn->rare->syn_taken;

	sendq_release(&conn->work->sendq, acked);
	conn->counters.bytes_acked += acked;
	conn->snd_una = conn->snd_nxt = conn->snd_max = segment->ack;
	conn->syn_data_acked = acked == sent;
	if (acked == sent) {
		stack_event(tcp_stack_of(conn), BERTH_EVENT_TCP_FASTOPEN_SENT);
		return;
	}
	conn->rare->bytes_retransmitted += sent - acked;
	conn->rare->fastopen_fail = conn->timeouts ? FAIL_SYN_SENT_AGAIN : FAIL_DATA_NOT_ACKED;
	stack_event(tcp_stack_of(conn), BERTH_EVENT_TCP_FASTOPEN_FAILED);
}

void fastopen_client_answered(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const struct fastopen *fastopen = conn->rare->fastopen;
	bool told = segment->header.has_fastopen && segment->header.cookie_length, syn = segment->flags & WIRE_TCP_SYN;
	uint8_t try_experimental = 0;
	bool lost = false;

	if (fastopen && syn && (fastopen->asked || conn->syn_data)) {
		if (conn->timeouts)
			lost = !told && conn->syn_data && segment->ack == conn->iss + 1;
		else if (fastopen->asked && !told && !conn->syn_data)
			try_experimental = fastopen->cookie.experimental ? 2 : 1;
		remember(conn, segment, lost, try_experimental);
	}
	if (conn->syn_data)
		take_acknowledged(conn, segment);
}
