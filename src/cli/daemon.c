/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth daemon: what `berth run` starts for a network's first program. Not for
 * typing; it ends by itself after the last one.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "control/paths.h"
#include "daemon/daemon.h"

enum { OPTION_NET = 256, OPTION_READY };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to be the daemon of (default: default)" },
	{ OPTION_READY, "ready-fd", "FD", "write a byte here when the network is up (0) or can't be (errno)" },
	{ 0 },
};

/* Returns a descriptor's number, or -1 if text is none. */
static int descriptor_parse(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	return *text && !*end && number >= 0 && number <= 1 << 20 ? (int)number : -1;
}

static int daemon_run(const struct command *command, int argc, char **argv)
{
	const char *network = NETWORK_DEFAULT;
	int result, ready = -1;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			network = optarg;
		else if ((ready = descriptor_parse(optarg)) < 0)
			return usage_error(command, "--ready-fd '%s': that is no descriptor", optarg);
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	if (usage_no_operands(command, argc, argv) || network_check(command, network))
		return CLI_USAGE;
	result = daemon_main(network, ready);
	/* Who gave a descriptor has been told there, and finds a word for the user. */
	if (result < 0 && ready >= 0)
		return CLI_FAILED;
	if (result == -EWOULDBLOCK)
		fprintf(stderr, "berth daemon: network '%s' has a daemon already\n", network);
	else if (result < 0)
		fprintf(stderr, "berth daemon: network '%s': %s\n", network, strerror(-result));
	return result < 0 ? CLI_FAILED : CLI_OK;
}

const struct command command_daemon = {
	.name = "daemon",
	.usage = "[--net NETWORK] [--ready-fd FD]",
	.summary = "Be the daemon of a network (berth run starts it)",
	.options = options,
	.run = daemon_run,
	.internal = true,
};
