/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process does to become, and to be, a server of its own. */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

/*
 * Leave the caller's session, directory and terminal: a session of our own, "/"
 * as directory, /dev/null for 0, 1 and 2. Call in
 * a child that is not a group leader. Returns 0 or a negative errno.
 */
int process_detach(void);
/* Raise the limit on descriptors as far as it goes. Returns what it is now. */
long process_raise_descriptors(void);
/*
 * Lock path, made if it is not there: returns a descriptor that holds the lock
 * as long as it is open; -EWOULDBLOCK when another has it; or a negative errno.
 */
int process_lock(const char *path);
/* A listening Unix stream or seqpacket socket at path, mode 0600, in place of a leftover. */
int process_listen(const char *path, int type);
/* Is the process at the far end of the Unix socket fd ours, or root's? */
int process_peer_is_us(int fd);

#endif
