/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program starts with: environment, directory, user. A variable without
 * a value is taken from our own environment, and left alone when it is not there.
 */
#include "cli/launch.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static void variables_add(struct variables *variables, const char *text)
{
	char **grown = realloc(variables->list, (variables->count + 2) * sizeof(*grown));

	if (!grown || !(grown[variables->count] = strdup(text))) {
		fprintf(stderr, "berth: out of memory\n");
		exit(CLI_FAILED);
	}
	variables->list = grown;
	grown[++variables->count] = NULL;
}

static void variables_free(struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++)
		free(variables->list[i]);
	free(variables->list);
}

/* NAME=VALUE or NAME. False: that is no variable. */
static bool variable_take(struct variables *variables, const char *text)
{
	const char *value;
	char *whole;

	if (!*text || *text == '=')
		return false;
	if (strchr(text, '=')) {
		variables_add(variables, text);
		return true;
	}
	value = getenv(text);
	if (!value)
		return true;
	whole = cli_alloc(strlen(text) + strlen(value) + 2);
	strcat(strcat(strcpy(whole, text), "="), value);
	variables_add(variables, whole);
	free(whole);
	return true;
}

/* One line of a file. Docker's rules: '#' first is a comment, blanks in front do not count. */
static bool line_take(struct variables *variables, char *line)
{
	line[strcspn(line, "\r\n")] = '\0';
	while (isblank((unsigned char)*line))
		line++;
	if (!*line || *line == '#')
		return true;
	/* A blank in the name is a slip, and no shell could use it. */
	for (const char *c = line; *c && *c != '='; c++)
		if (isspace((unsigned char)*c))
			return false;
	return variable_take(variables, line);
}

static int file_take(const struct command *command, struct variables *variables, const char *name)
{
	FILE *file = fopen(name, "re");
	char *line = NULL;
	size_t room = 0, number = 0;
	int r = CLI_OK;

	if (!file)
		return usage_error(command, "--env-file '%s': %s", name, strerror(errno));
	while (r == CLI_OK && getline(&line, &room, file) >= 0) {
		number++;
		if (!line_take(variables, line))
			r = usage_error(command, "--env-file '%s', line %zu: '%s' is no NAME=VALUE", name, number,
					line);
	}
	if (r == CLI_OK && ferror(file))
		r = usage_error(command, "--env-file '%s': %s", name, strerror(errno));
	free(line);
	fclose(file);
	return r;
}

int launch_option(const struct command *command, int letter, struct launch *launch)
{
	switch (letter) {
	case 'd':
		launch->options.detach = true;
		return CLI_OK;
	case 'e':
		if (variable_take(&launch->from_options, optarg))
			return CLI_OK;
		return usage_error(command, "-e '%s': that is no NAME=VALUE", optarg);
	case OPTION_ENV_FILE:
		return file_take(command, &launch->from_files, optarg);
	case 'w':
		launch->options.workdir = optarg;
		return *optarg ? CLI_OK : usage_error(command, "-w '': that is no directory");
	case 'u':
		launch->options.user = optarg;
		return *optarg ? CLI_OK : usage_error(command, "-u '': that is no user");
	case OPTION_SHIM:
	case OPTION_NO_SHIM:
		launch->options.shim = letter == OPTION_SHIM ? RUN_SHIM_ON : RUN_SHIM_OFF;
		return CLI_OK;
	default: /* 'i', 't': for those who are used to them */
		return CLI_OK;
	}
}

int launch_end(struct launch *launch, int code)
{
	variables_free(&launch->from_files);
	variables_free(&launch->from_options);
	return code;
}

int launch_run(const struct command *command, struct launch *launch, char **argv)
{
	if (launch->options.shim == RUN_SHIM_ON && !shim_find()) {
		fprintf(stderr, "berth: --shim: berth-shim.so is not where this berth was installed or built "
				"(nor may there be a space or ':' in its path): install it, or leave --shim away\n");
		return launch_end(launch, EXIT_BERTH);
	}
	for (size_t i = 0; i < launch->from_options.count; i++)
		variables_add(&launch->from_files, launch->from_options.list[i]);
	launch->options.environment = launch->from_files.list;
	launch->options.argv = argv;
	return launch_end(launch, run_program(&launch->options));
}
