/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP: addresses, sizes, errors, and what comes beside a datagram. */
#include "probe.h"

#include <linux/errqueue.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/time.h>

/* recvmsg() once there is something. Returns what it does. */
static ssize_t receive(int fd, struct msghdr *header, void *bytes, size_t length, void *control, size_t room, int flags)
{
	static struct iovec part;

	part = (struct iovec){ bytes, length };
	*header = (struct msghdr){ .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };
	await(fd, POLLIN);
	return recvmsg(fd, header, flags | MSG_DONTWAIT);
}

static void addresses(void)
{
	int a = open_bound(AF_INET, SOCK_DGRAM), b = socket(AF_INET, SOCK_DGRAM, 0);
	union address to = loopback(AF_INET, port_of(a)), from;
	socklen_t length = sizeof(from);
	char bytes[16];

	getsockname(b, &from.any, &length);
	say_address("before", &from, 0);
	say_count("send", sendto(b, "hello", 5, 0, &to.any, sizeof(to.in)));
	length = sizeof(from);
	getsockname(b, &from.any, &length);
	say_address("after", &from, port_of(b));
	say_poll("poll", a, POLLIN);
	length = sizeof(from);
	say_count("recv", recvfrom(a, bytes, sizeof(bytes), MSG_DONTWAIT, &from.any, &length));
	say(" length=%u", length);
	say_address("from", &from, port_of(b));
	say_result("none", recvfrom(a, bytes, sizeof(bytes), MSG_DONTWAIT, &from.any, &length));
	say_count("back", sendto(a, "hi", 2, 0, &from.any, length));
	await(b, POLLIN);
	say_count("read", recv(b, bytes, sizeof(bytes), MSG_DONTWAIT));
}

static void connected(void)
{
	int ends[2], other = open_bound(AF_INET, SOCK_DGRAM), bare = socket(AF_INET, SOCK_DGRAM, 0);
	union address address, to, none = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t length = sizeof(address);
	char bytes[8];

	say_result("no-address", send(bare, "x", 1, 0));
	say_result("no-address-write", write(bare, "x", 1));
	say_result("no-peer", getpeername(bare, &address.any, &length));
	open_pair_udp(ends);
	say_count("write", write(ends[0], "abc", 3));
	await(ends[1], POLLIN);
	say_count("read", read(ends[1], bytes, 8));
	getpeername(ends[1], &address.any, &length);
	say_address("peer", &address, port_of(ends[0]));
	to = loopback(AF_INET, port_of(ends[1]));
	say_count("stranger", sendto(other, "no", 2, 0, &to.any, sizeof(to.in)));
	nap(50);
	say_result("not-for-us", recv(ends[1], bytes, 8, MSG_DONTWAIT));
	to = loopback(AF_INET, port_of(other));
	say_count("elsewhere", sendto(ends[0], "el", 2, 0, &to.any, sizeof(to.in)));
	await(other, POLLIN);
	say_count("there", recv(other, bytes, 8, MSG_DONTWAIT));
	say_result("dissolve", connect(ends[0], &none.any, sizeof(none.any)));
	length = sizeof(address);
	say_result("peer", getpeername(ends[0], &address.any, &length));
}

static void refused(void)
{
	int closed = open_bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);
	union address to = loopback(AF_INET, port_of(closed));
	char byte;

	close(closed);
	connect(fd, &to.any, sizeof(to.in));
	say_count("send", send(fd, "x", 1, 0));
	say_poll("poll", fd, POLLERR);
	say_result("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
	say_result("then", recv(fd, &byte, 1, MSG_DONTWAIT));
	say_count("send", send(fd, "x", 1, 0));
	await(fd, POLLERR);
	say_result("second-send", send(fd, "x", 1, 0));
	await(fd, POLLERR);
	say_error("error", fd);
	say_error("error", fd);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	say_count("unconnected", sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)));
	nap(50);
	say_result("unconnected-recv", recv(fd, &byte, 1, MSG_DONTWAIT));
}

static void refused_reading(void)
{
	int closed = open_bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);
	union address to = loopback(AF_INET, port_of(closed));
	struct timeval soon = { 3, 0 };
	char byte;

	close(closed);
	connect(fd, &to.any, sizeof(to.in));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	write(fd, "x", 1);
	say_result("read", read(fd, &byte, 1));
	write(fd, "x", 1);
	say_result("recvfrom", recvfrom(fd, &byte, 1, 0, &to.any, &(socklen_t){ sizeof(to) }));
}

static void error_queue(void)
{
	int closed = open_bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	union address to = loopback(AF_INET, port_of(closed));
	struct msghdr header;
	char bytes[8], control[256];
	struct cmsghdr *head;
	ssize_t n;

	close(closed);
	say_result("option", setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)));
	say_count("send", sendto(fd, "abc", 3, 0, &to.any, sizeof(to.in)));
	await(fd, POLLERR);
	n = receive(fd, &header, bytes, sizeof(bytes), control, sizeof(control), MSG_ERRQUEUE);
	say_count("queue", n);
	head = n < 0 ? NULL : CMSG_FIRSTHDR(&header);
	if (head) {
		struct sock_extended_err *error = (struct sock_extended_err *)CMSG_DATA(head);

		say(" level=%d type=%d errno=%s origin=%d icmp=%d/%d", head->cmsg_level, head->cmsg_type,
		    error_name((int)error->ee_errno), error->ee_origin, error->ee_type, error->ee_code);
	}
	say_result("empty", receive(fd, &header, bytes, sizeof(bytes), control, sizeof(control), MSG_ERRQUEUE));
}

static void sizes(void)
{
	static char block[70000];
	int ends[2], waiting = -1;
	struct msghdr header;

	open_pair_udp(ends);
	say_count("empty", send(ends[0], block, 0, 0));
	say_poll("poll", ends[1], POLLIN);
	say_count("empty", recv(ends[1], block, 10, MSG_DONTWAIT));
	say_count("largest", send(ends[0], block, 65507, 0));
	await(ends[1], POLLIN);
	ioctl(ends[1], FIONREAD, &waiting);
	say(" waiting=%d", waiting);
	say_count("peek", recv(ends[1], block, 10, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC));
	say_count("largest", recv(ends[1], block, sizeof(block), MSG_DONTWAIT));
	say_result("too-large", send(ends[0], block, 65508, 0));
	say_result("far-too-large", send(ends[0], block, 70000, 0));
	send(ends[0], "abcdef", 6, 0);
	say_count("cut", receive(ends[1], &header, block, 3, NULL, 0, 0));
	say(" flags=%s", header.msg_flags & MSG_TRUNC ? "TRUNC" : "none");
	say_result("rest-is-gone", recv(ends[1], block, 10, MSG_DONTWAIT));
	send(ends[0], "abcdef", 6, 0);
	say_count("cut", receive(ends[1], &header, block, 3, NULL, 0, MSG_TRUNC));
	send(ends[0], "abc", 3, 0);
	send(ends[0], "de", 2, 0);
	nap(50);
	ioctl(ends[1], FIONREAD, &waiting);
	say(" first=%d", waiting);
}

static void say_control(struct msghdr *header)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(header); head; head = CMSG_NXTHDR(header, head)) {
		int value = 0;

		say(" [%d/%d:%zu", head->cmsg_level, head->cmsg_type, (size_t)(head->cmsg_len - CMSG_LEN(0)));
		if (head->cmsg_level == SOL_SOCKET) {
			say("]");
			continue;
		}
		if (head->cmsg_len - CMSG_LEN(0) <= sizeof(int)) {
			memcpy(&value, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
			say("=%d", value);
		}
		if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(head);

			say("=%x if%d", ntohl(info->ipi_addr.s_addr), info->ipi_ifindex);
		}
		say("]");
	}
}

static void control4(void)
{
	int ends[2], on = 1, tos = 0x10, ttl = 7;
	static const int wanted[] = { IP_PKTINFO, IP_RECVTTL, IP_RECVTOS };
	struct msghdr header;
	char bytes[8], control[256];

	open_pair_udp(ends);
	for (size_t i = 0; i < COUNT_OF(wanted); i++)
		say_result("want", setsockopt(ends[1], IPPROTO_IP, wanted[i], &on, sizeof(on)));
	say_result("tos", setsockopt(ends[0], IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
	say_result("ttl", setsockopt(ends[0], IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)));
	say_count("send", send(ends[0], "abc", 3, 0));
	say_count("recv", receive(ends[1], &header, bytes, 8, control, sizeof(control), 0));
	say_control(&header);
	send(ends[0], "abc", 3, 0);
	say_count("recv", receive(ends[1], &header, bytes, 8, control, CMSG_SPACE(4), 0));
	say(" cut=%d room-used=%zu", !!(header.msg_flags & MSG_CTRUNC), header.msg_controllen);
}

static void control6(void)
{
	int a = open_bound(AF_INET6, SOCK_DGRAM), b = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;
	static const int wanted[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS };
	union address to = loopback(AF_INET6, port_of(a));
	struct msghdr header;
	char bytes[8], control[256];

	for (size_t i = 0; i < COUNT_OF(wanted); i++)
		say_result("want", setsockopt(a, IPPROTO_IPV6, wanted[i], &on, sizeof(on)));
	say_count("send", sendto(b, "abc", 3, 0, &to.any, sizeof(to.in6)));
	say_count("recv", receive(a, &header, bytes, 8, control, sizeof(control), 0));
	say_control(&header);
}

static void control_sent(void)
{
	int a = open_bound(AF_INET, SOCK_DGRAM), b = socket(AF_INET, SOCK_DGRAM, 0), ttl = 9, on = 1;
	union address to = loopback(AF_INET, port_of(a)), from;
	union {
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { 0 };
	struct iovec part = { (char[]){ "abc" }, 3 };
	struct msghdr header = { .msg_name = &to,
				 .msg_namelen = sizeof(to.in),
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&header);
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(0x7f000009) };
	socklen_t length = sizeof(from);
	char bytes[8];

	*head = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
	memcpy(CMSG_DATA(head), &info, sizeof(info));
	head = CMSG_NXTHDR(&header, head);
	*head = (struct cmsghdr){ CMSG_LEN(sizeof(ttl)), IPPROTO_IP, IP_TTL };
	memcpy(CMSG_DATA(head), &ttl, sizeof(ttl));
	setsockopt(a, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
	say_count("send", sendmsg(b, &header, 0));
	await(a, POLLIN);
	recvfrom(a, bytes, 8, MSG_DONTWAIT | MSG_PEEK, &from.any, &length);
	say_address("from", &from, port_of(b));
	receive(a, &header, bytes, 8, &control, sizeof(control), 0);
	say_control(&header);
}

static void say_options(struct msghdr *header)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(header); head; head = CMSG_NXTHDR(header, head)) {
		say(" [%d/%d:", head->cmsg_level, head->cmsg_type);
		for (size_t i = 0; i < head->cmsg_len - CMSG_LEN(0) && i < 16; i++)
			/* A port, of an address that is told, is another each time. */
			say(head->cmsg_type == IP_ORIGDSTADDR && (i == 2 || i == 3) ? ".." : "%02x",
			    CMSG_DATA(head)[i]);
		say("]");
	}
}

static void ip_options(void)
{
	static const uint8_t record[] = { IPOPT_RR, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, IPOPT_EOL };
	static const int wanted[] = { IP_RECVOPTS, IP_RETOPTS, IP_RECVORIGDSTADDR };
	int ends[2], on = 1, off = 0;
	struct msghdr header;
	uint8_t told[40] = "";
	socklen_t length = sizeof(told);
	char bytes[8], control[256];

	open_pair_udp(ends);
	for (size_t i = 0; i < COUNT_OF(wanted); i++)
		say_result("want", setsockopt(ends[1], IPPROTO_IP, wanted[i], &on, sizeof(on)));
	send(ends[0], "abc", 3, 0);
	say_count("without", receive(ends[1], &header, bytes, 8, control, sizeof(control), 0));
	say_options(&header);
	say_result("set", setsockopt(ends[0], IPPROTO_IP, IP_OPTIONS, record, sizeof(record)));
	say_result("get", getsockopt(ends[0], IPPROTO_IP, IP_OPTIONS, told, &length));
	say(" length=%u same=%d", length, !memcmp(told, record, sizeof(record)));
	send(ends[0], "abc", 3, 0);
	say_count("with", receive(ends[1], &header, bytes, 8, control, sizeof(control), 0));
	say_options(&header);
	setsockopt(ends[1], IPPROTO_IP, IP_RECVOPTS, &off, sizeof(off));
	send(ends[0], "abc", 3, 0);
	say_count("returned", receive(ends[1], &header, bytes, 8, control, sizeof(control), 0));
	say_options(&header);
	send(ends[0], "abc", 3, 0);
	say_count("cut", receive(ends[1], &header, bytes, 8, control, CMSG_LEN(4), 0));
	say(" cut=%d", !!(header.msg_flags & MSG_CTRUNC));
	say_result("none", setsockopt(ends[0], IPPROTO_IP, IP_OPTIONS, NULL, 0));
	send(ends[0], "abc", 3, 0);
	say_count("none", receive(ends[1], &header, bytes, 8, control, sizeof(control), 0));
	say_options(&header);
	say_result("bad", setsockopt(ends[0], IPPROTO_IP, IP_OPTIONS, "\x07\x01", 2));
}

static void timestamps(void)
{
	int ends[2], on = 1;
	struct msghdr header;
	char bytes[8], control[256];

	open_pair_udp(ends);
	say_result("set", setsockopt(ends[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)));
	send(ends[0], "abc", 3, 0);
	say_count("recv", receive(ends[1], &header, bytes, 8, control, sizeof(control), 0));
	say_control(&header);
	say_result("set", setsockopt(ends[1], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
	send(ends[0], "abc", 3, 0);
	say_count("recv", receive(ends[1], &header, bytes, 8, control, sizeof(control), 0));
	say_control(&header);
}

static void many(void)
{
	int ends[2];
	char bytes[4][8] = { "" };
	struct iovec parts[4];
	struct mmsghdr messages[4] = { 0 };

	open_pair_udp(ends);
	for (int i = 0; i < 4; i++) {
		snprintf(bytes[i], sizeof(bytes[i]), "%.*s", i + 1, "wxyz");
		parts[i] = (struct iovec){ bytes[i], (size_t)i + 1 };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	say_count("send", sendmmsg(ends[0], messages, 4, 0));
	say(" each=%u,%u,%u,%u", messages[0].msg_len, messages[1].msg_len, messages[2].msg_len, messages[3].msg_len);
	nap(50);
	for (int i = 0; i < 4; i++)
		parts[i].iov_len = 8;
	say_count("two", recvmmsg(ends[1], messages, 2, MSG_DONTWAIT, NULL));
	say_count("rest", recvmmsg(ends[1], messages, 4, MSG_WAITFORONE, NULL));
	say(" each=%u,%u", messages[0].msg_len, messages[1].msg_len);
	say_result("none", recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, NULL));
}

static void shut(void)
{
	int ends[2], bare = socket(AF_INET, SOCK_DGRAM, 0);
	char byte;

	say_result("unconnected", shutdown(bare, SHUT_RDWR));
	open_pair_udp(ends);
	say_result("rd", shutdown(ends[0], SHUT_RD));
	say_poll("poll", ends[0], 0);
	say_result("recv", recv(ends[0], &byte, 1, MSG_DONTWAIT));
	say_count("send", send(ends[0], "x", 1, MSG_NOSIGNAL));
	say_result("wr", shutdown(ends[0], SHUT_WR));
	say_result("send", send(ends[0], "x", 1, MSG_NOSIGNAL));
	say_poll("peer", ends[1], POLLIN);
	say_count("peer", recv(ends[1], &byte, 1, MSG_DONTWAIT));
}

static void queue(void)
{
	int ends[2], sent = 0, got = 0;
	char byte;

	open_pair_udp(ends);
	set_nonblocking(ends[0]);
	for (; sent < 2000 && send(ends[0], "x", 1, 0) == 1; sent++)
		;
	nap(100);
	while (recv(ends[1], &byte, 1, MSG_DONTWAIT) == 1)
		got++;
	say(" enough=%d", got >= 100);
}

static void broadcast(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	union address to = loopback(AF_INET, 9);

	to.in.sin_addr.s_addr = htonl(0x7fffffff);
	say_result("without", sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)));
	say_result("connect", connect(fd, &to.any, sizeof(to.in)));
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	say_result("with", sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)));
}

static void multicast(void)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	union address any = { .in = { .sin_family = AF_INET } }, to, from;
	struct ip_mreq group = { .imr_multiaddr.s_addr = htonl(0xefff0101),
				 .imr_interface.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(from);
	char bytes[8];

	say_result("bind", bind(a, &any.any, sizeof(any.in)));
	say_result("join", setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)));
	say_result("twice", setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)));
	say_result("interface", setsockopt(b, IPPROTO_IP, IP_MULTICAST_IF, &group.imr_interface, 4));
	to = loopback(AF_INET, port_of(a));
	to.in.sin_addr = group.imr_multiaddr;
	say_count("send", sendto(b, "abc", 3, 0, &to.any, sizeof(to.in)));
	await(a, POLLIN);
	say_count("recv", recvfrom(a, bytes, 8, MSG_DONTWAIT, &from.any, &length));
	say_result("leave", setsockopt(a, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof(group)));
	say_result("left", setsockopt(a, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof(group)));
	a = socket(AF_INET, SOCK_STREAM, 0);
	say_result("join by a stream", setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)));
	say_result("and it lives", listen(a, 1));
}

static void segments(void)
{
	int ends[2], size = 4;
	char bytes[16];

	open_pair_udp(ends);
	say_result("option", setsockopt(ends[0], IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)));
	say_count("send", send(ends[0], "aaaabbbbcc", 10, 0));
	nap(50);
	for (int i = 0; i < 4; i++)
		say_count("recv", recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT));
}

const struct scenario udp_scenarios[] = {
	{ "udp-addresses", addresses },
	{ "udp-connected", connected },
	{ "udp-refused", refused },
	{ "udp-refused-reading", refused_reading },
	{ "udp-error-queue", error_queue },
	{ "udp-sizes", sizes },
	{ "udp-control", control4 },
	{ "udp-control-v6", control6 },
	{ "udp-control-sent", control_sent },
	{ "udp-ip-options", ip_options },
	{ "udp-timestamps", timestamps },
	{ "udp-many", many },
	{ "udp-shutdown", shut },
	{ "udp-queue", queue },
	{ "udp-broadcast", broadcast },
	{ "udp-multicast", multicast },
	{ "udp-segments", segments },
	{ 0 },
};
