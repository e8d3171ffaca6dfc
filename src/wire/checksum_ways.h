/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways to sum whole blocks that processors have, for checksum.c to choose
 * from when it runs, and for its test to compare. The first that is there is the best;
 * the last is plain C and is always there.
 */
#ifndef WIRE_CHECKSUM_WAYS_H
#define WIRE_CHECKSUM_WAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_BLOCK 64u /* every way takes a multiple of this */

/* The sum of length bytes' words in the machine's order: to be folded, congruent modulo 2^16 - 1. */
struct checksum_way {
	const char *name;
	bool (*here)(void); /* does this processor have it? */
	uint64_t (*add)(const uint8_t *bytes, size_t length);
	uint64_t (*copy)(uint8_t *to, const uint8_t *from, size_t length);
};

extern const struct checksum_way checksum_ways[];
extern const size_t checksum_way_count;

/* ones'-complement addition of 64 bits */
static inline uint64_t checksum_carry(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

#ifdef __x86_64__
uint64_t checksum_add_avx2(const uint8_t *bytes, size_t length);
uint64_t checksum_copy_avx2(uint8_t *to, const uint8_t *from, size_t length);
uint64_t checksum_add_sse2(const uint8_t *bytes, size_t length);
uint64_t checksum_copy_sse2(uint8_t *to, const uint8_t *from, size_t length);
#endif

#endif
