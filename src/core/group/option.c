/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The multicast options: ip(7), ipv6(7), RFC 3493 §5.2, RFC 3678. They come in
 * many shapes for few requests; each shape is turned into a struct
 * member_request here. Options of IPv4 work on AF_INET6 sockets, too, as on Linux.
 */
#include "core/group/member.h"

#include <errno.h>

static struct berth_ip ip4_of(struct in_addr in)
{
	return ip_from_u32(ntohl(in.s_addr));
}

static int sockaddr_ip(const struct sockaddr_storage *address, bool v4, struct berth_ip *ret_ip)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (address->ss_family != (v4 ? AF_INET : AF_INET6))
		return v4 ? -EINVAL : -EADDRNOTAVAIL; /* Linux: do_mcast_group_source(), do_ipv6_mcast_group_source() */
	memcpy(&in, address, sizeof(in));
	memcpy(&in6, address, sizeof(in6));
	*ret_ip = v4 ? ip4_of(in.sin_addr) : ip_from6(in6.sin6_addr.s6_addr);
	return 0;
}

/* Which link: by index, else by address, else the one that the group's packets would leave by. */
static void find_link(struct berth_socket *socket, int index, struct in_addr address, struct member_request *request)
{
	struct berth_stack *stack = socket->stack;

	if (index) {
		request->link = link_by_index(stack, (unsigned)index);
		request->index = (unsigned)index;
	} else if (address.s_addr) {
		request->link = link_of_address(stack, ip4_of(address));
		request->index = request->link ? request->link->index : UINT32_MAX;
	} else {
		request->link = ip_group_link(stack, ip_any);
	}
}

/* ip_mreq, ip_mreqn, ipv6_mreq, group_req. */
static int read_group(struct berth_socket *socket, int option, bool v4, const void *value, socklen_t length,
		      struct member_request *request)
{
	struct ip_mreqn mreqn = { .imr_ifindex = 0 };
	struct ipv6_mreq mreq6;
	struct group_req req;
	int r = 0;

	if (option == MCAST_JOIN_GROUP || option == MCAST_LEAVE_GROUP) {
		if (length < sizeof(req))
			return -EINVAL;
		memcpy(&req, value, sizeof(req));
		r = sockaddr_ip(&req.gr_group, v4, &request->group);
		find_link(socket, (int)req.gr_interface, mreqn.imr_address, request);
	} else if (v4) {
		if (length < sizeof(struct ip_mreq))
			return -EINVAL;
		memcpy(&mreqn, value, MIN(length, sizeof(mreqn)));
		if (length < sizeof(mreqn))
			mreqn.imr_ifindex = 0;
		request->group = ip4_of(mreqn.imr_multiaddr);
		find_link(socket, mreqn.imr_ifindex, mreqn.imr_address, request);
	} else {
		if (length < sizeof(mreq6))
			return -EINVAL;
		memcpy(&mreq6, value, sizeof(mreq6));
		request->group = ip_from6(mreq6.ipv6mr_multiaddr.s6_addr);
		find_link(socket, (int)mreq6.ipv6mr_interface, mreqn.imr_address, request);
	}
	if (r == 0 && (!ip_is_multicast(request->group) || ip_is4(request->group) != v4))
		r = -EINVAL;
	return r;
}

/* ip_mreq_source, group_source_req. */
static int read_source(struct berth_socket *socket, int option, bool v4, const void *value, socklen_t length,
		       struct member_request *request)
{
	struct in_addr none = { 0 };
	struct ip_mreq_source mreq;
	struct group_source_req req;
	int r;

	if (option < MCAST_JOIN_GROUP) {
		if (length < sizeof(mreq))
			return -EINVAL;
		memcpy(&mreq, value, sizeof(mreq));
		request->group = ip4_of(mreq.imr_multiaddr);
		request->source = ip4_of(mreq.imr_sourceaddr);
		find_link(socket, 0, mreq.imr_interface, request);
		r = 0;
	} else {
		if (length < sizeof(req))
			return -EINVAL;
		memcpy(&req, value, sizeof(req));
		r = sockaddr_ip(&req.gsr_group, v4, &request->group);
		if (r == 0)
			r = sockaddr_ip(&req.gsr_source, v4, &request->source);
		find_link(socket, (int)req.gsr_interface, none, request);
	}
	if (r == 0 && (!ip_is_multicast(request->group) || ip_is4(request->group) != v4))
		r = -EINVAL;
	return r;
}

/* The options that join, leave and filter, by family. */
enum verb { VERB_NONE, VERB_JOIN, VERB_LEAVE, VERB_SOURCE, VERB_FILTER };

static enum verb verb_of(int level, int option, enum member_change *ret_change)
{
	static const struct {
		int option;
		enum verb verb;
		enum member_change change;
	} both[] = {
		{ MCAST_JOIN_GROUP, VERB_JOIN, 0 },
		{ MCAST_LEAVE_GROUP, VERB_LEAVE, 0 },
		{ MCAST_BLOCK_SOURCE, VERB_SOURCE, MEMBER_BLOCK },
		{ MCAST_UNBLOCK_SOURCE, VERB_SOURCE, MEMBER_UNBLOCK },
		{ MCAST_JOIN_SOURCE_GROUP, VERB_SOURCE, MEMBER_JOIN_SOURCE },
		{ MCAST_LEAVE_SOURCE_GROUP, VERB_SOURCE, MEMBER_LEAVE_SOURCE },
		{ MCAST_MSFILTER, VERB_FILTER, 0 },
	}, only4[] = {
		{ IP_ADD_MEMBERSHIP, VERB_JOIN, 0 },
		{ IP_DROP_MEMBERSHIP, VERB_LEAVE, 0 },
		{ IP_BLOCK_SOURCE, VERB_SOURCE, MEMBER_BLOCK },
		{ IP_UNBLOCK_SOURCE, VERB_SOURCE, MEMBER_UNBLOCK },
		{ IP_ADD_SOURCE_MEMBERSHIP, VERB_SOURCE, MEMBER_JOIN_SOURCE },
		{ IP_DROP_SOURCE_MEMBERSHIP, VERB_SOURCE, MEMBER_LEAVE_SOURCE },
		{ IP_MSFILTER, VERB_FILTER, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(both); i++) {
		if (both[i].option == option)
			return *ret_change = both[i].change, both[i].verb;
		if (level == IPPROTO_IP && only4[i].option == option)
			return *ret_change = only4[i].change, only4[i].verb;
	}
	if (level == IPPROTO_IPV6 && option == IPV6_JOIN_GROUP)
		return VERB_JOIN;
	return level == IPPROTO_IPV6 && option == IPV6_LEAVE_GROUP ? VERB_LEAVE : VERB_NONE;
}

/* The fixed part of ip_msfilter or group_filter, and where its sources begin. */
struct filter_head {
	struct member_request request;
	bool exclude;
	size_t count, sources_at, step;
};

static int read_filter_head(struct berth_socket *socket, int option, bool v4, const void *value, socklen_t length,
			    struct filter_head *head)
{
	size_t size = option == IP_MSFILTER ? IP_MSFILTER_SIZE(0) : GROUP_FILTER_SIZE(0);
	struct in_addr none = { 0 };
	struct group_filter filter;
	struct ip_msfilter filter4;
	int r = 0;

	if (length < size)
		return -EINVAL;
	memcpy(&filter, value, MIN(size, sizeof(filter)));
	memcpy(&filter4, value, MIN(size, sizeof(filter4)));
	*head = (struct filter_head){ .sources_at = size };
	if (option == IP_MSFILTER) {
		head->request.group = ip4_of(filter4.imsf_multiaddr);
		find_link(socket, 0, filter4.imsf_interface, &head->request);
		head->exclude = filter4.imsf_fmode == MCAST_EXCLUDE;
		head->count = filter4.imsf_numsrc;
		head->step = sizeof(struct in_addr);
		r = filter4.imsf_fmode == MCAST_EXCLUDE || filter4.imsf_fmode == MCAST_INCLUDE ? 0 : -EINVAL;
	} else {
		r = sockaddr_ip(&filter.gf_group, v4, &head->request.group);
		find_link(socket, (int)filter.gf_interface, none, &head->request);
		head->exclude = filter.gf_fmode == MCAST_EXCLUDE;
		head->count = filter.gf_numsrc;
		head->step = sizeof(struct sockaddr_storage);
		if (filter.gf_fmode != MCAST_EXCLUDE && filter.gf_fmode != MCAST_INCLUDE)
			r = -EINVAL;
	}
	if (r == 0 && (!ip_is_multicast(head->request.group) || ip_is4(head->request.group) != v4))
		r = -EINVAL;
	return r;
}

static int read_filter_source(const uint8_t *at, size_t step, bool v4, struct berth_ip *ret_source)
{
	struct sockaddr_storage address;
	struct in_addr in;

	if (step == sizeof(in)) {
		memcpy(&in, at, sizeof(in));
		*ret_source = ip4_of(in);
		return 0;
	}
	memcpy(&address, at, sizeof(address));
	return sockaddr_ip(&address, v4, ret_source);
}

static int set_filter(struct berth_socket *socket, int option, bool v4, const void *value, socklen_t length)
{
	struct berth_stack *stack = socket->stack;
	struct berth_ip *sources = NULL;
	struct filter_head head;
	int r = read_filter_head(socket, option, v4, value, length, &head);

	if (r < 0)
		return r;
	if (head.count > stack->limits.group_sources)
		return -ENOBUFS;
	if (head.count * head.step > length - head.sources_at)
		return -EINVAL;
	if (head.count && !(sources = stack_alloc(stack, head.count * sizeof(*sources))))
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < head.count; i++)
		r = read_filter_source((const uint8_t *)value + head.sources_at + i * head.step, head.step, v4,
				       &sources[i]);
	head.request.index = head.request.link ? head.request.link->index : 0;
	if (r == 0)
		r = member_set_filter(socket, &head.request, head.exclude, sources, head.count);
	stack_free(stack, sources, head.count * sizeof(*sources));
	return r;
}

static void put_filter_head(uint8_t *bytes, int option, const struct filter *filter)
{
	uint32_t mode = filter->exclude ? MCAST_EXCLUDE : MCAST_INCLUDE, count = (uint32_t)filter->count;
	bool old = option == IP_MSFILTER;

	memcpy(bytes + (old ? offsetof(struct ip_msfilter, imsf_fmode) : offsetof(struct group_filter, gf_fmode)),
	       &mode, sizeof(mode));
	memcpy(bytes + (old ? offsetof(struct ip_msfilter, imsf_numsrc) : offsetof(struct group_filter, gf_numsrc)),
	       &count, sizeof(count));
}

/* As many sources as there is room for; how many there are, in any case. RFC 3678 §4.2 */
static int get_filter(struct berth_socket *socket, int option, bool v4, void *value, socklen_t *length)
{
	uint8_t *bytes = value;
	const struct filter *filter;
	struct filter_head head;
	size_t room;
	int r = read_filter_head(socket, option, v4, value, *length, &head);

	if (r < 0)
		return r;
	if (!head.request.link)
		return -ENODEV;
	head.request.index = head.request.link->index;
	filter = member_filter(socket, &head.request);
	if (!filter)
		return -EADDRNOTAVAIL;
	room = MIN(MIN(head.count, filter->count), (*length - head.sources_at) / head.step);
	for (size_t i = 0; i < room; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET };
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
		struct sockaddr_storage address = { 0 };
		uint8_t *at = bytes + head.sources_at + i * head.step;

		memcpy(&in.sin_addr, filter->sources[i].bytes + 12, 4);
		memcpy(&in6.sin6_addr, filter->sources[i].bytes, 16);
		memcpy(&address, v4 ? (void *)&in : (void *)&in6, v4 ? sizeof(in) : sizeof(in6));
		memcpy(at, option == IP_MSFILTER ? (void *)&in.sin_addr : (void *)&address, head.step);
	}
	put_filter_head(bytes, option, filter);
	*length = (socklen_t)(head.sources_at + room * head.step);
	return 0;
}

static int change_membership(struct berth_socket *socket, enum verb verb, enum member_change change, int option,
			     bool v4, const void *value, socklen_t length)
{
	struct member_request request = { .index = 0 };
	int r;

	if (socket->protocol->type == SOCK_STREAM && v4 &&
	    (option == IP_ADD_MEMBERSHIP || option == IP_DROP_MEMBERSHIP))
		return -EPROTO; /* Linux: connections have no groups, which is said before anything is looked at here, and ... */
	if (verb == VERB_FILTER)
		return set_filter(socket, option, v4, value, length);
	r = verb == VERB_SOURCE ? read_source(socket, option, v4, value, length, &request)
				: read_group(socket, option, v4, value, length, &request);
	if (r < 0)
		return r;
	if (socket->protocol->type == SOCK_STREAM)
		return -EPROTO; /* ... there after that */
	if (verb == VERB_SOURCE)
		return member_source(socket, &request, change);
	return verb == VERB_JOIN ? member_join(socket, &request) : member_leave(socket, &request);
}

/* IP_MULTICAST_IF: in_addr, ip_mreq or ip_mreqn. */
static int set_interface4(struct berth_socket *socket, const void *value, socklen_t length)
{
	struct socket_options *options = socket->options;
	struct member_request request = { .index = 0 };
	struct ip_mreqn mreqn = { .imr_ifindex = 0 };

	if (length >= sizeof(struct ip_mreq))
		memcpy(&mreqn, value, length >= sizeof(mreqn) ? sizeof(mreqn) : sizeof(struct ip_mreq));
	else if (length >= sizeof(struct in_addr))
		memcpy(&mreqn.imr_address, value, sizeof(struct in_addr));
	else
		return -EINVAL;
	if (mreqn.imr_ifindex || mreqn.imr_address.s_addr) {
		find_link(socket, mreqn.imr_ifindex, mreqn.imr_address, &request);
		if (!request.link)
			return -EADDRNOTAVAIL;
		if (socket->bound_link && socket->bound_link != request.link)
			return -EINVAL;
	}
	options->multicast_link4 = request.link ? request.link->index : 0;
	options->multicast_source4 = mreqn.imr_address.s_addr ? ip4_of(mreqn.imr_address) : ip_any;
	socket_path_forget(socket);
	return 0;
}

static int set_interface6(struct berth_socket *socket, int index)
{
	if (index && (index < 0 || !link_by_index(socket->stack, (unsigned)index)))
		return -ENODEV;
	if (index && socket->bound_link && socket->bound_link->index != (unsigned)index)
		return -EINVAL;
	socket->options->multicast_link6 = (unsigned)index;
	socket_path_forget(socket);
	return 0;
}

static int set_hops(uint8_t *hops, int number)
{
	if (number < -1 || number > 255)
		return -EINVAL;
	*hops = number == -1 ? 1 : (uint8_t)number; /* RFC 1112 §6.1, RFC 3493 §5.2 */
	return 0;
}

static int set_flag(bool *flag, int number, bool strict)
{
	if (strict && number != 0 && number != 1)
		return -EINVAL;
	*flag = number != 0;
	return 0;
}

static int set_number4(struct berth_socket *socket, int option, const void *value, socklen_t length)
{
	struct socket_options *options = socket->options;
	bool stream = socket->protocol->type == SOCK_STREAM;
	int number = 0;

	if (length < 1)
		return -EINVAL;
	if (length >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	else
		number = *(const uint8_t *)value;
	switch (option) {
	case IP_MULTICAST_TTL:
		return stream ? -EINVAL : set_hops(&options->multicast_ttl4, number);
	case IP_MULTICAST_LOOP:
		return set_flag(&options->multicast_loop4, number, false);
	case IP_MULTICAST_ALL:
		return set_flag(&options->multicast_all4, number, true);
	case IP_MULTICAST_IF:
		return stream ? -EINVAL : set_interface4(socket, value, length);
	}
	return -ENOPROTOOPT;
}

static int set_number6(struct berth_socket *socket, int option, const void *value, socklen_t length)
{
	struct socket_options *options = socket->options;
	int number;

	if (socket->protocol->type == SOCK_STREAM && (option == IPV6_MULTICAST_HOPS || option == IPV6_MULTICAST_IF))
		return -ENOPROTOOPT;
	if (length < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	switch (option) {
	case IPV6_MULTICAST_HOPS:
		return set_hops(&options->multicast_ttl6, number);
	case IPV6_MULTICAST_LOOP:
		return set_flag(&options->multicast_loop6, number, true);
	case IPV6_MULTICAST_ALL:
		return set_flag(&options->multicast_all6, number, false);
	case IPV6_MULTICAST_IF:
		return set_interface6(socket, number);
	}
	return -ENOPROTOOPT;
}

static bool is_number(int level, int option)
{
	if (level == IPPROTO_IP)
		return option == IP_MULTICAST_TTL || option == IP_MULTICAST_LOOP || option == IP_MULTICAST_ALL ||
		       option == IP_MULTICAST_IF;
	return option == IPV6_MULTICAST_HOPS || option == IPV6_MULTICAST_LOOP || option == IPV6_MULTICAST_ALL ||
	       option == IPV6_MULTICAST_IF;
}

int group_set_option(struct berth_socket *socket, int level, int option, const void *value, socklen_t length)
{
	enum member_change change = MEMBER_BLOCK;
	enum verb verb;

	if (level != IPPROTO_IP && level != IPPROTO_IPV6)
		return -ENOPROTOOPT;
	if (is_number(level, option))
		return (level == IPPROTO_IP ? set_number4 : set_number6)(socket, option, value, length);
	verb = verb_of(level, option, &change);
	if (verb == VERB_NONE)
		return -ENOPROTOOPT;
	return change_membership(socket, verb, change, option, level == IPPROTO_IP, value, length);
}

static int get_number(const struct socket_options *options, bool v4, int option)
{
	if (v4)
		return option == IP_MULTICAST_TTL    ? options->multicast_ttl4
		       : option == IP_MULTICAST_LOOP ? options->multicast_loop4
						     : options->multicast_all4;
	return option == IPV6_MULTICAST_HOPS   ? options->multicast_ttl6
	       : option == IPV6_MULTICAST_LOOP ? options->multicast_loop6
	       : option == IPV6_MULTICAST_ALL  ? options->multicast_all6
					       : (int)options->multicast_link6;
}

int group_get_option(struct berth_socket *socket, int level, int option, void *value, socklen_t *length)
{
	const struct socket_options *options = socket->options;
	bool v4 = level == IPPROTO_IP;
	struct in_addr address = { 0 };
	int number;

	if (!v4 && level != IPPROTO_IPV6)
		return -ENOPROTOOPT;
	if (option == MCAST_MSFILTER || (v4 && option == IP_MSFILTER))
		return get_filter(socket, option, v4, value, length);
	if (!is_number(level, option))
		return -ENOPROTOOPT;
	if (v4 && option == IP_MULTICAST_IF) {
		memcpy(&address, options->multicast_source4.bytes + 12, sizeof(address));
		*length = (socklen_t)MIN(*length, sizeof(address));
		memcpy(value, &address, *length);
		return 0;
	}
	number = get_number(options, v4, option);
	*length = (socklen_t)MIN(*length, sizeof(number));
	memcpy(value, &number, *length);
	return 0;
}
