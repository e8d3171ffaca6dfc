/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections of supervisors: packets in, answers out. A supervisor that does
 * not read its answers has them queued up to a limit, and then loses the
 * connection; one that says what makes no sense loses it at once.
 */
#include "daemon/state.h"
#include "os/fdpass.h"
#include "os/process.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUTGOING_MAX = 4096, MESSAGES_A_TURN = 64, CHANNEL_BUFFER = 1 << 20 };

struct outgoing {
	struct list node;
	size_t length;
	uint8_t bytes[];
};

static void channel_ready(struct loop_watch *watch, uint32_t events);

/* No descriptor is left for a supervisor. What it has said is taken, or it would find a reset in place of the answer. */
static void refuse(struct daemon *daemon, int fd)
{
	struct channel_message message = { .type = CHANNEL_HELLO, .result = -EMFILE };
	struct iovec part = { &message, sizeof(message) };
	uint8_t said;

	while (recv(fd, &said, sizeof(said), MSG_DONTWAIT) > 0)
		;
	fdpass_send(fd, &part, 1, NULL, 0, MSG_DONTWAIT);
	spare_refused(daemon, fd);
}

void channel_accept(struct loop_watch *watch, uint32_t events)
{
	struct daemon *daemon = CONTAINER_OF(watch, struct daemon, run_listener);
	int fd, size = CHANNEL_BUFFER;
	bool short_of;

	while ((fd = spare_accept(daemon, watch->fd, NULL, NULL, &short_of)) >= 0) {
		if (short_of) {
			refuse(daemon, fd);
			continue;
		}
		struct channel *channel = process_peer_is_us(fd) ? calloc(1, sizeof(*channel)) : NULL;
		if (!channel) {
			close(fd);
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		channel->daemon = daemon;
		channel->watch.fd = -1;
		channel->watch.ready = channel_ready;
		list_init(&channel->outgoing);
		list_append(&daemon->channels, &channel->node);
		if (loop_add(&daemon->loop, &channel->watch, fd, EPOLLIN) < 0) {
			close(fd);
			channel_free(channel);
		}
	}
}

static void forget_connects(struct channel *channel)
{
	LIST_EACH(&channel->host->plugs, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);
		if (plug->connect_channel == channel)
			plug->connect_channel = NULL;
	}
}

static bool has_session(struct host *host, uint64_t session)
{
	LIST_EACH(&host->channels, node)
		if (LIST_ITEM(node, struct channel, node)->session == session)
			return true;
	return false;
}

struct channel *channel_of(struct host *host, uint64_t session)
{
	LIST_EACH(&host->channels, node) {
		struct channel *channel = LIST_ITEM(node, struct channel, node);
		if (channel->session == session)
			return channel;
	}
	return LIST_FIRST(&host->channels, struct channel, node);
}

void channel_free(struct channel *channel)
{
	struct host *host = channel->host;

	if (channel->watch.fd >= 0) {
		int fd = channel->watch.fd;
		loop_remove(&channel->daemon->loop, &channel->watch);
		close(fd);
	}
	LIST_EACH_SAFE(&channel->outgoing, node)
		free(LIST_ITEM(node, struct outgoing, node));
	list_remove(&channel->node);
	if (host)
		forget_connects(channel);
	uint64_t session = channel->session;
	free(channel);
	if (!host || has_session(host, session))
		return;
	if (session == host->session)
		host_leave(host);
	else
		plugs_sweep(host); /* what berth exec ran leaves its host */
}

static void queue_message(struct channel *channel, const struct channel_message *message, const void *payload,
			  size_t length)
{
	struct outgoing *outgoing = malloc(sizeof(*outgoing) + sizeof(*message) + length);

	if (!outgoing || channel->outgoing_count >= OUTGOING_MAX) {
		free(outgoing);
		/* The end of file that follows is seen by both sides; who holds channel now is not surprised. */
		shutdown(channel->watch.fd, SHUT_RDWR);
		return;
	}
	outgoing->length = sizeof(*message) + length;
	memcpy(outgoing->bytes, message, sizeof(*message));
	if (length)
		memcpy(outgoing->bytes + sizeof(*message), payload, length);
	list_append(&channel->outgoing, &outgoing->node);
	channel->outgoing_count++;
	loop_change(&channel->daemon->loop, &channel->watch, EPOLLIN | EPOLLOUT);
}

void channel_send(struct channel *channel, struct channel_message *message, const void *payload, size_t length)
{
	struct iovec parts[2] = { { message, sizeof(*message) }, { (void *)payload, length } };

	message->payload_length = (uint32_t)length;
	if (list_empty(&channel->outgoing) &&
	    fdpass_send(channel->watch.fd, parts, length ? 2 : 1, NULL, 0, MSG_DONTWAIT) != -EAGAIN)
		return; /* sent; or broken, and its end of file is on the way */
	queue_message(channel, message, payload, length);
}

void channel_send_fd(struct channel *channel, struct channel_message *message, const void *payload, size_t length,
		     int fd)
{
	struct iovec parts[2] = { { message, sizeof(*message) }, { (void *)payload, length } };

	message->payload_length = (uint32_t)length;
	if (list_empty(&channel->outgoing) &&
	    fdpass_send(channel->watch.fd, parts, length ? 2 : 1, &fd, 1, MSG_DONTWAIT) == 0)
		return;
	message->result = -EAGAIN;
	channel_send(channel, message, NULL, 0);
}

static void send_queued(struct channel *channel)
{
	struct outgoing *outgoing;

	while ((outgoing = LIST_FIRST(&channel->outgoing, struct outgoing, node))) {
		struct iovec part = { outgoing->bytes, outgoing->length };
		if (fdpass_send(channel->watch.fd, &part, 1, NULL, 0, MSG_DONTWAIT) == -EAGAIN)
			return;
		list_remove(&outgoing->node);
		channel->outgoing_count--;
		free(outgoing);
	}
	loop_change(&channel->daemon->loop, &channel->watch, EPOLLIN);
}

void host_tell(struct host *host, const char *format, ...)
{
	struct channel *channel = LIST_FIRST(&host->channels, struct channel, node);
	struct channel_message message = { .type = CHANNEL_TELL };
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (channel && length > 0)
		channel_send(channel, &message, text, MIN((size_t)length, sizeof(text) - 1));
}

static int32_t hello(struct request *request)
{
	struct channel *channel = request->channel;
	struct channel_hello hello;
	struct channel_welcome welcome = { .version = CHANNEL_VERSION };
	struct host *host = NULL;

	if (channel->host || request->message->type != CHANNEL_HELLO || request->payload_length < sizeof(hello.version))
		return CALL_NONSENSE;
	/* Whatever else another version says, it begins with that; and it is told ours. */
	memcpy(&hello.version, request->payload, sizeof(hello.version));
	request->reply.value = CHANNEL_VERSION;
	if (hello.version != CHANNEL_VERSION)
		return -EPROTONOSUPPORT;
	if (request->payload_length < sizeof(hello))
		return CALL_NONSENSE;
	memcpy(&hello, request->payload, sizeof(hello));
	hello.name[sizeof(hello.name) - 1] = hello.program[sizeof(hello.program) - 1] = 0;
	int r = spare_is_run(channel->daemon, process_peer_pid(channel->watch.fd));
	if (r > 0)
		r = -EACCES; /* a program of a network's, which may not have hosts of its own */
	if (!r)
		r = host_hello(channel, &hello, &host);
	if (r < 0)
		return r;
	list_remove(&channel->node);
	list_append(&host->channels, &channel->node);
	channel->host = host;
	channel->session = hello.session;
	struct berth_ip ip4 = berth_host_ip4(host->host), ip6 = berth_host_ip6(host->host);
	welcome.join_id = host->join_id;
	welcome.flags = host->express ? HELLO_EXPRESS : 0;
	snprintf(welcome.name, sizeof(welcome.name), "%s", berth_host_name(host->host));
	snprintf(welcome.key, sizeof(welcome.key), "%s", channel->daemon->key);
	snprintf(welcome.network, sizeof(welcome.network), "%s", channel->daemon->network);
	memcpy(welcome.ip4, ip4.bytes, sizeof(welcome.ip4));
	memcpy(welcome.ip6, ip6.bytes, sizeof(welcome.ip6));
	memcpy(request->reply_payload, &welcome, sizeof(welcome));
	request->reply.payload_length = sizeof(welcome);
	return 0;
}

/* Answer one message. Returns false when its channel has to end; *ret_answered: who asked hears something. */
static bool answer(struct channel *channel, const struct channel_message *message, const uint8_t *payload, int *fd,
		   bool *ret_answered)
{
	static uint8_t reply_payload[CHANNEL_PAYLOAD_MAX]; /* one thread, one answer at a time */
	struct request request = {
		.channel = channel,
		.daemon = channel->daemon,
		.host = channel->host,
		.plug = message->id ? plug_find(channel->daemon, message->id) : NULL,
		.message = message,
		.payload = payload,
		.payload_length = message->payload_length,
		.fd = *fd,
		.reply = { .type = message->type, .tag = message->tag, .id = message->id },
		.reply_payload = reply_payload,
		.reply_fd = -1,
	};

	request.reply.result = channel->host ? call_run(&request) : hello(&request);
	*fd = request.fd;
	if (request.reply.result == CALL_NONSENSE)
		return false;
	if (request.reply.result < 0)
		request.reply.payload_length = 0;
	*ret_answered = request.reply.result != CALL_ANSWERED;
	if (request.reply.result >= 0 && request.reply_fd >= 0)
		channel_send_fd(channel, &request.reply, reply_payload, request.reply.payload_length, request.reply_fd);
	else if (*ret_answered)
		channel_send(channel, &request.reply, reply_payload, request.reply.payload_length);
	return true;
}

/*
 * Take one message. Returns false when there is none now; *ret_end: the channel has to end. A supervisor that has
 * asked says nothing more on this connection until it has read the answer (line.c), so then nothing is looked for.
 */
static bool take_one(struct channel *channel, bool *ret_end)
{
	static uint8_t payload[CHANNEL_PAYLOAD_MAX];
	struct channel_message message;
	struct iovec parts[2] = { { &message, sizeof(message) }, { payload, sizeof(payload) } };
	int fds[FDPASS_MAX];
	size_t count = FDPASS_MAX;
	ssize_t n = fdpass_receive(channel->watch.fd, parts, 2, fds, &count, MSG_DONTWAIT);

	/*
	 * Linux: who closes with something unread resets, and that is told first, once. What was said before is there
	 * all the same: EXIT, from a supervisor that ended with a signal on its way to it.
	 */
	if (n == -ECONNRESET) {
		count = FDPASS_MAX;
		n = fdpass_receive(channel->watch.fd, parts, 2, fds, &count, MSG_DONTWAIT);
	}
	if (n == -EAGAIN)
		return false;
	if (n <= 0)
		count = 0;
	*ret_end = n < (ssize_t)sizeof(message) || message.payload_length != (size_t)n - sizeof(message) ||
		   message.address_length > CHANNEL_ADDRESS_MAX;
	int fd = count ? fds[0] : -1;
	for (size_t i = 1; i < count; i++)
		close(fds[i]);
	bool answered = false;
	if (!*ret_end)
		*ret_end = !answer(channel, &message, payload, &fd, &answered);
	if (fd >= 0)
		close(fd);
	return !*ret_end && !answered;
}

static bool channel_drain(struct channel *channel)
{
	bool end = false;

	for (int i = 0; i < MESSAGES_A_TURN && take_one(channel, &end); i++)
		;
	return !end;
}

/* Questions stay: this may be in the middle of answering one. A broken channel is to end in its own turn. */
static void hear(struct channel *channel)
{
	struct channel_message message;
	bool end = false;

	for (int i = 0; i < MESSAGES_A_TURN && !end; i++)
		if (recv(channel->watch.fd, &message, sizeof(message), MSG_PEEK | MSG_DONTWAIT) != sizeof(message) ||
		    !call_is_one_way(&message) || !take_one(channel, &end))
			break;
	if (end)
		shutdown(channel->watch.fd, SHUT_RDWR);
}

void channels_hear(struct daemon *daemon, uint64_t id)
{
	LIST_EACH(&daemon->hosts, node)
		LIST_EACH(&LIST_ITEM(node, struct host, node)->channels, inner) {
			struct channel *channel = LIST_ITEM(inner, struct channel, node);
			if (CHANNEL_ID_BASE(channel->session) == CHANNEL_ID_BASE(id >> 32))
				hear(channel);
		}
}

static void channel_ready(struct loop_watch *watch, uint32_t events)
{
	struct channel *channel = CONTAINER_OF(watch, struct channel, watch);

	if (events & EPOLLOUT)
		send_queued(channel);
	if (!channel_drain(channel))
		channel_free(channel);
}
