/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending: when a segment goes and what it carries. RFC 9293 §3.7, §3.8.6;
 * RFC 1122 §4.2.3.4 (Nagle and the sender's side of silly windows).
 *
 * What goes at once goes as a run of full segments. On a link that carries
 * superframes one packet holds it, with packet->segment_size saying how it
 * would be cut; for others run.c makes a packet of each.
 */
#include "core/tcp/tcp.h"

#include <assert.h>

#define SUPERFRAME_MAX 65280u /* keeps every header within IP's 16-bit length */
#define RUN_MAX 65280u	      /* of single packets: as much as a superframe */

static struct wire_tcp header_for(struct tcp_conn *conn, uint8_t flags, uint32_t seq)
{
	struct berth_socket *socket = tcp_socket(conn);
	struct wire_tcp header = {
		.source_port = socket->demux.local.port,
		.destination_port = socket->demux.remote.port,
		.seq = seq,
		.flags = flags,
		.ack = flags & WIRE_TCP_ACK ? conn->rcv_nxt : 0,
		.has_timestamps = conn->timestamps,
	};

	if (conn->timestamps) {
		header.timestamp = tcp_timestamp_now(socket->stack, conn->timestamp_offset);
		header.timestamp_echo = flags & WIRE_TCP_ACK ? conn->ts_recent : 0;
	}
	return header;
}

/*
 * SACK blocks go on every segment that has room for them beside its payload;
 * one that has not does not pay for the ACK that is owed.
 */
static bool tell_blocks(struct tcp_conn *conn, struct wire_tcp *header, uint32_t length)
{
	uint32_t blocks;

	if (!conn->work->blocks || (header->flags & (WIRE_TCP_SYN | WIRE_TCP_RST)))
		return true;
	blocks = MIN(conn->work->blocks->count + conn->work->blocks->has_duplicate, WIRE_TCP_SACK_MAX);
	if (!blocks)
		return true;
	if (length && length + 4 + 8 * blocks > conn->mss)
		return false;
	sack_blocks_tell(conn->work->blocks, header);
	return true;
}

/* Hand the segment, or a run of them, to IP. A failure is a loss: the timers see to it. */
static bool conn_emit(struct tcp_conn *conn, struct wire_tcp *header, struct berth_packet *payload, bool fresh,
		      bool summed)
{
	struct berth_socket *socket = tcp_socket(conn);
	struct tcp_emit emit = {
		.local = socket->demux.local,
		.remote = socket->demux.remote,
		.ttl = socket->options->ttl,
		.traffic_class = tcp_ecn_mark(conn, header, fresh, socket->options->traffic_class),
	};
	uint32_t length = payload ? (uint32_t)berth_packet_length(payload) : 0;
	const struct ip_path *path;

	if (conn->urgent_out)
		tcp_urgent_mark(conn, header);
	conn->counters.segments_out++;
	conn->last_sent = socket->stack->now;
	if ((header->flags & WIRE_TCP_ACK) &&
	    tell_blocks(conn, header, length)) { /* every segment is an ACK: what was owed is paid */
		conn->last_ack_sent = conn->rcv_nxt;
		conn->unacked_bytes = 0;
		conn->unacked_small = 0;
		conn->ack_now = false;
		tcp_timer_clear(conn, TCP_TIMER_DELAYED_ACK);
	}
	if (socket_path(socket, &path) < 0) {
		tcp_run_free(payload);
		return false;
	}
	emit.path = path;
	emit.summed = summed && !tcp_unchecked(path->link);
	if (payload && payload->next)
		return tcp_emit_run(socket->stack, &emit, header, payload) == 0;
	return tcp_emit(socket->stack, &emit, header, payload) == 0;
}

void tcp_send_ack(struct tcp_conn *conn)
{
	struct wire_tcp header = header_for(conn, WIRE_TCP_ACK, conn->snd_max);

	header.window = tcp_window_to_offer(conn);
	conn_emit(conn, &header, NULL, false, false);
}

/* RFC 9293 §3.10.5: at the peer's RCV.NXT, or it would only be challenged (RFC 5961 §3). */
void tcp_send_reset(struct tcp_conn *conn)
{
	struct wire_tcp header = header_for(conn, WIRE_TCP_RST | WIRE_TCP_ACK, conn->snd_max);

	tcp_event(conn, BERTH_EVENT_TCP_RST_SENT);
	conn_emit(conn, &header, NULL, false, false);
}

/*
 * An old sequence number makes the peer say where it is: for keepalive (RFC
 * 9293 §3.8.4) and for a shut window. Linux: tcp_xmit_probe_skb(), no byte of
 * new data, which a peer with a shut window would drop. urgent: the number is
 * the next one instead, so that an urgent pointer passes the shut window.
 */
void tcp_send_probe(struct tcp_conn *conn, bool urgent)
{
	struct wire_tcp header = header_for(conn, WIRE_TCP_ACK, conn->snd_una - !urgent);

	header.window = tcp_window_to_offer(conn);
	tcp_event(conn, BERTH_EVENT_TCP_PROBE);
	conn_emit(conn, &header, NULL, false, false);
}

/* A SYN, or a SYN-ACK after simultaneous open. Options of both: MSS, scale, SACK permitted, timestamps. */
void tcp_send_syn(struct tcp_conn *conn)
{
	struct berth_socket *socket = tcp_socket(conn);
	bool answer = conn->state == TCP_SYN_RECEIVED;
	uint8_t flags = (uint8_t)((answer ? WIRE_TCP_SYN | WIRE_TCP_ACK : WIRE_TCP_SYN) | tcp_ecn_syn(conn));
	struct wire_tcp header = header_for(conn, flags, conn->iss);
	const struct ip_path *path;
	unsigned mtu = socket_path(socket, &path) == 0 ? path->mtu : 0;
	struct berth_packet *payload = NULL;

	header.has_mss = true;
	header.mss = tcp_mss_of_mtu(socket->stack, mtu, ip_is6(socket->demux.remote.ip));
	if (conn->settings->max_segment)
		header.mss = MIN(header.mss, conn->settings->max_segment);
	header.has_sack_permitted = answer ? conn->sack : socket->stack->limits.sack == BERTH_SACK_ON;
	header.has_scale = conn->scaling;
	header.scale = conn->receive_scale;
	/* The window of a SYN is never scaled, RFC 7323 §2.2. */
	header.window = (uint16_t)MIN(tcp_receive_space(conn), UINT16_MAX);
	if (answer)
		conn->rcv_adv = seq_max(conn->rcv_adv, conn->rcv_nxt + header.window);
	if (conn->rare->fastopen)
		payload = answer ? fastopen_server_syn(conn, &header) : fastopen_client_syn(conn, &header);
	conn_emit(conn, &header, payload, false, false);
}

static void time_segment(struct tcp_conn *conn, uint32_t seq, uint32_t end)
{
	berth_time now = tcp_stack_of(conn)->now;

	if (seq_lt(seq, conn->snd_max)) { /* sent again: no sample from it (Karn) */
		if (conn->work->timed && seq_lt(seq, conn->work->timed_seq))
			conn->work->timed = false;
		return;
	}
	if (!conn->work->timed) {
		conn->work->timed = true;
		conn->work->timed_seq = end;
		conn->work->timed_at = now;
	}
}

static void count_data(struct tcp_conn *conn, uint32_t seq, uint32_t length)
{
	struct tcp_counters *counters = &conn->counters;
	uint32_t segments = length > conn->mss ? (length + conn->mss - 1) / conn->mss : 1;

	counters->segments_out += segments - 1; /* conn_emit() counts one */
	counters->data_out += length ? segments : 0;
	if (!seq_lt(seq, conn->snd_max))
		return;
	if (tcp_rare_need(conn)) {
		conn->rare->retransmits += segments;
		conn->rare->bytes_retransmitted += MIN(length, conn->snd_max - seq);
		conn->rare->last_resent = tcp_stack_of(conn)->now;
	}
	tcp_event(conn, BERTH_EVENT_TCP_RETRANSMIT);
}

/* With SACK: keep a record of it. again: the record of what is resent, or NULL. False: no memory. */
static bool record_sending(struct tcp_conn *conn, struct flight *again, uint32_t seq, uint32_t end)
{
	berth_time now = tcp_stack_of(conn)->now;
	struct flight *flight = again;
	uint32_t pipe;

	if (!conn->sack)
		return true;
	if (!tcp_sent_need(conn))
		return false;
	pipe = conn->sent->board.pipe;
	if (again)
		scoreboard_resent(&conn->sent->board, again, conn->mss, now);
	else
		flight = scoreboard_add(&conn->sent->board, seq, end, conn->mss, now);
	if (!flight)
		return false;
	tcp_rate_sent(conn, flight, pipe);
	tcp_loss_sent(conn, end - seq, again);
	return true;
}

/* Does the path's link take a run of segments as one packet? The sums are asked for if they are needed. */
static bool takes_superframes(struct tcp_conn *conn, bool *ret_summed)
{
	const struct ip_path *path;

	*ret_summed = false;
	if (socket_path(tcp_socket(conn), &path) < 0)
		return true;
	*ret_summed = !tcp_unchecked(path->link);
	return path->link->superframe;
}

/* Packets that hold length bytes at offset of the send queue; where memory ends, so does length. NULL: none. */
static struct berth_packet *packets_with(struct tcp_conn *conn, uint32_t offset, uint32_t *length)
{
	bool summed, whole = takes_superframes(conn, &summed);
	struct berth_packet *packets = tcp_run_new(tcp_stack_of(conn)->packets, length, whole ? *length : conn->mss);

	if (!packets)
		return NULL;
	tcp_run_fill(&conn->work->sendq, packets, offset, summed);
	packets->segment_size = packets->length > conn->mss ? conn->mss : 0;
	return packets;
}

/* What sending [seq, end) changes, but for the scoreboard. */
static void note_sending(struct tcp_conn *conn, uint32_t seq, uint32_t length, uint32_t end)
{
	berth_time now = tcp_stack_of(conn)->now;

	tcp_note_answer(conn, now);
	if (!conn->sack)
		time_segment(conn, seq, length > conn->mss ? seq + conn->mss : end);
	count_data(conn, seq, length);
	if (length % conn->mss || !length)
		conn->work->snd_small_end = end;
	if (conn->snd_max == conn->snd_una)
		conn->work->first_sent = now;
	if (seq_gt(end, conn->snd_max))
		conn->snd_max = end;
}

/*
 * Send length bytes at seq, with FIN behind them if it is so. Returns how much
 * of the sequence space went, which is less when memory ends; 0: nothing. Fewer
 * of again's, which is the first of the lost then, leave the rest of it lost.
 */
static uint32_t send_data(struct tcp_conn *conn, uint32_t seq, uint32_t length, bool fin, struct flight *again)
{
	uint32_t offset = seq - conn->snd_una, wanted = length, end;
	bool fresh = length && !seq_lt(seq, conn->snd_max);
	struct berth_packet *packets = packets_with(conn, offset, &length);
	struct wire_tcp header;
	bool cut = again && length < wanted;

	if (!packets)
		return 0;
	fin = fin && length == wanted;
	end = seq + length + fin;
	if (cut)
		again = scoreboard_take_lost(&conn->sent->board, length);
	if ((cut && !again) || !record_sending(conn, again, seq, end)) {
		tcp_run_free(packets);
		return 0;
	}
	header = header_for(conn, fin ? WIRE_TCP_ACK | WIRE_TCP_FIN : WIRE_TCP_ACK, seq);
	/* A superframe pushes itself out of the receiver's offload. Linux: __tcp_transmit_skb() */
	if (length && (offset + length == conn->work->sendq.bytes || packets->segment_size))
		header.flags |= WIRE_TCP_PSH;
	note_sending(conn, seq, length, end);
	header.window = tcp_window_to_offer(conn);
	conn_emit(conn, &header, packets, fresh, true);
	if (tcp_paced(conn))
		tcp_pace_sent(conn, end - seq);
	if (!tcp_timer_on(conn, TCP_TIMER_RETRANSMIT))
		tcp_timer_retransmit(conn); /* RFC 6298 §5.1 */
	if (conn->sack && !again)
		tcp_probe_arm(conn);
	return end - seq;
}

/* How much may go at once. */
static uint32_t packet_room(struct tcp_conn *conn)
{
	const struct ip_path *path;
	uint32_t superframe;

	if (socket_path(tcp_socket(conn), &path) < 0)
		return conn->mss;
	tcp_update_mss(conn, path->mtu);
	superframe = RUN_MAX;
	if (path->link->superframe)
		superframe = MIN(MIN(path->link->superframe, SUPERFRAME_MAX), tcp_stack_of(conn)->budget.largest);
	if (tcp_paced(conn))
		superframe = MIN(superframe, MAX(conn->rate->burst_left, conn->mss));
	/* A pointer counts from its own segment, so none are sent in a run. Linux: tcp_write_xmit() */
	if (conn->urgent_out || tcp_stack_of(conn)->budget.pressure)
		return conn->mss;
	return superframe > conn->mss ? superframe - superframe % conn->mss : conn->mss;
}

/* Nagle (RFC 1122 §4.2.3.4) in Minshall's form, as Linux: one small segment at a time. */
static bool small_may_go(const struct tcp_conn *conn, bool last)
{
	if (last || conn->urgent_out)
		return true;
	if (conn->settings->cork || conn->more)
		return false;
	return conn->settings->no_delay || conn->snd_nxt == conn->snd_una ||
	       seq_le(conn->work->snd_small_end, conn->snd_una) || seq_gt(conn->work->snd_small_end, conn->snd_max);
}

/* Of the window's bytes, how many go in the next packet? 0: wait. */
static uint32_t next_length(struct tcp_conn *conn, uint32_t available, uint32_t room, bool *ret_fin)
{
	uint32_t length = MIN(MIN(available, room), packet_room(conn));
	bool all = length == available, fin = conn->fin_queued && all && room > length;

	*ret_fin = fin;
	if (seq_lt(conn->snd_nxt, conn->snd_max)) /* sent before: goes as soon as a good piece fits */
		return all || (conn->snd_nxt == conn->snd_una && length < conn->mss) ? length
										     : length - length % conn->mss;
	if (length % conn->mss && !(all && small_may_go(conn, conn->fin_queued))) {
		uint32_t full = length - length % conn->mss;

		/* Full segments only, or at least half of the largest window seen. */
		*ret_fin = false;
		return full ? full : length >= conn->max_window / 2 ? length : 0;
	}
	return length;
}

static uint32_t room_in(uint32_t window, uint32_t used)
{
	return window > used ? window - used : 0;
}

/*
 * Bytes that the congestion window has room for. With SACK what counts is the
 * pipe, which gives limited transmit (RFC 3042) by itself.
 */
static uint32_t congestion_room(const struct tcp_conn *conn)
{
	if (conn->sack)
		return room_in(conn->cwnd, conn->sent->board.pipe);
	return room_in(conn->cwnd + (conn->in_recovery ? 0 : MIN(conn->dup_acks, 2u) * conn->mss),
		       conn->snd_nxt - conn->snd_una);
}

/* Send the oldest loss again, as long a run of it as there is room for. False: wait. */
static bool resend_one(struct tcp_conn *conn)
{
	const struct flight *first = scoreboard_first_lost(&conn->sent->board);
	uint32_t room = congestion_room(conn), most = packet_room(conn);
	struct flight *flight;
	bool fin, head;

	assert(first); /* the caller saw that something is lost */
	if (room < MIN(first->end - first->begin, conn->mss) && conn->sent->board.pipe)
		return false;
	most = MIN(most, MAX(room, conn->mss));
	flight = scoreboard_take_lost(&conn->sent->board, most - most % conn->mss);
	if (!flight)
		return false;
	head = flight->begin == conn->snd_una;
	if (!head && conn->snd_wnd < flight->end - conn->snd_una)
		return false; /* the peer took its window back */
	fin = tcp_fin_sent(conn) && flight->end == tcp_data_end(conn) + 1;
	if (!send_data(conn, flight->begin, flight->end - flight->begin - fin, fin, flight))
		return false;
	if (head)
		tcp_timer_retransmit(conn);
	return true;
}

static bool output_one(struct tcp_conn *conn)
{
	uint32_t seq = conn->snd_nxt, window_room = room_in(conn->snd_wnd, seq - conn->snd_una), available, length;
	uint32_t room = MIN(congestion_room(conn), window_room), sent;
	bool fin;

	if (!tcp_may_send(conn))
		return false; /* an event hook ended it */
	if (conn->sack && conn->sent->board.lost_bytes && !conn->send_new) {
		conn->cwnd_limited = true;
		return resend_one(conn);
	}
	if (conn->fin_queued && conn->snd_nxt == tcp_data_end(conn) + 1)
		return false; /* the FIN is out */
	available = tcp_data_end(conn) - conn->snd_nxt;
	/* No congestion for a FIN alone. Linux: tcp_cwnd_test() */
	if (!available && conn->fin_queued && !room && window_room)
		room = 1;
	conn->cwnd_limited = available > room && window_room > room;
	if (!room || (!available && !conn->fin_queued))
		return false; /* most calls end here */
	length = next_length(conn, available, room, &fin);
	if (!length && !fin)
		return false;
	sent = send_data(conn, seq, length, fin, NULL);
	conn->snd_nxt = seq_max(conn->snd_nxt, seq + sent);
	return sent && (conn->fin_queued || tcp_data_end(conn) != conn->snd_nxt);
}

bool tcp_output_large(struct tcp_conn *conn, uint32_t length)
{
	uint16_t mss = conn->mss;
	bool sent;

	conn->mss = (uint16_t)length; /* so that nobody cuts it */
	sent = send_data(conn, conn->snd_nxt, length, false, NULL);
	conn->mss = mss;
	if (sent)
		conn->snd_nxt = seq_max(conn->snd_nxt, conn->snd_max);
	return sent;
}

void tcp_output(struct tcp_conn *conn)
{
	bool waiting;

	/* An event hook that closes the socket leads here again: the loop below sees to its FIN. */
	if (!tcp_may_send(conn) || conn->sending)
		return;
	if (!conn->work->sendq.bytes && !conn->fin_queued && !conn->rate) { /* nothing waits, nothing is under way */
		conn->cwnd_limited = conn->send_new = false;
		conn->wake |= conn->settings->notsent_low_water != 0;
		tcp_timer_clear(conn, TCP_TIMER_PERSIST);
		return;
	}
	if (!tcp_flight(conn) && conn->work->sendq.bytes)
		tcp_congestion_idle(conn);
	conn->sending = true;
	waiting =
		conn->work->mtu_search && tcp_synchronized(conn->state) && !tcp_pace_waits(conn) && tcp_mtu_probe(conn);
	while (!waiting && !(tcp_paced(conn) && tcp_pace_waits(conn)) && output_one(conn))
		;
	conn->sending = conn->send_new = false;
	if (conn->rate)
		tcp_rate_starved(conn);
	if (!tcp_may_send(conn))
		return;
	conn->wake |= conn->settings->notsent_low_water != 0; /* what was sent may have made room */
	/* What waits with nothing under way to bring an ACK waits for the persist timer. */
	waiting = conn->work->sendq.bytes || (conn->fin_queued && !tcp_fin_sent(conn));
	if (tcp_flight(conn) || !waiting)
		tcp_timer_clear(conn, TCP_TIMER_PERSIST);
	else if (!tcp_timer_on(conn, TCP_TIMER_PERSIST))
		tcp_timer_set(conn, TCP_TIMER_PERSIST, tcp_stack_of(conn)->now + tcp_rtt_timeout(&conn->rtt));
}

void tcp_retransmit(struct tcp_conn *conn)
{
	uint32_t in_flight = MIN(tcp_flight(conn), (uint32_t)conn->work->sendq.bytes);
	uint32_t length = MIN(in_flight, conn->mss);
	bool fin = tcp_fin_sent(conn) && length == conn->work->sendq.bytes;

	if (!tcp_synchronized(conn->state) || !tcp_flight(conn))
		return;
	if (conn->sack) {
		if (conn->sent->board.lost_bytes)
			resend_one(conn);
		return;
	}
	packet_room(conn); /* the path may have a new MTU */
	length = MIN(length, conn->mss);
	fin = fin && length == conn->work->sendq.bytes;
	if (send_data(conn, conn->snd_una, length, fin, NULL))
		conn->snd_nxt = seq_max(conn->snd_nxt, conn->snd_una + length + fin);
}

static bool probe_with_new(struct tcp_conn *conn)
{
	uint32_t unsent = tcp_fin_sent(conn) ? 0 : tcp_data_end(conn) - conn->snd_nxt;
	uint32_t room = room_in(conn->snd_wnd, tcp_flight(conn)), length = MIN(MIN(unsent, room), conn->mss);
	bool fin = conn->fin_queued && length == unsent && room > length;

	if (!length || !send_data(conn, conn->snd_nxt, length, fin, NULL))
		return false;
	conn->snd_nxt = conn->snd_max;
	return true;
}

bool tcp_output_probe(struct tcp_conn *conn)
{
	struct flight *last;
	bool fin;

	if (probe_with_new(conn))
		return true;
	last = scoreboard_last(&conn->sent->board);
	if (!last)
		return false;
	fin = tcp_fin_sent(conn) && last->end == tcp_data_end(conn) + 1;
	send_data(conn, last->begin, last->end - last->begin - fin, fin, last);
	return false;
}

void tcp_force_output(struct tcp_conn *conn)
{
	uint32_t length = MIN(MIN((uint32_t)conn->work->sendq.bytes, conn->snd_wnd), conn->mss);
	bool fin = conn->fin_queued && length == conn->work->sendq.bytes && conn->snd_wnd > length;

	if (tcp_flight(conn))
		return;
	if (length || fin) {
		if (send_data(conn, conn->snd_una, length, fin, NULL))
			conn->snd_nxt = seq_max(conn->snd_nxt, conn->snd_una + length + fin);
	} else if (conn->work->sendq.bytes || conn->fin_queued) {
		if (!conn->probes)
			conn->work->probing_since = tcp_stack_of(conn)->now;
		conn->probes++;
		tcp_rtt_backoff(&conn->rtt);
		if (conn->urgent_out)
			tcp_send_probe(conn, true);
		tcp_send_probe(conn, false);
	}
	tcp_output(conn);
}
