/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP and the socket layer around it, on one stack's loopback. */
#include "test.h"

#include <berth/berth.h>
#include <errno.h>
#include <netinet/udp.h>

static struct sockaddr_in at(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(ip) } };
}

static int open_at(struct berth_stack *stack, uint32_t ip, uint16_t port)
{
	struct sockaddr_in name = at(ip, port);
	int fd = berth_socket(stack, AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(berth_bind(stack, fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static ssize_t send_to(struct berth_stack *stack, int fd, uint16_t port, const char *text)
{
	struct sockaddr_in name = at(INADDR_LOOPBACK, port);
	ssize_t r = berth_sendto(stack, fd, text, strlen(text), 0, (struct sockaddr *)&name, sizeof(name));

	berth_stack_advance(stack, 0);
	return r;
}

TEST(udp, a_datagram_arrives_whole_with_its_sender)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_ANY, 2000);
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char text[16];

	CHECK_EQ(berth_readiness(stack, b), BERTH_POLLOUT);
	CHECK_EQ(send_to(stack, a, 2000, "hello"), 5);
	CHECK_EQ(berth_readiness(stack, b), BERTH_POLLOUT | BERTH_POLLIN);
	CHECK_EQ(berth_recvfrom(stack, b, text, sizeof(text), 0, (struct sockaddr *)&from, &length), 5);
	CHECK_BYTES(text, "hello", 5);
	CHECK_EQ(ntohs(from.sin_port), 1000);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(length, sizeof(from));
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), -1);
	CHECK_EQ(errno, EAGAIN);
	berth_stack_free(stack);
}

TEST(udp, peek_leaves_and_truncation_is_told)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_LOOPBACK, 2000);
	char text[4];
	struct iovec part = { text, 3 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	send_to(stack, a, 2000, "hello");
	CHECK_EQ(berth_recv(stack, b, text, 3, MSG_PEEK), 3);
	CHECK_EQ(berth_recv(stack, b, text, 3, MSG_PEEK | MSG_TRUNC), 5);
	CHECK_EQ(berth_recvmsg(stack, b, &message, 0), 3);
	CHECK_EQ(message.msg_flags, MSG_TRUNC);
	CHECK_EQ(berth_recv(stack, b, text, 3, 0), -1);
	berth_stack_free(stack);
}

TEST(udp, connected_sockets_hear_only_their_peer)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_LOOPBACK, 2000),
	    c = open_at(stack, INADDR_LOOPBACK, 3000);
	struct sockaddr_in peer = at(INADDR_LOOPBACK, 1000);
	char text[16];

	CHECK_EQ(berth_connect(stack, b, (struct sockaddr *)&peer, sizeof(peer)), 0);
	send_to(stack, c, 2000, "stranger");
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), -1);
	send_to(stack, a, 2000, "friend");
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), 6);
	CHECK_EQ(berth_send(stack, b, "hi", 2, 0), 2);
	berth_stack_advance(stack, 0);
	CHECK_EQ(berth_recv(stack, a, text, sizeof(text), 0), 2);
	berth_stack_free(stack);
}

TEST(udp, nobody_at_the_port_refuses_a_connected_socket)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000);
	struct sockaddr_in peer = at(INADDR_LOOPBACK, 9);
	char text[16];

	CHECK_EQ(berth_connect(stack, a, (struct sockaddr *)&peer, sizeof(peer)), 0);
	CHECK_EQ(berth_send(stack, a, "hi", 2, 0), 2);
	berth_stack_advance(stack, 0);
	CHECK(berth_readiness(stack, a) & BERTH_POLLERR);
	CHECK_EQ(berth_recv(stack, a, text, sizeof(text), 0), -1);
	CHECK_EQ(errno, ECONNREFUSED);
	CHECK_EQ(berth_recv(stack, a, text, sizeof(text), 0), -1);
	CHECK_EQ(errno, EAGAIN);
	berth_stack_free(stack);
}

TEST(udp, a_full_buffer_drops_and_counts)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_LOOPBACK, 2000);
	int size = 2000, got = 0;
	char text[16];

	CHECK_EQ(berth_setsockopt(stack, b, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	for (int i = 0; i < 100; i++)
		send_to(stack, a, 2000, "x");
	while (berth_recv(stack, b, text, sizeof(text), 0) > 0)
		got++;
	CHECK(got > 0 && got < 100);
	CHECK_EQ(berth_event_count(stack, BERTH_EVENT_UDP_DROP_BUFFER_FULL), 100 - got);
	berth_stack_free(stack);
}

TEST(udp, dual_stack_socket_sees_mapped_addresses)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = berth_socket(stack, AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(2000) }, from;
	socklen_t length = sizeof(from);
	char text[16];

	CHECK_EQ(berth_bind(stack, b, (struct sockaddr *)&any, sizeof(any)), 0);
	send_to(stack, a, 2000, "hello");
	CHECK_EQ(berth_recvfrom(stack, b, text, sizeof(text), 0, (struct sockaddr *)&from, &length), 5);
	CHECK(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	CHECK_EQ(berth_sendto(stack, b, "back", 4, 0, (struct sockaddr *)&from, length), 4);
	berth_stack_advance(stack, 0);
	CHECK_EQ(berth_recv(stack, a, text, sizeof(text), 0), 4);
	berth_stack_free(stack);
}

TEST(udp, too_large_is_refused_and_the_largest_arrives)
{
	static char big[65536];
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_LOOPBACK, 2000);
	struct sockaddr_in name = at(INADDR_LOOPBACK, 2000);

	CHECK_EQ(berth_sendto(stack, a, big, 65508, 0, (struct sockaddr *)&name, sizeof(name)), -1);
	CHECK_EQ(errno, EMSGSIZE);
	CHECK_EQ(berth_sendto(stack, a, big, 65507, 0, (struct sockaddr *)&name, sizeof(name)), 65507);
	berth_stack_advance(stack, 0);
	CHECK_EQ(berth_recv(stack, b, big, sizeof(big), 0), 65507);
	berth_stack_free(stack);
}

TEST(udp, packet_info_says_where_a_datagram_went)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_ANY, 2000), on = 1;
	struct sockaddr_in name = at(INADDR_LOOPBACK + 7, 2000);
	char text[16], control[64];
	struct iovec part = { text, sizeof(text) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct in_pktinfo info;

	CHECK_EQ(berth_setsockopt(stack, b, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
	CHECK_EQ(berth_sendto(stack, a, "x", 1, 0, (struct sockaddr *)&name, sizeof(name)), 1);
	berth_stack_advance(stack, 0);
	CHECK_EQ(berth_recvmsg(stack, b, &message, 0), 1);
	REQUIRE(CMSG_FIRSTHDR(&message));
	CHECK_EQ(CMSG_FIRSTHDR(&message)->cmsg_type, IP_PKTINFO);
	memcpy(&info, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(info));
	CHECK_EQ(ntohl(info.ipi_addr.s_addr), INADDR_LOOPBACK + 7);
	berth_stack_free(stack);
}

TEST(udp, diverted_port_answers_for_addresses_nobody_has)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = berth_socket(stack, AF_INET, SOCK_DGRAM, 0), on = 1;
	struct sockaddr_in any = at(INADDR_ANY, 53), stub = at(INADDR_LOOPBACK + 52, 53), from;
	socklen_t length = sizeof(from);
	char text[16];

	CHECK_EQ(berth_setsockopt(stack, b, BERTH_SOL, BERTH_DIVERT, &on, sizeof(on)), 0);
	CHECK_EQ(berth_bind(stack, b, (struct sockaddr *)&any, sizeof(any)), 0);
	CHECK_EQ(berth_sendto(stack, a, "who?", 4, 0, (struct sockaddr *)&stub, sizeof(stub)), 4);
	berth_stack_advance(stack, 0);
	CHECK_EQ(berth_recvfrom(stack, b, text, sizeof(text), 0, (struct sockaddr *)&from, &length), 4);
	CHECK_EQ(berth_sendto(stack, b, "me", 2, 0, (struct sockaddr *)&from, length), 2);
	berth_stack_advance(stack, 0);
	CHECK_EQ(berth_recvfrom(stack, a, text, sizeof(text), 0, (struct sockaddr *)&from, &length), 2);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK + 52);
	CHECK(open_at(stack, INADDR_ANY, 53) >= 0); /* and is in no one's way */
	berth_stack_free(stack);
}

TEST(socket, mistakes_have_the_errors_of_linux)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	struct sockaddr_in name = at(0x08080808, 53), bad = { .sin_family = 77 };
	int fd = berth_socket(stack, AF_INET, SOCK_DGRAM, 0);

#define FAILS(call, error) \
	do { \
		CHECK_EQ(call, -1); \
		CHECK_EQ(errno, error); \
	} while (0)
	FAILS(berth_socket(stack, 77, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(berth_socket(stack, AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	FAILS(berth_socket(stack, AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	FAILS(berth_socket(stack, AF_INET, SOCK_STREAM, 300), EINVAL);
	FAILS(berth_bind(stack, 99, (struct sockaddr *)&name, sizeof(name)), EBADF);
	FAILS(berth_bind(stack, -1, (struct sockaddr *)&name, sizeof(name)), EBADF);
	FAILS(berth_bind(stack, fd, (struct sockaddr *)&name, sizeof(name)), EADDRNOTAVAIL);
	FAILS(berth_bind(stack, fd, (struct sockaddr *)&name, 3), EINVAL);
	FAILS(berth_bind(stack, fd, (struct sockaddr *)&bad, sizeof(bad)), EAFNOSUPPORT);
	FAILS(berth_listen(stack, fd, 1), EOPNOTSUPP);
	FAILS(berth_accept(stack, fd, NULL, NULL, 0), EOPNOTSUPP);
	FAILS(berth_send(stack, fd, "x", 1, 0), EDESTADDRREQ);
	FAILS(berth_sendto(stack, fd, "x", 1, 0, (struct sockaddr *)&name, sizeof(name)), ENETUNREACH);
	FAILS(berth_shutdown(stack, fd, SHUT_WR), ENOTCONN);
	FAILS(berth_getpeername(stack, fd, (struct sockaddr *)&name, &(socklen_t){ sizeof(name) }), ENOTCONN);
	FAILS(berth_setsockopt(stack, fd, SOL_SOCKET, 9999, &(int){ 1 }, sizeof(int)), ENOPROTOOPT);
	FAILS(berth_setsockopt(stack, fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, 1), EINVAL);
	FAILS(berth_setsockopt(stack, fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int)), ENOPROTOOPT);
	FAILS(berth_getsockopt(stack, fd, 4242, 1, &(int){ 1 }, &(socklen_t){ sizeof(int) }), EOPNOTSUPP);
#undef FAILS
	berth_stack_free(stack);
}

TEST(socket, descriptors_are_the_lowest_free)
{
	struct berth_stack *stack = berth_stack_new(NULL);

	for (int i = 0; i < 40; i++)
		CHECK_EQ(berth_socket(stack, AF_INET, SOCK_DGRAM, 0), i);
	berth_close(stack, 7);
	berth_close(stack, 3);
	CHECK_EQ(berth_socket(stack, AF_INET, SOCK_DGRAM, 0), 3);
	CHECK_EQ(berth_socket(stack, AF_INET, SOCK_DGRAM, 0), 7);
	CHECK_EQ(berth_socket(stack, AF_INET, SOCK_DGRAM, 0), 40);
	berth_stack_free(stack);
}

TEST(socket, descriptors_have_a_limit)
{
	struct berth_stack *stack = berth_stack_new(&(struct berth_stack_config){ .limits.sockets = 3 });

	for (int i = 0; i < 3; i++)
		CHECK_EQ(berth_socket(stack, AF_INET, SOCK_DGRAM, 0), i);
	CHECK_EQ(berth_socket(stack, AF_INET, SOCK_DGRAM, 0), -1);
	CHECK_EQ(errno, EMFILE);
	berth_stack_free(stack);
}

TEST(socket, poll_reports_each_rise_once)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_LOOPBACK, 2000);
	struct berth_ready ready[4];
	char text[16];

	while (berth_poll(stack, ready, 4))
		;
	send_to(stack, a, 2000, "one");
	send_to(stack, a, 2000, "two");
	CHECK_EQ(berth_poll(stack, ready, 4), 1);
	CHECK_EQ(ready[0].fd, b);
	CHECK(ready[0].events & BERTH_POLLIN);
	CHECK_EQ(berth_poll(stack, ready, 4), 0);
	while (berth_recv(stack, b, text, sizeof(text), 0) > 0)
		;
	send_to(stack, a, 2000, "three");
	CHECK_EQ(berth_poll(stack, ready, 4), 1);
	berth_stack_free(stack);
}

TEST(socket, buffer_sizes_are_doubled_as_on_linux)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int fd = berth_socket(stack, AF_INET, SOCK_DGRAM, 0), size = 10000;
	socklen_t length = sizeof(size);

	CHECK_EQ(berth_setsockopt(stack, fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	CHECK_EQ(berth_getsockopt(stack, fd, SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
	CHECK_EQ(size, 20000);
	berth_stack_free(stack);
}

TEST(udp, a_send_is_cut_into_segments)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_LOOPBACK, 2000), size = 4;
	char text[16];

	CHECK_EQ(berth_setsockopt(stack, a, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	CHECK_EQ(send_to(stack, a, 2000, "onetwothre"), 10);
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), 4);
	CHECK_BYTES(text, "onet", 4);
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), 4);
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), 2);
	CHECK_BYTES(text, "re", 2);
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), -1);
	CHECK_EQ(send_to(stack, a, 2000, ""), 0);
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), 0);
	size = 70000;
	CHECK_EQ(berth_setsockopt(stack, a, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), -1);
	CHECK_EQ(errno, EINVAL);
	berth_stack_free(stack);
}

/* Send text in segments that this one message asks for. */
static ssize_t send_segments(struct berth_stack *stack, int fd, const void *bytes, size_t length, uint16_t size)
{
	struct sockaddr_in to = at(INADDR_LOOPBACK, 2000);
	uint8_t control[CMSG_SPACE(sizeof(size))] = { 0 };
	struct cmsghdr header = { .cmsg_len = CMSG_LEN(sizeof(size)),
				  .cmsg_level = IPPROTO_UDP,
				  .cmsg_type = UDP_SEGMENT };
	struct iovec part = { (void *)(uintptr_t)bytes, length };
	struct msghdr message = { .msg_name = &to,
				  .msg_namelen = sizeof(to),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t r;

	memcpy(control, &header, sizeof(header));
	memcpy(control + CMSG_LEN(0), &size, sizeof(size));
	r = berth_sendmsg(stack, fd, &message, 0);
	berth_stack_advance(stack, 0);
	return r;
}

TEST(udp, datagrams_of_one_sender_are_read_as_one)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int a = open_at(stack, INADDR_LOOPBACK, 1000), b = open_at(stack, INADDR_LOOPBACK, 2000),
	    c = open_at(stack, INADDR_LOOPBACK, 3000), on = 1, size = 0;
	uint8_t control[64];
	char text[64];
	struct iovec part = { text, sizeof(text) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};

	CHECK_EQ(berth_setsockopt(stack, b, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)), 0);
	CHECK_EQ(send_segments(stack, a, "onetwothre", 10, 3), 10);
	send_to(stack, a, 2000, "four"); /* behind a short one: a datagram of its own */
	send_to(stack, c, 2000, "five"); /* another sender */
	REQUIRE(berth_recvmsg(stack, b, &message, 0) == 10);
	CHECK_BYTES(text, "onetwothre", 10);
	REQUIRE(CMSG_FIRSTHDR(&message) != NULL);
	CHECK_EQ(CMSG_FIRSTHDR(&message)->cmsg_level, IPPROTO_UDP);
	CHECK_EQ(CMSG_FIRSTHDR(&message)->cmsg_type, UDP_GRO);
	memcpy(&size, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(size));
	CHECK_EQ(size, 3);
	message.msg_controllen = sizeof(control);
	CHECK_EQ(berth_recvmsg(stack, b, &message, 0), 4);
	CHECK_EQ(message.msg_controllen, 0);
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), 4);
	send_segments(stack, a, "onetwothre", 10, 3);
	CHECK_EQ(berth_recv(stack, b, text, 7, 0), 6); /* no more than fits */
	CHECK_EQ(berth_recv(stack, b, text, 7, 0), 4);
	CHECK_EQ(send_segments(stack, a, text, 64, 0), 64);
	CHECK_EQ(berth_recv(stack, b, text, sizeof(text), 0), 64);
	memset(text, 0, sizeof(text));
	berth_stack_free(stack);
}

static struct sockaddr_in name_of(struct berth_stack *stack, int fd)
{
	struct sockaddr_in name;
	socklen_t length = sizeof(name);

	CHECK_EQ(berth_getsockname(stack, fd, (struct sockaddr *)&name, &length), 0);
	return name;
}

/* A group is no address to send from: while it is connected the socket has another, and afterwards its own again. */
TEST(udp, a_socket_bound_to_a_group_has_it_back_when_it_is_disconnected)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int fd = open_at(stack, 0xe0000105, 1000), other = open_at(stack, 0xe0000106, 1001);
	struct sockaddr_in peer = at(INADDR_LOOPBACK, 2000);
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	CHECK_EQ(berth_connect(stack, fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
	CHECK_EQ(ntohl(name_of(stack, fd).sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(berth_connect(stack, fd, &none, sizeof(none)), 0);
	CHECK_EQ(ntohl(name_of(stack, fd).sin_addr.s_addr), 0xe0000105);
	CHECK_EQ(ntohs(name_of(stack, fd).sin_port), 1000);
	CHECK_EQ(ntohl(name_of(stack, other).sin_addr.s_addr), 0xe0000106);
	berth_stack_free(stack);
}
