/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosts in berth top, and the last events. */
#include "cli/top.h"

#include <string.h>
#include <time.h>

#include "control/json.h"

static const struct column host_columns[] = {
	{ .title = "NAME", .least = 11, .most = 32 },
	{ .title = "ADDRESS", .least = 13, .most = 15 },
	{ .title = "IPV6", .least = 10, .most = 39, .rank = 4 },
	{ .title = "PROGRAM", .least = 9, .most = 24 },
	{ .title = "PID", .least = 7, .rank = 3, .number = true },
	{ .title = "UP", .least = 7, .rank = 2, .number = true },
	{ .title = "VIA", .least = 7 },
	{ .title = "LISTENS", .least = 9, .most = 30, .rank = 1 },
	{ .title = "CONV", .least = 4, .number = true },
	{ .title = "IN/s", .least = 5, .number = true },
	{ .title = "OUT/s", .least = 5, .number = true },
	{ .title = "RETR", .least = 5, .number = true },
	{ .title = "DROPS", .least = 5, .number = true },
	{ .title = "DROPPED BY", .least = 24, .rank = 5 },
};

static const struct column event_columns[] = {
	{ .title = "TIME", .least = 12, .number = true, .left = true },
	{ .title = "HOST", .least = 10, .most = 24 },
	{ .title = "KIND", .least = 6 },
	{ .title = "WHAT", .least = 40 },
};

static long long drops_of_links(const json_t *links, const char *host)
{
	long long sum = 0;
	const char *reason;
	json_t *link, *count;
	size_t i;

	json_array_foreach(links, i, link) {
		if (strcmp(json_get_text(link, "from", ""), host) && strcmp(json_get_text(link, "to", ""), host))
			continue;
		json_object_foreach(json_object_get(link, "dropped"), reason, count)
			sum += json_integer_value(count);
	}
	return sum;
}

static json_t *counters_of(const struct sample *sample, const char *host)
{
	char key[SAMPLE_KEY];

	sample_counters_key(host, key);
	return sample ? json_object_get(sample->by_key, key) : NULL;
}

/* What host's stack dropped. text (may be NULL): by which names. */
static long long drops_of_stack(const struct sample *sample, const char *host, char *text, size_t size)
{
	const char *name;
	long long sum = 0;
	json_t *count;
	size_t used = 0;

	json_object_foreach(counters_of(sample, host), name, count) {
		if (!strstr(name, "_DROP_"))
			continue;
		sum += json_integer_value(count);
		if (text && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%lld %s", used ? ", " : "",
						 json_integer_value(count), name);
	}
	return sum;
}

static long long drops_of(const struct sample *sample, const char *host)
{
	return sample ? drops_of_stack(sample, host, NULL, 0) + drops_of_links(sample->links, host) : 0;
}

static void add_port(char *text, size_t size, long long port)
{
	size_t used = strlen(text);
	char number[24];

	snprintf(number, sizeof(number), "%lld", port);
	for (const char *at = text; (at = strstr(at, number)); at++) /* IPv4 and IPv6: once */
		if ((at == text || at[-1] == ',') && (!at[strlen(number)] || at[strlen(number)] == ','))
			return;
	snprintf(text + used, size - used, "%s%s", used ? "," : "", number);
}

/* How many conversations host has; and the ports where it waits for others. */
static long long talks_of(const struct sample *sample, const char *host, char *ports, size_t size)
{
	long long count = 0;
	json_t *socket;
	size_t i;

	snprintf(ports, size, "%s", "");
	json_array_foreach(sample->sockets, i, socket) {
		if (strcmp(api_string(socket, "host"), host))
			continue;
		if (api_number(json_object_get(socket, "remote"), "port"))
			count++;
		else
			add_port(ports, size, api_number(json_object_get(socket, "local"), "port"));
	}
	return count;
}

static void add_traffic(const struct moment *moment, struct rows *rows, struct row *row)
{
	char in[SAMPLE_KEY], out[SAMPLE_KEY];

	sample_link_key("", row->host, in);
	sample_link_key(row->host, "", out);
	row_amount(rows, row, moment_rate(moment, in, json_object_get(moment->now->by_key, in), "bytes_out"));
	row_amount(rows, row, moment_rate(moment, out, json_object_get(moment->now->by_key, out), "bytes_in"));
}

static void add_trouble(const struct moment *moment, struct rows *rows, struct row *row)
{
	long long drops = drops_of(moment->now, row->host);
	const json_t *counters = counters_of(moment->now, row->host);
	char key[SAMPLE_KEY], reasons[400] = "-";

	sample_counters_key(row->host, key);
	row_count(rows, row, api_number(counters, "TCP_RETRANSMIT"),
		  moment_grown(moment, key, counters, "TCP_RETRANSMIT"));
	row_count(rows, row, drops, moment->before ? drops - drops_of(moment->before, row->host) : 0);
	drops_of_stack(moment->now, row->host, reasons, sizeof(reasons));
	row_text(rows, row, TONE_FAINT, "%s", reasons);
}

static void add_host(const struct moment *moment, struct rows *rows, const json_t *host)
{
	struct row *row = rows_add(rows);
	const char *program = api_string(host, "program");
	bool express = json_get_flag(host, "express", 0);
	char up[32], ports[200];
	long long talks;

	snprintf(row->host, sizeof(row->host), "%s", api_string(host, "name"));
	snprintf(row->key, sizeof(row->key), "%s", row->host);
	row->paused = !strcmp(api_string(host, "state"), "paused");
	talks = talks_of(moment->now, row->host, ports, sizeof(ports));
	row_text(rows, row, TONE_NAME, "%s", row->host);
	row_text(rows, row, TONE_PLAIN, "%s", api_string(host, "ip4"));
	row_text(rows, row, TONE_PLAIN, "%s", api_string(host, "ip6"));
	row_text(rows, row, TONE_PLAIN, "%s", program);
	row_text(rows, row, TONE_PLAIN, "%lld", api_number(host, "pid"))->value = (double)api_number(host, "pid");
	duration_text((long long)time(NULL) - api_number(host, "started"), up, sizeof(up));
	row_text(rows, row, TONE_PLAIN, "%s", up)->value = -(double)api_number(host, "started");
	row_text(rows, row, row->paused ? TONE_WARN : TONE_PLAIN, "%s",
		 row->paused ? "paused"
		 : express   ? "express"
			     : "wire");
	row_text(rows, row, *ports ? TONE_PLAIN : TONE_FAINT, "%s", *ports ? ports : "-");
	row_amount(rows, row, (double)talks);
	add_traffic(moment, rows, row);
	add_trouble(moment, rows, row);
}

static void build_hosts(const struct moment *moment, struct rows *rows)
{
	json_t *host;
	size_t i;

	json_array_foreach(moment->now->programs, i, host)
		if (strcmp(api_string(host, "state"), "ended"))
			add_host(moment, rows, host);
}

static enum tone kind_tone(const char *kind)
{
	if (!strcmp(kind, "drop") || !strcmp(kind, "policy"))
		return TONE_BAD;
	if (!strcmp(kind, "event") || !strcmp(kind, "link"))
		return TONE_WARN;
	return strcmp(kind, "host") ? TONE_PLAIN : TONE_GOOD;
}

static void event_brief(const json_t *entry, char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	*text = 0;
	if (!out)
		return;
	event_write(entry, out);
	fclose(out);
	text[size - 1] = 0;
}

static void build_events(const struct moment *moment, struct rows *rows)
{
	json_t *entry;
	size_t i;

	json_array_foreach(moment->events, i, entry) {
		struct row *row = rows_add(rows);
		const char *kind = api_string(entry, "kind");
		char when[32], what[400];

		event_clock(api_string(entry, "time"), when, sizeof(when));
		event_brief(entry, what, sizeof(what));
		snprintf(row->key, sizeof(row->key), "%012lld", api_number(entry, "number"));
		snprintf(row->host, sizeof(row->host), "%s", json_get_text(entry, "host", ""));
		row->entry = entry;
		row_text(rows, row, TONE_FAINT, "%.12s", when)->value = (double)api_number(entry, "number");
		row_text(rows, row, TONE_NAME, "%s", row->host);
		row_text(rows, row, kind_tone(kind), "%s", kind);
		row_text(rows, row, TONE_PLAIN, "%s", what);
	}
}

const struct view top_view_hosts = {
	.name = "hosts",
	.label = "Hosts",
	.columns = host_columns,
	.columns_count = sizeof(host_columns) / sizeof(*host_columns),
	.build = build_hosts,
};

const struct view top_view_events = {
	.name = "events",
	.label = "Events",
	.columns = event_columns,
	.columns_count = sizeof(event_columns) / sizeof(*event_columns),
	.build = build_events,
};
