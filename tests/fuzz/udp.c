/* SPDX-License-Identifier: BSD-2-Clause */
/* The UDP header: what is read, written again, gives the same bytes. */
#include "tests/fuzz/fuzz.h"

#include "wire/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t again[WIRE_UDP_LENGTH];
	struct wire_udp udp;
	int r = wire_udp_parse(bytes, size, &udp);

	if (r < 0)
		return 0;
	MUST(r == WIRE_UDP_LENGTH && udp.length >= WIRE_UDP_LENGTH && udp.length <= size);
	wire_udp_build(again, &udp);
	MUST(!memcmp(again, bytes, sizeof(again)));
	return 0;
}
