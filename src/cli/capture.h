/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a capture goes (capture_sink.c): to files that follow each other, each
 * whole by itself, or to a pipe; and the secrets that go into it (keylog.c).
 */
#ifndef CLI_CAPTURE_H
#define CLI_CAPTURE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { BLOCK_PACKET = 6, BLOCK_STATISTICS = 5, BLOCK_SECRETS = 10, BLOCK_MIN = 12, PACKET_HEAD = 28 };

/* Bytes that grow at their end. */
struct heap {
	uint8_t *bytes;
	size_t length, room;
};
void heap_add(struct heap *heap, const void *bytes, size_t length);
void heap_free(struct heap *heap);

struct sink_interface {
	uint64_t received, missed, accepted;
};

/* Set file, and size, count and seconds as wished; the rest is the sink's. */
struct sink {
	const char *file;	 /* "-": standard output */
	unsigned long long size; /* -C, bytes; 0: no limit */
	unsigned long count;	 /* -W */
	unsigned long seconds;	 /* -G */
	int fd;
	char path[4096];      /* of the file that is open */
	unsigned long number; /* of it */
	time_t since;	      /* when it began */
	unsigned long long written, packets;
	int64_t last_time;	  /* of a packet */
	struct heap head, buffer; /* head: what each file begins with; buffer: whole blocks, to be written */
	struct sink_interface *interfaces;
	size_t interface_count;
	bool full;			      /* -G and -W: that was the last file */
	const volatile sig_atomic_t *stopped; /* a signal has said that it is enough */
	unsigned long unwritten;	      /* packets that could not be written, at the end */
};

/* Each returns CLI_OK or, when the user was told why not, CLI_FAILED. */
int sink_open(struct sink *sink);
/* A block that is no packet: every file gets it. */
int sink_add(struct sink *sink, const uint8_t *block, size_t length);
/* A packet's block was seen. */
void sink_count(struct sink *sink, const uint8_t *block, size_t length);
/* A packet's block is to be written. */
int sink_packet(struct sink *sink, const uint8_t *block, size_t length);
int sink_flush(struct sink *sink);
int sink_close(struct sink *sink);

/* A file in the format of NSS, as SSLKEYLOGFILE names it, while programs write it. */
struct keylog {
	const char *path; /* NULL: none */
	off_t offset;	  /* read so far */
};
/* Put the lines that are new into sink. */
int keylog_follow(struct keylog *keylog, struct sink *sink);

#endif
