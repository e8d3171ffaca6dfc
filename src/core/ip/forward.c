/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding between links, for a stack that is a router. RFC 1812 §5, RFC
 * 8200 §3. A packet that is not for us goes on by the routes, one hop less to
 * live, or its sender is told why not. Redirects are not sent, groups are not
 * forwarded, and IPv6's hop-by-hop options are not looked at (RFC 8200 §4).
 *
 * What a link of ours leaves out (checksums, cuts between TCP segments) is put
 * in where the next link does not promise the same.
 */
#include "core/ip/internal.h"
#include "core/route/route.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include <errno.h>

void berth_stack_set_forwarding(struct berth_stack *stack, bool on)
{
	stack->forwarding = on;
}

/* Addresses that no router lets out of their link. RFC 1812 §5.3.7, RFC 3927 §2.7, RFC 4291 §2.5.6 */
static bool stays_on_link(struct berth_ip ip)
{
	if (ip_is_any(ip) || ip_is_link_local(ip) || ip_is_loopback(ip) || ip_is_multicast(ip))
		return true;
	return ip_is4(ip) && (ip_u32(ip) >> 24 == 0 || ip_u32(ip) >= 0xf0000000);
}

static void drop(struct berth_stack *stack, const struct ip_arrival *arrival, enum berth_event reason)
{
	stack_drop(stack, arrival->packet, reason);
}

/* Complain in ICMP's words of either version, and drop. */
static void refuse(struct berth_stack *stack, const struct ip_arrival *arrival, enum berth_event reason, uint8_t type4,
		   uint8_t code4, uint8_t type6, uint8_t code6, uint32_t value)
{
	bool v4 = ip_is4(arrival->source);

	icmp_send_raw_error(stack, arrival->link, arrival->packet, v4 ? type4 : type6, v4 ? code4 : code6, value);
	drop(stack, arrival, reason);
}

/* Where the transport's checksum is in its header; 0: it has none that we know. */
static size_t checksum_place(const struct ip_arrival *arrival)
{
	size_t length = arrival->packet->length - arrival->header_length;

	if (arrival->protocol == PROTOCOL_TCP && length >= WIRE_TCP_HEADER)
		return WIRE_TCP_CHECKSUM_OFFSET;
	if (arrival->protocol == PROTOCOL_UDP && length >= WIRE_UDP_LENGTH)
		return 6;
	return 0;
}

/* The sender's link promised that nothing is damaged, and so it may have left the checksum out. */
static void fill_checksum(struct berth_packet *packet, const struct ip_arrival *arrival)
{
	size_t place = checksum_place(arrival), length = packet->length - arrival->header_length;
	uint8_t *transport = packet->data + arrival->header_length;
	uint32_t sum = ip_pseudo_sum(arrival->source, arrival->destination, arrival->protocol, length);
	uint16_t value;

	if (!place)
		return;
	put_be16(transport + place, 0);
	value = checksum_finish(checksum_add(sum, transport, length));
	put_be16(transport + place, value || arrival->protocol != PROTOCOL_UDP ? value : 0xffff);
}

static void fix_length4(uint8_t *header, size_t header_length, size_t total)
{
	put_be16(header + 2, (uint16_t)total);
	put_be16(header + 10, 0);
	put_be16(header + 10, checksum_finish(checksum_add(0, header, header_length)));
}

/* One segment of a run: offset and length are of payload, behind headers bytes of IP and TCP or UDP. */
static struct berth_packet *segment(struct berth_stack *stack, const struct ip_arrival *arrival, size_t headers,
				    size_t offset, size_t length)
{
	const struct berth_packet *whole = arrival->packet;
	struct berth_packet *part = berth_packet_new(stack->packets, PACKET_HEADROOM, headers + length);
	uint8_t *header;

	if (!part)
		return NULL;
	memcpy(berth_packet_put(part, headers), whole->data, headers);
	memcpy(berth_packet_put(part, length), whole->data + headers + offset, length);
	header = part->data + arrival->header_length;
	if (arrival->protocol == PROTOCOL_UDP) {
		put_be16(header + 4, (uint16_t)(WIRE_UDP_LENGTH + length));
	} else {
		put_be32(header + 4, get_be32(header + 4) + (uint32_t)offset);
		if (headers + offset + length < whole->length)
			header[13] &= (uint8_t) ~(WIRE_TCP_FIN | WIRE_TCP_PSH);
		if (offset)
			header[13] &= (uint8_t)~WIRE_TCP_CWR;
	}
	if (ip_is4(arrival->source)) {
		put_be16(part->data + 4, (uint16_t)(get_be16(part->data + 4) + offset / whole->segment_size));
		fix_length4(part->data, arrival->header_length, part->length);
	} else {
		put_be16(part->data + 4, (uint16_t)(part->length - WIRE_IP6_LENGTH));
	}
	fill_checksum(part, arrival);
	return part;
}

/* Bytes of IP's and the transport's headers; 0: of neither that is known. */
static size_t run_headers(const struct ip_arrival *arrival)
{
	const uint8_t *transport = arrival->packet->data + arrival->header_length;
	size_t length = arrival->packet->length - arrival->header_length;
	struct wire_tcp tcp;

	if (arrival->protocol == PROTOCOL_UDP && length >= WIRE_UDP_LENGTH)
		return arrival->header_length + WIRE_UDP_LENGTH;
	if (arrival->protocol == PROTOCOL_TCP && wire_tcp_parse(transport, length, &tcp) >= 0)
		return arrival->header_length + tcp.header_length;
	return 0;
}

/* A run of segments, or datagrams, meets a link that takes them only one by one. */
static void forward_segments(struct berth_stack *stack, const struct ip_arrival *arrival, const struct ip_path *path)
{
	struct berth_packet *whole = arrival->packet;
	size_t headers = run_headers(arrival);

	if (!headers) {
		drop(stack, arrival, BERTH_EVENT_IP_DROP_TOO_BIG);
		return;
	}
	if (headers + whole->segment_size > path->mtu) {
		bool v4 = ip_is4(arrival->source);

		refuse(stack, arrival, BERTH_EVENT_IP_DROP_TOO_BIG, ICMP4_UNREACHABLE, ICMP4_FRAGMENTATION_NEEDED,
		       ICMP6_TOO_BIG, 0, v4 ? path->mtu & 0xffff : path->mtu);
		return;
	}
	for (size_t offset = 0; headers + offset < whole->length; offset += whole->segment_size) {
		size_t length = MIN(whole->segment_size, whole->length - headers - offset);
		struct berth_packet *part = segment(stack, arrival, headers, offset, length);

		if (part)
			ip_send_headed(stack, part, path);
		else
			stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
	}
	berth_packet_unref(whole);
}

/* Options that stand in the first fragment only become padding. RFC 791 §3.1 */
static void blank_options(uint8_t *header, size_t header_length)
{
	for (size_t at = WIRE_IP4_LENGTH; at < header_length;) {
		size_t size = header[at] <= 1 ? 1 : header[at + 1]; /* whole: they were checked on the way in */

		if (header[at] == 0)
			return;
		if (!(header[at] & 0x80))
			memset(header + at, 1, size);
		at += size;
	}
}

/* IPv4 without DF, larger than the next link takes. The packet may be a fragment itself. */
static void forward_fragments(struct berth_stack *stack, const struct ip_arrival *arrival, const struct ip_path *path)
{
	const struct berth_packet *whole = arrival->packet;
	size_t headers = arrival->header_length, room = (path->mtu - headers) & ~(size_t)7;
	uint16_t fragment = get_be16(whole->data + 6);

	for (size_t at = headers; at < whole->length; at += room) {
		size_t length = MIN(room, whole->length - at);
		struct berth_packet *part = berth_packet_new(stack->packets, PACKET_HEADROOM, headers + length);
		bool more = at + length < whole->length;

		if (!part) {
			stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
			break;
		}
		memcpy(berth_packet_put(part, headers), whole->data, headers);
		memcpy(berth_packet_put(part, length), whole->data + at, length);
		put_be16(part->data + 6, (uint16_t)(fragment + (at - headers) / 8) | (more ? 0x2000 : 0));
		if (at > headers)
			blank_options(part->data, headers);
		fix_length4(part->data, headers, part->length);
		ip_send_headed(stack, part, path);
	}
	stack_event(stack, BERTH_EVENT_IP_FRAGMENTED);
	berth_packet_unref(arrival->packet);
}

static bool is_whole(const struct ip_arrival *arrival)
{
	if (ip_is4(arrival->source))
		return (get_be16(arrival->packet->data + 6) & 0x3fff) == 0;
	return arrival->protocol != PROTOCOL_FRAGMENT;
}

static void one_hop_less(const struct ip_arrival *arrival)
{
	uint8_t *header = arrival->packet->data;

	if (ip_is4(arrival->source)) {
		header[8]--;
		fix_length4(header, arrival->header_length, arrival->packet->length);
	} else {
		header[7]--;
	}
}

/* Is it more than one frame? Of UDP a run stays one even where it is small enough: its datagrams must not become one. */
static bool is_run(const struct ip_arrival *arrival, const struct ip_path *path)
{
	const struct berth_packet *packet = arrival->packet;

	if (!packet->segment_size)
		return false;
	if (arrival->protocol == PROTOCOL_UDP && is_whole(arrival))
		return packet->length > arrival->header_length + WIRE_UDP_LENGTH + packet->segment_size;
	return packet->length > path->mtu;
}

static bool takes_run(const struct ip_arrival *arrival, const struct berth_link *link)
{
	return link->superframe && (arrival->protocol != PROTOCOL_UDP || link->flags & BERTH_LINK_UDP_RUNS);
}

/* The rest of the way, by the size that the next link takes. */
static void send_on(struct berth_stack *stack, const struct ip_arrival *arrival, const struct ip_path *path)
{
	struct berth_packet *packet = arrival->packet;
	bool v4 = ip_is4(arrival->source), run = is_run(arrival, path);
	bool may_cut = v4 && !(get_be16(packet->data + 6) & 0x4000);

	if (packet->length > path->mtu && !run && !may_cut) {
		refuse(stack, arrival, BERTH_EVENT_IP_DROP_TOO_BIG, ICMP4_UNREACHABLE, ICMP4_FRAGMENTATION_NEEDED,
		       ICMP6_TOO_BIG, 0, path->mtu);
		return;
	}
	stack_event(stack, BERTH_EVENT_IP_FORWARDED);
	one_hop_less(arrival);
	if (run && !takes_run(arrival, path->link)) {
		forward_segments(stack, arrival, path);
		return;
	}
	if (ip_trusted(arrival->link, packet) && !(path->link->flags & BERTH_LINK_NO_CHECKSUMS)) {
		if (is_whole(arrival))
			fill_checksum(packet, arrival);
		packet->checksum = PACKET_CHECKSUM_PRESENT;
	}
	if (packet->length > path->mtu && !run)
		forward_fragments(stack, arrival, path);
	else
		ip_send_headed(stack, packet, path);
}

void ip_forward(struct berth_stack *stack, const struct ip_arrival *arrival)
{
	const struct route *route;
	struct ip_path path;

	if (stays_on_link(arrival->source) || stays_on_link(arrival->destination) ||
	    !ip_source_ok(stack, arrival->link, arrival->source)) {
		drop(stack, arrival, BERTH_EVENT_IP_DROP_NOT_FOR_US);
		return;
	}
	if (arrival->ttl <= 1) {
		refuse(stack, arrival, BERTH_EVENT_IP_DROP_TTL, ICMP4_TIME_EXCEEDED, ICMP_TTL_EXCEEDED,
		       ICMP6_TIME_EXCEEDED, ICMP_TTL_EXCEEDED, 0);
		return;
	}
	route = route_find(stack, arrival->destination, NULL);
	if (!route || route->link->loopback) {
		refuse(stack, arrival, BERTH_EVENT_IP_DROP_NO_ROUTE, ICMP4_UNREACHABLE, 0, ICMP6_UNREACHABLE, 0, 0);
		return;
	}
	path = (struct ip_path){ .link = route->link, .mtu = route->link->mtu };
	path.next_hop = ip_is_any(route->gateway) ? arrival->destination : route->gateway;
	if (!ip_is4(arrival->source) && path.link->mtu6)
		path.mtu = MIN(path.mtu, path.link->mtu6);
	send_on(stack, arrival, &path);
}
