/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames as text. Leaves checksums to whoever asks: a trace of a damaged frame
 * should show what it says.
 */
#include "wire/show.h"

#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/group.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/ndp.h"
#include "wire/udp.h"

#include <stdarg.h>
#include <stdio.h>

struct text {
	char *at;
	size_t room; /* with the final NUL */
};

static void __attribute__((format(printf, 2, 3))) say(struct text *text, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text->at, text->room, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	n = (int)MIN((size_t)n, text->room - 1);
	text->at += n;
	text->room -= (size_t)n;
}

static void say_ip(struct text *text, struct berth_ip ip)
{
	char address[BERTH_IP_STRLEN];

	say(text, "%s", berth_ip_format(ip, address));
}

static void say_mac(struct text *text, const uint8_t mac[6])
{
	say(text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* The two ends of a packet, with ports if it has any. */
struct ends {
	struct berth_ip source, destination;
};

static void say_ends(struct text *text, const struct ends *ends, const uint8_t *ports)
{
	say_ip(text, ends->source);
	if (ports)
		say(text, ".%u", get_be16(ports));
	say(text, " > ");
	say_ip(text, ends->destination);
	if (ports)
		say(text, ".%u", get_be16(ports + 2));
	say(text, ": ");
}

static void show_tcp(struct text *text, const struct ends *ends, const uint8_t *p, size_t length)
{
	static const char letters[] = "FSRP.UEW";
	size_t header = length >= 20 ? (p[12] >> 4) * 4u : 0;

	if (header < 20 || header > length) {
		say_ends(text, ends, NULL);
		say(text, "TCP, malformed");
		return;
	}
	say_ends(text, ends, p);
	say(text, "TCP [");
	for (unsigned i = 0; i < 8; i++)
		if (p[13] & 1u << i)
			say(text, "%c", letters[i]);
	say(text, "] seq %u", get_be32(p + 4));
	if (p[13] & 0x10)
		say(text, " ack %u", get_be32(p + 8));
	say(text, " win %u", get_be16(p + 14));
	if (header > 20)
		say(text, " options %zu", header - 20);
	say(text, " length %zu", length - header);
}

static void show_udp(struct text *text, const struct ends *ends, const uint8_t *p, size_t length)
{
	struct wire_udp udp;

	if (wire_udp_parse(p, length, &udp) < 0) {
		say_ends(text, ends, NULL);
		say(text, "UDP, malformed");
		return;
	}
	say_ends(text, ends, p);
	say(text, "UDP length %u", udp.length - WIRE_UDP_LENGTH);
}

struct icmp_name {
	uint8_t type;
	const char *name;
};
static const struct icmp_name icmp4_names[] = {
	{ ICMP4_ECHO_REPLY, "echo reply" },	  { ICMP4_UNREACHABLE, "unreachable" },
	{ ICMP4_SOURCE_QUENCH, "source quench" }, { ICMP4_REDIRECT, "redirect" },
	{ ICMP4_ECHO, "echo request" },		  { ICMP4_TIME_EXCEEDED, "time exceeded" },
	{ ICMP4_PARAMETER, "parameter problem" },
};
static const struct icmp_name icmp6_names[] = {
	{ ICMP6_UNREACHABLE, "unreachable" },
	{ ICMP6_TOO_BIG, "packet too big" },
	{ ICMP6_TIME_EXCEEDED, "time exceeded" },
	{ ICMP6_PARAMETER, "parameter problem" },
	{ ICMP6_ECHO, "echo request" },
	{ ICMP6_ECHO_REPLY, "echo reply" },
	{ ICMP6_ROUTER_SOLICIT, "router solicitation" },
	{ ICMP6_ROUTER_ADVERT, "router advertisement" },
	{ ICMP6_NEIGHBOUR_SOLICIT, "neighbour solicitation" },
	{ ICMP6_NEIGHBOUR_ADVERT, "neighbour advertisement" },
	{ ICMP6_REDIRECT, "redirect" },
};

static const char *icmp_name(const struct icmp_name *names, size_t count, uint8_t type)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].type == type)
			return names[i].name;
	return NULL;
}

/* Records of a report: what, of which group, how many sources. */
static void say_records(struct text *text, const uint8_t *p, size_t length, bool v4, uint16_t count)
{
	static const char *const words[] = { "", "is in", "is ex", "to in", "to ex", "allow", "block" };
	size_t at = WIRE_GROUP_REPORT_LENGTH;
	struct wire_group_record record;
	int r;

	say(text, "report");
	while (count-- && (r = wire_group_record_parse(p + at, length - at, v4, &record)) >= 0) {
		say(text, ", %s ", words[record.type]);
		say_ip(text, record.group);
		say(text, " {%u}", record.source_count);
		at += (size_t)r;
	}
}

/* IGMP or MLD, if that is what it is. */
static bool show_group(struct text *text, const uint8_t *p, size_t length, bool v4)
{
	struct wire_group_query query;
	struct berth_ip group;
	uint16_t count;
	uint8_t type;

	if ((v4 ? wire_igmp_query_parse(p, length, &query) : wire_mld_query_parse(p, length, &query)) >= 0) {
		say(text, "%s query v%u ", v4 ? "IGMP" : "MLD", query.version);
		say_ip(text, query.group);
		say(text, " {%u}", query.source_count);
	} else if ((v4 ? wire_igmp_old_parse(p, length, &type, &group)
		       : wire_mld_old_parse(p, length, &type, &group)) >= 0) {
		say(text, "%s %s ", v4 ? "IGMP" : "MLD",
		    type == IGMP_LEAVE || type == MLD_DONE ? "leave"
		    : type == IGMP_REPORT1		   ? "report v1"
							   : "report");
		say_ip(text, group);
	} else if (wire_group_report_parse(p, length, v4, &count) >= 0) {
		say(text, v4 ? "IGMP " : "MLD ");
		say_records(text, p, length, v4, count);
	} else {
		return false;
	}
	return true;
}

static void show_icmp(struct text *text, const uint8_t *p, size_t length, bool v6)
{
	const char *name;
	struct wire_icmp icmp;
	struct wire_ndp ndp;

	if (v6 && show_group(text, p, length, false))
		return;
	say(text, v6 ? "ICMP6 " : "ICMP ");
	if (wire_icmp_parse(p, length, &icmp) < 0) {
		say(text, "malformed");
		return;
	}
	name = v6 ? icmp_name(icmp6_names, COUNT_OF(icmp6_names), icmp.type)
		  : icmp_name(icmp4_names, COUNT_OF(icmp4_names), icmp.type);
	if (name)
		say(text, "%s", name);
	else
		say(text, "type %u", icmp.type);
	if (icmp.type == (v6 ? ICMP6_ECHO : ICMP4_ECHO) || icmp.type == (v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY)) {
		say(text, " id %u seq %u", icmp.value >> 16, icmp.value & 0xffff);
	} else if (v6 && wire_ndp_parse(p, length, &ndp) >= 0 && ndp.type >= ICMP6_NEIGHBOUR_SOLICIT) {
		say(text, " ");
		say_ip(text, ndp.target);
	} else if (icmp.code) {
		say(text, " code %u", icmp.code);
	}
	say(text, " length %zu", length);
}

static void show_transport(struct text *text, const struct ends *ends, uint8_t protocol, const uint8_t *p,
			   size_t length)
{
	if (protocol == PROTOCOL_TCP) {
		show_tcp(text, ends, p, length);
	} else if (protocol == PROTOCOL_UDP) {
		show_udp(text, ends, p, length);
	} else {
		say_ends(text, ends, NULL);
		if (protocol == PROTOCOL_ICMP4 || protocol == PROTOCOL_ICMP6)
			show_icmp(text, p, length, protocol == PROTOCOL_ICMP6);
		else if (protocol == PROTOCOL_IGMP && show_group(text, p, length, true))
			return;
		else
			say(text, "protocol %u length %zu", protocol, length);
	}
}

static void show_ip4(struct text *text, const uint8_t *p, size_t length)
{
	struct wire_ip4 ip4;
	int header = wire_ip4_parse(p, length, &ip4);
	struct ends ends;

	say(text, "IP ");
	if (header < 0) {
		say(text, "malformed, %zu bytes", length);
		return;
	}
	ends = (struct ends){ ip4.source, ip4.destination };
	if (ip4.offset || ip4.more_fragments)
		say(text, "(fragment %u@%u%s id %u) ", ip4.total_length - header, ip4.offset,
		    ip4.more_fragments ? "+" : "", ip4.id);
	if (ip4.offset) {
		say_ends(text, &ends, NULL);
		say(text, "protocol %u", ip4.protocol);
	} else {
		show_transport(text, &ends, ip4.protocol, p + header, (size_t)(ip4.total_length - header));
	}
}

static void show_ip6(struct text *text, const uint8_t *p, size_t length)
{
	struct wire_ip6 ip6;
	struct ends ends;
	uint8_t protocol;
	int at = wire_ip6_parse(p, length, &ip6);

	say(text, "IP6 ");
	if (at < 0) {
		say(text, "malformed, %zu bytes", length);
		return;
	}
	length = WIRE_IP6_LENGTH + (size_t)ip6.payload_length;
	ends = (struct ends){ ip6.source, ip6.destination };
	at = wire_ip6_find_transport(p, length, &protocol);
	if (at < 0) {
		say_ends(text, &ends, NULL);
		say(text, "next header %u length %u", ip6.next_header, ip6.payload_length);
	} else {
		show_transport(text, &ends, protocol, p + at, length - (size_t)at);
	}
}

static void show_arp(struct text *text, const uint8_t *p, size_t length)
{
	struct wire_arp arp;

	if (wire_arp_parse(p, length, &arp) < 0) {
		say(text, "ARP malformed, %zu bytes", length);
	} else if (arp.operation == ARP_REQUEST) {
		say(text, "ARP who has ");
		say_ip(text, arp.target_ip);
		say(text, "? tell ");
		say_ip(text, arp.sender_ip);
	} else {
		say(text, "ARP ");
		say_ip(text, arp.sender_ip);
		say(text, " is at ");
		say_mac(text, arp.sender_mac);
	}
}

static void show_ethernet(struct text *text, const uint8_t *p, size_t length)
{
	struct wire_ethernet ethernet;

	if (wire_ethernet_parse(p, length, &ethernet) < 0) {
		say(text, "short frame, %zu bytes", length);
		return;
	}
	p += WIRE_ETHERNET_LENGTH;
	length -= WIRE_ETHERNET_LENGTH;
	if (ethernet.type == ETHERTYPE_IP4) {
		show_ip4(text, p, length);
	} else if (ethernet.type == ETHERTYPE_IP6) {
		show_ip6(text, p, length);
	} else if (ethernet.type == ETHERTYPE_ARP) {
		show_arp(text, p, length);
	} else {
		say_mac(text, ethernet.source);
		say(text, " > ");
		say_mac(text, ethernet.destination);
		say(text, ": type 0x%04x length %zu", ethernet.type, length);
	}
}

const char *wire_show(const void *bytes, size_t length, enum berth_link_type type, char *text, size_t size)
{
	struct text out = { text, size };
	const uint8_t *p = bytes;

	if (!size)
		return text;
	*text = '\0';
	if (type == BERTH_LINK_ETHERNET)
		show_ethernet(&out, p, length);
	else if (length && p[0] >> 4 == 4)
		show_ip4(&out, p, length);
	else if (length && p[0] >> 4 == 6)
		show_ip6(&out, p, length);
	else
		say(&out, "not IP, %zu bytes", length);
	return text;
}
