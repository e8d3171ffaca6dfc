/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of UDP datagrams that pass a link as one packet: UDP_SEGMENT before it, one by one (or UDP_GRO) behind it. */
#include "link/frame.h"
#include "rig.h"
#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/udp.h"

#include <errno.h>
#include <netinet/udp.h>

static struct rig rig;
static int from, to;
static uint8_t out[40000], in[40000];

static int open_at(struct end *end, int family, uint16_t port)
{
	struct sockaddr_in6 name6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in name4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = berth_socket(end->stack, family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(berth_bind(end->stack, fd, family == AF_INET ? (struct sockaddr *)&name4 : (struct sockaddr *)&name6,
			    family == AF_INET ? sizeof(name4) : sizeof(name6)),
		 0);
	return fd;
}

/* a's link carries runs of up to superframe bytes; what arrives is verified. */
static void begin(int family, unsigned superframe)
{
	rig_begin(&rig, BERTH_LINK_ETHERNET, BERTH_LINK_NO_DAD);
	berth_link_set_superframe(rig.a.link, superframe);
	berth_link_set_udp_runs(rig.a.link, true);
	from = open_at(&rig.a, family, 1000);
	to = open_at(&rig.b, family, 2000);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
}

static void send_in(int family, size_t length, int segment)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(2000) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(2000), .sin_addr = { htonl(0x0a000002) } };
	struct sockaddr *name = family == AF_INET ? (struct sockaddr *)&to4 : (struct sockaddr *)&to6;
	socklen_t size = family == AF_INET ? sizeof(to4) : sizeof(to6);

	memcpy(&to6.sin6_addr, rig_ip("fd00::2").bytes, 16);
	CHECK_EQ(berth_sendto(rig.a.stack, from, "x", 1, 0, name, size), 1); /* neighbours know each other */
	rig_settle(&rig);
	CHECK_EQ(berth_recv(rig.b.stack, to, in, sizeof(in), 0), 1);
	CHECK_EQ(rig_set_int(&rig.a, from, IPPROTO_UDP, UDP_SEGMENT, segment), 0);
	CHECK_EQ(berth_sendto(rig.a.stack, from, out, length, 0, name, size), (ssize_t)length);
}

static void check_read_in(size_t length, size_t segment)
{
	for (size_t done = 0; done < length; done += segment) {
		size_t piece = MIN(segment, length - done);

		CHECK_EQ(berth_recv(rig.b.stack, to, in, sizeof(in), 0), (ssize_t)piece);
		CHECK_BYTES(in, out + done, piece);
	}
	CHECK_EQ(berth_recv(rig.b.stack, to, in, sizeof(in), 0), -1);
}

static void check_one_run(int family)
{
	begin(family, 65280);
	send_in(family, 10500, 1000);
	REQUIRE(rig.a.sent.count == 1);
	CHECK_EQ(rig.a.sent.head->segment_size, 1000);
	CHECK_EQ(rig.a.sent.head->checksum, PACKET_CHECKSUM_TRUSTED);
	CHECK_EQ(rig.a.sent.head->length, 14u + (family == AF_INET ? 20 : 40) + 8 + 10500);
	rig_settle(&rig);
	check_read_in(10500, 1000);
	rig_down(&rig);
}

TEST(udp_runs, a_run_is_one_packet_and_arrives_as_datagrams)
{
	check_one_run(AF_INET);
	check_one_run(AF_INET6);
}

TEST(udp_runs, what_is_longer_than_the_link_takes_is_several)
{
	begin(AF_INET, 9000);
	send_in(AF_INET, 20000, 1000);
	CHECK_EQ(rig.a.sent.count, 3); /* 8, 8 and 4 */
	rig_settle(&rig);
	check_read_in(20000, 1000);
	rig_down(&rig);
}

TEST(udp_runs, cut_by_a_cable_every_datagram_has_its_length_and_checksum)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		struct packet_queue pieces = { 0 }, cut = { 0 };
		struct berth_packet *packet;

		begin(families[i], 65280);
		send_in(families[i], 4100, 1000);
		while ((packet = packet_queue_pop(&rig.a.sent)))
			CHECK_EQ(frame_cut(packet, &pieces), 0);
		CHECK_EQ(pieces.count, 5);
		while ((packet = packet_queue_pop(&pieces))) {
			frame_checksum(packet); /* b verifies it */
			CHECK_EQ(packet->segment_size, 0);
			packet_queue_push(&cut, packet);
		}
		while ((packet = packet_queue_pop(&cut)))
			berth_stack_input(rig.b.stack, rig.b.link, packet, rig.now);
		check_read_in(4100, 1000);
		CHECK_EQ(COUNT(&rig.b, UDP_DROP_CHECKSUM), 0);
		rig_down(&rig);
	}
}

TEST(udp_runs, are_read_as_one_by_who_asks_for_it)
{
	uint8_t control[64];
	struct iovec part = { in, sizeof(in) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int size = 0;

	begin(AF_INET, 65280);
	CHECK_EQ(rig_set_int(&rig.b, to, IPPROTO_UDP, UDP_GRO, 1), 0);
	send_in(AF_INET, 10500, 1000);
	rig_settle(&rig);
	REQUIRE(berth_recvmsg(rig.b.stack, to, &message, 0) == 10500);
	CHECK_BYTES(in, out, 10500);
	REQUIRE(CMSG_FIRSTHDR(&message) != NULL);
	memcpy(&size, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(size));
	CHECK_EQ(size, 1000);
	rig_down(&rig);
}

static size_t frames_of(size_t length, int segment)
{
	send_in(AF_INET, length, segment);
	size_t count = rig.a.sent.count;
	rig_settle(&rig);
	check_read_in(length, (size_t)segment);
	return count;
}

TEST(udp_runs, where_it_can_not_be_a_run_datagrams_go_one_by_one)
{
	begin(AF_INET, 65280);
	CHECK_EQ(frames_of(3000, 1000), 1);
	CHECK_EQ(frames_of(1000, 1000), 1); /* one datagram, with a checksum of its own */
	berth_link_set_udp_runs(rig.a.link, false);
	CHECK_EQ(frames_of(3000, 1000), 3);
	berth_link_set_udp_runs(rig.a.link, true);
	berth_link_set_superframe(rig.a.link, 0);
	CHECK_EQ(frames_of(3000, 1000), 3);
	berth_link_set_superframe(rig.a.link, 65280);
	CHECK_EQ(rig_set_int(&rig.a, from, SOL_SOCKET, SO_NO_CHECK, 1), 0);
	CHECK_EQ(frames_of(3000, 1000), 3);
	rig_down(&rig);
}

TEST(udp_runs, each_datagram_may_go_whole_though_the_run_is_longer_than_the_mtu)
{
	begin(AF_INET, 65280);
	CHECK_EQ(rig_set_int(&rig.a, from, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE), 0);
	CHECK_EQ(frames_of(4000, 1000), 1);
	CHECK_EQ(rig_set_int(&rig.a, from, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT), 0);
	send_in(AF_INET, 4000, 1000);
	struct wire_ip4 ip4;
	CHECK_EQ(wire_ip4_parse(rig.a.sent.head->data + 14, rig.a.sent.head->length - 14, &ip4), 20);
	CHECK(ip4.dont_fragment); /* as each would have by itself */
	rig_down(&rig);
}

TEST(udp_runs, to_nobody_is_refused_as_one_datagram_would_be)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(3000), .sin_addr = { htonl(0x0a000002) } };

	begin(AF_INET, 65280);
	CHECK_EQ(rig_set_int(&rig.a, from, IPPROTO_UDP, UDP_SEGMENT, 1000), 0);
	CHECK_EQ(berth_connect(rig.a.stack, from, (struct sockaddr *)&name, sizeof(name)), 0);
	CHECK_EQ(berth_send(rig.a.stack, from, out, 3000, 0), 3000);
	rig_settle(&rig);
	CHECK_EQ(berth_send(rig.a.stack, from, out, 1, 0), -1);
	CHECK_EQ(errno, ECONNREFUSED);
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_NO_SOCKET), 3);
	rig_down(&rig);
}

/* A run with a checksum that is there, of the whole: good, or not. */
static void arrive_summed(bool good)
{
	struct berth_packet *packet;
	uint8_t *ip;

	send_in(AF_INET, 3000, 1000);
	packet = packet_queue_pop(&rig.a.sent);
	ip = packet->data + 14;
	put_be16(ip + 26, 0);
	put_be16(ip + 26, checksum_finish(checksum_add(ip_pseudo_sum(rig_ip("10.0.0.1"), rig_ip("10.0.0.2"),
								     IPPROTO_UDP, packet->length - 34),
						       ip + 20, packet->length - 34)));
	ip[40] ^= !good;
	packet->checksum = PACKET_CHECKSUM_PRESENT;
	berth_stack_input(rig.b.stack, rig.b.link, packet, rig.now);
}

TEST(udp_runs, with_a_checksum_are_taken_or_dropped_whole)
{
	begin(AF_INET, 65280);
	arrive_summed(true);
	check_read_in(3000, 1000);
	arrive_summed(false);
	CHECK_EQ(berth_recv(rig.b.stack, to, in, sizeof(in), 0), -1);
	CHECK_EQ(COUNT(&rig.b, UDP_DROP_CHECKSUM), 1);
	rig_down(&rig);
}
