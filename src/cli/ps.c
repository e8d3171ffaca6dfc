/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth ps: the programs on a network, a host each.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <string.h>
#include <time.h>

#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_JSON, OPTION_DENIED };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ 'a', "all", NULL, "list those that have ended as well, until berth rm" },
	{ OPTION_DENIED, "denied", NULL, "list what they tried to reach outside, and must not" },
	{ OPTION_JSON, "json", NULL, "print what the control API says, as JSON" },
	{ 0 },
};

static const char *const titles[] = { "NAME", "ADDRESS", "IPV6", "PID", "UP", "VIA", "DENIED", "PUBLISHED", "PROGRAM" };
static const char *const all_titles[] = { "NAME", "STATE", "ADDRESS", "IPV6",	   "PID",
					  "UP",	  "VIA",   "DENIED",  "PUBLISHED", "PROGRAM" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

/* "127.0.0.1:8080->80/tcp, …" */
void published_list(const json_t *published, char *text, size_t size)
{
	size_t used = 0, i;
	json_t *entry;

	snprintf(text, size, "-");
	json_array_foreach(published, i, entry) {
		const char *address = api_string(entry, "address");
		bool six = strchr(address, ':') != NULL;

		if (used >= size)
			break;
		used += (size_t)snprintf(text + used, size - used, "%s%s%s%s:%lld->%lld/%s", i ? ", " : "",
					 six ? "[" : "", address, six ? "]" : "", api_number(entry, "real_port"),
					 api_number(entry, "port"), api_string(entry, "protocol"));
	}
}

static void state_cell(struct table *table, const json_t *host)
{
	if (strcmp(api_string(host, "state"), "ended"))
		table_cell(table, "%s", api_string(host, "state"));
	else
		table_cell(table, "exit %lld", api_number(host, "exit_code"));
}

static void host_row(struct table *table, const json_t *host, bool all)
{
	bool ended = !strcmp(api_string(host, "state"), "ended");
	char up[32], published[512];

	duration_text((ended ? api_number(host, "ended") : (long long)time(NULL)) - api_number(host, "started"), up,
		      sizeof(up));
	published_list(json_object_get(host, "published"), published, sizeof(published));
	table_cell(table, "%s", api_string(host, "name"));
	if (all)
		state_cell(table, host);
	table_cell(table, "%s", api_string(host, "ip4"));
	table_cell(table, "%s", api_string(host, "ip6"));
	if (ended)
		table_cell(table, "-");
	else
		table_cell(table, "%lld", api_number(host, "pid"));
	table_cell(table, "%s", up);
	table_cell(table, "%s", ended ? "-" : json_is_true(json_object_get(host, "express")) ? "express" : "wire");
	table_cell(table, "%lld", api_number(host, "denied_count"));
	table_cell(table, "%s", published);
	table_cell(table, "%s", api_string(host, "program"));
}

static void hosts_print(const json_t *hosts, bool all)
{
	struct table *table = table_new(all ? all_titles : titles, all ? COLUMNS + 1 : COLUMNS);
	json_t *host;
	size_t i;

	json_array_foreach(hosts, i, host)
		host_row(table, host, all);
	table_print(table, stdout);
	table_free(table);
}

/* What was denied, to whom. */
static void denied_print(const json_t *programs, bool all)
{
	static const char *const columns[] = { "NAME", "PROGRAM", "DESTINATION", "TIMES" };
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	json_t *program, *denied;
	size_t i, j;

	json_array_foreach(programs, i, program) {
		if (!all && !strcmp(api_string(program, "state"), "ended"))
			continue;
		json_array_foreach(json_object_get(program, "denied"), j, denied) {
			table_cell(table, "%s", api_string(program, "name"));
			table_cell(table, "%s", api_string(denied, "command"));
			table_cell(table, "%s", api_string(denied, "destination"));
			table_cell(table, "%lld", api_number(denied, "count"));
		}
	}
	table_print(table, stdout);
	table_free(table);
}

static int ps_run(const struct command *command, int argc, char **argv)
{
	const char *network = NETWORK_DEFAULT;
	bool as_json = false, all = false, denied = false;
	json_t *hosts;
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			network = optarg;
		else if (result == 'a')
			all = true;
		else if (result == OPTION_DENIED)
			denied = true;
		else
			as_json = true;
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	if (usage_no_operands(command, argc, argv) || network_check(command, network))
		return CLI_USAGE;
	if (api_get(command, network, all || denied ? "/v1/programs" : "/v1/hosts", &hosts))
		return CLI_FAILED;
	if (as_json)
		api_print(hosts);
	else if (denied)
		denied_print(hosts, all);
	else
		hosts_print(hosts, all);
	json_decref(hosts);
	return cli_finish(CLI_OK);
}

const struct command command_ps = {
	.name = "ps",
	.usage = "[OPTIONS]",
	.summary = "List the programs on a network",
	.options = options,
	.details = "Exit code: 0; 1 when the network is not running; 125 for wrong use.\n",
	.run = ps_run,
};
