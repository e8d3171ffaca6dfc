/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/tcp/receiveq.h"

#include "base/seq.h"
#include "core/socket/socket.h"

#define COPY_MAX 512u /* payloads up to this are copied behind the last one when they fit */

static uint32_t packet_end(const struct berth_packet *packet)
{
	return packet->mark + packet->length;
}

static uint32_t truesize(const struct berth_packet *packet)
{
	return (uint32_t)packet_truesize(packet);
}

void receiveq_append(struct receiveq *queue, struct berth_packet *packet)
{
	struct berth_packet *last = queue->last;

	if (queue->ready && packet->length <= COPY_MAX && last->refs == 1 && packet_tailroom(last) >= packet->length) {
		memcpy(berth_packet_put(last, packet->length), packet->data, packet->length);
		queue->bytes += packet->length;
		berth_packet_unref(packet);
		return;
	}
	packet->next = NULL;
	if (queue->ready)
		last->next = packet;
	else
		queue->ready = packet;
	queue->last = packet;
	queue->bytes += packet->length;
	queue->memory += truesize(packet);
}

static void early_forget(struct receiveq *queue, const struct berth_packet *packet)
{
	queue->early_memory -= truesize(packet);
	queue->memory -= truesize(packet);
}

static struct berth_packet *early_pop(struct receiveq *queue)
{
	struct berth_packet *packet = queue->early;

	queue->early = packet->next;
	packet->next = NULL;
	early_forget(queue, packet);
	return packet;
}

/* Cut off what lies before *next and append the rest, if any. */
static void append_new(struct receiveq *queue, struct berth_packet *packet, uint32_t *next)
{
	if (seq_le(packet_end(packet), *next)) {
		berth_packet_unref(packet);
		return;
	}
	berth_packet_pull(packet, *next - packet->mark);
	*next += packet->length;
	receiveq_append(queue, packet);
}

/* The link after which a packet beginning at seq belongs. */
static struct berth_packet **early_position(struct receiveq *queue, uint32_t seq, struct berth_packet **ret_before)
{
	struct berth_packet **link = &queue->early;

	*ret_before = NULL;
	if (queue->early && seq_ge(seq, queue->early_last->mark)) {
		*ret_before = queue->early_last;
		return &queue->early_last->next;
	}
	while (*link && seq_le((*link)->mark, seq)) {
		*ret_before = *link;
		link = &(*link)->next;
	}
	return link;
}

/* Drop early packets that packet covers; cut packet where the next one begins. */
static void early_trim_after(struct receiveq *queue, struct berth_packet *packet, struct berth_packet **link)
{
	while (*link && seq_le(packet_end(*link), packet_end(packet))) {
		struct berth_packet *covered = *link;

		*link = covered->next;
		early_forget(queue, covered);
		berth_packet_unref(covered);
	}
	if (*link && seq_gt(packet_end(packet), (*link)->mark))
		berth_packet_trim(packet, (*link)->mark - packet->mark);
}

static bool early_put(struct receiveq *queue, struct berth_packet *packet, size_t memory_limit)
{
	struct berth_packet *before, **link = early_position(queue, packet->mark, &before);

	if (before && seq_ge(packet_end(before), packet_end(packet))) {
		berth_packet_unref(packet); /* all of it is here already */
		return true;
	}
	if (queue->early_memory + packet_truesize(packet) > memory_limit) {
		berth_packet_unref(packet);
		return false;
	}
	if (before && seq_gt(packet_end(before), packet->mark)) {
		uint32_t overlap = packet_end(before) - packet->mark;

		berth_packet_pull(packet, overlap);
		packet->mark += overlap;
	}
	early_trim_after(queue, packet, link);
	if (!packet->length) { /* the two beside it cover it */
		berth_packet_unref(packet);
		return true;
	}
	packet->next = *link;
	*link = packet;
	if (!packet->next)
		queue->early_last = packet;
	queue->early_memory += truesize(packet);
	queue->memory += truesize(packet);
	return true;
}

bool receiveq_put(struct receiveq *queue, struct berth_packet *packet, uint32_t seq, uint32_t *next,
		  size_t memory_limit)
{
	packet->mark = seq;
	packet->next = NULL;
	if (seq_gt(seq, *next))
		return early_put(queue, packet, memory_limit);
	append_new(queue, packet, next);
	while (queue->early && seq_le(queue->early->mark, *next))
		append_new(queue, early_pop(queue), next);
	return true;
}

size_t receiveq_copy(const struct receiveq *queue, size_t offset, const struct berth_message *message,
		     size_t message_offset, size_t length)
{
	size_t copied = 0;

	for (const struct berth_packet *packet = queue->ready; packet && copied < length; packet = packet->next) {
		size_t piece;

		if (offset >= packet->length) {
			offset -= packet->length;
			continue;
		}
		piece = MIN(length - copied, packet->length - offset);
		message_scatter(message, message_offset + copied, packet->data + offset, piece);
		copied += piece;
		offset = 0;
	}
	return copied;
}

struct berth_packet *receiveq_pop(struct receiveq *queue)
{
	struct berth_packet *packet = queue->ready;

	queue->ready = packet->next;
	packet->next = NULL;
	queue->bytes -= packet->length;
	queue->memory -= truesize(packet);
	return packet;
}

void receiveq_release(struct receiveq *queue, size_t bytes)
{
	while (bytes) {
		struct berth_packet *packet = queue->ready;

		if (bytes < packet->length) {
			berth_packet_pull(packet, bytes);
			queue->bytes -= (uint32_t)bytes;
			return;
		}
		bytes -= packet->length;
		berth_packet_unref(receiveq_pop(queue));
	}
}

void receiveq_clear_early(struct receiveq *queue)
{
	while (queue->early)
		berth_packet_unref(early_pop(queue));
}

void receiveq_clear(struct receiveq *queue)
{
	receiveq_clear_early(queue);
	while (queue->ready)
		berth_packet_unref(receiveq_pop(queue));
}
