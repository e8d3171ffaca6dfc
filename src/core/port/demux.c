/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The demultiplexer: four-tuple to conversation in O(1). The hash is keyed
 * (SipHash), so that a peer who chooses its ports can't make chains long.
 * Chains hang in a power-of-two table that doubles when it is full.
 */
#include "core/port/space.h"

#include <errno.h>

struct demux {
	struct demux_node **chains;
	size_t size, count;	 /* size is a power of two */
	struct demux_node *last; /* found: bulk data asks for the same one again and again. NULL: none */
};

static uint32_t tuple_hash(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *local,
			   const struct berth_endpoint *remote)
{
	uint64_t words[5] = { (uint64_t)protocol << 32 | (uint32_t)local->port << 16 | remote->port };

	if (ip_is4(local->ip) && ip_is4(remote->ip)) { /* of another count than IPv6's, which the hash knows */
		memcpy(words + 1, local->ip.bytes + 12, 4);
		memcpy((uint8_t *)(words + 1) + 4, remote->ip.bytes + 12, 4);
		return (uint32_t)hash_words(stack->hash_key, words, 2);
	}
	memcpy(words + 1, local->ip.bytes, 16);
	memcpy(words + 3, remote->ip.bytes, 16);
	return (uint32_t)hash_words(stack->hash_key, words, 5);
}

static bool endpoint_equal(const struct berth_endpoint *a, const struct berth_endpoint *b)
{
	return a->port == b->port && ip_equal(a->ip, b->ip);
}

static int grow(struct berth_stack *stack)
{
	struct demux *demux = stack->demux;
	size_t size = demux->size ? demux->size * 2 : 64;
	struct demux_node **chains = stack_alloc(stack, size * sizeof(struct demux_node *));

	if (!chains)
		return demux->size ? 0 : -ENOMEM; /* longer chains are better than no service */
	for (size_t i = 0; i < demux->size; i++) {
		struct demux_node *next;

		for (struct demux_node *node = demux->chains[i]; node; node = next) {
			struct demux_node **chain = &chains[node->hash & (size - 1)];

			next = node->next;
			node->next = *chain;
			*chain = node;
		}
	}
	stack_free(stack, demux->chains, demux->size * sizeof(struct demux_node *));
	demux->chains = chains;
	demux->size = size;
	return 0;
}

static bool is_for(const struct demux_node *node, uint8_t protocol, const struct berth_endpoint *local,
		   const struct berth_endpoint *remote)
{
	return node->protocol == protocol && endpoint_equal(&node->remote, remote) &&
	       endpoint_equal(&node->local, local);
}

static struct demux_node *find_hashed(const struct demux *demux, uint32_t hash, uint8_t protocol,
				      const struct berth_endpoint *local, const struct berth_endpoint *remote)
{
	if (!demux->size)
		return NULL;
	for (struct demux_node *node = demux->chains[hash & (demux->size - 1)]; node; node = node->next)
		if (node->hash == hash && is_for(node, protocol, local, remote))
			return node;
	return NULL;
}

int demux_add(struct berth_stack *stack, struct demux_node *node)
{
	struct demux *demux = stack->demux;
	struct demux_node **chain;

	node->hash = tuple_hash(stack, node->protocol, &node->local, &node->remote);
	if (find_hashed(demux, node->hash, node->protocol, &node->local, &node->remote))
		return -EADDRINUSE;
	if (demux->count >= demux->size && grow(stack) < 0)
		return -ENOMEM;
	chain = &demux->chains[node->hash & (demux->size - 1)];
	node->next = *chain;
	*chain = node;
	node->linked = true;
	demux->count++;
	demux->last = node; /* it is likely to be asked for next */
	return 0;
}

/* Where node hangs. It does. */
static struct demux_node **link_of(const struct demux *demux, const struct demux_node *node)
{
	struct demux_node **link = &demux->chains[node->hash & (demux->size - 1)];

	while (*link != node)
		link = &(*link)->next;
	return link;
}

int demux_replace(struct berth_stack *stack, struct demux_node *old, struct demux_node *node)
{
	struct demux *demux = stack->demux;
	struct demux_node **link;

	if (!old->linked)
		return demux_add(stack, node);
	link = link_of(demux, old);
	node->hash = old->hash;
	node->next = old->next;
	node->linked = true;
	*link = node;
	old->next = NULL;
	old->linked = false;
	if (demux->last == old)
		demux->last = node;
	return 0;
}

void demux_remove(struct berth_stack *stack, struct demux_node *node)
{
	struct demux *demux = stack->demux;

	if (!node->linked)
		return;
	*link_of(demux, node) = node->next;
	if (demux->last == node)
		demux->last = NULL;
	node->next = NULL;
	node->linked = false;
	demux->count--;
}

void demux_expect(struct berth_stack *stack, struct demux_node *node)
{
	if (node->linked)
		stack->demux->last = node;
}

struct demux_node *demux_find(struct berth_stack *stack, uint8_t protocol, const struct berth_endpoint *local,
			      const struct berth_endpoint *remote)
{
	struct demux *demux = stack->demux;
	struct demux_node *node;

	if (demux->last && is_for(demux->last, protocol, local, remote))
		return demux->last;
	node = find_hashed(demux, tuple_hash(stack, protocol, local, remote), protocol, local, remote);
	if (node)
		demux->last = node;
	return node;
}

void demux_each(struct berth_stack *stack, uint8_t protocol, void (*each)(void *context, struct demux_node *node),
		void *context)
{
	for (size_t i = 0; i < stack->demux->size; i++)
		for (struct demux_node *node = stack->demux->chains[i]; node; node = node->next)
			if (node->protocol == protocol && node->kind != DEMUX_SOCKET)
				each(context, node);
}

int demux_init(struct berth_stack *stack)
{
	stack->demux = stack_alloc(stack, sizeof(*stack->demux));
	return stack->demux ? 0 : -ENOMEM;
}

void demux_fini(struct berth_stack *stack)
{
	if (!stack->demux)
		return;
	stack_free(stack, stack->demux->chains, stack->demux->size * sizeof(struct demux_node *));
	stack_free(stack, stack->demux, sizeof(*stack->demux));
	stack->demux = NULL;
}
