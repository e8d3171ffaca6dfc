/* SPDX-License-Identifier: BSD-2-Clause */
/* A stack between two others: a is the router, b one neighbour, the test itself is everyone else. */
#include "rig.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/show.h"
#include "wire/tcp.h"

#include <errno.h>

static struct rig rig;
static struct packet_queue out; /* what a sends by its second link */
static struct berth_link *second;
static char text[256];

static void on_second(void *context, struct berth_packet *packet)
{
	packet_queue_push(&out, packet);
}

/* a gets a second link, 10.1.0.1/16 and fd01::1/64, and is a router. */
static void up(unsigned mtu, unsigned first_flags, unsigned second_flags)
{
	struct berth_link_config config = { .name = "eth1",
					    .type = BERTH_LINK_IP,
					    .mtu = mtu,
					    .flags = second_flags | BERTH_LINK_NO_DAD,
					    .transmit = on_second };

	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD | first_flags;
	rig.type = BERTH_LINK_IP;
	rig_up(&rig);
	CHECK_EQ(berth_link_add(rig.a.stack, &config, &second), 0);
	CHECK_EQ(berth_link_add_address(second, rig_ip("10.1.0.1"), 16), 0);
	CHECK_EQ(berth_link_add_address(second, rig_ip("fd01::1"), 64), 0);
	berth_stack_set_forwarding(rig.a.stack, true);
}

static void down(void)
{
	rig_down(&rig);
	packet_queue_clear(&out);
}

static const char *take(struct packet_queue *queue)
{
	struct berth_packet *packet = packet_queue_pop(queue);

	if (!packet)
		return "nothing";
	wire_show(packet->data, packet->length, BERTH_LINK_IP, text, sizeof(text));
	berth_packet_unref(packet);
	return text;
}

/* A packet of length payload bytes arrives at a's first link. */
static void arrive(const char *source, const char *destination, uint8_t ttl, size_t length, bool dont_fragment)
{
	static uint8_t bytes[4000];
	struct wire_ip4 ip4 = { .ttl = ttl,
				.protocol = 99,
				.total_length = (uint16_t)(20 + length),
				.id = 7,
				.dont_fragment = dont_fragment };
	struct wire_ip6 ip6 = { .hop_limit = ttl, .next_header = 99, .payload_length = (uint16_t)length };

	ip4.source = ip6.source = rig_ip(source);
	ip4.destination = ip6.destination = rig_ip(destination);
	for (size_t i = 0; i < length; i++)
		bytes[40 + i] = (uint8_t)i;
	if (ip_is4(ip4.source))
		wire_ip4_build(bytes + 20, &ip4);
	else
		wire_ip6_build(bytes, &ip6);
	if (ip_is4(ip4.source))
		rig_inject(&rig, &rig.a, bytes + 20, 20 + length);
	else
		rig_inject(&rig, &rig.a, bytes, 40 + length);
}

TEST(forward, packets_go_on_with_a_hop_less)
{
	up(1500, 0, 0);
	arrive("10.0.0.2", "10.1.0.9", 64, 100, true);
	REQUIRE(out.head);
	CHECK_EQ(out.head->data[8], 63);
	CHECK(wire_ip4_checksum_ok(out.head->data, 20));
	CHECK_STR(take(&out), "IP 10.0.0.2 > 10.1.0.9: protocol 99 length 100");
	arrive("fd00::2", "fd01::9", 64, 100, true);
	REQUIRE(out.head);
	CHECK_EQ(out.head->data[7], 63);
	CHECK_STR(take(&out), "IP6 fd00::2 > fd01::9: protocol 99 length 100");
	CHECK_EQ(COUNT(&rig.a, IP_FORWARDED), 2);
	berth_stack_set_forwarding(rig.a.stack, false);
	arrive("10.0.0.2", "10.1.0.9", 64, 100, true);
	CHECK_STR(take(&out), "nothing");
	CHECK_EQ(COUNT(&rig.a, IP_DROP_NOT_FOR_US), 1);
	down();
}

TEST(forward, hops_run_out)
{
	up(1500, 0, 0);
	arrive("10.0.0.2", "10.1.0.9", 1, 10, true);
	CHECK_STR(take(&rig.a.sent), "IP 10.0.0.1 > 10.0.0.2: ICMP time exceeded length 38");
	arrive("fd00::2", "fd01::9", 1, 10, true);
	CHECK_STR(take(&rig.a.sent), "IP6 fd00::1 > fd00::2: ICMP6 time exceeded length 58");
	CHECK_STR(take(&out), "nothing");
	CHECK_EQ(COUNT(&rig.a, IP_DROP_TTL), 2);
	arrive("10.0.0.2", "10.0.0.1", 1, 10, true); /* for us: no matter */
	CHECK_EQ(COUNT(&rig.a, IP_DROP_TTL), 2);
	down();
}

TEST(forward, no_way_is_told)
{
	up(1500, 0, 0);
	arrive("10.0.0.2", "8.8.8.8", 64, 10, true);
	CHECK_STR(take(&rig.a.sent), "IP 10.0.0.1 > 10.0.0.2: ICMP unreachable length 38");
	arrive("fd00::2", "2001:db8::1", 64, 10, true);
	CHECK_STR(take(&rig.a.sent), "IP6 fd00::1 > fd00::2: ICMP6 unreachable length 58");
	down();
}

TEST(forward, too_big_is_told_with_the_size_that_fits)
{
	up(1300, 0, 0);
	arrive("10.0.0.2", "10.1.0.9", 64, 1400, true);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(get_be32(rig.a.sent.head->data + 24), 1300);
	CHECK_STR(take(&rig.a.sent), "IP 10.0.0.1 > 10.0.0.2: ICMP unreachable code 4 length 556");
	arrive("fd00::2", "fd01::9", 64, 1400, true);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(get_be32(rig.a.sent.head->data + 44), 1300);
	CHECK_STR(take(&rig.a.sent), "IP6 fd00::1 > fd00::2: ICMP6 packet too big length 1240");
	CHECK_STR(take(&out), "nothing");
	down();
}

TEST(forward, ipv4_may_be_cut)
{
	up(600, 0, 0);
	arrive("10.0.0.2", "10.1.0.9", 64, 1400, false);
	CHECK_STR(take(&out), "IP (fragment 576@0+ id 7) 10.0.0.2 > 10.1.0.9: protocol 99 length 576");
	CHECK_STR(take(&out), "IP (fragment 576@576+ id 7) 10.0.0.2 > 10.1.0.9: protocol 99");
	REQUIRE(out.head);
	CHECK(wire_ip4_checksum_ok(out.head->data, 20));
	CHECK_EQ(out.head->data[20], 1152 & 255);
	CHECK_STR(take(&out), "IP (fragment 248@1152 id 7) 10.0.0.2 > 10.1.0.9: protocol 99");
	down();
}

TEST(forward, what_belongs_to_a_link_stays_there)
{
	up(1500, 0, 0);
	arrive("10.0.0.2", "224.0.0.5", 64, 10, true);
	arrive("10.0.0.2", "169.254.1.1", 64, 10, true);
	arrive("169.254.1.1", "10.1.0.9", 64, 10, true);
	arrive("10.0.0.2", "127.0.0.1", 64, 10, true);
	arrive("127.0.0.1", "10.1.0.9", 64, 10, true);
	arrive("0.0.0.0", "10.1.0.9", 64, 10, true);
	arrive("10.0.0.1", "10.1.0.9", 64, 10, true); /* in our own name */
	arrive("fe80::2", "fd01::9", 64, 10, true);
	arrive("fd00::2", "fe80::9", 64, 10, true);
	arrive("fd00::2", "ff05::9", 64, 10, true);
	arrive("::", "fd01::9", 64, 10, true);
	CHECK_STR(take(&out), "nothing");
	CHECK_STR(take(&rig.a.sent), "nothing");
	CHECK_EQ(COUNT(&rig.a, IP_DROP_NOT_FOR_US), 11);
	down();
}

/* A run of three TCP segments, without a checksum, from a trusting link. */
static void arrive_run(void)
{
	struct wire_ip4 ip4 = { .ttl = 64, .protocol = PROTOCOL_TCP, .total_length = 40 + 2500, .dont_fragment = true };
	uint8_t bytes[40 + 2500] = { 0 };
	struct berth_packet *packet;

	ip4.source = rig_ip("10.0.0.2");
	ip4.destination = rig_ip("10.1.0.9");
	wire_ip4_build(bytes, &ip4);
	put_be32(bytes + 24, 1000);
	bytes[32] = 0x50;
	bytes[33] = WIRE_TCP_ACK | WIRE_TCP_PSH | WIRE_TCP_FIN | WIRE_TCP_CWR;
	packet = berth_packet_copy(rig.a.stack->packets, bytes, sizeof(bytes));
	packet->segment_size = 1000;
	berth_stack_input(rig.a.stack, rig.a.link, packet, rig.now);
}

TEST(forward, runs_are_cut_and_summed_for_a_link_that_asks_for_it)
{
	static const uint8_t flags[] = { WIRE_TCP_ACK | WIRE_TCP_CWR, WIRE_TCP_ACK,
					 WIRE_TCP_ACK | WIRE_TCP_PSH | WIRE_TCP_FIN };

	up(1500, BERTH_LINK_NO_CHECKSUMS, 0);
	arrive_run();
	CHECK_EQ(out.count, 3);
	for (unsigned i = 0; out.head && i < 3; i++) {
		const struct berth_packet *part = out.head;

		CHECK_EQ(part->length, i < 2 ? 1040 : 540);
		CHECK_EQ(get_be32(part->data + 24), 1000 + i * 1000);
		CHECK_EQ(part->data[33], flags[i]);
		CHECK(wire_ip4_checksum_ok(part->data, 20));
		CHECK_EQ(checksum_finish(checksum_add(
				 ip_pseudo_sum(rig_ip("10.0.0.2"), rig_ip("10.1.0.9"), PROTOCOL_TCP, part->length - 20),
				 part->data + 20, part->length - 20)),
			 0);
		take(&out);
	}
	down();
}

TEST(forward, runs_pass_whole_where_they_may)
{
	up(1500, BERTH_LINK_NO_CHECKSUMS, BERTH_LINK_NO_CHECKSUMS);
	berth_link_set_superframe(second, 65535);
	arrive_run();
	REQUIRE(out.count == 1);
	CHECK_EQ(out.head->length, 2540);
	CHECK_EQ(out.head->segment_size, 1000);
	down();
}

/* Three datagrams as one packet of 40 bytes each, far less than the MTU. */
static void arrive_udp_run(void)
{
	struct wire_ip4 ip4 = { .ttl = 64, .protocol = PROTOCOL_UDP, .total_length = 28 + 100, .dont_fragment = true };
	uint8_t bytes[28 + 100] = { [21] = 9, [23] = 53, [25] = 108 };
	struct berth_packet *packet;

	ip4.source = rig_ip("10.0.0.2");
	ip4.destination = rig_ip("10.1.0.9");
	wire_ip4_build(bytes, &ip4);
	packet = berth_packet_copy(rig.a.stack->packets, bytes, sizeof(bytes));
	packet->segment_size = 40;
	berth_stack_input(rig.a.stack, rig.a.link, packet, rig.now);
}

TEST(forward, runs_of_datagrams_stay_datagrams)
{
	up(1500, BERTH_LINK_NO_CHECKSUMS, 0);
	berth_link_set_superframe(second, 65535); /* TCP's only */
	arrive_udp_run();
	CHECK_EQ(out.count, 3);
	for (unsigned i = 0; out.head && i < 3; i++) {
		const struct berth_packet *part = out.head;

		CHECK_EQ(part->length, i < 2 ? 68 : 48);
		CHECK_EQ(get_be16(part->data + 24), part->length - 20);
		CHECK_EQ(checksum_finish(checksum_add(
				 ip_pseudo_sum(rig_ip("10.0.0.2"), rig_ip("10.1.0.9"), PROTOCOL_UDP, part->length - 20),
				 part->data + 20, part->length - 20)),
			 0);
		take(&out);
	}
	berth_link_set_udp_runs(second, true);
	arrive_udp_run();
	REQUIRE(out.count == 1);
	CHECK_EQ(out.head->segment_size, 40);
	down();
}

TEST(forward, a_neighbour_that_is_not_there_is_told_to_the_sender)
{
	struct berth_link_config config = { .name = "eth2",
					    .type = BERTH_LINK_ETHERNET,
					    .mac = { 2, 0, 0, 0, 7, 7 },
					    .flags = BERTH_LINK_NO_DAD,
					    .transmit = on_second };
	struct berth_link *third;

	up(1500, 0, 0);
	CHECK_EQ(berth_link_add(rig.a.stack, &config, &third), 0);
	CHECK_EQ(berth_link_add_address(third, rig_ip("10.2.0.1"), 16), 0);
	arrive("10.0.0.2", "10.2.0.9", 64, 10, true);
	for (int i = 0; i < 5; i++)
		berth_stack_advance(rig.a.stack, rig.now += BERTH_SEC);
	CHECK_STR(take(&rig.a.sent), "IP 10.0.0.1 > 10.0.0.2: ICMP unreachable code 1 length 38");
	down();
}

TEST(forward, noise_is_survived)
{
	struct random random;

	random_init(&random, 5);
	up(576, BERTH_LINK_NO_CHECKSUMS, 0);
	for (int i = 0; i < 20000; i++) {
		struct wire_ip4 ip4 = { .ttl = (uint8_t)random_below(&random, 4),
					.protocol = i % 2 ? 6 : 17,
					.dont_fragment = i % 3 };
		struct berth_packet *packet;
		uint8_t bytes[1500];
		size_t length = 20 + (size_t)random_below(&random, sizeof(bytes) - 20);

		for (size_t at = 0; at < sizeof(bytes); at++)
			bytes[at] = (uint8_t)random_below(&random, 256);
		ip4.total_length = (uint16_t)length;
		ip4.source = rig_ip("10.0.0.2");
		ip4.destination = rig_ip("10.1.0.9");
		wire_ip4_build(bytes, &ip4);
		if (i % 5 == 0)
			bytes[0] = (uint8_t)(0x40 | (5 + random_below(&random, 11)));
		if (i % 7 == 0)
			bytes[(size_t)random_below(&random, 20)] = (uint8_t)random_below(&random, 256);
		packet = berth_packet_copy(rig.a.stack->packets, bytes, length);
		packet->segment_size = (uint16_t)(i % 4 ? 0 : random_below(&random, 2000));
		berth_stack_input(rig.a.stack, rig.a.link, packet, rig.now);
		packet_queue_clear(&out);
		packet_queue_clear(&rig.a.sent);
	}
	CHECK(COUNT(&rig.a, IP_FORWARDED) > 1000);
	down();
}
