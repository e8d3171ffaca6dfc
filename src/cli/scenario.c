/* SPDX-License-Identifier: BSD-2-Clause */
/* berth scenario: faults at their times, on a network that runs. */
#include "cli/project.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"

enum { OPTION_NET = 256, OPTION_SEED };

static const struct cli_option options[] = {
	{ 'f', "file", "FILE", "the file with the scenario (default: berth.yaml; -: standard input)" },
	{ OPTION_SEED, "seed", "NUMBER", "draw the nemesis's faults from this (default: the file's, else a new one)" },
	{ OPTION_NET, "net", "NETWORK", "the network to do it to (default: the file's)" },
	{ 0 },
};

static volatile int interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

struct scenario_choice {
	const char *file, *network, *seed, *verb;
};

static int take_seed(const struct command *command, const char *text, struct scenario *scenario)
{
	char *end;

	if (text) {
		errno = 0;
		scenario->seed = strtoull(text, &end, 0);
		if (errno || end == text || *end || *text == '-')
			return usage_error(command, "--seed: '%s' is no number", text);
	} else if (!scenario->seed_given) {
		scenario->seed = (uint64_t)clock_wall_ns() % 1000000007;
	}
	return CLI_OK;
}

static int play(const struct command *command, const struct scenario_choice *choice)
{
	struct compose compose;
	int code = project_open(command, choice->file, &compose);

	if (code)
		return code;
	code = project_rename(command, &compose, choice->network);
	if (!code && !compose.scenario.given)
		code = usage_error(command, "%s has no scenario", compose.yaml.path);
	if (!code)
		code = take_seed(command, choice->seed, &compose.scenario);
	if (!code) {
		scenario_draw(&compose.yaml, &compose.scenario, compose.scenario.seed);
		signal(SIGINT, on_signal);
		signal(SIGTERM, on_signal);
		if (!strcmp(choice->verb, "show"))
			project_print_scenario(&compose, stdout);
		else
			code = project_play(&compose, stdout, &interrupted);
	}
	compose_close(&compose);
	return cli_finish(code);
}

static int scenario_run(const struct command *command, int argc, char **argv)
{
	struct scenario_choice choice = { NULL };
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == 'f')
			choice.file = optarg;
		else if (result == OPTION_SEED)
			choice.seed = optarg;
		else
			choice.network = optarg;
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	if (optind == argc)
		return usage_error(command, "run or show?");
	choice.verb = argv[optind++];
	if (strcmp(choice.verb, "run") && strcmp(choice.verb, "show"))
		return usage_error(command, "'%s' is none of run, show", choice.verb);
	if (usage_no_operands(command, argc, argv))
		return CLI_USAGE;
	return play(command, &choice);
}

const struct command command_scenario = {
	.name = "scenario",
	.usage = "[OPTIONS] run|show",
	.summary = "Do to a network what a file says, at the times it says",
	.options = options,
	.details = "The file's scenario has steps with times, or a nemesis that draws faults from a seed:\n"
		   "the same seed gives the same faults (berth-yaml(5)). show prints what would be done.\n"
		   "Whoever interrupts it leaves things as they are; berth heal and berth link reset mend.\n\n"
		   "Exit code: 0; 1 when a step failed; 125 when the file or a seed makes no sense.\n",
	.run = scenario_run,
};
