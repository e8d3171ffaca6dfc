/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel interfaces newer than Debian 12's headers, and thin wrappers for calls that have none. */
#ifndef RUN_KERNEL_H
#define RUN_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RUN_SO_PASSPIDFD 76			  /* 6.5 */
#define RUN_SO_PEERPIDFD 77			  /* 6.5 */
#define RUN_SO_PASSRIGHTS 83			  /* 6.16 */
#define RUN_SO_INQ 84				  /* 6.16 */
#define RUN_PIDFD_THREAD O_EXCL			  /* 6.9 */
#define RUN_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* 6.6 */
#define RUN_NOTIF_SYNC_WAKE_UP 1UL
#define RUN_ERESTARTSYS 512 /* in the kernel only: restart, or EINTR, as the handler has it */

static inline int kernel_pidfd_open(pid_t pid, unsigned flags)
{
	long fd = syscall(SYS_pidfd_open, pid, flags);

	return fd < 0 ? -errno : (int)fd;
}
/* A copy of descriptor fd of the process, close-on-exec, or -errno. */
static inline int kernel_pidfd_getfd(int pidfd, int fd)
{
	long copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return copy < 0 ? -errno : (int)copy;
}

#endif
