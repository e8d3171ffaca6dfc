/* SPDX-License-Identifier: BSD-2-Clause */
/* berth ports: who holds which port, by the service's name; one line for each holder. */
#include "cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_JSON };

static const struct cli_option options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ OPTION_JSON, "json", NULL, "print it as JSON" },
	{ 0 },
};

static const char *const titles[] = { "PORT", "SERVICE", "HOST", "ADDRESS", "OPEN", "PUBLISHED", "PROCESS" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

/* "80/tcp" and "http", as in /etc/services */
struct asked {
	const char *host; /* NULL: all */
	const char *text; /* NULL: all */
};

static bool listens(const json_t *socket)
{
	const char *state = api_string(socket, "state");

	return !strcmp(state, "LISTEN") || !strcmp(state, "UNCONN");
}

static bool asked_for(const json_t *socket, const struct asked *asked)
{
	const json_t *local = json_object_get(socket, "local");
	char number[24], both[40];

	snprintf(number, sizeof(number), "%lld", api_number(local, "port"));
	snprintf(both, sizeof(both), "%s/%.10s", number, api_string(socket, "protocol"));
	if (!listens(socket) || (asked->host && strcmp(asked->host, api_string(socket, "host"))))
		return false;
	return !asked->text || !strcmp(asked->text, number) || !strcmp(asked->text, both) ||
	       !strcmp(asked->text, api_string(local, "service"));
}

/* How many conversations come through this port now. */
static unsigned conversations(const json_t *sockets, const json_t *holder)
{
	long long port = api_number(json_object_get(holder, "local"), "port");
	unsigned count = 0;
	json_t *socket;
	size_t i;

	json_array_foreach(sockets, i, socket)
		count += !listens(socket) && strcmp(api_string(socket, "state"), "TIME-WAIT") &&
			 api_number(json_object_get(socket, "local"), "port") == port &&
			 !strcmp(api_string(socket, "host"), api_string(holder, "host")) &&
			 !strcmp(api_string(socket, "protocol"), api_string(holder, "protocol"));
	return count;
}

/* "127.0.0.1:8080", or "-" */
static void published_text(const json_t *hosts, const json_t *holder, char *text, size_t size)
{
	long long port = api_number(json_object_get(holder, "local"), "port");
	json_t *host, *published;
	size_t i, j, used = 0;

	snprintf(text, size, "-");
	json_array_foreach(hosts, i, host) {
		if (strcmp(api_string(host, "name"), api_string(holder, "host")))
			continue;
		json_array_foreach(json_object_get(host, "published"), j, published)
			if (api_number(published, "port") == port && used < size &&
			    !strcmp(api_string(published, "protocol"), api_string(holder, "protocol")))
				used += (size_t)snprintf(text + used, size - used, "%s%s:%lld", used ? "," : "",
							 api_string(published, "address"),
							 api_number(published, "real_port"));
	}
}

static json_t *holder_of(const json_t *sockets, const json_t *hosts, const json_t *socket)
{
	const json_t *local = json_object_get(socket, "local"), *process = json_object_get(socket, "process");
	const json_t *service = json_object_get(local, "service");
	char published[128];

	published_text(hosts, socket, published, sizeof(published));
	return json_pack("{s:I, s:s, s:O?, s:s, s:s, s:i, s:s, s:O}", "port", (json_int_t)api_number(local, "port"),
			 "protocol", api_string(socket, "protocol"), "service", service, "host",
			 api_string(socket, "host"), "address", api_string(local, "address"), "conversations",
			 (int)conversations(sockets, socket), "published", published, "process", process);
}

static int by_port(const void *left, const void *right)
{
	const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
	long long difference = api_number(a, "port") - api_number(b, "port");

	if (difference)
		return difference < 0 ? -1 : 1;
	if (strcmp(api_string(a, "protocol"), api_string(b, "protocol")))
		return strcmp(api_string(a, "protocol"), api_string(b, "protocol"));
	return strcmp(api_string(a, "host"), api_string(b, "host"));
}

/* Every port that somebody waits at, lowest first, as a new array. */
static json_t *holders(const json_t *sockets, const json_t *hosts, const struct asked *asked)
{
	size_t count = 0, i;
	json_t **list = cli_alloc((json_array_size(sockets) + 1) * sizeof(json_t *)), *array = json_array(), *socket;

	json_array_foreach(sockets, i, socket)
		if (asked_for(socket, asked))
			list[count++] = holder_of(sockets, hosts, socket);
	qsort(list, count, sizeof(*list), by_port);
	for (i = 0; i < count; i++)
		json_array_append_new(array, list[i]);
	free(list);
	return array;
}

static void print_holders(const json_t *array)
{
	struct table *table = table_new(titles, COLUMNS);
	json_t *holder;
	size_t i;

	json_array_foreach(array, i, holder) {
		const json_t *process = json_object_get(holder, "process");

		table_cell(table, "%lld/%s", api_number(holder, "port"), api_string(holder, "protocol"));
		table_cell(table, "%s", api_string(holder, "service"));
		table_cell(table, "%s", api_string(holder, "host"));
		table_cell(table, "%s", api_string(holder, "address"));
		table_cell(table, "%lld", api_number(holder, "conversations"));
		table_cell(table, "%s", api_string(holder, "published"));
		if (json_is_object(process))
			table_cell(table, "%s (%lld)", api_string(process, "command"), api_number(process, "pid"));
		else
			table_cell(table, "-");
	}
	table_print(table, stdout);
	table_free(table);
}

static int show(const struct command *command, const char *network, const struct asked *asked, bool as_json)
{
	json_t *sockets, *hosts, *array;
	bool any;

	if (asked->host && host_check(command, network, asked->host))
		return CLI_FAILED;
	if (api_get(command, network, "/v1/sockets", &sockets))
		return CLI_FAILED;
	if (api_get(command, network, "/v1/hosts", &hosts)) {
		json_decref(sockets);
		return CLI_FAILED;
	}
	array = holders(sockets, hosts, asked);
	any = json_array_size(array);
	if (as_json)
		api_print(array);
	else if (any || !asked->text)
		print_holders(array);
	else
		fprintf(stderr, "berth ports: nobody holds port %s\n", asked->text);
	json_decref(array);
	json_decref(hosts);
	json_decref(sockets);
	return cli_finish(any || !asked->text ? CLI_OK : CLI_FAILED);
}

/* Operands: a word with a colon in front is a port, another a host. */
static int ports_run(const struct command *command, int argc, char **argv)
{
	const char *network = NETWORK_DEFAULT;
	struct asked asked = { NULL, NULL };
	bool as_json = false;
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			network = optarg;
		else
			as_json = true;
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	for (; optind < argc && !(asked.host && asked.text); optind++) {
		const char **slot = argv[optind][0] == ':' ? &asked.text : &asked.host;

		if (*slot)
			break;
		*slot = argv[optind] + (argv[optind][0] == ':');
	}
	if (usage_no_operands(command, argc, argv) || network_check(command, network))
		return CLI_USAGE;
	return show(command, network, &asked, as_json);
}

const struct command command_ports = {
	.name = "ports",
	.usage = "[OPTIONS] [HOST] [:PORT]",
	.summary = "List who holds which port, by the service's name",
	.options = options,
	.details = "PORT is a number, a number with its protocol, or a service: :80, :53/udp, :http.\n"
		   "OPEN counts the conversations that go on through the port.\n\n"
		   "  berth ports            every port that somebody waits at\n"
		   "  berth ports :5432      who has PostgreSQL's port\n\n"
		   "Exit code: 0; 1 when the network is not running, has no such host, or nobody holds\n"
		   "that port; 125 for wrong use.\n",
	.run = ports_run,
};
