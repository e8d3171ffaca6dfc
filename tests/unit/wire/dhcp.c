/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP messages. */
#include "wire/dhcp.h"
#include "truncate.h"

#include <errno.h>

enum { OPTIONS = 240 };

/* A server's message with these options behind the cookie. */
static size_t message(uint8_t *bytes, const uint8_t *options, size_t length)
{
	struct wire_dhcp dhcp = { .from_server = true, .type = DHCP_ACK, .xid = 7 };

	memset(bytes, 0, WIRE_DHCP_LENGTH_MAX);
	wire_dhcp_build(bytes, &dhcp);
	memset(bytes + OPTIONS, 0, WIRE_DHCP_LENGTH_MAX - OPTIONS);
	memcpy(bytes + OPTIONS, options, length);
	return OPTIONS + length;
}

static int parse(const void *options, size_t length, struct wire_dhcp *dhcp)
{
	uint8_t bytes[WIRE_DHCP_LENGTH_MAX];

	return wire_dhcp_parse(bytes, message(bytes, options, length), dhcp);
}

#define PARSE(dhcp, ...) parse((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), dhcp)

TEST(dhcp_wire, builds_what_it_parses)
{
	struct wire_dhcp in = { .type = DHCP_REQUEST,
				.xid = 0x01020304,
				.seconds = 5,
				.mac = { 2, 0, 0, 0, 0, 1 },
				.prefix_length = 20,
				.router_count = 1,
				.lease_s = 60,
				.mtu = 1400,
				.route_count = 1,
				.client_id = { 1, 2 },
				.client_id_length = 2,
				.host_name = "boat" };
	uint8_t bytes[WIRE_DHCP_LENGTH_MAX];
	struct wire_dhcp out;
	size_t length;

	in.routers[0] = ip_from_u32(0x0a000001);
	in.routes[0] = (struct wire_dhcp_route){ ip_from_u32(0x0a800000), ip_from_u32(0x0a000002), 9 };
	length = wire_dhcp_build(bytes, &in);
	CHECK(length >= WIRE_DHCP_LENGTH_MIN);
	REQUIRE(wire_dhcp_parse(bytes, length, &out) == 0);
	CHECK_BYTES(&out, &in, sizeof(in));
	CHECK_TRUNCATED(wire_dhcp_parse, bytes, OPTIONS, &out);
}

TEST(dhcp_wire, options_in_pieces_are_put_together)
{
	uint8_t bytes[WIRE_DHCP_LENGTH_MAX];
	struct wire_dhcp dhcp;
	size_t length;

	REQUIRE(PARSE(&dhcp, 53, 1, 5, 121, 3, 16, 172, 16, 0, 121, 4, 10, 0, 0, 1, 255) == 0);
	REQUIRE(dhcp.route_count == 1);
	CHECK_EQ(ip_u32(dhcp.routes[0].prefix), 0xac100000);
	CHECK_EQ(ip_u32(dhcp.routes[0].gateway), 0x0a000001);

	/* Overload 3: "file", then "sname" go on. RFC 2132 §9.3 */
	length = message(bytes, (const uint8_t[]){ 52, 1, 3, 121, 1, 8, 255 }, 7);
	memcpy(bytes + 108, (const uint8_t[]){ 53, 1, 2, 121, 1, 10, 255 }, 7);
	memcpy(bytes + 44, (const uint8_t[]){ 121, 4, 10, 0, 0, 9, 255 }, 7);
	REQUIRE(wire_dhcp_parse(bytes, length, &dhcp) == 0);
	CHECK_EQ(dhcp.type, DHCP_OFFER);
	REQUIRE(dhcp.route_count == 1);
	CHECK_EQ(ip_u32(dhcp.routes[0].gateway), 0x0a000009);
}

TEST(dhcp_wire, a_default_route_and_bits_beyond_the_prefix)
{
	struct wire_dhcp dhcp;

	REQUIRE(PARSE(&dhcp, 53, 1, 5, 121, 13, 0, 10, 0, 0, 1, 12, 172, 31, 10, 0, 0, 2, 0, 0) < 0);
	REQUIRE(PARSE(&dhcp, 53, 1, 5, 121, 12, 0, 10, 0, 0, 1, 12, 172, 31, 10, 0, 0, 2) == 0);
	REQUIRE(dhcp.route_count == 2);
	CHECK_EQ(dhcp.routes[0].length, 0);
	CHECK_EQ(ip_u32(dhcp.routes[1].prefix), 0xac100000); /* 172.31/12 is 172.16/12 */
}

TEST(dhcp_wire, nonsense_is_refused)
{
	struct wire_dhcp dhcp;

	CHECK_EQ(PARSE(&dhcp, 255), -EPROTO);				   /* no type */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 9), -EPROTO);			   /* an unknown one */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 1, 4, 255, 0, 255, 0), -EPROTO);   /* a mask with a hole */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 51, 2, 0, 1), -EPROTO);		   /* a short lease */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 3, 5, 1, 2, 3, 4, 5), -EPROTO);	   /* an address and a quarter */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 3, 8, 1, 2, 3, 4), -EPROTO);	   /* over the end */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 121, 5, 33, 1, 2, 3, 4), -EPROTO); /* 33 bits */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 121, 4, 24, 1, 2, 3), -EPROTO);	   /* a route cut short */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 1, 4, 255, 255, 255, 255), 0);
	CHECK_EQ(dhcp.prefix_length, 32);
	CHECK_EQ(PARSE(&dhcp, 0, 53, 1, 5, 200, 3, 1, 2, 3, 255, 1, 9), 0); /* unknown, and behind the end */
}

/* Each case is a good message but for one thing. */
TEST(dhcp_wire, each_option_has_its_length)
{
	struct wire_dhcp dhcp;

	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 51), -EPROTO); /* a code without a length */
	CHECK_EQ(PARSE(&dhcp, 53, 2, 5, 5), -EPROTO);
	CHECK_EQ(PARSE(&dhcp, 53, 1, 0), -EPROTO);
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 1, 3, 255, 0, 0), -EPROTO);
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 54, 3, 1, 2, 3), -EPROTO);
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 50, 5, 1, 2, 3, 4, 5), -EPROTO);
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 26, 1, 5), -EPROTO);
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 61, 1, 5), -EPROTO);
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 59, 3, 0, 0, 1), -EPROTO);
	CHECK_EQ(PARSE(&dhcp, 52, 2, 3, 3, 53, 1, 5), 0); /* no overload of that length */
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 1, 4, 0, 0, 0, 0), 0);
	CHECK_EQ(dhcp.prefix_length, 0);
	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 58, 4, 0, 0, 0, 9, 59, 4, 0, 0, 0, 10), 0);
	CHECK_EQ(dhcp.renew_s, 9);
	CHECK_EQ(dhcp.rebind_s, 10);
}

TEST(dhcp_wire, what_is_too_much_is_left_out)
{
	uint8_t options[400] = { 53, 1, 5 };
	struct wire_dhcp dhcp;

	CHECK_EQ(PARSE(&dhcp, 53, 1, 5, 3, 24, 10, 0, 0, 1, 0, 0, 0, 0, 10, 0, 0, 2, 10, 0, 0, 3, 10, 0, 0, 4, 10, 0, 0,
		       5),
		 0);
	CHECK_EQ(dhcp.router_count, WIRE_DHCP_ADDRESSES_MAX); /* 0.0.0.0 is none */
	CHECK_EQ(ip_u32(dhcp.routers[3]), 0x0a000004);
	options[3] = 121; /* 20 default routes of 5 bytes */
	options[4] = 100;
	CHECK_EQ(parse(options, 105, &dhcp), 0);
	CHECK_EQ(dhcp.route_count, WIRE_DHCP_ROUTES_MAX);
	options[3] = 12; /* a name of 64, then a client id of 65 */
	options[4] = 64;
	memset(options + 5, 'a', 65);
	CHECK_EQ(parse(options, 69, &dhcp), 0);
	CHECK_STR(dhcp.host_name, "");
	options[3] = 61;
	options[4] = 65;
	CHECK_EQ(parse(options, 70, &dhcp), -EPROTO);
}

/* RFC 3396 joins pieces: three of 255 bytes are more than any option may be. */
TEST(dhcp_wire, pieces_have_a_limit)
{
	uint8_t bytes[WIRE_DHCP_LENGTH_MAX + 800];
	struct wire_dhcp dhcp;
	size_t length = message(bytes, (const uint8_t[]){ 53, 1, 5 }, 3);

	memset(bytes + length, 0, 3 * 257);
	for (int i = 0; i < 3; i++, length += 257) {
		bytes[length] = 12;
		bytes[length + 1] = 255;
	}
	CHECK_EQ(wire_dhcp_parse(bytes, length - 257, &dhcp), 0);
	CHECK_EQ(wire_dhcp_parse(bytes, length, &dhcp), -EPROTO);
}

TEST(dhcp_wire, what_is_no_dhcp_is_refused)
{
	static const struct {
		size_t at;
		uint8_t value;
	} damages[] = { { 0, 0 }, { 0, 3 }, { 1, 6 }, { 2, 8 }, { 236, 0 }, { 239, 0 } };
	uint8_t bytes[WIRE_DHCP_LENGTH_MAX];
	struct wire_dhcp dhcp;

	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		size_t length = message(bytes, (const uint8_t[]){ 53, 1, 5, 255 }, 4);

		CHECK_EQ(wire_dhcp_parse(bytes, length, &dhcp), 0);
		bytes[damages[i].at] = damages[i].value;
		CHECK_EQ(wire_dhcp_parse(bytes, length, &dhcp), -EPROTO);
	}
	/* nor is one whose "file" is cut in the middle of an option */
	CHECK_EQ(message(bytes, (const uint8_t[]){ 52, 1, 1, 255 }, 4), OPTIONS + 4);
	bytes[108] = 53;
	bytes[109] = 200;
	CHECK_EQ(wire_dhcp_parse(bytes, OPTIONS + 4, &dhcp), -EPROTO);
}

TEST(dhcp_wire, a_client_may_ask_for_a_broadcast)
{
	struct wire_dhcp in = { .type = DHCP_DISCOVER, .broadcast = true }, out;
	uint8_t bytes[WIRE_DHCP_LENGTH_MAX];

	CHECK_EQ(wire_dhcp_parse(bytes, wire_dhcp_build(bytes, &in), &out), 0);
	CHECK(out.broadcast);
}
