/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening: what the stack accepts is carried to the program's own listener by
 * a Unix socket of ours whose name says who is calling. The program's backlog
 * is the Unix listener's; when that is full, one connection waits here and the
 * rest in the stack's accept queue, where the stack's limit holds.
 *
 * A listener that no process has open any more is found out when somebody
 * calls: the stack asks before it answers a SYN.
 */
#include "base/ip.h"
#include "daemon/journal.h"
#include "daemon/state.h"

#include <errno.h>
#include <unistd.h>

enum { RETRY_MS = 5, REFUSALS_MAX = 200, ROOM_MAX = 128 };

/* The admit hook; context is the host. Nothing may be ended from in here. */
int listener_admit(void *context, int fd)
{
	struct plug *plug = plug_of_fd(context, fd);

	if (!plug || plug->role != &role_listener || plug->gone || plug_is_alive(plug))
		return plug && plug->gone ? -ECONNREFUSED : 0;
	plug->gone = true;
	plug_work(plug);
	return -ECONNREFUSED;
}

/* Connect child's end to its listener. Returns 0, -EAGAIN (backlog full), or why never. */
static int offer(struct plug *listener, struct plug *child)
{
	struct sockaddr_un address;
	socklen_t length = plug_name(listener, &address);

	if (connect(child->end, (struct sockaddr *)&address, length) == 0)
		return 0;
	return -errno;
}

static void retry(struct berth_timer *timer)
{
	plug_work(CONTAINER_OF(timer, struct plug, timer));
}

/* An end of ours whose name says who is calling. Returns it or a negative errno. */
static int open_end(struct plug *child, const struct sockaddr_storage *peer, socklen_t peer_length)
{
	struct name name = { .kind = NAME_ACCEPTED, .id = child->id, .family = peer->ss_family };
	struct berth_endpoint endpoint = { .port = 0 };
	struct sockaddr_un address;
	int end;

	address_read((const struct sockaddr *)peer, peer_length, &endpoint);
	name.port = endpoint.port;
	name.ip = endpoint.ip;
	end = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (end < 0)
		return -errno;
	socklen_t length = name_write(child->host->daemon->key, &name, &address);
	if (bind(end, (struct sockaddr *)&address, length) < 0) {
		int error = errno;
		close(end);
		return -error;
	}
	return end;
}

static struct plug *accept_one(struct plug *listener)
{
	struct host *host = listener->host;
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int fd = berth_accept(host->stack, listener->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK);

	if (fd < 0)
		return NULL;
	bool outside = outside_show_address(host->daemon, IPPROTO_TCP, listener->domain, &peer, &length);
	struct plug *child = plug_new(host, plug_new_id(host->daemon), &role_stream, fd);
	if (!child)
		return NULL;
	child->domain = listener->domain;
	child->kind = listener->kind;
	child->protocol = listener->protocol;
	child->session = listener->session;
	if (outside)
		address_read((struct sockaddr *)&peer, length, &child->shown);
	child->pid = listener->pid;
	memcpy(child->command, listener->command, sizeof(child->command));
	child->receive_buffer = listener->receive_buffer; /* Linux: is inherited */
	child->low_water = listener->low_water;
	child->established = true;
	child->end = open_end(child, &peer, length);
	if (child->end >= 0)
		plug_tune_end(child, child->end);
	return child;
}

/* Bring child to the program. Returns false when it has to wait. */
static bool deliver(struct plug *listener, struct plug *child)
{
	struct daemon *daemon = listener->host->daemon;
	int r = child->end < 0 ? -EMFILE : offer(listener, child);

	/* Refused, though the program's socket is there: its own listen() comes only after our yes to it. */
	if (r == -ECONNREFUSED && listener->refusals < REFUSALS_MAX && plug_is_alive(listener)) {
		listener->refusals++;
		r = -EAGAIN;
	} else if (!r) {
		listener->refusals = REFUSALS_MAX;
	}
	if (r == -EAGAIN) {
		listener->waiting = child;
		child->waits_at = listener;
		listener->timer.run = retry;
		loop_timer_set(&daemon->loop, &listener->timer, daemon->loop.now + RETRY_MS * BERTH_MSEC);
		return false;
	}
	listener->waiting = child->waits_at = NULL;
	if (!r)
		r = loop_add(&daemon->loop, &child->watch, child->end, STREAM_READABLE);
	child->end_drained = true; /* until the loop says */
	journal_plug(child, "accept", r);
	if (r == -EMFILE)
		spare_tell(child->host, "a connection is reset");
	if (!r)
		stream_begin(child);
	else
		plug_abort(child);
	if (r == -ECONNREFUSED)
		listener->gone = true;
	return true;
}

bool listener_hears(struct plug *plug, const struct berth_endpoint *wanted)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct berth_endpoint local;

	if (plug->role != &role_listener || plug->gone ||
	    berth_getsockname(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length) < 0 ||
	    !address_read((struct sockaddr *)&address, length, &local) || local.port != wanted->port)
		return false;
	if (!ip_is_any(local.ip))
		return ip_equal(local.ip, wanted->ip);
	return ip_is6(wanted->ip) == (plug->domain == AF_INET6) || plug->domain == AF_INET6;
}

int listener_room(struct daemon *daemon, struct host *from, const struct sockaddr *address, socklen_t length)
{
	struct berth_endpoint to;
	int room = ROOM_MAX;
	bool found = false;

	if (!address_read(address, length, &to))
		return 0;
	struct host *host = ip_is_loopback(to.ip) ? from : host_of_ip(daemon, to.ip);
	if (!host)
		return 0;
	/* Whichever of them takes the next: the least. What others may add meanwhile has the other three quarters. */
	LIST_EACH(&host->listeners, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, listening);
		if (!listener_hears(plug, &to))
			continue;
		if (found && host->express)
			return 0; /* they take turns */
		found = true;
		room = plug->waiting ? 0 : MIN(room, plug->backlog / 4);
	}
	return found ? room : 0;
}

static void listener_core_ready(struct plug *plug)
{
	struct plug *child;

	if (plug->waiting && !plug->gone && !deliver(plug, plug->waiting))
		return;
	while (!plug->gone && (child = accept_one(plug)))
		if (!deliver(plug, child))
			return;
	if (plug->gone)
		plug_free(plug);
}

static void listener_end_ready(struct plug *plug, uint32_t events)
{
}

const struct plug_role role_listener = { "listener", listener_core_ready, listener_end_ready, NULL };
