/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet and ARP. */
#include "truncate.h"
#include "wire/arp.h"
#include "wire/ethernet.h"

static const uint8_t arp_bytes[] = {
	0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
};

TEST(ethernet, builds_what_it_parses)
{
	struct wire_ethernet in = { { 1, 2, 3, 4, 5, 6 }, { 7, 8, 9, 10, 11, 12 }, ETHERTYPE_IP6 }, out;
	uint8_t bytes[WIRE_ETHERNET_LENGTH];

	wire_ethernet_build(bytes, &in);
	CHECK_EQ(wire_ethernet_parse(bytes, sizeof(bytes), &out), WIRE_ETHERNET_LENGTH);
	CHECK_BYTES(out.destination, in.destination, 6);
	CHECK_BYTES(out.source, in.source, 6);
	CHECK_EQ(out.type, ETHERTYPE_IP6);
	CHECK_TRUNCATED(wire_ethernet_parse, bytes, sizeof(bytes), &out);
}

static void check_group(const char *ip, const uint8_t expected[6])
{
	struct berth_ip parsed;
	uint8_t mac[6];

	REQUIRE(berth_ip_parse(ip, &parsed) == 0);
	mac_of_multicast(mac, parsed);
	CHECK_BYTES(mac, expected, 6);
}

TEST(ethernet, groups_have_their_hardware_addresses)
{
	check_group("224.129.2.3", (const uint8_t[]){ 0x01, 0x00, 0x5e, 0x01, 0x02, 0x03 });
	check_group("ff02::1:ff12:3456", (const uint8_t[]){ 0x33, 0x33, 0xff, 0x12, 0x34, 0x56 });
	check_group("255.255.255.255", mac_broadcast);
}

TEST(arp, request_parses)
{
	struct wire_arp arp;

	REQUIRE(wire_arp_parse(arp_bytes, sizeof(arp_bytes), &arp) == WIRE_ARP_LENGTH);
	CHECK_EQ(arp.operation, ARP_REQUEST);
	CHECK_EQ(ip_u32(arp.sender_ip), 0x0a000001);
	CHECK_EQ(ip_u32(arp.target_ip), 0x0a000002);
	CHECK_TRUNCATED(wire_arp_parse, arp_bytes, sizeof(arp_bytes), &arp);
}

TEST(arp, builds_what_it_parses)
{
	uint8_t bytes[WIRE_ARP_LENGTH];
	struct wire_arp arp;

	REQUIRE(wire_arp_parse(arp_bytes, sizeof(arp_bytes), &arp) > 0);
	wire_arp_build(bytes, &arp);
	CHECK_BYTES(bytes, arp_bytes, sizeof(bytes));
}

TEST(arp, other_hardware_and_protocols_are_refused)
{
	static const size_t fields[] = { 1, 2, 4, 5 };

	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		uint8_t bytes[WIRE_ARP_LENGTH];
		struct wire_arp arp;

		memcpy(bytes, arp_bytes, sizeof(bytes));
		bytes[fields[i]] ^= 0x10;
		CHECK(wire_arp_parse(bytes, sizeof(bytes), &arp) < 0);
	}
}
