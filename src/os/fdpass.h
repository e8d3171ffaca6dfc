/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One packet of a SOCK_SEQPACKET Unix socket, with descriptors (SCM_RIGHTS,
 * unix(7)). Neither function raises SIGPIPE; both repeat on EINTR.
 */
#ifndef OS_FDPASS_H
#define OS_FDPASS_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define FDPASS_MAX 8 /* descriptors in one packet */

/*
 * Send parts as one packet on socket, with copies of count descriptors; the
 * caller keeps its own. flags: MSG_DONTWAIT. Returns 0 or -errno.
 */
int fdpass_send(int socket, const struct iovec *parts, size_t part_count, const int *fds, size_t count, int flags);
/*
 * Receive one packet into parts. ret_fds has room for *ret_count descriptors,
 * which are the caller's now, close-on-exec; more are closed. ret_count NULL:
 * none are wanted. Returns the packet's length, 0 at the end, -EMSGSIZE when
 * the packet did not fit (it is lost), or -errno.
 */
ssize_t fdpass_receive(int socket, const struct iovec *parts, size_t part_count, int *ret_fds, size_t *ret_count,
		       int flags);

#endif
