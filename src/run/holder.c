/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors where pidfd_getfd(2) is refused (Docker's default profile): there
 * is no way to a program's descriptor then, only to what it is, in /proc/PID/fd.
 * So the supervisor keeps a copy of every socket that it gives to the program,
 * and finds it by the inode.
 *
 * A copy keeps a socket open, so it must go when the program has closed its
 * own, and nobody says when that is: the program's processes are looked
 * through every few milliseconds, and before a port is claimed. What was in
 * none of them twice in a row is closed here, too. Twice, because a descriptor
 * on its way from one process to another (fork, SCM_RIGHTS) may be missed once.
 */
#include "run/holder.h"

#include "run/kernel.h"
#include "run/supervisor.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024, SWEEP_MS = 10, SWEEP_SHARE = 20 };

struct holder {
	struct holder *next;
	uint64_t inode, seen; /* the round in which it was seen last */
	int fd;
};

struct holders {
	pthread_mutex_t lock; /* of the table */
	pthread_mutex_t sweep_lock;
	struct holder *table[BUCKETS];
	size_t count;
	uint64_t round;
	int64_t next_ns;
	int other; /* what is returned for a socket that is not ours: one like it */
};

struct holders *holders_new(void)
{
	struct holders *holders = calloc(1, sizeof(*holders));

	if (!holders)
		return NULL;
	pthread_mutex_init(&holders->lock, NULL);
	pthread_mutex_init(&holders->sweep_lock, NULL);
	holders->other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return holders;
}

bool holders_needed(void)
{
	int pidfd = kernel_pidfd_open(getpid(), 0);
	int copy = pidfd < 0 ? pidfd : kernel_pidfd_getfd(pidfd, pidfd);

	if (copy >= 0)
		close(copy);
	if (pidfd >= 0)
		close(pidfd);
	return copy < 0;
}

static struct holder **slot_of(struct holders *holders, uint64_t inode)
{
	struct holder **slot = &holders->table[inode % BUCKETS];

	while (*slot && (*slot)->inode != inode)
		slot = &(*slot)->next;
	return slot;
}

void holder_add(struct supervisor *supervisor, int fd)
{
	struct holders *holders = supervisor->holders;
	struct holder *holder = holders ? calloc(1, sizeof(*holder)) : NULL;
	struct holder **slot;

	if (!holder)
		return;
	holder->inode = descriptor_inode(fd);
	holder->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_lock(&holders->lock);
	/* Two rounds ahead: it is not in the program yet. */
	holder->seen = holders->round + 2;
	slot = slot_of(holders, holder->inode);
	if (*slot || holder->fd < 0) {
		if (holder->fd >= 0)
			close(holder->fd);
		free(holder);
	} else {
		*slot = holder;
		holders->count++;
	}
	pthread_mutex_unlock(&holders->lock);
}

/* The inode in "socket:[123]", or 0. */
static uint64_t inode_of(int directory, const char *path)
{
	unsigned long long inode = 0;
	char target[64];
	ssize_t length = readlinkat(directory, path, target, sizeof(target) - 1);

	if (length < 0)
		return 0;
	target[length] = '\0';
	return sscanf(target, "socket:[%llu]", &inode) == 1 ? inode : 0;
}

int holder_getfd(struct holders *holders, pid_t tid, int number)
{
	struct holder *holder;
	uint64_t inode;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, number);
	inode = inode_of(AT_FDCWD, path);
	if (!inode)
		return -EBADF; /* or no socket */
	pthread_mutex_lock(&holders->lock);
	holder = *slot_of(holders, inode);
	fd = fcntl(holder ? holder->fd : holders->other, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	pthread_mutex_unlock(&holders->lock);
	return fd;
}

/* Mark what is in this /proc/PID/fd. False: it can't be looked at. Count goes up by its entries. */
static bool look_into(struct holders *holders, const char *path, size_t *count)
{
	DIR *directory = opendir(path);

	if (!directory)
		return errno == ENOENT || errno == ESRCH;
	for (struct dirent *entry; (entry = readdir(directory));) {
		uint64_t inode = inode_of(dirfd(directory), entry->d_name);
		struct holder *holder;

		++*count;
		if (!inode)
			continue;
		pthread_mutex_lock(&holders->lock);
		holder = *slot_of(holders, inode);
		if (holder)
			holder->seen = MAX(holder->seen, holders->round);
		pthread_mutex_unlock(&holders->lock);
	}
	closedir(directory);
	return true;
}

/* A process whose first thread has ended has an empty table there, and a full one in its others. */
static bool look_into_process(struct holders *holders, pid_t pid)
{
	size_t count = 0;
	char path[64];
	DIR *threads;
	bool good;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	good = look_into(holders, path, &count);
	if (!good || count)
		return good;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	threads = opendir(path);
	for (struct dirent *entry; good && threads && (entry = readdir(threads));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/fd", entry->d_name);
		good = look_into(holders, path, &count);
	}
	if (threads)
		closedir(threads);
	return good;
}

/* Close what was not seen in this round and the last. */
static void close_unseen(struct holders *holders)
{
	pthread_mutex_lock(&holders->lock);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct holder **slot = &holders->table[i]; *slot;) {
			struct holder *holder = *slot;

			if (holder->seen + 1 >= holders->round) {
				slot = &holder->next;
				continue;
			}
			*slot = holder->next;
			close(holder->fd);
			free(holder);
			holders->count--;
		}
	}
	pthread_mutex_unlock(&holders->lock);
}

static void sweep_once(struct holders *holders)
{
	pid_t *pids = NULL;
	int count = descendants_list(getpid(), &pids);
	bool good = count >= 0;

	pthread_mutex_lock(&holders->lock);
	holders->round++;
	pthread_mutex_unlock(&holders->lock);
	for (int i = 0; i < count && good; i++)
		good = look_into_process(holders, pids[i]);
	free(pids);
	if (good)
		close_unseen(holders);
}

void holders_sweep(struct supervisor *supervisor, bool now)
{
	struct holders *holders = supervisor->holders;
	int64_t begun = now_ns();

	if (!holders || !holders->count || (!now && begun < holders->next_ns))
		return;
	pthread_mutex_lock(&holders->sweep_lock);
	for (int i = 0; i < (now ? 3 : 1); i++)
		sweep_once(holders);
	/* Its share of the machine stays small, however many processes there are. */
	holders->next_ns = now_ns() + MAX((now_ns() - begun) * SWEEP_SHARE, SWEEP_MS * INT64_C(1000000));
	pthread_mutex_unlock(&holders->sweep_lock);
}
