/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose descriptor is it? A socket of ours carries its identity in its name
 * (channel.h), so the answer is read off a copy of the descriptor, and is right
 * whatever dup(), fork(), exec() and SCM_RIGHTS did with it.
 *
 * A notification names a thread. Where the kernel has pidfds of threads (6.9)
 * one is kept for each: it can't come to mean another thread. Before, only
 * those of thread group leaders are kept, for the same reason.
 */
#include "run/supervisor.h"

#include "control/shim.h"
#include "run/kernel.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>
#include <sys/stat.h>

#define BUFFER_BYTES (1 << 20) /* the kernel clips it to net.core.wmem_max */

pid_t process_group(pid_t tid)
{
	char path[32], line[128];
	pid_t group = -ESRCH;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return -ESRCH;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &group) == 1)
			break;
	fclose(file);
	return group;
}

/* Returns a pidfd through which tid's descriptors can be reached; *ret_keep: it is tid's own. */
static int peer_open(pid_t tid, bool *ret_keep)
{
	int pidfd = kernel_pidfd_open(tid, RUN_PIDFD_THREAD);
	pid_t group;

	*ret_keep = true;
	if (pidfd == -EINVAL)
		pidfd = kernel_pidfd_open(tid, 0);
	if (pidfd != -EINVAL && pidfd != -ENOENT)
		return pidfd;
	*ret_keep = false;
	group = process_group(tid);
	return group < 0 ? group : kernel_pidfd_open(group, 0);
}

int peer_getfd(struct supervisor *supervisor, struct peers *peers, pid_t tid, int number)
{
	size_t slot = (size_t)tid % PEER_CACHE;
	int pidfd, fd;
	bool keep;

	if (supervisor->holders)
		return holder_getfd(supervisor->holders, tid, number);
	if (peers && peers->slots[slot].tid == tid) {
		fd = kernel_pidfd_getfd(peers->slots[slot].pidfd, number);
		if (fd != -ESRCH)
			return fd;
		close(peers->slots[slot].pidfd);
		peers->slots[slot].tid = 0;
	}
	pidfd = peer_open(tid, &keep);
	if (pidfd < 0)
		return pidfd;
	fd = kernel_pidfd_getfd(pidfd, number);
	if (!peers || !keep) {
		close(pidfd);
		return fd;
	}
	if (peers->slots[slot].tid)
		close(peers->slots[slot].pidfd);
	peers->slots[slot].tid = tid;
	peers->slots[slot].pidfd = pidfd;
	return fd;
}

void peers_fini(struct peers *peers)
{
	for (size_t i = 0; i < PEER_CACHE; i++)
		if (peers->slots[i].tid)
			close(peers->slots[i].pidfd);
	memset(peers, 0, sizeof(*peers));
}

/*
 * Two names say all: the socket's own and its peer's.
 *
 *	own .s, no peer		not connected (or a listener)
 *	own .s, peer .d		made a connection, through the daemon
 *	own .s, peer .s		express: one end made it, one accepted it
 *	own .s, peer .c		accepted (its own name is the listener's)
 *
 * Some things more are kept in SO_RCVBUF of the socket itself: SHIM_MARK_EXPRESS and the others.
 */
enum { MARK_INHERITED = ~((1 << SHIM_MARK_BUFFER_SHIFT) - 1) };

static int mark_get(int fd)
{
	int value = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &(socklen_t){ sizeof(value) }))
		return 0;
	value = value / 2 - SHIM_MARK_BASE; /* the kernel doubles it */
	return value < 0 || value > SHIM_MARK_MAX ? 0 : value;
}

static void mark_set(int fd, int mark)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ SHIM_MARK_BASE + mark }, sizeof(int));
}

static bool express_made(int fd)
{
	return mark_get(fd) & SHIM_MARK_EXPRESS;
}

static void identify_connected(struct descriptor *descriptor, int fd)
{
	descriptor->carried = true;
	if (descriptor->peer.kind == NAME_DAEMON || (descriptor->peer.kind == NAME_SOCKET && express_made(fd)))
		return;
	descriptor->accepted = true;
	descriptor->id = descriptor->peer.id;
	if (descriptor->peer.kind == NAME_SOCKET)
		descriptor->flags = CHANNEL_PEER_ID;
}

static void identify_peer(struct supervisor *supervisor, struct descriptor *descriptor)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);

	descriptor->ours = true;
	descriptor->id = descriptor->name.id;
	descriptor->domain = descriptor->name.domain;
	descriptor->type = descriptor->name.type;
	descriptor->protocol = descriptor->name.protocol;
	if (descriptor->type == SOCK_STREAM && getpeername(descriptor->fd, (struct sockaddr *)&address, &length) == 0 &&
	    name_read(supervisor->key, &address, length, &descriptor->peer) == 0)
		identify_connected(descriptor, descriptor->fd);
}

bool descriptor_identify(struct supervisor *supervisor, int fd, struct descriptor *descriptor)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);

	*descriptor = (struct descriptor){ .fd = fd };
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
	    name_read(supervisor->key, &address, length, &descriptor->name) < 0 || descriptor->name.kind != NAME_SOCKET)
		return false;
	identify_peer(supervisor, descriptor);
	return true;
}

bool descriptor_identify_accepted(struct supervisor *supervisor, int fd, const struct descriptor *listener,
				  struct descriptor *descriptor)
{
	*descriptor = (struct descriptor){ .fd = fd, .name = listener->name };
	identify_peer(supervisor, descriptor);
	return descriptor->accepted;
}

int64_t descriptor_get(struct call *call, struct peers *peers)
{
	int fd = peer_getfd(call->supervisor, peers, call->tid, (int)call->args[0]);

	if (fd == -EPERM || fd == -EACCES)
		say_once(call->supervisor, "a process that does not let itself be looked into (prctl(PR_SET_DUMPABLE)) "
					   "can't use Berth's sockets here");
	/* Ours or not can't be told then. The kernel must not do to our socket what is meant for the one behind it. */
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return call->number == SYS_accept || call->number == SYS_accept4 ? -ENFILE : -ENOBUFS;
	if (fd < 0)
		return CALL_CONTINUE; /* EBADF is the kernel's to say */
	if (!descriptor_identify(call->supervisor, fd, &call->descriptor))
		return CALL_CONTINUE;
	/* What was found belongs to the caller only if it is still there. */
	return call_valid(call) ? 0 : -ENOENT;
}

bool descriptor_nonblocking(const struct descriptor *descriptor)
{
	return fcntl(descriptor->fd, F_GETFL) & O_NONBLOCK;
}

static void grow_buffer(int fd, int mark)
{
	int kibibytes = mark >> SHIM_MARK_BUFFER_SHIFT, size = kibibytes ? kibibytes * 1024 : BUFFER_BYTES;

	/* Besides, this wakes whoever polls for EPOLLOUT. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

void descriptor_grow_buffer(int fd)
{
	grow_buffer(fd, mark_get(fd));
}

void descriptor_limit_buffer(int fd, int size)
{
	int kibibytes = MIN(MAX(size / 1024, 1), SHIM_MARK_MAX >> SHIM_MARK_BUFFER_SHIFT);

	mark_set(fd, (mark_get(fd) & ~MARK_INHERITED) | kibibytes << SHIM_MARK_BUFFER_SHIFT);
	descriptor_grow_buffer(fd);
}

void descriptor_inherit(int fd, int listener)
{
	int mark = mark_get(listener) & MARK_INHERITED, low = 1;
	struct timeval time;

	if (mark)
		mark_set(fd, mark);
	if (getsockopt(listener, SOL_SOCKET, SO_RCVLOWAT, &low, &(socklen_t){ sizeof(low) }) == 0 && low > 1)
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
	for (int i = 0; i < 2; i++) {
		int option = i ? SO_SNDTIMEO : SO_RCVTIMEO;

		if (getsockopt(listener, SOL_SOCKET, option, &time, &(socklen_t){ sizeof(time) }) == 0 &&
		    (time.tv_sec || time.tv_usec))
			setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time));
	}
	grow_buffer(fd, mark);
}

bool descriptor_plain(int listener)
{
	int low = 1, is_inline = 0;
	struct timeval time;

	if (mark_get(listener) & MARK_INHERITED)
		return false;
	getsockopt(listener, SOL_SOCKET, SO_RCVLOWAT, &low, &(socklen_t){ sizeof(low) });
	getsockopt(listener, SOL_SOCKET, SO_OOBINLINE, &is_inline, &(socklen_t){ sizeof(is_inline) });
	for (int i = 0; i < 2; i++)
		if (getsockopt(listener, SOL_SOCKET, i ? SO_SNDTIMEO : SO_RCVTIMEO, &time,
			       &(socklen_t){ sizeof(time) }) ||
		    time.tv_sec || time.tv_usec)
			return false;
	return low == 1 && !is_inline;
}

/* Is number of process pid the socket id? Returns a copy or -ENOENT. */
static int try_descriptor(struct supervisor *supervisor, struct peers *peers, pid_t pid, int number, uint64_t id)
{
	struct descriptor descriptor;
	int fd = peer_getfd(supervisor, peers, pid, number);

	if (fd < 0)
		return -ENOENT;
	if (descriptor_identify(supervisor, fd, &descriptor) && descriptor.id == id)
		return fd;
	close(fd);
	return -ENOENT;
}

uint64_t descriptor_inode(int fd)
{
	struct stat status;

	return fstat(fd, &status) < 0 ? 0 : status.st_ino;
}

void descriptor_target(uint64_t inode, char ret_target[DESCRIPTOR_TARGET])
{
	snprintf(ret_target, DESCRIPTOR_TARGET, "socket:[%llu]", (unsigned long long)inode);
}

void descriptors_each(pid_t pid, void (*each)(void *context, int number, const char *target), void *context)
{
	char path[32], target[DESCRIPTOR_TARGET];
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		target[MAX(length, 0)] = '\0';
		if (length > 0)
			each(context, atoi(entry->d_name), target);
	}
	if (directory)
		closedir(directory);
}

/*
 * May the entry of a /proc/PID/fd directory be the socket with this inode (0:
 * not known)? Asked first, because a copy of another socket, held only for a
 * moment, would keep that one alive past its close(): a closed listener must
 * refuse.
 */
static bool may_be(int directory, const char *entry, uint64_t inode)
{
	char target[64], wanted[64];
	ssize_t length = readlinkat(directory, entry, target, sizeof(target) - 1);

	if (length < 0)
		return false;
	target[length] = '\0';
	if (!inode)
		return !strncmp(target, "socket:", 7);
	snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)inode);
	return !strcmp(target, wanted);
}

static int search_process(struct supervisor *supervisor, pid_t pid, const struct hint *hint)
{
	struct peers peers = { 0 };
	int fd = -ENOENT;
	DIR *directory;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	for (struct dirent *entry; directory && fd < 0 && (entry = readdir(directory));)
		if (may_be(dirfd(directory), entry->d_name, hint->inode))
			fd = try_descriptor(supervisor, &peers, pid, atoi(entry->d_name), hint->id);
	if (directory)
		closedir(directory);
	peers_fini(&peers);
	return fd;
}

/* Where it was last seen. */
static int try_hint(struct supervisor *supervisor, const struct hint *hint)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", hint->pid, hint->fd);
	if (!hint->pid || !may_be(AT_FDCWD, path, hint->inode))
		return -ENOENT;
	return try_descriptor(supervisor, NULL, hint->pid, hint->fd, hint->id);
}

int descriptor_find(struct supervisor *supervisor, uint64_t id)
{
	struct hint hint = hint_get(supervisor, id);
	int fd = try_hint(supervisor, &hint), count;
	pid_t *pids = NULL;

	if (fd >= 0)
		return fd;
	count = descendants_list(getpid(), &pids);
	for (int i = 0; i < count && fd < 0; i++)
		fd = search_process(supervisor, pids[i], &hint);
	free(pids);
	return fd;
}

bool descriptor_listening(int fd)
{
	int value = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &(socklen_t){ sizeof(value) }) == 0 && value;
}

bool descriptor_express(const struct descriptor *descriptor)
{
	return descriptor->carried && descriptor->peer.kind == NAME_SOCKET;
}

void descriptor_mark(int fd, int mark, bool on)
{
	int old = mark_get(fd), new = on ? old | mark : old & ~mark;

	if (new != old)
		mark_set(fd, new);
}

bool descriptor_marked(int fd, int mark)
{
	return mark_get(fd) & mark;
}

void descriptor_mark_express(int fd)
{
	descriptor_mark(fd, SHIM_MARK_EXPRESS, true);
}
