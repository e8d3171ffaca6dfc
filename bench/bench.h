/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the measurements share: a clock, medians, and lines of a table that put
 * a figure of ours beside one of the kernel's (or a limit of the machine's)
 * taken in the same run. Bars are ratios; absolute figures drift.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <berth/berth.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long one measurement runs, and how often; the median is told. */
extern double bench_seconds;
extern int bench_rounds;

double clock_seconds(void);

/* Run measure bench_rounds times; it returns a figure, or a negative one: it can't be measured here. */
struct figure {
	double median, least, most;
};
struct figure figure_of(double (*measure)(void *context), void *context);

/*
 * One line: what, ours, theirs (may be NULL), and the bar as a ratio of ours to
 * theirs, 0: none. unit is of both. less: less is better.
 */
void report(const char *what, const char *unit, bool less, struct figure ours, const struct figure *theirs, double bar);
void report_begin(const char *title, const char *theirs);
/* Ends a JSON file of all lines, if one was asked for. */
void report_end(void);

/* A pair of stacks in one thread, joined by a cable of memory. */
struct pair {
	struct berth_stack *stacks[2];
	struct berth_link *links[2];
	struct pair_end {
		struct pair *pair;
		int side;
	} ends[2];
	struct queue {
		struct berth_packet **packets;
		size_t head, count, room; /* room is a power of two */
	} queues[2];			  /* by receiver */
	struct berth_packet_pool *pool;
	berth_time now;
	unsigned loss_permyriad; /* of the frames, both ways */
	uint64_t random;
	size_t memory; /* bytes allocated by the stacks, if counted */
	struct berth_allocator allocator;
};

struct pair_options {
	unsigned mtu, superframe;
	bool checksums, count_memory;
	unsigned time_wait;	 /* limit */
	unsigned loss_permyriad; /* for the caller to set in pair when the handshake is through */
};

void pair_init(struct pair *pair, const struct pair_options *options);
void pair_fini(struct pair *pair);
/* Carry frames until none is left; the clock follows the real one. */
void pair_run(struct pair *pair);
/* A listener at side 1, port; side 0 connects. */
int pair_listen(struct pair *pair, uint16_t port, int backlog);
int pair_connect(struct pair *pair, uint16_t port);

uint64_t xorshift(uint64_t *state);

/* Was this part asked for? All are if none was named. */
bool wanted(const char *part);

void bench_stack(void); /* stack.c: libberth beside the kernel's loopback */

#endif
