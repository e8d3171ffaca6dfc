/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may bind what beside whom; socket()'s own arguments. */
#include "probe.h"

#include <linux/if_packet.h>
#include <netinet/tcp.h>

/* Bind a second socket to the first one's port. */
static void say_second(const char *label, int first, int family, const char *address4, int options)
{
	union address address = loopback(family, port_of(first));
	int fd = socket(family, SOCK_STREAM, 0), on = 1;

	if (options & 1)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (options & 2)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (options & 4)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (family == AF_INET6)
		address.in6.sin6_addr = in6addr_any;
	else
		address.in.sin_addr.s_addr =
			htonl(address4[0] == '*' ? INADDR_ANY : 0x7f000000u + (unsigned)atoi(address4));
	say_result(label, bind(fd, &address.any, address_length(&address)));
	close(fd);
}

static void conflicts(void)
{
	int listener = open_listener(AF_INET, 5), bound = open_bound(AF_INET, SOCK_STREAM), reuse, on = 1;
	union address address = loopback(AF_INET, 0);

	say_second("same", listener, AF_INET, "1", 0);
	say_second("same-reuse", listener, AF_INET, "1", 1);
	say_second("same-port-option", listener, AF_INET, "1", 2);
	say_second("other-address", listener, AF_INET, "2", 0);
	say_second("wildcard", listener, AF_INET, "*", 0);
	say_second("dual", listener, AF_INET6, "", 0);
	say_second("v6-only", listener, AF_INET6, "", 4);
	say_second("bound-reuse", bound, AF_INET, "1", 1);
	reuse = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(reuse, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	bind(reuse, &address.any, sizeof(address.in));
	say_second("both-reuse", reuse, AF_INET, "1", 1);
	listen(reuse, 5);
	say_second("listening-reuse", reuse, AF_INET, "1", 1);
	say_second("listening-wildcard-reuse", reuse, AF_INET, "*", 1);
	reuse = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(reuse, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	bind(reuse, &address.any, sizeof(address.in));
	listen(reuse, 5);
	say_second("both-port-option", reuse, AF_INET, "1", 2);
}

static void dual_conflicts(void)
{
	union address any = { .in6 = { .sin6_family = AF_INET6 } };
	int dual = socket(AF_INET6, SOCK_STREAM, 0), only = socket(AF_INET6, SOCK_STREAM, 0), on = 1;

	say_result("dual", bind(dual, &any.any, sizeof(any.in6)));
	say_second("v4", dual, AF_INET, "*", 0);
	setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	say_result("only", bind(only, &any.any, sizeof(any.in6)));
	say_second("v4", only, AF_INET, "*", 0);
	say_result("late-option", setsockopt(dual, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
}

static void bad_binds(void)
{
	union address address = loopback(AF_INET, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0), fd6 = socket(AF_INET6, SOCK_STREAM, 0), ends[2];

	say_result("short", bind(fd, &address.any, 8));
	say_result("null", bind(fd, NULL, sizeof(address.in)));
	say_result("huge", bind(fd, &address.any, 4096));
	say_result("v4-on-v6", bind(fd6, &address.any, sizeof(address.in)));
	address.in.sin_addr.s_addr = htonl(0x08080808);
	say_result("foreign", bind(fd, &address.any, sizeof(address.in)));
	address = loopback(AF_INET6, 0);
	say_result("v6-on-v4", bind(fd, &address.any, sizeof(address.in6)));
	address.any.sa_family = 77;
	say_result("family", bind(fd, &address.any, sizeof(address.in)));
	address = (union address){ .any = { .sa_family = AF_UNSPEC } };
	say_result("unspecified-any", bind(fd, &address.any, sizeof(address.in)));
	say_result("twice", bind(fd, &address.any, sizeof(address.in)));
	open_pair(ends);
	address = loopback(AF_INET, 0);
	say_result("connected", bind(ends[0], &address.any, sizeof(address.in)));
	say_result("listen-connected", listen(ends[0], 5));
	say_result("file", bind(0, &address.any, sizeof(address.in)));
	say_result("closed", bind(999, &address.any, sizeof(address.in)));
}

static void listening(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), value = -1;
	socklen_t length = sizeof(value);

	say_result("unbound", listen(fd, 5));
	say(" port=%d", port_of(fd) != 0);
	say_result("again", listen(fd, 9));
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length);
	say(" accepting=%d", value);
	say_result("negative", listen(fd, -1));
	say_result("zero", listen(fd, 0));
	say_result("udp", listen(socket(AF_INET, SOCK_DGRAM, 0), 5));
	say_result("closed", listen(999, 5));
	say_result("file", listen(0, 5));
}

static void low_ports(void)
{
	union address address = loopback(AF_INET, 65535);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say_result("highest", bind(fd, &address.any, sizeof(address.in)));
	address = loopback(AF_INET, 0);
	address.in.sin_addr.s_addr = htonl(0x7f010203);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say_result("127.1.2.3", bind(fd, &address.any, sizeof(address.in)));
	address.in.sin_addr.s_addr = htonl(0xe0000001);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	say_result("multicast", bind(fd, &address.any, sizeof(address.in)));
	address.in.sin_addr.s_addr = htonl(INADDR_BROADCAST);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	say_result("broadcast", bind(fd, &address.any, sizeof(address.in)));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say_result("broadcast-tcp", bind(fd, &address.any, sizeof(address.in)));
}

static void kinds(void)
{
	static const struct {
		const char *label;
		int domain, type, protocol;
	} tried[] = {
		{ "tcp", AF_INET, SOCK_STREAM, IPPROTO_TCP },
		{ "udp-stream", AF_INET, SOCK_STREAM, IPPROTO_UDP },
		{ "tcp-datagram", AF_INET6, SOCK_DGRAM, IPPROTO_TCP },
		{ "udp6", AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
		{ "seqpacket", AF_INET, SOCK_SEQPACKET, 0 },
		{ "rdm", AF_INET, SOCK_RDM, 0 },
		{ "type", AF_INET, 9, 0 },
		{ "type-flags", AF_INET, SOCK_STREAM | 0x100, 0 },
		{ "protocol", AF_INET, SOCK_STREAM, 300 },
		{ "negative", AF_INET, SOCK_STREAM, -1 },
		{ "family", 77, SOCK_STREAM, 0 },
		{ "unspecified", AF_UNSPEC, SOCK_STREAM, 0 },
		{ "raw", AF_INET, SOCK_RAW, IPPROTO_ICMP },
		{ "raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 },
		{ "packet", AF_PACKET, SOCK_RAW, 0 },
		{ "udp-lite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE },
		{ "route", AF_NETLINK, SOCK_RAW, 0 },
		{ "route-type", AF_NETLINK, SOCK_STREAM, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(tried); i++) {
		int fd = socket(tried[i].domain, tried[i].type, tried[i].protocol);

		say_result(tried[i].label, fd);
		close(fd);
	}
}

const struct scenario bind_scenarios[] = {
	{ "bind-conflicts", conflicts },
	{ "bind-dual", dual_conflicts },
	{ "bind-bad", bad_binds },
	{ "bind-listen", listening },
	{ "bind-addresses", low_ports },
	{ "socket-kinds", kinds },
	{ 0 },
};
