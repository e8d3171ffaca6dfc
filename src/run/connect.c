/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect(). The daemon decides; when it says yes, the program's socket is
 * connected natively, to the daemon's listener or (express) to the acceptor's.
 *
 * A non-blocking socket whose connection takes time must not look writable
 * meanwhile, as an unconnected AF_UNIX socket does. So it is connected to the
 * daemon at once, with a tiny buffer full of filler, which the daemon throws
 * away when it can say how it went; that is the EPOLLOUT that the program waits
 * for, and SO_ERROR (asked of the daemon) tells the rest.
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define FILLER_MAX 16
#define SWIFT_LEAST 4	 /* connections made at once, in a row */
#define SWIFT_NS 5000000 /* is how old what is known of an address may be: conditions change as fast */

/* Tags of CONNECTs; other messages' come from line.c. */
static uint64_t tag_new(void)
{
	static uint64_t count;

	return UINT64_C(0xff) << 56 | __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
}

static unsigned fill(int fd, unsigned count)
{
	char byte = 0;
	unsigned sent = 0;

	while (sent < count && send(fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		sent++;
	return sent;
}

static bool writable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLOUT;
}

unsigned connect_measure_filler(void)
{
	unsigned count = 0;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, sizeof(int));
	while (count < FILLER_MAX && writable(pair[0]) && fill(pair[0], 1))
		count++;
	close(pair[0]);
	close(pair[1]);
	return count;
}

static bool hung_up(int fd)
{
	struct pollfd poll_fd = { .fd = fd };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLHUP;
}

static bool trusted(struct supervisor *supervisor, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }) == 0 &&
	       peer.uid == supervisor->uid;
}

/*
 * Connect fd to where it is carried. A blocking socket would wait while the
 * other's backlog is full; we never do. Returns 0, -EAGAIN (backlog full), …
 */
static int connect_native(struct supervisor *supervisor, int fd, const void *express, size_t express_length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = supervisor->daemon_name_length, room = sizeof(struct timeval);
	struct timeval old = { 0 }, soon = { .tv_usec = 1000 };
	bool waits = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
	int r;

	if (express_length && express_length < sizeof(address.sun_path)) {
		memcpy(address.sun_path + 1, express, express_length);
		length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + express_length);
		descriptor_mark_express(fd);
	} else {
		address = supervisor->daemon_name;
	}
	if (waits) {
		getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &old, &room);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	}
	do {
		r = connect(fd, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
	} while (r == -EINTR);
	if (waits)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &old, sizeof(old));
	if (!r && !trusted(supervisor, fd)) {
		shutdown(fd, SHUT_RDWR);
		r = -ECONNREFUSED;
	}
	return r;
}

enum { EXPRESS_TRIES = 20, CARRY_TRIES = 5000 }; /* at most a millisecond each, or two of a blocking socket's */

/*
 * The same, trying again while the backlog is full. The daemon empties its own
 * fast, but on a busy machine it may have to wait for its turn; one that is
 * dead refuses. An express listener gets less time, in which its own listen(),
 * after the daemon's yes to it, may still come: -EAGAIN when its backlog stays full.
 */
static int carry(struct supervisor *supervisor, int fd, const void *express, size_t express_length)
{
	int tries = express_length ? EXPRESS_TRIES : CARRY_TRIES, r;

	while (r = connect_native(supervisor, fd, express, express_length), --tries > 0) {
		if (r != -EAGAIN && (r != -ECONNREFUSED || !express_length))
			break;
		receiver_step_aside(supervisor);
		poll(NULL, 0, 1);
	}
	/* The edge that epoll waits for. */
	descriptor_grow_buffer(fd);
	return r == -EAGAIN && !express_length ? -ETIMEDOUT : r;
}

/* entry's socket is not to look writable until CONNECTED. supervisor->lock is held. */
static void attach_filler(struct supervisor *supervisor, struct connecting *entry, int fd)
{
	struct channel_message message = { .type = CHANNEL_ATTACH, .id = entry->id, .value = (int)supervisor->filler };

	if (entry->filled)
		return;
	line_tell(supervisor, line_of(supervisor, entry->id), &message, NULL, 0, -1);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, sizeof(int));
	if (connect_native(supervisor, fd, NULL, 0) == 0) {
		fill(fd, supervisor->filler);
		entry->filled = true;
	}
}

/* supervisor->lock is held. */
static struct connecting *connecting_find(struct supervisor *supervisor, uint64_t tag, uint64_t id)
{
	LIST_EACH(&supervisor->connecting, node) {
		struct connecting *entry = LIST_ITEM(node, struct connecting, node);

		if (tag ? entry->tag == tag : entry->id == id && !entry->asking)
			return entry;
	}
	return NULL;
}

static struct connecting *connecting_new(struct call *call)
{
	struct connecting *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->id = call->descriptor.id;
	entry->tid = call->tid;
	entry->fd = (int)call->args[0];
	entry->asking = true;
	entry->tag = tag_new();
	pthread_mutex_lock(&call->supervisor->lock);
	list_append(&call->supervisor->connecting, &entry->node);
	pthread_mutex_unlock(&call->supervisor->lock);
	return entry;
}

static void connecting_free(struct supervisor *supervisor, struct connecting *entry)
{
	pthread_mutex_lock(&supervisor->lock);
	list_remove(&entry->node);
	pthread_mutex_unlock(&supervisor->lock);
	if (entry->expected)
		line_expect(supervisor, line_of(supervisor, entry->id), -1);
	free(entry);
}

bool connect_has_begun(const struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	bool begun = call->descriptor.carried;

	pthread_mutex_lock(&supervisor->lock);
	LIST_EACH(&supervisor->connecting, node)
		begun = begun || LIST_ITEM(node, struct connecting, node)->id == call->descriptor.id;
	pthread_mutex_unlock(&supervisor->lock);
	return begun;
}

/* connect_id is set: only CONNECTED, a signal or a timeout ends this. */
static int64_t attempt_nothing(struct call *call)
{
	return CALL_PENDING;
}

static int64_t wait_connected(struct call *call, uint64_t id)
{
	call->attempt = attempt_nothing;
	call->connect_id = id;
	call->timeout_option = SO_SNDTIMEO;
	call->timeout_result = -EINPROGRESS;
	return CALL_PENDING;
}

/* It takes time. Returns with entry in the list, or used up. */
static int64_t connect_later(struct call *call, struct connecting *entry)
{
	struct supervisor *supervisor = call->supervisor;
	bool nonblocking = descriptor_nonblocking(&call->descriptor);
	int64_t r;

	/* While it is asking, the entry is ours alone. */
	line_expect(supervisor, line_of(supervisor, entry->id), 1);
	entry->expected = true;
	pthread_mutex_lock(&supervisor->lock);
	entry->asking = false;
	if (entry->arrived) { /* CONNECTED was faster than we are */
		pthread_mutex_unlock(&supervisor->lock);
		r = entry->result;
		if (!r)
			r = carry(supervisor, call->descriptor.fd, entry->express, entry->express_length);
		connecting_free(supervisor, entry);
		return r || !nonblocking ? r : -EINPROGRESS;
	}
	if (nonblocking)
		attach_filler(supervisor, entry, call->descriptor.fd);
	entry->awaited = !nonblocking;
	pthread_mutex_unlock(&supervisor->lock);
	if (nonblocking)
		return -EINPROGRESS;
	return wait_connected(call, entry->id);
}

/* Somebody (a signal's restart, another thread) waits for a connection under way. */
static int64_t connect_join(struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	bool wait = !descriptor_nonblocking(&call->descriptor);
	struct connecting *entry;

	pthread_mutex_lock(&supervisor->lock);
	entry = connecting_find(supervisor, 0, call->descriptor.id);
	wait = wait && entry;
	if (wait)
		entry->awaited = true;
	pthread_mutex_unlock(&supervisor->lock);
	if (!wait)
		return -EALREADY;
	return wait_connected(call, call->descriptor.id);
}

/*
 * A stream socket that was connected natively before can't be again: give the
 * program a fresh one in its place. What epoll knew of the old one is lost.
 */
static int64_t renew(struct call *call)
{
	struct descriptor *old = &call->descriptor;
	int flags = fcntl(old->fd, F_GETFL) & O_NONBLOCK, r;
	uint64_t id;
	int fd = socket_make(call, old->domain, old->type, old->protocol, flags ? SOCK_NONBLOCK : 0, &id);

	if (fd < 0)
		return fd;
	holder_add(call->supervisor, fd);
	r = call_replace_fd(call, (int)call->args[0], fd);
	if (r) {
		close(fd);
		return r;
	}
	close(old->fd);
	descriptor_identify(call->supervisor, fd, old);
	hint_set(call->supervisor, id, call->tid, (int)call->args[0], descriptor_inode(fd));
	return 0;
}

static int64_t disconnect(struct call *call, struct channel_message *message)
{
	int64_t r = call_ask(call, message, NULL, 0, NULL, 0);

	if (r || !call->descriptor.carried)
		return r;
	shutdown(call->descriptor.fd, SHUT_RDWR);
	return renew(call);
}

/*
 * Who does not wait for connect() hears how it went from SO_ERROR. So who makes
 * one connection after the other to the same address, each of them made at
 * once, is kept for the daemon's answer only every few milliseconds, or when as
 * many have been made as the listener was said to have room for. The daemon
 * hears of the others before anything else that is asked of the socket; what
 * does not go after all is told as late failures are.
 */
static bool swift(struct swift *last, uint64_t address)
{
	if (last->address != address || !last->room || now_ns() >= last->until_ns)
		return false;
	last->room--;
	return true;
}

/* A connection was asked for. at_once: made as well, and the listener has that much room. */
static void swift_note(struct swift *last, uint64_t address, bool at_once, int room)
{
	int64_t now = now_ns();
	bool goes_on = last->address == address && now < last->until_ns + SWIFT_NS;

	last->count = !at_once ? 0 : goes_on ? last->count + 1 : 1;
	last->room = at_once ? MAX(room, 0) : 0;
	last->address = address;
	last->until_ns = now + SWIFT_NS;
}

/* By express: the listener's name, as it came with the answer. */
static void swift_name(struct swift *last, const char *key, const char *express, size_t length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct name name;

	last->listener = last->express_length = 0;
	if (!length)
		return;
	memcpy(address.sun_path + 1, express, MIN(length, sizeof(address.sun_path) - 1));
	length = MIN(length, sizeof(last->express));
	memcpy(last->express, express, length);
	last->express_length = length;
	if (name_read(key, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length), &name) == 0)
		last->listener = name.id;
	else
		last->room = 0;
}

/* Returns -EAGAIN, too: an express listener's queue is full. */
static int64_t connect_unasked(struct call *call, const struct channel_message *message, const struct swift *last)
{
	struct iovec listener = { (void *)&last->listener, sizeof(last->listener) };
	struct channel_message quiet = *message;
	int64_t r;

	quiet.flags |= CHANNEL_QUIET;
	quiet.value = 1;
	if (line_tell(call->supervisor, line_of(call->supervisor, quiet.id), &quiet, &listener,
		      last->express_length ? 1 : 0, -1))
		return -ENETDOWN;
	r = carry(call->supervisor, call->descriptor.fd, last->express, last->express_length);
	return r ? r : -EINPROGRESS;
}

static int64_t connect_stream(struct call *call, struct channel_message *message, bool again)
{
	static _Thread_local struct swift last;
	bool nonblocking = descriptor_nonblocking(&call->descriptor);
	uint64_t address = call_address_hash(message);
	bool may_be_swift =
		nonblocking && !call->descriptor.carried && !(message->flags & (CHANNEL_WIRE | CHANNEL_FASTOPEN));
	struct connecting *entry;
	char express[sizeof(entry->express)] = "";
	struct channel_message answer = *message;
	int64_t r;

	if (may_be_swift && swift(&last, address)) {
		r = connect_unasked(call, message, &last);
		if (r != -EAGAIN)
			return r;
		message->flags |= CHANNEL_WIRE; /* as below */
		answer = *message;
	}
	entry = connecting_new(call);
	if (!entry)
		return -ENOMEM;
	answer.value = may_be_swift && last.count >= SWIFT_LEAST ? CONNECT_ROW : nonblocking; /* of whatever address */
	/* Known before it is sent: CONNECTED may be read before this thread goes on. */
	answer.tag = entry->tag;
	r = line_ask(call->supervisor, line_of(call->supervisor, entry->id), &answer, NULL, 0, express,
		     sizeof(express));
	swift_note(&last, address, nonblocking && !r, answer.value);
	swift_name(&last, call->supervisor->key, express, r ? 0 : MIN(answer.payload_length, sizeof(express)));
	if (r == -EINPROGRESS)
		return connect_later(call, entry);
	connecting_free(call->supervisor, entry);
	if (r == -EALREADY)
		return connect_join(call);
	if (r)
		return r;
	r = carry(call->supervisor, call->descriptor.fd, express, MIN(answer.payload_length, sizeof(express)));
	if (r == -EAGAIN && !(message->flags & CHANNEL_WIRE)) {
		/* The listener's queue is full: TCP knows how to wait for room in it. */
		message->flags |= CHANNEL_WIRE;
		return connect_stream(call, message, again);
	}
	if (r == -EISCONN && !hung_up(call->descriptor.fd))
		return 0; /* Linux: asked again when it is done, it says so once */
	if (r == -EISCONN && !again) {
		/* A second connection after a first that failed late. */
		r = renew(call);
		if (r)
			return r;
		message->id = call->descriptor.id;
		return connect_stream(call, message, true);
	}
	/* Linux: even a connection made at once is in progress to who does not wait. */
	return r || !nonblocking || message->flags & CHANNEL_FASTOPEN ? r : -EINPROGRESS;
}

static int64_t connect_datagram(struct call *call, const struct channel_message *message)
{
	struct channel_message answer = *message;
	int64_t r = call_ask(call, &answer, NULL, 0, NULL, 0);

	if (r != -EAGAIN || !(answer.flags & CHANNEL_LENT))
		return r;
	r = far_renew(call);
	if (r)
		return r;
	answer = *message;
	answer.id = call->descriptor.id;
	return call_ask(call, &answer, NULL, 0, NULL, 0);
}

static int64_t connect_to(struct call *call, uint64_t at, int length, uint32_t flags)
{
	struct sockaddr_storage address;
	struct channel_message message;
	int64_t r = memory_read_address(call, at, length, &address);

	if (r)
		return r;
	if (length < (int)sizeof(address.ss_family))
		return -EINVAL;
	if (address.ss_family == AF_UNSPEC && flags)
		return -EOPNOTSUPP;
	call_message(call, &message, CHANNEL_CONNECT);
	message.flags |= flags;
	message.address_length = (uint16_t)MIN(length, CHANNEL_ADDRESS_MAX);
	memcpy(message.address, &address, message.address_length);
	if (call->descriptor.type != SOCK_STREAM)
		return connect_datagram(call, &message);
	if (address.ss_family == AF_UNSPEC)
		return disconnect(call, &message);
	return connect_stream(call, &message, false);
}

int64_t handle_connect(struct call *call)
{
	const struct descriptor *descriptor = &call->descriptor;

	if (call->supervisor->shim && descriptor->type == SOCK_STREAM &&
	    !hint_get(call->supervisor, descriptor->id).pid)
		hint_set(call->supervisor, descriptor->id, call->tid, (int)call->args[0],
			 descriptor_inode(descriptor->fd));

	return connect_to(call, call->args[1], (int)call->args[2], 0);
}

/*
 * MSG_FASTOPEN. When the daemon knows a cookie it says yes before there is a
 * SYN, which then waits for what is written. Differs from Linux: a blocking
 * send with a cookie does not wait for the handshake's end; how that went is
 * what later calls say.
 */
int64_t connect_and_send(struct call *call, uint64_t at, int length, int64_t (*then)(struct call *call))
{
	int64_t r;

	call->then = then;
	r = connect_to(call, at, length, CHANNEL_FASTOPEN);
	if (r == CALL_PENDING)
		return r;
	call->then = NULL;
	return r && r != -EISCONN ? r : then(call);
}

static struct call *waiter_find(struct supervisor *supervisor, uint64_t id)
{
	struct call *found = NULL;

	pthread_mutex_lock(&supervisor->lock);
	LIST_EACH(&supervisor->pending, node) {
		struct call *call = LIST_ITEM(node, struct call, node);

		if (call->connect_id == id) {
			found = call;
			break;
		}
	}
	pthread_mutex_unlock(&supervisor->lock);
	return found;
}

/* Only the worker gets here. */
void connect_arrived(struct supervisor *supervisor, const struct channel_message *message, const void *payload)
{
	struct connecting *entry;
	struct call *waiter;
	int fd, r = message->result;

	pthread_mutex_lock(&supervisor->lock);
	entry = connecting_find(supervisor, message->tag, message->id);
	if (entry && entry->asking) {
		entry->arrived = true;
		entry->result = r;
		entry->express_length = MIN(message->payload_length, sizeof(entry->express));
		memcpy(entry->express, payload, entry->express_length);
		entry = NULL;
	}
	pthread_mutex_unlock(&supervisor->lock);
	if (!entry)
		return;
	waiter = waiter_find(supervisor, entry->id);
	if (!waiter && __atomic_load_n(&entry->awaited, __ATOMIC_ACQUIRE)) {
		/* A receiver is just handing it over: look again. */
		note_add(supervisor, message, payload);
		return;
	}
	fd = waiter ? fcntl(waiter->descriptor.fd, F_DUPFD_CLOEXEC, 0)
		    : peer_getfd(supervisor, NULL, entry->tid, entry->fd);
	if (!waiter) {
		struct descriptor descriptor;

		if (fd >= 0 && (!descriptor_identify(supervisor, fd, &descriptor) || descriptor.id != entry->id)) {
			close(fd);
			fd = -1;
		}
		if (fd < 0)
			fd = descriptor_find(supervisor, entry->id);
	}
	if (fd >= 0 && !r && !entry->filled)
		r = carry(supervisor, fd, payload, message->payload_length);
	else if (fd >= 0)
		descriptor_grow_buffer(fd);
	if (fd >= 0)
		close(fd);
	while (waiter) {
		if (waiter->then && !r) { /* from the next tick on */
			waiter->attempt = waiter->then;
			waiter->connect_id = 0;
		} else {
			worker_finish(waiter, r);
		}
		waiter = waiter_find(supervisor, entry->id);
	}
	connecting_free(supervisor, entry);
}

void connect_abandoned(struct call *call)
{
	struct connecting *entry;

	pthread_mutex_lock(&call->supervisor->lock);
	entry = connecting_find(call->supervisor, 0, call->connect_id);
	if (entry)
		entry->awaited = false;
	pthread_mutex_unlock(&call->supervisor->lock);
}

void connect_interrupted(struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	struct connecting *entry;

	pthread_mutex_lock(&supervisor->lock);
	entry = connecting_find(supervisor, 0, call->connect_id);
	if (entry)
		attach_filler(supervisor, entry, call->descriptor.fd);
	pthread_mutex_unlock(&supervisor->lock);
}
