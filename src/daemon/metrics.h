/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /metrics: the network in OpenMetrics' text format 1.0, for Prometheus and its like. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

struct daemon;
struct MHD_Connection;

/* Answer connection. Returns an enum MHD_Result. */
int metrics_answer(struct daemon *daemon, struct MHD_Connection *connection);

#endif
