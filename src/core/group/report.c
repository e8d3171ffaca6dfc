/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What routers are told, and when: changes at once and again after random
 * times (RFC 3376 §5.1, RFC 3810 §6.1), answers to queries after a random
 * delay (§5.2, §6.2). With an old router on the link, its version is spoken
 * (RFC 3376 §7.2, RFC 3810 §8.2).
 *
 * Not told: 224.0.0.1, ff02::1 and groups that stay within an interface
 * (RFC 3376 §5, RFC 3810 §6); on loopback, nothing.
 */
#include "core/group/internal.h"

enum { ROBUSTNESS = 2 };		     /* §8.1 */
enum { ASKED_MAX = 1024 };		     /* sources that questions may name before all are told */
#define UNSOLICITED_INTERVAL (1 * BERTH_SEC) /* §8.11 */
#define UNSOLICITED_OLD (10 * BERTH_SEC)     /* RFC 2236 §8.10, RFC 2710 §7.10 */
#define OLD_PRESENT (400 * BERTH_SEC)	     /* RFC 2236 §4: version 1's; RFC 3376 §8.12 comes to less */
#define FIRST_DELAY (1 * BERTH_SEC)	     /* MAX_RTR_SOLICITATION_DELAY. RFC 4862 §5.4.2 */

static struct berth_stack *stack_of(const struct link_group *group)
{
	return group->groups->link->stack;
}

static bool is_told(const struct link_group *group)
{
	static const uint8_t all_hosts[4] = { 224, 0, 0, 1 };
	unsigned scope = group->ip.bytes[1] & 15;

	if (group->groups->link->loopback)
		return false;
	if (ip_is4(group->ip))
		return memcmp(group->ip.bytes + 12, all_hosts, 4) != 0;
	return scope > 1 && !(scope == 2 && group->ip.bytes[15] == 1 && group->ip.bytes[1] == 2 &&
			      !memcmp(group->ip.bytes + 2, ip_any.bytes, 13));
}

/* The version to speak: 3 is the newest, for both families. MLDv1 corresponds to IGMPv2. */
static int version_of(const struct querier *querier)
{
	berth_time now = querier->groups->link->stack->now;

	if (querier->old_until[0] > now)
		return 1;
	return querier->old_until[1] > now ? 2 : 3;
}

static int group_version(const struct link_group *group)
{
	return version_of(querier_of(group->groups, group->ip));
}

static void set_timer(struct link_group *group, struct berth_timer *timer, berth_time limit)
{
	struct berth_stack *stack = stack_of(group);
	berth_time delay = (berth_time)random_below(&stack->random, (uint64_t)MAX(limit, (berth_time)1));

	timers_set(&stack->timers, timer, stack->now + delay); /* without memory it is not said again */
}

/* Sources that changed and are now let in, or shut out. */
static void add_changes(struct report *report, const struct link_group *group, bool in)
{
	const struct berth_allocator *allocator = stack_of(group)->allocator;
	struct filter some = { .count = 0 };

	for (size_t i = 0; i < group->changed.count; i++)
		if (filter_accepts(&group->filter, group->changed.sources[i]) == in)
			filter_add(&some, allocator, group->changed.sources[i]);
	if (some.count)
		report_add(report, in ? RECORD_ALLOW : RECORD_BLOCK, group->ip, some.sources, some.count);
	filter_fini(&some, allocator);
}

static void say_old(struct link_group *group, int version)
{
	bool v4 = ip_is4(group->ip);

	report_send_old(group->groups->link, !v4 ? MLD_REPORT1 : version == 1 ? IGMP_REPORT1 : IGMP_REPORT2, group->ip);
}

/* Tell of the change once more. */
static void say_change(struct link_group *group)
{
	struct report report = { .link = group->groups->link, .v4 = ip_is4(group->ip) };
	int version = group_version(group);

	if (version < 3) {
		if (group->mode_left && filter_listens(&group->filter))
			say_old(group, version);
		group->mode_left -= group->mode_left > 0;
		group->sources_left = 0;
	} else if (group->mode_left) {
		group->mode_left--;
		report_add(&report, group->filter.exclude ? RECORD_TO_EXCLUDE : RECORD_TO_INCLUDE, group->ip,
			   group->filter.sources, group->filter.count);
	} else if (group->sources_left) {
		group->sources_left--;
		add_changes(&report, group, true);
		add_changes(&report, group, false);
	}
	report_flush(&report);
	if (!group->sources_left)
		group->changed.count = 0;
	if (group->mode_left || group->sources_left)
		set_timer(group, &group->change_timer, version < 3 ? UNSOLICITED_OLD : UNSOLICITED_INTERVAL);
}

static void change_timer(struct berth_timer *timer)
{
	struct link_group *group = CONTAINER_OF(timer, struct link_group, change_timer);

	say_change(group);
	if (!filter_listens(&group->filter) && !report_pending(group))
		group_update(group); /* ends it */
}

/* Note every source in one list and not in the other. Returns whether there is one. */
static bool note_difference(struct link_group *group, const struct filter *a, const struct filter *b)
{
	bool found = false;

	for (size_t i = 0; i < a->count; i++)
		if (!filter_has(b, a->sources[i]))
			found |= filter_add(&group->changed, stack_of(group)->allocator, a->sources[i]) == 0;
	return found;
}

static void change_old_version(struct link_group *group, const struct filter *old, int version)
{
	bool was = filter_listens(old), is = filter_listens(&group->filter);

	if (was == is)
		return; /* old routers know of no sources */
	group->mode_left = is ? querier_of(group->groups, group->ip)->robustness : 0;
	group->sources_left = 0;
	timers_cancel(&stack_of(group)->timers, &group->change_timer);
	if (is)
		say_change(group);
	else if (version > 1)
		report_send_old(group->groups->link, ip_is4(group->ip) ? IGMP_LEAVE : MLD_DONE, group->ip);
}

void report_change(struct link_group *group, const struct filter *old)
{
	uint8_t robustness = querier_of(group->groups, group->ip)->robustness;
	int version = group_version(group);

	if (!is_told(group))
		return;
	if (version < 3) {
		change_old_version(group, old, version);
		return;
	}
	if (old->exclude != group->filter.exclude) {
		group->mode_left = robustness;
		group->sources_left = 0;
		group->changed.count = 0;
	} else {
		bool left = note_difference(group, old, &group->filter);
		bool joined = note_difference(group, &group->filter, old);

		if (!left && !joined)
			return;
		group->sources_left = robustness;
	}
	say_change(group);
}

void report_later(struct link_group *group)
{
	if (!is_told(group))
		return;
	group->mode_left = querier_of(group->groups, group->ip)->robustness;
	set_timer(group, &group->change_timer, FIRST_DELAY);
}

bool report_pending(const struct link_group *group)
{
	return (group->mode_left || group->sources_left) && timer_armed(&group->change_timer);
}

/* What group's state is, to a query about some sources, or (none) about all. RFC 3376 §5.2 */
static void add_state(struct report *report, const struct link_group *group, const struct filter *asked)
{
	const struct berth_allocator *allocator = stack_of(group)->allocator;
	struct filter some = { .count = 0 };

	if (!asked || !asked->count) {
		report_add(report, group->filter.exclude ? RECORD_IS_EXCLUDE : RECORD_IS_INCLUDE, group->ip,
			   group->filter.sources, group->filter.count);
		return;
	}
	for (size_t i = 0; i < asked->count; i++)
		if (filter_accepts(&group->filter, asked->sources[i]))
			filter_add(&some, allocator, asked->sources[i]);
	if (some.count)
		report_add(report, RECORD_IS_INCLUDE, group->ip, some.sources, some.count);
	filter_fini(&some, allocator);
}

static void query_timer(struct berth_timer *timer)
{
	struct link_group *group = CONTAINER_OF(timer, struct link_group, query_timer);
	struct report report = { .link = group->groups->link, .v4 = ip_is4(group->ip) };
	int version = group_version(group);

	if (!filter_listens(&group->filter))
		return;
	if (version < 3)
		say_old(group, version);
	else
		add_state(&report, group, &group->asked);
	report_flush(&report);
	group->asked.count = 0;
}

static void general_timer(struct berth_timer *timer)
{
	struct querier *querier = CONTAINER_OF(timer, struct querier, timer);
	struct groups *groups = querier->groups;
	struct report report = { .link = groups->link, .v4 = querier->v4 };

	for (size_t i = 0; i < GROUP_BUCKETS; i++) {
		LIST_EACH(&groups->buckets[i], node) {
			struct link_group *group = LIST_ITEM(node, struct link_group, node);

			if (ip_is4(group->ip) == querier->v4 && is_told(group) && filter_listens(&group->filter))
				add_state(&report, group, NULL);
		}
	}
	report_flush(&report);
}

/* One answer is enough: the earlier of what waits and what is asked now. §5.2, rules 3 to 5. */
static void answer_later(struct link_group *group, const struct wire_group_query *query)
{
	const struct berth_allocator *allocator = stack_of(group)->allocator;
	struct berth_stack *stack = stack_of(group);
	bool waiting = timer_armed(&group->query_timer);
	berth_time due = stack->now + (berth_time)random_below(&stack->random, query->response_ms * 1000000ull + 1);

	if (!is_told(group) || !filter_listens(&group->filter))
		return;
	if (!query->source_count || (waiting && !group->asked.count) ||
	    group->asked.count + query->source_count > ASKED_MAX)
		group->asked.count = 0; /* about all of them */
	else
		for (size_t i = 0; i < query->source_count; i++)
			filter_add(&group->asked, allocator, wire_group_source(query, i));
	if (!waiting || group->query_timer.deadline > due)
		timers_set(&stack->timers, &group->query_timer, due);
}

/* A general query in an old version asks every group by itself. RFC 2236 §3. */
static void ask_all(struct groups *groups, const struct wire_group_query *query, bool v4)
{
	for (size_t i = 0; i < GROUP_BUCKETS; i++) {
		LIST_EACH(&groups->buckets[i], node) {
			struct link_group *group = LIST_ITEM(node, struct link_group, node);

			if (ip_is4(group->ip) == v4)
				answer_later(group, query);
		}
	}
}

void report_query(struct groups *groups, const struct wire_group_query *query, bool v4)
{
	struct querier *querier = v4 ? &groups->querier4 : &groups->querier6;
	struct berth_stack *stack = groups->link->stack;
	berth_time due = stack->now + (berth_time)random_below(&stack->random, query->response_ms * 1000000ull + 1);
	int version = query->version + !v4; /* MLDv1 is IGMPv2's like */
	struct link_group *group;

	if (version < 3) {
		querier->old_until[version - 1] = stack->now + OLD_PRESENT;
		timers_cancel(&stack->timers, &querier->timer);
	} else if (query->robustness) {
		querier->robustness = query->robustness;
	}
	if (timer_armed(&querier->timer) && querier->timer.deadline <= due)
		return; /* an answer to everything is on its way. §5.2, rule 1 */
	if (!ip_is_any(query->group)) {
		group = group_find(groups, query->group);
		if (group)
			answer_later(group, query);
	} else if (version_of(querier) < 3) {
		ask_all(groups, query, v4);
	} else {
		timers_set(&stack->timers, &querier->timer, due);
	}
}

void report_heard(struct link_group *group)
{
	if (group_version(group) < 3)
		timers_cancel(&stack_of(group)->timers, &group->query_timer);
}

void report_init(struct link_group *group)
{
	group->change_timer.run = change_timer;
	group->query_timer.run = query_timer;
}

void report_fini(struct link_group *group)
{
	struct berth_stack *stack = stack_of(group);

	timers_cancel(&stack->timers, &group->change_timer);
	timers_cancel(&stack->timers, &group->query_timer);
	filter_fini(&group->changed, stack->allocator);
	filter_fini(&group->asked, stack->allocator);
}

void querier_init(struct querier *querier, struct groups *groups, bool v4)
{
	*querier = (struct querier){
		.groups = groups, .v4 = v4, .robustness = ROBUSTNESS, .timer = { .run = general_timer }
	};
}

void querier_fini(struct querier *querier)
{
	timers_cancel(&querier->groups->link->stack->timers, &querier->timer);
}
