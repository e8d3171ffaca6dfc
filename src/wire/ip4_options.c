/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of an IPv4 header, and what hosts do with record route and
 * timestamp. RFC 791 §3.1, RFC 1122 §3.2.1.8. An option that makes no sense in
 * itself is left as it is.
 */
#include "wire/ip4.h"

#include "wire/checksum.h"

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_RECORD = 7, OPTION_TIMESTAMP = 68, COPIED = 0x80 };
enum { TIMESTAMP_ONLY = 0, TIMESTAMP_ADDRESS = 1, TIMESTAMP_ASKED = 3 };

void wire_ip4_build_options(uint8_t *bytes, const struct wire_ip4 *ip4, const uint8_t *options, size_t length)
{
	wire_ip4_build(bytes, ip4);
	if (!length)
		return;
	bytes[0] = (uint8_t)(0x40 | (WIRE_IP4_LENGTH + length) / 4);
	memcpy(bytes + WIRE_IP4_LENGTH, options, length);
	put_be16(bytes + 10, 0);
	put_be16(bytes + 10, checksum_finish(checksum_add(0, bytes, WIRE_IP4_LENGTH + length)));
}

/* The length of the option at at, of good ones; 0: there are no more. */
static size_t option_length(const uint8_t *options, size_t length, size_t at)
{
	if (at >= length || options[at] == OPTION_END)
		return 0;
	if (options[at] == OPTION_NOP)
		return 1;
	return length - at >= 2 && options[at + 1] >= 2 && options[at + 1] <= length - at ? options[at + 1] : 0;
}

static void record_route(uint8_t *option, size_t length, struct berth_ip ip)
{
	uint8_t pointer = length >= 3 ? option[2] : 0;

	if (pointer < 4 || pointer + 3u > length)
		return; /* full */
	memcpy(option + pointer - 1, ip.bytes + 12, 4);
	option[2] = (uint8_t)(pointer + 4);
}

static void record_time(uint8_t *option, size_t length, struct berth_ip ip, uint32_t time)
{
	uint8_t pointer = length >= 4 ? option[2] : 0, kind = length >= 4 ? option[3] & 15 : 0;
	size_t size = kind == TIMESTAMP_ONLY ? 4 : 8;

	if (pointer < 5 || (kind != TIMESTAMP_ONLY && kind != TIMESTAMP_ADDRESS && kind != TIMESTAMP_ASKED))
		return;
	if (pointer - 1u + size > length) {
		if (kind != TIMESTAMP_ASKED && option[3] >> 4 < 15)
			option[3] = (uint8_t)(option[3] + 0x10); /* how many found no room */
		return;
	}
	if (kind == TIMESTAMP_ASKED && memcmp(option + pointer - 1, ip.bytes + 12, 4) != 0)
		return; /* another's turn */
	if (kind == TIMESTAMP_ADDRESS)
		memcpy(option + pointer - 1, ip.bytes + 12, 4);
	put_be32(option + pointer - 1 + size - 4, time);
	option[2] = (uint8_t)(pointer + size);
}

void wire_ip4_options_record(uint8_t *options, size_t length, struct berth_ip ip, uint32_t time)
{
	size_t step;

	for (size_t at = 0; (step = option_length(options, length, at)); at += step) {
		if (options[at] == OPTION_RECORD)
			record_route(options + at, step, ip);
		else if (options[at] == OPTION_TIMESTAMP)
			record_time(options + at, step, ip, time);
	}
}

/* Keep the options that keep() wants, and fill up to whole words. */
static size_t select_options(const uint8_t *options, size_t length, bool (*keep)(uint8_t type),
			     uint8_t ret_options[WIRE_IP4_OPTIONS_MAX])
{
	size_t step, kept = 0;

	for (size_t at = 0; (step = option_length(options, length, at)); at += step) {
		if (!keep(options[at]) || kept + step > WIRE_IP4_OPTIONS_MAX)
			continue;
		memcpy(ret_options + kept, options + at, step);
		kept += step;
	}
	while (kept % 4)
		ret_options[kept++] = OPTION_END;
	return kept;
}

static bool is_echoed(uint8_t type)
{
	return type == OPTION_RECORD || type == OPTION_TIMESTAMP;
}

static bool is_copied(uint8_t type)
{
	return type & COPIED;
}

size_t wire_ip4_options_echo(const uint8_t *options, size_t length, uint8_t ret_options[WIRE_IP4_OPTIONS_MAX])
{
	return select_options(options, length, is_echoed, ret_options);
}

size_t wire_ip4_options_copied(const uint8_t *options, size_t length, uint8_t ret_options[WIRE_IP4_OPTIONS_MAX])
{
	return select_options(options, length, is_copied, ret_options);
}
