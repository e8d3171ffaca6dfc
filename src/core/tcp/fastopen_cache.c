/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client knows of Fast Open's servers, RFC 7413 §4.1.3: cookie, MSS and
 * how it went. Bounded by berth_limits.fastopen_cache; whoever was not used
 * for longest goes. Made when first used.
 */
#include "core/tcp/tcp.h"

#include <assert.h>

static size_t bucket_of(const struct tcp_stack *tcp, const struct berth_ip *local, const struct berth_ip *remote)
{
	uint64_t words[4];

	memcpy(words, local->bytes, 16);
	memcpy(words + 2, remote->bytes, 16);
	return hash_words(tcp->stack->hash_key, words, COUNT_OF(words)) % FASTOPEN_BUCKETS;
}

struct fastopen_peer *fastopen_cache_find(struct tcp_stack *tcp, const struct berth_ip *local,
					  const struct berth_ip *remote)
{
	struct fastopen_cache *cache = tcp->fastopen_cache;

	if (!cache)
		return NULL;
	LIST_EACH(&cache->buckets[bucket_of(tcp, local, remote)], node) {
		struct fastopen_peer *peer = LIST_ITEM(node, struct fastopen_peer, node);

		if (!ip_equal(peer->remote, *remote) || !ip_equal(peer->local, *local))
			continue;
		list_remove(&peer->age_node);
		list_append(&cache->ages, &peer->age_node);
		return peer;
	}
	return NULL;
}

static void forget_oldest(struct tcp_stack *tcp)
{
	struct fastopen_cache *cache = tcp->fastopen_cache;
	struct fastopen_peer *peer = LIST_FIRST(&cache->ages, struct fastopen_peer, age_node);

	assert(peer); /* the cache is full */
	list_remove(&peer->node);
	list_remove(&peer->age_node);
	cache->count--;
	stack_free(tcp->stack, peer, sizeof(*peer));
}

static bool cache_begin(struct tcp_stack *tcp)
{
	struct fastopen_cache *cache = stack_alloc(tcp->stack, sizeof(*cache));

	if (!cache)
		return false;
	for (size_t i = 0; i < FASTOPEN_BUCKETS; i++)
		list_init(&cache->buckets[i]);
	list_init(&cache->ages);
	tcp->fastopen_cache = cache;
	return true;
}

struct fastopen_peer *fastopen_cache_get(struct tcp_stack *tcp, const struct berth_ip *local,
					 const struct berth_ip *remote)
{
	struct fastopen_peer *peer = fastopen_cache_find(tcp, local, remote);

	if (peer || (!tcp->fastopen_cache && !cache_begin(tcp)))
		return peer;
	peer = stack_alloc(tcp->stack, sizeof(*peer));
	if (!peer)
		return NULL;
	if (tcp->fastopen_cache->count >= tcp->stack->limits.fastopen_cache)
		forget_oldest(tcp);
	peer->local = *local;
	peer->remote = *remote;
	list_append(&tcp->fastopen_cache->buckets[bucket_of(tcp, local, remote)], &peer->node);
	list_append(&tcp->fastopen_cache->ages, &peer->age_node);
	tcp->fastopen_cache->count++;
	return peer;
}

void fastopen_cache_fini(struct tcp_stack *tcp)
{
	if (!tcp->fastopen_cache)
		return;
	while (tcp->fastopen_cache->count)
		forget_oldest(tcp);
	stack_free(tcp->stack, tcp->fastopen_cache, sizeof(*tcp->fastopen_cache));
	tcp->fastopen_cache = NULL;
}
