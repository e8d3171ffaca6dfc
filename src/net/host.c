/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts: a stack with a name, its link "eth0" and its cables to the switch.
 * A host's number n is the same in both its addresses: subnet4 + n and
 * subnet6::n. Number 1 is left for a gateway and given out only by request.
 * There is no default route, because no gateway forwards: what lies beyond the
 * subnet is unreachable at once (ENETUNREACH) and not a silence.
 *
 * The stack's hooks are ours and pass on to the embedder's all that is not
 * about the name service's own sockets.
 */
#include "core/neigh/neigh.h"
#include "net/network.h"

#include <errno.h>
#include <strings.h>

bool host_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (!strcmp(name, GATEWAY_NAME))
		return true;
	if (!length || length > HOST_NAME_MAX_LENGTH || name[0] == '-' || name[length - 1] == '-')
		return false;
	for (const char *c = name; *c; c++)
		if (!((*c | 32) >= 'a' && (*c | 32) <= 'z') && !(*c >= '0' && *c <= '9') && *c != '-')
			return false;
	return strcasecmp(name, "localhost") != 0;
}

static uint32_t host_count(const struct berth_net *net) /* numbers 1 … count are hosts' */
{
	return (uint32_t)(((uint64_t)1 << (32 - net->subnet4_length)) - 2);
}

void net_addresses_of(const struct berth_net *net, uint32_t number, struct berth_ip *ret_ip4, struct berth_ip *ret_ip6)
{
	*ret_ip4 = ip_from_u32(ip_u32(net->subnet4) + number);
	*ret_ip6 = net->subnet6;
	put_be32(ret_ip6->bytes + 12, number);
}

static int number_of(const struct berth_net *net, struct berth_ip ip, uint32_t *ret_number)
{
	uint32_t number;

	if (ip_is4(ip)) {
		if (!ip_in_prefix(ip, net->subnet4, net->subnet4_length))
			return -EINVAL;
		number = ip_u32(ip) - ip_u32(net->subnet4);
	} else {
		struct berth_ip wanted = net->subnet6;
		number = get_be32(ip.bytes + 12);
		put_be32(wanted.bytes + 12, number);
		if (!ip_equal(ip, wanted))
			return -EINVAL;
	}
	if (number < 1 || number > host_count(net))
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int choose_addresses(struct berth_net *net, struct berth_host *host, struct berth_ip wanted)
{
	uint32_t number = MAX(net->lowest_free, GATEWAY_NUMBER + 1) - 1;

	if (!ip_is_any(wanted)) {
		int r = number_of(net, wanted, &number);
		if (r < 0)
			return r;
		net_addresses_of(net, number, &host->ip4, &host->ip6);
		return net_host_by_ip(net, host->ip4) ? -EADDRINUSE : 0;
	}
	do {
		if (++number > host_count(net))
			return -ENOSPC;
		net_addresses_of(net, number, &host->ip4, &host->ip6);
	} while (net_host_by_ip(net, host->ip4));
	net->lowest_free = number; /* if the host comes to nothing, it is still so */
	return 0;
}

static void host_transmit(void *context, struct berth_packet *packet)
{
	struct berth_host *host = context;

	wire_put(&host->up, packet, MAX(host->net->now, berth_stack_now(host->stack)));
}

static void hook_ready(void *context, int fd, unsigned events)
{
	struct berth_host *host = context;

	if (resolver_owns_fd(&host->resolver, fd))
		resolver_wake(&host->resolver);
	else if (host->hooks.ready)
		host->hooks.ready(host->hooks.context, fd, events);
}

static int hook_admit(void *context, int fd)
{
	struct berth_host *host = context;

	if (resolver_owns_fd(&host->resolver, fd) || !host->hooks.admit)
		return 0;
	return host->hooks.admit(host->hooks.context, fd);
}

static int hook_wait(void *context, berth_time deadline)
{
	struct berth_host *host = context;

	return host->hooks.wait(host->hooks.context, deadline);
}

static berth_time hook_now(void *context)
{
	struct berth_host *host = context;

	return host->hooks.now(host->hooks.context);
}

static void hook_event(void *context, const struct berth_event_info *about)
{
	struct berth_host *host = context;

	host->hooks.event(host->hooks.context, about);
}

/* Whoever has the address next is, to its peers, the same machine. */
static uint64_t sequence_seed_of(const struct berth_host *host)
{
	struct random random;

	random_init(&random, host->net->sequence_seed + ip_u32(host->ip4));
	return random_u64(&random) | 1;
}

static int open_stack(struct berth_host *host)
{
	struct berth_net *net = host->net;
	struct berth_stack_config config = {
		.seed = random_u64(&net->random),
		.sequence_seed = sequence_seed_of(host),
		.now = net->now,
		.allocator = net->allocator,
		.packets = net->packets,
		.limits = net->limits,
		.hooks = { .context = host,
			   .ready = hook_ready,
			   .admit = hook_admit,
			   .wait = host->hooks.wait ? hook_wait : NULL,
			   .now = host->hooks.now ? hook_now : NULL,
			   .event = host->hooks.event ? hook_event : NULL },
	};

	host->stack = berth_stack_new(&config);
	return host->stack ? 0 : -ENOMEM;
}

static int open_link(struct berth_host *host)
{
	struct berth_net *net = host->net;
	struct berth_link_config config = {
		.name = "eth0",
		.type = BERTH_LINK_ETHERNET,
		.mac = { 0x02, 0x00, host->ip4.bytes[12], host->ip4.bytes[13], host->ip4.bytes[14],
			 host->ip4.bytes[15] }, /* 02: locally administered */
		.mtu = net->mtu,
		.superframe = net->superframe,
		/* Nothing in memory damages a frame, and addresses are given out by us alone. */
		.flags = BERTH_LINK_NO_CHECKSUMS | BERTH_LINK_NO_DAD | BERTH_LINK_UDP_RUNS,
		.transmit = host_transmit,
		.context = host,
	};
	int r = berth_link_add(host->stack, &config, &host->link);

	if (!r)
		r = berth_link_add_address(host->link, host->ip4, net->subnet4_length);
	if (!r)
		r = berth_link_add_address(host->link, host->ip6, 64);
	return r ? r : switch_add_port(&net->sw, &host->port, config.mac);
}

static struct berth_host *host_new(struct berth_net *net, const char *name, const struct berth_hooks *hooks)
{
	struct berth_host *host = net_alarm_reserve(net) < 0 ? NULL : memory_new(net->allocator, sizeof(*host));

	if (!host)
		return NULL;
	list_init(&host->node);
	list_init(&host->names);
	list_init(&host->port.node);
	host->net = net;
	host->number = (berth_time)net->hosts_ever++;
	net->host_count++;
	wires_init(host);
	resolver_init(&host->resolver, host);
	if (hooks)
		host->hooks = *hooks;
	for (size_t i = 0; name[i]; i++)
		host->name[i] = name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 'a' - 'A' : name[i];
	return host;
}

int berth_net_add_host(struct berth_net *net, const char *name, struct berth_ip address,
		       const struct berth_hooks *hooks, struct berth_host **ret_host)
{
	struct berth_host *host;
	int r;

	if (!name || !host_name_valid(name))
		return -EINVAL;
	if (berth_net_find_host(net, name))
		return -EEXIST;
	host = host_new(net, name, hooks);
	if (!host)
		return -ENOMEM;
	r = choose_addresses(net, host, address);
	if (!r)
		r = open_stack(host);
	if (!r)
		r = open_link(host);
	if (!r)
		r = resolver_open(&host->resolver);
	if (!r)
		net_alarm_watch(host);
	if (r) {
		berth_net_remove_host(host);
		return r;
	}
	list_append(&net->hosts, &host->node);
	*ret_host = host;
	return 0;
}

/*
 * A cable that is pulled tells nobody, and who talked to a host would send to its old MAC until a probe fails, half a
 * minute after the last word (RFC 4861 §7.3). Here it is known: a connect() fails after the three questions, in seconds.
 */
static void tell_others(const struct berth_host *host)
{
	LIST_EACH(&host->net->hosts, node) {
		struct berth_host *other = LIST_ITEM(node, struct berth_host, node);

		if (other == host)
			continue;
		neigh_forget(other->link, host->ip4);
		neigh_forget(other->link, host->ip6);
	}
}

void berth_net_remove_host(struct berth_host *host)
{
	if (!host)
		return;
	struct berth_net *net = host->net;
	uint32_t number;
	host->hooks = (struct berth_hooks){ 0 }; /* the embedder hears no more of it */
	resolver_fini(&host->resolver);
	switch_remove_port(&net->sw, &host->port);
	berth_stack_free(host->stack);
	net_alarm_cancel(host);
	wires_fini(host); /* the stack may have had last words */
	list_remove(&host->node);
	tell_others(host);
	LIST_EACH_SAFE(&host->names, node)
		memory_free(net->allocator, LIST_ITEM(node, struct host_name, node), sizeof(struct host_name));
	if (number_of(net, host->ip4, &number) >= 0)
		net->lowest_free = MIN(net->lowest_free, number);
	net->host_count--;
	memory_free(net->allocator, host, sizeof(*host));
}

int berth_host_add_name(struct berth_host *host, const char *name)
{
	struct berth_net *net = host->net;
	struct host_name *entry;

	if (!host_name_valid(name))
		return -EINVAL;
	if (berth_net_find_host(net, name))
		return -EEXIST;
	entry = memory_new(net->allocator, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	for (size_t i = 0; name[i]; i++)
		entry->name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 32 : name[i]);
	list_append(&host->names, &entry->node);
	return 0;
}

struct berth_host *berth_net_find_host(struct berth_net *net, const char *name)
{
	LIST_EACH(&net->hosts, node) {
		struct berth_host *host = LIST_ITEM(node, struct berth_host, node);
		if (!strcasecmp(host->name, name))
			return host;
	}
	return NULL;
}

bool net_host_owns_fd(const struct berth_host *host, int fd)
{
	return resolver_owns_fd(&host->resolver, fd);
}

struct berth_stack *berth_host_stack(struct berth_host *host)
{
	return host->stack;
}

const char *berth_host_name(const struct berth_host *host)
{
	return host->name;
}

struct berth_ip berth_host_ip4(const struct berth_host *host)
{
	return host->ip4;
}

struct berth_ip berth_host_ip6(const struct berth_host *host)
{
	return host->ip6;
}
