/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP, neighbour discovery, duplicate address detection. */
#include "rig.h"
#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/show.h"

#include <errno.h>
#include <linux/tcp.h>

static char text[256];

static const char *on_cable(const struct end *end)
{
	const struct berth_packet *packet = end->sent.head;

	return packet ? wire_show(packet->data, packet->length, end->link->type, text, sizeof(text)) : "nothing";
}

static struct rig *new_rig(unsigned flags)
{
	static struct rig rig;

	memset(&rig, 0, sizeof(rig));
	rig.flags = flags;
	rig_up(&rig);
	return &rig;
}

static void arp_from_nowhere(struct rig *rig, struct end *end, uint16_t operation, uint32_t sender, uint8_t mac,
			     uint32_t target)
{
	struct wire_ethernet ethernet = { .source = { 2, 0, 0, 0, 1, mac }, .type = ETHERTYPE_ARP };
	struct wire_arp arp = { .operation = operation,
				.sender_mac = { 2, 0, 0, 0, 1, mac },
				.sender_ip = ip_from_u32(sender),
				.target_ip = ip_from_u32(target) };
	uint8_t bytes[WIRE_ETHERNET_LENGTH + WIRE_ARP_LENGTH];

	memcpy(ethernet.destination, mac_broadcast, 6);
	wire_ethernet_build(bytes, &ethernet);
	wire_arp_build(bytes + WIRE_ETHERNET_LENGTH, &arp);
	rig_inject(rig, end, bytes, sizeof(bytes));
}

TEST(neigh, arp_finds_the_way)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	CHECK_EQ(rig_send(&rig->a, "10.0.0.2", 100, false), 0);
	CHECK_STR(on_cable(&rig->a), "ARP who has 10.0.0.2? tell 10.0.0.1");
	rig_settle(rig);
	CHECK_EQ(rig->b.received, 1);
	CHECK_EQ(rig->b.length, 100);
	CHECK(rig_pattern_ok(&rig->b));
	CHECK_EQ(COUNT(&rig->b, ARP_REPLY_SENT), 1);
	CHECK_EQ(rig_send(&rig->a, "10.0.0.2", 100, false), 0);
	CHECK_STR(on_cable(&rig->a), "IP 10.0.0.1 > 10.0.0.2: protocol 200 length 100");
	rig_down(rig);
}

TEST(neigh, who_asks_is_known)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	rig_send(&rig->a, "10.0.0.2", 100, false);
	rig_settle(rig);
	rig_send(&rig->b, "10.0.0.1", 100, false);
	CHECK_STR(on_cable(&rig->b), "IP 10.0.0.2 > 10.0.0.1: protocol 200 length 100");
	rig_down(rig);
}

TEST(neigh, neighbour_discovery_finds_the_way)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	CHECK_EQ(rig_send(&rig->a, "fd00::2", 100, false), 0);
	CHECK_STR(on_cable(&rig->a), "IP6 fd00::1 > ff02::1:ff00:2: ICMP6 neighbour solicitation fd00::2 length 32");
	rig_settle(rig);
	CHECK_EQ(rig->b.received, 1);
	CHECK(rig_pattern_ok(&rig->b));
	rig_down(rig);
}

TEST(neigh, silence_is_reported_after_three_questions)
{
	static const char *const destinations[] = { "10.0.0.9", "fd00::9" };

	for (size_t i = 0; i < COUNT_OF(destinations); i++) {
		struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

		rig_send(&rig->a, destinations[i], 100, false);
		rig_send(&rig->a, destinations[i], 50, false);
		rig_run(rig, 2900 * BERTH_MSEC);
		CHECK_EQ(rig->a.errors, 0);
		rig_run(rig, 200 * BERTH_MSEC);
		CHECK_EQ(rig->a.errors, 2);
		CHECK_EQ(rig->a.error.error, EHOSTUNREACH);
		CHECK_EQ(rig->a.error.protocol, RIG_PROTOCOL);
		CHECK(ip_equal(rig->a.error.destination, rig_ip(destinations[i])));
		CHECK_EQ(rig->a.length, 50);
		CHECK_EQ(COUNT(&rig->a, NEIGH_DROP_UNRESOLVED), 2);
		CHECK_EQ(COUNT(&rig->b, LINK_IN), 3);
		rig_down(rig);
	}
}

TEST(neigh, only_so_many_packets_wait)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	for (int i = 0; i < 80; i++)
		rig_send(&rig->a, "10.0.0.2", 10, false);
	CHECK_EQ(COUNT(&rig->a, NEIGH_DROP_QUEUE_FULL), 80 - 64);
	rig_settle(rig);
	CHECK_EQ(rig->b.received, 64);
	rig_down(rig);
}

TEST(neigh, an_unused_neighbour_is_asked_again)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	rig_send(&rig->a, "10.0.0.2", 10, false);
	rig_settle(rig);
	rig_run(rig, 60 * BERTH_SEC);
	rig_send(&rig->a, "10.0.0.2", 10, false); /* STALE: used at once, checked 5 s later */
	rig_settle(rig);
	CHECK_EQ(rig->b.received, 2);
	CHECK_EQ(COUNT(&rig->b, ARP_REPLY_SENT), 1);
	rig_run(rig, 6 * BERTH_SEC);
	CHECK_EQ(COUNT(&rig->b, ARP_REPLY_SENT), 2);
	rig_down(rig);
}

TEST(neigh, idle_neighbours_cost_no_time)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	rig_send(&rig->a, "10.0.0.2", 10, false);
	rig_settle(rig);
	rig_run(rig, 10 * BERTH_SEC);
	CHECK(berth_stack_deadline(rig->a.stack) == BERTH_NEVER);
	rig_down(rig);
}

TEST(neigh, a_gratuitous_announcement_changes_but_makes_nothing)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	arp_from_nowhere(rig, &rig->a, ARP_REQUEST, 0x0a000009, 9, 0x0a000009);
	rig_send(&rig->a, "10.0.0.9", 10, false);
	CHECK_STR(on_cable(&rig->a), "ARP who has 10.0.0.9? tell 10.0.0.1");
	arp_from_nowhere(rig, &rig->a, ARP_REPLY, 0x0a000009, 9, 0x0a000001);
	packet_queue_clear(&rig->a.sent);
	arp_from_nowhere(rig, &rig->a, ARP_REQUEST, 0x0a000009, 10, 0x0a000009);
	rig_send(&rig->a, "10.0.0.9", 10, false);
	REQUIRE(rig->a.sent.head);
	CHECK_EQ(rig->a.sent.head->data[5], 10);
	rig_down(rig);
}

TEST(neigh, our_address_in_others_mouths_is_not_learnt_but_defended)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	arp_from_nowhere(rig, &rig->a, ARP_REQUEST, 0x0a000001, 9, 0x0a000001);
	CHECK_EQ(COUNT(&rig->a, NEIGH_DROP_CONFLICT), 1);
	CHECK_STR(on_cable(&rig->a), "ARP who has 10.0.0.1? tell 10.0.0.1");
	arp_from_nowhere(rig, &rig->a, ARP_REPLY, 0x0a000001, 9, 0x0a000002); /* no war: once in ten seconds */
	CHECK_EQ(COUNT(&rig->a, NEIGH_DROP_CONFLICT), 2);
	CHECK_EQ(rig->a.sent.count, 1);
	rig_down(rig);
}

TEST(neigh, malformed_arp_is_dropped)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	arp_from_nowhere(rig, &rig->a, 7, 0x0a000009, 9, 0x0a000001);
	arp_from_nowhere(rig, &rig->a, ARP_REQUEST, 0xe0000001, 9, 0x0a000001);
	CHECK_EQ(COUNT(&rig->a, ARP_DROP_MALFORMED), 2);
	CHECK_STR(on_cable(&rig->a), "nothing");
	rig_down(rig);
}

TEST(neigh, an_address_probe_is_answered)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	arp_from_nowhere(rig, &rig->a, ARP_REQUEST, 0, 9, 0x0a000001);
	CHECK_STR(on_cable(&rig->a), "ARP 10.0.0.1 is at 02:00:00:00:00:01");
	rig_down(rig);
}

TEST(neigh, a_flood_does_not_push_out_those_we_talk_to)
{
	static struct rig rig;

	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig.limits.neighbours = 16;
	rig_up(&rig);
	rig_send(&rig.a, "10.0.0.2", 10, false);
	rig_settle(&rig);
	for (uint32_t i = 3; i < 200; i++) {
		char name[20];

		arp_from_nowhere(&rig, &rig.a, ARP_REQUEST, 0x0a000000 + i, (uint8_t)i, 0x0a000001);
		snprintf(name, sizeof(name), "10.0.0.%u", 255 - i);
		rig_send(&rig.a, name, 10, false);
	}
	packet_queue_clear(&rig.a.sent);
	rig_send(&rig.a, "10.0.0.2", 10, false);
	CHECK_STR(on_cable(&rig.a), "IP 10.0.0.1 > 10.0.0.2: protocol 200 length 10");
	rig_down(&rig);
}

TEST(neigh, broadcasts_and_groups_need_no_question)
{
	struct rig *rig = new_rig(BERTH_LINK_NO_DAD);

	rig_send(&rig->a, "10.0.0.255", 10, false);
	rig_send(&rig->a, "255.255.255.255", 10, false);
	rig_send(&rig->a, "224.0.0.1", 10, false);
	rig_send(&rig->a, "ff02::1", 10, false);
	rig_settle(rig);
	CHECK_EQ(rig->b.received, 4);
	CHECK(rig->b.info.multicast);
	rig_down(rig);
}

TEST(dad, an_address_is_tentative_until_nobody_objects)
{
	struct rig *rig = new_rig(0);

	CHECK(!ip_is_local(rig->a.stack, rig_ip("fd00::1")));
	CHECK(rig_send(&rig->a, "fd00::2", 10, false) < 0);
	rig_run(rig, 2100 * BERTH_MSEC);
	CHECK(ip_is_local(rig->a.stack, rig_ip("fd00::1")));
	CHECK_EQ(rig_send(&rig->a, "fd00::2", 10, false), 0);
	rig_settle(rig);
	CHECK_EQ(rig->b.received, 1);
	rig_down(rig);
}

TEST(dad, an_address_that_another_has_is_not_taken)
{
	struct rig *rig = new_rig(0);

	rig_run(rig, 3 * BERTH_SEC);
	CHECK_EQ(berth_link_add_address(rig->a.link, rig_ip("fd00::2"), 64), 0);
	rig_run(rig, 3 * BERTH_SEC);
	CHECK(!ip_is_local(rig->a.stack, rig_ip("fd00::2")));
	CHECK_EQ(COUNT(&rig->a, NDP_DUPLICATE_ADDRESS), 1);
	CHECK_EQ(berth_link_remove_address(rig->a.link, rig_ip("fd00::2")), 0);
	rig_down(rig);
}

TEST(dad, two_who_test_at_once_both_give_in)
{
	struct rig *rig = new_rig(0);
	uint64_t duplicates;

	berth_link_add_address(rig->a.link, rig_ip("fd00::77"), 64);
	berth_link_add_address(rig->b.link, rig_ip("fd00::77"), 64);
	rig_run(rig, 3 * BERTH_SEC);
	duplicates = COUNT(&rig->a, NDP_DUPLICATE_ADDRESS) + COUNT(&rig->b, NDP_DUPLICATE_ADDRESS);
	CHECK(duplicates >= 1);
	CHECK(!(ip_is_local(rig->a.stack, rig_ip("fd00::77")) && ip_is_local(rig->b.stack, rig_ip("fd00::77"))));
	rig_down(rig);
}

TEST(neigh, being_pushed_out_of_the_table_is_not_reported)
{
	static struct rig rig;

	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig.limits.neighbours = 4;
	rig_up(&rig);
	for (int i = 10; i < 20; i++) {
		char name[20];

		snprintf(name, sizeof(name), "10.0.0.%d", i);
		rig_send(&rig.a, name, 10, false);
	}
	CHECK_EQ(COUNT(&rig.a, NEIGH_DROP_TABLE_FULL), 6);
	CHECK_EQ(rig.a.errors, 0); /* it would reach a transport in the middle of its sending */
	rig_run(&rig, 4 * BERTH_SEC);
	CHECK_EQ(rig.a.errors, 4);
	rig_down(&rig);
}

static int tcp_over(struct rig *rig, struct sockaddr_storage *name, socklen_t length, int *ret_server)
{
	int family = name->ss_family, listener = berth_socket(rig->b.stack, family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int client = berth_socket(rig->a.stack, family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(berth_bind(rig->b.stack, listener, (struct sockaddr *)name, length), 0);
	CHECK_EQ(berth_listen(rig->b.stack, listener, 1), 0);
	berth_connect(rig->a.stack, client, (struct sockaddr *)name, length);
	rig_settle(rig);
	*ret_server = berth_accept(rig->b.stack, listener, NULL, NULL, SOCK_NONBLOCK);
	CHECK(*ret_server >= 0);
	return client;
}

/* Frames that came to both ends and were no segments of these sockets. */
static uint64_t frames_besides(struct rig *rig, int client, int server)
{
	struct tcp_info a, b;
	socklen_t length = sizeof(a);

	berth_getsockopt(rig->a.stack, client, IPPROTO_TCP, TCP_INFO, &a, &length);
	berth_getsockopt(rig->b.stack, server, IPPROTO_TCP, TCP_INFO, &b, &length);
	return COUNT(&rig->a, LINK_IN) + COUNT(&rig->b, LINK_IN) - a.tcpi_segs_in - b.tcpi_segs_in;
}

/* RFC 4861 §7.3.1: TCP's forward progress, at both ends of a one-way stream, says that the neighbour is there. */
TEST(neigh, nobody_is_asked_while_tcp_makes_progress)
{
	struct sockaddr_in name4 = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(0x0a000002) } };
	struct sockaddr_in6 name6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };

	name6.sin6_addr.s6_addr[0] = 0xfd;
	name6.sin6_addr.s6_addr[15] = 2;
	for (int six = 0; six < 2; six++) {
		struct rig *rig = new_rig(BERTH_LINK_NO_DAD);
		struct sockaddr_storage name = { 0 };
		uint64_t before;
		int client, server;
		char byte = 'x';

		if (six)
			memcpy(&name, &name6, sizeof(name6));
		else
			memcpy(&name, &name4, sizeof(name4));
		client = tcp_over(rig, &name, six ? sizeof(name6) : sizeof(name4), &server);
		rig_run(rig, 6 * BERTH_SEC); /* the accepting end learnt the address from a question: it checks that */
		before = frames_besides(rig, client, server);
		for (int i = 0; i < 60; i++) {
			CHECK_EQ(berth_send(rig->a.stack, client, &byte, 1, 0), 1);
			rig_run(rig, 5 * BERTH_SEC);
			CHECK_EQ(berth_recv(rig->b.stack, server, &byte, 1, 0), 1);
		}
		CHECK_EQ(frames_besides(rig, client, server), before);
		rig_down(rig);
	}
}
