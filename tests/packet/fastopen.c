/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast Open, RFC 7413, both sides. */
#include "tests/packet/dialogue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

static bool syn_data_acked(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	berth_getsockopt(dialogue.stack, fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_options & TCPI_OPT_SYN_DATA;
}

/* A listener that offers it, and the peer has a cookie: in dialogue.cookie. */
static void given_fast_listener(int queue)
{
	dialogue_begin(NULL);
	open_listener(5);
	set_option(dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN, queue);
	arrives("S 0:0(0) win 1000 <mss 1000, FO>");
	sends("S. 0:0(0) ack 1 <mss 1460, FO *>");
	arrives("R 1:1(0)");
	dialogue.peer_port++;
}

TEST(fastopen_server, data_of_a_syn_is_there_before_the_handshake_ends)
{
	given_fast_listener(5);
	arrives("S 0:100(100) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 101 <mss 1460>");
	CHECK_EQ(ready(dialogue.fd), BERTH_POLLIN);
	CHECK(accept_child() >= 0);
	CHECK_STR(state_of(dialogue.child), "SYN-RECV");
	CHECK_EQ(read_bytes(dialogue.child, 1000), 100);
	CHECK_EQ(write_bytes(dialogue.child, 500, 0), 500);
	sends(". 1:501(500) ack 101");
	arrives(". 101:101(0) ack 501 win 1000");
	CHECK_STR(state_of(dialogue.child), "ESTAB");
	CHECK(syn_data_acked(dialogue.child));
	CHECK_EQ(events(BERTH_EVENT_TCP_FASTOPEN_ACCEPTED), 1);
	silent(60000);
	dialogue_end();
}

TEST(fastopen_server, only_the_syn_ack_is_sent_again)
{
	given_fast_listener(5);
	arrives("S 0:100(100) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 101");
	accept_child();
	write_bytes(dialogue.child, 500, 0);
	sends(". 1:501(500) ack 101");
	sends_after(1000, "S. 0:0(0) ack 101");
	arrives("S 0:100(100) win 1000 <mss 1000>"); /* as does the peer */
	sends("S. 0:0(0) ack 101");
	arrives(". 101:101(0) ack 1 win 1000");
	CHECK_STR(state_of(dialogue.child), "ESTAB");
	sends_after(2000, ". 1:501(500) ack 101");
	arrives(". 101:101(0) ack 501 win 1000");
	silent(60000);
	dialogue_end();
}

TEST(fastopen_server, a_bad_cookie_gets_a_good_one_and_the_syn_alone_is_taken)
{
	given_fast_listener(5);
	arrives("S 0:100(100) win 1000 <mss 1000, FO 0102030405060708>");
	sends("S. 0:0(0) ack 1 <mss 1460, FO *>");
	CHECK_EQ(accept_child(), -EAGAIN);
	CHECK_EQ(events(BERTH_EVENT_TCP_FASTOPEN_REFUSED), 1);
	arrives(". 1:101(100) ack 1 win 1000");
	sends(". 1:1(0) ack 101");
	accept_child();
	CHECK_EQ(read_bytes(dialogue.child, 1000), 100);
	CHECK(!syn_data_acked(dialogue.child));
	dialogue_end();
}

TEST(fastopen_server, nobody_who_was_not_asked_offers_it)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000, FO>");
	sends("S. 0:0(0) ack 1 <mss 1460>");
	dialogue_end();
}

TEST(fastopen_server, the_old_option_is_answered_in_kind)
{
	dialogue_begin(NULL);
	open_listener(5);
	set_option(dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN, 1);
	arrives("S 0:0(0) win 1000 <mss 1000, FOEXP>");
	sends("S. 0:0(0) ack 1 <mss 1460, FOEXP *>");
	arrives("R 1:1(0)");
	dialogue.peer_port++;
	arrives("S 0:10(10) win 1000 <mss 1000, FOEXP =>");
	sends("S. 0:0(0) ack 11");
	dialogue_end();
}

/* The cookie of Linux for these addresses and this key: SipHash-2-4 of 10.0.0.2, 10.0.0.1 */
TEST(fastopen_server, a_key_may_be_set_and_changed)
{
	uint8_t keys[32] = { 1, 2, 3 }, back[32];
	socklen_t length = sizeof(back);

	given_fast_listener(5);
	CHECK_EQ(berth_getsockopt(dialogue.stack, dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, back, &length), 0);
	CHECK_EQ(length, 16);
	memcpy(keys + 16, back, 16); /* the old one stays good */
	CHECK_EQ(berth_setsockopt(dialogue.stack, dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 32), 0);
	arrives("S 0:10(10) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 11 <mss 1460, FO *>"); /* taken, and told the new one */
	dialogue.peer_port++;
	arrives("S 0:10(10) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 11 <mss 1460>");
	CHECK_EQ(berth_setsockopt(dialogue.stack, dialogue.fd, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 15), -1);
	CHECK_EQ(errno, EINVAL);
	dialogue_end();
}

TEST(fastopen_server, the_queue_has_a_limit_and_a_reset_counts_for_a_minute)
{
	given_fast_listener(1);
	arrives("S 0:10(10) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 11");
	arrives("R. 11:11(0) ack 1");
	CHECK(accept_child() >= 0);
	CHECK_EQ(read_bytes(dialogue.child, 100), 10);
	CHECK_EQ(read_bytes(dialogue.child, 100), -ECONNRESET);
	dialogue.peer_port++;
	arrives("S 0:10(10) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 1 <mss 1460>");
	CHECK_EQ(events(BERTH_EVENT_TCP_FASTOPEN_CROWDED), 1);
	arrives("R 1:1(0)");
	wait_ms(61000);
	dialogue.peer_port++;
	arrives("S 0:10(10) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 11");
	arrives(". 11:11(0) ack 1 win 1000");
	dialogue.peer_port++;
	arrives("S 0:10(10) win 1000 <mss 1000, FO =>"); /* the handshake made room */
	sends("S. 0:0(0) ack 11");
	dialogue_end();
}

TEST(fastopen_server, a_connection_may_be_closed_before_the_handshake_ends)
{
	given_fast_listener(5);
	arrives("S 0:10(10) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 11");
	accept_child();
	read_bytes(dialogue.child, 100);
	berth_close(dialogue.stack, dialogue.child);
	sends("F. 1:1(0) ack 11");
	arrives(". 11:11(0) ack 2 win 1000");
	CHECK_EQ(count_state("FIN-WAIT-2"), 1);
	arrives("F. 11:11(0) ack 2 win 1000");
	sends(". 2:2(0) ack 12");
	CHECK_EQ(count_state("TIME-WAIT"), 1);
	dialogue_end();
}

TEST(fastopen_server, closing_the_listener_resets_who_was_not_accepted)
{
	given_fast_listener(5);
	arrives("S 0:10(10) win 1000 <mss 1000, FO =>");
	sends("S. 0:0(0) ack 11");
	berth_close(dialogue.stack, dialogue.fd);
	sends("R. 1:1(0) ack 11");
	silent(60000);
	dialogue_end();
}

static ssize_t open_with(int fd, size_t size, int flags)
{
	static const uint8_t bytes[65536];
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(PEER_PORT),
				       .sin_addr.s_addr = htonl(0x0a000002) };
	ssize_t r =
		berth_sendto(dialogue.stack, fd, bytes, size, flags | MSG_FASTOPEN, (void *)&address, sizeof(address));

	return r < 0 ? -errno : r;
}

static int new_socket(void)
{
	dialogue.fd = berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	return dialogue.fd;
}

/* A cookie of the peer's is known. */
static void given_cookie(const struct berth_limits *limits)
{
	dialogue_begin(limits);
	CHECK_EQ(open_with(new_socket(), 1000, 0), -EINPROGRESS);
	sends("S 0:0(0) win 65535 <mss 1460, wscale 9, ts 0, FO>");
	arrives("S. 0:0(0) ack 1 win 10000 <mss 1400, FO 0102030405060708>");
	sends(". 1:1(0) ack 1");
	berth_abort(dialogue.stack, dialogue.fd);
	ignore_sent();
}

TEST(fastopen_client, data_goes_with_the_syn_once_a_cookie_is_known)
{
	given_cookie(NULL);
	CHECK_EQ(open_with(new_socket(), 1000, 0), 1000);
	sends("S 0:1000(1000) win 65535 <mss 1460, wscale 9, ts 0, FO 0102030405060708>");
	CHECK_EQ(ready(dialogue.fd), 0);
	arrives("S. 0:0(0) ack 1001 win 10000 <mss 1400>");
	sends(". 1001:1001(0) ack 1");
	CHECK(syn_data_acked(dialogue.fd));
	CHECK_EQ(events(BERTH_EVENT_TCP_FASTOPEN_SENT), 1);
	write_bytes(dialogue.fd, 10, 0);
	sends(". 1001:1011(10) ack 1");
	dialogue_end();
}

TEST(fastopen_client, no_more_than_a_known_mss_goes)
{
	given_cookie(NULL);
	CHECK_EQ(open_with(new_socket(), 4000, 0), 1360);
	sends("S 0:1360(1360)");
	CHECK_EQ(open_with(dialogue.fd, 1000, 0), -EALREADY);
	dialogue_end();
}

TEST(fastopen_client, what_the_syn_ack_does_not_acknowledge_goes_again)
{
	given_cookie(NULL);
	CHECK_EQ(open_with(new_socket(), 1000, 0), 1000);
	sends("S 0:1000(1000)");
	arrives("S. 0:0(0) ack 1 win 10000 <mss 1400>");
	sends(". 1:1001(1000) ack 1");
	CHECK(!syn_data_acked(dialogue.fd));
	CHECK_EQ(events(BERTH_EVENT_TCP_FASTOPEN_FAILED), 1);
	arrives(". 1:1(0) ack 1001 win 10000");
	silent(60000);
	dialogue_end();
}

TEST(fastopen_client, more_goes_behind_what_goes_again)
{
	given_cookie(NULL);
	CHECK_EQ(open_with(new_socket(), 5000, 0), 1360);
	sends("S 0:1360(1360)");
	arrives("S. 0:0(0) ack 1 win 14600 <mss 1400>");
	sends(". 1:1361(1360) ack 1");
	CHECK_EQ(write_bytes(dialogue.fd, 3640, 0), 3640);
	sends(". 1361:2761(1400) ack 1");
	sends(". 2761:4161(1400) ack 1");
	sends(". 4161:5001(840) ack 1"); /* Nagle does not wait for what went again */
	dialogue_end();
}

TEST(fastopen_client, a_syn_that_is_sent_again_goes_without)
{
	given_cookie(NULL);
	CHECK_EQ(open_with(new_socket(), 1000, 0), 1000);
	sends("S 0:1000(1000) win 65535 <mss 1460, wscale 9, ts 0, FO 0102030405060708>");
	sends_after(1000, "S 0:0(0) win 65535 <mss 1460, wscale 9, ts 0>");
	arrives("S. 0:0(0) ack 1 win 10000 <mss 1400>");
	sends(". 1:1001(1000) ack 1");
	dialogue_end();
}

TEST(fastopen_client, it_is_not_tried_where_it_was_swallowed_twice)
{
	given_cookie(NULL);
	for (int i = 0; i < 2; i++) {
		open_with(new_socket(), 1000, 0);
		sends("S 0:1000(1000)");
		sends_after(1000, "S 0:0(0)");
		arrives("S. 0:0(0) ack 1 win 10000 <mss 1400>");
		ignore_sent();
		berth_abort(dialogue.stack, dialogue.fd);
		ignore_sent();
	}
	CHECK_EQ(open_with(new_socket(), 1000, 0), -EINPROGRESS);
	sends("S 0:0(0) win 65535 <mss 1460, wscale 9, ts 0>");
	berth_abort(dialogue.stack, dialogue.fd);
	wait_ms(241000);
	CHECK_EQ(open_with(new_socket(), 1000, 0), 1000);
	dialogue_end();
}

TEST(fastopen_client, the_old_option_is_tried_once_where_the_new_one_is_ignored)
{
	static const char *const syns[] = { "S 0:0(0) <mss 1460, wscale 9, ts 0, FO>",
					    "S 0:0(0) <mss 1460, wscale 9, ts 0, FOEXP>",
					    "S 0:0(0) <mss 1460, wscale 9, ts 0, FO>" };

	dialogue_begin(NULL);
	for (size_t i = 0; i < 3; i++) {
		open_with(new_socket(), 1000, 0);
		sends(syns[i]);
		arrives("S. 0:0(0) ack 1 win 10000 <mss 1400>");
		berth_abort(dialogue.stack, dialogue.fd);
		ignore_sent();
	}
	dialogue_end();
}

TEST(fastopen_client, connect_waits_for_data_when_told_to)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(PEER_PORT),
				       .sin_addr.s_addr = htonl(0x0a000002) };

	given_cookie(NULL);
	set_option(new_socket(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	CHECK_EQ(berth_connect(dialogue.stack, dialogue.fd, (void *)&address, sizeof(address)), 0);
	silent(5000);
	CHECK_EQ(ready(dialogue.fd), BERTH_POLLOUT);
	CHECK_EQ(write_bytes(dialogue.fd, 100, 0), 100);
	sends("S 0:100(100) <mss 1460, wscale 9, ts 0, FO 0102030405060708>");
	CHECK_EQ(ready(dialogue.fd), 0);
	arrives("S. 0:0(0) ack 101 win 10000 <mss 1400>");
	CHECK_STR(state_of(dialogue.fd), "ESTAB");
	dialogue_end();
}

TEST(fastopen_client, without_a_cookie_connect_asks_for_one)
{
	dialogue_begin(NULL);
	set_option(new_socket(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	begin_connect();
	sends("S 0:0(0) <mss 1460, wscale 9, ts 0, FO>");
	dialogue_end();
}

TEST(fastopen_client, the_stack_may_forbid_it)
{
	struct berth_limits limits = { .fastopen = BERTH_FASTOPEN_OFF };

	dialogue_begin(&limits);
	CHECK_EQ(open_with(new_socket(), 1000, 0), -EOPNOTSUPP);
	dialogue_end();
}

TEST(fastopen_client, without_cookies_if_so_told)
{
	dialogue_begin(NULL);
	set_option(new_socket(), IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
	CHECK_EQ(open_with(dialogue.fd, 1000, 0), 1000);
	sends("S 0:1000(1000) <mss 1460, wscale 9, ts 0>");
	arrives("R. 0:0(0) ack 1");
	CHECK_EQ(last_error(dialogue.fd), ECONNREFUSED);
	dialogue_end();
}

TEST(fastopen_client, the_cache_has_a_limit)
{
	struct berth_limits limits = { .fastopen_cache = 1 };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(PEER_PORT),
				       .sin_addr.s_addr = htonl(0x7f000001) };

	given_cookie(&limits);
	berth_connect(dialogue.stack, new_socket(), (void *)&address, sizeof(address));
	CHECK_EQ(berth_sendto(dialogue.stack, new_socket(), "x", 1, MSG_FASTOPEN, (void *)&address, sizeof(address)),
		 -1);
	wait_ms(10); /* refused: nothing is remembered */
	CHECK_EQ(open_with(new_socket(), 1000, 0), 1000);
	dialogue_end();
}
