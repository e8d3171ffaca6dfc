/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIOCGIF* (netdevice(7)): what a program may ask of its host's interfaces.
 * Setting anything is -EPERM, as without CAP_NET_ADMIN; the rest -ENOTTY.
 */
#include "core/stack.h"
#include "daemon/state.h"

#include <berth/inspect.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

static struct berth_link *link_named(struct berth_stack *stack, const char *name)
{
	LIST_EACH(&stack->links, node) {
		struct berth_link *link = LIST_ITEM(node, struct berth_link, node);
		if (!strncmp(link->name, name, IFNAMSIZ))
			return link;
	}
	return NULL;
}

static struct berth_link *link_numbered(struct berth_stack *stack, int index)
{
	LIST_EACH(&stack->links, node) {
		struct berth_link *link = LIST_ITEM(node, struct berth_link, node);
		if ((int)link->index == index)
			return link;
	}
	return NULL;
}

static struct link_address *address4_of(struct berth_link *link)
{
	LIST_EACH(&link->addresses, node) {
		struct link_address *address = LIST_ITEM(node, struct link_address, node);
		if (ip_is4(address->ip))
			return address;
	}
	return NULL;
}

static void put_in(struct sockaddr *to, uint32_t address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };

	memcpy(to, &in, sizeof(in));
}

static int get_address(struct ifreq *request, struct berth_link *link, unsigned long what)
{
	struct link_address *address = address4_of(link);

	if (!address)
		return -EADDRNOTAVAIL;
	uint32_t ip = ip_u32(address->ip), host = (uint32_t)(UINT64_C(0xffffffff) >> address->prefix_length);
	if (what == SIOCGIFNETMASK)
		put_in(&request->ifr_netmask, ~host);
	else if (what == SIOCGIFBRDADDR)
		put_in(&request->ifr_broadaddr, link->loopback ? 0 : ip | host);
	else
		put_in(&request->ifr_addr, ip);
	return 0;
}

static int get_value(struct ifreq *request, struct berth_link *link, unsigned long what)
{
	switch (what) {
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
		return get_address(request, link, what);
	case SIOCGIFFLAGS:
		request->ifr_flags = IFF_UP | IFF_RUNNING;
		request->ifr_flags |= link->loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST;
		return 0;
	case SIOCGIFHWADDR:
		memset(&request->ifr_hwaddr, 0, sizeof(request->ifr_hwaddr));
		request->ifr_hwaddr.sa_family = link->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(request->ifr_hwaddr.sa_data, link->mac, 6);
		return 0;
	case SIOCGIFMTU:
		request->ifr_mtu = (int)link->mtu;
		return 0;
	case SIOCGIFINDEX:
		request->ifr_ifindex = (int)link->index;
		return 0;
	case SIOCGIFTXQLEN:
		request->ifr_qlen = 1000;
		return 0;
	case SIOCGIFMAP:
		memset(&request->ifr_map, 0, sizeof(request->ifr_map)); /* it is nowhere in the machine's memory */
		return 0;
	case SIOCGIFMETRIC:
		request->ifr_metric = 0;
		return 0;
	default:
		return -ENOTTY;
	}
}

/* The payload is the buffer's room; the reply, struct ifreq for each IPv4 address. */
static int32_t get_list(struct request *request)
{
	size_t room = request->payload_length, used = 0, needed = 0;

	LIST_EACH(&request->host->stack->links, node) {
		struct berth_link *link = LIST_ITEM(node, struct berth_link, node);
		struct link_address *address = address4_of(link);
		struct ifreq entry = { 0 };
		if (address)
			needed += sizeof(entry);
		if (!address || room - used < sizeof(entry))
			continue;
		memcpy(entry.ifr_name, link->name, MIN(sizeof(link->name), sizeof(entry.ifr_name)));
		put_in(&entry.ifr_addr, ip_u32(address->ip));
		memcpy(request->reply_payload + used, &entry, sizeof(entry));
		used += sizeof(entry);
	}
	request->reply.payload_length = (uint32_t)used;
	request->reply.value = (int32_t)(room ? used : needed); /* no buffer: how much it takes */
	return 0;
}

static bool changes_something(unsigned long what)
{
	switch (what) {
	case SIOCADDRT:
	case SIOCDELRT:
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFDSTADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCSIFNAME:
	case SIOCSIFTXQLEN:
	case SIOCSIFMETRIC:
	case SIOCSARP:
	case SIOCDARP:
		return true;
	default:
		return false;
	}
}

/* Linux: tcp_ioctl(). What the program has written is in its socket, with us, or in the stack. */
static int32_t get_queue(struct request *request, bool unsent)
{
	struct plug *plug = request->plug;
	struct berth_socket_info info = { .send_queue = 0 };
	int waiting = 0;

	if (plug && plug->role == &role_listener)
		return -EINVAL;
	if (plug && plug->fd >= 0 && plug->role == &role_stream) {
		berth_socket_inspect(plug->host->stack, plug->fd, &info);
		if (plug->end >= 0)
			ioctl(plug->end, FIONREAD, &waiting);
		waiting += (int)(plug->to_core.length + info.send_queue - (unsent ? info.in_flight : 0));
	}
	memcpy(request->reply_payload, &waiting, sizeof(waiting));
	request->reply.payload_length = sizeof(waiting);
	return 0;
}

/* The program has read all that it was given. Is an urgent byte what comes next? */
static int32_t get_mark(struct request *request)
{
	struct plug *plug = request->plug;
	int at_mark = 0;

	if (plug && plug->fd >= 0 && plug->role == &role_stream)
		at_mark = stream_at_mark(plug);
	memcpy(request->reply_payload, &at_mark, sizeof(at_mark));
	request->reply.payload_length = sizeof(at_mark);
	return 0;
}

int32_t ioctl_run(struct request *request)
{
	unsigned long what = (uint32_t)request->message->option;
	struct berth_stack *stack = request->host->stack;
	struct ifreq entry = { 0 };

	if (what == SIOCGIFCONF)
		return get_list(request);
	if (what == SIOCOUTQ || what == SIOCOUTQNSD)
		return get_queue(request, what == SIOCOUTQNSD);
	if (what == SIOCATMARK)
		return get_mark(request);
	if (changes_something(what))
		return -EPERM;
	memcpy(&entry, request->payload, MIN(request->payload_length, sizeof(entry)));
	struct berth_link *link =
		what == SIOCGIFNAME ? link_numbered(stack, entry.ifr_ifindex) : link_named(stack, entry.ifr_name);
	int r = 0;
	if (!link)
		r = -ENODEV;
	else if (what == SIOCGIFNAME)
		memcpy(entry.ifr_name, link->name, MIN(sizeof(link->name), sizeof(entry.ifr_name)));
	else
		r = get_value(&entry, link, what);
	if (r == -ENODEV && (what < SIOCGIFNAME || what > SIOCGIFTXQLEN + 1) && what != SIOCGIFMAP)
		r = -ENOTTY;
	if (!r) {
		memcpy(request->reply_payload, &entry, sizeof(entry));
		request->reply.payload_length = sizeof(entry);
	}
	return r;
}
