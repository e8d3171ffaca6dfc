/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multicast groups: which a socket has joined and from which sources, what
 * that adds up to on a link, and telling routers of it by IGMP and MLD.
 * RFC 3376, RFC 3810; the socket's side is RFC 3678 with Linux's errors.
 */
#ifndef CORE_GROUP_GROUP_H
#define CORE_GROUP_GROUP_H

#include "core/stack.h"

/* A link comes, with the groups that every node is in (0 or -ENOMEM); or goes, without a word to anyone. */
int group_link_init(struct berth_link *link);
void group_link_fini(struct berth_link *link);

/*
 * The link itself is in group: all nodes, and an address's solicited-node
 * group. Counted. announce says that routers are told, after a random delay
 * (RFC 4862 §5.4.2); otherwise only those that ask. 0 or -ENOMEM.
 */
int group_join_own(struct berth_link *link, struct berth_ip ip, bool announce);
void group_leave_own(struct berth_link *link, struct berth_ip ip);

/* Does anyone here want what source sends to group on link? */
bool group_accepts(const struct berth_link *link, struct berth_ip group, struct berth_ip source);
/* Does socket? Its memberships decide; without one, IP_MULTICAST_ALL does. */
bool group_wanted(const struct berth_socket *socket, const struct berth_link *link, struct berth_ip group,
		  struct berth_ip source);
/* The socket goes away: leave all its groups. */
void group_socket_fini(struct berth_socket *socket);

/* The multicast options. As socket_set_option(); -ENOPROTOOPT: none of these. */
int group_set_option(struct berth_socket *socket, int level, int option, const void *value, socklen_t length);
int group_get_option(struct berth_socket *socket, int level, int option, void *value, socklen_t *length);

/* An IGMP message (data is at it), or one of ICMPv6's that are MLD's, checksum right. Take packet. */
void igmp_input(struct berth_link *link, struct berth_packet *packet);
void mld_input(struct berth_link *link, struct berth_packet *packet);

#endif
