/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memberships of sockets. Errors and corner cases are Linux's: ip_mc_source(),
 * ip_mc_leave_group(), ip_mc_sf_allow() and their IPv6 kin, which RFC 3678
 * leaves open.
 */
#include "core/group/member.h"

#include <errno.h>

static const struct berth_allocator *allocator_of(const struct membership *membership)
{
	return membership->socket->stack->allocator;
}

static struct membership *membership_find(const struct berth_socket *socket, struct berth_ip ip, unsigned link_index)
{
	struct membership *membership = socket->memberships;

	while (membership && !(ip_equal(membership->ip, ip) && (!link_index || membership->link_index == link_index)))
		membership = membership->next;
	return membership;
}

static size_t membership_count(const struct berth_socket *socket)
{
	size_t count = 0;

	for (const struct membership *membership = socket->memberships; membership; membership = membership->next)
		count++;
	return count;
}

/* Its filter changed. */
static void changed(struct membership *membership)
{
	if (membership->group)
		group_update(membership->group);
}

static void membership_free(struct membership *membership)
{
	struct link_group *group = membership->group;
	struct membership **link = &membership->socket->memberships;

	while (*link != membership)
		link = &(*link)->next;
	*link = membership->next;
	list_remove(&membership->group_node);
	filter_fini(&membership->filter, allocator_of(membership));
	stack_free(membership->socket->stack, membership, sizeof(*membership));
	if (group)
		group_update(group);
}

/* A new member, whose filter is set before anyone is told. */
static int membership_new(struct berth_socket *socket, struct berth_ip ip, struct berth_link *link, bool exclude,
			  const struct berth_ip *source)
{
	struct membership *membership, **end = &socket->memberships;

	if (membership_count(socket) >= socket->stack->limits.memberships)
		return -ENOBUFS;
	membership = stack_alloc(socket->stack, sizeof(*membership));
	if (!membership)
		return -ENOMEM;
	*membership = (struct membership){
		.socket = socket, .ip = ip, .link_index = link->index, .filter = { .exclude = exclude }
	};
	list_init(&membership->group_node);
	while (*end)
		end = &(*end)->next;
	*end = membership;
	if ((source && filter_add(&membership->filter, socket->stack->allocator, *source) < 0) ||
	    !(membership->group = group_get(link->groups, ip))) {
		membership_free(membership);
		return -ENOMEM;
	}
	list_append(&membership->group->memberships, &membership->group_node);
	changed(membership);
	return 0;
}

int member_join(struct berth_socket *socket, const struct member_request *request)
{
	if (!request->link)
		return -ENODEV;
	if (membership_find(socket, request->group, request->link->index))
		return -EADDRINUSE;
	return membership_new(socket, request->group, request->link, true, NULL);
}

int member_leave(struct berth_socket *socket, const struct member_request *request)
{
	struct membership *membership = membership_find(socket, request->group, request->index);

	if (!membership)
		return -EADDRNOTAVAIL;
	membership_free(membership);
	return 0;
}

/* "Allow mode switches for empty-set filters." */
static int may_have_mode(struct membership *membership, bool exclude)
{
	if (membership->filter.exclude == exclude)
		return 0;
	if (membership->filter.count)
		return -EINVAL;
	membership->filter.exclude = exclude;
	return 0;
}

static int add_source(struct membership *membership, struct berth_ip source)
{
	struct filter *filter = &membership->filter;

	if (filter_has(filter, source))
		return -EADDRNOTAVAIL;
	if (filter->count >= membership->socket->stack->limits.group_sources)
		return -ENOBUFS;
	return filter_add(filter, allocator_of(membership), source);
}

int member_source(struct berth_socket *socket, const struct member_request *request, enum member_change change)
{
	bool exclude = change == MEMBER_BLOCK || change == MEMBER_UNBLOCK;
	struct membership *membership;
	int r;

	if (!request->link)
		return -ENODEV;
	membership = membership_find(socket, request->group, request->link->index);
	if (!membership && change == MEMBER_JOIN_SOURCE)
		return membership_new(socket, request->group, request->link, false, &request->source);
	if (!membership)
		return -EINVAL;
	r = may_have_mode(membership, exclude);
	if (r < 0)
		return r;
	if (change == MEMBER_BLOCK || change == MEMBER_JOIN_SOURCE)
		r = add_source(membership, request->source);
	else if (!filter_has(&membership->filter, request->source))
		r = -EADDRNOTAVAIL;
	else
		filter_remove(&membership->filter, request->source);
	if (!filter_listens(&membership->filter))
		membership_free(membership); /* from no one: it has left */
	else
		changed(membership);
	return r;
}

int member_set_filter(struct berth_socket *socket, const struct member_request *request, bool exclude,
		      const struct berth_ip *sources, size_t count)
{
	struct membership *membership;
	struct filter filter = { .exclude = exclude }, old;

	if (!request->link)
		return -ENODEV;
	if (!exclude && !count)
		return member_leave(socket, request);
	membership = membership_find(socket, request->group, request->link->index);
	if (!membership)
		return -EINVAL;
	if (count > socket->stack->limits.group_sources)
		return -ENOBUFS;
	for (size_t i = 0; i < count; i++) {
		if (filter_add(&filter, socket->stack->allocator, sources[i]) < 0) {
			filter_fini(&filter, socket->stack->allocator);
			return -ENOMEM;
		}
	}
	old = membership->filter;
	membership->filter = filter;
	filter_fini(&old, socket->stack->allocator);
	changed(membership);
	return 0;
}

const struct filter *member_filter(const struct berth_socket *socket, const struct member_request *request)
{
	const struct membership *membership = membership_find(socket, request->group, request->index);

	return membership ? &membership->filter : NULL;
}

bool group_wanted(const struct berth_socket *socket, const struct berth_link *link, struct berth_ip group,
		  struct berth_ip source)
{
	const struct membership *membership = membership_find(socket, group, link->index);

	if (membership)
		return filter_accepts(&membership->filter, source);
	return ip_is4(group) ? socket->options->multicast_all4 : socket->options->multicast_all6;
}

void group_socket_fini(struct berth_socket *socket)
{
	while (socket->memberships)
		membership_free(socket->memberships);
}
