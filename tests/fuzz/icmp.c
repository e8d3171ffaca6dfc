/* SPDX-License-Identifier: BSD-2-Clause */
/* The first eight bytes of ICMP, and the checksum that is written over all of it. */
#include "tests/fuzz/fuzz.h"

#include "wire/checksum.h"
#include "wire/icmp.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wire_icmp icmp, again;
	uint8_t *copy;
	int r = wire_icmp_parse(bytes, size, &icmp);

	MUST(r == (size < WIRE_ICMP_LENGTH ? -EMSGSIZE : WIRE_ICMP_LENGTH));
	if (r < 0)
		return 0;
	copy = malloc(size);
	memcpy(copy, bytes, size);
	wire_icmp_build(copy, size, 0, &icmp);
	MUST(checksum_finish(checksum_add(0, copy, size)) == 0);
	MUST(wire_icmp_parse(copy, size, &again) == r);
	MUST(again.type == icmp.type && again.code == icmp.code && again.value == icmp.value);
	MUST(!memcmp(copy + 8, bytes + 8, size - 8));
	free(copy);
	return 0;
}
