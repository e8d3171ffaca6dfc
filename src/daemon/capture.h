/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures: frames of the network as a pcapng stream, GET /v1/capture of the
 * control API. docs/openapi.yaml.
 */
#ifndef DAEMON_CAPTURE_H
#define DAEMON_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct daemon;
struct host;
struct MHD_Connection;

/* What a reader asked for: a host's frames, or those between two hosts. */
struct wanted {
	char host[64], peer[64]; /* empty: all */
	uint8_t mac[2][6];
};
/* Is frame, seen at host, wanted? */
bool wanted_is(const struct wanted *wanted, const char *host, const uint8_t *frame, size_t length);

/* Answer connection with a stream that goes on until it is closed or the network ends. An enum MHD_Result. */
int capture_start(struct daemon *daemon, struct MHD_Connection *connection);
/* Does anybody record what goes between the two? Of one host, its own frames with itself pass no cable. */
bool capture_watches(const struct host *a, const struct host *b);
/* Have frames shown, or not any more: somebody began or ended to want them. */
void capture_observe(struct daemon *daemon);
/* The network ends: so do all captures, each with its figures. */
void captures_end(struct daemon *daemon);

#endif
