/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending: the IP header, fragments where they are allowed, and the way to the
 * link. A packet that is shared or lacks headroom is copied first, so that
 * headers are only ever written into a buffer that is ours.
 *
 * The superframe: a run of TCP segments (packet->segment_size) passes as one
 * packet over links that say they can; its IP header holds the whole length.
 */
#include "core/ip/internal.h"
#include "core/group/group.h"
#include "core/neigh/neigh.h"
#include "wire/ethernet.h"

#include <errno.h>

static int drop(struct berth_stack *stack, struct berth_packet *packet, enum berth_event reason, int error)
{
	stack_drop(stack, packet, reason);
	return error;
}

static size_t link_header(const struct berth_link *link)
{
	return link->type == BERTH_LINK_ETHERNET ? WIRE_ETHERNET_LENGTH : 0;
}

/* packet, or a copy of it: alone in its buffer, with room in front. NULL: no memory. Takes packet. */
static struct berth_packet *make_writable(struct berth_stack *stack, struct berth_packet *packet, size_t headroom)
{
	struct berth_packet *copy;

	if (packet->refs == 1 && packet_headroom(packet) >= headroom)
		return packet;
	copy = berth_packet_copy(stack->packets, packet->data, packet->length);
	if (copy) {
		copy->segment_size = packet->segment_size;
		copy->checksum = packet->checksum;
	}
	berth_packet_unref(packet);
	return copy;
}

void ip_link_output(struct berth_link *link, struct berth_ip next_hop, struct berth_packet *packet)
{
	packet->link = link;
	if (link->type == BERTH_LINK_ETHERNET)
		neigh_output(link, next_hop, packet);
	else
		link_transmit(link, packet);
}

/* Options as they leave. */
struct options4 {
	size_t length;
	uint8_t bytes[WIRE_IP4_OPTIONS_MAX];
};

static void options4(struct berth_stack *stack, const struct ip_send *send, struct options4 *ret_options)
{
	ret_options->length = ip_is4(send->destination) ? send->options_length : 0;
	if (!ret_options->length)
		return;
	memcpy(ret_options->bytes, send->options, ret_options->length);
	wire_ip4_options_record(ret_options->bytes, ret_options->length, send->source, ip_option_time(stack->now));
}

/* packet has room for the headers. */
static void emit4(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path,
		  struct wire_ip4 *ip4, const struct options4 *options)
{
	uint8_t *header = packet_push(packet, WIRE_IP4_LENGTH + (uint32_t)options->length);

	ip4->total_length = (uint16_t)packet->length;
	if (options->length)
		wire_ip4_build_options(header, ip4, options->bytes, options->length);
	else
		wire_ip4_build(header, ip4);
	ip_link_output(path->link, ip_path_next_hop(path, ip4->destination), packet);
}

static void emit6(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path,
		  struct wire_ip6 *ip6)
{
	uint8_t *header = berth_packet_push(packet, WIRE_IP6_LENGTH);

	ip6->payload_length = (uint16_t)(packet->length - WIRE_IP6_LENGTH);
	wire_ip6_build(header, ip6);
	ip_link_output(path->link, ip_path_next_hop(path, ip6->destination), packet);
}

struct wire_ip4 ip_header4(const struct berth_stack *stack, const struct ip_send *send, uint16_t id)
{
	return (struct wire_ip4){
		.traffic_class = send->traffic_class,
		.id = id,
		.dont_fragment = send->dont_fragment,
		.ttl = send->ttl ? send->ttl : (uint8_t)stack->limits.hop_limit,
		.protocol = send->protocol,
		.source = send->source,
		.destination = send->destination,
	};
}

static struct wire_ip4 header4(struct berth_stack *stack, const struct ip_send *send)
{
	return ip_header4(stack, send, ip_id4(stack));
}

struct wire_ip6 ip_header6(const struct ip_path *path, const struct ip_send *send)
{
	unsigned standard = path->link->hop_limit ? path->link->hop_limit : path->link->stack->limits.hop_limit;

	return (struct wire_ip6){
		.traffic_class = send->traffic_class,
		.next_header = send->protocol,
		.hop_limit = send->ttl ? send->ttl : (uint8_t)standard,
		.source = send->source,
		.destination = send->destination,
	};
}

/* The piece of packet at offset, in a packet of its own. */
static struct berth_packet *cut(struct berth_stack *stack, const struct berth_packet *packet, size_t offset,
				size_t length)
{
	struct berth_packet *piece = berth_packet_copy(stack->packets, packet->data + offset, length);

	if (piece)
		piece->checksum = packet->checksum;
	return piece;
}

/* Send packet in pieces of at most mtu bytes. A v6 fragment has its own header more. */
static int send_fragments(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path,
			  const struct ip_send *send)
{
	bool v4 = ip_is4(send->destination);
	size_t header = v4 ? WIRE_IP4_LENGTH + (size_t)send->options_length : WIRE_IP6_LENGTH + WIRE_FRAGMENT_LENGTH;
	size_t room = path->mtu > header ? (path->mtu - header) & ~(size_t)7 : 0;
	struct wire_ip4 ip4 = header4(stack, send);
	struct wire_ip6 ip6 = ip_header6(path, send);
	struct options4 options;
	struct wire_fragment fragment = { .next_header = send->protocol, .id = (uint32_t)random_u64(&stack->random) };

	options4(stack, send, &options);
	if (room == 0)
		return drop(stack, packet, BERTH_EVENT_IP_DROP_TOO_BIG, -EMSGSIZE);
	ip6.next_header = PROTOCOL_FRAGMENT;
	for (size_t at = 0; at < packet->length; at += room) {
		size_t length = MIN(room, packet->length - at);
		struct berth_packet *piece = cut(stack, packet, at, length);

		if (!piece)
			return drop(stack, packet, BERTH_EVENT_LINK_DROP_NO_MEMORY, -ENOBUFS);
		ip4.offset = fragment.offset = (uint16_t)at;
		ip4.more_fragments = fragment.more_fragments = at + length < packet->length;
		if (v4) {
			emit4(stack, piece, path, &ip4, &options);
			if (options.length)
				options.length = wire_ip4_options_copied(options.bytes, options.length, options.bytes);
		} else {
			wire_fragment_build(berth_packet_push(piece, WIRE_FRAGMENT_LENGTH), &fragment);
			emit6(stack, piece, path, &ip6);
		}
	}
	stack_event(stack, BERTH_EVENT_IP_FRAGMENTED);
	berth_packet_unref(packet);
	return 0;
}

/* Does a packet of length bytes with its header pass whole? */
static bool fits(const struct berth_packet *packet, const struct ip_path *path, size_t length)
{
	if (packet->segment_size && path->link->superframe)
		return true;
	return length <= path->mtu;
}

/*
 * Our own packet to a group that we are in, or to everyone, comes back as if
 * it had arrived by the link that it left by: whole, and undamaged. RFC 1112
 * §7.1; Linux: ip_mc_output().
 */
static void loop_back(struct berth_stack *stack, const struct berth_packet *packet, const struct ip_path *path,
		      const struct ip_send *send)
{
	struct berth_packet *copy;

	if (send->no_loop || path->link->loopback || packet->length > IP_TOTAL_MAX - WIRE_IP4_LENGTH_MAX)
		return;
	if (ip_is_multicast(send->destination) && !group_accepts(path->link, send->destination, send->source))
		return;
	copy = berth_packet_copy(stack->packets, packet->data, packet->length);
	if (!copy) {
		stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return;
	}
	if (ip_is4(send->destination)) {
		struct wire_ip4 ip4 = header4(stack, send);
		struct options4 options;

		options4(stack, send, &options);
		berth_packet_push(copy, WIRE_IP4_LENGTH + options.length);
		ip4.total_length = (uint16_t)copy->length;
		wire_ip4_build_options(copy->data, &ip4, options.bytes, options.length);
	} else {
		struct wire_ip6 ip6 = ip_header6(path, send);

		ip6.payload_length = (uint16_t)copy->length;
		wire_ip6_build(berth_packet_push(copy, WIRE_IP6_LENGTH), &ip6);
	}
	copy->looped = true;
	copy->link = path->link;
	copy->checksum = PACKET_CHECKSUM_TRUSTED;
	stack_loop(stack, copy);
}

static int send_special(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path,
			const struct ip_send *send)
{
	bool v4 = ip_is4(send->destination);
	size_t header = v4 ? WIRE_IP4_LENGTH + (size_t)send->options_length : WIRE_IP6_LENGTH;
	size_t length = header + packet->length;

	if (v4 != ip_is4(send->source) || length - (v4 ? 0 : header) > IP_TOTAL_MAX)
		return drop(stack, packet, BERTH_EVENT_IP_DROP_TOO_BIG, -EMSGSIZE);
	if (path->group)
		loop_back(stack, packet, path, send);
	if (send->stays_here) {
		berth_packet_unref(packet);
		return 0;
	}
	if (!fits(packet, path, length)) {
		if (send->dont_fragment)
			return drop(stack, packet, BERTH_EVENT_IP_DROP_TOO_BIG, -EMSGSIZE);
		return send_fragments(stack, packet, path, send);
	}
	packet = make_writable(stack, packet, header + link_header(path->link));
	if (!packet) {
		stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return -ENOBUFS;
	}
	if (v4) {
		struct wire_ip4 ip4 = header4(stack, send);
		struct options4 options;

		options4(stack, send, &options);
		emit4(stack, packet, path, &ip4, &options);
	} else {
		struct wire_ip6 ip6 = ip_header6(path, send);

		emit6(stack, packet, path, &ip6);
	}
	return 0;
}

/* An IPv4 packet to one host that goes as it is: no options, no fragments, and its buffer has room for the headers. */
static bool plain4(const struct berth_packet *packet, const struct ip_path *path, const struct ip_send *send)
{
	return send->dont_fragment && !path->group && !send->stays_here && !send->options_length && packet->refs == 1 &&
	       packet_headroom(packet) >= WIRE_IP4_LENGTH + WIRE_ETHERNET_LENGTH &&
	       packet->length + WIRE_IP4_LENGTH <= path->mtu && ip_is4(send->source) && ip_is4(send->destination);
}

static void send_plain4(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path,
			const struct ip_send *send)
{
	uint8_t *header = packet_push(packet, WIRE_IP4_LENGTH);
	uint32_t ttl = send->ttl ? send->ttl : (uint8_t)stack->limits.hop_limit;

	wire_ip4_put(header, 0x45000000u | (uint32_t)send->traffic_class << 16 | packet->length,
		     (uint32_t)ip_id4(stack) << 16 | WIRE_IP4_DF, ttl << 24 | (uint32_t)send->protocol << 16,
		     ip_u32(send->source), ip_u32(send->destination));
	packet->link = path->link;
	if (path->link->type == BERTH_LINK_ETHERNET)
		neigh_output(path->link, ip_path_next_hop(path, send->destination), packet);
	else
		link_transmit(path->link, packet);
}

int ip_send(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path,
	    const struct ip_send *send)
{
	if (plain4(packet, path, send)) {
		send_plain4(stack, packet, path, send);
		return 0;
	}
	return send_special(stack, packet, path, send);
}

int ip_send_headed(struct berth_stack *stack, struct berth_packet *packet, const struct ip_path *path)
{
	if (!fits(packet, path, packet->length))
		return drop(stack, packet, BERTH_EVENT_IP_DROP_TOO_BIG, -EMSGSIZE);
	packet = make_writable(stack, packet, link_header(path->link));
	if (!packet) {
		stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
		return -ENOBUFS;
	}
	ip_link_output(path->link, path->next_hop, packet);
	return 0;
}
