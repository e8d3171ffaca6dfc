/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char bytes[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int fdpass_send(int socket, const struct iovec *parts, size_t part_count, const int *fds, size_t count, int flags)
{
	union control control = { { 0 } };
	struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = part_count };
	ssize_t sent;

	if (count > FDPASS_MAX)
		return -EINVAL;
	if (count) {
		struct cmsghdr *head;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	do {
		sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Give the first *count descriptors of message to fds and close the others. */
static void take_descriptors(struct msghdr *message, int *fds, size_t *count)
{
	size_t taken = 0;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
		size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
			if (count && taken < *count)
				fds[taken++] = fd;
			else
				close(fd);
		}
	}
	if (count)
		*count = taken;
}

ssize_t fdpass_receive(int socket, const struct iovec *parts, size_t part_count, int *ret_fds, size_t *ret_count,
		       int flags)
{
	union control control;
	struct msghdr message = {
		.msg_iov = (struct iovec *)parts,
		.msg_iovlen = part_count,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t received;

	do {
		received = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	} while (received < 0 && errno == EINTR);
	if (received < 0) {
		if (ret_count)
			*ret_count = 0;
		return -errno;
	}
	take_descriptors(&message, ret_fds, ret_count);
	if (message.msg_flags & MSG_TRUNC) {
		for (size_t i = 0; ret_count && i < *ret_count; i++)
			close(ret_fds[i]);
		if (ret_count)
			*ret_count = 0;
		return -EMSGSIZE;
	}
	return received;
}
