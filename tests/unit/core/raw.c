/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw sockets. */
#include "rig.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <errno.h>

static struct rig rig;

static int open_raw(struct end *end, int family, int protocol)
{
	int fd = berth_socket(end->stack, family, SOCK_RAW, protocol);

	CHECK(fd >= 0);
	return fd;
}

static ssize_t send4(int fd, uint32_t ip, const void *bytes, size_t length)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(ip) } };

	return berth_sendto(rig.a.stack, fd, bytes, length, 0, (struct sockaddr *)&to, sizeof(to));
}

static ssize_t send6(int fd, const char *ip, const void *bytes, size_t length)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };

	memcpy(&to.sin6_addr, rig_ip(ip).bytes, 16);
	return berth_sendto(rig.a.stack, fd, bytes, length, 0, (struct sockaddr *)&to, sizeof(to));
}

TEST(raw, ipv4_readers_see_the_header_and_the_protocol_works_on)
{
	uint8_t request[8] = { ICMP4_ECHO, 0, 0xf7, 0xff }, seen[64]; /* checksum and all */
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	int a, b;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	a = open_raw(&rig.a, AF_INET, IPPROTO_ICMP);
	b = open_raw(&rig.b, AF_INET, IPPROTO_ICMP);
	CHECK_EQ(send4(a, 0x0a000002, request, 8), 8);
	rig_settle(&rig);
	REQUIRE(berth_recvfrom(rig.b.stack, b, seen, sizeof(seen), 0, (struct sockaddr *)&from, &length) == 28);
	CHECK_EQ(seen[0], 0x45);
	CHECK_EQ(seen[20], ICMP4_ECHO);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), 0x0a000001);
	CHECK_EQ(COUNT(&rig.b, ICMP_ECHO_ANSWERED), 1);
	REQUIRE(berth_recv(rig.a.stack, a, seen, sizeof(seen), 0) == 28);
	CHECK_EQ(seen[20], ICMP4_ECHO_REPLY);
	rig_down(&rig);
}

TEST(raw, ipv6_readers_see_the_payload_and_icmp_is_summed)
{
	uint8_t request[8] = { ICMP6_ECHO }, seen[64];
	int a;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	a = open_raw(&rig.a, AF_INET6, IPPROTO_ICMPV6);
	CHECK_EQ(send6(a, "fd00::2", request, 8), 8);
	rig_settle(&rig);
	REQUIRE(berth_recv(rig.a.stack, a, seen, sizeof(seen), 0) == 8);
	CHECK_EQ(seen[0], ICMP6_ECHO_REPLY);
	rig_down(&rig);
}

TEST(raw, filters_hide_types)
{
	uint8_t request4[8] = { ICMP4_ECHO, 0, 0xf7, 0xff }, request6[8] = { ICMP6_ECHO }, seen[64];
	uint32_t all6[8];
	int four, six;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	memset(all6, 0xff, sizeof(all6));
	four = open_raw(&rig.a, AF_INET, IPPROTO_ICMP);
	six = open_raw(&rig.a, AF_INET6, IPPROTO_ICMPV6);
	CHECK_EQ(rig_set_int(&rig.a, four, 255, 1, 1 << ICMP4_ECHO_REPLY), 0);
	CHECK_EQ(berth_setsockopt(rig.a.stack, six, IPPROTO_ICMPV6, 1, all6, sizeof(all6)), 0);
	send4(four, 0x0a000002, request4, 8);
	send6(six, "fd00::2", request6, 8);
	rig_settle(&rig);
	CHECK_EQ(berth_recv(rig.a.stack, four, seen, sizeof(seen), 0), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(berth_recv(rig.a.stack, six, seen, sizeof(seen), 0), -1);
	rig_down(&rig);
}

TEST(raw, the_writer_may_give_the_header)
{
	struct wire_ip4 ip4 = { .ttl = 3,
				.protocol = 99,
				.total_length = 24,
				.source = ip_from_u32(0),
				.destination = ip_from_u32(0x0a000002) };
	uint8_t bytes[2000] = { 0 };
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_raw(&rig.a, AF_INET, IPPROTO_RAW);
	wire_ip4_build(bytes, &ip4);
	bytes[10] ^= 0xff; /* a checksum that is made right, as the source and the length are */
	CHECK_EQ(send4(fd, 0x0a000002, bytes, 25), 25);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(rig.a.sent.head->data[8], 3);
	CHECK(wire_ip4_checksum_ok(rig.a.sent.head->data, 20));
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 10.0.0.2: protocol 99 length 5");
	CHECK_EQ(send4(fd, 0x0a000002, bytes, 19), -1);
	CHECK_EQ(errno, EINVAL);
	bytes[0] = 0x4f;
	CHECK_EQ(send4(fd, 0x0a000002, bytes, 25), -1);
	CHECK_EQ(errno, EINVAL);
	bytes[0] = 0x45;
	CHECK_EQ(send4(fd, 0x0a000002, bytes, 1501), -1);
	CHECK_EQ(errno, EMSGSIZE);
	fd = open_raw(&rig.a, AF_INET, 98);
	CHECK_EQ(send4(fd, 0x0a000002, "hello", 5), 5);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 10.0.0.2: protocol 98 length 5");
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IP, IP_HDRINCL, 1), 0);
	CHECK_EQ(send4(fd, 0x0a000002, bytes, 25), 25);
	CHECK_STR(rig_next(&rig, &rig.a), "IP 10.0.0.1 > 10.0.0.2: protocol 99 length 5");
	rig_down(&rig);
}

TEST(raw, a_checksum_is_put_where_it_is_asked_for)
{
	uint8_t payload[8] = { 1, 2, 3, 4 };
	int fd;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	fd = open_raw(&rig.a, AF_INET6, 99);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IPV6, 7, 3), -EINVAL);
	CHECK_EQ(rig_set_int(&rig.a, fd, IPPROTO_IPV6, 7, 6), 0);
	CHECK_EQ(send6(fd, "fd00::2", payload, 8), 8);
	REQUIRE(rig.a.sent.head);
	CHECK_EQ(checksum_finish(checksum_add(ip_pseudo_sum(rig_ip("fd00::1"), rig_ip("fd00::2"), 99, 8),
					      rig.a.sent.head->data + 40, 8)),
		 0);
	CHECK_EQ(send6(fd, "fd00::2", payload, 7), -1);
	CHECK_EQ(errno, EINVAL);
	rig_down(&rig);
}

TEST(raw, addresses_choose_and_a_reader_means_no_refusal)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a000002) } };
	uint8_t seen[64];
	int out, bound, elsewhere;

	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	out = open_raw(&rig.a, AF_INET, 99);
	CHECK_EQ(send4(out, 0x0a000002, "x", 1), 1);
	rig_settle(&rig);
	CHECK_EQ(COUNT(&rig.b, IP_DROP_PROTOCOL), 1); /* nobody: an ICMP error went back */
	bound = open_raw(&rig.b, AF_INET, 99);
	elsewhere = open_raw(&rig.b, AF_INET, 99);
	CHECK_EQ(berth_bind(rig.b.stack, bound, (struct sockaddr *)&name, sizeof(name)), 0);
	name.sin_addr.s_addr = htonl(0x0a000009);
	CHECK_EQ(berth_connect(rig.b.stack, elsewhere, (struct sockaddr *)&name, sizeof(name)), 0);
	send4(out, 0x0a000002, "x", 1);
	rig_settle(&rig);
	CHECK_EQ(COUNT(&rig.b, IP_DROP_PROTOCOL), 1);
	CHECK_EQ(berth_recv(rig.b.stack, bound, seen, sizeof(seen), 0), 21);
	CHECK_EQ(berth_recv(rig.b.stack, elsewhere, seen, sizeof(seen), 0), -1);
	CHECK_EQ(berth_socket(rig.a.stack, AF_INET, SOCK_RAW, 0), -1);
	CHECK_EQ(errno, EPROTONOSUPPORT);
	rig_down(&rig);
}

static void close_all(void *context, int fd, unsigned events)
{
	struct end *end = context;

	for (int i = 0; events & BERTH_POLLIN && i < 4; i++)
		berth_close(end->stack, i);
}

TEST(raw, a_hook_may_close_every_reader)
{
	struct berth_stack_config config = { .hooks = { .context = &rig.a, .ready = close_all } };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct berth_stack *stack;

	memset(&rig, 0, sizeof(rig));
	stack = berth_stack_new(&config);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(berth_socket(stack, AF_INET, SOCK_RAW, 99), i);
	rig.a.stack = stack;
	berth_sendto(stack, 0, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	berth_stack_advance(stack, 0);
	CHECK_EQ(berth_readiness(stack, 0), -1);
	CHECK_EQ(berth_readiness(stack, 3), -1);
	berth_stack_free(stack);
}
