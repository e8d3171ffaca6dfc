/* SPDX-License-Identifier: BSD-2-Clause */
/* Pointers to what is not there, or may only be read: EFAULT, and the program goes on. */
#include "probe.h"

#include <sys/mman.h>
#include <sys/uio.h>

static void *bad, *fixed;  /* not there; only to be read */
static char far_away[256]; /* not on the stack, as an address mostly is */

static void map(void)
{
	bad = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fixed = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* From b to a; what is left of earlier ones is thrown away first. */
static void give(int a, int b)
{
	union address to = loopback(AF_INET, port_of(a));
	char bytes[16];

	while (recv(a, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
		;
	sendto(b, "abc", 3, 0, &to.any, sizeof(to.in));
	await(a, POLLIN);
}

static void sending(void)
{
	int a = open_bound(AF_INET, SOCK_DGRAM), b = socket(AF_INET, SOCK_DGRAM, 0);
	union address to = loopback(AF_INET, port_of(a));
	char bytes[1] = "x";
	struct iovec part = { bytes, 1 }, lost = { NULL, 1 };
	struct msghdr header = { .msg_name = &to, .msg_namelen = sizeof(to.in), .msg_iov = &part, .msg_iovlen = 1 };
	struct mmsghdr two[2] = { { .msg_hdr = header }, { .msg_hdr = header } };

	map();
	lost.iov_base = bad;
	say_result("address", sendto(b, "x", 1, 0, bad, sizeof(to.in)));
	say_result("bytes", sendto(b, bad, 1, 0, &to.any, sizeof(to.in)));
	memcpy(far_away, &to, sizeof(to.in));
	say_count("elsewhere", sendto(b, "x", 1, 0, (struct sockaddr *)far_away, sizeof(to.in)));
	say_result("header", sendmsg(b, bad, 0));
	header.msg_iov = bad;
	say_result("parts", sendmsg(b, &header, 0));
	header.msg_iov = &lost;
	say_result("part", sendmsg(b, &header, 0));
	header.msg_iov = &part;
	header.msg_name = bad;
	say_result("name", sendmsg(b, &header, 0));
	header.msg_name = &to;
	header.msg_control = bad;
	header.msg_controllen = 64;
	say_result("control", sendmsg(b, &header, 0));
	two[1].msg_hdr.msg_iov = bad;
	say_count("two", sendmmsg(b, two, 2, 0));
	say_result("vector", sendmmsg(b, bad, 2, 0));
	say_result("connected", connect(b, &to.any, sizeof(to.in)));
	say_result("send", send(b, bad, 1, 0));
	say_result("write", write(b, bad, 1));
	say_count("good", send(b, "x", 1, 0));
}

static void receiving(void)
{
	int a = open_bound(AF_INET, SOCK_DGRAM), b = open_bound(AF_INET, SOCK_DGRAM);
	union address from;
	socklen_t length = sizeof(from), *elsewhere = (socklen_t *)(void *)(far_away + 128);
	char bytes[16];

	map();
	give(a, b);
	say_result("bytes", recvfrom(a, bad, 3, 0, &from.any, &length));
	give(a, b);
	say_result("address", recvfrom(a, bytes, 3, 0, bad, &length));
	give(a, b);
	say_result("length", recvfrom(a, bytes, 3, 0, &from.any, bad));
	give(a, b);
	say_result("fixed-address", recvfrom(a, bytes, 3, 0, fixed, &length));
	give(a, b);
	say_result("fixed-length", recvfrom(a, bytes, 3, 0, &from.any, fixed));
	give(a, b);
	*elsewhere = sizeof(from);
	say_count("elsewhere", recvfrom(a, bytes, 3, 0, (struct sockaddr *)far_away, elsewhere));
	say(" length=%u", *elsewhere);
	say_address("from", (union address *)(void *)far_away, port_of(b));
	give(a, b);
	say_result("recv", recv(a, bad, 3, 0));
	give(a, b);
	say_count("good", recvfrom(a, bytes, 3, 0, &from.any, &length));
}

static void receiving_messages(void)
{
	int a = open_bound(AF_INET, SOCK_DGRAM), b = open_bound(AF_INET, SOCK_DGRAM);
	char bytes[16];
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	struct mmsghdr one = { .msg_hdr = header };

	map();
	give(a, b);
	say_result("header", recvmsg(a, bad, 0));
	give(a, b);
	header.msg_name = bad;
	header.msg_namelen = sizeof(struct sockaddr_in);
	say_result("name", recvmsg(a, &header, 0));
	header.msg_name = NULL;
	header.msg_iov = bad;
	say_result("parts", recvmsg(a, &header, 0));
	header.msg_iov = &part;
	part.iov_base = bad;
	give(a, b);
	say_result("part", recvmsg(a, &header, 0));
	part.iov_base = bytes;
	give(a, b);
	say_result("vector", recvmmsg(a, bad, 1, 0, NULL));
	give(a, b);
	say_result("time", recvmmsg(a, &one, 1, 0, bad));
	give(a, b);
	say_count("good", recvmsg(a, &header, 0));
}

static void names(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), listener = open_listener(AF_INET, 5), client = open_client(listener);
	union address address;
	socklen_t length = sizeof(address);
	int value = 1;

	map();
	say_result("bind", bind(fd, bad, sizeof(address.in)));
	say_result("connect", connect(fd, bad, sizeof(address.in)));
	say_result("name", getsockname(client, bad, &length));
	say_result("length", getsockname(client, &address.any, bad));
	say_result("peer", getpeername(client, fixed, &length));
	say_result("set", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bad, sizeof(value)));
	say_result("get", getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bad, &length));
	say_result("get-length", getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, bad));
	say_result("read", recv(client, bad, 1, MSG_DONTWAIT));
	say_result("write", write(client, bad, 1));
	say_result("accept", accept(listener, &address.any, bad));
}

const struct scenario pointer_scenarios[] = {
	{ "pointers-sending", sending },
	{ "pointers-receiving", receiving },
	{ "pointers-messages", receiving_messages },
	{ "pointers-names", names },
	{ 0 },
};
