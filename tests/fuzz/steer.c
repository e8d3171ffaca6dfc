/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose frame is it? Always one of the stacks', or everyone's; the same when it
 * is asked again, once a fragment's first one was seen; and its bytes stay within
 * what was given.
 */
#include "tests/fuzz/fuzz.h"

#include <berth/steer.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct berth_steering steering = { .key = { 1, 2 }, .count = 3 };

	if (size < 1)
		return 0;
	enum berth_link_type type = bytes[0] & 1 ? BERTH_LINK_IP : BERTH_LINK_ETHERNET;
	struct berth_steer *steer = berth_steer_new(&steering, type, NULL);
	uint8_t *frame = malloc(size - 1 ? size - 1 : 1); /* exactly, so that a sanitizer sees a byte too far */
	if (!steer || !frame)
		abort();
	memcpy(frame, bytes + 1, size - 1);
	int first = berth_steer_frame(steer, frame, size - 1, 1), second = berth_steer_frame(steer, frame, size - 1, 2);
	MUST(first >= BERTH_STEER_ALL && first < 3);
	MUST(second == first);
	free(frame);
	berth_steer_free(steer);
	return 0;
}
