/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network: the switch, the cables, and time. Frames move only in
 * berth_net_advance(), the cable whose frame is due first first, and among
 * equals the one that has waited longest, so that runs repeat.
 *
 * Stacks with something due are found by their alarms (a stack tells when its
 * deadline comes to lie earlier), and served in rounds: all that are due when a
 * round begins, in the order in which the hosts came. Hosts with nothing to do
 * are not looked at, however many there are.
 *
 * Invariant: between calls every host whose stack has a deadline has an alarm
 * that is not later.
 */
#include "core/stack.h"
#include "net/network.h"

#include <limits.h>

enum {
	/* Two hosts can answer each other for ever at one instant; after so many
	 * frames the caller gets the turn, and the deadline says at once. */
	FRAMES_A_TURN = 8192,
	SUPERFRAME_DEFAULT = 65535 - 120, /* what the IPv4 length field leaves beside the largest headers */
	SUBNET4_LENGTH = 16,
	SUBNET6_LENGTH = 64,
};

static bool config_subnets(struct berth_net *net, const struct berth_net_config *config)
{
	net->subnet4 = config->subnet4;
	net->subnet6 = config->subnet6;
	net->subnet4_length = config->subnet4_length ? config->subnet4_length : SUBNET4_LENGTH;
	if (ip_is_any(net->subnet4))
		berth_ip_parse("10.77.0.0", &net->subnet4);
	if (ip_is_any(net->subnet6))
		berth_ip_parse("fd77::", &net->subnet6);
	if (!ip_is4(net->subnet4) || !ip_is6(net->subnet6) || net->subnet4_length < 8 || net->subnet4_length > 30)
		return false;
	net->subnet4 = ip_mask(net->subnet4, net->subnet4_length);
	net->subnet6 = ip_mask(net->subnet6, SUBNET6_LENGTH);
	return !ip_is_loopback(net->subnet4) && !ip_is_multicast(net->subnet4) && ip_u32(net->subnet4);
}

struct berth_net *berth_net_new(const struct berth_net_config *config)
{
	static const struct berth_net_config defaults;

	if (!config)
		config = &defaults;
	struct berth_net *net = memory_new(config->allocator, sizeof(*net));
	if (!net)
		return NULL;
	net->allocator = config->allocator;
	net->now = config->now;
	random_init(&net->random, config->seed);
	struct random sequences;
	random_init(&sequences, ~config->seed);
	net->sequence_seed = random_u64(&sequences);
	const char *name = config->name ? config->name : "default";
	net->mtu = config->mtu ? config->mtu : 1500;
	net->superframe = config->superframe == UINT_MAX ? 0 : config->superframe;
	if (!config->superframe)
		net->superframe = SUPERFRAME_DEFAULT;
	net->limits = config->limits;
	list_init(&net->hosts);
	list_init(&net->resolvers);
	timers_init(&net->wires, net->allocator);
	timers_init(&net->alarms, net->allocator);
	timers_init(&net->turns, net->allocator);
	struct hash_key key = { random_u64(&net->random), random_u64(&net->random) };
	switch_init(&net->sw, net->allocator, key);
	if (config_subnets(net, config) && host_name_valid(name) && net->mtu >= 1280 && net->mtu <= 65535) {
		strcpy(net->name, name);
		net->packets = berth_packet_pool_new(net->allocator, config->memory);
	}
	if (!net->packets) {
		berth_net_free(net);
		return NULL;
	}
	return net;
}

void berth_net_free(struct berth_net *net)
{
	if (!net)
		return;
	LIST_EACH_SAFE(&net->hosts, node)
		berth_net_remove_host(LIST_ITEM(node, struct berth_host, node));
	switch_fini(&net->sw);
	timers_fini(&net->wires);
	timers_fini(&net->alarms);
	timers_fini(&net->turns);
	if (net->packets)
		berth_packet_pool_unref(net->packets);
	memory_free(net->allocator, net, sizeof(*net));
}

int net_alarm_reserve(struct berth_net *net)
{
	int r = timers_reserve(&net->alarms, net->host_count + 1);

	return r < 0 ? r : timers_reserve(&net->turns, net->host_count + 1);
}

static void on_sooner(void *context, berth_time deadline)
{
	struct berth_host *host = context;

	(void)timers_set(&host->net->alarms, &host->alarm, deadline); /* there is room: net_alarm_reserve() */
}

/* Set host's alarm to when its stack is due now. */
static void alarm_set(struct berth_host *host)
{
	berth_time deadline = berth_stack_deadline(host->stack);

	host->net->visits++;
	stack_told(host->stack, deadline);
	if (timer_armed(&host->alarm) && host->alarm.deadline == deadline)
		return;
	timers_cancel(&host->net->alarms, &host->alarm);
	if (deadline != BERTH_NEVER)
		(void)timers_set(&host->net->alarms, &host->alarm, deadline);
}

void net_alarm_watch(struct berth_host *host)
{
	stack_watch(host->stack, on_sooner, host);
	alarm_set(host);
}

void net_alarm_cancel(struct berth_host *host)
{
	timers_cancel(&host->net->alarms, &host->alarm);
	timers_cancel(&host->net->turns, &host->turn);
}

static bool run_stacks(struct berth_net *net, berth_time now)
{
	struct berth_timer *timer;
	bool ran = false;

	while ((timer = timers_take_due(&net->alarms, now))) {
		struct berth_host *host = CONTAINER_OF(timer, struct berth_host, alarm);

		(void)timers_set(&net->turns, &host->turn, host->number);
	}
	while ((timer = timers_take_due(&net->turns, BERTH_NEVER))) {
		struct berth_host *host = CONTAINER_OF(timer, struct berth_host, turn);

		if (berth_stack_deadline(host->stack) <= now) {
			berth_stack_advance(host->stack, now);
			ran = true;
		}
		alarm_set(host);
	}
	return ran;
}

/* Stacks do not tell that they are due later than they were: have the first alarm right, for it wakes the caller. */
static void settle(struct berth_net *net)
{
	const struct berth_timer *timer;

	while ((timer = timers_first(&net->alarms))) {
		struct berth_host *host = CONTAINER_OF(timer, struct berth_host, alarm);

		if (berth_stack_deadline(host->stack) <= timer->deadline)
			break;
		alarm_set(host);
	}
}

static bool run_resolvers(struct berth_net *net)
{
	struct list turn;

	if (list_empty(&net->resolvers))
		return false;
	list_init(&turn); /* those that become due meanwhile wait for the next round */
	while (!list_empty(&net->resolvers)) {
		struct list *node = net->resolvers.next;
		list_remove(node);
		list_append(&turn, node);
	}
	while (!list_empty(&turn)) {
		struct resolver *resolver = LIST_FIRST(&turn, struct resolver, pending);
		list_remove(&resolver->pending);
		resolver_run(resolver);
	}
	return true;
}

void berth_net_advance(struct berth_net *net, berth_time now)
{
	unsigned budget = FRAMES_A_TURN;
	struct berth_timer *timer;
	bool moved;

	now = net->now = MAX(now, net->now);
	do {
		moved = run_stacks(net, now);
		while (budget && (timer = timers_take_due(&net->wires, now))) {
			unsigned count = wire_deliver(CONTAINER_OF(timer, struct wire, timer), now);
			budget -= MIN(budget, MAX(count, 1));
			moved = true;
		}
		moved |= run_resolvers(net);
		budget -= MIN(budget, 1); /* stacks that talk to themselves are bounded as well */
	} while (moved && budget);
	settle(net);
}

berth_time berth_net_deadline(const struct berth_net *net)
{
	if (!list_empty(&net->resolvers))
		return net->now;
	return MIN(timers_deadline(&net->wires), timers_deadline(&net->alarms));
}

struct berth_host *berth_net_next_host(struct berth_net *net, struct berth_host *after)
{
	struct list *node = after ? after->node.next : net->hosts.next;

	return node == &net->hosts ? NULL : LIST_ITEM(node, struct berth_host, node);
}

struct berth_host *net_host_by_ip(struct berth_net *net, struct berth_ip ip)
{
	LIST_EACH(&net->hosts, node) {
		struct berth_host *host = LIST_ITEM(node, struct berth_host, node);
		if (ip_equal(host->ip4, ip) || ip_equal(host->ip6, ip))
			return host;
	}
	return NULL;
}
