/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes, and the paths that come of them. */
#include "core/route/route.h"

#include "rig.h"

#include <errno.h>

static struct rig rig;

static void up(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.flags = BERTH_LINK_NO_DAD;
	rig_up(&rig);
}

static int find(const char *destination, struct ip_path *path)
{
	return ip_path_find(rig.a.stack, rig_ip(destination), ip_any, NULL, path);
}

TEST(route, the_longest_prefix_wins)
{
	struct ip_path path;

	up();
	CHECK_EQ(find("192.168.1.1", &path), -ENETUNREACH);
	CHECK_EQ(berth_route_add(rig.a.stack, rig_ip("0.0.0.0"), 0, rig_ip("10.0.0.254"), rig.a.link), 0);
	CHECK_EQ(berth_route_add(rig.a.stack, rig_ip("192.168.0.0"), 16, rig_ip("10.0.0.253"), rig.a.link), 0);
	CHECK_EQ(berth_route_add(rig.a.stack, rig_ip("192.168.1.0"), 24, rig_ip("10.0.0.252"), rig.a.link), 0);
	REQUIRE(find("192.168.1.1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.252")));
	REQUIRE(find("192.168.2.1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.253")));
	REQUIRE(find("8.8.8.8", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.254")));
	CHECK(ip_equal(path.source, rig_ip("10.0.0.1")));
	REQUIRE(find("10.0.0.7", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("10.0.0.7")));
	CHECK_EQ(find("2001:db8::1", &path), -ENETUNREACH); /* 0.0.0.0/0 is not ::/0 */
	rig_down(&rig);
}

TEST(route, the_default_of_ipv6_is_not_that_of_ipv4)
{
	struct ip_path path;

	up();
	CHECK_EQ(berth_route_add(rig.a.stack, ip_any, 0, rig_ip("fd00::fe"), rig.a.link), 0);
	REQUIRE(find("2001:db8::1", &path) == 0);
	CHECK(ip_equal(path.next_hop, rig_ip("fd00::fe")));
	CHECK(ip_equal(path.source, rig_ip("fd00::1")));
	CHECK_EQ(find("8.8.8.8", &path), -ENETUNREACH);
	rig_down(&rig);
}

TEST(route, wrong_ones_are_refused)
{
	struct berth_stack *stack;

	up();
	stack = rig.a.stack;
	CHECK_EQ(berth_route_add(stack, rig_ip("1.0.0.0"), 33, ip_any, rig.a.link), -EINVAL);
	CHECK_EQ(berth_route_add(stack, rig_ip("1.0.0.0"), 8, rig_ip("fd00::1"), rig.a.link), -EINVAL);
	CHECK_EQ(berth_route_add(stack, rig_ip("1.0.0.0"), 8, rig_ip("224.0.0.1"), rig.a.link), -EINVAL);
	CHECK_EQ(berth_route_add(stack, rig_ip("1.0.0.0"), 8, ip_any, rig.b.link), -EINVAL);
	CHECK_EQ(berth_route_add(stack, rig_ip("1.0.0.0"), 8, ip_any, rig.a.link), 0);
	CHECK_EQ(berth_route_add(stack, rig_ip("1.2.3.4"), 8, ip_any, rig.a.link), -EEXIST);
	CHECK_EQ(berth_route_remove(stack, rig_ip("1.0.0.0"), 9, ip_any, rig.a.link), -ESRCH);
	CHECK_EQ(berth_route_remove(stack, rig_ip("1.0.0.0"), 8, ip_any, rig.a.link), 0);
	CHECK_EQ(berth_route_remove(stack, rig_ip("1.0.0.0"), 8, ip_any, rig.a.link), -ESRCH);
	rig_down(&rig);
}

TEST(route, changes_make_cached_paths_invalid)
{
	struct ip_path path;

	up();
	REQUIRE(find("10.0.0.2", &path) == 0);
	CHECK(ip_path_valid(rig.a.stack, &path));
	berth_route_add(rig.a.stack, rig_ip("1.0.0.0"), 8, ip_any, rig.a.link);
	CHECK(!ip_path_valid(rig.a.stack, &path));
	REQUIRE(find("10.0.0.2", &path) == 0);
	berth_link_add_address(rig.a.link, rig_ip("10.0.0.2"), 24);
	CHECK(!ip_path_valid(rig.a.stack, &path));
	rig_down(&rig);
}

TEST(route, thousands_are_found_and_the_limit_holds)
{
	struct berth_stack *stack;
	unsigned added = 0;
	struct ip_path path;

	up();
	stack = rig.a.stack;
	for (uint32_t i = 0; i < 5000; i++)
		added += berth_route_add(stack, ip_from_u32(0x14000000 + i * 256), 24,
					 ip_from_u32(0x0a000000 + i % 250 + 3), rig.a.link) == 0;
	CHECK(added < 4096 && added > 4080); /* the links' own count */
	CHECK_EQ(berth_route_add(stack, rig_ip("1.0.0.0"), 8, ip_any, rig.a.link), -ENOBUFS);
	for (uint32_t i = 0; i < 4000; i++) {
		REQUIRE(ip_path_find(stack, ip_from_u32(0x14000001 + i * 256), ip_any, NULL, &path) == 0);
		CHECK_EQ(ip_u32(path.next_hop), 0x0a000000 + i % 250 + 3);
	}
	rig_down(&rig);
}

TEST(route, two_addresses_share_their_prefix)
{
	struct ip_path path;

	up();
	CHECK_EQ(berth_link_add_address(rig.a.link, rig_ip("10.0.0.5"), 24), 0);
	CHECK_EQ(berth_link_remove_address(rig.a.link, rig_ip("10.0.0.5")), 0);
	CHECK_EQ(find("10.0.0.2", &path), 0);
	CHECK_EQ(berth_link_remove_address(rig.a.link, rig_ip("10.0.0.1")), 0);
	CHECK_EQ(find("10.0.0.2", &path), -ENETUNREACH);
	rig_down(&rig);
}

TEST(path, own_addresses_go_by_loopback)
{
	static const char *const own[] = { "10.0.0.1", "fd00::1", "127.0.0.1", "::1", "127.9.9.9" };
	struct ip_path path;

	up();
	for (size_t i = 0; i < COUNT_OF(own); i++) {
		REQUIRE(find(own[i], &path) == 0);
		CHECK(path.link->loopback);
		/* Linux: of all 127.0.0.0/8, the address that was configured. */
		CHECK(ip_equal(path.source, rig_ip(i == 4 ? "127.0.0.1" : own[i])));
		CHECK(path.mtu >= 65535);
	}
	rig_down(&rig);
}

TEST(path, loopback_sources_stay_at_home)
{
	struct ip_path path;

	up();
	CHECK_EQ(ip_path_find(rig.a.stack, rig_ip("10.0.0.2"), rig_ip("127.0.0.1"), NULL, &path), -EINVAL);
	CHECK_EQ(ip_path_find(rig.a.stack, rig_ip("10.0.0.1"), rig_ip("127.0.0.1"), NULL, &path), 0);
	rig_down(&rig);
}

TEST(path, the_source_is_of_the_destinations_scope_and_prefix)
{
	struct ip_path path;

	up();
	berth_link_add_address(rig.a.link, rig_ip("2001:db8::1"), 64);
	berth_link_add_address(rig.a.link, rig_ip("10.0.1.1"), 24);
	berth_route_add(rig.a.stack, ip_any, 0, rig_ip("fe80::99"), rig.a.link);
	REQUIRE(find("2001:db8:1::1", &path) == 0);
	CHECK(ip_equal(path.source, rig_ip("2001:db8::1")));
	REQUIRE(find("fd00::2", &path) == 0);
	CHECK(ip_equal(path.source, rig_ip("fd00::1")));
	REQUIRE(find("fe80::2", &path) == 0);
	CHECK(ip_is_link_local(path.source));
	REQUIRE(find("ff02::1", &path) == 0);
	CHECK(ip_is_link_local(path.source));
	REQUIRE(find("10.0.1.2", &path) == 0);
	CHECK(ip_equal(path.source, rig_ip("10.0.1.1")));
	rig_down(&rig);
}

TEST(path, nowhere_is_unreachable)
{
	struct ip_path path;

	up();
	CHECK_EQ(find("0.0.0.0", &path), -ENETUNREACH);
	CHECK_EQ(find("::", &path), -ENETUNREACH);
	rig_down(&rig);
}

TEST(path, by_the_loopback_link_goes_whatever_is_asked)
{
	struct ip_path path;

	up();
	REQUIRE(ip_path_find(rig.a.stack, rig_ip("8.8.8.8"), ip_any, rig.a.stack->loopback, &path) == 0);
	CHECK(path.link->loopback);
	CHECK(ip_is_local(rig.a.stack, path.source));
	REQUIRE(ip_path_find(rig.a.stack, rig_ip("10.0.0.2"), ip_any, rig.a.stack->loopback, &path) == 0);
	CHECK(ip_equal(path.source, rig_ip("10.0.0.1")));
	rig_down(&rig);
}
