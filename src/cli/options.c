/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options by table: getopt_long(3) is fed from it, and so is the help text.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 48, OPTIONS_COLUMN = 22 };

static const struct cli_option no_options[] = { { 0 } };

static const struct cli_option *options_of(const struct command *command)
{
	return command->options ? command->options : no_options;
}

/* getopt's own two tables. text: room for a "+:" and "x:" an option. */
static void options_build(const struct command *command, char *text, struct option *longs)
{
	const struct cli_option *option = options_of(command);

	if (command->program_follows)
		*text++ = '+';
	*text++ = ':';
	*text++ = 'h';
	*longs++ = (struct option){ "help", no_argument, NULL, 'h' };
	for (; option->letter; option++) {
		if (option->letter < 256) {
			*text++ = (char)option->letter;
			if (option->argument)
				*text++ = ':';
		}
		if (option->name)
			*longs++ = (struct option){ option->name, option->argument ? required_argument : no_argument,
						    NULL, option->letter };
	}
	*text = '\0';
	*longs = (struct option){ 0 };
}

static int option_wrong(const struct command *command, int result, char **argv)
{
	/* A wrong long option leaves optopt 0 (unknown), or its letter (an argument is missing, or too much). */
	const char *word = argv[optind - 1];
	bool is_long = !strncmp(word, "--", 2);

	if (result == ':' && is_long)
		usage_error(command, "option '%s' needs an argument", word);
	else if (result == ':')
		usage_error(command, "option '-%c' needs an argument", optopt);
	else if (is_long && optopt)
		usage_error(command, "option '%.*s' takes no argument", (int)strcspn(word, "="), word);
	else if (is_long)
		usage_error(command, "unknown option '%s'", word);
	else
		usage_error(command, "unknown option '-%c'", optopt);
	return OPTIONS_WRONG;
}

int options_next(const struct command *command, int argc, char **argv)
{
	char text[2 * OPTIONS_MAX + 4];
	struct option longs[OPTIONS_MAX + 2];
	int result;

	options_build(command, text, longs);
	opterr = 0;
	result = getopt_long(argc, argv, text, longs, NULL);
	if (result == 'h') {
		usage_print(command, stdout);
		return OPTIONS_HELP;
	}
	if (result == '?' || result == ':')
		return option_wrong(command, result, argv);
	return result;
}

int options_exit(int result)
{
	return result == OPTIONS_HELP ? cli_finish(CLI_OK) : CLI_USAGE;
}

int usage_error(const struct command *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "berth %s: ", command->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, " (see: berth %s --help)\n", command->name);
	return CLI_USAGE;
}

int usage_no_operands(const struct command *command, int argc, char **argv)
{
	if (optind >= argc)
		return CLI_OK;
	return usage_error(command, "'%s' is one word too many", argv[optind]);
}

static void option_print(const struct cli_option *option, FILE *out)
{
	char brief[8] = "    ", words[64];

	if (option->letter < 256)
		snprintf(brief, sizeof(brief), "-%c%s", option->letter, option->name ? ", " : "");
	snprintf(words, sizeof(words), "%s%s%s%s%s", brief, option->name ? "--" : "", option->name ? option->name : "",
		 option->argument ? " " : "", option->argument ? option->argument : "");
	if (strlen(words) > OPTIONS_COLUMN)
		fprintf(out, "  %s\n  %-*s %s\n", words, OPTIONS_COLUMN, "", option->text);
	else
		fprintf(out, "  %-*s %s\n", OPTIONS_COLUMN, words, option->text);
}

static void commands_print(FILE *out)
{
	fprintf(out, "usage: berth COMMAND [OPTIONS]\n\n"
		     "Runs programs on a private network of Berth's own: each has its own address,\n"
		     "all the ports, and a name that the others know.\n\n"
		     "Commands:\n");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->internal)
			fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\nTry, in two terminals:\n"
		     "  berth run --name web -- python3 -m http.server 80\n"
		     "  berth run -- curl http://web/\n\n"
		     "More: berth COMMAND --help, or man berth\n");
}

/* command NULL: the overview. */
void usage_print(const struct command *command, FILE *out)
{
	static const struct cli_option help = { 'h', "help", NULL, "this text" };

	if (!command) {
		commands_print(out);
		return;
	}
	fprintf(out, "usage: berth %s%s%s\n\n%s.\n\nOptions:\n", command->name, command->usage[0] ? " " : "",
		command->usage, command->summary);
	for (const struct cli_option *option = options_of(command); option->letter; option++)
		option_print(option, out);
	option_print(&help, out);
	if (command->details)
		fprintf(out, "\n%s", command->details);
}
