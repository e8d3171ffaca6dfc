/* SPDX-License-Identifier: BSD-2-Clause */
/* PUT /v1/reset of the control API: docs/openapi.yaml. */
#ifndef DAEMON_RESET_H
#define DAEMON_RESET_H

#include <jansson.h>

struct daemon;

/* Reset the conversations that body names. Returns what to answer, a new value, and its HTTP status. */
json_t *reset_conversations(struct daemon *daemon, const json_t *body, unsigned *ret_status);

#endif
