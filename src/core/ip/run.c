/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending a run of packets whose IP headers differ in lengths and
 * identification only: the rest is written and summed once.
 */
#include "core/ip/internal.h"
#include "wire/checksum.h"

enum { LENGTH_AT4 = 2, ID_AT4 = 4, CHECKSUM_AT4 = 10, LENGTH_AT6 = 4 };

bool ip_run_begin(struct berth_stack *stack, const struct ip_path *path, const struct ip_send *send,
		  struct ip_run *ret_run)
{
	*ret_run = (struct ip_run){ .path = path,
				    .next_hop = ip_path_next_hop(path, send->destination),
				    .v4 = ip_is4(send->destination) };
	if (path->group || send->options_length || ret_run->v4 != ip_is4(send->source))
		return false;
	if (ret_run->v4) {
		struct wire_ip4 ip4 = ip_header4(stack, send, 0);

		ret_run->length = WIRE_IP4_LENGTH;
		wire_ip4_build(ret_run->header, &ip4);
		put_be16(ret_run->header + CHECKSUM_AT4, 0);
		ret_run->sum = checksum_add(0, ret_run->header, WIRE_IP4_LENGTH);
	} else {
		struct wire_ip6 ip6 = ip_header6(path, send);

		ret_run->length = WIRE_IP6_LENGTH;
		wire_ip6_build(ret_run->header, &ip6);
	}
	return true;
}

void ip_run_send(struct berth_stack *stack, const struct ip_run *run, struct berth_packet *packet)
{
	uint8_t *header = packet_push(packet, run->length);

	if (run->v4) {
		uint16_t id = ip_id4(stack);

		memcpy(header, run->header, WIRE_IP4_LENGTH);
		put_be16(header + LENGTH_AT4, (uint16_t)packet->length);
		put_be16(header + ID_AT4, id);
		put_be16(header + CHECKSUM_AT4, checksum_finish(run->sum + packet->length + id));
	} else {
		memcpy(header, run->header, WIRE_IP6_LENGTH);
		put_be16(header + LENGTH_AT6, (uint16_t)(packet->length - WIRE_IP6_LENGTH));
	}
	ip_link_output(run->path->link, run->next_hop, packet);
}
