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

/*
 * A recorded rate: moments at which a link could deliver a packet of 1500 bytes
 * each, over and over (mahimahi's traces). Counted references; see below.
 */
struct berth_trace;

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
	bool ecn;				   /* who is lost is marked instead, when it can be (RFC 3168) */
	uint64_t rate;				   /* bits a second, of whole frames; 0: unlimited */
	int32_t rate_overhead;			   /* for the rate, bytes that each packet has more (or less) */
	uint32_t rate_cell;			   /* … and it is carried in cells of so many bytes; 0: none */
	int32_t rate_cell_overhead;		   /* … each with so many more */
	struct berth_trace *trace; /* NULL: none. Borrowed: whoever keeps conditions keeps a reference */
	/* What is due waits for the next slot; after each, the next comes a time from min to max later. max 0: none. */
	berth_time slot_min, slot_max;
	uint32_t slot_packets, slot_bytes; /* what a slot carries at most; 0: all that waits */
	uint32_t limit;			   /* packets under way; 0: 1000 */
	uint32_t limit_bytes;		   /* bytes under way; 0: any number */
	bool cut;			   /* nothing passes */
};

/*
 * Change *conditions by words as netem has them:
 *
 *	delay TIME [JITTER [CORRELATION]] [distribution uniform|normal|pareto|paretonormal]
 *	rtt TIME                            half of it as delay
 *	loss [random] CHANCE [CORRELATION] | loss gemodel P [R [1-H [1-K]]]
 *	duplicate CHANCE [CORRELATION]      corrupt CHANCE [CORRELATION]
 *	reorder CHANCE [CORRELATION] [gap N]
 *	rate RATE [OVERHEAD [CELL [CELLOVERHEAD]]]
 *	trace NAME | trace off              keeps conditions->trace, which must be there; or not
 *	slot MIN [MAX] [packets N] [bytes N]
 *	ecn | noecn
 *	limit PACKETS | limit BYTES         as in 100, or 64kb
 *	cut | mend
 *
 * TIME is a number with ns, us, ms or s; CHANCE with %; RATE with bit, kbit,
 * mbit or gbit (a second), or bps, kbps, mbps, gbps for bytes; BYTES with b, kb
 * or mb (of 1024, tc(8)). What is
 * not named stays as it was. Returns 0; or -EINVAL, and then *conditions is as
 * it was and error says what is wrong, for a person.
 */
BERTH_EXPORT int berth_conditions_parse(struct berth_conditions *conditions, char *const *words, size_t count,
					char *error, size_t error_size);

#define BERTH_CONDITIONS_STRLEN 600

/*
 * Write conditions as words that berth_conditions_parse() reads back (a trace by
 * its name only); "perfect" for none. Returns text.
 */
BERTH_EXPORT char *berth_conditions_format(const struct berth_conditions *conditions,
					   char text[BERTH_CONDITIONS_STRLEN]);

#define BERTH_TRACE_MAX 400000 /* moments in a trace */

/*
 * Make a trace of count moments in milliseconds from its beginning, which never
 * go back; after the last, which is its length and not 0, it begins again. Its
 * name is for people (what is no letter, digit or one of ._- becomes _).
 * Returns 0, -EINVAL or -ENOMEM; *ret_trace is the caller's. References are
 * counted without locks: all who share a trace are of one thread.
 */
BERTH_EXPORT int berth_trace_new(const char *name, const uint32_t *milliseconds, size_t count,
				 struct berth_trace **ret_trace);
/* Returns trace, which has one reference more. */
BERTH_EXPORT struct berth_trace *berth_trace_ref(struct berth_trace *trace);
BERTH_EXPORT void berth_trace_unref(struct berth_trace *trace); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
