/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions of cables, as the control API shows and changes them: docs/openapi.yaml, /v1/links. */
#ifndef DAEMON_LINKS_H
#define DAEMON_LINKS_H

#include <jansson.h>

struct daemon;
struct host;

json_t *report_links(struct daemon *daemon);

/*
 * Make the changes that body asks for, all of them or none. Returns what to
 * answer, a new value (NULL without memory), and its HTTP status.
 */
json_t *links_change(struct daemon *daemon, const json_t *body, unsigned *ret_status);

/* Is there any condition on the way between these two hosts? Then no connection may go around it. */
int links_conditioned(struct host *a, struct host *b);

#endif
