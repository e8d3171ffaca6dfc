/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal from the inside, and those who read it over HTTP: journal.h. */
#ifndef DAEMON_FOLLOWERS_H
#define DAEMON_FOLLOWERS_H

#include "base/list.h"
#include "daemon/journal.h"

struct journal {
	struct journal_entry *ring; /* entry n at ring[n % room] */
	size_t room;
	uint64_t first, next; /* entries first … next - 1 are there */
	int64_t second;	      /* of the loop's clock, in which */
	unsigned often;	      /* so many came of what packets cause */
	struct list followers;
};

/* Entry number, or NULL when it is not there (any more). */
const struct journal_entry *journal_at(const struct journal *journal, uint64_t number);
/* There is something new. */
void followers_wake(struct daemon *daemon);

#endif
