/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a TCP connection gets its two sides, which are stream.c's business from
 * then on: connect() of the stack's socket, and the program's Unix socket that
 * its supervisor brings to our listener.
 */
#include "daemon/journal.h"
#include "daemon/state.h"
#include "os/process.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static void connect_begun(struct request *request)
{
	struct plug *plug = request->plug;

	plug->role = &role_stream;
	plug->connecting = true;
	plug->error = 0;
}

int32_t stream_connect(struct request *request, const struct sockaddr *address, socklen_t length)
{
	struct plug *plug = request->plug;

	if (plug->role == &role_stream)
		return plug->connecting ? -EALREADY : -EISCONN;
	bool wire = request->message->flags & CHANNEL_WIRE;
	int r = wire ? -EAGAIN : express_connect(request, address, length);
	plug->express = plug->express && !wire;
	if (r != -EAGAIN)
		return r;
	if (request->message->flags & CHANNEL_FASTOPEN &&
	    berth_setsockopt(plug->host->stack, plug->fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, sizeof(int)) <
		    0)
		return -errno;
	if (!berth_connect(plug->host->stack, plug->fd, address, length)) {
		connect_begun(request);
		plug->connecting = false;
		plug->established = true;
		return 0;
	}
	if (errno != EINPROGRESS)
		return -errno;
	connect_begun(request);
	daemon_settle(request->daemon); /* most connects are answered within the memory of this process */
	stream_connected(plug);
	if (plug->connecting) {
		plug->connect_channel = request->channel;
		plug->connect_tag = request->message->tag;
		plug->connect_told_later = true;
		return -EINPROGRESS;
	}
	r = -plug->error;
	if (r)
		plug->error = 0; /* told here and now, so SO_ERROR has nothing to say */
	return r;
}

void stream_refusal_over(struct plug *plug)
{
	if (plug->refusing) {
		loop_timer_cancel(&plug->host->daemon->loop, &plug->timer);
		stream_drop_end(plug);
	}
	plug->refused = plug->refusing = false;
}

static void refusal_timeout(struct berth_timer *timer)
{
	stream_refusal_over(CONTAINER_OF(timer, struct plug, timer));
}

/* As stream_fail() has it: a byte that is left unread makes a reset of the end of file. */
void stream_refuse_end(struct plug *plug, int end)
{
	struct channel *channel = channel_of(plug->host, plug->session);
	struct channel_message message = { .type = CHANNEL_RESET, .id = plug->id };
	struct loop *loop = &plug->host->daemon->loop;

	plug->end = end;
	plug->refused = false;
	plug->refusing = true;
	plug->timer.run = refusal_timeout;
	loop_timer_set(loop, &plug->timer, loop->now + STREAM_RESET_WAIT_MS * BERTH_MSEC);
	if (channel)
		channel_send(channel, &message, NULL, 0);
}

void stream_connect_quietly(struct plug *plug, int32_t result)
{
	plug->connect_channel = NULL;
	if (result == -EINPROGRESS)
		return;
	plug->error = -result;
	plug->refused = true;
}

bool stream_is_over(struct request *request)
{
	struct tcp_info info = { 0 };

	plugs_hear_closed(request->host, request->channel->session);
	daemon_settle(request->daemon);
	struct plug *plug = request->plug = plug_find(request->daemon, request->message->id);
	if (plug && (berth_getsockopt(plug->host->stack, plug->fd, IPPROTO_TCP, TCP_INFO, &info,
				      &(socklen_t){ sizeof(info) }) < 0 ||
		     info.tcpi_state != TCP_CLOSE))
		return false;
	if (plug)
		plug->role->core_ready(plug);
	request->plug = NULL;
	return true;
}

/*
 * Only a supervisor connects sockets to us. A program can learn our name from
 * /proc/net/unix, and could get one of its host's sockets connected by swapping
 * descriptors while the kernel looks. Asked once for each supervisor, which
 * outlives its host's sockets.
 */
static bool carried_by_supervisor(struct host *host, int end)
{
	pid_t pid = process_peer_pid(end);

	if (pid && pid != host->carrier && !spare_is_run(host->daemon, pid))
		host->carrier = pid;
	return pid && pid == host->carrier;
}

/* Whose socket is this that came to ".d"? *ret_id: whose it says it is, or 0. NULL: nobody's that may. */
static struct plug *plug_of_end(struct daemon *daemon, int end, uint64_t *ret_id)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	struct name name;

	*ret_id = 0;
	if (getpeername(end, (struct sockaddr *)&address, &length) < 0 ||
	    name_read(daemon->key, &address, length, &name) < 0 || name.kind != NAME_SOCKET)
		return NULL;
	struct plug *plug = plug_find(daemon, name.id);
	*ret_id = name.id;
	bool comes = plug && (plug->role == &role_stream || plug->refused) && plug->end < 0;
	return comes && carried_by_supervisor(plug->host, end) ? plug : NULL;
}

/* No descriptor is left for a program's end: its connection is reset, both ways. */
static void refuse(struct daemon *daemon, struct plug *plug, int end)
{
	if (plug) {
		journal_plug(plug, "attach", -EMFILE);
		spare_tell(plug->host, "a connection is reset");
		plug_abort(plug);
	}
	spare_refused(daemon, end);
}

/* Returns false when nobody is waiting. */
static bool accept_end(struct daemon *daemon)
{
	bool short_of;
	int end = spare_accept(daemon, daemon->stream_listener.fd, NULL, NULL, &short_of);

	if (end < 0)
		return false;
	uint64_t id;
	struct plug *plug = plug_of_end(daemon, end, &id);
	if (short_of) {
		refuse(daemon, plug, end);
		return true;
	}
	/*
	 * CHANNEL_ATTACH, or a quiet CHANNEL_CONNECT, was sent before the program's socket was connected, but comes by
	 * another socket: hear it now, or the filler would pass for data, and the socket for nobody's.
	 */
	if (plug ? plug->connect_told_later : id != 0) {
		channels_hear(daemon, id);
		plug = plug_of_end(daemon, end, &id);
	}
	if (plug && plug->refused) {
		stream_refuse_end(plug, end);
		return true;
	}
	/* What is not established is not read: the loop would say for ever that it can be. */
	if (!plug || plug_take_end(plug, end, plug->established ? STREAM_READABLE : 0) < 0) {
		close(end);
		return true;
	}
	plug->end_drained = plug->established;
	stream_begin(plug);
	return true;
}

void stream_accept_all(struct daemon *daemon)
{
	while (accept_end(daemon))
		;
}

/* One a turn: mostly there is one, and the loop says when there are more. */
void stream_accept(struct loop_watch *watch, uint32_t events)
{
	accept_end(CONTAINER_OF(watch, struct daemon, stream_listener));
}
