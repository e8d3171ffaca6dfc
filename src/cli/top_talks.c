/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conversations in berth top: both ends in one line, the client first. Up
 * is what the client sends, down what the server does.
 */
#include "cli/top.h"

#include <string.h>

#include "control/json.h"
#include "control/paths.h"

static const struct column talk_columns[] = {
	{ .title = "CLIENT", .least = 14, .most = 40, .end = true },
	{ .title = "SERVER", .least = 14, .most = 40, .end = true },
	{ .title = "PROGRAMS", .least = 16, .most = 30, .rank = 1 },
	{ .title = "STATE", .least = 10 },
	{ .title = "VIA", .least = 7 },
	{ .title = "UP-Q", .least = 4, .number = true },
	{ .title = "DN-Q", .least = 4, .number = true },
	{ .title = "UP/s", .least = 4, .number = true },
	{ .title = "DN/s", .least = 4, .number = true },
	{ .title = "UP", .least = 4, .rank = 3, .number = true },
	{ .title = "DOWN", .least = 4, .rank = 3, .number = true },
	{ .title = "RTT", .least = 5, .number = true },
	{ .title = "CWND", .least = 4, .rank = 4, .number = true },
	{ .title = "FLIGHT", .least = 6, .rank = 5, .number = true },
	{ .title = "RETR", .least = 4, .number = true },
	{ .title = "DROPS", .least = 5, .rank = 2, .number = true },
};
enum { COLUMN_DOWN_RATE = 8 };

/* The two ends; one of them may be NULL. */
struct talk {
	const json_t *client, *server;
	bool outside; /* one end is on the real network */
};

/* What the pairing needs to look up, by text. */
struct index {
	json_t *names;	   /* address: host */
	json_t *listeners; /* "tcp web 80": true */
};

static void listener_key(const json_t *socket, char *key, size_t size)
{
	snprintf(key, size, "%s %s %lld", api_string(socket, "protocol"), api_string(socket, "host"),
		 api_number(json_object_get(socket, "local"), "port"));
}

static void index_make(const struct sample *sample, struct index *index)
{
	json_t *value;
	char key[160];
	size_t i;

	*index = (struct index){ json_object(), json_object() };
	json_array_foreach(sample->programs, i, value) {
		if (!strcmp(api_string(value, "state"), "ended"))
			continue;
		json_object_set(index->names, api_string(value, "ip4"), json_object_get(value, "name"));
		json_object_set(index->names, api_string(value, "ip6"), json_object_get(value, "name"));
	}
	json_array_foreach(sample->sockets, i, value) {
		listener_key(value, key, sizeof(key));
		if (!api_number(json_object_get(value, "remote"), "port"))
			json_object_set_new(index->listeners, key, json_true());
	}
}

static bool serves(const struct index *index, const json_t *socket)
{
	char key[160];

	listener_key(socket, key, sizeof(key));
	return json_object_get(index->listeners, key) != NULL;
}

void talk_end_text(const json_t *end, const char *host, char *text, size_t size)
{
	const char *address = api_string(end, "address");
	bool six = !host && strchr(address, ':');

	snprintf(text, size, "%s%s%s:%lld", six ? "[" : "", host ? host : address, six ? "]" : "",
		 api_number(end, "port"));
}

static bool is_loopback(const json_t *end)
{
	const char *address = api_string(end, "address");

	return !strncmp(address, "127.", 4) || !strcmp(address, "::1");
}

/* The name of who has the address of end, or NULL. Loopback is its own at both ends; at one alone it is outside. */
static const char *name_at(const struct index *index, const json_t *end, const json_t *asker_end, const char *asker)
{
	if (is_loopback(end))
		return is_loopback(asker_end) ? asker : NULL;
	return json_string_value(json_object_get(index->names, api_string(end, "address")));
}

static bool is_client(const struct index *index, const json_t *near, const json_t *far)
{
	long long here = api_number(json_object_get(near, "local"), "port");
	long long there = api_number(json_object_get(near, "remote"), "port");
	bool near_serves = serves(index, near), far_serves = far && serves(index, far);

	if (near_serves != far_serves)
		return far_serves;
	return here == there ? !near_serves : here > there;
}

/* Both ends of the conversation that socket is in. False: it is none, or is told from its other end. */
static bool talk_of(const struct moment *moment, const struct index *index, const json_t *socket, struct talk *talk)
{
	const json_t *remote = json_object_get(socket, "remote"), *far;
	const char *host = api_string(socket, "host");
	bool gateway = !strcmp(host, GATEWAY_HOST);
	char key[SAMPLE_KEY];

	if (!api_number(remote, "port"))
		return false;
	sample_socket_key(socket, true, key);
	far = json_object_get(moment->now->by_key, key);
	far = far == socket ? NULL : far;
	if (gateway && !far)
		return false; /* the daemon's own half: the program's says more */
	*talk = is_client(index, socket, far) ? (struct talk){ .client = socket, .server = far }
					      : (struct talk){ .client = far, .server = socket };
	talk->outside = gateway || (!far && !name_at(index, remote, json_object_get(socket, "local"), host)) ||
			(far && !strcmp(api_string(far, "host"), GATEWAY_HOST));
	return !far || talk->client == socket;
}

static double queue(const json_t *from, const json_t *to)
{
	return (double)(api_number(from, "send_queue") + api_number(to, "receive_queue"));
}

/* Where what one end has sent is counted: at who received it, or as acknowledged. */
static const char *counted(const json_t *from, const json_t *to, const json_t **ret_socket)
{
	*ret_socket = to ? to : from;
	return to ? "bytes_received" : "bytes_acked";
}

static bool knows_tcp(const json_t *socket)
{
	return json_is_object(json_object_get(socket, "tcp"));
}

static double sent(const json_t *from, const json_t *to)
{
	const json_t *socket;
	const char *name = counted(from, to, &socket);

	return knows_tcp(socket) ? (double)api_number(json_object_get(socket, "tcp"), name) : -1;
}

static double rate(const struct moment *moment, const json_t *from, const json_t *to)
{
	double seconds = moment->before ? moment->now->at - moment->before->at : 0, grown;
	const json_t *socket, *before;
	const char *name = counted(from, to, &socket);
	char key[SAMPLE_KEY];

	if (!knows_tcp(socket) || seconds <= 0)
		return -1;
	sample_socket_key(socket, false, key);
	before = json_object_get(json_object_get(moment->before->by_key, key), "tcp");
	grown = (double)(api_number(json_object_get(socket, "tcp"), name) - api_number(before, name));
	return grown > 0 ? grown / seconds : 0;
}

static long long retransmits(const struct sample *sample, const struct talk *talk)
{
	const json_t *ends[] = { talk->client, talk->server };
	long long sum = 0;

	for (size_t i = 0; i < 2 && sample; i++) {
		char key[SAMPLE_KEY];

		if (!ends[i])
			continue;
		sample_socket_key(ends[i], false, key);
		sum += api_number(json_object_get(json_object_get(sample->by_key, key), "tcp"), "retransmits");
	}
	return sum;
}

static void rtt_text(double us, char *text, size_t size)
{
	if (us <= 0)
		snprintf(text, size, us < 0 ? "-" : "0");
	else if (us < 1000)
		snprintf(text, size, "%.0fus", us);
	else if (us < 999500)
		snprintf(text, size, us < 9950 ? "%.1fms" : "%.0fms", us / 1e3);
	else
		snprintf(text, size, "%.1fs", us / 1e6);
}

/* The state that tells most: not "established" when the other end is elsewhere. */
static const char *state_of(const struct talk *talk, enum tone *ret_tone)
{
	const json_t *first = talk->client ? talk->client : talk->server;
	const char *state = api_string(first, "state");

	if (!strcmp(state, "ESTAB") && talk->server)
		state = api_string(talk->server, "state");
	if (strcmp(api_string(first, "protocol"), "tcp")) {
		*ret_tone = TONE_PLAIN;
		return "udp";
	}
	*ret_tone = !strcmp(state, "ESTAB")	  ? TONE_GOOD
		    : !strcmp(state, "TIME-WAIT") ? TONE_FAINT
		    : !strncmp(state, "SYN", 3)	  ? TONE_BAD
						  : TONE_WARN;
	return state;
}

static const char *via(const struct talk *talk)
{
	const json_t *socket = talk->client ? talk->client : talk->server;

	if (talk->outside) /* in by a published port, or out by --allow */
		return talk->client && strcmp(api_string(talk->client, "host"), GATEWAY_HOST) ? "out" : "port";
	return strcmp(api_string(socket, "protocol"), "tcp") ? "wire" : api_string(socket, "carrier");
}

static long long drops_at(const struct sample *sample, const char *from, const char *to)
{
	char key[SAMPLE_KEY];
	const char *reason;
	long long sum = 0;
	json_t *count;

	sample_link_key(from, to, key);
	json_object_foreach(json_object_get(json_object_get(sample->by_key, key), "dropped"), reason, count)
		sum += json_integer_value(count);
	return sum;
}

/* What the cables on the way have dropped, the other conversations' packets too. */
static long long drops_between(const struct sample *sample, const struct row *row)
{
	const char *a = row->host, *b = row->peer;

	if (!sample)
		return 0;
	return drops_at(sample, a, "") + drops_at(sample, "", a) +
	       (*b && strcmp(a, b) ? drops_at(sample, b, "") + drops_at(sample, "", b) + drops_at(sample, a, b) +
					     drops_at(sample, b, a)
				   : 0);
}

static const char *program_of(const json_t *socket)
{
	return api_string(json_object_get(socket, "process"), "command");
}

/* The daemon's half of a published port is no host: it is the other one that can be asked and changed. */
static void turn_gateway(struct row *row)
{
	char text[sizeof(row->near_end)];

	if (strcmp(row->host, GATEWAY_HOST))
		return;
	snprintf(row->host, sizeof(row->host), "%s", row->peer);
	memcpy(text, row->near_end, sizeof(text));
	memcpy(row->near_end, row->far_end, sizeof(text));
	memcpy(row->far_end, text, sizeof(text));
	row->peer[0] = 0;
}

static void add_ends(const struct index *index, struct rows *rows, struct row *row, const struct talk *talk)
{
	const json_t *one = talk->client ? talk->client : talk->server;
	const json_t *local = json_object_get(one, talk->client ? "local" : "remote");
	const json_t *remote = json_object_get(one, talk->client ? "remote" : "local");
	const char *from = talk->client ? api_string(talk->client, "host") : NULL;
	const char *to = talk->server ? api_string(talk->server, "host") : NULL;
	char text[160];

	from = from ? from : name_at(index, local, remote, to);
	to = to ? to : name_at(index, remote, local, from);
	snprintf(row->host, sizeof(row->host), "%s", talk->client ? from : to);
	snprintf(row->peer, sizeof(row->peer), "%s", talk->client ? (to ? to : "") : (from ? from : ""));
	talk_end_text(local, NULL, row->near_end, sizeof(row->near_end));
	talk_end_text(remote, NULL, row->far_end, sizeof(row->far_end));
	turn_gateway(row);
	talk_end_text(local, from, text, sizeof(text));
	row_text(rows, row, TONE_NAME, "%s", text);
	talk_end_text(remote, to, text, sizeof(text));
	row_text(rows, row, TONE_NAME, "%s", text);
	row_text(rows, row, TONE_PLAIN, "%.30s > %.30s", program_of(talk->client), program_of(talk->server));
}

static void add_talk(const struct moment *moment, const struct index *index, struct rows *rows, const struct talk *talk)
{
	const json_t *c = talk->client, *s = talk->server, *tcp = json_object_get(c ? c : s, "tcp");
	const struct sample *before = moment->before;
	struct row *row = rows_add(rows);
	enum tone tone;
	char rtt[32];
	const char *state = state_of(talk, &tone);
	long long again = retransmits(moment->now, talk), drops;
	double rtt_us = json_is_object(tcp) ? (double)api_number(tcp, "rtt_us") : -1;

	sample_socket_key(c ? c : s, c == NULL, row->key);
	add_ends(index, rows, row, talk);
	drops = drops_between(moment->now, row);
	rtt_text(rtt_us, rtt, sizeof(rtt));
	row_text(rows, row, tone, "%s", state);
	row_text(rows, row, TONE_PLAIN, "%s", via(talk));
	row_amount(rows, row, queue(c, s));
	row_amount(rows, row, queue(s, c));
	row_amount(rows, row, rate(moment, c, s));
	row_amount(rows, row, rate(moment, s, c));
	row_amount(rows, row, sent(c, s));
	row_amount(rows, row, sent(s, c));
	row_text(rows, row, rtt_us > 0 ? TONE_PLAIN : TONE_FAINT, "%s", rtt)->value = rtt_us;
	row_amount(rows, row, rtt_us < 0 ? -1 : (double)api_number(tcp, "cwnd"));
	row_amount(rows, row, rtt_us < 0 ? -1 : (double)api_number(tcp, "in_flight"));
	row_count(rows, row, again, before ? again - retransmits(before, talk) : 0);
	row_count(rows, row, drops, before ? drops - drops_between(before, row) : 0);
}

static void build(const struct moment *moment, struct rows *rows)
{
	struct index index;
	struct talk talk;
	json_t *socket;
	size_t i;

	index_make(moment->now, &index);
	json_array_foreach(moment->now->sockets, i, socket)
		if (talk_of(moment, &index, socket, &talk))
			add_talk(moment, &index, rows, &talk);
	json_decref(index.names);
	json_decref(index.listeners);
}

const struct view top_view_talks = {
	.name = "conversations",
	.label = "Conversations",
	.columns = talk_columns,
	.columns_count = sizeof(talk_columns) / sizeof(*talk_columns),
	.sort = COLUMN_DOWN_RATE,
	.build = build,
};
