/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/ip/gather.h"

#include "core/ip/internal.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/tcp.h"

enum { TCP_ACK_AT = 8, TCP_FLAGS_AT = 13, TCP_OPTIONS_AT = 20 };

/* Where the headers of a segment lie that may begin a run: TCP with text, no options of IP, nothing special. */
static bool layout(const struct berth_link *link, const struct berth_packet *packet, struct gathered *at)
{
	const uint8_t *data = packet->data, *ip, *tcp;
	bool v6;

	at->network = link->type == BERTH_LINK_ETHERNET ? WIRE_ETHERNET_LENGTH : 0;
	if (packet->length < at->network + WIRE_IP6_LENGTH + WIRE_TCP_HEADER)
		return false; /* too short for text in v4, too */
	ip = data + at->network;
	v6 = ip[0] >> 4 == 6;
	if (at->network && get_be16(data + 12) != (v6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4))
		return false;
	if (v6 ? ip[6] != PROTOCOL_TCP : ip[0] != 0x45 || ip[9] != PROTOCOL_TCP || get_be16(ip + 6) & 0x3fff)
		return false;
	at->transport = at->network + (v6 ? WIRE_IP6_LENGTH : WIRE_IP4_LENGTH);
	tcp = data + at->transport;
	at->payload = at->transport + (size_t)(tcp[12] >> 4) * 4;
	return at->payload >= at->transport + WIRE_TCP_HEADER && packet->length > at->payload &&
	       (tcp[TCP_FLAGS_AT] & ~WIRE_TCP_PSH) == WIRE_TCP_ACK;
}

static bool plain(const struct berth_packet *packet)
{
	return packet->refs == 1 && !packet->segment_size && !packet->looped && !packet->wrapped;
}

/* The IP header says that it carries all of the frame: no padding, nothing cut off. */
static bool whole(const struct berth_packet *packet, const struct gathered *at)
{
	const uint8_t *ip = packet->data + at->network;
	size_t length = packet->length - at->network;

	if (at->transport - at->network == WIRE_IP6_LENGTH)
		return get_be16(ip + 4) + (size_t)WIRE_IP6_LENGTH == length;
	return get_be16(ip + 2) == length;
}

static bool same_network(const uint8_t *a, const uint8_t *b, size_t size)
{
	if (size == WIRE_IP6_LENGTH) /* all but the length */
		return !memcmp(a, b, 4) && !memcmp(a + 6, b + 6, WIRE_IP6_LENGTH - 6);
	/* version, traffic class; fragment, TTL, protocol; addresses */
	return !memcmp(a, b, 2) && !memcmp(a + 6, b + 6, 4) && !memcmp(a + 12, b + 12, 8);
}

/* Is packet what comes after first at seq: the same header in everything but what must differ? */
static bool follows(const struct berth_packet *first, const struct berth_packet *packet, const struct gathered *at,
		    uint32_t seq)
{
	const uint8_t *a = first->data, *b = packet->data, *tcp_a = a + at->transport, *tcp_b = b + at->transport;

	if (!plain(packet) || packet->length <= at->payload || !whole(packet, at))
		return false;
	if (get_be32(tcp_b + 4) != seq || memcmp(a, b, at->network) ||
	    !same_network(a + at->network, b + at->network, at->transport - at->network))
		return false;
	return !memcmp(tcp_a, tcp_b, 4) && !memcmp(tcp_a + TCP_ACK_AT, tcp_b + TCP_ACK_AT, 5) &&
	       (tcp_b[TCP_FLAGS_AT] & ~WIRE_TCP_PSH) == WIRE_TCP_ACK && !memcmp(tcp_a + 14, tcp_b + 14, 2) &&
	       !memcmp(tcp_a + 18, tcp_b + 18, at->payload - at->transport - 18);
}

size_t gather(const struct berth_stack *stack, const struct berth_link *link, struct berth_packet *const *packets,
	      size_t count, struct gathered *ret_gathered)
{
	const struct berth_packet *first = packets[0];
	struct gathered at = { .packets = packets, .taken = 1 };
	uint32_t seq;
	size_t n = 1;

	/* Raw sockets see each packet; nobody else is passed by. */
	if (count < 2 || !list_empty(&stack->raws) || !plain(first) || !layout(link, first, &at) || !whole(first, &at))
		return 1;
	seq = get_be32(first->data + at.transport + 4);
	do {
		seq += (uint32_t)(packets[n - 1]->length - at.payload);
	} while (follows(first, packets[n], &at, seq) && ++n < count);
	at.count = n;
	if (n > 1)
		*ret_gathered = at;
	return n;
}

static bool checksums_ok(const struct gathered *at, const struct berth_packet *packet)
{
	const uint8_t *ip = packet->data + at->network;
	size_t size = at->transport - at->network, length = packet->length - at->transport, addresses = 32, where = 8;
	uint32_t sum = PROTOCOL_TCP + (uint32_t)length;

	if (size == WIRE_IP4_LENGTH) {
		if (!wire_ip4_checksum_ok(ip, size))
			return false;
		addresses = 8;
		where = 12;
	}
	sum = checksum_add(sum, ip + where, addresses);
	return checksum_finish(checksum_add(sum, packet->data + at->transport, length)) == 0;
}

struct berth_packet *gathered_next(const struct gathered *gathered, const struct berth_link *link)
{
	struct berth_packet *packet;

	if (gathered->taken == gathered->count)
		return NULL;
	packet = gathered->packets[gathered->taken];
	return ip_trusted(link, packet) || checksums_ok(gathered, packet) ? packet : NULL;
}

uint32_t gathered_seq(const struct gathered *gathered)
{
	return get_be32(gathered->packets[gathered->taken]->data + gathered->transport + 4);
}

void gathered_take(struct gathered *gathered)
{
	berth_packet_pull(gathered->packets[gathered->taken++], gathered->payload);
}
