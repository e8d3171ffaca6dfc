/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NETLINK_SOCK_DIAG (sock_diag(7)): what ss(8) asks, about the TCP, UDP and raw
 * sockets of the program's host. Dumps only, and no filter program (ss sends
 * one and filters again itself); other families are answered -ENOENT, as by a
 * kernel without them.
 */
#include "base/ip.h"
#include "daemon/inodes.h"
#include "daemon/netlink.h"

#include <berth/inspect.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <unistd.h>

static const struct {
	const char *word;
	uint8_t number; /* Linux: include/net/tcp_states.h */
} states[] = {
	{ "ESTAB", 1 },	     { "SYN-SENT", 2 },	 { "SYN-RECV", 3 }, { "FIN-WAIT-1", 4 },
	{ "FIN-WAIT-2", 5 }, { "TIME-WAIT", 6 }, { "UNCONN", 7 },   { "CLOSED", 7 },
	{ "CLOSE-WAIT", 8 }, { "LAST-ACK", 9 },	 { "LISTEN", 10 },  { "CLOSING", 11 },
};

static const struct {
	const char *word;
	uint8_t number; /* Linux: idiag_timer */
} timers[] = { { "on", 1 }, { "keepalive", 2 }, { "timewait", 3 }, { "persist", 4 } };

uint8_t diag_state(const struct berth_socket_info *info)
{
	for (size_t i = 0; i < COUNT_OF(states); i++)
		if (!strcmp(states[i].word, info->state))
			return states[i].number;
	return DIAG_CLOSED;
}

uint8_t diag_timer(const struct berth_socket_info *info)
{
	for (size_t i = 0; info->timer && i < COUNT_OF(timers); i++)
		if (!strcmp(timers[i].word, info->timer))
			return timers[i].number;
	return 0;
}

struct dump {
	struct reply *reply;
	const struct inet_diag_req_v2 *wanted;
	uint32_t cookie;
	struct inodes *inodes;
};

static void put_end(const struct berth_endpoint *end, int family, __be16 *port, __be32 address[4])
{
	*port = htons(end->port);
	if (family == AF_INET6 && !ip_is_any(end->ip))
		memcpy(address, end->ip.bytes, 16);
	else if (family == AF_INET)
		memcpy(address, end->ip.bytes + 12, 4);
}

static void put_details(struct reply *reply, struct berth_stack *stack, const struct berth_socket_info *info,
			uint8_t extensions)
{
	struct tcp_info tcp = { 0 };
	socklen_t length = sizeof(tcp);
	int only = 0;

	if (info->family == AF_INET6 && info->fd >= 0 &&
	    !berth_getsockopt(stack, info->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &(socklen_t){ sizeof(only) }))
		reply_attribute(reply, INET_DIAG_SKV6ONLY, &(uint8_t){ only != 0 }, 1);
	if (info->protocol != IPPROTO_TCP || info->fd < 0)
		return;
	if (extensions & 1 << (INET_DIAG_INFO - 1) &&
	    !berth_getsockopt(stack, info->fd, IPPROTO_TCP, TCP_INFO, &tcp, &length))
		reply_attribute(reply, INET_DIAG_INFO, &tcp, length);
	if (extensions & 1 << (INET_DIAG_CONG - 1) && info->congestion)
		reply_attribute(reply, INET_DIAG_CONG, info->congestion, strlen(info->congestion) + 1);
}

/* Linux: raw sockets are asked for by IPPROTO_RAW, whatever their protocol is. */
static bool is_protocol(const struct berth_socket_info *info, uint8_t wanted)
{
	return info->type == SOCK_RAW ? wanted == IPPROTO_RAW : wanted == info->protocol;
}

void diag_show(struct host *host, struct berth_socket_info *info)
{
	struct plug *plug = plug_of_fd(host, info->fd);

	/* The gateway stands for whoever is outside. */
	if (plug && plug->shown.port && !host->gateway)
		info->remote = plug->shown;
	/* By express, the stack knows a claimed port and nobody at the other end. */
	if (!plug || !plug->express)
		return;
	info->state = "ESTAB";
	info->local = plug->express_local;
	info->remote = plug->express_remote;
}

static int dump_socket(void *context, const struct berth_socket_info *shown)
{
	struct dump *dump = context;
	const struct inet_diag_req_v2 *wanted = dump->wanted;
	struct berth_socket_info own = *shown, *info = &own;
	struct plug *plug = plug_of_fd(dump->reply->plug->host, info->fd);
	uint8_t state;

	if (plug && ticket_unused(plug))
		return 0;
	diag_show(dump->reply->plug->host, info);
	state = diag_state(info);
	dump->cookie++;
	if (info->family != wanted->sdiag_family || !is_protocol(info, wanted->sdiag_protocol) ||
	    !(wanted->idiag_states & 1u << state) ||
	    (wanted->id.idiag_sport && ntohs(wanted->id.idiag_sport) != info->local.port) ||
	    (wanted->id.idiag_dport && ntohs(wanted->id.idiag_dport) != info->remote.port))
		return 0;
	struct inet_diag_msg *message = reply_begin(dump->reply, SOCK_DIAG_BY_FAMILY, sizeof(*message));
	message->idiag_family = (uint8_t)info->family;
	message->idiag_state = state;
	message->idiag_timer = diag_timer(info);
	message->idiag_retrans = (uint8_t)MIN(info->timeouts, UINT8_MAX);
	message->idiag_expires = info->timer_ms;
	message->idiag_rqueue = info->receive_queue;
	message->idiag_wqueue = info->send_queue;
	message->idiag_uid = getuid();
	message->idiag_inode = inodes_find(dump->inodes, plug);
	message->id.idiag_cookie[0] = dump->cookie;
	put_end(&info->local, info->family, &message->id.idiag_sport, message->id.idiag_src);
	put_end(&info->remote, info->family, &message->id.idiag_dport, message->id.idiag_dst);
	put_details(dump->reply, dump->reply->plug->host->stack, info, wanted->idiag_ext);
	reply_end(dump->reply);
	return 0;
}

int diag_answer(struct reply *reply)
{
	const struct nlmsghdr *request = reply->request;
	struct dump dump = { .reply = reply, .wanted = NLMSG_DATA(request) };

	if (request->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return request->nlmsg_type == SOCK_DESTROY ? -EPERM : -EOPNOTSUPP;
	if (request->nlmsg_len < NLMSG_LENGTH(sizeof(struct sock_diag_req)))
		return -EINVAL;
	if (dump.wanted->sdiag_family != AF_INET && dump.wanted->sdiag_family != AF_INET6)
		return -ENOENT;
	if (request->nlmsg_len < NLMSG_LENGTH(sizeof(*dump.wanted)))
		return -EINVAL;
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		return -EOPNOTSUPP;
	reply->dump = true;
	plugs_sweep(reply->plug->host);
	dump.inodes = inodes_new(reply->plug->host->daemon);
	berth_socket_each(reply->plug->host->stack, dump_socket, &dump);
	inodes_free(dump.inodes);
	memset(reply_begin(reply, NLMSG_DONE, sizeof(int)), 0, sizeof(int));
	reply_end(reply);
	reply->dump = false;
	return 0;
}
