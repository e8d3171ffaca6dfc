/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each host's name server: sockets on the host's own stack that get whatever
 * it sends to port 53 of any address outside its subnet, of its loopback, or of
 * the network's first address, where people look for a name server
 * (BERTH_DIVERT), over UDP and TCP. So the name service works whatever
 * /etc/resolv.conf says. Work is noted by the stack's hooks and done by
 * berth_net_advance().
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct berth_host;

enum {
	RESOLVER_SOCKETS = 8,	   /* UDP and TCP, IPv4 and IPv6; everywhere, and at the gateway's address */
	RESOLVER_CONNECTIONS = 16, /* TCP at once; the oldest gives way */
	RESOLVER_QUERY_MAX = 1024, /* octets of a query: one question is never longer */
};

struct resolver_connection {
	int fd; /* -1: free */
	uint64_t age;
	size_t length;
	uint8_t bytes[2 + RESOLVER_QUERY_MAX]; /* RFC 1035 §4.2.2: a length goes first */
};

struct resolver {
	struct list pending; /* in net->resolvers while there is work */
	struct berth_host *host;
	int fds[RESOLVER_SOCKETS];
	struct resolver_connection *connections; /* RESOLVER_CONNECTIONS of them once TCP was used */
	uint64_t ages;
};

void resolver_init(struct resolver *resolver, struct berth_host *host);
/* Open the sockets on the host's stack. Returns 0 or a negative errno. */
int resolver_open(struct resolver *resolver);
void resolver_fini(struct resolver *resolver);
bool resolver_owns_fd(const struct resolver *resolver, int fd);
/* One of its descriptors became ready. */
void resolver_wake(struct resolver *resolver);
struct net_question;
/* Answer a question that the embedder took (network.h), from where it was asked. */
void resolver_answer(struct berth_host *host, const struct net_question *question, const uint8_t *answer,
		     size_t length);
/* Answer what has come. */
void resolver_run(struct resolver *resolver);

#endif
