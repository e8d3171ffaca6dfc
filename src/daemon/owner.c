/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners of frames: owner.h. Only reads the stacks, in whose midst it is called. */
#include "daemon/owner.h"

#include "base/ip.h"
#include "base/random.h"
#include "core/socket/socket.h"
#include "daemon/state.h"
#include "net/network.h"
#include "wire/ethernet.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REMEMBERED = 1024, BUCKETS = 256, TUPLE_WORDS = 5 };

struct memory {
	uint64_t tuple[TUPLE_WORDS];
	const struct owner *owner;
};

struct owners {
	struct memory memories[REMEMBERED]; /* each where its hash says; the newer one stays */
	struct owner *buckets[BUCKETS];
	uint32_t count;
};

/* A packet's ends, as the host sees them. */
struct ends {
	uint8_t protocol;
	struct berth_endpoint local, remote;
};

struct owners *owners_new(void)
{
	return calloc(1, sizeof(struct owners));
}

void owners_free(struct owners *owners)
{
	for (size_t i = 0; owners && i < BUCKETS; i++) {
		while (owners->buckets[i]) {
			struct owner *owner = owners->buckets[i];

			owners->buckets[i] = owner->next;
			free(owner);
		}
	}
	free(owners);
}

static bool read_ports(struct ends *ends, const uint8_t *bytes, size_t length, bool out)
{
	if ((ends->protocol != IPPROTO_TCP && ends->protocol != IPPROTO_UDP && ends->protocol != IPPROTO_UDPLITE) ||
	    length < 4)
		return false;
	ends->local.port = get_be16(bytes + (out ? 0 : 2));
	ends->remote.port = get_be16(bytes + (out ? 2 : 0));
	return true;
}

static bool read_ends(const struct berth_frame *frame, struct ends *ret_ends)
{
	const uint8_t *bytes = frame->bytes + WIRE_ETHERNET_LENGTH;
	size_t length = frame->length - MIN(frame->length, (size_t)WIRE_ETHERNET_LENGTH);
	bool out = frame->direction == BERTH_OUT;
	struct wire_ethernet ethernet;
	struct wire_ip4 ip4;
	struct wire_ip6 ip6;
	int header;

	if (wire_ethernet_parse(frame->bytes, frame->length, &ethernet) < 0)
		return false;
	*ret_ends = (struct ends){ .protocol = 0 };
	if (ethernet.type == ETHERTYPE_IP4) {
		header = wire_ip4_parse(bytes, length, &ip4);
		if (header < 0 || ip4.offset)
			return false;
		ret_ends->protocol = ip4.protocol;
		ret_ends->local.ip = out ? ip4.source : ip4.destination;
		ret_ends->remote.ip = out ? ip4.destination : ip4.source;
	} else if (ethernet.type == ETHERTYPE_IP6) {
		header = wire_ip6_parse(bytes, length, &ip6);
		if (header < 0)
			return false;
		ret_ends->protocol = ip6.next_header;
		ret_ends->local.ip = out ? ip6.source : ip6.destination;
		ret_ends->remote.ip = out ? ip6.destination : ip6.source;
	} else {
		return false;
	}
	return read_ports(ret_ends, bytes + header, length - (size_t)header, out);
}

static struct memory *memory_of(struct owners *owners, const struct ends *ends, uint64_t tuple[TUPLE_WORDS])
{
	const struct hash_key key = { 0 }; /* the worst that a program can do is to have itself forgotten */

	memcpy(tuple, ends->local.ip.bytes, 16);
	memcpy(tuple + 2, ends->remote.ip.bytes, 16);
	tuple[4] = (uint64_t)ends->protocol << 32 | (uint32_t)ends->local.port << 16 | ends->remote.port;
	return &owners->memories[hash_words(key, tuple, TUPLE_WORDS) % REMEMBERED];
}

/* The process that thread tid is one of; tid itself when it has gone. */
static int32_t process_of(int32_t tid)
{
	char path[40], line[80];
	int32_t pid = tid;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	if (file)
		fclose(file);
	return pid;
}

static struct owner *owner_new(struct owners *owners, const struct plug *plug)
{
	struct owner *owner = owners->count < OWNERS_MAX ? calloc(1, sizeof(*owner)) : NULL;
	int used;

	if (!owner)
		return NULL;
	owner->number = owners->count++;
	owner->tid = plug->pid;
	owner->pid = plug->pid == getpid() ? plug->pid : process_of(plug->pid);
	for (size_t i = 0; i < sizeof(owner->command) - 1 && plug->command[i]; i++)
		owner->command[i] = plug->command[i] >= ' ' && plug->command[i] < 127 ? plug->command[i] : '?';
	used = snprintf(owner->comment, sizeof(owner->comment), "process: %s[%d]", owner->command, owner->pid);
	if (owner->tid != owner->pid)
		snprintf(owner->comment + used, sizeof(owner->comment) - (size_t)used, ", thread %d", owner->tid);
	return owner;
}

static const struct owner *owner_of_plug(struct owners *owners, const struct plug *plug)
{
	struct owner **bucket = &owners->buckets[(uint32_t)plug->pid % BUCKETS], *owner;

	for (owner = *bucket; owner; owner = owner->next)
		if (owner->tid == plug->pid && !strncmp(owner->command, plug->command, sizeof(owner->command) - 1))
			return owner;
	owner = plug->pid ? owner_new(owners, plug) : NULL;
	if (owner) {
		owner->next = *bucket;
		*bucket = owner;
	}
	return owner;
}

/* Who talks to the other end. */
static struct plug *find_talking(struct host *host, const struct ends *ends)
{
	struct demux_node *node = demux_find(host->stack, ends->protocol, &ends->local, &ends->remote);

	return node && node->kind == DEMUX_SOCKET ? plug_of_fd(host, socket_of_demux(node)->fd) : NULL;
}

/* Who waits at that port. */
static struct plug *find_waiting(struct host *host, const struct ends *ends)
{
	struct berth_socket *socket =
		port_find_bound(host->stack, ends->protocol, &ends->local, &ends->remote, host->host->link);

	return socket ? plug_of_fd(host, socket->fd) : NULL;
}

const struct owner *owner_of_frame(struct owners *owners, const struct berth_frame *frame)
{
	struct host *host = frame->host->hooks.context;
	uint64_t tuple[TUPLE_WORDS];
	const struct owner *owner;
	struct memory *memory;
	struct plug *plug;
	struct ends ends;

	if (!host || !host->host || !read_ends(frame, &ends))
		return NULL;
	memory = memory_of(owners, &ends, tuple);
	plug = find_talking(host, &ends);
	if (!plug && memory->owner && !memcmp(memory->tuple, tuple, sizeof(tuple)))
		return memory->owner;
	if (!plug)
		plug = find_waiting(host, &ends);
	owner = plug ? owner_of_plug(owners, plug) : NULL;
	if (owner) {
		memory->owner = owner;
		memcpy(memory->tuple, tuple, sizeof(tuple));
	}
	return owner;
}
