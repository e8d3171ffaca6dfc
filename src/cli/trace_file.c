/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/trace_file.h"

#include <berth/conditions.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LENGTH = 64 };

static json_t *complain(const struct command *command, const char *path, unsigned long line, const char *what,
			json_t *steps)
{
	if (line)
		fprintf(stderr, "berth %s: %s:%lu: %s\n", command->name, path, line, what);
	else
		fprintf(stderr, "berth %s: %s: %s\n", command->name, path, what);
	json_decref(steps);
	return NULL;
}

/* A whole number and nothing else. Returns false when text is none. */
static bool read_moment(const char *text, unsigned long *ret_moment)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_moment = strtoul(text, &end, 10);
	return !errno && *ret_moment <= UINT32_MAX && end[strspn(end, " \t\r\n")] == 0;
}

/* The steps from moment to moment; what begins with # and empty lines say nothing. */
static json_t *read_steps(const struct command *command, const char *path, FILE *file)
{
	unsigned long moment, before = 0, line = 0;
	json_t *steps = json_array();
	char text[LINE_MAX_LENGTH];

	while (fgets(text, sizeof(text), file)) {
		line++;
		if (*text == '#' || text[strspn(text, " \t\r\n")] == 0)
			continue;
		if (!read_moment(text, &moment))
			return complain(command, path, line, "no moment in milliseconds (as in 120)", steps);
		if (moment < before)
			return complain(command, path, line, "it lies before the moment above it", steps);
		if (json_array_size(steps) == BERTH_TRACE_MAX)
			return complain(command, path, line, "too many moments: 400000 at most", steps);
		json_array_append_new(steps, json_integer((json_int_t)(moment - before)));
		before = moment;
	}
	if (ferror(file))
		return complain(command, path, 0, strerror(errno), steps);
	if (!before)
		return complain(command, path, 0, "no trace: a line for each moment, in milliseconds, is needed",
				steps);
	return steps;
}

json_t *trace_file_read(const struct command *command, const char *path)
{
	const char *slash = strrchr(path, '/');
	FILE *file = fopen(path, "re");
	json_t *steps;

	if (!file)
		return complain(command, path, 0, strerror(errno), NULL);
	steps = read_steps(command, path, file);
	fclose(file);
	return steps ? json_pack("{s:s, s:o}", "name", slash ? slash + 1 : path, "steps", steps) : NULL;
}
