/* SPDX-License-Identifier: BSD-2-Clause */
/* berth exec: another program on a host that is there. */
#include "cli/launch.h"

#include "control/paths.h"

#include <getopt.h>

static const struct cli_option options[] = {
	{ OPTION_LAUNCH_NET, "net", "NETWORK", "the network that the host is on (default: default)" },
	LAUNCH_OPTIONS,
	{ 0 },
};

static int exec_run(const struct command *command, int argc, char **argv)
{
	struct launch launch = { .options = { .network = NETWORK_DEFAULT, .exec = true } };
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		int r = CLI_OK;

		if (result != OPTION_LAUNCH_NET)
			r = launch_option(command, result, &launch);
		else if (!(r = network_check(command, optarg)))
			launch.options.network = optarg;
		if (r)
			return launch_end(&launch, r);
	}
	if (result != OPTIONS_END)
		return launch_end(&launch, options_exit(result));
	if (optind >= argc)
		return launch_end(&launch, usage_error(command, "no host given"));
	launch.options.name = argv[optind++];
	if (optind < argc && argv[optind][0] == '-' && argv[optind][1] == '-' && !argv[optind][2])
		optind++;
	if (optind >= argc)
		return launch_end(&launch, usage_error(command, "no program given"));
	if (!name_is_host(launch.options.name))
		return launch_end(&launch,
				  usage_error(command, "'%s': a host's name is 1 to 63 letters, digits and inner '-'",
					      launch.options.name));
	return launch_run(command, &launch, argv + optind);
}

const struct command command_exec = {
	.name = "exec",
	.usage = "[OPTIONS] HOST [--] PROGRAM [ARGUMENTS]",
	.summary = "Run another program on a host that is there",
	.options = options,
	.details = "It shares the host's address, name, ports and loopback, what the host may reach, and\n"
		   "--express (with its shim); and ends with the program that the host was made for.\n\n"
		   "  berth exec web -- curl http://127.0.0.1/\n\n"
		   "Exit code: as berth run's; 137 when the host ended under it.\n",
	.run = exec_run,
	.program_follows = true,
};
