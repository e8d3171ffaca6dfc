/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Urgent data, RFC 9293 §3.8.5, as everybody has it (RFC 6093 §3; Linux:
 * tcp_check_urg(), tcp_recv_urg()): the pointer says the octet behind the
 * urgent data, and of that the last byte alone is out of band. It stays in the
 * stream's numbering, where it is the mark: reading stops before it, and then
 * goes on behind it, or with it where SO_OOBINLINE says so.
 *
 * A newer pointer moves the mark on; the byte that it was on before is then
 * as any other. The byte is known once it has come, in order or not, even when
 * the window is shut.
 */
#include "core/tcp/tcp.h"

static bool is_inline(struct tcp_conn *conn)
{
	return tcp_socket(conn)->options->oob_inline;
}

/* The next byte that a reader gets. */
static uint32_t next_to_read(const struct tcp_conn *conn)
{
	return conn->rcv_nxt - conn->fin_received - (uint32_t)conn->work->receiveq.bytes;
}

/* A pointer that says more than the last one. Linux: tcp_check_urg() */
static void take_pointer(struct tcp_conn *conn, uint32_t mark)
{
	if (seq_gt(next_to_read(conn), mark) || seq_lt(mark, conn->rcv_nxt))
		return;
	if (conn->urgent_in != TCP_URGENT_NONE && seq_le(mark, conn->work->urgent_seq))
		return;
	/* A reader that stands at the old mark has had that byte, or did not want it: don't give it as data now. */
	if (tcp_urgent_at_mark(conn) && !is_inline(conn) && conn->work->receiveq.bytes)
		receiveq_release(&conn->work->receiveq, 1);
	conn->urgent_in = TCP_URGENT_AWAITED;
	conn->work->urgent_seq = mark;
}

/* Sixth: the URG bit. RFC 9293 §3.10.7.4 */
bool tcp_take_urgent(struct tcp_conn *conn, struct tcp_segment *segment)
{
	uint32_t offset;

	if (!(segment->flags & WIRE_TCP_URG) && conn->urgent_in != TCP_URGENT_AWAITED)
		return true;
	if (!tcp_may_receive(conn) || conn->released)
		return true;
	/* The pointer is behind the last urgent octet (MUST-62); 0 is nothing that BSD would send. */
	if (segment->flags & WIRE_TCP_URG)
		take_pointer(conn, segment->header.seq + segment->header.urgent - !!segment->header.urgent);
	offset = conn->work->urgent_seq - segment->seq;
	if (conn->urgent_in == TCP_URGENT_AWAITED && offset < segment->packet->length) {
		conn->work->urgent_byte = segment->packet->data[offset];
		conn->urgent_in = TCP_URGENT_HERE;
		conn->wake = true;
	}
	return true;
}

bool tcp_urgent_at_mark(const struct tcp_conn *conn)
{
	return conn->urgent_in != TCP_URGENT_NONE && conn->work->urgent_seq == next_to_read(conn);
}

/* Does the byte at the mark not count as data to read? */
bool tcp_urgent_hides_next(struct tcp_conn *conn)
{
	return tcp_urgent_at_mark(conn) && conn->work->receiveq.bytes && !is_inline(conn);
}

size_t tcp_urgent_readable(struct tcp_conn *conn, size_t wanted, size_t *ret_skip)
{
	uint32_t ahead = conn->work->urgent_seq - next_to_read(conn);
	size_t ready = conn->work->receiveq.bytes;

	*ret_skip = tcp_urgent_hides_next(conn);
	if (conn->urgent_in != TCP_URGENT_NONE && ahead && ahead < ready)
		ready = ahead;
	return MIN(wanted, ready - *ret_skip);
}

void tcp_urgent_taken(struct tcp_conn *conn)
{
	if (seq_gt(next_to_read(conn), conn->work->urgent_seq))
		conn->urgent_in = TCP_URGENT_NONE;
}

ssize_t tcp_urgent_receive(struct tcp_conn *conn, struct berth_message *message, int flags)
{
	bool room = message_size(message) > 0;

	if (is_inline(conn) || conn->urgent_in == TCP_URGENT_NONE || conn->urgent_in == TCP_URGENT_TAKEN)
		return -EINVAL;
	if (conn->urgent_in == TCP_URGENT_AWAITED)
		return conn->state == TCP_CLOSED || conn->read_shutdown || conn->fin_received ? 0 : -EAGAIN;
	if (!(flags & MSG_PEEK))
		conn->urgent_in = TCP_URGENT_TAKEN;
	message->flags = MSG_OOB | (room ? 0 : MSG_TRUNC);
	if (room && !(flags & MSG_TRUNC))
		message_scatter(message, 0, &conn->work->urgent_byte, 1);
	return room;
}

/* All that was written is urgent now. Linux: tcp_mark_urg() */
void tcp_urgent_begin(struct tcp_conn *conn)
{
	conn->urgent_out = true;
	conn->work->urgent_end = tcp_data_end(conn);
}

/*
 * The pointer of a segment that begins before the end of the urgent data. One
 * that is farther away than the field reaches says so as far as it can, with
 * the last of what is sent. Linux: __tcp_transmit_skb()
 */
void tcp_urgent_mark(struct tcp_conn *conn, struct wire_tcp *header)
{
	uint32_t ahead = conn->work->urgent_end - header->seq;

	if (!conn->urgent_out || header->flags & (WIRE_TCP_SYN | WIRE_TCP_RST) ||
	    seq_ge(header->seq, conn->work->urgent_end))
		return;
	if (ahead > UINT16_MAX && !seq_gt(header->seq + UINT16_MAX, conn->snd_nxt))
		return;
	header->flags |= WIRE_TCP_URG;
	header->urgent = (uint16_t)MIN(ahead, UINT16_MAX);
}
