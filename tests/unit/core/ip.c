/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes through the network layer, what is stopped and by which name. */
#include "rig.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/show.h"

#include <errno.h>
#include <stdlib.h>

static struct rig rig;
static char text[256];

static void up(enum berth_link_type type)
{
	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig.type = type;
	rig_up(&rig);
}

static const char *answer(void)
{
	const struct berth_packet *packet = rig.a.sent.head;

	return packet ? wire_show(packet->data, packet->length, rig.type, text, sizeof(text)) : "nothing";
}

/* A v4 packet from 10.0.0.2 to 10.0.0.1 arrives at a; the caller changed what it wants changed. */
static struct wire_ip4 from_b(void)
{
	return (struct wire_ip4){ .ttl = 64,
				  .protocol = RIG_PROTOCOL,
				  .source = ip_from_u32(0x0a000002),
				  .destination = ip_from_u32(0x0a000001) };
}

static void arrive4(struct wire_ip4 ip4, const void *payload, size_t length)
{
	uint8_t bytes[2048];

	ip4.total_length = (uint16_t)(WIRE_IP4_LENGTH + length);
	wire_ip4_build(bytes, &ip4);
	memcpy(bytes + WIRE_IP4_LENGTH, payload, length);
	rig_inject(&rig, &rig.a, bytes, WIRE_IP4_LENGTH + length);
}

static void arrive6(uint8_t next_header, const void *payload, size_t length)
{
	struct wire_ip6 ip6 = { .next_header = next_header,
				.hop_limit = 64,
				.payload_length = (uint16_t)length,
				.source = rig_ip("fd00::2"),
				.destination = rig_ip("fd00::1") };
	uint8_t bytes[2048];

	wire_ip6_build(bytes, &ip6);
	memcpy(bytes + WIRE_IP6_LENGTH, payload, length);
	rig_inject(&rig, &rig.a, bytes, WIRE_IP6_LENGTH + length);
}

static const uint8_t nothing[1500];

TEST(ip, packets_pass_both_versions_with_what_ip_knows)
{
	up(BERTH_LINK_IP);
	CHECK_EQ(rig_send(&rig.a, "10.0.0.2", 1480, true), 0);
	rig_settle(&rig);
	CHECK_EQ(rig.b.received, 1);
	CHECK(rig_pattern_ok(&rig.b));
	CHECK(ip_equal(rig.b.info.source, rig_ip("10.0.0.1")));
	CHECK(ip_equal(rig.b.info.destination, rig_ip("10.0.0.2")));
	CHECK_EQ(rig.b.info.ttl, 64);
	CHECK(!rig.b.info.multicast);
	CHECK(!rig.b.info.checked);
	CHECK_EQ(rig_send(&rig.a, "fd00::2", 1460, true), 0);
	rig_settle(&rig);
	CHECK_EQ(rig.b.received, 2);
	CHECK(ip_equal(rig.b.info.source, rig_ip("fd00::1")));
	rig_down(&rig);
}

TEST(ip, what_we_send_to_ourselves_comes_back_checked)
{
	static const char *const own[] = { "10.0.0.1", "127.0.0.1", "127.1.2.3", "::1", "fd00::1" };

	up(BERTH_LINK_ETHERNET);
	for (unsigned i = 0; i < COUNT_OF(own); i++) {
		CHECK_EQ(rig_send(&rig.a, own[i], 30000, false), 0);
		rig_settle(&rig);
		CHECK_EQ(rig.a.received, i + 1);
		CHECK_EQ(rig.a.length, 30000);
		CHECK(rig.a.info.checked);
		CHECK(rig.a.info.link->loopback);
	}
	CHECK_EQ(COUNT(&rig.b, LINK_IN), 0);
	rig_down(&rig);
}

TEST(ip, what_is_too_big_and_not_to_be_fragmented_fails)
{
	up(BERTH_LINK_IP);
	CHECK_EQ(rig_send(&rig.a, "10.0.0.2", 1481, true), -EMSGSIZE);
	CHECK_EQ(rig_send(&rig.a, "fd00::2", 1461, true), -EMSGSIZE);
	CHECK_EQ(rig_send(&rig.a, "10.0.0.2", 65516, false), -EMSGSIZE);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_TOO_BIG), 3);
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

TEST(ip, a_packet_without_headroom_or_shared_is_copied)
{
	struct ip_send send = { .source = ip_from_u32(0x0a000001),
				.destination = ip_from_u32(0x0a000002),
				.protocol = RIG_PROTOCOL };
	struct berth_packet *packet;
	struct ip_path path;

	up(BERTH_LINK_ETHERNET);
	REQUIRE(ip_path_find(rig.a.stack, send.destination, ip_any, NULL, &path) == 0);
	packet = berth_packet_new(rig.a.stack->packets, 3, 100);
	memset(berth_packet_put(packet, 100), 7, 100);
	berth_packet_ref(packet);
	CHECK_EQ(ip_send(rig.a.stack, packet, &path, &send), 0);
	rig_settle(&rig);
	CHECK_EQ(rig.b.received, 1);
	CHECK_EQ(rig.b.length, 100);
	CHECK_EQ(packet->length, 100);
	CHECK_EQ(packet->refs, 1);
	berth_packet_unref(packet);
	rig_down(&rig);
}

TEST(ip, a_superframe_passes_whole_where_the_link_takes_it)
{
	struct ip_send send = { .source = ip_from_u32(0x0a000001),
				.destination = ip_from_u32(0x0a000002),
				.protocol = RIG_PROTOCOL,
				.dont_fragment = true };
	struct ip_path path;

	up(BERTH_LINK_IP);
	for (int takes = 0; takes < 2; takes++) {
		struct berth_packet *packet = berth_packet_new(rig.a.stack->packets, PACKET_HEADROOM, 60000);

		berth_packet_put(packet, 60000);
		packet->segment_size = 1400;
		berth_link_set_superframe(rig.a.link, takes ? 65536 : 0);
		REQUIRE(ip_path_find(rig.a.stack, send.destination, ip_any, NULL, &path) == 0);
		CHECK_EQ(ip_send(rig.a.stack, packet, &path, &send), takes ? 0 : -EMSGSIZE);
	}
	REQUIRE(rig.a.sent.count == 1);
	CHECK_EQ(rig.a.sent.head->segment_size, 1400);
	CHECK_EQ(rig.a.sent.head->length, 60020);
	rig_down(&rig);
}

TEST(ip, bad_headers_are_dropped_by_name)
{
	uint8_t bytes[40] = { 0 };
	struct wire_ip4 ip4 = from_b();

	up(BERTH_LINK_IP);
	rig_inject(&rig, &rig.a, bytes, 0);
	rig_inject(&rig, &rig.a, bytes, 40);
	ip4.total_length = 41;
	wire_ip4_build(bytes, &ip4);
	rig_inject(&rig, &rig.a, bytes, 40);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_MALFORMED), 3);
	ip4.total_length = 40;
	wire_ip4_build(bytes, &ip4);
	bytes[10] ^= 1;
	rig_inject(&rig, &rig.a, bytes, 40);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_CHECKSUM), 1);
	CHECK_EQ(rig.a.received, 0);
	rig_down(&rig);
}

TEST(ip, padding_behind_the_packet_is_cut_off)
{
	uint8_t bytes[60] = { 0 };
	struct wire_ip4 ip4 = from_b();

	up(BERTH_LINK_IP);
	ip4.total_length = 24;
	wire_ip4_build(bytes, &ip4);
	rig_inject(&rig, &rig.a, bytes, 60);
	CHECK_EQ(rig.a.length, 4);
	rig_down(&rig);
}

TEST(ip, sources_that_no_host_may_have_are_dropped)
{
	static const uint32_t bad[] = { 0xe0000001, 0xffffffff, 0x7f000001, 0x0a0000ff, 0x0a000001, 0 };
	struct wire_ip4 ip4 = from_b();

	up(BERTH_LINK_IP);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		ip4.source = ip_from_u32(bad[i]);
		arrive4(ip4, nothing, 8);
	}
	CHECK_EQ(COUNT(&rig.a, IP_DROP_SOURCE), COUNT_OF(bad));
	CHECK_EQ(rig.a.received, 0);
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

TEST(ip, others_packets_are_not_ours)
{
	static const uint32_t others[] = { 0x0a000003, 0x7f000001, 0xe0000009 };
	struct wire_ip4 ip4 = from_b();

	up(BERTH_LINK_IP);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		ip4.destination = ip_from_u32(others[i]);
		arrive4(ip4, nothing, 8);
	}
	CHECK_EQ(COUNT(&rig.a, IP_DROP_NOT_FOR_US), 3);
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

TEST(ip, frames_for_others_and_from_ourselves_are_dropped)
{
	uint8_t frame[14 + 40] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 2, 8, 0 };

	up(BERTH_LINK_ETHERNET);
	rig_inject(&rig, &rig.a, frame, sizeof(frame));
	frame[5] = 1;
	frame[11] = 1;
	rig_inject(&rig, &rig.a, frame, sizeof(frame));
	CHECK_EQ(COUNT(&rig.a, LINK_DROP_NOT_FOR_US), 2);
	frame[11] = 2;
	frame[12] = 0x88;
	rig_inject(&rig, &rig.a, frame, sizeof(frame));
	CHECK_EQ(COUNT(&rig.a, LINK_DROP_TYPE), 1);
	rig_inject(&rig, &rig.a, frame, 13);
	CHECK_EQ(COUNT(&rig.a, LINK_DROP_SHORT), 1);
	rig_down(&rig);
}

TEST(ip, a_packet_to_us_in_a_frame_to_all_is_dropped)
{
	uint8_t frame[14 + 28] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 0 };
	struct wire_ip4 ip4 = from_b();

	up(BERTH_LINK_ETHERNET);
	ip4.total_length = 28;
	wire_ip4_build(frame + 14, &ip4);
	rig_inject(&rig, &rig.a, frame, sizeof(frame));
	CHECK_EQ(COUNT(&rig.a, IP_DROP_NOT_FOR_US), 1);
	rig_down(&rig);
}

TEST(ip, source_routed_packets_are_dropped)
{
	uint8_t bytes[28] = { 0 };
	struct wire_ip4 ip4 = from_b();

	up(BERTH_LINK_IP);
	ip4.total_length = 28;
	wire_ip4_build(bytes, &ip4);
	bytes[0] = 0x46;
	memcpy(bytes + 20, "\x83\x03\x04\x00", 4);
	put_be16(bytes + 10, 0);
	put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, 24)));
	rig_inject(&rig, &rig.a, bytes, sizeof(bytes));
	CHECK_EQ(COUNT(&rig.a, IP_DROP_OPTION), 1);
	memcpy(bytes + 20, "\x94\x04\x00\x00", 4); /* router alert: skipped */
	put_be16(bytes + 10, 0);
	put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, 24)));
	rig_inject(&rig, &rig.a, bytes, sizeof(bytes));
	CHECK_EQ(rig.a.received, 1);
	CHECK_EQ(rig.a.length, 4);
	rig_down(&rig);
}

TEST(ip6, extension_headers_are_walked)
{
	uint8_t chain[8 + 8 + 8 + 8] = { PROTOCOL_DESTINATION_OPTIONS, 0, 1, 4 };

	up(BERTH_LINK_IP);
	memcpy(chain + 8, (uint8_t[]){ PROTOCOL_ROUTING, 0, 1, 4 }, 4);
	memcpy(chain + 16, (uint8_t[]){ RIG_PROTOCOL, 0, 0, 0 }, 4);
	arrive6(PROTOCOL_HOP_BY_HOP, chain, sizeof(chain));
	CHECK_EQ(rig.a.received, 1);
	CHECK_EQ(rig.a.length, 8);
	CHECK_EQ(rig.a.info.protocol, RIG_PROTOCOL);
	rig_down(&rig);
}

TEST(ip6, what_stops_a_chain_of_headers)
{
	up(BERTH_LINK_IP);
	arrive6(PROTOCOL_ROUTING, (uint8_t[16]){ RIG_PROTOCOL, 0, 0, 1 }, 16); /* a stop left to visit */
	CHECK_STR(answer(), "IP6 fd00::1 > fd00::2: ICMP6 parameter problem length 64");
	CHECK_EQ(get_be32(rig.a.sent.head->data + 44), 42);
	packet_queue_clear(&rig.a.sent);
	arrive6(PROTOCOL_DESTINATION_OPTIONS, (uint8_t[16]){ RIG_PROTOCOL, 0, 0x9e, 0 }, 16);
	CHECK_STR(answer(), "IP6 fd00::1 > fd00::2: ICMP6 parameter problem code 2 length 64");
	packet_queue_clear(&rig.a.sent);
	arrive6(PROTOCOL_DESTINATION_OPTIONS, (uint8_t[16]){ RIG_PROTOCOL, 0, 0x5e, 0 }, 16);
	CHECK_STR(answer(), "nothing");
	CHECK_EQ(COUNT(&rig.a, IP_DROP_OPTION), 3);
	arrive6(PROTOCOL_DESTINATION_OPTIONS, (uint8_t[16]){ PROTOCOL_HOP_BY_HOP, 0, 1, 4 }, 16);
	CHECK_STR(answer(), "IP6 fd00::1 > fd00::2: ICMP6 parameter problem code 1 length 64");
	packet_queue_clear(&rig.a.sent);
	arrive6(PROTOCOL_NONE, nothing, 8);
	arrive6(PROTOCOL_ROUTING, (uint8_t[8]){ RIG_PROTOCOL, 9 }, 8);
	CHECK_STR(answer(), "nothing");
	CHECK_EQ(rig.a.received, 0);
	rig_down(&rig);
}

TEST(ip6, an_endless_chain_ends)
{
	uint8_t chain[8 * 40] = { 0 };

	up(BERTH_LINK_IP);
	for (size_t at = 0; at < sizeof(chain); at += 8)
		chain[at] = PROTOCOL_DESTINATION_OPTIONS;
	arrive6(PROTOCOL_DESTINATION_OPTIONS, chain, sizeof(chain));
	CHECK_EQ(COUNT(&rig.a, IP_DROP_OPTION), 1);
	rig_down(&rig);
}

TEST(ip, noise_is_survived)
{
	static const uint8_t protocols[] = { 0, 1, 43, 44, 58, 60, 200 };
	struct random random;

	up(BERTH_LINK_IP);
	random_init(&random, 11);
	for (int i = 0; i < 30000; i++) {
		uint8_t bytes[128];
		size_t length = 20 + (size_t)random_below(&random, sizeof(bytes) - 20);
		struct wire_ip4 ip4 = from_b();

		for (size_t at = 0; at < sizeof(bytes); at++)
			bytes[at] = (uint8_t)random_below(&random, i % 3 ? 256 : 4);
		if (i % 2) {
			ip4.protocol = protocols[random_below(&random, sizeof(protocols))];
			ip4.offset = i % 5 ? 0 : (uint16_t)(8 * random_below(&random, 20));
			ip4.more_fragments = i % 7 == 0;
			arrive4(ip4, bytes, length - 20);
		} else {
			arrive6(protocols[random_below(&random, sizeof(protocols))], bytes, length);
		}
		packet_queue_clear(&rig.a.sent);
	}
	rig_run(&rig, 70 * BERTH_SEC);
	rig_down(&rig);
}

static struct random luck;

static void *alloc_by_luck(void *context, size_t size)
{
	return *(bool *)context && random_below(&luck, 3) == 0 ? NULL : malloc(size);
}

static void free_any(void *context, void *memory, size_t size)
{
	free(memory);
}

TEST(ip, want_of_memory_is_survived)
{
	static const char *const destinations[] = { "10.0.0.2", "fd00::2", "10.0.0.9", "fd00::9", "127.0.0.1" };
	bool scarce = false;
	struct berth_allocator allocator = { alloc_by_luck, free_any, &scarce };

	random_init(&luck, 5);
	memset(&rig, 0, sizeof(rig));
	rig.allocator = &allocator;
	rig_up(&rig);
	scarce = true;
	for (int i = 0; i < 3000; i++) {
		struct berth_ip ip = ip_from_u32(0x0a000100 + (uint32_t)i % 20);

		rig_send(&rig.a, destinations[i % COUNT_OF(destinations)], i % 3 ? 100 : 4000, false);
		berth_link_add_address(rig.b.link, i % 2 ? ip : rig_ip("fd00::77"), 64 - 40 * (i % 2));
		berth_link_remove_address(rig.b.link, i % 4 < 2 ? ip : rig_ip("fd00::77"));
		rig_run(&rig, BERTH_SEC);
	}
	CHECK(rig.b.received > 0);
	rig_down(&rig);
}
