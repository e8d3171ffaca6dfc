/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accept() and accept4(): taken from our copy of the listener, because the
 * address and the check of who connected are ours to do. All of a program's
 * accepts come here, so one lock keeps poll() and accept() together.
 */
#include "run/supervisor.h"

#include "control/shim.h"
#include "run/kernel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

static pthread_mutex_t accept_lock = PTHREAD_MUTEX_INITIALIZER;

/* A connection that is to be given out, and whose it is. */
struct arrival {
	struct descriptor descriptor;
	struct sockaddr_storage peer;
	socklen_t peer_length;
};

/*
 * Connections that a program had no descriptor for, under accept_lock. In the
 * listener's queue a mark holds the place of each, so that the listener stays
 * ready for who polls it: a connection of our own, at whose turn the stashed
 * one is given out.
 */
static struct stashed {
	uint64_t listener;
	int fd;
	int mark; /* our end of the mark; -1: the queue was full, so this one is given out next */
} stash[64];
static size_t stash_count;

/*
 * Take one without ever waiting, though the listener may be blocking and its
 * other holders (another supervisor's program) may be faster. -EAGAIN: none.
 */
static int take(int listener, int flags)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
	struct timeval old = { 0 }, soon = { .tv_usec = 1000 };
	bool blocking = !(fcntl(listener, F_GETFL) & O_NONBLOCK);
	int fd;

	if (poll(&poll_fd, 1, 0) == 0)
		return -EAGAIN;
	if (blocking) {
		getsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &old, &(socklen_t){ sizeof(old) });
		setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	}
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags);
	if (fd < 0)
		fd = -errno;
	if (blocking)
		setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &old, sizeof(old));
	return fd;
}

/*
 * An express connection comes from another program's socket, by a supervisor of
 * this user or by somebody who has read the names in /proc/net/unix: only the
 * daemon knows whom it has sent to this listener.
 */
static bool sent_by_daemon(const struct call *call, uint64_t id, const struct ucred *peer, struct arrival *arrival)
{
	struct channel_message message = { .type = CHANNEL_GETPEERNAME,
					   .flags = CHANNEL_PEER_ID,
					   .id = arrival->descriptor.id,
					   .value = peer->pid,
					   .pid = call->tid };
	struct iovec listener = { &id, sizeof(id) };
	struct line *line = line_of(call->supervisor, message.id);

	if (line_ask(call->supervisor, line, &message, &listener, 1, NULL, 0) < 0)
		return false;
	/* A program may be another user by now; the daemon knows its process. */
	if (peer->uid != call->supervisor->uid && !(message.flags & CHANNEL_TICKET))
		return false;
	memcpy(&arrival->peer, message.address, message.address_length);
	arrival->peer_length = message.address_length;
	return true;
}

/* Is what came from the daemon, or an express connection that it knows of? */
static bool genuine(const struct call *call, const struct descriptor *listener, int fd, struct arrival *arrival)
{
	struct descriptor *descriptor = &arrival->descriptor;
	struct ucred peer = { .uid = (uid_t)-1 };

	if (!descriptor_identify_accepted(call->supervisor, fd, listener, descriptor))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }))
		return false;
	if (descriptor->peer.kind == NAME_SOCKET)
		return sent_by_daemon(call, listener->name.id, &peer, arrival);
	arrival->peer_length = accepted_address(&descriptor->peer, &arrival->peer);
	return peer.uid == call->supervisor->uid && peer.pid == call->supervisor->daemon_pid;
}

/* Under accept_lock. Returns the stashed connection or -EAGAIN. */
static int stash_take(size_t index)
{
	int fd = stash[index].fd;

	if (stash[index].mark >= 0)
		close(stash[index].mark);
	/* The order stays: the first mark in the queue is that of the first here. */
	memmove(&stash[index], &stash[index + 1], (--stash_count - index) * sizeof(stash[0]));
	return fd;
}

static int stash_find(uint64_t listener, bool marked)
{
	for (size_t i = 0; i < stash_count; i++)
		if (stash[i].listener == listener && (stash[i].mark >= 0) == marked)
			return stash_take(i);
	return -EAGAIN;
}

/* Is fd, just accepted, one of our marks? */
static bool is_mark(int fd)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	struct ucred peer = { .pid = 0 };

	return getpeername(fd, (struct sockaddr *)&address, &length) == 0 && length == sizeof(address.sun_family) &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }) == 0 &&
	       peer.pid == getpid();
}

/* A connection of our own to the listener. Returns it or -1. */
static int mark_make(int listener)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && getsockname(listener, (struct sockaddr *)&address, &length) == 0 &&
	    connect(fd, (struct sockaddr *)&address, length) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The listeners of some may be closed by now: let those who called them know. Under accept_lock. */
static void stash_sweep(void)
{
	for (size_t i = 0; i < stash_count; i++) {
		struct pollfd mark = { .fd = stash[i].mark };

		if (mark.fd >= 0 && poll(&mark, 1, 0) == 1)
			close(stash_take(i--));
	}
}

static void put_back(const struct call *call, int fd)
{
	pthread_mutex_lock(&accept_lock);
	stash_sweep();
	if (stash_count < COUNT_OF(stash))
		stash[stash_count++] = (struct stashed){ call->descriptor.id, fd, mark_make(call->descriptor.fd) };
	else
		close(fd);
	pthread_mutex_unlock(&accept_lock);
}

/* The next connection of the call's listener that may be given out, or -errno. Under accept_lock. */
static int take_next(struct call *call, int flags, struct arrival *arrival)
{
	int fd = stash_find(call->descriptor.id, false);

	for (;;) {
		if (fd >= 0)
			fcntl(fd, F_SETFL, flags ? O_NONBLOCK : 0); /* it was accepted for another call */
		else
			fd = take(call->descriptor.fd, flags);
		if (fd < 0 || genuine(call, &call->descriptor, fd, arrival))
			return fd;
		bool mark = is_mark(fd);
		close(fd);
		fd = mark ? stash_find(call->descriptor.id, true) : -EAGAIN;
	}
}

static int take_genuine(struct call *call, struct arrival *arrival)
{
	int flags = call->number == SYS_accept4 ? (int)call->args[3] & SOCK_NONBLOCK : 0, fd, is_inline = 0;
	socklen_t length = sizeof(is_inline);

	pthread_mutex_lock(&accept_lock);
	fd = take_next(call, flags, arrival);
	pthread_mutex_unlock(&accept_lock);
	if (fd < 0)
		return fd;
	/* AF_UNIX does not pass it on as TCP does */
	if (!getsockopt(call->descriptor.fd, SOL_SOCKET, SO_OOBINLINE, &is_inline, &length) && is_inline)
		setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &is_inline, length);
	return fd;
}

static int64_t attempt_accept(struct call *call)
{
	bool cloexec = call->number == SYS_accept4 && (call->args[3] & SOCK_CLOEXEC);
	struct arrival arrival;
	int fd = take_genuine(call, &arrival), number, r = 0;
	uint64_t inode;

	if (fd == -EAGAIN && !descriptor_listening(call->descriptor.fd))
		return -EINVAL; /* a connection with nothing to read looks like a listener with nothing to take */
	if (fd == -EAGAIN)
		return descriptor_nonblocking(&call->descriptor) ? -EAGAIN : CALL_PENDING;
	if (fd < 0)
		return fd;
	/* Linux: a bad address pointer costs the connection. */
	if (call->args[1])
		r = memory_write_address(call, call->args[1], call->args[2], &arrival.peer, arrival.peer_length);
	if (r) {
		close(fd);
		return r;
	}
	descriptor_inherit(fd, call->descriptor.fd);
	inode = descriptor_inode(fd);
	holder_add(call->supervisor, fd);
	number = call_finish_fd(call, fd, cloexec);
	if (number >= 0) {
		hint_set(call->supervisor, arrival.descriptor.id, call->tid, number, inode);
		return CALL_ANSWERED;
	}
	if (number == -ENOENT)
		close(fd);
	else
		put_back(call, fd); /* EMFILE: it stays in the queue */
	return number;
}

bool accept_stashed(uint64_t listener)
{
	bool found = false;

	pthread_mutex_lock(&accept_lock);
	for (size_t i = 0; i < stash_count; i++)
		found = found || stash[i].listener == listener;
	pthread_mutex_unlock(&accept_lock);
	return found;
}

/* What the shim has taken is a mark: give it what the mark stands for. Returns 0, and the call is about that then. */
static int64_t unstash(struct call *call)
{
	struct descriptor *descriptor = &call->descriptor;
	int fd = -EAGAIN, r;

	if (!is_mark(descriptor->fd))
		return -ECONNABORTED;
	pthread_mutex_lock(&accept_lock);
	fd = stash_find(descriptor->name.id, true);
	pthread_mutex_unlock(&accept_lock);
	if (fd < 0)
		return -ECONNABORTED;
	fcntl(fd, F_SETFL, descriptor_nonblocking(descriptor) ? O_NONBLOCK : 0);
	r = call_replace_fd(call, (int)call->args[0], fd);
	close(descriptor->fd);
	descriptor->fd = fd;
	return r;
}

int64_t handle_peer(struct call *call)
{
	struct descriptor listener = call->descriptor;
	struct shim_peer peer = { .length = 0 };
	struct arrival arrival;
	int64_t r = 0;
	int room;

	if (!call->supervisor->shim || call->supervisor->holders || listener.type != SOCK_STREAM ||
	    descriptor_listening(listener.fd))
		return -ENOPROTOOPT;
	if (memory_read(call, call->args[4], &room, sizeof(room)))
		return -EFAULT;
	if (room != (int)sizeof(peer))
		return -EINVAL;
	if (!listener.carried)
		r = unstash(call);
	if (!r && !genuine(call, &listener, call->descriptor.fd, &arrival))
		r = -ECONNABORTED;
	if (r)
		return r;
	descriptor_grow_buffer(call->descriptor.fd);
	hint_set(call->supervisor, arrival.descriptor.id, call->tid, (int)call->args[0],
		 descriptor_inode(call->descriptor.fd));
	peer.length = MIN(arrival.peer_length, CHANNEL_ADDRESS_MAX);
	memcpy(peer.address, &arrival.peer, peer.length);
	return memory_write(call, call->args[3], &peer, sizeof(peer));
}

int64_t handle_accept(struct call *call)
{
	if (call->number == SYS_accept4 && ((int)call->args[3] & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)))
		return -EINVAL;
	if (call->descriptor.type != SOCK_STREAM)
		return -EOPNOTSUPP;
	call->attempt = attempt_accept;
	call->wait_events = EPOLLIN;
	call->timeout_option = SO_RCVTIMEO;
	call->timeout_result = -EAGAIN;
	return attempt_accept(call);
}
