/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon of one network. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

/*
 * Be the daemon of network (a valid name) until its last host is gone, or until
 * SIGTERM or SIGINT. A byte is written to ready_fd (-1: none), which is then
 * closed: 0 when everything is being served, else the errno that prevents it.
 * Returns 0, or a negative errno: -EWOULDBLOCK when the network has a daemon
 * already, of which ready_fd is told nothing.
 */
int daemon_main(const char *network, int ready_fd);

#endif
