/* SPDX-License-Identifier: BSD-2-Clause */
/* IGMP and MLD. */
#include "wire/group.h"

#include "base/random.h"
#include "truncate.h"
#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <errno.h>

static const struct berth_ip group6 = { { 0xff, 0x05, [15] = 9 } };

TEST(group, queries_of_three_versions)
{
	uint8_t v1[8] = { IGMP_QUERY, 0, 0, 0, 0, 0, 0, 0 }, v2[8] = { IGMP_QUERY, 100, 0, 0, 239, 1, 2, 3 };
	uint8_t v3[20] = { IGMP_QUERY, 0x8a, 0, 0, 239, 1, 2, 3, 2, 125, 0, 2, 10, 0, 0, 1, 10, 0, 0, 2 };
	struct wire_group_query query;

	REQUIRE(wire_igmp_query_parse(v1, sizeof(v1), &query) == 8);
	CHECK_EQ(query.version, 1);
	CHECK_EQ(query.response_ms, 10000);
	CHECK(ip_is_any(query.group));
	REQUIRE(wire_igmp_query_parse(v2, sizeof(v2), &query) == 8);
	CHECK_EQ(query.version, 2);
	CHECK_EQ(query.response_ms, 10000);
	CHECK_EQ(ip_u32(query.group), 0xef010203);
	REQUIRE(wire_igmp_query_parse(v3, sizeof(v3), &query) == 20);
	CHECK_EQ(query.version, 3);
	CHECK_EQ(query.response_ms, (26 << 3) * 100);
	CHECK_EQ(query.robustness, 2);
	REQUIRE(query.source_count == 2);
	CHECK_EQ(ip_u32(wire_group_source(&query, 1)), 0x0a000002);
}

TEST(group, igmp_queries_of_odd_lengths_are_refused)
{
	uint8_t v3[20] = { IGMP_QUERY, 100, 0, 0, 239, 1, 2, 3, 2, 125, 0, 2, 10, 0, 0, 1, 10, 0, 0, 2 };
	struct wire_group_query query;

	for (size_t cut = 0; cut < sizeof(v3); cut++) {
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, v3, cut);
		CHECK_EQ(wire_igmp_query_parse(copy, cut, &query) >= 0, cut == 8); /* version 2's */
		free(copy);
	}
	v3[4] = 10;
	CHECK_EQ(wire_igmp_query_parse(v3, sizeof(v3), &query), -EPROTO); /* no group */
	memset(v3 + 4, 0, 4);
	CHECK_EQ(wire_igmp_query_parse(v3, sizeof(v3), &query), -EPROTO); /* sources of no group */
}

TEST(group, mld_queries)
{
	uint8_t bytes[44] = { MLD_QUERY, 0, 0, 0, 0x80, 1, 0, 0 };
	struct wire_group_query query;

	memcpy(bytes + 8, group6.bytes, 16);
	bytes[24] = 3;
	bytes[27] = 1;
	bytes[28] = 0xfd;
	REQUIRE(wire_mld_query_parse(bytes, sizeof(bytes), &query) == 44);
	CHECK_EQ(query.version, 2);
	CHECK_EQ(query.response_ms, 0x1001 << 3);
	CHECK_EQ(query.robustness, 3);
	CHECK_EQ(wire_group_source(&query, 0).bytes[0], 0xfd);
	for (size_t cut = 0; cut < sizeof(bytes); cut++) {
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, bytes, cut);
		CHECK_EQ(wire_mld_query_parse(copy, cut, &query) >= 0, cut == 24);
		free(copy);
	}
	CHECK_EQ(wire_mld_query_parse(bytes, 24, &query), 24);
	CHECK_EQ(query.version, 1);
	CHECK_EQ(query.response_ms, 0x8001);
	bytes[1] = 1;
	CHECK_EQ(wire_mld_query_parse(bytes, sizeof(bytes), &query), -EPROTO);
}

static void check_report(bool v4, struct berth_ip group, struct berth_ip source)
{
	struct berth_ip sources[2] = { source, source };
	size_t length = wire_group_record_length(v4, 2);
	struct wire_group_record record;
	uint8_t bytes[64];
	uint16_t count;

	wire_group_report_build(bytes, v4, 7);
	CHECK_EQ(wire_group_report_parse(bytes, 8, v4, &count), 8);
	CHECK_EQ(count, 7);
	CHECK_EQ(wire_group_report_parse(bytes, 8, !v4, &count), -EPROTO);
	wire_group_record_build(bytes, RECORD_ALLOW, group, sources, 2);
	REQUIRE(wire_group_record_parse(bytes, length, v4, &record) == (int)length);
	CHECK_EQ(record.type, RECORD_ALLOW);
	CHECK(ip_equal(record.group, group));
	CHECK_EQ(record.source_count, 2);
	for (size_t cut = 0; cut < length; cut++)
		CHECK(wire_group_record_parse(bytes, cut, v4, &record) < 0);
	bytes[0] = 7;
	CHECK_EQ(wire_group_record_parse(bytes, length, v4, &record), -EPROTO);
}

TEST(group, reports_build_what_they_parse)
{
	check_report(true, ip_from_u32(0xef000001), ip_from_u32(0x0a000001));
	check_report(false, group6, (struct berth_ip){ { 0xfd, [15] = 1 } });
}

TEST(group, old_reports_build_what_they_parse)
{
	uint8_t bytes[24], type;
	struct berth_ip group;

	wire_igmp_old_build(bytes, IGMP_LEAVE, ip_from_u32(0xef000001));
	CHECK_EQ(checksum_finish(checksum_add(0, bytes, 8)), 0);
	CHECK_EQ(wire_igmp_old_parse(bytes, 8, &type, &group), 8);
	CHECK_EQ(type, IGMP_LEAVE);
	CHECK_EQ(ip_u32(group), 0xef000001);
	for (size_t cut = 0; cut < 8; cut++)
		CHECK_EQ(wire_igmp_old_parse(bytes, cut, &type, &group), -EMSGSIZE);
	wire_mld_old_build(bytes, MLD_REPORT1, group6);
	CHECK_EQ(wire_mld_old_parse(bytes, 24, &type, &group), 24);
	CHECK(ip_equal(group, group6));
	for (size_t cut = 0; cut < 24; cut++)
		CHECK_EQ(wire_mld_old_parse(bytes, cut, &type, &group), -EMSGSIZE);
	bytes[8] = 0xfe;
	CHECK_EQ(wire_mld_old_parse(bytes, 24, &type, &group), -EPROTO);
}

/* No group, one that is none, an IPv4 one in IPv6's clothes; and kinds of records that there are not. */
TEST(group, reports_of_no_group_are_refused)
{
	struct berth_ip mapped = ip_from_u32(0xef000001), group;
	struct wire_group_record record;
	uint8_t old[8] = { IGMP_REPORT2 }, mld[24] = { MLD_DONE }, type, v4[8] = { RECORD_ALLOW },
		v6[20] = { RECORD_ALLOW };

	CHECK_EQ(wire_igmp_old_parse(old, sizeof(old), &type, &group), -EPROTO);
	old[4] = 10;
	CHECK_EQ(wire_igmp_old_parse(old, sizeof(old), &type, &group), -EPROTO);
	old[0] = IGMP_QUERY;
	CHECK_EQ(wire_igmp_old_parse(old, sizeof(old), &type, &group), -EPROTO);
	CHECK_EQ(wire_mld_old_parse(mld, sizeof(mld), &type, &group), -EPROTO);
	memcpy(mld + 8, mapped.bytes, 16);
	CHECK_EQ(wire_mld_old_parse(mld, sizeof(mld), &type, &group), -EPROTO);
	memcpy(mld + 8, group6.bytes, 16);
	CHECK_EQ(wire_mld_old_parse(mld, sizeof(mld), &type, &group), 24);
	CHECK_EQ(wire_group_record_parse(v4, sizeof(v4), true, &record), -EPROTO);
	v4[4] = 10;
	CHECK_EQ(wire_group_record_parse(v4, sizeof(v4), true, &record), -EPROTO);
	memcpy(v6 + 4, group6.bytes, 16);
	v6[0] = 0;
	CHECK_EQ(wire_group_record_parse(v6, sizeof(v6), false, &record), -EPROTO);
}

TEST(group, routers_are_alerted)
{
	struct wire_ip4 ip4 = { .total_length = 32, .ttl = 1, .protocol = PROTOCOL_IGMP };
	struct wire_options options;
	uint8_t bytes[24];

	ip4.source = ip_from_u32(0x0a000001);
	ip4.destination = ip_from_u32(0xe0000016);
	wire_ip4_build_alert(bytes, &ip4);
	CHECK(wire_ip4_checksum_ok(bytes, sizeof(bytes)));
	CHECK_EQ(wire_ip4_check_options(bytes, sizeof(bytes)), 0);
	CHECK_EQ(bytes[20], 0x94);
	wire_alert_build(bytes, PROTOCOL_ICMP6);
	CHECK_EQ(wire_options_parse(bytes, 8, &options), 8);
	CHECK(options.router_alert);
	CHECK_EQ(options.next_header, PROTOCOL_ICMP6);
	bytes[5] = 1; /* RSVP's */
	CHECK_EQ(wire_options_parse(bytes, 8, &options), 8);
	CHECK(!options.router_alert);
}

TEST(group, noise_is_survived)
{
	struct random random;

	random_init(&random, 3);
	for (int i = 0; i < 20000; i++) {
		size_t length = (size_t)random_below(&random, 60);
		uint8_t *bytes = malloc(length + 1), type;
		struct wire_group_record record;
		struct wire_group_query query;
		struct berth_ip group;

		for (size_t at = 0; at < length; at++)
			bytes[at] = (uint8_t)random_below(&random, at == 4 ? 256 : 4);
		if (length)
			bytes[0] = i % 2 ? IGMP_QUERY : MLD_QUERY;
		if (wire_igmp_query_parse(bytes, length, &query) >= 0 && query.source_count)
			wire_group_source(&query, query.source_count - 1u);
		if (wire_mld_query_parse(bytes, length, &query) >= 0 && query.source_count)
			wire_group_source(&query, query.source_count - 1u);
		wire_group_record_parse(bytes, length, i % 2, &record);
		wire_igmp_old_parse(bytes, length, &type, &group);
		wire_mld_old_parse(bytes, length, &type, &group);
		free(bytes);
	}
}
