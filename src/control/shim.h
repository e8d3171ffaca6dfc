/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the preloaded shim (src/shim), the filter and the supervisor agree on.
 *
 * The kernel takes a descriptor as an int, the filter sees all 64 bits of its
 * register: a call with SHIM_MAGIC in the high half is one that the program
 * makes natively. Only calls that can do no more than AF_UNIX sockets can are
 * let through so, and only where the program was started with the shim. The
 * magic is no secret: docs/security.md says what follows.
 */
#ifndef CONTROL_SHIM_H
#define CONTROL_SHIM_H

#include "control/channel.h"

#define SHIM_MAGIC 0x62657274

/*
 * getsockopt(socket, SHIM_LEVEL, SHIM_FAR, struct shim_far): by what descriptor
 * do datagrams go straight to address? Always notified; never seen by the kernel.
 */
#define SHIM_LEVEL 0x62657274
#define SHIM_FAR 1

/* getsockopt(socket, SHIM_LEVEL, SHIM_CONNECTS, int): has a connect() on it got as far as the supervisor? */
#define SHIM_CONNECTS 2

/* getsockopt(socket, SHIM_LEVEL, SHIM_NAMES, struct shim_names): numbers for stream sockets that the program makes. */
#define SHIM_NAMES 3

#define SHIM_KEY_LENGTH 32

struct shim_names {
	uint64_t first; /* id, with count - 1 after it that differ in the low half */
	uint32_t count; /* at most 255 */
	uint32_t reserved;
	char key[SHIM_KEY_LENGTH]; /* the network's */
};

struct shim_far {
	uint8_t address[CHANNEL_ADDRESS_MAX];
	uint32_t address_length; /* 0: the socket's peer */
	/* The answer */
	int32_t fd;    /* a new one of the program's, close-on-exec: the receiver's far end */
	uint32_t room; /* bytes of the largest datagram that may go so */
	uint32_t reserved;
	struct channel_tag tag; /* what goes along with each, in a sealed memfd */
};

#endif
