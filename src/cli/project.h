/* SPDX-License-Identifier: BSD-2-Clause */
/* A compose file's network, brought up and taken down: what up, down, test and scenario share. */
#ifndef CLI_PROJECT_H
#define CLI_PROJECT_H

#include "cli/cli.h"
#include "compose/compose.h"

#define PROJECT_FILE "berth.yaml"

/* Read the file at path (NULL: berth.yaml or berth.yml here). Tells the user what is wrong with it. */
int project_open(const struct command *command, const char *path, struct compose *compose);
/* Have the network called name instead. Tells the user when that is no name. */
int project_rename(const struct command *command, struct compose *compose, const char *name);

/*
 * Start every service that does not run, those first that others depend on, and apply the links. Says what it does
 * on stderr unless quiet. On failure says why, and leaves what runs. Returns CLI_OK or CLI_FAILED.
 */
int project_up(const struct command *command, const struct compose *compose, bool quiet);
/* End every service of the file, those first that depend on others, and forget them. */
int project_down(const struct command *command, const struct compose *compose, bool quiet);

/*
 * Do what compose->scenario says from now on, step by step, with a line on out for each. stop: nonzero ends it early.
 * Returns CLI_OK, or CLI_FAILED when a step failed.
 */
int project_play(const struct compose *compose, FILE *out, const volatile int *stop);
void project_print_scenario(const struct compose *compose, FILE *out);

#endif
