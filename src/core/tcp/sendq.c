/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/tcp/sendq.h"

#include "core/socket/socket.h"
#include "wire/checksum.h"

#define CHUNK_ROOM 65536u /* a larger write is cut */

static void push(struct sendq *queue, struct berth_packet *chunk)
{
	chunk->next = NULL;
	if (queue->head)
		queue->last->next = chunk;
	else
		queue->head = chunk;
	queue->last = chunk;
	queue->memory += (uint32_t)packet_truesize(chunk);
}

static void pop(struct sendq *queue)
{
	struct berth_packet *chunk = queue->head;

	queue->head = chunk->next;
	queue->memory -= (uint32_t)packet_truesize(chunk);
	berth_packet_unref(chunk);
}

/* The pool has sizes for a few hundred bytes, a frame, several frames and a superframe. */
static struct berth_packet *chunk_new(struct sendq *queue, struct berth_packet_pool *pool, size_t length)
{
	struct berth_packet *chunk;

	/* A second small write in a row promises more: one chunk of a frame's size beats many small ones. */
	if (queue->bytes && length < 1024)
		length = 1024;
	chunk = berth_packet_new(pool, 0, MIN(length, CHUNK_ROOM));
	if (!chunk)
		return NULL;
	push(queue, chunk);
	return chunk;
}

size_t sendq_append(struct sendq *queue, struct berth_packet_pool *pool, const struct berth_message *message,
		    size_t offset, size_t length)
{
	size_t taken = 0;

	while (taken < length) {
		struct berth_packet *chunk = queue->head ? queue->last : NULL;
		size_t piece;

		if (!chunk || !packet_tailroom(chunk) || chunk->refs > 1)
			chunk = chunk_new(queue, pool, length - taken);
		if (!chunk)
			break;
		piece = MIN(length - taken, packet_tailroom(chunk));
		message_gather(message, offset + taken, berth_packet_put(chunk, piece), piece);
		queue->bytes += (uint32_t)piece;
		taken += piece;
	}
	return taken;
}

bool sendq_begin(struct sendq *queue, struct berth_packet_pool *pool, const struct berth_message *message,
		 size_t length)
{
	struct berth_packet *chunk = berth_packet_new(pool, 0, length);

	if (!chunk)
		return false;
	message_gather(message, 0, chunk->data, length);
	chunk->length = queue->bytes = (uint32_t)length;
	queue->head = queue->last = chunk;
	queue->memory = (uint32_t)packet_truesize(chunk);
	return true;
}

void sendq_push(struct sendq *queue, struct berth_packet *packet)
{
	push(queue, packet);
	queue->bytes += packet->length;
}

static void cursor_move(struct sendq *queue, size_t offset)
{
	if (!queue->cursor || offset < queue->cursor_offset) {
		queue->cursor = queue->head;
		queue->cursor_offset = 0;
	}
	while (offset - queue->cursor_offset >= queue->cursor->length && queue->cursor->next) {
		queue->cursor_offset += queue->cursor->length;
		queue->cursor = queue->cursor->next;
	}
}

void sendq_copy(struct sendq *queue, size_t offset, void *to, size_t length)
{
	uint8_t *out = to;

	while (length) {
		size_t skip, piece;

		cursor_move(queue, offset);
		skip = offset - queue->cursor_offset;
		piece = MIN(length, queue->cursor->length - skip);
		memcpy(out, queue->cursor->data + skip, piece);
		out += piece;
		offset += piece;
		length -= piece;
	}
}

uint32_t sendq_copy_sum(struct sendq *queue, size_t offset, void *to, size_t length)
{
	size_t skip;

	if (!length)
		return 0;
	cursor_move(queue, offset);
	skip = offset - queue->cursor_offset;
	if (length <= queue->cursor->length - skip)
		return checksum_copy(0, to, queue->cursor->data + skip, length);
	sendq_copy(queue, offset, to, length);
	return checksum_add(0, to, length);
}

void sendq_release(struct sendq *queue, size_t bytes)
{
	queue->bytes -= (uint32_t)bytes;
	if (queue->cursor_offset >= bytes) /* its chunk stays: a full window has hundreds to walk over */
		queue->cursor_offset -= (uint32_t)bytes;
	else
		queue->cursor = NULL;
	while (bytes) {
		struct berth_packet *chunk = queue->head;
		size_t piece = MIN(bytes, chunk->length);

		bytes -= piece;
		if (piece < chunk->length) {
			berth_packet_pull(chunk, piece);
			break;
		}
		pop(queue);
	}
}

void sendq_clear(struct sendq *queue)
{
	while (queue->head)
		pop(queue);
	*queue = (struct sendq){ .bytes = 0 };
}
