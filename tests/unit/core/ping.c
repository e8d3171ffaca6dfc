/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP echo sockets. */
#include "rig.h"
#include "wire/icmp.h"

#include <errno.h>

static struct rig rig;

static void up(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig.type = BERTH_LINK_IP;
	rig_up(&rig);
}

static struct sockaddr_in at4(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(ip) } };
}

static ssize_t ping4(int fd, const void *message, size_t length)
{
	struct sockaddr_in to = at4(0x0a000002, 99); /* the port means nothing */

	return berth_sendto(rig.a.stack, fd, message, length, 0, (struct sockaddr *)&to, sizeof(to));
}

TEST(ping, a_request_is_answered)
{
	uint8_t request[12] = { ICMP4_ECHO, 0, 1, 2, 3, 4, 0, 9, 'p', 'i', 'n', 'g' }, reply[64];
	struct sockaddr_in from, name;
	socklen_t length = sizeof(from);
	int fd;

	up();
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	REQUIRE(fd >= 0);
	CHECK_EQ(ping4(fd, request, sizeof(request)), 12);
	CHECK_EQ(berth_getsockname(rig.a.stack, fd, (struct sockaddr *)&name, &length), 0);
	CHECK(name.sin_port != 0);
	rig_settle(&rig);
	CHECK(berth_readiness(rig.a.stack, fd) & BERTH_POLLIN);
	REQUIRE(berth_recvfrom(rig.a.stack, fd, reply, sizeof(reply), 0, (struct sockaddr *)&from, &length) == 12);
	CHECK_EQ(reply[0], ICMP4_ECHO_REPLY);
	CHECK_EQ(get_be16(reply + 4), ntohs(name.sin_port));
	CHECK_BYTES(reply + 6, request + 6, 6);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), 0x0a000002);
	CHECK_EQ(from.sin_port, 0);
	rig_down(&rig);
}

/* ICMP's number is SOL_SOCKET's: the level is the socket's, then. */
TEST(ping, has_the_options_of_sockets)
{
	int fd, size = 20000;
	socklen_t length = sizeof(size);

	up();
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	CHECK_EQ(berth_setsockopt(rig.a.stack, fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
	CHECK_EQ(size, 40000);
	rig_down(&rig);
}

TEST(ping, ipv6_too_and_connected)
{
	uint8_t request[8] = { ICMP6_ECHO, 0, 0, 0, 0, 0, 0, 1 }, reply[64];
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(7) }, name;
	socklen_t length = sizeof(name);
	int fd;

	up();
	fd = berth_socket(rig.a.stack, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
	memcpy(&to.sin6_addr, rig_ip("fd00::2").bytes, 16);
	CHECK_EQ(berth_connect(rig.a.stack, fd, (struct sockaddr *)&to, sizeof(to)), 0);
	CHECK_EQ(berth_getpeername(rig.a.stack, fd, (struct sockaddr *)&name, &length), 0);
	CHECK_EQ(name.sin6_port, 0);
	CHECK_EQ(berth_send(rig.a.stack, fd, request, sizeof(request), 0), 8);
	rig_settle(&rig);
	CHECK_EQ(berth_recv(rig.a.stack, fd, reply, sizeof(reply), 0), 8);
	CHECK_EQ(reply[0], ICMP6_ECHO_REPLY);
	rig_down(&rig);
}

TEST(ping, each_gets_its_own_replies)
{
	uint8_t request[8] = { ICMP4_ECHO, [7] = 1 }, reply[64];
	struct sockaddr_in name = at4(INADDR_ANY, 4711);
	int one, two;

	up();
	one = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	two = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	CHECK_EQ(berth_bind(rig.a.stack, one, (struct sockaddr *)&name, sizeof(name)), 0);
	CHECK_EQ(berth_bind(rig.a.stack, two, (struct sockaddr *)&name, sizeof(name)), -1);
	CHECK_EQ(errno, EADDRINUSE);
	ping4(one, request, sizeof(request));
	request[7] = 2;
	ping4(two, request, sizeof(request));
	rig_settle(&rig);
	REQUIRE(berth_recv(rig.a.stack, one, reply, sizeof(reply), 0) == 8);
	CHECK_EQ(get_be16(reply + 4), 4711);
	CHECK_EQ(reply[7], 1);
	REQUIRE(berth_recv(rig.a.stack, two, reply, sizeof(reply), 0) == 8);
	CHECK_EQ(reply[7], 2);
	berth_close(rig.a.stack, one);
	request[7] = 3;
	ping4(two, request, sizeof(request));
	berth_close(rig.a.stack, two);
	rig_settle(&rig);
	CHECK_EQ(COUNT(&rig.a, PING_DROP_NO_SOCKET), 1);
	rig_down(&rig);
}

TEST(ping, only_echo_requests_are_sent)
{
	uint8_t redirect[8] = { ICMP4_REDIRECT }, code[8] = { ICMP4_ECHO, 1 }, echo[8] = { ICMP4_ECHO };
	int fd;

	up();
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	CHECK_EQ(ping4(fd, redirect, 8), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(ping4(fd, code, 8), -1);
	CHECK_EQ(ping4(fd, echo, 7), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(berth_send(rig.a.stack, fd, echo, 8, 0), -1);
	CHECK_EQ(errno, EDESTADDRREQ);
	CHECK_EQ(berth_socket(rig.a.stack, AF_INET6, SOCK_DGRAM, IPPROTO_ICMP), -1);
	CHECK_EQ(errno, EPROTONOSUPPORT);
	CHECK_EQ(berth_socket(rig.a.stack, AF_INET, SOCK_STREAM, IPPROTO_ICMP), -1);
	rig_down(&rig);
}

TEST(ping, oneself_answers)
{
	uint8_t request[8] = { ICMP4_ECHO }, reply[8];
	struct sockaddr_in to = at4(INADDR_LOOPBACK, 0);
	struct berth_socket_info info;
	int fd;

	up();
	fd = berth_socket(rig.a.stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	berth_sendto(rig.a.stack, fd, request, 8, 0, (struct sockaddr *)&to, sizeof(to));
	rig_settle(&rig);
	CHECK_EQ(berth_recv(rig.a.stack, fd, reply, 8, 0), 8);
	CHECK_EQ(berth_socket_inspect(rig.a.stack, fd, &info), 0);
	CHECK_STR(info.protocol_name, "ping");
	CHECK_EQ(info.protocol, IPPROTO_ICMP);
	CHECK_STR(info.state, "UNCONN");
	rig_down(&rig);
}
