/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Explicit congestion notification, RFC 3168: who asks for it and who accepts
 * it, what a mark on data makes us answer, and what such an answer makes us do.
 * New data goes out as ECT(0); resent data, probes and bare ACKs never (§6.1.4,
 * §6.1.5). Linux: tcp_ecn, which is 2 unless a stack's limits say otherwise.
 */
#include "core/tcp/tcp.h"

#define ECT_0 2
#define CE 3
#define ECN_BITS 3
#define ECN_SETUP (WIRE_TCP_ECE | WIRE_TCP_CWR)

/* The bits of a SYN of ours. A SYN that had no answer goes on without (§6.1.1.1). */
uint8_t tcp_ecn_syn(const struct tcp_conn *conn)
{
	if (conn->state == TCP_SYN_RECEIVED)
		return conn->ecn ? WIRE_TCP_ECE : 0;
	return !conn->timeouts && tcp_socket((struct tcp_conn *)conn)->stack->limits.ecn == BERTH_ECN_ASK ? ECN_SETUP
													  : 0;
}

/* Does a SYN ask for it, and do we give it? */
bool tcp_ecn_accepts(const struct berth_stack *stack, const struct tcp_segment *segment)
{
	return (segment->flags & ECN_SETUP) == ECN_SETUP && stack->limits.ecn != BERTH_ECN_OFF;
}

/* The peer's SYN or SYN-ACK is here. */
void tcp_ecn_begin(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (segment->flags & WIRE_TCP_ACK)
		conn->ecn = (segment->flags & ECN_SETUP) == WIRE_TCP_ECE && tcp_ecn_syn(conn);
	else
		conn->ecn = tcp_ecn_accepts(tcp_stack_of(conn), segment);
}

/* A segment arrived: remember its mark until the peer says CWR. §6.1.3 */
void tcp_ecn_receive(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (segment->flags & WIRE_TCP_CWR)
		conn->ecn_echo = false;
	if (segment->length && (segment->info->traffic_class & ECN_BITS) == CE) {
		tcp_event(conn, BERTH_EVENT_TCP_ECN_MARKED);
		conn->ack_now |= !conn->ecn_echo;
		conn->ecn_echo = true;
	}
}

/* Flags and IP bits for a segment of ours; fresh: new data. Returns the traffic class. */
uint8_t tcp_ecn_mark(struct tcp_conn *conn, struct wire_tcp *header, bool fresh, uint8_t traffic_class)
{
	traffic_class &= (uint8_t)~ECN_BITS;
	if (!conn->ecn || (header->flags & (WIRE_TCP_SYN | WIRE_TCP_RST)))
		return traffic_class;
	if (conn->ecn_echo)
		header->flags |= WIRE_TCP_ECE;
	if (!fresh)
		return traffic_class;
	if (conn->ecn_reduced)
		header->flags |= WIRE_TCP_CWR;
	conn->ecn_reduced = false;
	return traffic_class | ECT_0;
}

/* The peer saw a mark: as a loss, but nothing is lost. Once a window. §6.1.2 */
void tcp_ecn_ack(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if (!(segment->flags & WIRE_TCP_ECE) || (segment->flags & WIRE_TCP_SYN) || !tcp_flight(conn))
		return;
	if (conn->in_recovery || conn->in_loss || seq_lt(conn->snd_una, conn->ecn_until))
		return;
	conn->ecn_until = conn->snd_max;
	conn->ecn_reduced = true;
	tcp_event(conn, BERTH_EVENT_TCP_ECN_ECHO);
	if (conn->sack) {
		tcp_loss_congestion(conn);
		return;
	}
	conn->ssthresh = tcp_control(conn)->on_loss(conn, MIN(tcp_flight(conn), conn->cwnd));
	conn->cwnd = conn->ssthresh;
	conn->work->cwnd_acked = 0;
}
