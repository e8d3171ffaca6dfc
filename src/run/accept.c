/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accept() and accept4(): taken from our copy of the listener, because the
 * address and the check of who connected are ours to do. All of a program's
 * accepts come here, so one lock keeps poll() and accept() together.
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

static pthread_mutex_t accept_lock = PTHREAD_MUTEX_INITIALIZER;

/* Connections that a program had no descriptor for: its next accept() gets them. Under accept_lock. */
static struct stashed {
	uint64_t listener;
	int fd;
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

/* Is what came from the daemon (or, express, from a supervisor of this user)? */
static bool genuine(struct supervisor *supervisor, int fd, struct descriptor *descriptor)
{
	struct ucred peer = { .uid = (uid_t)-1 };

	if (!descriptor_identify(supervisor, fd, descriptor) || !descriptor->accepted)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }) || peer.uid != supervisor->uid)
		return false;
	return descriptor->peer.kind == NAME_SOCKET || peer.pid == supervisor->daemon_pid;
}

static int take_genuine(struct call *call, struct descriptor *descriptor)
{
	struct supervisor *supervisor = call->supervisor;
	int flags = call->number == SYS_accept4 ? (int)call->args[3] & SOCK_NONBLOCK : 0, fd = -EAGAIN;

	pthread_mutex_lock(&accept_lock);
	for (size_t i = 0; i < stash_count; i++) {
		if (stash[i].listener != call->descriptor.id)
			continue;
		fd = stash[i].fd;
		stash[i] = stash[--stash_count];
		fcntl(fd, F_SETFL, flags ? O_NONBLOCK : 0);
		break;
	}
	if (fd < 0)
		fd = take(call->descriptor.fd, flags);
	while (fd >= 0 && !genuine(supervisor, fd, descriptor)) {
		close(fd);
		fd = take(call->descriptor.fd, flags);
	}
	pthread_mutex_unlock(&accept_lock);
	return fd;
}

static void put_back(uint64_t listener, int fd)
{
	pthread_mutex_lock(&accept_lock);
	if (stash_count < COUNT_OF(stash))
		stash[stash_count++] = (struct stashed){ listener, fd };
	else
		close(fd);
	pthread_mutex_unlock(&accept_lock);
}

/* The peer's address goes where the caller wants it. */
static int write_peer(struct call *call, const struct descriptor *descriptor)
{
	struct sockaddr_storage address;
	struct channel_message message = {
		.type = CHANNEL_GETPEERNAME, .flags = descriptor->flags, .id = descriptor->id, .pid = call->tid
	};
	socklen_t length;

	if (!call->args[1])
		return 0;
	if (descriptor->peer.kind == NAME_ACCEPTED) {
		length = accepted_address(&descriptor->peer, &address);
		return memory_write_address(call, call->args[1], call->args[2], &address, length);
	}
	if (call_ask(call, &message, NULL, 0, NULL, 0) < 0)
		return -ECONNABORTED;
	return memory_write_address(call, call->args[1], call->args[2], message.address, message.address_length);
}

static int64_t attempt_accept(struct call *call)
{
	bool cloexec = call->number == SYS_accept4 && (call->args[3] & SOCK_CLOEXEC);
	uint64_t listener = call->descriptor.id;
	struct descriptor descriptor;
	int fd = take_genuine(call, &descriptor), spare, number, r;

	if (fd == -EAGAIN)
		return descriptor_nonblocking(&call->descriptor) ? -EAGAIN : CALL_PENDING;
	if (fd < 0)
		return fd;
	/* Linux: a bad address pointer costs the connection. */
	r = write_peer(call, &descriptor);
	if (r) {
		close(fd);
		return r;
	}
	descriptor_grow_buffer(fd);
	spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	number = call_finish_fd(call, fd, cloexec);
	if (number >= 0) {
		hint_set(call->supervisor, descriptor.id, call->tid, number);
		number = CALL_ANSWERED;
	} else if (number != -ENOENT && spare >= 0) { /* EMFILE: it stays in the queue */
		put_back(listener, spare);
		return number;
	}
	if (spare >= 0)
		close(spare);
	return number;
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
