/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a capture goes: cli/capture.h. Blocks are written whole: when a disk is
 * full, what is there is cut behind the last whole one, and can still be read.
 */
#include "cli/capture.h"

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BUFFER = 64 * 1024,
	LAST_MS = 500,
	OPTION_DROP_COUNT = 4,
	INTERFACES_MAX = 65536,
	STATISTICS_LENGTH = 64,
	WIDTH_MAX = 9
};

void heap_add(struct heap *heap, const void *bytes, size_t length)
{
	size_t room = heap->room ? heap->room : 4096;
	uint8_t *grown;

	while (room < heap->length + length)
		room *= 2;
	if (room != heap->room) {
		grown = cli_alloc(room);
		if (heap->length)
			memcpy(grown, heap->bytes, heap->length);
		free(heap->bytes);
		heap->bytes = grown;
		heap->room = room;
	}
	memcpy(heap->bytes + heap->length, bytes, length);
	heap->length += length;
}

void heap_free(struct heap *heap)
{
	free(heap->bytes);
	*heap = (struct heap){ 0 };
}

static uint32_t u32_at(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* Digits of the largest number below count. */
static int width_of(unsigned long count)
{
	int width = 1;

	for (count = count ? count - 1 : 0; count >= 10 && width < WIDTH_MAX; count /= 10)
		width++;
	return width;
}

/* As tcpdump names files: FILE, FILE1, FILE2; with -W FILE0 … FILE9; with -G as strftime(3) says. */
static int name_file(struct sink *sink)
{
	char base[sizeof(sink->path) - 32];
	struct tm tm;

	snprintf(base, sizeof(base), "%s", sink->file);
	if (sink->seconds && (!strftime(base, sizeof(base), sink->file, localtime_r(&sink->since, &tm)))) {
		fprintf(stderr, "berth capture: %s: no file name, with a time put in\n", sink->file);
		return CLI_FAILED;
	}
	if (sink->size && sink->count)
		snprintf(sink->path, sizeof(sink->path), "%s%0*lu", base, width_of(sink->count),
			 sink->number % sink->count);
	else if (sink->size && sink->number)
		snprintf(sink->path, sizeof(sink->path), "%s%lu", base, sink->number);
	else
		snprintf(sink->path, sizeof(sink->path), "%s", base);
	return CLI_OK;
}

int sink_open(struct sink *sink)
{
	sink->since = time(NULL);
	sink->written = sink->packets = 0;
	if (!strcmp(sink->file, "-")) {
		snprintf(sink->path, sizeof(sink->path), "standard output");
		sink->fd = STDOUT_FILENO;
	} else {
		if (name_file(sink))
			return CLI_FAILED;
		sink->fd = open(sink->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	}
	if (sink->fd < 0) {
		fprintf(stderr, "berth capture: %s: %s\n", sink->path, strerror(errno));
		return CLI_FAILED;
	}
	heap_add(&sink->buffer, sink->head.bytes ? sink->head.bytes : (const uint8_t *)"", sink->head.length);
	return CLI_OK;
}

/* The length of the whole blocks in the first length bytes of the buffer. */
static size_t whole_blocks(const struct sink *sink, size_t length)
{
	size_t at = 0;

	while (at + BLOCK_MIN <= length && at + u32_at(sink->buffer.bytes + at + 4) <= length)
		at += u32_at(sink->buffer.bytes + at + 4);
	return at;
}

/* Packets in the buffer from at, where a block begins. */
static unsigned long packets_from(const struct sink *sink, size_t at)
{
	unsigned long count = 0;

	for (; at + BLOCK_MIN <= sink->buffer.length; at += u32_at(sink->buffer.bytes + at + 4))
		count += u32_at(sink->buffer.bytes + at) == BLOCK_PACKET;
	return count;
}

static int write_failed(struct sink *sink, size_t done)
{
	int error = errno;
	size_t whole = whole_blocks(sink, done);
	off_t length = (off_t)(sink->written + whole);
	bool cut = sink->fd != STDOUT_FILENO && !ftruncate(sink->fd, length) && length;

	sink->unwritten = packets_from(sink, whole);
	sink->buffer.length = 0;
	if (error == EINTR)
		fprintf(stderr, "berth capture: %s: stopped while nobody read it\n", sink->path);
	else if (error != EPIPE) /* who reads has had enough */
		fprintf(stderr, "berth capture: %s: %s%s\n", sink->path, strerror(error),
			cut ? "; what was written until then can be read" : "");
	return CLI_FAILED;
}

/* When a signal has told us to end, a pipe is waited for no longer than a moment. It takes PIPE_BUF when poll() says so. */
static bool is_read(const struct sink *sink)
{
	struct pollfd ready = { .fd = sink->fd, .events = POLLOUT };

	return poll(&ready, 1, LAST_MS) == 1;
}

int sink_flush(struct sink *sink)
{
	size_t done = 0;

	while (done < sink->buffer.length) {
		size_t length = sink->buffer.length - done;
		ssize_t n;

		if (*sink->stopped && !is_read(sink))
			return errno = EINTR, write_failed(sink, done);
		if (*sink->stopped && length > PIPE_BUF)
			length = PIPE_BUF;
		n = write(sink->fd, sink->buffer.bytes + done, length);

		if (n < 0 && errno == EINTR && !*sink->stopped)
			continue;
		if (n < 0)
			return write_failed(sink, done);
		done += (size_t)n;
	}
	sink->written += done;
	sink->buffer.length = 0;
	return CLI_OK;
}

static int put(struct sink *sink, const void *bytes, size_t length)
{
	heap_add(&sink->buffer, bytes, length);
	return sink->buffer.length < BUFFER ? CLI_OK : sink_flush(sink);
}

int sink_add(struct sink *sink, const uint8_t *block, size_t length)
{
	if (u32_at(block) == BLOCK_STATISTICS)
		return CLI_OK; /* the network's; ours come at the end of each file */
	heap_add(&sink->head, block, length);
	return put(sink, block, length);
}

/* How many packets before this one did not reach us. */
static uint64_t drop_count(const uint8_t *block, size_t length)
{
	size_t at = PACKET_HEAD + ((u32_at(block + 20) + 3) & ~(size_t)3);
	uint64_t count = 0;

	while (at + 4 <= length - 4) {
		uint16_t code = (uint16_t)u32_at(block + at), size = (uint16_t)(u32_at(block + at) >> 16);

		if (code == OPTION_DROP_COUNT && size == sizeof(count) && at + 4 + size <= length)
			memcpy(&count, block + at + 4, sizeof(count));
		if (!code)
			break;
		at += 4 + ((size + 3u) & ~3u);
	}
	return count;
}

static struct sink_interface *interface_at(struct sink *sink, uint32_t number)
{
	struct sink_interface *grown;

	if (number >= INTERFACES_MAX)
		return NULL;
	if (number >= sink->interface_count) {
		grown = cli_alloc((number + 1) * sizeof(*grown));
		memset(grown, 0, (number + 1) * sizeof(*grown));
		if (sink->interface_count)
			memcpy(grown, sink->interfaces, sink->interface_count * sizeof(*grown));
		free(sink->interfaces);
		sink->interfaces = grown;
		sink->interface_count = number + 1;
	}
	return &sink->interfaces[number];
}

void sink_count(struct sink *sink, const uint8_t *block, size_t length)
{
	struct sink_interface *interface = interface_at(sink, u32_at(block + 8));
	uint64_t missed = drop_count(block, length);

	sink->last_time = (int64_t)((uint64_t)u32_at(block + 12) << 32 | u32_at(block + 16));
	if (!interface)
		return;
	interface->received += 1 + missed;
	interface->missed += missed;
}

/* isb_ifrecv, isb_ifdrop, isb_filteraccept. */
static int put_statistics(struct sink *sink, uint32_t number)
{
	const struct sink_interface *interface = &sink->interfaces[number];
	uint32_t head[] = { BLOCK_STATISTICS, STATISTICS_LENGTH, number, (uint32_t)((uint64_t)sink->last_time >> 32),
			    (uint32_t)sink->last_time };
	uint64_t values[] = { interface->received, interface->missed, interface->accepted };
	uint32_t end[] = { 0, STATISTICS_LENGTH };

	heap_add(&sink->buffer, head, sizeof(head));
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t option = (i + 4) | 8 << 16;

		heap_add(&sink->buffer, &option, sizeof(option));
		heap_add(&sink->buffer, &values[i], sizeof(values[i]));
	}
	return put(sink, end, sizeof(end));
}

int sink_close(struct sink *sink)
{
	int r = CLI_OK;

	if (sink->fd < 0)
		return CLI_OK;
	for (uint32_t i = 0; i < sink->interface_count && r == CLI_OK; i++)
		if (sink->last_time)
			r = put_statistics(sink, i);
	if (r == CLI_OK)
		r = sink_flush(sink);
	if (sink->fd != STDOUT_FILENO && close(sink->fd) && r == CLI_OK) {
		fprintf(stderr, "berth capture: %s: %s\n", sink->path, strerror(errno));
		r = CLI_FAILED;
	}
	sink->fd = -1;
	return r;
}

/* Begin the next file when this one is large or old enough; it has at least one packet. */
static int turn_over(struct sink *sink, size_t length)
{
	bool large = sink->size && sink->written + sink->buffer.length + length > sink->size;
	bool old = sink->seconds && time(NULL) - sink->since >= (time_t)sink->seconds;

	if (!sink->packets || (!large && !old))
		return CLI_OK;
	sink->number = old ? 0 : sink->number + 1;
	if (sink_close(sink))
		return CLI_FAILED;
	if (old && sink->count && !--sink->count) {
		sink->full = true;
		return CLI_OK;
	}
	return sink_open(sink);
}

int sink_packet(struct sink *sink, const uint8_t *block, size_t length)
{
	struct sink_interface *interface = interface_at(sink, u32_at(block + 8));

	if (turn_over(sink, length))
		return CLI_FAILED;
	if (sink->full)
		return CLI_OK;
	if (interface)
		interface->accepted++;
	sink->packets++;
	return put(sink, block, length);
}
