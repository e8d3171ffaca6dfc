/* SPDX-License-Identifier: BSD-2-Clause */
/* Compose files as they were understood: compose_print(). Texts are quoted as in JSON, which is YAML. */
#include "compose/compose.h"

#include "control/json.h"

#include <stdlib.h>

static void put_text(FILE *out, const char *text)
{
	json_t *value = json_string(text);
	char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

	for (const char *c = quoted ? quoted : "\"?\""; *c; c++) {
		fputc(*c, out);
		if (*c == '$') /* or it would be a variable when it is read again */
			fputc('$', out);
	}
	free(quoted);
	json_decref(value);
}

static void put_list(FILE *out, const char *indent, const char *key, char *const *texts)
{
	if (!texts)
		return;
	fprintf(out, "%s%s: [", indent, key);
	for (size_t i = 0; texts[i]; i++) {
		fputs(i ? ", " : "", out);
		put_text(out, texts[i]);
	}
	fputs("]\n", out);
}

static void put_pair(FILE *out, const char *indent, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%s%s: ", indent, key);
	put_text(out, text);
	fputc('\n', out);
}

static void put_dependencies(FILE *out, const struct service *service)
{
	static const char *const conditions[] = { "service_started", "service_healthy",
						  "service_completed_successfully" };

	if (service->dependency_count)
		fputs("    depends_on:\n", out);
	for (size_t i = 0; i < service->dependency_count; i++)
		fprintf(out, "      %s: {condition: %s}\n", service->dependencies[i].service,
			conditions[service->dependencies[i].condition]);
}

static void put_healthcheck(FILE *out, const struct healthcheck *check)
{
	if (!check->test)
		return;
	fputs("    healthcheck:\n      test: [\"CMD\"", out);
	for (size_t i = 0; check->test[i]; i++) {
		fputs(", ", out);
		put_text(out, check->test[i]);
	}
	fprintf(out, "]\n      interval: %gs\n      timeout: %gs\n      start_period: %gs\n      retries: %u\n",
		check->interval, check->timeout, check->start_period, check->retries);
}

static void put_network(FILE *out, const struct service *service)
{
	if (!service->aliases && !service->ip4 && !service->ip6)
		return;
	fputs("    networks:\n      default:\n", out);
	put_list(out, "        ", "aliases", service->aliases);
	put_pair(out, "        ", "ipv4_address", service->ip4);
	put_pair(out, "        ", "ipv6_address", service->ip6);
}

static void put_egress(FILE *out, const struct service *service)
{
	if (!service->allow && !service->deny && !service->offline && !service->outbound)
		return;
	fputs("    egress:\n", out);
	put_list(out, "      ", "allow", service->allow);
	put_list(out, "      ", "deny", service->deny);
	if (service->offline)
		fputs("      offline: true\n", out);
	if (service->outbound)
		fputs("      outbound: true\n", out);
}

static void put_service(FILE *out, const struct service *service)
{
	fprintf(out, "  %s:\n", service->name);
	put_list(out, "    ", "command", service->command);
	put_list(out, "    ", "environment", service->environment);
	put_list(out, "    ", "env_file", service->env_files);
	put_pair(out, "    ", "working_dir", service->working_dir);
	put_pair(out, "    ", "user", service->user);
	put_list(out, "    ", "ports", service->ports);
	put_network(out, service);
	put_dependencies(out, service);
	put_healthcheck(out, &service->healthcheck);
	put_egress(out, service);
	if (service->express)
		fputs("    express: true\n", out);
	if (service->init)
		fputs("    init: true\n", out);
	put_pair(out, "    ", "stop_signal", service->stop_signal);
	if (service->stop_grace != 10)
		fprintf(out, "    stop_grace_period: %gs\n", service->stop_grace);
}

static void put_links(FILE *out, const struct compose *compose)
{
	if (compose->link_count)
		fputs("links:\n", out);
	for (size_t i = 0; i < compose->link_count; i++) {
		const struct compose_link *link = &compose->links[i];
		char *hosts[] = { link->hosts[0], link->hosts[1], NULL };

		put_list(out, "  - ", "between", hosts);
		fprintf(out, "    direction: %s\n", link->direction);
		put_list(out, "    ", "conditions", link->conditions);
	}
}

/* Steps as the words of berth's commands, in a form that is read back as it is written. */
static void put_scenario(FILE *out, const struct scenario *scenario)
{
	const struct nemesis *nemesis = &scenario->nemesis;

	if (!scenario->given)
		return;
	fputs("scenario:\n", out);
	if (scenario->seed_given)
		fprintf(out, "  seed: %llu\n", (unsigned long long)scenario->seed);
	if (scenario->action_count)
		fputs("  steps:\n", out);
	for (size_t i = 0; i < scenario->action_count; i++) {
		const struct action *action = &scenario->actions[i];
		bool link = action->words[0][0] == 'l' && action->words[1];
		bool reset = link && action->words[1][0] == 'r';

		fprintf(out, "    - at: %gs\n", action->at);
		put_list(out, "      ", reset ? "reset" : action->words[0], action->words + 1 + link);
	}
	if (!nemesis->given)
		return;
	fputs("  nemesis:\n", out);
	put_list(out, "    ", "faults", nemesis->faults);
	put_list(out, "    ", "hosts", nemesis->hosts);
	fprintf(out, "    every: %gs\n    for: %gs\n    start: %gs\n    until: %gs\n", nemesis->every, nemesis->during,
		nemesis->start, nemesis->until);
}

void compose_print(const struct compose *compose, FILE *out)
{
	fprintf(out, "name: %s\nservices:\n", compose->name);
	for (size_t i = 0; i < compose->service_count; i++)
		put_service(out, &compose->services[i]);
	put_links(out, compose);
	put_scenario(out, &compose->scenario);
}
