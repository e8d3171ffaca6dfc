/* SPDX-License-Identifier: BSD-2-Clause */
/* Compose files: compose.h. */
#include "compose/compose.h"

#include "base/bytes.h"
#include "compose/service.h"
#include "control/paths.h"

#include <berth/conditions.h>
#include <ctype.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

static bool read_service(struct yaml *yaml, const char *name, struct fy_node *value, void *context)
{
	struct compose *compose = context;
	size_t length = strlen(name);

	if (!length || length > 63 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != length ||
	    name[0] == '-' || name[length - 1] == '-')
		return yaml_fail(yaml, value,
				 "service '%.80s': it becomes a host's name: 1 to 63 of a-z, 0-9 and inner '-'", name);
	return service_read(yaml, name, value, &compose->services[compose->service_count++]);
}

static bool read_services(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct compose *compose = context;
	int count = yaml_is_map(value) ? fy_node_mapping_item_count(value) : 0;

	compose->services = yaml_alloc(yaml, ((size_t)count + 1) * sizeof(*compose->services));
	if (!yaml_each_pair(yaml, value, "services", read_service, compose))
		return false;
	return count || yaml_fail(yaml, value, "services: at least one is needed");
}

static bool read_name(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct compose *compose = context;

	compose->name = yaml_text(yaml, value, "name");
	if (!compose->name)
		return false;
	return network_name_valid(compose->name) ||
	       yaml_fail(yaml, value, "name: '%.80s': a network's name is 1 to %d of a-z, 0-9 and inner '-'",
			 compose->name, NETWORK_NAME_MAX);
}

static const struct service *find_service(const struct compose *compose, const char *name)
{
	for (size_t i = 0; i < compose->service_count; i++)
		if (!strcmp(compose->services[i].name, name))
			return &compose->services[i];
	return NULL;
}

static bool read_between(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct compose_link *link = context;
	char **hosts;

	if (!yaml_texts(yaml, value, "between", true, &hosts))
		return false;
	if (!hosts[0] || (hosts[1] && hosts[2]))
		return yaml_fail(yaml, value, "between: one service (its cable) or two are expected");
	link->hosts[0] = hosts[0];
	link->hosts[1] = hosts[1];
	return true;
}

static bool read_direction(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct compose_link *link = context;

	link->direction = yaml_text(yaml, value, "direction");
	return link->direction &&
	       (!strcmp(link->direction, "in") || !strcmp(link->direction, "out") || !strcmp(link->direction, "both") ||
		yaml_fail(yaml, value, "direction: '%s' is none of in, out, both", link->direction));
}

static bool read_conditions(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct compose_link *link = context;
	const char *text;

	if (yaml_is_list(value))
		return yaml_texts(yaml, value, "conditions", false, &link->conditions);
	text = yaml_text(yaml, value, "conditions");
	return text && yaml_words(yaml, value, "conditions", text, &link->conditions);
}

static const struct yaml_key link_keys[] = {
	{ "between", read_between },
	{ "direction", read_direction },
	{ "conditions", read_conditions },
	{ NULL, NULL },
};

/* Do the words mean something? A trace's file is read when the link is set. */
static bool conditions_make_sense(char **words, char *error, size_t size)
{
	struct berth_conditions trial = { .delay = 0 };
	struct berth_trace *trace = NULL;
	size_t count = 0;
	int r;

	while (words[count])
		count++;
	if (berth_trace_new("file", &(uint32_t){ 1 }, 1, &trace) < 0)
		return true;
	trial.trace = trace;
	r = berth_conditions_parse(&trial, words, count, error, size);
	berth_trace_unref(trace);
	return r >= 0;
}

static bool read_links(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct compose *compose = context;
	size_t count;
	struct fy_node **items = yaml_items(yaml, value, "links", false, &count);
	char error[200];

	if (!items)
		return false;
	compose->links = yaml_alloc(yaml, (count + 1) * sizeof(*compose->links));
	for (size_t i = 0; i < count; i++) {
		struct compose_link *link = &compose->links[compose->link_count++];

		*link = (struct compose_link){ .direction = "both", .line = yaml_line(items[i]) };
		if (!yaml_read_map(yaml, items[i], "link", link_keys, link))
			return false;
		if (!link->hosts[0] || !link->conditions || !link->conditions[0])
			return yaml_fail(yaml, items[i], "link: between and conditions are needed");
		if (!conditions_make_sense(link->conditions, error, sizeof(error)))
			return yaml_fail(yaml, items[i], "link: conditions: %s", error);
	}
	return true;
}

static bool read_scenario(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct compose *compose = context;
	char **hosts = yaml_alloc(yaml, (compose->service_count + 1) * sizeof(char *));

	if (!compose->service_count)
		return yaml_fail(yaml, value, "scenario: it comes after services");
	for (size_t i = 0; i < compose->service_count; i++)
		hosts[i] = yaml_copy(yaml, compose->services[i].name);
	return scenario_read(yaml, value, hosts, &compose->scenario);
}

/* Compose has these at the top; there is one network, and nothing to be said of it. */
static bool read_networks(struct yaml *yaml, struct fy_node *value, void *context)
{
	static const struct yaml_key keys[] = { { "default", NULL }, { NULL, NULL } };
	struct fy_node *node = yaml_is_map(value) ? fy_node_mapping_lookup_by_string(value, keys[0].name, FY_NT) : NULL;

	if (yaml_is_map(value) && node && fy_node_mapping_item_count(value) == 1)
		return true;
	return yaml_fail(yaml, value, "networks: a file is one network, which is called default");
}

static bool read_nothing(struct yaml *yaml, struct fy_node *value, void *context)
{
	return true; /* version: means nothing in compose any more */
}

static const struct yaml_key top_keys[] = {
	{ "name", read_name },	 { "services", read_services }, { "networks", read_networks },
	{ "links", read_links }, { "scenario", read_scenario }, { "version", read_nothing },
	{ NULL, NULL },
};

/* Both ends of links, and dependencies, are services of the file. */
static bool check_names(struct compose *compose)
{
	for (size_t i = 0; i < compose->link_count; i++)
		for (int end = 0; end < 2; end++) {
			const char *host = compose->links[i].hosts[end];

			if (host && !find_service(compose, host))
				return yaml_fail(&compose->yaml, NULL, "line %d: link: there is no service '%s'",
						 compose->links[i].line, host);
		}
	for (size_t i = 0; i < compose->service_count; i++) {
		struct service *service = &compose->services[i];

		for (size_t j = 0; j < service->dependency_count; j++) {
			const struct service *other = find_service(compose, service->dependencies[j].service);

			if (!other)
				return yaml_fail(&compose->yaml, NULL,
						 "line %d: service %s: depends_on: there is no service '%s'",
						 service->dependencies[j].line, service->name,
						 service->dependencies[j].service);
			service->dependencies[j].index = (size_t)(other - compose->services);
			if (service->dependencies[j].condition == SERVICE_HEALTHY && !other->healthcheck.test)
				return yaml_fail(&compose->yaml, NULL,
						 "line %d: service %s: depends_on: '%s' has no healthcheck",
						 service->dependencies[j].line, service->name, other->name);
		}
	}
	return true;
}

enum mark { NOT_SEEN, OPEN, DONE };

/* Depth first: what a service depends on goes before it. Returns false at a circle. */
static bool place(struct compose *compose, size_t index, unsigned char *marks, size_t *count)
{
	struct service *service = &compose->services[index];

	if (marks[index] == OPEN)
		return yaml_fail(&compose->yaml, NULL, "line %d: service %s: depends_on goes in a circle",
				 service->line, service->name);
	if (marks[index] == DONE)
		return true;
	marks[index] = OPEN;
	for (size_t i = 0; i < service->dependency_count; i++)
		if (!place(compose, service->dependencies[i].index, marks, count))
			return false;
	marks[index] = DONE;
	compose->order[(*count)++] = index;
	return true;
}

static bool put_in_order(struct compose *compose)
{
	unsigned char *marks = yaml_alloc(&compose->yaml, compose->service_count);
	size_t count = 0;

	compose->order = yaml_alloc(&compose->yaml, compose->service_count * sizeof(size_t));
	for (size_t i = 0; i < compose->service_count; i++)
		if (!place(compose, i, marks, &count))
			return false;
	return true;
}

/* Where the file is; "." for standard input. */
static bool find_directory(struct compose *compose, const char *path)
{
	char *real = strcmp(path, "-") ? realpath(path, NULL) : realpath("./x/..", NULL), *slash;

	if (!real)
		real = realpath(".", NULL);
	if (!real)
		return yaml_fail(&compose->yaml, NULL, "its directory can't be found");
	compose->directory = yaml_copy(&compose->yaml, real);
	free(real);
	slash = strrchr(compose->directory, '/');
	if (strcmp(path, "-") && slash)
		slash[slash == compose->directory] = 0;
	return true;
}

/* Without a name of its own, a network is called as its directory is, as in compose. */
static bool default_name(struct compose *compose)
{
	const char *slash = strrchr(compose->directory, '/'), *from = slash ? slash + 1 : compose->directory;
	char name[NETWORK_NAME_MAX + 1];
	size_t length = 0;

	for (; *from && length < sizeof(name) - 1; from++) {
		bool good = isascii(*from) && isalnum((unsigned char)*from);

		if (good || (length && name[length - 1] != '-'))
			name[length++] = good ? (char)tolower((unsigned char)*from) : '-';
	}
	while (length && name[length - 1] == '-')
		length--;
	name[length] = 0;
	if (!compose->name)
		compose->name = yaml_copy(&compose->yaml, network_name_valid(name) ? name : "default");
	return true;
}

bool compose_open(struct compose *compose, const char *path)
{
	struct yaml *yaml = &compose->yaml;

	*compose = (struct compose){ .name = NULL };
	if (!yaml_open(yaml, path) || !find_directory(compose, path) ||
	    !yaml_read_map(yaml, yaml_root(yaml), "the file", top_keys, compose))
		return false;
	if (!compose->service_count)
		return yaml_fail(yaml, yaml_root(yaml), "services: what is to run? (services: {web: {command: …}})");
	return default_name(compose) && check_names(compose) && put_in_order(compose);
}

void compose_close(struct compose *compose)
{
	yaml_close(&compose->yaml);
}
