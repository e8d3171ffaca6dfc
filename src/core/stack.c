/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Birth, death and the clock of a stack. Everything else hangs in it: links
 * (link.c), the network layer (ip/), ports (port/), sockets (socket/) and the
 * protocols that were registered, TCP and UDP among them.
 *
 * Invariant: stack->now never runs backwards, and every timer that was due at
 * stack->now has run when berth_stack_advance() returns.
 */
#include "core/stack.h"

#include "core/group/group.h"
#include "core/ip/gather.h"
#include "core/ip/ip.h"
#include "core/local/local.h"
#include "core/port/port.h"
#include "core/socket/socket.h"

#include <errno.h>

/* Frames that one advance() takes from the loopback link before it lets others work. */
#define LOOPBACK_BUDGET 4096

static const struct berth_limits default_limits = {
	.memory = 256u << 20,
	.sockets = 1u << 20,
	.neighbours = 1024,
	.routes = 4096,
	.reassemblies = 64,
	.time_wait = 1u << 18,
	.syn_queue = 4096,
	.memberships = 64,
	.group_sources = 64,
	.send_buffer = 256u << 10,
	.receive_buffer = 256u << 10,
	.send_buffer_max = 16u << 20,
	.receive_buffer_max = 16u << 20,
	.ecn = BERTH_ECN_ACCEPT,
	.hop_limit = 64,
	.local_datagrams = 10,
	.timestamps = BERTH_TIMESTAMPS_ON,
	.sack = BERTH_SACK_ON,
	.window_scaling = BERTH_WINDOW_SCALING_ON,
	.syn_cookies = BERTH_SYN_COOKIES_WHEN_FULL,
	.fastopen = BERTH_FASTOPEN_CLIENT | BERTH_FASTOPEN_SERVER,
	.fastopen_cache = 1024,
	.notsent_low_water = UINT32_MAX,
	.mtu_probing = BERTH_MTU_PROBING_AFTER_TIMEOUTS,
	.pacing = BERTH_PACING_ASKED,
};

#define LIMIT(field) \
	do { \
		if (!limits->field) \
			limits->field = default_limits.field; \
	} while (0)

static void limits_fill(struct berth_limits *limits)
{
	LIMIT(memory);
	LIMIT(sockets);
	LIMIT(neighbours);
	LIMIT(routes);
	LIMIT(reassemblies);
	LIMIT(time_wait);
	LIMIT(syn_queue);
	LIMIT(memberships);
	LIMIT(group_sources);
	LIMIT(send_buffer);
	LIMIT(receive_buffer);
	LIMIT(send_buffer_max);
	LIMIT(receive_buffer_max);
	LIMIT(ecn);
	LIMIT(hop_limit);
	limits->hop_limit = MIN(limits->hop_limit, 255u);
	LIMIT(local_datagrams);
	LIMIT(timestamps);
	LIMIT(sack);
	LIMIT(window_scaling);
	LIMIT(syn_cookies);
	LIMIT(fastopen);
	LIMIT(fastopen_cache);
	LIMIT(notsent_low_water);
	LIMIT(mtu_probing);
	LIMIT(pacing);
}

static void detach_protocols(struct berth_stack *stack)
{
	for (size_t i = 0; i < COUNT_OF(stack->protocols); i++) {
		const struct berth_protocol *protocol = stack->protocols[i];

		if (protocol && protocol->detach)
			protocol->detach(stack, stack->protocol_states[i]);
		stack->protocols[i] = NULL;
	}
	for (size_t i = 0; i < STACK_FAMILIES && stack->families[i].protocol; i++)
		if (stack->families[i].protocol->detach)
			stack->families[i].protocol->detach(stack, stack->families[i].state);
}

static int add_loopback(struct berth_stack *stack)
{
	struct berth_link_config config = {
		.name = "lo", .type = BERTH_LINK_IP, .mtu = 65535, .flags = BERTH_LINK_NO_CHECKSUMS | BERTH_LINK_NO_DAD
	};
	struct berth_ip one4 = ip_from_u32(0x7f000001), one6 = { { [15] = 1 } };
	int r = berth_link_add(stack, &config, &stack->loopback);

	if (r < 0)
		return r;
	stack->loopback->loopback = true;
	r = berth_link_add_address(stack->loopback, one4, 8);
	return r < 0 ? r : berth_link_add_address(stack->loopback, one6, 128);
}

static int stack_init(struct berth_stack *stack)
{
	int r;

	if (!stack->packets)
		return -ENOMEM;
	budget_measure(stack);
	if ((r = socket_table_init(stack)) < 0 || (r = port_init(stack)) < 0 || (r = ip_init(stack)) < 0 ||
	    (r = berth_protocol_register(stack, &udp_protocol)) < 0 ||
	    (r = berth_protocol_register(stack, &udplite_protocol)) < 0 ||
	    (r = berth_protocol_register(stack, &tcp_protocol)) < 0 ||
	    (r = berth_protocol_register(stack, &local_stream_protocol)) < 0 ||
	    (r = berth_protocol_register(stack, &local_seqpacket_protocol)) < 0 ||
	    (r = berth_protocol_register(stack, &local_datagram_protocol)) < 0)
		return r;
	return add_loopback(stack);
}

struct berth_stack *berth_stack_new(const struct berth_stack_config *config)
{
	static const struct berth_stack_config none;
	struct berth_stack *stack;

	if (!config)
		config = &none;
	stack = memory_new(config->allocator, sizeof(*stack));
	if (!stack)
		return NULL;
	stack->now = config->now;
	stack->allocator = config->allocator;
	stack->limits = config->limits;
	limits_fill(&stack->limits);
	stack->hooks = config->hooks;
	random_init(&stack->random, config->seed);
	stack->sequence_seed = config->sequence_seed;
	stack->hash_key = (struct hash_key){ random_u64(&stack->random), random_u64(&stack->random) };
	timers_init(&stack->timers, stack->allocator);
	list_init(&stack->links);
	list_init(&stack->raws);
	list_init(&stack->sockets.all);
	list_init(&stack->sockets.ready);
	list_init(&stack->sockets.later);
	budget_init(stack, config->packets);
	stack->route_generation = 1;
	stack->packets = config->packets ? berth_packet_pool_ref(config->packets)
					 : berth_packet_pool_new(stack->allocator, stack->limits.memory);
	if (stack_init(stack) < 0) {
		berth_stack_free(stack);
		return NULL;
	}
	return stack;
}

void berth_stack_free(struct berth_stack *stack)
{
	if (!stack)
		return;
	stack->hooks = (struct berth_hooks){ 0 };
	LIST_EACH(&stack->links, node)
		group_link_fini(LIST_ITEM(node, struct berth_link, node)); /* no farewells to routers */
	socket_table_fini(stack);
	detach_protocols(stack);
	LIST_EACH_SAFE(&stack->links, node)
		berth_link_remove(LIST_ITEM(node, struct berth_link, node));
	packet_queue_clear(&stack->loopback_queue);
	ip_fini(stack);
	port_fini(stack);
	timers_fini(&stack->timers);
	berth_packet_pool_unref(stack->packets);
	memory_free(stack->allocator, stack, sizeof(*stack));
}

static void clock_set(struct berth_stack *stack, berth_time now)
{
	stack->now = MAX(stack->now, now);
}

static void receive(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet)
{
	stack->events[BERTH_EVENT_LINK_IN]++;
	packet->link = link;
	if (link->flags & BERTH_LINK_NO_CHECKSUMS && packet->checksum != PACKET_CHECKSUM_SUSPECT)
		packet->checksum = PACKET_CHECKSUM_TRUSTED;
	if (link->type == BERTH_LINK_ETHERNET && !packet->looped)
		ethernet_input(stack, link, packet);
	else
		ip_input(stack, link, packet);
}

void berth_stack_input(struct berth_stack *stack, struct berth_link *link, struct berth_packet *packet, berth_time now)
{
	clock_set(stack, now);
	stack->gathered = NULL; /* if a hook within another packet's way leads here: this is not its first */
	receive(stack, link, packet);
}

void berth_stack_input_many(struct berth_stack *stack, struct berth_link *link, struct berth_packet *const *packets,
			    size_t count, berth_time now)
{
	clock_set(stack, now);
	while (count) {
		struct gathered gathered;
		size_t taken = 1, found = gather(stack, link, packets, count, &gathered);

		stack->gathered = found > 1 ? &gathered : NULL;
		receive(stack, link, packets[0]);
		stack->gathered = NULL;
		if (found > 1)
			taken = gathered.taken;
		stack->events[BERTH_EVENT_LINK_IN] += taken - 1;
		packets += taken;
		count -= taken;
	}
}

static void drain_loopback(struct berth_stack *stack)
{
	struct berth_packet *packet;

	for (int i = 0; i < LOOPBACK_BUDGET && (packet = packet_queue_pop(&stack->loopback_queue)); i++)
		receive(stack, packet->link, packet);
}

void berth_stack_advance(struct berth_stack *stack, berth_time now)
{
	struct berth_timer *timer;

	clock_set(stack, now);
	drain_loopback(stack);
	while ((timer = timers_take_due(&stack->timers, stack->now)))
		timer->run(timer);
	drain_loopback(stack);
}

berth_time berth_stack_deadline(const struct berth_stack *stack)
{
	return stack->loopback_queue.head ? stack->now : timers_deadline(&stack->timers);
}

void stack_watch(struct berth_stack *stack, void (*sooner)(void *context, berth_time deadline), void *context)
{
	stack->timers.sooner = sooner;
	stack->timers.context = context;
	stack->timers.told = BERTH_NEVER;
}

berth_time berth_stack_now(const struct berth_stack *stack)
{
	return stack->now;
}

struct berth_packet_pool *berth_stack_packets(struct berth_stack *stack)
{
	return stack->packets;
}

int berth_timer_set(struct berth_stack *stack, struct berth_timer *timer, berth_time deadline)
{
	return timers_set(&stack->timers, timer, deadline);
}

void berth_timer_cancel(struct berth_stack *stack, struct berth_timer *timer)
{
	timers_cancel(&stack->timers, timer);
}

uint64_t berth_random(struct berth_stack *stack)
{
	return random_u64(&stack->random);
}
