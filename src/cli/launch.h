/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting programs: what the options of run and exec have in common. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "cli/cli.h"
#include "run/run.h"

enum { OPTION_ENV_FILE = 512, OPTION_LAUNCH_NET, OPTION_SHIM, OPTION_NO_SHIM };

/* In a table of options: those that launch_option() takes. */
#define LAUNCH_OPTIONS \
	{ 'd', "detach", NULL, "in the background; berth logs shows what it says" }, \
		{ 'e', "env", "NAME[=VALUE]", "set a variable for the program, or take it from here" }, \
		{ OPTION_ENV_FILE, "env-file", "FILE", "the same from lines of a file" }, \
		{ 'w', "workdir", "DIRECTORY", "start the program in this directory" }, \
		{ 'u', "user", "USER[:GROUP]", "run it as somebody else (only root can)" }, \
		{ 'i', "interactive", NULL, "pass its input on (which always happens)" }, \
		{ 't', "tty", NULL, "pass the terminal on (which always happens)" }, \
		{ OPTION_SHIM, "shim", NULL, "preload Berth's shim: fast UDP by express (whose default it is)" }, \
	{ \
		OPTION_NO_SHIM, "no-shim", NULL, "preload nothing (the last one counts)" \
	}

/* The variables to set, in order; all zero to begin with. */
struct variables {
	char **list; /* NULL at the end, or NULL: none */
	size_t count;
};

struct launch {
	struct run_options options;
	struct variables from_files, from_options; /* the latter count more, as with Docker */
};

/* One of LAUNCH_OPTIONS, its argument in optarg. Returns CLI_OK or CLI_USAGE. */
int launch_option(const struct command *command, int letter, struct launch *launch);
/* Free what launch_option() made; returns code. For those who do not come to launch_run(). */
int launch_end(struct launch *launch, int code);
/* Run argv as launch says, and return the exit code. The shim is asked for and not there: that is said first. */
int launch_run(const struct command *command, struct launch *launch, char **argv);

/* Read [IP:]REAL:PORT[/tcp|/udp]. Returns NULL, or what is wrong with it. */
const char *publish_parse(const char *argument, struct channel_publish *ret_publish);

#endif
