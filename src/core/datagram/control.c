/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ancillary data of datagrams: IP_PKTINFO, IP_TTL, IP_TOS and their IPv6 kin;
 * UDP_SEGMENT. ip(7), udp(7), RFC 3542 §6. IPv4 packets on AF_INET6 sockets get IPv6's forms with
 * mapped addresses, as on Linux.
 */
#include "core/datagram/datagram.h"

#include <errno.h>
#include <netinet/udp.h>
#include <sys/time.h>

static void put_packet_info(struct berth_socket *socket, const struct berth_packet *packet,
			    struct berth_message *message, size_t *used)
{
	unsigned index = packet->link ? packet->link->index : 0;
	struct in6_pktinfo info6 = { .ipi6_ifindex = index };
	struct in_pktinfo info4 = { .ipi_ifindex = (int)index };

	if (socket->family == AF_INET6) {
		memcpy(&info6.ipi6_addr, packet->destination.bytes, 16);
		message_put_control(message, used, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
		return;
	}
	info4.ipi_addr.s_addr = htonl(ip_u32(packet->destination));
	info4.ipi_spec_dst = info4.ipi_addr;
	message_put_control(message, used, IPPROTO_IP, IP_PKTINFO, &info4, sizeof(info4));
}

/* When it arrived, by the stack's clock. socket(7) */
static void put_timestamp(const struct socket_options *options, const struct berth_packet *packet,
			  struct berth_message *message, size_t *used)
{
	struct timeval micro = { packet->stamp / BERTH_SEC, packet->stamp % BERTH_SEC / BERTH_USEC };
	struct timespec nano = { packet->stamp / BERTH_SEC, packet->stamp % BERTH_SEC };

	if (options->receive_timestamp)
		message_put_control(message, used, SOL_SOCKET, SO_TIMESTAMP, &micro, sizeof(micro));
	else if (options->receive_timestamp_ns)
		message_put_control(message, used, SOL_SOCKET, SO_TIMESTAMPNS, &nano, sizeof(nano));
}

/* IP_RECVORIGDSTADDR: where it was sent to, as a name. */
static void put_original(struct berth_socket *socket, const struct berth_packet *packet, struct berth_message *message,
			 size_t *used)
{
	struct berth_endpoint to = { packet->destination, socket->claim.port };
	bool six = socket->family == AF_INET6;
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} name;
	socklen_t size = sizeof(name);

	address_to_sockaddr_by(socket, &to, packet->link, (struct sockaddr *)&name, &size);
	message_put_control(message, used, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_ORIGDSTADDR : IP_ORIGDSTADDR,
			    &name, size);
}

void datagram_write_control(struct berth_socket *socket, const struct berth_packet *packet,
			    struct berth_message *message)
{
	const struct socket_options *options = socket->options;
	bool six = socket->family == AF_INET6;
	int ttl = packet->ttl, traffic_class = packet->traffic_class;
	uint8_t tos = (uint8_t)traffic_class;
	size_t used = 0;

	put_timestamp(options, packet, message, &used);
	if (options->receive_packet_info)
		put_packet_info(socket, packet, message, &used);
	if (options->receive_ttl)
		message_put_control(message, &used, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_HOPLIMIT : IP_TTL, &ttl,
				    sizeof(ttl));
	if (options->receive_traffic_class && six)
		message_put_control(message, &used, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof(traffic_class));
	else if (options->receive_traffic_class)
		message_put_control(message, &used, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	if (options->receive_options || options->return_options)
		datagram_write_options(socket, packet, message, &used);
	if (options->receive_original)
		put_original(socket, packet, message, &used);
	message->control_length = used;
}

static struct berth_ip from_in(struct in_addr in)
{
	return in.s_addr ? ip_from_u32(ntohl(in.s_addr)) : ip_any;
}

/* min -1: that leaves it as the socket has it. RFC 3542 §6.3, §6.5 */
static int read_byte(const uint8_t *data, size_t size, int min, uint8_t *ret_byte)
{
	int number;

	if (size == 1) {
		*ret_byte = *data;
		return 0;
	}
	if (size < sizeof(number))
		return -EINVAL;
	memcpy(&number, data, sizeof(number));
	if (number < min || number > 255)
		return -EINVAL;
	if (number >= 0)
		*ret_byte = (uint8_t)number;
	return 0;
}

static int read_ip(int type, const uint8_t *data, size_t size, struct datagram_control *control)
{
	struct in_pktinfo info;

	switch (type) {
	case IP_PKTINFO:
		if (size != sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		control->source = from_in(info.ipi_spec_dst);
		control->link_index = (unsigned)info.ipi_ifindex;
		return 0;
	case IP_TTL:
		return read_byte(data, size, 1, &control->ttl);
	case IP_TOS:
		return read_byte(data, size, 0, &control->traffic_class);
	case IP_RETOPTS:
		control->has_options = true;
		return datagram_check_options(data, size, &control->options);
	}
	return -EINVAL;
}

static int read_ip6(int type, const uint8_t *data, size_t size, struct datagram_control *control)
{
	struct in6_pktinfo info;

	switch (type) {
	case IPV6_PKTINFO:
		if (size != sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		control->source = ip_from6(info.ipi6_addr.s6_addr);
		control->link_index = info.ipi6_ifindex;
		return 0;
	case IPV6_HOPLIMIT:
		return read_byte(data, size, -1, &control->ttl);
	case IPV6_TCLASS:
		return read_byte(data, size, -1, &control->traffic_class);
	}
	return -EINVAL;
}

static int read_udp(int type, const uint8_t *data, size_t size, struct datagram_control *control)
{
	if (type != UDP_SEGMENT || size != sizeof(control->segment))
		return -EINVAL;
	memcpy(&control->segment, data, sizeof(control->segment));
	return 0;
}

int datagram_read_control(const struct berth_socket *socket, const struct berth_message *message,
			  struct datagram_control *control)
{
	const uint8_t *bytes = message->control;
	size_t left = bytes ? message->control_length : 0;

	while (left >= sizeof(struct cmsghdr)) {
		struct cmsghdr header;
		size_t size, step;
		int r = 0;

		memcpy(&header, bytes, sizeof(header));
		if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > left)
			return -EINVAL;
		size = header.cmsg_len - CMSG_LEN(0);
		if (header.cmsg_level == IPPROTO_IP)
			r = read_ip(header.cmsg_type, bytes + CMSG_LEN(0), size, control);
		else if (header.cmsg_level == IPPROTO_IPV6)
			r = read_ip6(header.cmsg_type, bytes + CMSG_LEN(0), size, control);
		else if (header.cmsg_level == IPPROTO_UDP && socket->demux.protocol == IPPROTO_UDP)
			r = read_udp(header.cmsg_type, bytes + CMSG_LEN(0), size, control);
		else if (header.cmsg_level != SOL_SOCKET) /* Linux: other levels pass by, SOL_SOCKET is checked */
			r = 0;
		else
			r = -EINVAL;
		if (r < 0)
			return r;
		step = CMSG_ALIGN(header.cmsg_len);
		if (step >= left)
			break;
		bytes += step;
		left -= step;
	}
	return 0;
}
