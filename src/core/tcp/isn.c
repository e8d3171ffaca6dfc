/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Initial sequence numbers, RFC 6528 §3: ISN = M + F(four-tuple, secret), M a
 * clock of 4 µs. Timestamps start at an offset of the same kind, so that they
 * tell nothing of our uptime and still rise within a four-tuple (RFC 7323 §7.1).
 */
#include "core/tcp/tcp.h"

static uint64_t tuple_hash(struct hash_key key, const struct berth_endpoint *local, const struct berth_endpoint *remote)
{
	uint64_t words[5] = { (uint64_t)local->port << 16 | remote->port };

	if (ip_is4(local->ip) && ip_is4(remote->ip)) { /* of another count than IPv6's, which the hash knows */
		memcpy(words + 1, local->ip.bytes + 12, 4);
		memcpy((uint8_t *)(words + 1) + 4, remote->ip.bytes + 12, 4);
		return hash_words(key, words, 2);
	}
	memcpy(words + 1, local->ip.bytes, 16);
	memcpy(words + 3, remote->ip.bytes, 16);
	return hash_words(key, words, COUNT_OF(words));
}

uint32_t tcp_isn(const struct berth_stack *stack, const struct berth_endpoint *local,
		 const struct berth_endpoint *remote)
{
	const struct tcp_stack *tcp = stack->protocol_states[IPPROTO_TCP];

	return (uint32_t)(stack->now / (4 * BERTH_USEC)) + (uint32_t)tuple_hash(tcp->isn_key, local, remote);
}

uint32_t tcp_timestamp_offset(const struct berth_stack *stack, const struct berth_endpoint *local,
			      const struct berth_endpoint *remote)
{
	const struct tcp_stack *tcp = stack->protocol_states[IPPROTO_TCP];

	return (uint32_t)tuple_hash(tcp->timestamp_key, local, remote);
}
