/* SPDX-License-Identifier: BSD-2-Clause */
/* Scattered memory, as sendmsg() and recvmsg() have it. */
#include "core/socket/socket.h"

#include <limits.h>

size_t message_size_of_many(const struct berth_message *message)
{
	size_t size = 0;

	for (size_t i = 0; i < message->part_count; i++) {
		if (message->parts[i].iov_len > SSIZE_MAX - size)
			return SSIZE_MAX;
		size += message->parts[i].iov_len;
	}
	return size;
}

/* Copy between flat and the parts from offset on; scatter says in which direction. */
static size_t copy(const struct berth_message *message, size_t offset, uint8_t *flat, size_t length, bool scatter)
{
	size_t done = 0;

	for (size_t i = 0; i < message->part_count && done < length; i++) {
		const struct iovec *part = &message->parts[i];
		size_t piece;

		if (offset >= part->iov_len) {
			offset -= part->iov_len;
			continue;
		}
		piece = MIN(part->iov_len - offset, length - done);
		if (scatter)
			memcpy((uint8_t *)part->iov_base + offset, flat + done, piece);
		else
			memcpy(flat + done, (uint8_t *)part->iov_base + offset, piece);
		done += piece;
		offset = 0;
	}
	return done;
}

/* Do the bytes at offset lie in the first piece, as in most calls? */
static bool in_one_piece(const struct berth_message *message, size_t offset, size_t length)
{
	const struct iovec *part = message->parts;

	return length && message->part_count == 1 && offset <= part->iov_len && length <= part->iov_len - offset;
}

size_t message_scatter(const struct berth_message *message, size_t offset, const void *bytes, size_t length)
{
	if (!in_one_piece(message, offset, length))
		return copy(message, offset, (uint8_t *)(uintptr_t)bytes, length, true);
	memcpy((uint8_t *)message->parts->iov_base + offset, bytes, length);
	return length;
}

size_t message_gather(const struct berth_message *message, size_t offset, void *bytes, size_t length)
{
	if (!in_one_piece(message, offset, length))
		return copy(message, offset, bytes, length, false);
	memcpy(bytes, (const uint8_t *)message->parts->iov_base + offset, length);
	return length;
}

/* Linux: put_cmsg(). */
void message_put_control(struct berth_message *message, size_t *used, int level, int type, const void *data,
			 size_t size)
{
	size_t room = message->control ? message->control_length - *used : 0;
	struct cmsghdr header = { .cmsg_len = MIN(CMSG_LEN(size), room), .cmsg_level = level, .cmsg_type = type };
	uint8_t *at = (uint8_t *)message->control + *used;

	if (room < CMSG_LEN(size))
		message->flags |= MSG_CTRUNC;
	if (room < sizeof(header))
		return;
	memcpy(at, &header, sizeof(header));
	memcpy(at + CMSG_LEN(0), data, header.cmsg_len - CMSG_LEN(0));
	*used += MIN(CMSG_SPACE(size), room);
}
