/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An HTTP/1.1 server on the stack: GET and HEAD of a directory's files, kept
 * alive, pipelined. RFC 9110, RFC 9112. In the callback style: the ready hook
 * notes who is ready, the loop serves them.
 *
 *	httpd                                                 in memory: fetches from itself
 *	httpd tap:NAME ADDRESS/LENGTH [PORT [DIRECTORY]]      on a TAP device
 *	httpd packet:NAME ADDRESS/LENGTH [PORT [DIRECTORY]]   on an interface of the kernel's
 *
 * Without a directory, every path answers with what was asked.
 */
#include <berth/berth.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTORS = 4096, REQUEST_MAX = 8192, CHUNK = 65536 };

struct client {
	char request[REQUEST_MAX + 1]; /* what has come of it */
	size_t length;
	char head[512]; /* the answer: its head and a short body, then the file */
	size_t head_length, head_sent;
	int file; /* -1: none */
	off_t left;
	bool close_after, noted;
};

static struct berth_stack *stack;
static int listener = -1;
static int directory = -1; /* -1: answers are made up */
static struct client *clients[DESCRIPTORS];
static int noted[DESCRIPTORS], noted_count;

static void die(const char *what)
{
	fprintf(stderr, "httpd: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The ready hook runs inside the stack's calls, so it only takes note. */
static void on_ready(void *context, int fd, unsigned events)
{
	if (fd >= DESCRIPTORS || (fd != listener && (!clients[fd] || clients[fd]->noted)))
		return;
	if (fd == listener && !(events & BERTH_POLLIN))
		return;
	if (fd != listener)
		clients[fd]->noted = true;
	if (noted_count < DESCRIPTORS)
		noted[noted_count++] = fd;
}

static void drop(int fd)
{
	if (clients[fd]->file >= 0)
		close(clients[fd]->file);
	free(clients[fd]);
	clients[fd] = NULL;
	berth_close(stack, fd);
}

static void answer(struct client *client, int status, const char *reason, const char *type, off_t length,
		   const char *body)
{
	int n = snprintf(client->head, sizeof(client->head),
			 "HTTP/1.1 %d %s\r\nServer: berth\r\nContent-Type: %s\r\nContent-Length: %lld\r\n%s\r\n%s",
			 status, reason, type, (long long)length, client->close_after ? "Connection: close\r\n" : "",
			 body);

	client->head_length = (size_t)n < sizeof(client->head) ? (size_t)n : sizeof(client->head) - 1;
	client->head_sent = 0;
}

static void refuse(struct client *client, int status, const char *reason, bool with_body)
{
	char body[64];
	int length = snprintf(body, sizeof(body), "%d %s\n", status, reason);

	answer(client, status, reason, "text/plain", length, with_body ? body : "");
}

static const char *type_of(const char *path)
{
	static const struct {
		const char *end, *type;
	} types[] = { { ".html", "text/html" }, { ".css", "text/css" },	  { ".js", "text/javascript" },
		      { ".png", "image/png" },	{ ".jpg", "image/jpeg" }, { ".txt", "text/plain" } };
	size_t length = strlen(path);

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (length >= strlen(types[i].end) && !strcasecmp(path + length - strlen(types[i].end), types[i].end))
			return types[i].type;
	return "application/octet-stream";
}

/* No way out of the directory: no empty, ".." or hidden part. */
static bool path_ok(const char *path)
{
	return path[0] != '/' && path[0] != '.' && !strstr(path, "/.") && !strstr(path, "//");
}

static void give_file(struct client *client, const char *path, bool with_body)
{
	struct stat status;
	int file;

	path = path[0] ? path : "index.html";
	file = path_ok(path) ? openat(directory, path, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0 || fstat(file, &status) < 0 || !S_ISREG(status.st_mode)) {
		if (file >= 0)
			close(file);
		refuse(client, 404, "Not Found", with_body);
		return;
	}
	answer(client, 200, "OK", type_of(path), status.st_size, "");
	client->file = with_body ? file : -1;
	client->left = with_body ? status.st_size : 0;
	if (!with_body)
		close(file);
}

/* Is token among the values of the header called name? */
static bool header_has(const char *headers, const char *name, const char *token)
{
	for (const char *line = strstr(headers, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
		size_t length = strlen(name), end = strcspn(line + 2, "\r");

		if (strncasecmp(line + 2, name, length) || line[2 + length] != ':')
			continue;
		for (const char *at = line + 3 + length; at < line + 2 + end; at++)
			if (!strncasecmp(at, token, strlen(token)))
				return true;
	}
	return false;
}

/* One request, whole and ending with a zero byte. */
static void serve(struct client *client)
{
	char method[16], target[1024], version[16], body[256];
	bool head, get;

	if (sscanf(client->request, "%15s %1023s %15[^\r]", method, target, version) != 3 || target[0] != '/' ||
	    strncmp(version, "HTTP/1.", 7)) {
		client->close_after = true;
		refuse(client, 400, "Bad Request", true);
		return;
	}
	head = !strcmp(method, "HEAD");
	get = !strcmp(method, "GET");
	client->close_after =
		header_has(client->request, "Connection", "close") ||
		(!strcmp(version, "HTTP/1.0") && !header_has(client->request, "Connection", "keep-alive"));
	target[strcspn(target, "?#")] = 0;
	if (!head && !get) { /* a body may follow, which nobody reads */
		client->close_after = true;
		refuse(client, 405, "Method Not Allowed", true);
	} else if (directory >= 0) {
		give_file(client, target + 1, get);
	} else {
		int length = snprintf(body, sizeof(body), "This is %.200s on a stack of its own.\n", target);

		answer(client, 200, "OK", "text/plain", length, get ? body : "");
	}
}

/* Send what the answer still has. False: no more goes now. */
static bool send_answer(int fd, struct client *client)
{
	static char bytes[CHUNK];

	while (client->head_sent < client->head_length || client->left > 0) {
		bool head = client->head_sent < client->head_length;
		const char *from = head ? client->head + client->head_sent : bytes;
		ssize_t size = head ? (ssize_t)(client->head_length - client->head_sent) : 0, sent;

		if (!head && (size = read(client->file, bytes, sizeof(bytes))) <= 0) {
			berth_abort(stack, fd); /* the file shrank: a short answer must not look whole */
			return false;
		}
		sent = berth_send(stack, fd, from, (size_t)size, client->left > 0 ? MSG_MORE : 0);
		if (!head && sent < size)
			lseek(client->file, (off_t)(sent < 0 ? -size : sent - size), SEEK_CUR);
		if (sent < 0)
			return false;
		if (head)
			client->head_sent += (size_t)sent;
		else
			client->left -= sent;
	}
	berth_setsockopt(stack, fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &(int){ 1 },
			 sizeof(int)); /* lets go of MSG_MORE */
	if (client->file >= 0)
		close(client->file);
	client->file = -1;
	client->head_length = client->head_sent = 0;
	return true;
}

/* Take requests as they come, in order, each answered before the next is looked at. */
static void talk(int fd)
{
	struct client *client = clients[fd];
	ssize_t got = 1;

	for (;;) {
		char *end;
		size_t used;

		if ((client->head_length || client->left) && !send_answer(fd, client)) {
			if (errno != EAGAIN || berth_readiness(stack, fd) < 0)
				drop(fd);
			return;
		}
		if (client->close_after)
			break;
		end = strstr(client->request, "\r\n\r\n");
		if (end) {
			char first = end[4];

			end[4] = 0;
			serve(client);
			end[4] = first;
			used = (size_t)(end + 4 - client->request);
			client->length -= used;
			memmove(client->request, end + 4, client->length + 1);
			continue;
		}
		got = berth_recv(stack, fd, client->request + client->length, REQUEST_MAX - client->length, 0);
		if (got <= 0)
			break;
		client->length += (size_t)got;
		client->request[client->length] = 0;
		if (client->length == REQUEST_MAX && !strstr(client->request, "\r\n\r\n")) {
			client->close_after = true;
			refuse(client, 431, "Request Header Fields Too Large", true);
		}
	}
	if (client->close_after || got == 0 || errno != EAGAIN)
		drop(fd);
}

static void welcome(void)
{
	int fd;

	while ((fd = berth_accept(stack, listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (fd >= DESCRIPTORS || !(clients[fd] = calloc(1, sizeof(*clients[fd])))) {
			berth_abort(stack, fd);
			continue;
		}
		clients[fd]->file = -1;
		talk(fd);
	}
}

static void serve_ready(void)
{
	while (noted_count) {
		int fd = noted[--noted_count];

		if (fd == listener) {
			welcome();
		} else if (clients[fd]) {
			clients[fd]->noted = false;
			talk(fd);
		}
	}
}

static void listen_at(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	listener = berth_socket(stack, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (berth_bind(stack, listener, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    berth_listen(stack, listener, 1024) < 0)
		die("listen");
}

static int on_device(const char *name, char *address, uint16_t port)
{
	struct berth_stack_config config = { .seed = (uint64_t)berth_clock(),
					     .now = berth_clock(),
					     .hooks = { .ready = on_ready } };
	struct berth_device *device;
	struct berth_ip ip;
	char *slash = strchr(address, '/');
	int r;

	if (slash)
		*slash = 0;
	errno = EINVAL;
	stack = berth_stack_new(&config);
	if (!stack || !slash || berth_ip_parse(address, &ip) < 0)
		die(address);
	r = berth_device_open(stack, name, NULL, 0, &device);
	if (r == 0)
		r = berth_link_add_address(berth_device_link(device), ip, (unsigned)atoi(slash + 1));
	errno = -r;
	if (r < 0)
		die(name);
	listen_at(port);
	printf("http at %s, port %u\n", address, port);
	fflush(stdout);
	while ((r = berth_device_turn(device, BERTH_NEVER, NULL, 0)) == 0)
		serve_ready();
	errno = -r;
	if (r != -EINTR)
		die(name);
	berth_device_close(device);
	berth_stack_free(stack);
	return 0;
}

/* Self-test: two requests in one, the second the last. */
static int fetch_from_self(void)
{
	static const char request[] = "GET /first HTTP/1.1\r\nHost: me\r\n\r\n"
				      "GET /second HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n";
	struct sockaddr_in there = { .sin_family = AF_INET,
				     .sin_port = htons(80),
				     .sin_addr.s_addr = htonl(0x7f000001) };
	struct berth_stack_config config = { .seed = 1, .hooks = { .ready = on_ready } };
	char text[2048] = "";
	size_t length = 0;
	ssize_t n;
	int fd;

	stack = berth_stack_new(&config);
	if (!stack)
		return 1;
	listen_at(80);
	fd = berth_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	berth_connect(stack, fd, (struct sockaddr *)&there, sizeof(there));
	berth_stack_advance(stack, BERTH_MSEC);
	berth_send(stack, fd, request, sizeof(request) - 1, 0);
	for (int turn = 2; turn < 100; turn++) {
		berth_stack_advance(stack, turn * BERTH_MSEC);
		serve_ready();
	}
	while ((n = berth_recv(stack, fd, text + length, sizeof(text) - 1 - length, 0)) > 0)
		length += (size_t)n;
	printf("%s", text);
	berth_stack_free(stack);
	return n == 0 && strstr(text, "This is /first") && strstr(text, "This is /second") ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc > 4) {
		directory = open(argv[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (directory < 0)
			die(argv[4]);
	}
	if (argc > 2)
		return on_device(argv[1], argv[2], (uint16_t)(argc > 3 ? atoi(argv[3]) : 80));
	return fetch_from_self();
}
