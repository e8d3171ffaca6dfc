/* SPDX-License-Identifier: BSD-2-Clause */
/* What berth why knows: why.h. */
#include "cli/why.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/json.h"

int facts_fetch(const struct command *command, const char *network, struct facts *facts)
{
	*facts = (struct facts){ NULL };
	if (api_get(command, network, "/v1/hosts", &facts->hosts) ||
	    api_get(command, network, "/v1/sockets", &facts->sockets) ||
	    api_get(command, network, "/v1/links", &facts->links) ||
	    api_lines(command, network, "/v1/events?kinds=host,call,drop,event,policy", &facts->events)) {
		facts_free(facts);
		return CLI_FAILED;
	}
	return CLI_OK;
}

void facts_free(struct facts *facts)
{
	json_decref(facts->hosts);
	json_decref(facts->sockets);
	json_decref(facts->links);
	json_decref(facts->events);
	*facts = (struct facts){ NULL };
}

const json_t *facts_host(const struct facts *facts, const char *name)
{
	json_t *host;
	size_t i;

	json_array_foreach(facts->hosts, i, host)
		if (!strcmp(api_string(host, "name"), name))
			return host;
	return NULL;
}

const char *facts_host_at(const struct facts *facts, const char *address, const char *asker)
{
	json_t *host;
	size_t i;

	if (!strncmp(address, "127.", 4) || !strcmp(address, "::1"))
		return asker;
	json_array_foreach(facts->hosts, i, host)
		if (!strcmp(api_string(host, "ip4"), address) || !strcmp(api_string(host, "ip6"), address))
			return api_string(host, "name");
	return NULL;
}

static bool same_end(const json_t *a, const json_t *b)
{
	return api_number(a, "port") == api_number(b, "port") &&
	       !strcmp(api_string(a, "address"), api_string(b, "address"));
}

const json_t *facts_far_end(const struct facts *facts, const json_t *near)
{
	json_t *socket;
	size_t i;

	json_array_foreach(facts->sockets, i, socket)
		if (socket != near && !strcmp(api_string(socket, "protocol"), api_string(near, "protocol")) &&
		    same_end(json_object_get(socket, "local"), json_object_get(near, "remote")) &&
		    same_end(json_object_get(socket, "remote"), json_object_get(near, "local")))
			return socket;
	return NULL;
}

const json_t *facts_listener(const struct facts *facts, const char *host, const char *protocol, const char *address,
			     long long port, const json_t **ret_other)
{
	json_t *socket;
	size_t i;

	*ret_other = NULL;
	json_array_foreach(facts->sockets, i, socket) {
		const json_t *local = json_object_get(socket, "local");
		const char *at = api_string(local, "address");

		if (strcmp(api_string(socket, "host"), host) || strcmp(api_string(socket, "protocol"), protocol) ||
		    api_number(local, "port") != port || api_number(json_object_get(socket, "remote"), "port"))
			continue;
		if (!strcmp(at, "::") || !strcmp(at, address) || (!strcmp(at, "0.0.0.0") && !strchr(address, ':')))
			return socket;
		*ret_other = socket;
	}
	return NULL;
}

/* The third field of /proc/PID/stat, after the name in brackets. proc(5) */
bool facts_stopped(const json_t *socket)
{
	long long pid = api_number(json_object_get(socket, "process"), "pid");
	char path[64], text[256], *bracket;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%lld/stat", pid);
	file = pid > 0 ? fopen(path, "re") : NULL;
	if (!file)
		return false;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = 0;
	bracket = strrchr(text, ')');
	return bracket && bracket[1] == ' ' && (bracket[2] == 'T' || bracket[2] == 't');
}

bool end_split(const char *text, char address[64], long long *ret_port)
{
	const char *colon = strrchr(text, ':');
	bool bracket = *text == '[';
	size_t length = colon ? (size_t)(colon - text) - (bracket ? 2 : 0) : 64;

	if (length >= 64)
		return false;
	memcpy(address, text + bracket, length);
	address[length] = 0;
	*ret_port = strtoll(colon + 1, NULL, 10);
	return true;
}
