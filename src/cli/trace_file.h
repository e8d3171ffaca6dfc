/* SPDX-License-Identifier: BSD-2-Clause */
/* Recorded rates in mahimahi's format: a line for each moment, in milliseconds, at which 1500 bytes could go. */
#ifndef CLI_TRACE_FILE_H
#define CLI_TRACE_FILE_H

#include "cli/cli.h"

#include <jansson.h>

/* What the control API wants of a trace, the caller's; NULL when path can't be read, and then it has been said why. */
json_t *trace_file_read(const struct command *command, const char *path);

#endif
