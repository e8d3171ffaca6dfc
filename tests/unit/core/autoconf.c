/* SPDX-License-Identifier: BSD-2-Clause */
/* What routers say, and whether it is heeded: advertisements, redirects. */
#include "rig.h"
#include "core/neigh/table.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip4.h"

#include <errno.h>

static struct rig rig;

static const uint8_t router_mac[6] = { 2, 0, 0, 0, 9, 1 };
#define OWN "fd01::ff:fe00:1" /* with the EUI-64 of 02:00:00:00:00:01 */

/* An ICMPv6 message from the router arrives at a. */
static void say6(const char *router, const char *to, uint8_t *message, size_t length, uint8_t hop_limit)
{
	struct wire_ethernet ethernet = { .destination = { 2, 0, 0, 0, 0, 1 }, .type = ETHERTYPE_IP6 };
	struct wire_ip6 ip6 = { .hop_limit = hop_limit,
				.next_header = PROTOCOL_ICMP6,
				.payload_length = (uint16_t)length };
	uint8_t bytes[512];

	ip6.source = rig_ip(router);
	ip6.destination = rig_ip(to);
	memcpy(ethernet.source, router_mac, 6);
	wire_ethernet_build(bytes, &ethernet);
	wire_ip6_build(bytes + 14, &ip6);
	put_be16(message + 2, 0);
	put_be16(message + 2,
		 checksum_finish(checksum_add(ip_pseudo_sum(ip6.source, ip6.destination, PROTOCOL_ICMP6, length),
					      message, length)));
	memcpy(bytes + 54, message, length);
	rig_inject(&rig, &rig.a, bytes, 54 + length);
}

/* An advertisement of fd01::/64, MTU 1400, a DNS server; lifetimes in seconds. */
static void advert(const char *router, uint16_t lifetime, uint32_t valid, uint32_t preferred)
{
	uint8_t message[16 + 8 + 8 + 32 + 24] = { ICMP6_ROUTER_ADVERT, [4] = 33 };
	uint8_t *option = message + 16;

	put_be16(message + 6, lifetime);
	put_be32(message + 8, 20000);
	option[0] = 1;
	option[1] = 1;
	memcpy(option + 2, router_mac, 6);
	option += 8;
	option[0] = 5;
	option[1] = 1;
	put_be32(option + 4, 1400);
	option += 8;
	option[0] = 3;
	option[1] = 4;
	option[2] = 64;
	option[3] = 0xc0;
	put_be32(option + 4, valid);
	put_be32(option + 8, preferred);
	memcpy(option + 16, rig_ip("fd01::").bytes, 16);
	option += 32;
	option[0] = 25;
	option[1] = 3;
	put_be32(option + 4, 600);
	memcpy(option + 8, rig_ip("fd01::53").bytes, 16);
	say6(router, "ff02::1", message, sizeof(message), 255);
}

static int path_to(const char *ip, struct ip_path *ret_path)
{
	return ip_path_find(rig.a.stack, rig_ip(ip), ip_any, NULL, ret_path);
}

TEST(autoconf, routers_are_asked_for_three_times)
{
	int count = 0;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	for (int i = 0; i < 30; i++) {
		const char *said;

		rig_wait(&rig, BERTH_SEC);
		while (strcmp(said = rig_next(&rig, &rig.a), "nothing"))
			count += !strcmp(said, "IP6 fe80::ff:fe00:1 > ff02::2: ICMP6 router solicitation length 16");
	}
	CHECK_EQ(count, 3);
	rig_down(&rig);
}

TEST(autoconf, an_advertisement_is_heeded_in_whole)
{
	struct berth_ip servers[4];
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	CHECK_EQ(path_to("2001:db8::1", &path), -ENETUNREACH);
	advert("fe80::9", 1800, 7200, 3600);
	REQUIRE(path_to("2001:db8::1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("fe80::9")));
	CHECK_EQ(path.mtu, 1400);
	REQUIRE(path_to("fd01::77", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("fd01::77"))); /* on the link */
	CHECK(ip_equal(path.source, rig_ip(OWN)));
	REQUIRE(path_to("10.0.0.2", &path) == 0);
	CHECK_EQ(path.mtu, 1500);
	REQUIRE(berth_link_dns_servers(rig.a.link, servers, 4) == 1);
	CHECK(ip_equal(servers[0], rig_ip("fd01::53")));
	packet_queue_clear(&rig.a.sent);
	CHECK_EQ(rig_send(&rig.a, "2001:db8::1", 10, false), 0);
	REQUIRE(rig.a.sent.head); /* straight to the router: its hardware address was said */
	CHECK_BYTES(rig.a.sent.head->data, router_mac, 6);
	CHECK_EQ(rig.a.sent.head->data[14 + 7], 33); /* its hop limit */
	packet_queue_clear(&rig.a.sent);
	rig_wait(&rig, 30 * BERTH_SEC);
	for (const char *said = rig_next(&rig, &rig.a); strcmp(said, "nothing"); said = rig_next(&rig, &rig.a))
		CHECK(!strstr(said, "router solicitation"));
	rig_down(&rig);
}

TEST(autoconf, everything_learnt_has_its_end)
{
	struct berth_ip server;
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	advert("fe80::9", 100, 10000, 200);
	rig_wait(&rig, 101 * BERTH_SEC);
	CHECK_EQ(path_to("2001:db8::1", &path), -ENETUNREACH);
	CHECK(ip_is_local(rig.a.stack, rig_ip(OWN)));
	rig_wait(&rig, 600 * BERTH_SEC);
	CHECK_EQ(berth_link_dns_servers(rig.a.link, &server, 1), 0);
	REQUIRE(path_to("fd01::77", &path) == 0);
	CHECK(ip_equal(path.source, rig_ip("fd00::1"))); /* its own is deprecated by now */
	rig_wait(&rig, 10000 * BERTH_SEC);
	CHECK(!ip_is_local(rig.a.stack, rig_ip(OWN)));
	CHECK_EQ(path_to("fd01::77", &path), -ENETUNREACH);
	rig_down(&rig);
}

TEST(autoconf, a_forged_end_takes_two_hours)
{
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	advert("fe80::9", 1800, 86400, 86400);
	advert("fe80::9", 0, 0, 0);
	CHECK_EQ(path_to("2001:db8::1", &path), -ENETUNREACH); /* a router may leave at once */
	CHECK(ip_is_local(rig.a.stack, rig_ip(OWN)));
	rig_wait(&rig, 7100 * BERTH_SEC);
	advert("fe80::9", 0, 5, 5);
	CHECK(ip_is_local(rig.a.stack, rig_ip(OWN)));
	rig_wait(&rig, 101 * BERTH_SEC);
	CHECK(!ip_is_local(rig.a.stack, rig_ip(OWN)));
	rig_down(&rig);
}

TEST(autoconf, addresses_are_tested_first)
{
	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_AUTOCONF);
	rig_wait(&rig, 5 * BERTH_SEC);
	advert("fe80::9", 1800, 7200, 3600);
	CHECK(!ip_is_local(rig.a.stack, rig_ip(OWN)));
	rig_wait(&rig, 3 * BERTH_SEC);
	rig_wait(&rig, 3 * BERTH_SEC);
	CHECK(ip_is_local(rig.a.stack, rig_ip(OWN)));
	rig_down(&rig);
}

TEST(autoconf, strangers_are_not_heeded)
{
	uint8_t message[16] = { ICMP6_ROUTER_ADVERT, [6] = 7 };
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	say6("fd00::9", "ff02::1", message, sizeof(message), 255); /* not link-local */
	say6("fe80::9", "ff02::1", message, sizeof(message), 64);  /* from afar */
	CHECK_EQ(COUNT(&rig.a, NDP_DROP_MALFORMED), 2);
	CHECK_EQ(path_to("2001:db8::1", &path), -ENETUNREACH);
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "fe80::9:%x", i + 1);
		advert(name, 1800, 7200, 3600);
	}
	CHECK(COUNT(&rig.a, NDP_DROP_LIMIT) > 0);
	rig_down(&rig);
	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD); /* not asked for */
	advert("fe80::9", 1800, 7200, 3600);
	CHECK_EQ(path_to("2001:db8::1", &path), -ENETUNREACH);
	rig_down(&rig);
}

TEST(autoconf, what_was_configured_stays)
{
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	CHECK_EQ(berth_route_add(rig.a.stack, ip_any, 0, rig_ip("fe80::9"), rig.a.link), 0);
	CHECK_EQ(berth_link_add_address(rig.a.link, rig_ip(OWN), 64), 0);
	advert("fe80::9", 10, 10, 10);
	rig_wait(&rig, 100 * BERTH_SEC);
	CHECK_EQ(path_to("2001:db8::1", &path), 0);
	CHECK(ip_is_local(rig.a.stack, rig_ip(OWN)));
	rig_down(&rig);
}

TEST(autoconf, a_router_that_is_silent_makes_room_for_another)
{
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	advert("fe80::9", 1800, 7200, 3600);
	advert("fe80::8", 1800, 7200, 3600);
	REQUIRE(path_to("2001:db8::1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("fe80::9")));
	CHECK_EQ(rig_send(&rig.a, "2001:db8::1", 10, false), 0);
	for (int i = 0; i < 20; i++)
		rig_wait(&rig, BERTH_SEC);
	REQUIRE(path_to("2001:db8::1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("fe80::8")));
	rig_down(&rig);
}

static void redirect6(const char *router, const char *target, const char *destination)
{
	uint8_t message[40] = { ICMP6_REDIRECT };

	memcpy(message + 8, rig_ip(target).bytes, 16);
	memcpy(message + 24, rig_ip(destination).bytes, 16);
	say6(router, "fd00::1", message, sizeof(message), 255);
}

TEST(redirect, the_router_in_use_may_redirect)
{
	struct ip_path path, before;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	advert("fe80::9", 1800, 7200, 3600);
	REQUIRE(path_to("2001:db8::1", &before) == 0);
	redirect6("fe80::8", "fe80::7", "2001:db8::1"); /* not in use */
	CHECK_EQ(COUNT(&rig.a, REDIRECT_DROP), 1);
	redirect6("fe80::9", "fe80::7", "2001:db8::1");
	CHECK_EQ(COUNT(&rig.a, REDIRECT_HEEDED), 1);
	CHECK(!ip_path_valid(rig.a.stack, &before));
	REQUIRE(path_to("2001:db8::1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("fe80::7")));
	REQUIRE(path_to("2001:db8::2", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("fe80::9")));
	redirect6("fe80::7", "2001:db8::1", "2001:db8::1"); /* the new one: it is your neighbour */
	REQUIRE(path_to("2001:db8::1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("2001:db8::1")));
	rig_wait(&rig, 601 * BERTH_SEC);
	REQUIRE(path_to("2001:db8::1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("fe80::9")));
	rig_down(&rig);
}

static void redirect4_code(uint8_t code, uint32_t router, uint32_t gateway, uint32_t source, uint32_t destination)
{
	struct wire_ethernet ethernet = { .destination = { 2, 0, 0, 0, 0, 1 }, .type = ETHERTYPE_IP4 };
	struct wire_ip4 ip4 = { .ttl = 64,
				.protocol = PROTOCOL_ICMP4,
				.total_length = 20 + 36,
				.source = ip_from_u32(router),
				.destination = ip_from_u32(0x0a000001) };
	struct wire_ip4 inner = { .ttl = 64,
				  .protocol = 17,
				  .total_length = 100,
				  .source = ip_from_u32(source),
				  .destination = ip_from_u32(destination) };
	struct wire_icmp icmp = { .type = ICMP4_REDIRECT, .code = code, .value = gateway };
	uint8_t bytes[14 + 20 + 36] = { 0 };

	memcpy(ethernet.source, router_mac, 6);
	wire_ethernet_build(bytes, &ethernet);
	wire_ip4_build(bytes + 14, &ip4);
	wire_ip4_build(bytes + 42, &inner);
	wire_icmp_build(bytes + 34, 36, 0, &icmp);
	rig_inject(&rig, &rig.a, bytes, sizeof(bytes));
}

static void redirect4(uint32_t router, uint32_t gateway, uint32_t source, uint32_t destination)
{
	redirect4_code(1, router, gateway, source, destination);
}

TEST(redirect, ipv4_asks_for_a_neighbour_and_a_packet_of_ours)
{
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	CHECK_EQ(berth_route_add(rig.a.stack, ip_from_u32(0), 0, rig_ip("10.0.0.9"), rig.a.link), 0);
	redirect4(0x0a000008, 0x0a000007, 0x0a000001, 0x08080808); /* not the router in use */
	redirect4(0x0a000009, 0x0b000007, 0x0a000001, 0x08080808); /* not a neighbour */
	redirect4(0x0a000009, 0x0a000001, 0x0a000001, 0x08080808); /* ourselves */
	CHECK_EQ(COUNT(&rig.a, REDIRECT_DROP), 3);
	redirect4(0x0a000009, 0x0a000007, 0x0a000002, 0x08080808); /* another's packet */
	CHECK_EQ(COUNT(&rig.a, ICMP_DROP_MALFORMED), 1);
	REQUIRE(path_to("8.8.8.8", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.9")));
	redirect4(0x0a000009, 0x0a000007, 0x0a000001, 0x08080808);
	REQUIRE(path_to("8.8.8.8", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.7")));
	CHECK_EQ(rig_send(&rig.a, "8.8.8.8", 10, false), 0);
	for (int i = 0; i < 10; i++)
		rig_wait(&rig, BERTH_SEC);
	REQUIRE(path_to("8.8.8.8", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.9"))); /* nobody was there */
	rig_down(&rig);
}

TEST(redirect, ipv4_redirects_of_nets_are_those_of_hosts)
{
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD | BERTH_LINK_AUTOCONF);
	CHECK_EQ(berth_route_add(rig.a.stack, ip_from_u32(0), 0, rig_ip("10.0.0.9"), rig.a.link), 0);
	for (uint8_t code = 0; code < 4; code++) {
		redirect4_code(code, 0x0a000009, 0x0a000007, 0x0a000001, 0x08080800u + code);
		REQUIRE(ip_path_find(rig.a.stack, ip_from_u32(0x08080800u + code), ip_any, NULL, &path) == 0);
		CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.7")));
	}
	REQUIRE(path_to("8.8.8.9", &path) == 0); /* of the net's other hosts nothing was said */
	CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.9")));
	rig_down(&rig);
}

TEST(redirect, none_counts_where_routers_are_not_heeded)
{
	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD);
	CHECK_EQ(berth_route_add(rig.a.stack, ip_from_u32(0), 0, rig_ip("10.0.0.9"), rig.a.link), 0);
	redirect4(0x0a000009, 0x0a000007, 0x0a000001, 0x08080808);
	CHECK_EQ(COUNT(&rig.a, REDIRECT_DROP), 1);
	rig_down(&rig);
}

TEST(redirect, a_working_path_needs_no_probes)
{
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD);
	CHECK_EQ(rig_send(&rig.a, "10.0.0.2", 10, false), 0);
	rig_settle(&rig);
	REQUIRE(path_to("10.0.0.2", &path) == 0);
	for (int i = 0; i < 300; i++) {
		rig_wait(&rig, BERTH_SEC);
		ip_path_confirm(&path, ip_any);
		CHECK_EQ(rig_send(&rig.a, "10.0.0.2", 10, false), 0);
		CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 10.0.0.2: protocol 200 length 10");
		CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	}
	rig_down(&rig);
}
