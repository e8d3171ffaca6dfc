/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of berth why, the most decisive first: what cannot work (nobody
 * there, a cut), what stands still (a reader that does not read, a process
 * that is stopped), what is slow (loss, rate, delay), and what only looks
 * slow: nobody has anything to say.
 */
#include "cli/why.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { IDLE_MS = 1000, OPEN_TOO_LONG_MS = 5000, RTT_WORTH_TELLING_US = 5000 };

__attribute__((format(printf, 4, 5))) static bool found(struct finding *finding, enum verdict verdict, const char *code,
							const char *format, ...)
{
	va_list arguments;

	finding->verdict = verdict;
	finding->code = code;
	finding->advice[0] = 0;
	va_start(arguments, format);
	vsnprintf(finding->reason, sizeof(finding->reason), format, arguments);
	va_end(arguments);
	return true;
}

__attribute__((format(printf, 2, 3))) static bool advise(struct finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->advice, sizeof(finding->advice), format, arguments);
	va_end(arguments);
	return true;
}

static const char *state_of(const json_t *socket)
{
	return socket ? api_string(socket, "state") : "";
}

static long long tcp_number(const json_t *socket, const char *key)
{
	return api_number(json_object_get(socket, "tcp"), key);
}

/* "python3 (1234)" */
static const char *who(const json_t *socket, char text[64])
{
	const json_t *process = json_object_get(socket, "process");

	if (!json_is_object(process))
		snprintf(text, 64, "its program");
	else
		snprintf(text, 64, "%.40s (%lld)", api_string(process, "command"), api_number(process, "pid"));
	return text;
}

/* "80 (http)" */
static const char *port_text(const char *protocol, long long port, const json_t *end, char text[64])
{
	const char *service = json_string_value(json_object_get(end, "service"));

	if (service)
		snprintf(text, 64, "%s port %lld (%.30s)", protocol, port, service);
	else
		snprintf(text, 64, "%s port %lld", protocol, port);
	return text;
}

/* Is link a part of the way between a and b, in the direction from a to b if wanted so? */
static bool on_the_way(const json_t *link, const char *a, const char *b)
{
	const char *from = json_get_text(link, "from", ""), *to = json_get_text(link, "to", "");

	return (!*from || !strcmp(from, a)) && (!*to || !strcmp(to, b));
}

static bool has_word(const char *conditions, const char *word)
{
	const char *at = strstr(conditions, word);
	size_t length = strlen(word);

	return at && (at == conditions || at[-1] == ' ') && (!at[length] || at[length] == ' ');
}

/* A cable between the two hosts, either direction, whose conditions have word; NULL: none. */
static const json_t *cable_with(const struct talk *talk, const char *word)
{
	json_t *link;
	size_t i;

	if (!talk->to || !strcmp(talk->from, talk->to))
		return NULL;
	json_array_foreach(talk->facts->links, i, link)
		if ((on_the_way(link, talk->from, talk->to) || on_the_way(link, talk->to, talk->from)) &&
		    has_word(api_string(link, "conditions"), word))
			return link;
	return NULL;
}

/* "web's cable (out)", "the way from web to db" */
static const char *cable_name(const json_t *link, char text[160])
{
	const char *from = json_string_value(json_object_get(link, "from"));
	const char *to = json_string_value(json_object_get(link, "to"));

	if (from && to)
		snprintf(text, 160, "the way from %.60s to %.60s", from, to);
	else
		snprintf(text, 160, "the cable of %.60s (%s)", from ? from : to ? to : "?", from ? "out" : "in");
	return text;
}

static bool advise_reset(struct finding *finding, const json_t *link)
{
	const char *from = json_string_value(json_object_get(link, "from"));
	const char *to = json_string_value(json_object_get(link, "to"));

	return advise(finding, "berth link reset %s%s%s", from ? from : "", from && to ? " " : "", to ? to : "");
}

static bool rule_cut(const struct talk *talk, struct finding *finding)
{
	const json_t *link = cable_with(talk, "cut");
	char name[160];

	if (!link)
		return false;
	found(finding, STUCK, "cut", "%s is cut; %lld packets were dropped there", cable_name(link, name),
	      api_number(json_object_get(link, "dropped"), "cut"));
	return advise(finding, "berth heal");
}

static bool rule_no_such_host(const struct talk *talk, struct finding *finding)
{
	json_t *event;
	size_t i;

	if (talk->to)
		return false;
	json_array_foreach(talk->facts->events, i, event)
		if (!strcmp(api_string(event, "what"), "joined") &&
		    strstr(json_get_text(event, "text", ""), talk->address))
			return found(finding, STUCK, "host-left", "%s, which had %s, has left the network",
				     api_string(event, "host"), talk->address);
	found(finding, STUCK, "no-such-host", "no host has the address %s", talk->address);
	return advise(finding, "berth ps lists who is there");
}

/* Somebody listens, but takes no more. */
static bool rule_backlog(const struct talk *talk, struct finding *finding)
{
	const json_t *other, *listener;
	char process[64];

	if (!talk->to || strcmp(state_of(talk->near), "SYN-SENT"))
		return false;
	listener = facts_listener(talk->facts, talk->to, talk->protocol, talk->address, talk->port, &other);
	return listener && rules_listener(talk->facts, listener, finding) && who(listener, process);
}

static bool rule_stopped(const struct talk *talk, struct finding *finding)
{
	const json_t *ends[] = { talk->far, talk->near };
	char process[64];

	for (size_t i = 0; i < COUNT(ends); i++) {
		if (!ends[i] || !facts_stopped(ends[i]))
			continue;
		found(finding, STUCK, "stopped", "%s on %s is stopped", who(ends[i], process),
		      api_string(ends[i], "host"));
		return advise(finding, "kill -CONT %lld", api_number(json_object_get(ends[i], "process"), "pid"));
	}
	return false;
}

/* reader's buffers are full, and writer has more. RFC 9293 §3.8.6.1 */
static bool not_read(const json_t *writer, const json_t *reader, struct finding *finding)
{
	char process[64];

	if (!writer || !reader || !api_number(writer, "send_queue") || !api_number(reader, "receive_queue") ||
	    tcp_number(writer, "send_window") >= tcp_number(writer, "mss"))
		return false;
	return found(finding, STUCK, "not-read", "%s on %s does not read: %lld bytes wait for it, and its window is %s",
		     who(reader, process), api_string(reader, "host"), api_number(reader, "receive_queue"),
		     tcp_number(writer, "send_window") ? "nearly shut" : "shut");
}

static bool rule_not_read(const struct talk *talk, struct finding *finding)
{
	return not_read(talk->near, talk->far, finding) || not_read(talk->far, talk->near, finding);
}

/* Is one of the ends trying to get something across? */
static bool anything_under_way(const struct talk *talk)
{
	return !strcmp(state_of(talk->near), "SYN-SENT") || api_number(talk->near, "send_queue") ||
	       (talk->far && api_number(talk->far, "send_queue"));
}

static bool rule_loss(const struct talk *talk, struct finding *finding)
{
	const json_t *link = cable_with(talk, "loss");
	long long again = tcp_number(talk->near, "retransmits") + tcp_number(talk->far, "retransmits");
	char name[160];

	if (!link || (!again && !anything_under_way(talk)))
		return false;
	found(finding, SLOW, "loss",
	      "%s loses packets (%.100s): %lld lost there; %lld segments of this conversation sent again",
	      cable_name(link, name), api_string(link, "conditions"),
	      api_number(json_object_get(link, "dropped"), "loss"), again);
	return advise_reset(finding, link);
}

/* A queue stands before a cable that is slower than its sender. */
static bool rule_rate(const struct talk *talk, struct finding *finding)
{
	static const char *const words[] = { "rate", "trace", "slot" };
	const json_t *link = NULL;
	char name[160];

	for (size_t i = 0; i < COUNT(words) && !link; i++)
		link = cable_with(talk, words[i]);
	if (!link || (!api_number(link, "under_way") && !api_number(json_object_get(link, "dropped"), "limit")) ||
	    !anything_under_way(talk))
		return false;
	found(finding, SLOW, "rate", "%s is full (%.100s): %lld packets wait there, %lld found no room",
	      cable_name(link, name), api_string(link, "conditions"), api_number(link, "under_way"),
	      api_number(json_object_get(link, "dropped"), "limit"));
	return advise_reset(finding, link);
}

static bool rule_delay(const struct talk *talk, struct finding *finding)
{
	const json_t *link = cable_with(talk, "delay"), *ends[] = { talk->near, talk->far };
	long long rtt = 0, window = 0;
	char name[160], speed[80] = "";

	for (size_t i = 0; i < COUNT(ends); i++) {
		if (tcp_number(ends[i], "rtt_us") > rtt)
			rtt = tcp_number(ends[i], "rtt_us");
		if (tcp_number(ends[i], "cwnd") * tcp_number(ends[i], "mss") > window &&
		    api_number(ends[i], "send_queue"))
			window = tcp_number(ends[i], "cwnd") * tcp_number(ends[i], "mss");
	}
	if (!link || (rtt < RTT_WORTH_TELLING_US && !anything_under_way(talk)))
		return false;
	if (window && rtt)
		snprintf(speed, sizeof(speed), "; with a window of %lld bytes at most %.3g Mbit/s", window,
			 8.0 * (double)window / (double)rtt);
	found(finding, SLOW, "delay", "%s takes time (%.80s): a round trip is %.4g ms%s", cable_name(link, name),
	      api_string(link, "conditions"), (double)rtt / 1e3, speed);
	return advise_reset(finding, link);
}

static bool rule_corrupt(const struct talk *talk, struct finding *finding)
{
	const json_t *link = cable_with(talk, "corrupt");
	char name[160];

	if (!link || !api_number(link, "corrupted"))
		return false;
	found(finding, SLOW, "corrupt", "%s damages packets (%.100s): %lld so far", cable_name(link, name),
	      api_string(link, "conditions"), api_number(link, "corrupted"));
	return advise_reset(finding, link);
}

/* One side has closed, and the other does not. */
static bool rule_half_closed(const struct talk *talk, struct finding *finding)
{
	const json_t *ends[] = { talk->near, talk->far };
	char process[64];

	for (size_t i = 0; i < COUNT(ends); i++)
		if (!strcmp(state_of(ends[i]), "CLOSE-WAIT") &&
		    tcp_number(ends[i], "since_heard_ms") > OPEN_TOO_LONG_MS)
			return found(finding, STUCK, "not-closed",
				     "the peer closed %.1f s ago, and %s on %s has not closed its end",
				     (double)tcp_number(ends[i], "since_heard_ms") / 1e3, who(ends[i], process),
				     api_string(ends[i], "host"));
	return false;
}

static bool rule_express(const struct talk *talk, struct finding *finding)
{
	if (strcmp(api_string(talk->near, "carrier"), "express"))
		return false;
	return found(finding, FINE, "express",
		     "it goes by express, from program to program: the kernel carries it, and "
		     "Berth does not see into it");
}

/* The server's kernel would have it: its program has not called accept() yet. */
static bool rule_not_accepted(const struct talk *talk, struct finding *finding)
{
	const json_t *other, *listener;
	char process[64];

	if (!talk->to || !talk->far || json_is_object(json_object_get(talk->far, "process")) ||
	    strcmp(state_of(talk->far), "ESTAB"))
		return false;
	listener = facts_listener(talk->facts, talk->to, talk->protocol, talk->address, talk->port, &other);
	if (!listener || !api_number(listener, "receive_queue"))
		return false;
	return found(finding, STUCK, "backlog", "it waits for %s on %s to accept it, one of %lld",
		     who(listener, process), talk->to, api_number(listener, "receive_queue"));
}

/* Nothing is under way: the programs have nothing to say. */
static bool rule_idle(const struct talk *talk, struct finding *finding)
{
	const json_t *reader = NULL;
	char process[64];

	if (anything_under_way(talk) || strcmp(state_of(talk->near), "ESTAB"))
		return false;
	if (api_number(talk->near, "receive_queue"))
		reader = talk->near;
	if (talk->far && api_number(talk->far, "receive_queue"))
		reader = talk->far;
	if (reader)
		return found(finding, SLOW, "unread", "%lld bytes have arrived and wait for %s on %s to read them",
			     api_number(reader, "receive_queue"), who(reader, process), api_string(reader, "host"));
	if (tcp_number(talk->near, "since_heard_ms") < IDLE_MS)
		return false;
	return found(finding, FINE, "silent",
		     "nothing is under way: all that was written has arrived and was read; the programs have said "
		     "nothing for %.1f s",
		     (double)tcp_number(talk->near, "since_heard_ms") / 1e3);
}

static bool rule_time_wait(const struct talk *talk, struct finding *finding)
{
	if (strcmp(state_of(talk->near), "TIME-WAIT"))
		return false;
	return found(finding, FINE, "over", "it is over; the port rests for a minute (TIME-WAIT, RFC 9293 3.6.1)");
}

static bool rule_timeouts(const struct talk *talk, struct finding *finding)
{
	long long timeouts = tcp_number(talk->near, "timeouts");

	if (!timeouts && talk->far)
		timeouts = tcp_number(talk->far, "timeouts");
	if (!timeouts)
		return false;
	return found(finding, STUCK, "no-answer", "%lld timeouts in a row: nothing comes back from the other side",
		     timeouts);
}

void rules_talk(const struct talk *talk, struct finding *finding)
{
	static bool (*const rules[])(const struct talk *talk, struct finding *finding) = {
		rule_time_wait, rule_express,	  rule_no_such_host, rule_cut,		rule_stopped,
		rule_backlog,	rule_not_read,	  rule_loss,	     rule_corrupt,	rule_rate,
		rule_timeouts,	rule_half_closed, rule_delay,	     rule_not_accepted, rule_idle,
	};

	for (size_t i = 0; i < COUNT(rules); i++)
		if (rules[i](talk, finding))
			return;
	found(finding, FINE, "fine", "nothing is in its way");
}

bool rules_listener(const struct facts *facts, const json_t *socket, struct finding *finding)
{
	long long waiting = api_number(socket, "receive_queue"), room = api_number(socket, "send_queue");
	char process[64], port[64];
	const json_t *local = json_object_get(socket, "local");

	if (strcmp(state_of(socket), "LISTEN") || waiting <= room)
		return false;
	port_text("tcp", api_number(local, "port"), local, port);
	if (facts_stopped(socket)) {
		found(finding, STUCK, "stopped", "%s on %s, which listens at %s, is stopped", who(socket, process),
		      api_string(socket, "host"), port);
		return advise(finding, "kill -CONT %lld", api_number(json_object_get(socket, "process"), "pid"));
	}
	found(finding, STUCK, "backlog",
	      "%s on %s does not accept: %lld conversations wait at its %s, its backlog is %lld", who(socket, process),
	      api_string(socket, "host"), waiting, port, room);
	return advise(finding, "a larger backlog for listen(), or a server that accepts sooner");
}

/* Asked again how a non-blocking connect() goes, or interrupted: nothing has failed. */
static bool is_no_failure(const char *result)
{
	static const char *const under_way[] = { "EINPROGRESS", "EALREADY", "EISCONN", "EINTR" };

	for (size_t i = 0; i < sizeof(under_way) / sizeof(*under_way); i++)
		if (!strcmp(result, under_way[i]))
			return true;
	return false;
}

bool rules_failure(const struct facts *facts, const json_t *event, struct finding *finding)
{
	const char *result = json_string_value(json_object_get(event, "result"));
	const char *host = api_string(event, "host"), *protocol = api_string(event, "protocol"), *to;
	const json_t *other, *listener;
	char address[64], port[64], process[64];
	long long number;

	if (!result || strcmp(api_string(event, "what"), "connect") || is_no_failure(result) ||
	    !end_split(json_get_text(event, "remote", ""), address, &number))
		return false;
	to = facts_host_at(facts, address, host);
	port_text(protocol, number, NULL, port);
	if (!to)
		return found(finding, REFUSED, "no-such-host", "%s: no host has the address %s", result, address);
	if (strcmp(result, "ECONNREFUSED"))
		return found(finding, REFUSED, "failed", "%s at %s of %s", result, port, to);
	listener = facts_listener(facts, to, protocol, address, number, &other);
	if (listener)
		return found(finding, FINE, "listens-now", "%s was refused at %s of %s, where %s listens by now", host,
			     port, to, who(listener, process));
	if (other) {
		found(finding, REFUSED, "other-address", "at %s of %s, %s listens at %s only, and %s was asked", port,
		      to, who(other, process), api_string(json_object_get(other, "local"), "address"), address);
		return advise(finding, "let it listen at 0.0.0.0 or ::, or connect to the address that it has");
	}
	found(finding, REFUSED, "no-listener", "nobody listens at %s of %s", port, to);
	return advise(finding, "berth ports %s shows who listens there", to);
}

/* Asked for a name that is nobody's. Programs ask for addresses' names only to tell their users. */
static bool no_such_name(const struct facts *facts, const json_t *event, struct finding *finding)
{
	const char *name = json_get_text(event, "text", ""), *dot = strchr(name, '.');
	char label[64];

	if (dot && !strcmp(strrchr(name, '.'), ".arpa"))
		return false;
	snprintf(label, sizeof(label), "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
	if (facts_host(facts, label))
		return found(finding, FINE, "listens-now", "no host was called %.100s then; there is one by now", name);
	found(finding, REFUSED, "no-such-name", "it asked for the name %.100s, which no host has", name);
	return advise(finding, "berth ps lists who is there; a host is called as berth run --name says");
}

bool rules_event(const struct facts *facts, const json_t *event, struct finding *finding)
{
	const char *kind = api_string(event, "kind"), *what = api_string(event, "what");
	char address[64], port[64];
	long long number;

	if (!strcmp(kind, "policy"))
		return found(finding, REFUSED, "policy", "%.40s: %.200s", what, json_get_text(event, "text", ""));
	if (!strcmp(what, "NO_SUCH_NAME"))
		return no_such_name(facts, event, finding);
	if (strcmp(kind, "drop") || !end_split(json_get_text(event, "local", ""), address, &number))
		return false;
	port_text("udp", number, NULL, port);
	if (!strcmp(what, "UDP_DROP_NO_SOCKET")) {
		found(finding, REFUSED, "no-socket", "a datagram from %s found nobody at %s of %s",
		      api_string(event, "remote"), port, api_string(event, "host"));
		return advise(finding, "berth ports %s shows who waits there", api_string(event, "host"));
	}
	if (!strcmp(what, "UDP_DROP_BUFFER_FULL"))
		return found(finding, STUCK, "not-read",
			     "datagrams for %s of %s are dropped: its program does not read them", port,
			     api_string(event, "host"));
	return false;
}
