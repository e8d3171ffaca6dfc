/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include <getopt.h>

static int unknown(const struct command *command, const char *name)
{
	const char *near = command_suggest(name);

	if (near)
		return usage_error(command, "there is no command '%s'; did you mean '%s'?", name, near);
	return usage_error(command, "there is no command '%s'", name);
}

static int help_run(const struct command *command, int argc, char **argv)
{
	const struct command *about = NULL;
	int result = options_next(command, argc, argv);

	if (result != OPTIONS_END)
		return options_exit(result);
	if (optind < argc) {
		const char *name = argv[optind++];

		about = command_find(name);
		if (!about)
			return unknown(command, name);
	}
	if (usage_no_operands(command, argc, argv))
		return CLI_USAGE;
	usage_print(about, stdout);
	return cli_finish(CLI_OK);
}

const struct command command_help = {
	.name = "help",
	.usage = "[COMMAND]",
	.summary = "Say what the commands are, or what one takes",
	.run = help_run,
};
