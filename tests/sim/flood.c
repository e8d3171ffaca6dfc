/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floods at a server with an ordinary listener, and an ordinary client who
 * connects all the while: 100,000 SYNs, ACKs or RSTs in ten seconds from
 * addresses that are made up (RFC 4987 §2, RFC 5961 §3). The client must get in as often as
 * without them, what the server holds must stay small, and counters must tell.
 */
#include "tests/test.h"

#include "base/bytes.h"
#include "base/ip.h"
#include "base/packet.h"
#include "base/random.h"
#include "core/ip/ip.h"
#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

#include <berth/berth.h>

#include <arpa/inet.h>
#include <stdlib.h>

#define SEGMENTS 100000
#define DURATION (10 * BERTH_SEC)
#define DELAY (5 * BERTH_MSEC)
#define VISIT_EVERY (10 * BERTH_MSEC)
#define MEMORY ((size_t)4 << 20)

enum { BACKLOG = 128, VISITS_MAX = 8, CLIENT, SERVER };

static struct flood {
	struct berth_stack *stacks[2];
	struct berth_link *links[2];
	struct frame {
		struct berth_packet *packet;
		berth_time due;
		int to;
	} frames[1024];
	unsigned head, count;
	struct random random;
	struct berth_allocator allocator; /* the server's */
	size_t live, most;
	berth_time now;
	int listener, held, visits[VISITS_MAX]; /* held: a connection that lives through all this; -1: none */
	unsigned served, tried;
} flood;

static void *count_alloc(void *context, size_t size)
{
	flood.live += size;
	flood.most = MAX(flood.most, flood.live);
	return malloc(size);
}

static void count_free(void *context, void *memory, size_t size)
{
	flood.live -= size;
	free(memory);
}

static struct berth_ip address_of(int side)
{
	return ip_from_u32(0x0a000001u + (unsigned)side);
}

/* What goes to addresses that were made up is gone. */
static void transmit(void *context, struct berth_packet *packet)
{
	int to = context == &flood.links[0];
	struct wire_ip4 ip4;

	if (wire_ip4_parse(packet->data, packet->length, &ip4) < 0 || !ip_equal(ip4.destination, address_of(to))) {
		berth_packet_unref(packet);
		return;
	}
	CHECK(flood.count < COUNT_OF(flood.frames));
	flood.frames[(flood.head + flood.count++) % COUNT_OF(flood.frames)] =
		(struct frame){ packet, flood.now + DELAY, to };
}

static void deliver(void)
{
	while (flood.count && flood.frames[flood.head].due <= flood.now) {
		struct frame frame = flood.frames[flood.head];
		struct berth_packet *copy = berth_packet_copy(berth_stack_packets(flood.stacks[frame.to]),
							      frame.packet->data, frame.packet->length);

		flood.head = (flood.head + 1) % COUNT_OF(flood.frames);
		flood.count--;
		berth_packet_unref(frame.packet);
		if (copy)
			berth_stack_input(flood.stacks[frame.to], flood.links[frame.to], copy, flood.now);
	}
}

static struct sockaddr_in server_name(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(0x0a000002) } };
}

static int connect_client(void)
{
	struct sockaddr_in name = server_name();
	int fd = berth_socket(flood.stacks[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	berth_connect(flood.stacks[0], fd, (void *)&name, sizeof(name));
	return fd;
}

/* The server answers whoever comes with a byte, and hangs up. */
static void serve(void)
{
	int fd;

	while ((fd = berth_accept(flood.stacks[1], flood.listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (flood.held < 0) {
			flood.held = fd;
			continue;
		}
		berth_send(flood.stacks[1], fd, "!", 1, 0);
		berth_close(flood.stacks[1], fd);
	}
}

static void visit(void)
{
	char byte;

	for (int i = 0; i < VISITS_MAX; i++) {
		int *fd = &flood.visits[i];

		if (*fd >= 0 && berth_recv(flood.stacks[0], *fd, &byte, 1, 0) == 1) {
			berth_close(flood.stacks[0], *fd);
			*fd = -1;
			flood.served++;
		}
		if (*fd < 0 && flood.now >= flood.tried * VISIT_EVERY && flood.now < DURATION) {
			*fd = connect_client();
			flood.tried++;
		}
	}
}

static void pass_time(berth_time until)
{
	while (flood.now < until) {
		berth_time next = until;

		for (int side = 0; side < 2; side++)
			next = MIN(next, berth_stack_deadline(flood.stacks[side]));
		if (flood.count)
			next = MIN(next, flood.frames[flood.head].due);
		flood.now = MAX(flood.now, next);
		deliver();
		for (int side = 0; side < 2; side++)
			berth_stack_advance(flood.stacks[side], flood.now);
		serve();
		visit();
	}
}

static void begin(void)
{
	struct sockaddr_in name = server_name();

	memset(&flood, 0, sizeof(flood));
	random_init(&flood.random, 1);
	flood.allocator = (struct berth_allocator){ count_alloc, count_free, NULL };
	flood.held = -1;
	for (int i = 0; i < VISITS_MAX; i++)
		flood.visits[i] = -1;
	for (int side = 0; side < 2; side++) {
		struct berth_stack_config config = { .seed = (uint64_t)side + 1,
						     .allocator = side ? &flood.allocator : NULL,
						     .limits = { .memory = MEMORY } };
		struct berth_link_config link = { .name = "cable",
						  .type = BERTH_LINK_IP,
						  .mtu = 1500,
						  .transmit = transmit,
						  .context = &flood.links[side] };

		flood.stacks[side] = berth_stack_new(&config);
		CHECK_EQ(berth_link_add(flood.stacks[side], &link, &flood.links[side]), 0);
		CHECK_EQ(berth_link_add_address(flood.links[side], address_of(side), 24), 0);
		CHECK_EQ(berth_route_add(flood.stacks[side], ip_from_u32(0), 0, ip_any, flood.links[side]), 0);
	}
	flood.listener = berth_socket(flood.stacks[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(berth_bind(flood.stacks[1], flood.listener, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(berth_listen(flood.stacks[1], flood.listener, BACKLOG), 0);
}

static void end(void)
{
	for (; flood.count; flood.count--)
		berth_packet_unref(flood.frames[flood.head++ % COUNT_OF(flood.frames)].packet);
	for (int side = 0; side < 2; side++)
		berth_stack_free(flood.stacks[side]);
	CHECK_EQ(flood.live, 0);
}

/* A segment to the server's port from an address that nobody has, or from the client's. */
static void forge(uint8_t flags, struct berth_ip source, uint16_t port)
{
	struct wire_tcp tcp = { .source_port = port,
				.destination_port = 80,
				.seq = (uint32_t)random_u64(&flood.random),
				.ack = flags & WIRE_TCP_ACK ? (uint32_t)random_u64(&flood.random) : 0,
				.flags = flags,
				.window = 60000 };
	uint8_t bytes[WIRE_IP4_LENGTH + WIRE_TCP_HEADER_MAX], *segment = bytes + WIRE_IP4_LENGTH;
	size_t length = wire_tcp_build(segment, &tcp);
	struct wire_ip4 ip4 = { .total_length = (uint16_t)(WIRE_IP4_LENGTH + length),
				.ttl = 64,
				.protocol = IPPROTO_TCP,
				.source = source,
				.destination = address_of(1) };
	uint32_t sum = ip_pseudo_sum(source, address_of(1), IPPROTO_TCP, (uint32_t)length);
	struct berth_packet *packet;

	put_be16(segment + WIRE_TCP_CHECKSUM_OFFSET, checksum_finish(checksum_add(sum, segment, length)));
	wire_ip4_build(bytes, &ip4);
	packet = berth_packet_copy(berth_stack_packets(flood.stacks[1]), bytes, WIRE_IP4_LENGTH + length);
	CHECK(packet);
	if (packet)
		berth_stack_input(flood.stacks[1], flood.links[1], packet, flood.now);
}

static void forge_from_anywhere(uint8_t flags)
{
	forge(flags, ip_from_u32(0x64400000u + (uint32_t)random_below(&flood.random, 1 << 22)),
	      (uint16_t)(1024 + random_below(&flood.random, 60000)));
}

/* Visits that are served within the ten seconds of a flood; 0: of none. */
static unsigned served_under(uint8_t flags)
{
	begin();
	for (int i = 0; i < SEGMENTS; i++) {
		if (flags)
			forge_from_anywhere(flags);
		pass_time((i + 1) * (DURATION / SEGMENTS));
	}
	return flood.served;
}

static uint64_t count(enum berth_event event)
{
	return berth_event_count(flood.stacks[1], event);
}

static int count_half_open(void *context, const struct berth_socket_info *info)
{
	*(unsigned *)context += !strcmp(info->state, "SYN-RECV");
	return 0;
}

TEST(flood, syns_keep_nobody_out_and_cost_no_memory)
{
	unsigned quiet = served_under(0), half_open = 0;

	CHECK(quiet >= 900);
	end();
	CHECK(served_under(WIRE_TCP_SYN) >= quiet * 9 / 10);
	berth_socket_each(flood.stacks[1], count_half_open, &half_open);
	CHECK(half_open <= BACKLOG);
	CHECK(count(BERTH_EVENT_TCP_COOKIE_SENT) >= SEGMENTS * 9 / 10);
	CHECK(count(BERTH_EVENT_TCP_COOKIE_TAKEN) >= quiet * 8 / 10);
	CHECK_EQ(count(BERTH_EVENT_TCP_COOKIE_FAILED), 0);
	CHECK(flood.most < MEMORY);
	printf("# %u visits served without a flood, %u in it; %llu cookies sent, %llu taken; %zu KiB held at most\n",
	       quiet, flood.served, (unsigned long long)count(BERTH_EVENT_TCP_COOKIE_SENT),
	       (unsigned long long)count(BERTH_EVENT_TCP_COOKIE_TAKEN), flood.most >> 10);
	end();
}

/* What was half open when it ended is given up, and the queue is there for others again. */
TEST(flood, when_syns_end_there_are_no_cookies_any_more)
{
	uint64_t sent;

	served_under(WIRE_TCP_SYN);
	pass_time(150 * BERTH_SEC);
	sent = count(BERTH_EVENT_TCP_COOKIE_SENT);
	connect_client();
	pass_time(151 * BERTH_SEC);
	CHECK_EQ(count(BERTH_EVENT_TCP_COOKIE_SENT), sent);
	end();
}

TEST(flood, acks_are_no_cookies)
{
	unsigned quiet = served_under(0);

	end();
	CHECK(served_under(WIRE_TCP_ACK) >= quiet * 9 / 10);
	CHECK_EQ(count(BERTH_EVENT_TCP_COOKIE_TAKEN), 0);
	CHECK_EQ(count(BERTH_EVENT_TCP_RST_SENT), SEGMENTS);
	CHECK(flood.most < MEMORY);
	end();
}

/* Not even while cookies are out. */
TEST(flood, acks_among_syns_are_no_cookies)
{
	begin();
	for (int i = 0; i < SEGMENTS; i++) {
		forge_from_anywhere(i & 1 ? WIRE_TCP_ACK : WIRE_TCP_SYN);
		pass_time((i + 1) * (DURATION / SEGMENTS));
	}
	CHECK(flood.served >= 900);
	CHECK(count(BERTH_EVENT_TCP_COOKIE_FAILED) >= SEGMENTS * 4 / 10);
	CHECK(count(BERTH_EVENT_TCP_COOKIE_TAKEN) <= flood.tried);
	CHECK(flood.most < MEMORY);
	end();
}

/* RFC 5961 §3.2: RSTs that guess at a connection do not end it, and are not all answered (§7). */
TEST(flood, resets_end_no_connection)
{
	struct sockaddr_in name = { 0 };
	socklen_t length = sizeof(name);
	int fd;

	begin();
	fd = connect_client();
	pass_time(BERTH_SEC);
	CHECK(flood.held >= 0);
	CHECK_EQ(berth_getsockname(flood.stacks[0], fd, (void *)&name, &length), 0);
	for (int i = 0; i < SEGMENTS; i++) {
		forge(WIRE_TCP_RST, address_of(0), ntohs(name.sin_port));
		pass_time(BERTH_SEC + (i + 1) * (DURATION / SEGMENTS));
	}
	CHECK_EQ(berth_send(flood.stacks[1], flood.held, "!", 1, 0), 1);
	pass_time(12 * BERTH_SEC);
	CHECK_EQ(berth_recv(flood.stacks[0], fd, &(char){ 0 }, 1, 0), 1);
	CHECK(flood.served >= flood.tried * 9 / 10);
	CHECK_EQ(count(BERTH_EVENT_TCP_RST_RECEIVED), 0);
	CHECK(flood.most < MEMORY);
	end();
}
