/* SPDX-License-Identifier: BSD-2-Clause */
/* What the control API answers, as JSON: docs/openapi.yaml. Each returns a new value, or NULL without memory. */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include <jansson.h>

struct daemon;
struct host;
struct record;

/* Text that a program chose, made fit to be shown. */
json_t *report_text(const char *text);
json_t *report_network(struct daemon *daemon);
json_t *report_hosts(struct daemon *daemon);
json_t *report_host(const struct host *host);
/* A program that has ended. */
json_t *report_ended(const struct record *record);
json_t *report_sockets(struct daemon *daemon);
json_t *report_counters(struct daemon *daemon);

#endif
