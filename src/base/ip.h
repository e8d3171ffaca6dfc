/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be asked of an address. RFC 4291, RFC 1122 §3.2.1.3, RFC 6890. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/bytes.h"

#include <berth/types.h>

static const struct berth_ip ip_any = { { 0 } };

static inline bool ip_equal(struct berth_ip a, struct berth_ip b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}
static inline bool ip_is_any(struct berth_ip ip)
{
	return ip_equal(ip, ip_any);
}
static inline bool ip_is4(struct berth_ip ip) /* mapped; "any" is neither 4 nor 6 */
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip.bytes, prefix, 12) == 0;
}
static inline bool ip_is6(struct berth_ip ip)
{
	return !ip_is4(ip) && !ip_is_any(ip);
}
static inline struct berth_ip ip_from4(const uint8_t octets[4])
{
	struct berth_ip ip = { { [10] = 0xff, [11] = 0xff } };

	memcpy(ip.bytes + 12, octets, 4);
	return ip;
}
static inline struct berth_ip ip_from_u32(uint32_t host_order)
{
	uint8_t octets[4];

	put_be32(octets, host_order);
	return ip_from4(octets);
}
static inline struct berth_ip ip_from6(const uint8_t bytes[16])
{
	struct berth_ip ip;

	memcpy(ip.bytes, bytes, 16);
	return ip;
}
static inline uint32_t ip_u32(struct berth_ip ip) /* an IPv4 address, host order */
{
	return get_be32(ip.bytes + 12);
}
static inline bool ip_is_loopback(struct berth_ip ip)
{
	static const struct berth_ip one = { { [15] = 1 } };

	return ip_is4(ip) ? ip.bytes[12] == 127 : ip_equal(ip, one);
}
static inline bool ip_is_multicast(struct berth_ip ip)
{
	return ip_is4(ip) ? (ip.bytes[12] & 0xf0) == 0xe0 : ip.bytes[0] == 0xff;
}
static inline bool ip_is_limited_broadcast(struct berth_ip ip)
{
	return ip_is4(ip) && ip_u32(ip) == 0xffffffff;
}
static inline bool ip_is_link_local(struct berth_ip ip)
{
	if (ip_is4(ip))
		return ip.bytes[12] == 169 && ip.bytes[13] == 254;
	return ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
}
/* Does ip begin with the first length bits of prefix? Of one family: IPv4 lengths are 0-32. */
bool ip_in_prefix(struct berth_ip ip, struct berth_ip prefix, unsigned length);
/* ip with all but the first length bits zero; IPv4 lengths are 0-32. */
struct berth_ip ip_mask(struct berth_ip ip, unsigned length);

#endif
