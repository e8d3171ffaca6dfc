/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the shim is, and putting it into the program's environment. ld.so(8) */
#include "run/start.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From where berth is: beside it, where it is installed, and where it was built. */
static const char *const places[] = { "berth-shim.so", SHIM_INSTALLED, "../shim/berth-shim.so" };

const char *shim_find(void)
{
	static char found[PATH_MAX];
	char self[PATH_MAX], file[2 * PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		return NULL;
	self[length] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(file, sizeof(file), "%s/%s", self, places[i]);
		/* LD_PRELOAD has no way to write these two. */
		if (realpath(file, found) && access(found, R_OK) == 0 && !strpbrk(found, ": "))
			return found;
	}
	return NULL;
}

void preload_add(const char *file)
{
	const char *others = getenv("LD_PRELOAD");
	char *list;

	if (!others || !*others)
		setenv("LD_PRELOAD", file, 1);
	else if (!strstr(others, file) && asprintf(&list, "%s:%s", others, file) > 0)
		setenv("LD_PRELOAD", list, 1);
}
