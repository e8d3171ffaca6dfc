/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts: one for each program under `berth run`, from its supervisor's HELLO
 * until the supervisor's last connection ends. What the program's sockets had
 * still to say is then said as a kernel would, FIN after the last byte, for
 * a while; the name and the address are free for others at once.
 *
 * The gateway is a host of our own, made when a port is first published: the
 * real machine's side of the network.
 */
#include "base/ip.h"
#include "daemon/journal.h"
#include "daemon/record.h"
#include "daemon/rules.h"
#include "daemon/state.h"
#include "net/network.h"
#include "os/clock.h"

#include <berth/inspect.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LEAVE_SECONDS = 30,	/* for others to take what a dead program sent */
	LAST_LEAVE_MSEC = 2000, /* the same when only published connections are left */
	NAME_FROM_PROGRAM_MAX = 48,
};

static void hook_ready(void *context, int fd, unsigned events)
{
	struct plug *plug = plug_of_fd(context, fd);

	if (plug)
		plug_work(plug);
}

static struct host *find_by_join(struct daemon *daemon, uint64_t join_id)
{
	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);
		if (host->join_id == join_id && !host->leaving && !host->gateway)
			return host;
	}
	return NULL;
}

struct host *host_of_ip(struct daemon *daemon, struct berth_ip ip)
{
	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);
		if (ip_equal(berth_host_ip4(host->host), ip) || ip_equal(berth_host_ip6(host->host), ip))
			return host;
	}
	return NULL;
}

static struct host *host_new(struct daemon *daemon)
{
	struct host *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	host->daemon = daemon;
	host->join_id = ++daemon->last_join;
	host->started = daemon->loop.now;
	host->started_wall = clock_wall();
	list_init(&host->node);
	list_init(&host->channels);
	list_init(&host->plugs);
	list_init(&host->listeners);
	list_init(&host->published);
	return host;
}

static int host_add(struct daemon *daemon, const char *name, struct berth_ip ip, struct host **ret_host)
{
	struct host *host = host_new(daemon);

	if (!host)
		return -ENOMEM;
	struct berth_hooks hooks = {
		.context = host, .ready = hook_ready, .admit = listener_admit, .event = journal_hook
	};
	int r = berth_net_add_host(daemon->net, name, ip, &hooks, &host->host);
	if (r < 0) {
		free(host);
		return r;
	}
	host->stack = berth_host_stack(host->host);
	list_append(&daemon->hosts, &host->node);
	*ret_host = host;
	return 0;
}

static struct host *find_by_name(struct daemon *daemon, const char *name)
{
	struct berth_host *found = berth_net_find_host(daemon->net, name);

	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);
		if (found && host->host == found)
			return host;
	}
	return NULL;
}

/* A name and an address are free again as soon as their program is gone. */
static void make_room(struct daemon *daemon, const char *name, struct berth_ip ip)
{
	struct host *host = find_by_name(daemon, name);

	if (host && host->leaving)
		host_free(host);
	host = ip_is_any(ip) ? NULL : host_of_ip(daemon, ip);
	if (host && host->leaving)
		host_free(host);
}

/* "python3.11" becomes "python3-11"; what leaves nothing becomes "host". */
static void label_of_program(const char *program, char label[64])
{
	size_t length = 0;

	for (const char *c = program; *c && length < NAME_FROM_PROGRAM_MAX; c++) {
		bool good = isascii(*c) && isalnum((unsigned char)*c);
		if (good || (length && label[length - 1] != '-'))
			label[length++] = good ? (char)tolower((unsigned char)*c) : '-';
	}
	while (length && label[length - 1] == '-')
		length--;
	label[length] = 0;
	if (!host_name_valid(label))
		strcpy(label, "host");
}

static int add_named_by_program(struct daemon *daemon, const char *program, struct berth_ip ip, struct host **ret_host)
{
	char label[64], name[80];
	int r = -EEXIST;

	label_of_program(program, label);
	for (unsigned number = 1; r == -EEXIST && number < 100000; number++) {
		snprintf(name, sizeof(name), number == 1 ? "%s" : "%s-%u", label, number);
		if (record_find(daemon, name))
			continue;
		make_room(daemon, name, ip);
		r = host_add(daemon, name, ip, ret_host);
	}
	return r;
}

static void note_coming(struct host *host)
{
	char ip4[BERTH_IP_STRLEN], ip6[BERTH_IP_STRLEN];

	journal_note(host, JOURNAL_HOST, "joined", "%s as %s, %s%s", host->program,
		     berth_ip_format(berth_host_ip4(host->host), ip4), berth_ip_format(berth_host_ip6(host->host), ip6),
		     host->express ? ", express" : "");
}

/* Another program on a host that runs. */
static int find_for_exec(struct daemon *daemon, const char *name, struct host **ret_host)
{
	struct host *host = find_by_name(daemon, name);

	if (!host || host->leaving || host->gateway)
		return -ESRCH;
	*ret_host = host;
	return 0;
}

/* Kept for the gateway, which comes when it is needed. */
static bool is_gateways(const struct daemon *daemon, struct berth_ip ip)
{
	struct berth_ip ip4, ip6;

	net_addresses_of(daemon->net, GATEWAY_NUMBER, &ip4, &ip6);
	return ip_equal(ip, ip4) || ip_equal(ip, ip6);
}

int host_hello(struct channel *channel, const struct channel_hello *hello, struct host **ret_host)
{
	struct daemon *daemon = channel->daemon;
	struct berth_ip ip, ip6;
	int r;

	if (hello->flags & HELLO_JOIN) {
		*ret_host = find_by_join(daemon, hello->join_id);
		return *ret_host ? 0 : -ESRCH;
	}
	if (hello->flags & HELLO_EXEC)
		return find_for_exec(daemon, hello->name, ret_host);
	memcpy(ip.bytes, hello->ip, sizeof(ip.bytes));
	memcpy(ip6.bytes, hello->ip6, sizeof(ip6.bytes));
	if (ip_is_any(ip))
		ip = ip6;
	if (!strcmp(hello->name, GATEWAY_NAME) || is_gateways(daemon, ip) || is_gateways(daemon, ip6))
		return -EBUSY;
	if (hello->name[0]) {
		struct record *record = record_find(daemon, hello->name);
		if (record)
			return record->host ? -EEXIST : -ENOTUNIQ;
		make_room(daemon, hello->name, ip);
		r = host_add(daemon, hello->name, ip, ret_host);
	} else {
		r = add_named_by_program(daemon, hello->program, ip, ret_host);
	}
	if (r < 0)
		return r;
	struct host *host = *ret_host;
	if (!ip_is_any(ip6) && !ip_equal(ip6, berth_host_ip6(host->host))) {
		host_free(host); /* a host has one number in both its addresses */
		return -EADDRNOTAVAIL;
	}
	host->session = hello->session;
	memcpy(host->program, hello->program, sizeof(host->program));
	host->pid = hello->pid;
	host->express = hello->flags & HELLO_EXPRESS;
	host->record = record_new(host, hello->flags);
	if (!host->record) {
		host_free(host);
		return -ENOMEM;
	}
	loop_timer_cancel(&daemon->loop, &daemon->startup);
	note_coming(host);
	return 0;
}

struct host *host_gateway(struct daemon *daemon)
{
	struct berth_ip ip, ip6;
	struct berth_host *any = berth_net_next_host(daemon->net, NULL);

	if (daemon->gateway || !any)
		return daemon->gateway;
	net_addresses_of(any->net, GATEWAY_NUMBER, &ip, &ip6);
	if (host_add(daemon, GATEWAY_NAME, ip, &daemon->gateway) < 0)
		return NULL;
	daemon->gateway->gateway = true;
	strcpy(daemon->gateway->program, "berth");
	return daemon->gateway;
}

static void leave_timeout(struct berth_timer *timer)
{
	host_free(CONTAINER_OF(timer, struct host, leave_timer));
}

void host_leave(struct host *host)
{
	struct daemon *daemon = host->daemon;

	if (host->leaving)
		return;
	host->leaving = true;
	journal_note(host, JOURNAL_HOST, "left", "%s", host->program);
	record_ended(host->record);
	host->record = NULL;
	while (!list_empty(&host->channels)) /* what berth exec ran ends as well */
		channel_free(LIST_FIRST(&host->channels, struct channel, node));
	host_touch(host);
	LIST_EACH_SAFE(&host->published, node)
		publish_free(LIST_ITEM(node, struct publish, node));
	/* Ends of ours tell by themselves when the program's last byte was taken. */
	for (struct list *node = host->plugs.next; node != &host->plugs;) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);
		node = node->next;
		if (plug->end >= 0)
			continue;
		plug_free(plug);
		node = host->plugs.next; /* another may have gone along */
	}
	host->leave_timer.run = leave_timeout;
	loop_timer_set(&daemon->loop, &host->leave_timer, daemon->loop.now + LEAVE_SECONDS * BERTH_SEC);
}

void host_free(struct host *host)
{
	if (!host)
		return;
	struct daemon *daemon = host->daemon;
	LIST_EACH_SAFE(&host->published, node)
		publish_free(LIST_ITEM(node, struct publish, node));
	while (!list_empty(&host->plugs))
		plug_abort(LIST_FIRST(&host->plugs, struct plug, node));
	berth_net_advance(daemon->net, daemon->loop.now); /* the resets are to be heard */
	loop_timer_cancel(&daemon->loop, &host->leave_timer);
	if (daemon->gateway == host)
		daemon->gateway = NULL;
	list_remove(&host->node);
	host->leaving = true;
	record_ended(host->record);
	while (!list_empty(&host->channels))
		channel_free(LIST_FIRST(&host->channels, struct channel, node));
	berth_net_remove_host(host->host);
	tickets_free(host->table);
	free(host->by_fd);
	free(host);
}

/* A conversation that has more to say than the wait after the end. */
static int talks(void *context, const struct berth_socket_info *info)
{
	return info->fd < 0 && strcmp(info->state, "TIME-WAIT") && strcmp(info->state, "SYN-RECV");
}

static bool has_left(struct host *host)
{
	return list_empty(&host->plugs) && !berth_socket_each(host->stack, talks, NULL);
}

static bool any_published(const struct daemon *daemon)
{
	LIST_EACH((struct list *)&daemon->hosts, node)
		if (!list_empty(&LIST_ITEM(node, struct host, node)->published))
			return true;
	return false;
}

static void last_gone(struct daemon *daemon)
{
	struct host *gateway = daemon->gateway;

	if (!gateway || outbound_idle(gateway)) {
		loop_stop(&daemon->loop);
		return;
	}
	if (gateway->leaving)
		return;
	gateway->leaving = true; /* what was published is still being delivered to the real machine */
	gateway->leave_timer.run = leave_timeout;
	loop_timer_set(&daemon->loop, &gateway->leave_timer, daemon->loop.now + LAST_LEAVE_MSEC * BERTH_MSEC);
}

void hosts_reap(struct daemon *daemon)
{
	size_t staying = 0;

	LIST_EACH_SAFE(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);
		if (host->gateway)
			continue;
		staying += !host->leaving;
		if (host->leaving && has_left(host))
			host_free(host);
	}
	if (staying) {
		if (daemon->gateway && !any_published(daemon) && outbound_idle(daemon->gateway))
			host_free(daemon->gateway);
		return;
	}
	if (daemon->last_join && list_empty(&daemon->channels) && !records_kept(daemon))
		last_gone(daemon);
}
