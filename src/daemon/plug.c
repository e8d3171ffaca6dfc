/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plugs: found by id and by the stack's descriptor, and ended when the program
 * has no more use for them. Nobody tells us of a close(): a stream socket's
 * name says whether it is still open (control/name.h), a datagram socket's end
 * of file does.
 */
#include "daemon/journal.h"
#include "daemon/state.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	SWEEP_MINIMUM = 256,
	ENDS_ASKED = 64, /* conversations of a program whose order of calls is looked at */
};

static struct plug **bucket_of(struct daemon *daemon, uint64_t id)
{
	return &daemon->plugs[(id ^ id >> 13) % PLUG_BUCKETS]; /* ids are our own supervisors' */
}

struct plug *plug_find(struct daemon *daemon, uint64_t id)
{
	struct plug *plug = *bucket_of(daemon, id);

	while (plug && plug->id != id)
		plug = plug->next;
	return plug;
}

uint64_t plug_new_id(struct daemon *daemon)
{
	do
		daemon->last_id++;
	while (plug_find(daemon, CHANNEL_ID_ACCEPTED | daemon->last_id));
	return CHANNEL_ID_ACCEPTED | daemon->last_id;
}

static int enter_fd(struct host *host, int fd, struct plug *plug)
{
	size_t room = host->by_fd_room;

	if (fd < 0)
		return 0;
	while ((size_t)fd >= room)
		room = room ? room * 2 : 64;
	if (room > host->by_fd_room) {
		struct plug **grown = realloc(host->by_fd, room * sizeof(struct plug *));
		if (!grown)
			return -ENOMEM;
		memset(grown + host->by_fd_room, 0, (room - host->by_fd_room) * sizeof(struct plug *));
		host->by_fd = grown;
		host->by_fd_room = room;
	}
	host->by_fd[fd] = plug;
	return 0;
}

struct plug *plug_of_fd(struct host *host, int fd)
{
	return fd >= 0 && (size_t)fd < host->by_fd_room ? host->by_fd[fd] : NULL;
}

static void end_ready(struct loop_watch *watch, uint32_t events)
{
	struct plug *plug = CONTAINER_OF(watch, struct plug, watch);

	host_touch(plug->host);
	plug->role->end_ready(plug, events);
}

struct plug *plug_new(struct host *host, uint64_t id, const struct plug_role *role, int fd)
{
	struct plug *plug = calloc(1, sizeof(*plug));

	if (!plug || enter_fd(host, fd, plug) < 0) {
		free(plug);
		if (fd >= 0)
			berth_abort(host->stack, fd);
		return NULL;
	}
	plug->id = id;
	plug->host = host;
	plug->role = role;
	plug->fd = fd;
	plug->end = plug->watch.fd = -1;
	plug->watch.ready = end_ready;
	list_init(&plug->work);
	list_init(&plug->listening);
	list_append(&host->plugs, &plug->node);
	struct plug **bucket = bucket_of(host->daemon, id);
	plug->next = *bucket;
	*bucket = plug;
	return plug;
}

int plug_take_fd(struct plug *plug, int fd)
{
	int r = enter_fd(plug->host, fd, plug);

	if (!r)
		plug->fd = fd;
	return r;
}

static void leave_bucket(struct plug *plug)
{
	struct plug **slot = bucket_of(plug->host->daemon, plug->id);

	while (*slot != plug)
		slot = &(*slot)->next;
	*slot = plug->next;
}

void plug_rename(struct plug *plug, uint64_t id)
{
	struct plug **bucket = bucket_of(plug->host->daemon, id);

	leave_bucket(plug);
	plug->id = id;
	plug->next = *bucket;
	*bucket = plug;
}

static void unlink_plug(struct plug *plug)
{
	leave_bucket(plug);
	list_remove(&plug->node);
	list_remove(&plug->work);
	list_remove(&plug->listening);
}

/* Of a stream's end there is no duplicate; a datagram socket's may still be in its supervisor's hands. */
static void close_end(struct plug *plug)
{
	struct loop *loop = &plug->host->daemon->loop;

	if (plug->watch.fd >= 0 && plug->kind == SOCK_STREAM) {
		loop_close(loop, &plug->watch);
		return;
	}
	loop_remove(loop, &plug->watch);
	if (plug->end >= 0)
		close(plug->end);
}

static void plug_end(struct plug *plug, bool abort)
{
	struct host *host = plug->host;
	struct plug *waiting = plug->waiting;

	if (!plug->ticket_pid) /* that it was connected, if it was, nobody has told */
		journal_plug(plug, abort ? "aborted" : "closed", 0);
	if (plug->waits_at)
		plug->waits_at->waiting = NULL;
	if (plug->role->ended)
		plug->role->ended(plug);
	if (plug->kind == SOCK_DGRAM && host->daemon->outbound_flows)
		outbound_program_ended(plug);
	unlink_plug(plug);
	loop_timer_cancel(&host->daemon->loop, &plug->timer);
	close_end(plug);
	if (plug->fd >= 0) {
		host->by_fd[plug->fd] = NULL;
		if (abort)
			berth_abort(host->stack, plug->fd);
		else
			berth_close(host->stack, plug->fd);
	}
	held_free(&plug->to_core);
	held_free(&plug->to_program);
	tags_free(plug->tags);
	free(plug);
	if (waiting) {
		waiting->waits_at = NULL;
		plug_abort(waiting);
	}
}

void plug_free(struct plug *plug)
{
	if (plug)
		plug_end(plug, false);
}

void plug_abort(struct plug *plug)
{
	if (plug)
		plug_end(plug, true);
}

socklen_t plug_name(const struct plug *plug, struct sockaddr_un *ret_address)
{
	struct name name = { .kind = NAME_SOCKET,
			     .id = plug->id,
			     .domain = plug->domain,
			     .type = plug->kind,
			     .protocol = plug->protocol };

	return name_write(plug->host->daemon->key, &name, ret_address);
}

bool plug_is_alive(struct plug *plug)
{
	struct sockaddr_un address;

	if (plug->raises)
		return datagram_is_open(plug);
	/* With an end of ours, that end says it; accepted sockets have no name of their own. */
	if (plug->end >= 0 || plug->id & CHANNEL_ID_ACCEPTED || plug->kind != SOCK_STREAM)
		return true;
	socklen_t length = plug_name(plug, &address);
	return name_is_alive(&plug->host->daemon->probe, &address, length);
}

void plugs_sweep(struct host *host)
{
	LIST_EACH_SAFE(&host->plugs, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);
		if (ticket_holds(plug) || plug_is_alive(plug))
			continue;
		bool alone = !plug->waiting;
		plug_free(plug);
		if (!alone)
			node_next = host->plugs.next; /* what went along may have been the next */
	}
}

/* Ids of the conversations of a program that it has closed. Returns how many. */
static size_t closed_ends(struct host *host, uint64_t session, uint64_t ids[ENDS_ASKED])
{
	struct pollfd ends[ENDS_ASKED];
	size_t count = 0, closed = 0;

	LIST_EACH(&host->plugs, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);

		/* One that waits at its listener is not connected yet, which poll() calls hung up, too. */
		if (plug->session != session || plug->role != &role_stream || plug->end < 0 || plug->end_hung_up ||
		    plug->waits_at)
			continue;
		if (count == ENDS_ASKED)
			return 0;
		ends[count] = (struct pollfd){ .fd = plug->end };
		ids[count++] = plug->id;
	}
	if (poll(ends, count, 0) <= 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (ends[i].revents & (POLLHUP | POLLERR))
			ids[closed++] = ids[i];
	return closed;
}

void plugs_hear_closed(struct host *host, uint64_t session)
{
	struct daemon *daemon = host->daemon;
	uint64_t ids[ENDS_ASKED];

	if (daemon->hearing)
		return;
	daemon->hearing = true;
	stream_accept_all(daemon);
	size_t count = closed_ends(host, session, ids);
	/* Ids, not plugs: the end of one may be that of another. */
	for (size_t i = 0; i < count; i++) {
		struct plug *plug = plug_find(daemon, ids[i]);

		/* EPOLLPRI: what comes next may be urgent, for all that is known. */
		if (plug && plug->end >= 0)
			plug->role->end_ready(plug, EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP);
	}
	daemon->hearing = false;
}

bool plug_hear_closed(struct plug *plug)
{
	struct daemon *daemon = plug->host->daemon;
	struct pollfd end = { .fd = plug->end };
	uint64_t id = plug->id;

	if (plug->kind == SOCK_STREAM || plug->end < 0 || plug->raises)
		return false;
	/* What it has sent goes out first, so many at a time; its queue is no longer than this. */
	for (int i = 0; i < ENDS_ASKED && poll(&end, 1, 0) == 1 && end.revents & POLLHUP; i++) {
		plug->role->end_ready(plug, EPOLLIN | EPOLLRDHUP | EPOLLHUP);
		if (plug_find(daemon, id) != plug)
			return true;
	}
	return false;
}

/*
 * A program's stream socket: what the kernel gives each is enough for most, and urgent bytes are rare. The end gets
 * more room when it is full, and is told to keep urgent bytes in their place before the first can be read: stream.c
 */
void plug_tune_end(struct plug *plug, int end)
{
	struct daemon *daemon = plug->host->daemon;
	int one = 1, size = plug->receive_buffer ? plug->receive_buffer : daemon->send_buffer;

	if (plug->kind == SOCK_STREAM && plug->real)
		setsockopt(end, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	if (plug->real || (plug->kind == SOCK_STREAM && !plug->receive_buffer))
		return;
	if (plug->kind != SOCK_STREAM) /* so that an empty datagram is not taken for the end, which has no time */
		setsockopt(end, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one));
	setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	plug->end_grown = true;
}

int plug_take_end(struct plug *plug, int end, uint32_t events)
{
	int r = loop_add(&plug->host->daemon->loop, &plug->watch, end, events);

	if (r < 0)
		return r;
	plug_tune_end(plug, end);
	plug->end = end;
	return 0;
}

int plug_take_error(struct plug *plug)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (plug->fd < 0 || berth_getsockopt(plug->host->stack, plug->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return 0;
	return error;
}
