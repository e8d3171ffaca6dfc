/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/tcp/mtu.c: a path that swallows what is too large for it, and says nothing. */
#include "tests/test.h"

#include "core/tcp/tcp.h"

#include <arpa/inet.h>
#include <berth/berth.h>
#include <linux/tcp.h>

#define DELAY (10 * BERTH_MSEC)

/* Two stacks; frames of more than narrow bytes get lost on the way to side 1. */
static struct world {
	struct berth_stack *stacks[2];
	struct berth_link *links[2];
	struct frame {
		struct berth_packet *packet;
		berth_time due;
	} ways[2][4096];
	unsigned heads[2], counts[2];
	size_t narrow;
	unsigned swallowed, largest;
	berth_time now;
	int client, server;
} world;

static void transmit(void *context, struct berth_packet *packet)
{
	int to = !(context == &world.links[1]);
	struct frame *way = world.ways[to];

	if (to == 1 && berth_packet_length(packet) > world.narrow) {
		world.swallowed++;
		berth_packet_unref(packet);
		return;
	}
	if (to == 1)
		world.largest = MAX(world.largest, (unsigned)berth_packet_length(packet));
	CHECK(world.counts[to] < 4096);
	way[(world.heads[to] + world.counts[to]++) % 4096] = (struct frame){ packet, world.now + DELAY };
}

static void pass_time(void)
{
	berth_time next = world.now + BERTH_SEC;

	for (int side = 0; side < 2; side++) {
		next = MIN(next, berth_stack_deadline(world.stacks[side]));
		if (world.counts[side])
			next = MIN(next, world.ways[side][world.heads[side]].due);
	}
	world.now = MAX(world.now, next);
	for (int side = 0; side < 2; side++) {
		while (world.counts[side] && world.ways[side][world.heads[side]].due <= world.now) {
			struct berth_packet *packet = world.ways[side][world.heads[side]].packet;

			world.heads[side] = (world.heads[side] + 1) % 4096;
			world.counts[side]--;
			berth_stack_input(world.stacks[side], world.links[side], packet, world.now);
		}
		berth_stack_advance(world.stacks[side], world.now);
	}
}

static void begin(bool six, const struct berth_limits *limits)
{
	struct sockaddr_in name4 = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(0x0a000002) } };
	struct sockaddr_in6 name6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	struct sockaddr *name = six ? (struct sockaddr *)&name6 : (struct sockaddr *)&name4;
	socklen_t length = six ? sizeof(name6) : sizeof(name4);
	int listener;

	name6.sin6_addr.s6_addr[0] = 0xfd;
	name6.sin6_addr.s6_addr[15] = 2;
	memset(&world, 0, sizeof(world));
	world.narrow = SIZE_MAX;
	for (int side = 0; side < 2; side++) {
		struct berth_stack_config config = { .seed = (uint64_t)side + 1 };
		struct berth_link_config link = { .name = "cable",
						  .type = BERTH_LINK_IP,
						  .mtu = 1500,
						  .flags = BERTH_LINK_NO_DAD,
						  .transmit = transmit,
						  .context = &world.links[side] };
		struct berth_ip ip;

		if (limits)
			config.limits = *limits;
		world.stacks[side] = berth_stack_new(&config);
		CHECK_EQ(berth_link_add(world.stacks[side], &link, &world.links[side]), 0);
		berth_ip_parse(side ? (six ? "fd00::2" : "10.0.0.2") : (six ? "fd00::1" : "10.0.0.1"), &ip);
		CHECK_EQ(berth_link_add_address(world.links[side], ip, six ? 64 : 24), 0);
	}
	listener = berth_socket(world.stacks[1], name->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(berth_bind(world.stacks[1], listener, name, length), 0);
	CHECK_EQ(berth_listen(world.stacks[1], listener, 1), 0);
	world.client = berth_socket(world.stacks[0], name->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	berth_connect(world.stacks[0], world.client, name, length);
	for (int i = 0; i < 10; i++)
		pass_time();
	world.server = berth_accept(world.stacks[1], listener, NULL, NULL, SOCK_NONBLOCK);
	CHECK(world.server >= 0);
}

static void end(void)
{
	for (int side = 0; side < 2; side++)
		for (; world.counts[side]; world.counts[side]--)
			berth_packet_unref(world.ways[side][world.heads[side]++ % 4096].packet);
	berth_stack_free(world.stacks[0]);
	berth_stack_free(world.stacks[1]);
}

/* Bytes that arrive within a time. */
static uint64_t transfer(uint64_t most, berth_time time)
{
	static uint8_t bytes[65536];
	berth_time until = world.now + time;
	uint64_t received = 0;
	ssize_t n;

	while (received < most && world.now < until) {
		berth_send(world.stacks[0], world.client, bytes, sizeof(bytes), 0);
		pass_time();
		while ((n = berth_recv(world.stacks[1], world.server, bytes, sizeof(bytes), 0)) > 0)
			received += (uint64_t)n;
	}
	return received;
}

static struct tcp_info info(void)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	berth_getsockopt(world.stacks[0], world.client, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info;
}

static uint64_t count(enum berth_event event)
{
	return berth_event_count(world.stacks[0], event);
}

TEST(tcp_mtu, a_black_hole_is_passed_with_small_segments)
{
	for (int six = 0; six < 2; six++) {
		begin(six, NULL);
		world.narrow = 1300;
		CHECK(transfer(1000000, 20 * BERTH_SEC) >= 1000000);
		CHECK_EQ(count(BERTH_EVENT_TCP_BLACK_HOLE), 1);
		end();
	}
}

TEST(tcp_mtu, the_largest_size_that_passes_is_found)
{
	begin(false, NULL);
	world.narrow = 1300;
	transfer(5000000, 60 * BERTH_SEC);
	CHECK(world.largest <= 1300);
	CHECK(world.largest > 1300 - 8);
	CHECK_EQ(info().tcpi_snd_mss, world.largest - 52);
	CHECK(count(BERTH_EVENT_TCP_MTU_PROBE) < 10);
	/* No probe that was lost made the window smaller. */
	CHECK_EQ(count(BERTH_EVENT_TCP_FAST_RETRANSMIT), 0);
	end();
}

TEST(tcp_mtu, a_very_narrow_path_is_passed_too)
{
	begin(false, NULL);
	world.narrow = 600;
	CHECK(transfer(1000000, 60 * BERTH_SEC) >= 1000000);
	CHECK_EQ(count(BERTH_EVENT_TCP_BLACK_HOLE), 2);
	CHECK(world.largest > 600 - 8);
	end();
}

/* A cut of half a minute, and then the first that comes through. */
static void cut_and_mend(void)
{
	transfer(100000, BERTH_SEC);
	world.narrow = 0;
	transfer(UINT64_MAX, 30 * BERTH_SEC);
	CHECK_EQ(count(BERTH_EVENT_TCP_BLACK_HOLE), 2);
	CHECK(info().tcpi_snd_mss <= 512);
	world.narrow = SIZE_MAX;
	CHECK(transfer(1, 60 * BERTH_SEC) > 0);
}

/* A path that was down for a while is as wide as before: with the first ACK segments are, too. */
TEST(tcp_mtu, a_path_that_was_down_is_full_size_at_once)
{
	static const struct berth_limits no_sack = { .sack = BERTH_SACK_OFF };

	for (int sack = 0; sack < 2; sack++) {
		begin(false, sack ? NULL : &no_sack);
		cut_and_mend();
		transfer(UINT64_MAX, 2 * DELAY);
		CHECK_EQ(info().tcpi_snd_mss, 1448);
		CHECK(transfer(5000000, 10 * BERTH_SEC) >= 5000000);
		CHECK_EQ(info().tcpi_snd_mss, 1448);
		CHECK_EQ(count(BERTH_EVENT_TCP_MTU_PROBE), 0);
		end();
	}
}

/* Who says little waits no longer than who has much to say. */
TEST(tcp_mtu, a_path_that_was_down_is_full_size_for_one_segment)
{
	static char bytes[1448];

	begin(false, NULL);
	world.narrow = 0;
	berth_send(world.stacks[0], world.client, bytes, sizeof(bytes), 0);
	for (int i = 0; i < 40; i++)
		pass_time();
	CHECK(info().tcpi_snd_mss <= 512);
	world.narrow = SIZE_MAX;
	while (info().tcpi_unacked)
		pass_time();
	world.largest = 0;
	berth_send(world.stacks[0], world.client, bytes, sizeof(bytes), 0);
	CHECK_EQ(world.largest, 1500);
	end();
}

/* What came back narrower costs one timeout more. */
TEST(tcp_mtu, a_path_that_comes_back_narrower_is_found_out)
{
	begin(false, NULL);
	cut_and_mend();
	world.narrow = 1300;
	CHECK(transfer(1000000, 30 * BERTH_SEC) >= 1000000);
	CHECK(world.largest > 1300 - 8);
	end();
}

TEST(tcp_mtu, a_path_that_gets_wider_is_noticed_after_ten_minutes)
{
	begin(false, NULL);
	world.narrow = 1300;
	transfer(5000000, 60 * BERTH_SEC);
	world.narrow = SIZE_MAX;
	transfer(1000000, 60 * BERTH_SEC);
	CHECK(info().tcpi_snd_mss < 1300);
	for (int i = 0; i < 700; i++)
		transfer(1000, BERTH_SEC), pass_time();
	while (world.now < 700 * BERTH_SEC)
		pass_time();
	transfer(1000000, 10 * BERTH_SEC);
	CHECK_EQ(info().tcpi_snd_mss, 1448);
	end();
}

TEST(tcp_mtu, a_stack_may_do_without)
{
	struct berth_limits limits = { .mtu_probing = BERTH_MTU_PROBING_OFF };

	begin(false, &limits);
	world.narrow = 1300;
	CHECK_EQ(transfer(1000000, 60 * BERTH_SEC), 0);
	CHECK_EQ(count(BERTH_EVENT_TCP_BLACK_HOLE), 0);
	end();
}

/* Small segments that get lost are not too large. */
TEST(tcp_mtu, small_segments_that_time_out_stay_as_they_are)
{
	char bytes[100] = "";

	begin(false, NULL);
	world.narrow = 0;
	berth_send(world.stacks[0], world.client, bytes, sizeof(bytes), 0);
	for (int i = 0; i < 20; i++)
		pass_time();
	CHECK(count(BERTH_EVENT_TCP_RTO) > 4);
	CHECK_EQ(count(BERTH_EVENT_TCP_BLACK_HOLE), 0);
	CHECK_EQ(info().tcpi_snd_mss, 1448);
	end();
}
