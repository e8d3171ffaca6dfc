/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast: who gets what, and what routers are told. */
#include "rig.h"
#include "wire/checksum.h"
#include "wire/group.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <errno.h>

static struct rig rig;

#define GROUP 0xef010203 /* 239.1.2.3 */

static int open_at(struct end *end, uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = berth_socket(end->stack, AF_INET, SOCK_DGRAM, 0), one = 1;

	CHECK_EQ(berth_setsockopt(end->stack, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	CHECK_EQ(berth_bind(end->stack, fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static int membership(struct end *end, int fd, int option, uint32_t group)
{
	struct ip_mreqn mreq = { .imr_multiaddr = { htonl(group) } };

	return berth_setsockopt(end->stack, fd, IPPROTO_IP, option, &mreq, sizeof(mreq)) < 0 ? -errno : 0;
}

static int source_option(struct end *end, int fd, int option, uint32_t group, uint32_t source)
{
	struct ip_mreq_source mreq = { .imr_multiaddr = { htonl(group) }, .imr_sourceaddr = { htonl(source) } };

	return berth_setsockopt(end->stack, fd, IPPROTO_IP, option, &mreq, sizeof(mreq)) < 0 ? -errno : 0;
}

static ssize_t send_to(struct end *end, int fd, uint32_t ip, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(ip) } };

	return berth_sendto(end->stack, fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to));
}

static unsigned waiting(struct end *end, int fd)
{
	char bytes[16];
	unsigned count = 0;

	while (berth_recv(end->stack, fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

TEST(group, members_hear_and_others_do_not)
{
	int member, other, sender;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	member = open_at(&rig.b, 5000);
	other = open_at(&rig.b, 5001);
	sender = open_at(&rig.a, 4000);
	CHECK_EQ(send_to(&rig.a, sender, GROUP, 5000), 5);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, member), 0);
	CHECK_EQ(COUNT(&rig.b, IP_DROP_NOT_FOR_US), 1);
	CHECK_EQ(membership(&rig.b, member, IP_ADD_MEMBERSHIP, GROUP), 0);
	send_to(&rig.a, sender, GROUP, 5000);
	send_to(&rig.a, sender, GROUP, 5001);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, member), 1);
	CHECK_EQ(waiting(&rig.b, other), 1); /* IP_MULTICAST_ALL: what the host is in */
	CHECK_EQ(rig_set_int(&rig.b, other, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
	send_to(&rig.a, sender, GROUP, 5001);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, other), 0);
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_GROUP), 1);
	CHECK_EQ(membership(&rig.b, member, IP_DROP_MEMBERSHIP, GROUP), 0);
	send_to(&rig.a, sender, GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, member), 0);
	rig_down(&rig);
}

TEST(group, every_socket_gets_its_copy_with_the_senders_name)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	int one, two;
	char bytes[8];

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	one = open_at(&rig.b, 5000);
	two = open_at(&rig.b, 5000);
	membership(&rig.b, one, IP_ADD_MEMBERSHIP, GROUP);
	membership(&rig.b, two, IP_ADD_MEMBERSHIP, GROUP);
	send_to(&rig.a, open_at(&rig.a, 4000), GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, one), 1);
	CHECK_EQ(berth_recvfrom(rig.b.stack, two, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length), 5);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), 0x0a000001);
	CHECK_EQ(ntohs(from.sin_port), 4000);
	rig_down(&rig);
}

TEST(group, our_own_come_back_if_we_are_in_it)
{
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.a, 5000);
	send_to(&rig.a, fd, GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.a, fd), 0);
	membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP);
	send_to(&rig.a, fd, GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.a, fd), 1);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0), 0);
	send_to(&rig.a, fd, GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.a, fd), 0);
	rig_down(&rig);
}

TEST(group, broadcasts_come_back_too)
{
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.a, 5000);
	CHECK_EQ(rig_set_int(&rig.a, fd, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_EQ(send_to(&rig.a, fd, 0x0a0000ff, 5000), 5);
	CHECK_EQ(send_to(&rig.a, fd, INADDR_BROADCAST, 5000), 5);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.a, fd), 2);
	rig_down(&rig);
}

TEST(group, ttl_is_1_and_0_stays_here)
{
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.a, 5000);
	send_to(&rig.a, fd, GROUP, 5000);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(rig.a.sent.head->data[8], 1);
	packet_queue_clear(&rig.a.sent);
	membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP);
	packet_queue_clear(&rig.a.sent);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_MULTICAST_TTL, 0), 0);
	send_to(&rig.a, fd, GROUP, 5000);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	berth_stack_advance(rig.a.stack, rig.now);
	CHECK_EQ(waiting(&rig.a, fd), 1);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_MULTICAST_TTL, 300), -EINVAL);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_MULTICAST_TTL, -1), 0);
	rig_down(&rig);
}

TEST(group, source_filters_decide)
{
	int fd, sender;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.b, 5000);
	sender = open_at(&rig.a, 4000);
	CHECK_EQ(source_option(&rig.b, fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, 0x0a000009), 0);
	send_to(&rig.a, sender, GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, fd), 0);
	CHECK_EQ(source_option(&rig.b, fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, 0x0a000001), 0);
	CHECK_EQ(source_option(&rig.b, fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, 0x0a000001), -EADDRNOTAVAIL);
	CHECK_EQ(source_option(&rig.b, fd, IP_BLOCK_SOURCE, GROUP, 0x0a000001), -EINVAL);
	send_to(&rig.a, sender, GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, fd), 1);
	CHECK_EQ(source_option(&rig.b, fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, 0x0a000001), 0);
	CHECK_EQ(source_option(&rig.b, fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, 0x0a000009), 0);
	CHECK_EQ(membership(&rig.b, fd, IP_DROP_MEMBERSHIP, GROUP), -EADDRNOTAVAIL); /* that was leaving */
	CHECK_EQ(membership(&rig.b, fd, IP_ADD_MEMBERSHIP, GROUP), 0);
	CHECK_EQ(source_option(&rig.b, fd, IP_BLOCK_SOURCE, GROUP, 0x0a000001), 0);
	send_to(&rig.a, sender, GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, fd), 0);
	CHECK_EQ(source_option(&rig.b, fd, IP_UNBLOCK_SOURCE, GROUP, 0x0a000001), 0);
	send_to(&rig.a, sender, GROUP, 5000);
	rig_settle(&rig);
	CHECK_EQ(waiting(&rig.b, fd), 1);
	rig_down(&rig);
}

TEST(group, mistakes_have_the_errors_of_linux)
{
	int fd, stream;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.a, 5000);
	stream = berth_socket(rig.a.stack, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(membership(&rig.a, fd, IP_ADD_MEMBERSHIP, 0x0a000001), -EINVAL);
	CHECK_EQ(membership(&rig.a, fd, IP_DROP_MEMBERSHIP, GROUP), -EADDRNOTAVAIL);
	CHECK_EQ(membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP), 0);
	CHECK_EQ(membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP), -EADDRINUSE);
	CHECK_EQ(membership(&rig.a, stream, IP_ADD_MEMBERSHIP, GROUP), -EPROTO);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, 0), -EINVAL);
	CHECK_EQ(rig_set_int(&rig.a, stream, IPPROTO_IP, IP_MULTICAST_TTL, 1), -EINVAL);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_MULTICAST_ALL, 2), -EINVAL);
	for (uint32_t i = 1; i < 64; i++)
		CHECK_EQ(membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP + i), 0);
	CHECK_EQ(membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP + 64), -ENOBUFS);
	rig_down(&rig);
}

TEST(group, options_are_told_back)
{
	struct in_addr address = { htonl(0x0a000001) };
	socklen_t length = sizeof(address);
	int fd, number = 0;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = berth_socket(rig.a.stack, AF_INET6, SOCK_DGRAM, 0);
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, IPPROTO_IP, IP_MULTICAST_TTL, &number, &length), 0);
	CHECK_EQ(number, 1);
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &number, &length), 0);
	CHECK_EQ(number, 1);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, 2), 0);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, 9), -ENODEV);
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &number, &length), 0);
	CHECK_EQ(number, 2);
	CHECK_EQ(berth_setsockopt(rig.a.stack, fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof(address)), 0);
	address.s_addr = 0;
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &length), 0);
	CHECK_EQ(ntohl(address.s_addr), 0x0a000001);
	rig_down(&rig);
}

TEST(group, filters_are_set_and_read_whole)
{
	uint8_t bytes[GROUP_FILTER_SIZE(2)] = { 0 };
	struct group_filter *filter = (struct group_filter *)(void *)bytes;
	struct sockaddr_in6 name = { .sin6_family = AF_INET6 };
	struct ipv6_mreq mreq = { .ipv6mr_interface = 2 };
	socklen_t length = sizeof(bytes);
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = berth_socket(rig.a.stack, AF_INET6, SOCK_DGRAM, 0);
	memcpy(&name.sin6_addr, rig_ip("ff15::1").bytes, 16);
	mreq.ipv6mr_multiaddr = name.sin6_addr;
	CHECK_EQ(berth_setsockopt(rig.a.stack, fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq)), 0);
	CHECK_STR(rig_next(&rig, &rig.a), "IP6 :: > ff02::16: MLD report, to ex ff15::1 {0}");
	filter->gf_interface = 2;
	memcpy(&filter->gf_group, &name, sizeof(name));
	filter->gf_fmode = MCAST_INCLUDE;
	filter->gf_numsrc = 2;
	for (int i = 0; i < 2; i++) {
		memcpy(&name.sin6_addr, rig_ip(i ? "fd00::7" : "fd00::8").bytes, 16);
		memcpy(&filter->gf_slist[i], &name, sizeof(name));
	}
	CHECK_EQ(berth_setsockopt(rig.a.stack, fd, IPPROTO_IPV6, MCAST_MSFILTER, bytes, sizeof(bytes)), 0);
	CHECK_STR(rig_next(&rig, &rig.a), "IP6 :: > ff02::16: MLD report, to in ff15::1 {2}");
	filter->gf_numsrc = 1;
	filter->gf_fmode = 99;
	filter->gf_fmode = MCAST_EXCLUDE;
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, IPPROTO_IPV6, MCAST_MSFILTER, bytes, &length), 0);
	CHECK_EQ(filter->gf_numsrc, 2);
	CHECK_EQ(filter->gf_fmode, MCAST_INCLUDE);
	CHECK_EQ(length, GROUP_FILTER_SIZE(1));
	filter->gf_numsrc = 3;
	CHECK_EQ(berth_setsockopt(rig.a.stack, fd, IPPROTO_IPV6, MCAST_MSFILTER, bytes, sizeof(bytes)), -1);
	CHECK_EQ(errno, EINVAL);
	rig_down(&rig);
}

TEST(group, changes_are_reported_at_once_and_once_again)
{
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.a, 5000);
	membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(rig.a.sent.head->data[0], 0x46); /* with the router alert */
	CHECK_EQ(rig.a.sent.head->data[8], 1);
	CHECK_EQ(checksum_finish(checksum_add(0, rig.a.sent.head->data + 24, rig.a.sent.head->length - 24)), 0);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, to ex 239.1.2.3 {0}");
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	rig_wait(&rig, BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, to ex 239.1.2.3 {0}");
	rig_wait(&rig, 100 * BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	source_option(&rig.a, fd, IP_BLOCK_SOURCE, GROUP, 0x0a000002);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, block 239.1.2.3 {1}");
	source_option(&rig.a, fd, IP_UNBLOCK_SOURCE, GROUP, 0x0a000002);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, allow 239.1.2.3 {1}");
	berth_close(rig.a.stack, fd);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, to in 239.1.2.3 {0}");
	rig_wait(&rig, BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, to in 239.1.2.3 {0}");
	rig_wait(&rig, BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	rig_down(&rig);
}

TEST(group, a_links_filter_is_the_sum_of_its_sockets)
{
	int one, two;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	one = open_at(&rig.a, 5000);
	two = open_at(&rig.a, 5000);
	source_option(&rig.a, one, IP_ADD_SOURCE_MEMBERSHIP, GROUP, 1);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, allow 239.1.2.3 {1}");
	source_option(&rig.a, two, IP_ADD_SOURCE_MEMBERSHIP, GROUP, 1);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	source_option(&rig.a, two, IP_ADD_SOURCE_MEMBERSHIP, GROUP, 2);
	CHECK_STR(rig_next(&rig, &rig.a),
		  "IP 10.0.0.1 > 224.0.0.22: IGMP report, allow 239.1.2.3 {2}"); /* 1 is told again with it */
	berth_close(rig.a.stack, two);
	two = open_at(&rig.a, 5000);
	packet_queue_clear(&rig.a.sent);
	membership(&rig.a, two, IP_ADD_MEMBERSHIP, GROUP);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, to ex 239.1.2.3 {0}");
	source_option(&rig.a, two, IP_BLOCK_SOURCE, GROUP, 1); /* which the other wants */
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	source_option(&rig.a, two, IP_BLOCK_SOURCE, GROUP, 3);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, to ex 239.1.2.3 {1}");
	rig_down(&rig);
}

/* A query of length bytes arrives at a. */
static void query4(uint8_t code, uint32_t group, size_t length)
{
	uint8_t bytes[20 + 12] = { 0 };
	struct wire_ip4 ip4 = { .ttl = 1,
				.protocol = PROTOCOL_IGMP,
				.total_length = (uint16_t)(20 + length),
				.source = rig_ip("10.0.0.2"),
				.destination = group ? ip_from_u32(group) : rig_ip("224.0.0.1") };

	wire_ip4_build(bytes, &ip4);
	bytes[20] = IGMP_QUERY;
	bytes[21] = code;
	put_be32(bytes + 24, group);
	put_be16(bytes + 22, checksum_finish(checksum_add(0, bytes + 20, length)));
	rig_inject(&rig, &rig.a, bytes, 20 + length);
}

TEST(group, queries_are_answered_in_time)
{
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.a, 5000);
	membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP);
	source_option(&rig.a, fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP + 1, 1);
	rig_wait(&rig, 10 * BERTH_SEC);
	packet_queue_clear(&rig.a.sent);
	query4(10, 0, 12);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	rig_wait(&rig, BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a),
		  "IP 10.0.0.1 > 224.0.0.22: IGMP report, is ex 239.1.2.3 {0}, is in 239.1.2.4 {1}");
	query4(10, GROUP, 12);
	query4(10, GROUP, 12);
	query4(10, GROUP + 7, 12);
	rig_wait(&rig, BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, is ex 239.1.2.3 {0}");
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	rig_down(&rig);
}

TEST(group, old_routers_hear_their_own_version)
{
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.a, 5000);
	query4(10, 0, 8);
	membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 239.1.2.3: IGMP report 239.1.2.3");
	rig_wait(&rig, 10 * BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 239.1.2.3: IGMP report 239.1.2.3");
	membership(&rig.a, fd, IP_DROP_MEMBERSHIP, GROUP);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.2: IGMP leave 239.1.2.3");
	query4(0, 0, 8);
	membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 239.1.2.3: IGMP report v1 239.1.2.3");
	membership(&rig.a, fd, IP_DROP_MEMBERSHIP, GROUP);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	rig_wait(&rig, 401 * BERTH_SEC);
	membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 224.0.0.22: IGMP report, to ex 239.1.2.3 {0}");
	rig_down(&rig);
}

static void query6(bool alert, uint8_t hop_limit)
{
	struct berth_ip from = rig_ip("fe80::2"), to = rig_ip("ff02::1");
	struct wire_ip6 ip6 = { .next_header = alert ? PROTOCOL_HOP_BY_HOP : PROTOCOL_ICMP6,
				.hop_limit = hop_limit,
				.payload_length = alert ? 36 : 28 };
	uint8_t bytes[40 + 36] = { 0 }, *message = bytes + (alert ? 48 : 40);

	ip6.source = from;
	ip6.destination = to;
	wire_ip6_build(bytes, &ip6);
	if (alert)
		wire_alert_build(bytes + 40, PROTOCOL_ICMP6);
	message[0] = MLD_QUERY;
	put_be16(message + 4, 1000);
	put_be16(message + 2, checksum_finish(checksum_add(ip_pseudo_sum(from, to, PROTOCOL_ICMP6, 28), message, 28)));
	rig_inject(&rig, &rig.a, bytes, 40u + ip6.payload_length);
}

TEST(group, addresses_have_groups_that_routers_learn_when_they_ask)
{
	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	rig_wait(&rig, 10 * BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	query6(false, 1);
	query6(true, 64);
	CHECK_EQ(COUNT(&rig.a, GROUP_DROP_MALFORMED), 2);
	rig_wait(&rig, BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	query6(true, 1);
	rig_wait(&rig, BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "IP6 :: > ff02::16: MLD report, is ex ff02::1:ff00:1 {0}");
	CHECK_EQ(berth_link_remove_address(rig.a.link, rig_ip("fd00::1")), 0);
	CHECK_STR(rig_next(&rig, &rig.a), "IP6 :: > ff02::16: MLD report, to in ff02::1:ff00:1 {0}");
	rig_down(&rig);
}

TEST(group, a_link_that_goes_takes_its_groups_along)
{
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_at(&rig.a, 5000);
	membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP);
	send_to(&rig.a, fd, GROUP, 5000);
	packet_queue_clear(&rig.a.sent);
	berth_link_remove(rig.a.link);
	berth_stack_advance(rig.a.stack, rig.now + BERTH_SEC);
	CHECK_STR(rig_next(&rig, &rig.a), "nothing");
	CHECK_EQ(waiting(&rig.a, fd), 0);
	CHECK_EQ(membership(&rig.a, fd, IP_DROP_MEMBERSHIP, GROUP), 0);
	CHECK_EQ(membership(&rig.a, fd, IP_ADD_MEMBERSHIP, GROUP), -ENODEV);
	rig_down(&rig);
}

TEST(group, random_calls_and_frames_are_survived)
{
	struct random random;
	int fds[4];

	random_init(&random, 11);
	rig_begin(&rig, BERTH_LINK_IP, 0);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = open_at(&rig.a, 5000);
	for (int i = 0; i < 20000; i++) {
		static const int options[] = { IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE,
					       IP_UNBLOCK_SOURCE };
		size_t which = (size_t)random_below(&random, COUNT_OF(fds));
		uint32_t group = GROUP + (uint32_t)random_below(&random, 5),
			 source = (uint32_t)random_below(&random, 9);

		switch (random_below(&random, 6)) {
		case 0:
			membership(&rig.a, fds[which],
				   random_below(&random, 2) ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, group);
			break;
		case 1:
			query4((uint8_t)random_below(&random, 30), random_below(&random, 2) ? group : 0,
			       random_below(&random, 20) ? 12 : 8);
			break;
		case 2:
			rig_wait(&rig, (berth_time)random_below(&random, 3000) * BERTH_MSEC);
			break;
		case 3:
			if (random_below(&random, 10))
				break;
			berth_close(rig.a.stack, fds[which]);
			fds[which] = open_at(&rig.a, 5000);
			break;
		default:
			source_option(&rig.a, fds[which], options[random_below(&random, 4)], group, source);
		}
		packet_queue_clear(&rig.a.sent);
	}
	rig_down(&rig);
}
