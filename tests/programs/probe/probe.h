/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small scenarios with sockets, each of which says in one line what the system
 * did. The same program is run natively and under Berth; the lines are to be
 * the same. A scenario runs in a process of its own, with a limit, and says
 * nothing that differs from run to run (no port, no time, no process id).
 */
#ifndef PROBE_H
#define PROBE_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct scenario {
	const char *name;
	void (*run)(void);
};

/* Each file's, ended by an empty one. */
extern const struct scenario tcp_scenarios[], readiness_scenarios[], udp_scenarios[], process_scenarios[],
	message_scenarios[], bind_scenarios[], interface_scenarios[], pointer_scenarios[], flag_scenarios[],
	local_scenarios[];

/* process.c: what the probe is when it executes itself. Does not return. */
void helper_run(int count, char **words);

/* options.c: a line for each option and kind of socket. */
void options_run(const char *only);

/* Add to the scenario's line. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "label=0", or "label=ECONNREFUSED" when r is -1. */
void say_result(const char *label, long r);
/* The same for a count, where it matters. */
void say_count(const char *label, long r);
/* The events that poll() shows, once all of wanted are there (or after 3 s). */
void say_poll(const char *label, int fd, short wanted);
void say_error(const char *label, int fd); /* SO_ERROR */

/* Wait until poll() shows all of wanted, 3 s at most. Returns what it shows then. */
short await(int fd, short wanted);
void nap(int milliseconds);

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/* A family's loopback address with a port of host order. */
union address loopback(int family, unsigned port);
socklen_t address_length(const union address *address);
unsigned port_of(int fd);
/* A socket bound to loopback, at a port that the system chooses. Ends the scenario where it can't. */
int open_bound(int family, int type);
int open_listener(int family, int backlog);
/* A socket connected to where listener listens. */
int open_client(int listener);
/* Two ends of a TCP connection. */
void open_pair(int ends[2]);
/* The same for UDP: both bound and connected to each other. */
void open_pair_udp(int ends[2]);
void set_nonblocking(int fd);
/* "127.0.0.1", and a port as "=" when it is wanted's, else "!". */
void say_address(const char *label, const union address *address, unsigned port_wanted);
const char *error_name(int error);

#endif
