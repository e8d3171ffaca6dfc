/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's state as JSON: report.h. Text that programs chose (names) is made valid UTF-8 first. */
#include "daemon/report.h"

#include "base/ip.h"
#include "daemon/record.h"
#include "daemon/ring.h"
#include "daemon/rules.h"
#include "daemon/state.h"
#include "net/network.h"

#include <berth/event.h>
#include <berth/inspect.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

json_t *report_text(const char *text)
{
	char clean[128];
	size_t length = 0;

	for (; length < sizeof(clean) - 1 && text[length]; length++)
		clean[length] = text[length] >= 32 && text[length] < 127 ? text[length] : '?';
	clean[length] = 0;
	return json_string(clean);
}

static json_t *ip_of(struct berth_ip ip)
{
	char text[BERTH_IP_STRLEN];

	return json_string(berth_ip_format(ip, text));
}

static json_t *prefix_of(struct berth_ip ip, unsigned length)
{
	char text[BERTH_IP_STRLEN], whole[BERTH_IP_STRLEN + 8];

	snprintf(whole, sizeof(whole), "%s/%u", berth_ip_format(ip, text), length);
	return json_string(whole);
}

json_t *report_network(struct daemon *daemon)
{
	json_int_t hosts = 0;

	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);
		hosts += !host->gateway && !host->leaving;
	}
	return json_pack("{s:s, s:o, s:o, s:I, s:s, s:I, s:I, s:o}", "name", daemon->network, "subnet4",
			 prefix_of(daemon->net->subnet4, daemon->net->subnet4_length), "subnet6",
			 prefix_of(daemon->net->subnet6, 64), "pid", (json_int_t)getpid(), "version", BERTH_VERSION,
			 "uptime_s", (json_int_t)((daemon->loop.now - daemon->started) / BERTH_SEC), "hosts", hosts,
			 "ring", ring_report(daemon));
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

static json_t *published_of(const struct host *host)
{
	json_t *list = json_array();

	LIST_EACH((struct list *)&host->published, node) {
		struct publish *publish = LIST_ITEM(node, struct publish, node);
		json_array_append_new(list, json_pack("{s:o, s:i, s:i, s:s}", "address", ip_of(publish->real_ip),
						      "real_port", publish->real_port, "port", publish->port,
						      "protocol", protocol_name(publish->protocol)));
	}
	return list;
}

json_t *report_host(const struct host *host)
{
	const struct rules *rules = host->record ? host->record->rules : NULL;

	return json_pack("{s:s, s:o, s:o, s:o, s:i, s:b, s:o, s:I, s:I}", "name", berth_host_name(host->host), "ip4",
			 ip_of(berth_host_ip4(host->host)), "ip6", ip_of(berth_host_ip6(host->host)), "program",
			 report_text(host->program), "pid", host->pid, "express", host->express, "published",
			 published_of(host), "started", (json_int_t)host->started_wall, "denied_count",
			 rules ? (json_int_t)rules->denied_count : (json_int_t)0);
}

json_t *report_ended(const struct record *record)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:i, s:o, s:I, s:s, s:i, s:I}", "name", record->name, "ip4",
			 ip_of(record->ip4), "ip6", ip_of(record->ip6), "program", report_text(record->program), "pid",
			 record->pid, "published", json_array(), "started", (json_int_t)record->started, "state",
			 "ended", "exit_code", record->exit_code, "ended", (json_int_t)record->ended);
}

json_t *report_hosts(struct daemon *daemon)
{
	json_t *list = json_array();

	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);
		if (host->gateway || host->leaving)
			continue;
		json_array_append_new(list, report_host(host));
	}
	return list;
}

static json_t *end_of(const struct berth_endpoint *end, bool ipv6_wildcard, uint8_t protocol)
{
	const char *service = end->port ? berth_service_name(protocol, end->port) : NULL;
	json_t *address = ip_of(end->ip);

	if (ip_is_any(end->ip)) {
		json_decref(address);
		address = json_string(ipv6_wildcard ? "::" : "0.0.0.0");
	}
	return json_pack("{s:o, s:i, s:s?}", "address", address, "port", end->port, "service", service);
}

static json_t *process_of(const struct plug *plug)
{
	if (!plug)
		return json_null();
	return json_pack("{s:i, s:o}", "pid", plug->pid, "command", report_text(plug->command));
}

static json_t *tcp_of(const struct berth_socket_info *info)
{
	if (info->protocol != IPPROTO_TCP || !info->congestion || !strcmp(info->state, "LISTEN"))
		return json_null();
	json_t *more = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "send_window", (json_int_t)info->send_window,
				 "receive_window", (json_int_t)info->receive_window, "in_flight",
				 (json_int_t)info->in_flight, "timeouts", (json_int_t)info->timeouts, "since_sent_ms",
				 (json_int_t)info->since_sent_ms, "since_heard_ms", (json_int_t)info->since_heard_ms);
	json_t *tcp =
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "rtt_us", (json_int_t)info->rtt_us,
			  "rttvar_us", (json_int_t)info->rttvar_us, "rto_us", (json_int_t)info->rto_us, "cwnd",
			  (json_int_t)info->cwnd, "ssthresh", (json_int_t)info->ssthresh, "mss", (json_int_t)info->mss,
			  "retransmits", (json_int_t)info->retransmits, "bytes_sent", (json_int_t)info->bytes_sent,
			  "bytes_acked", (json_int_t)info->bytes_acked, "bytes_received",
			  (json_int_t)info->bytes_received, "congestion", info->congestion);

	json_object_update_new(tcp, more);
	return tcp;
}

static json_int_t waiting_in(int end)
{
	int bytes = 0;

	return end >= 0 && ioctl(end, SIOCINQ, &bytes) == 0 ? bytes : 0;
}

struct walk {
	struct host *host;
	json_t *list;
};

static json_t *describe(const struct host *host, const struct berth_socket_info *info, const struct plug *plug,
			const char *carrier)
{
	json_int_t receive = info->receive_queue, send = info->send_queue;
	/* As the program sees it: the gateway stands for whoever is outside. */
	bool outside = plug && plug->shown.port && !host->gateway;
	const struct berth_endpoint *remote = outside ? &plug->shown : &info->remote;

	if (plug && plug->role == &role_stream) { /* what is between the stack and the program is queued, too */
		receive += (json_int_t)plug->to_program.length;
		send += (json_int_t)plug->to_core.length + waiting_in(plug->end);
	}
	json_t *timer = info->timer ? json_pack("{s:s, s:I}", "name", info->timer, "ms", (json_int_t)info->timer_ms)
				    : json_null();

	return json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:I, s:I, s:o, s:s?, s:o, s:I, s:I, s:o}", "host",
			 berth_host_name(host->host), "protocol", info->protocol_name, "family",
			 info->family == AF_INET6 ? 6 : 4, "state", info->state, "local",
			 end_of(&info->local, info->ipv6_wildcard, info->protocol), "remote",
			 end_of(remote, info->ipv6_wildcard, info->protocol), "receive_queue", receive, "send_queue",
			 send, "process", process_of(plug), "carrier", carrier, "tcp", tcp_of(info), "receive_buffer",
			 (json_int_t)info->receive_buffer, "send_buffer", (json_int_t)info->send_buffer, "timer",
			 timer);
}

/* One end of an express conversation, which the stack knows only as a claimed port. */
static json_t *describe_express(const struct host *host, const struct plug *process, const struct berth_endpoint *local,
				const struct berth_endpoint *remote)
{
	struct berth_socket_info info = { .fd = -1,
					  .protocol = IPPROTO_TCP,
					  .protocol_name = "tcp",
					  .family = ip_is4(local->ip) ? AF_INET : AF_INET6,
					  .state = "ESTAB",
					  .local = *local,
					  .remote = *remote };

	return describe(host, &info, process, "express");
}

static void add_express(struct walk *walk, const struct plug *plug)
{
	struct plug *listener = plug_find(walk->host->daemon, plug->express_listener);

	json_array_append_new(walk->list,
			      describe_express(walk->host, plug, &plug->express_local, &plug->express_remote));
	if (listener)
		json_array_append_new(walk->list, describe_express(listener->host, listener, &plug->express_remote,
								   &plug->express_local));
}

static int add_socket(void *context, const struct berth_socket_info *info)
{
	struct walk *walk = context;
	struct plug *plug = plug_of_fd(walk->host, info->fd);

	if (info->fd >= 0 && net_host_owns_fd(walk->host->host, info->fd))
		return 0;
	if (plug && ticket_unused(plug))
		return 0;
	if (plug && plug->express) {
		add_express(walk, plug);
		return 0;
	}
	/* Neither bound nor connected: ss does not show such a one. */
	if (!info->local.port && !info->remote.port)
		return 0;
	json_array_append_new(walk->list, describe(walk->host, info, plug,
						   info->protocol == IPPROTO_TCP && info->remote.port ? "wire" : NULL));
	return 0;
}

json_t *report_sockets(struct daemon *daemon)
{
	struct walk walk = { .list = json_array() };

	LIST_EACH(&daemon->hosts, node) {
		walk.host = LIST_ITEM(node, struct host, node);
		plugs_sweep(walk.host);
		berth_socket_each(walk.host->stack, add_socket, &walk);
	}
	return walk.list;
}

json_t *report_counters(struct daemon *daemon)
{
	json_t *list = json_array();

	LIST_EACH(&daemon->hosts, node) {
		struct host *host = LIST_ITEM(node, struct host, node);
		json_t *events = json_object();
		for (unsigned event = 0; berth_event_name(event); event++) {
			uint64_t count = berth_event_count(host->stack, event);
			if (count)
				json_object_set_new(events, berth_event_name(event), json_integer((json_int_t)count));
		}
		json_array_append_new(list,
				      json_pack("{s:s, s:o}", "host", berth_host_name(host->host), "events", events));
	}
	return list;
}
