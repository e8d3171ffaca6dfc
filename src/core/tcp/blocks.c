/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/tcp/blocks.h"

#include "base/bytes.h"
#include "base/seq.h"

static void remove_at(struct sack_blocks *blocks, unsigned at)
{
	blocks->count--;
	for (unsigned i = at; i < blocks->count; i++)
		blocks->block[i] = blocks->block[i + 1];
}

void sack_blocks_add(struct sack_blocks *blocks, uint32_t begin, uint32_t end)
{
	unsigned i = 0;

	while (i < blocks->count) { /* what it touches grows into one */
		const struct wire_tcp_sack *block = &blocks->block[i];

		if (seq_gt(begin, block->end) || seq_lt(end, block->begin)) {
			i++;
			continue;
		}
		begin = seq_min(begin, block->begin);
		end = seq_max(end, block->end);
		remove_at(blocks, i);
		i = 0;
	}
	if (blocks->count < WIRE_TCP_SACK_MAX)
		blocks->count++;
	for (i = blocks->count - 1u; i > 0; i--)
		blocks->block[i] = blocks->block[i - 1];
	blocks->block[0] = (struct wire_tcp_sack){ begin, end };
}

void sack_blocks_duplicate(struct sack_blocks *blocks, uint32_t begin, uint32_t end)
{
	if (blocks->has_duplicate && seq_le(begin, blocks->duplicate.end) && seq_ge(end, blocks->duplicate.begin)) {
		begin = seq_min(begin, blocks->duplicate.begin); /* not told yet: both in one */
		end = seq_max(end, blocks->duplicate.end);
	}
	blocks->has_duplicate = true;
	blocks->duplicate = (struct wire_tcp_sack){ begin, end };
}

bool sack_blocks_cover(const struct sack_blocks *blocks, uint32_t begin, uint32_t end)
{
	for (unsigned i = 0; i < blocks->count; i++)
		if (seq_ge(begin, blocks->block[i].begin) && seq_le(end, blocks->block[i].end))
			return true;
	return false;
}

void sack_blocks_advance(struct sack_blocks *blocks, uint32_t next)
{
	for (unsigned i = 0; i < blocks->count;) {
		if (seq_le(blocks->block[i].end, next))
			remove_at(blocks, i);
		else
			i++;
	}
}

void sack_blocks_tell(struct sack_blocks *blocks, struct wire_tcp *header)
{
	unsigned count = 0;

	if (blocks->has_duplicate)
		header->sack[count++] = blocks->duplicate;
	for (unsigned i = 0; i < blocks->count && count < WIRE_TCP_SACK_MAX; i++)
		header->sack[count++] = blocks->block[i];
	header->sack_count = (uint8_t)count;
	blocks->has_duplicate = false;
}
