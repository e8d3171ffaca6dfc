/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IGMP and MLD messages on their way: TTL 1, with the router alert, MLD from a
 * link-local address or from nowhere (RFC 3810 §5). Those that arrive are in
 * here, too.
 */
#include "core/group/internal.h"

#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

enum { HEADER4 = WIRE_IP4_ALERT_LENGTH, HEADER6 = WIRE_IP6_LENGTH + WIRE_ALERT_LENGTH };
enum { TRAFFIC_CLASS = 0xc0 }; /* internetwork control. RFC 3376 §4 */

static struct berth_ip source_of(const struct berth_link *link, bool v4)
{
	LIST_EACH(&link->addresses, node) {
		const struct link_address *address = LIST_ITEM(node, struct link_address, node);

		if (v4 ? ip_is4(address->ip)
		       : !address->tentative && ip_is_link_local(address->ip) && ip_is6(address->ip))
			return address->ip;
	}
	return v4 ? ip_from_u32(0) : ip_any; /* RFC 3376 §4.2.13; RFC 3590 */
}

static void send4(struct berth_link *link, struct berth_packet *packet, struct berth_ip to)
{
	struct wire_ip4 ip4 = {
		.ttl = 1, .protocol = PROTOCOL_IGMP, .traffic_class = TRAFFIC_CLASS, .destination = to
	};
	uint8_t *message = packet->data;

	put_be16(message + 2, 0);
	put_be16(message + 2, checksum_finish(checksum_add(0, message, packet->length)));
	ip4.source = source_of(link, true);
	ip4.id = (uint16_t)random_u64(&link->stack->random);
	ip4.total_length = (uint16_t)(packet->length + HEADER4);
	wire_ip4_build_alert(berth_packet_push(packet, HEADER4), &ip4);
}

static void send6(struct berth_link *link, struct berth_packet *packet, struct berth_ip to)
{
	struct wire_ip6 ip6 = { .next_header = PROTOCOL_HOP_BY_HOP, .hop_limit = 1, .destination = to };
	uint8_t *message = packet->data;
	uint32_t sum;

	ip6.source = source_of(link, false);
	sum = ip_pseudo_sum(ip6.source, to, PROTOCOL_ICMP6, packet->length);
	put_be16(message + 2, checksum_finish(checksum_add(sum, message, packet->length)));
	wire_alert_build(berth_packet_push(packet, WIRE_ALERT_LENGTH), PROTOCOL_ICMP6);
	ip6.payload_length = (uint16_t)packet->length;
	wire_ip6_build(berth_packet_push(packet, WIRE_IP6_LENGTH), &ip6);
}

/* packet's data is the message. Takes it. */
static void send_message(struct berth_link *link, struct berth_packet *packet, struct berth_ip to)
{
	if (ip_is4(to))
		send4(link, packet, to);
	else
		send6(link, packet, to);
	stack_event(link->stack, BERTH_EVENT_GROUP_REPORT_SENT);
	ip_link_output(link, to, packet);
}

static struct berth_packet *new_message(struct berth_link *link, size_t room)
{
	struct berth_packet *packet = berth_packet_new(link->stack->packets, PACKET_HEADROOM, room);

	if (!packet)
		stack_event(link->stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
	return packet;
}

static size_t room_of(const struct report *report)
{
	return MIN(report->link->mtu, 1500u) - (size_t)(report->v4 ? HEADER4 : HEADER6);
}

void report_flush(struct report *report)
{
	static const struct berth_ip routers6 = { { 0xff, 0x02, [15] = 0x16 } };

	if (!report->packet)
		return;
	wire_group_report_build(report->packet->data, report->v4, report->records);
	send_message(report->link, report->packet, report->v4 ? ip_from_u32(0xe0000016) : routers6);
	report->packet = NULL;
	report->records = 0;
}

/* A record that fits; a new packet if this one is full. */
static void add_one(struct report *report, enum wire_group_record_type type, struct berth_ip group,
		    const struct berth_ip *sources, size_t count)
{
	size_t length = wire_group_record_length(report->v4, count), room = room_of(report);

	if (report->packet && report->packet->length + length > room)
		report_flush(report);
	if (!report->packet) {
		report->packet = new_message(report->link, room);
		if (!report->packet)
			return;
		berth_packet_put(report->packet, WIRE_GROUP_REPORT_LENGTH);
	}
	wire_group_record_build(berth_packet_put(report->packet, length), type, group, sources, count);
	report->records++;
}

/* Long lists are cut in pieces; one of what is excluded ends where the packet does. RFC 3376 §4.2.16 */
void report_add(struct report *report, enum wire_group_record_type type, struct berth_ip group,
		const struct berth_ip *sources, size_t count)
{
	size_t most = (room_of(report) - WIRE_GROUP_REPORT_LENGTH - wire_group_record_length(report->v4, 0)) /
		      (report->v4 ? 4 : 16);
	bool exclude = type == RECORD_IS_EXCLUDE || type == RECORD_TO_EXCLUDE;

	if (exclude)
		count = MIN(count, most);
	for (;;) {
		size_t piece = MIN(count, most);

		add_one(report, type, group, sources, piece);
		count -= piece;
		if (!count) /* nor are there sources to go on from, where there were none */
			return;
		sources += piece;
	}
}

void report_send_old(struct berth_link *link, uint8_t type, struct berth_ip group)
{
	static const struct berth_ip all_routers6 = { { 0xff, 0x02, [15] = 2 } };
	bool v4 = ip_is4(group);
	struct berth_packet *packet = new_message(link, v4 ? WIRE_IGMP_LENGTH : WIRE_MLD_LENGTH);
	struct berth_ip to = group;

	if (!packet)
		return;
	if (v4)
		wire_igmp_old_build(berth_packet_put(packet, WIRE_IGMP_LENGTH), type, group);
	else
		wire_mld_old_build(berth_packet_put(packet, WIRE_MLD_LENGTH), type, group);
	if (type == IGMP_LEAVE)
		to = ip_from_u32(0xe0000002);
	else if (type == MLD_DONE)
		to = all_routers6;
	send_message(link, packet, to);
}

static void drop(struct berth_link *link, struct berth_packet *packet, enum berth_event reason)
{
	stack_drop(link->stack, packet, reason);
}

void igmp_input(struct berth_link *link, struct berth_packet *packet)
{
	struct wire_group_query query;
	struct berth_ip group;
	uint8_t type;

	if (packet->length < WIRE_IGMP_LENGTH)
		drop(link, packet, BERTH_EVENT_GROUP_DROP_MALFORMED);
	else if (checksum_finish(checksum_add(0, packet->data, packet->length)) != 0)
		drop(link, packet, BERTH_EVENT_GROUP_DROP_MALFORMED);
	else if (wire_igmp_query_parse(packet->data, packet->length, &query) >= 0) {
		report_query(link->groups, &query, true);
		berth_packet_unref(packet);
	} else if (wire_igmp_old_parse(packet->data, packet->length, &type, &group) >= 0) {
		if (type != IGMP_LEAVE && group_find(link->groups, group))
			report_heard(group_find(link->groups, group));
		berth_packet_unref(packet);
	} else {
		drop(link, packet, BERTH_EVENT_GROUP_DROP_MALFORMED);
	}
}

void mld_input(struct berth_link *link, struct berth_packet *packet)
{
	struct wire_group_query query;
	struct berth_ip group;
	uint8_t type;

	if (wire_mld_query_parse(packet->data, packet->length, &query) >= 0) {
		report_query(link->groups, &query, false);
		berth_packet_unref(packet);
	} else if (wire_mld_old_parse(packet->data, packet->length, &type, &group) >= 0) {
		if (type != MLD_DONE && group_find(link->groups, group))
			report_heard(group_find(link->groups, group));
		berth_packet_unref(packet);
	} else if (packet->data[0] == MLD_REPORT2) {
		berth_packet_unref(packet); /* other hosts' business */
	} else {
		drop(link, packet, BERTH_EVENT_GROUP_DROP_MALFORMED);
	}
}
