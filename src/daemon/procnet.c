/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program reads in /proc/net (proc(5)): its host's sockets, interfaces,
 * routes and neighbours, in Linux's own columns. The supervisor asks for a file
 * by its name, from some line on, and gets as many whole lines as fit one
 * message: as from the kernel, a long file is not one moment's.
 */
#include "core/neigh/table.h"
#include "daemon/inodes.h"
#include "daemon/netlink.h"
#include "net/network.h"

#include <berth/inspect.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/ipv6_route.h>
#include <linux/route.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
	LINE_MAX_LENGTH = 256,
	TICKS = 100,   /* a second of Linux's USER_HZ */
	METRIC6 = 256, /* Linux: IP6_RT_PRIO_KERN's, of a prefix on the link */
};

struct page {
	struct host *host;
	const struct file *file;
	struct inodes *inodes;
	char *text;
	size_t length;
	int line, from, given;
	unsigned number; /* of the socket, as the first column counts them */
	bool full;
};

struct file {
	const char *name;
	void (*write)(struct page *page);
	const char *head;
	int width; /* lines are filled up to it with blanks */
	int family, type;
	uint8_t protocol; /* of raw sockets: 0, any */
};

/* A line, without its end. */
__attribute__((format(printf, 2, 3))) static void put(struct page *page, const char *format, ...)
{
	char line[LINE_MAX_LENGTH];
	va_list arguments;
	int length;

	if (page->line++ < page->from || page->full)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (page->length + LINE_MAX_LENGTH + 1 > CHANNEL_PAYLOAD_MAX) {
		page->full = true;
		return;
	}
	length = snprintf(page->text + page->length, LINE_MAX_LENGTH + 1, "%-*s\n", page->file->width, line);
	page->length += (size_t)length;
	page->given++;
}

/* In the kernel's own words: 32 bits at a time, in the machine's order. */
static void format_end(char *text, size_t size, const struct berth_endpoint *end, int family)
{
	bool any = ip_is_any(end->ip);
	size_t length = 0;

	for (int at = family == AF_INET ? 12 : 0; at < 16; at += 4) {
		uint32_t word;

		memcpy(&word, end->ip.bytes + at, sizeof(word));
		length += (size_t)snprintf(text + length, size - length, "%08X", any ? 0 : word);
	}
	snprintf(text + length, size - length, ":%04X", end->port);
}

static bool is_wanted(const struct file *file, const struct berth_socket_info *info)
{
	return info->family == file->family && info->type == file->type &&
	       (!file->protocol || info->protocol == file->protocol);
}

/* Linux: get_tcp4_sock(), udp4_format_sock(), raw_sock_seq_show() */
static int put_socket(void *context, const struct berth_socket_info *shown)
{
	struct page *page = context;
	struct berth_socket_info info = *shown;
	bool tcp = page->file->type == SOCK_STREAM;
	char local[48], remote[48];

	struct plug *plug = plug_of_fd(page->host, info.fd);

	if (!is_wanted(page->file, &info) || (plug && ticket_unused(plug)))
		return 0;
	diag_show(page->host, &info);
	/* Linux: TCP's that are no more than bound are in no table that this is read from. */
	if (tcp ? diag_state(&info) == DIAG_CLOSED : !info.local.port && info.type != SOCK_RAW)
		return 0;
	if (info.type == SOCK_RAW)
		info.local.port = info.protocol;
	format_end(local, sizeof(local), &info.local, info.family);
	format_end(remote, sizeof(remote), &info.remote, info.family);
	uint32_t inode = inodes_find(page->inodes, plug_of_fd(page->host, info.fd));
	bool listens = diag_state(&info) == DIAG_LISTEN;

	if (tcp)
		put(page, "%4u: %s %s %02X %08X:%08X %02X:%08X %08X %5u %8d %u %d %016x %u %d %d %u %d", page->number,
		    local, remote, diag_state(&info), listens ? 0 : info.send_queue, info.receive_queue,
		    diag_timer(&info), info.timer_ms * TICKS / 1000, info.timeouts, getuid(), 0, inode, 1, 0,
		    info.rto_us / (1000000 / TICKS), 0, 0, info.cwnd, info.ssthresh ? (int)info.ssthresh : -1);
	else
		put(page, "%5u: %s %s %02X %08X:%08X %02X:%08X %08X %5u %8d %u %d %016x %u", page->number, local,
		    remote, diag_state(&info), info.send_queue, info.receive_queue, 0, 0, 0, getuid(), 0, inode, 2, 0,
		    0);
	page->number++;
	return 0;
}

static void put_sockets(struct page *page)
{
	plugs_sweep(page->host);
	page->inodes = inodes_new(page->host->daemon);
	berth_socket_each(page->host->stack, put_socket, page);
	inodes_free(page->inodes);
}

/* Linux: dev_seq_printf_stats(). Counted on the cable. */
static void put_devices(struct page *page)
{
	static const char line[] = "%6s: %7llu %7llu %4llu %4d %4d %5d %10d %9d %8llu %7llu %4d %4llu %4d %5d %7d %10d";
	static const struct cable_counters none;

	put(page, " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
		  "drop fifo colls carrier compressed");
	LIST_EACH(&page->host->stack->links, node) {
		const struct berth_link *link = LIST_ITEM(node, struct berth_link, node);
		bool cable = link == page->host->host->link;
		const struct cable_counters *in = cable ? &page->host->host->down.cable.counters : &none;
		const struct cable_counters *out = cable ? &page->host->host->up.cable.counters : &none;

		put(page, line, link->name, (unsigned long long)in->bytes_out, (unsigned long long)in->packets_out,
		    0ULL, 0, 0, 0, 0, 0, (unsigned long long)out->bytes_in, (unsigned long long)out->packets_in, 0,
		    0ULL, 0, 0, 0, 0);
	}
}

/* What ip route shows: the prefixes of the network's link. Linux: fib_route_seq_show() */
static void put_routes(struct page *page)
{
	const struct berth_link *link = page->host->host->link;

	LIST_EACH((struct list *)&link->addresses, node) {
		const struct link_address *address = LIST_ITEM(node, struct link_address, node);
		uint32_t mask;

		if (!ip_is4(address->ip) || !address->prefix_length)
			continue;
		mask = 0xffffffffu << (32 - address->prefix_length);
		put(page, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%d\t%08X\t%d\t%u\t%u", link->name,
		    htonl(ip_u32(address->ip) & mask), 0, RTF_UP, 0, 0, 0, htonl(mask), 0, 0, 0);
	}
}

static const char *hex_of(struct berth_ip ip, char text[33])
{
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * (ptrdiff_t)i, 3, "%02x", ip.bytes[i]);
	return text;
}

static struct berth_ip masked(const struct link_address *address)
{
	return ip_mask(address->ip, address->prefix_length);
}

/* Linux: rt6_info_route() */
static void put_routes6(struct page *page)
{
	static const char line[] = "%s %02x %s %02x %s %08x %08x %08x %08x %8s";
	const struct berth_ip zero = { 0 };
	char to[33], none[33];

	hex_of(zero, none);
	LIST_EACH(&page->host->stack->links, node) {
		const struct berth_link *link = LIST_ITEM(node, struct berth_link, node);

		LIST_EACH((struct list *)&link->addresses, inner) {
			const struct link_address *address = LIST_ITEM(inner, struct link_address, node);

			if (ip_is4(address->ip))
				continue;
			if (!link->loopback)
				put(page, line, hex_of(masked(address), to), address->prefix_length, none, 0, none,
				    METRIC6, 1, 0, RTF_UP, link->name);
			put(page, line, hex_of(address->ip, to), 128, none, 0, none, 0, 2, 0, RTF_UP | RTF_LOCAL,
			    link->loopback ? link->name : page->host->stack->loopback->name);
		}
	}
}

/* Linux: if6_seq_show() */
static void put_addresses6(struct page *page)
{
	LIST_EACH(&page->host->stack->links, node) {
		const struct berth_link *link = LIST_ITEM(node, struct berth_link, node);

		LIST_EACH((struct list *)&link->addresses, inner) {
			const struct link_address *address = LIST_ITEM(inner, struct link_address, node);
			unsigned scope = link->loopback ? 0x10 : ip_is_link_local(address->ip) ? 0x20 : 0;
			char ip[33];

			if (!ip_is4(address->ip))
				put(page, "%s %02x %02x %02x %02x %8s", hex_of(address->ip, ip), link->index,
				    address->prefix_length, scope, 0x80 | (address->tentative ? 0x40 : 0), link->name);
		}
	}
}

/* Linux: arp_format_neigh_entry() */
static void put_neighbours(struct page *page)
{
	const struct berth_link *link = page->host->host->link;

	for (size_t i = 0; link->neigh && i < NEIGH_BUCKETS; i++)
		for (const struct neigh *neigh = link->neigh->buckets[i]; neigh; neigh = neigh->next) {
			bool known = neigh->state != NEIGH_INCOMPLETE;
			char ip[BERTH_IP_STRLEN], mac[18];

			if (!ip_is4(neigh->ip))
				continue;
			snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", neigh->mac[0], neigh->mac[1],
				 neigh->mac[2], neigh->mac[3], neigh->mac[4], neigh->mac[5]);
			put(page, "%-16s 0x%-10x0x%-10x%-17s     *        %s", berth_ip_format(neigh->ip, ip),
			    ARPHRD_ETHER, known ? ATF_COM : 0, known ? mac : "00:00:00:00:00:00", link->name);
		}
}

/* Nothing but its head: there are none. */
static void put_none(struct page *page)
{
}

#define COLUMNS "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
#define ENDS4 "local_address rem_address   "
#define ENDS6 "local_address                         remote_address                        "

static const struct file files[] = {
	{ "tcp", put_sockets, "  sl  " ENDS4 COLUMNS, 149, AF_INET, SOCK_STREAM, IPPROTO_TCP },
	{ "tcp6", put_sockets, "  sl  " ENDS6 COLUMNS, 0, AF_INET6, SOCK_STREAM, IPPROTO_TCP },
	{ "udp", put_sockets, "   sl  " ENDS4 COLUMNS " ref pointer drops", 127, AF_INET, SOCK_DGRAM, IPPROTO_UDP },
	{ "udp6", put_sockets, "  sl  " ENDS6 COLUMNS " ref pointer drops", 0, AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
	{ "udplite", put_sockets, "   sl  " ENDS4 COLUMNS " ref pointer drops", 127, AF_INET, SOCK_DGRAM,
	  IPPROTO_UDPLITE },
	{ "udplite6", put_sockets, "  sl  " ENDS6 COLUMNS " ref pointer drops", 0, AF_INET6, SOCK_DGRAM,
	  IPPROTO_UDPLITE },
	{ "raw", put_sockets, "  sl  " ENDS4 COLUMNS " ref pointer drops", 0, AF_INET, SOCK_RAW, 0 },
	{ "raw6", put_sockets, "  sl  " ENDS6 COLUMNS " ref pointer drops", 0, AF_INET6, SOCK_RAW, 0 },
	{ "icmp", put_sockets, "   sl  " ENDS4 COLUMNS " ref pointer drops", 127, AF_INET, SOCK_DGRAM, IPPROTO_ICMP },
	{ "icmp6", put_sockets, "  sl  " ENDS6 COLUMNS " ref pointer drops", 0, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 },
	{ .name = "dev",
	  .write = put_devices,
	  .head = "Inter-|   Receive                                                |  Transmit" },
	{ .name = "route",
	  .write = put_routes,
	  .width = 127,
	  .head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT" },
	{ .name = "ipv6_route", .write = put_routes6 },
	{ .name = "if_inet6", .write = put_addresses6 },
	{ .name = "arp",
	  .write = put_neighbours,
	  .head = "IP address       HW type     Flags       HW address            Mask     Device" },
	{ .name = "packet",
	  .write = put_none,
	  .head = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode" },
};

int32_t procnet_run(struct request *request)
{
	struct page page = { .host = request->host,
			     .text = (char *)request->reply_payload,
			     .from = MAX(request->message->value, 0) };
	size_t length = request->payload_length;

	for (size_t i = 0; i < COUNT_OF(files) && !page.file; i++)
		if (strlen(files[i].name) == length && !memcmp(files[i].name, request->payload, length))
			page.file = &files[i];
	if (!page.file)
		return -ENOENT;
	if (page.file->head)
		put(&page, "%s", page.file->head);
	page.file->write(&page);
	request->reply.payload_length = (uint32_t)page.length;
	request->reply.value = page.full ? page.from + page.given : 0;
	return 0;
}
