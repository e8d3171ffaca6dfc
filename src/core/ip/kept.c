/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways that sockets hold. A way has the neighbour only where that is a gateway,
 * so a host has about as many as it has addresses and gateways, however many
 * it talks to.
 */
#include "core/ip/internal.h"

const struct ip_path ip_path_none;

static bool equal(const struct ip_path *a, const struct ip_path *b)
{
	return a->generation == b->generation && a->link == b->link && a->mtu == b->mtu && a->group == b->group &&
	       ip_equal(a->source, b->source) && ip_equal(a->next_hop, b->next_hop);
}

static struct kept_path **bucket_of(struct berth_stack *stack, const struct ip_path *path)
{
	uint64_t source[2], hop[2];

	memcpy(source, path->source.bytes, sizeof(source));
	memcpy(hop, path->next_hop.bytes, sizeof(hop));
	source[1] ^= source[0] ^ (hop[0] ^ hop[1]) >> 7 ^ path->mtu;
	return &stack->icmp->kept[source[1] * 0x9e3779b97f4a7c15u >> 40 & (KEPT_BUCKETS - 1)];
}

const struct ip_path *ip_path_keep(struct berth_stack *stack, const struct ip_path *path, struct berth_ip destination)
{
	struct kept_path *kept, **bucket;
	struct ip_path way = *path;

	if (ip_equal(way.next_hop, destination))
		way.next_hop = ip_any;
	bucket = bucket_of(stack, &way);
	for (kept = *bucket; kept && !equal(&kept->path, &way); kept = kept->next)
		;
	if (!kept) {
		kept = stack_alloc(stack, sizeof(*kept));
		if (!kept)
			return NULL;
		kept->path = way;
		kept->next = *bucket;
		*bucket = kept;
	}
	kept->holders++;
	return &kept->path;
}

void ip_path_drop(struct berth_stack *stack, const struct ip_path *path)
{
	struct kept_path *kept, **link;

	if (path == &ip_path_none)
		return;
	link = bucket_of(stack, path);
	while (&(*link)->path != path)
		link = &(*link)->next;
	kept = *link;
	if (--kept->holders)
		return;
	*link = kept->next;
	stack_free(stack, kept, sizeof(*kept));
}
