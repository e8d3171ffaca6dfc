/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * open() and openat(), of /proc/net: what stands there is the real machine's,
 * and the program is to see its host's. The filter can't see paths, so that it
 * would have to ask of every file that is opened. It asks only of those opened
 * for reading with no other flag, as fopen(3) and a shell's < do: netstat,
 * ifconfig, route, lsof, Java. Runtimes that open with O_CLOEXEC are not asked,
 * nor are the thousands of files that they open.
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PATH_ROOM = 64, PAGE = 4096 };

/* As much as is there, ended by a zero byte. False: it is longer than anything looked for, or can't be read. */
static bool read_path(const struct call *call, uint64_t address, char path[PATH_ROOM])
{
	size_t first = MIN((size_t)PATH_ROOM, (size_t)(PAGE - address % PAGE)); /* the next page may not be there */

	if (memory_read(call, address, path, first))
		return false;
	if (memchr(path, 0, first))
		return true;
	return first < PATH_ROOM && !memory_read(call, address + first, path + first, PATH_ROOM - first) &&
	       memchr(path, 0, PATH_ROOM);
}

static bool is_ours(const struct call *call, pid_t pid)
{
	pid_t *pids = NULL;
	int count = pid == call->supervisor->child ? 0 : descendants_list(call->supervisor->child, &pids);
	bool found = pid == call->supervisor->child;

	for (int i = 0; i < count && !found; i++)
		found = pids[i] == pid;
	free(pids);
	return found;
}

/* The name of a file of the program's own /proc/net, by whichever way; NULL: it is none. */
static const char *name_in_net(const struct call *call, const char *path)
{
	static const char *const selves[] = { "self/", "thread-self/" };
	char *end;
	long pid;

	if (strncmp(path, "/proc/", 6) != 0)
		return NULL;
	path += 6;
	for (size_t i = 0; i < COUNT_OF(selves); i++)
		if (!strncmp(path, selves[i], strlen(selves[i])))
			path += strlen(selves[i]);
	pid = isdigit((unsigned char)*path) ? strtol(path, &end, 10) : 0;
	if (pid && (*end != '/' || strncmp(end + 1, "net/", 4) != 0 || !is_ours(call, (pid_t)pid)))
		return NULL;
	if (pid)
		path = end + 1;
	return strncmp(path, "net/", 4) == 0 ? path + 4 : NULL;
}

/* Have the daemon write the file. Returns 0; -ENOENT: it is not one that it answers for. */
static int fetch(struct call *call, const char *name, int file)
{
	struct channel_message message = { .value = 0 };
	int line = 0, r;

	do {
		call_message(call, &message, CHANNEL_PROCNET);
		message.id = 0;
		message.value = line;
		r = call_ask(call, &message, name, strlen(name), call->scratch, SCRATCH_SIZE);
		if (r < 0)
			return r;
		if (write(file, call->scratch, message.payload_length) != (ssize_t)message.payload_length)
			return -ENOSPC;
		line = message.value > line ? message.value : 0;
	} while (line);
	return 0;
}

/* The same file, for reading only and from its beginning. Takes file. */
static int reopen(int file)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(file);
	return fd;
}

int64_t handle_open(struct call *call)
{
	char path[PATH_ROOM];
	const char *name;
	int file, fd, number;

	if (!read_path(call, call->args[call->number == SYS_openat ? 1 : 0], path))
		return CALL_CONTINUE;
	name = name_in_net(call, path);
	if (!name)
		return CALL_CONTINUE;
	file = memfd_create("net", MFD_CLOEXEC);
	if (file < 0)
		return CALL_CONTINUE;
	if (fetch(call, name, file)) {
		close(file);
		return CALL_CONTINUE;
	}
	fd = reopen(file);
	if (fd < 0)
		return CALL_CONTINUE;
	number = call_finish_fd(call, fd, false);
	if (number >= 0)
		return CALL_ANSWERED;
	close(fd);
	return number;
}
