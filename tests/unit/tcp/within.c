/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames and calls that come while a conversation is in the middle of something: a link hands them over at once, so the
 * answer to a segment is here before the call that sent it returns; and a hook that is told of bytes answers them.
 */
#include "tests/test.h"

#include <berth/berth.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

enum { PORT = 80, MOST = 8000 };

static struct berth_stack *stacks[2];
static struct berth_link *links[2];
static int client, server, depth, deepest;
static enum { NOTHING, ECHO, ABORT } answer; /* of the server's to what comes */

static void hand_over(void *context, struct berth_packet *packet)
{
	int other = context != &stacks[1];

	depth++;
	deepest = depth > deepest ? depth : deepest;
	berth_stack_input(stacks[other], links[other], packet, BERTH_SEC);
	depth--;
}

static void on_ready(void *context, int fd, unsigned events)
{
	char bytes[MOST];
	ssize_t n;

	if (context != &stacks[1] || fd != server || !(events & BERTH_POLLIN))
		return;
	if (answer == ABORT) {
		answer = NOTHING;
		berth_abort(stacks[1], server);
	}
	while (answer == ECHO && (n = berth_recv(stacks[1], fd, bytes, sizeof(bytes), 0)) > 0)
		CHECK_EQ(berth_send(stacks[1], fd, bytes, (size_t)n, 0), n);
}

static void given_pair(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	answer = NOTHING;
	deepest = 0;
	for (int side = 0; side < 2; side++) {
		struct berth_stack_config config = { .seed = (uint64_t)side + 1, .now = BERTH_SEC };
		struct berth_link_config link = {
			.name = "cable",
			.type = BERTH_LINK_IP,
			.mtu = 1500,
			.flags = BERTH_LINK_NO_DAD,
			.transmit = hand_over,
			.context = &stacks[side],
		};
		struct berth_ip ip;

		config.hooks = (struct berth_hooks){ .context = &stacks[side], .ready = on_ready };
		stacks[side] = berth_stack_new(&config);
		CHECK_EQ(berth_link_add(stacks[side], &link, &links[side]), 0);
		berth_ip_parse(side ? "10.0.0.2" : "10.0.0.1", &ip);
		CHECK_EQ(berth_link_add_address(links[side], ip, 24), 0);
	}
	to.sin_addr.s_addr = htonl(0x0a000002);
	int listener = berth_socket(stacks[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(berth_bind(stacks[1], listener, (struct sockaddr *)&to, sizeof(to)), 0);
	CHECK_EQ(berth_listen(stacks[1], listener, 8), 0);
	client = berth_socket(stacks[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	berth_connect(stacks[0], client, (struct sockaddr *)&to, sizeof(to));
	server = berth_accept(stacks[1], listener, NULL, NULL, SOCK_NONBLOCK);
	CHECK(server >= 0);
	CHECK_EQ(berth_setsockopt(stacks[1], server, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)), 0);
}

static void end(void)
{
	for (int side = 0; side < 2; side++)
		berth_stack_free(stacks[side]);
}

/* size bytes are written at one end and come to the other as they were. */
static void pass(int from, int writer, int reader, size_t size)
{
	static char out[MOST], in[MOST];
	size_t got = 0;
	ssize_t n;

	for (size_t i = 0; i < size; i++)
		out[i] = (char)(i * 7 + size);
	CHECK_EQ(berth_send(stacks[from], writer, out, size, 0), (ssize_t)size);
	while (got < size && (n = berth_recv(stacks[!from], reader, in + got, size - got, 0)) > 0)
		got += (size_t)n;
	CHECK_EQ(got, size);
	CHECK(!memcmp(in, out, size));
}

TEST(tcp_within, answers_that_come_before_the_call_returns)
{
	given_pair();
	for (int i = 0; i < 40; i++) {
		pass(0, client, server, 1 + (size_t)i * 199);
		pass(1, server, client, 1 + (size_t)i * 13);
		pass(1, server, client, 1);
	}
	CHECK(deepest > 1);
	end();
}

TEST(tcp_within, a_hook_that_answers_while_the_segment_is_being_taken)
{
	char byte = 'x', back = 0;

	given_pair();
	answer = ECHO;
	for (int i = 0; i < 40; i++, byte++) {
		CHECK_EQ(berth_send(stacks[0], client, &byte, 1, 0), 1);
		CHECK_EQ(berth_recv(stacks[0], client, &back, 1, 0), 1);
		CHECK_EQ(back, byte);
	}
	CHECK(deepest > 1);
	end();
}

TEST(tcp_within, a_reset_that_comes_while_a_segment_is_sent)
{
	char byte = 'x';

	given_pair();
	pass(0, client, server, 1);
	answer = ABORT;
	CHECK_EQ(berth_send(stacks[0], client, &byte, 1, 0), 1);
	CHECK_EQ(answer, NOTHING);
	CHECK_EQ(berth_send(stacks[0], client, &byte, 1, 0), -1);
	CHECK_EQ(errno, ECONNRESET);
	CHECK_EQ(berth_close(stacks[0], client), 0);
	end();
}
