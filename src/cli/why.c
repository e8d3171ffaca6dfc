/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth why: for each conversation, each refusal and each listener in trouble,
 * the one reason that explains it.
 */
#include "cli/why.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/json.h"
#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_JSON, OPTION_ALL, RECENT_SECONDS = 60 };

static const struct cli_option options[] = {
	{ 'a', "all", NULL, "conversations that are over or in order, too" },
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ OPTION_JSON, "json", NULL, "print it as JSON" },
	{ 0 },
};

static const char *const verdicts[] = { [FINE] = "fine", [SLOW] = "slow", [STUCK] = "stuck", [REFUSED] = "refused" };

struct question {
	const char *network, *host, *peer; /* host NULL: everybody; peer: the other host, its address or port */
	bool all, as_json;
	json_t *answers;
};

/* Where an event points to. */
struct place {
	char address[64];
	long long port;
	const char *host; /* NULL: nobody has that address */
};

static bool colour(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (!no || !*no);
}

/* The same again, as when a program tries twice, is said once. */
static bool said_already(const struct question *question, const json_t *answer)
{
	json_t *before;
	size_t i;

	json_array_foreach(question->answers, i, before)
		if (!strcmp(api_string(before, "who"), api_string(answer, "who")) &&
		    !strcmp(api_string(before, "reason"), api_string(answer, "reason"))) {
			json_object_set_new(before, "times", json_integer(api_number(before, "times") + 1));
			return true;
		}
	return false;
}

static void answer(struct question *question, const char *subject, const struct finding *finding)
{
	json_t *value =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "who", subject, "verdict", verdicts[finding->verdict],
			  "code", finding->code, "reason", finding->reason, "advice", finding->advice, "times", 1);

	if (said_already(question, value))
		json_decref(value);
	else
		json_array_append_new(question->answers, value);
}

static bool concerns(const struct question *question, const char *a, const char *b, const char *address, long long port)
{
	char number[24];

	snprintf(number, sizeof(number), "%lld", port);
	if (question->host && strcmp(question->host, a) && (!b || strcmp(question->host, b)))
		return false;
	return !question->peer || !strcmp(question->peer, number) || !strcmp(question->peer, address) ||
	       !strcmp(question->peer, a) || (b && !strcmp(question->peer, b));
}

/* The end that began: a far end with a listener behind it is the server. Each conversation is told once. */
static bool is_server_end(const struct facts *facts, const json_t *socket)
{
	const json_t *local = json_object_get(socket, "local"), *other;

	return facts_listener(facts, api_string(socket, "host"), api_string(socket, "protocol"),
			      api_string(local, "address"), api_number(local, "port"), &other) != NULL;
}

static void ask_talk(struct question *question, const struct facts *facts, const json_t *socket)
{
	const json_t *remote = json_object_get(socket, "remote");
	struct talk talk = {
		.facts = facts,
		.near = socket,
		.far = facts_far_end(facts, socket),
		.from = api_string(socket, "host"),
		.address = api_string(remote, "address"),
		.port = api_number(remote, "port"),
		.protocol = api_string(socket, "protocol"),
	};
	struct finding finding;
	char subject[300];

	talk.to = facts_host_at(facts, talk.address, talk.from);
	if (!strcmp(talk.from, GATEWAY_HOST) && talk.far)
		return; /* the daemon's own half: it is told from the program's side */
	if (!concerns(question, talk.from, talk.to, talk.address, talk.port))
		return;
	rules_talk(&talk, &finding);
	if (finding.verdict == FINE && !question->all && strcmp(finding.code, "silent"))
		return;
	snprintf(subject, sizeof(subject), "%.60s:%lld -> %.60s:%lld %s", talk.from,
		 api_number(json_object_get(socket, "local"), "port"), talk.to ? talk.to : talk.address, talk.port,
		 api_string(socket, "state"));
	answer(question, subject, &finding);
}

static void ask_talks(struct question *question, const struct facts *facts)
{
	json_t *socket;
	size_t i;

	json_array_foreach(facts->sockets, i, socket) {
		const json_t *far = facts_far_end(facts, socket);

		if (strcmp(api_string(socket, "protocol"), "tcp") ||
		    !api_number(json_object_get(socket, "remote"), "port"))
			continue;
		if (!far || !is_server_end(facts, socket))
			ask_talk(question, facts, socket);
	}
}

static void ask_listeners(struct question *question, const struct facts *facts)
{
	struct finding finding;
	char subject[160];
	json_t *socket;
	size_t i;

	json_array_foreach(facts->sockets, i, socket) {
		const char *host = api_string(socket, "host");
		long long port = api_number(json_object_get(socket, "local"), "port");

		if (!concerns(question, host, NULL, "", port) || !rules_listener(facts, socket, &finding))
			continue;
		snprintf(subject, sizeof(subject), "%.60s:%lld LISTEN", host, port);
		answer(question, subject, &finding);
	}
}

static bool place_read(const char *text, const struct facts *facts, const char *asker, struct place *ret_place)
{
	if (!end_split(text, ret_place->address, &ret_place->port))
		return false;
	ret_place->host = facts_host_at(facts, ret_place->address, asker);
	return true;
}

static bool recent(const json_t *event)
{
	struct tm tm = { 0 };

	strptime(json_get_text(event, "time", ""), "%Y-%m-%dT%H:%M:%S", &tm);
	return time(NULL) - timegm(&tm) <= RECENT_SECONDS;
}

/* A program that tries one address after the other has one that works: that is not worth a word. */
static bool worked_then(const struct facts *facts, size_t at, const char *host, const struct place *to)
{
	json_t *event;
	size_t i;

	json_array_foreach(facts->events, i, event) {
		struct place other;

		if (i <= at || strcmp(api_string(event, "what"), "connect") ||
		    strcmp(api_string(event, "host"), host) || json_is_string(json_object_get(event, "result")) ||
		    !place_read(json_get_text(event, "remote", ""), facts, host, &other))
			continue;
		if (other.port == to->port && other.host && to->host && !strcmp(other.host, to->host))
			return true;
	}
	return false;
}

/* Does it concern who asked? A call's place is where it went, a drop's is where it came to. */
static bool event_concerns(const struct question *question, const struct facts *facts, size_t at, const json_t *event)
{
	const char *host = api_string(event, "host");
	bool call = !strcmp(api_string(event, "kind"), "call");
	struct place place;

	if (!place_read(json_get_text(event, call ? "remote" : "local", ""), facts, host, &place))
		return concerns(question, host, NULL, "", 0);
	return concerns(question, host, place.host, place.address, place.port) &&
	       !(call && worked_then(facts, at, host, &place));
}

static void ask_events(struct question *question, const struct facts *facts)
{
	json_t *event;
	size_t i;

	json_array_foreach(facts->events, i, event) {
		const char *host = api_string(event, "host"), *remote = json_get_text(event, "remote", "");
		struct finding finding;
		char subject[200];

		if (!recent(event) || !event_concerns(question, facts, i, event))
			continue;
		if (!rules_failure(facts, event, &finding) && !rules_event(facts, event, &finding))
			continue;
		if (finding.verdict == FINE && !question->all)
			continue;
		snprintf(subject, sizeof(subject), "%.60s%s%.80s", host, *remote ? " -> " : "",
			 !strcmp(api_string(event, "kind"), "call") ? remote : "");
		answer(question, subject, &finding);
	}
}

static void print_answers(const struct question *question)
{
	const char *bold = colour() ? "\033[1m" : "", *plain = colour() ? "\033[0m" : "";
	json_t *value;
	size_t i;

	json_array_foreach(question->answers, i, value) {
		const char *advice = json_get_text(value, "advice", "");

		printf("%s%s%s: %s", bold, api_string(value, "who"), plain, api_string(value, "verdict"));
		if (api_number(value, "times") > 1)
			printf(" (%lld times)", api_number(value, "times"));
		printf("\n    %s\n", api_string(value, "reason"));
		if (*advice)
			printf("    try: %s\n", advice);
	}
	if (!json_array_size(question->answers))
		printf("nothing is slow, stuck or refused%s%s\n", question->host ? " at " : "",
		       question->host ? question->host : "");
}

/* Of one that has left, too, there is something to say. */
static bool was_here(const struct facts *facts, const char *host)
{
	json_t *event;
	size_t i;

	json_array_foreach(facts->events, i, event)
		if (!strcmp(api_string(event, "host"), host))
			return true;
	return false;
}

static int ask(const struct command *command, struct question *question)
{
	struct facts facts;

	if (facts_fetch(command, question->network, &facts))
		return CLI_FAILED;
	if (question->host && !was_here(&facts, question->host) &&
	    host_check(command, question->network, question->host)) {
		facts_free(&facts);
		return CLI_FAILED;
	}
	question->answers = json_array();
	ask_talks(question, &facts);
	ask_listeners(question, &facts);
	ask_events(question, &facts);
	if (question->as_json)
		api_print(question->answers);
	else
		print_answers(question);
	json_decref(question->answers);
	facts_free(&facts);
	return cli_finish(CLI_OK);
}

static int why_run(const struct command *command, int argc, char **argv)
{
	struct question question = { .network = NETWORK_DEFAULT };
	int result;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			question.network = optarg;
		else if (result == OPTION_JSON)
			question.as_json = true;
		else
			question.all = true;
	}
	if (result != OPTIONS_END)
		return options_exit(result);
	if (optind < argc)
		question.host = argv[optind++];
	if (optind < argc)
		question.peer = argv[optind++];
	if (usage_no_operands(command, argc, argv) || network_check(command, question.network))
		return CLI_USAGE;
	return ask(command, &question);
}

const struct command command_why = {
	.name = "why",
	.usage = "[OPTIONS] [HOST [PEER|PORT]]",
	.summary = "Say why conversations are slow, stuck or refused",
	.options = options,
	.details = "One reason for each conversation of HOST (or of everybody), for each call that was\n"
		   "refused in the last minute, and for listeners that do not keep up. PEER narrows it to\n"
		   "one other host or address, PORT to one port of it.\n\n"
		   "  berth why web db\n\n"
		   "Exit code: 0; 1 when the network is not running or has no such host; 125 for wrong\n"
		   "use.\n",
	.run = why_run,
};
