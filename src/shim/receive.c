/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving with an address: a datagram's tag says where it came from. That is
 * read here, as the supervisor would. Who wants control data asks the
 * supervisor, which knows what of it the socket is to show.
 */
#include "shim/shim.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

enum { FLAGS = MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_NOSIGNAL | MSG_WAITALL | MSG_CMSG_CLOEXEC, ERROR_LAST = 133 };

/* An address that says nothing, of the socket's family: UDP always has one. */
static void nowhere(struct channel_tag *tag, int family)
{
	for (size_t i = 0; i < sizeof(tag->source); i++)
		tag->source[i] = 0;
	*(sa_family_t *)(void *)tag->source = (sa_family_t)family;
	tag->source_length = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static bool source_good(const struct channel_tag *tag, int family)
{
	return *(const sa_family_t *)(const void *)tag->source == family &&
	       tag->source_length == (family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
}

/* Read and close it. Another program may have sent it: only a sealed memfd is read, which nobody can hold up. */
static bool tag_take(int fd, struct channel_tag *tag)
{
	long seals = raw(SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0, 0);
	bool good = seals >= 0 && seals & F_SEAL_WRITE &&
		    raw(SYS_pread64, fd, (long)tag, sizeof(*tag), 0, 0, 0) == (long)sizeof(*tag);

	raw(SYS_close, fd, 0, 0, 0, 0, 0);
	return good;
}

/* A mark of an error, which is told once: SO_ERROR is not to tell it again. */
static long tell_error(int fd, const struct channel_tag *tag, int flags)
{
	int error;
	socklen_t length = sizeof(error);

	if (!(flags & MSG_PEEK))
		raw(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&length, 0);
	return tag->error > 0 && tag->error <= ERROR_LAST ? -tag->error : -EPROTO;
}

enum { GONE = -4096 }; /* no errno: this pair's other end is no more */

/* Nothing came, and no tag: the socket is shut, or has another pair by now, which the supervisor knows. */
static bool has_ended(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };

	return raw(SYS_poll, (long)&poll_fd, 1, 0, 0, 0, 0) == 1 && poll_fd.revents & POLLRDHUP;
}

/* *message holds parts on the way in and flags on the way out. Returns the length, -errno or GONE. */
static long take(int fd, int family, struct msghdr *message, int flags, struct channel_tag *tag)
{
	union {
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control;
	long r;

	message->msg_control = &control;
	message->msg_controllen = sizeof(control);
	r = spin_receive(SYS_recvmsg, fd, (long)message, flags | MSG_CMSG_CLOEXEC, 0);
	message->msg_control = NULL; /* it is ours, and goes with us */
	if (r < 0)
		return r;
	if (!r && !message->msg_controllen && has_ended(fd))
		return GONE;
	if (message->msg_controllen < CMSG_LEN(sizeof(int)) || control.head.cmsg_level != SOL_SOCKET ||
	    control.head.cmsg_type != SCM_RIGHTS || !tag_take(*(int *)CMSG_DATA(&control.head), tag))
		nowhere(tag, family);
	else if (tag->kind == TAG_ERROR)
		return tell_error(fd, tag, flags);
	else if (!source_good(tag, family))
		nowhere(tag, family);
	return r;
}

/* Linux: move_addr_to_user(), of a datagram that has been taken. */
static bool give_address(const struct channel_tag *tag, void *address, socklen_t room, socklen_t *ret_length)
{
	if (room > tag->source_length)
		room = tag->source_length;
	if (!writable(ret_length, sizeof(*ret_length)) || (room && !writable(address, room)))
		return false;
	for (socklen_t i = 0; i < room; i++)
		((uint8_t *)address)[i] = tag->source[i];
	*ret_length = tag->source_length;
	return true;
}

/* The room for an address, where it is one that can be dealt with here. */
static bool room_good(socklen_t room)
{
	return !room || (room >= sizeof(int) && (int)room > 0);
}

SHIM_EXPORT ssize_t recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
	struct iovec part = { bytes, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct channel_tag tag;
	socklen_t room = 0;
	int family = 0;
	long r;

	if (!address || !readable(length, sizeof(*length)) || !room_good(room = *length) || flags & ~FLAGS ||
	    !(family = is_udp(fd, cookie_of(fd))))
		return finish(waiting(SYS_recvfrom, fd, (long)bytes, (long)size, flags, (long)address, (long)length));
	r = take(fd, family, &message, flags, &tag);
	if (r == GONE)
		r = waiting(SYS_recvfrom, fd, (long)bytes, (long)size, flags, (long)address, (long)length);
	else if (r >= 0 && !give_address(&tag, address, room, length))
		r = -EFAULT;
	return finish(r);
}

ssize_t __recvfrom_chk(int fd, void *bytes, size_t size, size_t room, int flags, struct sockaddr *address,
		       socklen_t *length);

/* glibc: what recvfrom() becomes under _FORTIFY_SOURCE. room is the buffer's. */
SHIM_EXPORT ssize_t __recvfrom_chk(int fd, void *bytes, size_t size, size_t room, int flags, struct sockaddr *address,
				   socklen_t *length)
{
	if (size > room)
		__builtin_trap(); /* as __chk_fail() would, which musl does not have */
	return recvfrom(fd, bytes, size, flags, address, length);
}

/* Natively, but for an empty datagram, which an error looks like there. */
SHIM_EXPORT ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	long r = may_be_udp(fd) ? spin_receive(SYS_recvfrom, fd, (long)bytes, (long)size, flags)
				: waiting(SYS_recvfrom, fd, (long)bytes, (long)size, flags, 0, 0);
	int error = 0;
	socklen_t length = sizeof(error);
	bool ended;

	if (r || !size || !may_be_udp(fd) || flags & MSG_PEEK || !is_udp(fd, cookie_of(fd)))
		return finish(r);
	ended = has_ended(fd);
	if (raw(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&length, 0) < 0)
		error = 0;
	if (error)
		r = -error;
	else if (ended) /* by that call there may be another pair */
		r = waiting(SYS_recvfrom, fd, (long)bytes, (long)size, flags, 0, 0);
	return finish(r);
}

ssize_t __recv_chk(int fd, void *bytes, size_t size, size_t room, int flags);

SHIM_EXPORT ssize_t __recv_chk(int fd, void *bytes, size_t size, size_t room, int flags)
{
	if (size > room)
		__builtin_trap();
	return recv(fd, bytes, size, flags);
}

SHIM_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	struct channel_tag tag;
	struct msghdr inner;
	int family = 0;
	long r;

	if (!may_be_udp(fd) || flags & ~FLAGS || !readable(message, sizeof(*message)) ||
	    !room_good(message->msg_namelen) || (message->msg_control && message->msg_controllen) ||
	    !(family = is_udp(fd, cookie_of(fd))))
		return finish(waiting(SYS_recvmsg, fd, (long)message, flags, 0, 0, 0));
	inner = (struct msghdr){ .msg_iov = message->msg_iov, .msg_iovlen = message->msg_iovlen };
	r = take(fd, family, &inner, flags, &tag);
	if (r == GONE)
		return finish(waiting(SYS_recvmsg, fd, (long)message, flags, 0, 0, 0));
	if (r < 0)
		return finish(r);
	if (!writable(&message->msg_flags, sizeof(message->msg_flags)) ||
	    (message->msg_name && !give_address(&tag, message->msg_name, message->msg_namelen, &message->msg_namelen)))
		return finish(-EFAULT);
	message->msg_controllen = 0;
	message->msg_flags = (inner.msg_flags & MSG_TRUNC) | (flags & MSG_CMSG_CLOEXEC);
	return r;
}
