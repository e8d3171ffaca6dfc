/* SPDX-License-Identifier: BSD-2-Clause */
/* What a conversation keeps when nothing goes on: src/core/tcp/work.c, sent.c, rare.c. */
#include "tests/test.h"

#include "core/tcp/tcp.h"

#include <arpa/inet.h>
#include <berth/berth.h>

struct talk {
	struct berth_stack *stack;
	int client, server;
};

/* In small steps: an ACK that was put off goes before it is missed. */
static void pass(struct talk *talk, berth_time time)
{
	for (; time > 0; time -= BERTH_MSEC)
		berth_stack_advance(talk->stack, berth_stack_now(talk->stack) + BERTH_MSEC);
}

static struct talk begin(void)
{
	struct talk talk = { .stack = berth_stack_new(&(struct berth_stack_config){ .seed = 1, .now = BERTH_SEC }) };
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(80) };
	int listener = berth_socket(talk.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!berth_bind(talk.stack, listener, (struct sockaddr *)&name, sizeof(name)));
	CHECK(!berth_listen(talk.stack, listener, 5));
	talk.client = berth_socket(talk.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	berth_connect(talk.stack, talk.client, (struct sockaddr *)&name, sizeof(name));
	pass(&talk, BERTH_MSEC);
	talk.server = berth_accept(talk.stack, listener, NULL, NULL, SOCK_NONBLOCK);
	CHECK(talk.server >= 0);
	return talk;
}

static const struct tcp_conn *conn_of(const struct talk *talk, int fd)
{
	return tcp_conn_of(socket_get(talk->stack, fd));
}

static void say(struct talk *talk, int from, int to)
{
	char byte = 'x';

	CHECK_EQ(berth_send(talk->stack, from, &byte, 1, 0), 1);
	pass(talk, BERTH_MSEC);
	CHECK_EQ(berth_recv(talk->stack, to, &byte, 1, 0), 1);
}

static bool has_nothing(const struct talk *talk, int fd)
{
	const struct tcp_conn *conn = conn_of(talk, fd);

	return conn->work == &tcp_work_none && conn->sent == &tcp_sent_none && conn->rare == &tcp_rare_none;
}

TEST(tcp_idle, an_endpoint_is_472_bytes)
{
	CHECK(socket_size(&tcp_protocol) <= 472);
}

TEST(tcp_idle, who_has_talked_keeps_no_more_than_who_has_not)
{
	struct talk talk = begin();

	pass(&talk, BERTH_SEC);
	CHECK(has_nothing(&talk, talk.client) && has_nothing(&talk, talk.server));
	for (int i = 0; i < 20; i++) {
		say(&talk, talk.client, talk.server);
		say(&talk, talk.server, talk.client);
	}
	pass(&talk, BERTH_SEC);
	CHECK(has_nothing(&talk, talk.client) && has_nothing(&talk, talk.server));
	say(&talk, talk.client, talk.server);
	berth_stack_free(talk.stack);
}

TEST(tcp_idle, what_nobody_has_read_is_kept)
{
	struct talk talk = begin();
	char byte = 'x';

	CHECK_EQ(berth_send(talk.stack, talk.client, &byte, 1, 0), 1);
	pass(&talk, BERTH_SEC);
	CHECK(has_nothing(&talk, talk.client));
	CHECK(conn_of(&talk, talk.server)->work != &tcp_work_none);
	CHECK_EQ(berth_recv(talk.stack, talk.server, &byte, 1, 0), 1);
	CHECK(has_nothing(&talk, talk.server));
	berth_stack_free(talk.stack);
}

TEST(tcp_idle, reordering_that_was_seen_is_remembered)
{
	struct talk talk = begin();
	char byte = 'x';

	CHECK_EQ(berth_send(talk.stack, talk.client, &byte, 1, 0), 1);
	conn_of(&talk, talk.client)->sent->rack.reordering = true;
	pass(&talk, BERTH_SEC);
	CHECK(conn_of(&talk, talk.client)->work == &tcp_work_none);
	CHECK(conn_of(&talk, talk.client)->sent->rack.reordering);
	berth_stack_free(talk.stack);
}

/* Its byte is there to be read out of band, and its place to stop at, when all else is over. */
TEST(tcp_idle, a_mark_is_kept_until_it_is_passed)
{
	struct talk talk = begin();
	char bytes[2] = "!";

	CHECK_EQ(berth_send(talk.stack, talk.client, bytes, 1, MSG_OOB), 1);
	pass(&talk, BERTH_SEC);
	CHECK_EQ(berth_recv(talk.stack, talk.server, bytes, 1, MSG_OOB), 1);
	CHECK_EQ(bytes[0], '!');
	pass(&talk, BERTH_SEC);
	CHECK_EQ(berth_sockatmark(talk.stack, talk.server), 1);
	say(&talk, talk.client, talk.server);
	pass(&talk, BERTH_SEC);
	CHECK(has_nothing(&talk, talk.server));
	berth_stack_free(talk.stack);
}

TEST(tcp_idle, bytes_sent_are_counted_through_fin_and_all)
{
	struct talk talk = begin();
	char bytes[1000] = { 0 };
	struct berth_socket_info info;

	CHECK_EQ(berth_send(talk.stack, talk.client, bytes, sizeof(bytes), 0), sizeof(bytes));
	berth_shutdown(talk.stack, talk.client, SHUT_WR);
	CHECK(!berth_socket_inspect(talk.stack, talk.client, &info));
	CHECK_EQ(info.bytes_sent, sizeof(bytes));
	CHECK_EQ(info.bytes_acked, 0);
	pass(&talk, BERTH_SEC);
	CHECK(!berth_socket_inspect(talk.stack, talk.client, &info));
	CHECK_EQ(info.bytes_sent, sizeof(bytes));
	CHECK_EQ(info.bytes_acked, sizeof(bytes));
	berth_stack_free(talk.stack);
}
