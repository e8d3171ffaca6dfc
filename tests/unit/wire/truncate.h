/* SPDX-License-Identifier: BSD-2-Clause */
/* Every shorter length of a good message must be refused, and nothing past its end read. */
#ifndef TESTS_UNIT_WIRE_TRUNCATE_H
#define TESTS_UNIT_WIRE_TRUNCATE_H

#include "test.h"

#include <stdlib.h>

/* ret points to a struct of parse's kind. Each cut is in memory of its very size, for ASan. */
#define CHECK_TRUNCATED(parse, bytes, length, ret) \
	do { \
		for (size_t cut_ = 0; cut_ < (length); cut_++) { \
			uint8_t *copy_ = malloc(cut_ ? cut_ : 1); \
			memcpy(copy_, bytes, cut_); \
			CHECK(parse(copy_, cut_, ret) < 0); \
			free(copy_); \
		} \
	} while (0)

#endif
