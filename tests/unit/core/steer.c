/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several stacks with one address: two sides of a cable, each of four stacks
 * (or one), with the same steering at both. Every frame that arrives at a side
 * is given to whom berth_steer_frame() says.
 */
#include "core/steer/steer.h"
#include "core/stack.h"
#include "test.h"

#include <arpa/inet.h>
#include <berth/berth.h>
#include <errno.h>
#include <netinet/ip_icmp.h>

enum { STACKS = 4, PORT = 80 };

struct side {
	struct berth_stack *stacks[STACKS];
	struct berth_link *links[STACKS];
	struct berth_steer *steer;
	struct packet_queue inbox;
	unsigned count, arrived[STACKS], to_all;
	struct side *other;
};

static struct side sides[2];
static struct berth_packet_pool *pool;
static berth_time now;
static const struct berth_steering steering = { .key = { 11, 22 }, .count = STACKS };

static void transmit(void *context, struct berth_packet *packet)
{
	struct side *side = context;

	packet_queue_push(&side->other->inbox, packet);
}

static void side_up(struct side *side, unsigned count, int number, unsigned mtu)
{
	struct berth_steering own = steering;

	own.count = side->count = count;
	side->other = &sides[!number];
	side->steer = berth_steer_new(&own, BERTH_LINK_ETHERNET, NULL);
	for (unsigned i = 0; i < count; i++) {
		struct berth_stack_config config = { .seed = i + 10 * (unsigned)number, .now = now, .packets = pool };
		struct berth_link_config link = { .name = "eth0",
						  .mtu = mtu,
						  .mac = { 2, 0, 0, 0, 0, (uint8_t)(number + 1) },
						  .flags = BERTH_LINK_NO_DAD,
						  .transmit = transmit,
						  .context = side };
		struct berth_ip ip;

		side->stacks[i] = berth_stack_new(&config);
		CHECK_EQ(berth_stack_set_steering(side->stacks[i], &own, i), 0);
		CHECK_EQ(berth_link_add(side->stacks[i], &link, &side->links[i]), 0);
		berth_ip_parse(number ? "10.0.0.2" : "10.0.0.1", &ip);
		CHECK_EQ(berth_link_add_address(side->links[i], ip, 24), 0);
		berth_ip_parse(number ? "fd00::2" : "fd00::1", &ip);
		CHECK_EQ(berth_link_add_address(side->links[i], ip, 64), 0);
	}
}

static void deliver(struct side *side, unsigned which, struct berth_packet *packet)
{
	side->arrived[which]++;
	berth_stack_input(side->stacks[which], side->links[which], packet, now);
}

static bool carry_one(struct side *side)
{
	struct berth_packet *packet = packet_queue_pop(&side->inbox);
	int which;

	if (!packet)
		return false;
	which = berth_steer_frame(side->steer, packet->data, packet->length, now);
	if (which != BERTH_STEER_ALL) {
		deliver(side, (unsigned)which, packet);
		return true;
	}
	side->to_all++;
	for (unsigned i = 0; i < side->count; i++)
		deliver(side, i, berth_packet_copy(pool, packet->data, packet->length));
	berth_packet_unref(packet);
	return true;
}

static void settle(void)
{
	while (carry_one(&sides[0]) | carry_one(&sides[1]))
		;
}

static void run(berth_time duration)
{
	for (berth_time end = now + duration; now < end; now += 10 * BERTH_MSEC) {
		settle();
		for (int s = 0; s < 2; s++)
			for (unsigned i = 0; i < sides[s].count; i++)
				berth_stack_advance(sides[s].stacks[i], now);
	}
	settle();
}

static void world_begin(unsigned here, unsigned there, unsigned mtu)
{
	now = BERTH_SEC;
	memset(sides, 0, sizeof(sides));
	pool = berth_packet_pool_new(NULL, 0);
	side_up(&sides[0], here, 0, mtu);
	side_up(&sides[1], there, 1, 1500);
	run(BERTH_SEC);
}

static void world_end(void)
{
	for (int s = 0; s < 2; s++) {
		packet_queue_clear(&sides[s].inbox);
		for (unsigned i = 0; i < sides[s].count; i++)
			berth_stack_free(sides[s].stacks[i]);
		berth_steer_free(sides[s].steer);
	}
	berth_packet_pool_unref(pool);
}

union name {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t name_of(union name *name, const char *text, uint16_t port)
{
	memset(name, 0, sizeof(*name));
	if (strchr(text, ':')) {
		name->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		inet_pton(AF_INET6, text, &name->in6.sin6_addr);
		return sizeof(name->in6);
	}
	name->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	inet_pton(AF_INET, text, &name->in.sin_addr);
	return sizeof(name->in);
}

/* A socket on stack, bound to port of address. */
static int bound(struct berth_stack *stack, const char *address, int type, int protocol, uint16_t port)
{
	union name name;
	socklen_t length = name_of(&name, address, port);
	int fd = berth_socket(stack, name.any.sa_family, type | SOCK_NONBLOCK, protocol);

	CHECK_EQ(berth_bind(stack, fd, &name.any, length), 0);
	return fd;
}

static int dial(struct berth_stack *stack, const char *address, int type, uint16_t port)
{
	union name name;
	socklen_t length = name_of(&name, address, port);
	int fd = berth_socket(stack, name.any.sa_family, type | SOCK_NONBLOCK, 0);

	if (berth_connect(stack, fd, &name.any, length) < 0)
		CHECK_EQ(errno, EINPROGRESS);
	return fd;
}

static uint16_t port_of(struct berth_stack *stack, int fd)
{
	union name name;
	socklen_t length = sizeof(name);

	CHECK_EQ(berth_getsockname(stack, fd, &name.any, &length), 0);
	return ntohs(name.in.sin_port); /* the same place in both */
}

static uint64_t refused(struct berth_stack *stack)
{
	return stack->events[BERTH_EVENT_TCP_DROP_NO_SOCKET] + stack->events[BERTH_EVENT_UDP_DROP_NO_SOCKET];
}

static void check_nothing_strayed(void)
{
	for (int s = 0; s < 2; s++)
		for (unsigned i = 0; i < sides[s].count; i++)
			CHECK_EQ(refused(sides[s].stacks[i]), 0);
}

/* Every stack of side 0 makes 20 connections to the service that all of side 1 offer, and each is heard of. */
static unsigned connections_work(const char *address, unsigned *ret_of_most)
{
	enum { EACH = 20 };
	int listeners[STACKS], fds[STACKS][EACH];
	unsigned met = 0, accepted[STACKS] = { 0 };

	for (unsigned i = 0; i < sides[1].count; i++) {
		listeners[i] = bound(sides[1].stacks[i], address, SOCK_STREAM, 0, PORT);
		CHECK_EQ(berth_listen(sides[1].stacks[i], listeners[i], 128), 0);
	}
	for (unsigned i = 0; i < sides[0].count; i++)
		for (int k = 0; k < EACH; k++)
			fds[i][k] = dial(sides[0].stacks[i], address, SOCK_STREAM, PORT);
	run(BERTH_SEC);
	for (unsigned i = 0; i < sides[1].count; i++) {
		int fd;

		while ((fd = berth_accept(sides[1].stacks[i], listeners[i], NULL, NULL, SOCK_NONBLOCK)) >= 0) {
			accepted[i]++;
			CHECK_EQ(berth_send(sides[1].stacks[i], fd, &i, sizeof(i), 0), sizeof(i));
		}
	}
	run(BERTH_SEC);
	for (unsigned i = 0; i < sides[0].count; i++)
		for (int k = 0; k < EACH; k++) {
			unsigned by = 99;

			CHECK_EQ(berth_recv(sides[0].stacks[i], fds[i][k], &by, sizeof(by), 0), sizeof(by));
			met += by == i;
		}
	*ret_of_most = 0;
	for (unsigned i = 0; i < sides[1].count; i++)
		*ret_of_most = MAX(*ret_of_most, accepted[i]);
	check_nothing_strayed();
	return met;
}

TEST(steer, with_one_steering_at_both_ends_stacks_of_the_same_index_meet)
{
	unsigned most;

	world_begin(STACKS, STACKS, 1500);
	CHECK_EQ(connections_work("10.0.0.2", &most), 20 * STACKS);
	CHECK_EQ(most, 20);
	world_end();
	world_begin(STACKS, STACKS, 1500);
	CHECK_EQ(connections_work("fd00::2", &most), 20 * STACKS);
	CHECK_EQ(most, 20);
	world_end();
}

TEST(steer, a_client_of_one_stack_is_served_by_all_and_a_server_of_one_serves_all)
{
	unsigned most;

	world_begin(1, STACKS, 1500);
	connections_work("10.0.0.2", &most);
	CHECK(most < 20); /* not all 20 with one */
	world_end();
	world_begin(STACKS, 1, 1500);
	connections_work("fd00::2", &most);
	CHECK_EQ(most, 20 * STACKS);
	world_end();
}

TEST(steer, the_hash_is_the_same_both_ways_and_even)
{
	unsigned counts[STACKS] = { 0 };
	struct berth_endpoint a = { .port = PORT }, b = { .port = 0 };

	berth_ip_parse("10.0.0.2", &a.ip);
	for (unsigned i = 0; i < 4000; i++) {
		berth_ip_parse(i & 1 ? "10.9.8.7" : "2001:db8::7", &b.ip);
		b.port = (uint16_t)(1024 + i);
		unsigned which = berth_steer_flow(&steering, IPPROTO_TCP, &a, &b);
		CHECK_EQ(berth_steer_flow(&steering, IPPROTO_TCP, &b, &a), which);
		REQUIRE(which < STACKS);
		counts[which]++;
	}
	for (int i = 0; i < STACKS; i++)
		CHECK(counts[i] > 900 && counts[i] < 1100);
	/* Another key is another rule. */
	struct berth_steering other = { .key = { 1, 2 }, .count = STACKS };
	unsigned same = 0;
	for (unsigned i = 0; i < 400; i++) {
		b.port = (uint16_t)(1024 + i);
		same += berth_steer_flow(&steering, IPPROTO_UDP, &a, &b) ==
			berth_steer_flow(&other, IPPROTO_UDP, &a, &b);
	}
	CHECK(same > 50 && same < 150);
}

/* side 0's stacks ask anyone, with sockets that know no peer; who is asked answers where it came from. */
static void datagrams_come_home(const char *here, const char *there)
{
	int fds[STACKS], servers[STACKS];
	union name to;
	socklen_t length = name_of(&to, there, 53);

	for (unsigned i = 0; i < STACKS; i++) {
		servers[i] = bound(sides[1].stacks[i], there, SOCK_DGRAM, 0, 53);
		fds[i] = bound(sides[0].stacks[i], here, SOCK_DGRAM, 0, 0);
		CHECK_EQ(port_of(sides[0].stacks[i], fds[i]) % STACKS, i);
		CHECK(port_of(sides[0].stacks[i], fds[i]) >= 61000);
		CHECK_EQ(berth_sendto(sides[0].stacks[i], fds[i], &i, sizeof(i), 0, &to.any, length), sizeof(i));
	}
	run(BERTH_SEC);
	for (unsigned i = 0; i < STACKS; i++) {
		union name from;
		unsigned word;

		for (length = sizeof(from); berth_recvfrom(sides[1].stacks[i], servers[i], &word, sizeof(word), 0,
							   &from.any, &length) == sizeof(word);
		     length = sizeof(from))
			berth_sendto(sides[1].stacks[i], servers[i], &word, sizeof(word), 0, &from.any, length);
	}
	run(BERTH_SEC);
	for (unsigned i = 0; i < STACKS; i++) {
		unsigned word = 99;

		CHECK_EQ(berth_recv(sides[0].stacks[i], fds[i], &word, sizeof(word), 0), sizeof(word));
		CHECK_EQ(word, i);
	}
	check_nothing_strayed();
}

TEST(steer, answers_to_sockets_without_a_peer_come_home)
{
	world_begin(STACKS, STACKS, 1500);
	datagrams_come_home("10.0.0.1", "10.0.0.2");
	world_end();
	world_begin(STACKS, STACKS, 1500);
	datagrams_come_home("fd00::1", "fd00::2");
	world_end();
}

TEST(steer, pings_are_answered_once_and_to_who_asked)
{
	world_begin(STACKS, STACKS, 1500);
	for (unsigned i = 0; i < STACKS; i++) {
		struct berth_stack *stack = sides[0].stacks[i];
		int fd = berth_socket(stack, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
		uint8_t message[12] = { ICMP_ECHO }, answer[64];
		union name to;
		socklen_t length = name_of(&to, "10.0.0.2", 0);

		CHECK_EQ(berth_sendto(stack, fd, message, sizeof(message), 0, &to.any, length), sizeof(message));
		run(BERTH_SEC);
		CHECK_EQ(berth_recv(stack, fd, answer, sizeof(answer), 0), sizeof(message));
		CHECK_EQ(answer[0], ICMP_ECHOREPLY);
		CHECK_EQ(berth_recv(stack, fd, answer, sizeof(answer), 0), -1);
	}
	world_end();
}

TEST(steer, icmp_errors_find_who_sent_what_they_are_about)
{
	static const char *const addresses[] = { "10.0.0.2", "fd00::2" };

	world_begin(STACKS, STACKS, 1500);
	for (unsigned i = 0; i < STACKS; i++)
		for (int k = 0; k < 16; k++) {
			struct berth_stack *stack = sides[0].stacks[i];
			int fd = dial(stack, addresses[k % 2], SOCK_DGRAM, (uint16_t)(5000 + k)); /* nobody there */

			berth_send(stack, fd, "x", 1, 0);
			run(100 * BERTH_MSEC);
			CHECK_EQ(berth_send(stack, fd, "x", 1, 0), -1);
			CHECK_EQ(errno, ECONNREFUSED);
			berth_close(stack, fd);
		}
	world_end();
}

static void reverse(struct packet_queue *queue)
{
	struct berth_packet *packets[64];
	size_t count = 0;

	while (count < 64 && (packets[count] = packet_queue_pop(queue)))
		count++;
	while (count)
		packet_queue_push(queue, packets[--count]);
}

/* Datagrams of three fragments, from one side's stack of a small MTU; perhaps the last one first. */
static void fragments_stay_together(const char *here, const char *there, bool reversed)
{
	static uint8_t out[3000], in[4000];
	int servers[STACKS], fds[8];
	union name to;
	socklen_t length = name_of(&to, there, 53);
	unsigned got = 0;
	struct berth_stack *from = sides[0].stacks[0];

	for (unsigned i = 0; i < STACKS; i++)
		servers[i] = bound(sides[1].stacks[i], there, SOCK_DGRAM, 0, 53);
	for (int k = 0; k < 8; k++) {
		fds[k] = bound(from, here, SOCK_DGRAM, 0, 0);
		CHECK_EQ(berth_sendto(from, fds[k], "first", 5, 0, &to.any, length),
			 5); /* neighbours know each other */
	}
	run(BERTH_SEC);
	for (int k = 0; k < 8; k++) {
		memset(out, k, sizeof(out));
		CHECK_EQ(berth_sendto(from, fds[k], out, sizeof(out), 0, &to.any, length), sizeof(out));
		if (reversed)
			reverse(&sides[1].inbox);
		unsigned all = sides[1].to_all;
		settle();
		CHECK_EQ(sides[1].to_all - all, reversed ? 2 : 0);
	}
	for (unsigned i = 0; i < STACKS; i++) {
		ssize_t n;

		while ((n = berth_recv(sides[1].stacks[i], servers[i], in, sizeof(in), 0)) > 0)
			if (n == sizeof(out))
				got++;
	}
	CHECK_EQ(got, 8);
	check_nothing_strayed();
}

TEST(steer, fragments_go_where_the_first_went)
{
	world_begin(1, STACKS, 1280);
	fragments_stay_together("10.0.0.1", "10.0.0.2", false);
	world_end();
	world_begin(1, STACKS, 1280);
	fragments_stay_together("fd00::1", "fd00::2", false);
	world_end();
}

TEST(steer, fragments_ahead_of_the_first_are_not_lost)
{
	world_begin(1, STACKS, 1280);
	fragments_stay_together("10.0.0.1", "10.0.0.2", true);
	world_end();
	world_begin(1, STACKS, 1280);
	fragments_stay_together("fd00::1", "fd00::2", true);
	world_end();
}

TEST(steer, who_asks_for_the_address_is_answered_by_one)
{
	world_begin(1, STACKS, 1500);
	dial(sides[0].stacks[0], "10.0.0.2", SOCK_STREAM, PORT); /* asks by ARP */
	dial(sides[0].stacks[0], "fd00::2", SOCK_STREAM, PORT);	 /* and by NDP */
	CHECK_EQ(sides[1].inbox.count, 2);
	carry_one(&sides[1]);
	carry_one(&sides[1]);
	CHECK_EQ(sides[0].inbox.count, 2); /* one answer each */
	world_end();
}

TEST(steer, a_port_that_was_asked_for_and_leads_elsewhere_is_no_way_to_connect)
{
	unsigned worked = 0, failed = 0;
	union name name;
	socklen_t length = name_of(&name, "10.0.0.2", PORT);

	world_begin(STACKS, STACKS, 1500);
	for (uint16_t port = 5000; port < 5040; port++) {
		struct berth_endpoint local = { .port = port }, remote = { .port = PORT };
		int fd = bound(sides[0].stacks[1], "10.0.0.1", SOCK_STREAM, 0, port);
		int r = berth_connect(sides[0].stacks[1], fd, &name.any, length), error = errno;

		berth_ip_parse("10.0.0.1", &local.ip);
		berth_ip_parse("10.0.0.2", &remote.ip);
		CHECK_EQ(r, -1);
		CHECK_EQ(error,
			 berth_steer_flow(&steering, IPPROTO_TCP, &local, &remote) == 1 ? EINPROGRESS : EADDRNOTAVAIL);
		worked += error == EINPROGRESS;
		failed += error == EADDRNOTAVAIL;
	}
	CHECK(worked && failed);
	/* To oneself nothing is steered. */
	length = name_of(&name, "127.0.0.1", PORT);
	int listener = bound(sides[0].stacks[1], "127.0.0.1", SOCK_STREAM, 0, PORT);
	CHECK_EQ(berth_listen(sides[0].stacks[1], listener, 8), 0);
	for (uint16_t port = 6000; port < 6008; port++) {
		int fd = bound(sides[0].stacks[1], "127.0.0.1", SOCK_STREAM, 0, port);

		CHECK_EQ(berth_connect(sides[0].stacks[1], fd, &name.any, length), -1);
		CHECK_EQ(errno, EINPROGRESS);
	}
	world_end();
}

TEST(steer, dealt_ports_run_out_and_come_back)
{
	struct berth_steering few = { .key = { 1, 2 }, .count = 4, .dealt_from = 65520 }; /* four each */
	struct berth_stack *stack = berth_stack_new(NULL);
	union name name;
	socklen_t length = name_of(&name, "127.0.0.1", 0);
	int fds[5];

	CHECK_EQ(berth_stack_set_steering(stack, &few, 2), 0);
	for (int i = 0; i < 5; i++) {
		fds[i] = berth_socket(stack, AF_INET, SOCK_DGRAM, 0);
		CHECK_EQ(berth_bind(stack, fds[i], &name.any, length), i < 4 ? 0 : -1);
		if (i < 4)
			CHECK_EQ(port_of(stack, fds[i]) % 4, 2);
	}
	CHECK_EQ(errno, EADDRINUSE);
	berth_close(stack, fds[1]);
	CHECK_EQ(berth_bind(stack, fds[4], &name.any, length), 0);
	/* Alone again, there is no such limit. */
	CHECK_EQ(berth_stack_set_steering(stack, NULL, 0), 0);
	fds[1] = berth_socket(stack, AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(berth_bind(stack, fds[1], &name.any, length), 0);
	berth_stack_free(stack);
}

TEST(steer, what_makes_no_sense_is_refused_or_the_first_ones)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	struct berth_steering bad = { .count = 0 };
	uint8_t noise[64];

	CHECK_EQ(berth_stack_set_steering(stack, &bad, 0), -EINVAL);
	bad.count = BERTH_STEER_MAX + 1;
	CHECK_EQ(berth_stack_set_steering(stack, &bad, 0), -EINVAL);
	bad = (struct berth_steering){ .count = 4, .dealt_from = 1024 };
	CHECK_EQ(berth_stack_set_steering(stack, &bad, 0), -EINVAL);
	bad = (struct berth_steering){ .count = 4, .dealt_from = 65533 };
	CHECK_EQ(berth_stack_set_steering(stack, &bad, 0), -EINVAL);
	CHECK_EQ(berth_stack_set_steering(stack, &steering, STACKS), -EINVAL);
	CHECK(!berth_steer_new(&bad, BERTH_LINK_IP, NULL));
	berth_steer_free(NULL);
	berth_stack_free(stack);

	struct berth_steer *steer = berth_steer_new(&steering, BERTH_LINK_IP, NULL);
	memset(noise, 0xff, sizeof(noise));
	for (size_t length = 0; length <= sizeof(noise); length++)
		CHECK_EQ(berth_steer_frame(steer, noise, length, 0), 0);
	berth_steer_free(steer);
}
