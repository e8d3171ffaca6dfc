/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth kill, stop, rm, wait: ending programs, and knowing how they ended. Each
 * takes several hosts and goes on with the others when one can't be served.
 */
#include "cli/cli.h"

#include "control/json.h"
#include "control/paths.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { OPTION_NET = 256, STOP_SECONDS = 10, KILL_SECONDS = 10 };

#define NET_OPTION \
	{ \
		OPTION_NET, "net", "NETWORK", "the network that the hosts are on (default: default)" \
	}

struct ending {
	const struct command *command;
	const char *network;
	int signal;
	long seconds;
	bool force;
	/* What to do with one. Returns an exit code. */
	int (*each)(const struct ending *ending, const char *name);
};

/* "TERM", "SIGTERM", "15". Returns the number, or -1. */
static int signal_parse(const char *text)
{
	char *end;
	long number;

	if (isdigit((unsigned char)*text)) {
		number = strtol(text, &end, 10);
		return !*end && number > 0 && number < NSIG ? (int)number : -1;
	}
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (int i = 1; i < NSIG; i++)
		if (sigabbrev_np(i) && !strcasecmp(sigabbrev_np(i), text))
			return i;
	return -1;
}

static int seconds_parse(const char *text, long *ret_seconds)
{
	char *end;

	*ret_seconds = strtol(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && *ret_seconds <= 1000000 ? 0 : -1;
}

int program_put(const struct command *command, const char *network, const char *name, const char *verb, json_t *body)
{
	json_t *answer;
	char path[160];
	int r = program_path(command, name, verb, path, sizeof(path));

	if (!r)
		r = api_put(command, network, path, body, &answer);
	json_decref(body);
	if (!r)
		json_decref(answer);
	return r;
}

/* Ask for verb on name. Takes body. */
static int change(const struct ending *ending, const char *name, const char *verb, json_t *body)
{
	return program_put(ending->command, ending->network, name, verb, body);
}

/* lenient: one that has ended meanwhile needs none. */
static int send_signal(const struct ending *ending, const char *name, int number, bool lenient)
{
	return change(ending, name, "signal", json_pack("{s:i, s:b}", "signal", number, "if_running", lenient));
}

static int wait_open(const struct ending *ending, const char *name, struct api_stream *stream)
{
	char path[160];

	if (program_path(ending->command, name, "wait", path, sizeof(path)))
		return CLI_FAILED;
	return api_stream_open(ending->command, ending->network, path, stream);
}

/* Has it ended within seconds (< 0: whenever)? */
static bool wait_ended(struct api_stream *stream, long seconds)
{
	struct pollfd ready = { .fd = stream->fd, .events = POLLIN };
	int r;

	if (stream->ahead_length)
		return true;
	do
		r = poll(&ready, 1, seconds < 0 ? -1 : (int)(seconds > 2000000 ? -1 : seconds * 1000));
	while (r < 0 && errno == EINTR);
	return r == 1;
}

/* The exit code that the stream tells in the end, or -1. */
static long long wait_code(const struct ending *ending, const char *name, struct api_stream *stream)
{
	char text[64];
	size_t length = api_stream_read(stream, text, sizeof(text));
	json_t *answer = json_loadb(text, length, 0, NULL);
	long long code = json_get_number(answer, "exit_code", -1);

	json_decref(answer);
	if (code < 0)
		fprintf(stderr, "berth %s: the network '%s' ended before '%s' did\n", ending->command->name,
			ending->network, name);
	return code;
}

static int kill_one(const struct ending *ending, const char *name)
{
	int r = send_signal(ending, name, ending->signal, false);

	if (!r)
		printf("%s\n", name);
	return r;
}

static int wait_one(const struct ending *ending, const char *name)
{
	struct api_stream stream;
	long long code;

	if (wait_open(ending, name, &stream))
		return CLI_FAILED;
	code = wait_code(ending, name, &stream);
	api_stream_close(&stream);
	if (code >= 0)
		printf("%lld\n", code);
	return code < 0 ? CLI_FAILED : CLI_OK;
}

/* Does name run? Told when it is not known. */
static int ask_running(const struct ending *ending, const char *name, bool *ret_running)
{
	struct api_stream stream;
	json_t *program;
	char path[160];
	int r = wait_open(ending, name, &stream); /* says what is wrong with the name */

	if (r)
		return r;
	api_stream_close(&stream);
	r = program_path(ending->command, name, "", path, sizeof(path));
	if (!r)
		r = api_get(ending->command, ending->network, path, &program);
	if (r)
		return r;
	*ret_running = strcmp(api_string(program, "state"), "ended") != 0;
	json_decref(program);
	return CLI_OK;
}

static int stop_one(const struct ending *ending, const char *name)
{
	struct api_stream stream;
	bool running;
	int r = ask_running(ending, name, &running);

	if (r)
		return r;
	if (running && (r = wait_open(ending, name, &stream)) == CLI_OK) {
		r = send_signal(ending, name, SIGTERM, true);
		if (!r && !wait_ended(&stream, ending->seconds))
			r = send_signal(ending, name, SIGKILL, true);
		if (!r)
			r = wait_code(ending, name, &stream) < 0 ? CLI_FAILED : CLI_OK;
		api_stream_close(&stream);
	}
	if (!r)
		printf("%s\n", name);
	return r;
}

static int rm_one(const struct ending *ending, const char *name)
{
	struct api_stream stream;
	int r = wait_open(ending, name, &stream);

	if (r)
		return r;
	r = change(ending, name, "remove", json_pack("{s:b}", "force", ending->force));
	if (!r && !wait_ended(&stream, KILL_SECONDS)) {
		fprintf(stderr, "berth %s: '%s' does not end, though it was killed\n", ending->command->name, name);
		r = CLI_FAILED;
	}
	api_stream_close(&stream);
	if (!r)
		printf("%s\n", name);
	return r;
}

static int take_option(struct ending *ending, int letter)
{
	if (letter == OPTION_NET)
		ending->network = optarg;
	else if (letter == 's' && (ending->signal = signal_parse(optarg)) < 0)
		return usage_error(ending->command, "-s '%s': that is no signal (kill -l lists them)", optarg);
	else if (letter == 't' && seconds_parse(optarg, &ending->seconds))
		return usage_error(ending->command, "-t '%s': a number of seconds is needed", optarg);
	ending->force |= letter == 'f';
	return CLI_OK;
}

static int run(struct ending *ending, int argc, char **argv)
{
	int result, code = CLI_OK;

	ending->network = NETWORK_DEFAULT;
	while ((result = options_next(ending->command, argc, argv)) > 0)
		if (take_option(ending, result))
			return CLI_USAGE;
	if (result != OPTIONS_END)
		return options_exit(result);
	if (network_check(ending->command, ending->network))
		return CLI_USAGE;
	if (optind >= argc)
		return usage_error(ending->command, "no host given");
	for (int i = optind; i < argc; i++) {
		if (ending->each(ending, argv[i]))
			code = CLI_FAILED;
		fflush(stdout);
	}
	return cli_finish(code);
}

static int kill_run(const struct command *command, int argc, char **argv)
{
	return run(&(struct ending){ .command = command, .each = kill_one, .signal = SIGKILL }, argc, argv);
}

static int stop_run(const struct command *command, int argc, char **argv)
{
	return run(&(struct ending){ .command = command, .each = stop_one, .seconds = STOP_SECONDS }, argc, argv);
}

static int rm_run(const struct command *command, int argc, char **argv)
{
	return run(&(struct ending){ .command = command, .each = rm_one }, argc, argv);
}

static int wait_run(const struct command *command, int argc, char **argv)
{
	return run(&(struct ending){ .command = command, .each = wait_one }, argc, argv);
}

static const struct cli_option kill_options[] = {
	NET_OPTION,
	{ 's', "signal", "SIGNAL", "this one, by name or number (default: KILL)" },
	{ 0 },
};
static const struct cli_option stop_options[] = {
	NET_OPTION,
	{ 't', "time", "SECONDS", "wait so long before SIGKILL (default: 10)" },
	{ 0 },
};
static const struct cli_option rm_options[] = {
	NET_OPTION,
	{ 'f', "force", NULL, "kill it first if it runs" },
	{ 0 },
};
static const struct cli_option wait_options[] = { NET_OPTION, { 0 } };

#define EXIT_DETAILS \
	"Exit code: 0; 1 when the network is not running or a host could not be served; 125 for\n" \
	"wrong use.\n"

const struct command command_kill = {
	.name = "kill",
	.usage = "[OPTIONS] HOST...",
	.summary = "Send a signal to a host's program",
	.options = kill_options,
	.details = EXIT_DETAILS,
	.run = kill_run,
};

const struct command command_stop = {
	.name = "stop",
	.usage = "[OPTIONS] HOST...",
	.summary = "End a host's program: SIGTERM, then SIGKILL",
	.options = stop_options,
	.details = EXIT_DETAILS,
	.run = stop_run,
};

const struct command command_rm = {
	.name = "rm",
	.usage = "[OPTIONS] HOST...",
	.summary = "Forget a program that has ended, with what it said",
	.options = rm_options,
	.details = EXIT_DETAILS,
	.run = rm_run,
};

const struct command command_wait = {
	.name = "wait",
	.usage = "[OPTIONS] HOST...",
	.summary = "Wait for a program's end, and print its exit code",
	.options = wait_options,
	.details = EXIT_DETAILS,
	.run = wait_run,
};
