/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Published UDP ports: one real socket, and for each real client a flow: a UDP
 * socket of the gateway's, connected to the host's port, so that what the host
 * answers is known to be for that client. UDP has no end: a flow that nothing
 * has passed for a minute is forgotten, and when there are too many the one
 * that has been quiet longest gives way. What a side can't take is lost, as on
 * any network.
 *
 * Flows are in order of use, the latest first.
 */
#include "base/ip.h"
#include "daemon/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	FLOWS_MAX = 1024,
	IDLE_SECONDS = 60,
	DATAGRAMS_A_TURN = 64,
};

struct flow {
	struct list node; /* in publish->flows */
	struct publish *publish;
	struct plug *plug;
	berth_time used;
	struct sockaddr_storage client;
	socklen_t client_length;
	/* Which of the machine's addresses it called: the answer comes from there. */
	_Alignas(struct cmsghdr) uint8_t called[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	size_t called_length;
};

static void flow_use(struct flow *flow)
{
	struct publish *publish = flow->publish;

	flow->used = publish->host->daemon->loop.now;
	list_remove(&flow->node);
	list_prepend(&publish->flows, &flow->node);
}

static void relay_idle(struct berth_timer *timer)
{
	struct publish *publish = CONTAINER_OF(timer, struct publish, idle_timer);
	struct loop *loop = &publish->host->daemon->loop;

	while (!list_empty(&publish->flows)) {
		struct flow *oldest = LIST_ITEM(publish->flows.prev, struct flow, node);
		if (loop->now - oldest->used < IDLE_SECONDS * BERTH_SEC) {
			loop_timer_set(loop, timer, oldest->used + IDLE_SECONDS * BERTH_SEC);
			return;
		}
		plug_free(oldest->plug);
	}
}

/* From the host to the real client. */
static void relay_core_ready(struct plug *plug)
{
	struct flow *flow = plug->flow;
	struct daemon *daemon = plug->host->daemon;

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = berth_recv(plug->host->stack, plug->fd, daemon->scratch, SCRATCH_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			continue; /* nobody listens there: said once, and the client of a UDP port may hear nothing */
		struct iovec part = { daemon->scratch, (size_t)n };
		struct msghdr message = { .msg_name = &flow->client,
					  .msg_namelen = flow->client_length,
					  .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = flow->called_length ? flow->called : NULL,
					  .msg_controllen = flow->called_length };
		sendmsg(flow->publish->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		flow_use(flow);
	}
	plug_work(plug);
}

static void relay_end_ready(struct plug *plug, uint32_t events)
{
}

static void relay_ended(struct plug *plug)
{
	list_remove(&plug->flow->node);
	free(plug->flow);
}

const struct plug_role role_relay = { "relay", relay_core_ready, relay_end_ready, relay_ended };

/* The gateway's side of a new flow. NULL: it can't be. */
static struct flow *flow_new(struct publish *publish, const struct msghdr *message)
{
	struct loop *loop = &publish->host->daemon->loop;
	struct flow *flow;
	size_t count = 0;

	LIST_EACH(&publish->flows, node)
		count++;
	if (count >= FLOWS_MAX)
		plug_free(LIST_ITEM(publish->flows.prev, struct flow, node)->plug);
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		return NULL;
	flow->plug = publish_connect(publish, SOCK_DGRAM, &role_idle);
	if (!flow->plug) {
		free(flow);
		return NULL;
	}
	flow->plug->flow = flow;
	flow->plug->role = &role_relay;
	flow->publish = publish;
	flow->client_length = message->msg_namelen;
	memcpy(&flow->client, message->msg_name, message->msg_namelen);
	struct berth_endpoint from;
	if (address_read(message->msg_name, message->msg_namelen, &from) &&
	    outside_showable(publish->host->daemon, from.ip))
		flow->plug->shown = from;
	if (list_empty(&publish->flows))
		loop_timer_set(loop, &publish->idle_timer, loop->now + IDLE_SECONDS * BERTH_SEC);
	list_prepend(&publish->flows, &flow->node);
	return flow;
}

static struct flow *flow_find(struct publish *publish, const struct msghdr *message)
{
	LIST_EACH(&publish->flows, node) {
		struct flow *flow = LIST_ITEM(node, struct flow, node);
		if (flow->client_length == message->msg_namelen &&
		    !memcmp(&flow->client, message->msg_name, message->msg_namelen))
			return flow;
	}
	return NULL;
}

bool relay_find(struct host *host, struct berth_endpoint *endpoint)
{
	LIST_EACH(&host->published, node)
		LIST_EACH(&LIST_ITEM(node, struct publish, node)->flows, inner) {
			struct plug *plug = LIST_ITEM(inner, struct flow, node)->plug;
			struct sockaddr_storage address;
			socklen_t length = sizeof(address);
			if (plug->shown.port != endpoint->port || !ip_equal(plug->shown.ip, endpoint->ip))
				continue;
			return !berth_getsockname(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length) &&
			       address_read((struct sockaddr *)&address, length, endpoint);
		}
	return false;
}

/* Remember which address was called, in the form in which sendmsg() takes it: ip(7), ipv6(7). */
static void note_called(struct flow *flow, struct msghdr *message)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);

	if (!head || head->cmsg_len > sizeof(flow->called))
		return;
	if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo info;
		memcpy(&info, CMSG_DATA(head), sizeof(info));
		info.ipi_ifindex = 0; /* the route back is the machine's to choose */
		memcpy(CMSG_DATA(head), &info, sizeof(info));
	}
	memcpy(flow->called, head, head->cmsg_len);
	flow->called_length = CMSG_SPACE(head->cmsg_len - CMSG_LEN(0));
}

/* What came of a real client goes to the host. */
static void pass_in(struct publish *publish, struct msghdr *message, size_t length)
{
	const uint8_t *bytes = publish->host->daemon->scratch;
	struct flow *flow = flow_find(publish, message);

	if (!flow)
		flow = flow_new(publish, message);
	if (!flow)
		return;
	note_called(flow, message);
	flow_use(flow);
	struct plug *plug = flow->plug;
	host_touch(plug->host);
	/* An earlier datagram's error goes to whoever tries next. */
	if (berth_send(plug->host->stack, plug->fd, bytes, length, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED)
		berth_send(plug->host->stack, plug->fd, bytes, length, MSG_DONTWAIT);
}

void relay_ready(struct loop_watch *watch, uint32_t events)
{
	struct publish *publish = CONTAINER_OF(watch, struct publish, watch);
	struct iovec part = { publish->host->daemon->scratch, SCRATCH_SIZE };

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		struct sockaddr_storage client;
		_Alignas(struct cmsghdr) uint8_t control[64];
		struct msghdr message = { .msg_name = &client,
					  .msg_namelen = sizeof(client),
					  .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(watch->fd, &message, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n >= 0) /* else an ICMP error: some client is gone, and no matter which */
			pass_in(publish, &message, (size_t)n);
	}
}

void relay_open(struct publish *publish)
{
	int one = 1, family = 0;
	socklen_t length = sizeof(family);

	publish->idle_timer.run = relay_idle;
	getsockopt(publish->watch.fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
	if (family == AF_INET6)
		setsockopt(publish->watch.fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	else
		setsockopt(publish->watch.fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
}

void relay_close(struct publish *publish)
{
	loop_timer_cancel(&publish->host->daemon->loop, &publish->idle_timer);
	while (!list_empty(&publish->flows)) {
		struct plug *plug = LIST_FIRST(&publish->flows, struct flow, node)->plug;
		host_touch(plug->host);
		relay_core_ready(plug); /* what was answered last */
		plug_free(plug);
	}
}
