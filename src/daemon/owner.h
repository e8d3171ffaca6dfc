/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose a frame is: the program's socket that its addresses and ports belong
 * to, in constant time. What was found is remembered for the conversation, so
 * that its last packets, which come after close(), still have an owner.
 */
#ifndef DAEMON_OWNER_H
#define DAEMON_OWNER_H

#include <berth/net.h>
#include <stdint.h>

struct daemon;
struct owners;

enum { OWNERS_MAX = 65535 };

/* A thread that opened sockets. Lives as long as the struct owners. */
struct owner {
	struct owner *next;
	uint32_t number; /* from 0, below OWNERS_MAX */
	int32_t tid, pid;
	char command[16];
	char comment[64]; /* "process: curl[1234]" */
};

/* NULL: no memory. */
struct owners *owners_new(void);
void owners_free(struct owners *owners);
/* NULL: not known. */
const struct owner *owner_of_frame(struct owners *owners, const struct berth_frame *frame);

#endif
