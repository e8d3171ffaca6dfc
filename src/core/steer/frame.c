/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which stack a frame is for. Only its headers are looked at, and no checksum:
 * the stack that gets it does that, and a frame that was damaged is dropped
 * wherever it ends up.
 *
 * Fragments but the first have no ports. Where the first one went is kept in a
 * small table that forgets; what is not in it goes to all stacks, of which only
 * the one with the first fragment can ever put the datagram together. So the
 * table is a cache, and may be wrong about nothing but who does needless work.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "core/steer/steer.h"
#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <berth/types.h>

enum { SETS = 256, WAYS = 4, FIRST = 0, DHCP4_CLIENT = 68, DHCP6_CLIENT = 546 };
#define FRAGMENT_AGE (30 * BERTH_SEC) /* what a datagram's fragments may be apart. Linux: ipfrag_time */

struct fragment_name {
	struct berth_ip source, destination;
	uint32_t id, protocol; /* IPv6: 0, for only the first fragment has it. RFC 8200 §4.5 */
};

struct way {
	struct fragment_name name;
	berth_time seen;
	unsigned which;
	bool used;
};

struct berth_steer {
	const struct berth_allocator *allocator;
	struct steering steering;
	enum berth_link_type type;
	berth_time now;
	struct way ways[SETS][WAYS];
};

/* A packet's transport part, as much of it as there is. */
struct transport {
	struct berth_ip source, destination;
	const uint8_t *bytes;
	size_t length;
	uint8_t protocol;
};

struct berth_steer *berth_steer_new(const struct berth_steering *steering, enum berth_link_type type,
				    const struct berth_allocator *allocator)
{
	struct steering checked;
	struct berth_steer *steer;

	if (steering_init(&checked, steering, 0) < 0 || (type != BERTH_LINK_ETHERNET && type != BERTH_LINK_IP))
		return NULL;
	steer = memory_new(allocator, sizeof(*steer));
	if (!steer)
		return NULL;
	steer->allocator = allocator;
	steer->steering = checked;
	steer->type = type;
	return steer;
}

void berth_steer_free(struct berth_steer *steer)
{
	if (steer)
		memory_free(steer->allocator, steer, sizeof(*steer));
}

static struct way *set_of(struct berth_steer *steer, const struct fragment_name *name)
{
	uint64_t words[sizeof(*name) / 8];

	_Static_assert(sizeof(*name) % 8 == 0, "whole words");
	memcpy(words, name, sizeof(*name));
	return steer->ways[hash_words(steer->steering.key, words, COUNT_OF(words)) % SETS];
}

static struct way *way_find(struct way *set, const struct fragment_name *name)
{
	for (int i = 0; i < WAYS; i++)
		if (set[i].used && !memcmp(&set[i].name, name, sizeof(*name)))
			return &set[i];
	return NULL;
}

/* The first fragment of a datagram is for which. */
static void way_keep(struct berth_steer *steer, const struct fragment_name *name, unsigned which)
{
	struct way *set = set_of(steer, name), *way = way_find(set, name);

	if (!way) {
		way = set;
		for (int i = 0; i < WAYS && way->used; i++)
			if (!set[i].used || set[i].seen < way->seen)
				way = &set[i];
	}
	*way = (struct way){ .name = *name, .seen = steer->now, .which = which, .used = true };
}

static int way_of(struct berth_steer *steer, const struct fragment_name *name)
{
	const struct way *way = way_find(set_of(steer, name), name);

	return way && steer->now - way->seen < FRAGMENT_AGE ? (int)way->which : BERTH_STEER_ALL;
}

static int by_flow(const struct berth_steer *steer, uint8_t protocol, struct berth_ip local, uint16_t local_port,
		   struct berth_ip remote, uint16_t remote_port)
{
	struct berth_endpoint here = { local, local_port }, there = { remote, remote_port };

	return (int)steering_flow(&steer->steering, protocol, &here, &there);
}

/* What was quoted is a packet of ours: there, source is local. */
static int by_quoted(const struct berth_steer *steer, const struct transport *quoted)
{
	bool echo = quoted->protocol == PROTOCOL_ICMP4 || quoted->protocol == PROTOCOL_ICMP6;
	uint16_t local = 0, remote = 0;

	if (quoted->length < WIRE_ICMP_LENGTH)
		return FIRST; /* every error quotes as much. RFC 792, RFC 4443 */
	if (echo) {
		local = get_be16(quoted->bytes + 4);
	} else {
		local = get_be16(quoted->bytes);
		remote = get_be16(quoted->bytes + 2);
	}
	return by_flow(steer, quoted->protocol, quoted->source, local, quoted->destination, remote);
}

static int icmp4_error(const struct berth_steer *steer, const uint8_t *bytes, size_t length)
{
	struct wire_ip4 ip4;
	int at = wire_ip4_parse_quoted(bytes, length, &ip4);

	if (at < 0)
		return FIRST;
	if (ip4.offset)
		return BERTH_STEER_ALL; /* of a fragment without ports, whoever sent it */
	return by_quoted(steer, &(struct transport){ .source = ip4.source,
						     .destination = ip4.destination,
						     .bytes = bytes + at,
						     .length = length - (size_t)at,
						     .protocol = ip4.protocol });
}

static int icmp6_error(const struct berth_steer *steer, const uint8_t *bytes, size_t length)
{
	struct wire_fragment fragment = { .id = 0 };
	struct wire_ip6 ip6;
	uint8_t protocol = 0;
	int at;

	if (wire_ip6_parse_quoted(bytes, length, &ip6) < 0)
		return FIRST;
	at = wire_ip6_find_fragment(bytes, length, &protocol, &fragment);
	if (at < 0)
		return fragment.offset ? BERTH_STEER_ALL : FIRST;
	return by_quoted(steer, &(struct transport){ .source = ip6.source,
						     .destination = ip6.destination,
						     .bytes = bytes + at,
						     .length = length - (size_t)at,
						     .protocol = protocol });
}

static int icmp4(const struct berth_steer *steer, const struct transport *packet)
{
	uint8_t type = packet->bytes[0];
	uint16_t id = get_be16(packet->bytes + 4);

	if (type == ICMP4_REDIRECT)
		return BERTH_STEER_ALL;
	if (icmp4_is_error(type))
		return icmp4_error(steer, packet->bytes + WIRE_ICMP_LENGTH, packet->length - WIRE_ICMP_LENGTH);
	if (type == ICMP4_ECHO_REPLY)
		return by_flow(steer, PROTOCOL_ICMP4, packet->destination, id, packet->source, 0);
	return by_flow(steer, PROTOCOL_ICMP4, packet->destination, 0, packet->source, id);
}

static int icmp6(const struct berth_steer *steer, const struct transport *packet)
{
	uint8_t type = packet->bytes[0];
	uint16_t id = get_be16(packet->bytes + 4);

	if (icmp6_is_error(type))
		return icmp6_error(steer, packet->bytes + WIRE_ICMP_LENGTH, packet->length - WIRE_ICMP_LENGTH);
	if (type == ICMP6_ECHO_REPLY)
		return by_flow(steer, PROTOCOL_ICMP6, packet->destination, id, packet->source, 0);
	if (type == ICMP6_ECHO)
		return by_flow(steer, PROTOCOL_ICMP6, packet->destination, 0, packet->source, id);
	/* The first answers for the address that they share; what others say is for all: neighbours, routers, groups. */
	return type == ICMP6_NEIGHBOUR_SOLICIT ? FIRST : BERTH_STEER_ALL;
}

static int by_transport(const struct berth_steer *steer, const struct transport *packet)
{
	uint16_t local, remote;

	if (packet->protocol == PROTOCOL_IGMP)
		return BERTH_STEER_ALL;
	if (packet->protocol == PROTOCOL_ICMP4 || packet->protocol == PROTOCOL_ICMP6) {
		if (packet->length < WIRE_ICMP_LENGTH)
			return FIRST;
		return packet->protocol == PROTOCOL_ICMP4 ? icmp4(steer, packet) : icmp6(steer, packet);
	}
	if (!steering_has_ports(packet->protocol))
		return by_flow(steer, packet->protocol, packet->destination, 0, packet->source, 0);
	if (packet->length < 4)
		return FIRST;
	remote = get_be16(packet->bytes);
	local = get_be16(packet->bytes + 2);
	if (packet->protocol == PROTOCOL_UDP && (local == DHCP4_CLIENT || local == DHCP6_CLIENT))
		return FIRST;
	return by_flow(steer, packet->protocol, packet->destination, local, packet->source, remote);
}

/* packet is, or holds the beginning of, a datagram that has a name. */
static int by_first(struct berth_steer *steer, const struct transport *packet, const struct fragment_name *name)
{
	int which = by_transport(steer, packet);

	if (which != BERTH_STEER_ALL)
		way_keep(steer, name, (unsigned)which);
	return which;
}

static int ip4(struct berth_steer *steer, const uint8_t *bytes, size_t length)
{
	struct wire_ip4 header;
	int at = wire_ip4_parse(bytes, length, &header);

	if (at < 0)
		return FIRST;
	if (ip_is_multicast(header.destination) || ip_is_limited_broadcast(header.destination))
		return BERTH_STEER_ALL;
	struct transport packet = { header.source, header.destination, bytes + at, header.total_length - (size_t)at,
				    header.protocol };
	struct fragment_name name = { header.source, header.destination, header.id, header.protocol };
	if (header.offset)
		return way_of(steer, &name);
	return header.more_fragments ? by_first(steer, &packet, &name) : by_transport(steer, &packet);
}

static int ip6(struct berth_steer *steer, const uint8_t *bytes, size_t length)
{
	struct wire_fragment fragment = { .id = 0 };
	struct transport packet = { .bytes = bytes };
	struct wire_ip6 header;
	int at;

	if (wire_ip6_parse(bytes, length, &header) < 0)
		return FIRST;
	length = WIRE_IP6_LENGTH + (size_t)header.payload_length;
	at = wire_ip6_find_fragment(bytes, length, &packet.protocol, &fragment);
	struct fragment_name name = { header.source, header.destination, fragment.id, 0 };
	if (at < 0 && ip_is_multicast(header.destination))
		return BERTH_STEER_ALL;
	if (at < 0)
		return fragment.offset ? way_of(steer, &name) : FIRST;
	packet = (struct transport){ header.source, header.destination, bytes + at, length - (size_t)at,
				     packet.protocol };
	int which = fragment.more_fragments ? by_first(steer, &packet, &name) : by_transport(steer, &packet);
	bool asks = packet.protocol == PROTOCOL_ICMP6 && packet.length && packet.bytes[0] == ICMP6_NEIGHBOUR_SOLICIT;
	return ip_is_multicast(header.destination) && !asks ? BERTH_STEER_ALL : which;
}

static int arp(const uint8_t *bytes, size_t length)
{
	struct wire_arp message;

	if (wire_arp_parse(bytes, length, &message) < 0)
		return FIRST;
	/* Who asks is answered once; who says where it is, or asks for itself (RFC 5227 §3), is heard by all. */
	if (message.operation == ARP_REQUEST && !ip_equal(message.sender_ip, message.target_ip))
		return FIRST;
	return BERTH_STEER_ALL;
}

int berth_steer_frame(struct berth_steer *steer, const void *bytes, size_t length, berth_time now)
{
	const uint8_t *packet = bytes;
	struct wire_ethernet ethernet;
	int at, which;

	steer->now = MAX(steer->now, now);
	if (steer->type == BERTH_LINK_IP)
		return length && packet[0] >> 4 == 6 ? ip6(steer, packet, length) : ip4(steer, packet, length);
	at = wire_ethernet_parse(packet, length, &ethernet);
	if (at < 0)
		return FIRST;
	packet += at;
	length -= (size_t)at;
	if (ethernet.type == ETHERTYPE_ARP)
		return arp(packet, length);
	if (ethernet.type == ETHERTYPE_IP6)
		return ip6(steer, packet, length);
	if (ethernet.type != ETHERTYPE_IP4)
		return FIRST;
	which = ip4(steer, packet, length);
	return mac_is_group(ethernet.destination) ? BERTH_STEER_ALL : which; /* a subnet's broadcast, too */
}
