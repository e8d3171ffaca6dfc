/* SPDX-License-Identifier: BSD-2-Clause */
/* The UDP header (RFC 768), and UDP-Lite's, which differs in one field (RFC 3828). */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include <stddef.h>
#include <stdint.h>

enum { WIRE_UDP_LENGTH = 8 };

struct wire_udp {
	uint16_t source_port, destination_port;
	uint16_t length;   /* bytes, header and payload */
	uint16_t checksum; /* as on the wire; 0: none (IPv4 only) */
};

/* Returns the header's length, -EMSGSIZE (shorter than header or length field) or -EPROTO (length field under 8). */
int wire_udp_parse(const uint8_t *bytes, size_t length, struct wire_udp *ret_udp);
/*
 * UDP-Lite, whose length field says how many bytes the checksum covers: length
 * in ret_udp is that, the whole if it says 0. Returns as above; -EPROTO also for
 * a coverage over the end, and for no checksum. RFC 3828 §3.1
 */
int wire_udplite_parse(const uint8_t *bytes, size_t length, struct wire_udp *ret_udp);
/* Write WIRE_UDP_LENGTH bytes. */
void wire_udp_build(uint8_t *bytes, const struct wire_udp *udp);

#endif
