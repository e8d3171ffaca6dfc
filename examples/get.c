/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client: GET over HTTP/1.1, in blocking calls. The wait hook is the whole
 * engine: a call that has to wait lets the world go on in it.
 *
 *	get                                                in memory: from a server that it brings
 *	get tap:NAME|packet:NAME ADDRESS/LENGTH HOST PORT PATH [GATEWAY]
 *
 * The body goes to standard output, the status line to standard error.
 */
#include <berth/berth.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 16384, CHUNK = 65536 };

static struct berth_device *device;
static struct berth_net *net;
static berth_time simulated;
static int listener; /* of the self-test's server */

static void die(const char *what)
{
	fprintf(stderr, "get: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int wait_on_device(void *context, berth_time deadline)
{
	return berth_device_turn(device, deadline, NULL, 0);
}

static berth_time now_on_device(void *context)
{
	return berth_clock();
}

/* Read to the end of the head; what came behind it is moved to its front. Returns that length. */
static size_t read_head(struct berth_stack *stack, int fd, char *head, size_t *ret_over)
{
	size_t length = 0;
	char *end = NULL;

	while (!end && length < HEAD_MAX) {
		ssize_t n = berth_recv(stack, fd, head + length, HEAD_MAX - length, 0);

		if (n < 0)
			die("receive");
		if (n == 0)
			break;
		length += (size_t)n;
		head[length] = 0;
		end = strstr(head, "\r\n\r\n");
	}
	if (!end) {
		fprintf(stderr, "get: no HTTP answer\n");
		exit(1);
	}
	*ret_over = length - (size_t)(end + 4 - head);
	return (size_t)(end + 4 - head);
}

/* Write the body to standard output. Returns the status. */
static int fetch(struct berth_stack *stack, const struct sockaddr *to, socklen_t length, const char *host,
		 const char *path)
{
	static char head[HEAD_MAX + 1], bytes[CHUNK];
	char request[2048];
	size_t over, head_length;
	ssize_t n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
			     host);
	int fd = berth_socket(stack, to->sa_family, SOCK_STREAM, 0), status = 0;

	if (n < 0 || (size_t)n >= sizeof(request)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	if (berth_connect(stack, fd, to, length) < 0)
		die(host);
	if (berth_send(stack, fd, request, (size_t)n, 0) != n)
		die("send");
	head_length = read_head(stack, fd, head, &over);
	fprintf(stderr, "%.*s\n", (int)strcspn(head, "\r"), head);
	sscanf(head, "HTTP/1.%*c %d", &status);
	fwrite(head + head_length, 1, over, stdout);
	while ((n = berth_recv(stack, fd, bytes, sizeof(bytes), 0)) > 0)
		fwrite(bytes, 1, (size_t)n, stdout);
	if (n < 0)
		die("receive");
	berth_close(stack, fd);
	return status;
}

static socklen_t sockaddr_of(struct berth_ip ip, uint16_t port, bool six, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (six) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, ip.bytes, 16);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, ip.bytes + 12, 4); /* the last four of a mapped address */
	return sizeof(*in);
}

static struct berth_ip ip_of(const char *text)
{
	struct berth_ip ip;

	errno = EINVAL;
	if (berth_ip_parse(text, &ip) < 0)
		die(text);
	return ip;
}

static void add_default_route(struct berth_stack *stack, const char *gateway)
{
	bool six = strchr(gateway, ':');
	struct berth_ip all = ip_of(six ? "::" : "0.0.0.0");

	errno = -berth_route_add(stack, all, 0, ip_of(gateway), berth_device_link(device));
	if (errno)
		die(gateway);
}

/* An IPv6 address may be used once nobody else has claimed it: RFC 4862 §5.4. */
static void await_address(struct berth_stack *stack, struct berth_ip ip, bool six)
{
	struct sockaddr_storage here;
	socklen_t length = sockaddr_of(ip, 0, six, &here);
	berth_time end = berth_clock() + 10 * BERTH_SEC;
	int fd = berth_socket(stack, here.ss_family, SOCK_DGRAM, 0);

	while (berth_bind(stack, fd, (struct sockaddr *)&here, length) < 0 && errno == EADDRNOTAVAIL &&
	       berth_clock() < end)
		berth_device_turn(device, end, NULL, 0);
	berth_close(stack, fd);
}

static int on_device(char **argv, const char *gateway)
{
	struct berth_stack_config config = { .seed = (uint64_t)berth_clock(),
					     .now = berth_clock(),
					     .hooks = { .wait = wait_on_device, .now = now_on_device } };
	struct berth_stack *stack = berth_stack_new(&config);
	char *slash = strchr(argv[2], '/');
	struct sockaddr_storage to;
	socklen_t length;
	int status;

	errno = EINVAL;
	if (!stack || !slash)
		die(argv[2]);
	*slash = 0;
	errno = -berth_device_open(stack, argv[1], NULL, 0, &device);
	if (!errno)
		errno = -berth_link_add_address(berth_device_link(device), ip_of(argv[2]), (unsigned)atoi(slash + 1));
	if (errno)
		die(argv[1]);
	if (gateway)
		add_default_route(stack, gateway);
	length = sockaddr_of(ip_of(argv[3]), (uint16_t)atoi(argv[4]), strchr(argv[3], ':'), &to);
	await_address(stack, ip_of(argv[2]), strchr(argv[2], ':'));
	status = fetch(stack, (struct sockaddr *)&to, length, argv[3], argv[5]);
	berth_device_close(device);
	berth_stack_free(stack);
	return status == 200 ? 0 : 1;
}

/* The world of the self-test: time jumps to whatever is next; a server answers whoever asks. */
static int wait_in_memory(void *context, berth_time deadline)
{
	static const char page[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 27\r\nConnection: close\r\n\r\nA page from the next stack.";
	struct berth_stack *server = context;
	berth_time due = berth_net_deadline(net);
	char request[512];
	int fd;

	if (due == BERTH_NEVER)
		return -ETIME; /* nothing will ever happen */
	simulated = due > simulated ? due : simulated;
	berth_net_advance(net, simulated);
	while (berth_accept(server, listener, NULL, NULL, SOCK_NONBLOCK) >= 0)
		;
	for (fd = listener + 1; fd < listener + 8; fd++) {
		if (berth_recv(server, fd, request, sizeof(request), MSG_DONTWAIT) <= 0)
			continue;
		berth_send(server, fd, page, sizeof(page) - 1, 0);
		berth_close(server, fd);
	}
	return 0;
}

static berth_time now_in_memory(void *context)
{
	return simulated;
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct berth_hooks hooks = { .wait = wait_in_memory, .now = now_in_memory };
	struct berth_host *web, *you;
	struct sockaddr_storage to;
	socklen_t length;
	int status;

	if (argc >= 6)
		return on_device(argv, argc > 6 ? argv[6] : NULL);
	net = berth_net_new(&(struct berth_net_config){ .seed = 1 });
	if (!net || berth_net_add_host(net, "web", (struct berth_ip){ { 0 } }, NULL, &web) < 0)
		return 1;
	hooks.context = berth_host_stack(web);
	if (berth_net_add_host(net, "you", (struct berth_ip){ { 0 } }, &hooks, &you) < 0)
		return 1;
	listener = berth_socket(berth_host_stack(web), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	berth_bind(berth_host_stack(web), listener, (struct sockaddr *)&any, sizeof(any));
	berth_listen(berth_host_stack(web), listener, 8);
	length = sockaddr_of(berth_host_ip4(web), 80, false, &to);
	status = fetch(berth_host_stack(you), (struct sockaddr *)&to, length, "web", "/");
	putchar('\n');
	berth_net_free(net);
	return status == 200 ? 0 : 1;
}
