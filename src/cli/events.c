/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth events and berth trace: the network's journal as lines of text, or of
 * JSON as they come from the control API.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/http.h"
#include "control/json.h"
#include "control/paths.h"

enum { OPTION_NET = 256, OPTION_JSON, OPTION_KINDS, OPTION_SINCE, OPTION_NO_PACKETS, LINES_ROOM = 1 << 17 };

#define TRACE_KINDS "host,call,state,drop,event,link,policy"

static const struct cli_option events_options[] = {
	{ 'f', "follow", NULL, "go on with what comes, until Ctrl-C or the network's end" },
	{ OPTION_KINDS, "kinds", "LIST", "only these: host call state drop event link policy packet" },
	{ OPTION_SINCE, "since", "NUMBER", "only what came after this entry; now: only what comes" },
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ OPTION_JSON, "json", NULL, "a line of JSON for each, as the control API has it" },
	{ 0 },
};

static const struct cli_option trace_options[] = {
	{ OPTION_NO_PACKETS, "no-packets", NULL, "calls, states and drops only" },
	{ OPTION_NET, "net", "NETWORK", "the network to look at (default: default)" },
	{ OPTION_JSON, "json", NULL, "a line of JSON for each, as the control API has it" },
	{ 0 },
};

struct reader {
	const struct command *command;
	const char *network, *host, *kinds, *since;
	bool follow, as_json;
	size_t length;
	char lines[LINES_ROOM];
};

void event_clock(const char *rfc3339, char *text, size_t size)
{
	struct tm tm = { 0 };
	time_t seconds;
	const char *rest = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm);

	seconds = timegm(&tm);
	localtime_r(&seconds, &tm);
	if (!rest || !strftime(text, size, "%H:%M:%S", &tm))
		snprintf(text, size, "-");
	else
		snprintf(text + strlen(text), size - strlen(text), "%.7s", rest);
}

static void write_ends(const json_t *entry, FILE *out)
{
	const char *local = json_get_text(entry, "local", ""), *remote = json_get_text(entry, "remote", "");

	if (*local)
		fprintf(out, " %s", local);
	if (*remote)
		fprintf(out, " -> %s", remote);
}

void event_write(const json_t *entry, FILE *out)
{
	const char *kind = api_string(entry, "kind"), *text = json_get_text(entry, "text", "");
	const json_t *result = json_object_get(entry, "result");

	if (!strcmp(kind, "missed")) {
		fprintf(out, "... %lld entries are not there any more", api_number(entry, "count"));
		return;
	}
	if (!strcmp(kind, "state"))
		fprintf(out, "%s -> %s", api_string(entry, "before"), api_string(entry, "state"));
	else
		fprintf(out, "%s", api_string(entry, "what"));
	write_ends(entry, out);
	if (*text)
		fprintf(out, strcmp(kind, "call") ? "%s%s" : "%s(%s)", strcmp(kind, "call") ? "  " : " ", text);
	if (json_is_string(result))
		fprintf(out, " = %s", json_string_value(result));
	if (json_object_get(entry, "command"))
		fprintf(out, "  [%s %lld]", api_string(entry, "command"), api_number(entry, "pid"));
}

static void print_entry(const json_t *entry, bool with_host)
{
	const char *kind = api_string(entry, "kind");
	char when[32];

	if (!strcmp(kind, "missed")) {
		event_write(entry, stdout);
		putchar('\n');
		return;
	}
	event_clock(api_string(entry, "time"), when, sizeof(when));
	printf("%s  ", when);
	if (with_host)
		printf("%-10s  ", api_string(entry, "host"));
	printf("%-6s  ", kind);
	event_write(entry, stdout);
	putchar('\n');
}

static void take_line(const struct reader *reader, const char *line, size_t length)
{
	json_t *entry;

	if (reader->as_json) {
		printf("%.*s\n", (int)length, line);
		return;
	}
	entry = json_loadb(line, length, 0, NULL);
	if (entry)
		print_entry(entry, !reader->host);
	json_decref(entry);
}

static void take_lines(struct reader *reader)
{
	size_t at = 0;
	char *end;

	while ((end = memchr(reader->lines + at, '\n', reader->length - at))) {
		size_t length = (size_t)(end - (reader->lines + at));

		take_line(reader, reader->lines + at, length);
		at += length + 1;
	}
	memmove(reader->lines, reader->lines + at, reader->length - at);
	reader->length -= at;
	if (reader->length == sizeof(reader->lines))
		reader->length = 0; /* no line is that long */
}

static int read_stream(struct reader *reader, int fd)
{
	for (;;) {
		ssize_t n;

		take_lines(reader);
		if (fflush(stdout))
			return CLI_FAILED; /* who reads us has gone */
		n = read(fd, reader->lines + reader->length, sizeof(reader->lines) - reader->length);
		if (n == 0)
			return CLI_OK;
		if (n < 0 && errno != EINTR)
			return api_failed(reader->command, reader->network, -errno);
		reader->length += n > 0 ? (size_t)n : 0;
	}
}

/* What the daemon said when it refused: a JSON object. */
static int refused(struct reader *reader, int fd)
{
	ssize_t n = read(fd, reader->lines + reader->length, sizeof(reader->lines) - reader->length);
	json_t *answer = json_loadb(reader->lines, reader->length + (n > 0 ? (size_t)n : 0), 0, NULL);

	fprintf(stderr, "berth %s: %s\n", reader->command->name, json_get_text(answer, "error", "refused"));
	json_decref(answer);
	return CLI_FAILED;
}

static int read_events(struct reader *reader)
{
	char target[512];
	int fd, status, r;

	snprintf(target, sizeof(target), "/v1/events?x=1%s%s%s%s%s%s%s", reader->follow ? "&follow=1" : "",
		 reader->host ? "&host=" : "", reader->host ? reader->host : "", reader->kinds ? "&kinds=" : "",
		 reader->kinds ? reader->kinds : "", reader->since ? "&since=" : "",
		 reader->since ? reader->since : "");
	status = http_stream(reader->network, target, &fd, reader->lines, sizeof(reader->lines), &reader->length);
	if (status < 0)
		return api_failed(reader->command, reader->network, status);
	r = status == 200 ? read_stream(reader, fd) : refused(reader, fd);
	close(fd);
	return r;
}

static bool plain(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-,") == strlen(text) && strlen(text) < 120;
}

static int check(struct reader *reader)
{
	char *end;

	if (network_check(reader->command, reader->network))
		return CLI_USAGE;
	if (reader->kinds && !plain(reader->kinds))
		return usage_error(reader->command, "--kinds: '%s' is no list of kinds, with commas", reader->kinds);
	if (reader->since && strcmp(reader->since, "now")) {
		errno = 0;
		strtoull(reader->since, &end, 10);
		if (errno || end == reader->since || *end || !plain(reader->since))
			return usage_error(reader->command, "--since: '%s' is neither an entry's number nor now",
					   reader->since);
	}
	if (!reader->host || !reader->follow)
		return CLI_OK; /* the journal knows hosts that have left, too */
	return host_check(reader->command, reader->network, reader->host);
}

static int run(struct reader *reader)
{
	int r = check(reader);

	return cli_finish(r ? r : read_events(reader));
}

static struct reader *reader_new(const struct command *command)
{
	struct reader *reader = cli_alloc(sizeof(*reader));

	memset(reader, 0, sizeof(*reader));
	reader->command = command;
	reader->network = NETWORK_DEFAULT;
	return reader;
}

static int events_run(const struct command *command, int argc, char **argv)
{
	struct reader *reader = reader_new(command);
	int result, r;

	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			reader->network = optarg;
		else if (result == OPTION_KINDS)
			reader->kinds = optarg;
		else if (result == OPTION_SINCE)
			reader->since = optarg;
		else if (result == OPTION_JSON)
			reader->as_json = true;
		else
			reader->follow = true;
	}
	if (result == OPTIONS_END && optind < argc)
		reader->host = argv[optind++];
	r = result == OPTIONS_END ? usage_no_operands(command, argc, argv) : options_exit(result);
	if (result == OPTIONS_END && !r)
		r = run(reader);
	free(reader);
	return r;
}

static int trace_run(const struct command *command, int argc, char **argv)
{
	struct reader *reader = reader_new(command);
	int result, r;

	reader->follow = true;
	reader->kinds = TRACE_KINDS ",packet";
	while ((result = options_next(command, argc, argv)) > 0) {
		if (result == OPTION_NET)
			reader->network = optarg;
		else if (result == OPTION_JSON)
			reader->as_json = true;
		else
			reader->kinds = TRACE_KINDS;
	}
	if (result != OPTIONS_END)
		r = options_exit(result);
	else if (optind == argc)
		r = usage_error(command, "whose time line? A host's name is needed (berth ps lists them)");
	else
		r = (reader->host = argv[optind++], usage_no_operands(command, argc, argv));
	if (result == OPTIONS_END && !r)
		r = run(reader);
	free(reader);
	return r;
}

const struct command command_events = {
	.name = "events",
	.usage = "[OPTIONS] [HOST]",
	.summary = "List what happened on a network: calls, states, drops, changes",
	.options = events_options,
	.details = "The last 8192 entries are kept. Kinds: host (programs that come and go), call (their\n"
		   "socket calls), state (of TCP connections), drop (packets, with the reason), event\n"
		   "(retransmissions, resets, …), link (changes of conditions), policy (what was denied),\n"
		   "packet (only if asked for, and only from then on).\n\n"
		   "  berth events -f --kinds drop,event\n\n"
		   "Exit code: 0; 1 when the network is not running; 125 for wrong use.\n",
	.run = events_run,
};

const struct command command_trace = {
	.name = "trace",
	.usage = "[OPTIONS] HOST",
	.summary = "Follow a host: socket calls, states, and the packets they cause",
	.options = trace_options,
	.details = "What happened before is shown first, without packets. read() and write() do not pass\n"
		   "Berth's eyes; the packets that they cause do. Ends with Ctrl-C or with the network.\n\n"
		   "Exit code: 0; 1 when the network is not running or has no such host; 125 for wrong\n"
		   "use.\n",
	.run = trace_run,
};
