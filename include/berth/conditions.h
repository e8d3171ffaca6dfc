/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conditions of a cable: what it does to the packets that it carries, in
 * netem's terms (tc-netem(8)). Each direction of a cable has its own. They may
 * change at any time; what is under way keeps the fate that it was given.
 */
#ifndef BERTH_CONDITIONS_H
#define BERTH_CONDITIONS_H

#include <berth/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A probability, of 2^32; BERTH_ALWAYS is 100%. */
typedef uint32_t berth_chance;
#define BERTH_ALWAYS UINT32_MAX

enum berth_distribution {
	BERTH_UNIFORM,	    /* evenly in delay ± jitter */
	BERTH_NORMAL,	    /* jitter is the standard deviation */
	BERTH_PARETO,	    /* shape 3, shifted to mean 0: a long tail to the late side */
	BERTH_PARETONORMAL, /* a quarter normal, three quarters pareto */
};

/* All zero: a perfect cable. Correlations say how much of a draw is the draw before. */
struct berth_conditions {
	berth_time delay, jitter; /* nanoseconds */
	berth_chance delay_correlation;
	enum berth_distribution distribution; /* of the jitter */
	berth_chance loss, loss_correlation;
	/* Gilbert–Elliott instead of loss: two states, good and bad. */
	bool bursts;
	berth_chance to_bad, to_good;		/* p and r: chances to change, at each packet */
	berth_chance loss_in_bad, loss_in_good; /* 1-h and 1-k */
	berth_chance duplicate, duplicate_correlation;
	berth_chance reorder, reorder_correlation; /* to go at once, ahead of those that are delayed */
	uint32_t reorder_gap;			   /* only every so-manyth packet may; 0 is 1 */
	berth_chance corrupt, corrupt_correlation; /* one bit flipped */
	uint64_t rate;				   /* bits a second, of whole frames; 0: unlimited */
	uint32_t limit;				   /* packets under way; 0: 1000 */
	bool cut;				   /* nothing passes */
};

/*
 * Change *conditions by words as netem has them:
 *
 *	delay TIME [JITTER [CORRELATION]] [distribution uniform|normal|pareto|paretonormal]
 *	rtt TIME                            half of it as delay
 *	loss [random] CHANCE [CORRELATION] | loss gemodel P [R [1-H [1-K]]]
 *	duplicate CHANCE [CORRELATION]      corrupt CHANCE [CORRELATION]
 *	reorder CHANCE [CORRELATION] [gap N]
 *	rate RATE    limit PACKETS    cut   mend
 *
 * TIME is a number with ns, us, ms or s; CHANCE with %; RATE with bit, kbit,
 * mbit or gbit (a second), or bps, kbps, mbps, gbps for bytes (tc(8)). What is
 * not named stays as it was. Returns 0; or -EINVAL, and then *conditions is as
 * it was and error says what is wrong, for a person.
 */
BERTH_EXPORT int berth_conditions_parse(struct berth_conditions *conditions, char *const *words, size_t count,
					char *error, size_t error_size);

#define BERTH_CONDITIONS_STRLEN 400

/* Write conditions as words that berth_conditions_parse() reads back; "perfect" for none. Returns text. */
BERTH_EXPORT char *berth_conditions_format(const struct berth_conditions *conditions,
					   char text[BERTH_CONDITIONS_STRLEN]);

#ifdef __cplusplus
}
#endif
#endif
