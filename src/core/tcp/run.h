/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments onto the wire, one by one or many at once. Neither knows a conversation. */
#ifndef CORE_TCP_RUN_H
#define CORE_TCP_RUN_H

#include "core/ip/ip.h"
#include "core/tcp/sendq.h"
#include "wire/tcp.h"

/* emit.c: one segment onto the wire */
struct tcp_emit {
	struct berth_endpoint local, remote;
	const struct ip_path *path;
	uint8_t ttl, traffic_class;
	bool summed; /* packet->mark is the sum of its payload */
};
struct ip_send tcp_emit_send(const struct tcp_emit *emit);
/* payload: NULL, or a packet with headroom whose data is the payload; taken. Returns 0 or a negative errno. */
int tcp_emit(struct berth_stack *stack, const struct tcp_emit *emit, const struct wire_tcp *header,
	     struct berth_packet *payload);

/* run.c: many segments, in a list by packet->next. */
/* Do segments go there without checksums? */
static inline bool tcp_unchecked(const struct berth_link *link)
{
	return link->loopback || link->flags & (BERTH_LINK_NO_CHECKSUMS | BERTH_LINK_TCP_CHECKSUMS);
}
/* Packets with room for *length bytes, mss each; where memory ends, so does *length. NULL: none. Free them together. */
struct berth_packet *tcp_run_new(struct berth_packet_pool *pool, uint32_t *length, uint32_t mss);
void tcp_run_free(struct berth_packet *run);
/* Copy into them what lies at offset. summed: and its sums into their marks. */
void tcp_run_fill(struct sendq *queue, struct berth_packet *run, size_t offset, bool summed);
/* As tcp_emit(); header is the first's, but for FIN and PSH, which the last has. None is above the path's MTU. */
int tcp_emit_run(struct berth_stack *stack, const struct tcp_emit *emit, const struct wire_tcp *header,
		 struct berth_packet *run);

#endif
