/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers of the journal, over HTTP: a line of JSON for each entry, and, for
 * one who follows, the next ones as they come. The journal waits for nobody:
 * who reads too slowly is told how many entries it missed.
 */
#include "daemon/answer.h"
#include "daemon/followers.h"

#include "base/ip.h"
#include "daemon/capture.h"
#include "daemon/state.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_MAX_LENGTH = 2048, ALL_KINDS = (1 << JOURNAL_KINDS) - 1 };

static const char *const kind_names[JOURNAL_KINDS] = {
	[JOURNAL_HOST] = "host",   [JOURNAL_CALL] = "call", [JOURNAL_STATE] = "state",	 [JOURNAL_DROP] = "drop",
	[JOURNAL_EVENT] = "event", [JOURNAL_LINK] = "link", [JOURNAL_POLICY] = "policy", [JOURNAL_PACKET] = "packet",
};

struct follower {
	struct list node; /* in journal->followers */
	struct daemon *daemon;
	struct MHD_Connection *connection;
	uint64_t next, last; /* last UINT64_MAX: whatever comes */
	char host[64];	     /* empty: all */
	unsigned kinds;	     /* bits of enum journal_kind */
	bool suspended, ended;
};

static void add_end(json_t *line, const char *key, const struct berth_endpoint *end)
{
	char ip[BERTH_IP_STRLEN], text[BERTH_IP_STRLEN + 10];

	if (!end->port && ip_is_any(end->ip))
		return;
	if (ip_is_any(end->ip))
		snprintf(text, sizeof(text), "*:%u", end->port);
	else
		snprintf(text, sizeof(text), ip_is4(end->ip) ? "%s:%u" : "[%s]:%u", berth_ip_format(end->ip, ip),
			 end->port);
	json_object_set_new(line, key, json_string(text));
}

/* Programs choose their names, and packets hold anything: JSON gets printable ASCII. */
static void add_text(json_t *line, const char *key, const char *text)
{
	char clean[sizeof(((struct journal_entry *)0)->text)];
	size_t length = 0;

	for (; length < sizeof(clean) - 1 && text[length]; length++)
		clean[length] = text[length] >= 32 && text[length] < 127 ? text[length] : '?';
	clean[length] = 0;
	if (length)
		json_object_set_new(line, key, json_string(clean));
}

static json_t *time_of(int64_t wall)
{
	time_t seconds = (time_t)(wall / BERTH_SEC);
	char text[64], date[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06dZ", date, (int)(wall % BERTH_SEC / BERTH_USEC));
	return json_string(text);
}

static json_t *json_of(const struct journal_entry *entry)
{
	json_t *line = json_pack("{s:I, s:o, s:s}", "number", (json_int_t)entry->number, "time", time_of(entry->wall),
				 "kind", kind_names[entry->kind]);

	add_text(line, "host", entry->host);
	if (entry->what)
		json_object_set_new(line, "what", json_string(entry->what));
	if (entry->protocol)
		json_object_set_new(line, "protocol",
				    json_string(entry->protocol == IPPROTO_TCP	 ? "tcp"
						: entry->protocol == IPPROTO_UDP ? "udp"
										 : "other"));
	add_end(line, "local", &entry->local);
	add_end(line, "remote", &entry->remote);
	if (entry->state)
		json_object_update_new(line, json_pack("{s:s, s:s}", "before", entry->before, "state", entry->state));
	if (entry->kind == JOURNAL_CALL)
		json_object_set_new(line, "result",
				    entry->result < 0 ? json_string(strerrorname_np(-entry->result)) : json_integer(0));
	if (entry->pid)
		json_object_set_new(line, "pid", json_integer(entry->pid));
	add_text(line, "command", entry->command);
	add_text(line, "text", entry->text);
	return line;
}

static bool wants(const struct follower *follower, const struct journal_entry *entry)
{
	return follower->kinds & 1u << entry->kind && (!follower->host[0] || !strcmp(follower->host, entry->host));
}

/* A line at buffer for what value says, which this takes. Returns its length. */
static size_t put_line(json_t *value, char *buffer)
{
	size_t length = value ? json_dumpb(value, buffer, LINE_MAX_LENGTH - 1, JSON_COMPACT) : 0;

	json_decref(value);
	if (!length || length > LINE_MAX_LENGTH - 1)
		return 0;
	buffer[length] = '\n';
	return length + 1;
}

/* Fell behind: what comes next is not the next one. */
static size_t put_missed(struct follower *follower, char *buffer)
{
	struct journal *journal = follower->daemon->journal;
	json_int_t missed = (json_int_t)(journal->first - follower->next);

	follower->next = journal->first;
	return put_line(json_pack("{s:s, s:I}", "kind", "missed", "count", missed), buffer);
}

static ssize_t read_journal(void *context, uint64_t position, char *buffer, size_t room)
{
	struct follower *follower = context;
	struct journal *journal = follower->daemon->journal;
	const struct journal_entry *entry;
	size_t used = 0;

	if (follower->next < journal->first)
		used += put_missed(follower, buffer);
	while (room - used > LINE_MAX_LENGTH && follower->next <= follower->last &&
	       (entry = journal_at(journal, follower->next))) {
		if (wants(follower, entry))
			used += put_line(json_of(entry), buffer + used);
		follower->next++;
	}
	if (used)
		return (ssize_t)used;
	if (follower->ended || follower->next > follower->last)
		return MHD_CONTENT_READER_END_OF_STREAM;
	follower->suspended = true;
	MHD_suspend_connection(follower->connection);
	return 0;
}

static void wake(struct follower *follower)
{
	if (!follower->suspended)
		return;
	follower->suspended = false;
	MHD_resume_connection(follower->connection);
	follower->daemon->api_due = true;
}

void followers_wake(struct daemon *daemon)
{
	LIST_EACH(&daemon->journal->followers, node)
		wake(LIST_ITEM(node, struct follower, node));
}

void journal_end(struct daemon *daemon)
{
	if (!daemon->journal)
		return;
	LIST_EACH(&daemon->journal->followers, node)
		LIST_ITEM(node, struct follower, node)->ended = true;
	followers_wake(daemon);
}

bool journal_wants_frames(const struct daemon *daemon)
{
	if (daemon->journal)
		LIST_EACH(&daemon->journal->followers, node)
			if (LIST_ITEM(node, struct follower, node)->kinds & 1u << JOURNAL_PACKET)
				return true;
	return false;
}

static void follower_free(void *context)
{
	struct follower *follower = context;

	list_remove(&follower->node);
	capture_observe(follower->daemon);
	free(follower);
}

/* "call,state": bits. 0: one of them is not known. */
static unsigned kinds_from(const char *text)
{
	unsigned kinds = 0;

	while (*text) {
		size_t length = strcspn(text, ",");
		unsigned before = kinds;

		for (unsigned i = 0; i < JOURNAL_KINDS; i++)
			if (strlen(kind_names[i]) == length && !strncmp(text, kind_names[i], length))
				kinds |= 1u << i;
		if (kinds == before)
			return 0;
		text += length + (text[length] == ',');
	}
	return kinds;
}

static const char *argument(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

static struct follower *follower_new(struct daemon *daemon, struct MHD_Connection *connection, unsigned kinds)
{
	const char *host = argument(connection, "host"), *since = argument(connection, "since");
	struct follower *follower = calloc(1, sizeof(*follower));

	if (!follower)
		return NULL;
	follower->daemon = daemon;
	follower->connection = connection;
	follower->kinds = kinds;
	snprintf(follower->host, sizeof(follower->host), "%s", host ? host : "");
	follower->next = since ? strtoull(since, NULL, 10) + 1 : daemon->journal->first;
	if (since && !strcmp(since, "now"))
		follower->next = daemon->journal->next;
	follower->last = argument(connection, "follow") ? UINT64_MAX : daemon->journal->next - !!daemon->journal->next;
	list_append(&daemon->journal->followers, &follower->node);
	capture_observe(daemon);
	return follower;
}

int journal_stream(struct daemon *daemon, struct MHD_Connection *connection)
{
	const char *kinds_text = argument(connection, "kinds");
	unsigned kinds = kinds_text ? kinds_from(kinds_text) : ALL_KINDS & ~(1u << JOURNAL_PACKET);
	struct follower *follower;

	if (!kinds)
		return answer_constant(
			connection, MHD_HTTP_BAD_REQUEST,
			"{\"error\":\"kinds: a list, with commas, of host, call, state, drop, event, link, "
			"policy, packet is needed\"}");
	follower = follower_new(daemon, connection, kinds);
	if (!follower)
		return MHD_NO;
	return answer_stream(connection, "application/x-ndjson", read_journal, follower, follower_free);
}
