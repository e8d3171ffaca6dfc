/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the measuring programs share. Each takes one measurement and prints one
 * figure: bench/bench runs them in turns, round by round, so that what else the
 * machine does meets all rivals alike.
 *
 *	PROGRAM MEASUREMENT [key=value]...
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One measurement; run returns the figure, in unit. */
struct measure {
	const char *name, *unit;
	double (*run)(void);
};

/* The whole main(): find what was asked for, run it, print it. measures ends with a NULL name. */
int measure_main(int argc, char **argv, const struct measure *measures);

/* What the command line says of key, or other. seconds= is how long to go on, 0.3 when it is not said. */
double argument(const char *key, double other);

double clock_seconds(void);
/* So many bytes of this process are in memory. */
double resident_bytes(void);
uint64_t xorshift(uint64_t *state);
/* Ends the program, with errno's reason. */
void fail(const char *what) __attribute__((noreturn));

/* for (struct stint stint = stint_begin(); stint_goes_on(&stint);) ...; then stint.seconds is how long it took. */
struct stint {
	double begun, seconds, limit;
	bool ran;
};
struct stint stint_begin(void);
bool stint_goes_on(struct stint *stint);

#endif
