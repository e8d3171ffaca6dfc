/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum. Words are summed in the machine's byte order, 64 bits
 * at a time, and swapped once at the end: ones'-complement addition does not
 * mind which order the bytes of all its words are in (RFC 1071 §2 B).
 */
#include "wire/checksum.h"

#include "base/bytes.h"

static uint64_t add_carry(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Two independent 32-bit lanes a word: no carry can be lost in less than 2^32 words. */
static uint64_t sum_blocks(const uint8_t **p, size_t *length)
{
	uint64_t a = 0, b = 0;

	for (; *length >= 32; *p += 32, *length -= 32) {
		for (size_t i = 0; i < 32; i += 8) {
			uint64_t word = load64(*p + i);

			a += word & 0xffffffff;
			b += word >> 32;
		}
	}
	return add_carry(a, b);
}

static uint64_t sum_native(const uint8_t *p, size_t length)
{
	uint64_t sum = sum_blocks(&p, &length), last = 0;

	for (; length >= 8; p += 8, length -= 8)
		sum = add_carry(sum, load64(p));
	memcpy(&last, p, length); /* the missing bytes count as zero */
	return add_carry(sum, last);
}

static uint16_t fold64(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

uint32_t checksum_add(uint32_t sum, const void *bytes, size_t length)
{
	uint16_t native = fold64(sum_native(bytes, length));
	uint8_t wire[2];
	uint32_t added;

	memcpy(wire, &native, sizeof(wire));
	added = sum + get_be16(wire);
	return added + (added < sum);
}

uint32_t checksum_copy(uint32_t sum, void *to, const void *from, size_t length)
{
	memcpy(to, from, length);
	return checksum_add(sum, to, length);
}

uint16_t checksum_finish(uint32_t sum)
{
	return (uint16_t)~fold64(sum);
}
