/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks from files: project.h. Made of berth's own commands, so that nothing can be done here that they can't. */
#include "cli/project.h"

#include "cli/self.h"
#include "os/clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/json.h"
#include "control/paths.h"

int project_open(const struct command *command, const char *path, struct compose *compose)
{
	if (!path)
		path = access(PROJECT_FILE, F_OK) && !access("berth.yml", F_OK) ? "berth.yml" : PROJECT_FILE;
	if (compose_open(compose, path))
		return CLI_OK;
	fprintf(stderr, "berth %s: %s\n", command->name, compose->yaml.error);
	compose_close(compose);
	return CLI_USAGE;
}

int project_rename(const struct command *command, struct compose *compose, const char *name)
{
	if (!name)
		return CLI_OK;
	if (network_check(command, name))
		return CLI_USAGE;
	compose->name = yaml_copy(&compose->yaml, name);
	return CLI_OK;
}

/* The hosts that run on the network; NULL when it is not there. */
static json_t *running(const struct compose *compose)
{
	json_t *hosts;

	return json_fetch(compose->name, "/v1/hosts", &hosts) < 0 ? NULL : hosts;
}

static bool runs(const json_t *hosts, const char *name)
{
	json_t *host;
	size_t i;

	json_array_foreach(hosts, i, host)
		if (!strcmp(api_string(host, "name"), name))
			return true;
	return false;
}

static void add_each(struct self_command *words, const char *option, char *const *values)
{
	for (; values && *values; values++)
		self_add(words, option, *values, NULL);
}

static void add_egress(struct self_command *words, const struct service *service)
{
	add_each(words, "--allow", service->allow);
	add_each(words, "--deny", service->deny);
	if (service->offline)
		self_add(words, "--offline", NULL);
	if (service->outbound)
		self_add(words, "--outbound", NULL);
}

/* berth run -d with everything that the file says of service. */
static int start(const struct compose *compose, const struct service *service)
{
	struct self_command words = { .count = 0 };

	self_add(&words, "run", "-d", "--net", compose->name, "--name", service->name, NULL);
	if (service->ip4)
		self_add(&words, "--ip", service->ip4, NULL);
	if (service->ip6)
		self_add(&words, "--ip6", service->ip6, NULL);
	if (service->working_dir)
		self_add(&words, "-w", service->working_dir, NULL);
	if (service->user)
		self_add(&words, "-u", service->user, NULL);
	if (service->express)
		self_add(&words, "--express", NULL);
	if (service->init)
		self_add(&words, "--init", NULL);
	add_each(&words, "-e", service->environment);
	add_each(&words, "--env-file", service->env_files);
	add_each(&words, "-p", service->ports);
	add_each(&words, "--alias", service->aliases);
	add_egress(&words, service);
	self_add(&words, "--", NULL);
	for (char **word = service->command; *word; word++)
		self_add(&words, *word, NULL);
	return self_run(&words, compose->directory, SELF_QUIET | SELF_NO_INPUT);
}

/* Is service healthy, by one run of its test? */
static bool healthy_now(const struct compose *compose, const struct service *service)
{
	struct self_command words = { .count = 0 };
	pid_t pid;

	self_add(&words, "exec", "--net", compose->name, service->name, "--", NULL);
	for (char **word = service->healthcheck.test; *word; word++)
		self_add(&words, *word, NULL);
	pid = self_start(&words, compose->directory, SELF_QUIET | SELF_SILENT | SELF_NO_INPUT, -1);
	return pid > 0 && self_wait(pid, service->healthcheck.timeout) == 0;
}

static void rest(double seconds)
{
	usleep((useconds_t)(seconds * 1e6));
}

/* Wait until service is healthy. Failures in its start_period do not count. */
static bool await_health(const struct compose *compose, const struct service *service)
{
	const struct healthcheck *check = &service->healthcheck;
	int64_t begun = clock_now();
	unsigned failures = 0;

	while (!healthy_now(compose, service)) {
		json_t *hosts = running(compose);
		bool there = hosts && runs(hosts, service->name);

		json_decref(hosts);
		if (!there)
			return false;
		if ((double)(clock_now() - begun) / 1e9 >= check->start_period && ++failures >= check->retries)
			return false;
		rest(check->interval);
	}
	return true;
}

static bool await_end(const struct compose *compose, const struct service *service, char *code, size_t size)
{
	struct self_command words = { .count = 0 };
	int pipe_ends[2];
	ssize_t n;
	pid_t pid;

	if (pipe(pipe_ends) < 0)
		return false;
	self_add(&words, "wait", "--net", compose->name, service->name, NULL);
	pid = self_start(&words, NULL, SELF_NO_INPUT, pipe_ends[1]);
	close(pipe_ends[1]);
	n = read(pipe_ends[0], code, size - 1);
	close(pipe_ends[0]);
	code[n > 0 ? strcspn(code, "\n") < (size_t)n ? strcspn(code, "\n") : (size_t)n : 0] = 0;
	return pid > 0 && self_wait(pid, 0) == 0 && !strcmp(code, "0");
}

/* Everything that service depends on is as far as it has to be. */
static bool await_dependencies(const struct command *command, const struct compose *compose,
			       const struct service *service)
{
	char code[200] = "";

	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct dependency *dependency = &service->dependencies[i];
		const struct service *other = &compose->services[dependency->index];

		if (dependency->condition == SERVICE_HEALTHY && !await_health(compose, other)) {
			fprintf(stderr, "berth %s: %s is not healthy, so %s is not started (berth logs --net %s %s)\n",
				command->name, other->name, service->name, compose->name, other->name);
			return false;
		}
		if (dependency->condition == SERVICE_COMPLETED && !await_end(compose, other, code, sizeof(code))) {
			fprintf(stderr,
				"berth %s: %s has not ended well (%s), so %s is not started (berth logs --net %s %s)\n",
				command->name, other->name, code, service->name, compose->name, other->name);
			return false;
		}
	}
	return true;
}

static int apply_links(const struct command *command, const struct compose *compose)
{
	for (size_t i = 0; i < compose->link_count; i++) {
		const struct compose_link *link = &compose->links[i];
		struct self_command words = { .count = 0 };

		self_add(&words, "link", "--net", compose->name, "set", link->hosts[0], NULL);
		if (link->hosts[1])
			self_add(&words, link->hosts[1], NULL);
		self_add(&words, link->direction, NULL);
		for (char **word = link->conditions; *word; word++)
			self_add(&words, *word, NULL);
		if (self_run(&words, compose->directory, SELF_QUIET | SELF_NO_INPUT)) {
			fprintf(stderr, "berth %s: the link in line %d could not be set\n", command->name, link->line);
			return CLI_FAILED;
		}
	}
	return CLI_OK;
}

/* berth rm: one that has ended is still there by its name. */
static int forget(const struct compose *compose, const struct service *service, bool force)
{
	struct self_command words = { .count = 0 };

	self_add(&words, "rm", "--net", compose->name, service->name, NULL);
	if (force)
		self_add(&words, "-f", NULL);
	return self_run(&words, NULL, SELF_QUIET | SELF_SILENT | SELF_NO_INPUT);
}

static bool start_one(const struct command *command, const struct compose *compose, const struct service *service,
		      bool quiet)
{
	json_t *hosts = running(compose);
	bool there = hosts && runs(hosts, service->name);
	int code;

	json_decref(hosts);
	if (there)
		return true;
	if (!await_dependencies(command, compose, service))
		return false;
	forget(compose, service, false);
	code = start(compose, service);
	if (code) {
		fprintf(stderr, "berth %s: %s (line %d) could not be started\n", command->name, service->name,
			service->line);
		return false;
	}
	if (!quiet)
		fprintf(stderr, "%s started\n", service->name);
	return true;
}

int project_up(const struct command *command, const struct compose *compose, bool quiet)
{
	for (size_t i = 0; i < compose->service_count; i++)
		if (!start_one(command, compose, &compose->services[compose->order[i]], quiet))
			return CLI_FAILED;
	return apply_links(command, compose);
}

static int end_one(const struct compose *compose, const struct service *service)
{
	struct self_command stop = { .count = 0 };
	char grace[32];

	snprintf(grace, sizeof(grace), "%.0f", service->stop_grace);
	if (service->stop_signal) {
		self_add(&stop, "kill", "--net", compose->name, "-s", service->stop_signal, service->name, NULL);
		self_run(&stop, NULL, SELF_QUIET | SELF_SILENT | SELF_NO_INPUT);
	} else {
		self_add(&stop, "stop", "--net", compose->name, "-t", grace, service->name, NULL);
		self_run(&stop, NULL, SELF_QUIET | SELF_SILENT | SELF_NO_INPUT);
	}
	return forget(compose, service, true);
}

int project_down(const struct command *command, const struct compose *compose, bool quiet)
{
	json_t *network;
	size_t ended = 0;

	if (json_fetch(compose->name, "/v1/network", &network) < 0)
		return CLI_OK; /* it is down */
	json_decref(network);
	for (size_t i = compose->service_count; i-- > 0;) {
		const struct service *service = &compose->services[compose->order[i]];

		if (end_one(compose, service))
			continue; /* it was not there */
		ended++;
		if (!quiet)
			fprintf(stderr, "%s ended\n", service->name);
	}
	return CLI_OK;
}
