/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/show.h"

#include "base/random.h"
#include "test.h"
#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/ndp.h"
#include "wire/udp.h"

#include <stdlib.h>

static char text[256];

static const char *show4(uint8_t protocol, const uint8_t *payload, size_t length)
{
	struct wire_ip4 ip4 = { .total_length = (uint16_t)(20 + length),
				.protocol = protocol,
				.source = ip_from_u32(0x0a000001),
				.destination = ip_from_u32(0x0a000002) };
	uint8_t bytes[256];

	wire_ip4_build(bytes, &ip4);
	memcpy(bytes + 20, payload, length);
	return wire_show(bytes, 20 + length, BERTH_LINK_IP, text, sizeof(text));
}

TEST(show, tcp)
{
	static const uint8_t syn[24] = { 0x9c, 0x40, 0, 80, 0, 0, 0, 100, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff };
	static const uint8_t data[23] = { 0, 80, 0x9c, 0x40, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 0x10, 0x00 };

	CHECK_STR(show4(6, syn, sizeof(syn)),
		  "IP 10.0.0.1.40000 > 10.0.0.2.80: TCP [S] seq 100 win 65535 options 4 length 0");
	CHECK_STR(show4(6, data, sizeof(data)),
		  "IP 10.0.0.1.80 > 10.0.0.2.40000: TCP [P.] seq 7 ack 9 win 4096 length 3");
	CHECK_STR(show4(6, data, 12), "IP 10.0.0.1 > 10.0.0.2: TCP, malformed");
}

TEST(show, udp_icmp_and_others)
{
	static const uint8_t echo[8] = { 8, 0, 0, 0, 0, 7, 0, 1 }, port[8] = { 3, 3 };
	static const uint8_t udp[10] = { 0, 53, 0x14, 0xe9, 0, 10 };

	CHECK_STR(show4(17, udp, sizeof(udp)), "IP 10.0.0.1.53 > 10.0.0.2.5353: UDP length 2");
	CHECK_STR(show4(1, echo, 8), "IP 10.0.0.1 > 10.0.0.2: ICMP echo request id 7 seq 1 length 8");
	CHECK_STR(show4(1, port, 8), "IP 10.0.0.1 > 10.0.0.2: ICMP unreachable code 3 length 8");
	CHECK_STR(show4(132, port, 8), "IP 10.0.0.1 > 10.0.0.2: protocol 132 length 8");
}

static const char *show_icmp6(const uint8_t *payload, size_t length)
{
	struct wire_ip6 ip6 = { .next_header = PROTOCOL_ICMP6, .payload_length = (uint16_t)length };
	uint8_t bytes[128];

	wire_ip6_build(bytes, &ip6);
	memcpy(bytes + 40, payload, length);
	return wire_show(bytes, 40 + length, BERTH_LINK_IP, text, sizeof(text));
}

TEST(show, groups)
{
	static const uint8_t query[8] = { 0x11, 100, 0, 0, 239, 1, 2, 3 }, leave[8] = { 0x17, 0, 0, 0, 239, 1, 2, 3 };
	static const uint8_t report1[8] = { 0x12, 0, 0, 0, 239, 1, 2, 3 }, report2[8] = { 0x16, 0, 0, 0, 239, 1, 2, 3 };
	static const uint8_t report3[16] = { 0x22, [7] = 2, 4, 0, 0, 0, 239, 1, 2, 3 }; /* two records, one there */
	static const uint8_t mld_query[24] = { 130, [8] = 0xff, 5, [23] = 9 },
			     done[24] = { 132, [8] = 0xff, 5, [23] = 9 };
	static const uint8_t mld_report2[28] = { 143, [7] = 1, 3, 0, 0, 0, 0xff, 5, [27] = 9 };

	CHECK_STR(show4(2, query, 8), "IP 10.0.0.1 > 10.0.0.2: IGMP query v2 239.1.2.3 {0}");
	CHECK_STR(show4(2, leave, 8), "IP 10.0.0.1 > 10.0.0.2: IGMP leave 239.1.2.3");
	CHECK_STR(show4(2, report1, 8), "IP 10.0.0.1 > 10.0.0.2: IGMP report v1 239.1.2.3");
	CHECK_STR(show4(2, report2, 8), "IP 10.0.0.1 > 10.0.0.2: IGMP report 239.1.2.3");
	CHECK_STR(show4(2, report3, 16), "IP 10.0.0.1 > 10.0.0.2: IGMP report, to ex 239.1.2.3 {0}");
	CHECK_STR(show4(2, query, 7), "IP 10.0.0.1 > 10.0.0.2: protocol 2 length 7");
	CHECK_STR(show_icmp6(mld_query, 24), "IP6 :: > ::: MLD query v1 ff05::9 {0}");
	CHECK_STR(show_icmp6(done, 24), "IP6 :: > ::: MLD leave ff05::9");
	CHECK_STR(show_icmp6(mld_report2, 28), "IP6 :: > ::: MLD report, to in ff05::9 {0}");
}

TEST(show, arp_in_its_frame)
{
	struct wire_ethernet ethernet = { .type = ETHERTYPE_ARP };
	struct wire_arp arp = { .operation = ARP_REQUEST,
				.sender_mac = { 2, 0, 0, 0, 0, 1 },
				.sender_ip = ip_from_u32(0x0a000001),
				.target_ip = ip_from_u32(0x0a000002) };
	uint8_t bytes[14 + 28];

	wire_ethernet_build(bytes, &ethernet);
	wire_arp_build(bytes + 14, &arp);
	CHECK_STR(wire_show(bytes, sizeof(bytes), BERTH_LINK_ETHERNET, text, sizeof(text)),
		  "ARP who has 10.0.0.2? tell 10.0.0.1");
	arp.operation = ARP_REPLY;
	wire_arp_build(bytes + 14, &arp);
	CHECK_STR(wire_show(bytes, sizeof(bytes), BERTH_LINK_ETHERNET, text, sizeof(text)),
		  "ARP 10.0.0.1 is at 02:00:00:00:00:01");
	CHECK_STR(wire_show(bytes, 20, BERTH_LINK_ETHERNET, text, sizeof(text)), "ARP malformed, 6 bytes");
	CHECK_STR(wire_show(bytes, 13, BERTH_LINK_ETHERNET, text, sizeof(text)), "short frame, 13 bytes");
}

TEST(show, neighbour_solicitation)
{
	struct wire_ndp ndp = { .type = ICMP6_NEIGHBOUR_SOLICIT };
	struct wire_ip6 ip6 = { .next_header = PROTOCOL_ICMP6, .payload_length = 24 };
	uint8_t bytes[40 + 24];

	berth_ip_parse("fe80::2", &ndp.target);
	berth_ip_parse("fe80::1", &ip6.source);
	ip6.destination = ip_solicited_node(ndp.target);
	wire_ip6_build(bytes, &ip6);
	wire_ndp_build(bytes + 40, &ndp);
	CHECK_STR(wire_show(bytes, sizeof(bytes), BERTH_LINK_IP, text, sizeof(text)),
		  "IP6 fe80::1 > ff02::1:ff00:2: ICMP6 neighbour solicitation fe80::2 length 24");
}

TEST(show, text_is_cut_to_its_size)
{
	static const uint8_t udp[10] = { 0, 53, 0x14, 0xe9, 0, 10 };
	char small[9];

	show4(17, udp, sizeof(udp));
	CHECK_STR(wire_show("\x45", 1, BERTH_LINK_IP, small, sizeof(small)), "IP malfo");
	small[0] = 'x';
	wire_show("\x45", 1, BERTH_LINK_IP, small, 0);
	CHECK_EQ(small[0], 'x');
	CHECK_STR(wire_show("", 0, BERTH_LINK_IP, text, sizeof(text)), "not IP, 0 bytes");
}

TEST(show, noise_is_survived)
{
	struct random random;

	random_init(&random, 9);
	for (int i = 0; i < 50000; i++) {
		size_t length = (size_t)random_below(&random, 100);
		uint8_t *bytes = malloc(length + 1);
		enum berth_link_type type = i % 2 ? BERTH_LINK_IP : BERTH_LINK_ETHERNET;
		size_t at = type == BERTH_LINK_ETHERNET ? 14 : 0;
		static const uint8_t protocols[] = { 0, 1, 6, 17, 43, 44, 58, 60 };

		for (size_t j = 0; j < length; j++)
			bytes[j] = (uint8_t)random_u64(&random);
		if (length >= 34) {
			bytes[12] = i % 4 < 2 ? 0x08 : 0x86;
			bytes[13] = i % 4 < 2 ? 0x00 : 0xdd;
			bytes[at] = i % 4 < 2 ? 0x45 : 0x60;
			bytes[at + (i % 4 < 2 ? 2 : 4)] = 0;
			bytes[at + (i % 4 < 2 ? 3 : 5)] = (uint8_t)random_below(&random, length);
			bytes[at + (i % 4 < 2 ? 9 : 6)] = protocols[random_below(&random, sizeof(protocols))];
		}
		wire_show(bytes, length, type, text, sizeof(text));
		free(bytes);
	}
}
