/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies, RFC 4987 §3.6, as Linux bakes them. When a listener's SYN queue
 * is full, the answer to a SYN keeps no state here: our ISN says who asked,
 * when (in minutes) and which MSS of a table is his, under a secret. Window
 * scale, SACK and ECN go into the low bits of the timestamp, where there is
 * one; without, they are not used. An ACK that brings both back opens the
 * connection. What is lost is our own sending again of the SYN-ACK.
 *
 *	ISN = F(ends) + SEG.SEQ + (minute << 24) + ((G(ends, minute, SEG.SEQ) + mss) & 0xffffff)
 *
 * Differs: Linux has no SEG.SEQ in G. There a segment that comes ahead of the
 * first bytes, up to three of them, is a cookie of another MSS, and they are lost.
 */
#include "core/tcp/tcp.h"

#define MINUTE (60 * BERTH_SEC)
#define AGE_MAX 2 /* minutes that begin after a cookie, until it is no good. Linux: MAX_SYNCOOKIE_AGE */
#define LOW_BITS 0xffffffu

/* What the low bits of a timestamp say. Linux: TSBITS, TS_OPT_* */
#define STAMP_BITS 63u
#define STAMP_NO_SCALE 15u
#define STAMP_SACK 16u
#define STAMP_ECN 32u

/* The MSSes that are common, RFC 9293's default first. Linux: msstab */
static const uint16_t sizes4[] = { 536, 1300, 1440, 1460 };
static const uint16_t sizes6[] = { 1220, 1420, 1440, 8940 };

static unsigned size_index(const uint16_t sizes[4], uint16_t mss)
{
	unsigned i = 3;

	while (i && sizes[i] > mss)
		i--;
	return i;
}

static uint32_t hash(struct tcp_stack *tcp, const struct tcp_segment *segment, unsigned which, uint32_t minute,
		     uint32_t seq)
{
	uint8_t bytes[44];

	if (!tcp->cookies_keyed) {
		for (size_t i = 0; i < COUNT_OF(tcp->cookie_keys); i++)
			tcp->cookie_keys[i] =
				(struct hash_key){ random_u64(&tcp->stack->random), random_u64(&tcp->stack->random) };
		tcp->cookies_keyed = true;
	}
	memcpy(bytes, segment->local.ip.bytes, 16);
	memcpy(bytes + 16, segment->remote.ip.bytes, 16);
	put_be16(bytes + 32, segment->local.port);
	put_be16(bytes + 34, segment->remote.port);
	put_be32(bytes + 36, minute);
	put_be32(bytes + 40, seq);
	return (uint32_t)hash_bytes(tcp->cookie_keys[which], bytes, sizeof(bytes));
}

static uint32_t bake(struct tcp_stack *tcp, const struct tcp_segment *syn, unsigned index)
{
	uint32_t minute = (uint32_t)(tcp->stack->now / MINUTE);

	return hash(tcp, syn, 0, 0, 0) + syn->seq + (minute << 24) +
	       ((hash(tcp, syn, 1, minute, syn->seq) + index) & LOW_BITS);
}

/* The index that an ACK brings back, or something else if it brings no cookie of the last minutes. */
static uint32_t taste(struct tcp_stack *tcp, const struct tcp_segment *ack)
{
	uint32_t seq = ack->seq - 1, cookie = ack->ack - 1 - hash(tcp, ack, 0, 0, 0) - seq;
	uint32_t minute = (uint32_t)(tcp->stack->now / MINUTE), age = (minute - (cookie >> 24)) & 255;

	return age < AGE_MAX ? (cookie - hash(tcp, ack, 1, minute - age, seq)) & LOW_BITS : UINT32_MAX;
}

static uint32_t stamp_bits(const struct tcp_request *request)
{
	return (request->scaling ? request->send_scale : STAMP_NO_SCALE) | (request->sack ? STAMP_SACK : 0) |
	       (request->ecn ? STAMP_ECN : 0);
}

/* The latest time with these low bits that is not in the future, or the peer's PAWS would drop what follows. */
static uint32_t stamp(const struct tcp_request *request, uint32_t now)
{
	uint32_t value = (now & ~STAMP_BITS) | stamp_bits(request);

	return seq_gt(value, now) ? value - (STAMP_BITS + 1) : value;
}

/* False: no SYN-ACK of ours ended in these bits. */
static bool read_stamp(struct tcp_request *request, uint32_t bits, const struct berth_stack *stack)
{
	unsigned scale = bits & STAMP_NO_SCALE;

	if ((bits & STAMP_ECN) && stack->limits.ecn == BERTH_ECN_OFF)
		return false;
	request->scaling = scale != STAMP_NO_SCALE;
	request->send_scale = (uint8_t)(request->scaling ? scale : 0);
	request->receive_scale = request->scaling ? tcp_scale_for(stack) : 0;
	request->sack = bits & STAMP_SACK;
	request->ecn = bits & STAMP_ECN;
	return true;
}

void tcp_cookie_answer(struct tcp_conn *parent, const struct tcp_segment *syn)
{
	struct berth_stack *stack = tcp_stack_of(parent);
	struct tcp_request request;
	struct wire_tcp header;
	bool ip6 = ip_is6(syn->remote.ip);

	if (tcp_request_init(&request, parent, syn) < 0)
		return;
	if (!request.timestamps) {
		request.scaling = request.sack = request.ecn = false;
		request.send_scale = request.receive_scale = 0;
	}
	request.iss = bake(tcp_of(stack), syn, size_index(ip6 ? sizes6 : sizes4, request.peer_mss));
	header = tcp_request_header(&request);
	header.timestamp = stamp(&request, tcp_timestamp_now(stack, 0)) + request.timestamp_offset;
	parent->rare->listener->cookies_until = stack->now + AGE_MAX * MINUTE;
	stack_event(stack, BERTH_EVENT_TCP_COOKIE_SENT);
	tcp_emit_bare(stack, &request.demux, &header);
}

/* Begin from what the ACK brings back of the SYN. False: it brings nothing back. */
static bool remember(struct tcp_request *request, struct tcp_conn *parent, const struct tcp_segment *ack)
{
	struct berth_stack *stack = tcp_stack_of(parent);
	bool ip6 = ip_is6(ack->remote.ip);
	uint32_t index = taste(tcp_of(stack), ack);

	if (index >= COUNT_OF(sizes4) || tcp_request_init(request, parent, ack) < 0)
		return false;
	request->peer_mss = (ip6 ? sizes6 : sizes4)[index];
	request->irs = ack->seq - 1;
	request->iss = ack->ack - 1;
	request->retries = 1; /* when the SYN-ACK left is not known: no sample of the round trip time */
	request->scaling = request->sack = request->ecn = false;
	request->send_scale = request->receive_scale = 0;
	if (!request->timestamps)
		return true;
	return read_stamp(request, (ack->header.timestamp_echo - request->timestamp_offset) & STAMP_BITS, stack);
}

bool tcp_cookie_take(struct tcp_conn *parent, struct tcp_segment *segment)
{
	struct berth_stack *stack = tcp_stack_of(parent);
	struct tcp_request request;
	struct tcp_conn *conn;

	if (stack->limits.syn_cookies == BERTH_SYN_COOKIES_OFF || (segment->flags & (WIRE_TCP_SYN | WIRE_TCP_RST)) ||
	    stack->now >= parent->rare->listener->cookies_until)
		return false;
	if (!remember(&request, parent, segment)) {
		stack_event(stack, BERTH_EVENT_TCP_COOKIE_FAILED);
		return false;
	}
	if (tcp_accept_full(parent)) { /* he thinks that he is connected; what he sends comes again, and here */
		tcp_segment_drop(stack, segment, BERTH_EVENT_TCP_DROP_BACKLOG);
		return true;
	}
	conn = tcp_request_spawn(&request, segment);
	if (!conn) {
		tcp_segment_drop(stack, segment, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return true;
	}
	conn->timeouts = 0;
	stack_event(stack, BERTH_EVENT_TCP_COOKIE_TAKEN);
	tcp_become_established(conn);
	tcp_event(conn, BERTH_EVENT_TCP_PASSIVE_OPEN);
	parent->wake = true;
	conn->counters.segments_in = 2;
	tcp_arrive_established(conn, segment);
	tcp_leave(conn);
	return true;
}
