/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a host's programs may reach outside, on the real machine's network:
 * nothing, unless a rule of the user's lets them. Denying wins. What was refused
 * is remembered, by program and destination, for `berth inspect` and --fail-on-leak.
 */
#ifndef DAEMON_RULES_H
#define DAEMON_RULES_H

#include "base/list.h"
#include "control/channel.h"

#include <berth/types.h>
#include <jansson.h>
#include <stdbool.h>

struct berth_host;
struct berth_endpoint;
struct daemon;
struct host;
struct net_question;
struct plug;
struct request;

enum { RULES_MAX = 1024, LEARNT_MAX = 4096, DENIED_MAX = 64, NAMESERVERS_MAX = 3 };

struct rule {
	struct list node; /* in rules->rules, or rules->names */
	struct channel_rule rule;
};

/* An address that an allowed name was answered with. */
struct learnt {
	struct berth_ip ip;
	uint16_t port; /* 0: any */
};

struct denied {
	struct list node; /* in rules->denied */
	char command[16];
	char to[280]; /* "192.0.2.1:80/tcp", "example.com (name)" */
	uint64_t count;
};

struct rules {
	struct list rules, names; /* names: --add-host */
	size_t rule_count;
	bool all;
	struct learnt *learnt;
	size_t learnt_count;
	struct berth_ip nameservers[NAMESERVERS_MAX];
	size_t nameserver_count;
	struct list denied; /* struct denied, the first first */
	size_t denied_entries;
	uint64_t denied_count;
	struct list lookups; /* lookup.c */
};

/* host's, made when there are none yet. NULL: it has no program, or no memory. */
struct rules *rules_of(struct host *host);
void rules_free(struct rules *rules);
/* CHANNEL_RULE: 0 or a negative errno. */
int rules_add(struct host *host, const struct channel_rule *wanted);
bool rules_allow(struct host *host, const struct berth_endpoint *to);
bool rules_allow_name(struct host *host, const char *name);
/* name, which is allowed, means ip. */
void rules_learn(struct rules *rules, const char *name, struct berth_ip ip);
/* The address that --add-host gave name, of the family; false: none. exists: it has another. */
bool rules_own_name(struct host *host, const char *name, bool six, struct berth_ip *ret_ip, bool *ret_exists);
/* Something was refused to command. */
void rules_deny(struct host *host, const char *command, const char *to);
/* The denied ones as lines of text; returns how many bytes, and how many attempts in all. */
size_t rules_denied_text(struct host *host, char *text, size_t room, uint64_t *ret_count);
json_t *rules_report_denied(const struct rules *rules);

/* lookup.c: names. The say that the daemon has in them: net/network.h. */
bool lookup_ask(void *context, struct berth_host *host, const struct net_question *question);
/* host is leaving. */
void lookups_end(struct rules *rules);

/* outbound.c */
/* Connect a program's stream socket to the outside. Returns as CHANNEL_CONNECT does; 1: address is not outside. */
int32_t outbound_connect(struct request *request, const struct berth_endpoint *to);
/*
 * A program's datagram for to: who is outside is the gateway, on the network.
 * Returns 0 with *to to be used as it then is, or a negative errno.
 */
int outbound_datagram(struct plug *plug, struct berth_endpoint *to);
/* Has the gateway nothing to do but to wait for programs? */
bool outbound_idle(const struct host *gateway);

#endif
