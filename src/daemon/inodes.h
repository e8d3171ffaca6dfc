/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which inodes the programs' sockets have: what ss -p and netstat -p look for
 * in /proc/PID/fd. The kernel is asked once for a listing (sock_diag(7), of
 * AF_UNIX), so that nothing has to be remembered while programs run.
 */
#ifndef DAEMON_INODES_H
#define DAEMON_INODES_H

#include "daemon/state.h"

struct inodes;

/* NULL: the kernel does not say, or there is no memory; that is an empty one. */
struct inodes *inodes_new(struct daemon *daemon);
/* 0: not known, as of sockets that no process has. NULL is nobody's plug. */
uint32_t inodes_find(const struct inodes *inodes, const struct plug *plug);
void inodes_free(struct inodes *inodes);

#endif
