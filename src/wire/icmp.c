/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/icmp.h"

#include "base/bytes.h"
#include "wire/checksum.h"

#include <errno.h>

int wire_icmp_parse(const uint8_t *bytes, size_t length, struct wire_icmp *ret_icmp)
{
	if (length < WIRE_ICMP_LENGTH)
		return -EMSGSIZE;
	ret_icmp->type = bytes[0];
	ret_icmp->code = bytes[1];
	ret_icmp->checksum = get_be16(bytes + 2);
	ret_icmp->value = get_be32(bytes + 4);
	return WIRE_ICMP_LENGTH;
}

void wire_icmp_build(uint8_t *bytes, size_t length, uint32_t sum, const struct wire_icmp *icmp)
{
	bytes[0] = icmp->type;
	bytes[1] = icmp->code;
	put_be16(bytes + 2, 0);
	put_be32(bytes + 4, icmp->value);
	put_be16(bytes + 2, checksum_finish(checksum_add(sum, bytes, length)));
}
