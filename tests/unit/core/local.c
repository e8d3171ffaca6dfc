/* SPDX-License-Identifier: BSD-2-Clause */
/* Local sockets: waiting, limits, what is reported, memory. That they answer as the kernel's: local_kernel.c. */
#include "test.h"

#include <berth/berth.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

/* "@x" is abstract. Returns the length. */
static socklen_t address_of(const char *name, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(un->sun_path, name, strlen(name));
	if (name[0] == '@')
		un->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] != '@'));
}

struct world {
	struct berth_stack *stack;
	berth_time now;
	int reader, turns;
	bool closes;
	unsigned reported[16]; /* rises by descriptor */
	size_t allocations, fails_at, live;
};

static int wait_hook(void *context, berth_time deadline)
{
	struct world *world = context;
	char bytes[65536];

	world->turns++;
	world->now += BERTH_MSEC;
	if (world->turns > 1000)
		return -EINTR;
	if (world->reader >= 0)
		berth_recv(world->stack, world->reader, bytes, sizeof(bytes), MSG_DONTWAIT);
	return 0;
}

static berth_time now_hook(void *context)
{
	return ((struct world *)context)->now;
}

static void ready_hook(void *context, int fd, unsigned events)
{
	struct world *world = context;

	world->reported[fd % 16]++;
	if (world->closes)
		berth_close(world->stack, fd);
}

static void *world_alloc(void *context, size_t size)
{
	struct world *world = context;

	if (++world->allocations == world->fails_at)
		return NULL;
	world->live++;
	return malloc(size);
}

static void world_free(void *context, void *memory, size_t size)
{
	((struct world *)context)->live--;
	free(memory);
}

static bool world_up(struct world *world, bool waits)
{
	static struct berth_allocator allocator;
	struct berth_stack_config config = { .seed = 1, .allocator = &allocator, .hooks = { .context = world } };

	allocator = (struct berth_allocator){ .context = world, .alloc = world_alloc, .free = world_free };
	config.hooks.ready = ready_hook;
	if (waits) {
		config.hooks.wait = wait_hook;
		config.hooks.now = now_hook;
	}
	world->reader = -1;
	world->stack = berth_stack_new(&config);
	return world->stack;
}

static struct sockaddr_un name_un(const char *name, socklen_t *length)
{
	struct sockaddr_un un;

	*length = address_of(name, &un);
	return un;
}

TEST(local, a_slow_reader_stops_its_writer)
{
	struct world world = { 0 };
	char *bytes = calloc(1, 1 << 20);
	size_t sent = 0;
	int fds[2];
	ssize_t n;

	REQUIRE(world_up(&world, false));
	REQUIRE(!berth_socketpair(world.stack, AF_UNIX, SOCK_STREAM, 0, fds));
	while ((n = berth_send(world.stack, fds[0], bytes, 1 << 20, 0)) > 0)
		sent += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(sent >= 128 << 10 && sent <= 384 << 10); /* SO_SNDBUF is 256 KiB */
	CHECK(!(berth_readiness(world.stack, fds[0]) & BERTH_POLLOUT));
	world.reported[fds[0] % 16] = 0;
	for (size_t got = 0; got < sent; got += (size_t)n) {
		n = berth_recv(world.stack, fds[1], bytes, 4096, 0);
		REQUIRE(n > 0);
	}
	CHECK_EQ(world.reported[fds[0] % 16], 1); /* once, not once a read */
	CHECK(berth_readiness(world.stack, fds[0]) & BERTH_POLLOUT);
	berth_stack_free(world.stack);
	CHECK_EQ(world.live, 0);
	free(bytes);
}

TEST(local, blocking_writers_and_readers_wait)
{
	struct world world = { 0 };
	char *bytes = calloc(1, 1 << 20);
	int fds[2];

	REQUIRE(world_up(&world, true));
	REQUIRE(!berth_socketpair(world.stack, AF_UNIX, SOCK_STREAM, 0, fds));
	world.reader = fds[1];
	CHECK_EQ(berth_send(world.stack, fds[0], bytes, 1 << 20, 0), 1 << 20);
	CHECK(world.turns > 3);
	REQUIRE(!berth_socketpair(world.stack, AF_UNIX, SOCK_DGRAM, 0, fds));
	berth_setsockopt(world.stack, fds[1], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 20000 },
			 sizeof(struct timeval));
	world.reader = -1;
	world.turns = 0;
	CHECK_EQ(berth_recv(world.stack, fds[1], bytes, 10, 0), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(world.turns, 20);
	berth_stack_free(world.stack);
	CHECK_EQ(world.live, 0);
	free(bytes);
}

TEST(local, one_who_found_a_queue_full_hears_when_it_is_not)
{
	struct world world = { 0 };
	struct sockaddr_un un;
	socklen_t length;
	char bytes[8];
	int reader, writer;

	REQUIRE(world_up(&world, false));
	un = name_un("@queue", &length);
	reader = berth_socket(world.stack, AF_UNIX, SOCK_DGRAM, 0);
	writer = berth_socket(world.stack, AF_UNIX, SOCK_DGRAM, 0);
	REQUIRE(!berth_bind(world.stack, reader, (struct sockaddr *)&un, length));
	for (int i = 0; i < 11; i++)
		CHECK_EQ(berth_sendto(world.stack, writer, "x", 1, 0, (struct sockaddr *)&un, length), 1);
	CHECK_EQ(berth_sendto(world.stack, writer, "x", 1, 0, (struct sockaddr *)&un, length), -1);
	CHECK_EQ(errno, EAGAIN);
	world.reported[writer] = 0;
	CHECK_EQ(berth_recv(world.stack, reader, bytes, sizeof(bytes), 0), 1);
	CHECK_EQ(world.reported[writer], 1);
	CHECK_EQ(berth_sendto(world.stack, writer, "x", 1, 0, (struct sockaddr *)&un, length), 1);
	berth_stack_free(world.stack);
	CHECK_EQ(world.live, 0);
}

TEST(local, messages_longer_than_a_packet_stay_whole)
{
	struct world world = { 0 };
	size_t size = 200000;
	uint8_t *bytes = malloc(size), *got = malloc(size);
	int fds[2];

	REQUIRE(world_up(&world, false));
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i % 251);
	REQUIRE(!berth_socketpair(world.stack, AF_UNIX, SOCK_SEQPACKET, 0, fds));
	CHECK_EQ(berth_send(world.stack, fds[0], bytes, size, 0), size);
	CHECK_EQ(berth_send(world.stack, fds[1], "next", 4, 0), 4);
	CHECK_EQ(berth_recv(world.stack, fds[1], got, 10, MSG_PEEK | MSG_TRUNC), size);
	CHECK_EQ(berth_recv(world.stack, fds[1], got, size, 0), size);
	CHECK_BYTES(got, bytes, size);
	CHECK_EQ(berth_send(world.stack, fds[0], bytes, 256 << 10, 0), -1);
	CHECK_EQ(errno, EMSGSIZE);
	berth_stack_free(world.stack);
	CHECK_EQ(world.live, 0);
	free(bytes);
	free(got);
}

static int see(void *context, const struct berth_socket_info *info)
{
	if (info->local_name && !strcmp(info->local_name, "shown") && !strcmp(info->state, "LISTEN")) {
		CHECK_STR(info->protocol_name, "local-stream");
		CHECK_EQ(info->receive_queue, 1);
		CHECK_EQ(info->send_queue, 5);
		++*(int *)context;
	}
	return 0;
}

TEST(local, sockets_are_shown_with_their_names)
{
	struct world world = { 0 };
	struct berth_socket_info info;
	struct sockaddr_un un;
	socklen_t length;
	int seen = 0, listener, fd;

	REQUIRE(world_up(&world, false));
	un = name_un("shown", &length);
	listener = berth_socket(world.stack, AF_UNIX, SOCK_STREAM, 0);
	fd = berth_socket(world.stack, AF_UNIX, SOCK_STREAM, 0);
	REQUIRE(!berth_bind(world.stack, listener, (struct sockaddr *)&un, length));
	REQUIRE(!berth_listen(world.stack, listener, 5));
	REQUIRE(!berth_connect(world.stack, fd, (struct sockaddr *)&un, length));
	berth_socket_each(world.stack, see, &seen);
	CHECK_EQ(seen, 1);
	REQUIRE(!berth_socket_inspect(world.stack, fd, &info));
	CHECK(!info.local_name);
	CHECK_STR(info.remote_name, "shown");
	berth_stack_free(world.stack); /* with a connection that was not accepted, and a pathname */
	CHECK_EQ(world.live, 0);
}

/* A few of everything; calls may fail, and hooks may close what they hear of. */
static void everything(struct world *world)
{
	struct berth_stack *stack = world->stack;
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	char bytes[100000] = "";
	struct sockaddr_un un;
	socklen_t length;

	for (int i = 0; i < 3; i++) {
		int a = berth_socket(stack, AF_UNIX, types[i], 0), b = berth_socket(stack, AF_UNIX, types[i], 0);
		int fds[2] = { -1, -1 };

		un = name_un(i ? "@all" : "all", &length);
		berth_bind(stack, a, (struct sockaddr *)&un, length);
		berth_bind(stack, b, (struct sockaddr *)&(struct sockaddr_un){ .sun_family = AF_UNIX }, 2);
		berth_listen(stack, a, 0);
		berth_connect(stack, b, (struct sockaddr *)&un, length);
		berth_send(stack, b, bytes, sizeof(bytes), 0);
		int c = types[i] == SOCK_DGRAM ? a : berth_accept(stack, a, NULL, NULL, 0);
		berth_recv(stack, c, bytes, sizeof(bytes), 0);
		berth_send(stack, c, bytes, 10, 0);
		berth_shutdown(stack, b, SHUT_WR);
		berth_socketpair(stack, AF_UNIX, types[i], 0, fds);
		berth_send(stack, fds[0], bytes, 100, 0);
		berth_close(stack, fds[0]);
		berth_close(stack, a);
	}
}

TEST(local, memory_that_is_not_there_breaks_nothing)
{
	size_t total = 1;

	for (size_t fails_at = 0; fails_at <= total; fails_at++) {
		struct world world = { .fails_at = fails_at };

		if (!world_up(&world, false)) {
			CHECK_EQ(world.live, 0);
			continue;
		}
		everything(&world);
		berth_stack_free(world.stack);
		CHECK_EQ(world.live, 0);
		total = fails_at ? total : world.allocations;
	}
	CHECK(total > 20);
}

TEST(local, hooks_may_close_what_they_hear_of)
{
	struct world world = { .closes = true };

	REQUIRE(world_up(&world, false));
	for (int i = 0; i < 20; i++) {
		world.closes = i % 2;
		everything(&world);
	}
	for (int fd = 0; fd < 200; fd++) {
		world.closes = true;
		berth_send(world.stack, fd, "x", 1, 0);
		berth_close(world.stack, fd);
	}
	berth_stack_free(world.stack);
	CHECK_EQ(world.live, 0);
}
