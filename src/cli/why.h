/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * berth why from the inside: facts.c fetches what the control API knows and
 * pairs the two ends of each conversation; rules.c reads a reason out of it.
 */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "cli/cli.h"

/* Everything that is known of a network at this moment. */
struct facts {
	json_t *hosts, *sockets, *links, *events;
};

/* One conversation, or a try at one. Texts live as long as the facts. */
struct talk {
	const struct facts *facts;
	const json_t *near, *far; /* its two sockets; far NULL: there is none */
	const char *from, *to;	  /* hosts; to NULL: no host has that address */
	const char *address;	  /* of the far end */
	long long port;
	const char *protocol;
};

enum verdict { FINE, SLOW, STUCK, REFUSED };

struct finding {
	enum verdict verdict;
	const char *code; /* "loss": stable, for programs */
	char reason[300]; /* one sentence */
	char advice[200]; /* what to do; may be empty */
};

/* Fetch everything, or tell the user why not (CLI_FAILED). */
int facts_fetch(const struct command *command, const char *network, struct facts *facts);
void facts_free(struct facts *facts);
const json_t *facts_host(const struct facts *facts, const char *name);
/* The name of who has this address, or NULL. Loopback is whoever asks. */
const char *facts_host_at(const struct facts *facts, const char *address, const char *asker);
/* The socket at the other end of near, or NULL. */
const json_t *facts_far_end(const struct facts *facts, const json_t *near);
/* Whoever waits at port of host for protocol, at address or at all addresses; *ret_other: at other addresses only. */
const json_t *facts_listener(const struct facts *facts, const char *host, const char *protocol, const char *address,
			     long long port, const json_t **ret_other);
/* Take "10.77.0.2:80" or "[fd77::2]:80" apart. Returns false when it is neither. */
bool end_split(const char *text, char address[64], long long *ret_port);
/* Is the process of socket stopped (SIGSTOP)? */
bool facts_stopped(const json_t *socket);

/* Why is talk as it is? Always finds something. */
void rules_talk(const struct talk *talk, struct finding *finding);
/* Why did the call in event (a failed connect()) fail? Returns false when nothing is known. */
bool rules_failure(const struct facts *facts, const json_t *event, struct finding *finding);
/* Something wrong with socket itself, which waits for others. Returns false: nothing. */
bool rules_listener(const struct facts *facts, const json_t *socket, struct finding *finding);
/* Something that was dropped or denied, and belongs to no conversation. Returns false: nothing worth telling. */
bool rules_event(const struct facts *facts, const json_t *event, struct finding *finding);

#endif
