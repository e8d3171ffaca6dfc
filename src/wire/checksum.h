/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071). Sums are kept unfolded in 32 or 64 bits
 * and in wire order of bytes, so they may be added in any order as long as
 * each piece but the last has an even length.
 */
#ifndef WIRE_CHECKSUM_H
#define WIRE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* sum plus the ones'-complement sum of length bytes. The result fits in 32 bits folded-partially. */
uint32_t checksum_add(uint32_t sum, const void *bytes, size_t length);
/* The same while copying. */
uint32_t checksum_copy(uint32_t sum, void *to, const void *from, size_t length);
/* The 16-bit value to store in a header with put_be16(); 0 over correct data. */
uint16_t checksum_finish(uint32_t sum);

#endif
