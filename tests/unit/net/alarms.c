/* SPDX-License-Identifier: BSD-2-Clause */
/* Which hosts a network looks at, in which order, and when it wants to be called again. */
#include "net/network.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { CROWD = 300, PORT = 7 };

static struct berth_net *net;
static struct berth_host *hosts[CROWD];
static berth_time now;

static void given_hosts(int count)
{
	now = BERTH_SEC;
	net = berth_net_new(&(struct berth_net_config){ .seed = 3, .now = now });
	for (int i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "h%d", i);
		hosts[i] = NULL;
		CHECK_EQ(berth_net_add_host(net, name, ip_any, NULL, &hosts[i]), 0);
	}
	now += 60 * BERTH_SEC; /* what being new brings is over */
	do {
		berth_net_advance(net, now);
	} while (berth_net_deadline(net) <= now);
}

static void carry(void)
{
	now += BERTH_MSEC;
	do {
		berth_net_advance(net, now);
	} while (berth_net_deadline(net) <= now);
}

/* The first two hosts say a datagram to each other, times over. Returns how often a host was looked at. */
static uint64_t visits_of_echo(int times)
{
	struct berth_stack *a = berth_host_stack(hosts[0]), *b = berth_host_stack(hosts[1]);
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int from = berth_socket(a, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int to = berth_socket(b, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char byte = 'x';

	CHECK_EQ(berth_bind(b, to, (struct sockaddr *)&name, sizeof(name)), 0);
	memcpy(&name.sin_addr, berth_host_ip4(hosts[1]).bytes + 12, 4);
	CHECK_EQ(berth_connect(a, from, (struct sockaddr *)&name, sizeof(name)), 0);
	uint64_t before = net->visits;
	for (int i = 0; i < times; i++) {
		struct sockaddr_in peer;
		socklen_t length = sizeof(peer);

		CHECK_EQ(berth_send(a, from, &byte, 1, 0), 1);
		carry();
		CHECK_EQ(berth_recvfrom(b, to, &byte, 1, 0, (struct sockaddr *)&peer, &length), 1);
		CHECK_EQ(berth_sendto(b, to, &byte, 1, 0, (struct sockaddr *)&peer, length), 1);
		carry();
		CHECK_EQ(berth_recv(a, from, &byte, 1, 0), 1);
	}
	return net->visits - before;
}

TEST(alarms, hosts_with_nothing_to_do_are_not_looked_at)
{
	given_hosts(2);
	uint64_t few = visits_of_echo(100);
	berth_net_free(net);
	given_hosts(CROWD);
	uint64_t many = visits_of_echo(100);
	CHECK_EQ(many, few);
	CHECK(few <= 100);
	uint64_t before = net->visits;
	for (int i = 0; i < 100; i++)
		carry();
	CHECK_EQ(net->visits, before);
	berth_net_free(net);
}

static struct berth_timer timers[8];
static int order[16], rang;

static void ring(struct berth_timer *timer)
{
	if (rang < 16)
		order[rang++] = (int)(timer - timers);
}

static void given_timers(int count, berth_time deadline)
{
	rang = 0;
	for (int i = count - 1; i >= 0; i--) { /* the last host's first */
		timers[i] = (struct berth_timer){ .run = ring };
		CHECK_EQ(berth_timer_set(berth_host_stack(hosts[i]), &timers[i], deadline - i), 0);
	}
}

TEST(alarms, hosts_that_are_due_have_their_turns_in_the_order_they_came)
{
	given_hosts(8);
	given_timers(8, now + BERTH_SEC);
	CHECK_EQ(berth_net_deadline(net), now + BERTH_SEC - 7);
	now += BERTH_SEC;
	carry();
	CHECK_EQ(rang, 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(order[i], i);
	CHECK_EQ(berth_net_deadline(net), BERTH_NEVER);
	berth_net_free(net);
}

static void ring_and_set(struct berth_timer *timer)
{
	int which = (int)(timer - timers);

	ring(timer);
	if (which == 1 && rang < 4) { /* what comes before itself, and what comes after */
		berth_timer_set(berth_host_stack(hosts[0]), &timers[0], 0);
		berth_timer_set(berth_host_stack(hosts[2]), &timers[2], 0);
	}
}

TEST(alarms, who_becomes_due_in_a_round_has_a_turn_in_the_next)
{
	given_hosts(3);
	given_timers(3, now + BERTH_SEC);
	berth_timer_cancel(berth_host_stack(hosts[2]), &timers[2]);
	berth_net_advance(net, now); /* the third one's alarm is off, too */
	timers[1].run = ring_and_set;
	now += BERTH_SEC;
	carry();
	CHECK_EQ(rang, 4);
	CHECK(order[0] == 0 && order[1] == 1 && order[2] == 0 && order[3] == 2);
	berth_net_free(net);
}

TEST(alarms, what_was_called_off_wakes_nobody)
{
	given_hosts(3);
	given_timers(3, now + BERTH_SEC);
	CHECK_EQ(berth_net_deadline(net), now + BERTH_SEC - 2);
	berth_timer_cancel(berth_host_stack(hosts[2]), &timers[2]);
	berth_timer_cancel(berth_host_stack(hosts[1]), &timers[1]);
	berth_net_advance(net, now);
	CHECK_EQ(berth_net_deadline(net), now + BERTH_SEC);
	berth_timer_cancel(berth_host_stack(hosts[0]), &timers[0]);
	berth_net_advance(net, now);
	CHECK_EQ(berth_net_deadline(net), BERTH_NEVER);
	CHECK_EQ(berth_timer_set(berth_host_stack(hosts[1]), &timers[1], now + 5), 0);
	CHECK_EQ(berth_net_deadline(net), now + 5);
	berth_net_free(net);
}

TEST(alarms, what_a_host_sends_itself_is_due_at_once)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	char byte = 'x';

	given_hosts(5);
	struct berth_stack *stack = berth_host_stack(hosts[4]);
	int fd = berth_socket(stack, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	inet_pton(AF_INET, "127.0.0.1", &name.sin_addr);
	CHECK_EQ(berth_bind(stack, fd, (struct sockaddr *)&name, sizeof(name)), 0);
	CHECK_EQ(berth_sendto(stack, fd, &byte, 1, 0, (struct sockaddr *)&name, sizeof(name)), 1);
	CHECK(berth_net_deadline(net) <= now);
	carry();
	CHECK_EQ(berth_recv(stack, fd, &byte, 1, 0), 1);
	berth_net_free(net);
}

TEST(alarms, a_host_that_goes_takes_its_alarm_along)
{
	given_hosts(3);
	given_timers(3, now + BERTH_SEC);
	berth_net_remove_host(hosts[1]);
	now += BERTH_SEC;
	carry();
	CHECK_EQ(rang, 2);
	CHECK(order[0] == 0 && order[1] == 2);
	berth_net_free(net);
}
