/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goodput over a grid of random loss, round-trip time and socket buffers, in
 * virtual time, beside a committed table: a change in how TCP behaves shows in
 * review as a changed line. One conversation, MTU 1500, a path of 1 Gbit/s
 * with a queue of 1 MiB before it; acknowledgments are never lost. A cell is
 * the mean of SEEDS runs of at most RUN_TIME or RUN_BYTES each. The last lines
 * are a long fat path with default buffers and time to fill it: 100 ms, with
 * queues that are measured in what the path holds, paced and not.
 *
 * "throughput TABLE" compares; "throughput" alone prints a new table;
 * "throughput --formulas" compares with what theory allows.
 */
#include "base/bytes.h"
#include "base/random.h"

#include <berth/berth.h>

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE 1000000000LL
#define QUEUE_BYTES (1u << 20)
#define RUN_TIME (20 * BERTH_SEC)
#define RUN_BYTES (32u << 20)
#define SEEDS 3
#define RING 65536u

struct frame {
	berth_time due;
	struct berth_packet *packet;
};

struct way {
	struct path *path;
	int to;
	struct frame ring[RING];
	unsigned head, count;
	berth_time free_at; /* when the wire is done with what is queued */
};

struct path {
	struct berth_stack *stacks[2];
	struct berth_link *links[2];
	struct way ways[2];
	struct random random;
	unsigned loss_ppm, loss_steps; /* drawn in so many steps; the table's need no more than 10,000 */
	int64_t queue;
	berth_time delay, now; /* one way */
};

struct cell {
	const char *congestion;
	unsigned loss_ppm, rtt_ms, buffer;
	unsigned
		queue_percent; /* run for RUN_TIME, whatever the bytes, with a queue of so much of the path's content */
	bool paced;
	berth_time time; /* run for so long, whatever the bytes; 0: RUN_TIME */
};

static bool is_lost(struct path *path)
{
	return random_below(&path->random, path->loss_steps) < path->loss_ppm / (1000000 / path->loss_steps);
}

static void transmit(void *context, struct berth_packet *packet)
{
	struct way *way = context;
	struct path *path = way->path;
	size_t length = berth_packet_length(packet);
	berth_time backlog = way->free_at > path->now ? way->free_at - path->now : 0;

	if ((way->to == 1 && is_lost(path)) || way->count == RING || backlog * (RATE / 8) / BERTH_SEC > path->queue) {
		berth_packet_unref(packet);
		return;
	}
	way->free_at = path->now + backlog + (berth_time)length * 8 * BERTH_SEC / RATE;
	way->ring[(way->head + way->count++) % RING] = (struct frame){ way->free_at + path->delay, packet };
}

static void add_stack(struct path *path, int side, const struct cell *cell)
{
	unsigned buffer = cell->buffer;

	struct berth_stack_config config = {
		.seed = random_u64(&path->random),
		.limits = {
			.send_buffer = buffer,
			.receive_buffer = buffer,
			.send_buffer_max = buffer, /* 0: the defaults, and they grow */
			.receive_buffer_max = buffer,
			.pacing = cell->paced ? BERTH_PACING_ALWAYS : 0,
		},
	};
	struct way *way = &path->ways[!side];
	struct berth_link_config link = {
		.name = "cable",
		.type = BERTH_LINK_IP,
		.mtu = 1500,
		.flags = BERTH_LINK_NO_DAD | BERTH_LINK_NO_CHECKSUMS,
		.transmit = transmit,
		.context = way,
	};
	struct berth_ip address;

	way->path = path;
	way->to = !side;
	path->stacks[side] = berth_stack_new(&config);
	berth_link_add(path->stacks[side], &link, &path->links[side]);
	berth_ip_parse(side ? "10.0.0.2" : "10.0.0.1", &address);
	berth_link_add_address(path->links[side], address, 24);
}

static void pass_time(struct path *path)
{
	berth_time next = path->now + BERTH_SEC;

	for (int side = 0; side < 2; side++) {
		struct way *way = &path->ways[side];

		next = MIN(next, berth_stack_deadline(path->stacks[side]));
		if (way->count)
			next = MIN(next, way->ring[way->head].due);
	}
	path->now = MAX(path->now, next);
	for (int side = 0; side < 2; side++) {
		struct way *way = &path->ways[side];

		while (way->count && way->ring[way->head].due <= path->now) {
			struct berth_packet *packet = way->ring[way->head].packet;

			way->head = (way->head + 1) % RING;
			way->count--;
			berth_stack_input(path->stacks[side], path->links[side], packet, path->now);
		}
		berth_stack_advance(path->stacks[side], path->now);
	}
}

static void join(struct path *path, const struct cell *cell, int *ret_client, int *ret_server)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(80),
				    .sin_addr.s_addr = htonl(0x0a000002) };
	int listener = berth_socket(path->stacks[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	enum { CONGESTION = 13 }; /* TCP_CONGESTION */

	berth_bind(path->stacks[1], listener, (struct sockaddr *)&name, sizeof(name));
	berth_listen(path->stacks[1], listener, 1);
	*ret_client = berth_socket(path->stacks[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	berth_setsockopt(path->stacks[0], *ret_client, IPPROTO_TCP, CONGESTION, cell->congestion,
			 (socklen_t)strlen(cell->congestion));
	berth_connect(path->stacks[0], *ret_client, (struct sockaddr *)&name, sizeof(name));
	*ret_server = -1;
	while (*ret_server < 0) {
		pass_time(path);
		*ret_server = berth_accept(path->stacks[1], listener, NULL, NULL, SOCK_NONBLOCK);
	}
}

/* Bytes that arrive. */
static uint64_t transfer(struct path *path, int client, int server, uint64_t most, berth_time time)
{
	static uint8_t bytes[65536];
	berth_time begun = path->now;
	uint64_t received = 0;
	ssize_t n;

	while (path->now - begun < time && received < most) {
		while (berth_send(path->stacks[0], client, bytes, sizeof(bytes), 0) > 0)
			;
		while ((n = berth_recv(path->stacks[1], server, bytes, sizeof(bytes), 0)) > 0)
			received += (uint64_t)n;
		pass_time(path);
	}
	return received;
}

/* Bits a second. */
static double run(const struct cell *cell, uint64_t seed)
{
	struct path *path = calloc(1, sizeof(*path));
	berth_time begun;
	uint64_t received;
	double result;
	int client, server;

	random_init(&path->random, seed);
	path->loss_steps = cell->time ? 1000000 : 10000;
	path->delay = cell->rtt_ms * BERTH_MSEC / 2;
	path->queue = cell->queue_percent ? RATE / 8 / 1000 * cell->rtt_ms * cell->queue_percent / 100 : QUEUE_BYTES;
	add_stack(path, 0, cell);
	add_stack(path, 1, cell);
	join(path, cell, &client, &server);
	path->loss_ppm = cell->loss_ppm; /* the handshake comes through */
	begun = path->now;
	received = transfer(path, client, server, cell->queue_percent || cell->time ? UINT64_MAX : RUN_BYTES,
			    cell->time ? cell->time : RUN_TIME);
	result = (double)received * 8 / ((double)(path->now - begun) / BERTH_SEC);
	if (getenv("BERTH_VERBOSE"))
		fprintf(stderr, "# sent again %llu, recoveries %llu, timeouts %llu, probes %llu, spurious %llu\n",
			(unsigned long long)berth_event_count(path->stacks[0], BERTH_EVENT_TCP_RETRANSMIT),
			(unsigned long long)berth_event_count(path->stacks[0], BERTH_EVENT_TCP_FAST_RETRANSMIT),
			(unsigned long long)berth_event_count(path->stacks[0], BERTH_EVENT_TCP_RTO),
			(unsigned long long)berth_event_count(path->stacks[0], BERTH_EVENT_TCP_TAIL_PROBE),
			(unsigned long long)berth_event_count(path->stacks[0], BERTH_EVENT_TCP_SPURIOUS));
	for (int side = 0; side < 2; side++)
		for (struct way *way = &path->ways[side]; way->count; way->count--)
			berth_packet_unref(way->ring[way->head++ % RING].packet);
	berth_stack_free(path->stacks[0]);
	berth_stack_free(path->stacks[1]);
	free(path);
	return result;
}

static void line_of(const struct cell *cell, char *line, size_t size)
{
	uint64_t seeds = cell->loss_ppm ? SEEDS : 1;
	double sum = 0;
	char buffer[16] = "default", queue[32] = "";

	for (uint64_t seed = 1; seed <= seeds; seed++)
		sum += run(cell, seed);
	if (cell->buffer)
		snprintf(buffer, sizeof(buffer), "%u", cell->buffer >> 10);
	if (cell->queue_percent)
		snprintf(queue, sizeof(queue), "  queue %u%%%s", cell->queue_percent, cell->paced ? " paced" : "");
	snprintf(line, size, "%-7s %7u.%02u %8u %11s %9.1f%s\n", cell->congestion, cell->loss_ppm / 10000,
		 cell->loss_ppm / 100 % 100, cell->rtt_ms, buffer, sum / (double)seeds / 1e6, queue);
}

static const char title[] = "# control  loss %   rtt ms  buffer KiB    Mbit/s\n";

static bool same_line(FILE *table, const char *line)
{
	char expected[200] = "";

	if (table && !fgets(expected, sizeof(expected), table))
		strcpy(expected, "(nothing)\n");
	if (!table || !strcmp(expected, line))
		return true;
	printf("# is:    %s# was:   %s", line, expected);
	return false;
}

/* Which fill from the default settings: with a queue as long as the path, a quarter of it, and a twentieth. */
static const struct cell long_paths[] = {
	{ .congestion = "cubic", .rtt_ms = 100, .queue_percent = 100 },
	{ .congestion = "cubic", .rtt_ms = 100, .queue_percent = 25 },
	{ .congestion = "cubic", .rtt_ms = 100, .queue_percent = 25, .paced = true },
	{ .congestion = "reno", .rtt_ms = 100, .queue_percent = 25 },
	{ .congestion = "reno", .rtt_ms = 100, .queue_percent = 25, .paced = true },
	{ .congestion = "bbr", .rtt_ms = 100, .queue_percent = 25 },
	{ .congestion = "cubic", .rtt_ms = 100, .queue_percent = 5 },
	{ .congestion = "cubic", .rtt_ms = 100, .queue_percent = 5, .paced = true },
	{ .congestion = "bbr", .rtt_ms = 100, .queue_percent = 5 },
};

/*
 * Segments under way, of what a control's own formula allows at a rate of
 * random loss: Reno's is Mathis et al.'s, for an ACK a segment; CUBIC's is RFC
 * 9438 §5.1's, or where that is less, what §4.3 gives: Reno's.
 */
static double formula(const struct cell *cell)
{
	double loss = cell->loss_ppm / 1e6, rtt = cell->rtt_ms / 1e3, reno = sqrt(1.5 / loss);
	double cubic = pow(0.4 * 3.7 / (4 * 0.3), 0.25) * pow(rtt / loss, 0.75);

	return !strcmp(cell->congestion, "cubic") && cubic > reno ? cubic : reno;
}

/* On a path of 50 ms, at least nine tenths of it. */
static int check_formula(void)
{
	enum { PAYLOAD = 1448, PERCENT = 90 };
	static const struct cell cells[] = {
		{ .congestion = "reno", .loss_ppm = 1000, .rtt_ms = 50, .time = 300 * BERTH_SEC },
		{ .congestion = "reno", .loss_ppm = 10000, .rtt_ms = 50, .time = 600 * BERTH_SEC },
		{ .congestion = "cubic", .loss_ppm = 20, .rtt_ms = 50, .time = 300 * BERTH_SEC },
		{ .congestion = "cubic", .loss_ppm = 1000, .rtt_ms = 50, .time = 300 * BERTH_SEC },
		{ .congestion = "cubic", .loss_ppm = 10000, .rtt_ms = 50, .time = 600 * BERTH_SEC },
	};
	bool good = true;

	for (size_t i = 0; i < COUNT_OF(cells); i++) {
		double allowed = formula(&cells[i]) * PAYLOAD * 8 / (cells[i].rtt_ms / 1e3), is = run(&cells[i], i + 1);

		good &= is >= allowed * PERCENT / 100;
		printf("# %-5s %.3f%% lost, %u ms: %.2f Mbit/s, %.0f%% of the formula's %.2f\n", cells[i].congestion,
		       cells[i].loss_ppm / 1e4, cells[i].rtt_ms, is / 1e6, is / allowed * 100, allowed / 1e6);
	}
	printf("%sok 1 - tcp: goodput under loss is what the formulas allow\n1..1\n", good ? "" : "not ");
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const char *const controls[] = { "cubic", "reno", "bbr" };
	static const unsigned losses[] = { 0, 1000, 10000, 50000 }, rtts[] = { 0, 5, 50 },
			      buffers[] = { 64u << 10, 16u << 20, 0 };
	bool formulas = argc > 1 && !strcmp(argv[1], "--formulas");
	FILE *table = argc > 1 && !formulas ? fopen(argv[1], "r") : NULL;
	unsigned different = 0, lines = 1;
	char line[200];

	if (formulas)
		return check_formula();
	if (argc > 1 && !table) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	if (!table)
		fputs(title, stdout);
	different += !same_line(table, title);
	for (size_t i = 0; i < COUNT_OF(controls) * COUNT_OF(losses) * COUNT_OF(rtts) * COUNT_OF(buffers);
	     i++, lines++) {
		size_t rest = i / COUNT_OF(buffers);
		struct cell cell = { .buffer = buffers[i % COUNT_OF(buffers)], .rtt_ms = rtts[rest % COUNT_OF(rtts)] };

		rest /= COUNT_OF(rtts);
		cell.loss_ppm = losses[rest % COUNT_OF(losses)];
		cell.congestion = controls[rest / COUNT_OF(losses)];
		line_of(&cell, line, sizeof(line));
		if (!table)
			fputs(line, stdout);
		different += !same_line(table, line);
	}
	for (size_t i = 0; i < COUNT_OF(long_paths); i++, lines++) {
		line_of(&long_paths[i], line, sizeof(line));
		if (!table)
			fputs(line, stdout);
		different += !same_line(table, line);
	}
	if (table)
		printf("%sok 1 - tcp: goodput is what the table says (%u of %u lines differ)\n1..1\n",
		       different ? "not " : "", different, lines);
	return different ? EXIT_FAILURE : EXIT_SUCCESS;
}
