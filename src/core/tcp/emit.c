/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments onto the wire: header, checksum, IP. Knows no conversation. */
#include "core/tcp/tcp.h"

#include "wire/checksum.h"

/* RFC 9293 §3.1. Paths that damage nothing go without. */
static void fill_checksum(struct berth_packet *packet, const struct tcp_emit *emit, size_t header_size)
{
	const struct berth_link *link = emit->path->link;
	uint32_t sum;

	if (tcp_unchecked(link)) {
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
		return;
	}
	sum = ip_pseudo_sum(emit->local.ip, emit->remote.ip, IPPROTO_TCP, packet->length);
	if (emit->summed)
		sum = checksum_add(sum + packet->mark, packet->data, header_size);
	else
		sum = checksum_add(sum, packet->data, packet->length);
	put_be16(packet->data + WIRE_TCP_CHECKSUM_OFFSET, checksum_finish(sum));
	packet->checksum = PACKET_CHECKSUM_PRESENT;
}

struct ip_send tcp_emit_send(const struct tcp_emit *emit)
{
	return (struct ip_send){
		.source = emit->local.ip,
		.destination = emit->remote.ip,
		.protocol = IPPROTO_TCP,
		.ttl = emit->ttl,
		.traffic_class = emit->traffic_class,
		.dont_fragment = true,
	};
}

int tcp_emit(struct berth_stack *stack, const struct tcp_emit *emit, const struct wire_tcp *header,
	     struct berth_packet *payload)
{
	struct ip_send send = tcp_emit_send(emit);
	struct berth_packet *packet = payload;
	size_t size = wire_tcp_size(header);
	uint8_t *bytes;

	if (!packet)
		packet = berth_packet_new(stack->packets, PACKET_HEADROOM + WIRE_TCP_HEADER_MAX, 0);
	if (!packet)
		return -ENOBUFS;
	if (packet_headroom(packet) < size) {
		berth_packet_unref(packet);
		return -ENOBUFS;
	}
	bytes = packet_push(packet, (uint32_t)size);
	wire_tcp_build(bytes, header);
	fill_checksum(packet, emit, size);
	return ip_send(stack, packet, emit->path, &send);
}

/* A link-local peer is on the link of our own address. */
int tcp_path_find(struct berth_stack *stack, const struct berth_endpoint *local, const struct berth_endpoint *remote,
		  struct ip_path *ret_path)
{
	struct berth_link *link = ip_is_link_local(remote->ip) ? link_of_address(stack, local->ip) : NULL;

	return ip_path_find(stack, remote->ip, local->ip, link, ret_path);
}

void tcp_emit_bare(struct berth_stack *stack, const struct demux_node *node, const struct wire_tcp *header)
{
	struct ip_path path;
	struct tcp_emit emit = { .local = node->local, .remote = node->remote, .path = &path };

	if (tcp_path_find(stack, &node->local, &node->remote, &path) == 0)
		(void)tcp_emit(stack, &emit, header, NULL);
}

/* RFC 9293 §3.5.2 group 1, §3.10.7.1. Never in answer to a RST. */
void tcp_reply_reset(struct berth_stack *stack, const struct tcp_segment *segment)
{
	struct demux_node node = { .local = segment->local, .remote = segment->remote };
	struct wire_tcp header = {
		.source_port = segment->local.port,
		.destination_port = segment->remote.port,
		.flags = WIRE_TCP_RST,
	};

	if (segment->flags & WIRE_TCP_RST)
		return;
	if (segment->flags & WIRE_TCP_ACK) {
		header.seq = segment->ack;
	} else {
		header.flags |= WIRE_TCP_ACK;
		header.ack = segment->seq + tcp_segment_length(segment);
	}
	stack_event_between(stack, BERTH_EVENT_TCP_RST_SENT, IPPROTO_TCP, &segment->local, &segment->remote);
	tcp_emit_bare(stack, &node, &header);
}
