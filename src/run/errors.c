/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of datagram sockets: a datagram that was sent earlier is answered by
 * an ICMP error. Linux wakes the program, fails its next call once, and with
 * IP_RECVERR keeps the whole story for recvmsg(MSG_ERRQUEUE). Here a mark in
 * the socket's queue wakes it (TAG_ERROR); the story is asked of the daemon.
 */
#include "run/supervisor.h"

#include "run/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

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

void error_forget(struct call *call)
{
	struct channel_message message;
	int error;

	call_message(call, &message, CHANNEL_GETSOCKOPT);
	message.level = SOL_SOCKET;
	message.option = SO_ERROR;
	message.value = sizeof(error);
	call_ask(call, &message, NULL, 0, &error, sizeof(error));
}

int64_t error_receive(struct call *call, size_t room, struct received_error *ret_error)
{
	struct channel_message message;
	int64_t r;

	if (call->descriptor.type == SOCK_STREAM || call->descriptor.domain == AF_NETLINK)
		return -EAGAIN; /* nothing is ever queued there */
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
