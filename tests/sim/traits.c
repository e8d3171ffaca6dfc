/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes one world of TCP another than the next: SYN cookies, Fast Open,
 * urgent data, congestion control, pacing, packets without a copy, a cable
 * that swallows what is large, a stack with little memory. Whatever they are,
 * the bytes that arrive must be the same.
 */
#include "tests/sim/world.h"

#include "base/bytes.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

void traits_choose(struct world *world)
{
	struct traits *traits = &world->traits;
	/* Of a SYN cookie nothing is sent again, and it spoils in two minutes. */
	bool fair = world->cable.loss + world->cable.damage < 120;

	traits->ecn = (unsigned)below(world, 4); /* 0 is the default */
	traits->pacing = chance(world, 200) ? BERTH_PACING_ALWAYS : 0;
	traits->mtu_probing = chance(world, 200) ? BERTH_MTU_PROBING_OFF : 0;
	traits->syn_cookies = (fair || world->rough) && chance(world, 200) ? BERTH_SYN_COOKIES_ALWAYS : 0;
	traits->urgent = chance(world, 200);
	traits->lends = chance(world, 300);
	traits->memory = chance(world, 150) ? 65536u << below(world, 3) : 0;
	if (chance(world, 300)) {
		for (int side = 0; side < 2; side++)
			traits->fastopen[side] = BERTH_FASTOPEN_CLIENT | BERTH_FASTOPEN_SERVER |
						 (chance(world, 500) ? BERTH_FASTOPEN_CLIENT_NO_COOKIE : 0) |
						 (chance(world, 500) ? BERTH_FASTOPEN_SERVER_NO_COOKIE : 0);
	}
	if (traits->mtu_probing != BERTH_MTU_PROBING_OFF && chance(world, 100))
		world->cable.narrow = 600 + (unsigned)below(world, 800);
}

void traits_print(const struct world *world)
{
	const struct traits *traits = &world->traits;

	printf("# syn_cookies %u pacing %u mtu_probing %u ecn %u fastopen %#x %#x memory %zu narrow %u%s%s\n",
	       traits->syn_cookies, traits->pacing, traits->mtu_probing, traits->ecn, traits->fastopen[0],
	       traits->fastopen[1], traits->memory, world->cable.narrow, traits->urgent ? " urgent" : "",
	       traits->lends ? " lends" : "");
}

void traits_limit(const struct world *world, int side, struct berth_limits *limits)
{
	const struct traits *traits = &world->traits;

	limits->syn_cookies = traits->syn_cookies;
	limits->pacing = traits->pacing;
	limits->mtu_probing = traits->mtu_probing;
	limits->ecn = traits->ecn ? (traits->ecn + (unsigned)side) % 4 : 0;
	limits->fastopen = traits->fastopen[side];
	limits->memory = traits->memory;
}

static void set(struct berth_stack *stack, int fd, int level, int option, int value)
{
	/* In a rough world there may be no memory for it, this time. */
	while (berth_setsockopt(stack, fd, level, option, &value, sizeof(value)) < 0 && errno == ENOMEM)
		;
}

static void choose_control(struct world *world, struct berth_stack *stack, int fd)
{
	static const char *const controls[] = { "cubic", "reno", "bbr" };
	const char *control = controls[below(world, 3)];

	berth_setsockopt(stack, fd, IPPROTO_TCP, TCP_CONGESTION, control, (socklen_t)strlen(control));
}

void traits_listener(struct world *world, struct berth_stack *stack, int fd)
{
	choose_control(world, stack, fd);
	if (world->traits.urgent)
		set(stack, fd, SOL_SOCKET, SO_OOBINLINE, 1);
	if (world->traits.fastopen[0])
		set(stack, fd, IPPROTO_TCP, TCP_FASTOPEN, 1 + (int)below(world, 3));
}

ssize_t traits_connect(struct world *world, const struct flow *flow, const struct sockaddr *address, socklen_t length,
		       const void *bytes, size_t size)
{
	struct berth_stack *stack = world->stacks[flow->initiator];
	int fd = flow->fd[flow->initiator];

	choose_control(world, stack, fd);
	if (world->traits.urgent)
		set(stack, fd, SOL_SOCKET, SO_OOBINLINE, 1);
	if (world->traits.fastopen[0] && size && chance(world, 500))
		return berth_sendto(stack, fd, bytes, size, MSG_FASTOPEN, address, length);
	if (world->traits.fastopen[0] && size)
		set(stack, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	return berth_connect(stack, fd, address, length);
}

static ssize_t send_packet(struct berth_stack *stack, int fd, const void *bytes, size_t size, int flags)
{
	struct berth_packet *packet = berth_packet_copy(berth_stack_packets(stack), bytes, MIN(size, 60000));
	ssize_t sent;

	if (!packet) {
		errno = ENOBUFS;
		return -1;
	}
	sent = berth_send_packet(stack, fd, packet, flags);
	if (sent < 0)
		berth_packet_unref(packet);
	return sent;
}

ssize_t traits_send(struct world *world, int side, int fd, const void *bytes, size_t size)
{
	struct berth_stack *stack = world->stacks[side];
	int flags = chance(world, 100) ? MSG_MORE : 0;

	if (world->traits.urgent && chance(world, 50))
		return berth_send(stack, fd, bytes, size, MSG_OOB);
	if (world->traits.lends && size && chance(world, 500))
		return send_packet(stack, fd, bytes, size, flags);
	return berth_send(stack, fd, bytes, size, flags);
}

ssize_t traits_receive(struct world *world, int side, int fd, void *bytes, size_t size, int flags)
{
	struct berth_stack *stack = world->stacks[side];
	struct berth_packet *packet;
	ssize_t got;

	if (flags || !world->traits.lends || size < 65536 || chance(world, 300))
		return berth_recv(stack, fd, bytes, size, flags);
	got = berth_recv_packet(stack, fd, &packet, 0);
	if (got > 0) {
		memcpy(bytes, packet->data, (size_t)got);
		berth_packet_unref(packet);
	}
	return got;
}

/* Where memory is short each stack pays for its own: the packet becomes one of the receiver's. */
void traits_arrive(struct world *world, int side, struct berth_packet *packet)
{
	struct berth_packet *copy = packet;

	if (world->traits.memory) {
		copy = berth_packet_copy(berth_stack_packets(world->stacks[side]), packet->data, packet->length);
		if (copy)
			copy->checksum = packet->checksum;
		if (copy)
			copy->segment_size = packet->segment_size;
		berth_packet_unref(packet);
	}
	if (copy)
		berth_stack_input(world->stacks[side], world->links[side], copy, world->now);
}

/*
 * Of a SYN cookie the server keeps nothing: what comes to it before, or in
 * place of, the ACK that brings the cookie back is answered by RST, as by Linux.
 */
bool traits_excuse(const struct world *world, const struct flow *flow)
{
	return (errno == ECONNRESET || errno == EPIPE) &&
	       berth_event_count(world->stacks[!flow->initiator], BERTH_EVENT_TCP_COOKIE_FAILED);
}

void traits_change(struct world *world, int side, int fd)
{
	static const int options[] = { TCP_NODELAY, TCP_CORK, TCP_QUICKACK };
	struct berth_stack *stack = world->stacks[side];

	set(stack, fd, IPPROTO_TCP, options[below(world, 3)], (int)below(world, 2));
	if (chance(world, 200))
		choose_control(world, stack, fd);
	if (chance(world, 200))
		set(stack, fd, SOL_SOCKET, SO_MAX_PACING_RATE, chance(world, 500) ? -1 : 50000 << below(world, 8));
}

static const struct {
	enum berth_event event;
	const char *name;
} wanted[] = {
	{ BERTH_EVENT_TCP_RETRANSMIT, "segments sent again" },
	{ BERTH_EVENT_TCP_FAST_RETRANSMIT, "fast retransmits" },
	{ BERTH_EVENT_TCP_RTO, "timeouts" },
	{ BERTH_EVENT_TCP_COOKIE_TAKEN, "SYN cookies taken" },
	{ BERTH_EVENT_TCP_FASTOPEN_SENT, "SYNs whose data was taken" },
	{ BERTH_EVENT_TCP_FASTOPEN_FAILED, "SYNs whose data was not" },
	{ BERTH_EVENT_TCP_BLACK_HOLE, "black holes" },
	{ BERTH_EVENT_TCP_MTU_PROBE, "MTU probes" },
	{ BERTH_EVENT_TCP_DROP_MEMORY, "segments without room in memory" },
	{ BERTH_EVENT_MEMORY_SEND_REFUSED, "senders told to wait for memory" },
};

static uint64_t seen[COUNT_OF(wanted)], bytes, lost;

void traits_sum_up(struct world *world)
{
	for (int i = 0; i < world->flow_count; i++)
		bytes += world->flows[i].received[0] + world->flows[i].received[1];
	lost += world->lost;
	for (size_t i = 0; i < COUNT_OF(wanted); i++)
		for (int side = 0; side < 2; side++)
			seen[i] += berth_event_count(world->stacks[side], wanted[i].event);
}

bool traits_seen(unsigned long worlds)
{
	bool all = true;

	printf("# %llu bytes\n# %llu packets lost\n", (unsigned long long)bytes, (unsigned long long)lost);
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		printf("# %llu %s\n", (unsigned long long)seen[i], wanted[i].name);
		all &= worlds < 1000 || seen[i];
	}
	return all;
}
