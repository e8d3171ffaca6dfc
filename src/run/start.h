/* SPDX-License-Identifier: BSD-2-Clause */
/* Getting going: the network, then the program. */
#ifndef RUN_START_H
#define RUN_START_H

#include "run/supervisor.h"

#include <signal.h>

/* What berth was started with, and the program is to start with. */
struct inherited {
	sigset_t mask;
	struct sigaction child; /* of SIGCHLD */
};

/*
 * Join the network, starting its daemon if there is none, and publish ports.
 * Returns 0, or EXIT_BERTH after saying why.
 */
int network_join(struct supervisor *supervisor);
/*
 * Start the program under the filter; supervisor->child and listener are set.
 * Returns 0, or the exit code after saying why.
 */
int program_start(struct supervisor *supervisor, const struct inherited *inherited);

/* preload.c: the shim comes last, so that who else is preloaded finds it after itself (RTLD_NEXT). */
void preload_add(const char *file);

#endif
