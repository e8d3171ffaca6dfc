/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Netlink: requests and answers, and NETLINK_ROUTE as far as programs look:
 * links, addresses and routes of their host (rtnetlink(7)), as dumps and one by
 * one. NETLINK_SOCK_DIAG is diag.c's. Nothing can be changed this way: -EPERM, as for a user without CAP_NET_ADMIN. What else is asked is answered
 * -EOPNOTSUPP, as by a kernel built without it.
 */
#include "daemon/netlink.h"

#include "core/stack.h"
#include "daemon/state.h"
#include "net/network.h"
#include "os/fdpass.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	REQUEST_MAX = 32768,
	LINK_UP_STATE = 6, /* IF_OPER_UP. RFC 2863 */
};

/* Tell the program; a socket that is not read loses what does not fit, as netlink does. */
static void reply_flush(struct reply *reply)
{
	struct plug *plug = reply->plug;
	struct iovec part = { .iov_base = reply->bytes, .iov_len = reply->length };

	if (!reply->length || plug->end < 0)
		return;
	fdpass_send(plug->end, &part, 1, NULL, 0, MSG_DONTWAIT); /* without a tag: it is always the kernel's */
	reply->length = 0;
}

void *reply_begin(struct reply *reply, uint16_t type, size_t size)
{
	if (REPLY_SIZE - reply->length < 1024) /* no message here is longer */
		reply_flush(reply);
	struct nlmsghdr *header = (struct nlmsghdr *)(reply->bytes + reply->length);

	reply->message = reply->length;
	memset(header, 0, NLMSG_SPACE(size));
	header->nlmsg_type = type;
	header->nlmsg_flags = reply->dump ? NLM_F_MULTI : 0;
	header->nlmsg_seq = reply->request->nlmsg_seq;
	header->nlmsg_pid = reply->plug->netlink_port;
	reply->length += NLMSG_SPACE(size);
	return NLMSG_DATA(header);
}

void reply_attribute(struct reply *reply, uint16_t type, const void *bytes, size_t size)
{
	struct rtattr *attribute = (struct rtattr *)(reply->bytes + reply->length);

	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(size);
	memset(RTA_DATA(attribute), 0, RTA_SPACE(size) - RTA_LENGTH(0));
	memcpy(RTA_DATA(attribute), bytes, size);
	reply->length += RTA_SPACE(size);
}

static void put_number(struct reply *reply, uint16_t type, uint32_t value)
{
	reply_attribute(reply, type, &value, sizeof(value));
}

static void put_ip(struct reply *reply, uint16_t type, struct berth_ip ip)
{
	if (ip_is4(ip))
		reply_attribute(reply, type, ip.bytes + 12, 4);
	else
		reply_attribute(reply, type, ip.bytes, 16);
}

void reply_end(struct reply *reply)
{
	struct nlmsghdr *header = (struct nlmsghdr *)(reply->bytes + reply->message);

	header->nlmsg_len = (uint32_t)(reply->length - reply->message);
}

static void put_error(struct reply *reply, int error)
{
	struct nlmsgerr *answer = reply_begin(reply, NLMSG_ERROR, sizeof(struct nlmsgerr));

	((struct nlmsghdr *)(reply->bytes + reply->message))->nlmsg_flags = 0;
	answer->error = error;
	answer->msg = *reply->request;
	reply_end(reply);
}

static void put_link(struct reply *reply, const struct berth_link *link)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, zero[6];
	struct ifinfomsg *info = reply_begin(reply, RTM_NEWLINK, sizeof(*info));
	uint8_t state = link->loopback ? 0 : LINK_UP_STATE, mode = 0, carrier = 1;

	info->ifi_type = link->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	info->ifi_index = (int)link->index;
	info->ifi_flags =
		IFF_UP | IFF_RUNNING | IFF_LOWER_UP | (link->loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);
	reply_attribute(reply, IFLA_IFNAME, link->name, strlen(link->name) + 1);
	put_number(reply, IFLA_TXQLEN, 1000);
	reply_attribute(reply, IFLA_OPERSTATE, &state, 1);
	reply_attribute(reply, IFLA_LINKMODE, &mode, 1);
	put_number(reply, IFLA_MTU, link->mtu);
	put_number(reply, IFLA_GROUP, 0);
	reply_attribute(reply, IFLA_CARRIER, &carrier, 1);
	reply_attribute(reply, IFLA_QDISC, "noqueue", 8);
	reply_attribute(reply, IFLA_ADDRESS, link->loopback ? zero : link->mac, 6);
	reply_attribute(reply, IFLA_BROADCAST, link->loopback ? zero : broadcast, 6);
	reply_end(reply);
}

static void put_address(struct reply *reply, const struct berth_link *link, const struct link_address *address)
{
	static const struct ifa_cacheinfo forever = { .ifa_prefered = UINT32_MAX, .ifa_valid = UINT32_MAX };
	struct ifaddrmsg *info = reply_begin(reply, RTM_NEWADDR, sizeof(*info));
	bool v4 = ip_is4(address->ip);

	info->ifa_family = v4 ? AF_INET : AF_INET6;
	info->ifa_prefixlen = address->prefix_length;
	info->ifa_flags = IFA_F_PERMANENT | (address->tentative ? IFA_F_TENTATIVE : 0);
	info->ifa_scope = RT_SCOPE_UNIVERSE;
	if (link->loopback)
		info->ifa_scope = RT_SCOPE_HOST;
	else if (ip_is_link_local(address->ip))
		info->ifa_scope = RT_SCOPE_LINK;
	info->ifa_index = link->index;
	put_ip(reply, IFA_ADDRESS, address->ip);
	if (v4) {
		put_ip(reply, IFA_LOCAL, address->ip);
		if (!link->loopback)
			put_ip(reply, IFA_BROADCAST,
			       ip_from_u32(ip_u32(address->ip) | (0xffffffffu >> address->prefix_length)));
		reply_attribute(reply, IFA_LABEL, link->name, strlen(link->name) + 1);
	}
	put_number(reply, IFA_FLAGS, info->ifa_flags);
	reply_attribute(reply, IFA_CACHEINFO, &forever, sizeof(forever));
	reply_end(reply);
}

struct route {
	struct berth_ip to;
	unsigned length;
	struct berth_ip source; /* any: none */
	int family;
	const struct berth_link *link;
	uint8_t type, table;
};

static void put_route(struct reply *reply, const struct route *route)
{
	struct rtmsg *info = reply_begin(reply, RTM_NEWROUTE, sizeof(*info));

	info->rtm_family = (uint8_t)route->family;
	info->rtm_dst_len = (uint8_t)route->length;
	info->rtm_table = route->table;
	info->rtm_protocol = RTPROT_KERNEL;
	info->rtm_scope = route->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	info->rtm_type = route->type;
	put_number(reply, RTA_TABLE, route->table);
	put_ip(reply, RTA_DST, route->to);
	if (!ip_is_any(route->source))
		put_ip(reply, RTA_PREFSRC, route->source);
	put_number(reply, RTA_OIF, route->link->index);
	if (route->family == AF_INET6)
		put_number(reply, RTA_PRIORITY, 256);
	reply_end(reply);
}

static void dump_links(struct reply *reply, int family)
{
	LIST_EACH(&reply->plug->host->stack->links, node)
		put_link(reply, LIST_ITEM(node, struct berth_link, node));
}

static void dump_addresses(struct reply *reply, int family)
{
	LIST_EACH(&reply->plug->host->stack->links, node) {
		struct berth_link *link = LIST_ITEM(node, struct berth_link, node);
		LIST_EACH(&link->addresses, inner) {
			struct link_address *address = LIST_ITEM(inner, struct link_address, node);
			if (!family || (family == AF_INET) == ip_is4(address->ip))
				put_address(reply, link, address);
		}
	}
}

static void dump_routes(struct reply *reply, int family)
{
	struct berth_host *host = reply->plug->host->host;

	for (int f = AF_INET; f; f = f == AF_INET ? AF_INET6 : 0) {
		LIST_EACH(&host->link->addresses, node) {
			struct link_address *address = LIST_ITEM(node, struct link_address, node);
			if (ip_is4(address->ip) != (f == AF_INET) || (family && family != f))
				continue;
			put_route(reply, &(struct route){ .to = ip_mask(address->ip, address->prefix_length),
							  .length = address->prefix_length,
							  .source = f == AF_INET ? address->ip : ip_any,
							  .family = f,
							  .link = host->link,
							  .type = RTN_UNICAST,
							  .table = RT_TABLE_MAIN });
		}
	}
}

/* The first attribute of a request of this type, or NULL. */
static const struct rtattr *find_attribute(const struct nlmsghdr *request, size_t head, uint16_t type)
{
	if (request->nlmsg_len < NLMSG_SPACE(head))
		return NULL;
	int left = (int)(request->nlmsg_len - NLMSG_SPACE(head));
	const struct rtattr *attribute = (const struct rtattr *)((const uint8_t *)request + NLMSG_SPACE(head));

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

static int get_link(struct reply *reply)
{
	const struct nlmsghdr *request = reply->request;
	const struct rtattr *name = find_attribute(request, sizeof(struct ifinfomsg), IFLA_IFNAME);
	const struct ifinfomsg *wanted = NLMSG_DATA(request);

	if (request->nlmsg_len < NLMSG_LENGTH(sizeof(*wanted)))
		return -EINVAL;
	LIST_EACH(&reply->plug->host->stack->links, node) {
		struct berth_link *link = LIST_ITEM(node, struct berth_link, node);
		bool named = name && !strncmp(RTA_DATA(name), link->name, RTA_PAYLOAD(name));
		if (wanted->ifi_index > 0 ? (unsigned)wanted->ifi_index != link->index : !named)
			continue;
		put_link(reply, link);
		return 0;
	}
	return -ENODEV;
}

static int get_route(struct reply *reply)
{
	const struct nlmsghdr *request = reply->request;
	const struct rtattr *to = find_attribute(request, sizeof(struct rtmsg), RTA_DST);
	const struct rtmsg *wanted = NLMSG_DATA(request);
	struct berth_host *host = reply->plug->host->host;
	struct route route = { .link = host->link, .type = RTN_UNICAST, .table = RT_TABLE_MAIN };

	if (request->nlmsg_len < NLMSG_LENGTH(sizeof(*wanted)) || !to)
		return -EINVAL;
	route.family = wanted->rtm_family;
	if (route.family == AF_INET && RTA_PAYLOAD(to) >= 4)
		route.to = ip_from4(RTA_DATA(to));
	else if (route.family == AF_INET6 && RTA_PAYLOAD(to) >= 16)
		route.to = ip_from6(RTA_DATA(to));
	else
		return -EINVAL;
	bool v4 = route.family == AF_INET;
	route.length = v4 ? 32 : 128;
	route.source = v4 ? host->ip4 : host->ip6;
	if (ip_is_loopback(route.to) || ip_equal(route.to, route.source)) {
		route.link = host->stack->loopback;
		route.source = route.to;
		route.type = RTN_LOCAL;
		route.table = RT_TABLE_LOCAL;
	} else if (!ip_in_prefix(route.to, v4 ? host->net->subnet4 : host->net->subnet6,
				 v4 ? host->net->subnet4_length : 64)) {
		return -ENETUNREACH;
	}
	put_route(reply, &route);
	return 0;
}

static const struct {
	uint16_t type;
	void (*dump)(struct reply *reply, int family);
	int (*get)(struct reply *reply);
} queries[] = {
	{ RTM_GETLINK, dump_links, get_link },
	{ RTM_GETADDR, dump_addresses, NULL },
	{ RTM_GETROUTE, dump_routes, get_route },
};

static int answer_query(struct reply *reply)
{
	const struct nlmsghdr *request = reply->request;
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		if (queries[i].type != request->nlmsg_type)
			continue;
		if (!dump)
			return queries[i].get ? queries[i].get(reply) : -EOPNOTSUPP;
		const struct rtgenmsg *wanted = NLMSG_DATA(request);
		int family = request->nlmsg_len >= NLMSG_LENGTH(1) ? wanted->rtgen_family : 0;
		reply->dump = true;
		queries[i].dump(reply, family == AF_INET || family == AF_INET6 ? family : 0);
		memset(reply_begin(reply, NLMSG_DONE, sizeof(int)), 0, sizeof(int));
		reply_end(reply);
		reply->dump = false;
		return 0;
	}
	/* Types come in fours: NEW, DEL, GET, SET. */
	return request->nlmsg_type >= RTM_BASE && (request->nlmsg_type & 3) != 2 ? -EPERM : -EOPNOTSUPP;
}

static uint32_t choose_port(struct plug *plug)
{
	uint32_t port = (uint32_t)plug->pid;

	LIST_EACH(&plug->host->plugs, node) {
		struct plug *other = LIST_ITEM(node, struct plug, node);
		if (other != plug && other->netlink_port == port)
			return (uint32_t)plug->id | 0x80000000; /* Linux: a negative one, when the pid is taken */
	}
	return port;
}

int32_t netlink_request(struct plug *plug, const uint8_t *bytes, size_t length)
{
	struct reply *reply = calloc(1, sizeof(*reply));
	_Alignas(struct nlmsghdr) uint8_t copy[2048]; /* requests are small; and ours is aligned */
	int left = (int)MIN(length, sizeof(copy));    /* signed: NLMSG_NEXT() takes the padding off, too */

	if (!reply)
		return -ENOBUFS;
	if (!plug->netlink_port)
		plug->netlink_port = choose_port(plug);
	if (left)
		memcpy(copy, bytes, (size_t)left);
	reply->plug = plug;
	const struct nlmsghdr *request = (const struct nlmsghdr *)copy;
	for (; NLMSG_OK(request, left); request = NLMSG_NEXT(request, left)) {
		reply->request = request;
		if (request->nlmsg_type < NLMSG_MIN_TYPE || !(request->nlmsg_flags & NLM_F_REQUEST))
			continue;
		int r = plug->protocol == NETLINK_SOCK_DIAG ? diag_answer(reply) : answer_query(reply);
		if (r < 0 || (request->nlmsg_flags & NLM_F_ACK && (request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP))
			put_error(reply, r);
		reply_flush(reply);
	}
	free(reply);
	return (int32_t)length;
}

static void netlink_core_ready(struct plug *plug)
{
}

static void netlink_end_ready(struct plug *plug, uint32_t events)
{
	uint8_t *scratch = plug->host->daemon->scratch;
	ssize_t n;

	while ((n = recv(plug->end, scratch, REQUEST_MAX, MSG_DONTWAIT)) > 0)
		netlink_request(plug, scratch, (size_t)n);
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || (n == 0 && events & (EPOLLRDHUP | EPOLLHUP)))
		plug_free(plug);
}

const struct plug_role role_netlink = { "netlink", netlink_core_ready, netlink_end_ready, NULL };
