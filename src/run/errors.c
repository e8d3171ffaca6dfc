/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of datagram sockets: a datagram that was sent earlier is answered by
 * an ICMP error. Linux wakes the program, fails its next call once, and with
 * IP_RECVERR keeps the whole story for recvmsg(MSG_ERRQUEUE). Here a mark in
 * the socket's queue wakes it (TAG_ERROR); the story is asked of the daemon.
 *
 * A mark is POLLIN, and traceroute waits for POLLERR. The kernel knows an error
 * of AF_UNIX that does not end the conversation: of SOCK_DGRAM, when a peer
 * connects elsewhere with datagrams unread. So the socket of a program that
 * wants errors and TTLs is replaced, while nobody can know it yet, by an end of
 * such a pair, whose other end the daemon takes and connects away and back
 * (datagram.c). Others' are not: of SOCK_DGRAM nobody tells the daemon of close().
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_MAX 512
#define ERROR_LAST 133 /* Linux: EHWPOISON */

bool tag_take(int fd, struct channel_tag *tag)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_WRITE) || pread(fd, tag, sizeof(*tag), 0) != (ssize_t)sizeof(*tag))
		return false;
	if (tag->kind == TAG_ERROR && (tag->error <= 0 || tag->error > ERROR_LAST))
		tag->error = EPROTO;
	return true;
}

/* Is what is next in the socket's queue a mark? */
static bool mark_is_next(int fd)
{
	union {
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr header = { .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct channel_tag tag = { .kind = TAG_DATAGRAM };
	struct cmsghdr *head;
	int tag_fd;

	if (recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return false;
	head = CMSG_FIRSTHDR(&header);
	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return false;
	memcpy(&tag_fd, CMSG_DATA(head), sizeof(tag_fd));
	if (!tag_take(tag_fd, &tag))
		tag.kind = TAG_DATAGRAM;
	close(tag_fd);
	return tag.kind == TAG_ERROR;
}

void error_seen(const struct call *call)
{
	char nothing;

	if (call->descriptor.type == SOCK_STREAM || call->descriptor.domain == AF_NETLINK)
		return;
	while (mark_is_next(call->descriptor.fd))
		if (recv(call->descriptor.fd, &nothing, 0, MSG_DONTWAIT) < 0)
			return;
}

static int native_type(int fd)
{
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }) ? -1 : type;
}

/* Takes the kernel's own error off the socket: the daemon raises it again while there is more to tell. */
static void lower(int fd)
{
	int error;

	if (native_type(fd) == SOCK_DGRAM)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) });
}

void error_forget(struct call *call)
{
	struct channel_message message;
	int error;

	lower(call->descriptor.fd);
	call_message(call, &message, CHANNEL_GETSOCKOPT);
	message.level = SOL_SOCKET;
	message.option = SO_ERROR;
	message.value = sizeof(error);
	call_ask(call, &message, NULL, 0, &error, sizeof(error));
}

int error_told(struct call *call, int error)
{
	struct channel_message message;
	int told = 0;

	if (error != ECONNRESET || call->descriptor.type == SOCK_STREAM)
		return errno = error;
	call_message(call, &message, CHANNEL_GETSOCKOPT);
	message.level = SOL_SOCKET;
	message.option = SO_ERROR;
	message.value = sizeof(told);
	if (call_ask(call, &message, NULL, 0, &told, sizeof(told)) < 0)
		told = 0;
	return errno = told;
}

struct knowers {
	char socket[DESCRIPTOR_TARGET];
	unsigned count, epolls;
};

static void count_knower(void *context, int number, const char *target)
{
	struct knowers *knowers = context;

	knowers->count += !strcmp(target, knowers->socket);
	knowers->epolls += !strcmp(target, "anon_inode:[eventpoll]");
}

/* Does anything else know the socket that the call's process has: another descriptor, an epoll, a signal? */
static bool is_known(const struct call *call)
{
	struct knowers knowers = { .count = 0 };

	descriptor_target(descriptor_inode(call->descriptor.fd), knowers.socket);
	descriptors_each(call->tid, count_knower, &knowers);
	return knowers.count != 1 || knowers.epolls || fcntl(call->descriptor.fd, F_GETFL) & O_ASYNC;
}

/* What the kernel was told of the old one. */
static void copy_options(int from, int to)
{
	static const int options[] = { SO_TIMESTAMP, SO_TIMESTAMPNS, SO_RCVTIMEO, SO_SNDTIMEO };

	for (size_t i = 0; i < COUNT_OF(options); i++) {
		uint8_t value[32];
		socklen_t length = sizeof(value);
		int number = 0;

		if (getsockopt(from, SOL_SOCKET, options[i], value, &length))
			continue;
		memcpy(&number, value, sizeof(number));
		if (number || length > sizeof(number))
			setsockopt(to, SOL_SOCKET, options[i], value, length);
	}
	fcntl(to, F_SETFL, fcntl(from, F_GETFL) & O_NONBLOCK);
}

/* pair[0] for the program, with the old one's name and options. */
static int make_pair(const struct call *call, int pair[2])
{
	struct sockaddr_un name, none = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(name);

	if (getsockname(call->descriptor.fd, (struct sockaddr *)&name, &length) < 0 ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* Linux: names are apart by type. The daemon's end gets one of the kernel's choice. */
	if (bind(pair[0], (struct sockaddr *)&name, length) < 0 ||
	    bind(pair[1], (struct sockaddr *)&none, sizeof(none.sun_family)) < 0) {
		close(pair[0]);
		close(pair[1]);
		return -EADDRINUSE;
	}
	copy_options(call->descriptor.fd, pair[0]);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	descriptor_grow_buffer(pair[0]);
	return 0;
}

void error_raise(struct call *call)
{
	struct supervisor *supervisor = call->supervisor;
	struct hint hint = hint_get(supervisor, call->descriptor.id);
	struct pollfd waiting = { .fd = call->descriptor.fd, .events = POLLIN };
	struct channel_message message;
	int pair[2] = { -1, -1 }, number = (int)call->args[0];

	if (supervisor->holders || call->descriptor.protocol != IPPROTO_UDP || !(hint.wants & WANT_ERRORS) ||
	    !(hint.wants & WANT_TTL) || native_type(call->descriptor.fd) != SOCK_SEQPACKET ||
	    poll(&waiting, 1, 0) != 0 || is_known(call) || make_pair(call, pair))
		return;
	call_message(call, &message, CHANNEL_RAISE);
	if (call_replace_fd(call, number, pair[0]) == 0) {
		hint_set(supervisor, call->descriptor.id, call->tid, number, descriptor_inode(pair[0]));
		line_tell(supervisor, line_of(supervisor, message.id), &message, NULL, 0, pair[1]);
		/* The old one's end must come after that: have it taken. */
		call_message(call, &message, CHANNEL_GETSOCKNAME);
		call_ask(call, &message, NULL, 0, NULL, 0);
	}
	close(pair[0]);
	close(pair[1]);
}

int64_t error_receive(struct call *call, size_t room, struct received_error *ret_error)
{
	struct channel_message message;
	int64_t r;

	if (call->descriptor.type == SOCK_STREAM || call->descriptor.domain == AF_NETLINK)
		return -EAGAIN; /* nothing is ever queued there */
	lower(call->descriptor.fd);
	call_message(call, &message, CHANNEL_RECVERR);
	message.value = (int)MIN(room, (size_t)UINT16_MAX);
	r = call_ask(call, &message, NULL, 0, call->scratch, SCRATCH_SIZE);
	if (r < 0)
		return r;
	error_seen(call);
	message.payload_length = MIN(message.payload_length, (uint32_t)SCRATCH_SIZE);
	message.control_length = MIN(message.control_length, MIN(message.payload_length, (uint32_t)CONTROL_MAX));
	ret_error->control = call->scratch;
	ret_error->control_length = message.control_length;
	ret_error->bytes = call->scratch + message.control_length;
	ret_error->length = message.payload_length - message.control_length;
	ret_error->address_length = MIN(message.address_length, (uint16_t)CHANNEL_ADDRESS_MAX);
	memcpy(ret_error->address, message.address, sizeof(ret_error->address));
	ret_error->flags = MSG_ERRQUEUE | (message.value & MSG_TRUNC);
	return 0;
}
