/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/programs.h"

#include "control/json.h"
#include "daemon/journal.h"
#include "daemon/record.h"
#include "daemon/report.h"
#include "daemon/rules.h"
#include "daemon/state.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((format(printf, 3, 4))) static json_t *refuse(unsigned *ret_status, unsigned status, const char *format,
							    ...)
{
	char text[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	*ret_status = status;
	return json_pack("{s:s}", "error", text);
}

/* The record that rest begins with, and the verb that follows ("" for none). */
static struct record *record_of(struct daemon *daemon, const char *rest, const char **ret_verb)
{
	char name[64];
	size_t length = strcspn(rest, "/");

	*ret_verb = rest[length] ? rest + length + 1 : "";
	if (!length || length >= sizeof(name))
		return NULL;
	memcpy(name, rest, length);
	name[length] = 0;
	return record_find(daemon, name);
}

static json_t *refuse_unknown(const char *rest, unsigned *ret_status)
{
	return refuse(ret_status, MHD_HTTP_NOT_FOUND, "there is no host '%.*s' (berth ps -a lists them)",
		      (int)MIN(strcspn(rest, "/"), (size_t)70), rest);
}

static json_t *describe(const struct record *record)
{
	json_t *program;

	if (record->host) {
		program = report_host(record->host);
		json_object_set_new(program, "state", json_string(record->paused ? "paused" : "running"));
		json_object_set_new(program, "exit_code", json_null());
		json_object_set_new(program, "ended", json_null());
	} else {
		program = report_ended(record);
	}
	json_object_set_new(program, "detached", json_boolean(record->detached));
	json_object_set_new(program, "denied", rules_report_denied(record->rules));
	json_object_set_new(program, "denied_count",
			    json_integer(record->rules ? (json_int_t)record->rules->denied_count : 0));
	json_object_set_new(program, "log_lines", json_integer((json_int_t)record->next_number));
	return program;
}

json_t *report_programs(struct daemon *daemon)
{
	json_t *list = json_array();

	LIST_EACH(&daemon->records, node) {
		struct record *record = LIST_ITEM(node, struct record, node);
		if (!record->gone)
			json_array_append_new(list, describe(record));
	}
	return list;
}

json_t *program_report(struct daemon *daemon, const char *rest, unsigned *ret_status)
{
	const char *verb;
	struct record *record = record_of(daemon, rest, &verb);

	if (!record)
		return refuse_unknown(rest, ret_status);
	if (!strcmp(verb, "logs"))
		return refuse(ret_status, MHD_HTTP_CONFLICT,
			      "'%s' is not detached: what it says is where it was started", record->name);
	if (*verb)
		return refuse(ret_status, MHD_HTTP_NOT_FOUND, "there is no such path");
	return describe(record);
}

bool program_stream(struct daemon *daemon, struct MHD_Connection *connection, const char *rest, int *ret_result)
{
	const char *verb, *tail = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "tail");
	const char *follow = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "follow");
	struct record *record = record_of(daemon, rest, &verb);

	if (record && !strcmp(verb, "wait"))
		*ret_result = record_wait(record, connection);
	else if (record && record->detached && !strcmp(verb, "logs"))
		*ret_result = record_read(record, connection, tail ? labs(strtol(tail, NULL, 10)) : -1, follow != NULL);
	else
		return false;
	return true;
}

/* lenient: that it has ended is as good. */
static json_t *send_signal(struct record *record, int number, bool lenient, unsigned *ret_status)
{
	struct channel_message message = { .type = CHANNEL_SIGNAL, .value = number };
	struct channel *channel = record->host ? channel_of(record->host, record->host->session) : NULL;

	if (number < 1 || number >= NSIG)
		return refuse(ret_status, MHD_HTTP_BAD_REQUEST, "signal: a number from 1 to %d is needed", NSIG - 1);
	if (!channel && lenient)
		return describe(record);
	if (!channel)
		return refuse(ret_status, MHD_HTTP_CONFLICT, "'%s' has ended", record->name);
	channel_send(channel, &message, NULL, 0);
	return describe(record);
}

static json_t *pause_program(struct record *record, bool paused, unsigned *ret_status)
{
	struct channel_message message = { .type = CHANNEL_PAUSE, .value = paused };
	struct channel *channel = record->host ? channel_of(record->host, record->host->session) : NULL;

	if (!channel)
		return refuse(ret_status, MHD_HTTP_CONFLICT, "'%s' has ended", record->name);
	if (record->paused != paused)
		journal_note(record->host, JOURNAL_HOST, paused ? "paused" : "resumed", "%s", record->program);
	record->paused = paused;
	channel_send(channel, &message, NULL, 0);
	return describe(record);
}

static json_t *remove_record(struct record *record, bool force, unsigned *ret_status)
{
	json_t *answer;

	if (record->host && !force)
		return refuse(ret_status, MHD_HTTP_CONFLICT, "'%s' runs: berth stop it first, or rm -f", record->name);
	record->keep = false;
	if (record->host)
		return send_signal(record, SIGKILL, false, ret_status);
	answer = describe(record);
	record_remove(record);
	return answer;
}

/* A body as struct channel_publish. Returns NULL, or what is wrong with it. */
static const char *publish_read(const json_t *body, struct channel_publish *ret_publish)
{
	const char *protocol = json_get_text(body, "protocol", "tcp");
	long long real_port = json_get_number(body, "real_port", -1), port = json_get_number(body, "port", -1);
	struct berth_ip ip;

	if (berth_ip_parse(json_get_text(body, "address", "127.0.0.1"), &ip))
		return "address: an IP address is needed";
	if (real_port < 0 || real_port > 65535 || port < 1 || port > 65535)
		return "real_port, port: numbers to 65535 are needed";
	if (strcmp(protocol, "tcp") && strcmp(protocol, "udp"))
		return "protocol: tcp or udp";
	*ret_publish = (struct channel_publish){ .real_port = (uint16_t)real_port,
						 .port = (uint16_t)port,
						 .protocol = strcmp(protocol, "udp") ? IPPROTO_TCP : IPPROTO_UDP };
	memcpy(ret_publish->real_ip, ip.bytes, sizeof(ret_publish->real_ip));
	return NULL;
}

static json_t *change_published(struct record *record, const json_t *body, bool open, unsigned *ret_status)
{
	struct channel_publish wanted;
	const char *wrong = publish_read(body, &wanted);
	struct publish *publish;
	int port;

	if (wrong)
		return refuse(ret_status, MHD_HTTP_BAD_REQUEST, "%s", wrong);
	if (!record->host)
		return refuse(ret_status, MHD_HTTP_CONFLICT, "'%s' has ended", record->name);
	if (open && (port = publish_open(record->host, &wanted)) < 0)
		return refuse(ret_status, MHD_HTTP_CONFLICT, "can't publish %s port %d: %s%s",
			      json_get_text(body, "address", "127.0.0.1"), wanted.real_port, strerror(-port),
			      port == -EACCES ? " (see ports in berth doctor)" : "");
	if (!open && !(publish = publish_find(record->host, &wanted)))
		return refuse(ret_status, MHD_HTTP_CONFLICT, "'%s' has not published that (berth ps lists what it has)",
			      record->name);
	if (!open)
		publish_free(publish);
	return describe(record);
}

json_t *program_change(struct daemon *daemon, const char *rest, const json_t *body, unsigned *ret_status)
{
	const char *verb;
	struct record *record = record_of(daemon, rest, &verb);

	if (!record)
		return refuse_unknown(rest, ret_status);
	if (!strcmp(verb, "signal"))
		return send_signal(record, (int)json_get_number(body, "signal", 0),
				   json_is_true(json_object_get(body, "if_running")), ret_status);
	if (!strcmp(verb, "pause"))
		return pause_program(record, json_get_flag(body, "paused", 1), ret_status);
	if (!strcmp(verb, "remove"))
		return remove_record(record, json_get_flag(body, "force", 0), ret_status);
	if (!strcmp(verb, "publish") || !strcmp(verb, "unpublish"))
		return change_published(record, body, verb[0] == 'p', ret_status);
	return refuse(ret_status, MHD_HTTP_NOT_FOUND, "there is no such path");
}
