/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS messages as a server of a few names needs them: read a query, write an
 * answer. RFC 1035, RFC 6891 (EDNS), RFC 4343 (case does not matter). No state.
 */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DNS_NAME_MAX = 255, /* octets of a name on the wire, the root's included */
	DNS_UDP_MAX = 512,  /* octets of a UDP answer without EDNS. RFC 1035 §4.2.1 */
	DNS_HEADER_SIZE = 12,
};

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_ANY = 255,
};

enum { DNS_CLASS_IN = 1, DNS_CLASS_ANY = 255 };

enum dns_code {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* needs EDNS. RFC 6891 §6.1.3 */
};

struct dns_query {
	uint16_t id;
	uint16_t flags; /* as on the wire */
	uint16_t type, class;
	bool edns;
	uint16_t udp_size;  /* octets that the asker takes in a UDP answer */
	enum dns_code code; /* what is wrong with the question already, else DNS_NOERROR */
	/* The question's name: on the wire without compression, and as lower-case
	 * text without the last dot; empty text when a label is no host's name. */
	uint8_t wire_name[DNS_NAME_MAX];
	size_t wire_name_length; /* 0: the question could not be read */
	char name[DNS_NAME_MAX + 1];
};

struct dns_record {
	uint16_t type;
	uint32_t ttl;		    /* seconds */
	uint8_t data[DNS_NAME_MAX]; /* RDATA */
	uint16_t data_length;
};

/*
 * Read a query. Returns 0, perhaps with ret_query->code set: answer that; or
 * -EINVAL: no query at all (too short, or a response): keep silent.
 */
int dns_query_parse(const uint8_t *bytes, size_t length, struct dns_query *ret_query);

/*
 * Write the answer to query into at most size bytes (at least DNS_UDP_MAX).
 * Records that do not fit are left out with the truncation bit set. The answer
 * is authoritative. Returns its length.
 */
size_t dns_answer_build(const struct dns_query *query, enum dns_code code, const struct dns_record *records,
			size_t count, uint8_t *bytes, size_t size);

/* Write the name in text ("web.berth") as labels. Returns octets, or -EINVAL. */
int dns_name_encode(const char *text, uint8_t bytes[DNS_NAME_MAX]);

#endif
