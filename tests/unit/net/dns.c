/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS messages: wire/dns.h, and what names.h answers. */
#include "net/names.h"
#include "net/network.h"
#include "tests/test.h"
#include "wire/dns.h"

#include <errno.h>
#include <stdlib.h>

static size_t make_query(uint8_t *bytes, const char *name, uint16_t type)
{
	uint8_t *to = bytes + DNS_HEADER_SIZE;

	memset(bytes, 0, DNS_HEADER_SIZE);
	put_be16(bytes, 0x1234);
	put_be16(bytes + 2, 0x0100);
	put_be16(bytes + 4, 1);
	to += dns_name_encode(name, to);
	put_be16(to, type);
	put_be16(to + 2, DNS_CLASS_IN);
	return (size_t)(to + 4 - bytes);
}

static size_t add_edns(uint8_t *bytes, size_t length, uint16_t size, uint8_t version)
{
	uint8_t option[11] = { 0, 0, DNS_TYPE_OPT, (uint8_t)(size >> 8), (uint8_t)size, 0, version };

	memcpy(bytes + length, option, sizeof(option));
	put_be16(bytes + 10, 1);
	return length + sizeof(option);
}

TEST(dns, query_is_read_with_its_name_in_lower_case)
{
	uint8_t bytes[512];
	struct dns_query query;
	size_t length = make_query(bytes, "WeB.Berth", DNS_TYPE_A);

	REQUIRE(dns_query_parse(bytes, length, &query) == 0);
	CHECK_EQ(query.code, DNS_NOERROR);
	CHECK_EQ(query.id, 0x1234);
	CHECK_EQ(query.type, DNS_TYPE_A);
	CHECK_STR(query.name, "web.berth");
}

TEST(dns, query_cut_anywhere_is_refused_and_never_read_past)
{
	uint8_t bytes[512];
	size_t length = add_edns(bytes, make_query(bytes, "web.default.berth", DNS_TYPE_AAAA), 1232, 0);

	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees a byte too far */
		struct dns_query query;
		memcpy(exact, bytes, cut);
		int r = dns_query_parse(exact, cut, &query);
		CHECK(cut < DNS_HEADER_SIZE ? r == -EINVAL : r == 0 && query.code == DNS_FORMERR);
		free(exact);
	}
}

TEST(dns, response_is_not_answered)
{
	uint8_t bytes[512];
	struct dns_query query;
	size_t length = make_query(bytes, "web", DNS_TYPE_A);

	bytes[2] |= 0x80;
	CHECK_EQ(dns_query_parse(bytes, length, &query), -EINVAL);
}

TEST(dns, pointer_to_itself_or_forward_is_malformed)
{
	for (unsigned target = 0; target < 40; target++) {
		uint8_t bytes[64] = { [2] = 1, [5] = 1, [12] = 0xc0, [13] = (uint8_t)target, [15] = 1, [17] = 1 };
		struct dns_query query;
		REQUIRE(dns_query_parse(bytes, 18, &query) == 0);
		if (target >= 12)
			CHECK_EQ(query.code, DNS_FORMERR);
	}
}

TEST(dns, label_with_a_dot_in_it_is_no_hosts_name)
{
	uint8_t bytes[] = { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'a', '.', 'b', 0, 0, 1, 0, 1 };
	struct dns_query query;

	REQUIRE(dns_query_parse(bytes, sizeof(bytes), &query) == 0);
	CHECK_EQ(query.code, DNS_NOERROR);
	CHECK_STR(query.name, "");
}

TEST(dns, answer_that_does_not_fit_is_truncated)
{
	uint8_t bytes[512], answer[DNS_UDP_MAX];
	struct dns_record records[4] = { 0 };
	struct dns_query query;

	for (int i = 0; i < 4; i++)
		records[i] = (struct dns_record){ .type = DNS_TYPE_A, .data_length = 200 };
	REQUIRE(dns_query_parse(bytes, make_query(bytes, "web", DNS_TYPE_A), &query) == 0);
	size_t length = dns_answer_build(&query, DNS_NOERROR, records, 4, answer, sizeof(answer));
	CHECK(length <= sizeof(answer));
	CHECK(answer[2] & 0x02);
	CHECK_EQ(get_be16(answer + 6), 2);
}

struct answer {
	uint8_t bytes[1232];
	size_t length;
	unsigned code, count, type;
	const uint8_t *data;
};

static struct answer ask(struct berth_net *net, const char *name, uint16_t type)
{
	uint8_t query[512];
	size_t length = make_query(query, name, type);
	struct answer answer = { .code = 99 };

	answer.length = names_answer(net, query, length, answer.bytes, sizeof(answer.bytes), 0);
	if (answer.length < length)
		return answer;
	answer.code = answer.bytes[3] & 15;
	answer.count = get_be16(answer.bytes + 6);
	if (answer.count)
		answer.type = get_be16(answer.bytes + length + 2);
	return answer;
}

static const uint8_t *answer_data(struct answer *answer, const char *name)
{
	uint8_t query[512];

	return answer->bytes + make_query(query, name, 1) + 12;
}

static struct berth_net *given_net(void)
{
	struct berth_net *net = berth_net_new(&(struct berth_net_config){ .seed = 1, .name = "lab" });
	struct berth_host *host;

	if (net) {
		CHECK_EQ(berth_net_add_host(net, "web", ip_any, NULL, &host), 0);
		CHECK_EQ(berth_net_add_host(net, "db", ip_any, NULL, &host), 0);
	}
	return net;
}

TEST(names, host_has_three_names_and_both_addresses)
{
	static const char *const names[] = { "web", "WEB", "web.berth", "web.lab.berth" };
	static const uint8_t four[4] = { 10, 77, 0, 2 }, six[16] = { 0xfd, 0x77, [15] = 2 };
	struct berth_net *net = given_net();

	REQUIRE(net);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct answer answer = ask(net, names[i], DNS_TYPE_A);
		CHECK_EQ(answer.code, DNS_NOERROR);
		CHECK_EQ(answer.count, 1);
		CHECK_BYTES(answer_data(&answer, names[i]), four, 4);
		answer = ask(net, names[i], DNS_TYPE_AAAA);
		CHECK_EQ(answer.count, 1);
		CHECK_BYTES(answer_data(&answer, names[i]), six, 16);
	}
	berth_net_free(net);
}

TEST(names, hosts_that_share_a_name_take_turns_at_being_first)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };
	struct berth_net *net = given_net();
	uint8_t first[2][4] = { { 0 } }; /* of each type, the last byte of the first address, four times */

	REQUIRE(net);
	CHECK_EQ(berth_host_add_name(berth_net_find_host(net, "web"), "shop"), 0);
	CHECK_EQ(berth_host_add_name(berth_net_find_host(net, "db"), "shop"), 0);
	for (int i = 0; i < 4; i++)
		for (int type = 0; type < 2; type++) { /* as getaddrinfo() asks */
			struct answer answer = ask(net, "shop", types[type]);

			REQUIRE(answer.count == 2);
			first[type][i] = answer_data(&answer, "shop")[type ? 15 : 3];
		}
	for (int type = 0; type < 2; type++)
		CHECK_BYTES(first[type], ((uint8_t[]){ 2, 3, 2, 3 }), 4);
	berth_net_free(net);
}

TEST(names, other_types_of_a_host_are_empty_and_other_names_do_not_exist)
{
	struct berth_net *net = given_net();

	REQUIRE(net);
	CHECK_EQ(ask(net, "web", 15).code, DNS_NOERROR);
	CHECK_EQ(ask(net, "web", 15).count, 0);
	CHECK_EQ(ask(net, "nobody", DNS_TYPE_A).code, DNS_NXDOMAIN);
	CHECK_EQ(ask(net, "web.example.com", DNS_TYPE_A).code, DNS_NXDOMAIN);
	CHECK_EQ(ask(net, "web.other.berth", DNS_TYPE_A).code, DNS_NXDOMAIN);
	CHECK_EQ(ask(net, "example.com", DNS_TYPE_A).code, DNS_NXDOMAIN);
	berth_net_free(net);
}

TEST(names, addresses_have_names)
{
	struct berth_net *net = given_net();
	struct answer answer;

	REQUIRE(net);
	answer = ask(net, "2.0.77.10.in-addr.arpa", DNS_TYPE_PTR);
	CHECK_EQ(answer.count, 1);
	CHECK_BYTES(answer_data(&answer, "2.0.77.10.in-addr.arpa"), "\3web\5berth", 11);
	answer = ask(net, "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa", DNS_TYPE_PTR);
	CHECK_EQ(answer.count, 1);
	answer = ask(net, "1.0.0.127.in-addr.arpa", DNS_TYPE_PTR);
	CHECK_BYTES(answer_data(&answer, "1.0.0.127.in-addr.arpa"), "\11localhost", 11);
	CHECK_EQ(ask(net, "9.9.9.9.in-addr.arpa", DNS_TYPE_PTR).code, DNS_NXDOMAIN);
	CHECK_EQ(ask(net, "x.in-addr.arpa", DNS_TYPE_PTR).code, DNS_NXDOMAIN);
	berth_net_free(net);
}

TEST(names, localhost_is_the_asker_itself)
{
	static const uint8_t four[4] = { 127, 0, 0, 1 };
	struct berth_net *net = given_net();

	REQUIRE(net);
	struct answer answer = ask(net, "localhost", DNS_TYPE_A);
	CHECK_EQ(answer.count, 1);
	CHECK_BYTES(answer_data(&answer, "localhost"), four, 4);
	CHECK_EQ(ask(net, "a.localhost", DNS_TYPE_AAAA).count, 1);
	berth_net_free(net);
}

TEST(names, newer_edns_is_told_so)
{
	uint8_t query[512], answer[1232];
	struct berth_net *net = given_net();

	REQUIRE(net);
	size_t length = add_edns(query, make_query(query, "web", DNS_TYPE_A), 4096, 0);
	size_t answered = names_answer(net, query, length, answer, sizeof(answer), 0);
	CHECK_EQ(get_be16(answer + 6), 1);
	CHECK_EQ(get_be16(answer + 10), 1);
	length = add_edns(query, make_query(query, "web", DNS_TYPE_A), 4096, 1);
	answered = names_answer(net, query, length, answer, sizeof(answer), 0);
	REQUIRE(answered > 11);
	CHECK_EQ(answer[3] & 15, 0);
	CHECK_EQ(answer[answered - 11 + 5], 1); /* the high bits of BADVERS */
	berth_net_free(net);
}
