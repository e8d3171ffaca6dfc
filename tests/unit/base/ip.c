/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ip.h"
#include "test.h"

static struct berth_ip ip(const char *text)
{
	struct berth_ip result = ip_any;

	CHECK_EQ(berth_ip_parse(text, &result), 0);
	return result;
}

TEST(ip, text_goes_both_ways)
{
	static const char *const addresses[] = { "10.0.0.1", "255.255.255.255", "fd77::1", "::1", "fe80::1:2:3:4" };
	char text[BERTH_IP_STRLEN];

	for (size_t i = 0; i < COUNT_OF(addresses); i++)
		CHECK_STR(berth_ip_format(ip(addresses[i]), text), addresses[i]);
}

TEST(ip, nonsense_is_refused)
{
	static const char *const nonsense[] = { "", "10.0.0", "10.0.0.256", "fe80::1%eth0", "web", "1.2.3.4 " };
	struct berth_ip result;

	for (size_t i = 0; i < COUNT_OF(nonsense); i++)
		CHECK(berth_ip_parse(nonsense[i], &result) < 0);
}

TEST(ip, prefixes_match_bit_by_bit)
{
	CHECK(ip_in_prefix(ip("10.77.3.4"), ip("10.77.0.0"), 16));
	CHECK(!ip_in_prefix(ip("10.78.3.4"), ip("10.77.0.0"), 16));
	CHECK(ip_in_prefix(ip("10.77.0.127"), ip("10.77.0.0"), 25));
	CHECK(!ip_in_prefix(ip("10.77.0.128"), ip("10.77.0.0"), 25));
	CHECK(ip_in_prefix(ip("1.2.3.4"), ip("9.9.9.9"), 0));
	CHECK(!ip_in_prefix(ip("fd77::1"), ip("10.0.0.0"), 0));
	CHECK(ip_in_prefix(ip("fd77::abcd"), ip("fd77::"), 64));
	CHECK(ip_equal(ip_mask(ip("10.77.255.255"), 20), ip("10.77.240.0")));
	CHECK(ip_equal(ip_mask(ip("fd77::ffff"), 128), ip("fd77::ffff")));
}

TEST(ip, kinds_are_told_apart)
{
	CHECK(ip_is_loopback(ip("127.9.9.9")) && ip_is_loopback(ip("::1")) && !ip_is_loopback(ip("128.0.0.1")));
	CHECK(ip_is_multicast(ip("224.0.0.1")) && ip_is_multicast(ip("ff02::1")) && !ip_is_multicast(ip("10.0.0.1")));
	CHECK(ip_is_link_local(ip("fe80::1")) && ip_is_link_local(ip("169.254.1.1")) &&
	      !ip_is_link_local(ip("fd77::1")));
	CHECK(ip_is4(ip("1.2.3.4")) && !ip_is6(ip("1.2.3.4")) && ip_is6(ip("::1")) && !ip_is4(ip_any) &&
	      !ip_is6(ip_any));
}
