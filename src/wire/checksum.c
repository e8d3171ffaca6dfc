/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum. Words are summed in the machine's byte order, 64 bits
 * at a time, and swapped once at the end: ones'-complement addition does not
 * mind which order the bytes of all its words are in (RFC 1071 §2 B).
 *
 * Whole blocks go the best way that the processor has. It is asked each time:
 * that is a load and a test, and needs nothing writable and nothing at start.
 */
#include "wire/checksum.h"

#include "base/bytes.h"
#include "wire/checksum_ways.h"

static uint64_t load64(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Two independent 32-bit lanes a word: no carry can be lost in less than 2^32 words. */
static uint64_t add_plain(const uint8_t *p, size_t length)
{
	uint64_t a = 0, b = 0;

	for (; length; p += 32, length -= 32) {
		for (size_t i = 0; i < 32; i += 8) {
			uint64_t word = load64(p + i);

			a += word & 0xffffffff;
			b += word >> 32;
		}
	}
	return checksum_carry(a, b);
}

static uint64_t copy_plain(uint8_t *to, const uint8_t *from, size_t length)
{
	memcpy(to, from, length);
	return add_plain(to, length);
}

static bool always(void)
{
	return true;
}

#ifdef __x86_64__
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#endif

const struct checksum_way checksum_ways[] = {
#ifdef __x86_64__
	{ "avx2", has_avx2, checksum_add_avx2, checksum_copy_avx2 },
	{ "sse2", always, checksum_add_sse2, checksum_copy_sse2 },
#endif
	{ "plain", always, add_plain, copy_plain },
};
const size_t checksum_way_count = COUNT_OF(checksum_ways);

static const struct checksum_way *best_way(void)
{
	const struct checksum_way *way = checksum_ways;

	while (!way->here())
		way++;
	return way;
}

/* Less than a block. */
static uint64_t sum_rest(uint64_t sum, const uint8_t *p, size_t length)
{
	uint64_t last = 0;

	for (; length >= 8; p += 8, length -= 8)
		sum = checksum_carry(sum, load64(p));
	memcpy(&last, p, length); /* the missing bytes count as zero */
	return checksum_carry(sum, last);
}

static uint64_t sum_native(const uint8_t *p, size_t length)
{
	size_t blocks = length & ~(size_t)(CHECKSUM_BLOCK - 1);

	return sum_rest(blocks ? best_way()->add(p, blocks) : 0, p + blocks, length - blocks);
}

static uint16_t fold64(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

/* sum is in wire order, added in the machine's. */
static uint32_t add_native(uint32_t sum, uint64_t added)
{
	uint16_t native = fold64(added);
	uint8_t wire[2];
	uint32_t total;

	memcpy(wire, &native, sizeof(wire));
	total = sum + get_be16(wire);
	return total + (total < sum);
}

uint32_t checksum_add(uint32_t sum, const void *bytes, size_t length)
{
	return add_native(sum, sum_native(bytes, length));
}

uint32_t checksum_copy(uint32_t sum, void *to, const void *from, size_t length)
{
	size_t blocks = length & ~(size_t)(CHECKSUM_BLOCK - 1);
	uint64_t added = blocks ? best_way()->copy(to, from, blocks) : 0;

	memcpy((uint8_t *)to + blocks, (const uint8_t *)from + blocks, length - blocks);
	return add_native(sum, sum_rest(added, (const uint8_t *)from + blocks, length - blocks));
}

uint16_t checksum_finish(uint32_t sum)
{
	return (uint16_t)~fold64(sum);
}
