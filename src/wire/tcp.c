/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/tcp.h"

#include "base/bytes.h"

#include <errno.h>

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_SCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	OPTION_FASTOPEN = 34,
	OPTION_EXPERIMENT = 254, /* RFC 6994 */
};

/* Two NOPs and the timestamps' kind and length: what RFC 7323 appendix A suggests. */
#define TIMESTAMPS_ALIGNED ((uint32_t)OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_TIMESTAMPS << 8 | 10)
#define FASTOPEN_MAGIC 0xf989 /* the experiment that became kind 34 */

static void parse_sack(const uint8_t *value, size_t length, struct wire_tcp *tcp)
{
	if (length % 8)
		return;
	for (size_t at = 0; at < length && tcp->sack_count < WIRE_TCP_SACK_MAX; at += 8)
		tcp->sack[tcp->sack_count++] = (struct wire_tcp_sack){ get_be32(value + at), get_be32(value + at + 4) };
}

/* RFC 7413 §4.1.1: 4 to 16 bytes and an even number of them, or none. A cookie of another size is none. */
static void parse_fastopen(const uint8_t *value, size_t length, bool experimental, struct wire_tcp *tcp)
{
	if (!(tcp->flags & WIRE_TCP_SYN) || length % 2 || length > WIRE_TCP_COOKIE_MAX ||
	    (length && length < WIRE_TCP_COOKIE_MIN))
		return;
	tcp->has_fastopen = true;
	tcp->fastopen_experimental = experimental;
	tcp->cookie_length = (uint8_t)length;
	tcp->cookie = value;
}

/* One option with its value; a wrong length for its kind means it is not there. */
static void parse_option(uint8_t kind, const uint8_t *value, size_t length, struct wire_tcp *tcp)
{
	bool syn = tcp->flags & WIRE_TCP_SYN;

	switch (kind) {
	case OPTION_MSS: /* only in SYNs, RFC 9293 §3.2 */
		if (syn && length == 2 && get_be16(value)) {
			tcp->has_mss = true;
			tcp->mss = get_be16(value);
		}
		break;
	case OPTION_SCALE: /* RFC 7323 §2.3: larger counts as 14 */
		if (syn && length == 1) {
			tcp->has_scale = true;
			tcp->scale = MIN(*value, WIRE_TCP_SCALE_MAX);
		}
		break;
	case OPTION_SACK_PERMITTED:
		if (syn && length == 0)
			tcp->has_sack_permitted = true;
		break;
	case OPTION_SACK:
		parse_sack(value, length, tcp);
		break;
	case OPTION_TIMESTAMPS:
		if (length == 8) {
			tcp->has_timestamps = true;
			tcp->timestamp = get_be32(value);
			tcp->timestamp_echo = get_be32(value + 4);
		}
		break;
	case OPTION_FASTOPEN:
		parse_fastopen(value, length, false, tcp);
		break;
	case OPTION_EXPERIMENT:
		if (length >= 2 && get_be16(value) == FASTOPEN_MAGIC)
			parse_fastopen(value + 2, length - 2, true, tcp);
		break;
	}
}

static void parse_options(const uint8_t *at, const uint8_t *end, struct wire_tcp *tcp)
{
	while (at < end && *at != OPTION_END) {
		if (*at == OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return;
		parse_option(at[0], at + 2, at[1] - 2u, tcp);
		at += at[1];
	}
}

int wire_tcp_parse(const uint8_t *bytes, size_t length, struct wire_tcp *ret_tcp)
{
	size_t header_length;

	if (length < WIRE_TCP_HEADER)
		return -EINVAL;
	header_length = (size_t)(bytes[12] >> 4) * 4;
	if (header_length < WIRE_TCP_HEADER || header_length > length)
		return -EINVAL;
	*ret_tcp = (struct wire_tcp){
		.source_port = get_be16(bytes),
		.destination_port = get_be16(bytes + 2),
		.seq = get_be32(bytes + 4),
		.ack = get_be32(bytes + 8),
		.header_length = (uint8_t)header_length,
		.flags = bytes[13],
		.window = get_be16(bytes + 14),
		.urgent = get_be16(bytes + 18),
	};
	if (header_length == WIRE_TCP_HEADER + WIRE_TCP_TIMESTAMPS_SIZE &&
	    get_be32(bytes + WIRE_TCP_HEADER) == TIMESTAMPS_ALIGNED)
		parse_option(OPTION_TIMESTAMPS, bytes + WIRE_TCP_HEADER + 4, 8, ret_tcp);
	else
		parse_options(bytes + WIRE_TCP_HEADER, bytes + header_length, ret_tcp);
	return 0;
}

static size_t options_size(const struct wire_tcp *tcp)
{
	return (tcp->has_mss ? 4u : 0u) + (tcp->has_scale ? 4u : 0u) +
	       (tcp->has_timestamps	  ? WIRE_TCP_TIMESTAMPS_SIZE
		: tcp->has_sack_permitted ? 4u
					  : 0u);
}

static size_t sack_blocks_that_fit(const struct wire_tcp *tcp)
{
	size_t room = WIRE_TCP_HEADER_MAX - WIRE_TCP_HEADER - options_size(tcp);

	return room < 4 ? 0 : MIN((size_t)tcp->sack_count, (room - 4) / 8);
}

/* Of the Fast Open option, padding included; 0 when it is not there or has no room. */
static size_t fastopen_size(const struct wire_tcp *tcp)
{
	size_t size = ((tcp->fastopen_experimental ? 4u : 2u) + tcp->cookie_length + 3u) & ~3u;

	return tcp->has_fastopen && WIRE_TCP_HEADER + options_size(tcp) + size <= WIRE_TCP_HEADER_MAX ? size : 0;
}

size_t wire_tcp_size_with_options(const struct wire_tcp *tcp)
{
	size_t fastopen = fastopen_size(tcp), blocks = fastopen ? 0 : sack_blocks_that_fit(tcp); /* never both */

	return WIRE_TCP_HEADER + options_size(tcp) + fastopen + (blocks ? 4 + 8 * blocks : 0);
}

/* Two bytes that put what follows on a 4-byte boundary: SACK-permitted if it is to go, else NOPs. */
static uint8_t *put_alignment(uint8_t *at, bool sack_permitted)
{
	*at++ = sack_permitted ? OPTION_SACK_PERMITTED : OPTION_NOP;
	*at++ = sack_permitted ? 2 : OPTION_NOP;
	return at;
}

static uint8_t *put_timestamps(uint8_t *at, const struct wire_tcp *tcp)
{
	at = put_alignment(at, tcp->has_sack_permitted);
	*at++ = OPTION_TIMESTAMPS;
	*at++ = 10;
	put_be32(at, tcp->timestamp);
	put_be32(at + 4, tcp->timestamp_echo);
	return at + 8;
}

static uint8_t *put_sack(uint8_t *at, const struct wire_tcp *tcp, size_t blocks)
{
	at = put_alignment(at, false);
	*at++ = OPTION_SACK;
	*at++ = (uint8_t)(2 + 8 * blocks);
	for (size_t i = 0; i < blocks; i++, at += 8) {
		put_be32(at, tcp->sack[i].begin);
		put_be32(at + 4, tcp->sack[i].end);
	}
	return at;
}

static void put_fastopen(uint8_t *at, const struct wire_tcp *tcp, size_t size)
{
	uint8_t *end = at + size;

	*at++ = tcp->fastopen_experimental ? OPTION_EXPERIMENT : OPTION_FASTOPEN;
	*at++ = (uint8_t)((tcp->fastopen_experimental ? 4 : 2) + tcp->cookie_length);
	if (tcp->fastopen_experimental) {
		put_be16(at, FASTOPEN_MAGIC);
		at += 2;
	}
	if (tcp->cookie_length)
		memcpy(at, tcp->cookie, tcp->cookie_length);
	memset(at + tcp->cookie_length, OPTION_NOP, (size_t)(end - at) - tcp->cookie_length);
}

static void put_options(uint8_t *at, const struct wire_tcp *tcp)
{
	size_t fastopen = fastopen_size(tcp), blocks = fastopen ? 0 : sack_blocks_that_fit(tcp);

	if (tcp->has_mss) {
		*at++ = OPTION_MSS;
		*at++ = 4;
		put_be16(at, tcp->mss);
		at += 2;
	}
	if (tcp->has_timestamps)
		at = put_timestamps(at, tcp);
	else if (tcp->has_sack_permitted)
		at = put_alignment(put_alignment(at, false), true);
	if (tcp->has_scale) {
		*at++ = OPTION_NOP;
		*at++ = OPTION_SCALE;
		*at++ = 3;
		*at++ = tcp->scale;
	}
	if (fastopen)
		put_fastopen(at, tcp, fastopen);
	if (blocks)
		put_sack(at, tcp, blocks);
}

static void put_header(uint8_t *bytes, const struct wire_tcp *tcp, size_t size)
{
	put_be32(bytes, (uint32_t)tcp->source_port << 16 | tcp->destination_port);
	put_be32(bytes + 4, tcp->seq);
	put_be32(bytes + 8, tcp->ack);
	put_be32(bytes + 12, (uint32_t)size / 4 << 28 | (uint32_t)tcp->flags << 16 | tcp->window);
	put_be32(bytes + 16, tcp->urgent);
}

size_t wire_tcp_build(uint8_t *bytes, const struct wire_tcp *tcp)
{
	size_t size;

	if (wire_tcp_is_plain(tcp)) {
		put_header(bytes, tcp, WIRE_TCP_HEADER + WIRE_TCP_TIMESTAMPS_SIZE);
		put_be32(bytes + WIRE_TCP_HEADER, TIMESTAMPS_ALIGNED);
		put_be32(bytes + WIRE_TCP_HEADER + 4, tcp->timestamp);
		put_be32(bytes + WIRE_TCP_HEADER + 8, tcp->timestamp_echo);
		return WIRE_TCP_HEADER + WIRE_TCP_TIMESTAMPS_SIZE;
	}
	size = wire_tcp_size_with_options(tcp);
	put_header(bytes, tcp, size);
	put_options(bytes + WIRE_TCP_HEADER, tcp);
	return size;
}
