/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Beside the dialogues of tests/packet: segments with options, addresses and
 * IP headers that a well-behaved peer would not send, and a look at the bytes
 * of what we send.
 */
#ifndef TESTS_CONFORMANCE_RAW_H
#define TESTS_CONFORMANCE_RAW_H

#include "tests/packet/dialogue.h"
#include "wire/tcp.h"

struct raw {
	const char *from, *to; /* NULL: the peer and us */
	uint8_t flags;
	uint32_t seq, ack;	/* in the script's numbers */
	const uint8_t *options; /* of TCP, padded with zero to a multiple of 4 */
	size_t option_length;
	const uint8_t *ip_options; /* IPv4 only, a multiple of 4 */
	size_t ip_option_length;
	size_t length;		 /* of payload, zero bytes */
	uint16_t window, urgent; /* window 0: 65535, unless shut */
	bool shut;
};
void raw_arrives(const struct raw *raw);

/* An ICMP error of the peer's about the first packet that was sent and not looked at yet. */
void icmp_arrives(uint8_t type, uint8_t code, uint32_t value);

/* That packet: IP header first. NULL: there is none. It stays there to be looked at. */
const uint8_t *sent_packet(size_t *ret_length);
/* Its TCP header, sequence numbers as on the wire. */
bool sent_header(struct wire_tcp *ret_tcp);

#endif
