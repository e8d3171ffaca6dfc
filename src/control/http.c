/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client for our own server: HTTP/1.1 (RFC 9112) with "Connection: close",
 * so the answer ends where the connection does or where its length says.
 */
#include "control/http.h"

#include "control/paths.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIMEOUT_SECONDS = 10, ANSWER_MAX = 256 << 20 };

struct answer {
	char *bytes;
	size_t length, room;
};

static int open_connection(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = TIMEOUT_SECONDS };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

static int send_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int receive_all(int fd, struct answer *answer)
{
	for (;;) {
		if (answer->room - answer->length < 4096) {
			size_t room = answer->room ? answer->room * 2 : 65536;
			char *grown = room > ANSWER_MAX ? NULL : realloc(answer->bytes, room);
			if (!grown)
				return room > ANSWER_MAX ? -EFBIG : -ENOMEM;
			answer->bytes = grown;
			answer->room = room;
		}
		ssize_t n = recv(fd, answer->bytes + answer->length, answer->room - answer->length - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		answer->length += (size_t)n;
		answer->bytes[answer->length] = 0;
		if (n == 0)
			return 0;
	}
}

/* Join the chunks of a chunked body in place. RFC 9112 §7.1. Returns the length or -EPROTO. */
static ssize_t join_chunks(char *body, size_t length)
{
	char *from = body, *end = body + length, *to = body;

	for (;;) {
		char *digits_end;
		errno = 0;
		unsigned long size = strtoul(from, &digits_end, 16);
		char *line_end = strstr(digits_end, "\r\n");
		if (errno || digits_end == from || !line_end)
			return -EPROTO;
		from = line_end + 2;
		if (!size)
			return to - body;
		if (size > (size_t)(end - from) || (size_t)(end - from) - size < 2)
			return -EPROTO;
		memmove(to, from, size);
		to += size;
		from += size + 2;
	}
}

static const char *find_field(const char *head, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, length) || line[2 + length] != ':')
			continue;
		const char *value = line + 2 + length + 1;
		return value + strspn(value, " \t");
	}
	return NULL;
}

/* Is this head, of whole lines, of our version? */
static int check_version(const char *head)
{
	const char *version = find_field(head, HTTP_VERSION_FIELD);

	if (!version || strncmp(version, HTTP_VERSION_VALUE "\r\n", sizeof(HTTP_VERSION_VALUE) + 1))
		return -EPROTONOSUPPORT;
	return 0;
}

/* The daemon is there, and can't hear us now. */
static int check_busy(int status)
{
	return status == 503 ? -ENFILE : status == 429 ? -EUSERS : 0;
}

/* Cut the body out of the answer. Returns the status, -EPROTO, -EPROTONOSUPPORT, -ENFILE or -EUSERS. */
static int parse_answer(struct answer *answer)
{
	char *end = answer->bytes ? strstr(answer->bytes, "\r\n\r\n") : NULL;
	int status;

	if (!end || sscanf(answer->bytes, "HTTP/1.%*1[01] %3d", &status) != 1)
		return -EPROTO;
	end[2] = 0;
	if (check_version(answer->bytes))
		return -EPROTONOSUPPORT;
	if (check_busy(status))
		return check_busy(status);
	char *body = end + 4;
	size_t length = answer->length - (size_t)(body - answer->bytes);
	const char *value = find_field(answer->bytes, "Transfer-Encoding");
	if (value && !strncasecmp(value, "chunked", 7)) {
		ssize_t joined = join_chunks(body, length);
		if (joined < 0)
			return -EPROTO;
		length = (size_t)joined;
	} else if ((value = find_field(answer->bytes, "Content-Length"))) {
		if (strtoul(value, NULL, 10) > length)
			return -EPROTO; /* cut short */
		length = strtoul(value, NULL, 10);
	}
	memmove(answer->bytes, body, length);
	answer->bytes[length] = 0;
	answer->length = length;
	return status;
}

/* Send head and content (may be NULL), and take the answer. */
static int ask(const char *path, const char *head, const char *content, struct answer *answer)
{
	int fd = open_connection(path), r;

	if (fd < 0)
		return fd;
	r = send_all(fd, head, strlen(head));
	if (!r && content)
		r = send_all(fd, content, strlen(content));
	/* A daemon that can hear nobody says so before it is asked, and closes. */
	if (!r || r == -EPIPE || r == -ECONNRESET) {
		int received = receive_all(fd, answer);
		r = answer->length ? received : r ? r : received;
	}
	close(fd);
	return r ? r : parse_answer(answer);
}

static int request(const char *path, const char *method, const char *target, const char *content, char **ret_body,
		   size_t *ret_length)
{
	struct answer answer = { 0 };
	char head[1024];
	int length, r;

	length = snprintf(head, sizeof(head),
			  "%s %s HTTP/1.1\r\nHost: berth\r\nAccept: application/json\r\nConnection: close\r\n"
			  "Content-Length: %zu\r\n\r\n",
			  method, target, content ? strlen(content) : 0);
	if (length < 0 || (size_t)length >= sizeof(head))
		return -ENAMETOOLONG;
	r = ask(path, head, content, &answer);
	if (r < 0) {
		free(answer.bytes);
		return r;
	}
	*ret_body = answer.bytes;
	if (ret_length)
		*ret_length = answer.length;
	return r;
}

int http_get_at(const char *path, const char *target, char **ret_body, size_t *ret_length)
{
	return request(path, "GET", target, NULL, ret_body, ret_length);
}

int http_get(const char *network, const char *target, char **ret_body, size_t *ret_length)
{
	char path[256];
	int r = network_path(network, "api.sock", 0, path, sizeof(path));

	return r < 0 ? r : request(path, "GET", target, NULL, ret_body, ret_length);
}

int http_put(const char *network, const char *target, const char *content, char **ret_body, size_t *ret_length)
{
	char path[256];
	int r = network_path(network, "api.sock", 0, path, sizeof(path));

	return r < 0 ? r : request(path, "PUT", target, content, ret_body, ret_length);
}

/* Read until the head is whole. Returns how long it is, or a negative errno; *length is what was read in all. */
static ssize_t read_head(int fd, char *bytes, size_t room, size_t *length)
{
	for (*length = 0; *length < room - 1;) {
		ssize_t n = recv(fd, bytes + *length, room - 1 - *length, 0);
		char *head_end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (errno == EAGAIN ? -ETIMEDOUT : -errno) : -EPROTO;
		*length += (size_t)n;
		bytes[*length] = 0;
		head_end = strstr(bytes, "\r\n\r\n");
		if (head_end)
			return head_end + 4 - bytes;
	}
	return -EPROTO;
}

int http_stream(const char *network, const char *target, int *ret_fd, char *ahead, size_t room, size_t *ret_ahead)
{
	struct timeval none = { 0 };
	char path[256], head[1024];
	ssize_t head_length;
	size_t length = 0;
	int status, fd, r = network_path(network, "api.sock", 0, path, sizeof(path));

	if (r < 0)
		return r;
	/* HTTP/1.0: the body comes as it is and ends with the connection. */
	snprintf(head, sizeof(head), "GET %.900s HTTP/1.0\r\nHost: berth\r\n\r\n", target);
	fd = open_connection(path);
	if (fd < 0)
		return fd;
	r = send_all(fd, head, strlen(head));
	head_length = r && r != -EPIPE && r != -ECONNRESET ? r : read_head(fd, ahead, room, &length);
	if (head_length >= 0 || !r)
		r = head_length < 0 ? (int)head_length : 0;
	if (!r && sscanf(ahead, "HTTP/1.%*1[01] %3d", &status) != 1)
		r = -EPROTO;
	if (!r)
		r = check_version(ahead);
	if (!r)
		r = check_busy(status);
	if (r) {
		close(fd);
		return r;
	}
	memmove(ahead, ahead + head_length, length - (size_t)head_length);
	*ret_ahead = length - (size_t)head_length;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	*ret_fd = fd;
	return status;
}
