/* SPDX-License-Identifier: BSD-2-Clause */
/* Echo, errors out, errors in, path MTUs. */
#include "rig.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/show.h"

#include <errno.h>

static struct rig rig;
static char text[256];

static void up(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig.type = BERTH_LINK_IP;
	rig_up(&rig);
}

static const char *answer(void)
{
	const struct berth_packet *packet = rig.a.sent.head;

	return packet ? wire_show(packet->data, packet->length, rig.type, text, sizeof(text)) : "nothing";
}

/* A packet of either version arrives at a; ICMP gets its checksum. */
static void arrive(const char *source, const char *destination, uint8_t protocol, uint8_t *payload, size_t length)
{
	struct berth_ip from = rig_ip(source), to = rig_ip(destination);
	struct wire_ip4 ip4 = { .ttl = 64, .protocol = protocol, .source = from, .destination = to };
	struct wire_ip6 ip6 = { .hop_limit = 64, .next_header = protocol, .source = from, .destination = to };
	size_t header = ip_is4(to) ? WIRE_IP4_LENGTH : WIRE_IP6_LENGTH;
	uint8_t bytes[2048];

	if (protocol == PROTOCOL_ICMP4 || protocol == PROTOCOL_ICMP6) {
		uint32_t sum = ip_is4(to) ? 0 : ip_pseudo_sum(from, to, protocol, length);

		put_be16(payload + 2, 0);
		put_be16(payload + 2, checksum_finish(checksum_add(sum, payload, length)));
	}
	ip4.total_length = (uint16_t)(header + length);
	ip6.payload_length = (uint16_t)length;
	if (ip_is4(to))
		wire_ip4_build(bytes, &ip4);
	else
		wire_ip6_build(bytes, &ip6);
	memcpy(bytes + header, payload, length);
	rig_inject(&rig, &rig.a, bytes, header + length);
}

/* An ICMP error about a packet from source arrives at a. */
static void error_about(const char *source, const char *destination, uint8_t type, uint8_t code, uint32_t value)
{
	struct berth_ip from = rig_ip(source), to = rig_ip(destination);
	bool v4 = ip_is4(from);
	size_t header = v4 ? WIRE_IP4_LENGTH : WIRE_IP6_LENGTH;
	uint8_t message[8 + 40 + 8] = { type, code };

	put_be32(message + 4, value);
	if (v4)
		wire_ip4_build(message + 8, &(struct wire_ip4){ .total_length = 1500,
								.ttl = 3,
								.source = from,
								.protocol = RIG_PROTOCOL,
								.destination = to });
	else
		wire_ip6_build(message + 8, &(struct wire_ip6){ .payload_length = 1460,
								.next_header = RIG_PROTOCOL,
								.source = from,
								.destination = to });
	memset(message + 8 + header, 0x77, 8);
	arrive(v4 ? "10.0.0.2" : "fd00::2", v4 ? "10.0.0.1" : "fd00::1", v4 ? PROTOCOL_ICMP4 : PROTOCOL_ICMP6, message,
	       8 + header + 8);
}

TEST(echo, requests_are_answered)
{
	uint8_t four[12] = { ICMP4_ECHO, 0, 0, 0, 0, 7, 0, 1, 'd', 'a', 't', 'a' };
	uint8_t six[12] = { ICMP6_ECHO, 0, 0, 0, 0, 7, 0, 1, 'd', 'a', 't', 'a' };

	up();
	arrive("10.0.0.2", "10.0.0.1", PROTOCOL_ICMP4, four, sizeof(four));
	CHECK_STR(answer(), "IP 10.0.0.1 > 10.0.0.2: ICMP echo reply id 7 seq 1 length 12");
	CHECK_BYTES(rig.a.sent.head->data + 28, "data", 4);
	CHECK_EQ(checksum_finish(checksum_add(0, rig.a.sent.head->data + 20, 12)), 0);
	packet_queue_clear(&rig.a.sent);
	arrive("fd00::2", "fd00::1", PROTOCOL_ICMP6, six, sizeof(six));
	CHECK_STR(answer(), "IP6 fd00::1 > fd00::2: ICMP6 echo reply id 7 seq 1 length 12");
	CHECK_EQ(checksum_finish(checksum_add(ip_pseudo_sum(rig_ip("fd00::1"), rig_ip("fd00::2"), PROTOCOL_ICMP6, 12),
					      rig.a.sent.head->data + 40, 12)),
		 0);
	CHECK_EQ(COUNT(&rig.a, ICMP_ECHO_ANSWERED), 2);
	rig_down(&rig);
}

TEST(echo, requests_to_all_are_not_answered)
{
	uint8_t four[8] = { ICMP4_ECHO };

	up();
	arrive("10.0.0.2", "10.0.0.255", PROTOCOL_ICMP4, four, sizeof(four));
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

TEST(icmp, damaged_messages_are_dropped)
{
	uint8_t bytes[28] = { 0 }, cut[4] = { ICMP4_ECHO };

	up();
	wire_ip4_build(bytes, &(struct wire_ip4){ .total_length = 28,
						  .ttl = 64,
						  .protocol = PROTOCOL_ICMP4,
						  .source = rig_ip("10.0.0.2"),
						  .destination = rig_ip("10.0.0.1") });
	bytes[20] = ICMP4_ECHO;
	rig_inject(&rig, &rig.a, bytes, sizeof(bytes));
	CHECK_EQ(COUNT(&rig.a, ICMP_DROP_CHECKSUM), 1);
	arrive("10.0.0.2", "10.0.0.1", PROTOCOL_ICMP4, cut, sizeof(cut));
	CHECK_EQ(COUNT(&rig.a, ICMP_DROP_MALFORMED), 1);
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

TEST(icmp, an_unknown_protocol_is_refused)
{
	uint8_t payload[8] = { 1, 2, 3, 4 };

	up();
	arrive("10.0.0.2", "10.0.0.1", 132, payload, sizeof(payload));
	CHECK_STR(answer(), "IP 10.0.0.1 > 10.0.0.2: ICMP unreachable code 2 length 36");
	packet_queue_clear(&rig.a.sent);
	arrive("fd00::2", "fd00::1", 132, payload, sizeof(payload));
	CHECK_STR(answer(), "IP6 fd00::1 > fd00::2: ICMP6 parameter problem code 1 length 56");
	CHECK_EQ(get_be32(rig.a.sent.head->data + 44), 6);
	CHECK_EQ(COUNT(&rig.a, IP_DROP_PROTOCOL), 2);
	rig_down(&rig);
}

TEST(icmp, silence_where_the_rfcs_want_it)
{
	uint8_t payload[8] = { 0 }, error[8 + 28] = { ICMP4_UNREACHABLE, 3 };

	up();
	arrive("10.0.0.2", "10.0.0.255", 132, payload, sizeof(payload)); /* to all */
	arrive("10.0.0.2", "224.0.0.1", 132, payload, sizeof(payload));
	arrive("0.0.0.0", "224.0.0.1", 132, payload, sizeof(payload));
	arrive("240.0.0.1", "10.0.0.1", 132, payload, sizeof(payload));	      /* from nobody */
	arrive("10.0.0.2", "10.0.0.1", PROTOCOL_ICMP4, error, sizeof(error)); /* an error, and a bad one */
	CHECK_STR(answer(), "nothing");
	CHECK_EQ(COUNT(&rig.a, ICMP_ERROR_SENT), 0);
	rig_down(&rig);
}

TEST(icmp, errors_are_sent_at_a_limited_rate)
{
	uint8_t payload[8] = { 0 };
	uint64_t burst;

	up();
	for (int i = 0; i < 1000; i++)
		arrive("10.0.0.2", "10.0.0.1", 132, payload, sizeof(payload));
	burst = COUNT(&rig.a, ICMP_ERROR_SENT);
	CHECK(burst > 10 && burst <= 50);
	CHECK_EQ(burst + COUNT(&rig.a, ICMP_ERROR_LIMITED), 1000);
	rig.now += BERTH_SEC;
	arrive("10.0.0.2", "10.0.0.1", 132, payload, sizeof(payload));
	CHECK_EQ(COUNT(&rig.a, ICMP_ERROR_SENT), burst + 1);
	rig_down(&rig);
}

struct mapping {
	uint8_t type, code;
	int error;
	bool hard;
};

static void check_mapping(const char *own, const char *other, const struct mapping *map, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		up();
		error_about(own, other, map[i].type, map[i].code, 0);
		REQUIRE(rig.a.errors == 1);
		CHECK_EQ(rig.a.error.error, map[i].error);
		CHECK_EQ(rig.a.error.hard, map[i].hard);
		CHECK_EQ(rig.a.error.icmp_type, map[i].type);
		CHECK_EQ(rig.a.error.icmp_code, map[i].code);
		CHECK(ip_equal(rig.a.error.source, rig_ip(own)));
		CHECK(ip_equal(rig.a.error.destination, rig_ip(other)));
		CHECK_EQ(rig.a.length, 8);
		CHECK_EQ(rig.a.data[0], 0x77);
		rig_down(&rig);
	}
}

TEST(icmp, errors_reach_their_transport_as_linux_maps_them)
{
	static const struct mapping four[] = {
		{ 3, 0, ENETUNREACH, false },	{ 3, 1, EHOSTUNREACH, false }, { 3, 2, ENOPROTOOPT, true },
		{ 3, 3, ECONNREFUSED, true },	{ 3, 4, EMSGSIZE, false },     { 3, 13, EHOSTUNREACH, true },
		{ 11, 0, EHOSTUNREACH, false }, { 12, 0, EPROTO, true },
	};
	static const struct mapping six[] = {
		{ 1, 0, ENETUNREACH, false }, { 1, 1, EACCES, true },	 { 1, 3, EHOSTUNREACH, false },
		{ 1, 4, ECONNREFUSED, true }, { 2, 0, EMSGSIZE, false }, { 3, 0, EHOSTUNREACH, false },
		{ 4, 0, EPROTO, true },
	};

	check_mapping("10.0.0.1", "8.8.8.8", four, COUNT_OF(four));
	check_mapping("fd00::1", "2001:db8::8", six, COUNT_OF(six));
}

TEST(icmp, errors_about_others_packets_are_dropped)
{
	up();
	error_about("10.0.0.9", "8.8.8.8", 3, 3, 0);
	error_about("fd00::9", "2001:db8::8", 1, 4, 0);
	error_about("10.0.0.1", "8.8.8.8", 3, 99, 0);
	CHECK_EQ(rig.a.errors, 0);
	CHECK_EQ(COUNT(&rig.a, ICMP_DROP_MALFORMED), 2);
	CHECK_EQ(COUNT(&rig.a, ICMP_DROP_TYPE), 1);
	rig_down(&rig);
}

static unsigned mtu_to(const char *destination)
{
	struct ip_path path = { .mtu = 0 };

	CHECK_EQ(ip_path_find(rig.a.stack, rig_ip(destination), ip_any, NULL, &path), 0);
	return path.mtu;
}

TEST(pmtu, a_routers_word_counts_for_ten_minutes)
{
	struct ip_path path;

	up();
	REQUIRE(ip_path_find(rig.a.stack, rig_ip("10.0.0.2"), ip_any, NULL, &path) == 0);
	error_about("10.0.0.1", "10.0.0.2", 3, 4, 1400);
	CHECK(!ip_path_valid(rig.a.stack, &path));
	CHECK_EQ(rig.a.error.mtu, 1400);
	CHECK_EQ(mtu_to("10.0.0.2"), 1400);
	CHECK_EQ(mtu_to("10.0.0.3"), 1500);
	rig_run(&rig, 601 * BERTH_SEC);
	CHECK_EQ(mtu_to("10.0.0.2"), 1500);
	rig_down(&rig);
}

TEST(pmtu, it_only_falls_and_not_below_its_floor)
{
	up();
	error_about("10.0.0.1", "10.0.0.2", 3, 4, 1200);
	error_about("10.0.0.1", "10.0.0.2", 3, 4, 1400);
	CHECK_EQ(mtu_to("10.0.0.2"), 1200);
	error_about("10.0.0.1", "10.0.0.2", 3, 4, 1);
	CHECK_EQ(mtu_to("10.0.0.2"), 552);
	error_about("10.0.0.1", "10.0.0.3", 3, 4, 0); /* a router that names none: the next plateau under 1500 */
	CHECK_EQ(mtu_to("10.0.0.3"), 1492);
	error_about("fd00::1", "fd00::2", 2, 0, 100);
	CHECK_EQ(mtu_to("fd00::2"), 1280);
	rig_down(&rig);
}

TEST(pmtu, forged_reports_cost_no_memory)
{
	up();
	for (unsigned i = 0; i < 5000; i++) {
		char name[20];

		snprintf(name, sizeof(name), "10.%u.%u.2", i / 250 + 1, i % 250);
		error_about("10.0.0.1", name, 3, 4, 1000);
	}
	CHECK_EQ(mtu_to("10.0.0.2"), 1500);
	rig_down(&rig);
}

TEST(pmtu, packets_are_fragmented_to_it)
{
	up();
	error_about("10.0.0.1", "10.0.0.2", 3, 4, 1000);
	CHECK_EQ(rig_send(&rig.a, "10.0.0.2", 1400, true), -EMSGSIZE);
	CHECK_EQ(rig_send(&rig.a, "10.0.0.2", 1400, false), 0);
	CHECK_EQ(rig.a.sent.count, 2);
	CHECK(rig.a.sent.head->length <= 1000);
	rig_settle(&rig);
	CHECK_EQ(rig.b.length, 1400);
	CHECK(rig_pattern_ok(&rig.b));
	rig_down(&rig);
}
