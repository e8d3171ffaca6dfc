/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every fuzz target uses. A target is one function over bytes, as
 * libFuzzer has it; `make fuzz` lets libFuzzer make up the bytes, and the
 * ordinary tests run each file of tests/fuzz/corpus once (driver.c).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What must hold for any input at all. */
#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* The input, read from the front; past its end all is zero. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t input_u8(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}
static inline uint16_t input_u16(struct input *input)
{
	uint16_t high = input_u8(input);

	return (uint16_t)(high << 8 | input_u8(input));
}
static inline uint32_t input_u32(struct input *input)
{
	uint32_t high = input_u16(input);

	return high << 16 | input_u16(input);
}
/* At most *length bytes, where they lie; *length becomes how many there are. */
static inline const uint8_t *input_bytes(struct input *input, size_t *length)
{
	const uint8_t *at = input->at;

	*length = MIN(*length, input->left);
	input->at += *length;
	input->left -= *length;
	return at;
}

#endif
