/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two sockets and one port, tried in a place: on the kernel's loopback or on a
 * stack's. The first has the port in some state; may a second have it, too?
 *
 * bind_rules.txt has what Linux says, a row for each first socket and a letter
 * for each second one; bind_probe writes it.
 */
#ifndef TESTS_UNIT_CORE_BIND_PLACE_H
#define TESTS_UNIT_CORE_BIND_PLACE_H

#include <berth/berth.h>

/* Where; stack NULL is the kernel. */
struct place {
	struct berth_stack *stack;
};

enum holding {
	HOLDS_BOUND,
	HOLDS_LISTENING,
	HOLDS_ESTABLISHED, /* a connection that was accepted; the listener is closed */
	HOLDS_TIME_WAIT,   /* of such a connection that was closed from here */
	HOLDINGS,
};

enum family { IN4, IN6, IN6_ONLY, FAMILIES };
enum address { WILDCARD, LOOPBACK, MAPPED_LOOPBACK, ADDRESSES };

struct spec {
	enum family family;
	enum address address;
	bool reuse_address, reuse_port;
};

#define SPECS (FAMILIES * ADDRESSES * 4)

struct spec spec_of(unsigned number);
/* Mapped addresses are AF_INET6's alone. */
bool spec_makes_sense(const struct spec *spec);
/* "4 any addr port"; good until the next call. */
const char *spec_name(const struct spec *spec);
extern const char *const holding_names[HOLDINGS];

/* A first socket in its state. */
struct holder {
	uint16_t port;
	int fd, peer; /* what is still open; -1: nothing */
	bool fine;    /* it came to that */
};
struct holder holder_make(struct place place, const struct spec *spec, int type, enum holding holding);
void holder_end(struct place place, struct holder *holder);

/*
 * What bind() and, with listens, listen() of another at the same port say: "."
 * for yes, "U" for EADDRINUSE, "?" for anything else.
 */
char second_verdict(struct place place, const struct spec *spec, int type, uint16_t port, bool listens);

/* A row of the table: all seconds' verdicts on one first, each with a first of its own. "" if it can't be had. */
enum { ROW_MAX = 2 * SPECS + 1 };
void row_make(struct place place, const struct spec *first, int type, enum holding holding, char row[ROW_MAX]);

#endif
