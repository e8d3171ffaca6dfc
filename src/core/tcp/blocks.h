/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What our ACKs tell of data behind a gap: SACK blocks, the most recent first
 * (RFC 2018 §4), and the latest duplicate (DSACK, RFC 2883 §4). A block that
 * falls off the end was told three times or more; the peer must remember.
 */
#ifndef CORE_TCP_BLOCKS_H
#define CORE_TCP_BLOCKS_H

#include "wire/tcp.h"

struct sack_blocks {
	struct wire_tcp_sack block[WIRE_TCP_SACK_MAX], duplicate;
	uint8_t count;
	bool has_duplicate;
};

/* [begin, end) was queued behind a gap. */
void sack_blocks_add(struct sack_blocks *blocks, uint32_t begin, uint32_t end);
/* [begin, end) came though it was here. */
void sack_blocks_duplicate(struct sack_blocks *blocks, uint32_t begin, uint32_t end);
/* Is all of [begin, end) within one block? */
bool sack_blocks_cover(const struct sack_blocks *blocks, uint32_t begin, uint32_t end);
/* RCV.NXT moved: what lies before it is acknowledged. */
void sack_blocks_advance(struct sack_blocks *blocks, uint32_t next);
/* Write them into a header, and forget the duplicate: it is told once. */
void sack_blocks_tell(struct sack_blocks *blocks, struct wire_tcp *header);

#endif
