/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures: frames of the network as a pcapng stream, GET /v1/capture of the
 * control API. docs/openapi.yaml.
 */
#ifndef DAEMON_CAPTURE_H
#define DAEMON_CAPTURE_H

struct daemon;
struct MHD_Connection;

/* Answer connection with a stream that goes on until it is closed or the network ends. An enum MHD_Result. */
int capture_start(struct daemon *daemon, struct MHD_Connection *connection);
/* Have frames shown, or not any more: somebody began or ended to want them. */
void capture_observe(struct daemon *daemon);
/* The network ends: so do all captures, each with its figures. */
void captures_end(struct daemon *daemon);

#endif
