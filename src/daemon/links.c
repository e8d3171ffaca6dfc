/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditions of cables: links.h. A change names one host (its cable), two (what
 * goes between them) or none (all cables, to reset), a direction as the first
 * one sees it, and words as berth_conditions_parse() reads them. A request's
 * changes are all checked before the first is made.
 */
#include "daemon/links.h"

#include "control/json.h"
#include "daemon/journal.h"
#include "daemon/state.h"
#include "link/conditions.h"

#include <berth/conditions.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 64, CHANGES_MAX = 4096, STATUS_OK = 200, STATUS_BAD = 400, STATUS_CONFLICT = 409 };

struct change {
	struct host *a, *b; /* b NULL: a's cable; both NULL: all */
	int direction;
	bool reset;
	struct berth_trace *trace; /* ours; NULL: none is given */
	char *words[WORDS_MAX];
	size_t word_count;
};

/* What went wrong with a request. */
struct refusal {
	unsigned status;
	char text[300];
};

__attribute__((format(printf, 3, 4))) static bool refuse(struct refusal *refusal, unsigned status, const char *format,
							 ...)
{
	va_list arguments;

	refusal->status = status;
	va_start(arguments, format);
	vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
	va_end(arguments);
	return false;
}

static struct host *host_by_name(struct daemon *daemon, const char *name)
{
	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);

		if (!host->leaving && !strcmp(berth_host_name(host->host), name))
			return host;
	}
	return NULL;
}

static bool read_hosts(struct daemon *daemon, const json_t *names, struct change *change, struct refusal *refusal)
{
	struct host **hosts[] = { &change->a, &change->b };

	if (!json_is_array(names) || json_array_size(names) > 2)
		return refuse(refusal, STATUS_BAD, "hosts: an array of at most two names is needed");
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		*hosts[i] = name ? host_by_name(daemon, name) : NULL;
		if (!*hosts[i])
			return refuse(refusal, STATUS_BAD, "there is no host '%.70s' (berth ps lists them)",
				      name ? name : "");
	}
	if (change->a && change->a == change->b)
		return refuse(refusal, STATUS_BAD, "'%s' twice: loopback has no cable",
			      berth_host_name(change->a->host));
	return true;
}

static bool read_direction(const json_t *json, struct change *change, struct refusal *refusal)
{
	const char *direction = json_get_text(json, "direction", "both");

	change->direction = !strcmp(direction, "out")	 ? BERTH_OUT
			    : !strcmp(direction, "in")	 ? BERTH_IN
			    : !strcmp(direction, "both") ? BERTH_BOTH
							 : 0;
	return change->direction ||
	       refuse(refusal, STATUS_BAD, "direction: '%.20s' is none of in, out, both", direction);
}

static bool read_words(const json_t *words, struct change *change, struct refusal *refusal)
{
	if (!json_is_array(words) || json_array_size(words) > WORDS_MAX)
		return refuse(refusal, STATUS_BAD, "words: an array of at most %d strings is needed", WORDS_MAX);
	for (size_t i = 0; i < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));

		if (!word)
			return refuse(refusal, STATUS_BAD, "words: an array of strings is needed");
		change->words[change->word_count++] = (char *)(uintptr_t)word; /* only read, while the body lives */
	}
	return true;
}

/*
 * "trace": {"name": "lte", "steps": [1, 0, 2, …]}: milliseconds, each from the
 * moment before it, so that a long trace stays short.
 */
static bool read_trace(const json_t *json, struct change *change, struct refusal *refusal)
{
	const json_t *steps = json_object_get(json, "steps");
	size_t count = json_array_size(steps);
	uint32_t *moments = NULL;
	json_int_t moment = 0;
	bool good = count > 0 && count <= BERTH_TRACE_MAX;

	if (good)
		moments = malloc(count * sizeof(*moments));
	good = good && moments;
	for (size_t i = 0; good && i < count; i++) {
		json_int_t step = json_integer_value(json_array_get(steps, i));

		good = json_is_integer(json_array_get(steps, i)) && step >= 0 && step <= UINT32_MAX - moment;
		moment += step;
		moments[i] = (uint32_t)moment;
	}
	good = good && berth_trace_new(json_get_text(json, "name", "trace"), moments, count, &change->trace) >= 0;
	free(moments);
	return good || refuse(refusal, STATUS_BAD,
			      "trace: steps from 1 to %d are needed, in milliseconds, none below 0 and not all 0",
			      BERTH_TRACE_MAX);
}

/* With whom a (with b, unless NULL) has an express conversation that it began; the kernel carries it past every cable. */
static struct host *express_peer(struct host *a, struct host *b)
{
	LIST_EACH(&a->plugs, node) {
		struct plug *plug = LIST_ITEM(node, struct plug, node);
		struct host *other;

		if (!plug->express || !plug_is_alive(plug))
			continue;
		other = host_of_ip(a->daemon, plug->express_remote.ip);
		if (other && other != a && (!b || other == b))
			return other;
	}
	return NULL;
}

/* The same, whoever began it. */
static struct host *express_with(struct host *a, struct host *b)
{
	struct host *peer = express_peer(a, b);

	if (peer)
		return peer;
	LIST_EACH(&a->daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);

		if ((!b || host == b) && express_peer(host, a))
			return host;
	}
	return NULL;
}

static bool reachable(const struct change *change, struct refusal *refusal)
{
	struct host *peer;

	if (change->reset)
		return true;
	peer = express_with(change->a, change->b);
	if (!peer)
		return true;
	return refuse(refusal, STATUS_CONFLICT,
		      "%.63s and %.63s have express conversations, which go past every cable: end those (berth "
		      "reset-conn can't), or run one of the two without --express",
		      berth_host_name(change->a->host), berth_host_name(peer->host));
}

static bool words_make_sense(const struct change *change, struct refusal *refusal)
{
	struct berth_conditions trial;

	if (change->reset)
		return true;
	if (!change->a)
		return refuse(refusal, STATUS_BAD, "hosts: at least one name is needed");
	trial = change->b ? berth_pair_conditions(change->a->host, change->b->host)
			  : berth_host_conditions(change->a->host, change->direction);
	if (change->trace)
		trial.trace = change->trace;
	refusal->status = STATUS_BAD;
	return berth_conditions_parse(&trial, change->words, change->word_count, refusal->text,
				      sizeof(refusal->text)) == 0;
}

static bool read_change(struct daemon *daemon, const json_t *json, struct change *change, struct refusal *refusal)
{
	*change = (struct change){ .reset = json_get_flag(json, "reset", 0) };
	return read_hosts(daemon, json_object_get(json, "hosts"), change, refusal) &&
	       read_direction(json, change, refusal) &&
	       (!json_object_get(json, "trace") || read_trace(json_object_get(json, "trace"), change, refusal)) &&
	       (change->reset || read_words(json_object_get(json, "words"), change, refusal)) &&
	       words_make_sense(change, refusal) && reachable(change, refusal);
}

/* Merge the words into what there is, or forget it. */
static struct berth_conditions changed(const struct change *change, struct berth_conditions conditions)
{
	char error[1];

	if (change->trace)
		conditions.trace = change->trace;
	if (change->reset)
		return (struct berth_conditions){ .delay = 0 };
	berth_conditions_parse(&conditions, change->words, change->word_count, error, sizeof(error));
	return conditions;
}

static void change_cable(const struct change *change, struct host *host)
{
	for (int direction = BERTH_OUT; direction <= BERTH_IN; direction++) {
		struct berth_conditions conditions;

		if (!(change->direction & direction))
			continue;
		conditions = changed(change, berth_host_conditions(host->host, direction));
		berth_host_set_conditions(host->host, direction, &conditions);
	}
}

static int change_pair(const struct change *change, struct berth_host *a, struct berth_host *b)
{
	int r = 0;

	if (change->direction & BERTH_OUT) {
		struct berth_conditions conditions = changed(change, berth_pair_conditions(a, b));

		r = berth_pair_set_conditions(a, b, &conditions);
	}
	if (r >= 0 && change->direction & BERTH_IN) {
		struct berth_conditions conditions = changed(change, berth_pair_conditions(b, a));

		r = berth_pair_set_conditions(b, a, &conditions);
	}
	return r;
}

static int reset_pairs_of(const struct change *change, struct host *host)
{
	struct berth_host *other = NULL;

	while ((other = berth_net_next_host(host->daemon->net, other)))
		if (other != host->host)
			change_pair(change, host->host, other);
	return 0;
}

/* "out to db: delay 40ms loss 1%", as it was asked for. */
static void note_change(struct host *host, const struct change *change)
{
	static const char *const directions[] = { [BERTH_OUT] = "out", [BERTH_IN] = "in", [BERTH_BOTH] = "both" };
	char words[160] = "";
	size_t used = 0;

	for (size_t i = 0; i < change->word_count && used < sizeof(words); i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s", i ? " " : "", change->words[i]);
	journal_note(host, JOURNAL_LINK, change->reset ? "reset" : "set", "%s%s%s%s%s", directions[change->direction],
		     change->b ? ", with " : "", change->b ? berth_host_name(change->b->host) : "",
		     change->reset ? "" : ": ", words);
}

static int make_change(struct daemon *daemon, const struct change *change)
{
	if (change->a)
		note_change(change->a, change);
	if (change->b)
		return change_pair(change, change->a->host, change->b->host);
	if (change->a) {
		change_cable(change, change->a);
		return change->reset ? reset_pairs_of(change, change->a) : 0;
	}
	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);

		note_change(host, change);
		change_cable(change, host);
		reset_pairs_of(change, host);
	}
	return 0;
}

json_t *links_change(struct daemon *daemon, const json_t *body, unsigned *ret_status)
{
	const json_t *changes = json_object_get(body, "changes");
	struct refusal refusal = { .status = STATUS_OK };
	struct change change;
	bool good = json_is_array(changes) && json_array_size(changes) <= CHANGES_MAX;

	if (!good)
		refuse(&refusal, STATUS_BAD, "changes: an array of at most %d is needed", CHANGES_MAX);
	for (size_t i = 0; good && i < json_array_size(changes); i++) {
		good = read_change(daemon, json_array_get(changes, i), &change, &refusal);
		berth_trace_unref(change.trace);
	}
	for (size_t i = 0; good && i < json_array_size(changes); i++) {
		read_change(daemon, json_array_get(changes, i), &change, &refusal);
		if (make_change(daemon, &change) < 0)
			good = refuse(&refusal, 500, "no memory");
		berth_trace_unref(change.trace); /* cables keep their own */
	}
	*ret_status = good ? STATUS_OK : refusal.status;
	return good ? report_links(daemon) : json_pack("{s:s}", "error", refusal.text);
}

int links_conditioned(struct host *a, struct host *b)
{
	struct berth_conditions all[] = {
		berth_host_conditions(a->host, BERTH_OUT), berth_host_conditions(a->host, BERTH_IN),
		berth_host_conditions(b->host, BERTH_OUT), berth_host_conditions(b->host, BERTH_IN),
		berth_pair_conditions(a->host, b->host),   berth_pair_conditions(b->host, a->host),
	};

	for (size_t i = 0; a != b && i < COUNT_OF(all); i++)
		if (!conditions_are_none(&all[i]))
			return 1;
	return 0;
}

static json_t *link_of(const char *from, const char *to, const struct berth_conditions *conditions,
		       const struct berth_cable_info *info)
{
	char text[BERTH_CONDITIONS_STRLEN];

	return json_pack("{s:s?, s:s?, s:s, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:I, s:I, s:I}",
			 "from", from, "to", to, "conditions", berth_conditions_format(conditions, text), "packets_in",
			 (json_int_t)info->packets_in, "bytes_in", (json_int_t)info->bytes_in, "packets_out",
			 (json_int_t)info->packets_out, "bytes_out", (json_int_t)info->bytes_out, "dropped", "loss",
			 (json_int_t)info->lost, "limit", (json_int_t)info->over_limit, "cut", (json_int_t)info->cut,
			 "memory", (json_int_t)info->no_memory, "duplicated", (json_int_t)info->duplicated, "reordered",
			 (json_int_t)info->reordered, "corrupted", (json_int_t)info->corrupted, "marked",
			 (json_int_t)info->marked, "under_way", (json_int_t)info->under_way);
}

static void add_host(json_t *list, struct host *host)
{
	const char *name = berth_host_name(host->host);
	struct berth_conditions out = berth_host_conditions(host->host, BERTH_OUT),
				in = berth_host_conditions(host->host, BERTH_IN);
	struct berth_cable_info out_info = berth_host_cable(host->host, BERTH_OUT),
				in_info = berth_host_cable(host->host, BERTH_IN);

	json_array_append_new(list, link_of(name, NULL, &out, &out_info));
	json_array_append_new(list, link_of(NULL, name, &in, &in_info));
}

static void add_pairs(json_t *list, struct host *host)
{
	struct berth_host *to = NULL;

	while ((to = berth_net_next_host(host->daemon->net, to))) {
		struct berth_conditions conditions = berth_pair_conditions(host->host, to);
		struct berth_cable_info info = berth_pair_cable(host->host, to);

		if (to != host->host && (info.packets_in || !conditions_are_none(&conditions)))
			json_array_append_new(
				list, link_of(berth_host_name(host->host), berth_host_name(to), &conditions, &info));
	}
}

json_t *report_links(struct daemon *daemon)
{
	json_t *list = json_array();

	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);

		if (!host->leaving)
			add_host(list, host);
	}
	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);

		if (!host->leaving)
			add_pairs(list, host);
	}
	return list;
}
