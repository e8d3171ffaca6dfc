/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stack sends is well formed: lengths, checksums, addresses of its own. */
#include "tests/fuzz/world.h"

#include "core/ip/ip.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/show.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include <errno.h>
#include <netinet/in.h>

static void check_transport(uint8_t protocol, uint32_t sum, const uint8_t *bytes, size_t length)
{
	struct wire_tcp tcp;
	struct wire_udp udp;

	if (protocol == IPPROTO_TCP) {
		MUST(wire_tcp_parse(bytes, length, &tcp) == 0);
		MUST(tcp.source_port && tcp.destination_port);
	} else if (protocol == IPPROTO_UDP) {
		MUST(wire_udp_parse(bytes, length, &udp) > 0 && udp.length == length && udp.checksum);
	} else if (protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6) {
		return;
	}
	if (protocol == IPPROTO_ICMP)
		sum = 0;
	MUST(checksum_finish(checksum_add(sum, bytes, length)) == 0);
}

static void check_ip4(const uint8_t *bytes, size_t length)
{
	struct wire_ip4 ip4;
	int r = wire_ip4_parse(bytes, length, &ip4);

	MUST(r >= WIRE_IP4_LENGTH && ip4.total_length == length && ip4.ttl);
	MUST(wire_ip4_check_options(bytes, (size_t)r) != -EPROTO); /* IP_OPTIONS are the program's, but well formed */
	MUST(wire_ip4_checksum_ok(bytes, (size_t)r));
	MUST(!ip_is_multicast(ip4.source) && !ip_is_loopback(ip4.source) && !ip_is_loopback(ip4.destination));
	if (ip4.offset || ip4.more_fragments)
		return;
	check_transport(ip4.protocol, ip_pseudo_sum(ip4.source, ip4.destination, ip4.protocol, length - (size_t)r),
			bytes + r, length - (size_t)r);
}

static void check_ip6(const uint8_t *bytes, size_t length)
{
	struct wire_ip6 ip6;
	uint8_t protocol;
	int r = wire_ip6_parse(bytes, length, &ip6), offset;

	MUST(r == WIRE_IP6_LENGTH && ip6.payload_length + (size_t)r == length && ip6.hop_limit);
	MUST(!ip_is_multicast(ip6.source) && !ip_is_loopback(ip6.source) && !ip_is_loopback(ip6.destination));
	if (ip6.next_header == PROTOCOL_FRAGMENT)
		return;
	offset = wire_ip6_find_transport(bytes, length, &protocol);
	MUST(offset > 0);
	check_transport(protocol, ip_pseudo_sum(ip6.source, ip6.destination, protocol, length - (size_t)offset),
			bytes + offset, length - (size_t)offset);
}

void check_frame(enum berth_link_type type, const uint8_t *bytes, size_t length)
{
	struct wire_ethernet ethernet = { .type = 0 };
	struct wire_arp arp;
	char text[400];

	wire_show(bytes, length, type, text, sizeof(text));
	MUST(strlen(text) > 0);
	if (type == BERTH_LINK_ETHERNET) {
		MUST(wire_ethernet_parse(bytes, length, &ethernet) > 0);
		MUST(!mac_is_group(ethernet.source));
		bytes += WIRE_ETHERNET_LENGTH;
		length -= WIRE_ETHERNET_LENGTH;
	} else {
		MUST(length > 0);
		ethernet.type = bytes[0] >> 4 == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4;
	}
	if (ethernet.type == ETHERTYPE_ARP)
		MUST(wire_arp_parse(bytes, length, &arp) > 0);
	else if (ethernet.type == ETHERTYPE_IP6)
		check_ip6(bytes, length);
	else
		check_ip4(bytes, length);
}
