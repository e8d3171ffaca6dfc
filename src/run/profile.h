/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this machine keeps from a supervisor: calls that a container's profile
 * (a seccomp filter above us) refuses, tracing that Yama forbids, the listener
 * that somebody else has.
 */
#ifndef RUN_PROFILE_H
#define RUN_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A system call that Berth makes, or that containers are known to refuse. */
struct profile_call {
	const char *name;
	int number;
	enum {
		PROFILE_UNUSED,	 /* Berth does not make it */
		PROFILE_REPLACE, /* there is another way */
		PROFILE_NEEDED,
	} need;
};

extern const struct profile_call profile_calls[];
extern const size_t profile_call_count;

/* Make the call with arguments that change nothing. Is it refused? By death, too, where that is the profile's way. */
bool profile_refuses(const struct profile_call *call);
/* "docker", "podman", … or NULL: this is no container that could be told. */
const char *profile_container(void);
/* Is there a seccomp filter above us? */
bool profile_filtered(void);

/* Yama's ptrace_scope, or -1: it is not there. */
long yama_scope(void);
/* Does it forbid us to look into our own children? */
bool yama_refuses(void);

/* Which of our ancestors, if it can be asked, listens to system calls by seccomp: "PID (name)". False: none is seen. */
bool listener_owner(char *text, size_t size);

#endif
