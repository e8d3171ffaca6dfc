/* SPDX-License-Identifier: BSD-2-Clause */
/* What hosts must do, where no other test shows it: RFC 1122 §3 and §4.1, RFC 8200, RFC 4861, RFC 6724. hosts.txt */
#include "core/neigh/table.h"
#include "tests/unit/core/rig.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/show.h"
#include "wire/udp.h"

#include <errno.h>

static struct rig rig;
static char text[256];

static void begin(void)
{
	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
}

/* What a answered, as text; it stays on the cable. */
static const char *answer(void)
{
	const struct berth_packet *packet = rig.a.sent.head;

	return packet ? wire_show(packet->data, packet->length, rig.type, text, sizeof(text)) : "nothing";
}

static struct wire_ip4 from_b(uint8_t protocol)
{
	return (struct wire_ip4){ .ttl = 64,
				  .protocol = protocol,
				  .source = ip_from_u32(0x0a000002),
				  .destination = ip_from_u32(0x0a000001) };
}

static void arrive4(struct wire_ip4 ip4, const uint8_t *options, size_t options_length, const void *payload,
		    size_t length)
{
	uint8_t bytes[2048];

	ip4.total_length = (uint16_t)(WIRE_IP4_LENGTH + options_length + length);
	wire_ip4_build_options(bytes, &ip4, options, options_length);
	memcpy(bytes + WIRE_IP4_LENGTH + options_length, payload, length);
	rig_inject(&rig, &rig.a, bytes, WIRE_IP4_LENGTH + options_length + length);
}

static void arrive6(const char *source, const char *destination, uint8_t next_header, const void *payload,
		    size_t length)
{
	struct wire_ip6 ip6 = { .next_header = next_header,
				.hop_limit = 255,
				.payload_length = (uint16_t)length,
				.source = rig_ip(source),
				.destination = rig_ip(destination) };
	uint8_t bytes[2048];

	wire_ip6_build(bytes, &ip6);
	memcpy(bytes + WIRE_IP6_LENGTH, payload, length);
	rig_inject(&rig, &rig.a, bytes, WIRE_IP6_LENGTH + length);
}

static const uint8_t zeros[64];

/* RFC 1122 §3.2.1.7 */
TEST(host, a_packet_for_us_may_have_used_up_its_time_to_live)
{
	struct wire_ip4 ip4 = from_b(RIG_PROTOCOL);

	begin();
	for (ip4.ttl = 0; ip4.ttl < 2; ip4.ttl++)
		arrive4(ip4, NULL, 0, zeros, 8);
	CHECK_EQ(rig.a.received, 2);
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

/* RFC 1122 §3.2.1.8 */
TEST(host, unknown_options_are_ignored)
{
	static const uint8_t options[] = { 30, 4, 1, 2, 136, 4, 0, 7, 1, 0, 0, 0 }; /* unknown, stream id */

	begin();
	arrive4(from_b(RIG_PROTOCOL), options, sizeof(options), zeros, 8);
	CHECK_EQ(rig.a.received, 1);
	CHECK_EQ(rig.a.length, 8);
	rig_down(&rig);
}

/* RFC 1122 §3.2.2: unknown types, source quench (RFC 6633), information and mask requests. */
TEST(host, icmp_messages_of_other_types_are_dropped_in_silence)
{
	static const uint8_t types[] = { 1, 4, 7, 15, 16, 17, 18, 30, 41, 255 };

	begin();
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		uint8_t message[12] = { types[i] };

		put_be16(message + 2, checksum_finish(checksum_add(0, message, sizeof(message))));
		arrive4(from_b(PROTOCOL_ICMP4), NULL, 0, message, sizeof(message));
	}
	CHECK_EQ(COUNT(&rig.a, ICMP_DROP_TYPE) + COUNT(&rig.a, ICMP_DROP_MALFORMED), COUNT_OF(types));
	CHECK_STR(answer(), "nothing");
	CHECK_EQ(rig.a.errors, 0);
	rig_down(&rig);
}

/* RFC 1122 §3.2.2, RFC 4443 §2.4 (c): header and more than eight bytes, as they came. */
TEST(host, an_error_quotes_the_packet_as_it_came)
{
	uint8_t payload[32];
	struct berth_packet *error;

	begin();
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	arrive4(from_b(132), NULL, 0, payload, sizeof(payload));
	error = rig.a.sent.head;
	REQUIRE(error && error->length == 20 + 8 + 20 + sizeof(payload));
	CHECK_BYTES(error->data + 48, payload, sizeof(payload));
	CHECK(wire_ip4_checksum_ok(error->data + 28, 20));
	packet_queue_clear(&rig.a.sent);
	arrive6("fd00::2", "fd00::1", 132, payload, sizeof(payload));
	error = rig.a.sent.head;
	REQUIRE(error && error->length == 40 + 8 + 40 + sizeof(payload));
	CHECK_BYTES(error->data + 88, payload, sizeof(payload));
	rig_down(&rig);
}

/* RFC 4443 §2.4 (c): as much as fits the smallest MTU; RFC 1812 §4.3.2.3: 576 bytes. */
TEST(host, an_error_is_no_larger_than_the_smallest_mtu)
{
	static const uint8_t large[1400];

	begin();
	arrive4(from_b(132), NULL, 0, large, sizeof(large));
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(rig.a.sent.head->length, 576);
	packet_queue_clear(&rig.a.sent);
	arrive6("fd00::2", "fd00::1", 132, large, sizeof(large));
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(rig.a.sent.head->length, 1280);
	rig_down(&rig);
}

/* RFC 1122 §3.2.2: not about fragments but the first, nor ICMP errors; RFC 4443 §2.4 (e): nor to groups and nobody. */
TEST(host, some_packets_are_never_complained_about)
{
	uint8_t error[8 + 28] = { ICMP6_UNREACHABLE, 4 };
	struct wire_ip4 ip4 = from_b(132);

	begin();
	ip4.offset = 800;
	arrive4(ip4, NULL, 0, zeros, 8);
	rig_wait(&rig, 70 * BERTH_SEC);
	arrive6("fd00::2", "ff02::1", 132, zeros, 8);
	arrive6("::", "ff02::1", 132, zeros, 8);
	arrive6("fd00::2", "fd00::1", PROTOCOL_ICMP6, error, sizeof(error));
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

/* RFC 1122 §3.2.2.6, RFC 4443 §4.2 */
TEST(host, an_echo_reply_is_from_the_address_asked_with_the_same_data)
{
	uint8_t request[28] = { ICMP4_ECHO, 0, 0, 0, 1, 2, 3, 4 };
	struct wire_ip4 ip4 = from_b(PROTOCOL_ICMP4);
	struct berth_packet *reply;

	begin();
	CHECK_EQ(berth_link_add_address(rig.a.link, ip_from_u32(0x0a000005), 24), 0);
	for (size_t i = 8; i < sizeof(request); i++)
		request[i] = (uint8_t)i;
	put_be16(request + 2, checksum_finish(checksum_add(0, request, sizeof(request))));
	ip4.destination = ip_from_u32(0x0a000005);
	arrive4(ip4, NULL, 0, request, sizeof(request));
	reply = rig.a.sent.head;
	REQUIRE(reply && reply->length == 20 + sizeof(request));
	CHECK_EQ(get_be32(reply->data + 12), 0x0a000005);
	CHECK_EQ(reply->data[20], ICMP4_ECHO_REPLY);
	CHECK_BYTES(reply->data + 24, request + 4, sizeof(request) - 4);
	rig_down(&rig);
}

/* RFC 1122 §3.3.1.5: another default gateway is used when one is dead. */
TEST(host, a_dead_gateway_makes_room_for_another)
{
	struct ip_path path;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD);
	CHECK_EQ(berth_route_add(rig.a.stack, ip_from_u32(0), 0, ip_from_u32(0x0a000008), rig.a.link), 0);
	CHECK_EQ(berth_route_add(rig.a.stack, ip_from_u32(0), 0, ip_from_u32(0x0a000009), rig.a.link), 0);
	REQUIRE(ip_path_find(rig.a.stack, rig_ip("8.8.8.8"), ip_any, NULL, &path) == 0);
	CHECK_EQ(ip_u32(path.next_hop), 0x0a000008);
	CHECK_EQ(rig_send(&rig.a, "8.8.8.8", 10, false), 0);
	rig_wait(&rig, 1 * BERTH_SEC);
	rig_wait(&rig, 1 * BERTH_SEC);
	rig_wait(&rig, 2 * BERTH_SEC);
	CHECK(!ip_path_valid(rig.a.stack, &path));
	REQUIRE(ip_path_find(rig.a.stack, rig_ip("8.8.8.8"), ip_any, NULL, &path) == 0);
	CHECK_EQ(ip_u32(path.next_hop), 0x0a000009);
	rig_down(&rig);
}

/* RFC 1122 §3.3.7, RFC 4291 §2.8 */
TEST(host, every_host_is_in_the_group_of_all)
{
	struct wire_ip4 ip4 = from_b(RIG_PROTOCOL);

	begin();
	ip4.destination = ip_from_u32(0xe0000001);
	arrive4(ip4, NULL, 0, zeros, 8);
	arrive6("fd00::2", "ff02::1", RIG_PROTOCOL, zeros, 8);
	CHECK_EQ(rig.a.received, 2);
	CHECK(rig.a.info.multicast);
	rig_down(&rig);
}

/* RFC 1122 §3.2.1.3: all ones, and all ones in the host's part. */
TEST(host, broadcasts_are_recognised)
{
	static const uint32_t broadcasts[] = { 0xffffffff, 0x0a0000ff };
	struct wire_ip4 ip4 = from_b(RIG_PROTOCOL);

	begin();
	for (size_t i = 0; i < COUNT_OF(broadcasts); i++) {
		ip4.destination = ip_from_u32(broadcasts[i]);
		arrive4(ip4, NULL, 0, zeros, 8);
		CHECK_EQ(rig.a.received, i + 1);
		CHECK(rig.a.info.multicast);
	}
	rig_down(&rig);
}

static int receiver(int family)
{
	struct sockaddr_in6 name6 = { .sin6_family = AF_INET6, .sin6_port = htons(7) };
	struct sockaddr_in name4 = { .sin_family = AF_INET, .sin_port = htons(7) };
	int fd = berth_socket(rig.a.stack, family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(berth_bind(rig.a.stack, fd, family == AF_INET ? (struct sockaddr *)&name4 : (struct sockaddr *)&name6,
			    family == AF_INET ? sizeof(name4) : sizeof(name6)),
		 0);
	return fd;
}

static void datagram(bool v4, uint16_t checksum)
{
	struct wire_udp udp = { 9, 7, 12, checksum };
	uint8_t bytes[12] = { 0 };

	wire_udp_build(bytes, &udp);
	if (v4)
		arrive4(from_b(PROTOCOL_UDP), NULL, 0, bytes, sizeof(bytes));
	else
		arrive6("fd00::2", "fd00::1", PROTOCOL_UDP, bytes, sizeof(bytes));
}

/* RFC 1122 §4.1.3.4, RFC 8200 §8.1 */
TEST(host, a_udp_checksum_must_be_right_and_in_ipv6_there)
{
	uint8_t byte;
	int four, six;

	begin();
	four = receiver(AF_INET);
	datagram(true, 0);
	CHECK_EQ(berth_recv(rig.a.stack, four, &byte, 1, 0), 1); /* cut: MSG_TRUNC is not asked for */
	datagram(true, 0x1234);
	CHECK_EQ(berth_recv(rig.a.stack, four, &byte, 1, 0), -1);
	CHECK_EQ(COUNT(&rig.a, UDP_DROP_CHECKSUM), 1);
	berth_close(rig.a.stack, four);
	six = receiver(AF_INET6);
	datagram(false, 0);
	datagram(false, 0x1234);
	CHECK_EQ(berth_recv(rig.a.stack, six, &byte, 1, 0), -1);
	CHECK_EQ(COUNT(&rig.a, UDP_DROP_CHECKSUM), 3);
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

static int send_from(int fd, uint32_t source)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(0x0a000002) } };
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 }, byte = 1;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_name = &to,
				  .msg_namelen = sizeof(to),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct in_pktinfo info = { .ipi_spec_dst = { htonl(source) } };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	return berth_sendmsg(rig.a.stack, fd, &message, 0) < 0 ? -errno : 0;
}

/* RFC 1122 §4.1.3.5, §4.1.3.6 */
TEST(host, a_datagram_goes_from_the_address_chosen_if_it_is_ours)
{
	int fd;

	begin();
	CHECK_EQ(berth_link_add_address(rig.a.link, ip_from_u32(0x0a000005), 24), 0);
	fd = receiver(AF_INET);
	CHECK_EQ(send_from(fd, 0x0a000005), 0);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(get_be32(rig.a.sent.head->data + 12), 0x0a000005);
	packet_queue_clear(&rig.a.sent);
	CHECK_EQ(send_from(fd, 0x0a000077), -EINVAL);
	CHECK_STR(answer(), "nothing");
	rig_down(&rig);
}

/* RFC 1122 §4.1.4, §3.2.1.6, §3.2.1.7 */
TEST(host, the_sender_chooses_time_to_live_and_type_of_service)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(0x0a000002) } };
	int fd;

	begin();
	fd = receiver(AF_INET);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_TTL, 3), 0);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_TOS, 0x10), 0);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_TTL, 0), -EINVAL); /* never sent */
	CHECK_EQ(berth_sendto(rig.a.stack, fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(rig.a.sent.head->data[8], 3);
	CHECK_EQ(rig.a.sent.head->data[1], 0x10);
	rig_down(&rig);
}

/* RFC 8200 §4.5: reserved fields are "ignored on reception". */
TEST(host, reserved_bits_of_a_fragment_header_are_ignored)
{
	uint8_t fragment[8 + 8] = { RIG_PROTOCOL, 0xff, 0, 0x06 }; /* reserved octet and bits are set */

	begin();
	arrive6("fd00::2", "fd00::1", PROTOCOL_FRAGMENT, fragment, sizeof(fragment));
	CHECK_EQ(rig.a.received, 1);
	rig_down(&rig);
}

/* RFC 8200 §5 */
TEST(host, every_link_carries_1280_bytes_of_ipv6_whole)
{
	begin();
	CHECK_EQ(rig_send(&rig.a, "fd00::2", 1280 - 40, true), 0);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(rig.a.sent.head->length, 1280);
	CHECK_EQ(rig.a.sent.count, 1);
	rig_down(&rig);
}

static void neighbour_message(uint8_t type, const char *source, const char *destination, uint8_t hop_limit,
			      uint8_t code, size_t length, bool good_sum)
{
	uint8_t message[32] = { type, code }, bytes[40 + 32];
	struct wire_ip6 ip6 = { .next_header = PROTOCOL_ICMP6,
				.hop_limit = hop_limit,
				.payload_length = (uint16_t)length,
				.source = rig_ip(source),
				.destination = rig_ip(destination) };
	uint8_t frame[14 + 40 + 32];
	struct wire_ethernet ethernet = { .destination = { 2, 0, 0, 0, 0, 1 },
					  .source = { 2, 0, 0, 0, 0, 2 },
					  .type = ETHERTYPE_IP6 };

	memcpy(message + 8, rig_ip("fd00::1").bytes, 16);
	message[24] = 1; /* source link-layer address */
	message[25] = 1;
	memcpy(message + 26, ethernet.source, 6);
	put_be16(message + 2,
		 checksum_finish(checksum_add(ip_pseudo_sum(ip6.source, ip6.destination, PROTOCOL_ICMP6, length),
					      message, length)));
	if (!good_sum)
		message[3] ^= 1;
	wire_ethernet_build(frame, &ethernet);
	wire_ip6_build(bytes, &ip6);
	memcpy(bytes + 40, message, length);
	memcpy(frame + 14, bytes, 40 + length);
	rig_inject(&rig, &rig.a, frame, 54 + length);
}

/* RFC 4861 §7.1.1, §7.1.2: each check, one at a time. */
TEST(host, neighbour_messages_that_fail_a_check_are_dropped)
{
	static const uint8_t solicit = ICMP6_NEIGHBOUR_SOLICIT;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD);
	neighbour_message(solicit, "fd00::2", "fd00::1", 255, 0, 32, true);
	CHECK_STR(rig_next(&rig, &rig.a), "IP6 fd00::1 > fd00::2: ICMP6 neighbour advertisement fd00::1 length 32");
	neighbour_message(solicit, "fd00::2", "fd00::1", 254, 0, 32, true);   /* from beyond a router */
	neighbour_message(solicit, "fd00::2", "fd00::1", 255, 1, 32, true);   /* a code */
	neighbour_message(solicit, "fd00::2", "fd00::1", 255, 0, 20, true);   /* too short */
	neighbour_message(solicit, "fd00::2", "fd00::1", 255, 0, 28, true);   /* an option cut short */
	neighbour_message(solicit, "::", "ff02::1:ff00:1", 255, 0, 32, true); /* nobody with a link address */
	neighbour_message(solicit, "::", "ff02::1", 255, 0, 24, true);	      /* nobody, not to its group */
	CHECK_EQ(COUNT(&rig.a, NDP_DROP_MALFORMED), 6);
	neighbour_message(solicit, "fd00::2", "fd00::1", 255, 0, 32, false);
	CHECK_EQ(COUNT(&rig.a, ICMP_DROP_CHECKSUM), 1);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	rig_down(&rig);
}

static struct berth_ip source_for(const char *destination)
{
	struct ip_path path = { .source = ip_any };

	CHECK_EQ(ip_path_find(rig.a.stack, rig_ip(destination), ip_any, NULL, &path), 0);
	return path.source;
}

#define CHECK_SOURCE(destination, expected) CHECK(ip_equal(source_for(destination), rig_ip(expected)))

/* RFC 6724 §5, rule by rule. */
TEST(host, the_source_is_chosen_by_rules)
{
	begin();
	CHECK_EQ(berth_route_add(rig.a.stack, ip_any, 0, rig_ip("fd00::2"), rig.a.link), 0);
	CHECK_EQ(berth_link_add_address(rig.a.link, rig_ip("2002:a00:1::1"), 64), 0);
	CHECK_EQ(berth_link_add_address(rig.a.link, rig_ip("2001:db8:1::1"), 64), 0);
	CHECK_EQ(berth_link_add_address(rig.a.link, rig_ip("fe80::1"), 64), 0);
	CHECK_SOURCE("2001:db8:1::1", "2001:db8:1::1"); /* 1: the same */
	CHECK_SOURCE("fe80::99", "fe80::1");		/* 2: scope */
	CHECK_SOURCE("ff02::5", "fe80::1");
	CHECK_SOURCE("2600::1", "2001:db8:1::1");	  /* 6: label: neither unique local nor 6to4 */
	CHECK_SOURCE("fd77::1", "fd00::1");		  /* 6 */
	CHECK_SOURCE("2002:808:808::1", "2002:a00:1::1"); /* 6 */
	CHECK_EQ(berth_link_add_address(rig.a.link, rig_ip("2600:1::1"), 64), 0);
	CHECK_SOURCE("2600:1:2::1", "2600:1::1"); /* 8: longest prefix */
	CHECK_SOURCE("2001:db8:2::1", "2001:db8:1::1");
	neigh_own_address(rig.a.link, rig_ip("2600:1::1"))->deprecated = true;
	berth_link_set_mtu(rig.a.link, 1400);	      /* paths are found anew */
	CHECK_SOURCE("2600:1:2::1", "2001:db8:1::1"); /* 3: deprecated ones last */
	rig_down(&rig);
}

static int received_control(int fd, int level, int type)
{
	char control[256], byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int value = 0;

	CHECK_EQ(berth_recvmsg(rig.a.stack, fd, &message, 0), 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			memcpy(&value, CMSG_DATA(c), MIN(sizeof(value), c->cmsg_len - CMSG_LEN(0)));
	return value;
}

/* RFC 1122 §3.2.1.6, §4.1.4 */
TEST(host, time_to_live_and_type_of_service_are_passed_up)
{
	struct wire_udp udp = { 9, 7, 12, 0 };
	struct wire_ip4 ip4 = from_b(PROTOCOL_UDP);
	uint8_t bytes[12] = { 0 };
	int fd;

	begin();
	fd = receiver(AF_INET);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_RECVTOS, 1), 0);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_RECVTTL, 1), 0);
	wire_udp_build(bytes, &udp);
	ip4.traffic_class = 0x28;
	ip4.ttl = 7;
	arrive4(ip4, NULL, 0, bytes, sizeof(bytes));
	arrive4(ip4, NULL, 0, bytes, sizeof(bytes));
	CHECK_EQ(received_control(fd, IPPROTO_IP, IP_TOS), 0x28);
	CHECK_EQ(received_control(fd, IPPROTO_IP, IP_TTL), 7);
	rig_down(&rig);
}

enum { SOLICITED = 0x40, OVERRIDE = 0x20 };

/* b, at fd00::2, says that its address is 02::mac. */
static void advertise(uint8_t flags, uint8_t mac)
{
	uint8_t message[32] = { ICMP6_NEIGHBOUR_ADVERT, 0, 0, 0, flags }, frame[14 + 40 + 32];
	struct wire_ip6 ip6 = { .next_header = PROTOCOL_ICMP6, .hop_limit = 255, .payload_length = sizeof(message) };
	struct wire_ethernet ethernet = { .destination = { 2, 0, 0, 0, 0, 1 },
					  .source = { 2, 0, 0, 0, 0, 2 },
					  .type = ETHERTYPE_IP6 };

	ip6.source = rig_ip("fd00::2");
	ip6.destination = rig_ip("fd00::1");
	memcpy(message + 8, ip6.source.bytes, 16);
	memcpy(message + 24, (uint8_t[]){ 2, 1, 2, 0, 0, 0, 0, mac }, 8);
	put_be16(message + 2, checksum_finish(checksum_add(
				      ip_pseudo_sum(ip6.source, ip6.destination, PROTOCOL_ICMP6, sizeof(message)),
				      message, sizeof(message))));
	wire_ethernet_build(frame, &ethernet);
	wire_ip6_build(frame + 14, &ip6);
	memcpy(frame + 54, message, sizeof(message));
	rig_inject(&rig, &rig.a, frame, sizeof(frame));
}

/* RFC 4861 §7.2.5 */
TEST(host, a_neighbour_advertisement_is_heeded_by_its_flags)
{
	struct neigh *neigh;

	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD);
	advertise(SOLICITED | OVERRIDE, 2); /* nobody asked: no entry is made */
	CHECK(!neigh_find(rig.a.link->neigh, rig_ip("fd00::2")));
	CHECK_EQ(rig_send(&rig.a, "fd00::2", 10, false), 0);
	neigh = neigh_find(rig.a.link->neigh, rig_ip("fd00::2"));
	REQUIRE(neigh && neigh->state == NEIGH_INCOMPLETE);
	advertise(0, 2); /* not solicited */
	CHECK_EQ(neigh->state, NEIGH_STALE);
	advertise(SOLICITED, 2);
	CHECK_EQ(neigh->state, NEIGH_REACHABLE);
	advertise(SOLICITED, 9); /* another address, and no override: doubt, and no change */
	CHECK_EQ(neigh->state, NEIGH_STALE);
	CHECK_EQ(neigh->mac[5], 2);
	advertise(OVERRIDE, 9);
	CHECK_EQ(neigh->state, NEIGH_STALE);
	CHECK_EQ(neigh->mac[5], 9);
	advertise(SOLICITED | OVERRIDE, 8);
	CHECK_EQ(neigh->state, NEIGH_REACHABLE);
	CHECK_EQ(neigh->mac[5], 8);
	rig_down(&rig);
}

/* RFC 1122 §3.2.1.7 */
TEST(host, the_default_time_to_live_can_be_set)
{
	int fd, value = 0;
	socklen_t length = sizeof(value);

	memset(&rig, 0, sizeof(rig));
	rig.type = BERTH_LINK_IP;
	rig.flags = BERTH_LINK_NO_DAD;
	rig.limits.hop_limit = 33;
	rig_up(&rig);
	CHECK_EQ(rig_send(&rig.a, "10.0.0.2", 8, false), 0);
	CHECK_EQ(rig_send(&rig.a, "fd00::2", 8, false), 0);
	REQUIRE(rig.a.sent.count == 2);
	CHECK_EQ(rig.a.sent.head->data[8], 33);
	CHECK_EQ(rig.a.sent.head->next->data[7], 33);
	fd = receiver(AF_INET);
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, IPPROTO_IP, IP_TTL, &value, &length), 0);
	CHECK_EQ(value, 33);
	rig_down(&rig);
}
