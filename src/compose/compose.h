/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole network in one file, in compose's words: services with their
 * commands, ports, names and dependencies; and what compose has no words for:
 * links with conditions, egress, a scenario. berth(5) says what each key means.
 */
#ifndef COMPOSE_COMPOSE_H
#define COMPOSE_COMPOSE_H

#include "compose/scenario.h"
#include "compose/yaml.h"

enum dependency_condition { SERVICE_STARTED, SERVICE_HEALTHY, SERVICE_COMPLETED };

struct dependency {
	const char *service;
	size_t index; /* of the service in compose->services */
	enum dependency_condition condition;
	int line;
};

struct healthcheck {
	char **test; /* NULL: none */
	double interval, timeout, start_period;
	unsigned retries;
};

/* Lists of texts end with NULL; those that were not given are NULL. */
struct service {
	const char *name;
	int line;
	char **command;
	char **environment; /* "NAME=value", or "NAME": from here */
	char **env_files;
	char **ports;
	char **aliases;
	char **allow, **deny;
	char *working_dir, *user, *ip4, *ip6, *stop_signal;
	double stop_grace; /* seconds */
	bool express, init, offline, outbound;
	struct dependency *dependencies;
	size_t dependency_count;
	struct healthcheck healthcheck;
};

struct compose_link {
	char *hosts[2]; /* hosts[1] NULL: hosts[0]'s cable */
	const char *direction;
	char **conditions;
	int line;
};

struct compose {
	struct yaml yaml;
	char *name;	 /* the network's */
	char *directory; /* of the file: what commands and paths are relative to */
	struct service *services;
	size_t service_count;
	size_t *order; /* indices of services, those before that others depend on */
	struct compose_link *links;
	size_t link_count;
	struct scenario scenario;
};

/* Read path. On failure returns false, and compose->yaml.error says why. Close it in any case. */
bool compose_open(struct compose *compose, const char *path);
void compose_close(struct compose *compose);
/* Write compose as it was understood, as YAML, defaults left out. */
void compose_print(const struct compose *compose, FILE *out);

#endif
