/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPv6 header and each extension header, and the walk over all of them. */
#include "tests/fuzz/fuzz.h"

#include "wire/ip6.h"

static void check_header(const uint8_t *bytes, size_t size)
{
	uint8_t again[WIRE_IP6_LENGTH], protocol;
	struct wire_ip6 ip6, quoted;
	int r = wire_ip6_parse(bytes, size, &ip6), offset = wire_ip6_find_transport(bytes, size, &protocol);

	MUST(offset < 0 || (offset >= WIRE_IP6_LENGTH && (size_t)offset <= size));
	MUST(r < 0 || (r == WIRE_IP6_LENGTH && ip6.payload_length + (size_t)r <= size));
	MUST(r < 0 || wire_ip6_parse_quoted(bytes, size, &quoted) == r);
	if (wire_ip6_parse_quoted(bytes, size, &quoted) < 0)
		return;
	wire_ip6_build(again, &quoted);
	MUST(!memcmp(again, bytes, sizeof(again)));
}

static void check_extensions(const uint8_t *bytes, size_t size)
{
	uint8_t again[WIRE_FRAGMENT_LENGTH];
	struct wire_fragment fragment, twice;
	struct wire_routing routing;
	struct wire_options options;
	int r = wire_options_parse(bytes, size, &options);

	MUST(r < 0 || ((size_t)r <= size && r % 8 == 0));
	MUST(r < 0 || options.action == OPTION_SKIP || options.pointer < r);
	r = wire_routing_parse(bytes, size, &routing);
	MUST(r < 0 || ((size_t)r <= size && r % 8 == 0));
	if (wire_fragment_parse(bytes, size, &fragment) < 0)
		return;
	wire_fragment_build(again, &fragment);
	MUST(wire_fragment_parse(again, sizeof(again), &twice) == WIRE_FRAGMENT_LENGTH);
	MUST(twice.offset == fragment.offset && twice.id == fragment.id);
	MUST(twice.more_fragments == fragment.more_fragments && twice.next_header == fragment.next_header);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	check_header(bytes, size);
	check_extensions(bytes, size);
	if (size > WIRE_IP6_LENGTH)
		check_extensions(bytes + WIRE_IP6_LENGTH, size - WIRE_IP6_LENGTH);
	return 0;
}
