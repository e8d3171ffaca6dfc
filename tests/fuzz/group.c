/* SPDX-License-Identifier: BSD-2-Clause */
/* IGMP and MLD: limits hold, sources are all inside; what is one group's survives being written. The first
 * byte says which family. */
#include "tests/fuzz/fuzz.h"

#include "wire/group.h"

static void check_sources(const struct wire_group_query *query, const uint8_t *bytes, size_t size)
{
	MUST(query->version >= 1 && query->version <= 3);
	MUST(ip_is_any(query->group) || ip_is_multicast(query->group));
	for (size_t i = 0; i < query->source_count; i++)
		wire_group_source(query, i);
	if (query->source_count)
		MUST(query->sources > bytes && query->sources < bytes + size);
}

static void check_records(const uint8_t *bytes, size_t size, bool v4)
{
	uint16_t count;
	size_t at = WIRE_GROUP_REPORT_LENGTH;

	if (wire_group_report_parse(bytes, size, v4, &count) < 0)
		return;
	while (count--) {
		struct wire_group_record record;
		int r = wire_group_record_parse(bytes + at, size - at, v4, &record);

		if (r < 0)
			return;
		MUST((size_t)r <= size - at && (size_t)r >= wire_group_record_length(v4, record.source_count));
		MUST(ip_is_multicast(record.group) && ip_is4(record.group) == v4);
		at += (size_t)r;
	}
}

static void check_old(const uint8_t *bytes, size_t size, bool v4)
{
	uint8_t type, again[WIRE_MLD_LENGTH], type_again;
	struct berth_ip group, group_again;
	int r = (v4 ? wire_igmp_old_parse : wire_mld_old_parse)(bytes, size, &type, &group);

	if (r < 0)
		return;
	(v4 ? wire_igmp_old_build : wire_mld_old_build)(again, type, group);
	MUST((v4 ? wire_igmp_old_parse : wire_mld_old_parse)(again, (size_t)r, &type_again, &group_again) == r);
	MUST(type_again == type && ip_equal(group_again, group));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wire_group_query query;
	bool v4;

	if (!size)
		return 0;
	v4 = bytes[0] & 1;
	bytes++;
	size--;
	if ((v4 ? wire_igmp_query_parse : wire_mld_query_parse)(bytes, size, &query) >= 0)
		check_sources(&query, bytes, size);
	check_old(bytes, size, v4);
	check_records(bytes, size, v4);
	return 0;
}
