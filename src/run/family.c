/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descendants, from /proc. The caller is a subreaper (prctl(2)), so whatever
 * forks and orphans itself still hangs below it.
 *
 * Every process of the machine is looked at only where the kernel does not list
 * a thread's children. When 450 supervisors ended together and each did so, it
 * was 25 to 90 s of processor time that those which were to die waited for; by
 * lists, and with nothing looked at when no child is left, it is under 2 s.
 */
#include "run/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_NS INT64_C(5000000000) /* that descendants are tried to be killed for */
#define LOOK_AGAIN_NS 64000000	    /* at most, without a child having ended */

struct pids {
	pid_t *pids;
	size_t count, room;
};

struct process {
	pid_t pid, parent;
	bool below;
};

/* pid's parent, or 0 when it is gone. The name may hold anything, so count from the last ')'. */
pid_t process_parent(pid_t pid)
{
	char path[32], text[512], *end;
	int fd, parent = 0;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	end = strrchr(text, ')');
	return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static struct process *processes_read(size_t *ret_count)
{
	struct process *processes = NULL;
	size_t count = 0, room = 0;
	DIR *directory = opendir("/proc");

	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0)
			continue;
		if (count == room) {
			size_t more = room ? 2 * room : 256;
			struct process *grown = realloc(processes, more * sizeof(*processes));

			if (!grown)
				break;
			processes = grown;
			room = more;
		}
		processes[count++] = (struct process){ .pid = pid, .parent = process_parent(pid) };
	}
	if (directory)
		closedir(directory);
	*ret_count = count;
	return processes;
}

static bool pids_add(struct pids *pids, pid_t pid)
{
	if (pids->count == pids->room) {
		size_t room = pids->room ? 2 * pids->room : 16;
		pid_t *grown = realloc(pids->pids, room * sizeof(*grown));

		if (!grown)
			return false;
		pids->pids = grown;
		pids->room = room;
	}
	pids->pids[pids->count++] = pid;
	return true;
}

/* The pids in an open list of children: numbers, each with a blank behind it. */
static bool children_read(int fd, struct pids *pids)
{
	char text[1024];
	pid_t pid = 0;
	ssize_t length;

	while ((length = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < length; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = 10 * pid + text[i] - '0';
				continue;
			}
			if (pid && !pids_add(pids, pid))
				return false;
			pid = 0;
		}
	return true;
}

/* A child is its parent's thread's. What has ended meanwhile has none. Returns false without memory. */
static bool children_add(pid_t parent, struct pids *pids)
{
	char path[48];
	DIR *threads;
	bool good = true;

	snprintf(path, sizeof(path), "/proc/%d/task", parent);
	threads = opendir(path);
	for (struct dirent *entry; threads && good && (entry = readdir(threads));) {
		pid_t thread = atoi(entry->d_name);
		int fd;

		if (thread <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, thread);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		good = children_read(fd, pids);
		close(fd);
	}
	if (threads)
		closedir(threads);
	return good;
}

static int list_by_children(pid_t root, pid_t **ret_pids)
{
	struct pids pids = { .pids = NULL };
	bool good = children_add(root, &pids);

	for (size_t i = 0; good && i < pids.count; i++)
		good = children_add(pids.pids[i], &pids);
	if (!good) {
		free(pids.pids);
		return -ENOMEM;
	}
	*ret_pids = pids.pids;
	return (int)pids.count;
}

int descendants_by_parents(pid_t root, pid_t **ret_pids)
{
	size_t count;
	struct process *processes = processes_read(&count);
	bool more = true;
	int found = 0;
	pid_t *pids = calloc(count + 1, sizeof(*pids));

	if (!pids || !processes) {
		free(pids);
		free(processes);
		return -ENOMEM;
	}
	/* A pass marks children of what is marked; chains are short, and /proc is in pid order. */
	while (more) {
		more = false;
		for (size_t i = 0; i < count; i++) {
			bool below = processes[i].parent == root;

			for (int j = 0; j < found && !below; j++)
				below = processes[i].parent == pids[j];
			if (!below || processes[i].below || processes[i].pid == root)
				continue;
			processes[i].below = more = true;
			pids[found++] = processes[i].pid;
		}
	}
	free(processes);
	*ret_pids = pids;
	return found;
}

int descendants_list(pid_t root, pid_t **ret_pids)
{
	/* CONFIG_PROC_CHILDREN, which distributions have */
	if (access("/proc/thread-self/children", F_OK) == 0)
		return list_by_children(root, ret_pids);
	return descendants_by_parents(root, ret_pids);
}

/* Returns false when there is no child any more, and so, below a subreaper, nothing. */
static bool reap_all(void)
{
	pid_t reaped;

	while ((reaped = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
		;
	return reaped == 0 || errno != ECHILD;
}

void descendants_kill(void)
{
	int64_t end = now_ns() + KILL_NS;
	struct timespec wait = { .tv_nsec = 1000000 };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD); /* blocked, as all are with us */
	while (reap_all() && now_ns() < end) {
		pid_t *pids = NULL;
		int count = descendants_list(getpid(), &pids);

		for (int i = 0; i < count; i++)
			kill(pids[i], SIGKILL);
		free(pids);
		sigtimedwait(&child, NULL, &wait);
		wait.tv_nsec = MIN(2 * wait.tv_nsec, LOOK_AGAIN_NS);
	}
}
