/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments that hardly ever come, and those that come when nobody thinks of them: each takes a branch that no other test does. */
#include "tests/packet/dialogue.h"

#include "base/bytes.h"
#include "base/ip.h"
#include "wire/icmp.h"
#include "wire/ip4.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define DAYS (24 * 3600 * 1000LL)

/* A socket that is to listen once it has its options. */
static int given_socket(void)
{
	dialogue_begin(NULL);
	return dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

static void listen_with_it(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(OUR_PORT) };

	CHECK_EQ(berth_bind(dialogue.stack, dialogue.fd, (void *)&address, sizeof(address)), 0);
	CHECK_EQ(berth_listen(dialogue.stack, dialogue.fd, 5), 0);
}

/* ---- the handshake ---- */

TEST(odd, timestamps_that_were_not_offered_count_for_nothing)
{
	struct berth_limits limits = { .timestamps = BERTH_TIMESTAMPS_OFF };

	dialogue_begin(&limits);
	given_connected("win 65535 <mss 1000, ts 100>");
	write_bytes(dialogue.fd, 10, 0);
	sends("P. 1:11(10) ack 1 <>");
	dialogue_end();
	dialogue_begin(&limits);
	open_listener(5);
	arrives("S 0:0(0) win 65535 <mss 1000, ts 100>");
	sends("S. 0:0(0) ack 1 <mss 1460>");
	dialogue_end();
}

TEST(odd, a_crossing_syn_ack_of_what_was_never_sent)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives("S. 0:0(0) ack 7000");
	sends(". 1:1(0) ack 1");
	CHECK_STR(state_of(dialogue.fd), "SYN-RECV");
	arrives("S. 0:0(0) ack 1 win 1000");
	CHECK_STR(state_of(dialogue.fd), "ESTAB");
	dialogue_end();
}

static void given_full_queue_of_two(const struct berth_limits *limits)
{
	uint32_t isn;

	dialogue_begin(limits);
	open_listener(0);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	isn = dialogue.our_isn;
	dialogue.peer_port++;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 1000");
	dialogue.our_isn = isn;
	dialogue.peer_port--;
}

/* The queue filled while the handshake was under way: the ACK is as if lost. Linux: tcp_check_req() */
static void check_ack_waits_for_room(void)
{
	arrives(". 1:1(0) ack 1 win 1000");
	silent(0);
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_BACKLOG), 1);
	CHECK(accept_child() >= 0);
	arrives(". 1:1(0) ack 1 win 1000");
	CHECK(accept_child() >= 0);
	dialogue_end();
}

TEST(odd, a_full_accept_queue_takes_no_ack)
{
	given_full_queue_of_two(NULL);
	check_ack_waits_for_room();
}

TEST(odd, a_full_accept_queue_takes_no_cookie)
{
	struct berth_limits limits = { .syn_cookies = BERTH_SYN_COOKIES_ALWAYS };

	given_full_queue_of_two(&limits);
	check_ack_waits_for_room();
}

TEST(odd, without_cookies_an_ack_is_nothing)
{
	struct berth_limits limits = { .syn_cookies = BERTH_SYN_COOKIES_OFF };

	dialogue_begin(&limits);
	open_listener(5);
	arrives(". 1:1(0) ack 1");
	sends("R 1:1(0)");
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_FAILED), 0);
	dialogue_end();
}

/* A stamp without a scale; where ECN is off, one that says ECN is none of ours. */
TEST(odd, a_cookie_remembers_no_scale)
{
	struct berth_limits limits = { .syn_cookies = BERTH_SYN_COOKIES_ALWAYS, .ecn = BERTH_ECN_OFF };

	dialogue_begin(&limits);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000, ts 100>");
	sends("S. 0:0(0) ack 1");
	arrives(". 1:1(0) ack 1 win 1000 <ts 101, ecr 32>"); /* the low six bits are the stamp's, ECN's the highest */
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_FAILED), 1);
	sends("R 1:1(0)");
	arrives(". 1:1(0) ack 1 win 1000 <ts 101>");
	CHECK_EQ(events(BERTH_EVENT_TCP_COOKIE_TAKEN), 1);
	CHECK(accept_child() >= 0);
	dialogue_end();
}

TEST(odd, a_listener_may_have_a_smaller_mss)
{
	given_socket();
	set_option(dialogue.fd, IPPROTO_TCP, TCP_MAXSEG, 700);
	listen_with_it();
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1 <mss 700>");
	dialogue_end();
}

/* ---- time ---- */

/* RFC 7323 §5.5: after 24 days the clock may have gone round. */
TEST(odd, an_old_timestamp_is_new_after_24_days)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000, ts 1000>");

	arrives("P. 1:11(10) ack 1 <ts 900>");
	sends(". 1:1(0) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 1);
	wait_ms(23 * DAYS);
	ignore_sent();
	arrives("P. 1:11(10) ack 1 <ts 900>");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 2);
	wait_ms(1 * DAYS);
	ignore_sent();
	arrives("P. 1:11(10) ack 1 <ts 900>");
	CHECK_EQ(read_bytes(fd, 100), 10);
	dialogue_end();
}

TEST(odd, an_old_timestamp_without_an_ack_is_just_old)
{
	dialogue_begin(NULL);
	given_accepted("win 65535 <mss 1000, ts 1000>");

	arrives("P 1:11(10) <ts 999>");
	sends(". 1:1(0) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 1);
	dialogue_end();
}

static void given_time_wait(const char *peer_options, const char *fin)
{
	int fd = given_accepted(peer_options);

	berth_close(dialogue.stack, fd);
	wait_ms(0);
	ignore_sent();
	arrives(fin);
	wait_ms(0);
	ignore_sent();
	CHECK_EQ(count_state("TIME-WAIT"), 1);
}

/* A SYN that is new takes the place of TIME-WAIT if somebody listens: to hold the port is not that. */
TEST(odd, a_new_syn_in_time_wait_and_nobody_who_listens)
{
	dialogue_begin(NULL);
	given_time_wait("win 1000 <mss 1000>", "F. 1:1(0) ack 2");
	berth_close(dialogue.stack, dialogue.fd);
	open_bound();
	arrives("S 5000:5000(0) win 1000 <mss 1000>");
	sends(". 2:2(0) ack 2"); /* what TIME-WAIT answers */
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	dialogue_end();
}

TEST(odd, a_reset_with_an_old_timestamp_does_not_end_time_wait)
{
	dialogue_begin(NULL);
	given_time_wait("win 1000 <mss 1000, ts 1000>", "F. 1:1(0) ack 2 <ts 1001>");
	arrives("R. 2:2(0) ack 2 <ts 900>");
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	arrives("S 5000:5000(0) win 1000 <mss 1000, ts 900>"); /* nor does a SYN begin anew */
	sends(". 2:2(0) ack 2");
	CHECK_EQ(events(BERTH_EVENT_TCP_DROP_PAWS), 1);
	arrives("S 5000:5000(0) win 1000 <mss 1000, ts 1001>"); /* the same clock, but a higher number */
	sends("S. 0:0(0) ack 5001");
	CHECK_EQ(count_state("TIME-WAIT"), 0);
	dialogue_end();
}

TEST(odd, time_wait_without_timestamps_goes_by_numbers)
{
	dialogue_begin(NULL);
	given_time_wait("win 1000 <mss 1000>", "F. 1:1(0) ack 2");
	arrives("S 1:1(0) win 1000 <mss 1000>"); /* not above what came */
	sends(". 2:2(0) ack 2");
	arrives("S 3:3(0) win 1000 <mss 1000, ts 7>");
	sends("S. 0:0(0) ack 4");
	CHECK_EQ(events(BERTH_EVENT_TCP_TIME_WAIT_REUSED), 1);
	dialogue_end();
}

/* ---- queues and windows ---- */

TEST(odd, an_echo_of_congestion_when_nothing_is_under_way)
{
	struct berth_limits limits = { .ecn = BERTH_ECN_ASK };

	dialogue_begin(&limits);
	begin_connect();
	sends("SEC 0:0(0)");
	arrives("S.E 0:0(0) ack 1 win 65535 <mss 1000>");
	ignore_sent();
	arrives("P.E 1:11(10) ack 1");
	CHECK_EQ(events(BERTH_EVENT_TCP_ECN_ECHO), 0);
	write_bytes(dialogue.fd, 20000, 0);
	ignore_sent();
	wait_ms(10);
	arrives(".E 11:11(0) ack 2001"); /* without SACK the window is cut as RFC 5681 says */
	CHECK_EQ(events(BERTH_EVENT_TCP_ECN_ECHO), 1);
	arrives(".E 11:11(0) ack 3001"); /* once in a window */
	CHECK_EQ(events(BERTH_EVENT_TCP_ECN_ECHO), 1);
	wait_ms(2000); /* a timeout */
	ignore_sent();
	arrives(".E 11:11(0) ack 4001");
	CHECK_EQ(events(BERTH_EVENT_TCP_ECN_ECHO), 1);
	dialogue_end();
}

/* A fourth duplicate and more only let another segment go. RFC 5681 §3.2 */
TEST(odd, duplicates_without_sack_inflate_the_window)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	write_bytes(fd, 30000, 0);
	wait_ms(1);
	ignore_sent();
	arrives(". 1:1(0) ack 1");
	arrives(". 1:1(0) ack 1");
	ignore_sent(); /* RFC 3042 */
	arrives(". 1:1(0) ack 1");
	sends(". 1:1001(1000) ack 1");
	for (int i = 0; i < 12; i++)
		arrives(". 1:1(0) ack 1");
	CHECK(dialogue.out_end > dialogue.out_begin);
	ignore_sent();
	arrives(". 1:1(0) ack 501"); /* half a segment: a partial ACK */
	CHECK_EQ(events(BERTH_EVENT_TCP_RETRANSMIT) >= 2, 1);
	dialogue_end();
}

TEST(odd, acks_of_a_paced_sender_without_sack)
{
	int rate = 1 << 20;

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	CHECK_EQ(berth_setsockopt(dialogue.stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)), 0);
	write_bytes(fd, 60000, 0);
	wait_ms(5);
	arrives(". 1:1(0) ack 1001");
	wait_ms(500);
	arrives(". 1:1(0) ack 6001");
	wait_ms(500);
	CHECK_EQ(events(BERTH_EVENT_TCP_CHALLENGE_LIMITED), 0);
	dialogue_end();
}

TEST(odd, a_window_may_be_clamped_and_segments_come_small)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	set_option(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000);
	for (int i = 0; i < 8; i++) {
		char segment[100];

		snprintf(segment, sizeof(segment), "P. %d:%d(500) ack 1", 1 + 500 * i, 501 + 500 * i);
		arrives(segment);
	}
	wait_ms(100);
	ignore_sent();
	CHECK_EQ(read_bytes(fd, 10000), 4000);
	dialogue_end();
}

/* ---- ICMP about our segments ---- */

/* An error about our segment seq, of which quoted bytes are cited. */
static void error_arrives(uint8_t code, uint32_t mtu, uint32_t seq, size_t quoted)
{
	uint8_t bytes[WIRE_IP4_LENGTH + WIRE_ICMP_LENGTH + WIRE_IP4_LENGTH + 8] = { 0 };
	uint8_t *icmp = bytes + WIRE_IP4_LENGTH, *about = icmp + WIRE_ICMP_LENGTH, *segment = about + WIRE_IP4_LENGTH;
	size_t length = sizeof(bytes) - 8 + quoted;
	struct wire_ip4 ip4 = { .total_length = (uint16_t)length, .ttl = 64, .protocol = IPPROTO_ICMP };

	ip4.source = ip_from_u32(0x0a000002);
	ip4.destination = ip_from_u32(0x0a000001);
	wire_ip4_build(bytes, &ip4);
	wire_ip4_build(about, &(struct wire_ip4){ .total_length = 1500,
						  .ttl = 60,
						  .protocol = IPPROTO_TCP,
						  .dont_fragment = true,
						  .source = ip4.destination,
						  .destination = ip4.source });
	put_be16(segment, dialogue.our_port);
	put_be16(segment + 2, dialogue.peer_port);
	put_be32(segment + 4, dialogue.our_isn + seq);
	wire_icmp_build(icmp, length - WIRE_IP4_LENGTH, 0,
			&(struct wire_icmp){ .type = ICMP4_UNREACHABLE, .code = code, .value = mtu });
	berth_stack_input(dialogue.stack, dialogue.link,
			  berth_packet_copy(berth_stack_packets(dialogue.stack), bytes, length), dialogue.now);
}

enum { HOST_UNREACHABLE = 1, TOO_LARGE = 4 };

/* RFC 5927: an error counts if it cites what is under way. */
TEST(odd, a_path_that_is_too_narrow_with_sack)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1460, sackOK>");

	write_bytes(fd, 2920, 0);
	sends(". 1:1461(1460) ack 1");
	sends("P. 1461:2921(1460) ack 1");
	error_arrives(TOO_LARGE, 1000, 1, 4);	 /* too little cited */
	error_arrives(TOO_LARGE, 1000, 9000, 8); /* not sent yet */
	error_arrives(TOO_LARGE, 1000, 0, 8);	 /* acknowledged */
	silent(10);
	error_arrives(TOO_LARGE, 1000, 1, 8);
	sends(". 1:961(960) ack 1");
	dialogue_end();
}

/* Linux: tcp_simple_retransmit() sends the SYN alone. */
TEST(odd, a_path_that_is_too_narrow_for_a_syn_with_data)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PEER_PORT) };
	static const char bytes[1400];

	given_socket();
	address.sin_addr.s_addr = htonl(0x0a000002);
	set_option(dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
	CHECK_EQ(berth_sendto(dialogue.stack, dialogue.fd, bytes, sizeof(bytes), MSG_FASTOPEN, (void *)&address,
			      sizeof(address)),
		 (ssize_t)sizeof(bytes));
	sends("S 0:1400(1400)");
	error_arrives(TOO_LARGE, 1000, 0, 8);
	sends("S 0:0(0)");
	dialogue_end();
}

TEST(odd, errors_while_both_ends_open)
{
	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	error_arrives(HOST_UNREACHABLE, 0, 0, 8);
	CHECK_EQ(last_error(dialogue.fd), EHOSTUNREACH);
	dialogue_end();
	given_socket(); /* what opened fast and has been accepted only hears of it. Linux: tcp_v4_err() */
	set_option(dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN, 5);
	set_option(dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
	listen_with_it();
	arrives("S 0:100(100) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 101");
	CHECK(accept_child() >= 0);
	error_arrives(HOST_UNREACHABLE, 0, 0, 8);
	arrives(". 101:101(0) ack 1 win 1000");
	CHECK_STR(state_of(dialogue.child), "ESTAB");
	dialogue_end();
}

TEST(odd, errors_about_half_open_conversations)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	error_arrives(TOO_LARGE, 1000, 0, 8);
	error_arrives(HOST_UNREACHABLE, 0, 7, 8);
	CHECK_EQ(count_state("SYN-RECV"), 1);
	error_arrives(HOST_UNREACHABLE, 0, 0, 8);
	CHECK_EQ(count_state("SYN-RECV"), 0);
	error_arrives(HOST_UNREACHABLE, 0, 0, 8); /* about nothing */
	dialogue_end();
}

/* ---- urgent data ---- */

TEST(odd, urgent_data_that_never_comes)
{
	char byte;

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("U. 1:11(10) ack 1 urg 100");
	CHECK_EQ(berth_recv(dialogue.stack, fd, &byte, 1, MSG_OOB), -1);
	CHECK_EQ(errno, EAGAIN);
	arrives("F. 11:11(0) ack 1");
	CHECK_EQ(berth_recv(dialogue.stack, fd, &byte, 1, MSG_OOB), 0); /* nor will it */
	dialogue_end();
	dialogue_begin(NULL);
	fd = given_accepted("win 65535 <mss 1000>");
	arrives("U. 1:11(10) ack 1 urg 100");
	berth_shutdown(dialogue.stack, fd, SHUT_RD);
	CHECK_EQ(berth_recv(dialogue.stack, fd, &byte, 1, MSG_OOB), 0);
	arrives("R 11:11(0)");
	CHECK(berth_recv(dialogue.stack, fd, &byte, 1, MSG_OOB) <= 0);
	dialogue_end();
}

TEST(odd, urgent_data_may_be_counted_and_not_copied)
{
	char byte = 'x';

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("U. 1:11(10) ack 1 urg 10");
	CHECK_EQ(berth_recv(dialogue.stack, fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_TRUNC), 1);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(berth_recv(dialogue.stack, fd, &byte, 1, MSG_OOB), 1);
	CHECK_EQ(byte, 10);
	dialogue_end();
}

/* ---- ports and listeners ---- */

TEST(odd, a_bound_port_without_a_listener_is_closed)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(OUR_PORT) };

	dialogue_begin(NULL);
	dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(berth_bind(dialogue.stack, dialogue.fd, (void *)&address, sizeof(address)), 0);
	arrives("S 0:0(0) win 1000");
	sends("R. 0:0(0) ack 1");
	dialogue_end();
}

TEST(odd, who_talks_does_not_listen)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	CHECK_EQ(berth_listen(dialogue.stack, fd, 5), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(berth_accept(dialogue.stack, fd, NULL, NULL, 0), -1);
	CHECK_EQ(errno, EINVAL);
	dialogue_end();
}

/* ---- Fast Open ---- */

TEST(odd, all_listeners_may_have_fast_open_and_nobody_a_cookie)
{
	struct berth_limits limits = { .fastopen = BERTH_FASTOPEN_SERVER | BERTH_FASTOPEN_LISTENERS };

	dialogue_begin(&limits);
	open_listener(5);
	set_option(dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
	arrives("S 0:100(100) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 101");
	CHECK(accept_child() >= 0);
	CHECK_EQ(read_bytes(dialogue.child, 1000), 100);
	arrives("S 0:0(0) win 1000 <mss 1000>"); /* again: so is the answer */
	sends("S. 0:0(0) ack 101");
	arrives("SF 0:0(0) win 1000 <mss 1000>"); /* but not to this */
	CHECK_STR(state_of(dialogue.child), "SYN-RECV");
	dialogue_end();
}

TEST(odd, fast_open_may_be_the_clients_alone)
{
	struct berth_limits limits = { .fastopen = BERTH_FASTOPEN_CLIENT };

	dialogue_begin(&limits);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000, FO>");
	sends("S. 0:0(0) ack 1 <mss 1460>");
	dialogue_end();
}

TEST(odd, a_cookie_of_another_length_is_no_good)
{
	given_socket();
	set_option(dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN, 5);
	listen_with_it();
	arrives("S 0:100(100) win 1000 <mss 1000, FO 01020304>");
	sends("S. 0:0(0) ack 1 <mss 1460, FO *>");
	CHECK_EQ(events(BERTH_EVENT_TCP_FASTOPEN_REFUSED), 1);
	dialogue_end();
}

TEST(odd, a_key_may_be_set_before_listening_and_has_its_length)
{
	uint8_t key[32] = { 1, 2, 3 };
	socklen_t length = sizeof(key);

	given_socket();
	CHECK_EQ(berth_setsockopt(dialogue.stack, dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 15), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(berth_setsockopt(dialogue.stack, dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 32), 0);
	listen_with_it();
	memset(key, 0, sizeof(key));
	CHECK_EQ(berth_getsockopt(dialogue.stack, dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, &length), 0);
	CHECK_EQ(key[2], 3);
	dialogue_end();
}
