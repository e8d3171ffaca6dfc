/* SPDX-License-Identifier: BSD-2-Clause */
/* How the supervisor gets at a program's descriptors; the rest is in supervisor.h. */
#ifndef RUN_HOLDER_H
#define RUN_HOLDER_H

#include <stdbool.h>

/* Is pidfd_getfd() refused here, so that holder.c has to do? */
bool holders_needed(void);

#endif
