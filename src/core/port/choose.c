/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ephemeral ports. RFC 6056: a port that an attacker can't guess. For
 * connections that is the double-hash algorithm (§3.3.4): a keyed hash of both
 * ends plus one of many counters, which goes on by small random steps (§3.3.5),
 * so that a port comes back to the same peer as late as may be, and ports to
 * one peer tell nothing about those to another. The search runs over the bitmap
 * of used ports, 64 at a time, so a nearly full range costs no more than an
 * empty one.
 *
 * A stack that is one of several with one address (steer/) chooses only ports
 * whose answers are steered to it: those that are dealt to it for sockets
 * without a peer, those that the flow's hash says for connections.
 */
#include "core/port/space.h"

#include <assert.h>
#include <errno.h>

/* Linux: net.ipv4.ip_local_port_range. RFC 6335 §6 has 49152-65535; programs expect Linux's. */
#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_COUNT (60999u - EPHEMERAL_FIRST + 1)

/* The first unused port at or after start, before end; end when there is none. */
static unsigned next_unused(const struct port_space *space, unsigned start, unsigned end)
{
	unsigned port = start;

	while (port < end) {
		uint64_t unused = ~space->used[port / 64] >> (port % 64);

		if (unused) {
			port += (unsigned)__builtin_ctzll(unused);
			return MIN(port, end);
		}
		port = (port / 64 + 1) * 64;
	}
	return end;
}

/* An unused port, the first from offset on around the range; 0 when every port has a claim. */
static unsigned find_unused(const struct port_space *space, unsigned offset)
{
	unsigned end = EPHEMERAL_FIRST + EPHEMERAL_COUNT;
	unsigned start = EPHEMERAL_FIRST + offset;
	unsigned port = next_unused(space, start, end);

	if (port < end)
		return port;
	port = next_unused(space, EPHEMERAL_FIRST, start);
	return port < start ? port : 0;
}

bool port_comes_home(struct berth_stack *stack, const struct port_claim *claim, const struct berth_endpoint *remote)
{
	const struct steering *steering = &stack->steering;
	struct berth_endpoint local = { claim->ip, claim->port };

	if (!steering->count || link_of_address(stack, remote->ip)) /* what we send to ourselves is not steered */
		return true;
	return steering_flow(steering, claim->protocol, &local, remote) == steering->index;
}

/* Without a peer: a port that is dealt to us, whoever sends to it. */
static int choose_dealt(struct berth_stack *stack, struct port_space *space, struct port_claim *claim)
{
	const struct steering *steering = &stack->steering;
	unsigned first = steering->dealt_from, count;

	first += (steering->index + steering->count - first % steering->count) % steering->count;
	count = (65535 - first) / steering->count + 1;
	unsigned offset = (unsigned)random_below(&stack->random, count);
	for (unsigned i = 0; i < 2 * count; i++) {
		claim->port = (uint16_t)(first + (offset + i) % count * steering->count);
		/* First one that nobody has; then one that others have, too (another address, reuse). */
		if (i < count ? !port_used(space, claim->port) : port_claim_allowed(stack, claim))
			return 0;
	}
	claim->port = 0;
	return -EADDRINUSE;
}

int port_choose(struct berth_stack *stack, struct port_claim *claim)
{
	struct port_space *space = port_space(stack, claim->protocol, true);

	if (stack->steering.count)
		return choose_dealt(stack, space, claim);
	unsigned offset = (unsigned)random_below(&stack->random, EPHEMERAL_COUNT);
	unsigned port = find_unused(space, offset);
	if (port) {
		claim->port = (uint16_t)port;
		return 0;
	}
	/* All have claims; some may stand beside this one (another address, reuse). */
	for (unsigned i = 0; i < EPHEMERAL_COUNT; i++) {
		claim->port = (uint16_t)(EPHEMERAL_FIRST + (offset + i) % EPHEMERAL_COUNT);
		if (port_claim_allowed(stack, claim))
			return 0;
	}
	claim->port = 0;
	return -EADDRINUSE;
}

/* RFC 6056 §3.3.4: F(local, remote, secret), and the counter that G() of the same chooses. */
static uint32_t pair_hash(struct berth_stack *stack, const struct port_claim *claim,
			  const struct berth_endpoint *remote, uint32_t **ret_counter)
{
	uint64_t words[5], hash;

	memcpy(words, claim->ip.bytes, 16);
	memcpy(words + 2, remote->ip.bytes, 16);
	words[4] = remote->port;
	hash = hash_words(stack->hash_key, words, 5);
	*ret_counter = &stack->ports->counters[hash >> 32 & (PORT_COUNTERS - 1)];
	return (uint32_t)hash;
}

/* Only ports that were all chosen for connections may be shared among them. Linux: tb->fastreuse < 0. */
static bool shareable(struct berth_stack *stack, struct port_space *space, uint16_t port)
{
	struct list *bucket = port_bucket(stack, space, port, false);
	const struct port_claim *first = LIST_FIRST(bucket, struct port_claim, node);

	assert(first);			       /* the port is in use */
	return first->shared && first->chosen; /* then so are all behind it */
}

static bool tuple_is_new(struct berth_stack *stack, const struct port_claim *claim, uint16_t port,
			 const struct berth_endpoint *remote)
{
	struct berth_endpoint local = { claim->ip, port };

	return !demux_find(stack, claim->protocol, &local, remote);
}

/* May port be claim's for remote, beside all who have it? An unused one may, if answers to it come home. */
static bool fits(struct berth_stack *stack, struct port_space *space, struct port_claim *claim, uint16_t port,
		 const struct berth_endpoint *remote)
{
	claim->port = port;
	if (stack->steering.count && (port >= stack->steering.dealt_from || !port_comes_home(stack, claim, remote)))
		return false;
	if (!port_used(space, port))
		return true;
	return tuple_is_new(stack, claim, port, remote) && shareable(stack, space, port);
}

/* find_unused() for a connection: the first that comes home. */
static unsigned find_home(struct berth_stack *stack, struct port_space *space, struct port_claim *claim,
			  unsigned offset, const struct berth_endpoint *remote)
{
	unsigned left = EPHEMERAL_COUNT;

	if (!stack->steering.count)
		return find_unused(space, offset);
	while (left) {
		unsigned port = find_unused(space, offset), passed;

		if (!port)
			return 0;
		if (fits(stack, space, claim, (uint16_t)port, remote))
			return port;
		passed = (port - EPHEMERAL_FIRST + EPHEMERAL_COUNT - offset) % EPHEMERAL_COUNT + 1;
		left -= MIN(left, passed);
		offset = (offset + passed) % EPHEMERAL_COUNT;
	}
	return 0;
}

int port_claim_connect(struct berth_stack *stack, struct port_claim *claim, const struct berth_endpoint *remote)
{
	struct port_space *space = port_space(stack, claim->protocol, true);
	unsigned offset, port;
	uint32_t *counter, hash;

	if (!space)
		return -ENOMEM;
	hash = pair_hash(stack, claim, remote, &counter);
	offset = (hash + *counter) % EPHEMERAL_COUNT;
	port = find_home(stack, space, claim, offset, remote);
	for (unsigned i = 0; !port && i < EPHEMERAL_COUNT; i++) {
		uint16_t candidate = (uint16_t)(EPHEMERAL_FIRST + (offset + i) % EPHEMERAL_COUNT);

		if (fits(stack, space, claim, candidate, remote))
			port = candidate;
	}
	claim->port = 0;
	if (!port)
		return -EADDRNOTAVAIL;
	*counter += (port - EPHEMERAL_FIRST + EPHEMERAL_COUNT - offset) % EPHEMERAL_COUNT + 1 +
		    (uint32_t)random_below(&stack->random, 4);
	claim->port = (uint16_t)port;
	claim->chosen = claim->shared = true;
	if (port_claim_enter(stack, claim) < 0) {
		claim->port = 0;
		return -ENOMEM;
	}
	return 0;
}
