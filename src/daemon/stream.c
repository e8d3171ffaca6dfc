/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP: bytes between a program's Unix socket (the end) and the stack's socket
 * (the core). Each side is read only as fast as the other takes it; what a
 * side took in part is held, and nothing more is read for it meanwhile.
 *
 * FIN in either direction is a SHUT_WR in the other. A peer's FIN does not
 * close the program's writing: what it writes is swallowed by the stack until
 * the peer's RST says otherwise, as on TCP. A Unix socket has no RST; closing
 * it with unread bytes in it gives the other side ECONNRESET, so a reset that
 * finds no such bytes has the supervisor send one (CHANNEL_RESET).
 *
 * Urgent data goes byte by byte: each end is read up to its mark, and the byte
 * there is written to the other as urgent.
 *
 * The end may also be a real TCP connection (plug->real): publish.c.
 */
#include "daemon/journal.h"
#include "daemon/state.h"
#include "os/process.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	PUMP_ROUNDS = 16, /* scratches moved before others get their turn */
	RESET_WAIT_MS = 500,
	FILLER_MAX = 1 << 20,
};

static void idle_core_ready(struct plug *plug)
{
	if (plug->gone)
		plug_free(plug);
}

static void idle_end_ready(struct plug *plug, uint32_t events)
{
	plug_free(plug);
}

const struct plug_role role_idle = { "idle", idle_core_ready, idle_end_ready, NULL };

void held_free(struct held *held)
{
	free(held->bytes);
	*held = (struct held){ 0 };
}

/* Keep a copy of what was not taken. Returns false without memory. */
static bool held_put(struct held *held, const uint8_t *bytes, size_t length)
{
	held->bytes = malloc(length);
	if (!held->bytes)
		return false;
	memcpy(held->bytes, bytes, length);
	held->from = 0;
	held->length = length;
	return true;
}

static void held_took(struct held *held, size_t length)
{
	held->from += length;
	held->length -= length;
	if (!held->length)
		held_free(held);
}

static void answer_connect(struct plug *plug, int result)
{
	struct channel_message message = {
		.type = CHANNEL_CONNECTED, .tag = plug->connect_tag, .id = plug->id, .result = result
	};

	journal_plug(plug, "connect", result);
	if (plug->connect_channel)
		channel_send(plug->connect_channel, &message, NULL, 0);
	plug->connect_channel = NULL;
}

/* The real end of a published connection: close() has to be a RST. */
static void end_reset_real(struct plug *plug)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(plug->end, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void reset_timeout(struct berth_timer *timer)
{
	plug_abort(CONTAINER_OF(timer, struct plug, timer));
}

void stream_reset_answered(struct plug *plug)
{
	if (plug->resetting)
		plug_abort(plug);
}

/* Has the program closed its end? We may not have been told yet. */
static bool end_is_gone(struct plug *plug)
{
	struct pollfd poll_end = { .fd = plug->end };

	return plug->end_hung_up || (poll(&poll_end, 1, 0) == 1 && poll_end.revents & (POLLHUP | POLLERR));
}

/* Both directions gone at the program's side, and not just its writing shut? */
static bool end_is_closed(struct plug *plug)
{
	return plug->core_ended || end_is_gone(plug);
}

/* The conversation ended with error. Tell the program in the way that it can see, and end plug. */
static void stream_fail(struct plug *plug, int error)
{
	struct channel *channel = channel_of(plug->host, plug->session);
	struct channel_message message = { .type = CHANNEL_RESET, .id = plug->id };
	int unread = 0;

	plug->error = error;
	if (plug->end >= 0 && plug->real)
		end_reset_real(plug);
	if (plug->end >= 0 && !plug->real)
		ioctl(plug->end, SIOCINQ, &unread);
	/* EPIPE: the program had the peer's FIN already, and an ended socket says just that. */
	if (plug->end < 0 || plug->real || unread || error == EPIPE || !channel || end_is_gone(plug) ||
	    plug->end_ended) {
		plug_abort(plug);
		return;
	}
	plug->resetting = true;
	loop_change(&plug->host->daemon->loop, &plug->watch, EPOLLIN | EPOLLRDHUP);
	plug->timer.run = reset_timeout;
	loop_timer_set(&plug->host->daemon->loop, &plug->timer,
		       plug->host->daemon->loop.now + RESET_WAIT_MS * BERTH_MSEC);
	channel_send(channel, &message, NULL, 0);
}

void stream_reset(struct plug *plug)
{
	if (plug->fd >= 0)
		stream_fail(plug, ECONNRESET);
}

enum pumped {
	PUMPED_ALL,  /* until it would block */
	PUMPED_SOME, /* there is more to do at once */
	PUMPED_END,  /* plug has ended */
};

/* A write to the end failed. Returns false when plug has ended. */
static bool end_took(struct plug *plug, int error)
{
	if (error == EAGAIN || error == EINTR)
		return true;
	/* Closed by the program, with bytes for it under way: RST. RFC 2525 §2.17 */
	plug_abort(plug);
	return false;
}

static enum pumped write_end(struct plug *plug, const uint8_t *bytes, size_t length)
{
	ssize_t n =
		send(plug->end, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL | (plug->urgent_to_program ? MSG_OOB : 0));

	if (n < 0 && errno == EOPNOTSUPP) /* a kernel without AF_UNIX_OOB: better inline than never */
		n = send(plug->end, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && !end_took(plug, errno))
		return PUMPED_END;
	size_t taken = n < 0 ? 0 : (size_t)n;
	if (plug->to_program.length)
		held_took(&plug->to_program, taken);
	else if (taken < length && !held_put(&plug->to_program, bytes + taken, length - taken)) {
		plug_abort(plug);
		return PUMPED_END;
	}
	return plug->to_program.length ? PUMPED_ALL : PUMPED_SOME;
}

/* Urgent bytes come alone. The stack's SO_OOBINLINE is what the program set, and says how they are read. */
static ssize_t read_core(struct plug *plug)
{
	struct berth_stack *stack = plug->host->stack;
	uint8_t *scratch = plug->host->daemon->scratch;
	int is_inline = 0;
	socklen_t length = sizeof(is_inline);
	ssize_t n;

	plug->urgent_to_program = false;
	if (berth_sockatmark(stack, plug->fd) == 1) {
		berth_getsockopt(stack, plug->fd, SOL_SOCKET, SO_OOBINLINE, &is_inline, &length);
		n = berth_recv(stack, plug->fd, scratch, 1, is_inline ? MSG_DONTWAIT : MSG_DONTWAIT | MSG_OOB);
		plug->urgent_to_program = n == 1;
		if (n == 1 || is_inline)
			return n;
	}
	return berth_recv(stack, plug->fd, scratch, SCRATCH_SIZE, MSG_DONTWAIT);
}

/*
 * The peer has said FIN, and a RST may have come since, in answer to what the
 * program still wrote: the next write is to fail, and poll() to say HUP.
 */
static enum pumped reset_after_end(struct plug *plug)
{
	if (!(berth_readiness(plug->host->stack, plug->fd) & BERTH_POLLERR))
		return PUMPED_ALL;
	int error = plug_take_error(plug);
	if (!error)
		return PUMPED_ALL;
	stream_fail(plug, error);
	return PUMPED_END;
}

static enum pumped pump_to_program(struct plug *plug)
{
	struct daemon *daemon = plug->host->daemon;

	for (int round = 0; round < PUMP_ROUNDS; round++) {
		enum pumped r = PUMPED_SOME;
		if (plug->to_program.length)
			r = write_end(plug, plug->to_program.bytes + plug->to_program.from, plug->to_program.length);
		if (r != PUMPED_SOME)
			return r;
		if (plug->core_ended)
			return reset_after_end(plug);
		ssize_t n = read_core(plug);
		if (n < 0 && errno == EAGAIN)
			return PUMPED_ALL;
		if (n < 0) {
			stream_fail(plug, errno);
			return PUMPED_END;
		}
		if (n == 0) {
			plug->core_ended = true;
			shutdown(plug->end, SHUT_WR);
			return PUMPED_ALL;
		}
		r = write_end(plug, daemon->scratch, (size_t)n);
		if (r != PUMPED_SOME)
			return r;
	}
	return PUMPED_SOME;
}

static enum pumped write_core(struct plug *plug, const uint8_t *bytes, size_t length)
{
	ssize_t n = berth_send(plug->host->stack, plug->fd, bytes, length,
			       MSG_DONTWAIT | (plug->urgent_to_core ? MSG_OOB : 0));

	/* In progress: a SYN that waited for data has gone, without. */
	if (n < 0 && errno != EAGAIN && errno != EINPROGRESS) {
		stream_fail(plug, errno);
		return PUMPED_END;
	}
	size_t taken = n < 0 ? 0 : (size_t)n;
	if (plug->to_core.length)
		held_took(&plug->to_core, taken);
	else if (taken < length && !held_put(&plug->to_core, bytes + taken, length - taken)) {
		plug_abort(plug);
		return PUMPED_END;
	}
	return plug->to_core.length ? PUMPED_ALL : PUMPED_SOME;
}

/* The program will write no more, and the core has taken all that it wrote. */
static enum pumped finish_to_core(struct plug *plug)
{
	if (end_is_closed(plug)) {
		if (plug->to_program.length)
			plug_abort(plug); /* bytes that nobody will read */
		else
			plug_free(plug);
		return PUMPED_END;
	}
	if (!plug->core_shut)
		berth_shutdown(plug->host->stack, plug->fd, SHUT_WR);
	plug->core_shut = true;
	return PUMPED_ALL;
}

/* Is the next byte at the end an urgent one? A kernel that can't say has none. */
static bool end_at_mark(struct plug *plug)
{
	int at_mark = 0;

	return !ioctl(plug->end, SIOCATMARK, &at_mark) && at_mark;
}

static enum pumped read_end(struct plug *plug)
{
	struct daemon *daemon = plug->host->daemon;
	size_t room = plug->filler && plug->filler < SCRATCH_SIZE ? plug->filler : SCRATCH_SIZE;
	ssize_t n;

	plug->urgent_to_core = !plug->end_plain && end_at_mark(plug);
	plug->end_plain = plug->end_all_plain;
	if (plug->urgent_to_core)
		room = 1;
	n = recv(plug->end, daemon->scratch, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		plug->end_drained = !plug->end_hung_up;
		return PUMPED_ALL;
	}
	if (n < 0) { /* ECONNRESET: it closed with bytes unread, which TCP answers with RST */
		plug_abort(plug);
		return PUMPED_END;
	}
	if (n == 0) {
		plug->end_ended = true;
		return finish_to_core(plug);
	}
	if (plug->filler) {
		plug->filler -= (uint64_t)n;
		return PUMPED_SOME;
	}
	/* What did not fill the room was all there was; the loop says when there is more, if it may. */
	plug->end_drained = (size_t)n < room && !plug->end_hung_up;
	if (write_core(plug, daemon->scratch, (size_t)n) == PUMPED_END)
		return PUMPED_END;
	return plug->end_drained || plug->to_core.length ? PUMPED_ALL : PUMPED_SOME;
}

static enum pumped pump_to_core(struct plug *plug)
{
	for (int round = 0; round < PUMP_ROUNDS; round++) {
		enum pumped r = PUMPED_SOME;
		if (plug->to_core.length)
			r = write_core(plug, plug->to_core.bytes + plug->to_core.from, plug->to_core.length);
		if (r != PUMPED_SOME)
			return r;
		if (plug->end_ended)
			return finish_to_core(plug);
		if (plug->end_drained)
			return PUMPED_ALL;
		r = read_end(plug);
		if (r != PUMPED_SOME)
			return r;
	}
	return PUMPED_SOME;
}

/* Wait at the end for just what can be used. A hung-up end would say so for ever: it is not watched. */
static void watch_end(struct plug *plug)
{
	uint32_t events = 0;

	if (plug->end_hung_up) {
		loop_remove(&plug->host->daemon->loop, &plug->watch);
		return;
	}
	if (!plug->end_ended && !plug->to_core.length)
		events |= STREAM_READABLE;
	if (plug->to_program.length)
		events |= EPOLLOUT;
	loop_change(&plug->host->daemon->loop, &plug->watch, events);
}

static void stream_pump(struct plug *plug)
{
	enum pumped in = pump_to_core(plug), out;

	if (in == PUMPED_END)
		return;
	out = pump_to_program(plug);
	if (out == PUMPED_END)
		return;
	if (plug->core_ended && plug->end_ended && !plug->to_core.length && !plug->to_program.length) {
		plug_free(plug); /* both have said FIN */
		return;
	}
	watch_end(plug);
	if (in == PUMPED_SOME || out == PUMPED_SOME)
		plug_work(plug);
}

/* Nothing comes of this end; the program may try again with another. Ends a published connection. */
static void drop_end(struct plug *plug)
{
	if (plug->real) {
		end_reset_real(plug);
		plug_abort(plug);
		return;
	}
	loop_remove(&plug->host->daemon->loop, &plug->watch);
	if (plug->end >= 0)
		close(plug->end);
	plug->end = -1;
}

void stream_connect_failed(struct plug *plug, int error)
{
	plug->connecting = false;
	answer_connect(plug, -error);
	plug->error = error;
	plug->role = &role_idle;
	drop_end(plug);
}

/* The stack's connect has an end, good or bad. Returns false when plug is not to be pumped. */
static bool stream_connected(struct plug *plug)
{
	int readiness = berth_readiness(plug->host->stack, plug->fd);

	if (!(readiness & (BERTH_POLLOUT | BERTH_POLLERR | BERTH_POLLHUP)))
		return false;
	int error = plug_take_error(plug);
	if (error) {
		stream_connect_failed(plug, error);
		return false;
	}
	plug->connecting = false;
	plug->established = true;
	answer_connect(plug, 0);
	return true;
}

static void stream_core_ready(struct plug *plug)
{
	if (plug->gone) {
		plug_abort(plug);
		return;
	}
	/* One that waits at its listener has an end that leads nowhere yet. */
	if (plug->waits_at || plug->resetting || plug->outside_pending || (plug->connecting && !stream_connected(plug)))
		return;
	if (plug->established && plug->end >= 0)
		stream_pump(plug);
}

static void stream_end_ready(struct plug *plug, uint32_t events)
{
	if (plug->resetting || (!plug->established && events & (EPOLLHUP | EPOLLERR))) {
		plug_abort(plug);
		return;
	}
	if (events & (EPOLLHUP | EPOLLERR))
		plug->end_hung_up = true;
	if (events & ~(uint32_t)EPOLLOUT)
		plug->end_drained = false;
	/* EPOLLPRI tells of an urgent byte anywhere: without it the next byte is none, and a read ends before one. */
	plug->end_plain = (events & (EPOLLIN | EPOLLPRI)) == EPOLLIN;
	plug->end_all_plain = plug->end_plain && events & EPOLLRDHUP; /* and none will come */
	if (plug->established)
		stream_pump(plug);
}

const struct plug_role role_stream = { "stream", stream_core_ready, stream_end_ready, NULL };

void stream_begin(struct plug *plug)
{
	plug_work(plug);
}

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

	if (pid && pid != host->carrier && !process_is_run(pid))
		host->carrier = pid;
	return pid && pid == host->carrier;
}

/* Whose socket is this that came to ".d"? NULL: nobody's that may. */
static struct plug *plug_of_end(struct daemon *daemon, int end)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	struct name name;

	if (getpeername(end, (struct sockaddr *)&address, &length) < 0 ||
	    name_read(daemon->key, &address, length, &name) < 0 || name.kind != NAME_SOCKET)
		return NULL;
	struct plug *plug = plug_find(daemon, name.id);
	return plug && plug->role == &role_stream && plug->end < 0 && carried_by_supervisor(plug->host, end) ? plug
													     : NULL;
}

/*
 * CHANNEL_ATTACH was sent before the program's socket was connected, but comes
 * by another socket: hear it now, or the filler would pass for data.
 */
static void hear_first(struct host *host)
{
	LIST_EACH(&host->channels, node)
		channel_drain(LIST_ITEM(node, struct channel, node)); /* a broken one is ended in its own turn */
}

void stream_accept(struct loop_watch *watch, uint32_t events)
{
	struct daemon *daemon = CONTAINER_OF(watch, struct daemon, stream_listener);
	int end;

	while ((end = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct plug *plug = plug_of_end(daemon, end);
		if (plug && plug->connect_told_later) {
			hear_first(plug->host);
			plug = plug_of_end(daemon, end);
		}
		/* What is not established is not read: the loop would say for ever that it can be. */
		if (!plug || plug_take_end(plug, end, plug->established ? STREAM_READABLE : 0) < 0) {
			close(end);
			continue;
		}
		plug->end_drained = plug->established;
		stream_begin(plug);
	}
}
