/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of raw sockets: raw(7), RFC 3542 §3. */
#include "core/raw/internal.h"

#include <errno.h>

/* <linux/icmp.h>, <netinet/icmp6.h>, and a level that has no name in POSIX. */
enum { LEVEL_RAW = 255, RAW_ICMP_FILTER = 1, RAW_ICMP6_FILTER = 1, RAW_CHECKSUM = 7, RAW_HDRINCL6 = 36 };

/* Where an option that is plain memory lies; NULL: it is none. */
static void *memory_of(struct berth_socket *socket, int level, int option, size_t *ret_size)
{
	struct raw_socket *raw = raw_of(socket);
	uint8_t protocol = socket->demux.protocol;

	if (level == LEVEL_RAW && option == RAW_ICMP_FILTER && protocol == IPPROTO_ICMP)
		return *ret_size = sizeof(raw->filter4), &raw->filter4;
	if (level == IPPROTO_ICMPV6 && option == RAW_ICMP6_FILTER && protocol == IPPROTO_ICMPV6)
		return *ret_size = sizeof(raw->filter6), raw->filter6;
	return NULL;
}

static bool is_header_included(const struct berth_socket *socket, int level, int option)
{
	if (socket->family == AF_INET)
		return level == IPPROTO_IP && option == IP_HDRINCL;
	return level == IPPROTO_IPV6 && option == RAW_HDRINCL6;
}

static bool is_checksum(const struct berth_socket *socket, int level, int option)
{
	return socket->family == AF_INET6 && (level == IPPROTO_IPV6 || level == LEVEL_RAW) && option == RAW_CHECKSUM;
}

/* RFC 3542 §3.1: not for ICMPv6, where it is always on; an odd offset is none. */
static int set_checksum(struct berth_socket *socket, int offset)
{
	if (socket->demux.protocol == IPPROTO_ICMPV6 || (offset > 0 && offset & 1))
		return -EINVAL;
	raw_of(socket)->checksum_at = offset < 0 ? -1 : offset;
	return 0;
}

int raw_set_option(struct berth_socket *socket, int level, int option, const void *value, socklen_t length)
{
	size_t size = 0;
	void *memory = memory_of(socket, level, option, &size);
	int number;

	if (memory) {
		memcpy(memory, value, MIN(length, size));
		return 0;
	}
	if (!is_header_included(socket, level, option) && !is_checksum(socket, level, option))
		return -ENOPROTOOPT;
	if (length < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	if (is_checksum(socket, level, option))
		return set_checksum(socket, number);
	raw_of(socket)->header_included = number != 0;
	return 0;
}

int raw_get_option(struct berth_socket *socket, int level, int option, void *value, socklen_t *length)
{
	const struct raw_socket *raw = raw_of(socket);
	bool included = raw->header_included || socket->demux.protocol == IPPROTO_RAW;
	size_t size = sizeof(int);
	int number = is_checksum(socket, level, option) ? raw->checksum_at : included;
	const void *memory = memory_of(socket, level, option, &size);

	if (!memory) {
		if (!is_header_included(socket, level, option) && !is_checksum(socket, level, option))
			return -ENOPROTOOPT;
		memory = &number;
	}
	*length = (socklen_t)MIN(*length, size);
	memcpy(value, memory, *length);
	return 0;
}
