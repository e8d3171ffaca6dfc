/* SPDX-License-Identifier: BSD-2-Clause */
/* A link whose every packet is ours (BERTH_LINK_INTERCEPT), and a listener for every port (BERTH_ANY_PORT). */
#include "rig.h"

#include <errno.h>

static struct rig rig;

/* b takes everything that comes, from a, whose default route leads there. */
static void up(bool intercept)
{
	struct berth_ip none = { { 0 } };

	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig.type = BERTH_LINK_IP;
	rig_up(&rig);
	berth_link_set_intercept(rig.b.link, intercept);
	CHECK_EQ(berth_route_add(rig.a.stack, rig_ip("0.0.0.0"), 0, none, rig.a.link), 0);
	CHECK_EQ(berth_route_add(rig.a.stack, none, 0, none, rig.a.link), 0);
}

static struct sockaddr_in6 name_of(const char *address, uint16_t port)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct berth_ip ip = rig_ip(address);

	memcpy(&name.sin6_addr, ip.bytes, 16); /* IPv4 mapped */
	return name;
}

static int listener_at(uint16_t port, bool any)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = berth_socket(rig.b.stack, AF_INET6, SOCK_STREAM, 0);

	CHECK_EQ(berth_setsockopt(rig.b.stack, fd, BERTH_SOL, BERTH_ANY_PORT, &(int){ 1 }, sizeof(int)), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(berth_bind(rig.b.stack, fd, (struct sockaddr *)&name, sizeof(name)), 0);
	CHECK_EQ(berth_setsockopt(rig.b.stack, fd, BERTH_SOL, BERTH_ANY_PORT, &(int){ any }, sizeof(int)), 0);
	CHECK_EQ(berth_listen(rig.b.stack, fd, 8), 0);
	return fd;
}

static int ask(const char *address, uint16_t port)
{
	struct sockaddr_in6 name = name_of(address, port);
	int fd = berth_socket(rig.a.stack, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(berth_connect(rig.a.stack, fd, (struct sockaddr *)&name, sizeof(name)), -1);
	CHECK_EQ(errno, EINPROGRESS);
	rig_settle(&rig);
	return fd;
}

/* What listener has accepted believes to be address and port, and what it says is heard. */
static void check_accepted(int listener, int asker, const char *address, uint16_t port)
{
	struct sockaddr_in6 here, wanted = name_of(address, port);
	socklen_t length = sizeof(here);
	char text[8] = "";
	int fd = berth_accept(rig.b.stack, listener, NULL, NULL, SOCK_NONBLOCK);

	REQUIRE(fd >= 0);
	CHECK_EQ(berth_getsockname(rig.b.stack, fd, (struct sockaddr *)&here, &length), 0);
	CHECK_EQ(ntohs(here.sin6_port), port);
	CHECK_BYTES(&here.sin6_addr, &wanted.sin6_addr, 16);
	CHECK_EQ(berth_send(rig.b.stack, fd, "here", 4, 0), 4);
	berth_close(rig.b.stack, fd);
	rig_settle(&rig);
	CHECK_EQ(berth_recv(rig.a.stack, asker, text, sizeof(text), 0), 4);
	CHECK_STR(text, "here");
	CHECK_EQ(berth_recv(rig.a.stack, asker, text, sizeof(text), 0), 0);
	berth_close(rig.a.stack, asker);
	rig_settle(&rig);
}

TEST(intercept, any_address_and_any_port_are_answered)
{
	up(true);
	int all = listener_at(1, true), web = listener_at(80, false);

	check_accepted(all, ask("192.0.2.7", 443), "192.0.2.7", 443);
	check_accepted(all, ask("2001:db8::7", 25), "2001:db8::7", 25);
	check_accepted(web, ask("198.51.100.1", 80), "198.51.100.1", 80);
	check_accepted(all, ask("10.0.0.2", 9), "10.0.0.2", 9);
	rig_down(&rig);
}

TEST(intercept, when_the_listener_is_gone_ports_are_closed_again)
{
	int error = 0;
	socklen_t length = sizeof(error);

	up(true);
	berth_close(rig.b.stack, listener_at(1, true));
	int fd = ask("192.0.2.7", 443);

	CHECK_EQ(berth_getsockopt(rig.a.stack, fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	CHECK_EQ(error, ECONNREFUSED);
	rig_down(&rig);
}

TEST(intercept, other_links_take_what_is_theirs_only)
{
	up(false);
	listener_at(1, true);
	ask("192.0.2.7", 443);
	CHECK_EQ(COUNT(&rig.b, IP_DROP_NOT_FOR_US), 1);
	rig_down(&rig);
}
