/* SPDX-License-Identifier: BSD-2-Clause */
/* One service of a compose file: service.h. */
#include "compose/service.h"

#include <libfyaml.h>
#include <string.h>

static bool read_command(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct service *service = context;
	const char *text;

	if (yaml_is_list(value)) {
		if (!yaml_texts(yaml, value, "command", false, &service->command))
			return false;
	} else {
		text = yaml_text(yaml, value, "command");
		if (!text || !yaml_words(yaml, value, "command", text, &service->command))
			return false;
	}
	return service->command[0] || yaml_fail(yaml, value, "command: it is empty");
}

struct variables {
	char **list;
	size_t count;
};

static bool add_variable(struct yaml *yaml, const char *name, struct fy_node *value, void *context)
{
	struct variables *variables = context;
	bool empty = !value || !yaml_is_text(value) || fy_node_is_null(value);
	const char *text = empty ? NULL : yaml_text(yaml, value, name);
	size_t size = strlen(name) + (text ? strlen(text) : 0) + 2;

	if (!empty && !text)
		return false;
	variables->list[variables->count] = yaml_alloc(yaml, size);
	snprintf(variables->list[variables->count++], size, text ? "%s=%s" : "%s", name, text);
	return true;
}

/* "A: 1" or "- A=1"; without a value it is taken from here. */
static bool read_environment(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct service *service = context;
	struct variables variables = { NULL, 0 };

	if (yaml_is_list(value))
		return yaml_texts(yaml, value, "environment", false, &service->environment);
	if (!yaml_is_map(value))
		return yaml_fail(yaml, value, "environment: names with values, or a list of NAME=value, is expected");
	variables.list = yaml_alloc(yaml, ((size_t)fy_node_mapping_item_count(value) + 1) * sizeof(char *));
	service->environment = variables.list;
	return yaml_each_pair(yaml, value, "environment", add_variable, &variables);
}

/* Docker's order: [IP:]REAL:PORT[/udp]. The daemon checks the rest. */
static bool read_ports(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct service *service = context;

	if (!yaml_texts(yaml, value, "ports", false, &service->ports))
		return false;
	for (char **port = service->ports; *port; port++)
		if (!strchr(*port, ':'))
			return yaml_fail(
				yaml, value,
				"ports: '%s': two ports are needed, REAL:PORT (quote it, or YAML may read a number)",
				*port);
	return true;
}

static bool read_aliases(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_texts(yaml, value, "aliases", true, &((struct service *)context)->aliases);
}

static bool read_ip4(struct yaml *yaml, struct fy_node *value, void *context)
{
	return (((struct service *)context)->ip4 = yaml_text(yaml, value, "ipv4_address")) != NULL;
}

static bool read_ip6(struct yaml *yaml, struct fy_node *value, void *context)
{
	return (((struct service *)context)->ip6 = yaml_text(yaml, value, "ipv6_address")) != NULL;
}

static const struct yaml_key membership_keys[] = {
	{ "aliases", read_aliases },
	{ "ipv4_address", read_ip4 },
	{ "ipv6_address", read_ip6 },
	{ NULL, NULL },
};

static bool read_membership(struct yaml *yaml, const char *name, struct fy_node *value, void *context)
{
	if (strcmp(name, "default"))
		return yaml_fail(yaml, value, "networks: '%s': a file is one network, which is called default", name);
	return fy_node_is_null(value) || yaml_read_map(yaml, value, "network default", membership_keys, context);
}

static bool read_networks(struct yaml *yaml, struct fy_node *value, void *context)
{
	char **names;

	if (yaml_is_map(value))
		return yaml_each_pair(yaml, value, "networks", read_membership, context);
	if (!yaml_texts(yaml, value, "networks", false, &names))
		return false;
	for (; *names; names++)
		if (strcmp(*names, "default"))
			return yaml_fail(yaml, value, "networks: '%s': a file is one network, which is called default",
					 *names);
	return true;
}

static bool read_condition(struct yaml *yaml, struct fy_node *value, void *context)
{
	static const char *const names[] = { [SERVICE_STARTED] = "service_started",
					     [SERVICE_HEALTHY] = "service_healthy",
					     [SERVICE_COMPLETED] = "service_completed_successfully" };
	struct dependency *dependency = context;
	const char *text = yaml_text(yaml, value, "condition");

	for (int i = SERVICE_STARTED; text && i <= SERVICE_COMPLETED; i++)
		if (!strcmp(text, names[i])) {
			dependency->condition = (enum dependency_condition)i;
			return true;
		}
	return text && yaml_fail(yaml, value,
				 "condition: '%s' is none of service_started, service_healthy, "
				 "service_completed_successfully",
				 text);
}

static const struct yaml_key dependency_keys[] = { { "condition", read_condition }, { NULL, NULL } };

static bool add_dependency(struct yaml *yaml, const char *name, struct fy_node *value, void *context)
{
	struct service *service = context;
	struct dependency *dependency = &service->dependencies[service->dependency_count++];

	*dependency = (struct dependency){ .service = name, .line = yaml_line(value) };
	return yaml_read_map(yaml, value, "depends_on", dependency_keys, dependency);
}

static bool read_depends_on(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct service *service = context;
	char **names;
	size_t count = 0;

	if (yaml_is_map(value)) {
		count = (size_t)fy_node_mapping_item_count(value);
		service->dependencies = yaml_alloc(yaml, (count + 1) * sizeof(*service->dependencies));
		return yaml_each_pair(yaml, value, "depends_on", add_dependency, service);
	}
	if (!yaml_texts(yaml, value, "depends_on", false, &names))
		return false;
	while (names[count])
		count++;
	service->dependencies = yaml_alloc(yaml, (count + 1) * sizeof(*service->dependencies));
	for (size_t i = 0; i < count; i++)
		service->dependencies[i] = (struct dependency){ .service = names[i], .line = yaml_line(value) };
	service->dependency_count = count;
	return true;
}

/* [CMD, …], [CMD-SHELL, text], [NONE], or a text for a shell. */
static bool read_test(struct yaml *yaml, struct fy_node *value, void *context)
{
	struct healthcheck *check = &((struct service *)context)->healthcheck;
	char **texts, *shell[] = { yaml_copy(yaml, "sh"), yaml_copy(yaml, "-c"), NULL, NULL };

	if (!yaml_texts(yaml, value, "test", true, &texts))
		return false;
	if (yaml_is_text(value)) {
		shell[2] = texts[0];
	} else if (texts[0] && !strcmp(texts[0], "CMD-SHELL") && texts[1] && !texts[2]) {
		shell[2] = texts[1];
	} else if (texts[0] && !strcmp(texts[0], "CMD") && texts[1]) {
		check->test = texts + 1;
		return true;
	} else if (texts[0] && !strcmp(texts[0], "NONE") && !texts[1]) {
		check->test = NULL;
		return true;
	} else {
		return yaml_fail(yaml, value,
				 "test: [CMD, PROGRAM, …], [CMD-SHELL, TEXT], [NONE] or a text is expected");
	}
	check->test = yaml_alloc(yaml, sizeof(shell));
	memcpy(check->test, shell, sizeof(shell));
	return true;
}

static bool read_interval(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_duration(yaml, value, "interval", &((struct service *)context)->healthcheck.interval);
}

static bool read_timeout(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_duration(yaml, value, "timeout", &((struct service *)context)->healthcheck.timeout);
}

static bool read_start_period(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_duration(yaml, value, "start_period", &((struct service *)context)->healthcheck.start_period);
}

static bool read_retries(struct yaml *yaml, struct fy_node *value, void *context)
{
	double number;

	if (!yaml_number(yaml, value, "retries", 1, 1e6, &number))
		return false;
	((struct service *)context)->healthcheck.retries = (unsigned)number;
	return true;
}

static bool read_disable(struct yaml *yaml, struct fy_node *value, void *context)
{
	bool disable = false;

	if (!yaml_flag(yaml, value, "disable", &disable))
		return false;
	if (disable)
		((struct service *)context)->healthcheck.test = NULL;
	return true;
}

static const struct yaml_key healthcheck_keys[] = {
	{ "test", read_test },
	{ "interval", read_interval },
	{ "timeout", read_timeout },
	{ "retries", read_retries },
	{ "start_period", read_start_period },
	{ "disable", read_disable },
	{ NULL, NULL },
};

static bool read_healthcheck(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_read_map(yaml, value, "healthcheck", healthcheck_keys, context);
}

static bool read_allow(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_texts(yaml, value, "allow", true, &((struct service *)context)->allow);
}

static bool read_deny(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_texts(yaml, value, "deny", true, &((struct service *)context)->deny);
}

static bool read_offline(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_flag(yaml, value, "offline", &((struct service *)context)->offline);
}

static bool read_outbound(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_flag(yaml, value, "outbound", &((struct service *)context)->outbound);
}

static const struct yaml_key egress_keys[] = {
	{ "allow", read_allow },       { "deny", read_deny }, { "offline", read_offline },
	{ "outbound", read_outbound }, { NULL, NULL },
};

static bool read_egress(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_read_map(yaml, value, "egress", egress_keys, context);
}

static bool read_env_file(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_texts(yaml, value, "env_file", true, &((struct service *)context)->env_files);
}

static bool read_working_dir(struct yaml *yaml, struct fy_node *value, void *context)
{
	return (((struct service *)context)->working_dir = yaml_text(yaml, value, "working_dir")) != NULL;
}

static bool read_user(struct yaml *yaml, struct fy_node *value, void *context)
{
	return (((struct service *)context)->user = yaml_text(yaml, value, "user")) != NULL;
}

static bool read_express(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_flag(yaml, value, "express", &((struct service *)context)->express);
}

static bool read_init(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_flag(yaml, value, "init", &((struct service *)context)->init);
}

static bool read_stop_signal(struct yaml *yaml, struct fy_node *value, void *context)
{
	return (((struct service *)context)->stop_signal = yaml_text(yaml, value, "stop_signal")) != NULL;
}

static bool read_stop_grace(struct yaml *yaml, struct fy_node *value, void *context)
{
	return yaml_duration(yaml, value, "stop_grace_period", &((struct service *)context)->stop_grace);
}

static const struct yaml_key service_keys[] = {
	{ "command", read_command },
	{ "environment", read_environment },
	{ "env_file", read_env_file },
	{ "working_dir", read_working_dir },
	{ "user", read_user },
	{ "ports", read_ports },
	{ "networks", read_networks },
	{ "depends_on", read_depends_on },
	{ "healthcheck", read_healthcheck },
	{ "egress", read_egress },
	{ "express", read_express },
	{ "init", read_init },
	{ "stop_signal", read_stop_signal },
	{ "stop_grace_period", read_stop_grace },
	{ NULL, NULL },
};

bool service_read(struct yaml *yaml, const char *name, struct fy_node *node, struct service *service)
{
	char what[100];

	*service = (struct service){
		.name = name,
		.line = yaml_line(node),
		.stop_grace = 10,
		.healthcheck = { .interval = 1, .timeout = 30, .retries = 30 },
	};
	snprintf(what, sizeof(what), "service %.64s", name);
	if (!yaml_read_map(yaml, node, what, service_keys, service))
		return false;
	return service->command || yaml_fail(yaml, node, "%s: command: what is it to run?", what);
}
