/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch and the cables. */
#include "link/cable.h"
#include "net/switch.h"
#include "tests/test.h"

#define PORTS 3

struct bench {
	struct berth_packet_pool *pool;
	struct net_switch sw;
	struct port {
		struct switch_port port;
		unsigned received;
	} ports[PORTS];
};

static void receive(struct switch_port *port, struct switch_port *from, struct berth_packet *packet, berth_time now)
{
	CONTAINER_OF(port, struct port, port)->received++;
	berth_packet_unref(packet);
}

static void bench_open(struct bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	bench->pool = berth_packet_pool_new(NULL, 0);
	switch_init(&bench->sw, NULL, (struct hash_key){ 1, 2 });
	for (int i = 0; i < PORTS; i++) {
		uint8_t mac[6] = { 2, 0, 0, 0, 0, (uint8_t)i };
		bench->ports[i].port.send = receive;
		list_init(&bench->ports[i].port.node);
		CHECK_EQ(switch_add_port(&bench->sw, &bench->ports[i].port, mac), 0);
	}
}

static void bench_close(struct bench *bench)
{
	switch_fini(&bench->sw);
	berth_packet_pool_unref(bench->pool);
}

static void send_frame(struct bench *bench, int port, uint8_t from, uint8_t to, berth_time now)
{
	uint8_t frame[20] = { 2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from };

	if (to == 0xff)
		memset(frame, 0xff, 6);
	for (int i = 0; i < PORTS; i++)
		bench->ports[i].received = 0;
	switch_input(&bench->sw, &bench->ports[port].port, berth_packet_copy(bench->pool, frame, sizeof(frame)), now);
}

static bool received(const struct bench *bench, unsigned a, unsigned b, unsigned c)
{
	return bench->ports[0].received == a && bench->ports[1].received == b && bench->ports[2].received == c;
}

TEST(switch, frame_for_a_hosts_address_goes_to_its_port_only)
{
	struct bench bench;

	bench_open(&bench);
	send_frame(&bench, 0, 0, 2, 0);
	CHECK(received(&bench, 0, 0, 1));
	bench_close(&bench);
}

TEST(switch, broadcast_and_unknown_go_to_all_others)
{
	struct bench bench;

	bench_open(&bench);
	send_frame(&bench, 1, 1, 0xff, 0);
	CHECK(received(&bench, 1, 0, 1));
	send_frame(&bench, 1, 1, 77, 0);
	CHECK(received(&bench, 1, 0, 1));
	bench_close(&bench);
}

TEST(switch, addresses_are_learnt_and_forgotten)
{
	struct bench bench;

	bench_open(&bench);
	send_frame(&bench, 2, 50, 0, 0);
	send_frame(&bench, 0, 0, 50, BERTH_SEC);
	CHECK(received(&bench, 0, 0, 1));
	send_frame(&bench, 0, 0, 50, SWITCH_AGE + BERTH_SEC);
	CHECK(received(&bench, 0, 1, 1));
	bench_close(&bench);
}

TEST(switch, a_host_can_not_take_anothers_address)
{
	struct bench bench;

	bench_open(&bench);
	send_frame(&bench, 2, 1, 0, 0);
	send_frame(&bench, 0, 0, 1, 0);
	CHECK(received(&bench, 0, 1, 0));
	bench_close(&bench);
}

TEST(switch, learnt_addresses_have_a_limit)
{
	struct bench bench;

	bench_open(&bench);
	for (unsigned i = 0; i < 2 * SWITCH_LEARNT_MAX; i++) {
		uint8_t frame[20] = { 2, 0, 0, 0, 0, 1, 6, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		switch_input(&bench.sw, &bench.ports[0].port, berth_packet_copy(bench.pool, frame, sizeof(frame)), 0);
	}
	CHECK_EQ(bench.sw.learnt, SWITCH_LEARNT_MAX);
	bench_close(&bench);
}

TEST(switch, frame_without_a_header_is_dropped)
{
	struct bench bench;

	bench_open(&bench);
	for (size_t length = 0; length < 14; length++)
		switch_input(&bench.sw, &bench.ports[0].port, berth_packet_copy(bench.pool, "aaaaaaaaaaaaaa", length),
			     0);
	CHECK_EQ(bench.sw.drops_short, 14);
	CHECK(received(&bench, 0, 0, 0));
	bench_close(&bench);
}

TEST(cable, packets_come_out_in_order_when_they_are_due)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct cable cable;

	cable_init(&cable, NULL, 1);
	cable_set_conditions(&cable, &(struct berth_conditions){ .delay = 10 });
	CHECK_EQ(cable_deadline(&cable), BERTH_NEVER);
	struct berth_packet *first = berth_packet_copy(pool, "1", 1), *second = berth_packet_copy(pool, "2", 1);
	cable_send(&cable, first, 100);
	cable_send(&cable, second, 105);
	CHECK_EQ(cable_deadline(&cable), 110);
	CHECK(!cable_take_due(&cable, 109));
	struct berth_packet *out = cable_take_due(&cable, 110);
	CHECK(out == first);
	berth_packet_unref(out);
	CHECK(!cable_take_due(&cable, 114));
	CHECK_EQ(cable_deadline(&cable), 115);
	cable_fini(&cable);
	berth_packet_pool_unref(pool);
}
