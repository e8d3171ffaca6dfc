/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending a run of segments to a link that takes only single ones. The engine
 * decides once for the whole run, as it does for a superframe; here it becomes
 * packets, straight from the send queue, with one header for all: sequence
 * number, length, checksum and the flags of first and last are all that differs.
 * (Linux does the same work below TCP: tcp_gso_segment().)
 */
#include "core/tcp/tcp.h"

#include "wire/checksum.h"

enum { SEQ_AT = 4, FLAGS_AT = 13 };

struct berth_packet *tcp_run_new(struct berth_packet_pool *pool, uint32_t *length, uint32_t mss)
{
	struct berth_packet *first = NULL, **link = &first;
	uint32_t done = 0;

	do {
		*link = berth_packet_new(pool, PACKET_HEADROOM + WIRE_TCP_HEADER_MAX, MIN(mss, *length - done));
		if (!*link)
			break;
		(*link)->length = MIN(mss, *length - done);
		done += (*link)->length;
		link = &(*link)->next;
	} while (done < *length);
	*length = done;
	return first;
}

void tcp_run_free(struct berth_packet *run)
{
	while (run) {
		struct berth_packet *next = run->next;

		berth_packet_unref(run);
		run = next;
	}
}

void tcp_run_fill(struct sendq *queue, struct berth_packet *run, size_t offset, bool summed)
{
	for (; run; run = run->next) {
		if (summed)
			run->mark = sendq_copy_sum(queue, offset, run->data, run->length);
		else
			sendq_copy(queue, offset, run->data, run->length);
		offset += run->length;
	}
}

/* What all segments of a run have in common. */
struct segments {
	const struct tcp_emit *emit;
	struct ip_run ip;
	uint8_t header[WIRE_TCP_HEADER_MAX];
	size_t size;
	uint32_t sum; /* of pseudo header and header, without length, sequence number and flags */
	uint32_t seq;
	uint8_t flags;
};

static void segments_init(struct segments *segments, const struct tcp_emit *emit, const struct wire_tcp *header)
{
	struct wire_tcp common = *header;

	common.seq = 0;
	common.flags = 0;
	segments->emit = emit;
	segments->size = wire_tcp_build(segments->header, &common);
	segments->seq = header->seq;
	segments->flags = header->flags;
	if (emit->summed)
		segments->sum = checksum_add(ip_pseudo_sum(emit->local.ip, emit->remote.ip, IPPROTO_TCP, 0),
					     segments->header, segments->size);
}

static void send_segment(struct berth_stack *stack, struct segments *segments, struct berth_packet *packet, bool last)
{
	uint32_t payload = packet->length;
	uint8_t flags = segments->flags, *header = packet_push(packet, (uint32_t)segments->size);

	if (!last)
		flags &= (uint8_t) ~(WIRE_TCP_FIN | WIRE_TCP_PSH);
	memcpy(header, segments->header, segments->size);
	put_be32(header + SEQ_AT, segments->seq);
	header[FLAGS_AT] = flags;
	packet->checksum = PACKET_CHECKSUM_TRUSTED;
	if (segments->emit->summed) {
		uint32_t sum = segments->sum + (segments->seq >> 16) + (segments->seq & 0xffff) + flags;

		sum += packet->length + packet->mark;
		put_be16(header + WIRE_TCP_CHECKSUM_OFFSET, checksum_finish(sum));
		packet->checksum = PACKET_CHECKSUM_PRESENT;
	}
	segments->seq += payload;
	segments->flags &= (uint8_t)~WIRE_TCP_CWR; /* the first says it. RFC 3168 §6.1.2 */
	ip_run_send(stack, &segments->ip, packet);
}

int tcp_emit_run(struct berth_stack *stack, const struct tcp_emit *emit, const struct wire_tcp *header,
		 struct berth_packet *run)
{
	struct ip_send send = tcp_emit_send(emit);
	struct segments segments;

	if (!ip_run_begin(stack, emit->path, &send, &segments.ip)) {
		tcp_run_free(run);
		return -EMSGSIZE;
	}
	segments_init(&segments, emit, header);
	while (run) {
		struct berth_packet *packet = run;

		run = packet->next;
		packet->next = NULL;
		send_segment(stack, &segments, packet, !run);
	}
	return 0;
}
