/* SPDX-License-Identifier: BSD-2-Clause */
/* Two stacks in one thread, joined by two rings of packets that pass by reference. */
#include "pair.h"

#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *count_alloc(void *context, size_t size)
{
	struct pair *pair = context;

	pair->memory += size;
	return malloc(size);
}

static void count_free(void *context, void *memory, size_t size)
{
	struct pair *pair = context;

	pair->memory -= size;
	free(memory);
}

static void queue_grow(struct queue *queue)
{
	size_t room = queue->room ? queue->room * 2 : 1024;
	struct berth_packet **packets = malloc(room * sizeof(struct berth_packet *));

	for (size_t i = 0; i < queue->count; i++)
		packets[i] = queue->packets[(queue->head + i) & (queue->room - 1)];
	free(queue->packets);
	queue->packets = packets;
	queue->room = room;
	queue->head = 0;
}

static void transmit(void *context, struct berth_packet *packet)
{
	struct pair_end *end = context;
	struct pair *pair = end->pair;
	struct queue *queue = &pair->queues[!end->side];

	if (pair->loss_permyriad && xorshift(&pair->random) % 10000 < pair->loss_permyriad) {
		berth_packet_unref(packet);
		return;
	}
	if (pair->steers[!end->side] && berth_steer_frame(pair->steers[!end->side], berth_packet_data(packet),
							  berth_packet_length(packet), pair->now) != (int)pair->index) {
		errno = EXDEV;
		fail("a frame is another core's");
	}
	if (queue->count == queue->room)
		queue_grow(queue);
	queue->packets[(queue->head + queue->count++) & (queue->room - 1)] = packet;
}

static struct berth_ip address_of(int side)
{
	struct berth_ip ip;

	berth_ip_parse(side ? "10.0.0.2" : "10.0.0.1", &ip);
	return ip;
}

static int wait_hook(void *context, berth_time deadline)
{
	pair_run(context);
	return 0;
}

static berth_time now_hook(void *context)
{
	const struct pair *pair = context;

	return pair->now;
}

void pair_init(struct pair *pair, const struct pair_options *options)
{
	*pair = (struct pair){ .simulated = options->simulated, .index = options->index, .random = 88172645463325252u };
	pair->now = options->simulated ? 1000000000 : berth_clock();
	pair->allocator = (struct berth_allocator){ count_alloc, count_free, pair };
	pair->pool = berth_packet_pool_new(NULL, 0);
	for (int side = 0; side < 2; side++) {
		struct berth_stack_config config = { .seed = (uint64_t)side + 1,
						     .now = pair->now,
						     .packets = pair->pool };
		struct berth_link_config link = {
			.name = "cable",
			.type = BERTH_LINK_IP,
			.mtu = options->mtu,
			.superframe = options->superframe,
			.flags = BERTH_LINK_NO_DAD | BERTH_LINK_UDP_RUNS |
				 (options->checksums ? 0 : BERTH_LINK_NO_CHECKSUMS),
			.transmit = transmit,
			.context = &pair->ends[side],
		};

		if (options->blocking)
			config.hooks = (struct berth_hooks){ .context = pair, .wait = wait_hook, .now = now_hook };
		if (options->count_memory)
			config.allocator = &pair->allocator;
		config.limits.sockets = 12u << 20;
		config.limits.time_wait = options->time_wait;
		config.limits.send_buffer = config.limits.receive_buffer = 1u << 20;
		pair->ends[side] = (struct pair_end){ pair, side };
		pair->stacks[side] = berth_stack_new(&config);
		if (options->steering) {
			pair->steers[side] = berth_steer_new(options->steering, BERTH_LINK_IP, NULL);
			if (berth_stack_set_steering(pair->stacks[side], options->steering, options->index) < 0)
				fail("steering");
		}
		berth_link_add(pair->stacks[side], &link, &pair->links[side]);
		berth_link_add_address(pair->links[side], address_of(side), 24);
	}
}

void pair_fini(struct pair *pair)
{
	for (int side = 0; side < 2; side++) {
		struct queue *queue = &pair->queues[side];

		for (; queue->count; queue->count--)
			berth_packet_unref(queue->packets[queue->head++ & (queue->room - 1)]);
		free(queue->packets);
	}
	for (int side = 0; side < 2; side++) {
		berth_steer_free(pair->steers[side]);
		berth_stack_free(pair->stacks[side]);
	}
	berth_packet_pool_unref(pair->pool);
}

static bool carry(struct pair *pair, int side)
{
	struct queue *queue = &pair->queues[side];
	size_t count = queue->count, left = count;

	/* What comes back is for the other side, so that the ring stays as it is meanwhile. */
	while (left) {
		size_t at = queue->head & (queue->room - 1), piece = queue->room - at < left ? queue->room - at : left;

		berth_stack_input_many(pair->stacks[side], pair->links[side], queue->packets + at, piece, pair->now);
		queue->head += piece;
		queue->count -= piece;
		left -= piece;
	}
	return count > 0;
}

void pair_run(struct pair *pair)
{
	bool moved;

	pair->now = pair->simulated ? pair->now + 1000 : berth_clock();
	do {
		moved = carry(pair, 0) | carry(pair, 1);
	} while (moved);
	for (int side = 0; side < 2; side++)
		if (berth_stack_deadline(pair->stacks[side]) <= pair->now)
			berth_stack_advance(pair->stacks[side], pair->now);
}

static struct sockaddr_in name_of(uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct berth_ip ip = address_of(1);

	memcpy(&name.sin_addr, ip.bytes + 12, 4);
	return name;
}

int pair_listen(struct pair *pair, uint16_t port, int backlog)
{
	struct sockaddr_in name = name_of(port);
	int fd = berth_socket(pair->stacks[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (berth_bind(pair->stacks[1], fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    berth_listen(pair->stacks[1], fd, backlog) < 0) {
		fail("listen");
	}
	return fd;
}

int pair_connect(struct pair *pair, uint16_t port)
{
	struct sockaddr_in name = name_of(port);
	int fd = berth_socket(pair->stacks[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	    (berth_connect(pair->stacks[0], fd, (struct sockaddr *)&name, sizeof(name)) < 0 && errno != EINPROGRESS)) {
		fail("connect");
	}
	return fd;
}
