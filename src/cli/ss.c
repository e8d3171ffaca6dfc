/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth ss: every socket of a network, in ss(8)'s columns, and two more: the
 * host that a socket is on, and what carries its conversation.
 *
 * Differs from ss(8): listening sockets and processes are shown without being
 * asked for, and the options narrow that down.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <string.h>

#include "control/json.h"
#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_JSON };

static const struct cli_option options[] = {
	{ 't', "tcp", NULL, "only TCP sockets" },
	{ 'u', "udp", NULL, "only UDP sockets" },
	{ 'l', "listening", NULL, "only listening sockets" },
	{ 'a', "all", NULL, "listening ones and others (so it is without -l, too)" },
	{ 'n', "numeric", NULL, "ports as numbers, not as services' names" },
	{ 'p', "processes", NULL, "show processes (so it is without, too)" },
	{ 'o', "options", NULL, "the timer that runs: retransmission (on), persist, keepalive, timewait" },
	{ 'm', "memory", NULL, "what waits in buffers, and how large they are" },
	{ 'e', "extended", NULL, "the way to the peer: conditions of its cables, and what they dropped" },
	{ 'i', "info", NULL, "TCP's inner state: round trip, windows, retransmissions" },
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ OPTION_JSON, "json", NULL, "print what the control API says, as JSON" },
	{ 0 },
};

static const char *const titles[] = { "Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port",
				      "Host",  "Via",	"Process" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

struct ss_choice {
	const char *network, *host;
	bool tcp, udp, listening, all, numeric, info, timer, memory, extended, as_json;
	json_t *links, *hosts; /* for extended */
};

/* "10.77.0.2:http", "[fd77::2]:80", "0.0.0.0:*" */
static void endpoint_text(const json_t *endpoint, bool numeric, char *text, size_t size)
{
	const char *address = api_string(endpoint, "address"), *service = api_string(endpoint, "service");
	long long port = api_number(endpoint, "port");
	bool six = strchr(address, ':') != NULL;
	char number[24];

	if (!port)
		snprintf(number, sizeof(number), "*");
	else
		snprintf(number, sizeof(number), "%lld", port);
	snprintf(text, size, "%s%s%s:%s", six ? "[" : "", strcmp(address, "-") ? address : "*", six ? "]" : "",
		 numeric || !port || !strcmp(service, "-") ? number : service);
}

static void process_text(const json_t *process, char *text, size_t size)
{
	if (!json_is_object(process))
		snprintf(text, size, "-");
	else
		snprintf(text, size, "users:((\"%s\",pid=%lld))", api_string(process, "command"),
			 api_number(process, "pid"));
}

/* In ss -i's words. Times in ms, cwnd and ssthresh in segments. */
static void info_note(struct table *table, const json_t *tcp)
{
	char text[512], ssthresh[40] = "";

	if (!json_is_object(tcp))
		return;
	if (api_number(tcp, "ssthresh"))
		snprintf(ssthresh, sizeof(ssthresh), " ssthresh:%lld", api_number(tcp, "ssthresh"));
	snprintf(text, sizeof(text),
		 "\t %s rto:%.6g rtt:%.6g/%.6g mss:%lld cwnd:%lld%s bytes_sent:%lld bytes_acked:%lld "
		 "bytes_received:%lld retrans:%lld",
		 api_string(tcp, "congestion"), (double)api_number(tcp, "rto_us") / 1e3,
		 (double)api_number(tcp, "rtt_us") / 1e3, (double)api_number(tcp, "rttvar_us") / 1e3,
		 api_number(tcp, "mss"), api_number(tcp, "cwnd"), ssthresh, api_number(tcp, "bytes_sent"),
		 api_number(tcp, "bytes_acked"), api_number(tcp, "bytes_received"), api_number(tcp, "retransmits"));
	table_note(table, text);
}

/* As ss -o: timer:(keepalive,119min,0) */
static void timer_note(struct table *table, const json_t *socket)
{
	const json_t *timer = json_object_get(socket, "timer");
	long long ms = api_number(timer, "ms");
	char text[96], when[40];

	if (!json_is_object(timer))
		return;
	if (ms < 1000)
		snprintf(when, sizeof(when), "%lldms", ms);
	else
		snprintf(when, sizeof(when), ms < 60000 ? "%.3gsec" : "%.0fmin",
			 ms < 60000 ? (double)ms / 1e3 : (double)ms / 6e4);
	snprintf(text, sizeof(text), "\t timer:(%s,%s,%lld)", api_string(timer, "name"), when,
		 api_number(json_object_get(socket, "tcp"), "timeouts"));
	table_note(table, text);
}

/* As ss -m, what of it there is here. */
static void memory_note(struct table *table, const json_t *socket)
{
	bool listens = !strcmp(api_string(socket, "state"), "LISTEN");
	char text[128];

	snprintf(text, sizeof(text), "\t skmem:(r%lld,rb%lld,t%lld,tb%lld)",
		 listens ? 0 : api_number(socket, "receive_queue"), api_number(socket, "receive_buffer"),
		 listens ? 0 : api_number(socket, "send_queue"), api_number(socket, "send_buffer"));
	table_note(table, text);
}

static const char *host_at(const json_t *hosts, const char *address)
{
	json_t *host;
	size_t i;

	json_array_foreach(hosts, i, host)
		if (!strcmp(api_string(host, "ip4"), address) || !strcmp(api_string(host, "ip6"), address))
			return api_string(host, "name");
	return NULL;
}

static void drops_text(const json_t *link, char *text, size_t size)
{
	const json_t *dropped = json_object_get(link, "dropped");
	const char *reason;
	json_t *count;
	size_t used = 0;

	*text = 0;
	json_object_foreach((json_t *)dropped, reason, count)
		if (json_integer_value(count) && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%lld by %s", used ? ", " : "",
						 json_integer_value(count), reason);
}

/* One cable on the way, when there is something to say about it. */
static void cable_note(struct table *table, const json_t *link, const char *name)
{
	char drops[160], text[400];

	drops_text(link, drops, sizeof(drops));
	if (!strcmp(api_string(link, "conditions"), "perfect") && !*drops)
		return;
	snprintf(text, sizeof(text), "\t %s: %.150s%s%s", name, api_string(link, "conditions"),
		 *drops ? "; dropped " : "", drops);
	table_note(table, text);
}

/* The cables between the two ends that are not perfect, or have dropped something. */
static void way_note(struct table *table, const json_t *socket, const struct ss_choice *choice)
{
	const char *here = api_string(socket, "host");
	const char *there = host_at(choice->hosts, api_string(json_object_get(socket, "remote"), "address"));
	json_t *link;
	size_t i;

	json_array_foreach(choice->links, i, link) {
		const char *from = json_get_text(link, "from", ""), *to = json_get_text(link, "to", "");
		char name[160];

		if (!there || !strcmp(here, there) || (strcmp(from, here) && strcmp(from, there) && *from) ||
		    (strcmp(to, here) && strcmp(to, there) && *to))
			continue;
		snprintf(name, sizeof(name), "%.60s%s%.60s", *from ? from : "network", "->", *to ? to : "network");
		cable_note(table, link, name);
	}
}

static void socket_row(struct table *table, const json_t *socket, const struct ss_choice *choice)
{
	char local[96], remote[96], process[96];

	endpoint_text(json_object_get(socket, "local"), choice->numeric, local, sizeof(local));
	endpoint_text(json_object_get(socket, "remote"), choice->numeric, remote, sizeof(remote));
	process_text(json_object_get(socket, "process"), process, sizeof(process));
	table_cell(table, "%s", api_string(socket, "protocol"));
	table_cell(table, "%s", api_string(socket, "state"));
	table_cell(table, "%lld", api_number(socket, "receive_queue"));
	table_cell(table, "%lld", api_number(socket, "send_queue"));
	table_cell(table, "%s", local);
	table_cell(table, "%s", remote);
	table_cell(table, "%s", api_string(socket, "host"));
	table_cell(table, "%s", api_string(socket, "carrier"));
	table_cell(table, "%s", process);
	if (choice->timer)
		timer_note(table, socket);
	if (choice->memory)
		memory_note(table, socket);
	if (choice->info)
		info_note(table, json_object_get(socket, "tcp"));
	if (choice->extended)
		way_note(table, socket, choice);
}

static bool socket_chosen(const json_t *socket, const struct ss_choice *choice)
{
	const char *protocol = api_string(socket, "protocol"), *state = api_string(socket, "state");
	bool any = !choice->tcp && !choice->udp;
	/* A UDP socket without a peer waits for whoever comes, as a listener does. Linux: ss -ul */
	bool listens = !strcmp(state, "LISTEN") || !strcmp(state, "UNCONN");

	if (!any && !(choice->tcp && !strcmp(protocol, "tcp")) && !(choice->udp && !strcmp(protocol, "udp")))
		return false;
	if (choice->listening && !choice->all && !listens)
		return false;
	return !choice->host || !strcmp(choice->host, api_string(socket, "host"));
}

static void sockets_print(const json_t *sockets, const struct ss_choice *choice)
{
	struct table *table = table_new(titles, COLUMNS);
	json_t *socket;
	size_t i;

	json_array_foreach(sockets, i, socket)
		socket_row(table, socket, choice);
	table_print(table, stdout);
	table_free(table);
}

/* The sockets that were chosen, as a new array. */
static json_t *sockets_filter(const json_t *sockets, const struct ss_choice *choice)
{
	json_t *chosen = json_array(), *socket;
	size_t i;

	json_array_foreach(sockets, i, socket)
		if (socket_chosen(socket, choice))
			json_array_append(chosen, socket);
	return chosen;
}

static void take_option(int letter, struct ss_choice *choice)
{
	switch (letter) {
	case 't':
		choice->tcp = true;
		break;
	case 'u':
		choice->udp = true;
		break;
	case 'l':
		choice->listening = true;
		break;
	case 'a':
		choice->all = true;
		break;
	case 'n':
		choice->numeric = true;
		break;
	case 'o':
		choice->timer = true;
		break;
	case 'm':
		choice->memory = true;
		break;
	case 'e':
		choice->extended = true;
		break;
	case 'i':
		choice->info = true;
		break;
	case OPTION_NET:
		choice->network = optarg;
		break;
	case OPTION_JSON:
		choice->as_json = true;
		break;
	default: /* -p: as it is anyway */
		break;
	}
}

static int fetch_ways(const struct command *command, struct ss_choice *choice)
{
	if (!choice->extended)
		return CLI_OK;
	if (api_get(command, choice->network, "/v1/links", &choice->links))
		return CLI_FAILED;
	return api_get(command, choice->network, "/v1/hosts", &choice->hosts);
}

static int ss_show(const struct command *command, struct ss_choice *choice)
{
	json_t *sockets, *chosen;

	if ((choice->host && host_check(command, choice->network, choice->host)) || fetch_ways(command, choice) ||
	    api_get(command, choice->network, "/v1/sockets", &sockets))
		return CLI_FAILED;
	chosen = sockets_filter(sockets, choice);
	if (choice->as_json)
		api_print(chosen);
	else
		sockets_print(chosen, choice);
	json_decref(chosen);
	json_decref(sockets);
	json_decref(choice->links);
	json_decref(choice->hosts);
	return cli_finish(CLI_OK);
}

static int ss_run(const struct command *command, int argc, char **argv)
{
	struct ss_choice choice = { .network = NETWORK_DEFAULT };
	int result;

	while ((result = options_next(command, argc, argv)) > 0)
		take_option(result, &choice);
	if (result != OPTIONS_END)
		return options_exit(result);
	if (optind < argc)
		choice.host = argv[optind++];
	if (usage_no_operands(command, argc, argv) || network_check(command, choice.network))
		return CLI_USAGE;
	return ss_show(command, &choice);
}

const struct command command_ss = {
	.name = "ss",
	.usage = "[OPTIONS] [HOST]",
	.summary = "List the sockets on a network: who talks to whom, by which ports",
	.options = options,
	.details = "Via says what carries a conversation: wire (Berth's TCP), express (program to\n"
		   "program), port (in from the real machine through run -p).\n\n"
		   "Exit code: 0; 1 when the network is not running or has no such host; 125 for wrong\n"
		   "use.\n",
	.run = ss_run,
};
