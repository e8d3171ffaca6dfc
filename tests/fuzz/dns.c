/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS: any query is read or refused, and every answer keeps to its room. */
#include "tests/fuzz/fuzz.h"

#include "wire/dns.h"

#include <errno.h>

static void check_answer(const struct dns_query *query, size_t count, size_t size)
{
	static const enum dns_code codes[] = { DNS_NOERROR, DNS_NXDOMAIN, DNS_REFUSED, DNS_BADVERS };
	struct dns_record records[40];
	struct dns_query none;
	uint8_t *bytes = malloc(size);

	for (size_t i = 0; i < count; i++) {
		records[i] =
			(struct dns_record){ .type = DNS_TYPE_AAAA, .ttl = 5, .data_length = (uint16_t)(4 + i * 6) };
		memset(records[i].data, (int)i, sizeof(records[i].data));
	}
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		size_t length = dns_answer_build(query, codes[i], records, count, bytes, size);

		MUST(length >= DNS_HEADER_SIZE && length <= size);
		MUST(dns_query_parse(bytes, length, &none) == -EINVAL); /* an answer is no question */
	}
	free(bytes);
}

static void check_name(const char *name)
{
	uint8_t wire[DNS_NAME_MAX];
	int r = dns_name_encode(name, wire);

	MUST(r == -EINVAL || (r > 0 && r <= DNS_NAME_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct dns_query query;
	char text[300] = "";

	memcpy(text, bytes, MIN(size, sizeof(text) - 1));
	check_name(text);
	if (dns_query_parse(bytes, size, &query) < 0)
		return 0;
	MUST(query.wire_name_length <= DNS_NAME_MAX && strlen(query.name) <= DNS_NAME_MAX);
	if (query.name[0])
		check_name(query.name);
	check_answer(&query, 0, DNS_UDP_MAX);
	check_answer(&query, 1 + size % 39, DNS_UDP_MAX);
	check_answer(&query, 1 + size % 39, MAX(query.udp_size, DNS_UDP_MAX));
	return 0;
}
