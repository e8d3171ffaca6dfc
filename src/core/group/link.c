/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups of a link. A group's filter is the sum of its members' (RFC 3376
 * §3.2): a packet that any of them wants gets in, and each socket's own filter
 * decides about the rest.
 *
 * A group lives while it has members, or its end has yet to be told.
 */
#include "core/group/internal.h"

#include <errno.h>

/* More sources than this become "from anyone": what costs memory is only for sockets to refuse. */
enum { LINK_SOURCES_MAX = 1024 };

static const struct berth_ip all_nodes_interface = { { 0xff, 0x01, [15] = 1 } };
static const struct berth_ip all_nodes_link = { { 0xff, 0x02, [15] = 1 } };
#define ALL_HOSTS4 0xe0000001 /* 224.0.0.1 */

static struct list *bucket_of(const struct groups *groups, struct berth_ip ip)
{
	return (struct list *)&groups->buckets[(ip.bytes[13] ^ ip.bytes[14] ^ ip.bytes[15]) % GROUP_BUCKETS];
}

struct link_group *group_find(const struct groups *groups, struct berth_ip ip)
{
	const struct list *bucket;

	if (!groups)
		return NULL;
	bucket = bucket_of(groups, ip);
	LIST_EACH(bucket, node) {
		struct link_group *group = LIST_ITEM(node, struct link_group, node);

		if (ip_equal(group->ip, ip))
			return group;
	}
	return NULL;
}

struct link_group *group_get(struct groups *groups, struct berth_ip ip)
{
	struct link_group *group = group_find(groups, ip);

	if (group)
		return group;
	group = stack_alloc(groups->link->stack, sizeof(*group));
	if (!group)
		return NULL;
	group->groups = groups;
	group->ip = ip;
	list_init(&group->memberships);
	report_init(group);
	list_append(bucket_of(groups, ip), &group->node);
	return group;
}

static void group_free(struct link_group *group)
{
	struct berth_stack *stack = group->groups->link->stack;

	report_fini(group);
	filter_fini(&group->filter, stack->allocator);
	list_remove(&group->node);
	stack_free(stack, group, sizeof(*group));
}

/* Take what every member with an exclude list excludes, and no one else wants. */
static int sum_exclude(const struct link_group *group, const struct membership *first, struct filter *sum)
{
	for (size_t i = 0; first && i < first->filter.count; i++) {
		struct berth_ip source = first->filter.sources[i];
		bool wanted = group->own > 0;

		LIST_EACH(&group->memberships, node)
			wanted |= filter_accepts(&LIST_ITEM(node, struct membership, group_node)->filter, source);
		if (!wanted && filter_add(sum, group->groups->link->stack->allocator, source) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int sum_include(const struct link_group *group, struct filter *sum)
{
	LIST_EACH(&group->memberships, node) {
		const struct filter *filter = &LIST_ITEM(node, struct membership, group_node)->filter;

		for (size_t i = 0; i < filter->count; i++)
			if (sum->count >= LINK_SOURCES_MAX ||
			    filter_add(sum, group->groups->link->stack->allocator, filter->sources[i]) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* RFC 3376 §3.2. Where memory or room ends, everyone is let in. */
static struct filter sum_of(const struct link_group *group)
{
	const struct berth_allocator *allocator = group->groups->link->stack->allocator;
	const struct membership *first = NULL;
	struct filter sum = { .exclude = group->own > 0 };
	int r;

	LIST_EACH(&group->memberships, node) {
		const struct membership *membership = LIST_ITEM(node, struct membership, group_node);

		if (membership->filter.exclude) {
			sum.exclude = true;
			first = first ? first : membership;
		}
	}
	r = sum.exclude ? sum_exclude(group, first, &sum) : sum_include(group, &sum);
	if (r < 0) {
		filter_fini(&sum, allocator);
		sum.exclude = true;
	}
	return sum;
}

void group_update(struct link_group *group)
{
	struct filter old = group->filter;

	group->filter = sum_of(group);
	report_change(group, &old);
	filter_fini(&old, group->groups->link->stack->allocator);
	if (!group->own && list_empty(&group->memberships) && !report_pending(group))
		group_free(group);
}

int group_join_own(struct berth_link *link, struct berth_ip ip, bool announce)
{
	struct link_group *group = link->groups ? group_get(link->groups, ip) : NULL;
	bool silent;

	if (!group)
		return -ENOMEM;
	silent = !filter_listens(&group->filter);
	group->own++;
	if (!silent) {
		group_update(group);
		return 0;
	}
	filter_fini(&group->filter, link->stack->allocator);
	group->filter.exclude = true;
	if (announce)
		report_later(group);
	return 0;
}

void group_leave_own(struct berth_link *link, struct berth_ip ip)
{
	struct link_group *group = group_find(link->groups, ip);

	if (!group || !group->own)
		return;
	group->own--;
	group_update(group);
}

bool group_accepts(const struct berth_link *link, struct berth_ip ip, struct berth_ip source)
{
	const struct link_group *group = group_find(link->groups, ip);

	return group && filter_accepts(&group->filter, source);
}

int group_link_init(struct berth_link *link)
{
	struct groups *groups = stack_alloc(link->stack, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	groups->link = link;
	for (size_t i = 0; i < GROUP_BUCKETS; i++)
		list_init(&groups->buckets[i]);
	querier_init(&groups->querier4, groups, true);
	querier_init(&groups->querier6, groups, false);
	link->groups = groups;
	if (group_join_own(link, ip_from_u32(ALL_HOSTS4), false) < 0 ||
	    group_join_own(link, all_nodes_interface, false) < 0 || group_join_own(link, all_nodes_link, false) < 0)
		return -ENOMEM;
	return 0;
}

void group_link_fini(struct berth_link *link)
{
	struct groups *groups = link->groups;

	if (!groups)
		return;
	link->groups = NULL;
	for (size_t i = 0; i < GROUP_BUCKETS; i++) {
		LIST_EACH_SAFE(&groups->buckets[i], node) {
			struct link_group *group = LIST_ITEM(node, struct link_group, node);

			LIST_EACH_SAFE(&group->memberships, member) {
				LIST_ITEM(member, struct membership, group_node)->group = NULL;
				list_remove(member);
			}
			group_free(group);
		}
	}
	querier_fini(&groups->querier4);
	querier_fini(&groups->querier6);
	stack_free(link->stack, groups, sizeof(*groups));
}
