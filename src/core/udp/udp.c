/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets. RFC 768, RFC 1122 §4.1; errors and limits as Linux's udp(7).
 * Queues, errors and ancillary data are in datagram/; send.c and receive.c have
 * what is UDP's own.
 */
#include "core/udp/udp.h"

#include "core/dhcp/dhcp.h"
#include "core/group/group.h"
#include "wire/dhcp.h"
#include "wire/checksum.h"
#include "wire/ip6.h"
#include "wire/udp.h"

#include <errno.h>

struct delivery {
	struct berth_packet *packet;
	unsigned sockets;
	size_t covered; /* UDP-Lite: bytes under the checksum, header included */
};

/* Do covered of packet's bytes, from the header on, do for this reader? Linux: udp_queue_rcv_one_skb() */
static bool covers_enough(struct berth_socket *socket, size_t length, size_t covered)
{
	const struct udp_socket *udp = udp_of(socket);

	if (!udp->receive_checked || covered == length)
		return true;
	return udp->receive_coverage && covered >= udp->receive_coverage;
}

/* With the headers before it, for who wants to see them. */
static struct berth_packet *clone_whole(struct berth_packet *packet)
{
	struct berth_packet *copy;

	berth_packet_push(packet, packet->mark);
	copy = packet_clone(packet);
	berth_packet_pull(packet, packet->mark);
	if (copy)
		berth_packet_pull(copy, copy->mark);
	return copy;
}

static void deliver_copy(void *context, struct berth_socket *socket)
{
	struct delivery *delivery = context;
	const struct berth_packet *packet = delivery->packet;
	struct berth_packet *copy;

	if (!covers_enough(socket, packet->length + WIRE_UDP_LENGTH, delivery->covered))
		return;
	if (ip_is_multicast(packet->destination) &&
	    !group_wanted(socket, packet->link, packet->destination, packet->source))
		return;
	delivery->sockets++;
	copy = clone_whole(delivery->packet);
	if (copy)
		datagram_deliver(socket, copy, BERTH_EVENT_UDP_DROP_BUFFER_FULL);
	else
		stack_event(socket->stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
}

/* RFC 768: length and checksum; RFC 8200 §8.1: IPv6 has no "no checksum". */
/* RFC 3828 §3.1: the pseudo header says the whole length, whatever the coverage. */
static int udplite_check(struct berth_packet *packet, const struct berth_ip_info *info, struct wire_udp *header)
{
	uint32_t sum = ip_pseudo_sum(info->source, info->destination, IPPROTO_UDPLITE, packet->length);

	if (packet->length > UINT16_MAX || wire_udplite_parse(packet->data, packet->length, header) < 0)
		return BERTH_EVENT_UDP_DROP_MALFORMED;
	if (!info->checked && checksum_finish(checksum_add(sum, packet->data, header->length)) != 0)
		return BERTH_EVENT_UDP_DROP_CHECKSUM;
	return 0;
}

static int udp_check(struct berth_packet *packet, const struct berth_ip_info *info, struct wire_udp *header)
{
	int r = wire_udp_parse(packet->data, packet->length, header);

	if (r < 0)
		return BERTH_EVENT_UDP_DROP_MALFORMED;
	berth_packet_trim(packet, header->length);
	if (!header->checksum && ip_is4(info->source))
		return 0;
	if (!header->checksum && !info->checked)
		return BERTH_EVENT_UDP_DROP_CHECKSUM;
	return berth_checksum_ok(packet, info) ? 0 : BERTH_EVENT_UDP_DROP_CHECKSUM;
}

/* packet is good: to whom it is for. Takes it. */
static void deliver(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info,
		    const struct wire_udp *header)
{
	struct berth_endpoint local, remote;
	struct berth_socket *socket;
	bool lite = info->protocol == IPPROTO_UDPLITE;

	if (header->destination_port == DHCP_CLIENT_PORT && header->source_port == DHCP_SERVER_PORT &&
	    info->link->dhcp) {
		berth_packet_pull(packet, WIRE_UDP_LENGTH);
		dhcp_input(info->link, packet);
		return;
	}
	local = (struct berth_endpoint){ info->destination, header->destination_port };
	remote = (struct berth_endpoint){ info->source, header->source_port };
	datagram_stamp(packet, info, header->source_port);
	if (info->multicast) {
		struct delivery delivery = { .packet = packet, .covered = header->length };

		berth_packet_pull(packet, WIRE_UDP_LENGTH);
		packet->mark += WIRE_UDP_LENGTH;
		port_each_bound(stack, info->protocol, &local, &remote, info->link, deliver_copy, &delivery);
		socket_notify_run(stack);
		if (delivery.sockets)
			berth_packet_unref(packet);
		else
			stack_drop(stack, packet, BERTH_EVENT_UDP_DROP_GROUP);
		return;
	}
	socket = berth_socket_lookup(stack, info->protocol, &local, &remote, info->link);
	if (!socket) {
		berth_refuse(stack, packet, info);
		stack_event_between(stack, BERTH_EVENT_UDP_DROP_NO_SOCKET, IPPROTO_UDP, &local, &remote);
		berth_packet_unref(packet);
		return;
	}
	if (lite && !covers_enough(socket, packet->length, header->length)) {
		stack_drop(stack, packet, BERTH_EVENT_UDP_DROP_COVERAGE);
		return;
	}
	berth_packet_pull(packet, WIRE_UDP_LENGTH);
	packet->mark += WIRE_UDP_LENGTH; /* still the way to the IP header */
	datagram_deliver(socket, packet, BERTH_EVENT_UDP_DROP_BUFFER_FULL);
	socket_notify_run(stack);
}

/* The datagram of whole, a run, at offset of its payload: as if it had come alone. NULL: no memory. */
static struct berth_packet *piece_of(struct berth_packet *whole, size_t offset, size_t length)
{
	size_t headers = whole->mark + WIRE_UDP_LENGTH;
	struct berth_packet *piece = berth_packet_new(whole->pool, 0, headers + length);
	uint8_t *network;

	if (!piece)
		return NULL;
	network = berth_packet_put(piece, headers + length);
	memcpy(network, whole->data - whole->mark, headers);
	memcpy(network + headers, whole->data + WIRE_UDP_LENGTH + offset, length);
	put_be16(network + whole->mark + 4, (uint16_t)(WIRE_UDP_LENGTH + length));
	if (network[0] >> 4 == 4)
		put_be16(network + 2, (uint16_t)piece->length); /* in what an ICMP error quotes */
	else
		put_be16(network + 4, (uint16_t)(piece->length - WIRE_IP6_LENGTH));
	piece->mark = whole->mark;
	berth_packet_pull(piece, whole->mark);
	return piece;
}

/* A run, which the sender or the kernel left uncut (UDP_SEGMENT). Takes whole, whose checksum is good. */
static void deliver_run(struct berth_stack *stack, struct berth_packet *whole, const struct berth_ip_info *info,
			struct wire_udp header)
{
	size_t payload = whole->length - WIRE_UDP_LENGTH, segment = whole->segment_size;

	for (size_t offset = 0; offset < payload; offset += segment) {
		size_t length = MIN(segment, payload - offset);
		struct berth_packet *piece = piece_of(whole, offset, length);

		header.length = (uint16_t)(WIRE_UDP_LENGTH + length);
		if (piece)
			deliver(stack, piece, info, &header);
		else
			stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
	}
	berth_packet_unref(whole);
}

static void udp_input(struct berth_stack *stack, struct berth_packet *packet, const struct berth_ip_info *info)
{
	struct wire_udp header;
	bool lite = info->protocol == IPPROTO_UDPLITE;
	int drop = lite ? udplite_check(packet, info, &header) : udp_check(packet, info, &header);

	if (drop)
		stack_drop(stack, packet, (enum berth_event)drop);
	else if (packet->segment_size && !lite && packet->length > WIRE_UDP_LENGTH + (size_t)packet->segment_size)
		deliver_run(stack, packet, info, header);
	else
		deliver(stack, packet, info, &header);
}

/* Linux: __udp4_lib_err(). */
static void udp_error(struct berth_stack *stack, const struct berth_ip_error *error, const uint8_t *quoted,
		      size_t length)
{
	struct berth_endpoint local = { error->source, 0 }, remote = { error->destination, 0 };
	struct berth_socket *socket;

	if (length < WIRE_UDP_LENGTH)
		return;
	local.port = get_be16(quoted);
	remote.port = get_be16(quoted + 2);
	socket = berth_socket_lookup(stack, error->protocol, &local, &remote, NULL);
	if (socket)
		datagram_error(socket, error, remote.port, quoted + WIRE_UDP_LENGTH, length - WIRE_UDP_LENGTH);
	socket_notify_run(stack);
}

const struct berth_protocol udp_protocol = {
	.name = "udp",
	.number = IPPROTO_UDP,
	.type = SOCK_DGRAM,
	.state_size = sizeof(struct udp_socket),
	.release = datagram_release,
	.destroy = datagram_destroy,
	.connect = datagram_connect,
	.disconnect = datagram_disconnect,
	.send = udp_send,
	.receive = udp_receive,
	.receive_error = datagram_receive_error,
	.shutdown = datagram_shutdown,
	.setsockopt = udp_set_option,
	.getsockopt = udp_get_option,
	.readiness = datagram_readiness,
	.input = udp_input,
	.error = udp_error,
};

/* RFC 3828: the same but for checksum and options. */
const struct berth_protocol udplite_protocol = {
	.name = "udplite",
	.number = IPPROTO_UDPLITE,
	.type = SOCK_DGRAM,
	.state_size = sizeof(struct udp_socket),
	.release = datagram_release,
	.destroy = datagram_destroy,
	.connect = datagram_connect,
	.disconnect = datagram_disconnect,
	.send = udp_send,
	.receive = datagram_receive,
	.receive_error = datagram_receive_error,
	.shutdown = datagram_shutdown,
	.setsockopt = udplite_set_option,
	.getsockopt = udplite_get_option,
	.readiness = datagram_readiness,
	.input = udp_input,
	.error = udp_error,
};
