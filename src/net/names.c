/* SPDX-License-Identifier: BSD-2-Clause */
/* What names mean: names.h. */
#include "net/names.h"

#include "net/network.h"
#include "wire/dns.h"

#include <stdio.h>
#include <strings.h>

enum {
	TTL_SECONDS = 0, /* hosts come and go: nobody should remember. RFC 1035 §3.2.1 */
	ANSWERS_MAX = 16,
};

struct answers {
	struct dns_record records[ANSWERS_MAX];
	size_t count;
	bool exists; /* the name, whatever the type: NOERROR rather than NXDOMAIN. RFC 2308 §2.2 */
};

static void add_address(struct answers *answers, const struct dns_query *query, struct berth_ip ip)
{
	uint16_t type = ip_is4(ip) ? DNS_TYPE_A : DNS_TYPE_AAAA;
	struct dns_record *record = &answers->records[answers->count];

	if ((query->type != type && query->type != DNS_TYPE_ANY) || answers->count == ANSWERS_MAX)
		return;
	record->type = type;
	record->ttl = TTL_SECONDS;
	record->data_length = type == DNS_TYPE_A ? 4 : 16;
	memcpy(record->data, type == DNS_TYPE_A ? ip.bytes + 12 : ip.bytes, record->data_length);
	answers->count++;
}

static void add_pointer(struct answers *answers, const struct dns_query *query, const char *name)
{
	struct dns_record *record = &answers->records[answers->count];

	answers->exists = true;
	if (query->type != DNS_TYPE_PTR && query->type != DNS_TYPE_ANY)
		return;
	int length = dns_name_encode(name, record->data);
	if (length < 0)
		return;
	record->type = DNS_TYPE_PTR;
	record->ttl = TTL_SECONDS;
	record->data_length = (uint16_t)length;
	answers->count++;
}

/* If text ends with suffix, the length of what is before; else 0. */
static size_t before_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length > tail && !strcmp(text + length - tail, suffix) ? length - tail : 0;
}

/* name without the network's suffixes, as a label. Returns false when it can't be one. */
static bool label_of_name(struct berth_net *net, const char *name, char label[HOST_NAME_MAX_LENGTH + 1])
{
	char suffix[sizeof(net->name) + 8];

	snprintf(suffix, sizeof(suffix), ".%s.berth", net->name);
	size_t length = before_suffix(name, suffix);
	if (!length)
		length = before_suffix(name, ".berth");
	if (!length)
		length = strlen(name);
	if (!length || length > HOST_NAME_MAX_LENGTH)
		return false;
	memcpy(label, name, length);
	label[length] = 0;
	return true;
}

static void add_host(struct answers *answers, const struct dns_query *query, const struct berth_host *host)
{
	answers->exists = true;
	add_address(answers, query, host->ip4);
	add_address(answers, query, host->ip6);
}

/* Each has its turn at being the first, which is the one that most programs take. */
static void rotate(struct answers *answers, unsigned turn)
{
	struct dns_record first;

	for (turn %= (unsigned)answers->count; turn; turn--) {
		first = answers->records[0];
		memmove(answers->records, answers->records + 1, (answers->count - 1) * sizeof(first));
		answers->records[answers->count - 1] = first;
	}
}

/* Every host that has this name as one more. */
static void add_by_other_name(struct berth_net *net, const struct dns_query *query, const char *label,
			      struct answers *answers)
{
	LIST_EACH(&net->hosts, node) {
		struct berth_host *host = LIST_ITEM(node, struct berth_host, node);

		LIST_EACH(&host->names, inner)
			if (!strcasecmp(LIST_ITEM(inner, struct host_name, node)->name, label))
				add_host(answers, query, host);
	}
	/* Turns of their own: who asks for both types would have the same of each again and again. */
	if (answers->count > 1)
		rotate(answers, net->name_turns[query->type == DNS_TYPE_AAAA]++);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "2.0.77.10": octets backwards. RFC 1035 §3.5 */
static bool parse_reverse4(const char *text, size_t length, struct berth_ip *ret_ip)
{
	uint8_t octets[4];
	size_t at = 0;

	for (int i = 3; i >= 0; i--) {
		unsigned value = 0, digits = 0;
		for (; at < length && text[at] >= '0' && text[at] <= '9' && digits < 3; at++, digits++)
			value = value * 10 + (unsigned)(text[at] - '0');
		if (!digits || value > 255)
			return false;
		octets[i] = (uint8_t)value;
		if (i && (at >= length || text[at++] != '.'))
			return false;
	}
	*ret_ip = ip_from4(octets);
	return at == length;
}

/* 32 nibbles backwards, dots between. RFC 3596 §2.5 */
static bool parse_reverse6(const char *text, size_t length, struct berth_ip *ret_ip)
{
	if (length != 63)
		return false;
	for (size_t i = 0; i < 16; i++) {
		const char *pair = text + 60 - 4 * i; /* low nibble, dot, high nibble */
		int low = hex_digit(pair[0]), high = hex_digit(pair[2]);
		if (low < 0 || high < 0 || pair[1] != '.' || (i && pair[3] != '.'))
			return false;
		ret_ip->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void answer_reverse(struct berth_net *net, const struct dns_query *query, struct berth_ip ip,
			   struct answers *answers)
{
	struct berth_host *host = net_host_by_ip(net, ip);
	char name[HOST_NAME_MAX_LENGTH + 8];

	if (ip_is_loopback(ip)) {
		add_pointer(answers, query, "localhost");
	} else if (host) {
		snprintf(name, sizeof(name), "%s.berth", host->name);
		add_pointer(answers, query, name);
	}
}

static void look_up(struct berth_net *net, const struct dns_query *query, struct answers *answers)
{
	static const struct berth_ip loopback6 = { { [15] = 1 } };
	const char *name = query->name;
	struct berth_ip ip;
	size_t length;

	if ((length = before_suffix(name, ".in-addr.arpa"))) {
		if (parse_reverse4(name, length, &ip))
			answer_reverse(net, query, ip, answers);
		return;
	}
	if ((length = before_suffix(name, ".ip6.arpa"))) {
		if (parse_reverse6(name, length, &ip))
			answer_reverse(net, query, ip, answers);
		return;
	}
	if (!strcmp(name, "localhost") || before_suffix(name, ".localhost")) {
		answers->exists = true;
		add_address(answers, query, ip_from_u32(0x7f000001));
		add_address(answers, query, loopback6);
		return;
	}
	char label[HOST_NAME_MAX_LENGTH + 1];
	if (!label_of_name(net, name, label))
		return;
	struct berth_host *host = berth_net_find_host(net, label);
	if (host)
		add_host(answers, query, host);
	else
		add_by_other_name(net, query, label, answers);
}

size_t names_answer(struct berth_net *net, const uint8_t *bytes, size_t length, uint8_t *answer, size_t size,
		    size_t limit)
{
	struct answers answers = { .count = 0 };
	struct dns_query query;

	if (dns_query_parse(bytes, length, &query) < 0)
		return 0;
	enum dns_code code = query.code;
	if (code == DNS_NOERROR && query.class != DNS_CLASS_IN && query.class != DNS_CLASS_ANY)
		code = DNS_REFUSED;
	if (code == DNS_NOERROR) {
		look_up(net, &query, &answers);
		if (!answers.exists)
			code = DNS_NXDOMAIN;
	}
	if (!limit)
		limit = query.udp_size;
	return dns_answer_build(&query, code, answers.records, answers.count, answer, MIN(size, limit));
}
