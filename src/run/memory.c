/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's memory, by process_vm_readv(2) and process_vm_writev(2), or
 * where a container's profile refuses these, by /proc/PID/mem. The
 * kernel checks every address; what it refuses is EFAULT. Nothing here trusts
 * a length: sums are clipped before they can overflow.
 */
#include "run/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOTAL_MAX 0x7ffff000 /* Linux: MAX_RW_COUNT */

static bool was_refused(ssize_t result)
{
	return result < 0 && (errno == EPERM || errno == ENOSYS);
}

/* The memory's file, after a call of this kind was refused; to ask costs three calls in place of one. */
static int memory_open(const struct call *call, int flags)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", call->tid);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		say_once(call->supervisor, "the program's memory can't be reached: %s (see memory in berth doctor)",
			 strerror(errno));
	return fd;
}

static int read_file(const struct call *call, uint64_t address, void *to, size_t length)
{
	int fd = memory_open(call, O_RDONLY);
	bool good = fd >= 0 && pread(fd, to, length, (off_t)address) == (ssize_t)length;

	if (fd >= 0)
		close(fd);
	return good ? 0 : -EFAULT;
}

static int write_file(const struct call *call, uint64_t address, const void *from, size_t length)
{
	int fd = memory_open(call, O_WRONLY);
	bool good = fd >= 0 && pwrite(fd, from, length, (off_t)address) == (ssize_t)length;

	if (fd >= 0)
		close(fd);
	return good ? 0 : -EFAULT;
}

int memory_read(const struct call *call, uint64_t address, void *to, size_t length)
{
	struct iovec local = { to, length }, remote = { (void *)(uintptr_t)address, length };
	ssize_t n;

	if (!length)
		return 0;
	n = process_vm_readv(call->tid, &local, 1, &remote, 1, 0);
	if (was_refused(n))
		return read_file(call, address, to, length);
	return n == (ssize_t)length ? 0 : -EFAULT;
}

int memory_write(const struct call *call, uint64_t address, const void *from, size_t length)
{
	struct iovec local = { (void *)from, length }, remote = { (void *)(uintptr_t)address, length };

	ssize_t n;

	if (!length)
		return 0;
	n = process_vm_writev(call->tid, &local, 1, &remote, 1, 0);
	if (was_refused(n))
		return write_file(call, address, from, length);
	return n == (ssize_t)length ? 0 : -EFAULT;
}

int memory_read_address(const struct call *call, uint64_t address, int64_t length, struct sockaddr_storage *to)
{
	int size = (int)length; /* the kernel takes an int */

	memset(to, 0, sizeof(*to));
	if (size < 0 || (size_t)size > sizeof(*to))
		return -EINVAL;
	return memory_read(call, address, to, (size_t)size);
}

int memory_write_address(const struct call *call, uint64_t address, uint64_t length_at, const void *from,
			 socklen_t length)
{
	struct iovec local[] = { { (void *)from, 0 }, { &length, sizeof(length) } };
	struct iovec remote[] = { { (void *)(uintptr_t)address, 0 }, { (void *)(uintptr_t)length_at, sizeof(length) } };
	ssize_t n;
	int room;

	if (memory_read(call, length_at, &room, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	local[0].iov_len = remote[0].iov_len = MIN((socklen_t)room, length);
	n = process_vm_writev(call->tid, local, 2, remote, 2, 0);
	if (was_refused(n) && !memory_write(call, address, from, local[0].iov_len))
		return memory_write(call, length_at, &length, sizeof(length));
	return n == (ssize_t)(local[0].iov_len + sizeof(length)) ? 0 : -EFAULT;
}

int64_t memory_read_parts(const struct call *call, uint64_t address, uint64_t count, struct iovec **ret_parts)
{
	struct iovec *parts;
	uint64_t total = 0;

	if (count > MEMORY_PARTS_MAX)
		return -EMSGSIZE;
	parts = calloc(count + 1, sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	if (memory_read(call, address, parts, count * sizeof(*parts))) {
		free(parts);
		return -EFAULT;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (parts[i].iov_len > SSIZE_MAX) {
			free(parts);
			return -EINVAL;
		}
		parts[i].iov_len = MIN(parts[i].iov_len, TOTAL_MAX - total);
		total += parts[i].iov_len;
	}
	*ret_parts = parts;
	return (int64_t)total;
}

int64_t memory_gather(const struct call *call, const struct iovec *parts, size_t count, void *to, size_t room)
{
	size_t done = 0;

	for (size_t i = 0; i < count && done < room; i++) {
		size_t length = MIN(parts[i].iov_len, room - done);

		if (memory_read(call, (uintptr_t)parts[i].iov_base, (uint8_t *)to + done, length))
			return -EFAULT;
		done += length;
	}
	return (int64_t)done;
}

int64_t memory_scatter(const struct call *call, const struct iovec *parts, size_t count, const void *from,
		       size_t length)
{
	size_t done = 0;

	for (size_t i = 0; i < count && done < length; i++) {
		size_t piece = MIN(parts[i].iov_len, length - done);

		if (memory_write(call, (uintptr_t)parts[i].iov_base, (const uint8_t *)from + done, piece))
			return -EFAULT;
		done += piece;
	}
	return (int64_t)done;
}
