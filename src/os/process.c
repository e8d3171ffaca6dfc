/* SPDX-License-Identifier: BSD-2-Clause */
/* Being a server: process.h. */
#include "os/process.h"

#include "os/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int process_detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), error = 0;

	if (null < 0)
		return -errno;
	if (setsid() < 0 && errno != EPERM) /* EPERM: leads its group already */
		error = errno;
	if (!error && (chdir("/") < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0))
		error = errno;
	if (null > 2)
		close(null);
	return -error;
}

long process_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return (long)limit.rlim_cur;
}

int process_lock(const char *path)
{
	for (;;) {
		struct stat held, there;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &held) < 0) {
			int error = errno;
			close(fd);
			return -error;
		}
		/* Its last owner may have removed the file between our open and our lock. */
		if (!stat(path, &there) && held.st_ino == there.st_ino && held.st_dev == there.st_dev)
			return fd;
		close(fd);
	}
}

int process_listen(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	fchmod(fd, 0600); /* bind() gives the file this mode, so there is no moment without it */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, SOMAXCONN) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int process_peer_is_us(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return 0;
	return peer.uid == geteuid() || peer.uid == 0;
}

pid_t process_peer_pid(int fd)
{
	struct ucred peer = { .pid = 0 };
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ? 0 : peer.pid;
}

void process_harden(void)
{
#if !defined(__SANITIZE_ADDRESS__) /* its leak check debugs itself */
	if (!getenv("BERTH_DEBUGGABLE"))
		prctl(PR_SET_DUMPABLE, 0);
#endif
}

void process_wake_exactly(void)
{
	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
}

/* What /proc says of a process. */
struct status {
	char name[32];
	pid_t parent;
	int filters; /* seccomp filters on it (5.9) */
};

static int status_read(pid_t pid, struct status *ret_status)
{
	char path[32], line[256];
	FILE *file;

	*ret_status = (struct status){ .parent = 0 };
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/status", pid);
	else
		snprintf(path, sizeof(path), "/proc/self/status");
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "Name: %31s", ret_status->name);
		sscanf(line, "PPid: %d", &ret_status->parent);
		if (sscanf(line, "Seccomp_filters: %d", &ret_status->filters) == 1)
			break;
	}
	fclose(file);
	return 0;
}

int process_is_run(pid_t pid)
{
	struct status own, status;
	int r = status_read(0, &own);

	if (r == -EMFILE || r == -ENFILE)
		return r;
	if (pid <= 0 || r < 0 || status_read(pid, &status) < 0)
		return 1;
	/* A filter is never got rid of; a supervisor, a subreaper, is always above those that it filters. */
	if (status.filters <= own.filters - process_confinement_filters())
		return 0;
	while (status.parent > 1) {
		if (status_read(status.parent, &status) < 0)
			return 1;
		if (!strcmp(status.name, PROCESS_RUN_NAME))
			return 1;
	}
	return 0;
}
