/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks, a and b, on one cable; or one, with the test at the cable's
 * other end. Frames wait in queues that the test may look into, change, lose.
 * A protocol of number 200 records what arrives.
 */
#ifndef TESTS_UNIT_CORE_RIG_H
#define TESTS_UNIT_CORE_RIG_H

#include "core/ip/ip.h"
#include "test.h"

#include <berth/berth.h>

enum { RIG_PROTOCOL = 200 };

struct end {
	struct berth_stack *stack;
	struct berth_link *link;
	struct packet_queue sent; /* frames on the cable */
	/* What the protocol saw last, and how often. */
	unsigned received, errors;
	uint8_t data[65536];
	size_t length;
	struct berth_ip_info info;
	struct berth_ip_error error;
};

struct rig {
	struct end a, b;
	berth_time now;
	unsigned flags;
	enum berth_link_type type;
	unsigned mtu;
	struct berth_limits limits;
	const struct berth_allocator *allocator;
};

/* 10.0.0.1, fd00::1 and 10.0.0.2, fd00::2; mac 02:00:00:00:00:01 and :02. Zeroed or with fields set before. */
void rig_up(struct rig *rig);
void rig_down(struct rig *rig);
/* Let everything that is on the cable arrive, and what follows from it; time stands still. */
void rig_settle(struct rig *rig);
/* Run the clock for so long, in steps, moving frames. */
void rig_run(struct rig *rig, berth_time duration);
/* Run a's clock alone: no frame moves. */
void rig_wait(struct rig *rig, berth_time duration);
/* Take the next frame that end has sent, as text; "nothing". Good until the next call. */
const char *rig_next(struct rig *rig, struct end *end);
/* A zeroed rig of this kind, up. */
void rig_begin(struct rig *rig, enum berth_link_type type, unsigned flags);
int rig_set_int(struct end *end, int fd, int level, int option, int value); /* 0 or -errno */
/* A frame of text's bytes arrives at end. */
void rig_inject(struct rig *rig, struct end *end, const void *bytes, size_t length);
/* Send size bytes of RIG_PROTOCOL (byte i is i % 251) from end to destination. As ip_send(). */
int rig_send(struct end *end, const char *destination, size_t size, bool dont_fragment);
bool rig_pattern_ok(const struct end *end);
struct berth_ip rig_ip(const char *text);
uint64_t rig_count(const struct end *end, unsigned event);

#define COUNT(end, event) rig_count(end, BERTH_EVENT_##event)

#endif
