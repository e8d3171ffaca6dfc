/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragmentation and reassembly. */
#include "rig.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/show.h"

static struct rig rig;

static void up(unsigned mtu, unsigned reassemblies)
{
	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig.type = BERTH_LINK_IP;
	rig.mtu = mtu;
	rig.limits.reassemblies = reassemblies;
	rig_up(&rig);
}

/* A fragment arrives at a: its bytes continue the pattern of rig_send(). */
static void arrive(bool v4, uint32_t id, unsigned offset, unsigned length, bool more)
{
	struct wire_ip4 ip4 = { .ttl = 64,
				.protocol = RIG_PROTOCOL,
				.id = (uint16_t)id,
				.offset = (uint16_t)offset,
				.more_fragments = more,
				.total_length = (uint16_t)(20 + length),
				.source = ip_from_u32(0x0a000002),
				.destination = ip_from_u32(0x0a000001) };
	struct wire_ip6 ip6 = { .next_header = PROTOCOL_FRAGMENT,
				.hop_limit = 64,
				.payload_length = (uint16_t)(8 + length),
				.source = rig_ip("fd00::2"),
				.destination = rig_ip("fd00::1") };
	struct wire_fragment fragment = { RIG_PROTOCOL, (uint16_t)offset, more, id };
	size_t header = v4 ? 20 : 48;
	uint8_t bytes[2048];

	if (v4) {
		wire_ip4_build(bytes, &ip4);
	} else {
		wire_ip6_build(bytes, &ip6);
		wire_fragment_build(bytes + 40, &fragment);
	}
	for (unsigned i = 0; i < length; i++)
		bytes[header + i] = (uint8_t)((offset + i) % 251);
	rig_inject(&rig, &rig.a, bytes, header + length);
}

TEST(fragment, large_datagrams_pass_in_pieces)
{
	static const char *const destinations[] = { "10.0.0.2", "fd00::2" };
	static const size_t sizes[] = { 1481, 1480 + 1480, 8000, 65515 };

	for (size_t d = 0; d < 2; d++) {
		for (size_t i = 0; i < COUNT_OF(sizes); i++) {
			up(1500, 0);
			CHECK_EQ(rig_send(&rig.a, destinations[d], sizes[i], false), 0);
			CHECK(rig.a.sent.count >= 2);
			CHECK_EQ(COUNT(&rig.a, IP_FRAGMENTED), 1);
			for (struct berth_packet *p = rig.a.sent.head; p; p = p->next)
				CHECK(p->length <= 1500);
			rig_settle(&rig);
			CHECK_EQ(rig.b.received, 1);
			CHECK_EQ(rig.b.length, sizes[i]);
			CHECK(rig_pattern_ok(&rig.b));
			CHECK_EQ(COUNT(&rig.b, IP_REASSEMBLED), 1);
			rig_down(&rig);
		}
	}
}

TEST(fragment, any_order_will_do)
{
	static const unsigned orders[][4] = { { 3, 2, 1, 0 }, { 1, 3, 0, 2 }, { 0, 2, 1, 3 }, { 3, 0, 1, 2 } };

	for (int v4 = 0; v4 < 2; v4++) {
		up(1500, 0);
		for (unsigned i = 0; i < COUNT_OF(orders); i++) {
			for (unsigned j = 0; j < 4; j++)
				arrive(v4, i, orders[i][j] * 80, orders[i][j] == 3 ? 77 : 80, orders[i][j] != 3);
			CHECK_EQ(rig.a.received, i + 1);
			CHECK_EQ(rig.a.length, 317);
			CHECK(rig_pattern_ok(&rig.a));
		}
		CHECK_EQ(rig.a.info.ttl, 64);
		CHECK(berth_stack_deadline(rig.a.stack) == BERTH_NEVER); /* nothing is kept */
		rig_down(&rig);
	}
}

TEST(fragment, exact_duplicates_are_ignored)
{
	up(1500, 0);
	arrive(true, 1, 0, 80, true);
	arrive(true, 1, 0, 80, true);
	arrive(true, 1, 80, 80, false);
	CHECK_EQ(rig.a.received, 1);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_DUPLICATE), 1);
	rig_down(&rig);
}

TEST(fragment, overlaps_end_the_datagram_for_good)
{
	for (int v4 = 0; v4 < 2; v4++) {
		up(1500, 0);
		arrive(v4, 1, 0, 80, true);
		arrive(v4, 1, 72, 80, true);
		arrive(v4, 1, 80, 80, false);
		arrive(v4, 1, 0, 80, true); /* late ones of it are dropped, too */
		arrive(v4, 1, 80, 80, false);
		CHECK_EQ(rig.a.received, 0);
		CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_OVERLAP), 4);
		arrive(v4, 2, 0, 80, true);
		arrive(v4, 2, 80, 80, false);
		CHECK_EQ(rig.a.received, 1);
		rig_down(&rig);
	}
}

TEST(fragment, one_inside_another_and_two_ends_overlap)
{
	up(1500, 0);
	arrive(true, 1, 0, 800, true);
	arrive(true, 1, 80, 80, true);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_OVERLAP), 1);
	arrive(true, 2, 80, 80, true);
	arrive(true, 2, 0, 800, true);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_OVERLAP), 2);
	arrive(true, 3, 80, 80, false);
	arrive(true, 3, 160, 80, false);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_OVERLAP), 3);
	arrive(true, 4, 160, 80, true);
	arrive(true, 4, 80, 80, false);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_OVERLAP), 4);
	CHECK_EQ(rig.a.received, 0);
	rig_down(&rig);
}

/* RFC 5722: nothing of it is delivered. RFC 791 would let us choose, and so would an attacker. */
TEST(fragment, no_way_to_overlap_gets_through)
{
	static const struct {
		unsigned offset, length;
		bool more;
	} first[] = { { 80, 80, true }, { 80, 80, false } }, second[] = {
		{ 80, 72, true }, { 80, 88, true },  { 72, 16, true },	{ 72, 80, true },  { 72, 104, true },
		{ 88, 8, true },  { 88, 72, true },  { 152, 80, true }, { 152, 8, false }, { 88, 24, false },
		{ 80, 1, false }, { 0, 88, true },   { 0, 400, true },	{ 8, 400, false }, { 8, 73, false },
		{ 72, 9, false }, { 80, 79, false },
	};

	for (unsigned i = 0; i < 2 * COUNT_OF(first) * COUNT_OF(second); i++) {
		unsigned a = i / 2 % COUNT_OF(first), b = i / 2 / COUNT_OF(first);
		bool v4 = i % 2;

		up(1500, 0);
		arrive(v4, 1, first[a].offset, first[a].length, first[a].more);
		arrive(v4, 1, second[b].offset, second[b].length, second[b].more);
		CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_OVERLAP), 1);
		for (unsigned offset = 0; offset < 480; offset += 80) /* what would make it whole comes late */
			arrive(v4, 1, offset, 80, offset < 400);
		CHECK_EQ(rig.a.received, 0);
		rig_down(&rig);
	}
}

TEST(fragment, impossible_ones_are_dropped)
{
	up(1500, 0);
	arrive(true, 1, 0, 81, true);	   /* not a multiple of 8 */
	arrive(true, 1, 65528, 80, false); /* over the end of all datagrams */
	arrive(true, 1, 80, 0, true);	   /* empty */
	CHECK_EQ(COUNT(&rig.a, IP_DROP_MALFORMED), 3);
	arrive(false, 1, 0, 81, true);
	arrive(false, 1, 65528, 80, false);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_MALFORMED), 5);
	CHECK_EQ(rig.a.sent.count, 2); /* v6 says so: parameter problems */
	rig_down(&rig);
}

TEST(fragment, an_atomic_fragment_stands_for_itself)
{
	up(1500, 0);
	arrive(false, 1, 0, 80, true);
	arrive(false, 1, 0, 33, false);
	CHECK_EQ(rig.a.received, 1);
	CHECK_EQ(rig.a.length, 33);
	rig_down(&rig);
}

TEST(fragment, only_so_many_datagrams_wait_and_the_oldest_goes)
{
	up(1500, 4);
	for (uint32_t id = 0; id < 10; id++)
		arrive(true, id, 0, 80, true);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_LIMIT), 6);
	arrive(true, 0, 80, 80, false);
	CHECK_EQ(rig.a.received, 0);
	arrive(true, 9, 80, 80, false);
	CHECK_EQ(rig.a.received, 1);
	rig_down(&rig);
}

TEST(fragment, memory_is_bounded)
{
	up(1500, 64);
	for (uint32_t id = 0; id < 60; id++)
		for (unsigned i = 0; i < 45; i++)
			arrive(true, id, i * 1440, 1440, true);
	CHECK(COUNT(&rig.a, IP_DROP_FRAGMENT_LIMIT) > 10);
	rig_down(&rig);
}

TEST(fragment, a_datagram_of_crumbs_is_given_up)
{
	up(1500, 0);
	for (unsigned i = 0; i < 2000; i++)
		arrive(true, 1, i * 16, 8, true);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_LIMIT), 1);
	rig_down(&rig);
}

TEST(fragment, time_runs_out_and_the_sender_is_told)
{
	static const char *const said[] = {
		"IP6 fd00::1 > fd00::2: ICMP6 time exceeded code 1 length 136",
		"IP 10.0.0.1 > 10.0.0.2: ICMP time exceeded code 1 length 108",
	};

	for (int v4 = 0; v4 < 2; v4++) {
		struct berth_packet *packet;
		char text[256];

		up(1500, 0);
		arrive(v4, 1, 0, 80, true);
		rig.now += (v4 ? 31 : 61) * BERTH_SEC;
		berth_stack_advance(rig.a.stack, rig.now);
		CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_TIMEOUT), 1);
		packet = rig.a.sent.head;
		REQUIRE(packet);
		CHECK_STR(wire_show(packet->data, packet->length, BERTH_LINK_IP, text, sizeof(text)), said[v4]);
		rig_down(&rig);
	}
}

TEST(fragment, without_the_first_nothing_is_said)
{
	up(1500, 0);
	arrive(true, 1, 80, 80, true);
	rig.now += 31 * BERTH_SEC;
	berth_stack_advance(rig.a.stack, rig.now);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_FRAGMENT_TIMEOUT), 1);
	CHECK_EQ(rig.a.sent.count, 0);
	rig_down(&rig);
}

TEST(fragment, a_link_that_goes_takes_its_fragments_along)
{
	up(1500, 0);
	arrive(true, 1, 0, 80, true);
	berth_link_remove(rig.a.link);
	CHECK(berth_stack_deadline(rig.a.stack) == BERTH_NEVER);
	rig_down(&rig);
}
