/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the measurements share: a clock, medians, and lines of a table that put
 * a figure of ours beside one of the kernel's (or a limit of the machine's)
 * taken in the same run. Bars are ratios; absolute figures drift.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "pair.h"

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

/* Was this part asked for? All are if none was named. */
bool wanted(const char *part);

void bench_stack(void); /* stack.c: libberth beside the kernel's loopback */

#endif
