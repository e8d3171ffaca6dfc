/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring is a list of pieces, each of whole packet blocks; the oldest piece
 * goes as a whole. Who is to be introduced stands apart, and stays.
 */
#include "daemon/ring.h"

#include "base/list.h"
#include "control/json.h"
#include "daemon/capture.h"
#include "daemon/recorder.h"
#include "daemon/state.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECONDS_DEFAULT = 30,
	SECONDS_MAX = 3600,
	BYTES_DEFAULT = 64 << 20,
	BYTES_MIN = 1 << 20,
	PIECES = 64,	       /* that the bytes are divided into */
	HEAD_LIMIT = 16 << 20, /* for who is introduced */
	BLOCK_PACKET = 6,
	PACKET_HEAD = 28,
};
#define BYTES_MAX (INT64_C(4) << 30)

struct piece {
	struct list node; /* in ring->pieces, the oldest first */
	struct pcapng blocks;
	size_t count;
	berth_time last;
};

struct ring {
	struct daemon *daemon;
	struct recorder recorder;
	struct pcapng head;
	struct list pieces;
	int64_t seconds, limit;
	size_t bytes, packets; /* in the pieces */
};

static void piece_free(struct ring *ring, struct piece *piece)
{
	ring->bytes -= piece->blocks.length;
	ring->packets -= piece->count;
	list_remove(&piece->node);
	pcapng_fini(&piece->blocks);
	free(piece);
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	while (!list_empty(&ring->pieces))
		piece_free(ring, LIST_FIRST(&ring->pieces, struct piece, node));
	recorder_fini(&ring->recorder);
	pcapng_fini(&ring->head);
	free(ring);
}

static struct ring *ring_new(struct daemon *daemon)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->daemon = daemon;
	list_init(&ring->pieces);
	pcapng_init(&ring->head, HEAD_LIMIT);
	recorder_init(&ring->recorder, daemon, UINT32_MAX >> 14, &ring->head);
	return ring;
}

static void forget_old(struct ring *ring, berth_time now)
{
	size_t piece_size = (size_t)ring->limit / PIECES;

	while (!list_empty(&ring->pieces)) {
		struct piece *oldest = LIST_FIRST(&ring->pieces, struct piece, node);

		if (ring->bytes + piece_size <= (size_t)ring->limit && now - oldest->last <= ring->seconds * BERTH_SEC)
			return;
		piece_free(ring, oldest);
	}
}

/* A piece with room for the next packet. NULL: no memory. */
static struct piece *piece_open(struct ring *ring, berth_time now)
{
	struct piece *piece = list_empty(&ring->pieces) ? NULL : LIST_ITEM(ring->pieces.prev, struct piece, node);

	if (piece && piece->blocks.length < (size_t)ring->limit / PIECES && now - piece->last < BERTH_SEC)
		return piece;
	forget_old(ring, now);
	piece = calloc(1, sizeof(*piece));
	if (!piece)
		return NULL;
	pcapng_init(&piece->blocks, SIZE_MAX);
	list_append(&ring->pieces, &piece->node);
	return piece;
}

void ring_take(struct ring *ring, const struct berth_frame *frame)
{
	struct piece *piece = piece_open(ring, frame->time);
	size_t before;

	if (!piece)
		return;
	before = piece->blocks.length;
	if (recorder_take(&ring->recorder, frame, &ring->head, &piece->blocks, SIZE_MAX))
		piece->count++, ring->packets++;
	ring->bytes += piece->blocks.length - before;
	piece->last = frame->time;
}

/* Our own blocks, so they are whole. */
static int save_piece(const struct ring *ring, const struct piece *piece, const struct wanted *wanted,
		      struct pcapng *pcapng)
{
	uint64_t oldest = (uint64_t)(ring->daemon->loop.now - ring->seconds * BERTH_SEC + ring->recorder.wall);
	const uint8_t *bytes = pcapng_bytes(&piece->blocks);
	uint32_t fields[6]; /* type, length, interface, time (two), captured */

	for (size_t at = 0; at < piece->blocks.length; at += fields[1]) {
		memcpy(fields, bytes + at, sizeof(fields));
		if (((uint64_t)fields[3] << 32 | fields[4]) < oldest ||
		    !wanted_is(wanted, recorder_host(&ring->recorder, fields[2]), bytes + at + PACKET_HEAD, fields[5]))
			continue;
		if (!pcapng_copy(pcapng, bytes + at, fields[1]))
			return -ENOMEM;
	}
	return 0;
}

int ring_save(struct daemon *daemon, const struct wanted *wanted, struct pcapng *pcapng)
{
	struct ring *ring = daemon->ring;
	int r = 0;

	if (!ring)
		return -ENOENT;
	if (!pcapng_copy(pcapng, pcapng_bytes(&ring->head), ring->head.length))
		return -ENOMEM;
	LIST_EACH(&ring->pieces, node)
		if (!r)
			r = save_piece(ring, LIST_ITEM(node, struct piece, node), wanted, pcapng);
	if (!r)
		recorder_statistics(&ring->recorder, pcapng);
	return r;
}

json_t *ring_report(struct daemon *daemon)
{
	struct ring *ring = daemon->ring;
	json_int_t held = 0;

	if (!ring)
		return json_pack("{s:b}", "on", 0);
	forget_old(ring, daemon->loop.now);
	if (!list_empty(&ring->pieces))
		held = (daemon->loop.now - LIST_FIRST(&ring->pieces, struct piece, node)->last) / BERTH_MSEC;
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "on", 1, "seconds", (json_int_t)ring->seconds, "size",
			 (json_int_t)ring->limit, "packets", (json_int_t)ring->packets, "bytes",
			 (json_int_t)ring->bytes, "oldest_ms", held);
}

json_t *ring_change(struct daemon *daemon, const json_t *body, unsigned *ret_status)
{
	long long seconds = json_get_number(body, "seconds", SECONDS_DEFAULT);
	long long bytes = json_get_number(body, "size", BYTES_DEFAULT);

	if (seconds < 1 || seconds > SECONDS_MAX || bytes < BYTES_MIN || bytes > BYTES_MAX) {
		*ret_status = MHD_HTTP_BAD_REQUEST;
		return json_pack("{s:s}", "error", "a ring has 1 to 3600 seconds, and 1 MiB to 4 GiB");
	}
	if (!json_get_flag(body, "on", 1)) {
		ring_free(daemon->ring);
		daemon->ring = NULL;
	} else {
		if (!daemon->ring)
			daemon->ring = ring_new(daemon);
		if (!daemon->ring) {
			*ret_status = MHD_HTTP_INTERNAL_SERVER_ERROR;
			return json_pack("{s:s}", "error", "no memory");
		}
		daemon->ring->seconds = seconds;
		daemon->ring->limit = bytes;
	}
	capture_observe(daemon);
	return ring_report(daemon);
}
