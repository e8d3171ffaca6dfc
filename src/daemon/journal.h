/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal: what happened on the network, in order, the last some thousand
 * entries of it. GET /v1/events reads it (docs/openapi.yaml). Packets are in it
 * only while somebody asks for them.
 */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

#include <berth/event.h>
#include <berth/net.h>
#include <stdint.h>

struct MHD_Connection;
struct daemon;
struct host;
struct plug;
struct request;

enum journal_kind {
	JOURNAL_HOST,	/* a program came or went */
	JOURNAL_CALL,	/* a program's socket call, as the daemon sees it */
	JOURNAL_STATE,	/* a connection's new state */
	JOURNAL_DROP,	/* a packet that was dropped, by a stack or a cable */
	JOURNAL_EVENT,	/* what else of events.def is worth a line */
	JOURNAL_LINK,	/* a change of conditions */
	JOURNAL_POLICY, /* something refused, or let through, by a rule of the user's */
	JOURNAL_PACKET, /* a frame at a host's cable */
	JOURNAL_KINDS
};

/* What an entry says; all but kind may be left out. Texts are copied, but what, state and before must be static. */
struct journal_entry {
	uint64_t number; /* from 1; the journal's to set, as is wall */
	int64_t wall;	 /* nanoseconds since 1970 */
	enum journal_kind kind;
	char host[64];
	const char *what; /* "connect", "TCP_RTO", "loss", … */
	const char *state, *before;
	int32_t pid, result; /* result: negative errno, else 0 or what the call returned */
	char command[16];
	uint8_t protocol;
	struct berth_endpoint local, remote;
	char text[200];
};

int journal_open(struct daemon *daemon);
void journal_close(struct daemon *daemon);
/* Write entry (which stays the caller's). When too much happens in a second, packets and drops are counted only. */
void journal_add(struct daemon *daemon, const struct journal_entry *entry);

/* Something of host: its coming, a rule that bit. printf-like. */
void journal_note(struct host *host, enum journal_kind kind, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* "SO_REUSEADDR", or NULL when it is a rarer one. */
const char *journal_option_name(int level, int option);
/* A call that was answered with result. */
void journal_call(const struct request *request, int32_t result);
/* What a program's socket went through without a call that the daemon sees: "accept", "connected", "close". */
void journal_plug(const struct plug *plug, const char *what, int32_t result);
/* The event hook of a host's stack; context is the host. */
void journal_hook(void *context, const struct berth_event_info *about);
/* Shows a frame to those who asked for packets. */
void journal_frame(struct daemon *daemon, const struct berth_frame *frame);
/* Does anybody ask for packets? */
bool journal_wants_frames(const struct daemon *daemon);

/* Answer GET /v1/events. Returns an enum MHD_Result. */
int journal_stream(struct daemon *daemon, struct MHD_Connection *connection);
/* The network ends: who follows gets what there is, and the end. */
void journal_end(struct daemon *daemon);

#endif
