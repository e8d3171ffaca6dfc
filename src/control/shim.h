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

/*
 * getsockopt(listener, SHIM_LEVEL, SHIM_LISTENER, struct shim_listener): may the program accept() from it natively?
 * Who came is then found in the table of the listener's host, or asked for by the accepted socket:
 * getsockopt(accepted, SHIM_LEVEL, SHIM_PEER, struct shim_peer), which fails if it is nobody that was sent there.
 */
#define SHIM_LISTENER 4
#define SHIM_PEER 5

/*
 * getsockopt(socket, SHIM_LEVEL, SHIM_TICKETS, struct shim_tickets): by express, may the program connect its sockets
 * with these numbers to the address natively? For a moment only, each of them once, and as long as nothing else was
 * called on it (MARK_TOLD).
 */
#define SHIM_TICKETS 6

enum {
	SHIM_TABLE_ENTRIES = 4096,
	SHIM_TICKETS_MAX = 64,
	SHIM_TICKET_MS = 50,
};

/*
 * Kept in SO_RCVBUF of a stream socket, an option that does nothing on AF_UNIX ones, is not inherited by accepted
 * ones, and that the program can't reach but by the magic number: SHIM_MARK_BASE and any of these, and above them the
 * SO_SNDBUF that the program has set, in KiB. The kernel doubles it.
 */
enum {
	SHIM_MARK_BASE = 8192,
	SHIM_MARK_EXPRESS = 1, /* it has made an express connection */
	SHIM_MARK_NODELAY = 2, /* of an express connection: TCP_NODELAY is set */
	SHIM_MARK_TOLD = 4,    /* the daemon knows of it by more than a ticket */
	SHIM_MARK_BUFFER_SHIFT = 3,
	SHIM_MARK_MAX = 8191,
};

/* A connection that may come to a host's listener, as a program sees it whose shim has the host's table. */
struct shim_entry {
	uint64_t id; /* the socket that is connected; 0: none. Written last, atomically */
	uint64_t listener;
	int32_t pid; /* who connects it */
	uint16_t length, reserved;
	uint8_t address[CHANNEL_ADDRESS_MAX]; /* what accept() tells */
	uint64_t unused;
};

static inline unsigned shim_entry_index(uint64_t id)
{
	return (unsigned)(id * UINT64_C(0x9e3779b97f4a7c15) >> 52); /* SHIM_TABLE_ENTRIES */
}

struct shim_listener {
	uint32_t wants_table;
	int32_t table; /* the answer: a new descriptor, close-on-exec, or -1 */
	uint64_t id;
};

struct shim_peer {
	uint32_t length;
	uint8_t address[CHANNEL_ADDRESS_MAX];
};

struct shim_tickets {
	uint64_t first; /* the number of the socket that is asked with */
	uint32_t count; /* with those after it; the answer: how many were given */
	uint32_t address_length;
	uint8_t address[CHANNEL_ADDRESS_MAX];
	uint32_t uid;	      /* the answer: whose the listener is, */
	uint32_t name_length; /* and of its abstract name, without its zero byte */
	char name[108];
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
