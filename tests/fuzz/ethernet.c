/* SPDX-License-Identifier: BSD-2-Clause */
/* The Ethernet header: what is read, written again, gives the same bytes. */
#include "tests/fuzz/fuzz.h"

#include "wire/ethernet.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t again[WIRE_ETHERNET_LENGTH];
	struct wire_ethernet ethernet;
	int r = wire_ethernet_parse(bytes, size, &ethernet);

	MUST(r == (size < WIRE_ETHERNET_LENGTH ? -EMSGSIZE : WIRE_ETHERNET_LENGTH));
	if (r < 0)
		return 0;
	wire_ethernet_build(again, &ethernet);
	MUST(!memcmp(again, bytes, sizeof(again)));
	return 0;
}
