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
#include "base/packet.h"
#include "daemon/journal.h"
#include "daemon/state.h"
#include "net/network.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	PUMP_ROUNDS = 16, /* scratches moved before others get their turn */
	FILLER_MAX = 1 << 20,
	BULK_BEGINS = 64 << 10, /* bytes read at once: whole packets next time */
	BULK_LEAST = 16 << 10,	/* and back to copies below that */
	BULK_PACKET = 64 << 10,
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
	if (held->packet)
		berth_packet_unref(held->packet);
	else
		free(held->bytes);
	*held = (struct held){ 0 };
}

/* Keep what was not taken of packet's bytes, or a copy of others. Returns false without memory. */
static bool held_put(struct held *held, const uint8_t *bytes, size_t length, struct berth_packet *packet)
{
	if (packet) {
		*held = (struct held){ .packet = berth_packet_ref(packet), .length = length };
		held->bytes = (uint8_t *)bytes;
		return true;
	}
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
	else
		stream_refusal_over(plug);
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
		       plug->host->daemon->loop.now + STREAM_RESET_WAIT_MS * BERTH_MSEC);
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

/* Returns whether the end holds more than before. */
static bool grow_end(struct plug *plug)
{
	if (plug->end_grown || plug->real)
		return false;
	plug->end_grown = true;
	return setsockopt(plug->end, SOL_SOCKET, SO_SNDBUF, &plug->host->daemon->send_buffer, sizeof(int)) == 0;
}

/* Returns how many were taken, or -1 with errno. */
static ssize_t send_end(struct plug *plug, const uint8_t *bytes, size_t length)
{
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (plug->urgent_to_program ? MSG_OOB : 0);
	ssize_t n = send(plug->end, bytes, length, flags), more;

	if (n < 0 && errno == EOPNOTSUPP) /* a kernel without AF_UNIX_OOB: better inline than never */
		n = send(plug->end, bytes, length, flags & ~MSG_OOB);
	if ((n < 0 ? errno != EAGAIN : (size_t)n == length) || !grow_end(plug))
		return n;
	n = MAX(n, 0);
	more = send(plug->end, bytes + n, length - (size_t)n, flags);
	return more < 0 && !n ? more : n + MAX(more, 0);
}

/* packet: that the bytes are in, or NULL. */
static enum pumped write_end(struct plug *plug, const uint8_t *bytes, size_t length, struct berth_packet *packet)
{
	ssize_t n = send_end(plug, bytes, length);

	if (n < 0 && !end_took(plug, errno))
		return PUMPED_END;
	size_t taken = n < 0 ? 0 : (size_t)n;
	if (plug->to_program.length)
		held_took(&plug->to_program, taken);
	else if (taken < length && !held_put(&plug->to_program, bytes + taken, length - taken, packet)) {
		plug_abort(plug);
		return PUMPED_END;
	}
	return plug->to_program.length ? PUMPED_ALL : PUMPED_SOME;
}

bool stream_at_mark(struct plug *plug)
{
	struct berth_stack *stack = plug->host->stack;
	int is_inline = 0;
	socklen_t length = sizeof(is_inline);
	char byte;

	if (plug->to_program.length)
		return plug->urgent_to_program;
	if (berth_sockatmark(stack, plug->fd) != 1)
		return false;
	berth_getsockopt(stack, plug->fd, SOL_SOCKET, SO_OOBINLINE, &is_inline, &length);
	/* EINVAL: the byte was taken, and given to the program before. */
	return is_inline || berth_recv(stack, plug->fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       errno != EINVAL;
}

/*
 * Urgent bytes come alone. The stack's SO_OOBINLINE is what the program set, and says how they are read.
 * What comes in bulk is not copied: *ret_packet is then the caller's, else NULL, and the bytes are in scratch.
 */
static ssize_t read_core(struct plug *plug, struct berth_packet **ret_packet)
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
	if (plug->core_bulk) {
		n = berth_recv_packet(stack, plug->fd, ret_packet, MSG_DONTWAIT);
		plug->core_bulk = n >= BULK_LEAST || (n < 0 && errno == EAGAIN);
		return n;
	}
	n = berth_recv(stack, plug->fd, scratch, SCRATCH_SIZE, MSG_DONTWAIT);
	plug->core_bulk = n >= BULK_BEGINS;
	return n;
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
	for (int round = 0; round < PUMP_ROUNDS; round++) {
		struct berth_packet *packet = NULL;
		enum pumped r = PUMPED_SOME;
		if (plug->to_program.length)
			r = write_end(plug, plug->to_program.bytes + plug->to_program.from, plug->to_program.length,
				      NULL);
		if (r != PUMPED_SOME)
			return r;
		if (plug->core_ended)
			return reset_after_end(plug);
		if (stream_below_low_water(plug))
			return PUMPED_ALL;
		ssize_t n = read_core(plug, &packet);
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
		r = write_end(plug, packet ? packet->data : plug->host->daemon->scratch, (size_t)n, packet);
		berth_packet_unref(packet);
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
	else if (taken < length && !held_put(&plug->to_core, bytes + taken, length - taken, NULL)) {
		plug_abort(plug);
		return PUMPED_END;
	}
	return plug->to_core.length ? PUMPED_ALL : PUMPED_SOME;
}

/* The same of a packet, which is taken over. */
static enum pumped give_core(struct plug *plug, struct berth_packet *packet)
{
	if (berth_send_packet(plug->host->stack, plug->fd, packet, MSG_DONTWAIT) >= 0)
		return PUMPED_SOME;
	if (errno != EAGAIN) {
		int error = errno;
		berth_packet_unref(packet);
		stream_fail(plug, error);
		return PUMPED_END;
	}
	plug->to_core = (struct held){ .bytes = packet->data, .length = packet->length, .packet = packet };
	return PUMPED_ALL;
}

/* What the core did not take before. */
static enum pumped write_core_again(struct plug *plug)
{
	struct berth_packet *packet = plug->to_core.packet;

	if (!packet)
		return write_core(plug, plug->to_core.bytes + plug->to_core.from, plug->to_core.length);
	plug->to_core = (struct held){ .bytes = NULL };
	return give_core(plug, packet);
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
	int at_mark = 0, one = 1;

	if (!plug->end_inline && !plug->real)
		setsockopt(plug->end, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	plug->end_inline = true;
	return !ioctl(plug->end, SIOCATMARK, &at_mark) && at_mark;
}

/* n bytes were read from the end: into packet, which is taken over, or scratch. */
static enum pumped took_from_end(struct plug *plug, struct berth_packet *packet, size_t n)
{
	enum pumped r;

	plug->end_bulk = n >= (packet ? BULK_LEAST : BULK_BEGINS);
	if (!packet)
		return write_core(plug, plug->host->daemon->scratch, n);
	berth_packet_put(packet, n);
	if (plug->end_bulk)
		return give_core(plug, packet);
	r = write_core(plug, packet->data, n); /* not for little: a packet takes its full size of memory */
	berth_packet_unref(packet);
	return r;
}

static enum pumped read_end(struct plug *plug)
{
	struct daemon *daemon = plug->host->daemon;
	size_t room = plug->filler && plug->filler < SCRATCH_SIZE ? plug->filler : SCRATCH_SIZE;
	struct berth_packet *packet = NULL;
	ssize_t n;

	plug->urgent_to_core = !plug->end_plain && end_at_mark(plug);
	plug->end_plain = plug->end_all_plain;
	if (plug->urgent_to_core)
		room = 1;
	else if (plug->end_bulk && !plug->filler)
		packet = berth_packet_new(daemon->net->packets, 0, BULK_PACKET);
	if (packet)
		room = BULK_PACKET;
	n = recv(plug->end, packet ? packet->data : daemon->scratch, room, MSG_DONTWAIT);
	int error = n < 0 ? errno : 0;
	if (n <= 0)
		berth_packet_unref(packet);
	if (error == EAGAIN || error == EINTR) {
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
	if (took_from_end(plug, packet, (size_t)n) == PUMPED_END)
		return PUMPED_END;
	return plug->end_drained || plug->to_core.length ? PUMPED_ALL : PUMPED_SOME;
}

static enum pumped pump_to_core(struct plug *plug)
{
	for (int round = 0; round < PUMP_ROUNDS; round++) {
		enum pumped r = PUMPED_SOME;
		if (plug->to_core.length)
			r = write_core_again(plug);
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

void stream_drop_end(struct plug *plug)
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
	if (!plug->connect_quiet || plug->end < 0) {
		plug->refused = plug->connect_quiet;
		stream_drop_end(plug);
		return;
	}
	loop_remove(&plug->host->daemon->loop, &plug->watch);
	stream_refuse_end(plug, plug->end);
}

bool stream_connected(struct plug *plug)
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
