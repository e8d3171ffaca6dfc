/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPv4 header: what is read is within the bytes, and survives being written. */
#include "tests/fuzz/fuzz.h"

#include "wire/ip4.h"

static void check_again(const struct wire_ip4 *ip4)
{
	uint8_t bytes[WIRE_IP4_LENGTH];
	struct wire_ip4 again;

	wire_ip4_build(bytes, ip4);
	MUST(wire_ip4_checksum_ok(bytes, sizeof(bytes)));
	MUST(wire_ip4_parse_quoted(bytes, sizeof(bytes), &again) == WIRE_IP4_LENGTH);
	MUST(again.traffic_class == ip4->traffic_class && again.total_length == ip4->total_length);
	MUST(again.id == ip4->id && again.offset == ip4->offset);
	MUST(again.dont_fragment == ip4->dont_fragment && again.more_fragments == ip4->more_fragments);
	MUST(again.ttl == ip4->ttl && again.protocol == ip4->protocol);
	MUST(ip_equal(again.source, ip4->source) && ip_equal(again.destination, ip4->destination));
}

/* Options are recorded into, echoed and copied; a second look finds the same. */
static void check_options(const uint8_t *options, size_t length)
{
	uint8_t kept[WIRE_IP4_OPTIONS_MAX], again[WIRE_IP4_OPTIONS_MAX], own[WIRE_IP4_OPTIONS_MAX];
	struct berth_ip ip = ip_from_u32(0x0a000001);
	size_t size;

	size = wire_ip4_options_copied(options, length, kept);
	MUST(size <= sizeof(kept) && size % 4 == 0);
	memcpy(own, options, length);
	wire_ip4_options_record(own, length, ip, 1000);
	size = wire_ip4_options_echo(own, length, kept);
	MUST(size <= sizeof(kept) && size % 4 == 0);
	MUST(wire_ip4_options_echo(kept, size, again) == size && !memcmp(kept, again, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wire_ip4 ip4, quoted;
	int r = wire_ip4_parse(bytes, size, &ip4), quoted_r = wire_ip4_parse_quoted(bytes, size, &quoted);

	MUST(r < 0 || quoted_r == r); /* what is good whole is good quoted */
	if (quoted_r < 0)
		return 0;
	MUST(quoted_r == quoted.header_length && quoted.header_length >= WIRE_IP4_LENGTH);
	MUST(quoted.header_length <= WIRE_IP4_LENGTH_MAX && quoted.header_length <= size);
	MUST(quoted.total_length >= quoted.header_length && quoted.offset % 8 == 0);
	MUST(r < 0 || ip4.total_length <= size);
	wire_ip4_checksum_ok(bytes, quoted.header_length);
	wire_ip4_check_options(bytes, quoted.header_length);
	check_options(bytes + WIRE_IP4_LENGTH, quoted.header_length - WIRE_IP4_LENGTH);
	check_again(&quoted);
	return 0;
}
