/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/group.h"

#include "wire/checksum.h"

#include <errno.h>

enum { IGMP_QUERY3_LENGTH = 12, MLD_QUERY2_LENGTH = 28 };
enum { IGMP1_RESPONSE_MS = 10000 }; /* RFC 3376 §4.1.1: a code of 0 is version 1's, ten seconds */

static size_t address_length(bool v4)
{
	return v4 ? 4 : 16;
}

static struct berth_ip get_address(const uint8_t *bytes, bool v4)
{
	return v4 ? ip_from4(bytes) : ip_from6(bytes);
}

static void put_address(uint8_t *bytes, struct berth_ip ip, bool v4)
{
	memcpy(bytes, v4 ? ip.bytes + 12 : ip.bytes, address_length(v4));
}

/* A group, or (ip_any) none: all zero. */
static int get_group(const uint8_t *bytes, bool v4, struct berth_ip *ret_group)
{
	struct berth_ip group = get_address(bytes, v4);

	if (v4 && ip_u32(group) == 0)
		group = ip_any;
	if (!ip_is_any(group) && (!ip_is_multicast(group) || ip_is4(group) != v4))
		return -EPROTO;
	*ret_group = group;
	return 0;
}

/* The last part of a query of the newest version: flags, interval, sources. RFC 3376 §4.1, RFC 3810 §5.1. */
static int parse_sources(const uint8_t *bytes, size_t length, bool v4, struct wire_group_query *query)
{
	query->robustness = bytes[0] & 7;
	query->source_count = get_be16(bytes + 2);
	query->sources = bytes + 4;
	if (query->source_count * address_length(v4) > length - 4)
		return -EMSGSIZE;
	return query->source_count && ip_is_any(query->group) ? -EPROTO : 0;
}

int wire_igmp_query_parse(const uint8_t *bytes, size_t length, struct wire_group_query *ret_query)
{
	struct wire_group_query query = { .version = 3 };
	int r;

	if (length < WIRE_IGMP_LENGTH)
		return -EMSGSIZE;
	if (bytes[0] != IGMP_QUERY)
		return -EPROTO;
	r = get_group(bytes + 4, true, &query.group);
	if (r < 0)
		return r;
	query.response_ms = bytes[1] * 100u;
	if (length >= IGMP_QUERY3_LENGTH) {
		if (bytes[1] >= 128) /* §4.1.1: a floating-point number */
			query.response_ms = (((bytes[1] & 15u) | 16) << ((bytes[1] >> 4 & 7) + 3)) * 100;
		r = parse_sources(bytes + 8, length - 8, true, &query);
	} else if (length != WIRE_IGMP_LENGTH) {
		r = -EPROTO; /* §7.1: 9 to 11 bytes are no version's */
	} else {
		query.version = bytes[1] ? 2 : 1;
		if (!bytes[1])
			query.response_ms = IGMP1_RESPONSE_MS;
	}
	if (r < 0)
		return r;
	*ret_query = query;
	return (int)length;
}

int wire_mld_query_parse(const uint8_t *bytes, size_t length, struct wire_group_query *ret_query)
{
	struct wire_group_query query = { .version = 2 };
	unsigned code;
	int r;

	if (length < WIRE_MLD_LENGTH)
		return -EMSGSIZE;
	if (bytes[0] != MLD_QUERY || bytes[1] != 0)
		return -EPROTO;
	r = get_group(bytes + 8, false, &query.group);
	if (r < 0)
		return r;
	code = get_be16(bytes + 4);
	query.response_ms = code;
	if (length >= MLD_QUERY2_LENGTH) {
		if (code >= 32768) /* RFC 3810 §5.1.3 */
			query.response_ms = ((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3);
		r = parse_sources(bytes + 24, length - 24, false, &query);
	} else if (length != WIRE_MLD_LENGTH) {
		r = -EPROTO; /* RFC 3810 §8.1 */
	} else {
		query.version = 1;
	}
	if (r < 0)
		return r;
	*ret_query = query;
	return (int)length;
}

struct berth_ip wire_group_source(const struct wire_group_query *query, size_t index)
{
	bool v4 = ip_is4(query->group);

	return get_address(query->sources + index * address_length(v4), v4);
}

int wire_igmp_old_parse(const uint8_t *bytes, size_t length, uint8_t *ret_type, struct berth_ip *ret_group)
{
	struct berth_ip group;

	if (length < WIRE_IGMP_LENGTH)
		return -EMSGSIZE;
	if (bytes[0] != IGMP_REPORT1 && bytes[0] != IGMP_REPORT2 && bytes[0] != IGMP_LEAVE)
		return -EPROTO;
	if (get_group(bytes + 4, true, &group) < 0 || ip_is_any(group))
		return -EPROTO;
	*ret_type = bytes[0];
	*ret_group = group;
	return WIRE_IGMP_LENGTH;
}

int wire_mld_old_parse(const uint8_t *bytes, size_t length, uint8_t *ret_type, struct berth_ip *ret_group)
{
	struct berth_ip group;

	if (length < WIRE_MLD_LENGTH)
		return -EMSGSIZE;
	if (bytes[0] != MLD_REPORT1 && bytes[0] != MLD_DONE)
		return -EPROTO;
	if (get_group(bytes + 8, false, &group) < 0 || ip_is_any(group))
		return -EPROTO;
	*ret_type = bytes[0];
	*ret_group = group;
	return WIRE_MLD_LENGTH;
}

void wire_igmp_old_build(uint8_t *bytes, uint8_t type, struct berth_ip group)
{
	memset(bytes, 0, WIRE_IGMP_LENGTH);
	bytes[0] = type;
	put_address(bytes + 4, group, true);
	put_be16(bytes + 2, checksum_finish(checksum_add(0, bytes, WIRE_IGMP_LENGTH)));
}

void wire_mld_old_build(uint8_t *bytes, uint8_t type, struct berth_ip group)
{
	memset(bytes, 0, WIRE_MLD_LENGTH);
	bytes[0] = type;
	put_address(bytes + 8, group, false);
}

size_t wire_group_record_length(bool v4, size_t sources)
{
	return 4 + (1 + sources) * address_length(v4);
}

void wire_group_record_build(uint8_t *bytes, uint8_t type, struct berth_ip group, const struct berth_ip *sources,
			     size_t source_count)
{
	bool v4 = ip_is4(group);
	size_t step = address_length(v4);

	bytes[0] = type;
	bytes[1] = 0; /* no auxiliary data: §4.2.6 */
	put_be16(bytes + 2, (uint16_t)source_count);
	put_address(bytes + 4, group, v4);
	for (size_t i = 0; i < source_count; i++)
		put_address(bytes + 4 + (1 + i) * step, sources[i], v4);
}

int wire_group_record_parse(const uint8_t *bytes, size_t length, bool v4, struct wire_group_record *ret_record)
{
	struct wire_group_record record;
	size_t size;

	if (length < wire_group_record_length(v4, 0))
		return -EMSGSIZE;
	record.type = bytes[0];
	record.source_count = get_be16(bytes + 2);
	record.sources = bytes + wire_group_record_length(v4, 0);
	size = wire_group_record_length(v4, record.source_count) + bytes[1] * 4u;
	if (size > length)
		return -EMSGSIZE;
	if (get_group(bytes + 4, v4, &record.group) < 0 || ip_is_any(record.group) || record.type < RECORD_IS_INCLUDE ||
	    record.type > RECORD_BLOCK)
		return -EPROTO;
	*ret_record = record;
	return (int)size;
}

void wire_group_report_build(uint8_t *bytes, bool v4, uint16_t record_count)
{
	memset(bytes, 0, WIRE_GROUP_REPORT_LENGTH);
	bytes[0] = v4 ? IGMP_REPORT3 : MLD_REPORT2;
	put_be16(bytes + 6, record_count);
}

int wire_group_report_parse(const uint8_t *bytes, size_t length, bool v4, uint16_t *ret_record_count)
{
	if (length < WIRE_GROUP_REPORT_LENGTH)
		return -EMSGSIZE;
	if (bytes[0] != (v4 ? IGMP_REPORT3 : MLD_REPORT2))
		return -EPROTO;
	*ret_record_count = get_be16(bytes + 6);
	return WIRE_GROUP_REPORT_LENGTH;
}
