/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostile.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static unsigned got;

void complain(const char *format, ...)
{
	va_list arguments;

	got++;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

int verdict(void)
{
	if (!got)
		puts("held");
	return got != 0;
}

bool is_unix(int fd)
{
	char line[512], wanted[32];
	struct stat status;
	bool found = false;
	FILE *file = fopen("/proc/net/unix", "re");

	if (file && !fstat(fd, &status)) {
		snprintf(wanted, sizeof(wanted), " %llu", (unsigned long long)status.st_ino);
		while (!found && fgets(line, sizeof(line), file))
			found = strstr(line, wanted) != NULL;
	}
	if (file)
		fclose(file);
	return found;
}
