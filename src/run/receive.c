/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recvfrom(), recvmsg() and recvmmsg(): when the program wants to know where
 * something came from. It is read from our copy of the descriptor, so the queue
 * is one whether the program reads natively or here.
 *
 * Datagrams carry a tag (channel.h) that says where from. Streams have no
 * addresses: Linux's TCP reports a name of length 0, AF_UNIX would tell our own.
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONTROL_ROOM 512

/* One datagram, or a piece of a stream, as it came out of the kernel. */
struct received {
	struct iovec *parts; /* the program's */
	size_t part_count;
	size_t length; /* bytes in scratch */
	size_t whole;  /* of the datagram */
	struct channel_tag tag;
	bool tagged;
	_Alignas(struct cmsghdr) uint8_t extra[TAG_EXTRA_MAX];
	size_t extra_length;
	uint8_t control[CONTROL_ROOM];
	size_t control_length, control_whole;
};

static void control_add(struct received *received, int level, int type, const void *data, size_t length)
{
	struct cmsghdr head = { .cmsg_len = CMSG_LEN(length), .cmsg_level = level, .cmsg_type = type };
	uint8_t *at = received->control + received->control_length;

	if (received->control_length + CMSG_SPACE(length) > CONTROL_ROOM)
		return;
	memset(at, 0, CMSG_SPACE(length));
	memcpy(at, &head, sizeof(head));
	memcpy(at + CMSG_LEN(0), data, length);
	received->control_length += CMSG_SPACE(length);
}

static void tag_read(struct received *received, int fd)
{
	received->extra_length = 0;
	received->tagged = tag_take(fd, &received->tag);
	if (received->tagged && received->tag.extra_length) {
		ssize_t length = pread(fd, received->extra, MIN(received->tag.extra_length, (uint32_t)TAG_EXTRA_MAX),
				       sizeof(received->tag));
		received->extra_length = (size_t)MAX(length, 0);
	}
	received->tag.source_length = MIN(received->tag.source_length, (uint16_t)CHANNEL_ADDRESS_MAX);
	received->tag.destination_length = MIN(received->tag.destination_length, (uint16_t)CHANNEL_ADDRESS_MAX);
}

/* The tag is ours; of the rest, what SOL_SOCKET options asked the kernel for is the program's. */
static void take_control(struct received *received, struct msghdr *header)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(header); head; head = CMSG_NXTHDR(header, head)) {
		size_t length = head->cmsg_len - CMSG_LEN(0);

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type == SCM_CREDENTIALS)
			continue;
		if (head->cmsg_type != SCM_RIGHTS) {
			control_add(received, SOL_SOCKET, head->cmsg_type, CMSG_DATA(head), length);
			continue;
		}
		for (size_t i = 0; i < length / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
			tag_read(received, fd);
			close(fd);
		}
	}
}

/*
 * Where it came from is an address, whoever sent it. Linux: UDP always has one; one whose tag is lost (datagram.c), or
 * is another program's bad joke (far.c), comes from nowhere.
 */
static void check_source(struct received *received, const struct descriptor *descriptor)
{
	uint16_t length = descriptor->domain == AF_INET6     ? sizeof(struct sockaddr_in6)
			  : descriptor->domain == AF_NETLINK ? sizeof(struct sockaddr_nl) /* the kernel's: port 0 */
							     : sizeof(struct sockaddr_in);
	sa_family_t family = (sa_family_t)descriptor->domain;

	if (descriptor->type == SOCK_STREAM)
		return;
	if (received->tagged && received->tag.source_length == length &&
	    !memcmp(received->tag.source, &family, sizeof(family)))
		return;
	received->tagged = true;
	received->tag = (struct channel_tag){ .kind = TAG_DATAGRAM, .source_length = length };
	memcpy(received->tag.source, &family, sizeof(family));
}

/*
 * Whether the daemon's end of a datagram socket is gone, which is when the daemon is: the program ends soon, and is not
 * to take the end of file for an empty datagram meanwhile. A shutdown() of the program's ends only one way (calls.c).
 */
static bool is_parted(int fd)
{
	struct pollfd end = { .fd = fd };

	return poll(&end, 1, 0) == 1 && end.revents & POLLHUP;
}

/* Take one from the queue into scratch; room is what the program has. Returns 0 or -errno. */
static int take(struct call *call, struct received *received, size_t room, int flags)
{
	struct iovec part = { call->scratch, MIN(room, (size_t)SCRATCH_SIZE) };
	union {
		uint8_t bytes[CONTROL_ROOM];
		struct cmsghdr align;
	} control;
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	int own = flags & (MSG_PEEK | MSG_OOB);
	ssize_t length =
		recvmsg(call->descriptor.fd, &header,
			own | MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (call->descriptor.type == SOCK_STREAM ? 0 : MSG_TRUNC));

	if (length < 0)
		return error_told(call, errno) ? -errno : -EAGAIN;
	received->whole = (size_t)length;
	received->length = MIN((size_t)length, part.iov_len);
	take_control(received, &header);
	if (!length && !received->tagged && call->descriptor.type != SOCK_STREAM && is_parted(call->descriptor.fd))
		return -ENETDOWN;
	if (received->tagged && received->tag.kind == TAG_ERROR) {
		if (!(flags & MSG_PEEK))
			error_forget(call);
		return -received->tag.error;
	}
	check_source(received, &call->descriptor);
	return 0;
}

static uint32_t want_of(const struct cmsghdr *head)
{
	if (head->cmsg_level == IPPROTO_IPV6)
		return head->cmsg_type == IPV6_ORIGDSTADDR ? WANT_ORIGINAL : 0;
	if (head->cmsg_level != IPPROTO_IP)
		return 0;
	return head->cmsg_type == IP_RECVOPTS	   ? WANT_OPTIONS
	       : head->cmsg_type == IP_RETOPTS	   ? WANT_RETURN_OPTIONS
	       : head->cmsg_type == IP_ORIGDSTADDR ? WANT_ORIGINAL
						   : 0;
}

/* Another program may have written the tag (far.c): what was asked for is shown, and nothing else. */
static void add_extra(struct received *received, uint32_t wants)
{
	struct msghdr message = { .msg_control = received->extra, .msg_controllen = received->extra_length };

	for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
		size_t at = (size_t)((uint8_t *)head - received->extra);

		if (head->cmsg_len < CMSG_LEN(0) || head->cmsg_len > received->extra_length - at)
			return;
		if (wants & want_of(head))
			control_add(received, head->cmsg_level, head->cmsg_type, CMSG_DATA(head),
				    head->cmsg_len - CMSG_LEN(0));
	}
}

static void add_packet_info(struct received *received, const struct descriptor *descriptor, uint32_t wants)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)received->tag.destination;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)received->tag.destination;
	int ttl = (int)received->tag.ttl, class = (int)received->tag.traffic_class;
	uint8_t tos = (uint8_t) class;

	if (descriptor->domain == AF_INET) {
		struct in_pktinfo info = { .ipi_ifindex = (int)received->tag.link_index,
					   .ipi_spec_dst = in->sin_addr,
					   .ipi_addr = in->sin_addr };
		if (wants & WANT_PKTINFO)
			control_add(received, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
		if (wants & WANT_TTL)
			control_add(received, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		if (wants & WANT_TOS)
			control_add(received, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	} else if (descriptor->domain == AF_INET6) {
		struct in6_pktinfo info = { .ipi6_addr = in6->sin6_addr, .ipi6_ifindex = received->tag.link_index };

		if (wants & WANT_PKTINFO)
			control_add(received, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
		if (wants & WANT_TTL)
			control_add(received, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
		if (wants & WANT_TOS)
			control_add(received, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
	}
}

/* Write control messages, cut where the room ends. Returns how much of it is used, or -EFAULT. Linux: put_cmsg() */
static int64_t control_write(struct call *call, struct msghdr *header, uint8_t *control, size_t length)
{
	size_t room = header->msg_control ? header->msg_controllen : 0, used = 0;

	while (used < length) {
		struct cmsghdr head;
		size_t left = room - used;

		memcpy(&head, control + used, sizeof(head));
		if (left < head.cmsg_len) {
			header->msg_flags |= MSG_CTRUNC;
			head.cmsg_len = left;
			memcpy(control + used, &head, sizeof(head));
			used = left < sizeof(head) ? used : room;
			break;
		}
		used += MIN(CMSG_ALIGN(head.cmsg_len), left);
	}
	return memory_write(call, (uintptr_t)header->msg_control, control, used) ? -EFAULT : (int64_t)used;
}

/* The same from the queue of errors. Linux: ip_recv_error() */
static int64_t receive_error(struct call *call, struct msghdr *header, int flags)
{
	struct received_error error;
	struct iovec *parts;
	int64_t room = memory_read_parts(call, (uintptr_t)header->msg_iov, header->msg_iovlen, &parts), r;

	if (room < 0)
		return room;
	r = error_receive(call, (size_t)room, &error);
	if (!r)
		r = memory_scatter(call, parts, header->msg_iovlen, error.bytes, error.length);
	free(parts);
	if (r < 0)
		return r;
	if (header->msg_name && memory_write(call, (uintptr_t)header->msg_name, error.address,
					     MIN(header->msg_namelen, error.address_length)))
		return -EFAULT;
	header->msg_namelen = error.address_length;
	header->msg_flags = error.flags | (flags & MSG_CMSG_CLOEXEC);
	r = control_write(call, header, error.control, error.control_length);
	if (r < 0)
		return r;
	header->msg_controllen = (size_t)r;
	return (int64_t)error.length;
}

/* One message for *header (in the program's terms). Returns what recvmsg() does; fills header's outputs. */
static int64_t receive_one(struct call *call, struct msghdr *header, int flags)
{
	struct received received = { 0 };
	bool stream = call->descriptor.type == SOCK_STREAM;
	struct iovec *parts;
	int64_t room, r;
	socklen_t name_length;

	if (flags & MSG_ERRQUEUE)
		return receive_error(call, header, flags);
	room = memory_read_parts(call, (uintptr_t)header->msg_iov, header->msg_iovlen, &parts);
	if (room < 0)
		return room;
	r = take(call, &received, (size_t)room, flags);
	if (r == -EINVAL && stream && !call->descriptor.carried)
		r = -ENOTCONN; /* Linux: tcp_recvmsg() */
	if (!r)
		r = memory_scatter(call, parts, header->msg_iovlen, call->scratch, received.length);
	free(parts);
	if (r < 0)
		return r;
	name_length = stream || !received.tagged ? 0 : received.tag.source_length;
	if (header->msg_name &&
	    memory_write(call, (uintptr_t)header->msg_name, received.tag.source, MIN(header->msg_namelen, name_length)))
		return -EFAULT;
	header->msg_namelen = name_length;
	if (received.tagged) {
		uint32_t wants = hint_get(call->supervisor, call->descriptor.id).wants;
		add_packet_info(&received, &call->descriptor, wants);
		add_extra(&received, wants);
	}
	header->msg_flags = received.whole > received.length && !stream ? MSG_TRUNC : 0;
	header->msg_flags |= flags & MSG_CMSG_CLOEXEC;
	r = control_write(call, header, received.control, received.control_length);
	if (r < 0)
		return r;
	header->msg_controllen = (size_t)r;
	return (int64_t)(flags & MSG_TRUNC && !stream ? received.whole : received.length);
}

static int64_t may_wait(struct call *call, int64_t r, int flags)
{
	if (r != -EAGAIN || flags & (MSG_DONTWAIT | MSG_ERRQUEUE) || descriptor_nonblocking(&call->descriptor))
		return r;
	return CALL_PENDING;
}

/* Write back what recvmsg() changes, wherever the header is. Linux: ____sys_recvmsg(). */
int message_write(struct call *call, uint64_t at, const struct msghdr *header)
{
	if (header->msg_name &&
	    memory_write(call, at + offsetof(struct msghdr, msg_namelen), &header->msg_namelen, sizeof(socklen_t)))
		return -EFAULT;
	if (memory_write(call, at + offsetof(struct msghdr, msg_flags), &header->msg_flags, sizeof(int)))
		return -EFAULT;
	return memory_write(call, at + offsetof(struct msghdr, msg_controllen), &header->msg_controllen,
			    sizeof(size_t));
}

static int64_t receive_error_from(struct call *call)
{
	struct received_error error;
	int64_t r = error_receive(call, call->args[2], &error);

	if (r < 0)
		return r;
	if (memory_write(call, call->args[1], error.bytes, MIN(error.length, call->args[2])))
		return -EFAULT;
	r = memory_write_address(call, call->args[4], call->args[5], error.address, error.address_length);
	return r ? r : (int64_t)error.length;
}

/* recvfrom() has no iovec in the program's memory, so this does without. */
static int64_t attempt_recvfrom(struct call *call)
{
	struct received received = { 0 };
	int flags = (int)call->args[3];
	bool stream = call->descriptor.type == SOCK_STREAM;
	int64_t r;

	if (flags & MSG_ERRQUEUE)
		return receive_error_from(call);
	r = take(call, &received, call->args[2], flags);
	if (r == -EINVAL && stream && !call->descriptor.carried)
		r = -ENOTCONN;
	if (r)
		return may_wait(call, r, flags);
	/* tcp(7): MSG_TRUNC on a stream takes bytes and throws them away. */
	if (!(stream && flags & MSG_TRUNC) && memory_write(call, call->args[1], call->scratch, received.length))
		return -EFAULT;
	r = call->args[4] ? memory_write_address(call, call->args[4], call->args[5], received.tag.source,
						 stream || !received.tagged ? 0 : received.tag.source_length)
			  : 0;
	if (r)
		return r;
	return (int64_t)(flags & MSG_TRUNC && !stream ? received.whole : received.length);
}

static void prepare(struct call *call, int64_t (*attempt)(struct call *call))
{
	call->attempt = attempt;
	call->wait_events = EPOLLIN;
	call->timeout_option = SO_RCVTIMEO;
	call->timeout_result = -EAGAIN;
}

int64_t handle_recvfrom(struct call *call)
{
	prepare(call, attempt_recvfrom);
	return attempt_recvfrom(call);
}

static int64_t attempt_recvmsg(struct call *call)
{
	struct msghdr header;
	int flags = (int)call->args[2];
	int64_t r = message_read(call, call->args[1], &header);

	if (r)
		return r;
	if (call->descriptor.type == SOCK_STREAM && !header.msg_name && !(flags & MSG_ERRQUEUE))
		return CALL_CONTINUE;
	r = receive_one(call, &header, flags);
	if (r < 0)
		return may_wait(call, r, flags);
	return message_write(call, call->args[1], &header) ? -EFAULT : r;
}

int64_t handle_recvmsg(struct call *call)
{
	prepare(call, attempt_recvmsg);
	return attempt_recvmsg(call);
}

/* One more of recvmmsg()'s messages, which begins at. Returns 0 or -errno. */
static int64_t receive_next(struct call *call, uint64_t at, int flags)
{
	struct msghdr header;
	uint32_t length;
	int64_t r = message_read(call, at, &header);

	if (!r)
		r = receive_one(call, &header, flags);
	if (r < 0)
		return r;
	length = (uint32_t)r;
	if (message_write(call, at, &header) ||
	    memory_write(call, at + offsetof(struct mmsghdr, msg_len), &length, sizeof(length)))
		return -EFAULT;
	return 0;
}

/* What is left of the time goes back to the program. */
static int64_t batch_finish(struct call *call)
{
	int64_t left = MAX(call->batch_end_ns - now_ns(), 0);
	struct timespec time = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };

	if (call->args[4] && memory_write(call, call->args[4], &time, sizeof(time)))
		return -EFAULT;
	return call->done;
}

/*
 * Linux: do_recvmmsg(). Waits for all of them, or with MSG_WAITFORONE for the
 * first; looks at the time only when something has come. An error counts when
 * nothing has.
 */
static int64_t attempt_recvmmsg(struct call *call)
{
	uint32_t count = MIN((uint32_t)call->args[2], 1024u);
	int flags = (int)call->args[3] & ~MSG_WAITFORONE;
	int64_t r = 0;

	while (call->done < count && !r) {
		r = receive_next(call, call->args[1] + (uint64_t)call->done * sizeof(struct mmsghdr), flags);
		if (r)
			break;
		call->timeout_result = (int)++call->done;
		if (call->args[4] && now_ns() >= call->batch_end_ns)
			return batch_finish(call);
	}
	if (r && !(call->done && (int)call->args[3] & MSG_WAITFORONE))
		r = may_wait(call, r, flags);
	if (r == CALL_PENDING)
		return r;
	return call->done ? batch_finish(call) : r;
}

int64_t handle_recvmmsg(struct call *call)
{
	struct timespec time;

	if (call->descriptor.type == SOCK_STREAM)
		return CALL_CONTINUE;
	prepare(call, attempt_recvmmsg);
	if (call->args[4]) {
		if (memory_read(call, call->args[4], &time, sizeof(time)))
			return -EFAULT;
		if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= 1000000000)
			return -EINVAL;
		call->batch_end_ns = now_ns() + MIN(time.tv_sec, 1000000000) * 1000000000 + time.tv_nsec;
	}
	return attempt_recvmmsg(call);
}
