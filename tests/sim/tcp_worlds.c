/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP in seeded worlds: two stacks, a cable that loses, repeats, reorders,
 * delays and damages, and applications that call in random order. In every
 * world each byte must arrive once and in order, both ends must reach CLOSED,
 * and no memory may be left over. Some worlds are rough: sockets are aborted
 * at any moment and allocations fail; there the bytes that do arrive must be
 * right and nothing may leak.
 *
 * A failure prints its seed. BERTH_SEED=n or --seed n runs that world alone;
 * BERTH_SIM_WORLDS=n sets how many are run.
 */
#include "tests/sim/world.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAIL(...) \
	do { \
		if (!world->failure[0]) \
			snprintf(world->failure, sizeof(world->failure), __VA_ARGS__); \
	} while (0)

static void *count_alloc(void *context, size_t size)
{
	struct world *world = context;
	void *memory;

	if (world->fail_one_in && below(world, world->fail_one_in) == 0)
		return NULL;
	memory = malloc(size);
	world->live += !!memory;
	world->live_bytes += memory ? size : 0;
	return memory;
}

static void count_free(void *context, void *memory, size_t size)
{
	struct world *world = context;

	world->live--;
	world->live_bytes -= size;
	free(memory);
}

/* ---- the cable ---- */

static void carry(struct world *world, struct berth_packet *packet, int to)
{
	berth_time extra = world->cable.jitter ? (berth_time)below(world, (uint64_t)world->cable.jitter) : 0;

	if (world->frame_count == sizeof(world->frames) / sizeof(*world->frames)) {
		berth_packet_unref(packet); /* a full queue is a loss */
		return;
	}
	world->frames[world->frame_count++] = (struct frame){ world->now + world->cable.delay + extra, packet, to };
}

static void transmit(void *context, struct berth_packet *packet)
{
	struct end *end = context;
	struct world *world = end->world;
	unsigned fail_one_in = world->fail_one_in;

	if (chance(world, world->cable.loss) || (world->cable.narrow && packet->length > world->cable.narrow)) {
		world->lost++;
		berth_packet_unref(packet);
		return;
	}
	world->fail_one_in = 0;
	if (chance(world, world->cable.repeat)) {
		struct berth_packet *copy = packet_clone(packet);

		if (copy)
			carry(world, copy, !end->side);
	}
	world->fail_one_in = fail_one_in;
	if (packet->length && packet->checksum == PACKET_CHECKSUM_PRESENT && chance(world, world->cable.damage))
		packet->data[below(world, packet->length)] ^= (uint8_t)(1 + below(world, 255));
	carry(world, packet, !end->side);
}

static berth_time next_frame(const struct world *world)
{
	berth_time due = BERTH_NEVER;

	for (size_t i = 0; i < world->frame_count; i++)
		if (world->frames[i].due < due)
			due = world->frames[i].due;
	return due;
}

static void deliver(struct world *world)
{
	for (;;) {
		size_t best = world->frame_count;
		struct frame frame;

		for (size_t i = 0; i < world->frame_count; i++)
			if (world->frames[i].due <= world->now &&
			    (best == world->frame_count || world->frames[i].due < world->frames[best].due))
				best = i;
		if (best == world->frame_count)
			return;
		frame = world->frames[best];
		memmove(&world->frames[best], &world->frames[best + 1], (--world->frame_count - best) * sizeof(frame));
		traits_arrive(world, frame.to, frame.packet);
	}
}

/* ---- the applications ---- */

static uint8_t byte_at(int flow, int side, size_t offset)
{
	return (uint8_t)(offset * 31 + (offset >> 8) * 7 + (offset >> 16) * 3 + (unsigned)flow * 101 +
			 (unsigned)side * 57);
}

static void fill(uint8_t *bytes, size_t size, int flow, int side, size_t offset)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(flow, side, offset + i);
}

static socklen_t listener_name(const struct world *world, int number, struct sockaddr_storage *storage)
{
	struct berth_ip ip = world->addresses[!world->flows[number].initiator];
	struct sockaddr_in6 *in6 = (void *)storage;
	struct sockaddr_in *in = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	if (world->ip6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)(1000 + number));
		memcpy(&in6->sin6_addr, ip.bytes, 16);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)(1000 + number));
	memcpy(&in->sin_addr, ip.bytes + 12, 4);
	return sizeof(*in);
}

static void open_listener(struct world *world, int number)
{
	struct flow *flow = &world->flows[number];
	struct berth_stack *stack = world->stacks[!flow->initiator];
	struct sockaddr_storage address;
	socklen_t length = listener_name(world, number, &address);

	flow->fd[0] = flow->fd[1] = -1;
	flow->listener = berth_socket(stack, address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	traits_listener(world, stack, flow->listener);
	if (berth_bind(stack, flow->listener, (void *)&address, length) < 0 ||
	    berth_listen(stack, flow->listener, (int)below(world, 3)) < 0)
		FAIL("flow %d: bind or listen: %s", number, strerror(errno));
}

static void open_flow(struct world *world, int number)
{
	struct flow *flow = &world->flows[number];
	int side = flow->initiator;
	struct sockaddr_storage address;
	socklen_t length = listener_name(world, number, &address);
	uint8_t first[3000];
	size_t wish = 1 + below(world, sizeof(first)), size = MIN(flow->to_send[side], wish);
	enum { SYNCNT = 7 }; /* TCP_SYNCNT */
	ssize_t sent;

	flow->opened = true;
	flow->fd[side] = berth_socket(world->stacks[side], address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (flow->fd[side] < 0) {
		flow->dead = true; /* no memory */
		if (!world->rough)
			FAIL("flow %d: socket: %s", number, strerror(errno));
		return;
	}
	/* A fifth of 10,000 worlds' frames gets lost: seven SYNs in a row, too, somewhere. */
	berth_setsockopt(world->stacks[side], flow->fd[side], IPPROTO_TCP, SYNCNT, &(int){ 20 }, sizeof(int));
	fill(first, size, number, side, 0);
	sent = traits_connect(world, flow, (void *)&address, length, first, size);
	if (sent < 0 && errno != EINPROGRESS && !world->rough)
		FAIL("flow %d: connect: %s", number, strerror(errno));
	flow->sent[side] += sent > 0 ? (size_t)sent : 0;
}

static void end_side(struct world *world, struct flow *flow, int side, bool abort)
{
	if (flow->fd[side] >= 0)
		(abort ? berth_abort : berth_close)(world->stacks[side], flow->fd[side]);
	flow->fd[side] = -1;
	flow->closed[side] = true;
}

/*
 * Both ends have all the bytes and the other has waited its TIME-WAIT out, but
 * not one of its ACKs for our FIN came through: RFC 9293 §3.6.1 has no remedy.
 */
static bool only_last_ack_missing(const struct flow *flow, int side)
{
	return errno == ECONNRESET && flow->end[0] && flow->end[1] && flow->closed[!side] &&
	       flow->received[0] == flow->to_send[1] && flow->received[1] == flow->to_send[0];
}

static void broken(struct world *world, int number, int side, const char *call)
{
	struct flow *flow = &world->flows[number];

	if (!world->rough && !only_last_ack_missing(flow, side) && !traits_excuse(world, flow))
		FAIL("flow %d side %d: %s: %s after %zu sent, %zu received", number, side, call, strerror(errno),
		     flow->sent[side], flow->received[side]);
	flow->dead = true;
	end_side(world, flow, side, false);
}

static void try_receive(struct world *world, int number, int side)
{
	static uint8_t buffer[70000];
	struct flow *flow = &world->flows[number];
	size_t size = 1 + below(world, chance(world, 300) ? 100 : sizeof(buffer));
	bool peek = chance(world, 100);
	ssize_t got = traits_receive(world, side, flow->fd[side], buffer, size, peek ? MSG_PEEK : 0);

	if (got < 0) {
		if (errno != EAGAIN)
			broken(world, number, side, "recv");
		return;
	}
	for (ssize_t i = 0; i < got; i++) {
		if (buffer[i] != byte_at(number, !side, flow->received[side] + (size_t)i)) {
			FAIL("flow %d side %d: byte %zu is wrong", number, side, flow->received[side] + (size_t)i);
			return;
		}
	}
	if (got == 0) {
		flow->end[side] = true;
		if (flow->received[side] != flow->to_send[!side] && !world->rough)
			FAIL("flow %d side %d: end after %zu of %zu bytes", number, side, flow->received[side],
			     flow->to_send[!side]);
	}
	flow->received[side] += peek ? 0 : (size_t)got;
}

static void try_send(struct world *world, int number, int side)
{
	static uint8_t buffer[70000];
	struct flow *flow = &world->flows[number];
	size_t left = flow->to_send[side] - flow->sent[side];
	size_t size = 1 + below(world, chance(world, 500) ? 300 : sizeof(buffer));
	ssize_t sent;

	if (size > left)
		size = left;
	fill(buffer, size, number, side, flow->sent[side]);
	sent = traits_send(world, side, flow->fd[side], buffer, size);
	if (sent < 0 && errno != EAGAIN && errno != ENOBUFS)
		broken(world, number, side, "send");
	flow->sent[side] += sent > 0 ? (size_t)sent : 0;
}

/* May side close for good? A hasty world trusts TCP to deliver what is still under way. */
static bool may_close(struct world *world, struct flow *flow, int side)
{
	struct berth_socket_info info;

	if (!flow->end[side] || !flow->shut[side])
		return false;
	berth_socket_inspect(world->stacks[side], flow->fd[side], &info);
	return world->hasty || !strcmp(info.state, "UNCONN");
}

static void try_accept(struct world *world, struct flow *flow)
{
	int side = !flow->initiator;

	if (flow->closed[side] || flow->fd[side] >= 0 || flow->listener < 0)
		return;
	flow->fd[side] = berth_accept(world->stacks[side], flow->listener, NULL, NULL, SOCK_NONBLOCK);
}

static void act(struct world *world, int number, int side)
{
	struct flow *flow = &world->flows[number];
	int readiness;

	try_accept(world, flow);
	if (flow->fd[side] < 0)
		return;
	if (world->rough && chance(world, 3)) {
		flow->dead = true;
		end_side(world, flow, side, chance(world, 500));
		return;
	}
	if (chance(world, 5))
		traits_change(world, side, flow->fd[side]);
	readiness = berth_readiness(world->stacks[side], flow->fd[side]);
	if (readiness & BERTH_POLLERR) {
		socklen_t length = sizeof(int);

		berth_getsockopt(world->stacks[side], flow->fd[side], SOL_SOCKET, SO_ERROR, &errno, &length);
		broken(world, number, side, "readiness");
		return;
	}
	if ((readiness & BERTH_POLLIN) && !flow->end[side])
		try_receive(world, number, side);
	if (flow->fd[side] >= 0 && (readiness & BERTH_POLLOUT) && flow->sent[side] < flow->to_send[side])
		try_send(world, number, side);
	if (flow->fd[side] >= 0 && flow->sent[side] == flow->to_send[side] && !flow->shut[side] &&
	    (berth_readiness(world->stacks[side], flow->fd[side]) & BERTH_POLLOUT)) {
		flow->shut[side] = true;
		if (berth_shutdown(world->stacks[side], flow->fd[side], SHUT_WR) < 0)
			broken(world, number, side, "shutdown");
	}
	if (flow->fd[side] >= 0 && may_close(world, flow, side))
		end_side(world, flow, side, false);
}

/* Is there something that an application at side could do at once? */
static bool could_act(struct world *world, struct flow *flow, int side)
{
	int readiness;

	if (flow->fd[side] < 0)
		return !flow->closed[side] && side != flow->initiator && flow->listener >= 0 &&
		       (berth_readiness(world->stacks[side], flow->listener) & BERTH_POLLIN);
	readiness = berth_readiness(world->stacks[side], flow->fd[side]);
	return ((readiness & BERTH_POLLIN) && !flow->end[side]) || ((readiness & BERTH_POLLOUT) && !flow->shut[side]) ||
	       (readiness & BERTH_POLLERR) || may_close(world, flow, side);
}

static bool act_all(struct world *world)
{
	berth_time pause = (berth_time)below(world, 20 * BERTH_MSEC);
	bool done = true, could = false;

	world->tick = BERTH_NEVER;
	for (int i = 0; i < world->flow_count; i++) {
		struct flow *flow = &world->flows[i];

		if (!flow->opened && flow->opens_at <= world->now)
			open_flow(world, i);
		if (!flow->opened) {
			world->tick = MIN(world->tick, flow->opens_at);
			done = false;
			continue;
		}
		for (int side = 0; side < 2; side++) {
			if (chance(world, 600))
				act(world, i, side);
			could |= could_act(world, flow, side);
		}
		/* A dead flow's other end may never be accepted: that is the end of it, too. */
		done &= (flow->closed[0] || (flow->dead && flow->fd[0] < 0)) &&
			(flow->closed[1] || (flow->dead && flow->fd[1] < 0));
	}
	if (could && world->now + pause < world->tick)
		world->tick = world->now + pause;
	return done;
}

/* ---- the world ---- */

static void pass_time(struct world *world)
{
	berth_time next = next_frame(world);

	for (int side = 0; side < 2; side++) {
		berth_time deadline = berth_stack_deadline(world->stacks[side]);

		next = deadline < next ? deadline : next;
	}
	next = world->tick < next ? world->tick : next;
	if (next == BERTH_NEVER)
		next = world->rough ? TIME_LIMIT : BERTH_NEVER;
	if (next == BERTH_NEVER) {
		FAIL("nothing is planned, and it is not over");
		return;
	}
	world->now = next > world->now ? next : world->now;
	deliver(world);
	for (int side = 0; side < 2; side++)
		berth_stack_advance(world->stacks[side], world->now);
}

static int count_socket(void *context, const struct berth_socket_info *info)
{
	*(int *)context += strcmp(info->state, "LISTEN") && info->protocol == IPPROTO_TCP;
	return 0;
}

static int conversations(struct world *world)
{
	int count = 0;

	for (int side = 0; side < 2; side++)
		berth_socket_each(world->stacks[side], count_socket, &count);
	return count;
}

static unsigned pick_buffer(struct world *world)
{
	return (unsigned)(2048u << below(world, 8));
}

static void end_side(struct world *world, struct flow *flow, int side, bool abort);

/* Hooks may close sockets, whatever is going on. */
static void close_something(struct world *world, int side)
{
	struct flow *flow = &world->flows[below(world, (uint64_t)MAX(world->flow_count, 1))];

	if (!world->rough || world->quiet || !chance(world, 2))
		return;
	world->quiet = true; /* what closing sends has events, too */
	flow->dead = true;
	if (chance(world, 300) && side != flow->initiator && flow->listener >= 0) {
		berth_close(world->stacks[side], flow->listener);
		flow->listener = -1;
	} else {
		end_side(world, flow, side, chance(world, 500));
	}
	world->quiet = false;
}

static void on_event(void *context, const struct berth_event_info *about)
{
	struct end *end = context;

	close_something(end->world, end->side);
}

static void on_ready(void *context, int fd, unsigned events)
{
	struct end *end = context;

	close_something(end->world, end->side);
}

static void add_stack(struct world *world, int side)
{
	static const unsigned mtus[] = { 1500, 1500, 1400, 9000, 65535 };
	struct berth_stack_config config = {
		.seed = random_u64(&world->random),
		.allocator = &world->allocator,
		.hooks = { .context = &world->ends[side], .ready = on_ready, .event = on_event },
		.limits = {
			.send_buffer = pick_buffer(world),
			.receive_buffer = pick_buffer(world),
		},
	};
	struct berth_link_config link = {
		.name = "cable",
		.type = BERTH_LINK_IP,
		.mtu = mtus[below(world, 5)],
		.superframe = !world->cable.narrow && chance(world, 200) ? 65536 : 0,
		.flags = BERTH_LINK_NO_DAD,
		.transmit = transmit,
		.context = &world->ends[side],
	};
	char text[32];

	world->ends[side].world = world;
	world->ends[side].side = side;
	traits_limit(world, side, &config.limits);
	world->stacks[side] = berth_stack_new(&config);
	berth_link_add(world->stacks[side], &link, &world->links[side]);
	snprintf(text, sizeof(text), world->ip6 ? "fd00::%d" : "10.0.0.%d", side + 1);
	berth_ip_parse(text, &world->addresses[side]);
	berth_link_add_address(world->links[side], world->addresses[side], world->ip6 ? 64 : 24);
}

static void build(struct world *world)
{
	world->allocator = (struct berth_allocator){ count_alloc, count_free, world };
	world->ip6 = chance(world, 300);
	world->rough = chance(world, 150);
	world->cable = (struct cable){
		.loss = chance(world, 300) ? 200 : (unsigned)below(world, 201),
		.repeat = chance(world, 500) ? (unsigned)below(world, 100) : 0,
		.damage = chance(world, 200) ? (unsigned)below(world, 30) : 0,
		.delay = (berth_time)below(world, 60 * BERTH_MSEC),
		.jitter = chance(world, 700) ? (berth_time)below(world, 80 * BERTH_MSEC) : 0,
	};
	traits_choose(world);
	world->hasty = world->rough || world->cable.loss + world->cable.damage < 50;
	add_stack(world, 0);
	add_stack(world, 1);
	world->quiet = true; /* hooks close nothing that is not open yet */
	world->flow_count = 1 + (int)below(world, FLOWS_MAX);
	for (int i = 0; i < world->flow_count; i++) {
		struct flow *flow = &world->flows[i];

		flow->initiator = (int)below(world, 2);
		for (int side = 0; side < 2; side++)
			flow->to_send[side] = below(world, 2u << below(world, 19));
		flow->opens_at = chance(world, 300) ? (berth_time)below(world, 3 * BERTH_SEC) : 0;
		open_listener(world, i);
	}
	world->quiet = false;
	if (world->rough && chance(world, 500))
		world->fail_one_in = 20 + (unsigned)below(world, 200);
}

/* A SYN, or the ACK of a SYN cookie, that the cable kept back may have begun what nobody will ever accept. */
static void close_listeners(struct world *world)
{
	for (int i = 0; i < world->flow_count; i++) {
		struct flow *flow = &world->flows[i];

		if (flow->listener >= 0)
			berth_close(world->stacks[!flow->initiator], flow->listener);
		flow->listener = -1;
	}
}

static void run(struct world *world)
{
	while (!world->failure[0] && !act_all(world) && world->now < TIME_LIMIT)
		pass_time(world);
	if (world->now >= TIME_LIMIT && !world->rough)
		FAIL("not over after %lld s", (long long)(world->now / BERTH_SEC));
	world->tick = BERTH_NEVER;
	close_listeners(world);
	/* The rest is TCP's alone: what was closed must come to CLOSED, TIME-WAIT included. */
	while (!world->failure[0] && !world->rough && conversations(world) && world->now < TIME_LIMIT)
		pass_time(world);
	if (!world->rough && conversations(world))
		FAIL("%d conversations are left", conversations(world));
}

static void tear_down(struct world *world)
{
	berth_stack_free(world->stacks[0]);
	berth_stack_free(world->stacks[1]);
	for (size_t i = 0; i < world->frame_count; i++)
		berth_packet_unref(world->frames[i].packet);
	if (world->live || world->live_bytes)
		FAIL("%zu allocations, %zu bytes are left over", world->live, world->live_bytes);
}

static bool run_world(uint64_t seed, bool verbose)
{
	struct world *world = calloc(1, sizeof(*world));
	bool ok;

	world->seed = seed;
	random_init(&world->random, seed);
	build(world);
	if (verbose)
		traits_print(world);
	if (verbose)
		printf("# loss %u/1000 repeat %u damage %u delay %lld us jitter %lld us flows %d%s%s\n",
		       world->cable.loss, world->cable.repeat, world->cable.damage,
		       (long long)(world->cable.delay / BERTH_USEC), (long long)(world->cable.jitter / BERTH_USEC),
		       world->flow_count, world->ip6 ? " ip6" : "", world->rough ? " rough" : "");
	run(world);
	traits_sum_up(world);
	tear_down(world);
	ok = !world->failure[0];
	if (!ok)
		printf("# seed %llu: %s\n", (unsigned long long)seed, world->failure);
	else if (verbose)
		printf("# over at %lld ms\n", (long long)(world->now / BERTH_MSEC));
	free(world);
	return ok;
}

int main(int argc, char **argv)
{
	const char *seed = getenv("BERTH_SEED"), *worlds = getenv("BERTH_SIM_WORLDS");
	unsigned long count = worlds ? strtoul(worlds, NULL, 0) : DEFAULT_WORLDS, failed = 0;

	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], "--seed"))
			seed = argv[i + 1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (seed) {
		failed = !run_world(strtoull(seed, NULL, 0), true);
		count = 1;
	}
	for (unsigned long i = 1; !seed && i <= count && failed < 10; i++)
		failed += !run_world(i, false);
	failed += !traits_seen(count);
	printf("%sok 1 - tcp: %lu worlds deliver every byte once and in order\n1..1\n", failed ? "not " : "", count);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
