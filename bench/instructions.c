/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hot paths that have a budget of instructions (instructions.budget), each
 * run some times in simulated time, so that it does the same on every machine.
 * tools/instructions runs this under callgrind, which counts what happens
 * inside of instructions_measured() and writes a profile at its every end; for
 * each this prints a line: the path, and how many times it was gone.
 */
#include "measure.h"
#include "pair.h"

#include "base/bytes.h"
#include "base/timer.h"
#include "core/port/port.h"
#include "net/names.h"
#include "wire/checksum.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CROWD = 10000, PIECE = 64 * 1024, PORT = 80, SEGMENT = 1448, HOSTS = 300, DATAGRAM = 100, RUN = 50 };

/* What a path works on; begin() fills in what it needs. */
struct place {
	struct pair pair;
	int clients[CROWD], servers[CROWD];
	int listener;
	struct berth_net *net;
	struct berth_host *hosts[2];
	berth_time now;
	uint64_t random;
};

static struct place place;
static uint8_t bytes_out[PIECE], bytes_in[PIECE];
static volatile uint32_t kept; /* results that nobody reads, so that they are worked out */

static void must(bool is_so, const char *what)
{
	if (!is_so) {
		fprintf(stderr, "instructions: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

/* ---- places ---- */

static void begin_pair(const struct pair_options *options, int connections)
{
	pair_init(&place.pair, options);
	place.listener = pair_listen(&place.pair, PORT, 8);
	place.random = 88172645463325252u;
	for (int i = 0; i < connections; i++) {
		place.clients[i] = pair_connect(&place.pair, PORT);
		pair_run(&place.pair);
		place.servers[i] = berth_accept(place.pair.stacks[1], place.listener, NULL, NULL, SOCK_NONBLOCK);
		must(place.servers[i] >= 0, "accept");
	}
}

static void begin_one(void)
{
	begin_pair(&(struct pair_options){ .mtu = 1500, .simulated = true }, 1);
}

static void begin_checked(void)
{
	begin_pair(&(struct pair_options){ .mtu = 1500, .checksums = true, .simulated = true }, 1);
}

static void begin_super(void)
{
	begin_pair(&(struct pair_options){ .mtu = 1500, .superframe = 65280, .simulated = true }, 1);
}

static void begin_crowd(void)
{
	struct berth_ready ready[64];

	begin_pair(&(struct pair_options){ .mtu = 1500, .simulated = true }, CROWD);
	place.pair.now += 60 * BERTH_SEC; /* what was left of making them is over */
	pair_run(&place.pair);
	while (berth_poll(place.pair.stacks[1], ready, 64) > 0)
		; /* what making them made ready has been seen */
}

static void end_pair(void)
{
	pair_fini(&place.pair);
}

static void begin_udp_on(const struct pair_options *options)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	pair_init(&place.pair, options);
	place.servers[0] = berth_socket(place.pair.stacks[1], AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	must(!berth_bind(place.pair.stacks[1], place.servers[0], (struct sockaddr *)&to, sizeof(to)), "bind");
	to.sin_addr.s_addr = htonl(0x0a000002);
	place.clients[0] = berth_socket(place.pair.stacks[0], AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	must(!berth_connect(place.pair.stacks[0], place.clients[0], (struct sockaddr *)&to, sizeof(to)), "connect");
}

static void begin_udp(void)
{
	begin_udp_on(&(struct pair_options){ .mtu = 1500, .checksums = true, .simulated = true });
}

static void begin_udp_runs(void)
{
	int segment = DATAGRAM;

	begin_udp_on(&(struct pair_options){ .mtu = 1500, .superframe = 65280, .simulated = true });
	must(!berth_setsockopt(place.pair.stacks[0], place.clients[0], IPPROTO_UDP, UDP_SEGMENT, &segment,
			       sizeof(segment)),
	     "UDP_SEGMENT");
}

static void net_run(void)
{
	place.now += BERTH_USEC;
	do {
		berth_net_advance(place.net, place.now);
	} while (berth_net_deadline(place.net) <= place.now);
}

static void begin_net_of(int idle)
{
	struct berth_net_config config = { .seed = 1, .now = BERTH_SEC };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct berth_ip ip;

	place.now = config.now;
	place.net = berth_net_new(&config);
	must(!berth_net_add_host(place.net, "web", (struct berth_ip){ { 0 } }, NULL, &place.hosts[1]) &&
		     !berth_net_add_host(place.net, "from", (struct berth_ip){ { 0 } }, NULL, &place.hosts[0]),
	     "host");
	for (int i = 0; i < idle; i++) {
		struct berth_host *host;
		char name[16];

		snprintf(name, sizeof(name), "idle%d", i);
		must(!berth_net_add_host(place.net, name, (struct berth_ip){ { 0 } }, NULL, &host), "host");
	}
	place.pair.stacks[0] = berth_host_stack(place.hosts[0]);
	place.pair.stacks[1] = berth_host_stack(place.hosts[1]);
	place.listener = berth_socket(place.pair.stacks[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	must(!berth_bind(place.pair.stacks[1], place.listener, (struct sockaddr *)&to, sizeof(to)), "bind");
	must(!berth_listen(place.pair.stacks[1], place.listener, 8), "listen");
	ip = berth_host_ip4(place.hosts[1]);
	memcpy(&to.sin_addr, ip.bytes + 12, 4);
	place.clients[0] = berth_socket(place.pair.stacks[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	berth_connect(place.pair.stacks[0], place.clients[0], (struct sockaddr *)&to, sizeof(to));
	net_run();
	place.servers[0] = berth_accept(place.pair.stacks[1], place.listener, NULL, NULL, SOCK_NONBLOCK);
	must(place.servers[0] >= 0, "accept");
}

static void begin_net(void)
{
	begin_net_of(0);
}

static void begin_net_of_hosts(void)
{
	begin_net_of(HOSTS);
}

static void end_net(void)
{
	berth_net_free(place.net);
}

/* ---- paths: run them times over, and return how many times that was ---- */

static unsigned run_echo(unsigned times, unsigned crowd, void (*carry)(void))
{
	struct berth_stack **stacks = place.pair.stacks;

	for (unsigned i = 0; i < times; i++) {
		unsigned which = (unsigned)(xorshift(&place.random) % crowd);
		char byte = 'x';

		berth_send(stacks[0], place.clients[which], &byte, 1, 0);
		carry();
		berth_recv(stacks[1], place.servers[which], &byte, 1, 0);
		berth_send(stacks[1], place.servers[which], &byte, 1, 0);
		carry();
		must(berth_recv(stacks[0], place.clients[which], &byte, 1, 0) == 1, "echo");
	}
	return times;
}

static void carry_pair(void)
{
	pair_run(&place.pair);
}

static unsigned path_echo(unsigned times)
{
	return run_echo(times, 1, carry_pair);
}

static unsigned path_echo_crowd(unsigned times)
{
	return run_echo(times, CROWD, carry_pair);
}

static unsigned path_echo_net(unsigned times)
{
	return run_echo(times, 1, net_run);
}

/* In pieces of 64 KiB; counted by unit bytes. */
static unsigned run_bulk(unsigned times, unsigned unit)
{
	uint64_t bytes = 0;

	while (bytes < (uint64_t)times * unit) {
		ssize_t n;

		berth_send(place.pair.stacks[0], place.clients[0], bytes_out, sizeof(bytes_out), 0);
		pair_run(&place.pair);
		while ((n = berth_recv(place.pair.stacks[1], place.servers[0], bytes_in, sizeof(bytes_in), 0)) > 0)
			bytes += (uint64_t)n;
	}
	return (unsigned)(bytes / unit);
}

static unsigned path_bulk(unsigned times)
{
	return run_bulk(times, SEGMENT);
}

static unsigned path_bulk_super(unsigned times)
{
	return run_bulk(times, PIECE);
}

static unsigned path_connect(unsigned times)
{
	struct pair *pair = &place.pair;

	for (unsigned i = 0; i < times; i++) {
		int client = pair_connect(pair, PORT), server;

		pair_run(pair);
		server = berth_accept(pair->stacks[1], place.listener, NULL, NULL, SOCK_NONBLOCK);
		must(server >= 0, "accept");
		berth_close(pair->stacks[1], server);
		pair_run(pair);
		berth_close(pair->stacks[0], client);
		pair_run(pair);
	}
	return times;
}

/* A loop's turn when nothing is due, though every connection is there. */
static unsigned path_idle(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		place.pair.now += BERTH_MSEC;
		berth_stack_advance(place.pair.stacks[0], place.pair.now);
		kept += berth_stack_deadline(place.pair.stacks[0]) == BERTH_NEVER;
	}
	return times;
}

static unsigned path_demux(unsigned times)
{
	struct berth_endpoint local, remote = { .port = 0 };
	struct sockaddr_in name;

	berth_ip_parse("10.0.0.2", &local.ip);
	berth_ip_parse("10.0.0.1", &remote.ip);
	local.port = PORT;
	for (unsigned i = 0; i < times; i++) {
		socklen_t length = sizeof(name);

		if (i % 100 == 0) /* asking its name is a hundredth of the path, and then it is looked for as it came */
			berth_getsockname(place.pair.stacks[0], place.clients[i % CROWD], (struct sockaddr *)&name,
					  &length);
		remote.port = ntohs(name.sin_port);
		must(demux_find(place.pair.stacks[1], IPPROTO_TCP, &local, &remote), "demux");
	}
	return times;
}

static unsigned path_udp(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		berth_send(place.pair.stacks[0], place.clients[0], bytes_out, 100, 0);
		pair_run(&place.pair);
		must(berth_recv(place.pair.stacks[1], place.servers[0], bytes_in, sizeof(bytes_in), 0) == 100, "recv");
	}
	return times;
}

/* In runs of RUN datagrams; counted by the datagram. */
static unsigned path_udp_runs(unsigned times)
{
	for (unsigned i = 0; i < times; i += RUN) {
		berth_send(place.pair.stacks[0], place.clients[0], bytes_out, RUN * DATAGRAM, 0);
		pair_run(&place.pair);
		for (int k = 0; k < RUN; k++)
			must(berth_recv(place.pair.stacks[1], place.servers[0], bytes_in, sizeof(bytes_in), 0) ==
				     DATAGRAM,
			     "recv");
	}
	return times;
}

static unsigned path_readiness(unsigned times)
{
	struct berth_ready ready[8];
	char byte = 'x';

	for (unsigned i = 0; i < times; i++) {
		berth_send(place.pair.stacks[0], place.clients[i % CROWD], &byte, 1, 0);
		pair_run(&place.pair);
		must(berth_poll(place.pair.stacks[1], ready, 8) == 1, "poll");
		must(berth_recv(place.pair.stacks[1], ready[0].fd, &byte, 1, 0) == 1, "recv");
	}
	return times;
}

static unsigned path_dns(unsigned times)
{
	static const uint8_t query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x05"
				       "berth\x00\x00\x01\x00\x01";
	uint8_t answer[512];

	for (unsigned i = 0; i < times; i++)
		must(names_answer(place.net, query, sizeof(query) - 1, answer, sizeof(answer), 0) > sizeof(query),
		     "dns");
	return times;
}

static unsigned path_checksum(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		kept += checksum_add(0, bytes_out, 1460);
	return times;
}

/* Set, and seldom moved, as TCP does; one in four is called off. */
static unsigned path_timers(unsigned times)
{
	static struct berth_timer timer[1024];
	struct timers timers;

	timers_init(&timers, NULL);
	for (unsigned i = 0; i < times; i++) {
		struct berth_timer *one = &timer[i % 1024];

		timers_set(&timers, one, (berth_time)(xorshift(&place.random) % 1000000));
		if (i % 4 == 0)
			timers_cancel(&timers, one);
	}
	while (timers_take_due(&timers, 1000000))
		;
	timers_fini(&timers);
	return times;
}

static unsigned path_packet(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		berth_packet_unref(berth_packet_new(berth_stack_packets(place.pair.stacks[0]), 64, 1500));
	return times;
}

/* Which of four stacks a segment's frame is for. */
static unsigned path_steer(unsigned times)
{
	static const struct berth_steering steering = { .key = { 1, 2 }, .count = 4 };
	static const uint8_t frame[54] = {
		[5] = 2,   [11] = 1, [12] = 8,	[14] = 0x45, [17] = 40,	  [22] = 64, [23] = 6,
		[26] = 10, [29] = 1, [30] = 10, [33] = 2,    [34] = 0x80, [37] = 80, [46] = 0x50
	};
	struct berth_steer *steer = berth_steer_new(&steering, BERTH_LINK_ETHERNET, NULL);

	for (unsigned i = 0; i < times; i++)
		kept += (uint32_t)berth_steer_frame(steer, frame, sizeof(frame), BERTH_SEC);
	berth_steer_free(steer);
	return times;
}

/* In the order in which they are run; a name is what instructions.budget knows it by. Some share the place before. */
static const struct path {
	const char *name;
	void (*begin)(void); /* NULL: as it was left; then end of the one before is, too */
	unsigned (*run)(unsigned times);
	void (*end)(void);
	unsigned times;
} paths[] = {
	{ "echo", begin_one, path_echo, end_pair, 1000 },
	{ "echo-checksums", begin_checked, path_echo, end_pair, 1000 },
	{ "idle-turn-10000", begin_crowd, path_idle, NULL, 1000 },
	{ "demux-among-10000", NULL, path_demux, NULL, 10000 },
	{ "ready-among-10000", NULL, path_readiness, NULL, 1000 },
	{ "echo-among-10000", NULL, path_echo_crowd, end_pair, 1000 },
	{ "echo-network", begin_net, path_echo_net, NULL, 1000 },
	{ "dns-answer", NULL, path_dns, end_net, 1000 },
	{ "echo-network-of-300", begin_net_of_hosts, path_echo_net, end_net, 1000 },
	{ "bulk-segment", begin_one, path_bulk, end_pair, 4000 },
	{ "bulk-segment-checksums", begin_checked, path_bulk, end_pair, 4000 },
	{ "bulk-superframe", begin_super, path_bulk_super, end_pair, 100 },
	{ "connect", begin_one, path_connect, end_pair, 1000 },
	{ "udp-datagram", begin_udp, path_udp, end_pair, 1000 },
	{ "udp-run-datagram", begin_udp_runs, path_udp_runs, end_pair, 1000 },
	{ "checksum-1460", begin_one, path_checksum, NULL, 1000 },
	{ "timer", NULL, path_timers, NULL, 10000 },
	{ "steer-frame", NULL, path_steer, NULL, 10000 },
	{ "packet", NULL, path_packet, end_pair, 10000 },
};

unsigned instructions_measured(const struct path *path);

/* Callgrind knows it by its name. */
__attribute__((noinline)) unsigned instructions_measured(const struct path *path)
{
	return path->run(path->times);
}

/* The same instructions everywhere: what __builtin_cpu_supports() goes by says that there is nothing but SSE2. */
static void plain_processor(void)
{
#ifdef __x86_64__
	extern struct {
		unsigned vendor, type, subtype, features[1];
	} __cpu_model;

	__builtin_cpu_init();
	__cpu_model.features[0] = 0;
#endif
}

int main(void)
{
	plain_processor();
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		const struct path *path = &paths[i];

		if (path->begin)
			path->begin();
		path->run(path->times / 10); /* what is made at first need is there */
		printf("%s %u\n", path->name, instructions_measured(path));
		if (path->end)
			path->end();
	}
	return 0;
}
