/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ip.h"
#include "link/frame.h"
#include "test.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp.h"

enum { ETHERNET = 14, SEGMENT = 1000 };

static struct berth_ip address(const char *text)
{
	struct berth_ip ip;

	berth_ip_parse(text, &ip);
	return ip;
}

static struct berth_packet *superframe(struct berth_packet_pool *pool, size_t payload, bool six)
{
	struct wire_tcp tcp = { .source_port = 1,
				.destination_port = 2,
				.seq = 0xfffffff0,
				.ack = 5,
				.window = 100,
				.flags = WIRE_TCP_ACK | WIRE_TCP_PSH | WIRE_TCP_FIN | WIRE_TCP_CWR,
				.has_timestamps = true };
	struct wire_ip4 ip4 = { .ttl = 64,
				.protocol = 6,
				.id = 0xffff,
				.source = address("10.0.0.1"),
				.destination = address("10.0.0.2") };
	struct wire_ip6 ip6 = {
		.hop_limit = 64, .next_header = 6, .source = address("fd00::1"), .destination = address("fd00::2")
	};
	struct wire_ethernet ethernet = { .type = six ? ETHERTYPE_IP6 : ETHERTYPE_IP4 };
	size_t header = wire_tcp_size(&tcp);
	struct berth_packet *packet = berth_packet_new(pool, 128, header + payload);
	uint8_t *bytes = berth_packet_put(packet, header + payload);

	wire_tcp_build(bytes, &tcp);
	for (size_t i = 0; i < payload; i++)
		bytes[header + i] = (uint8_t)(i * 7 + i / 256);
	ip4.total_length = (uint16_t)(packet->length + 20);
	ip6.payload_length = (uint16_t)packet->length;
	if (six)
		wire_ip6_build(berth_packet_push(packet, 40), &ip6);
	else
		wire_ip4_build(berth_packet_push(packet, 20), &ip4);
	wire_ethernet_build(berth_packet_push(packet, ETHERNET), &ethernet);
	packet->segment_size = SEGMENT;
	packet->checksum = PACKET_CHECKSUM_TRUSTED;
	return packet;
}

static void check_cut(bool six, size_t payload)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct packet_queue queue = { 0 };
	struct berth_packet *part;
	size_t offset = 0, network = six ? 40 : 20;

	CHECK_EQ(frame_cut(superframe(pool, payload, six), &queue), 0);
	CHECK_EQ(queue.count, (payload + SEGMENT - 1) / SEGMENT);
	while ((part = packet_queue_pop(&queue))) {
		struct wire_tcp tcp;
		struct wire_ip4 ip4;
		struct wire_ip6 ip6;
		size_t length, last;

		if (six)
			CHECK_EQ(wire_ip6_parse(part->data + ETHERNET, part->length - ETHERNET, &ip6), 40);
		else
			CHECK_EQ(wire_ip4_parse(part->data + ETHERNET, part->length - ETHERNET, &ip4), 20);
		if (!six)
			CHECK(wire_ip4_checksum_ok(part->data + ETHERNET, 20));
		CHECK_EQ(wire_tcp_parse(part->data + ETHERNET + network, part->length - ETHERNET - network, &tcp), 0);
		length = part->length - ETHERNET - network - tcp.header_length;
		last = offset + length == payload;
		CHECK(length <= SEGMENT);
		CHECK(tcp.seq == (uint32_t)(0xfffffff0 + offset));
		CHECK_EQ(!!(tcp.flags & WIRE_TCP_FIN), last);
		CHECK_EQ(!!(tcp.flags & WIRE_TCP_PSH), last);
		CHECK_EQ(!!(tcp.flags & WIRE_TCP_CWR), offset == 0);
		CHECK(tcp.has_timestamps);
		for (size_t i = 0; i < length; i++)
			if (part->data[part->length - length + i] != (uint8_t)((offset + i) * 7 + (offset + i) / 256))
				test_fail(__FILE__, __LINE__, "byte %zu is wrong", offset + i);
		offset += length;
		berth_packet_unref(part);
	}
	CHECK_EQ(offset, payload);
	berth_packet_pool_unref(pool);
}

TEST(frame, superframes_are_cut_into_segments)
{
	check_cut(false, 60000);
	check_cut(false, 2 * SEGMENT);
	check_cut(false, SEGMENT + 1);
	check_cut(true, 60000);
	check_cut(true, SEGMENT + 1);
}

TEST(frame, what_is_no_superframe_stays_whole)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct packet_queue queue = { 0 };
	struct berth_packet *packet = superframe(pool, SEGMENT, false);

	CHECK_EQ(frame_cut(packet, &queue), 0);
	CHECK(packet_queue_pop(&queue) == packet);
	packet->segment_size = SEGMENT;
	berth_packet_trim(packet, 30); /* nonsense: cut off in IP's header */
	CHECK_EQ(frame_cut(packet, &queue), 0);
	CHECK(packet_queue_pop(&queue) == packet);
	berth_packet_unref(packet);
	berth_packet_pool_unref(pool);
}

static void check_checksum(bool six)
{
	struct berth_packet_pool *pool = berth_packet_pool_new(NULL, 0);
	struct berth_packet *packet = superframe(pool, 100, six);
	size_t transport = ETHERNET + (six ? 40u : 20u), length = packet->length - transport;
	uint8_t pseudo[40] = { 0 };

	frame_checksum(packet);
	if (six) {
		memcpy(pseudo, packet->data + ETHERNET + 8, 32);
	} else {
		memcpy(pseudo, packet->data + ETHERNET + 12, 8);
	}
	pseudo[38] = (uint8_t)(length >> 8);
	pseudo[39] = (uint8_t)length;
	CHECK_EQ(checksum_finish(checksum_add(checksum_add(6, pseudo, 40), packet->data + transport, length)), 0);
	CHECK_EQ(packet->checksum, PACKET_CHECKSUM_SUSPECT);
	berth_packet_unref(packet);
	berth_packet_pool_unref(pool);
}

TEST(frame, missing_checksums_are_put_in)
{
	check_checksum(false);
	check_checksum(true);
}
