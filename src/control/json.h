/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON as the control API uses it, over jansson. Getters take what is there and
 * return the given default for what is not, or is of another type.
 */
#ifndef CONTROL_JSON_H
#define CONTROL_JSON_H

#include <jansson.h>

const char *json_get_text(const json_t *object, const char *key, const char *otherwise);
long long json_get_number(const json_t *object, const char *key, long long otherwise);
int json_get_flag(const json_t *object, const char *key, int otherwise);

/* json_loadb(), for who must not end when there is no memory: NULL then, too. For one thread. */
json_t *json_parse(const char *text, size_t length);
/*
 * GET target from network's daemon. Returns 0 and a value for the caller to
 * json_decref(); a negative errno as http_get() does; -EACCES when it
 * answers 403; -EPROTO also when the status is not 200 or the body is no JSON.
 */
int json_fetch(const char *network, const char *target, json_t **ret_value);
/*
 * PUT value at target. Returns the HTTP status, with the answer for the caller
 * to json_decref(), or a negative errno.
 */
int json_put(const char *network, const char *target, const json_t *value, json_t **ret_value);

#endif
