/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/udp.h"

#include "base/bytes.h"

#include <errno.h>

int wire_udp_parse(const uint8_t *bytes, size_t length, struct wire_udp *ret_udp)
{
	struct wire_udp udp;

	if (length < WIRE_UDP_LENGTH)
		return -EMSGSIZE;
	udp.source_port = get_be16(bytes);
	udp.destination_port = get_be16(bytes + 2);
	udp.length = get_be16(bytes + 4);
	udp.checksum = get_be16(bytes + 6);
	if (udp.length < WIRE_UDP_LENGTH)
		return -EPROTO;
	if (udp.length > length)
		return -EMSGSIZE;
	*ret_udp = udp;
	return WIRE_UDP_LENGTH;
}

int wire_udplite_parse(const uint8_t *bytes, size_t length, struct wire_udp *ret_udp)
{
	struct wire_udp udp;

	if (length < WIRE_UDP_LENGTH)
		return -EMSGSIZE;
	udp.source_port = get_be16(bytes);
	udp.destination_port = get_be16(bytes + 2);
	udp.length = get_be16(bytes + 4);
	udp.checksum = get_be16(bytes + 6);
	if (!udp.length)
		udp.length = (uint16_t)length;
	if (udp.length < WIRE_UDP_LENGTH || udp.length > length || !udp.checksum)
		return -EPROTO;
	*ret_udp = udp;
	return WIRE_UDP_LENGTH;
}

void wire_udp_build(uint8_t *bytes, const struct wire_udp *udp)
{
	put_be16(bytes, udp->source_port);
	put_be16(bytes + 2, udp->destination_port);
	put_be16(bytes + 4, udp->length);
	put_be16(bytes + 6, udp->checksum);
}
