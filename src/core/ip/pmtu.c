/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path MTUs as routers report them. RFC 1191, RFC 8201. A small set-associative
 * table: whoever forges reports can push others' out, never make it grow, and
 * never ask for less than a floor (Linux: ip_rt_min_pmtu; RFC 8201 §4).
 */
#include "core/ip/internal.h"
#include "core/route/route.h"

#define PMTU_LIFE (600 * BERTH_SEC) /* RFC 1191 §6.3, RFC 8201 §5.3: try again after 10 minutes */
enum { FLOOR4 = 552, FLOOR6 = WIRE_IP6_MTU_MIN };

static struct pmtu *set_of(struct berth_stack *stack, struct berth_ip destination)
{
	uint64_t words[2];

	memcpy(words, destination.bytes, sizeof(words));
	return stack->icmp->pmtus[hash_words(stack->hash_key, words, 2) % PMTU_SETS];
}

unsigned pmtu_find(struct berth_stack *stack, struct berth_ip destination, unsigned limit)
{
	struct pmtu *set = set_of(stack, destination);

	for (size_t i = 0; i < PMTU_WAYS; i++)
		if (ip_equal(set[i].destination, destination) && set[i].until > stack->now)
			return MIN(set[i].mtu, limit);
	return limit;
}

/* An old router names no MTU: the next lower of what networks have. RFC 1191 §7.1. */
static unsigned plateau_below(unsigned length)
{
	static const unsigned plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, FLOOR4 };

	for (size_t i = 0; i < COUNT_OF(plateaus); i++)
		if (plateaus[i] < length)
			return plateaus[i];
	return FLOOR4;
}

unsigned pmtu_learn(struct berth_stack *stack, struct berth_ip destination, unsigned mtu, unsigned length)
{
	struct pmtu *set = set_of(stack, destination), *slot = &set[0];
	unsigned known;

	if (ip_is4(destination))
		mtu = MAX(mtu ? mtu : plateau_below(length), (unsigned)FLOOR4);
	else
		mtu = MAX(mtu, (unsigned)FLOOR6);
	known = pmtu_find(stack, destination, IP_TOTAL_MAX);
	if (mtu >= known)
		return known; /* §5.2, §4: a report never makes it larger */
	for (size_t i = 0; i < PMTU_WAYS; i++) {
		if (ip_equal(set[i].destination, destination)) {
			slot = &set[i];
			break;
		}
		if (set[i].until < slot->until)
			slot = &set[i];
	}
	*slot = (struct pmtu){ .destination = destination, .mtu = mtu, .until = stack->now + PMTU_LIFE };
	route_changed(stack);
	return mtu;
}
