/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What we offer to the peer: the receive window (RFC 9293 §3.8.6, RFC 1122
 * §4.2.3.3, RFC 7323 §2) and segment sizes (RFC 9293 §3.7.1, RFC 6691); and
 * the clock of timestamps.
 */
#include "core/tcp/tcp.h"

#define MSS_MIN 48 /* Linux: TCP_MIN_SND_MSS. Less is an attack on our CPU */

/* 1 ms, RFC 7323 §5.4 */
uint32_t tcp_timestamp_now(const struct berth_stack *stack, uint32_t offset)
{
	return (uint32_t)(stack->now / BERTH_MSEC) + offset;
}

/* Enough for the largest buffer that SO_RCVBUF may ask for while the connection lives. */
uint8_t tcp_scale_for(const struct berth_stack *stack)
{
	uint8_t scale = 0;

	while (scale < WIRE_TCP_SCALE_MAX && (uint32_t)UINT16_MAX << scale < stack->limits.receive_buffer_max)
		scale++;
	return scale;
}

/* Of a stack with little memory segments are small, too: one must always find room in it. */
uint16_t tcp_mss_of_mtu(const struct berth_stack *stack, unsigned mtu, bool ip6)
{
	unsigned headers = (ip6 ? 40u : 20u) + WIRE_TCP_HEADER, size;

	size = MIN(MAX(mtu, headers + MSS_MIN), UINT16_MAX) - headers;
	return (uint16_t)MIN(size, stack->budget.largest);
}

uint16_t tcp_mss_with(struct tcp_conn *conn, unsigned mtu)
{
	unsigned mss =
		MIN(conn->peer_mss, tcp_mss_of_mtu(tcp_stack_of(conn), mtu, ip_is6(tcp_socket(conn)->demux.remote.ip)));

	if (conn->settings->max_segment)
		mss = MIN(mss, conn->settings->max_segment);
	mss = MAX(mss, MSS_MIN);
	return (uint16_t)(mss - (conn->timestamps ? WIRE_TCP_TIMESTAMPS_SIZE : 0));
}

void tcp_update_mss(struct tcp_conn *conn, unsigned mtu)
{
	mtu = tcp_mtu_limit(conn, mtu);
	if (conn->mss_mtu == mtu)
		return;
	conn->mss = tcp_mss_with(conn, mtu);
	conn->mss_mtu = mtu;
}

static uint32_t receive_buffer(struct tcp_conn *conn)
{
	uint32_t buffer = tcp_socket(conn)->receive_buffer;

	return conn->settings->window_clamp ? MIN(buffer, conn->settings->window_clamp) : buffer;
}

/* Payload may take twice its size in buffers. One segment is always welcome. */
static size_t room_under_pressure(struct tcp_conn *conn)
{
	size_t held = conn->work->receiveq.memory, room = budget_room(tcp_stack_of(conn), tcp_memory(conn), held) / 2;

	return held ? room : MAX(room, conn->receive_mss);
}

/* What the application may still be sent. */
static inline uint32_t receive_space(struct tcp_conn *conn)
{
	size_t queued = conn->work->receiveq.bytes;
	uint32_t buffer = receive_buffer(conn), space = queued < buffer ? (uint32_t)(buffer - queued) : 0;

	if (tcp_stack_of(conn)->budget.pressure)
		space = (uint32_t)MIN(space, room_under_pressure(conn));
	return MIN(space, (uint32_t)UINT16_MAX << conn->receive_scale); /* more can't be said */
}

uint32_t tcp_receive_space(struct tcp_conn *conn)
{
	return receive_space(conn);
}

/* Is the step from old to new worth telling? RFC 1122 §4.2.3.3: min(half the buffer, MSS). */
static bool window_step(struct tcp_conn *conn, uint32_t old, uint32_t new)
{
	return new > old &&new - old >= MIN(receive_buffer(conn) / 2, (uint32_t)conn->receive_mss);
}

uint16_t tcp_window_to_offer(struct tcp_conn *conn)
{
	uint32_t offered = seq_gt(conn->rcv_adv, conn->rcv_nxt) ? conn->rcv_adv - conn->rcv_nxt : 0;
	uint32_t space = receive_space(conn), unit = 1u << conn->receive_scale, field;

	/* The right edge stays where it was unless the step is worth it, and never moves left (§3.8.6.2.1). */
	if (!window_step(conn, offered, space))
		space = offered;
	/* A promise is kept whole: what was offered is rounded up, what is new is rounded down. */
	field = space == offered ? (space + unit - 1) / unit : space / unit;
	field = MAX(field, (offered + unit - 1) / unit);
	field = MIN(field, UINT16_MAX);
	conn->rcv_adv = seq_max(conn->rcv_adv, conn->rcv_nxt + field * unit);
	return (uint16_t)field;
}

/*
 * The queue is empty and an ACK is owed: a sender with a small buffer may be
 * waiting for it and nothing else. Whoever answers is given the time to carry
 * it with the answer. Linux: __tcp_cleanup_rbuf().
 */
static bool reader_caught_up(const struct tcp_conn *conn)
{
	if (conn->unacked_bytes > conn->receive_mss)
		return true;
	return !conn->work->receiveq.bytes && (conn->unacked_small > 1 || (conn->unacked_small && !conn->interactive));
}

/* The application read: tell the peer when the window opened by much, or when it may be waiting for our ACK. */
void tcp_window_opened(struct tcp_conn *conn)
{
	uint32_t offered = seq_gt(conn->rcv_adv, conn->rcv_nxt) ? conn->rcv_adv - conn->rcv_nxt : 0;
	uint32_t space = receive_space(conn), buffer = receive_buffer(conn);
	uint32_t worth = MIN(buffer / 2, MAX(2u * conn->receive_mss, buffer / 4));

	if (conn->fin_received || !tcp_may_send(conn))
		return;
	if ((space > offered && space - offered >= worth) || reader_caught_up(conn))
		tcp_send_ack(conn);
}
