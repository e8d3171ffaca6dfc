/* SPDX-License-Identifier: BSD-2-Clause */
/* The TCP header: options keep to their bytes, and what was understood survives being written. */
#include "tests/fuzz/fuzz.h"

#include "wire/tcp.h"

static void check_options(const struct wire_tcp *a, const struct wire_tcp *b)
{
	MUST(a->has_mss == b->has_mss && a->mss == b->mss);
	MUST(a->has_scale == b->has_scale && a->scale == b->scale && a->scale <= WIRE_TCP_SCALE_MAX);
	MUST(a->has_sack_permitted == b->has_sack_permitted);
	MUST(a->has_timestamps == b->has_timestamps && a->timestamp == b->timestamp);
	MUST(a->timestamp_echo == b->timestamp_echo);
	MUST(a->sack_count <= b->sack_count && b->sack_count <= WIRE_TCP_SACK_MAX);
	MUST(!memcmp(a->sack, b->sack, a->sack_count * sizeof(a->sack[0])));
	if (!a->has_fastopen) /* beside other options it may find no room */
		return;
	MUST(b->has_fastopen && a->cookie_length == b->cookie_length && b->cookie_length <= WIRE_TCP_COOKIE_MAX);
	MUST(a->fastopen_experimental == b->fastopen_experimental);
	MUST(!a->cookie_length || !memcmp(a->cookie, b->cookie, a->cookie_length));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t built[WIRE_TCP_HEADER_MAX];
	struct wire_tcp tcp, again;
	size_t length;

	if (wire_tcp_parse(bytes, size, &tcp) < 0)
		return 0;
	MUST(tcp.header_length <= size && tcp.header_length <= WIRE_TCP_HEADER_MAX);
	MUST(!tcp.has_mss || tcp.mss);
	length = wire_tcp_size(&tcp);
	MUST(length <= sizeof(built) && length % 4 == 0);
	MUST(wire_tcp_build(built, &tcp) == length);
	MUST(wire_tcp_parse(built, length, &again) == 0 && again.header_length == length);
	MUST(again.source_port == tcp.source_port && again.destination_port == tcp.destination_port);
	MUST(again.seq == tcp.seq && again.ack == tcp.ack && again.flags == tcp.flags);
	MUST(again.window == tcp.window && again.urgent == tcp.urgent);
	check_options(&again, &tcp);
	return 0;
}
