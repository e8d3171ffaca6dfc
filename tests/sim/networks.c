/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seeded networks: two to two dozen hosts on a switch, cables of every kind
 * between them, TCP between any of them over IPv4 and IPv6; while it runs
 * cables are cut and mended, and get worse and better. Every byte must arrive
 * once and in order, every conversation must end, no memory may be left over.
 *
 * And the same seed must give the same frames, under every condition that
 * there is: every frame that a host sends goes into a hash, with its time. A
 * hundred worlds are run twice to compare, one a hundred times; no two seeds
 * may have the same hash.
 *
 * A failure prints its seed. BERTH_SEED=n or --seed n runs that world alone;
 * BERTH_NETWORKS=n sets how many are run.
 */
#include "base/packet.h"
#include "base/random.h"
#include "core/stack.h"
#include "net/network.h"

#include <berth/berth.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { HOSTS_MAX = 24, FLOWS_MAX = 16, NETWORKS = 500, TWICE = 100, AGAIN = 100 };

#define TIME_LIMIT (5000 * BERTH_SEC)
#define TROUBLE_BEGINS (600 * BERTH_MSEC)
#define TROUBLE_ENDS (40 * BERTH_SEC)

#define FAIL(...) \
	do { \
		if (!world->failure[0]) \
			snprintf(world->failure, sizeof(world->failure), __VA_ARGS__); \
	} while (0)

struct side {
	int fd; /* -1: not open */
	size_t to_send, sent, received;
	bool shut, end, closed;
};

struct flow {
	int host[2]; /* who connects, who listens */
	int listener;
	struct side side[2];
};

/* Between a stack and its cable: every frame passes here. */
struct tap {
	struct world *world;
	int host;
	void (*transmit)(void *context, struct berth_packet *packet);
	void *context;
};

struct world {
	struct random random;
	struct berth_allocator allocator;
	size_t live;
	struct berth_net *net;
	struct berth_trace *trace;
	struct berth_host *hosts[HOSTS_MAX];
	struct tap taps[HOSTS_MAX];
	int host_count, flow_count;
	struct flow flows[FLOWS_MAX];
	berth_time now, next_trouble;
	uint64_t hash, frames;
	char failure[200];
};

static uint64_t below(struct world *world, uint64_t bound)
{
	return random_below(&world->random, bound);
}

static bool chance(struct world *world, unsigned of_1000)
{
	return below(world, 1000) < of_1000;
}

static void *count_alloc(void *context, size_t size)
{
	((struct world *)context)->live++;
	return malloc(size);
}

static void count_free(void *context, void *memory, size_t size)
{
	((struct world *)context)->live--;
	free(memory);
}

static void on_frame(void *context, struct berth_packet *packet)
{
	struct tap *tap = context;
	struct world *world = tap->world;
	struct hash_key key = { world->hash, (uint64_t)world->now ^ (uint64_t)tap->host << 56 };

	world->hash = hash_bytes(key, packet->data, packet->length);
	world->frames++;
	tap->transmit(tap->context, packet);
}

/* ---- hosts and cables ---- */

static berth_chance percent(double percent)
{
	return (berth_chance)(percent / 100 * BERTH_ALWAYS);
}

/* What makes packets wait: a recorded rate, slots, cells, a short queue. */
static void pick_shape(struct world *world, struct berth_conditions *conditions)
{
	if (chance(world, 150))
		conditions->trace = world->trace;
	if (chance(world, 150)) {
		conditions->slot_min = (berth_time)below(world, 2 * BERTH_MSEC);
		conditions->slot_max = conditions->slot_min + 1 + (berth_time)below(world, 5 * BERTH_MSEC);
		conditions->slot_packets = chance(world, 500) ? 4 + (uint32_t)below(world, 20) : 0;
		conditions->slot_bytes = chance(world, 500) ? 6000 + (uint32_t)below(world, 60000) : 0;
	}
	if (chance(world, 150)) {
		conditions->rate_overhead = (int32_t)below(world, 40) - 14;
		conditions->rate_cell = 48;
		conditions->rate_cell_overhead = 5;
	}
	if (chance(world, 150))
		conditions->limit = 20 + (uint32_t)below(world, 200);
	if (chance(world, 150))
		conditions->limit_bytes = 100000 + (uint32_t)below(world, 300000);
}

static struct berth_conditions pick_conditions(struct world *world, bool rough)
{
	struct berth_conditions conditions = {
		.delay = (berth_time)below(world, 40 * BERTH_MSEC),
		.jitter = chance(world, 300) ? (berth_time)below(world, 5 * BERTH_MSEC) : 0,
		.distribution = (enum berth_distribution)below(world, 4),
	};

	if (chance(world, 200))
		conditions.rate = 100000 + below(world, 100000000);
	pick_shape(world, &conditions);
	if (!rough)
		return conditions;
	conditions.loss = percent((double)below(world, 40) / 10);
	conditions.duplicate = chance(world, 300) ? percent((double)below(world, 30) / 10) : 0;
	conditions.reorder = chance(world, 300) ? percent((double)below(world, 100) / 10) : 0;
	conditions.corrupt = chance(world, 200) ? percent((double)below(world, 10) / 10) : 0;
	conditions.bursts = chance(world, 200);
	conditions.to_bad = percent((double)below(world, 20) / 10);
	conditions.to_good = percent(30);
	conditions.loss_in_bad = percent(70);
	conditions.ecn = chance(world, 300);
	if (chance(world, 200))
		conditions.loss_correlation = conditions.delay_correlation = percent(25);
	return conditions;
}

static void add_host(struct world *world, int number)
{
	struct berth_conditions conditions = pick_conditions(world, false);
	struct tap *tap = &world->taps[number];
	struct berth_link *link;
	char name[16];

	snprintf(name, sizeof(name), "host-%d", number);
	if (berth_net_add_host(world->net, name, ip_any, NULL, &world->hosts[number]) < 0) {
		FAIL("no host %d", number);
		return;
	}
	link = world->hosts[number]->link;
	*tap = (struct tap){ world, number, link->transmit, link->context };
	link->transmit = on_frame;
	link->context = tap;
	if (chance(world, 700))
		berth_host_set_conditions(world->hosts[number], BERTH_BOTH, &conditions);
}

/* A cable is cut, mended, or becomes another; or what goes between two hosts does. */
static void make_trouble(struct world *world)
{
	struct berth_host *host = world->hosts[below(world, (uint64_t)world->host_count)];
	struct berth_host *other = world->hosts[below(world, (uint64_t)world->host_count)];
	int direction = 1 + (int)below(world, 3);
	struct berth_conditions conditions = pick_conditions(world, true);

	if (chance(world, 300))
		conditions.cut = true;
	if (host != other && chance(world, 300))
		berth_pair_set_conditions(host, other, &conditions);
	else
		berth_host_set_conditions(host, direction, &conditions);
	world->next_trouble = world->now + (berth_time)below(world, 500 * BERTH_MSEC);
}

static void end_trouble(struct world *world)
{
	struct berth_conditions none = { .delay = BERTH_MSEC };

	world->next_trouble = BERTH_NEVER;
	for (int i = 0; i < world->host_count; i++) {
		berth_host_set_conditions(world->hosts[i], BERTH_BOTH, &none);
		for (int j = 0; j < world->host_count; j++)
			if (i != j)
				berth_pair_set_conditions(world->hosts[i], world->hosts[j],
							  &(struct berth_conditions){ 0 });
	}
}

/* ---- applications ---- */

static struct berth_stack *stack_of(struct world *world, const struct flow *flow, int side)
{
	return berth_host_stack(world->hosts[flow->host[side]]);
}

static uint8_t byte_at(const struct flow *flow, int side, size_t offset)
{
	return (uint8_t)(offset * 37 + (offset >> 8) * 11 + (offset >> 16) * 5 + (unsigned)flow->host[side] * 101);
}

static socklen_t address_of(struct world *world, const struct flow *flow, uint16_t port, bool ip6,
			    struct sockaddr_storage *storage)
{
	struct berth_host *host = world->hosts[flow->host[1]];
	struct sockaddr_in6 *in6 = (void *)storage;
	struct sockaddr_in *in = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	if (ip6) {
		in6->sin6_family = AF_INET6;
		put_be16((uint8_t *)&in6->sin6_port, port);
		memcpy(&in6->sin6_addr, berth_host_ip6(host).bytes, 16);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	put_be16((uint8_t *)&in->sin_port, port);
	memcpy(&in->sin_addr, berth_host_ip4(host).bytes + 12, 4);
	return sizeof(*in);
}

static void open_flow(struct world *world, struct flow *flow, uint16_t port)
{
	bool ip6 = chance(world, 400);
	struct sockaddr_storage address;
	socklen_t length;

	flow->host[0] = (int)below(world, (uint64_t)world->host_count);
	flow->host[1] = (flow->host[0] + 1 + (int)below(world, (uint64_t)world->host_count - 1)) % world->host_count;
	for (int side = 0; side < 2; side++)
		flow->side[side] = (struct side){ .fd = -1, .to_send = below(world, 2u << below(world, 21)) };
	length = address_of(world, flow, port, ip6, &address);
	flow->listener = berth_socket(stack_of(world, flow, 1), address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (berth_bind(stack_of(world, flow, 1), flow->listener, (void *)&address, length) < 0 ||
	    berth_listen(stack_of(world, flow, 1), flow->listener, 1) < 0)
		FAIL("listen: %s", strerror(errno));
	flow->side[0].fd = berth_socket(stack_of(world, flow, 0), address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (berth_connect(stack_of(world, flow, 0), flow->side[0].fd, (void *)&address, length) < 0 &&
	    errno != EINPROGRESS)
		FAIL("connect: %s", strerror(errno));
}

static void broken(struct world *world, const struct flow *flow, int side, const char *call)
{
	FAIL("host %d to %d, side %d: %s: %s after %zu sent, %zu received", flow->host[0], flow->host[1], side, call,
	     strerror(errno), flow->side[side].sent, flow->side[side].received);
}

static bool receive(struct world *world, struct flow *flow, int number)
{
	static uint8_t buffer[20000];
	struct side *side = &flow->side[number];
	ssize_t got = berth_recv(stack_of(world, flow, number), side->fd, buffer, sizeof(buffer), 0);

	if (got < 0) {
		if (errno != EAGAIN)
			broken(world, flow, number, "recv");
		return false;
	}
	for (size_t i = 0; i < (size_t)got; i++)
		if (buffer[i] != byte_at(flow, !number, side->received + i)) {
			FAIL("host %d: byte %zu is wrong", flow->host[number], side->received + i);
			return false;
		}
	side->received += (size_t)got;
	side->end = got == 0;
	if (side->end && side->received != flow->side[!number].to_send)
		FAIL("host %d: end after %zu bytes", flow->host[number], side->received);
	return true;
}

static bool transmit(struct world *world, struct flow *flow, int number)
{
	static uint8_t buffer[20000];
	struct side *side = &flow->side[number];
	size_t size = 1 + below(world, sizeof(buffer));
	ssize_t sent;

	size = MIN(size, side->to_send - side->sent);
	for (size_t i = 0; i < size; i++)
		buffer[i] = byte_at(flow, number, side->sent + i);
	sent = berth_send(stack_of(world, flow, number), side->fd, buffer, size, 0);
	if (sent < 0 && errno != EAGAIN)
		broken(world, flow, number, "send");
	side->sent += sent > 0 ? (size_t)sent : 0;
	return sent > 0;
}

/* One thing that side can do. False: nothing. */
static bool act(struct world *world, struct flow *flow, int number)
{
	struct side *side = &flow->side[number];
	struct berth_stack *stack = stack_of(world, flow, number);
	int ready;

	if (side->fd < 0) {
		if (side->closed)
			return false;
		side->fd = berth_accept(stack, flow->listener, NULL, NULL, SOCK_NONBLOCK);
		return side->fd >= 0;
	}
	ready = berth_readiness(stack, side->fd);
	if (ready & BERTH_POLLERR) {
		socklen_t length = sizeof(int);

		berth_getsockopt(stack, side->fd, SOL_SOCKET, SO_ERROR, &errno, &length);
		broken(world, flow, number, "readiness");
		return false;
	}
	if (ready & BERTH_POLLIN && !side->end)
		return receive(world, flow, number);
	if (ready & BERTH_POLLOUT && side->sent < side->to_send)
		return transmit(world, flow, number);
	if (ready & BERTH_POLLOUT && !side->shut) {
		side->shut = true;
		if (berth_shutdown(stack, side->fd, SHUT_WR) < 0)
			broken(world, flow, number, "shutdown");
		return true;
	}
	if (side->end && side->shut) {
		berth_close(stack, side->fd);
		side->fd = -1;
		return side->closed = true;
	}
	return false;
}

static bool act_all(struct world *world)
{
	bool any = false;

	for (int i = 0; i < world->flow_count && !world->failure[0]; i++)
		for (int side = 0; side < 2; side++)
			any |= act(world, &world->flows[i], side);
	return any;
}

static bool over(const struct world *world)
{
	for (int i = 0; i < world->flow_count; i++)
		if (!world->flows[i].side[0].closed || !world->flows[i].side[1].closed)
			return false;
	return true;
}

/* ---- the world ---- */

/* Two seconds of a link with good and bad times, from the seed. */
static void make_trace(struct world *world)
{
	uint32_t moments[2000], now = 0;

	for (size_t i = 0; i < COUNT_OF(moments); i++)
		moments[i] = now += (uint32_t)(chance(world, 950) ? below(world, 2) : below(world, 20));
	moments[COUNT_OF(moments) - 1]++;
	if (berth_trace_new("recorded", moments, COUNT_OF(moments), &world->trace) < 0)
		FAIL("no trace");
}

static void build(struct world *world, uint64_t seed)
{
	static const unsigned mtus[] = { 1500, 1500, 1280, 9000, 65535 };
	struct berth_net_config config = { .seed = seed, .allocator = &world->allocator };

	*world = (struct world){ .next_trouble = TROUBLE_BEGINS };
	world->allocator = (struct berth_allocator){ count_alloc, count_free, world };
	random_init(&world->random, seed);
	config.mtu = mtus[below(world, COUNT_OF(mtus))];
	config.superframe = chance(world, 500) ? UINT32_MAX : 0;
	world->net = berth_net_new(&config);
	make_trace(world);
	world->host_count = 2 + (int)below(world, HOSTS_MAX - 1);
	for (int i = 0; i < world->host_count; i++)
		add_host(world, i);
	world->flow_count = 1 + (int)below(world, FLOWS_MAX);
	for (int i = 0; i < world->flow_count && !world->failure[0]; i++)
		open_flow(world, &world->flows[i], (uint16_t)(1000 + i));
}

static void pass_time(struct world *world)
{
	berth_time next = MIN(berth_net_deadline(world->net), world->next_trouble);

	if (next == BERTH_NEVER) {
		FAIL("nothing is planned, and it is not over");
		return;
	}
	world->now = MAX(world->now, next);
	if (world->now >= world->next_trouble)
		(world->now < TROUBLE_ENDS ? make_trouble : end_trouble)(world);
	berth_net_advance(world->net, world->now);
}

struct outcome {
	uint64_t hash, frames;
	bool fine;
};

static struct outcome run_world(uint64_t seed)
{
	struct world *world = malloc(sizeof(*world));
	struct outcome outcome;

	build(world, seed);
	while (!world->failure[0] && !over(world) && world->now < TIME_LIMIT)
		if (!act_all(world))
			pass_time(world);
		else
			berth_net_advance(world->net, world->now);
	if (!over(world))
		FAIL("not over after %lld s", (long long)(world->now / BERTH_SEC));
	berth_net_free(world->net);
	berth_trace_unref(world->trace);
	if (world->live)
		FAIL("%zu allocations are left over", world->live);
	if (world->failure[0])
		printf("# seed %llu: %s\n", (unsigned long long)seed, world->failure);
	outcome = (struct outcome){ world->hash, world->frames, !world->failure[0] };
	free(world);
	return outcome;
}

static bool result(int number, bool fine, const char *what, unsigned long count)
{
	printf("%sok %d - networks: %lu %s\n", fine ? "" : "not ", number, count, what);
	return fine;
}

/* One world over and over. */
static bool again_and_again(uint64_t seed)
{
	unsigned long runs = getenv("BERTH_SANITIZED") ? AGAIN / 10 : AGAIN, same = 0;
	struct outcome first = run_world(seed);

	for (unsigned long i = 0; i < runs; i++) {
		struct outcome again = run_world(seed);

		same += again.hash == first.hash && again.frames == first.frames;
	}
	if (same != runs)
		printf("# seed %llu: %lu of %lu runs are as the first\n", (unsigned long long)seed, same, runs);
	return result(4, same == runs, "runs of one seed give the same frames, byte for byte, at the same times", runs);
}

int main(int argc, char **argv)
{
	const char *seed = argc == 3 && !strcmp(argv[1], "--seed") ? argv[2] : getenv("BERTH_SEED");
	const char *number = getenv("BERTH_NETWORKS"), *sanitized = getenv("BERTH_SANITIZED");
	unsigned long count = number ? strtoul(number, NULL, 0) : sanitized ? NETWORKS / 5 : NETWORKS, failed = 0;
	uint64_t first = seed ? strtoull(seed, NULL, 0) : 1, *hashes;
	unsigned long same = 0, different = 0, frames = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	count = seed ? 1 : count;
	hashes = calloc(count, sizeof(*hashes));
	for (unsigned long i = 0; i < count; i++) {
		struct outcome outcome = run_world(first + i), again = outcome;

		if (i < TWICE)
			again = run_world(first + i);
		if (again.hash != outcome.hash || again.frames != outcome.frames)
			printf("# seed %llu: %llu and %llu frames\n", (unsigned long long)(first + i),
			       (unsigned long long)outcome.frames, (unsigned long long)again.frames);
		failed += !outcome.fine;
		frames += outcome.frames;
		same += again.hash == outcome.hash && again.frames == outcome.frames;
		hashes[i] = outcome.hash;
		different++;
		for (unsigned long j = 0; j < i; j++)
			different -= hashes[j] == hashes[i];
	}
	free(hashes);
	printf("# %lu frames\n", frames);
	failed += !result(1, !failed, "with cuts and losses deliver every byte once and in order", count);
	failed += !result(2, same == count, "seeds give the same frames each time", MIN(count, (unsigned long)TWICE));
	failed += !result(3, different == count, "seeds give different frames", count);
	failed += !again_and_again(first);
	printf("1..4\n");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
