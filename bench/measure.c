/* SPDX-License-Identifier: BSD-2-Clause */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char **arguments;

double clock_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double argument(const char *key, double other)
{
	size_t length = strlen(key);

	for (char **each = arguments; each && *each; each++)
		if (!strncmp(*each, key, length) && (*each)[length] == '=')
			return strtod(*each + length + 1, NULL);
	return other;
}

double resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long whole, resident = 0;

	if (!file || fscanf(file, "%ld %ld", &whole, &resident) != 2)
		fail("/proc/self/statm");
	fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

void fail(const char *what)
{
	perror(what);
	exit(1);
}

struct stint stint_begin(void)
{
	return (struct stint){ .begun = clock_seconds(), .limit = argument("seconds", 0.3) };
}

bool stint_goes_on(struct stint *stint)
{
	stint->seconds = clock_seconds() - stint->begun;
	if (stint->ran && stint->seconds >= stint->limit)
		return false;
	stint->ran = true;
	return true;
}

static int usage(const char *program, const struct measure *measures)
{
	fprintf(stderr, "usage: %s MEASUREMENT [key=value]...\n", program);
	for (; measures->name; measures++)
		fprintf(stderr, "  %s (%s)\n", measures->name, measures->unit);
	return 2;
}

int measure_main(int argc, char **argv, const struct measure *measures)
{
	if (argc < 2)
		return usage(argv[0], measures);
	arguments = argv + 2;
	for (const struct measure *each = measures; each->name; each++)
		if (!strcmp(each->name, argv[1])) {
			printf("%.8g\n", each->run());
			return 0;
		}
	return usage(argv[0], measures);
}
