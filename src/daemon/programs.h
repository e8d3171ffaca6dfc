/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs as the control API shows and changes them: docs/openapi.yaml, /v1/programs. */
#ifndef DAEMON_PROGRAMS_H
#define DAEMON_PROGRAMS_H

#include <jansson.h>
#include <stdbool.h>

struct daemon;
struct MHD_Connection;

#define PROGRAMS_PATH "/v1/programs/"

/* All of them, those that have ended as well. */
json_t *report_programs(struct daemon *daemon);
/*
 * rest is what follows PROGRAMS_PATH: NAME, or NAME/VERB. Each returns what to
 * answer, a new value (NULL without memory), and its HTTP status.
 */
json_t *program_report(struct daemon *daemon, const char *rest, unsigned *ret_status);
json_t *program_change(struct daemon *daemon, const char *rest, const json_t *body, unsigned *ret_status);
/* Is it NAME/logs or NAME/wait of one that there is? Then answers, with *ret_result. */
bool program_stream(struct daemon *daemon, struct MHD_Connection *connection, const char *rest, int *ret_result);

#endif
