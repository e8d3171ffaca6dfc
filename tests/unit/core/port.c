/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/port/space.h"
#include "test.h"

#include <berth/berth.h>
#include <errno.h>

static int bound(struct berth_stack *stack, int type, uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = berth_socket(stack, AF_INET, type, 0);

	if (berth_bind(stack, fd, (struct sockaddr *)&name, sizeof(name)) == 0)
		return fd;
	berth_close(stack, fd);
	return -errno;
}

static uint16_t port_of(struct berth_stack *stack, int fd)
{
	struct sockaddr_in name;
	socklen_t length = sizeof(name);

	berth_getsockname(stack, fd, (struct sockaddr *)&name, &length);
	return ntohs(name.sin_port);
}

TEST(port, tcp_and_udp_each_have_all_of_them)
{
	struct berth_stack *stack = berth_stack_new(NULL);

	CHECK(bound(stack, SOCK_STREAM, 53) >= 0);
	CHECK(bound(stack, SOCK_DGRAM, 53) >= 0);
	CHECK_EQ(bound(stack, SOCK_STREAM, 53), -EADDRINUSE);
	CHECK(bound(stack, SOCK_STREAM, 1) >= 0);
	CHECK(bound(stack, SOCK_STREAM, 65535) >= 0);
	berth_stack_free(stack);
}

TEST(port, zero_picks_ephemeral_ports_that_differ_and_are_not_in_a_row)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	uint16_t last = 0;
	int in_a_row = 0;

	for (int i = 0; i < 200; i++) {
		int fd = bound(stack, SOCK_DGRAM, 0);
		uint16_t port;

		REQUIRE(fd >= 0);
		port = port_of(stack, fd);
		CHECK(port >= 32768 && port <= 60999);
		in_a_row += port == last + 1;
		last = port;
	}
	CHECK(in_a_row < 10);
	berth_stack_free(stack);
}

TEST(port, the_whole_ephemeral_range_can_be_used_and_then_is_full)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int count = 0, fd;

	while ((fd = bound(stack, SOCK_DGRAM, 0)) >= 0)
		count++;
	CHECK_EQ(fd, -EADDRINUSE);
	CHECK_EQ(count, 60999 - 32768 + 1);
	berth_close(stack, 100);
	CHECK(bound(stack, SOCK_DGRAM, 0) >= 0);
	CHECK_EQ(bound(stack, SOCK_DGRAM, 0), -EADDRINUSE);
	berth_stack_free(stack);
}

/* A port that comes back to the same peer at once may meet what is left of the connection before. */
TEST(port, chosen_for_connections_come_back_late)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	struct berth_endpoint remote = { ip_from_u32(0x0a000002), 80 };
	static bool seen[65536];
	int repeated = 0;

	for (int i = 0; i < 5000; i++) {
		struct port_claim claim = { .ip = ip_from_u32(0x0a000001), .protocol = 6, .families = CLAIM_IP4 };

		list_init(&claim.node);
		REQUIRE(port_claim_connect(stack, &claim, &remote) == 0);
		repeated += seen[claim.port];
		seen[claim.port] = true;
		port_release(stack, &claim);
	}
	CHECK_EQ(repeated, 0);
	berth_stack_free(stack);
}

TEST(port, is_free_again_after_close)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int fd = bound(stack, SOCK_STREAM, 80);

	CHECK_EQ(bound(stack, SOCK_STREAM, 80), -EADDRINUSE);
	berth_close(stack, fd);
	CHECK(bound(stack, SOCK_STREAM, 80) >= 0);
	berth_stack_free(stack);
}

TEST(port, tells_who_holds_it)
{
	struct berth_stack *stack = berth_stack_new(NULL);
	int fds[4], fd = bound(stack, SOCK_STREAM, 80);

	CHECK_EQ(berth_port_holders(stack, 6, 80, fds, 4), 1);
	CHECK_EQ(fds[0], fd);
	CHECK_EQ(berth_port_holders(stack, 17, 80, fds, 4), 0);
	CHECK_EQ(berth_port_holders(stack, 6, 81, fds, 4), 0);
	berth_stack_free(stack);
}

TEST(port, has_a_service_name)
{
	CHECK_STR(berth_service_name(6, 80), "http");
	CHECK_STR(berth_service_name(17, 53), "domain");
	CHECK(!berth_service_name(17, 80));
	CHECK(!berth_service_name(6, 81));
	CHECK_EQ(berth_service_port(6, "redis"), 6379);
	CHECK_EQ(berth_service_port(6, "nonsense"), -ENOENT);
}

/* The table must be in order, for the search stops early. */
TEST(port, every_service_is_found_by_its_number)
{
	int found = 0;

	for (unsigned port = 1; port < 65536; port++) {
		const char *name = berth_service_name(6, (uint16_t)port);

		if (name && ++found)
			CHECK_EQ(berth_service_port(6, name), port);
	}
	CHECK(found > 60);
}

TEST(demux, finds_each_of_many_and_nothing_else)
{
	enum { COUNT = 5000 };
	static struct demux_node nodes[COUNT];
	struct berth_stack *stack = berth_stack_new(NULL);
	struct berth_endpoint local = { ip_from_u32(0x0a000001), 80 };

	for (unsigned i = 0; i < COUNT; i++) {
		nodes[i] = (struct demux_node){ .kind = DEMUX_TIMEWAIT,
						.protocol = 6,
						.local = local,
						.remote = { ip_from_u32(0x0a000100 + i / 100),
							    (uint16_t)(1000 + i % 100) } };
		CHECK_EQ(demux_add(stack, &nodes[i]), 0);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		CHECK(demux_find(stack, 6, &local, &nodes[i].remote) == &nodes[i]);
		CHECK(!demux_find(stack, 17, &local, &nodes[i].remote));
		CHECK_EQ(demux_add(stack,
				   &(struct demux_node){ .protocol = 6, .local = local, .remote = nodes[i].remote }),
			 -EADDRINUSE);
	}
	for (unsigned i = 0; i < COUNT; i += 2)
		demux_remove(stack, &nodes[i]);
	for (unsigned i = 0; i < COUNT; i++)
		CHECK((demux_find(stack, 6, &local, &nodes[i].remote) != NULL) == (i % 2 == 1));
	berth_stack_free(stack);
}
