/* SPDX-License-Identifier: BSD-2-Clause */
/* berth pause, resume, reset-conn and flap: faults that are not a cable's. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compose/yaml.h"
#include "control/json.h"
#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_PORT, OPTION_DOWN, OPTION_UP, OPTION_COUNT };

#define NET_OPTION \
	{ \
		OPTION_NET, "net", "NETWORK", "the network to change (default: default)" \
	}

static const struct cli_option pause_options[] = { NET_OPTION, { 0 } };

static const struct cli_option reset_options[] = {
	{ OPTION_PORT, "port", "PORT", "only conversations with this port at either end" },
	NET_OPTION,
	{ 0 },
};

static const struct cli_option flap_options[] = {
	{ OPTION_DOWN, "down", "TIME", "how long it is cut each time (default: 1s)" },
	{ OPTION_UP, "up", "TIME", "how long it works between (default: 4s)" },
	{ OPTION_COUNT, "count", "N", "so often (default: until Ctrl-C)" },
	NET_OPTION,
	{ 0 },
};

static int pause_all(const struct command *command, int argc, char **argv)
{
	const char *network = NETWORK_DEFAULT;
	bool paused = !strcmp(command->name, "pause");
	int result, code = CLI_OK;

	while ((result = options_next(command, argc, argv)) > 0)
		network = optarg;
	if (result != OPTIONS_END)
		return options_exit(result);
	if (optind == argc)
		return usage_error(command, "whom? A host's name is needed (berth ps lists them)");
	if (network_check(command, network))
		return CLI_USAGE;
	for (; optind < argc; optind++)
		if (program_put(command, network, argv[optind], "pause", json_pack("{s:b}", "paused", paused)))
			code = CLI_FAILED;
	return cli_finish(code);
}

static bool number_read(const char *text, long least, long most, long *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtol(text, &end, 10);
	return !errno && end != text && !*end && *ret_number >= least && *ret_number <= most;
}

static int reset_ask(const struct command *command, const char *network, json_t *body)
{
	json_t *answer;
	int r = api_put(command, network, "/v1/reset", body, &answer);

	json_decref(body);
	if (r)
		return r;
	if (!api_number(answer, "ends"))
		printf("no conversation to reset%s\n",
		       json_get_flag(answer, "express", 0) ? ": those by express have none" : "");
	json_decref(answer);
	return cli_finish(CLI_OK);
}

static int reset_run(const struct command *command, int argc, char **argv)
{
	const char *network = NETWORK_DEFAULT, *hosts[2] = { NULL, NULL };
	long port = 0;
	int result, count = 0;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			network = optarg;
		else if (!number_read(optarg, 1, 65535, &port))
			return usage_error(command, "--port: '%s' is no number from 1 to 65535", optarg);
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	while (optind < argc && count < 2)
		hosts[count++] = argv[optind++];
	if (usage_no_operands(command, argc, argv) || network_check(command, network))
		return CLI_USAGE;
	if (!count && !port)
		return usage_error(command, "which? A host, two hosts or --port is needed");
	for (int i = 0; i < count; i++)
		if (host_check(command, network, hosts[i]))
			return CLI_FAILED;
	return reset_ask(command, network,
			 json_pack("{s:s*, s:s*, s:i}", "host", hosts[0], "peer", hosts[1], "port", (int)port));
}

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = 1;
}

struct flap {
	const struct command *command;
	const char *network, *hosts[2];
	double down, up;
	long count; /* 0: for ever */
};

static int set_cable(const struct flap *flap, const char *word)
{
	json_t *hosts = json_pack("[s, s*]", flap->hosts[0], flap->hosts[1]), *answer;
	json_t *body =
		json_pack("{s:[{s:o, s:s, s:[s]}]}", "changes", "hosts", hosts, "direction", "both", "words", word);
	int r = api_put(flap->command, flap->network, "/v1/links", body, &answer);

	json_decref(body);
	if (!r)
		json_decref(answer);
	return r;
}

static void rest(double seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	while (!stopped && nanosleep(&time, &time) && errno == EINTR)
		;
}

/* Whatever ends it, the cable works afterwards. */
static int flap_cable(const struct flap *flap)
{
	int code = CLI_OK;

	for (long i = 0; !stopped && !code && (!flap->count || i < flap->count); i++) {
		if (i)
			rest(flap->up);
		if (!stopped)
			code = set_cable(flap, "cut");
		rest(code ? 0 : flap->down);
		if (!code)
			code = set_cable(flap, "mend");
	}
	return cli_finish(code);
}

static int flap_option(struct flap *flap, int letter)
{
	if (letter == OPTION_NET)
		flap->network = optarg;
	else if (letter == OPTION_COUNT && !number_read(optarg, 1, 1000000000, &flap->count))
		return usage_error(flap->command, "--count: '%s' is no number above 0", optarg);
	else if (letter != OPTION_COUNT && !duration_parse(optarg, letter == OPTION_UP ? &flap->up : &flap->down))
		return usage_error(flap->command, "'%s' is no time (as in 500ms, 2s)", optarg);
	return CLI_OK;
}

static int flap_run(const struct command *command, int argc, char **argv)
{
	struct flap flap = { .command = command, .network = NETWORK_DEFAULT, .down = 1, .up = 4 };
	struct sigaction action = { .sa_handler = on_signal };
	int result, count = 0;

	while ((result = options_next(command, argc, argv)) > 0)
		if (flap_option(&flap, result))
			return CLI_USAGE;
	if (result != OPTIONS_END)
		return options_exit(result);
	while (optind < argc && count < 2)
		flap.hosts[count++] = argv[optind++];
	if (!count)
		return usage_error(command, "whose cable? A host's name is needed");
	if (usage_no_operands(command, argc, argv) || network_check(command, flap.network))
		return CLI_USAGE;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return flap_cable(&flap);
}

#define EXIT_DETAILS "Exit code: 0; 1 when the network is not running or has no such host; 125 for wrong use.\n"

const struct command command_pause = {
	.name = "pause",
	.usage = "[OPTIONS] HOST...",
	.summary = "Stop every process of a host, as if its machine stood still",
	.options = pause_options,
	.details = "The host's TCP goes on to acknowledge what fits its buffers, as a kernel does for a\n"
		   "process that is stopped. berth resume lets it go on.\n\n" EXIT_DETAILS,
	.run = pause_all,
};

const struct command command_resume = {
	.name = "resume",
	.usage = "[OPTIONS] HOST...",
	.summary = "Let the processes of a paused host go on",
	.options = pause_options,
	.details = EXIT_DETAILS,
	.run = pause_all,
};

const struct command command_reset_conn = {
	.name = "reset-conn",
	.usage = "[OPTIONS] [HOST [PEER]]",
	.summary = "Reset conversations: both ends see ECONNRESET",
	.options = reset_options,
	.details = "All of HOST's, those between HOST and PEER, or those at a port. Listeners stay; programs\n"
		   "may connect again at once.\n\n"
		   "  berth reset-conn web db\n"
		   "  berth reset-conn --port 5432\n\n" EXIT_DETAILS,
	.run = reset_run,
};

const struct command command_flap = {
	.name = "flap",
	.usage = "[OPTIONS] HOST [PEER]",
	.summary = "Cut a cable and mend it, over and over",
	.options = flap_options,
	.details = "HOST's cable, or what goes between HOST and PEER. However it ends, the cable is whole\n"
		   "then.\n\n"
		   "  berth flap --down 500ms --up 2s --count 10 web\n\n" EXIT_DETAILS,
	.run = flap_run,
};
