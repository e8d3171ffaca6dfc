/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows, timing, keep-alives: RFC 9293 §3.8; what IP is told and tells: §3.9.2. */
#include "tests/conformance/raw.h"

#include <errno.h>
#include <netinet/in.h>

#define TEST_TCP_KEEPIDLE 4
#define TEST_TCP_USER_TIMEOUT 18

enum { ICMP_UNREACHABLE = 3, ICMP_SOURCE_QUENCH = 4, ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETER = 12 };

/* MUST-1: 40000 is not -25536. */
TEST(window, has_no_sign)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 40000 <mss 1000>");

	write_bytes(fd, 3000, 0);
	sends(". 1:1001(1000) ack 1");
	sends(". 1001:2001(1000) ack 1");
	sends("P. 2001:3001(1000) ack 1");
	dialogue_end();
}

/* MUST-34, SHLD-15, SHLD-16, SHLD-17 */
TEST(window, that_shrinks_stops_new_data_and_no_more)
{
	struct berth_limits limits = { .mtu_probing = BERTH_MTU_PROBING_OFF }; /* silence is no black hole here */

	dialogue_begin(&limits);
	int fd = given_connected("win 10000 <mss 1000>");

	write_bytes(fd, 8000, 0);
	ignore_sent();
	arrives(". 1:1(0) ack 1001 win 2000"); /* the edge goes from 10001 back to 3001 */
	write_bytes(fd, 1000, 0);
	silent(100);
	sends_after(100, ". 1001:2001(1000) ack 1"); /* what lies within is sent again */
	wait_ms(100 * 1000);
	ignore_sent();
	CHECK_STR(state_of(fd), "ESTAB");
	arrives(". 1:1(0) ack 8001 win 10000");
	sends("P. 8001:9001(1000) ack 1");
	dialogue_end();
}

/* MUST-66: a shut window shuts out text, no RST and no ACK. */
TEST(window, that_we_shut_lets_ack_and_reset_through)
{
	struct berth_limits limits = { .receive_buffer = 2000, .receive_buffer_max = 2000 };

	dialogue_begin(&limits);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives(". 1:2001(2000) ack 1");
	sends(". 1:1(0) ack 2001 win 0");
	write_bytes(fd, 100, 0);
	sends("P. 1:101(100) ack 2001 win 0");
	arrives(". 2001:2101(100) ack 101"); /* its text is not taken, its ACK is */
	sends(". 101:101(0) ack 2001 win 0");
	silent(2000);
	arrives("R. 2001:2001(0) ack 101");
	CHECK(ready(fd) & BERTH_POLLERR);
	dialogue_end();
}

static uint32_t rtt_of(int fd)
{
	struct berth_socket_info info = { .rtt_us = 0 };

	berth_socket_inspect(dialogue.stack, fd, &info);
	return info.rtt_us;
}

/* MUST-18: an ACK of what was sent twice tells nothing of the path. */
TEST(timing, does_not_measure_what_was_sent_twice)
{
	uint32_t before;

	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	sends("P. 1:101(100) ack 1");
	before = rtt_of(fd);
	sends_after(200, "P. 1:101(100) ack 1");
	wait_ms(350);
	arrives(". 1:1(0) ack 101");
	CHECK_EQ(rtt_of(fd), before);
	dialogue_end();
}

/* A forged segment that fails the ACK check must not make the peer's own timestamps look old. */
TEST(timing, keeps_no_timestamp_of_a_segment_with_an_impossible_ack)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000, ts 1000>");

	arrives("F. 1:1(0) ack 9999 <ts 200000>");
	sends(". 1:1(0) ack 1 <ts 1000>");
	arrives("P. 1:101(100) ack 1 <ts 1010>");
	sends(". 1:1(0) ack 101 <ts 1010>");
	CHECK_EQ(read_bytes(fd, 1000), 100);
	dialogue_end();
}

/* MUST-25, MUST-26, MUST-28, SHLD-12 */
TEST(keepalive, is_off_until_asked_for_and_then_waits_two_idle_hours)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	silent(3 * 7200 * 1000);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	wait_ms(3600 * 1000);
	write_bytes(fd, 100, 0);
	ignore_sent();
	arrives(". 1:1(0) ack 101"); /* not idle: two hours from here */
	sends_after(7200 * 1000, ". 100:100(0) ack 1");
	arrives(". 1:1(0) ack 101");
	CHECK_STR(state_of(fd), "ESTAB");
	dialogue_end();
}

/* MUST-48, SHLD-21, SHLD-22, MUST-49 */
TEST(lower, layer_is_told_traffic_class_and_ttl)
{
	const uint8_t *packet;
	size_t length;

	dialogue_begin(NULL);
	dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_option(dialogue.fd, IPPROTO_IP, IP_TOS, 0xb8);
	set_option(dialogue.fd, IPPROTO_IP, IP_TTL, 7);
	begin_connect();
	packet = sent_packet(&length);
	REQUIRE(packet != NULL);
	CHECK_EQ(packet[1] & 0xfc, 0xb8);
	CHECK_EQ(packet[8], 7);
	sends("S 0:0(0)");
	arrives("S. 0:0(0) ack 1 win 1000");
	ignore_sent();
	set_option(dialogue.fd, IPPROTO_IP, IP_TOS, 0x28); /* may change while it lives */
	write_bytes(dialogue.fd, 10, 0);
	packet = sent_packet(&length);
	REQUIRE(packet != NULL);
	CHECK_EQ(packet[1] & 0xfc, 0x28);
	dialogue_end();
}

/* MUST-50 */
TEST(lower, layers_options_do_no_harm)
{
	static const uint8_t timestamp[] = { 0x44, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	raw_arrives(&(struct raw){ .flags = WIRE_TCP_ACK,
				   .seq = 1,
				   .ack = 1,
				   .length = 10,
				   .ip_options = timestamp,
				   .ip_option_length = sizeof(timestamp) });
	sends(". 1:1(0) ack 11");
	CHECK_EQ(read_bytes(fd, 100), 10);
	dialogue_end();
}

/* MUST-54, SHLD-25, MUST-56: told in the end, when the connection is given up for it. */
TEST(icmp, soft_errors_end_nothing_and_are_remembered)
{
	static const struct {
		uint8_t type, code;
	} soft[] = { { ICMP_UNREACHABLE, 0 },	{ ICMP_UNREACHABLE, 5 }, { ICMP_TIME_EXCEEDED, 0 },
		     { ICMP_TIME_EXCEEDED, 1 }, { ICMP_PARAMETER, 0 },	 { ICMP_UNREACHABLE, 1 } };

	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TEST_TCP_USER_TIMEOUT, 3000);
	write_bytes(fd, 100, 0);
	for (size_t i = 0; i < sizeof(soft) / sizeof(*soft); i++) {
		icmp_arrives(soft[i].type, soft[i].code, 0);
		CHECK_STR(state_of(fd), "ESTAB");
		CHECK_EQ(last_error(fd), 0);
	}
	wait_ms(8000);
	CHECK_EQ(last_error(fd), EHOSTUNREACH);
	dialogue_end();
}

/* MUST-55 */
TEST(icmp, source_quench_is_not_heard)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	icmp_arrives(ICMP_SOURCE_QUENCH, 0, 0);
	sends("P. 1:101(100) ack 1");
	arrives(". 1:1(0) ack 101");
	CHECK_STR(state_of(fd), "ESTAB");
	CHECK_EQ(last_error(fd), 0);
	dialogue_end();
}

/* SHLD-26, in SYN-SENT */
TEST(icmp, a_hard_error_ends_an_attempt)
{
	for (uint8_t code = 2; code <= 3; code++) {
		dialogue_begin(NULL);
		begin_connect();
		icmp_arrives(ICMP_UNREACHABLE, code, 0);
		CHECK_EQ(last_error(dialogue.fd), code == 2 ? ENOPROTOOPT : ECONNREFUSED);
		dialogue_end();
	}
}

TEST(icmp, an_error_about_nothing_under_way_is_not_believed)
{
	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 100, 0);
	arrives(". 1:1(0) ack 101"); /* the quoted segment is done with: RFC 5927 §4.1 */
	icmp_arrives(ICMP_UNREACHABLE, 1, 0);
	write_bytes(fd, 100, 0);
	set_option(fd, IPPROTO_TCP, TEST_TCP_USER_TIMEOUT, 3000);
	wait_ms(8000);
	CHECK_EQ(last_error(fd), ETIMEDOUT);
	dialogue_end();
}
