/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who listens to which group: IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710,
 * 3810). The newest of each have the same form but for the size of addresses,
 * so one set of functions serves both; the version follows from the message.
 */
#ifndef WIRE_GROUP_H
#define WIRE_GROUP_H

#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	IGMP_QUERY = 0x11,
	IGMP_REPORT1 = 0x12,
	IGMP_REPORT2 = 0x16,
	IGMP_LEAVE = 0x17,
	IGMP_REPORT3 = 0x22,
};
enum { /* ICMPv6 types */
       MLD_QUERY = 130,
       MLD_REPORT1 = 131,
       MLD_DONE = 132,
       MLD_REPORT2 = 143,
};
enum {
	WIRE_IGMP_LENGTH = 8,	      /* of versions 1 and 2, and of a report's header */
	WIRE_MLD_LENGTH = 24,	      /* of version 1 */
	WIRE_GROUP_REPORT_LENGTH = 8, /* before the first record, both families */
};

struct wire_group_query {
	uint8_t version;       /* IGMP: 1 to 3; MLD: 1 or 2 */
	struct berth_ip group; /* any: a general query */
	uint32_t response_ms;  /* answer within */
	uint8_t robustness;    /* 0: not said */
	uint16_t source_count;
	const uint8_t *sources; /* in the message; wire_group_source() reads them */
};

/* Returns the length, -EMSGSIZE (cut off) or -EPROTO (no query, or a group that is none). */
int wire_igmp_query_parse(const uint8_t *bytes, size_t length, struct wire_group_query *ret_query);
int wire_mld_query_parse(const uint8_t *bytes, size_t length, struct wire_group_query *ret_query);
/* The source at index, less than source_count. */
struct berth_ip wire_group_source(const struct wire_group_query *query, size_t index);

/* A report, or leave, of IGMPv1, IGMPv2 or MLDv1: one group. Length, -EMSGSIZE or -EPROTO. */
int wire_igmp_old_parse(const uint8_t *bytes, size_t length, uint8_t *ret_type, struct berth_ip *ret_group);
int wire_mld_old_parse(const uint8_t *bytes, size_t length, uint8_t *ret_type, struct berth_ip *ret_group);
/* Write WIRE_IGMP_LENGTH bytes with their checksum; WIRE_MLD_LENGTH bytes without. */
void wire_igmp_old_build(uint8_t *bytes, uint8_t type, struct berth_ip group);
void wire_mld_old_build(uint8_t *bytes, uint8_t type, struct berth_ip group);

/* RFC 3376 §4.2.12, RFC 3810 §5.2.12. */
enum wire_group_record_type {
	RECORD_IS_INCLUDE = 1,
	RECORD_IS_EXCLUDE = 2,
	RECORD_TO_INCLUDE = 3,
	RECORD_TO_EXCLUDE = 4,
	RECORD_ALLOW = 5,
	RECORD_BLOCK = 6,
};
struct wire_group_record {
	uint8_t type;
	struct berth_ip group;
	uint16_t source_count;
	const uint8_t *sources; /* in the message, 4 or 16 bytes each */
};
size_t wire_group_record_length(bool v4, size_t sources);
/* Write a record of that length. */
void wire_group_record_build(uint8_t *bytes, uint8_t type, struct berth_ip group, const struct berth_ip *sources,
			     size_t source_count);
/* Returns the record's length, -EMSGSIZE or -EPROTO (type). */
int wire_group_record_parse(const uint8_t *bytes, size_t length, bool v4, struct wire_group_record *ret_record);
/* Write WIRE_GROUP_REPORT_LENGTH bytes, checksum zero. */
void wire_group_report_build(uint8_t *bytes, bool v4, uint16_t record_count);
/* Returns the header's length, the records are behind it; -EMSGSIZE or -EPROTO (another type). */
int wire_group_report_parse(const uint8_t *bytes, size_t length, bool v4, uint16_t *ret_record_count);

#endif
