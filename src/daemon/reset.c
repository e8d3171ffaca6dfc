/* SPDX-License-Identifier: BSD-2-Clause */
/* Killing conversations, PUT /v1/reset: both ends see a reset, as if the other had sent one. */
#include "daemon/reset.h"

#include "base/ip.h"
#include "control/json.h"
#include "daemon/journal.h"
#include "daemon/state.h"

#include <microhttpd.h>
#include <stdlib.h>

/* Whose conversations: each may be left out. */
struct filter {
	const char *host, *peer; /* names; either may be the one that began */
	long long port;		 /* at either end; 0: any */
};

static const char *name_at(struct daemon *daemon, struct berth_ip ip, const char *asker)
{
	struct host *host = host_of_ip(daemon, ip);

	if (ip_is_loopback(ip))
		return asker;
	return host ? berth_host_name(host->host) : "";
}

static bool matches(struct plug *plug, const struct filter *filter)
{
	const char *here = berth_host_name(plug->host->host), *there;
	struct sockaddr_storage address;
	struct berth_endpoint local = { .port = 0 }, remote = { .port = 0 };
	socklen_t length = sizeof(address);

	if (plug->role != &role_stream || !plug->established || plug->fd < 0 ||
	    berth_getpeername(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length))
		return false;
	address_read((struct sockaddr *)&address, length, &remote);
	length = sizeof(address);
	if (!berth_getsockname(plug->host->stack, plug->fd, (struct sockaddr *)&address, &length))
		address_read((struct sockaddr *)&address, length, &local);
	if (filter->port && filter->port != local.port && filter->port != remote.port)
		return false;
	there = name_at(plug->host->daemon, remote.ip, here);
	if (!filter->host)
		return true;
	if (!filter->peer)
		return !strcmp(filter->host, here) || !strcmp(filter->host, there);
	return (!strcmp(filter->host, here) && !strcmp(filter->peer, there)) ||
	       (!strcmp(filter->host, there) && !strcmp(filter->peer, here));
}

static size_t collect(struct daemon *daemon, const struct filter *filter, uint64_t **ret_ids)
{
	size_t count = 0, room = 64;
	uint64_t *ids = malloc(room * sizeof(*ids)), *grown;

	LIST_EACH(&daemon->hosts, node)
		LIST_EACH(&LIST_ITEM(node, struct host, node)->plugs, inner) {
			struct plug *plug = LIST_ITEM(inner, struct plug, node);

			if (!ids || !matches(plug, filter))
				continue;
			if (count == room) {
				grown = realloc(ids, (room *= 2) * sizeof(*ids));
				if (!grown)
					break;
				ids = grown;
			}
			ids[count++] = plug->id;
		}
	*ret_ids = ids;
	return ids ? count : 0;
}

static bool any_express(struct daemon *daemon)
{
	LIST_EACH(&daemon->hosts, node)
		LIST_EACH(&LIST_ITEM(node, struct host, node)->plugs, inner) {
			struct plug *plug = LIST_ITEM(inner, struct plug, node);

			if (plug->express && plug_is_alive(plug))
				return true;
		}
	return false;
}

/* Ids, not plugs: ending one may end its peer's. */
json_t *reset_conversations(struct daemon *daemon, const json_t *body, unsigned *ret_status)
{
	struct filter filter = {
		.host = json_get_text(body, "host", NULL),
		.peer = json_get_text(body, "peer", NULL),
		.port = json_get_number(body, "port", 0),
	};
	json_int_t ends = 0;
	uint64_t *ids;
	size_t count;

	if (filter.port < 0 || filter.port > 65535 || (filter.peer && !filter.host)) {
		*ret_status = MHD_HTTP_BAD_REQUEST;
		return json_pack("{s:s}", "error", "host, and then peer, and a port to 65535, are expected");
	}
	count = collect(daemon, &filter, &ids);
	for (size_t i = 0; i < count; i++) {
		struct plug *plug = plug_find(daemon, ids[i]);

		if (!plug || plug->role != &role_stream)
			continue;
		host_touch(plug->host);
		journal_plug(plug, "reset", 0);
		stream_reset(plug);
		ends++;
	}
	free(ids);
	daemon_settle(daemon);
	return json_pack("{s:I, s:b}", "ends", ends, "express", any_express(daemon));
}
