/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor: runs a program whose socket calls Berth answers.
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "control/channel.h"

#include <stdbool.h>
#include <stddef.h>

/* Exit codes, as Docker has them. */
enum {
	EXIT_BERTH = 125, /* Berth itself failed: options, network, name, permission */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	/* 128 + n: the program died of signal n; else the program's own code */
};

struct run_options {
	const char *network;	    /* valid name */
	const char *name;	    /* NULL: made from the program's */
	struct channel_hello hello; /* ip, flags; the rest is filled in by run */
	const struct channel_publish *publish;
	size_t publish_count;
	const struct channel_rule *rules; /* what it may reach outside */
	size_t rule_count;
	bool fail_on_leak;
	enum { RUN_SHIM_BY_EXPRESS, RUN_SHIM_ON, RUN_SHIM_OFF } shim; /* preload it (control/shim.h)? */
	char *const *argv; /* the program and its arguments, NULL at the end */
	/* What it starts with */
	const char *workdir;	  /* NULL: where we are */
	const char *user;	  /* "USER[:GROUP]", names or numbers; NULL: us */
	bool detach;		  /* in the background; output is the daemon's to keep */
	bool exec;		  /* on the host called name, which is there */
	char *const *environment; /* "NAME=VALUE" on top of ours, NULL at the end; NULL: none */
};

/* The shim's file, or NULL: it is not there, or can't be named in LD_PRELOAD. Stays ours. */
const char *shim_find(void);

/*
 * Run the program to its end and return the exit code for our own process.
 * Starts the network's daemon ("berth daemon", from /proc/self/exe) when there
 * is none. Says what goes wrong on stderr, a line each, "berth: …".
 */
int run_program(const struct run_options *options);

#endif
