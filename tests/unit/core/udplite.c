/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP-Lite: damage past the checksum's coverage is delivered, damage under it is not. RFC 3828. */
#include "rig.h"
#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <errno.h>

enum { SEND_CSCOV = 10, RECV_CSCOV = 11 };

static struct rig rig;
static int from, to;

static int open_at(struct end *end, int family, uint16_t port)
{
	struct sockaddr_in6 name6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in name4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = berth_socket(end->stack, family, SOCK_DGRAM, IPPROTO_UDPLITE);

	CHECK(fd >= 0);
	CHECK_EQ(berth_bind(end->stack, fd, family == AF_INET ? (struct sockaddr *)&name4 : (struct sockaddr *)&name6,
			    family == AF_INET ? sizeof(name4) : sizeof(name6)),
		 0);
	return fd;
}

static void begin(int family)
{
	rig_begin(&rig, BERTH_LINK_IP, BERTH_LINK_NO_DAD);
	from = open_at(&rig.a, family, 1000);
	to = open_at(&rig.b, family, 2000);
}

static int cover(struct end *end, int fd, int option, int value)
{
	return rig_set_int(end, fd, IPPROTO_UDPLITE, option, value);
}

static int covered(struct end *end, int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	CHECK_EQ(berth_getsockopt(end->stack, fd, IPPROTO_UDPLITE, option, &value, &length), 0);
	return value;
}

/* Send from a to b. The frame waits on the cable. */
static struct berth_packet *sent(int family, const char *text)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(2000) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(2000), .sin_addr = { htonl(0x0a000002) } };

	while (rig.a.sent.head)
		berth_packet_unref(packet_queue_pop(&rig.a.sent));
	memcpy(&to6.sin6_addr, rig_ip("fd00::2").bytes, 16);
	CHECK_EQ(berth_sendto(rig.a.stack, from, text, strlen(text), 0,
			      family == AF_INET ? (struct sockaddr *)&to4 : (struct sockaddr *)&to6,
			      family == AF_INET ? sizeof(to4) : sizeof(to6)),
		 strlen(text));
	return rig.a.sent.head;
}

/* What b reads, after everything has arrived; "" if nothing. */
static const char *arrived(void)
{
	static char text[64];
	ssize_t length;

	rig_settle(&rig);
	length = berth_recv(rig.b.stack, to, text, sizeof(text) - 1, MSG_DONTWAIT);
	text[length > 0 ? length : 0] = 0;
	return text;
}

static void whole_and_partly(int family, size_t header)
{
	struct berth_packet *packet;

	begin(family);
	packet = sent(family, "hello, world");
	CHECK_EQ(get_be16(packet->data + header + 4), 20);
	CHECK_STR(arrived(), "hello, world");
	packet = sent(family, "hello, world");
	packet->data[header + 19] ^= 1;
	CHECK_STR(arrived(), "");
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_CHECKSUM), 1);

	CHECK_EQ(cover(&rig.a, from, SEND_CSCOV, 13), 0);
	packet = sent(family, "hello, world");
	CHECK_EQ(get_be16(packet->data + header + 4), 13);
	packet->data[header + 19] ^= 1;
	CHECK_STR(arrived(), "hello, worle");
	packet = sent(family, "hello, world");
	packet->data[header + 12] ^= 1;
	CHECK_STR(arrived(), "");
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_CHECKSUM), 2);
	rig_down(&rig);
}

TEST(udplite, ipv4_checks_what_is_covered)
{
	whole_and_partly(AF_INET, 20);
}

TEST(udplite, ipv6_checks_what_is_covered)
{
	whole_and_partly(AF_INET6, 40);
}

TEST(udplite, a_reader_may_want_more_than_the_sender_covers)
{
	begin(AF_INET);
	CHECK_EQ(cover(&rig.a, from, SEND_CSCOV, 10), 0);
	CHECK_EQ(cover(&rig.b, to, RECV_CSCOV, 11), 0);
	sent(AF_INET, "hello");
	CHECK_STR(arrived(), "");
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_COVERAGE), 1);
	CHECK_EQ(cover(&rig.b, to, RECV_CSCOV, 10), 0);
	sent(AF_INET, "hello");
	CHECK_STR(arrived(), "hello");
	CHECK_EQ(cover(&rig.b, to, RECV_CSCOV, 0), 0); /* only whole ones */
	sent(AF_INET, "hello");
	CHECK_STR(arrived(), "");
	CHECK_EQ(cover(&rig.a, from, SEND_CSCOV, 0), 0);
	sent(AF_INET, "hello");
	CHECK_STR(arrived(), "hello");
	rig_down(&rig);
}

TEST(udplite, options_are_as_on_linux)
{
	int udp, value = 8;
	socklen_t length = sizeof(value);

	begin(AF_INET);
	CHECK_EQ(covered(&rig.a, from, SEND_CSCOV), 0);
	CHECK_EQ(cover(&rig.a, from, SEND_CSCOV, 3), 0); /* the header is always covered */
	CHECK_EQ(covered(&rig.a, from, SEND_CSCOV), 8);
	CHECK_EQ(cover(&rig.a, from, RECV_CSCOV, 70000), 0);
	CHECK_EQ(covered(&rig.a, from, RECV_CSCOV), 65535);
	CHECK_EQ(cover(&rig.a, from, 99, 1), -ENOPROTOOPT);
	udp = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(rig_set_int(&rig.a, udp, IPPROTO_UDP, SEND_CSCOV, 20), -ENOPROTOOPT);
	CHECK_EQ(berth_getsockopt(rig.a.stack, from, SOL_SOCKET, SO_PROTOCOL, &value, &length), 0);
	CHECK_EQ(value, IPPROTO_UDPLITE);
	rig_down(&rig);
}

TEST(udplite, ports_are_its_own_and_a_closed_one_is_refused)
{
	struct berth_packet *packet;

	begin(AF_INET);
	berth_close(rig.b.stack, to);
	to = berth_socket(rig.b.stack, AF_INET, SOCK_DGRAM, IPPROTO_UDP);
	CHECK_EQ(berth_bind(rig.b.stack, to,
			    (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(2000) },
			    sizeof(struct sockaddr_in)),
		 0);
	packet = sent(AF_INET, "hello");
	CHECK_EQ(packet->data[9], IPPROTO_UDPLITE);
	CHECK_STR(arrived(), "");
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_NO_SOCKET), 1);
	CHECK_EQ(COUNT(&rig.a, ICMP_ERROR_RECEIVED), 1);
	rig_down(&rig);
}

TEST(udplite, illegal_coverage_and_no_checksum_are_malformed)
{
	static const uint16_t lengths[] = { 1, 7, 14, 65535 };
	struct berth_packet *packet;

	begin(AF_INET);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		packet = sent(AF_INET, "hello");
		put_be16(packet->data + 24, lengths[i]);
		CHECK_STR(arrived(), "");
		CHECK_EQ(COUNT(&rig.b, UDP_DROP_MALFORMED), i + 1);
	}
	packet = sent(AF_INET, "hello");
	put_be16(packet->data + 26, 0);
	CHECK_STR(arrived(), "");
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_MALFORMED), 5);
	rig_down(&rig);
}
