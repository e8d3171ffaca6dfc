/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a program beside its host: how it ended and what it said. A
 * detached one (berth run -d) has a record until it is removed, and while
 * there is one the network goes on. All of it is the daemon's memory: nothing
 * is left in files.
 *
 * Output is kept in lines up to LOG_LIMIT bytes; then the oldest go. Readers are
 * connections of the control API that follow it, or wait for the end.
 */
#ifndef DAEMON_RECORD_H
#define DAEMON_RECORD_H

#include "base/list.h"
#include "os/loop.h"

#include <berth/types.h>
#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct host;
struct rules;
struct MHD_Connection;

enum { LOG_LIMIT = 4 << 20, LOG_LINE_MAX = 16 * 1024 };

/* One of the program's two outputs. */
struct output {
	struct record *record;
	int stream; /* 1 or 2 */
	struct loop_watch watch;
	char *line; /* begun, not ended; LOG_LINE_MAX bytes, or NULL */
	size_t length;
};

struct log_line {
	int64_t time; /* ns since 1970 */
	int stream;
	size_t length;
	char bytes[]; /* with its newline, if there was one */
};

struct record {
	struct list node; /* in daemon->records */
	struct daemon *daemon;
	struct host *host; /* NULL: has ended */
	char name[64], program[64];
	struct berth_ip ip4, ip6;
	int32_t pid;
	bool detached, paused;
	bool keep; /* also when it has ended */
	int exit_code;
	int64_t started, ended; /* s since 1970 */
	struct output outputs[2];
	/* Lines first_number … next_number - 1, each at its number modulo lines_room, a power of two. */
	struct log_line **lines;
	size_t lines_room;
	uint64_t first_number, next_number;
	size_t bytes;	     /* in lines */
	struct rules *rules; /* for its host, and what they have denied; NULL: none */
	unsigned readers;    /* it stays until they have read it */
	bool gone;	     /* removed, but for those */
};

/* A record for host, whose program came with these HELLO_* flags. NULL: no memory. */
struct record *record_new(struct host *host, uint32_t flags);
struct record *record_find(struct daemon *daemon, const char *name);
/* Read output stream (1 or 2) from fd. Returns 0 and takes fd, or a negative errno. */
int record_log(struct record *record, int stream, int fd);
/* Its host is leaving. NULL is fine. */
void record_ended(struct record *record);
/* Forget it. Its host has left. */
void record_remove(struct record *record);
/* Is there any that keeps the network? */
bool records_kept(struct daemon *daemon);
/* The daemon ends: let readers have the rest; then free all. */
void records_end(struct daemon *daemon);
void records_free(struct daemon *daemon);

/*
 * Answer connection with record's output, the last tail lines of it (< 0: all),
 * and what comes; or with its exit code when it ends. Each returns what
 * libmicrohttpd wants to hear.
 */
int record_read(struct record *record, struct MHD_Connection *connection, long tail, bool follow);
int record_wait(struct record *record, struct MHD_Connection *connection);

#endif
