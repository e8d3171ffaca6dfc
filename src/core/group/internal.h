/* SPDX-License-Identifier: BSD-2-Clause */
/* group/'s own. */
#ifndef CORE_GROUP_INTERNAL_H
#define CORE_GROUP_INTERNAL_H

#include "core/group/filter.h"
#include "core/group/group.h"
#include "core/socket/socket.h"
#include "wire/group.h"

enum { GROUP_BUCKETS = 16 };

/* One socket in one group on one link. */
struct membership {
	struct membership *next; /* the socket's next */
	struct list group_node;	 /* in group->memberships; alone once the link is gone */
	struct link_group *group;
	struct berth_socket *socket;
	struct berth_ip ip;
	unsigned link_index; /* stays when the link goes */
	struct filter filter;
};

/* One group on one link: what everyone's wishes add up to, and what of that is still to be told. */
struct link_group {
	struct list node; /* in groups->buckets[] */
	struct groups *groups;
	struct berth_ip ip;
	unsigned own; /* how often the link itself joined */
	struct list memberships;
	struct filter filter;
	/* Changes are told robustness times (RFC 3376 §5.1): of the mode, or of single sources. */
	uint8_t mode_left;
	struct filter changed; /* sources whose change is to be told */
	uint8_t sources_left;  /* how often yet */
	struct berth_timer change_timer;
	/* A query about this group, to be answered when the timer runs (§5.2). */
	struct filter asked; /* about these sources; none: about all */
	struct berth_timer query_timer;
};

/* What is known of a link's routers; one for each family. */
struct querier {
	struct groups *groups;
	bool v4;
	uint8_t robustness;
	berth_time old_until[2];  /* how long a querier of version 1, 2 counts as there. RFC 3376 §7.2.1 */
	struct berth_timer timer; /* a general query, to be answered */
};

struct groups {
	struct berth_link *link;
	struct querier querier4, querier6;
	struct list buckets[GROUP_BUCKETS];
};

static inline struct querier *querier_of(struct groups *groups, struct berth_ip ip)
{
	return ip_is4(ip) ? &groups->querier4 : &groups->querier6;
}

struct link_group *group_find(const struct groups *groups, struct berth_ip ip);
/* Find, or make without members. NULL: no memory. */
struct link_group *group_get(struct groups *groups, struct berth_ip ip);
/* Members or their filters changed: work out the link's filter, tell of the change, free what no one is in. */
void group_update(struct link_group *group);

/* report.c. */
void report_init(struct link_group *group);
void report_fini(struct link_group *group);
void querier_init(struct querier *querier, struct groups *groups, bool v4);
void querier_fini(struct querier *querier);
/* group's filter was old and is now another; says it. */
void report_change(struct link_group *group, const struct filter *old);
/* The first word about a group comes after a random delay. */
void report_later(struct link_group *group);
/* Is there something left to say of group? */
bool report_pending(const struct link_group *group);
void report_query(struct groups *groups, const struct wire_group_query *query, bool v4);
/* Another host said of group what we would have said. RFC 2236 §3: we need not any more. */
void report_heard(struct link_group *group);

/* send.c: messages about groups. Records collect in a report until it is full or flushed. */
struct report {
	struct berth_link *link;
	bool v4;
	struct berth_packet *packet; /* NULL: empty */
	uint16_t records;
};
void report_add(struct report *report, enum wire_group_record_type type, struct berth_ip group,
		const struct berth_ip *sources, size_t count);
void report_flush(struct report *report);
/* IGMP_REPORT1, _REPORT2, _LEAVE, MLD_REPORT1, _DONE. */
void report_send_old(struct berth_link *link, uint8_t type, struct berth_ip group);

#endif
