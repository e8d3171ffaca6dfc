/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth daemon: what `berth run` starts for a network's first program. Not for
 * typing; it ends by itself after the last one.
 */
#include "cli/cli.h"

#include <getopt.h>

#include "control/paths.h"
#include "daemon/daemon.h"

enum { OPTION_NET = 256 };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to be the daemon of (default: default)" },
	{ 0 },
};

static int daemon_run(const struct command *command, int argc, char **argv)
{
	const char *network = NETWORK_DEFAULT;
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		network = optarg;
	if (result != OPTIONS_END)
		return options_exit(result);
	if (usage_no_operands(command, argc, argv) || network_check(command, network))
		return CLI_USAGE;
	return daemon_main(network);
}

const struct command command_daemon = {
	.name = "daemon",
	.usage = "[--net NETWORK]",
	.summary = "Be the daemon of a network (berth run starts it)",
	.options = options,
	.run = daemon_run,
	.internal = true,
};
