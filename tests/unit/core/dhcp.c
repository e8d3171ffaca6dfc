/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP client, with a server that says what the test wants it to. */
#include "core/dhcp/client.h"
#include "rig.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/udp.h"

#include <errno.h>

static struct rig rig;
static struct wire_dhcp heard;	     /* the client's last message */
static struct wire_ip4 heard_ip;     /* … and its IP header */
static bool heard_broadcast;	     /* … in a frame to everyone */
static struct berth_dhcp_info lease; /* after state() */

static const uint8_t server_mac[6] = { 2, 0, 0, 0, 9, 1 };
#define SERVER 0x0a010001u /* 10.1.0.1 */
#define GIVEN 0x0a010064u  /* 10.1.0.100 */
#define LEASE_S 1000u

static enum berth_dhcp_state state(void)
{
	berth_link_dhcp_inspect(rig.a.link, &lease);
	return lease.state;
}

/* Look at a frame of a's. Is it a message of the client's? */
static bool listen_to(const struct berth_packet *packet)
{
	const uint8_t *bytes = packet->data;
	struct wire_ethernet ethernet;
	struct wire_udp udp;
	int header;

	CHECK(wire_ethernet_parse(bytes, packet->length, &ethernet) > 0);
	if (ethernet.type != ETHERTYPE_IP4)
		return false;
	header = wire_ip4_parse(bytes + 14, packet->length - 14, &heard_ip);
	if (header < 0 || heard_ip.protocol != PROTOCOL_UDP)
		return false;
	bytes += 14 + header;
	CHECK(wire_udp_parse(bytes, heard_ip.total_length - (size_t)header, &udp) > 0);
	CHECK_EQ(udp.source_port, DHCP_CLIENT_PORT);
	CHECK_EQ(udp.destination_port, DHCP_SERVER_PORT);
	CHECK_EQ(checksum_finish(
			 checksum_add(ip_pseudo_sum(heard_ip.source, heard_ip.destination, PROTOCOL_UDP, udp.length),
				      bytes, udp.length)),
		 0);
	CHECK_EQ(wire_dhcp_parse(bytes + 8, udp.length - 8u, &heard), 0);
	CHECK_BYTES(heard.mac, rig.a.link->mac, 6);
	heard_broadcast = !memcmp(ethernet.destination, mac_broadcast, 6);
	return true;
}

/* Let time go by until the client says something, limit at most. Its type, or 0. */
static int says_within(berth_time limit)
{
	berth_time end = rig.now + limit;

	for (;;) {
		struct berth_packet *packet = packet_queue_pop(&rig.a.sent);

		if (packet) {
			bool dhcp = listen_to(packet);

			berth_packet_unref(packet);
			if (dhcp)
				return heard.type;
			continue;
		}
		if (rig.now >= end)
			return 0;
		rig.now = MIN(end, MAX(rig.now, berth_stack_deadline(rig.a.stack)));
		berth_stack_advance(rig.a.stack, rig.now);
	}
}

/* A message of the server's arrives, in a frame to a, for the address ip. */
static void say_to(uint32_t ip, const struct wire_dhcp *message)
{
	struct wire_ethernet ethernet = { .type = ETHERTYPE_IP4 };
	uint8_t bytes[14 + 20 + 8 + WIRE_DHCP_LENGTH_MAX];
	size_t length = wire_dhcp_build(bytes + 42, message) + 8;
	struct wire_ip4 ip4 = { .ttl = 64,
				.protocol = PROTOCOL_UDP,
				.total_length = (uint16_t)(20 + length),
				.source = ip_from_u32(SERVER),
				.destination = ip_from_u32(ip) };
	struct wire_udp udp = { DHCP_SERVER_PORT, DHCP_CLIENT_PORT, (uint16_t)length, 0 };

	memcpy(ethernet.destination, rig.a.link->mac, 6);
	memcpy(ethernet.source, server_mac, 6);
	wire_ethernet_build(bytes, &ethernet);
	wire_ip4_build(bytes + 14, &ip4);
	wire_udp_build(bytes + 34, &udp);
	rig_inject(&rig, &rig.a, bytes, 34 + length);
}

static struct wire_dhcp answer(enum wire_dhcp_type type)
{
	struct wire_dhcp message = { .from_server = true,
				     .type = (uint8_t)type,
				     .xid = heard.xid,
				     .yours = ip_from_u32(GIVEN),
				     .server = ip_from_u32(SERVER),
				     .prefix_length = 16,
				     .lease_s = LEASE_S,
				     .mtu = 1400,
				     .router_count = 1,
				     .server_count = 2 };

	memcpy(message.mac, heard.mac, 6);
	message.routers[0] = ip_from_u32(SERVER);
	message.servers[0] = ip_from_u32(0x0a010035);
	message.servers[1] = ip_from_u32(0x08080808);
	return message;
}

/* The server's ordinary word. */
static void say(enum wire_dhcp_type type)
{
	struct wire_dhcp message = answer(type);

	if (type == DHCP_NAK)
		message = (struct wire_dhcp){
			.from_server = true, .type = DHCP_NAK, .xid = heard.xid, .server = message.server
		};
	memcpy(message.mac, heard.mac, 6);
	say_to(type == DHCP_NAK ? 0xffffffff : GIVEN, &message);
}

static void arp_says(uint16_t operation, uint32_t sender, uint32_t target)
{
	struct wire_ethernet ethernet = { .destination = { 255, 255, 255, 255, 255, 255 }, .type = ETHERTYPE_ARP };
	struct wire_arp arp = { .operation = operation,
				.sender_ip = ip_from_u32(sender),
				.target_ip = ip_from_u32(target) };
	uint8_t bytes[14 + WIRE_ARP_LENGTH];

	memcpy(ethernet.source, server_mac, 6);
	memcpy(arp.sender_mac, server_mac, 6);
	wire_ethernet_build(bytes, &ethernet);
	wire_arp_build(bytes + 14, &arp);
	rig_inject(&rig, &rig.a, bytes, sizeof(bytes));
}

static void begin(const struct berth_dhcp_config *config)
{
	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD);
	CHECK_EQ(berth_link_dhcp_start(rig.a.link, config), 0);
}

static const struct berth_dhcp_config no_probe = { .flags = BERTH_DHCP_NO_PROBE };

/* Begin, and go on until the address is ours. */
static void given_bound(const struct berth_dhcp_config *config)
{
	begin(config);
	CHECK_EQ(says_within(2 * BERTH_SEC), DHCP_DISCOVER);
	say(DHCP_OFFER);
	CHECK_EQ(says_within(0), DHCP_REQUEST);
	say(DHCP_ACK);
	CHECK_EQ(says_within(8 * BERTH_SEC), 0);
	CHECK_EQ(state(), BERTH_DHCP_BOUND);
}

static bool has_address(void)
{
	return ip_is_local(rig.a.stack, ip_from_u32(GIVEN));
}

static int path_to(const char *ip, struct ip_path *ret_path)
{
	return ip_path_find(rig.a.stack, rig_ip(ip), ip_any, NULL, ret_path);
}

static void end(void)
{
	rig_down(&rig);
}

TEST(dhcp, asks_all_offers_are_requested_and_acknowledged)
{
	struct berth_dhcp_config config = { .host_name = "boat" };
	uint8_t id[7] = { 1, 2, 0, 0, 0, 0, 1 };

	begin(&config);
	CHECK_EQ(state(), BERTH_DHCP_INIT);
	REQUIRE(says_within(2 * BERTH_SEC) == DHCP_DISCOVER);
	CHECK(heard_broadcast && !heard.broadcast);
	CHECK_EQ(ip_u32(heard_ip.source), 0);
	CHECK_EQ(ip_u32(heard_ip.destination), 0xffffffff);
	CHECK_STR(heard.host_name, "boat");
	CHECK_EQ(heard.client_id_length, 7);
	CHECK_BYTES(heard.client_id, id, 7);
	CHECK(ip_is_any(heard.client) && ip_is_any(heard.server) && ip_is_any(heard.requested));
	say(DHCP_OFFER);
	REQUIRE(says_within(0) == DHCP_REQUEST);
	CHECK_EQ(state(), BERTH_DHCP_REQUESTING);
	CHECK_EQ(ip_u32(heard_ip.source), 0);
	CHECK(heard_broadcast && ip_is_any(heard.client));
	CHECK_EQ(ip_u32(heard.requested), GIVEN);
	CHECK_EQ(ip_u32(heard.server), SERVER);
	say(DHCP_ACK);
	CHECK_EQ(state(), BERTH_DHCP_PROBING);
	CHECK(!has_address());
	end();
}

TEST(dhcp, an_address_is_probed_three_times_and_announced_twice)
{
	unsigned probes = 0, announcements = 0;
	const char *said;

	begin(NULL);
	says_within(2 * BERTH_SEC);
	say(DHCP_OFFER);
	says_within(0);
	say(DHCP_ACK);
	for (int i = 0; i < 100; i++) {
		rig_wait(&rig, 100 * BERTH_MSEC);
		while (strcmp(said = rig_next(&rig, &rig.a), "nothing")) {
			probes += !strcmp(said, "ARP who has 10.1.0.100? tell 0.0.0.0");
			announcements += !strcmp(said, "ARP who has 10.1.0.100? tell 10.1.0.100");
			CHECK(probes == 3 || !announcements);
		}
		CHECK(announcements || !has_address());
	}
	CHECK_EQ(probes, 3);
	CHECK_EQ(announcements, 2);
	CHECK(has_address());
	end();
}

TEST(dhcp, a_lease_is_in_force_in_whole_and_inspectable)
{
	struct berth_ip servers[4];
	struct ip_path path;

	given_bound(NULL);
	CHECK_EQ(COUNT(&rig.a, DHCP_BOUND), 1);
	CHECK_EQ(ip_u32(lease.address), GIVEN);
	CHECK_EQ(lease.prefix_length, 16);
	CHECK_EQ(ip_u32(lease.router), SERVER);
	CHECK_EQ(lease.mtu, 1400);
	CHECK_EQ(lease.expires_at - lease.renew_at, LEASE_S * BERTH_SEC / 2);
	CHECK_EQ(lease.expires_at - lease.rebind_at, LEASE_S * BERTH_SEC / 8);
	CHECK_EQ(berth_link_dns_servers(rig.a.link, servers, 4), 2);
	CHECK_EQ(ip_u32(servers[1]), 0x08080808);
	CHECK_EQ(berth_link_dns_servers(rig.a.link, servers, 1), 1);
	REQUIRE(path_to("10.1.5.5", &path) == 0);
	CHECK_EQ(ip_u32(path.source), GIVEN);
	CHECK_EQ(path.mtu, 1400);
	REQUIRE(path_to("8.8.8.8", &path) == 0);
	CHECK_EQ(ip_u32(path.next_hop), SERVER);
	berth_link_dhcp_stop(rig.a.link);
	CHECK(path_to("8.8.8.8", &path) < 0);
	REQUIRE(path_to("10.0.0.2", &path) == 0);
	CHECK_EQ(path.mtu, 1500);
	end();
}

TEST(dhcp, classless_routes_go_before_the_router)
{
	struct wire_dhcp ack;
	struct ip_path path;

	begin(&no_probe);
	says_within(2 * BERTH_SEC);
	say(DHCP_OFFER);
	says_within(0);
	ack = answer(DHCP_ACK);
	ack.route_count = 2;
	ack.routes[0] = (struct wire_dhcp_route){ ip_from_u32(0xac100000), ip_from_u32(0x0a010002), 12 };
	ack.routes[1] = (struct wire_dhcp_route){ ip_from_u32(0xc0a80500), ip_any, 24 };
	say_to(GIVEN, &ack);
	REQUIRE(state() == BERTH_DHCP_BOUND);
	CHECK(path_to("8.8.8.8", &path) == -ENETUNREACH);
	REQUIRE(path_to("172.31.0.1", &path) == 0);
	CHECK_EQ(ip_u32(path.next_hop), 0x0a010002);
	REQUIRE(path_to("192.168.5.9", &path) == 0);
	CHECK_EQ(ip_u32(path.next_hop), 0xc0a80509);
	end();
}

TEST(dhcp, what_the_embedder_forbids_is_left_alone)
{
	struct berth_dhcp_config config = { .flags = BERTH_DHCP_NO_PROBE | BERTH_DHCP_NO_ROUTES | BERTH_DHCP_NO_MTU };
	struct ip_path path;

	given_bound(&config);
	CHECK(path_to("8.8.8.8", &path) == -ENETUNREACH);
	REQUIRE(path_to("10.1.5.5", &path) == 0);
	CHECK_EQ(path.mtu, 1500);
	CHECK_EQ(ip_u32(lease.router), SERVER);
	end();
}

TEST(dhcp, silence_is_asked_again_with_random_backoff)
{
	berth_time expected[] = { 4, 8, 16, 32, 64, 64, 64 }, last;
	uint32_t xid;
	bool all_round = true;

	begin(NULL);
	CHECK_EQ(says_within(2 * BERTH_SEC), DHCP_DISCOVER);
	xid = heard.xid;
	last = rig.now;
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		CHECK_EQ(says_within(70 * BERTH_SEC), DHCP_DISCOVER);
		CHECK_EQ(heard.xid, xid);
		CHECK(rig.now - last >= (expected[i] - 1) * BERTH_SEC &&
		      rig.now - last <= (expected[i] + 1) * BERTH_SEC);
		all_round = all_round && (rig.now - last) % BERTH_SEC == 0;
		last = rig.now;
	}
	CHECK(!all_round);
	CHECK(heard.seconds > 150);
	end();
}

TEST(dhcp, four_requests_without_an_answer_begin_anew)
{
	uint32_t xid;

	begin(NULL);
	says_within(2 * BERTH_SEC);
	xid = heard.xid;
	say(DHCP_OFFER);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(says_within(40 * BERTH_SEC), DHCP_REQUEST);
	CHECK_EQ(says_within(40 * BERTH_SEC), DHCP_DISCOVER);
	CHECK(heard.xid != xid);
	end();
}

TEST(dhcp, a_nak_begins_anew)
{
	begin(NULL);
	says_within(2 * BERTH_SEC);
	say(DHCP_OFFER);
	says_within(0);
	say(DHCP_NAK);
	CHECK_EQ(COUNT(&rig.a, DHCP_REFUSED), 1);
	CHECK_EQ(state(), BERTH_DHCP_INIT);
	CHECK_EQ(says_within(2 * BERTH_SEC), DHCP_DISCOVER);
	end();
}

TEST(dhcp, an_address_that_somebody_has_is_declined)
{
	given_bound(&no_probe);
	arp_says(ARP_REQUEST, SERVER, GIVEN); /* the server's MAC is known from here on */
	berth_link_dhcp_stop(rig.a.link);
	CHECK_EQ(says_within(0), DHCP_RELEASE);
	CHECK_EQ(berth_link_dhcp_start(rig.a.link, NULL), 0);
	says_within(2 * BERTH_SEC);
	say(DHCP_OFFER);
	says_within(0);
	say(DHCP_ACK);
	CHECK_EQ(says_within(BERTH_SEC), 0);
	arp_says(ARP_REPLY, GIVEN, 0);
	CHECK_EQ(says_within(0), DHCP_DECLINE);
	CHECK(heard_broadcast && ip_is_any(heard.client));
	CHECK_EQ(ip_u32(heard_ip.source), 0);
	CHECK_EQ(ip_u32(heard.requested), GIVEN);
	CHECK_EQ(ip_u32(heard.server), SERVER);
	CHECK_EQ(COUNT(&rig.a, DHCP_DECLINED), 1);
	CHECK_EQ(says_within(9 * BERTH_SEC), 0);
	CHECK_EQ(says_within(2 * BERTH_SEC), DHCP_DISCOVER);
	end();
}

TEST(dhcp, another_prober_of_the_address_counts_as_a_holder)
{
	begin(NULL);
	says_within(2 * BERTH_SEC);
	say(DHCP_OFFER);
	says_within(0);
	say(DHCP_ACK);
	arp_says(ARP_REQUEST, 0, GIVEN);
	CHECK_EQ(says_within(0), DHCP_DECLINE);
	end();
}

TEST(dhcp, a_lease_is_renewed_by_its_server_and_then_by_any)
{
	berth_time bound_at;

	given_bound(&no_probe);
	bound_at = rig.now;
	rig_wait(&rig, lease.renew_at - rig.now);
	arp_says(ARP_REPLY, SERVER, GIVEN); /* its MAC was asked for */
	REQUIRE(says_within(0) == DHCP_REQUEST);
	CHECK(!heard_broadcast);
	CHECK_EQ(ip_u32(heard_ip.source), GIVEN);
	CHECK_EQ(ip_u32(heard_ip.destination), SERVER);
	CHECK_EQ(ip_u32(heard.client), GIVEN);
	CHECK(ip_is_any(heard.requested) && ip_is_any(heard.server));
	CHECK_EQ(state(), BERTH_DHCP_RENEWING);
	say(DHCP_ACK);
	CHECK_EQ(state(), BERTH_DHCP_BOUND);
	CHECK_EQ(COUNT(&rig.a, DHCP_RENEWED), 1);
	CHECK(lease.expires_at > bound_at + LEASE_S * BERTH_SEC);

	rig_wait(&rig, lease.rebind_at - rig.now); /* T1 goes by, and nobody answers */
	rig_wait(&rig, 0);
	while (state() != BERTH_DHCP_REBINDING && says_within(400 * BERTH_SEC))
		;
	CHECK_EQ(state(), BERTH_DHCP_REBINDING);
	while (!heard_broadcast && says_within(100 * BERTH_SEC))
		;
	CHECK_EQ(heard.type, DHCP_REQUEST);
	CHECK_EQ(ip_u32(heard.client), GIVEN);
	CHECK(ip_is_any(heard.server));
	say(DHCP_ACK);
	CHECK_EQ(COUNT(&rig.a, DHCP_RENEWED), 2);
	CHECK_EQ(state(), BERTH_DHCP_BOUND);
	end();
}

TEST(dhcp, a_lease_that_nobody_prolongs_ends)
{
	given_bound(&no_probe);
	CHECK(has_address());
	rig_run(&rig, lease.expires_at - rig.now - BERTH_SEC);
	CHECK(has_address());
	rig_run(&rig, 2 * BERTH_SEC);
	CHECK(!has_address());
	CHECK_EQ(COUNT(&rig.a, DHCP_LOST), 1);
	CHECK(state() == BERTH_DHCP_SELECTING);
	end();
}

TEST(dhcp, a_nak_while_renewing_ends_the_lease)
{
	given_bound(&no_probe);
	rig_wait(&rig, lease.renew_at - rig.now);
	arp_says(ARP_REPLY, SERVER, GIVEN);
	CHECK_EQ(says_within(0), DHCP_REQUEST);
	say(DHCP_NAK);
	CHECK(!has_address());
	CHECK_EQ(COUNT(&rig.a, DHCP_LOST), 1);
	end();
}

TEST(dhcp, a_lease_for_ever_needs_no_timer)
{
	struct wire_dhcp ack;

	begin(&no_probe);
	says_within(2 * BERTH_SEC);
	say(DHCP_OFFER);
	says_within(0);
	ack = answer(DHCP_ACK);
	ack.lease_s = UINT32_MAX;
	say_to(GIVEN, &ack);
	rig_wait(&rig, 10 * BERTH_SEC);
	REQUIRE(state() == BERTH_DHCP_BOUND);
	CHECK_EQ(lease.expires_at, BERTH_NEVER);
	CHECK(!timer_armed(&rig.a.link->dhcp->timer));
	end();
}

TEST(dhcp, stopping_gives_the_address_back)
{
	given_bound(&no_probe);
	arp_says(ARP_REQUEST, SERVER, GIVEN); /* the server's MAC is known from here on */
	berth_link_dhcp_stop(rig.a.link);
	CHECK_EQ(says_within(0), DHCP_RELEASE);
	CHECK(!heard_broadcast);
	CHECK_EQ(ip_u32(heard.client), GIVEN);
	CHECK_EQ(ip_u32(heard.server), SERVER);
	CHECK(!has_address());
	CHECK_EQ(state(), BERTH_DHCP_OFF);
	berth_link_dhcp_stop(rig.a.link);
	end();
}

TEST(dhcp, words_for_others_are_dropped)
{
	struct wire_dhcp message;

	begin(NULL);
	says_within(2 * BERTH_SEC);
	message = answer(DHCP_OFFER);
	message.xid++;
	say_to(GIVEN, &message);
	message = answer(DHCP_OFFER);
	message.mac[5]++;
	say_to(GIVEN, &message);
	message = answer(DHCP_OFFER);
	message.client_id_length = 7;
	say_to(GIVEN, &message); /* RFC 6842 §3 */
	message = answer(DHCP_OFFER);
	message.from_server = false;
	say_to(GIVEN, &message);
	message = answer(DHCP_OFFER);
	message.lease_s = 0;
	say_to(GIVEN, &message);
	message = answer(DHCP_OFFER);
	message.yours = ip_from_u32(0xe0000001);
	say_to(GIVEN, &message);
	say(DHCP_ACK);
	CHECK_EQ(COUNT(&rig.a, DHCP_DROP_UNEXPECTED), 7);
	CHECK_EQ(state(), BERTH_DHCP_SELECTING);
	end();
}

TEST(dhcp, a_conflict_is_answered_once_and_then_yielded_to)
{
	given_bound(&no_probe);
	rig_wait(&rig, 3 * BERTH_SEC);
	while (strcmp(rig_next(&rig, &rig.a), "nothing"))
		;
	arp_says(ARP_REQUEST, GIVEN, SERVER);
	CHECK_STR(rig_next(&rig, &rig.a), "ARP who has 10.1.0.100? tell 10.1.0.100");
	CHECK_EQ(COUNT(&rig.a, ARP_DEFENDED), 1);
	CHECK(has_address());
	rig_wait(&rig, 11 * BERTH_SEC);
	arp_says(ARP_REQUEST, GIVEN, SERVER);
	CHECK_EQ(COUNT(&rig.a, ARP_DEFENDED), 2);
	rig_wait(&rig, BERTH_SEC);
	arp_says(ARP_REPLY, GIVEN, SERVER);
	CHECK(!has_address());
	CHECK_EQ(says_within(0), DHCP_DECLINE);
	end();
}

TEST(dhcp, needs_ethernet_and_sensible_words)
{
	struct berth_dhcp_config config = { .client_id = (const uint8_t *)"x", .client_id_length = 1 };

	begin(NULL);
	CHECK_EQ(berth_link_dhcp_start(rig.a.link, NULL), -EALREADY);
	CHECK_EQ(berth_link_dhcp_start(rig.b.link, &config), -EINVAL);
	CHECK_EQ(berth_link_dhcp_start(rig.a.stack->loopback, NULL), -EOPNOTSUPP);
	config = (struct berth_dhcp_config){
		.host_name = "a-name-of-sixty-four-letters-that-no-label-of-the-dns-could-hold-"
	};
	CHECK_EQ(berth_link_dhcp_start(rig.b.link, &config), -EINVAL);
	berth_link_remove(rig.a.link);
	end();
}
