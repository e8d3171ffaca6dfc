/* SPDX-License-Identifier: BSD-2-Clause */
/* What a socket may do about its groups: between option.c, which reads requests, and socket.c. */
#ifndef CORE_GROUP_MEMBER_H
#define CORE_GROUP_MEMBER_H

#include "core/group/internal.h"

struct member_request {
	struct berth_ip group, source;
	struct berth_link *link; /* where; NULL: there is no such link */
	unsigned index;		 /* where, to leave from; 0: anywhere */
};

enum member_change { MEMBER_BLOCK, MEMBER_UNBLOCK, MEMBER_JOIN_SOURCE, MEMBER_LEAVE_SOURCE };

/* 0, -ENODEV, -EADDRINUSE (member already), -ENOBUFS (limit), -ENOMEM. */
int member_join(struct berth_socket *socket, const struct member_request *request);
/* 0 or -EADDRNOTAVAIL. */
int member_leave(struct berth_socket *socket, const struct member_request *request);
/* 0, as above, or -EINVAL (no member; the other mode). */
int member_source(struct berth_socket *socket, const struct member_request *request, enum member_change change);
int member_set_filter(struct berth_socket *socket, const struct member_request *request, bool exclude,
		      const struct berth_ip *sources, size_t count);
/* NULL: no member. */
const struct filter *member_filter(const struct berth_socket *socket, const struct member_request *request);

#endif
