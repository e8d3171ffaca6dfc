/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending. A datagram that knows a straight way takes it; all else is the kernel's and the supervisor's as ever. */
#include "shim/shim.h"

#include <netinet/in.h>

enum { FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CONFIRM, PARTS_MAX = 64, MESSAGES_MAX = 1024 };

static bool address_fits(const void *address, socklen_t length)
{
	const struct sockaddr *to = address;

	if (!address)
		return !length;
	return readable(address, length) && ((length == sizeof(struct sockaddr_in) && to->sa_family == AF_INET) ||
					     (length == sizeof(struct sockaddr_in6) && to->sa_family == AF_INET6));
}

/* Returns the length or -1: it has to go the other way. */
static long straight(int fd, const struct iovec *parts, size_t count, int flags, const void *address, socklen_t length)
{
	size_t total = 0;
	uint64_t cookie;
	struct flow *flow;
	long r;

	if (flags & ~FLAGS || !address_fits(address, length) || (!address && !may_be_udp(fd)))
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].iov_len > UINT16_MAX)
			return -1;
		total += parts[i].iov_len;
	}
	cookie = cookie_of(fd);
	if (!is_udp(fd, cookie))
		return -1;
	flow = flow_get(fd, cookie, address, length);
	if (!flow)
		return -1;
	r = flow_send(flow, parts, count, total);
	flow_release(flow);
	return r;
}

SHIM_EXPORT ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
			   socklen_t length)
{
	struct iovec part = { (void *)bytes, size };
	long r = straight(fd, &part, 1, flags, address, address ? length : 0);

	return r >= 0 ? r
		      : finish(waiting(SYS_sendto, fd, (long)bytes, (long)size, flags, (long)address, (long)length));
}

SHIM_EXPORT ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	struct iovec part = { (void *)bytes, size };
	long r = may_be_udp(fd) ? straight(fd, &part, 1, flags, NULL, 0) : -1;

	return r >= 0 ? r : finish(waiting(SYS_sendto, fd, (long)bytes, (long)size, flags, 0, 0));
}

static long straight_message(int fd, const struct msghdr *message, int flags)
{
	if (!may_be_udp(fd) || !readable(message, sizeof(*message)) ||
	    (message->msg_control && message->msg_controllen) || message->msg_iovlen > PARTS_MAX ||
	    !readable(message->msg_iov, message->msg_iovlen * sizeof(*message->msg_iov)))
		return -1;
	return straight(fd, message->msg_iov, message->msg_iovlen, flags, message->msg_name,
			message->msg_name ? message->msg_namelen : 0);
}

SHIM_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	long r = straight_message(fd, message, flags);

	return r >= 0 ? r : finish(waiting(SYS_sendmsg, fd, (long)message, flags, 0, 0, 0));
}

/* musl has an int where glibc has an unsigned, which are passed alike. */
SHIM_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	unsigned sent = 0;
	long r;

	while (sent < count && sent < MESSAGES_MAX) {
		unsigned *length = &messages[sent].msg_len;

		r = straight_message(fd, &messages[sent].msg_hdr, flags);
		if (r < 0)
			break;
		if (!writable(length, sizeof(*length))) /* Linux: it has gone, and does not count */
			return sent ? (int)sent : (int)finish(-EFAULT);
		*length = (unsigned)r;
		sent++;
	}
	if (sent == count || sent == MESSAGES_MAX)
		return (int)sent;
	r = waiting(SYS_sendmmsg, fd, (long)(messages + sent), (long)(count - sent), flags, 0, 0);
	if (sent) /* an error is the next call's */
		return (int)(r > 0 ? sent + r : sent);
	return (int)finish(r);
}
