/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control API as the subcommands use it: one question, and a clear line
 * for the user when there is no answer.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/http.h"
#include "control/json.h"
#include "control/paths.h"

int api_failed(const struct command *command, const char *network, int error)
{
	char directory[256] = "?";

	network_path(network, "", 0, directory, sizeof(directory));
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		fprintf(stderr, "berth %s: network '%s' is not running; berth run%s%s PROGRAM starts it\n",
			command->name, network, strcmp(network, NETWORK_DEFAULT) ? " --net " : "",
			strcmp(network, NETWORK_DEFAULT) ? network : "");
		break;
	case ETIMEDOUT:
		fprintf(stderr, "berth %s: network '%s' does not answer (its daemon is in %s)\n", command->name,
			network, directory);
		break;
	case EACCES:
		fprintf(stderr, "berth %s: network '%s' does not answer programs inside berth run: ask from outside\n",
			command->name, network);
		break;
	case EPROTONOSUPPORT:
		fprintf(stderr,
			"berth %s: network '%s' is run by another version of berth, whose API is not version " HTTP_VERSION_VALUE
			": use that version's berth, or end its programs first\n",
			command->name, network);
		break;
	case ENFILE:
		fprintf(stderr,
			"berth %s: network '%s': its daemon has no descriptor left (see open files in berth doctor)\n",
			command->name, network);
		break;
	case EUSERS:
		fprintf(stderr,
			"berth %s: network '%s' has as many readers as it takes: end a berth events, trace, capture, "
			"logs -f, wait or top\n",
			command->name, network);
		break;
	case EPROTO:
		fprintf(stderr,
			"berth %s: network '%s' gave an answer that makes no sense: is its daemon of another "
			"version? (berth net ls)\n",
			command->name, network);
		break;
	default:
		fprintf(stderr, "berth %s: network '%s': %s: %s\n", command->name, network, directory,
			strerror(-error));
	}
	return CLI_FAILED;
}

int api_get(const struct command *command, const char *network, const char *path, json_t **ret_value)
{
	int r = json_fetch(network, path, ret_value);

	return r < 0 ? api_failed(command, network, r) : CLI_OK;
}

/* What comes after the head: ahead, and the rest from fd. The caller's to free(); NULL: no memory, or broken off. */
static char *read_all(int fd, const char *ahead, size_t length, size_t *ret_length)
{
	size_t room = length + 65536;
	char *text = malloc(room), *grown;

	if (text)
		memcpy(text, ahead, length);
	while (text) {
		ssize_t n;

		if (length == room) {
			grown = realloc(text, room *= 2);
			if (!grown)
				break;
			text = grown;
		}
		n = read(fd, text + length, room - length);
		if (n == 0) {
			*ret_length = length;
			return text;
		}
		if (n < 0 && errno != EINTR)
			break;
		length += n > 0 ? (size_t)n : 0;
	}
	free(text);
	return NULL;
}

static json_t *parse_lines(const char *text, size_t length)
{
	json_t *values = json_array();
	const char *end;

	while ((end = memchr(text, '\n', length))) {
		json_array_append_new(values, json_loadb(text, (size_t)(end - text), 0, NULL));
		length -= (size_t)(end - text) + 1;
		text = end + 1;
	}
	return values;
}

int lines_fetch(const char *network, const char *target, json_t **ret_values)
{
	char ahead[65536], *text;
	size_t length;
	int fd, status = http_stream(network, target, &fd, ahead, sizeof(ahead), &length);

	if (status < 0)
		return status;
	text = read_all(fd, ahead, length, &length);
	close(fd);
	if (!text || status != 200) {
		free(text);
		return text ? -EPROTO : -ENOMEM;
	}
	*ret_values = parse_lines(text, length);
	free(text);
	return 0;
}

int api_lines(const struct command *command, const char *network, const char *target, json_t **ret_values)
{
	int r = lines_fetch(network, target, ret_values);

	return r < 0 ? api_failed(command, network, r) : CLI_OK;
}

int api_put(const struct command *command, const char *network, const char *path, const json_t *body,
	    json_t **ret_value)
{
	int r = json_put(network, path, body, ret_value);

	if (r < 0)
		return api_failed(command, network, r);
	if (r == 200)
		return CLI_OK;
	fprintf(stderr, "berth %s: %s\n", command->name, json_get_text(*ret_value, "error", "refused"));
	json_decref(*ret_value);
	return CLI_FAILED;
}

int network_check(const struct command *command, const char *name)
{
	if (network_name_valid(name))
		return CLI_OK;
	return usage_error(command, "network '%s': a network's name is 1 to %d of a-z, 0-9 and inner '-'", name,
			   NETWORK_NAME_MAX);
}

int host_check(const struct command *command, const char *network, const char *name)
{
	json_t *hosts, *host;
	bool found = false;
	size_t i;

	if (api_get(command, network, "/v1/hosts", &hosts))
		return CLI_FAILED;
	json_array_foreach(hosts, i, host)
		found |= !strcmp(name, api_string(host, "name"));
	json_decref(hosts);
	if (found)
		return CLI_OK;
	fprintf(stderr, "berth %s: no host '%s' on network '%s' (berth ps lists them)\n", command->name, name, network);
	return CLI_FAILED;
}

/* A host's name is a DNS label. RFC 1123 §2.1, RFC 1035 §2.3.1. */
bool name_is_host(const char *name)
{
	size_t length = strlen(name);

	if (!length || length > 63 || name[0] == '-' || name[length - 1] == '-')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '-')
			return false;
	return true;
}

int program_path(const struct command *command, const char *name, const char *verb, char *path, size_t size)
{
	if (!name_is_host(name)) {
		fprintf(stderr, "berth %s: there is no host '%s' (berth ps -a lists them)\n", command->name, name);
		return CLI_FAILED;
	}
	snprintf(path, size, "/v1/programs/%s%s%s", name, *verb ? "/" : "", verb);
	return CLI_OK;
}

/* What a stream that is none says instead. */
static int stream_refused(const struct command *command, struct api_stream *stream)
{
	size_t length = stream->ahead_length;
	ssize_t n;
	json_t *body;

	while (length < sizeof(stream->ahead) &&
	       (n = read(stream->fd, stream->ahead + length, sizeof(stream->ahead) - length)) > 0)
		length += (size_t)n;
	close(stream->fd);
	body = json_loadb(stream->ahead, length, 0, NULL);
	fprintf(stderr, "berth %s: %s\n", command->name, json_get_text(body, "error", "refused"));
	json_decref(body);
	return CLI_FAILED;
}

int api_stream_open(const struct command *command, const char *network, const char *path, struct api_stream *stream)
{
	int r;

	*stream = (struct api_stream){ .fd = -1 };
	r = http_stream(network, path, &stream->fd, stream->ahead, sizeof(stream->ahead), &stream->ahead_length);
	if (r < 0)
		return api_failed(command, network, r);
	return r == 200 ? CLI_OK : stream_refused(command, stream);
}

size_t api_stream_read(struct api_stream *stream, char *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = (ssize_t)(stream->ahead_length - stream->taken);

		if (n > 0) {
			n = (size_t)n < length - done ? n : (ssize_t)(length - done);
			memcpy(bytes + done, stream->ahead + stream->taken, (size_t)n);
			stream->taken += (size_t)n;
		} else {
			n = read(stream->fd, stream->ahead, sizeof(stream->ahead));
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				break;
			stream->taken = 0;
			stream->ahead_length = (size_t)n;
			n = 0;
		}
		done += (size_t)n;
	}
	return done;
}

void api_stream_close(struct api_stream *stream)
{
	close(stream->fd);
}

const char *api_string(const json_t *object, const char *key)
{
	const char *text = json_get_text(object, key, "-");

	return *text ? text : "-";
}

long long api_number(const json_t *object, const char *key)
{
	return json_get_number(object, key, 0);
}

void api_print(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}
