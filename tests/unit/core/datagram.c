/* SPDX-License-Identifier: BSD-2-Clause */
/* MSG_ERRQUEUE: what became of datagrams. */
#include "rig.h"
#include "wire/icmp.h"

#include <errno.h>
#include <linux/errqueue.h>

static struct rig rig;

/* What one recvmsg(MSG_ERRQUEUE) gave. */
static struct {
	ssize_t length;
	int flags;
	uint8_t data[64];
	struct sock_extended_err error;
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} offender, name;
	int level, type;
} got;

static void up(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig.type = BERTH_LINK_IP;
	rig_up(&rig);
}

static int set_int(int fd, int level, int option, int value)
{
	return berth_setsockopt(rig.a.stack, fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static bool next_error(int fd)
{
	uint8_t control[256];
	struct iovec part = { got.data, sizeof(got.data) };
	struct msghdr message = { .msg_name = &got.name,
				  .msg_namelen = sizeof(got.name),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;

	memset(&got, 0, sizeof(got));
	got.length = berth_recvmsg(rig.a.stack, fd, &message, MSG_ERRQUEUE);
	if (got.length < 0)
		return false;
	got.flags = message.msg_flags;
	header = CMSG_FIRSTHDR(&message);
	if (!header)
		return false;
	got.level = header->cmsg_level;
	got.type = header->cmsg_type;
	memcpy(&got.error, CMSG_DATA(header), sizeof(got.error));
	memcpy(&got.offender, CMSG_DATA(header) + sizeof(got.error),
	       header->cmsg_len - CMSG_LEN(0) - sizeof(got.error));
	return true;
}

static struct sockaddr_in at4(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(ip) } };
}

TEST(errqueue, a_refused_datagram_comes_back)
{
	struct sockaddr_in to = at4(0x0a000002, 9);
	int fd, error = 0;
	socklen_t size = sizeof(error);

	up();
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, 0);
	CHECK(!next_error(fd));
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(set_int(fd, IPPROTO_IP, IP_RECVERR, 1), 0);
	berth_sendto(rig.a.stack, fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to));
	rig_settle(&rig);
	CHECK(berth_readiness(rig.a.stack, fd) & BERTH_POLLERR);
	REQUIRE(next_error(fd));
	CHECK_EQ(got.length, 5);
	CHECK_BYTES(got.data, "hello", 5);
	CHECK_EQ(got.flags, MSG_ERRQUEUE);
	CHECK_EQ(got.level, IPPROTO_IP);
	CHECK_EQ(got.type, IP_RECVERR);
	CHECK_EQ(got.error.ee_errno, ECONNREFUSED);
	CHECK_EQ(got.error.ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_EQ(got.error.ee_type, ICMP4_UNREACHABLE);
	CHECK_EQ(got.error.ee_code, ICMP4_PORT_UNREACHABLE);
	CHECK_EQ(ntohl(got.name.in.sin_addr.s_addr), 0x0a000002);
	CHECK_EQ(ntohs(got.name.in.sin_port), 9);
	CHECK_EQ(ntohl(got.offender.in.sin_addr.s_addr), 0x0a000002);
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	CHECK_EQ(error, 0); /* read with the entry */
	CHECK(!(berth_readiness(rig.a.stack, fd) & BERTH_POLLERR));
	CHECK(!next_error(fd));
	rig_down(&rig);
}

TEST(errqueue, both_versions_on_one_socket)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	int fd;

	up();
	fd = berth_socket(rig.a.stack, AF_INET6, SOCK_DGRAM, 0);
	CHECK_EQ(set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1), 0);
	memcpy(&to.sin6_addr, rig_ip("fd00::2").bytes, 16);
	berth_sendto(rig.a.stack, fd, "6", 1, 0, (struct sockaddr *)&to, sizeof(to));
	rig_settle(&rig);
	REQUIRE(next_error(fd));
	CHECK_EQ(got.type, IPV6_RECVERR);
	CHECK_EQ(got.error.ee_origin, SO_EE_ORIGIN_ICMP6);
	CHECK_EQ(got.error.ee_code, ICMP6_PORT_UNREACHABLE);
	CHECK_BYTES(&got.offender.in6.sin6_addr, rig_ip("fd00::2").bytes, 16);
	memcpy(&to.sin6_addr, rig_ip("10.0.0.2").bytes, 16);
	berth_sendto(rig.a.stack, fd, "4", 1, 0, (struct sockaddr *)&to, sizeof(to));
	rig_settle(&rig);
	REQUIRE(next_error(fd));
	CHECK_EQ(got.type, IPV6_RECVERR);
	CHECK_EQ(got.error.ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_BYTES(&got.name.in6.sin6_addr, rig_ip("10.0.0.2").bytes, 16);
	rig_down(&rig);
}

TEST(errqueue, what_is_too_big_is_told_here)
{
	static uint8_t big[2000];
	struct sockaddr_in to = at4(0x0a000002, 9);
	int fd;

	up();
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, 0);
	set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	CHECK_EQ(berth_sendto(rig.a.stack, fd, big, sizeof(big), 0, (struct sockaddr *)&to, sizeof(to)), -1);
	CHECK_EQ(errno, EMSGSIZE);
	REQUIRE(next_error(fd));
	CHECK_EQ(got.length, 0);
	CHECK_EQ(got.error.ee_errno, EMSGSIZE);
	CHECK_EQ(got.error.ee_origin, SO_EE_ORIGIN_LOCAL);
	CHECK_EQ(got.error.ee_info, 1500);
	CHECK_EQ(got.offender.in.sin_family, AF_UNSPEC);
	rig_down(&rig);
}

TEST(errqueue, it_has_the_receive_buffers_limit)
{
	struct sockaddr_in to = at4(INADDR_LOOPBACK, 9);
	int fd, count = 0;

	up();
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, 0);
	set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	set_int(fd, SOL_SOCKET, SO_RCVBUF, 4096);
	for (int i = 0; i < 100; i++) {
		berth_sendto(rig.a.stack, fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
		berth_sendto(rig.a.stack, fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
		rig_settle(&rig);
	}
	while (next_error(fd))
		count++;
	CHECK(count > 2 && count < 100);
	CHECK(COUNT(&rig.a, SOCKET_DROP_ERROR) > 0);
	berth_sendto(rig.a.stack, fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	rig_settle(&rig);
	CHECK(next_error(fd));
	rig_down(&rig);
}

TEST(errqueue, pings_have_one_too)
{
	uint8_t request[8] = { ICMP4_ECHO };
	struct sockaddr_in to = at4(0x0a000009, 0);
	int fd;

	memset(&rig, 0, sizeof(rig));
	rig_up(&rig); /* Ethernet: nobody answers for 10.0.0.9 */
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	CHECK_EQ(berth_sendto(rig.a.stack, fd, request, 8, 0, (struct sockaddr *)&to, sizeof(to)), 8);
	rig_run(&rig, 5 * BERTH_SEC);
	REQUIRE(next_error(fd));
	CHECK_EQ(got.error.ee_errno, EHOSTUNREACH);
	CHECK_EQ(got.length, 8);
	CHECK_EQ(got.data[0], ICMP4_ECHO);
	CHECK_EQ(ntohl(got.offender.in.sin_addr.s_addr), 0x0a000001);
	rig_down(&rig);
}
