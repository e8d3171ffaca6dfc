/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this machine allows of what berth run needs, found out by trying, each
 * in a child of its own that is gone afterwards.
 */
#ifndef RUN_DOCTOR_H
#define RUN_DOCTOR_H

#include <stddef.h>

enum doctor_verdict {
	DOCTOR_GOOD,
	DOCTOR_NOTE, /* works, but something is slower or not to be had */
	DOCTOR_BAD,  /* berth run can't work so */
};

struct doctor_finding {
	const char *name; /* one word or two, for --json as well */
	enum doctor_verdict verdict;
	char found[160];  /* what is so on this machine */
	char advice[200]; /* what it means or what to do; may be empty */
};

#define DOCTOR_FINDINGS 16

/* Examine. Fills in findings and returns how many there are. */
size_t doctor_examine(struct doctor_finding findings[DOCTOR_FINDINGS]);

#endif
