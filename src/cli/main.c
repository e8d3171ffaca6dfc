/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The berth command: finds the subcommand in a table and runs it.
 */
#include "cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* In the order of help. One a line: people who add one at the same time do not meet. */
/* clang-format off */
const struct command *const commands[] = {
	/* programs */
	&command_run,
	&command_exec,
	&command_ps,
	&command_logs,
	&command_inspect,
	&command_wait,
	&command_kill,
	&command_stop,
	&command_rm,
	&command_publish,
	&command_unpublish,
	/* networks */
	&command_net,
	&command_up,
	&command_down,
	&command_config,
	&command_scenario,
	&command_test,
	/* links */
	&command_link,
	&command_partition,
	&command_heal,
	&command_flap,
	&command_reset_conn,
	&command_pause,
	&command_resume,
	/* looking */
	&command_top,
	&command_ss,
	&command_ports,
	&command_why,
	&command_events,
	&command_trace,
	&command_capture,
	/* the rest */
	&command_doctor,
	&command_version,
	&command_help,
	&command_daemon,
	&command_extcap,
	NULL,
};
/* clang-format on */

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/* Levenshtein's distance, for words short enough to be command names; others are far. */
static size_t word_distance(const char *a, const char *b)
{
	size_t row[16], width = strlen(b);

	if (width >= 16 || strlen(a) >= 16)
		return 16;
	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t above = row[j], best = diagonal + (*a != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[width];
}

const char *command_suggest(const char *name)
{
	const char *best = NULL;
	size_t nearest = 3; /* two slips at most */

	for (size_t i = 0; commands[i]; i++) {
		size_t distance = word_distance(name, commands[i]->name);

		if (!commands[i]->internal && distance < nearest && distance < strlen(name)) {
			nearest = distance;
			best = commands[i]->name;
		}
	}
	return best;
}

static int command_unknown(const char *name)
{
	const char *near = command_suggest(name);

	if (near)
		fprintf(stderr, "berth: '%s' is not a berth command; did you mean '%s'? (berth help lists all)\n", name,
			near);
	else
		fprintf(stderr, "berth: '%s' is not a berth command (berth help lists all)\n", name);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name) {
		usage_print(NULL, stderr);
		return CLI_USAGE;
	}
	if (strcmp(name, "daemon"))
		json_set_alloc_funcs(cli_alloc, free); /* its parser asserts that there is memory */
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	command = command_find(name);
	if (!command && name[0] == '-') {
		fprintf(stderr, "berth: unknown option '%s'; a command comes first (berth help lists all)\n", name);
		return CLI_USAGE;
	}
	if (!command)
		return command_unknown(name);
	return command->run(command, argc - 1, argv + 1);
}
