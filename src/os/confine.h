/* SPDX-License-Identifier: BSD-2-Clause */
/* A server's own prison: what it never does, it can't do any more, whoever has taken it over. */
#ifndef OS_CONFINE_H
#define OS_CONFINE_H

/*
 * Give up, for this process and for good: new privileges, all capabilities but
 * CAP_NET_BIND_SERVICE, executing programs, making processes, tracing others,
 * mounting, namespaces, loading code into the kernel; and, where the kernel has
 * Landlock, writing files anywhere but below directory (and removing that).
 * What a kernel does not have is left out. Returns 0 or a negative errno.
 */
int process_confine(const char *directory);
/* How many seccomp filters this process has put on itself so: whoever compares filters leaves them out. */
int process_confinement_filters(void);

#endif
