/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/world.h"

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ip6.h"
#include "wire/ndp.h"
#include "core/ip/ip.h"

#include <errno.h>

static void *count_alloc(void *context, size_t size)
{
	struct world *world = context;
	void *memory;

	if (world->fail_in && --world->fail_in == 0)
		return NULL;
	memory = malloc(size);
	world->live++;
	world->live_bytes += size;
	return memory;
}

static void count_free(void *context, void *memory, size_t size)
{
	struct world *world = context;

	world->live--;
	world->live_bytes -= size;
	free(memory);
}

static size_t header_length(const struct world *world)
{
	return world->type == BERTH_LINK_ETHERNET ? WIRE_ETHERNET_LENGTH : 0;
}

static void on_transmit(void *context, struct berth_packet *packet)
{
	struct end *end = context;
	size_t header = header_length(end->world);

	check_frame(end->world->type, packet->data, packet->length);
	MUST(packet->length <= WORLD_MTU + header);
	end->last_length = MIN(packet->length, sizeof(end->last));
	memcpy(end->last, packet->data, end->last_length);
	frame_sent(end, packet->data + header, packet->length - header);
	packet_queue_push(&end->sent, packet);
	if (end->sent.count > 512)
		berth_packet_unref(packet_queue_pop(&end->sent));
}

static void on_ready(void *context, int fd, unsigned events)
{
	struct end *end = context;

	MUST(fd >= 0);
	if (fd < WORLD_FDS)
		end->known[fd] = events;
}

/* Ask for 10.0.0.1's, and for fd00::1's, hardware address: then the stack knows ours. */
static void introduce_peer(struct end *end)
{
	uint8_t peer = end->number ? 1 : 2, arp_bytes[WIRE_ARP_LENGTH], bytes[WIRE_IP6_LENGTH + 32] = { 0 };
	struct wire_arp arp = { .operation = ARP_REQUEST,
				.sender_mac = { 2, 0, 0, 0, 0, peer },
				.sender_ip = ip_from_u32(0x0a000000u + peer),
				.target_ip = ip_from_u32(0x0a000000u + 3u - peer) };
	struct wire_ip6 ip6 = { .payload_length = 32,
				.next_header = PROTOCOL_ICMP6,
				.hop_limit = 255,
				.source = { { 0xfd, [15] = peer } } };
	struct wire_ndp ndp = { .type = ICMP6_NEIGHBOUR_SOLICIT,
				.target = { { 0xfd, [15] = (uint8_t)(3 - peer) } },
				.has_link_address = true,
				.link_address = { 2, 0, 0, 0, 0, peer } };
	uint32_t sum;

	wire_arp_build(arp_bytes, &arp);
	frame_deliver(end, arp_bytes, sizeof(arp_bytes));
	ip6.destination = ip_solicited_node(ndp.target);
	wire_ip6_build(bytes, &ip6);
	wire_ndp_build(bytes + WIRE_IP6_LENGTH, &ndp);
	sum = ip_pseudo_sum(ip6.source, ip6.destination, PROTOCOL_ICMP6, 32);
	put_be16(bytes + WIRE_IP6_LENGTH + 2, checksum_finish(checksum_add(sum, bytes + WIRE_IP6_LENGTH, 32)));
	frame_deliver(end, bytes, sizeof(bytes));
}

static void end_up(struct world *world, struct end *end, int number)
{
	uint8_t host = (uint8_t)(number + 1);
	struct berth_stack_config config = { .seed = host,
					     .now = world->now,
					     .allocator = &world->allocator,
					     .limits = { .sockets = WORLD_FDS,
							 .send_buffer = 20000,
							 .receive_buffer = 20000,
							 .neighbours = 8,
							 .syn_queue = 4,
							 .time_wait = 4,
							 .fastopen = BERTH_FASTOPEN_CLIENT | BERTH_FASTOPEN_SERVER |
								     BERTH_FASTOPEN_SERVER_NO_COOKIE,
							 .syn_cookies = world->cookies ? BERTH_SYN_COOKIES_ALWAYS : 0,
							 .reassemblies = 4 },
					     .hooks = { .context = end, .ready = on_ready } };
	struct berth_link_config link = { .name = "cable",
					  .type = world->type,
					  .mac = { 2, 0, 0, 0, 0, host },
					  .mtu = WORLD_MTU,
					  .flags = BERTH_LINK_NO_DAD,
					  .transmit = on_transmit,
					  .context = end };
	struct berth_ip ip6 = { { 0xfd, [15] = host } };

	end->world = world;
	end->number = number;
	end->stack = berth_stack_new(&config);
	MUST(end->stack);
	MUST(berth_link_add(end->stack, &link, &end->link) == 0);
	MUST(berth_link_add_address(end->link, ip_from_u32(0x0a000000u + host), 24) == 0);
	MUST(berth_link_add_address(end->link, ip6, 64) == 0);
}

void world_up(struct world *world, struct input *input, unsigned count)
{
	uint8_t kind;

	*world = (struct world){ .input = input, .count = count, .now = 1000 * BERTH_SEC };
	world->allocator = (struct berth_allocator){ count_alloc, count_free, world };
	kind = input_u8(input);
	world->type = kind & 1 ? BERTH_LINK_ETHERNET : BERTH_LINK_IP;
	world->cookies = kind & 2;
	for (unsigned i = 0; i < count; i++)
		end_up(world, &world->ends[i], (int)i);
	for (unsigned i = 0; i < count && world->type == BERTH_LINK_ETHERNET; i++)
		introduce_peer(&world->ends[i]);
	world_settle(world);
}

void world_down(struct world *world)
{
	world->fail_in = 0;
	for (unsigned i = 0; i < world->count; i++)
		berth_stack_free(world->ends[i].stack);
	for (unsigned i = 0; i < world->count; i++)
		packet_queue_clear(&world->ends[i].sent);
	MUST(world->live == 0 && world->live_bytes == 0);
}

static bool is_local(struct end *end, int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	return berth_getsockopt(end->stack, fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

/* Does POLLIN say what recv() does? A listener is not read from. */
static void check_readable(struct end *end, int fd, int readiness)
{
	struct berth_socket_info info;
	uint8_t byte;
	ssize_t r;

	if (berth_socket_inspect(end->stack, fd, &info) < 0 || !strcmp(info.state, "LISTEN") || end->low_water[fd])
		return;
	if (readiness & BERTH_POLLERR || end->world->fail_in)
		return; /* recv() would take the error away, or its memory could fail */
	if (readiness & BERTH_POLLRDHUP && is_local(end, fd))
		return; /* a datagram socket that is shut has POLLIN and EAGAIN, as Linux's */
	r = berth_recv(end->stack, fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (readiness & BERTH_POLLIN)
		MUST(r >= 0 || errno != EAGAIN);
	else
		MUST(r < 0);
}

static void check_readiness(struct end *end)
{
	for (int fd = 0; fd < WORLD_FDS; fd++) {
		int readiness = berth_readiness(end->stack, fd);

		if (readiness < 0) {
			end->known[fd] = 0;
			end->low_water[fd] = false;
			continue;
		}
		MUST(((unsigned)readiness & ~end->known[fd]) == 0);
		end->known[fd] = (unsigned)readiness;
		check_readable(end, fd, readiness);
	}
}

void world_settle(struct world *world)
{
	for (unsigned i = 0; i < world->count; i++) {
		struct end *end = &world->ends[i];
		int turns = 0;

		do {
			berth_stack_advance(end->stack, world->now);
			MUST(turns++ < 10000); /* a timer, or loopback, that never rests */
		} while (berth_stack_deadline(end->stack) <= world->now);
		check_readiness(end);
	}
}

void world_wait(struct world *world)
{
	static const berth_time units[] = { BERTH_MSEC / 8, BERTH_MSEC, 50 * BERTH_MSEC, BERTH_SEC };
	uint8_t amount = input_u8(world->input);
	berth_time until = world->now + (amount >> 2) * units[amount & 3];

	for (int i = 0; i < 200 && world->now < until; i++) {
		berth_time next = until;

		for (unsigned n = 0; n < world->count; n++)
			next = MIN(next, berth_stack_deadline(world->ends[n].stack));
		world->now = MAX(next, world->now);
		world_settle(world);
	}
	world->now = until;
}
