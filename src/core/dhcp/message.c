/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client says, and from where to where. RFC 2131 §4.4.1 table 5: in
 * RENEWING and for a release to the server alone, else to everyone; from
 * 0.0.0.0 as long as there is no address.
 */
#include "core/dhcp/client.h"
#include "core/ip/ip.h"
#include "wire/checksum.h"
#include "wire/ip6.h"
#include "wire/udp.h"

#include <errno.h>

static const struct berth_ip nobody = { { [10] = 0xff, 0xff } };
static const struct berth_ip everybody = { { [10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

static bool goes_to_server(const struct dhcp *dhcp, enum wire_dhcp_type type)
{
	return type == DHCP_RELEASE || (type == DHCP_REQUEST && dhcp->state == BERTH_DHCP_RENEWING);
}

static struct wire_dhcp compose(const struct dhcp *dhcp, enum wire_dhcp_type type)
{
	struct wire_dhcp message = { .type = (uint8_t)type, .xid = dhcp->xid };
	bool owns = dhcp->has_address && type != DHCP_DECLINE;

	memcpy(message.mac, dhcp->link->mac, sizeof(message.mac));
	message.client_id_length = dhcp->client_id_length;
	memcpy(message.client_id, dhcp->client_id, sizeof(message.client_id));
	if (type == DHCP_DISCOVER || type == DHCP_REQUEST) {
		strcpy(message.host_name, dhcp->host_name);
		message.seconds =
			(uint16_t)MIN((dhcp->link->stack->now - dhcp->began_at) / BERTH_SEC, (berth_time)UINT16_MAX);
	}
	if (owns)
		message.client = dhcp->offer.yours;
	else if (type != DHCP_DISCOVER)
		message.requested = dhcp->offer.yours;
	if (type == DHCP_RELEASE || type == DHCP_DECLINE || dhcp->state == BERTH_DHCP_REQUESTING)
		message.server = dhcp->offer.server;
	return message;
}

static struct berth_packet *build(struct dhcp *dhcp, const struct wire_dhcp *message, struct berth_ip source,
				  struct berth_ip destination)
{
	uint8_t payload[WIRE_DHCP_LENGTH_MAX];
	size_t length = wire_dhcp_build(payload, message) + WIRE_UDP_LENGTH;
	struct wire_udp header = { DHCP_CLIENT_PORT, DHCP_SERVER_PORT, (uint16_t)length, 0 };
	struct berth_packet *packet = berth_packet_new(dhcp->link->stack->packets, PACKET_HEADROOM, length);
	uint32_t sum = ip_pseudo_sum(source, destination, PROTOCOL_UDP, length);
	uint8_t *bytes;

	if (!packet)
		return NULL;
	bytes = berth_packet_put(packet, length);
	wire_udp_build(bytes, &header);
	memcpy(bytes + WIRE_UDP_LENGTH, payload, length - WIRE_UDP_LENGTH);
	header.checksum = checksum_finish(checksum_add(sum, bytes, length));
	if (!header.checksum)
		header.checksum = 0xffff;
	wire_udp_build(bytes, &header);
	return packet;
}

void dhcp_send(struct dhcp *dhcp, enum wire_dhcp_type type)
{
	struct berth_stack *stack = dhcp->link->stack;
	struct wire_dhcp message = compose(dhcp, type);
	struct ip_send send = { .source = dhcp->has_address && type != DHCP_DECLINE ? dhcp->offer.yours : nobody,
				.destination = goes_to_server(dhcp, type) ? dhcp->offer.server : everybody,
				.protocol = PROTOCOL_UDP };
	struct ip_path path = {
		.link = dhcp->link, .source = send.source, .next_hop = send.destination, .mtu = dhcp->link->mtu
	};
	struct berth_packet *packet;

	if (goes_to_server(dhcp, type) && ip_path_find(stack, send.destination, send.source, dhcp->link, &path) < 0) {
		stack_event(stack, BERTH_EVENT_IP_DROP_NO_ROUTE); /* REBINDING will ask everybody */
		return;
	}
	packet = build(dhcp, &message, send.source, send.destination);
	if (packet)
		ip_send(stack, packet, &path, &send);
	else
		stack_event(stack, BERTH_EVENT_LINK_DROP_NO_MEMORY);
}
