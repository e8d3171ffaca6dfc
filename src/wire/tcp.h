/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TCP header and its options as bytes. RFC 9293 §3.1; options of RFC 9293
 * §3.2 (MSS), RFC 7323 (window scale, timestamps), RFC 2018 (SACK), RFC 7413
 * (Fast Open; of the experimental kind that came before it, too). Every length
 * is checked here; what the numbers mean is core/tcp's business.
 */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WIRE_TCP_FIN = 0x01,
	WIRE_TCP_SYN = 0x02,
	WIRE_TCP_RST = 0x04,
	WIRE_TCP_PSH = 0x08,
	WIRE_TCP_ACK = 0x10,
	WIRE_TCP_URG = 0x20,
	WIRE_TCP_ECE = 0x40,
	WIRE_TCP_CWR = 0x80,
};

enum {
	WIRE_TCP_HEADER = 20,
	WIRE_TCP_HEADER_MAX = 60,
	WIRE_TCP_CHECKSUM_OFFSET = 16,
	WIRE_TCP_TIMESTAMPS_SIZE = 12, /* with the two NOPs that align it, RFC 7323 appendix A */
	WIRE_TCP_SACK_MAX = 4,
	WIRE_TCP_SCALE_MAX = 14, /* RFC 7323 §2.3 */
	WIRE_TCP_COOKIE_MIN = 4, /* of Fast Open, RFC 7413 §4.1.1 */
	WIRE_TCP_COOKIE_MAX = 16,
};

struct wire_tcp_sack {
	uint32_t begin, end;
};

struct wire_tcp {
	uint16_t source_port, destination_port;
	uint32_t seq, ack;
	uint16_t window; /* as on the wire, not scaled */
	uint16_t urgent;
	uint8_t flags;
	uint8_t header_length; /* bytes, options included; filled in by parse and build */
	bool has_mss, has_scale, has_sack_permitted, has_timestamps;
	uint8_t scale; /* at most WIRE_TCP_SCALE_MAX after parse */
	uint16_t mss;
	uint32_t timestamp, timestamp_echo; /* TSval, TSecr */
	uint8_t sack_count;
	struct wire_tcp_sack sack[WIRE_TCP_SACK_MAX];
	/* Fast Open, in SYNs: a cookie of cookie_length bytes, or 0 of them: it is asked for one. */
	bool has_fastopen, fastopen_experimental;
	uint8_t cookie_length;
	const uint8_t *cookie; /* after parse: in the bytes that were parsed */
};

/*
 * Read the header at bytes, of which length belong to the segment. The
 * checksum is not looked at. An option that is cut off or has a wrong length
 * ends the reading of options, as on Linux; the segment stays good (RFC 9293
 * MUST-7: an implementation must be prepared for illegal option lengths).
 * Returns 0, or -EINVAL when the header does not fit.
 */
int wire_tcp_parse(const uint8_t *bytes, size_t length, struct wire_tcp *ret_tcp);
/* Bytes that wire_tcp_build() will write for tcp; a multiple of 4, at most WIRE_TCP_HEADER_MAX. */
size_t wire_tcp_size_with_options(const struct wire_tcp *tcp);
/* Nothing but timestamps, as nearly all segments have it. */
static inline bool wire_tcp_is_plain(const struct wire_tcp *tcp)
{
	return tcp->has_timestamps && !(tcp->has_mss | tcp->has_scale | tcp->has_sack_permitted | tcp->has_fastopen) &&
	       !tcp->sack_count;
}
static inline size_t wire_tcp_size(const struct wire_tcp *tcp)
{
	return wire_tcp_is_plain(tcp) ? WIRE_TCP_HEADER + WIRE_TCP_TIMESTAMPS_SIZE : wire_tcp_size_with_options(tcp);
}
/* Write the header, checksum zero. Returns wire_tcp_size(tcp). SACK blocks and a cookie that do not fit are left out. */
size_t wire_tcp_build(uint8_t *bytes, const struct wire_tcp *tcp);

#endif
