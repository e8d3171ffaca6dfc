/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth link, partition and heal: what cables do to the packets on them. The
 * words of conditions go to the daemon as they are; it knows them.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/trace_file.h"
#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_JSON, OPTION_ONEWAY };

static const struct cli_option link_options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ OPTION_JSON, "json", NULL, "print what the control API says, as JSON" },
	{ 0 },
};

static const struct cli_option partition_options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to change (default: default)" },
	{ OPTION_ONEWAY, "oneway", NULL, "cut only what the first side sends to the second" },
	{ 0 },
};

static const struct cli_option heal_options[] = {
	{ OPTION_NET, "net", "NETWORK", "the network to change (default: default)" },
	{ 0 },
};

static const char *const titles[] = { "FROM", "TO", "CONDITIONS", "PACKETS", "LOST", "LIMIT", "CUT", "OTHER" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

static const char *end_name(const json_t *link, const char *key)
{
	const char *name = json_string_value(json_object_get(link, key));

	return name ? name : "(network)";
}

/* What else befell packets: "3 duplicated, 1 corrupted". */
static void other_text(const json_t *link, char *text, size_t size)
{
	static const char *const keys[] = { "duplicated", "reordered", "corrupted", "marked" };
	size_t used = 0;

	snprintf(text, size, "-");
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		long long count = api_number(link, keys[i]);

		if (count && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%lld %s", used ? ", " : "", count,
						 keys[i]);
	}
}

static void link_row(struct table *table, const json_t *link)
{
	const json_t *dropped = json_object_get(link, "dropped");
	char other[128];

	other_text(link, other, sizeof(other));
	table_cell(table, "%s", end_name(link, "from"));
	table_cell(table, "%s", end_name(link, "to"));
	table_cell(table, "%s", api_string(link, "conditions"));
	table_cell(table, "%lld", api_number(link, "packets_in"));
	table_cell(table, "%lld", api_number(dropped, "loss"));
	table_cell(table, "%lld", api_number(dropped, "limit"));
	table_cell(table, "%lld", api_number(dropped, "cut"));
	table_cell(table, "%s", other);
}

static bool names_link(const json_t *link, const char *a, const char *b)
{
	const char *from = end_name(link, "from"), *to = end_name(link, "to");

	if (!a)
		return true;
	if (!b)
		return !strcmp(from, a) || !strcmp(to, a);
	return (!strcmp(from, a) && !strcmp(to, b)) || (!strcmp(from, b) && !strcmp(to, a));
}

static void links_print(const json_t *links, const char *a, const char *b)
{
	struct table *table = table_new(titles, COLUMNS);
	json_t *link;
	size_t i;

	json_array_foreach(links, i, link)
		if (names_link(link, a, b))
			link_row(table, link);
	table_print(table, stdout);
	table_free(table);
}

struct link_call {
	const struct command *command;
	const char *network;
	bool json;
	int argc;
	char **argv; /* the operands after the verb */
};

static int link_show(const struct link_call *call)
{
	json_t *links;

	if (call->argc > 2)
		return usage_error(call->command, "show: at most two hosts");
	if (api_get(call->command, call->network, "/v1/links", &links))
		return CLI_FAILED;
	if (call->json)
		api_print(links);
	else
		links_print(links, call->argc > 0 ? call->argv[0] : NULL, call->argc > 1 ? call->argv[1] : NULL);
	json_decref(links);
	return cli_finish(CLI_OK);
}

/* Send changes, which this takes. */
static int changes_make(const struct link_call *call, json_t *changes)
{
	json_t *body = json_pack("{s:o}", "changes", changes), *answer;
	int r = api_put(call->command, call->network, "/v1/links", body, &answer);

	json_decref(body);
	if (r)
		return r;
	if (call->json)
		api_print(answer);
	json_decref(answer);
	return cli_finish(CLI_OK);
}

static bool is_direction(const char *word)
{
	return !strcmp(word, "in") || !strcmp(word, "out") || !strcmp(word, "both");
}

/* No host should be called so. */
bool link_word(const char *word)
{
	static const char *const words[] = { "delay", "rtt", "loss", "duplicate", "corrupt", "reorder", "rate",
					     "limit", "cut", "mend", "trace",	  "slot",    "ecn",	"noecn" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return is_direction(word);
}

/* Hosts at the front of the operands: an array; *used says how many they are. */
static json_t *take_hosts(const struct link_call *call, int *used)
{
	json_t *hosts = json_array();

	for (*used = 0; *used < call->argc && *used < 2 && !link_word(call->argv[*used]); ++*used)
		json_array_append_new(hosts, json_string(call->argv[*used]));
	return hosts;
}

/* Is the operand the file after "trace"? */
static bool names_trace(const struct link_call *call, int at)
{
	return at > 0 && !strcmp(call->argv[at - 1], "trace") && strcmp(call->argv[at], "off");
}

static int link_set(const struct link_call *call)
{
	const char *direction = "both";
	json_t *hosts, *words, *change, *trace = NULL;
	int at;

	hosts = take_hosts(call, &at);
	if (!at || at == call->argc) {
		json_decref(hosts);
		return usage_error(call->command, at ? "set: no condition is named (as in delay 40ms loss 1%%)"
						     : "set: whose cable? A host's name comes first");
	}
	if (is_direction(call->argv[at]))
		direction = call->argv[at++];
	words = json_array();
	for (; at < call->argc; at++) {
		json_array_append_new(words, json_string(call->argv[at]));
		if (names_trace(call, at) && !(trace = trace_file_read(call->command, call->argv[at]))) {
			json_decref(hosts);
			json_decref(words);
			return CLI_USAGE;
		}
	}
	change = json_pack("{s:o, s:s, s:o}", "hosts", hosts, "direction", direction, "words", words);
	if (trace)
		json_object_set_new(change, "trace", trace);
	return changes_make(call, json_pack("[o]", change));
}

static int link_reset(const struct link_call *call)
{
	json_t *hosts;
	int at;

	hosts = take_hosts(call, &at);
	if (at < call->argc) {
		json_decref(hosts);
		return usage_error(call->command, "reset: '%s' is not expected; it takes up to two hosts",
				   call->argv[at]);
	}
	return changes_make(call, json_pack("[{s:o, s:b}]", "hosts", hosts, "reset", 1));
}

static const struct {
	const char *name;
	int (*run)(const struct link_call *call);
} verbs[] = { { "show", link_show }, { "set", link_set }, { "reset", link_reset } };

static int link_run(const struct command *command, int argc, char **argv)
{
	struct link_call call = { .command = command, .network = NETWORK_DEFAULT };
	const char *verb;
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			call.network = optarg;
		else
			call.json = true;
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	if (network_check(command, call.network))
		return CLI_USAGE;
	verb = optind < argc ? argv[optind] : "show";
	call.argc = optind < argc ? argc - optind - 1 : 0;
	call.argv = argv + optind + 1;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verb, verbs[i].name))
			return verbs[i].run(&call);
	return usage_error(command, "'%s' is none of show, set, reset", verb);
}

json_t *partition_changes(const char *left, const char *right, const char *direction)
{
	char *lefts = strdup(left), *rest = NULL;
	json_t *changes = json_array();

	for (char *a = lefts ? strtok_r(lefts, ",", &rest) : NULL; a; a = strtok_r(NULL, ",", &rest)) {
		char *rights = strdup(right), *inner = NULL;

		for (char *b = rights ? strtok_r(rights, ",", &inner) : NULL; b; b = strtok_r(NULL, ",", &inner))
			json_array_append_new(changes, json_pack("{s:[s, s], s:s, s:[s]}", "hosts", a, b, "direction",
								 direction, "words", "cut"));
		free(rights);
	}
	free(lefts);
	return changes;
}

static int partition_run(const struct command *command, int argc, char **argv)
{
	struct link_call call = { .command = command, .network = NETWORK_DEFAULT };
	bool oneway = false;
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			call.network = optarg;
		else
			oneway = true;
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	if (network_check(command, call.network))
		return CLI_USAGE;
	if (argc - optind != 3 || strcmp(argv[optind + 1], "!"))
		return usage_error(command, "two sides with a ! between them are needed (as in a,b ! c)");
	return changes_make(&call, partition_changes(argv[optind], argv[optind + 2], oneway ? "out" : "both"));
}

json_t *heal_changes(const json_t *links)
{
	json_t *changes = json_array(), *link;
	size_t i;

	json_array_foreach(links, i, link) {
		const char *from = json_string_value(json_object_get(link, "from"));
		const char *to = json_string_value(json_object_get(link, "to"));

		if (strstr(api_string(link, "conditions"), "cut"))
			json_array_append_new(changes, json_pack("{s:o, s:s, s:[s]}", "hosts",
								 from && to ? json_pack("[s, s]", from, to)
									    : json_pack("[s]", from ? from : to),
								 "direction", from ? "out" : "in", "words", "mend"));
	}
	return changes;
}

/* Mend every pair that is cut. */
static int heal_run(const struct command *command, int argc, char **argv)
{
	struct link_call call = { .command = command, .network = NETWORK_DEFAULT };
	json_t *links, *changes;
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		call.network = optarg;
	if (result != OPTIONS_END)
		return options_exit(result);
	if (usage_no_operands(command, argc, argv) || network_check(command, call.network))
		return CLI_USAGE;
	if (api_get(command, call.network, "/v1/links", &links))
		return CLI_FAILED;
	changes = heal_changes(links);
	json_decref(links);
	return changes_make(&call, changes);
}

const struct command command_link = {
	.name = "link",
	.usage = "[OPTIONS] [show [A [B]] | set A [B] [in|out|both] CONDITIONS | reset [A [B]]]",
	.summary = "Show or change what cables do to packets",
	.options = link_options,
	.details =
		"A host's cable (A), or what goes between two hosts (A B), in one direction as A\n"
		"sees it or in both, while programs run; no conversation is reset. CONDITIONS\n"
		"are netem's words; what is not named stays as it was:\n"
		"  delay TIME [JITTER [CORRELATION]] [distribution uniform|normal|pareto|paretonormal]\n"
		"  rtt TIME              half of it as delay\n"
		"  loss CHANCE [CORRELATION] | loss gemodel P [R [1-H [1-K]]]    ecn | noecn\n"
		"  duplicate CHANCE [CORRELATION]    corrupt CHANCE [CORRELATION]\n"
		"  reorder CHANCE [CORRELATION] [gap N]\n"
		"  rate RATE [OVERHEAD [CELL [CELLOVERHEAD]]]    trace FILE | trace off\n"
		"  slot MIN [MAX] [packets N] [bytes N]    limit PACKETS    limit 64kb    cut    mend\n"
		"TIME: 40ms (ns us ms s). CHANCE: 1%. RATE: 10mbit (bit kbit mbit gbit, or bps kbps\n"
		"mbps gbps for bytes). FILE: a recorded rate as mahimahi has it. reset without hosts makes every cable perfect.\n\n"
		"  berth link set web delay 40ms 5ms loss 1%\n"
		"  berth link set web db out rate 10mbit\n\n"
		"Exit code: 0; 1 when the network is not running or refuses; 125 for wrong use.\n",
	.run = link_run,
};

const struct command command_partition = {
	.name = "partition",
	.usage = "[OPTIONS] A,B,… ! C,D,…",
	.summary = "Cut what goes between two groups of hosts",
	.options = partition_options,
	.details = "berth heal mends it. Conversations wait, retransmit, and go on or give up as TCP does.\n\n"
		   "  berth partition node1,node2 ! node3\n\n"
		   "Exit code: 0; 1 when the network is not running or refuses; 125 for wrong use.\n",
	.run = partition_run,
};

const struct command command_heal = {
	.name = "heal",
	.usage = "[OPTIONS]",
	.summary = "Mend everything that is cut",
	.options = heal_options,
	.details = "Exit code: 0; 1 when the network is not running; 125 for wrong use.\n",
	.run = heal_run,
};
