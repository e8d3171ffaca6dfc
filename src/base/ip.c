/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

struct berth_ip ip_mask(struct berth_ip ip, unsigned length)
{
	unsigned bits = ip_is4(ip) ? 96 + length : length;

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > 8 * i ? MIN(bits - 8 * i, 8) : 0;

		ip.bytes[i] &= (uint8_t)(0xff00 >> keep);
	}
	return ip;
}

bool ip_in_prefix(struct berth_ip ip, struct berth_ip prefix, unsigned length)
{
	if (ip_is4(ip) != ip_is4(prefix))
		return false;
	return ip_equal(ip_mask(ip, length), ip_mask(prefix, length));
}

int berth_ip_parse(const char *text, struct berth_ip *ret_ip)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1) {
		*ret_ip = ip_from4(bytes);
		return 0;
	}
	if (inet_pton(AF_INET6, text, bytes) == 1) {
		*ret_ip = ip_from6(bytes);
		return 0;
	}
	return -EINVAL;
}

char *berth_ip_format(struct berth_ip ip, char text[BERTH_IP_STRLEN])
{
	if (ip_is4(ip))
		inet_ntop(AF_INET, ip.bytes + 12, text, BERTH_IP_STRLEN);
	else
		inet_ntop(AF_INET6, ip.bytes, text, BERTH_IP_STRLEN);
	return text;
}
