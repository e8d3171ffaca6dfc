/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS queries and answers: dns.h. Every length check of the format is here. A
 * compression pointer must point before the name that it is part of, so no
 * chain of them can go round (RFC 1035 §4.1.4: "a prior occurrence").
 */
#include "wire/dns.h"

#include "base/bytes.h"

#include <errno.h>

enum {
	FLAG_RESPONSE = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_AUTHORITATIVE = 0x0400,
	FLAG_TRUNCATED = 0x0200,
	FLAG_RECURSION_DESIRED = 0x0100,
	FLAG_RECURSION_AVAILABLE = 0x0080,
	OPT_SIZE = 11,
	POINTER_TO_QUESTION = 0xc000 | DNS_HEADER_SIZE,
};

/*
 * Read the name at *offset into wire (room for DNS_NAME_MAX). Returns its
 * octets without compression and moves *offset past the name as it stands in
 * the message; or -EINVAL.
 */
static int read_name(const uint8_t *bytes, size_t length, size_t *offset, uint8_t *wire)
{
	size_t at = *offset, bound = at, used = 0;
	bool jumped = false;

	for (;;) {
		if (at >= length)
			return -EINVAL;
		unsigned label = bytes[at];
		if ((label & 0xc0) == 0xc0) {
			if (at + 2 > length)
				return -EINVAL;
			size_t target = get_be16(bytes + at) & 0x3fff;
			if (!jumped)
				*offset = at + 2;
			jumped = true;
			if (target >= bound)
				return -EINVAL;
			at = bound = target;
			continue;
		}
		if (label & 0xc0 || at + 1 + label > length || used + 1 + label > DNS_NAME_MAX)
			return -EINVAL;
		memcpy(wire + used, bytes + at, 1 + label);
		used += 1 + label;
		at += 1 + label;
		if (!label)
			break;
	}
	if (!jumped)
		*offset = at;
	return (int)used;
}

static bool is_name_character(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels to lower-case text; empty when a label has other characters than names of hosts. */
static void name_to_text(const uint8_t *wire, char *text)
{
	char *to = text;

	for (const uint8_t *label = wire; *label; label += 1 + *label) {
		if (to != text)
			*to++ = '.';
		for (unsigned i = 1; i <= *label; i++) {
			uint8_t c = label[i];
			if (c >= 'A' && c <= 'Z')
				c += 'a' - 'A';
			if (!is_name_character(c)) {
				*text = 0;
				return;
			}
			*to++ = (char)c;
		}
	}
	*to = 0;
}

/* Look for EDNS among count records at *offset. Returns false when they can't be read. */
static bool read_additional(const uint8_t *bytes, size_t length, size_t offset, unsigned count, struct dns_query *query)
{
	uint8_t name[DNS_NAME_MAX];

	while (count--) {
		int octets = read_name(bytes, length, &offset, name);
		if (octets < 0 || length - offset < 10)
			return false;
		const uint8_t *record = bytes + offset;
		size_t data = get_be16(record + 8);
		offset += 10;
		if (length - offset < data)
			return false;
		offset += data;
		if (get_be16(record) != DNS_TYPE_OPT)
			continue;
		if (query->edns || octets != 1) /* one, at the root. RFC 6891 §6.1.1 */
			return false;
		query->edns = true;
		query->udp_size = MAX(get_be16(record + 2), DNS_UDP_MAX); /* §6.2.5 */
		if (record[5] != 0)
			query->code = DNS_BADVERS;
	}
	return true;
}

int dns_query_parse(const uint8_t *bytes, size_t length, struct dns_query *ret_query)
{
	struct dns_query query = { .udp_size = DNS_UDP_MAX };

	if (length < DNS_HEADER_SIZE)
		return -EINVAL;
	query.id = get_be16(bytes);
	query.flags = get_be16(bytes + 2);
	if (query.flags & FLAG_RESPONSE) /* answering answers would never end */
		return -EINVAL;
	if (query.flags & FLAG_OPCODE) {
		query.code = DNS_NOTIMP;
		goto out;
	}
	size_t offset = DNS_HEADER_SIZE;
	query.code = DNS_FORMERR;
	if (get_be16(bytes + 4) != 1 || get_be16(bytes + 6) || get_be16(bytes + 8))
		goto out;
	int octets = read_name(bytes, length, &offset, query.wire_name);
	if (octets < 0 || length - offset < 4)
		goto out;
	query.type = get_be16(bytes + offset);
	query.class = get_be16(bytes + offset + 2);
	query.wire_name_length = (size_t)octets;
	name_to_text(query.wire_name, query.name);
	query.code = DNS_NOERROR;
	if (!read_additional(bytes, length, offset + 4, get_be16(bytes + 10), &query)) {
		query.code = DNS_FORMERR;
		query.edns = false;
	}
out:
	*ret_query = query;
	return 0;
}

static uint8_t *put_question(const struct dns_query *query, uint8_t *to)
{
	memcpy(to, query->wire_name, query->wire_name_length);
	to += query->wire_name_length;
	put_be16(to, query->type);
	put_be16(to + 2, query->class);
	return to + 4;
}

static uint8_t *put_record(const struct dns_record *record, uint8_t *to)
{
	put_be16(to, POINTER_TO_QUESTION);
	put_be16(to + 2, record->type);
	put_be16(to + 4, DNS_CLASS_IN);
	put_be32(to + 6, record->ttl);
	put_be16(to + 10, record->data_length);
	memcpy(to + 12, record->data, record->data_length);
	return to + 12 + record->data_length;
}

static uint8_t *put_edns(enum dns_code code, uint8_t *to)
{
	memset(to, 0, OPT_SIZE);
	put_be16(to + 1, DNS_TYPE_OPT);
	put_be16(to + 3, 1232); /* what fits any path unfragmented */
	to[5] = (uint8_t)(code >> 4);
	return to + OPT_SIZE;
}

size_t dns_answer_build(const struct dns_query *query, enum dns_code code, const struct dns_record *records,
			size_t count, uint8_t *bytes, size_t size)
{
	uint16_t flags = FLAG_RESPONSE | FLAG_AUTHORITATIVE | FLAG_RECURSION_AVAILABLE;
	size_t edns = query->edns ? OPT_SIZE : 0, written = 0;
	uint8_t *to = bytes + DNS_HEADER_SIZE;

	if (query->wire_name_length)
		to = put_question(query, to);
	for (; written < count; written++) {
		if ((size_t)(to - bytes) + 12 + records[written].data_length + edns > size) {
			flags |= FLAG_TRUNCATED;
			break;
		}
		to = put_record(&records[written], to);
	}
	if (edns)
		to = put_edns(code, to);
	flags |= query->flags & (FLAG_RECURSION_DESIRED | FLAG_OPCODE);
	put_be16(bytes, query->id);
	put_be16(bytes + 2, (uint16_t)(flags | (code & 15)));
	put_be16(bytes + 4, query->wire_name_length ? 1 : 0);
	put_be16(bytes + 6, (uint16_t)written);
	put_be16(bytes + 8, 0);
	put_be16(bytes + 10, edns ? 1 : 0);
	return (size_t)(to - bytes);
}

int dns_name_encode(const char *text, uint8_t bytes[DNS_NAME_MAX])
{
	size_t used = 0;

	while (*text) {
		size_t label = strcspn(text, ".");
		if (label < 1 || label > 63 || used + 1 + label + 1 > DNS_NAME_MAX)
			return -EINVAL;
		bytes[used] = (uint8_t)label;
		memcpy(bytes + used + 1, text, label);
		used += 1 + label;
		text += label;
		if (*text == '.')
			text++;
	}
	bytes[used++] = 0;
	return (int)used;
}
