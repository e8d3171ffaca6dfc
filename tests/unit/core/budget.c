/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/budget.c: who is refused first when memory ends, and that all goes on when it is back. */
#include "test.h"

#include <berth/berth.h>

#include "base/bytes.h"

#include <arpa/inet.h>
#include <errno.h>

enum { PORT = 80, LIMIT = 8 << 20, CROWD = 30 };

static berth_time now;
static uint8_t bytes[100000];

struct pair {
	struct berth_stack *from, *to;
	int client, server;
	size_t sent, received;
};

static struct sockaddr_in address_of(struct berth_ip ip, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	memcpy(&in.sin_addr, ip.bytes + 12, 4);
	return in;
}

static struct berth_stack *given_stack(void)
{
	struct berth_stack_config config = { .seed = 5, .limits = { .memory = LIMIT } };

	now = 0;
	return berth_stack_new(&config);
}

static void run(struct berth_stack *stack, berth_time duration)
{
	berth_time end = now + duration;

	while (now < end) {
		now = MIN(end, MAX(berth_stack_deadline(stack), now));
		berth_stack_advance(stack, now);
		if (berth_stack_deadline(stack) > now)
			now = MIN(end, berth_stack_deadline(stack));
	}
	berth_stack_advance(stack, now);
}

static void check_limits(struct berth_stack *stack)
{
	struct berth_memory memory = berth_stack_memory(stack);

	CHECK(memory.used <= memory.limit);
	CHECK(!memory.pool_limit || memory.pool_used <= memory.pool_limit);
}

static int listener_of(struct berth_stack *stack)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = berth_socket(stack, AF_INET, SOCK_STREAM, 0);

	berth_bind(stack, fd, (struct sockaddr *)&any, sizeof(any));
	berth_listen(stack, fd, CROWD);
	return fd;
}

static struct pair given_pair(struct berth_stack *stack, int listener)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct pair pair = { .from = stack, .to = stack, .client = berth_socket(stack, AF_INET, SOCK_STREAM, 0) };
	int large = 8 << 20;

	berth_setsockopt(stack, pair.client, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	berth_connect(stack, pair.client, (struct sockaddr *)&to, sizeof(to));
	berth_stack_advance(stack, now);
	pair.server = berth_accept(stack, listener, NULL, NULL, 0);
	return pair;
}

/* Send until refused, or all is sent. */
static void push(struct pair *pair, size_t all)
{
	while (pair->sent < all) {
		ssize_t n = berth_send(pair->from, pair->client, bytes, MIN(sizeof(bytes), all - pair->sent), 0);

		if (n <= 0)
			return;
		pair->sent += (size_t)n;
	}
}

static void pull(struct pair *pair)
{
	ssize_t n;

	while ((n = berth_recv(pair->to, pair->server, bytes, sizeof(bytes), 0)) > 0)
		pair->received += (size_t)n;
}

TEST(budget, one_connection_alone_gets_half_and_a_small_one_goes_on)
{
	struct berth_stack *stack = given_stack();
	int listener = listener_of(stack);
	struct pair greedy = given_pair(stack, listener), small;

	for (int i = 0; i < 50; i++) { /* nobody reads */
		push(&greedy, SIZE_MAX);
		run(stack, 100 * BERTH_MSEC);
		check_limits(stack);
	}
	CHECK(berth_stack_memory(stack).used >= LIMIT / 4);
	small = given_pair(stack, listener);
	CHECK(small.server >= 0);
	for (int i = 0; i < 100 && small.received < 50000; i++) {
		push(&small, 50000);
		run(stack, 100 * BERTH_MSEC);
		pull(&small);
	}
	CHECK_EQ(small.received, 50000);
	berth_stack_free(stack);
}

TEST(budget, many_that_nobody_reads_stay_below_the_limit_and_finish_when_read)
{
	struct berth_stack *stack = given_stack();
	int listener = listener_of(stack);
	struct pair pairs[CROWD];
	size_t all = 2000000;

	for (int i = 0; i < CROWD; i++)
		pairs[i] = given_pair(stack, listener);
	for (int turn = 0; turn < 20; turn++) {
		for (int i = 0; i < CROWD; i++)
			push(&pairs[i], all);
		run(stack, 100 * BERTH_MSEC);
		check_limits(stack);
	}
	CHECK(berth_stack_memory(stack).pressure);
	for (int i = 0; i < CROWD; i++) {
		pull(&pairs[i]);
		CHECK(pairs[i].received > 0); /* each got its share */
	}
	for (int turn = 0; turn < 2000; turn++) {
		for (int i = 0; i < CROWD; i++) {
			push(&pairs[i], all);
			pull(&pairs[i]);
		}
		run(stack, 100 * BERTH_MSEC);
		check_limits(stack);
	}
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(pairs[i].received, all);
	CHECK(!berth_stack_memory(stack).pressure);
	CHECK_EQ(berth_stack_memory(stack).used, 0);
	berth_stack_free(stack);
}

TEST(budget, a_refused_sender_is_told_when_another_lets_go)
{
	struct berth_stack *stack = given_stack();
	int listener = listener_of(stack);
	struct pair holder = given_pair(stack, listener), waiter = given_pair(stack, listener);
	struct berth_ready ready[8];
	bool told = false;
	int count;

	for (int i = 0; i < 20; i++) {
		push(&holder, SIZE_MAX);
		push(&waiter, SIZE_MAX);
		run(stack, 100 * BERTH_MSEC);
	}
	CHECK_EQ(berth_send(stack, waiter.client, bytes, 1, 0), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK(!(berth_readiness(stack, waiter.client) & BERTH_POLLOUT));
	while (berth_poll(stack, ready, 8) > 0)
		;
	berth_abort(stack, holder.client);
	berth_abort(stack, holder.server);
	run(stack, BERTH_SEC);
	while ((count = berth_poll(stack, ready, 8)) > 0)
		for (int i = 0; i < count; i++)
			told |= ready[i].fd == waiter.client && ready[i].events & BERTH_POLLOUT;
	CHECK(told);
	CHECK_EQ(berth_send(stack, waiter.client, bytes, 1, 0), 1);
	berth_stack_free(stack);
}

TEST(budget, a_flooded_datagram_socket_leaves_room_for_others)
{
	struct berth_stack *stack = given_stack();
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int in[2], out = berth_socket(stack, AF_INET, SOCK_DGRAM, 0), large = 8 << 20;

	for (int i = 0; i < 2; i++) {
		in[i] = berth_socket(stack, AF_INET, SOCK_DGRAM, 0);
		berth_setsockopt(stack, in[i], SOL_SOCKET, SO_RCVBUF, &large, sizeof(large));
		to.sin_port = htons((uint16_t)(PORT + i));
		CHECK_EQ(berth_bind(stack, in[i], (struct sockaddr *)&to, sizeof(to)), 0);
	}
	to.sin_port = htons(PORT);
	for (int i = 0; i < 2000; i++) {
		berth_sendto(stack, out, bytes, 1000, 0, (struct sockaddr *)&to, sizeof(to));
		berth_stack_advance(stack, now);
		check_limits(stack);
	}
	CHECK(berth_stack_memory(stack).used <= LIMIT / 2);
	to.sin_port = htons(PORT + 1);
	for (int i = 0; i < 10; i++)
		berth_sendto(stack, out, bytes, 1000, 0, (struct sockaddr *)&to, sizeof(to));
	berth_stack_advance(stack, now);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(berth_recv(stack, in[1], bytes, sizeof(bytes), 0), 1000);
	for (int i = 0; i < 2; i++)
		berth_close(stack, in[i]);
	CHECK_EQ(berth_stack_memory(stack).used, 0);
	berth_stack_free(stack);
}

static void net_run(struct berth_net *net, berth_time duration)
{
	berth_time end = now + duration;

	for (;;) {
		berth_time next = berth_net_deadline(net);

		if (next > end)
			break;
		now = MAX(now, next);
		berth_net_advance(net, now);
	}
	now = end;
	berth_net_advance(net, now);
}

static struct pair given_net_pair(struct berth_net *net, struct berth_host *from, struct berth_host *to)
{
	struct pair pair = { .from = berth_host_stack(from), .to = berth_host_stack(to) };
	struct sockaddr_in address = address_of(berth_host_ip4(to), PORT);
	int listener = listener_of(pair.to), large = 8 << 20;

	pair.client = berth_socket(pair.from, AF_INET, SOCK_STREAM, 0);
	berth_setsockopt(pair.from, pair.client, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	berth_connect(pair.from, pair.client, (struct sockaddr *)&address, sizeof(address));
	net_run(net, 100 * BERTH_MSEC);
	pair.server = berth_accept(pair.to, listener, NULL, NULL, 0);
	berth_close(pair.to, listener);
	return pair;
}

TEST(budget, a_greedy_host_does_not_starve_another)
{
	struct berth_net_config config = { .seed = 3, .memory = LIMIT };
	struct berth_net *net = berth_net_new(&config);
	struct berth_host *hosts[4];
	struct pair greedy[4], small;

	now = 0;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(berth_net_add_host(net, (const char *[]){ "a", "b", "c", "d" }[i], (struct berth_ip){ { 0 } },
					    NULL, &hosts[i]),
			 0);
	for (int i = 0; i < 4; i++)
		greedy[i] = given_net_pair(net, hosts[0], hosts[1]);
	for (int turn = 0; turn < 30; turn++) {
		for (int i = 0; i < 4; i++)
			push(&greedy[i], SIZE_MAX);
		net_run(net, 100 * BERTH_MSEC);
		check_limits(greedy[0].from);
		check_limits(greedy[0].to);
	}
	CHECK(berth_stack_memory(greedy[0].from).used + berth_stack_memory(greedy[0].to).used >= LIMIT / 4);
	small = given_net_pair(net, hosts[2], hosts[3]);
	CHECK(small.server >= 0);
	for (int turn = 0; turn < 500 && small.received < 2000000; turn++) {
		push(&small, 2000000);
		net_run(net, 10 * BERTH_MSEC);
		pull(&small);
		check_limits(small.from);
	}
	CHECK_EQ(small.received, 2000000);
	berth_net_free(net);
}
