/* SPDX-License-Identifier: BSD-2-Clause */
/* berth's own commands as programs, for commands that are made of others: up, down, test, scenario. */
#ifndef CLI_SELF_H
#define CLI_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { SELF_WORDS_MAX = 512 };

/* The words of a command, without "berth" in front. Words stay the caller's. */
struct self_command {
	const char *words[SELF_WORDS_MAX + 1];
	size_t count;
};

/* Add words, the last of which is NULL. One too many ends the program with a message. */
void self_add(struct self_command *command, ...) __attribute__((sentinel));

enum {
	SELF_QUIET = 1,	  /* stdout to nowhere */
	SELF_SILENT = 2,  /* stderr, too */
	SELF_NO_INPUT = 4 /* stdin from nowhere */
};

/* Run it, in directory (NULL: here). Returns its exit code, 128 + n for signal n, or a negative errno. */
int self_run(const struct self_command *command, const char *directory, int flags);
/* Start it. out: what its stdout and stderr become; -1: ours. Returns its pid or a negative errno. */
pid_t self_start(const struct self_command *command, const char *directory, int flags, int out);
/* Its exit code as above. A time limit of 0 is none; when it is over, the command is killed: -ETIMEDOUT. */
int self_wait(pid_t pid, double seconds);

#endif
