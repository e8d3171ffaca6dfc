/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to the daemon: questions with answers, and messages that come
 * unasked, which become notes for the worker. Whoever holds line->lock reads.
 * The daemon answers every question at once, whatever the question; what takes
 * time is answered -EINPROGRESS and told later.
 */
#include "run/supervisor.h"

#include "control/paths.h"
#include "os/fdpass.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { NOTE_TRIES = 100, NOTE_TRY_MS = 5 };

int line_open(const char *network, struct line *line, unsigned index)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r = network_path(network, "run.sock", 1, address.sun_path, sizeof(address.sun_path));

	if (r)
		return r;
	*line = (struct line){ .fd = -1, .index = index, .received = -1, .payload = malloc(CHANNEL_PAYLOAD_MAX) };
	if (!line->payload)
		return -ENOMEM;
	pthread_mutex_init(&line->lock, NULL);
	line->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (line->fd < 0 || connect(line->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = -errno;
		line_close(line);
		return r;
	}
	/* A datagram of 64 KiB must pass in one piece. */
	setsockopt(line->fd, SOL_SOCKET, SO_SNDBUF, &(int){ 1 << 18 }, sizeof(int));
	return 0;
}

void line_close(struct line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	line->fd = -1;
	free(line->payload);
	line->payload = NULL;
}

struct line *line_of(struct supervisor *supervisor, uint64_t id)
{
	return &supervisor->lines[LINE_CALLS + id % (LINE_COUNT - LINE_CALLS)];
}

void wake_worker(struct supervisor *supervisor)
{
	uint64_t one = 1;

	if (supervisor->wake >= 0 && write(supervisor->wake, &one, sizeof(one)) < 0)
		return; /* the counter is full: it wakes anyway */
}

/* Messages are few; for one that is lost somebody would wait for ever. NULL: there is no memory for long enough to tell. */
static struct note *note_new(void)
{
	struct note *note = NULL;

	for (int tries = 0; !(note = malloc(sizeof(*note))) && tries < NOTE_TRIES; tries++)
		poll(NULL, 0, NOTE_TRY_MS);
	return note;
}

static void daemon_lost(struct supervisor *supervisor)
{
	__atomic_store_n(&supervisor->daemon_lost, true, __ATOMIC_RELEASE);
	wake_worker(supervisor);
}

void note_add(struct supervisor *supervisor, const struct channel_message *message, const void *payload)
{
	struct note *note = note_new();

	if (!note) {
		say("no memory for what the network's daemon tells");
		daemon_lost(supervisor);
		return;
	}
	note->message = *message;
	note->message.payload_length = (uint32_t)MIN(message->payload_length, sizeof(note->payload) - 1);
	memcpy(note->payload, payload, note->message.payload_length);
	note->payload[note->message.payload_length] = '\0';
	pthread_mutex_lock(&supervisor->notes_lock);
	list_append(&supervisor->notes, &note->node);
	pthread_mutex_unlock(&supervisor->notes_lock);
	wake_worker(supervisor);
}

/* The next packet. Returns 0, -EAGAIN, or -EPIPE: the daemon is gone, or makes no sense. */
static int line_receive(struct line *line, struct channel_message *message, int flags)
{
	struct iovec parts[2] = { { message, sizeof(*message) }, { line->payload, CHANNEL_PAYLOAD_MAX } };
	size_t count = 1;
	ssize_t length;

	if (line->received >= 0)
		close(line->received);
	line->received = -1;
	length = fdpass_receive(line->fd, parts, 2, &line->received, &count, flags);
	if (!count)
		line->received = -1;
	if (length == -EAGAIN)
		return -EAGAIN;
	if (length < (ssize_t)sizeof(*message) || message->payload_length != (size_t)length - sizeof(*message))
		return -EPIPE;
	message->address_length = MIN(message->address_length, sizeof(message->address));
	return 0;
}

static int line_send(struct line *line, struct channel_message *message, const struct iovec *payload, size_t count,
		     int fd)
{
	struct iovec parts[4] = { { message, sizeof(*message) } };
	size_t length = 0;

	for (size_t i = 0; i < count && i < COUNT_OF(parts) - 1; i++) {
		parts[1 + i] = payload[i];
		length += payload[i].iov_len;
	}
	if (length > CHANNEL_PAYLOAD_MAX)
		return -EMSGSIZE;
	message->payload_length = (uint32_t)length;
	if (!message->tag)
		message->tag = (uint64_t)(line->index + 1) << 56 | ++line->next_tag;
	return fdpass_send(line->fd, parts, 1 + count, &fd, fd >= 0, 0);
}

int line_tell(struct supervisor *supervisor, struct line *line, struct channel_message *message,
	      const struct iovec *payload, size_t count, int fd)
{
	int r;

	pthread_mutex_lock(&line->lock);
	r = line_send(line, message, payload, count, fd);
	pthread_mutex_unlock(&line->lock);
	if (r == -EPIPE || r == -ECONNRESET)
		daemon_lost(supervisor);
	return r;
}

static int ask_locked(struct supervisor *supervisor, struct line *line, struct channel_message *message,
		      const struct iovec *payload, size_t count, int fd)
{
	uint32_t type = message->type;
	int r = line_send(line, message, payload, count, fd);
	uint64_t tag = message->tag;

	/* A daemon that can take no more connections says so before it hears who is there, and closes. */
	if (r && (type != CHANNEL_HELLO || r != -EPIPE))
		return r;
	for (;;) {
		/* A daemon that is stopped for a while is waited for, but not by somebody who is only coming. */
		bool patient = type != CHANNEL_HELLO;
		receiver_wait(supervisor, line->fd, POLLIN, patient ? -1 : ANSWER_SECONDS * 1000);
		r = line_receive(line, message, patient ? 0 : MSG_DONTWAIT);
		if (r)
			return -EPIPE;
		if (message->type == type && (message->tag == tag || (type == CHANNEL_HELLO && !message->tag)))
			return 0;
		note_add(supervisor, message, line->payload);
	}
}

static int ask(struct supervisor *supervisor, struct line *line, struct channel_message *message,
	       const struct iovec *payload, size_t count, int fd, void *reply, size_t room, int *ret_fd)
{
	int r;

	pthread_mutex_lock(&line->lock);
	r = ask_locked(supervisor, line, message, payload, count, fd);
	if (!r) {
		memcpy(reply ? reply : &room, line->payload, reply ? MIN(room, message->payload_length) : 0);
		r = message->result;
		if (ret_fd) {
			*ret_fd = line->received;
			line->received = -1;
		}
	} else if (r == -EPIPE || r == -ECONNRESET) {
		daemon_lost(supervisor);
		r = -ENETDOWN;
	}
	pthread_mutex_unlock(&line->lock);
	return r;
}

int line_ask(struct supervisor *supervisor, struct line *line, struct channel_message *message,
	     const struct iovec *payload, size_t count, void *reply, size_t room)
{
	return ask(supervisor, line, message, payload, count, -1, reply, room, NULL);
}

int line_ask_fd(struct supervisor *supervisor, struct line *line, struct channel_message *message,
		const struct iovec *payload, size_t count, void *reply, size_t room, int *ret_fd)
{
	*ret_fd = -1;
	return ask(supervisor, line, message, payload, count, -1, reply, room, ret_fd);
}

int line_ask_passing(struct supervisor *supervisor, struct line *line, struct channel_message *message,
		     const struct iovec *payload, size_t count, int fd)
{
	return ask(supervisor, line, message, payload, count, fd, NULL, 0, NULL);
}

bool line_drain(struct supervisor *supervisor, struct line *line)
{
	struct channel_message message;
	int r;

	/* Somebody asking reads for us. */
	if (pthread_mutex_trylock(&line->lock))
		return true;
	while (!(r = line_receive(line, &message, MSG_DONTWAIT)))
		note_add(supervisor, &message, line->payload);
	pthread_mutex_unlock(&line->lock);
	return r == -EAGAIN;
}
