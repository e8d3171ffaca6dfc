/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring: the last frames of the network, kept while somebody asked for it,
 * within bounds of time and of bytes, to be saved after the fact. Control API:
 * /v1/capture/ring and /v1/capture?ring=1 (docs/openapi.yaml).
 */
#ifndef DAEMON_RING_H
#define DAEMON_RING_H

#include <berth/net.h>
#include <jansson.h>

struct daemon;
struct pcapng;
struct ring;
struct wanted;

void ring_take(struct ring *ring, const struct berth_frame *frame);
/* What is kept and is wanted, as a whole file in pcapng. Returns 0, -ENOENT (there is no ring) or -ENOMEM. */
int ring_save(struct daemon *daemon, const struct wanted *wanted, struct pcapng *pcapng);
/* GET and PUT. */
json_t *ring_report(struct daemon *daemon);
json_t *ring_change(struct daemon *daemon, const json_t *body, unsigned *ret_status);
/* The network ends. */
void ring_free(struct ring *ring);

#endif
