/* SPDX-License-Identifier: BSD-2-Clause */
/* Ask a network's control API (docs/openapi.yaml): one request, one JSON answer, over api.sock. */
#ifndef CONTROL_HTTP_H
#define CONTROL_HTTP_H

#include <stddef.h>

/*
 * Every answer says which version of the API it is of; one of another, or of
 * none, is -EPROTONOSUPPORT. It goes up when a client of before would
 * misunderstand, not for additions.
 */
#define HTTP_VERSION_FIELD "Berth-Api"
#define HTTP_VERSION_VALUE "1"

/*
 * GET target ("/v1/hosts") from the daemon of network. Returns the HTTP status
 * and the body, with a zero byte behind it, in *ret_body, which is the
 * caller's to free(). Or a negative errno: -ENOENT or -ECONNREFUSED (no daemon),
 * -EPROTO (no HTTP), -ETIMEDOUT (10 seconds), -EFBIG (over 256 MiB), -ENFILE
 * (503: the daemon has no descriptor left), -EUSERS (429: too many ask already).
 */
int http_get(const char *network, const char *target, char **ret_body, size_t *ret_length);
/*
 * GET target as a stream that ends when either side closes it. Returns the
 * HTTP status, a descriptor to read(2) the body from in *ret_fd, and what of
 * it came along with the head in ahead[0 … *ret_ahead - 1]; or a negative errno.
 */
int http_stream(const char *network, const char *target, int *ret_fd, char *ahead, size_t room, size_t *ret_ahead);
/* PUT content (JSON text) there. Answers as http_get() does. */
int http_put(const char *network, const char *target, const char *content, char **ret_body, size_t *ret_length);
/* The same at the Unix socket path. */
int http_get_at(const char *path, const char *target, char **ret_body, size_t *ret_length);

#endif
