/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A private network of 1,000 stacks in one process: every host connects to
 * three others and asks each its name. Prints what that took.
 *
 *	thousand [HOSTS]
 */
#include <berth/berth.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRIENDS = 3, PORT = 79 };

static struct berth_net *net;
static struct berth_host **hosts;
static int *listeners;
static int count = 1000;
static long accepted, answered, wrong;
static size_t bytes_held;

static void *held_alloc(void *context, size_t size)
{
	bytes_held += size;
	return malloc(size);
}

static void held_free(void *context, void *memory, size_t size)
{
	bytes_held -= size;
	free(memory);
}

/* The callback style: hooks are called when something is ready; accepting and answering from there is safe. */
static void on_ready(void *context, int fd, unsigned events)
{
	size_t i = (size_t)context;
	struct berth_stack *stack;
	const char *name;
	int child;

	if (!hosts[i] || fd != listeners[i] || !(events & BERTH_POLLIN))
		return; /* not there yet, or not the listener */
	stack = berth_host_stack(hosts[i]);
	name = berth_host_name(hosts[i]);
	while ((child = berth_accept(stack, fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		accepted++;
		berth_send(stack, child, name, strlen(name), 0);
		berth_close(stack, child);
	}
}

static int friend_of(int host, int which)
{
	return (host + 1 + which * 331) % count;
}

static void make_hosts(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	for (int i = 0; i < count; i++) {
		struct berth_hooks hooks = { .context = (void *)(size_t)i, .ready = on_ready };
		struct berth_stack *stack;
		char name[16];

		snprintf(name, sizeof(name), "host%d", i);
		if (berth_net_add_host(net, name, (struct berth_ip){ { 0 } }, &hooks, &hosts[i]) < 0) {
			fprintf(stderr, "thousand: no memory for %s\n", name);
			exit(1);
		}
		stack = berth_host_stack(hosts[i]);
		listeners[i] = berth_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (berth_bind(stack, listeners[i], (struct sockaddr *)&any, sizeof(any)) < 0 ||
		    berth_listen(stack, listeners[i], 16) < 0)
			exit(1);
	}
}

static void connect_all(int (*fds)[FRIENDS])
{
	for (int i = 0; i < count; i++) {
		struct berth_stack *stack = berth_host_stack(hosts[i]);

		for (int k = 0; k < FRIENDS; k++) {
			struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(PORT) };
			struct berth_ip ip = berth_host_ip4(hosts[friend_of(i, k)]);

			memcpy(&there.sin_addr, ip.bytes + 12, 4);
			fds[i][k] = berth_socket(stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			berth_connect(stack, fds[i][k], (struct sockaddr *)&there, sizeof(there));
		}
	}
}

static void read_all(int (*fds)[FRIENDS])
{
	for (int i = 0; i < count; i++) {
		struct berth_stack *stack = berth_host_stack(hosts[i]);

		for (int k = 0; k < FRIENDS; k++) {
			const char *name = berth_host_name(hosts[friend_of(i, k)]);
			char text[32];
			ssize_t n = berth_recv(stack, fds[i][k], text, sizeof(text), 0);

			if (n == (ssize_t)strlen(name) && !memcmp(text, name, (size_t)n))
				answered++;
			else
				wrong++;
			berth_close(stack, fds[i][k]);
		}
	}
}

int main(int argc, char **argv)
{
	struct berth_allocator allocator = { .alloc = held_alloc, .free = held_free };
	struct berth_net_config config = { .seed = 1, .allocator = &allocator };
	berth_time began = berth_clock(), made, now = 0;
	int(*fds)[FRIENDS];

	if (argc > 1)
		count = atoi(argv[1]);
	if (count < 2 || count > 60000 || !(hosts = calloc((size_t)count, sizeof(*hosts))) ||
	    !(listeners = calloc((size_t)count, sizeof(*listeners))) || !(fds = calloc((size_t)count, sizeof(*fds))) ||
	    !(net = berth_net_new(&config)))
		return 1;
	make_hosts();
	made = berth_clock();
	printf("%d hosts in %.0f ms, %.1f KiB each\n", count, (double)(made - began) / BERTH_MSEC,
	       (double)bytes_held / count / 1024);
	connect_all(fds);
	while (accepted < (long)count * FRIENDS && now < 60 * BERTH_SEC) {
		do
			berth_net_advance(net, now);
		while (berth_net_deadline(net) <= now);
		now += BERTH_MSEC;
	}
	berth_net_advance(net, now);
	read_all(fds);
	printf("%ld conversations in %.0f ms, %ld answered, %ld wrong\n", accepted,
	       (double)(berth_clock() - made) / BERTH_MSEC, answered, wrong);
	berth_net_free(net);
	if (bytes_held)
		printf("%zu bytes were not given back\n", bytes_held);
	free(hosts);
	free(listeners);
	free(fds);
	return answered == (long)count * FRIENDS && !bytes_held ? 0 : 1;
}
