/* SPDX-License-Identifier: BSD-2-Clause */
/* berth inspect: everything that is known of a host and its program. */
#include "cli/cli.h"

#include "control/json.h"
#include "control/paths.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_NET = 256, OPTION_JSON };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network that the hosts are on (default: default)" },
	{ OPTION_JSON, "json", NULL, "print what the control API says, as JSON" },
	{ 0 },
};

static const char *state_text(const json_t *program)
{
	if (!strcmp(api_string(program, "state"), "paused"))
		return "paused";
	return json_get_flag(program, "detached", 0) ? "running, detached" : "running";
}

static void line(const char *what, const char *text)
{
	printf("%-10s %s\n", what, text);
}

static void time_line(const char *what, long long seconds)
{
	time_t time = (time_t)seconds;
	struct tm broken;
	char text[40];

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", localtime_r(&time, &broken));
	line(what, text);
}

/* What it tried to reach and must not. */
static void denied_print(const json_t *program)
{
	json_t *denied;
	size_t i;

	if (!api_number(program, "denied_count"))
		return;
	printf("%-10s %lld attempt%s\n", "denied", api_number(program, "denied_count"),
	       api_number(program, "denied_count") == 1 ? "" : "s");
	json_array_foreach(json_object_get(program, "denied"), i, denied)
		printf("%-10s   %s to %s, %lld time%s\n", "", api_string(denied, "command"),
		       api_string(denied, "destination"), api_number(denied, "count"),
		       api_number(denied, "count") == 1 ? "" : "s");
}

static void program_print(const json_t *program, const char *network)
{
	bool ended = !strcmp(api_string(program, "state"), "ended");
	char published[512], text[160];

	published_list(json_object_get(program, "published"), published, sizeof(published));
	line("name", api_string(program, "name"));
	line("network", network);
	snprintf(text, sizeof(text), "ended, exit code %lld", api_number(program, "exit_code"));
	line("state", ended ? text : state_text(program));
	snprintf(text, sizeof(text), "%s, %s", api_string(program, "ip4"), api_string(program, "ip6"));
	line("address", text);
	line("program", api_string(program, "program"));
	snprintf(text, sizeof(text), "%lld", api_number(program, "pid"));
	line("process", ended ? "-" : text);
	time_line("started", api_number(program, "started"));
	if (ended)
		time_line("ended", api_number(program, "ended"));
	else
		line("via", json_get_flag(program, "express", 0) ? "express" : "wire");
	line("published", published);
	denied_print(program);
}

static int inspect_one(const struct command *command, const char *network, const char *name, json_t **ret_program)
{
	struct api_stream stream;
	char path[160], *text;
	size_t length;

	if (program_path(command, name, "", path, sizeof(path)) || api_stream_open(command, network, path, &stream))
		return CLI_FAILED;
	text = cli_alloc(1 << 20);
	length = api_stream_read(&stream, text, 1 << 20);
	api_stream_close(&stream);
	*ret_program = json_loadb(text, length, 0, NULL);
	free(text);
	if (*ret_program)
		return CLI_OK;
	fprintf(stderr, "berth %s: network '%s' gave an answer that makes no sense\n", command->name, network);
	return CLI_FAILED;
}

static int inspect_all(const struct command *command, const char *network, char **names, bool as_json)
{
	json_t *all = json_array(), *program;
	int code = CLI_OK;

	for (size_t i = 0; names[i]; i++) {
		if (inspect_one(command, network, names[i], &program)) {
			code = CLI_FAILED;
			continue;
		}
		if (!as_json && json_array_size(all))
			printf("\n");
		if (!as_json)
			program_print(program, network);
		json_array_append_new(all, program);
	}
	if (as_json)
		api_print(all);
	json_decref(all);
	return cli_finish(code);
}

static int inspect_run(const struct command *command, int argc, char **argv)
{
	const char *network = NETWORK_DEFAULT;
	bool as_json = false;
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			network = optarg;
		else
			as_json = true;
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	if (network_check(command, network))
		return CLI_USAGE;
	if (optind >= argc)
		return usage_error(command, "no host given");
	return inspect_all(command, network, argv + optind, as_json);
}

const struct command command_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] HOST...",
	.summary = "Show what is known of a host and its program",
	.options = options,
	.details = "Exit code: 0; 1 when the network is not running or has no such host; 125 for wrong use.\n",
	.run = inspect_run,
};
