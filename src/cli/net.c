/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth net: the networks that run. A directory whose lock nobody holds was
 * left by a daemon that was killed; listing says so and cleans it.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "control/paths.h"

#define PATH_ROOM 256

static const char *const titles[] = { "NETWORK", "STATE", "SUBNET", "IPV6", "HOSTS", "PID", "UP" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

static void row_of(struct table *table, const char *name, const char *state, const json_t *network)
{
	char up[32] = "-";

	if (network)
		duration_text(api_number(network, "uptime_s"), up, sizeof(up));
	table_cell(table, "%s", name);
	table_cell(table, "%s", state);
	table_cell(table, "%s", api_string(network, "subnet4"));
	table_cell(table, "%s", api_string(network, "subnet6"));
	if (network) {
		table_cell(table, "%lld", api_number(network, "hosts"));
		table_cell(table, "%lld", api_number(network, "pid"));
	} else {
		table_cell(table, "-");
		table_cell(table, "-");
	}
	table_cell(table, "%s", up);
}

static int network_row(const struct command *command, struct table *table, const char *name)
{
	int r = network_clean(name);
	json_t *network;

	if (r != -EWOULDBLOCK) {
		row_of(table, name, r ? "stale" : "stale, cleaned", NULL);
		return CLI_OK;
	}
	if (api_get(command, name, "/v1/network", &network)) {
		row_of(table, name, "no answer", NULL);
		return CLI_FAILED;
	}
	row_of(table, name, "running", network);
	json_decref(network);
	return CLI_OK;
}

static int is_network(const struct dirent *entry)
{
	return network_name_valid(entry->d_name);
}

static int net_ls(const struct command *command)
{
	struct table *table = table_new(titles, COLUMNS);
	struct dirent **entries = NULL;
	char root[PATH_ROOM];
	int count, code = CLI_OK;

	count = network_root(root, sizeof(root)) ? 0 : scandir(root, &entries, is_network, alphasort);
	for (int i = 0; i < count; i++) {
		if (network_row(command, table, entries[i]->d_name))
			code = CLI_FAILED;
		free(entries[i]);
	}
	free(entries);
	table_print(table, stdout);
	table_free(table);
	return cli_finish(code);
}

static int net_inspect(const struct command *command, const char *name)
{
	json_t *network, *hosts;

	if (api_get(command, name, "/v1/network", &network))
		return CLI_FAILED;
	if (api_get(command, name, "/v1/hosts", &hosts)) {
		json_decref(network);
		return CLI_FAILED;
	}
	json_object_set_new(network, "hosts", hosts);
	api_print(network);
	json_decref(network);
	return cli_finish(CLI_OK);
}

static int net_run(const struct command *command, int argc, char **argv)
{
	int result = options_next(command, argc, argv);
	const char *verb, *name;

	if (result != OPTIONS_END)
		return options_exit(result);
	verb = optind < argc ? argv[optind++] : "ls";
	if (!strcmp(verb, "ls"))
		return usage_no_operands(command, argc, argv) ? CLI_USAGE : net_ls(command);
	if (strcmp(verb, "inspect"))
		return usage_error(command, "'%s' is not one of ls, inspect", verb);
	name = optind < argc ? argv[optind++] : NETWORK_DEFAULT;
	if (usage_no_operands(command, argc, argv) || network_check(command, name))
		return CLI_USAGE;
	return net_inspect(command, name);
}

const struct command command_net = {
	.name = "net",
	.usage = "[ls | inspect [NETWORK]]",
	.summary = "List the networks that run, or show one in full",
	.details = "ls prints a line a network, and cleans up after daemons that were killed. inspect\n"
		   "prints JSON: the network with its hosts.\n\n"
		   "Exit code: 0; 1 when the network is not running; 125 for wrong use.\n",
	.run = net_run,
};
