/* SPDX-License-Identifier: BSD-2-Clause */
/* berth run -d: into the background, with the daemon to keep what the program says. */
#ifndef RUN_DETACH_H
#define RUN_DETACH_H

#include "run/supervisor.h"

/*
 * Go on in a child that has no terminal. Returns in the child: -1. In the parent,
 * when the program has started (its host's name is then printed) or could not
 * (which was said): the exit code.
 */
int detach_begin(struct supervisor *supervisor);
/* After joining the network: have the daemon read what the program will write. Returns 0 or EXIT_BERTH. */
int detach_outputs(struct supervisor *supervisor);
/* In the program's process. */
void detach_program(const struct supervisor *supervisor);
/* In ours: let go of what the user's shell waits for. name NULL: only that; else the program has started. */
void detach_self(struct supervisor *supervisor, const char *name);

#endif
