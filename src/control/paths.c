/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a network's files are: paths.h. */
#include "control/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
		return -EACCES;
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
