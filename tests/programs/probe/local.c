/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of this host: 127.0.0.0/8, ::1, IPv4 in IPv6, and the sources that are chosen for them. */
#include "probe.h"

#include <arpa/inet.h>

static union address address_of(const char *text, unsigned port)
{
	union address address = { .storage = { .ss_family = strchr(text, ':') ? AF_INET6 : AF_INET } };

	if (address.any.sa_family == AF_INET) {
		inet_pton(AF_INET, text, &address.in.sin_addr);
		address.in.sin_port = htons((uint16_t)port);
	} else {
		inet_pton(AF_INET6, text, &address.in6.sin6_addr);
		address.in6.sin6_port = htons((uint16_t)port);
	}
	return address;
}

static int bound(const char *text, int type, unsigned port)
{
	union address address = address_of(text, port);
	int fd = socket(address.any.sa_family, type, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &address.any, address_length(&address)) < 0 || (type == SOCK_STREAM && listen(fd, 5) < 0)) {
		say_result("bound", -1);
		close(fd);
		return -1;
	}
	return fd;
}

static void names_of(int fd, unsigned port)
{
	union address address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, &address.any, &length) == 0)
		say_address("own", &address, port_of(fd));
	length = sizeof(address);
	if (getpeername(fd, &address.any, &length) == 0)
		say_address("peer", &address, port);
}

/* Connect to text from a socket of family; what listens is at any address of its own. */
static void reach(int family, const char *text, const char *listens, int type)
{
	int server = bound(listens, type, 0), fd = socket(family, type, 0);
	unsigned port = port_of(server);
	union address to = address_of(text, port), from;
	socklen_t length = sizeof(from);
	char byte;

	say_result(text, connect(fd, &to.any, address_length(&to)));
	names_of(fd, port);
	if (type == SOCK_STREAM && (await(server, POLLIN) & POLLIN)) {
		accept(server, &from.any, &length);
		say_address("from", &from, port_of(fd));
	} else if (type == SOCK_DGRAM && send(fd, "x", 1, 0) == 1) {
		await(server, POLLIN);
		if (recvfrom(server, &byte, 1, MSG_DONTWAIT, &from.any, &length) == 1)
			say_address("from", &from, port_of(fd));
	}
	close(fd);
	close(server);
}

static void loopback_range(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (int i = 0; i < 2; i++) {
		reach(AF_INET, "127.0.0.1", "0.0.0.0", types[i]);
		reach(AF_INET, "127.5.6.7", "0.0.0.0", types[i]);
		reach(AF_INET, "127.5.6.7", "127.5.6.7", types[i]);
		reach(AF_INET, "127.5.6.7", "127.0.0.1", types[i]);
		reach(AF_INET, "0.0.0.0", "0.0.0.0", types[i]);
	}
}

static void loopback_v6(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (int i = 0; i < 2; i++) {
		reach(AF_INET6, "::1", "::", types[i]);
		reach(AF_INET6, "::1", "::1", types[i]);
		reach(AF_INET6, "::", "::", types[i]);
		reach(AF_INET6, "::ffff:127.0.0.1", "::", types[i]);
		reach(AF_INET6, "::ffff:127.0.0.1", "127.0.0.1", types[i]);
		reach(AF_INET, "127.0.0.1", "::", types[i]);
		reach(AF_INET, "127.0.0.1", "::1", types[i]);
		reach(AF_INET6, "::1", "0.0.0.0", types[i]);
		reach(AF_INET, "::1", "::", types[i]);
		reach(AF_INET6, "127.0.0.1", "::", types[i]);
	}
}

/* The same port at several of one's own addresses. */
static void same_port(void)
{
	int first = bound("127.0.0.1", SOCK_STREAM, 0), fds[4];
	unsigned port = port_of(first);
	static const char *const others[] = { "127.0.0.2", "::1", "127.0.0.1", "0.0.0.0" };

	for (size_t i = 0; i < COUNT_OF(others); i++) {
		fds[i] = bound(others[i], SOCK_STREAM, port);
		say(" %s=%d", others[i], fds[i] >= 0);
	}
	for (size_t i = 0; i < 2; i++) {
		union address to = address_of(others[i], port);
		int fd = socket(to.any.sa_family, SOCK_STREAM, 0);

		say_result("connect", connect(fd, &to.any, address_length(&to)));
		say_poll("its-own", fds[i], POLLIN);
		say_poll("not-the-first", first, 0);
	}
}

static void udp_reconnects(void)
{
	int a = bound("127.0.0.1", SOCK_DGRAM, 0), b = bound("127.0.0.2", SOCK_DGRAM, 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	union address nowhere = address_of("127.0.0.1", 0), six = address_of("::1", 9),
		      all = address_of("224.0.0.1", 9);
	union address to = address_of("127.0.0.1", port_of(a)), none = { .any = { .sa_family = AF_UNSPEC } };

	say_result("connect", connect(fd, &to.any, sizeof(to.in)));
	names_of(fd, port_of(a));
	to = address_of("127.0.0.2", port_of(b));
	say_result("again", connect(fd, &to.any, sizeof(to.in)));
	names_of(fd, port_of(b));
	say_result("dissolve", connect(fd, &none.any, sizeof(none.any)));
	names_of(fd, 0);
	say_result("port-0", sendto(fd, "x", 1, 0, &nowhere.any, sizeof(to.in)));
	say_result("short", sendto(fd, "x", 1, 0, &to.any, 7));
	say_result("family", sendto(fd, "x", 1, 0, &six.any, sizeof(to.in6)));
	say_result("unspec", sendto(fd, "x", 1, 0, &none.any, sizeof(to.in)));
	say_result("elsewhere", connect(fd, &all.any, sizeof(to.in)));
	fd = bound("0.0.0.0", SOCK_DGRAM, 0);
	to = address_of("127.0.0.1", port_of(a));
	say_result("bound", connect(fd, &to.any, sizeof(to.in)));
	names_of(fd, port_of(a));
	say_result("dissolve", connect(fd, &none.any, sizeof(none.any)));
	names_of(fd, 0);
}

const struct scenario local_scenarios[] = {
	{ "local-loopback", loopback_range },
	{ "local-loopback-v6", loopback_v6 },
	{ "local-same-port", same_port },
	{ "local-udp-reconnects", udp_reconnects },
	{ 0 },
};
