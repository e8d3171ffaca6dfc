/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An echo server, in the polling style: berth_poll() names the sockets that
 * became ready, however many are idle.
 *
 *	echo                                   two hosts in memory: asks itself
 *	echo tap:NAME ADDRESS/LENGTH [PORT]    on a TAP device, for the world
 *	echo packet:NAME ADDRESS/LENGTH [PORT] on an interface of the kernel's
 */
#include <berth/berth.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READY_MAX = 64, CHUNK = 65536, ASKERS = 100 };

static void die(const char *what)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* All addresses, IPv4 and IPv6. */
static int listen_at(struct berth_stack *stack, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = berth_socket(stack, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (berth_bind(stack, fd, (struct sockaddr *)&any, sizeof(any)) < 0 || berth_listen(stack, fd, 128) < 0)
		die("listen");
	return fd;
}

/* Send back what there is. What does not fit stays with the sender: peek first, take what was sent. */
static void echo(struct berth_stack *stack, int fd)
{
	static char bytes[CHUNK];
	ssize_t got, sent;

	while ((got = berth_recv(stack, fd, bytes, sizeof(bytes), MSG_PEEK)) > 0) {
		sent = berth_send(stack, fd, bytes, (size_t)got, 0);
		if (sent < 0)
			break; /* EAGAIN: it will be writable, and reported */
		berth_recv(stack, fd, bytes, (size_t)sent, 0);
	}
	if (got == 0 || (got < 0 && errno != EAGAIN))
		berth_close(stack, fd);
}

static void serve(struct berth_stack *stack, int listener)
{
	struct berth_ready ready[READY_MAX];
	int count, fd;

	while ((count = berth_poll(stack, ready, READY_MAX)) > 0) {
		for (int i = 0; i < count; i++) {
			if (ready[i].fd != listener) {
				echo(stack, ready[i].fd);
				continue;
			}
			while ((fd = berth_accept(stack, listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
				echo(stack, fd);
		}
	}
}

static int on_device(const char *name, char *address, uint16_t port)
{
	struct berth_stack_config config = { .seed = (uint64_t)berth_clock(), .now = berth_clock() };
	struct berth_stack *stack = berth_stack_new(&config);
	struct berth_device *device;
	struct berth_ip ip;
	char *slash = strchr(address, '/');
	int listener, r;

	if (slash)
		*slash = 0;
	errno = EINVAL;
	if (!stack || !slash || berth_ip_parse(address, &ip) < 0)
		die(address);
	r = berth_device_open(stack, name, NULL, 0, &device);
	if (r == 0)
		r = berth_link_add_address(berth_device_link(device), ip, (unsigned)atoi(slash + 1));
	errno = -r;
	if (r < 0)
		die(name);
	listener = listen_at(stack, port);
	printf("listening at %s, port %u\n", address, port);
	fflush(stdout);
	do {
		serve(stack, listener);
		r = berth_device_turn(device, BERTH_NEVER, NULL, 0);
	} while (r == 0);
	berth_device_close(device);
	berth_stack_free(stack);
	return 0;
}

/* Self-test: many ask at once, each something else. Returns how many got it back. */
static int ask(struct berth_net *net, struct berth_host *server, struct berth_host *client, int listener)
{
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(7) };
	struct berth_stack *stack = berth_host_stack(client);
	struct berth_ip ip = berth_host_ip4(server);
	int fds[ASKERS], right = 0;
	char text[32], back[32] = "";

	memcpy(&there.sin_addr, ip.bytes + 12, 4);
	for (int i = 0; i < ASKERS; i++) {
		fds[i] = berth_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		berth_connect(stack, fds[i], (struct sockaddr *)&there, sizeof(there));
	}
	for (int turn = 1; turn <= 40; turn++) {
		berth_net_advance(net, turn * 100 * BERTH_MSEC); /* time to ask for a neighbour, and again */
		serve(berth_host_stack(server), listener);
		for (int i = 0; i < ASKERS && turn == 30; i++)
			berth_send(stack, fds[i], text, (size_t)snprintf(text, sizeof(text), "number %d", i), 0);
	}
	for (int i = 0; i < ASKERS; i++) {
		ssize_t n = berth_recv(stack, fds[i], back, sizeof(back), 0);

		snprintf(text, sizeof(text), "number %d", i);
		right += n == (ssize_t)strlen(text) && !memcmp(text, back, (size_t)n);
	}
	return right;
}

int main(int argc, char **argv)
{
	struct berth_net *net;
	struct berth_host *server, *client;
	int right;

	if (argc >= 3)
		return on_device(argv[1], argv[2], (uint16_t)(argc > 3 ? atoi(argv[3]) : 7));
	net = berth_net_new(&(struct berth_net_config){ .seed = 1 });
	if (!net || berth_net_add_host(net, "server", (struct berth_ip){ { 0 } }, NULL, &server) < 0 ||
	    berth_net_add_host(net, "client", (struct berth_ip){ { 0 } }, NULL, &client) < 0)
		return 1;
	right = ask(net, server, client, listen_at(berth_host_stack(server), 7));
	printf("%d of %d heard their echo\n", right, ASKERS);
	berth_net_free(net);
	return right == ASKERS ? 0 : 1;
}
