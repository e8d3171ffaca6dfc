/* SPDX-License-Identifier: BSD-2-Clause */
/* The header and its options: RFC 9293 §3.1, §3.2, §3.7.1; PSH, §3.9.1.2. */
#include "tests/conformance/raw.h"

#include "base/ip.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/uio.h>

#define WITH(bytes_) .options = (const uint8_t[]){ bytes_ }, .option_length = sizeof((const uint8_t[]){ bytes_ })
#define LIST(...) __VA_ARGS__

TEST(options, end_and_nop_and_mss_at_any_alignment_are_understood)
{
	dialogue_begin(NULL);
	open_listener(5);
	raw_arrives(&(struct raw){ .flags = WIRE_TCP_SYN, WITH(LIST(1, 2, 4, 0x01, 0xf4, 0, 2, 4, 9, 9)) });
	sends("S. 0:0(0) ack 1 <mss 1460>");
	arrives(". 1:1(0) ack 1");
	CHECK(accept_child() >= 0);
	write_bytes(dialogue.child, 1000, 0);
	sends(". 1:501(500) ack 1"); /* what stands behind the end does not count */
	dialogue_end();
}

TEST(options, may_stand_in_any_segment_and_unknown_ones_are_ignored)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	raw_arrives(&(struct raw){ .flags = WIRE_TCP_ACK,
				   .seq = 1,
				   .ack = 1,
				   .length = 10,
				   WITH(LIST(254, 6, 1, 2, 3, 4, 1, 2, 4, 0, 9)) });
	sends(". 1:1(0) ack 11");
	CHECK_EQ(read_bytes(fd, 100), 10);
	raw_arrives(&(struct raw){ .flags = WIRE_TCP_ACK | WIRE_TCP_FIN, .seq = 11, .ack = 1, WITH(LIST(77, 2)) });
	sends(". 1:1(0) ack 12");
	dialogue_end();
}

TEST(options, of_illegal_length_do_no_harm)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	raw_arrives(&(struct raw){ .flags = WIRE_TCP_ACK, .seq = 1, .ack = 1, .length = 10, WITH(LIST(8, 0, 1, 1)) });
	sends(". 1:1(0) ack 11");
	raw_arrives(&(struct raw){ .flags = WIRE_TCP_ACK, .seq = 11, .ack = 1, .length = 10, WITH(LIST(5, 1)) });
	sends(". 1:1(0) ack 21");
	raw_arrives(&(struct raw){ .flags = WIRE_TCP_ACK, .seq = 21, .ack = 1, .length = 10, WITH(LIST(8, 255)) });
	sends(". 1:1(0) ack 31");
	CHECK_EQ(read_bytes(fd, 100), 30);
	dialogue_end();
}

/* Every option that we send but end and NOP has a length; the mss only with SYN; after an end, zeros. */
static void check_sent_options(bool syn)
{
	size_t length;
	const uint8_t *packet = sent_packet(&length), *at, *end;

	REQUIRE(packet != NULL);
	at = packet + 20 + WIRE_TCP_HEADER;
	end = packet + 20 + (packet[20 + 12] >> 4) * 4;
	while (at < end && *at) {
		CHECK(*at != 2 || syn);
		if (*at != 1)
			CHECK(at + 1 < end && at[1] >= 2 && at + at[1] <= end);
		at += *at == 1 ? 1 : MAX(at[1], 1);
	}
	for (; at < end; at++)
		CHECK_EQ(*at, 0);
}

TEST(options, that_we_send_have_their_lengths_and_mss_goes_with_syn_only)
{
	dialogue_begin(NULL);
	begin_connect();
	check_sent_options(true);
	sends("S 0:0(0) <mss 1460, wscale 9, ts 0>");
	arrives("S. 0:0(0) ack 1 win 65535 <mss 1000, wscale 7, ts 100>");
	check_sent_options(false);
	sends(". 1:1(0) ack 1");
	write_bytes(dialogue.fd, 100, 0);
	check_sent_options(false);
	sends("P. 1:101(100) ack 1");
	berth_close(dialogue.stack, dialogue.fd);
	check_sent_options(false);
	dialogue_end();
}

/* MUST-15: an IPv6 peer that does not say takes 1220 bytes. */
TEST(options, without_an_mss_ipv6_means_1220)
{
	struct berth_ip ours = { { 0xfd, [15] = 1 } };
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(OUR_PORT) };
	struct iovec part = { (uint8_t[3000]){ 0 }, 3000 };
	struct wire_tcp tcp;
	size_t length;
	int listener;

	dialogue_begin(NULL);
	berth_link_add_address(dialogue.link, ours, 64);
	wait_ms(2000); /* the address is tested first */
	ignore_sent();
	listener = berth_socket(dialogue.stack, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(berth_bind(dialogue.stack, listener, (void *)&address, sizeof(address)), 0);
	CHECK_EQ(berth_listen(dialogue.stack, listener, 1), 0);
	raw_arrives(&(struct raw){ .from = "fd00::2", .to = "fd00::1", .flags = WIRE_TCP_SYN });
	REQUIRE(sent_header(&tcp));
	CHECK_EQ(tcp.mss, 1440);
	dialogue.our_isn = tcp.seq;
	ignore_sent();
	raw_arrives(&(struct raw){ .from = "fd00::2", .to = "fd00::1", .flags = WIRE_TCP_ACK, .seq = 1, .ack = 1 });
	dialogue.fd = listener;
	CHECK(accept_child() >= 0);
	CHECK_EQ(berth_send(dialogue.stack, dialogue.child, part.iov_base, part.iov_len, 0), 3000);
	REQUIRE(sent_packet(&length) != NULL);
	CHECK_EQ(length, 40 + WIRE_TCP_HEADER + 1220);
	dialogue_end();
}

/* MUST-61: no call of ours says PUSH, so the last of what is queued carries it; one for many calls, SHLD-27. */
TEST(push, stands_in_the_last_segment_of_what_was_queued)
{
	struct wire_tcp tcp;

	dialogue_begin(NULL);
	int fd = given_connected("win 65535 <mss 1000>");

	write_bytes(fd, 2500, 0);
	CHECK(sent_header(&tcp) && !(tcp.flags & WIRE_TCP_PSH));
	sends(". 1:1001(1000) ack 1");
	CHECK(sent_header(&tcp) && !(tcp.flags & WIRE_TCP_PSH));
	sends(". 1001:2001(1000) ack 1");
	CHECK(sent_header(&tcp) && tcp.flags & WIRE_TCP_PSH);
	sends(". 2001:2501(500) ack 1");
	write_bytes(fd, 100, 0);
	write_bytes(fd, 100, 0);
	arrives(". 1:1(0) ack 2501");
	CHECK(sent_header(&tcp) && tcp.flags & WIRE_TCP_PSH);
	sends(". 2501:2701(200) ack 1");
	dialogue_end();
}
