/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendto(), sendmsg() and sendmmsg(). On datagram sockets the daemon sends,
 * because only it can answer. On streams the kernel does it, but for what
 * AF_UNIX takes otherwise than TCP: an address is ignored, descriptors can't
 * be passed.
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONTROL_MAX 4096
#define QUIET_MAX 1400	  /* bytes of a datagram that fits every link */
#define MESSAGES_MAX 1024 /* Linux: UIO_MAXIOV */

/* Read a struct msghdr as the kernel would. */
int message_read(struct call *call, uint64_t address, struct msghdr *ret_header)
{
	if (memory_read(call, address, ret_header, sizeof(*ret_header)))
		return -EFAULT;
	/* Linux: copy_msghdr_from_user(): negative is an error, too long is clipped. */
	if (ret_header->msg_name && (int)ret_header->msg_namelen < 0)
		return -EINVAL;
	if (!ret_header->msg_name)
		ret_header->msg_namelen = 0;
	ret_header->msg_namelen = MIN(ret_header->msg_namelen, (socklen_t)sizeof(struct sockaddr_storage));
	return 0;
}

/*
 * Once a datagram has gone to an address, the next ones are not waited for: what
 * could be wrong with the arguments has been looked at, and an error of the
 * network comes later anyhow. The first of a time, and every one with control
 * data, without an address or of a size that may be too much, is.
 */
static int64_t send_message(struct call *call, struct channel_message *message, const struct iovec *parts,
			    size_t length)
{
	struct line *line = line_of(call->supervisor, message->id);
	bool plain = call->descriptor.type == SOCK_DGRAM && call->descriptor.protocol == IPPROTO_UDP &&
		     message->address_length && !message->control_length && length <= QUIET_MAX;
	uint64_t hash = call_address_hash(message);
	struct hint hint = hint_get(call->supervisor, message->id);
	int64_t r;

	if (plain && hint.sent_to == hash && now_ns() < hint.sent_until_ns) {
		message->flags |= CHANNEL_QUIET;
		r = line_tell(call->supervisor, line, message, parts, 2, -1);
		return r ? r : (int64_t)length;
	}
	r = line_ask(call->supervisor, line, message, parts, 2, NULL, 0);
	if (plain)
		hint_sent(call->supervisor, call->descriptor.id, r < 0 ? 0 : hash);
	return r;
}

static int64_t send_datagram(struct call *call, const struct msghdr *header, const void *bytes, size_t length,
			     const void *control)
{
	struct channel_message message;
	struct sockaddr_storage address;
	struct iovec parts[2] = { { (void *)control, control ? header->msg_controllen : 0 },
				  { (void *)bytes, length } };
	int r = memory_read_address(call, (uintptr_t)header->msg_name, header->msg_namelen, &address);

	if (r)
		return r;
	call_message(call, &message, CHANNEL_SENDTO);
	message.control_length = (uint32_t)parts[0].iov_len;
	message.address_length = (uint16_t)MIN(header->msg_namelen, (socklen_t)CHANNEL_ADDRESS_MAX);
	memcpy(message.address, &address, message.address_length);
	return send_message(call, &message, parts, length);
}

/* Passing descriptors or credentials is for AF_UNIX. Linux: __sock_cmsg_send() ignores them. */
static bool control_foreign(const struct msghdr *header, void *control)
{
	bool any = false;
	struct msghdr local = { .msg_control = control, .msg_controllen = header->msg_controllen };

	for (struct cmsghdr *head = CMSG_FIRSTHDR(&local); head; head = CMSG_NXTHDR(&local, head))
		if (head->cmsg_level == SOL_SOCKET &&
		    (head->cmsg_type == SCM_RIGHTS || head->cmsg_type == SCM_CREDENTIALS)) {
			head->cmsg_level = IPPROTO_MAX; /* nobody's: passed over */
			any = true;
		}
	return any;
}

/*
 * Returns a control block of the header's length in *ret_control (the
 * caller's), or NULL if it has none. The result is 1 when there are descriptors in it.
 */
static int control_read(struct call *call, const struct msghdr *header, void **ret_control)
{
	void *control;

	*ret_control = NULL;
	if (!header->msg_control || !header->msg_controllen)
		return 0;
	if (header->msg_controllen > CONTROL_MAX)
		return -ENOBUFS;
	control = calloc(1, header->msg_controllen);
	if (!control)
		return -ENOMEM;
	if (memory_read(call, (uintptr_t)header->msg_control, control, header->msg_controllen)) {
		free(control);
		return -EFAULT;
	}
	*ret_control = control;
	return control_foreign(header, control);
}

static int64_t gather(struct call *call, const struct msghdr *header)
{
	struct iovec *parts;
	int64_t total = memory_read_parts(call, (uintptr_t)header->msg_iov, header->msg_iovlen, &parts);

	if (total < 0)
		return total;
	if (call->descriptor.type != SOCK_STREAM && total > 65535)
		total = -EMSGSIZE;
	if (total >= 0)
		total = memory_gather(call, parts, header->msg_iovlen, call->scratch, SCRATCH_SIZE);
	free(parts);
	return total;
}

static int64_t send_datagram_message(struct call *call, const struct msghdr *header)
{
	int64_t length = gather(call, header), r;
	void *control;

	if (length < 0)
		return length;
	r = control_read(call, header, &control);
	if (r < 0)
		return r;
	r = send_datagram(call, header, call->scratch, (size_t)length, control);
	free(control);
	return r;
}

/* A stream's bytes, sent by us because of what came with them. */
static int64_t send_stream_bytes(struct call *call, size_t length, int flags)
{
	ssize_t sent =
		send(call->descriptor.fd, call->scratch, length, (flags & ~MSG_FASTOPEN) | MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent >= 0)
		return sent;
	if (errno == EAGAIN && !(flags & MSG_DONTWAIT) && !descriptor_nonblocking(&call->descriptor))
		return CALL_PENDING;
	return errno == ENOTCONN ? -EPIPE : -errno;
}

static int64_t may_wait(struct call *call, int64_t r, int flags)
{
	if (r == -EAGAIN && !(flags & MSG_DONTWAIT) && !descriptor_nonblocking(&call->descriptor))
		return CALL_PENDING; /* the daemon is full: every tick again */
	return r;
}

static int64_t attempt_sendto(struct call *call)
{
	size_t length = MIN(call->args[2], (uint64_t)SCRATCH_SIZE);
	struct msghdr header = { .msg_name = (void *)(uintptr_t)call->args[4],
				 .msg_namelen = (socklen_t)call->args[5] };
	int flags = (int)call->args[3];

	if (call->descriptor.type != SOCK_STREAM && call->args[2] > 65535)
		return -EMSGSIZE;
	if ((int)header.msg_namelen < 0 || header.msg_namelen > sizeof(struct sockaddr_storage))
		return -EINVAL;
	if (memory_read(call, call->args[1], call->scratch, length))
		return -EFAULT;
	if (call->descriptor.type == SOCK_STREAM)
		return send_stream_bytes(call, length, flags);
	return may_wait(call, send_datagram(call, &header, call->scratch, length, NULL), flags);
}

static void prepare(struct call *call, int64_t (*attempt)(struct call *call))
{
	call->attempt = attempt;
	call->wait_events = call->descriptor.type == SOCK_STREAM ? EPOLLOUT : 0;
	call->timeout_option = SO_SNDTIMEO;
	call->timeout_result = -EAGAIN;
}

static int64_t begin_sendto(struct call *call)
{
	prepare(call, attempt_sendto);
	return attempt_sendto(call);
}

int64_t handle_sendto(struct call *call)
{
	if ((int)call->args[3] & MSG_FASTOPEN && call->descriptor.type == SOCK_STREAM)
		return connect_and_send(call, call->args[4], (int)call->args[5], begin_sendto);
	return begin_sendto(call);
}

/* On a stream: is there anything that AF_UNIX would take otherwise? Then send it here. */
static int64_t send_stream_message(struct call *call, const struct msghdr *header, int flags)
{
	void *control;
	int64_t r = control_read(call, header, &control);

	if (r < 0)
		return r;
	free(control);
	if (!header->msg_name && !r)
		return CALL_CONTINUE;
	r = gather(call, header);
	return r < 0 ? r : send_stream_bytes(call, (size_t)r, flags);
}

static int64_t attempt_sendmsg(struct call *call)
{
	int flags = (int)call->args[2], r;
	struct msghdr header;

	r = message_read(call, call->args[1], &header);
	if (r)
		return r;
	if (call->descriptor.type == SOCK_STREAM)
		return send_stream_message(call, &header, flags);
	return may_wait(call, send_datagram_message(call, &header), flags);
}

static int64_t begin_sendmsg(struct call *call)
{
	prepare(call, attempt_sendmsg);
	return attempt_sendmsg(call);
}

int64_t handle_sendmsg(struct call *call)
{
	struct msghdr header;
	int r;

	if ((int)call->args[2] & MSG_FASTOPEN && call->descriptor.type == SOCK_STREAM) {
		r = message_read(call, call->args[1], &header);
		if (r)
			return r;
		if (header.msg_name)
			return connect_and_send(call, (uintptr_t)header.msg_name, (int)header.msg_namelen,
						begin_sendmsg);
	}
	return begin_sendmsg(call);
}

static int64_t attempt_sendmmsg(struct call *call)
{
	uint32_t count = (uint32_t)MIN((uint32_t)call->args[2], (uint32_t)MESSAGES_MAX), sent = 0;
	int64_t r = 0;

	for (; sent < count; sent++) {
		uint64_t at = call->args[1] + sent * sizeof(struct mmsghdr);
		struct msghdr header;
		uint32_t length;

		r = message_read(call, at, &header);
		if (!r)
			r = send_datagram_message(call, &header);
		if (r < 0)
			break;
		length = (uint32_t)r;
		if (memory_write(call, at + offsetof(struct mmsghdr, msg_len), &length, sizeof(length)))
			return -EFAULT;
	}
	return sent ? (int64_t)sent : may_wait(call, r, (int)call->args[3]);
}

int64_t handle_sendmmsg(struct call *call)
{
	if (call->descriptor.type == SOCK_STREAM)
		return CALL_CONTINUE;
	prepare(call, attempt_sendmmsg);
	return attempt_sendmmsg(call);
}
