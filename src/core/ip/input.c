/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving: from the frame to the transport. Every check on the way has a
 * name to drop by. Packets that came by loopback are always for us: only we
 * can have put them there.
 */
#include "core/ip/internal.h"
#include "core/dhcp/dhcp.h"
#include "core/group/group.h"
#include "core/neigh/neigh.h"
#include "core/raw/raw.h"
#include "wire/dhcp.h"
#include "wire/ethernet.h"

#include <errno.h>

/* Pull and trim are done in place, so a packet that others hold too is copied. NULL: it was dropped. */
static struct berth_packet *make_own(struct berth_stack *stack, struct berth_packet *packet)
{
	struct berth_packet *copy;

	if (packet->refs == 1)
		return packet;
	copy = berth_packet_copy(stack->packets, packet->data, packet->length);
	if (copy) {
		copy->segment_size = packet->segment_size;
		copy->checksum = packet->checksum;
	} else {
		stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
	}
	berth_packet_unref(packet);
	return copy;
}

static bool frame_for_us(const struct berth_link *link, const struct wire_ethernet *ethernet)
{
	if (!memcmp(ethernet->source, link->mac, WIRE_MAC_LENGTH))
		return false; /* our own, come back by a mirror or a packet socket */
	return mac_is_group(ethernet->destination) || !memcmp(ethernet->destination, link->mac, WIRE_MAC_LENGTH);
}

/* A packet to one host in a frame to all is an error, and answering it a storm. RFC 1122 §3.3.6. */
static bool group_frame_unicast_packet(struct berth_stack *stack, const struct berth_packet *packet)
{
	struct berth_ip destination;

	if (packet->length >= WIRE_IP6_LENGTH && packet->data[0] >> 4 == 6)
		destination = ip_from6(packet->data + 24);
	else if (packet->length >= WIRE_IP4_LENGTH && packet->data[0] >> 4 == 4)
		destination = ip_from4(packet->data + 16);
	else
		return false; /* the parser will say what is wrong with it */
	return !ip_is_multicast(destination) && !ip_is_broadcast(stack, destination);
}

void ethernet_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet)
{
	struct wire_ethernet ethernet;

	if (wire_ethernet_parse(packet->data, packet->length, &ethernet) < 0) {
		stack_drop(stack, packet, BERTH_EVENT_LINK_DROP_SHORT);
		return;
	}
	if (!link->neigh || !frame_for_us(link, &ethernet)) {
		stack_drop(stack, packet, BERTH_EVENT_LINK_DROP_NOT_FOR_US);
		return;
	}
	packet = make_own(stack, packet);
	if (!packet)
		return;
	berth_packet_pull(packet, WIRE_ETHERNET_LENGTH);
	if (ethernet.type == ETHERTYPE_ARP)
		arp_input(link, packet);
	else if (ethernet.type != ETHERTYPE_IP4 && ethernet.type != ETHERTYPE_IP6)
		stack_drop(stack, packet, BERTH_EVENT_LINK_DROP_TYPE);
	else if (packet->length && packet->data[0] >> 4 != (ethernet.type == ETHERTYPE_IP4 ? 4 : 6))
		stack_drop(stack, packet, BERTH_EVENT_IP_DROP_MALFORMED);
	else if (mac_is_group(ethernet.destination) && group_frame_unicast_packet(stack, packet))
		stack_drop(stack, packet, BERTH_EVENT_IP_DROP_NOT_FOR_US);
	else
		ip_input(stack, link, packet);
}

void ip_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet)
{
	packet = make_own(stack, packet);
	if (!packet)
		return;
	packet->link = link;
	if (packet->length && packet->data[0] >> 4 == 4)
		ip4_input(stack, link, packet);
	else if (packet->length && packet->data[0] >> 4 == 6)
		ip6_input(stack, link, packet);
	else
		stack_drop(stack, packet, BERTH_EVENT_IP_DROP_MALFORMED);
}

bool ip_trusted(const struct berth_link *link, const struct berth_packet *packet)
{
	if (packet->checksum == PACKET_CHECKSUM_SUSPECT)
		return false; /* a cable that damages had it */
	return packet->checksum == PACKET_CHECKSUM_TRUSTED || link->flags & BERTH_LINK_NO_CHECKSUMS || link->loopback ||
	       packet->looped;
}

bool ip_source_ok(struct berth_stack *stack, struct berth_link *link, struct berth_ip source)
{
	if (ip_is_multicast(source) || ip_is_limited_broadcast(source))
		return false; /* RFC 1122 §3.2.1.3, RFC 4291 §2.7 */
	if (link->loopback)
		return true;
	if (ip_is_loopback(source) || ip_is_broadcast(stack, source))
		return false;
	return !ip_is_local(stack, source); /* someone speaks in our name. Linux: a martian, too */
}

/* A server's answer may come to the address that it gives. RFC 2131 §4.1 */
static bool for_dhcp_client(const struct berth_link *link, const struct ip_arrival *arrival)
{
	const struct berth_packet *packet = arrival->packet;

	return dhcp_expects(link) && arrival->protocol == PROTOCOL_UDP &&
	       packet->length >= arrival->header_length + 4 &&
	       get_be16(packet->data + arrival->header_length) == DHCP_SERVER_PORT &&
	       get_be16(packet->data + arrival->header_length + 2) == DHCP_CLIENT_PORT;
}

/* Is an IPv4 destination ours, everyone's, or a group's that someone here is in? */
static bool destination4_ok(struct berth_stack *stack, struct berth_link *link, struct ip_arrival *arrival)
{
	if (ip_is_multicast(arrival->destination)) {
		arrival->group = true;
		return group_accepts(link, arrival->destination, arrival->source);
	}
	arrival->group = ip_is_broadcast(stack, arrival->destination);
	if (link->loopback || arrival->group)
		return true;
	/* RFC 1122 §3.2.1.3 (g): 127/8 never appears outside a host */
	if (ip_is_loopback(arrival->destination))
		return false;
	return link->flags & BERTH_LINK_INTERCEPT || ip_is_local(stack, arrival->destination) ||
	       for_dhcp_client(link, arrival);
}

static bool source4_ok(struct berth_stack *stack, const struct ip_arrival *arrival)
{
	if (arrival->packet->looped)
		return true; /* we have sent it */
	if (ip_u32(arrival->source) == 0)
		return arrival->group; /* a host without an address asks for one: to all or nobody */
	return ip_source_ok(stack, arrival->link, arrival->source);
}

/* The header of packet as an arrival. 0 or the drop's name, negative. */
static int arrival4(struct berth_link *link, struct berth_packet *packet, struct wire_ip4 *ip4,
		    struct ip_arrival *arrival)
{
	int r = wire_ip4_parse(packet->data, packet->length, ip4);

	if (r < 0)
		return -BERTH_EVENT_IP_DROP_MALFORMED;
	if (!ip_trusted(link, packet) && !wire_ip4_checksum_ok(packet->data, (size_t)r))
		return -BERTH_EVENT_IP_DROP_CHECKSUM;
	if (r > WIRE_IP4_LENGTH) {
		int options = wire_ip4_check_options(packet->data, (size_t)r);

		if (options < 0)
			return options == -EACCES ? -BERTH_EVENT_IP_DROP_OPTION : -BERTH_EVENT_IP_DROP_MALFORMED;
	}
	if (packet->length > ip4->total_length)
		berth_packet_trim(packet, ip4->total_length);
	*arrival = (struct ip_arrival){
		.link = link,
		.packet = packet,
		.source = ip4->source,
		.destination = ip4->destination,
		.protocol = ip4->protocol,
		.ttl = ip4->ttl,
		.traffic_class = ip4->traffic_class,
		.header_length = (uint32_t)r,
	};
	return 0;
}

/*
 * Two hosts that talk send many packets: what was found good of the last one's
 * addresses holds until some address or route changes.
 */
static bool known_addresses(const struct berth_stack *stack, const struct berth_link *link,
			    const struct ip_arrival *arrival)
{
	return link->known_generation == stack->route_generation && ip_equal(link->known_source, arrival->source) &&
	       ip_equal(link->known_destination, arrival->destination);
}

/* Only what is ours whatever the link's mode: no groups, nothing intercepted, nothing for a DHCP client. */
static void know_addresses(const struct berth_stack *stack, struct berth_link *link, const struct ip_arrival *arrival)
{
	if (arrival->group || arrival->packet->looped || link->loopback || link->flags & BERTH_LINK_INTERCEPT ||
	    dhcp_expects(link))
		return;
	link->known_source = arrival->source;
	link->known_destination = arrival->destination;
	link->known_generation = stack->route_generation;
	memset(link->known4, 0, sizeof(link->known4)); /* from nobody to nobody: not known */
	if (ip_is4(arrival->destination)) {
		memcpy(link->known4, arrival->source.bytes + 12, 4);
		memcpy(link->known4 + 4, arrival->destination.bytes + 12, 4);
	}
}

/* Drops, forwards or takes the arrival, when that is what its addresses ask for; false: it is for us. */
static bool addresses4_refused(struct berth_stack *stack, struct ip_arrival *arrival)
{
	struct berth_link *link = arrival->link;

	if (known_addresses(stack, link, arrival))
		return false;
	if (!destination4_ok(stack, link, arrival)) {
		if (stack->forwarding)
			ip_forward(stack, arrival);
		else
			stack_drop(stack, arrival->packet, BERTH_EVENT_IP_DROP_NOT_FOR_US);
		return true;
	}
	if (!source4_ok(stack, arrival)) {
		stack_drop(stack, arrival->packet, BERTH_EVENT_IP_DROP_SOURCE);
		return true;
	}
	know_addresses(stack, link, arrival);
	return false;
}

static void arrive4(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet)
{
	struct ip_arrival arrival;
	struct wire_ip4 ip4;
	int r = arrival4(link, packet, &ip4, &arrival);

	if (r < 0) {
		stack_drop(stack, packet, (enum berth_event) - r);
		return;
	}
	if (addresses4_refused(stack, &arrival))
		return;
	if (ip4.offset || ip4.more_fragments) {
		struct fragment fragment = { .id = ip4.id,
					     .offset = ip4.offset,
					     .length = packet->length - arrival.header_length,
					     .more = ip4.more_fragments };

		if (reassembly_add(stack, &arrival, &fragment) == 0)
			return;
	}
	ip_dispatch(stack, &arrival);
}

/*
 * A whole datagram without options between hosts whose last packet was good, for a protocol, seen by nobody else: all
 * that ip4_input() looks at.
 */
static bool is_expected4(struct berth_stack *stack, const struct berth_link *link, const struct berth_packet *packet)
{
	const uint8_t *header = packet->data;

	return packet->length >= WIRE_IP4_LENGTH && header[0] == 0x45 && get_be16(header + 2) == packet->length &&
	       !(get_be16(header + 6) & ~WIRE_IP4_DF) && link->known_generation == stack->route_generation &&
	       !memcmp(header + 12, link->known4, sizeof(link->known4)) &&
	       (header[9] == PROTOCOL_TCP || header[9] == PROTOCOL_UDP) && list_empty(&stack->raws);
}

static void expected4(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet, bool checked)
{
	const uint8_t *header = packet->data;
	struct berth_ip_info info = {
		.source = link->known_source,
		.destination = link->known_destination,
		.link = link,
		.protocol = header[9],
		.ttl = header[8],
		.traffic_class = header[1],
		.checked = checked,
	};

	packet->mark = WIRE_IP4_LENGTH;
	packet_pull(packet, WIRE_IP4_LENGTH);
	stack->protocols[info.protocol]->input(stack, packet, &info);
}

void ip4_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet)
{
	bool checked = ip_trusted(link, packet);

	if (is_expected4(stack, link, packet) && (checked || wire_ip4_checksum_ok(packet->data, WIRE_IP4_LENGTH)))
		expected4(stack, link, packet, checked);
	else
		arrive4(stack, link, packet);
}

static void refuse_protocol(struct berth_stack *stack, const struct ip_arrival *arrival)
{
	if (!arrival->group)
		icmp_send_error(stack, arrival->link, arrival->packet, ICMP_ERROR_PROTOCOL, arrival->protocol_at);
	stack_drop(stack, arrival->packet, BERTH_EVENT_IP_DROP_PROTOCOL);
}

/* What the network layer answers to itself. */
static bool is_own_protocol(const struct ip_arrival *arrival)
{
	if (!ip_is4(arrival->destination))
		return arrival->protocol == PROTOCOL_ICMP6;
	return arrival->protocol == PROTOCOL_ICMP4 || arrival->protocol == PROTOCOL_IGMP;
}

/* Sent to ourselves, but within the zone of the address's own link. RFC 4007 §6 */
static struct berth_link *home_link(struct berth_stack *stack, const struct ip_arrival *arrival)
{
	struct berth_link *link = link_of_address(stack, arrival->destination);

	return link ? link : arrival->link;
}

void ip_dispatch(struct berth_stack *stack, const struct ip_arrival *arrival)
{
	const struct berth_protocol *protocol = stack->protocols[arrival->protocol];
	struct berth_packet *packet = arrival->packet;
	bool v4 = ip_is4(arrival->destination), taken = false;
	struct berth_ip_info info = {
		.source = arrival->source,
		.destination = arrival->destination,
		.link = arrival->link,
		.protocol = arrival->protocol,
		.ttl = arrival->ttl,
		.traffic_class = arrival->traffic_class,
		.multicast = arrival->group,
		.checked = ip_trusted(arrival->link, packet),
	};

	if (arrival->link->loopback && !v4 && ip_is_link_local(arrival->destination))
		info.link = home_link(stack, arrival);
	if (!list_empty(&stack->raws))
		taken = raw_input(stack, packet, &info, arrival->header_length);
	if (!is_own_protocol(arrival) && (!protocol || !protocol->input)) {
		if (taken)
			berth_packet_unref(packet);
		else
			refuse_protocol(stack, arrival);
		return;
	}
	packet->mark = arrival->header_length; /* the way back to the IP header, for berth_refuse() */
	packet_pull(packet, arrival->header_length);
	if (v4 && arrival->protocol == PROTOCOL_ICMP4)
		icmp4_input(stack, arrival, &info);
	else if (!v4 && arrival->protocol == PROTOCOL_ICMP6)
		icmp6_input(stack, arrival, &info);
	else if (v4 && arrival->protocol == PROTOCOL_IGMP)
		igmp_input(arrival->link, packet);
	else
		protocol->input(stack, packet, &info);
}
