/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth run: reads its options into a struct run_options; src/run does the rest.
 * Everything wrong with the command line is said here, before anything starts.
 */
#include "cli/cli.h"

#include <berth/types.h>
#include <getopt.h>
#include <string.h>
#include <strings.h>

#include "cli/launch.h"
#include "cli/outside.h"
#include "control/paths.h"

enum {
	PUBLISH_MAX = 64,
	OPTION_NET = 256,
	OPTION_NAME,
	OPTION_IP,
	OPTION_IP6,
	OPTION_EXPRESS,
	OPTION_NO_EXPRESS,
	OPTION_INIT,
	OPTION_RM,
	OPTION_FAIL_ON_LEAK,
};

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "its network (default: default), begun when it is new" },
	{ OPTION_NAME, "name", "NAME", "this host's name (default: the program's, made unique)" },
	{ OPTION_IP, "ip", "ADDRESS", "this host's address (default: the next free one)" },
	{ OPTION_IP6, "ip6", "ADDRESS", "the same by its IPv6 address" },
	{ 'p', "publish", "[IP:]REAL:PORT[/udp]", "reach PORT from the real machine at REAL (IP 127.0.0.1)" },
	LAUNCH_OPTIONS,
	OUTSIDE_OPTIONS,
	{ OPTION_FAIL_ON_LEAK, "fail-on-leak", NULL, "fail when it tried to reach what it must not" },
	{ OPTION_RM, "rm", NULL, "with -d, forget the program when it has ended" },
	{ OPTION_INIT, "init", NULL, "reap orphans and pass signals on (which always happens)" },
	{ OPTION_EXPRESS, "express", NULL, "past Berth's TCP, program to program: faster" },
	{ OPTION_NO_EXPRESS, "no-express", NULL, "through Berth's TCP (the default; the last one counts)" },
	{ 0 },
};

struct run_line {
	struct launch launch;
	struct channel_publish publish[PUBLISH_MAX];
	struct outside outside;
};

static int take_publish(const struct command *command, struct run_line *line)
{
	struct run_options *run = &line->launch.options;
	const char *wrong;

	if (run->publish_count == PUBLISH_MAX)
		return usage_error(command, "at most %d ports can be published", PUBLISH_MAX);
	wrong = publish_parse(optarg, &line->publish[run->publish_count]);
	if (wrong)
		return usage_error(command, "-p '%s': %s", optarg, wrong);
	run->publish_count++;
	return CLI_OK;
}

static int take_ip(const struct command *command, struct channel_hello *hello, bool six)
{
	const char *name = six ? "ip6" : "ip";
	struct berth_ip ip;

	if (berth_ip_parse(optarg, &ip))
		return usage_error(command, "--%s '%s': that is no IP address", name, optarg);
	if (six && !strchr(optarg, ':'))
		return usage_error(command, "--ip6 '%s': that is no IPv6 address", optarg);
	memcpy(six ? hello->ip6 : hello->ip, ip.bytes, sizeof(hello->ip));
	return CLI_OK;
}

static int take_name(const struct command *command, struct run_options *run)
{
	if (!name_is_host(optarg))
		return usage_error(command, "--name '%s': a host's name is 1 to 63 letters, digits and inner '-'",
				   optarg);
	if (!strcasecmp(optarg, "localhost"))
		return usage_error(command, "--name '%s': every host calls itself that, take another", optarg);
	run->name = optarg;
	return CLI_OK;
}

static int take_option(const struct command *command, int letter, struct run_line *line)
{
	struct run_options *run = &line->launch.options;

	switch (letter) {
	case OPTION_NET:
		run->network = optarg;
		return network_check(command, optarg);
	case OPTION_NAME:
		return take_name(command, run);
	case OPTION_IP:
	case OPTION_IP6:
		return take_ip(command, &run->hello, letter == OPTION_IP6);
	case OPTION_EXPRESS:
		run->hello.flags |= HELLO_EXPRESS;
		return CLI_OK;
	case OPTION_NO_EXPRESS:
		run->hello.flags &= ~(uint32_t)HELLO_EXPRESS;
		return CLI_OK;
	case OPTION_RM:
		run->hello.flags |= HELLO_REMOVE;
		return CLI_OK;
	case OPTION_INIT:
		return CLI_OK;
	case OPTION_FAIL_ON_LEAK:
		run->fail_on_leak = true;
		return CLI_OK;
	case OPTION_ALLOW ... OPTION_ADD_HOST:
		return outside_option(command, letter, &line->outside);
	case 'p':
		return take_publish(command, line);
	default:
		return launch_option(command, letter, &line->launch);
	}
}

static int run_run(const struct command *command, int argc, char **argv)
{
	struct run_line line = { .launch.options = { .network = NETWORK_DEFAULT } };
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		if (take_option(command, result, &line))
			return launch_end(&line.launch, CLI_USAGE);
	if (result != OPTIONS_END)
		return launch_end(&line.launch, options_exit(result));
	if (optind >= argc)
		return launch_end(&line.launch, usage_error(command, "no program given"));
	if (outside_check(command, &line.outside))
		return launch_end(&line.launch, CLI_USAGE);
	line.launch.options.rules = line.outside.rules;
	line.launch.options.rule_count = line.outside.count;
	line.launch.options.publish = line.publish;
	if (line.launch.options.detach)
		line.launch.options.hello.flags |= HELLO_DETACHED;
	return launch_run(command, &line.launch, argv + optind);
}

const struct command command_run = {
	.name = "run",
	.usage = "[OPTIONS] [--] PROGRAM [ARGUMENTS]",
	.summary = "Run a program on a network of Berth's",
	.options = options,
	.details = "The program has a host of its own: an address, every port, and a name that the\n"
		   "other programs on the network reach it by. When the last one ends, so does the\n"
		   "network.\n\n"
		   "Exit code: the program's own; 128 + n when signal n ended it; 125 when Berth\n"
		   "could not run it (a line on stderr says why); 126 when it can't be executed;\n"
		   "127 when there is no such program.\n",
	.run = run_run,
	.program_follows = true,
};
