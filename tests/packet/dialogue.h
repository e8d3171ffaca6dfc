/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripted packet dialogues: one stack at 10.0.0.1, and a peer at 10.0.0.2 that
 * is the script. Time is virtual. A segment is written as in packetdrill:
 *
 *	flags begin:end(length) [ECT | CE] [ack N] [win N] [urg N] [<option, …>]
 *
 * Flags are of S F R P U, "." for ACK, E for ECE and C for CWR. Sequence numbers count from the
 * sender's ISN, so a SYN is 0:0(0) and the first byte of data is 1. Options:
 * mss N, wscale N, sackOK, "sack B:E B:E", "ts V" (in a segment of ours: its
 * TSecr; in one of the peer's: its TSval, which echoes the last one seen; "ecr
 * N" echoes one N ms older). PSH is not compared, nor is a window, a sackOK or
 * an option list that the expectation leaves out. Fast Open is "FO" with a cookie
 * in hexadecimal digits, "=" for the last one we sent, or "*" for any. SACK blocks count from the
 * ISN of the side whose data they are of.
 */
#ifndef TESTS_PACKET_DIALOGUE_H
#define TESTS_PACKET_DIALOGUE_H

#include "tests/test.h"

#include <berth/berth.h>

enum { OUR_PORT = 80, PEER_PORT = 5000 };

struct dialogue {
	struct berth_stack *stack;
	struct berth_link *link;
	struct berth_packet *out[4096]; /* what the stack sent, not looked at yet */
	size_t out_begin, out_end;
	berth_time now;
	uint32_t our_isn, peer_isn, last_timestamp;
	uint16_t our_port, peer_port;
	bool isn_known;
	uint8_t cookie[16], cookie_length; /* of Fast Open, the last one sent */
	int fd, child;
	int admit; /* what the hook answers; does it close the listener before? */
	bool admit_closes;
};
extern struct dialogue dialogue;

/* Begin: a fresh stack. limits may be NULL. End: free it, and all must be gone. */
void dialogue_begin(const struct berth_limits *limits);
void dialogue_end(void);

/* A segment of the peer's arrives. */
void arrives(const char *segment);
/* The stack has sent this, or sends it next without time passing. */
void sends_at(const char *file, int line, const char *segment);
/* It sends this after exactly ms milliseconds, and nothing before. */
void sends_after_at(const char *file, int line, int64_t ms, const char *segment);
/* Nothing is sent now, nor for ms milliseconds. */
void silent_at(const char *file, int line, int64_t ms);
#define sends(segment) sends_at(__FILE__, __LINE__, segment)
#define sends_after(ms, segment) sends_after_at(__FILE__, __LINE__, ms, segment)
#define silent(ms) silent_at(__FILE__, __LINE__, ms)
/* Time passes; what is sent waits to be looked at. Or is not worth a look. */
void wait_ms(int64_t ms);
void ignore_sent(void);

/* Calls on dialogue.fd or a child. */
int open_bound(void);		/* on OUR_PORT; it doesn't listen */
int open_listener(int backlog); /* on OUR_PORT */
int begin_connect(void);	/* to PEER_PORT; the SYN is left to be looked at */
int accept_child(void);
int64_t write_bytes(int fd, size_t size, int flags);
int64_t read_bytes(int fd, size_t size);
int last_error(int fd); /* SO_ERROR */
void set_option(int fd, int level, int option, int value);
const char *state_of(int fd);
unsigned ready(int fd);
uint64_t events(enum berth_event event);
/* How many conversations without a descriptor are in state ("TIME-WAIT", …)? */
int count_state(const char *state);

/* Common beginnings. The peer's options are its SYN's, e.g. "win 1000 <mss 1000>". Return the descriptor. */
int given_accepted(const char *peer_options);
int given_connected(const char *peer_options);

#endif
