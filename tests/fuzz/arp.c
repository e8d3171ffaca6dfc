/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP: what is read, written again, gives the same bytes. */
#include "tests/fuzz/fuzz.h"

#include "wire/arp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t again[WIRE_ARP_LENGTH];
	struct wire_arp arp;
	int r = wire_arp_parse(bytes, size, &arp);

	if (r < 0)
		return 0;
	MUST(r == WIRE_ARP_LENGTH && size >= WIRE_ARP_LENGTH);
	wire_arp_build(again, &arp);
	MUST(!memcmp(again, bytes, sizeof(again)));
	return 0;
}
