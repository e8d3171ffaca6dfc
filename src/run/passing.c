/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors that come from elsewhere: inherited, or passed through an AF_UNIX
 * socket of the program's own. One that reaches the real network past the
 * filter is not let in.
 *
 * A message is looked at before the kernel gives it to the program, and given
 * without its descriptors when one of them is of that kind: as a security
 * module's refusal looks, MSG_CTRUNC. A second thread of the program may read
 * what was looked at first; who has somebody outside to pass sockets, and goes
 * to that length, has somebody outside to send for him as well (docs/security.md).
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DESCRIPTORS_MAX 253 /* Linux: SCM_MAX_FD */

bool descriptor_foreign(int fd)
{
	int domain = AF_UNIX;
	char path[32], link[64];
	struct stat status;
	ssize_t length;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof(domain) }) == 0)
		return domain != AF_UNIX;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link) - 1);
	link[length > 0 ? length : 0] = '\0';
	if (strstr(link, "[io_uring]"))
		return true;
	/* By its number: it may lie anywhere. */
	return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(10, 200 /* tun */);
}

static bool is_unix(int fd)
{
	int domain = 0;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof(domain) }) == 0 && domain == AF_UNIX;
}

/* Close what came along. Returns whether any of it may not be let in. */
static bool close_passed(struct msghdr *header)
{
	bool foreign = false;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(header); head; head = CMSG_NXTHDR(header, head)) {
		size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
			foreign = foreign || descriptor_foreign(fd);
			close(fd);
		}
	}
	return foreign;
}

/* What is received, or looked at, here. */
struct passed {
	struct msghdr header;
	struct iovec part;
	struct sockaddr_storage name;
	bool foreign;
	union {
		uint8_t bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int)) + 256];
		struct cmsghdr align;
	} control;
};

static ssize_t receive(struct call *call, struct passed *passed, size_t room, int flags)
{
	ssize_t length;

	passed->part = (struct iovec){ call->scratch, MIN(room, (size_t)SCRATCH_SIZE) };
	passed->header = (struct msghdr){ .msg_name = &passed->name,
					  .msg_namelen = sizeof(passed->name),
					  .msg_iov = &passed->part,
					  .msg_iovlen = 1,
					  .msg_control = passed->control.bytes,
					  .msg_controllen = sizeof(passed->control.bytes) };
	length = recvmsg(call->descriptor.fd, &passed->header, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	passed->foreign = length >= 0 && close_passed(&passed->header);
	return length < 0 ? -errno : length;
}

/* The message, without what came with it. */
static int64_t give_without(struct call *call, struct msghdr *header, const struct iovec *parts, size_t room, int flags)
{
	struct passed passed;
	ssize_t length = receive(call, &passed, room, flags & (MSG_PEEK | MSG_TRUNC));
	socklen_t name = MIN(header->msg_namelen, passed.header.msg_namelen);

	say_once(call->supervisor,
		 "%s: a socket of the real network, passed from outside, is not let in (recvmsg(): MSG_CTRUNC)",
		 call->supervisor->name);
	if (length < 0)
		return length;
	if (memory_scatter(call, parts, header->msg_iovlen, call->scratch, MIN((size_t)length, passed.part.iov_len)) <
		    0 ||
	    (header->msg_name && memory_write(call, (uintptr_t)header->msg_name, &passed.name, name)))
		return -EFAULT;
	header->msg_namelen = passed.header.msg_namelen;
	header->msg_controllen = 0;
	header->msg_flags = (passed.header.msg_flags & ~MSG_CMSG_CLOEXEC) | MSG_CTRUNC | (flags & MSG_CMSG_CLOEXEC);
	return message_write(call, call->args[1], header) ? -EFAULT : length;
}

static int64_t attempt_receive(struct call *call)
{
	int flags = (int)call->args[2], peek = -1;
	struct passed passed;
	struct msghdr header;
	struct iovec *parts;
	int64_t room = message_read(call, call->args[1], &header), r;

	if (room)
		return room; /* as the kernel would say; asked again, it might find something else there */
	/* Without room for a descriptor the kernel itself lets none in. */
	if (!header.msg_control || header.msg_controllen < CMSG_LEN(sizeof(int)))
		return CALL_CONTINUE;
	getsockopt(call->descriptor.fd, SOL_SOCKET, SO_PEEK_OFF, &peek, &(socklen_t){ sizeof(peek) });
	room = memory_read_parts(call, (uintptr_t)header.msg_iov, header.msg_iovlen, &parts);
	if (room < 0)
		return room;
	if (peek >= 0) /* looking would move it: nothing is let in unseen */
		r = give_without(call, &header, parts, (size_t)room, flags);
	else
		r = receive(call, &passed, (size_t)room, MSG_PEEK);
	if (r == -EAGAIN && !(flags & MSG_DONTWAIT) && !descriptor_nonblocking(&call->descriptor))
		r = CALL_PENDING;
	else if (r >= 0 && peek < 0 && passed.foreign)
		r = give_without(call, &header, parts, (size_t)room, flags);
	else if (r != -EAGAIN && peek < 0)
		r = CALL_CONTINUE;
	free(parts);
	return r;
}

/* Is there room for descriptors in any of recvmmsg()'s messages? */
static bool batch_may_pass(struct call *call)
{
	uint32_t count = MIN((uint32_t)call->args[2], 1024u);

	for (uint32_t i = 0; i < count; i++) {
		struct msghdr header;

		if (message_read(call, call->args[1] + i * sizeof(struct mmsghdr), &header))
			return false;
		if (header.msg_control && header.msg_controllen >= CMSG_LEN(sizeof(int)))
			return true;
	}
	return false;
}

int64_t handle_foreign_receive(struct call *call)
{
	/* Where sockets are known by their inodes (holder.c), others can't be looked into. */
	if (call->supervisor->holders || !is_unix(call->descriptor.fd))
		return CALL_CONTINUE;
	if (call->number == SYS_recvmmsg) {
		if (!batch_may_pass(call))
			return CALL_CONTINUE;
		say_once(call->supervisor, "%s: recvmmsg() with control data on AF_UNIX is not supported here: ENOSYS",
			 call->supervisor->name);
		return -ENOSYS;
	}
	if ((int)call->args[2] & (MSG_ERRQUEUE | MSG_OOB))
		return CALL_CONTINUE;
	call->attempt = attempt_receive;
	call->wait_events = EPOLLIN;
	call->timeout_option = SO_RCVTIMEO;
	call->timeout_result = -EAGAIN;
	return attempt_receive(call);
}
