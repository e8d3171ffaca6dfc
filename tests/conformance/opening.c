/* SPDX-License-Identifier: BSD-2-Clause */
/* Openings and endings: RFC 9293 §3.5, §3.6, §3.9.1.1, §3.9.2.3. */
#include "tests/conformance/raw.h"

#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

static struct sockaddr_in ip4(const char *ip, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &address.sin_addr);
	return address;
}

static int connect_to(int fd, const char *ip)
{
	struct sockaddr_in address = ip4(ip, PEER_PORT);

	return berth_connect(dialogue.stack, fd, (void *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int bind_to(int fd, const char *ip, uint16_t port)
{
	struct sockaddr_in address = ip4(ip, port);

	return berth_bind(dialogue.stack, fd, (void *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int tcp_socket(void)
{
	return berth_socket(dialogue.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

/* MUST-46 */
TEST(opening, to_a_broadcast_or_multicast_address_fails)
{
	dialogue_begin(NULL);
	CHECK_EQ(connect_to(tcp_socket(), "224.0.0.1"), -ENETUNREACH);
	CHECK_EQ(connect_to(tcp_socket(), "255.255.255.255"), -ENETUNREACH);
	CHECK_EQ(connect_to(tcp_socket(), "10.0.0.255"), -ENETUNREACH);
	silent(1000);
	dialogue_end();
}

/* MUST-57: without a RST, too. */
TEST(opening, a_syn_to_everyone_is_dropped_in_silence)
{
	dialogue_begin(NULL);
	open_listener(5);
	raw_arrives(&(struct raw){ .to = "224.0.0.1", .flags = WIRE_TCP_SYN });
	raw_arrives(&(struct raw){ .to = "255.255.255.255", .flags = WIRE_TCP_SYN });
	raw_arrives(&(struct raw){ .to = "10.0.0.255", .flags = WIRE_TCP_SYN });
	silent(1000);
	CHECK_EQ(count_state("SYN-RECV"), 0);
	dialogue_end();
}

/* MUST-63 */
TEST(opening, a_syn_from_no_hosts_address_is_dropped)
{
	static const char *const sources[] = { "224.0.0.5", "255.255.255.255", "10.0.0.255", "0.0.0.0", "127.0.0.1" };

	dialogue_begin(NULL);
	open_listener(5);
	for (size_t i = 0; i < COUNT_OF(sources); i++)
		raw_arrives(&(struct raw){ .from = sources[i], .flags = WIRE_TCP_SYN });
	silent(1000);
	CHECK_EQ(count_state("SYN-RECV"), 0);
	dialogue_end();
}

/* MUST-11: SYN-RECEIVED that came from LISTEN goes back there; that from SYN-SENT is refused. §3.10.7.4 */
TEST(opening, a_reset_in_syn_received_depends_on_who_opened)
{
	dialogue_begin(NULL);
	open_listener(5);
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives("R 1:1(0)");
	CHECK_EQ(count_state("SYN-RECV"), 0);
	CHECK_STR(state_of(dialogue.fd), "LISTEN");
	CHECK_EQ(last_error(dialogue.fd), 0);
	dialogue_end();

	dialogue_begin(NULL);
	begin_connect();
	sends("S 0:0(0)");
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	arrives("R 1:1(0)");
	CHECK_EQ(last_error(dialogue.fd), ECONNREFUSED);
	dialogue_end();
}

/* MUST-41 */
TEST(opening, a_second_listener_fails_and_harms_no_one)
{
	int second;

	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	second = tcp_socket();
	CHECK_EQ(bind_to(second, "10.0.0.1", OUR_PORT), -EADDRINUSE);
	arrives("P. 1:11(10) ack 1");
	sends(". 1:1(0) ack 11");
	CHECK_EQ(read_bytes(fd, 100), 10);
	CHECK_STR(state_of(dialogue.fd), "LISTEN");
	dialogue_end();
}

/* MUST-42: a port of which a connection is still in SYN-SENT may be listened on. */
TEST(opening, listens_on_a_port_that_a_syn_was_sent_from)
{
	int listener;

	dialogue_begin(NULL);
	dialogue.fd = tcp_socket();
	set_option(dialogue.fd, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_EQ(bind_to(dialogue.fd, "10.0.0.1", OUR_PORT), 0);
	begin_connect();
	sends("S 0:0(0)");
	listener = tcp_socket();
	set_option(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_EQ(bind_to(listener, "10.0.0.1", OUR_PORT), 0);
	CHECK_EQ(berth_listen(dialogue.stack, listener, 5), 0);
	arrives("S. 0:0(0) ack 1 win 1000");
	sends(". 1:1(0) ack 1");
	CHECK_STR(state_of(dialogue.fd), "ESTAB");
	dialogue.peer_port++;
	arrives("S 0:0(0) win 1000 <mss 1000>");
	sends("S. 0:0(0) ack 1");
	dialogue_end();
}

static void check_source(const char *expected)
{
	struct berth_ip ip;
	size_t length;
	const uint8_t *packet = sent_packet(&length);

	REQUIRE(packet != NULL);
	berth_ip_parse(expected, &ip);
	CHECK_BYTES(packet + 12, ip.bytes + 12, 4);
}

/* MUST-43, MUST-44, MUST-45 */
TEST(opening, comes_from_the_address_asked_for_or_the_one_that_fits)
{
	dialogue_begin(NULL);
	berth_link_add_address(dialogue.link, ip_from_u32(0x0a000009), 24);
	dialogue.fd = tcp_socket();
	begin_connect();
	check_source("10.0.0.1");
	ignore_sent();
	dialogue.fd = tcp_socket();
	CHECK_EQ(bind_to(dialogue.fd, "10.0.0.9", 0), 0);
	begin_connect();
	check_source("10.0.0.9");
	wait_ms(1000);
	ignore_sent();
	dialogue_end();
}

/* SHLD-2: a RST may say why in data. */
TEST(ending, a_reset_may_contain_data)
{
	dialogue_begin(NULL);
	int fd = given_accepted("win 65535 <mss 1000>");

	arrives("R. 1:21(20) ack 1");
	CHECK_EQ(read_bytes(fd, 100), -ECONNRESET);
	silent(1000);
	dialogue_end();
}
