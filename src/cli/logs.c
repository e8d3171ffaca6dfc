/* SPDX-License-Identifier: BSD-2-Clause */
/* berth logs: what a detached program has said, its errors on our stderr. */
#include "cli/cli.h"

#include "control/paths.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_NET = 256, OPTION_TAIL, LINE_MAX_BYTES = 1 << 20 };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network that the host is on (default: default)" },
	{ 'f', "follow", NULL, "go on with what comes, until the program ends" },
	{ OPTION_TAIL, "tail", "N", "the last N lines only (default: all)" },
	{ 't', "timestamps", NULL, "begin each line with the time it was written at" },
	{ 0 },
};

struct logs {
	const char *network;
	bool follow, timestamps;
	long tail; /* -1: all */
};

/* RFC 3339, in UTC. */
static void time_print(long long ns, FILE *out)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm time;
	char text[32];

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &time));
	fprintf(out, "%s.%09lldZ ", text, ns % 1000000000);
}

/* "TIME STREAM LENGTH\n". Returns false at the end. */
static bool head_read(struct api_stream *stream, long long *ret_ns, int *ret_stream, size_t *ret_length)
{
	char head[64];
	size_t length = 0;

	while (length < sizeof(head) - 1 && api_stream_read(stream, head + length, 1) == 1)
		if (head[length++] == '\n')
			break;
	head[length] = 0;
	return sscanf(head, "%lld %d %zu", ret_ns, ret_stream, ret_length) == 3 && *ret_length <= LINE_MAX_BYTES;
}

static void lines_print(const struct logs *logs, struct api_stream *stream)
{
	char *line = cli_alloc(LINE_MAX_BYTES);
	long long ns;
	size_t length;
	int which;

	while (head_read(stream, &ns, &which, &length)) {
		FILE *out = which == 2 ? stderr : stdout;

		if (api_stream_read(stream, line, length) != length)
			break;
		if (which == 0) { /* of the log, not the program's */
			fflush(stdout);
			fprintf(stderr, "berth logs: %.*s", (int)length, line);
			continue;
		}
		if (logs->timestamps)
			time_print(ns, out);
		fwrite(line, 1, length, out);
		if (logs->follow && fflush(out))
			break; /* who read it has gone */
	}
	free(line);
}

static int logs_print(const struct command *command, const struct logs *logs, const char *name)
{
	struct api_stream stream;
	char path[160], query[64] = "logs?";

	if (logs->tail >= 0)
		snprintf(query, sizeof(query), "logs?tail=%ld&", logs->tail);
	if (logs->follow)
		strcat(query, "follow=1");
	if (program_path(command, name, query, path, sizeof(path)) ||
	    api_stream_open(command, logs->network, path, &stream))
		return CLI_FAILED;
	lines_print(logs, &stream);
	api_stream_close(&stream);
	return cli_finish(CLI_OK);
}

static int take_tail(const struct command *command, struct logs *logs)
{
	char *end;

	logs->tail = strtol(optarg, &end, 10);
	if (!strcmp(optarg, "all"))
		logs->tail = -1;
	else if (*end || end == optarg || logs->tail < 0)
		return usage_error(command, "--tail '%s': a number of lines, or all", optarg);
	return CLI_OK;
}

static int logs_run(const struct command *command, int argc, char **argv)
{
	struct logs logs = { .network = NETWORK_DEFAULT, .tail = -1 };
	const char *name;
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			logs.network = optarg;
		else if (result == OPTION_TAIL && take_tail(command, &logs))
			return CLI_USAGE;
		logs.follow |= result == 'f';
		logs.timestamps |= result == 't';
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	if (optind >= argc)
		return usage_error(command, "no host given");
	name = argv[optind++];
	if (usage_no_operands(command, argc, argv) || network_check(command, logs.network))
		return CLI_USAGE;
	return logs_print(command, &logs, name);
}

const struct command command_logs = {
	.name = "logs",
	.usage = "[OPTIONS] HOST",
	.summary = "Show what a program in the background has said",
	.options = options,
	.details = "The network keeps the last 4 MiB of what each program that berth run -d started\n"
		   "wrote, until it is removed. Other programs' output is where they were started.\n\n"
		   "Exit code: 0; 1 when the network is not running or has no such host; 125 for wrong use.\n",
	.run = logs_run,
};
