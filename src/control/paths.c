/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a network's files are: paths.h. */
#include "control/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 256 };

int network_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (!length || length > NETWORK_NAME_MAX || name[0] == '-' || name[length - 1] == '-')
		return 0;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

int network_root(char *path, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int length;

	if (runtime && runtime[0] == '/') /* others are to be ignored, says the XDG specification */
		length = snprintf(path, size, "%s/berth", runtime);
	else
		length = snprintf(path, size, "/tmp/berth-%u", (unsigned)geteuid());
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* A directory of ours that nobody else may enter. Others could have made it before us in /tmp. */
static int make_directory(const char *path)
{
	struct stat status;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || status.st_mode & 077)
		return -EPERM;
	return 0;
}

int network_path(const char *network, const char *what, int make, char *path, size_t size)
{
	int r = network_root(path, size);

	if (r < 0)
		return r;
	size_t root = strlen(path);
	if (root + 1 + strlen(network) + 1 + strlen(what) + 1 > size)
		return -ENAMETOOLONG;
	if (make && (r = make_directory(path)) < 0)
		return r;
	snprintf(path + root, size - root, "/%s", network);
	if (make && (r = make_directory(path)) < 0)
		return r;
	if (*what)
		snprintf(path + strlen(path), size - strlen(path), "/%s", what);
	return 0;
}

/* Whether path is still the file that fd is open at: another cleaner may have been faster. */
static bool is_same(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

/* Take the lock of a network whose daemon is gone. Its descriptor; -ENOENT: no lock file; -EWOULDBLOCK: it lives. */
static int lock_stale(const char *network)
{
	char path[PATH_ROOM];
	int fd;

	if (network_path(network, "lock", 0, path, sizeof(path)))
		return -EWOULDBLOCK;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT) /* without a descriptor for it, it can still be asked for */
		return access(path, F_OK) < 0 && errno == ENOENT ? -ENOENT : -EWOULDBLOCK;
	if (fd < 0)
		return -ENOENT;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_same(fd, path)) {
		close(fd);
		return -EWOULDBLOCK;
	}
	return fd;
}

/* Remove the network's files. Its lock is held meanwhile, so that no new daemon comes in between. */
static void remove_files(const char *network, int lock)
{
	static const char *const files[] = { "run.sock", "api.sock", "lock" };
	char path[PATH_ROOM];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!network_path(network, files[i], 0, path, sizeof(path)))
			unlink(path);
	close(lock);
}

int network_clean(const char *network)
{
	char path[PATH_ROOM];
	int lock = lock_stale(network), r = 0;

	if (lock >= 0)
		remove_files(network, lock);
	else if (lock != -ENOENT)
		return lock;
	/* A new daemon that comes just now makes the directories again. */
	if (!network_path(network, "", 0, path, sizeof(path)) && rmdir(path) < 0 && errno != ENOENT)
		r = -errno;
	if (!network_root(path, sizeof(path)))
		rmdir(path); /* unless there are other networks */
	return r;
}
