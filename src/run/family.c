/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descendants, from /proc. The caller is a subreaper (prctl(2)), so whatever
 * forks and orphans itself still hangs below it.
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
#include <time.h>
#include <unistd.h>

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

int descendants_list(pid_t root, pid_t **ret_pids)
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

void descendants_kill(void)
{
	for (int round = 0; round < 5000; round++) {
		pid_t *pids = NULL, reaped;
		int count = descendants_list(getpid(), &pids);

		for (int i = 0; i < count; i++)
			kill(pids[i], SIGKILL);
		free(pids);
		do {
			reaped = waitpid(-1, NULL, WNOHANG | __WALL);
		} while (reaped > 0);
		if (reaped < 0 && errno == ECHILD)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}
