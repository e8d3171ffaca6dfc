/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of several stacks with one address has a conversation: berth/steer.h says how it is to be. */
#include "core/steer/steer.h"

#include "base/ip.h"
#include "core/stack.h"
#include "wire/ip6.h"

#include <errno.h>

enum {
	DEALT_FROM = 61000,	/* behind those that Linux, and we, choose for connections */
	DEALT_FROM_MIN = 40000, /* leaves connections their share of 32768 and on */
	PROTOCOL_DCCP = 33,
	PROTOCOL_SCTP = 132,
	PROTOCOL_UDPLITE = 136,
};

int steering_init(struct steering *steering, const struct berth_steering *config, unsigned index)
{
	uint16_t dealt_from = config->dealt_from ? config->dealt_from : DEALT_FROM;

	if (!config->count || config->count > BERTH_STEER_MAX || index >= config->count || dealt_from < DEALT_FROM_MIN)
		return -EINVAL;
	if (65536u - dealt_from < config->count)
		return -EINVAL; /* not one for each */
	*steering = (struct steering){ .key = { config->key[0], config->key[1] },
				       .count = config->count,
				       .index = index,
				       .dealt_from = dealt_from };
	return 0;
}

bool steering_has_ports(uint8_t protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDPLITE ||
	       protocol == PROTOCOL_SCTP || protocol == PROTOCOL_DCCP;
}

static bool is_before(const struct berth_endpoint *a, const struct berth_endpoint *b)
{
	int order = memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));

	return order ? order < 0 : a->port < b->port;
}

/* The same for (a, b) and (b, a). */
static uint64_t flow_hash(const struct steering *steering, uint8_t protocol, const struct berth_endpoint *a,
			  const struct berth_endpoint *b)
{
	const struct berth_endpoint *low = is_before(a, b) ? a : b, *high = low == a ? b : a;
	uint64_t words[5];

	words[0] = (uint64_t)protocol << 32 | (uint32_t)low->port << 16 | high->port;
	if (ip_is4(low->ip) && ip_is4(high->ip)) {
		words[1] = (uint64_t)ip_u32(low->ip) << 32 | ip_u32(high->ip);
		return hash_words(steering->key, words, 2);
	}
	memcpy(words + 1, low->ip.bytes, 16);
	memcpy(words + 3, high->ip.bytes, 16);
	return hash_words(steering->key, words, 5);
}

unsigned steering_flow(const struct steering *steering, uint8_t protocol, const struct berth_endpoint *local,
		       const struct berth_endpoint *remote)
{
	struct berth_endpoint here = *local, there = *remote;

	if (protocol != PROTOCOL_ICMP4 && protocol != PROTOCOL_ICMP6 && !steering_has_ports(protocol))
		here.port = there.port = 0;
	if (here.port >= steering->dealt_from)
		return here.port % steering->count;
	return (unsigned)((flow_hash(steering, protocol, &here, &there) >> 32) * steering->count >> 32);
}

unsigned berth_steer_flow(const struct berth_steering *config, uint8_t protocol, const struct berth_endpoint *local,
			  const struct berth_endpoint *remote)
{
	struct steering steering;

	return steering_init(&steering, config, 0) < 0 ? 0 : steering_flow(&steering, protocol, local, remote);
}

int berth_stack_set_steering(struct berth_stack *stack, const struct berth_steering *config, unsigned index)
{
	struct steering steering = { .count = 0 };
	int r = config ? steering_init(&steering, config, index) : 0;

	if (r < 0)
		return r;
	stack->steering = steering;
	return 0;
}
