/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libberth with both ends in one thread, beside the kernel's loopback used in
 * the same way: one thread, non-blocking sockets, data copied in and out.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, PORT = 80 };

static uint8_t out[PIECE], in[PIECE];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- Berth ---- */

static void pair_join(struct pair *pair, int listener, int *ret_client, int *ret_server)
{
	*ret_client = pair_connect(pair, PORT);
	pair_run(pair);
	*ret_server = berth_accept(pair->stacks[1], listener, NULL, NULL, SOCK_NONBLOCK);
	if (*ret_server < 0)
		fail("bench: accept");
}

static double berth_bulk(void *context)
{
	const struct pair_options *options = context;
	struct pair pair;
	int client, server;
	double begun, ended;
	uint64_t bytes = 0;

	pair_init(&pair, options);
	pair_join(&pair, pair_listen(&pair, PORT, 8), &client, &server);
	pair.loss_permyriad = options->loss_permyriad;
	begun = clock_seconds();
	do {
		for (int i = 0; i < 16; i++) {
			ssize_t n;

			berth_send(pair.stacks[0], client, out, sizeof(out), 0);
			pair_run(&pair);
			while ((n = berth_recv(pair.stacks[1], server, in, sizeof(in), 0)) > 0)
				bytes += (uint64_t)n;
		}
		ended = clock_seconds();
	} while (ended - begun < bench_seconds);
	pair_fini(&pair);
	return (double)bytes * 8 / (ended - begun) / 1e9;
}

/* The same with the calls that don't copy: out of lent memory, in by the packet. */
static double berth_bulk_packets(void *context)
{
	const struct pair_options *options = context;
	struct pair pair;
	int client, server;
	double begun, ended;
	uint64_t bytes = 0;

	pair_init(&pair, options);
	pair_join(&pair, pair_listen(&pair, PORT, 8), &client, &server);
	begun = clock_seconds();
	do {
		for (int i = 0; i < 16; i++) {
			struct berth_packet *packet =
				berth_packet_wrap(berth_stack_packets(pair.stacks[0]), out, sizeof(out), NULL, NULL);
			ssize_t n;

			if (berth_send_packet(pair.stacks[0], client, packet, 0) < 0)
				berth_packet_unref(packet);
			pair_run(&pair);
			while ((n = berth_recv_packet(pair.stacks[1], server, &packet, 0)) > 0) {
				bytes += (uint64_t)n;
				berth_packet_unref(packet);
			}
		}
		ended = clock_seconds();
	} while (ended - begun < bench_seconds);
	pair_fini(&pair);
	return (double)bytes * 8 / (ended - begun) / 1e9;
}

struct connects {
	bool reset;	     /* RST instead of FIN */
	unsigned time_waits; /* so many in TIME-WAIT before it begins */
};

static void connect_once(struct pair *pair, int listener, bool reset)
{
	int client, server;

	pair_join(pair, listener, &client, &server);
	if (reset)
		berth_abort(pair->stacks[1], server);
	else
		berth_close(pair->stacks[1], server); /* the server closes first: TIME-WAIT is its */
	pair_run(pair);
	berth_close(pair->stacks[0], client);
	pair_run(pair);
}

static double berth_connects(void *context)
{
	const struct connects *connects = context;
	struct pair_options options = { .mtu = 1500, .time_wait = connects->time_waits ? connects->time_waits : 1000 };
	struct pair pair;
	double begun, ended;
	uint64_t count = 0;
	int listener;

	pair_init(&pair, &options);
	listener = pair_listen(&pair, PORT, 8);
	for (unsigned i = 0; i < connects->time_waits; i++)
		connect_once(&pair, listener, false);
	begun = clock_seconds();
	do {
		for (int i = 0; i < 100; i++, count++)
			connect_once(&pair, listener, connects->reset);
		ended = clock_seconds();
	} while (ended - begun < bench_seconds);
	pair_fini(&pair);
	return (double)count / (ended - begun);
}

struct crowd {
	unsigned connections;
};

/* Many listeners: one port has only 28,232 local ports to talk to from one address. */
static void crowd_join(struct pair *pair, unsigned count, int *clients, int *servers)
{
	enum { A_PORT = 20000 };
	int listener = -1;

	for (unsigned i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(1000 + i / A_PORT);

		if (i % A_PORT == 0)
			listener = pair_listen(pair, port, 8);
		clients[i] = pair_connect(pair, port);
		pair_run(pair);
		servers[i] = berth_accept(pair->stacks[1], listener, NULL, NULL, SOCK_NONBLOCK);
		if (servers[i] < 0)
			fail("bench: accept");
	}
}

static double berth_echo(void *context)
{
	const struct crowd *crowd = context;
	struct pair_options options = { .mtu = 1500 };
	int *clients = malloc(crowd->connections * sizeof(int)), *servers = malloc(crowd->connections * sizeof(int));
	uint64_t count = 0, random = 88172645463325252u;
	struct pair pair;
	double begun, ended;

	pair_init(&pair, &options);
	crowd_join(&pair, crowd->connections, clients, servers);
	begun = clock_seconds();
	do {
		for (int i = 0; i < 1000; i++, count++) {
			unsigned which = (unsigned)(xorshift(&random) % crowd->connections);
			char byte = 'x';

			berth_send(pair.stacks[0], clients[which], &byte, 1, 0);
			pair_run(&pair);
			berth_recv(pair.stacks[1], servers[which], &byte, 1, 0);
			berth_send(pair.stacks[1], servers[which], &byte, 1, 0);
			pair_run(&pair);
			if (berth_recv(pair.stacks[0], clients[which], &byte, 1, 0) != 1)
				fail("bench: echo");
		}
		ended = clock_seconds();
	} while (ended - begun < bench_seconds);
	pair_fini(&pair);
	free(clients);
	free(servers);
	return (ended - begun) / (double)count * 1e6;
}

static double berth_memory(void *context)
{
	const struct crowd *crowd = context;
	struct pair_options options = { .mtu = 1500, .count_memory = true };
	int *clients = malloc(crowd->connections * sizeof(int)), *servers = malloc(crowd->connections * sizeof(int));
	struct pair pair;
	double bytes;
	size_t before;

	pair_init(&pair, &options);
	before = pair.memory;
	crowd_join(&pair, crowd->connections, clients, servers);
	bytes = (double)(pair.memory - before) / (2.0 * crowd->connections);
	pair_fini(&pair);
	free(clients);
	free(servers);
	return bytes;
}

/* ---- the kernel ---- */

static void nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static int kernel_listen(struct sockaddr_in *name)
{
	socklen_t length = sizeof(*name);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	if (bind(fd, (struct sockaddr *)name, length) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)name, &length) < 0)
		fail("bench: the kernel's listen");
	return fd;
}

static void kernel_join(int listener, const struct sockaddr_in *name, int *ret_client, int *ret_server)
{
	*ret_client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(*ret_client, (const struct sockaddr *)name, sizeof(*name)) < 0)
		fail("bench: the kernel's connect");
	*ret_server = accept(listener, NULL, NULL);
}

static double kernel_bulk(void *context)
{
	struct sockaddr_in name;
	int listener = kernel_listen(&name), client, server;
	double begun, ended;
	uint64_t bytes = 0;

	kernel_join(listener, &name, &client, &server);
	nonblocking(client);
	nonblocking(server);
	begun = clock_seconds();
	do {
		for (int i = 0; i < 16; i++) {
			ssize_t n;

			if (send(client, out, sizeof(out), 0) < 0 && errno != EAGAIN)
				fail("bench: the kernel's send");
			while ((n = recv(server, in, sizeof(in), 0)) > 0)
				bytes += (uint64_t)n;
		}
		ended = clock_seconds();
	} while (ended - begun < bench_seconds);
	close(client);
	close(server);
	close(listener);
	return (double)bytes * 8 / (ended - begun) / 1e9;
}

static double kernel_connects(void *context)
{
	const struct connects *connects = context;
	struct linger linger = { connects->reset, 0 };
	struct sockaddr_in name;
	int listener = kernel_listen(&name), client, server;
	double begun = clock_seconds(), ended;
	uint64_t count = 0;

	do {
		for (int i = 0; i < 100; i++, count++) {
			kernel_join(listener, &name, &client, &server);
			if (connects->reset)
				setsockopt(server, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
			close(server);
			close(client);
		}
		ended = clock_seconds();
		/* 28,232 local ports, each a minute in TIME-WAIT: stop before they run out */
	} while (ended - begun < bench_seconds && (connects->reset || count < 8000));
	close(listener);
	return (double)count / (ended - begun);
}

static double kernel_echo(void *context)
{
	struct sockaddr_in name;
	int listener = kernel_listen(&name), client, server;
	double begun, ended;
	uint64_t count = 0;
	char byte = 'x';

	kernel_join(listener, &name, &client, &server);
	begun = clock_seconds();
	do {
		for (int i = 0; i < 1000; i++, count++) {
			if (send(client, &byte, 1, 0) != 1 || recv(server, &byte, 1, 0) != 1 ||
			    send(server, &byte, 1, 0) != 1 || recv(client, &byte, 1, 0) != 1)
				fail("bench: the kernel's echo");
		}
		ended = clock_seconds();
	} while (ended - begun < bench_seconds);
	close(client);
	close(server);
	close(listener);
	return (ended - begun) / (double)count * 1e6;
}

static void bench_bulk(void)
{
	struct pair_options checked = { .mtu = 1500, .checksums = true }, plain = { .mtu = 1500 },
			    super = { .mtu = 1500, .superframe = 65280 };
	struct figure kernel = figure_of(kernel_bulk, NULL);

	report("bulk TCP, MTU 1500, checksums", "Gbit/s", false, figure_of(berth_bulk, &checked), &kernel, 3.5);
	report("bulk TCP, MTU 1500, no checksums", "Gbit/s", false, figure_of(berth_bulk, &plain), &kernel, 0);
	report("bulk TCP, 64 KiB superframes", "Gbit/s", false, figure_of(berth_bulk, &super), &kernel, 8);
	report("the same without copies at both ends", "Gbit/s", false, figure_of(berth_bulk_packets, &super), &kernel,
	       0);
}

/* Bars are absolute, as the issue has them. The kernel's loopback loses nothing: netem would have to be set up. */
static void bench_loss(void)
{
	struct pair_options one_percent = { .mtu = 1500, .loss_permyriad = 100 },
			    one_permille = { .mtu = 1500, .loss_permyriad = 10 };

	report("bulk TCP, MTU 1500, 1% lost both ways (bar: 2)", "Gbit/s", false, figure_of(berth_bulk, &one_percent),
	       NULL, 0);
	report("bulk TCP, MTU 1500, 0.1% lost both ways (bar: 5)", "Gbit/s", false,
	       figure_of(berth_bulk, &one_permille), NULL, 0);
}

static void bench_connects(void)
{
	struct connects fin = { false, 0 }, rst = { true, 0 }, waiting = { false, 1000000 };
	struct figure kernel_fin = figure_of(kernel_connects, &fin), kernel_rst = figure_of(kernel_connects, &rst);
	struct figure ours = figure_of(berth_connects, &fin);

	report("connect, accept, close by FIN", "a second", false, ours, &kernel_fin, 0);
	report("connect, accept, close by RST", "a second", false, figure_of(berth_connects, &rst), &kernel_rst, 0);
	report("the same by FIN, 1,000,000 in TIME-WAIT (ratio: to few)", "a second", false,
	       figure_of(berth_connects, &waiting), &ours, 0.8);
}

static void bench_echo(void)
{
	struct crowd one = { 1 }, ten_thousand = { 10000 }, many = { 1000000 };
	struct figure kernel = figure_of(kernel_echo, NULL);

	report("1-byte echo, 1 connection", "us", true, figure_of(berth_echo, &one), &kernel, 0.03);
	report("1-byte echo, one of 10,000 at random", "us", true, figure_of(berth_echo, &ten_thousand), &kernel, 0.11);
	report("1-byte echo, one of 1,000,000 at random", "us", true, figure_of(berth_echo, &many), &kernel, 0.22);
}

void bench_stack(void)
{
	struct crowd crowd = { 100000 };
	int rounds = bench_rounds;

	report_begin("libberth, both ends in one thread", "loopback");
	if (wanted("bulk"))
		bench_bulk();
	if (wanted("loss"))
		bench_loss();
	if (wanted("connects"))
		bench_connects();
	if (wanted("echo"))
		bench_echo();
	if (!wanted("memory"))
		return;
	bench_rounds = 1; /* it counts, and the count is the same each time */
	report("memory of an idle established endpoint (bar: 512)", "bytes", true, figure_of(berth_memory, &crowd),
	       NULL, 0);
	bench_rounds = rounds;
}
