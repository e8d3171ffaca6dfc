/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the journal: journal.h. A ring of entries that grows to its limit
 * when it is needed; then the oldest give way.
 */
#include "daemon/journal.h"

#include "daemon/followers.h"
#include "daemon/state.h"
#include "os/clock.h"
#include "wire/show.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RING_FIRST = 128,
	RING_LIMIT = 8192,
	OFTEN_PER_SECOND = 2000, /* of what packets cause, before it is only counted */
};

int journal_open(struct daemon *daemon)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	list_init(&journal->followers);
	daemon->journal = journal;
	return 0;
}

void journal_close(struct daemon *daemon)
{
	if (daemon->journal)
		free(daemon->journal->ring);
	free(daemon->journal);
	daemon->journal = NULL;
}

/* Entries lie at number modulo room, so a ring that has wrapped is put straight when it grows. */
static bool grow(struct journal *journal)
{
	size_t room = journal->room ? journal->room * 2 : RING_FIRST;
	struct journal_entry *ring = room <= RING_LIMIT ? malloc(room * sizeof(*ring)) : NULL;

	if (!ring)
		return journal->room; /* the oldest gives way */
	for (uint64_t number = journal->first; number < journal->next; number++)
		ring[number % room] = journal->ring[number % journal->room];
	free(journal->ring);
	journal->ring = ring;
	journal->room = room;
	return true;
}

const struct journal_entry *journal_at(const struct journal *journal, uint64_t number)
{
	return number >= journal->first && number < journal->next ? &journal->ring[number % journal->room] : NULL;
}

static void put(struct daemon *daemon, const struct journal_entry *entry)
{
	struct journal *journal = daemon->journal;
	struct journal_entry *slot;

	if (!journal->next)
		journal->first = journal->next = 1;
	if (journal->next - journal->first >= journal->room && !grow(journal))
		return; /* no memory at all */
	if (journal->next - journal->first >= journal->room)
		journal->first++;
	slot = &journal->ring[journal->next % journal->room];
	*slot = *entry;
	slot->number = journal->next++;
	slot->wall = clock_wall_ns();
	followers_wake(daemon);
}

/* A flood of packets must not push out everything else, nor cost more than the packets themselves. */
static bool too_often(struct daemon *daemon, enum journal_kind kind)
{
	struct journal *journal = daemon->journal;
	int64_t second = daemon->loop.now / BERTH_SEC;

	if (kind != JOURNAL_DROP && kind != JOURNAL_EVENT && kind != JOURNAL_PACKET)
		return false;
	if (second != journal->second) {
		struct journal_entry rest = { .kind = JOURNAL_EVENT, .what = "MORE" };

		snprintf(rest.text, sizeof(rest.text), "%u more drops, events and packets in that second",
			 journal->often - OFTEN_PER_SECOND);
		if (journal->often > OFTEN_PER_SECOND)
			put(daemon, &rest);
		journal->second = second;
		journal->often = 0;
	}
	return journal->often++ >= OFTEN_PER_SECOND;
}

void journal_add(struct daemon *daemon, const struct journal_entry *entry)
{
	if (daemon->journal && !too_often(daemon, entry->kind))
		put(daemon, entry);
}

static void name_host(struct journal_entry *entry, const struct host *host)
{
	snprintf(entry->host, sizeof(entry->host), "%s", berth_host_name(host->host));
}

void journal_note(struct host *host, enum journal_kind kind, const char *what, const char *format, ...)
{
	struct journal_entry entry = { .kind = kind, .what = what, .pid = host->pid };
	va_list arguments;

	name_host(&entry, host);
	va_start(arguments, format);
	vsnprintf(entry.text, sizeof(entry.text), format, arguments);
	va_end(arguments);
	journal_add(host->daemon, &entry);
}

static const char *call_name(uint32_t type)
{
	switch (type) {
	case CHANNEL_SOCKET:
		return "socket";
	case CHANNEL_BIND:
		return "bind";
	case CHANNEL_LISTEN:
		return "listen";
	case CHANNEL_CONNECT:
		return "connect";
	case CHANNEL_SETSOCKOPT:
		return "setsockopt";
	case CHANNEL_SHUTDOWN:
		return "shutdown";
	default:
		return NULL; /* questions, and what is no call of the program's */
	}
}

/* "SO_REUSEADDR 1", "level 41 option 99" */
static void describe_option(struct journal_entry *entry, const struct request *request)
{
	const char *name = journal_option_name(request->message->level, request->message->option);
	size_t used;
	int value;

	used = (size_t)(name ? snprintf(entry->text, sizeof(entry->text), "%s", name)
			     : snprintf(entry->text, sizeof(entry->text), "level %d option %d", request->message->level,
					request->message->option));
	if (request->payload_length != sizeof(value))
		return;
	memcpy(&value, request->payload, sizeof(value));
	snprintf(entry->text + used, sizeof(entry->text) - used, " %d", value);
}

static void describe_call(struct journal_entry *entry, const struct request *request)
{
	const struct channel_message *message = request->message;
	static const char *const ways[] = { "SHUT_RD", "SHUT_WR", "SHUT_RDWR" };

	if (message->type == CHANNEL_SOCKET)
		snprintf(entry->text, sizeof(entry->text), "%s",
			 message->domain == AF_NETLINK	     ? "netlink"
			 : message->kind == SOCK_STREAM	     ? "stream"
			 : message->protocol == IPPROTO_ICMP ? "echo"
			 : message->kind == SOCK_RAW	     ? "raw"
							     : "datagram");
	else if (message->type == CHANNEL_LISTEN)
		snprintf(entry->text, sizeof(entry->text), "backlog %d", message->value);
	else if (message->type == CHANNEL_SETSOCKOPT)
		describe_option(entry, request);
	else if (message->type == CHANNEL_SHUTDOWN && message->value >= 0 && message->value < 3)
		snprintf(entry->text, sizeof(entry->text), "%s", ways[message->value]);
}

static void local_name(const struct plug *plug, struct berth_endpoint *ret_local)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (plug->express)
		*ret_local = plug->express_local;
	else if (plug->fd >= 0 && !berth_getsockname(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length))
		address_read((struct sockaddr *)&address, length, ret_local);
}

static void remote_name(const struct plug *plug, struct berth_endpoint *ret_remote)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (plug->express)
		*ret_remote = plug->express_remote;
	else if (plug->fd >= 0 && !berth_getpeername(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length))
		address_read((struct sockaddr *)&address, length, ret_remote);
}

/* Who did it, and with which socket. */
static void name_plug(struct journal_entry *entry, const struct plug *plug)
{
	memcpy(entry->command, plug->command, sizeof(entry->command));
	entry->protocol = (uint8_t)plug->protocol;
	if (!entry->pid)
		entry->pid = plug->pid;
	local_name(plug, &entry->local);
}

void journal_call(const struct request *request, int32_t result)
{
	const struct channel_message *message = request->message;
	struct journal_entry entry = { .kind = JOURNAL_CALL, .what = call_name(message->type), .pid = message->pid };
	struct plug *plug = plug_find(request->daemon, message->id); /* socket(): it is new */
	const struct sockaddr *address = (const struct sockaddr *)message->address;

	if (!entry.what || !request->host || (plug && plug->role == &role_netlink))
		return;
	if (message->type == CHANNEL_CONNECT && result == CALL_ANSWERED)
		return; /* journal_plug() tells how it came out */
	name_host(&entry, request->host);
	entry.result = result == CALL_ANSWERED ? 0 : result;
	if (plug)
		name_plug(&entry, plug);
	if (message->type == CHANNEL_BIND)
		address_read(address, message->address_length, &entry.local);
	if (message->type == CHANNEL_CONNECT)
		address_read(address, message->address_length, &entry.remote);
	describe_call(&entry, request);
	journal_add(request->daemon, &entry);
}

void journal_plug(const struct plug *plug, const char *what, int32_t result)
{
	struct journal_entry entry = { .kind = JOURNAL_CALL, .what = what, .result = result };

	if (plug->host->gateway || plug->role == &role_netlink)
		return;
	name_host(&entry, plug->host);
	name_plug(&entry, plug);
	remote_name(plug, &entry.remote);
	journal_add(plug->host->daemon, &entry);
}

/* Ordinary life, which packets and calls tell of better, or which is too much. */
static bool is_routine(unsigned event)
{
	switch (event) {
	case BERTH_EVENT_LINK_IN:
	case BERTH_EVENT_LINK_OUT:
	case BERTH_EVENT_LINK_DROP_NOT_FOR_US:
	case BERTH_EVENT_ARP_REPLY_SENT:
	case BERTH_EVENT_IP_FORWARDED:
	case BERTH_EVENT_IP_FRAGMENTED:
	case BERTH_EVENT_IP_REASSEMBLED:
	case BERTH_EVENT_GROUP_REPORT_SENT:
	case BERTH_EVENT_ICMP_ECHO_ANSWERED:
	case BERTH_EVENT_TCP_ACTIVE_OPEN:
	case BERTH_EVENT_TCP_PASSIVE_OPEN:
		return true;
	default:
		return false;
	}
}

void journal_hook(void *context, const struct berth_event_info *about)
{
	struct host *host = context;
	const char *name = berth_event_name(about->event);
	struct journal_entry entry = {
		.kind = about->state		 ? JOURNAL_STATE
			: strstr(name, "_DROP_") ? JOURNAL_DROP
						 : JOURNAL_EVENT,
		.what = name,
		.state = about->state,
		.before = about->before,
		.protocol = about->protocol,
		.local = about->local,
		.remote = about->remote,
	};

	if (is_routine(about->event) || !host->host) /* a host that is being made has no name yet */
		return;
	name_host(&entry, host);
	if (!about->state)
		snprintf(entry.text, sizeof(entry.text), "%s", berth_event_text(about->event));
	journal_add(host->daemon, &entry);
}

void journal_frame(struct daemon *daemon, const struct berth_frame *frame)
{
	struct journal_entry entry = { .kind = frame->dropped ? JOURNAL_DROP : JOURNAL_PACKET, .what = frame->dropped };
	size_t used = 0;

	if (!entry.what)
		entry.what = frame->direction == BERTH_OUT ? "out" : "in";
	snprintf(entry.host, sizeof(entry.host), "%s", berth_host_name(frame->host));
	if (frame->dropped && frame->from)
		used = (size_t)snprintf(entry.text, sizeof(entry.text), "from %s: ", berth_host_name(frame->from));
	wire_show(frame->bytes, frame->length, BERTH_LINK_ETHERNET, entry.text + used, sizeof(entry.text) - used);
	journal_add(daemon, &entry);
}
