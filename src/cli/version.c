/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

static int version_run(const struct command *command, int argc, char **argv)
{
	int result = options_next(command, argc, argv);

	if (result != OPTIONS_END)
		return options_exit(result);
	if (usage_no_operands(command, argc, argv))
		return CLI_USAGE;
	printf("berth %s\n", BERTH_VERSION);
	return cli_finish(CLI_OK);
}

const struct command command_version = {
	.name = "version",
	.usage = "",
	.summary = "Print Berth's version",
	.run = version_run,
};
