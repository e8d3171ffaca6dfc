/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From IP to a conversation: parse, verify, find whose it is. Also what ICMP
 * says of our segments (RFC 5461, RFC 5927: only when it quotes a sequence
 * number that is under way).
 */
#include "core/tcp/tcp.h"

/* Before it is known whose it may be. */
static void refuse(struct berth_stack *stack, struct tcp_segment *segment, enum berth_event reason)
{
	segment->local = segment->remote = (struct berth_endpoint){ .port = 0 };
	tcp_segment_drop(stack, segment, reason);
}

static bool segment_init(struct berth_stack *stack, struct tcp_segment *segment, struct berth_packet *packet,
			 const struct berth_ip_info *info)
{
	segment->packet = packet;
	segment->info = info;
	/*
	 * RFC 9293 §3.10.7 and RFC 1122 §4.2.3.10: conversations are between two hosts. Broadcasts as sources come
	 * no farther than ip_source_ok(), but by loopback.
	 */
	if (info->multicast || ip_is_multicast(info->source) ||
	    (info->link->loopback && ip_is_broadcast(stack, info->source))) {
		refuse(stack, segment, BERTH_EVENT_TCP_DROP_MULTICAST);
		return false;
	}
	if (wire_tcp_parse(packet->data, packet->length, &segment->header) < 0 || !segment->header.source_port ||
	    !segment->header.destination_port) {
		refuse(stack, segment, BERTH_EVENT_TCP_DROP_MALFORMED);
		return false;
	}
	if (!berth_checksum_ok(packet, info)) {
		refuse(stack, segment, BERTH_EVENT_TCP_DROP_CHECKSUM);
		return false;
	}
	if (segment->header.flags & WIRE_TCP_SYN) { /* what we do not do was not offered */
		segment->header.has_scale &= stack->limits.window_scaling == BERTH_WINDOW_SCALING_ON;
		segment->header.has_sack_permitted &= stack->limits.sack == BERTH_SACK_ON;
	}
	packet_pull(packet, segment->header.header_length);
	segment->local = (struct berth_endpoint){ info->destination, segment->header.destination_port };
	segment->remote = (struct berth_endpoint){ info->source, segment->header.source_port };
	segment->seq = segment->header.seq;
	segment->ack = segment->header.ack;
	segment->flags = segment->header.flags;
	segment->length = packet->length;
	return true;
}

/* No conversation: a listener's, or nobody's. */
static void arrive_at_port(struct berth_stack *stack, struct tcp_segment *segment)
{
	struct berth_socket *socket =
		port_find_bound(stack, IPPROTO_TCP, &segment->local, &segment->remote, segment->info->link);

	if (socket && tcp_conn_of(socket)->state == TCP_LISTEN) {
		tcp_listen_arrive(tcp_conn_of(socket), segment, 0);
		return;
	}
	tcp_reply_reset(stack, segment);
	tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_NO_SOCKET);
}

void tcp_input(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info)
{
	struct tcp_segment segment;
	struct demux_node *node;

	if (!segment_init(stack, &segment, packet, info))
		return;
	node = demux_find(stack, IPPROTO_TCP, &segment.local, &segment.remote);
	if (!node)
		arrive_at_port(stack, &segment);
	else if (node->kind == DEMUX_SOCKET)
		tcp_arrive(tcp_conn_of(socket_of_demux(node)), &segment);
	else if (node->kind == DEMUX_REQUEST)
		tcp_request_arrive(CONTAINER_OF(node, struct tcp_request, demux), &segment);
	else
		tcp_timewait_arrive(CONTAINER_OF(node, struct tcp_timewait, demux), &segment);
	berth_packet_unref(segment.packet);
}

/* Smaller packets from now on: send again what was too large. RFC 1191 §6.4 */
static void path_too_small(struct tcp_conn *conn)
{
	const struct ip_path *path;
	uint16_t before = conn->mss;

	if (conn->state == TCP_SYN_SENT && conn->syn_data) {
		tcp_send_syn(conn); /* without data. Linux: tcp_simple_retransmit() */
		return;
	}
	if (!tcp_synchronized(conn->state) || socket_path(tcp_socket(conn), &path) < 0)
		return;
	tcp_update_mss(conn, path->mtu);
	if (conn->mss >= before || !tcp_flight(conn))
		return;
	conn->work->timed = false;
	if (conn->sack)
		scoreboard_lose_all(&conn->sent->board); /* no congestion: the window stays */
	else
		conn->snd_nxt = conn->snd_una;
	tcp_output(conn);
}

static void conn_error(struct tcp_conn *conn, const struct berth_ip_error *error, uint32_t seq)
{
	if (seq_lt(seq, tcp_may_send(conn) && conn->state != TCP_SYN_RECEIVED ? conn->snd_una : conn->iss) ||
	    seq_gt(seq, conn->snd_max))
		return;
	tcp_enter(conn);
	if (error->error == EMSGSIZE)
		path_too_small(conn);
	else if (conn->state == TCP_SYN_SENT ||
		 (conn->state == TCP_SYN_RECEIVED && !(conn->opened_fast && !conn->parent)))
		tcp_finish(conn, error->error); /* Linux: tcp_v4_err() */
	else
		conn->soft_error = (uint16_t)error->error;
	tcp_leave(conn);
}

void tcp_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted, size_t length)
{
	struct berth_endpoint local = { error->source, 0 }, remote = { error->destination, 0 };
	struct demux_node *node;
	uint32_t seq;

	if (length < 8)
		return;
	local.port = get_be16(quoted);
	remote.port = get_be16(quoted + 2);
	seq = get_be32(quoted + 4);
	node = demux_find(stack, IPPROTO_TCP, &local, &remote);
	if (!node)
		return;
	if (node->kind == DEMUX_SOCKET) {
		conn_error(tcp_conn_of(socket_of_demux(node)), error, seq);
	} else if (node->kind == DEMUX_REQUEST) {
		struct tcp_request *request = CONTAINER_OF(node, struct tcp_request, demux);

		if (error->error != EMSGSIZE && seq == request->iss) /* Linux: tcp_req_err() */
			tcp_request_free(request);
	}
}
