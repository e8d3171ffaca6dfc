/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 on its way in: the header, and the chain of extension headers, which is
 * walked in the order it comes in and to a limit. RFC 8200 §4.
 */
#include "core/ip/internal.h"
#include "core/group/group.h"
#include "wire/icmp.h"

#include <errno.h>

enum { HEADERS_MAX = 8 };

static bool destination6_ok(struct berth_stack *stack, struct ip_arrival *arrival)
{
	if (ip_is_multicast(arrival->destination)) {
		arrival->group = true;
		return group_accepts(arrival->link, arrival->destination, arrival->source);
	}
	if (arrival->link->loopback)
		return true;
	if (ip_is_loopback(arrival->destination))
		return false;
	return arrival->link->flags & BERTH_LINK_INTERCEPT || ip_is_local(stack, arrival->destination);
}

static bool source6_ok(struct berth_stack *stack, const struct ip_arrival *arrival)
{
	if (arrival->packet->looped)
		return true; /* we have sent it */
	if (ip_is_any(arrival->source))
		return arrival->group && !arrival->link->loopback; /* duplicate address detection */
	return ip_source_ok(stack, arrival->link, arrival->source);
}

void ip6_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet)
{
	struct wire_ip6 ip6;
	int r = wire_ip6_parse(packet->data, packet->length, &ip6);
	struct ip_arrival arrival;

	if (r < 0) {
		stack_drop(stack, packet,
			   r == -EADDRNOTAVAIL ? BERTH_EVENT_IP_DROP_SOURCE : BERTH_EVENT_IP_DROP_MALFORMED);
		return;
	}
	berth_packet_trim(packet, WIRE_IP6_LENGTH + (size_t)ip6.payload_length);
	arrival = (struct ip_arrival){
		.link = link,
		.packet = packet,
		.source = ip6.source,
		.destination = ip6.destination,
		.protocol = ip6.next_header,
		.ttl = ip6.hop_limit,
		.traffic_class = ip6.traffic_class,
		.header_length = WIRE_IP6_LENGTH,
		.protocol_at = 6,
	};
	if (!destination6_ok(stack, &arrival) && stack->forwarding)
		ip_forward(stack, &arrival);
	else if (!destination6_ok(stack, &arrival))
		stack_drop(stack, packet, BERTH_EVENT_IP_DROP_NOT_FOR_US);
	else if (!source6_ok(stack, &arrival))
		stack_drop(stack, packet, BERTH_EVENT_IP_DROP_SOURCE);
	else
		ip6_walk(stack, &arrival);
}

/* Drop with a parameter problem: code, and where it is from the IP header on. Returns 0: no further. */
static int problem(struct berth_stack *stack, const struct ip_arrival *arrival, enum berth_event reason, uint8_t code,
		   uint32_t pointer)
{
	icmp_send_raw_error(stack, arrival->link, arrival->packet, ICMP6_PARAMETER, code, pointer);
	stack_drop(stack, arrival->packet, reason);
	return 0;
}

static int drop(struct berth_stack *stack, const struct ip_arrival *arrival, enum berth_event reason)
{
	stack_drop(stack, arrival->packet, reason);
	return 0;
}

/* Past a header of length bytes whose first byte names the next. Returns 1: go on. */
static int step(struct ip_arrival *arrival, int length)
{
	arrival->protocol = arrival->packet->data[arrival->header_length];
	arrival->protocol_at = arrival->header_length;
	arrival->header_length += (uint32_t)length;
	return 1;
}

static int walk_options(struct berth_stack *stack, struct ip_arrival *arrival, const uint8_t *bytes, size_t length)
{
	struct wire_options options;
	int r = wire_options_parse(bytes, length, &options);

	if (r < 0)
		return drop(stack, arrival, BERTH_EVENT_IP_DROP_MALFORMED);
	arrival->router_alert |= options.router_alert;
	if (options.action == OPTION_SKIP)
		return step(arrival, r);
	if (options.action == OPTION_DISCARD || (options.action == OPTION_REPORT_UNICAST && arrival->group))
		return drop(stack, arrival, BERTH_EVENT_IP_DROP_OPTION);
	return problem(stack, arrival, BERTH_EVENT_IP_DROP_OPTION, ICMP6_BAD_OPTION,
		       arrival->header_length + options.pointer);
}

/* §4.4: an unknown type with nothing left to visit is skipped. Type 0 is unknown: RFC 5095. */
static int walk_routing(struct berth_stack *stack, struct ip_arrival *arrival, const uint8_t *bytes, size_t length)
{
	struct wire_routing routing;
	int r = wire_routing_parse(bytes, length, &routing);

	if (r < 0)
		return drop(stack, arrival, BERTH_EVENT_IP_DROP_MALFORMED);
	if (routing.segments_left == 0)
		return step(arrival, r);
	return problem(stack, arrival, BERTH_EVENT_IP_DROP_OPTION, 0, arrival->header_length + 2);
}

static int walk_fragment(struct berth_stack *stack, struct ip_arrival *arrival, const uint8_t *bytes, size_t length)
{
	struct wire_fragment header;
	struct fragment fragment;
	int r = wire_fragment_parse(bytes, length, &header);

	if (r < 0)
		return drop(stack, arrival, BERTH_EVENT_IP_DROP_MALFORMED);
	fragment = (struct fragment){ .id = header.id,
				      .offset = header.offset,
				      .length = (uint32_t)(length - (size_t)r),
				      .more = header.more_fragments };
	if (!fragment.offset && !fragment.more)
		return step(arrival, r); /* an atomic fragment stands for itself: RFC 6946 */
	if (fragment.more && fragment.length % 8)
		return problem(stack, arrival, BERTH_EVENT_IP_DROP_MALFORMED, 0, 4);
	if (arrival->header_length - WIRE_IP6_LENGTH + fragment.offset + fragment.length > IP_TOTAL_MAX)
		return problem(stack, arrival, BERTH_EVENT_IP_DROP_MALFORMED, 0, arrival->header_length + 2);
	return reassembly_add(stack, arrival, &fragment);
}

/* One header on. Returns 1 to go on; 0: the packet is gone; 2: this is the transport's. */
static int walk_one(struct berth_stack *stack, struct ip_arrival *arrival)
{
	const uint8_t *bytes = arrival->packet->data + arrival->header_length;
	size_t length = arrival->packet->length - arrival->header_length;

	switch (arrival->protocol) {
	case PROTOCOL_HOP_BY_HOP:
		if (arrival->header_length != WIRE_IP6_LENGTH) /* only ever first: §4.1 */
			return problem(stack, arrival, BERTH_EVENT_IP_DROP_MALFORMED, ICMP6_BAD_NEXT_HEADER,
				       arrival->protocol_at);
		return walk_options(stack, arrival, bytes, length);
	case PROTOCOL_DESTINATION_OPTIONS:
		return walk_options(stack, arrival, bytes, length);
	case PROTOCOL_ROUTING:
		return walk_routing(stack, arrival, bytes, length);
	case PROTOCOL_FRAGMENT:
		return walk_fragment(stack, arrival, bytes, length);
	case PROTOCOL_NONE:
		return drop(stack, arrival, BERTH_EVENT_IP_DROP_PROTOCOL);
	default:
		return 2;
	}
}

void ip6_walk(struct berth_stack *stack, struct ip_arrival *arrival)
{
	int r = 1;

	for (int i = 0; r == 1 && i <= HEADERS_MAX; i++)
		r = walk_one(stack, arrival);
	if (r == 1)
		stack_drop(stack, arrival->packet, BERTH_EVENT_IP_DROP_OPTION);
	else if (r == 2)
		ip_dispatch(stack, arrival);
}
