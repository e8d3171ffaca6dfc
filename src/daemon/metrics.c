/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics: metrics.h. A family at a time, as the format asks. Label values are
 * host names, event names and ss's words for states: none needs escaping.
 */
#include "daemon/answer.h"
#include "daemon/metrics.h"

#include "daemon/state.h"

#include <berth/event.h>
#include <berth/inspect.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#define CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum { STATES_MAX = 32 };

static void begin_family(FILE *out, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s %s\n", name, help);
}

static bool shown(const struct host *host)
{
	return !host->leaving;
}

/* One figure of each cable: by what read makes of its counters. */
static void put_cables(struct daemon *daemon, FILE *out, const char *name,
		       uint64_t (*read)(const struct berth_cable_info *info))
{
	for (int direction = BERTH_OUT; direction <= BERTH_IN; direction++)
		LIST_EACH(&daemon->hosts, node) {
			struct host *host = LIST_ITEM(node, struct host, node);
			struct berth_cable_info info;

			if (!shown(host))
				continue;
			info = berth_host_cable(host->host, direction);
			fprintf(out, "%s_total{host=\"%s\",direction=\"%s\"} %llu\n", name, berth_host_name(host->host),
				direction == BERTH_OUT ? "out" : "in", (unsigned long long)read(&info));
		}
}

static uint64_t packets_of(const struct berth_cable_info *info)
{
	return info->packets_in;
}

static uint64_t bytes_of(const struct berth_cable_info *info)
{
	return info->bytes_in;
}

static void put_drops(struct daemon *daemon, FILE *out)
{
	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);

		for (int direction = BERTH_OUT; shown(host) && direction <= BERTH_IN; direction++) {
			struct berth_cable_info info = berth_host_cable(host->host, direction);
			const struct {
				const char *reason;
				uint64_t count;
			} drops[] = { { "loss", info.lost },
				      { "limit", info.over_limit },
				      { "cut", info.cut },
				      { "memory", info.no_memory } };

			for (size_t i = 0; i < COUNT_OF(drops); i++)
				fprintf(out,
					"berth_cable_dropped_packets_total{host=\"%s\",direction=\"%s\",reason=\"%s\"} %llu\n",
					berth_host_name(host->host), direction == BERTH_OUT ? "out" : "in",
					drops[i].reason, (unsigned long long)drops[i].count);
		}
	}
}

static void put_events(struct daemon *daemon, FILE *out)
{
	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);

		for (unsigned event = 0; shown(host) && berth_event_name(event); event++) {
			uint64_t count = berth_event_count(host->stack, event);

			if (count)
				fprintf(out, "berth_events_total{host=\"%s\",event=\"%s\"} %llu\n",
					berth_host_name(host->host), berth_event_name(event),
					(unsigned long long)count);
		}
	}
}

/* How many sockets there are in each state. */
struct tally {
	size_t count;
	struct {
		const char *protocol, *state;
		unsigned long sockets;
	} states[STATES_MAX];
};

static int count_socket(void *context, const struct berth_socket_info *info)
{
	struct tally *tally = context;
	size_t i = 0;

	while (i < tally->count &&
	       (strcmp(tally->states[i].state, info->state) || strcmp(tally->states[i].protocol, info->protocol_name)))
		i++;
	if (i == STATES_MAX)
		return 0;
	if (i == tally->count) {
		tally->states[i].protocol = info->protocol_name;
		tally->states[i].state = info->state;
		tally->states[i].sockets = 0;
		tally->count++;
	}
	tally->states[i].sockets++;
	return 0;
}

static void put_sockets(struct daemon *daemon, FILE *out)
{
	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);
		struct tally tally = { .count = 0 };

		if (!shown(host))
			continue;
		berth_socket_each(host->stack, count_socket, &tally);
		for (size_t i = 0; i < tally.count; i++)
			fprintf(out, "berth_sockets{host=\"%s\",protocol=\"%s\",state=\"%s\"} %lu\n",
				berth_host_name(host->host), tally.states[i].protocol, tally.states[i].state,
				tally.states[i].sockets);
	}
}

static unsigned count_hosts(const struct daemon *daemon)
{
	unsigned count = 0;

	LIST_EACH((struct list *)&daemon->hosts, node) {
		const struct host *host = LIST_ITEM(node, struct host, node);
		count += shown(host) && !host->gateway;
	}
	return count;
}

static void write_metrics(struct daemon *daemon, FILE *out)
{
	begin_family(out, "berth_network", "info", NULL, "The network and its daemon.");
	fprintf(out, "berth_network_info{network=\"%s\",version=\"%s\"} 1\n", daemon->network, BERTH_VERSION);
	begin_family(out, "berth_hosts", "gauge", NULL, "Hosts whose programs run.");
	fprintf(out, "berth_hosts %u\n", count_hosts(daemon));
	begin_family(out, "berth_sockets", "gauge", NULL, "Sockets of a host's stack.");
	put_sockets(daemon, out);
	begin_family(out, "berth_cable_packets", "counter", NULL, "Packets put on a host's cable.");
	put_cables(daemon, out, "berth_cable_packets", packets_of);
	begin_family(out, "berth_cable_bytes", "counter", "bytes", "Bytes put on a host's cable.");
	put_cables(daemon, out, "berth_cable_bytes", bytes_of);
	begin_family(out, "berth_cable_dropped_packets", "counter", NULL, "Packets that a host's cable dropped.");
	put_drops(daemon, out);
	begin_family(out, "berth_events", "counter", NULL, "What happened in a host's stack, by name.");
	put_events(daemon, out);
	fputs("# EOF\n", out);
}

int metrics_answer(struct daemon *daemon, struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return MHD_NO;
	write_metrics(daemon, out);
	if (fclose(out)) {
		free(text);
		return MHD_NO;
	}
	response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	return answer_send(connection, MHD_HTTP_OK, CONTENT_TYPE, response);
}
