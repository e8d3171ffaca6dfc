/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process does to become, and to be, a server of its own. */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <sys/types.h>

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
/*
 * Have timeouts end when they are over, and not up to 50 us later, as the kernel does to wake once for several (prctl(2),
 * PR_SET_TIMERSLACK). Of waits over 50 ms it adds a thousandth all the same.
 */
void process_wake_exactly(void);
/*
 * Be closed to debuggers: other processes of the user can't read or write our
 * memory or take our descriptors, ptrace(2), and there are no core files. With
 * BERTH_DEBUGGABLE in the environment it does nothing.
 */
void process_harden(void);
/* The name that a supervisor goes by in /proc/PID/comm, and that no program below it can take away. */
#define PROCESS_RUN_NAME "berth-run"
/*
 * Does the process run below a supervisor, under its filter? Such a one may use
 * the network, but not say how it is to be. Who can't be asked (gone) does;
 * -EMFILE or -ENFILE, where nobody can.
 */
int process_is_run(pid_t pid);
/* The process that connected the far end of the Unix socket fd; 0: not known. */
pid_t process_peer_pid(int fd);

#endif
