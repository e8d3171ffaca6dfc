/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stack with a listener, UDP sockets, and TCP conversations in the making
 * and made, fed with frames that the input describes; now and then a call.
 */
#include "tests/fuzz/world.h"

#include "wire/tcp.h"

static int open_bound(struct end *end, bool ip6, int type, uint16_t port)
{
	struct sockaddr_storage address;
	int fd = berth_socket(end->stack, ip6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK, 0);

	end->known[fd] = (unsigned)berth_readiness(end->stack, fd);
	MUST(berth_bind(end->stack, fd, (void *)&address, call_address(&address, ip6, 0, port)) == 0);
	return fd;
}

static void connect_to_peer(struct end *end, int fd, bool ip6, uint16_t port)
{
	struct sockaddr_storage address;

	berth_connect(end->stack, fd, (void *)&address, call_address(&address, ip6, 2, port));
}

/* The peer connects from 2000, over IPv4 or IPv6. */
static void accept_peer(struct end *end, int listener, bool ip6)
{
	struct flow flow = { .ip6 = ip6, .local = 80, .remote = 2000 };
	int fd;

	frame_segment(end, &flow, WIRE_TCP_SYN, 1000, 0);
	world_settle(end->world);
	MUST(end->flow_count);
	flow = end->flows[end->flow_count - 1];
	frame_segment(end, &flow, WIRE_TCP_ACK, 1001, flow.next);
	fd = berth_accept(end->stack, listener, NULL, NULL, 0);
	MUST(fd >= 0);
	end->known[fd] = (unsigned)berth_readiness(end->stack, fd);
}

static void populate(struct end *end)
{
	int listener = open_bound(end, true, SOCK_STREAM, 80);

	MUST(berth_listen(end->stack, listener, 3) == 0);
	open_bound(end, true, SOCK_DGRAM, 53);
	connect_to_peer(end, open_bound(end, false, SOCK_DGRAM, 1000), false, 53);
	accept_peer(end, listener, false);
	accept_peer(end, listener, true);
	connect_to_peer(end, open_bound(end, false, SOCK_STREAM, 1001), false, 80);
	connect_to_peer(end, open_bound(end, true, SOCK_STREAM, 1002), true, 80);
	world_settle(end->world);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };
	static struct world world;

	world_up(&world, &input, 1);
	populate(&world.ends[0]);
	for (int step = 0; step < 300 && input.left; step++) {
		uint8_t what = input_u8(&input);

		if (what < 0xb0)
			frame_arrives(&world.ends[0]);
		else if (what < 0xd0)
			world_wait(&world);
		else
			call_any(&world.ends[0]);
		world_settle(&world);
	}
	world_down(&world);
	return 0;
}
