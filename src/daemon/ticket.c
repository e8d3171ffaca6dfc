/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tickets: connections by express that a program's shim may make natively.
 * Who makes one after the other to the same listener is given some at once,
 * each for one socket's number, with its port claimed; they hold for a moment.
 * The acceptor's shim finds them in the table of its host, a memory that only
 * the daemon can write; who has none asks about each, as ever.
 *
 * A socket with a ticket is as any that has an express conversation, whether it
 * has come or not, but for this: the first thing that the daemon is told of it
 * before it is connected makes an unconnected socket of it again.
 */
#include "base/ip.h"
#include "control/shim.h"
#include "daemon/capture.h"
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

#define TABLE_SIZE (SHIM_TABLE_ENTRIES * sizeof(struct shim_entry))

struct tickets {
	int fd;
	struct shim_entry *entries;
};

void tickets_free(struct tickets *table)
{
	if (!table)
		return;
	if (table->entries)
		munmap(table->entries, TABLE_SIZE);
	if (table->fd >= 0)
		close(table->fd);
	free(table);
}

static struct tickets *table_new(void)
{
	struct tickets *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->fd = memfd_create("berth-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (table->fd < 0 || ftruncate(table->fd, (off_t)TABLE_SIZE) < 0) {
		tickets_free(table);
		return NULL;
	}
	table->entries = mmap(NULL, TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, table->fd, 0);
	if (table->entries == MAP_FAILED)
		table->entries = NULL;
	/* From here on nobody writes but by this mapping. */
	if (!table->entries ||
	    fcntl(table->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		tickets_free(table);
		return NULL;
	}
	return table;
}

/* The host's, made when it is first wanted. NULL: it can't be. */
static struct tickets *table_of(struct host *host)
{
	if (!host->table)
		host->table = table_new();
	return host->table;
}

static void table_put(struct host *host, const struct plug *plug, const struct plug *listener)
{
	const struct berth_endpoint *from = &plug->express_local;
	struct shim_entry *entry = &host->table->entries[shim_entry_index(plug->id)];
	struct sockaddr_storage address;
	socklen_t length = address_write(from, ip_is4(from->ip) ? listener->domain : AF_INET6, &address);

	__atomic_store_n(&entry->id, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	entry->listener = listener->id;
	entry->pid = plug->ticket_pid;
	entry->length = (uint16_t)MIN(length, CHANNEL_ADDRESS_MAX);
	memcpy(entry->address, &address, entry->length);
	__atomic_store_n(&entry->id, plug->id, __ATOMIC_RELEASE);
}

static void table_take(const struct plug *plug)
{
	struct plug *listener = plug_find(plug->host->daemon, plug->express_listener);
	struct tickets *table = listener ? listener->host->table : NULL;
	struct shim_entry *entry = table ? &table->entries[shim_entry_index(plug->id)] : NULL;

	if (entry && entry->id == plug->id)
		__atomic_store_n(&entry->id, 0, __ATOMIC_RELEASE);
}

int32_t call_table(struct request *request)
{
	struct plug *plug = request->plug;

	if (plug->role != &role_listener || !plug->host->express || !table_of(plug->host))
		return -EAGAIN;
	request->reply_fd = plug->host->table->fd;
	return 0;
}

bool ticket_holds(const struct plug *plug)
{
	return plug->ticket_pid && plug->host->daemon->loop.now < plug->ticket_until;
}

/* A new plug for the socket with this number, which nobody has told of. Returns 0 or why not. */
static int plug_make(struct request *request, uint64_t id, struct plug **ret_plug)
{
	struct channel_message message = *request->message;
	struct request inner = *request;

	message.id = id;
	message.type = CHANNEL_SOCKET;
	inner.message = &message;
	inner.plug = NULL;
	int r = call_socket(&inner);
	*ret_plug = r ? NULL : plug_find(request->daemon, id);
	return r;
}

/* Returns 0, or what stands in the way of this one: -EBUSY, it is in use. */
static int give(struct request *request, uint64_t id, const struct channel_tickets *wanted, uint64_t listener_id,
		const struct berth_endpoint *remote)
{
	struct plug *plug = plug_find(request->daemon, id);
	int r = 0;

	if (plug && plug->ticket_pid)
		r = ticket_void(plug); /* one whose time is over */
	else if (plug && id != request->message->id)
		return -EBUSY;
	else if (!plug)
		r = plug_make(request, id, &plug);
	/* To make one may end others. */
	struct plug *listener = plug_find(request->daemon, listener_id);
	if (!r && (!listener || plug->role != &role_idle || plug->express))
		r = -ECONNREFUSED;
	if (!r)
		r = express_claim(plug, remote);
	if (r)
		return r;
	plug->express = true;
	plug->express_listener = listener_id;
	plug->ticket_pid = wanted->pid;
	plug->ticket_until = request->daemon->loop.now + (berth_time)SHIM_TICKET_MS * BERTH_MSEC;
	table_put(listener->host, plug, listener);
	return 0;
}

int32_t call_tickets(struct request *request)
{
	const struct channel_message *message = request->message;
	struct channel_tickets wanted;
	struct berth_endpoint remote;
	uint32_t given = 0;

	if (request->payload_length != sizeof(wanted))
		return CALL_NONSENSE;
	memcpy(&wanted, request->payload, sizeof(wanted));
	if (message->kind != SOCK_STREAM || wanted.first != message->id || wanted.count > SHIM_TICKETS_MAX ||
	    wanted.first >> 32 != (wanted.first + wanted.count) >> 32)
		return -EINVAL;
	if (request->plug->host != request->host ||
	    wanted.first >> 32 << 32 != CHANNEL_ID_BASE(request->channel->session))
		return -EAGAIN;
	struct plug *listener = express_listener(request, &remote);
	if (!listener || !wanted.pid ||
	    !listener_room(request->daemon, request->host, (const struct sockaddr *)message->address,
			   message->address_length) ||
	    !table_of(listener->host))
		return -EAGAIN; /* room is 0 where several listen: they take turns */
	uint64_t listener_id = listener->id;
	request->reply.payload_length = express_listener_name(listener, request->reply_payload);
	for (uint32_t i = 0; i < wanted.count; i++) {
		int r = give(request, wanted.first + i, &wanted, listener_id, &remote);
		if (!i && r)
			return -EAGAIN;
		if (r && r != -EBUSY)
			break;
		given++; /* what is in use is marked, and its shim sees that (SHIM_MARK_TOLD) */
	}
	request->reply.value = (int32_t)given;
	return 0;
}

bool ticket_unused(struct plug *plug)
{
	return plug->ticket_pid && !plug_is_alive(plug);
}

int ticket_void(struct plug *plug)
{
	struct berth_stack *stack = plug->host->stack;
	int fd = berth_socket(stack, plug->domain, plug->kind | SOCK_NONBLOCK, plug->protocol), old = plug->fd;

	if (fd < 0)
		return -errno;
	if (plug_take_fd(plug, fd) < 0) {
		berth_abort(stack, fd);
		return -ENOMEM;
	}
	plug->host->by_fd[old] = NULL;
	berth_close(stack, old);
	table_take(plug);
	plug->express = false;
	plug->ticket_pid = 0;
	return 0;
}
