/* SPDX-License-Identifier: BSD-2-Clause */
/* src/core/ip/gather.c, src/core/tcp/run.c: segments that are sent, and taken, many at once. */
#include "base/bytes.h"
#include "base/random.h"
#include "rig.h"
#include "wire/checksum.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

#include <errno.h>
#include <linux/tcp.h>

enum { SIZE = 20000, SEGMENT = 1448, WINDOW_UNIT = 1024, FRAMES_MAX = 64, PORT = 80 };

static struct rig rig;
static int client, server;
static uint8_t data[SIZE], got[SIZE];
static size_t got_length;
static const char *addresses[2];

static void name_of(int side, struct sockaddr_storage *name, socklen_t *length)
{
	struct berth_ip ip = rig_ip(addresses[side]);

	if (ip_is4(ip)) {
		struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(PORT) };

		memcpy(&four.sin_addr, ip.bytes + 12, 4);
		memcpy(name, &four, *length = sizeof(four));
	} else {
		struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };

		memcpy(&six.sin6_addr, ip.bytes, 16);
		memcpy(name, &six, *length = sizeof(six));
	}
}

/* A conversation from a to b, whose window is large enough for all of data. */
static void given(enum berth_link_type type, unsigned flags, bool v6)
{
	struct sockaddr_storage name;
	socklen_t length;
	int listener;

	rig_begin(&rig, type, flags | BERTH_LINK_NO_DAD);
	addresses[0] = v6 ? "fd00::1" : "10.0.0.1";
	addresses[1] = v6 ? "fd00::2" : "10.0.0.2";
	name_of(1, &name, &length);
	listener = berth_socket(rig.b.stack, name.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	client = berth_socket(rig.a.stack, name.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(berth_bind(rig.b.stack, listener, (struct sockaddr *)&name, length) == 0);
	CHECK(berth_listen(rig.b.stack, listener, 1) == 0);
	CHECK(berth_connect(rig.a.stack, client, (struct sockaddr *)&name, length) == -1 && errno == EINPROGRESS);
	rig_settle(&rig);
	server = berth_accept(rig.b.stack, listener, NULL, NULL, SOCK_NONBLOCK);
	CHECK(server >= 0);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	got_length = 0;
	/* Past slow start, and past quick ACKs. */
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(berth_send(rig.a.stack, client, data, SIZE, 0), SIZE);
		rig_settle(&rig);
		CHECK_EQ(berth_recv(rig.b.stack, server, got, SIZE, 0), SIZE);
		rig_settle(&rig);
	}
}

/* a sends all of data; its frames, taken off the cable. */
static size_t send_all(struct berth_packet **frames)
{
	size_t count = 0;

	CHECK_EQ(berth_send(rig.a.stack, client, data, SIZE, 0), SIZE);
	while (rig.a.sent.head && count < FRAMES_MAX)
		frames[count++] = packet_queue_pop(&rig.a.sent);
	CHECK_EQ(count, (SIZE + 1447) / 1448 + (addresses[0][0] == 'f')); /* IPv6 has 20 bytes less in each */
	return count;
}

static void receive_all(void)
{
	ssize_t n;

	while ((n = berth_recv(rig.b.stack, server, got + got_length, SIZE - got_length, 0)) > 0)
		got_length += (size_t)n;
}

static void arrive(struct berth_packet **frames, size_t count)
{
	berth_stack_input_many(rig.b.stack, rig.b.link, frames, count, rig.now);
	receive_all();
}

static void given_all(void)
{
	CHECK_EQ(got_length, SIZE);
	CHECK_BYTES(got, data, SIZE);
	rig_down(&rig);
}

static size_t transport_of(const struct berth_packet *frame)
{
	size_t network = rig.type == BERTH_LINK_ETHERNET ? 14 : 0;

	return network + (frame->data[network] >> 4 == 6 ? 40 : 20);
}

TEST(run, every_segment_has_its_own_number_and_checksum)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct berth_packet *frames[FRAMES_MAX];
		uint32_t seq = 0;
		size_t count, sent = 0;

		given(BERTH_LINK_ETHERNET, 0, v6);
		count = send_all(frames);
		for (size_t i = 0; i < count; i++) {
			size_t at = transport_of(frames[i]), length = frames[i]->length - at;
			const uint8_t *tcp = frames[i]->data + at;
			uint32_t sum = ip_pseudo_sum(rig_ip(addresses[0]), rig_ip(addresses[1]), IPPROTO_TCP, length);
			struct wire_tcp header;

			CHECK_EQ(checksum_finish(checksum_add(sum, tcp, length)), 0);
			CHECK(v6 || wire_ip4_checksum_ok(frames[i]->data + 14, 20));
			CHECK_EQ(wire_tcp_parse(tcp, length, &header), 0);
			if (!i)
				seq = header.seq;
			CHECK_EQ(header.seq, seq + sent);
			/* only the last pushes, for there is nothing behind it */
			CHECK_EQ(header.flags, WIRE_TCP_ACK | (i == count - 1 ? WIRE_TCP_PSH : 0));
			sent += length - header.header_length;
		}
		CHECK_EQ(sent, SIZE);
		arrive(frames, count);
		given_all();
	}
}

TEST(gather, a_run_is_taken_and_acknowledged_as_one)
{
	static const struct {
		enum berth_link_type type;
		unsigned flags;
		bool v6;
	} kinds[] = {
		{ BERTH_LINK_ETHERNET, 0, false },
		{ BERTH_LINK_ETHERNET, 0, true },
		{ BERTH_LINK_IP, 0, false },
		{ BERTH_LINK_IP, BERTH_LINK_NO_CHECKSUMS, true },
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct berth_packet *frames[FRAMES_MAX];
		uint64_t before;
		size_t count;

		given(kinds[i].type, kinds[i].flags, kinds[i].v6);
		count = send_all(frames);
		before = COUNT(&rig.b, LINK_IN);
		arrive(frames, count);
		CHECK_EQ(COUNT(&rig.b, LINK_IN) - before, count); /* each was a frame nevertheless */
		CHECK(rig.b.sent.count <= 2); /* of the text, and of the window that reading opened */
		given_all();
	}
}

/* What b sent, off the cable: so many packets. */
static unsigned lose_answers(void)
{
	unsigned count = 0;

	for (; rig.b.sent.head; count++)
		berth_packet_unref(packet_queue_pop(&rig.b.sent));
	return count;
}

TEST(gather, one_lost_ack_of_many_does_not_stop_a_conversation)
{
	struct berth_packet *frames[FRAMES_MAX];
	size_t count;

	given(BERTH_LINK_ETHERNET, 0, false);
	count = send_all(frames);
	arrive(frames, count);
	CHECK_EQ(lose_answers(), 1);
	CHECK_EQ(berth_send(rig.a.stack, client, data, 1448, 0), 1448); /* as a tail probe does: alone */
	frames[0] = packet_queue_pop(&rig.a.sent);
	CHECK(frames[0] && !rig.a.sent.head);
	arrive(frames, 1);
	CHECK_EQ(lose_answers(), 1); /* at once, not in 40 ms */
	given_all();
}

TEST(gather, after_a_gap_two_segments_at_most_share_an_ack)
{
	struct berth_packet *frames[FRAMES_MAX], *first;
	size_t count;

	given(BERTH_LINK_ETHERNET, 0, false);
	count = send_all(frames);
	first = frames[0];
	arrive(frames + 1, 1);
	arrive(&first, 1);
	lose_answers();
	arrive(frames + 2, count - 2);
	CHECK(lose_answers() >= (count - 2) / 2);
	given_all();
}

/* Quick ACKs are not for who answers at once: then one ACK does for the whole run. */
TEST(gather, after_a_gap_an_interactive_conversation_acknowledges_once)
{
	struct berth_packet *frames[FRAMES_MAX], *late;
	size_t count;

	given(BERTH_LINK_ETHERNET, 0, false);
	count = send_all(frames);
	late = frames[1];
	arrive(frames, 1);
	CHECK_EQ(berth_send(rig.b.stack, server, data, 1, 0), 1);
	arrive(frames + 2, 1);
	arrive(&late, 1);
	lose_answers();
	arrive(frames + 3, count - 3);
	CHECK(lose_answers() <= 2); /* of the text, and of the window that reading opened */
	given_all();
}

TEST(gather, a_damaged_segment_ends_the_run_and_is_dropped_by_its_name)
{
	enum { DAMAGED = 5 };
	struct berth_packet *frames[FRAMES_MAX];
	size_t count;

	for (int network = 0; network < 2; network++) {
		given(BERTH_LINK_ETHERNET, 0, false);
		count = send_all(frames);
		if (network)
			frames[DAMAGED]->data[14 + 10] ^= 0x40; /* its IP header's own checksum */
		else
			frames[DAMAGED]->data[800] ^= 0x40;
		arrive(frames, count);
		CHECK_EQ(COUNT(&rig.b, TCP_DROP_CHECKSUM), !network);
		CHECK_EQ(COUNT(&rig.b, IP_DROP_CHECKSUM), network);
		CHECK_EQ(got_length, DAMAGED * 1448);
		CHECK_BYTES(got, data, got_length);
		rig_settle(&rig); /* SACKs tell of the rest; it is sent again */
		rig_run(&rig, BERTH_SEC);
		receive_all();
		given_all();
	}
}

TEST(gather, order_gaps_and_repetitions_are_as_with_one_by_one)
{
	struct berth_packet *frames[FRAMES_MAX], *again;
	size_t count;

	given(BERTH_LINK_ETHERNET, 0, false);
	count = send_all(frames);
	again = frames[3];
	frames[3] = frames[4];
	frames[4] = again;
	berth_packet_unref(frames[7]); /* lost; and the next comes twice */
	frames[7] = packet_clone(frames[8]);
	arrive(frames, count);
	CHECK_EQ(got_length, 7 * 1448);
	CHECK_BYTES(got, data, got_length);
	rig_settle(&rig);
	rig_run(&rig, BERTH_SEC);
	receive_all();
	given_all();
}

TEST(gather, what_others_hold_or_a_raw_socket_wants_goes_alone)
{
	for (int raw = 0; raw < 2; raw++) {
		struct berth_packet *frames[FRAMES_MAX], *held = NULL;
		size_t count, seen = 0;
		uint8_t copy[2048];
		int fd = -1;

		given(BERTH_LINK_ETHERNET, 0, false);
		if (raw)
			fd = berth_socket(rig.b.stack, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_TCP);
		count = send_all(frames);
		if (!raw)
			held = berth_packet_ref(frames[2]);
		if (held)
			memcpy(copy, held->data, held->length);
		arrive(frames, count);
		while (raw && berth_recv(rig.b.stack, fd, copy, sizeof(copy), 0) > 0)
			seen++;
		CHECK_EQ(seen, raw ? count : 0);
		if (held)
			CHECK_BYTES(held->data, copy, held->length); /* as its holder knows it */
		berth_packet_unref(held);
		given_all();
	}
}

TEST(gather, a_window_that_ends_within_the_run_takes_no_more)
{
	struct berth_packet *frames[FRAMES_MAX];
	size_t count, before;

	given(BERTH_LINK_ETHERNET, 0, false);
	CHECK_EQ(rig_set_int(&rig.b, server, SOL_SOCKET, SO_RCVBUF, 8192), 0);
	/* Fill it without reading until no more is offered; what then comes may be dropped, but never told as taken. */
	for (int i = 0; i < 40; i++) {
		berth_send(rig.a.stack, client, data + i * 100, 100, 0);
		rig_settle(&rig);
	}
	before = 4000;
	count = 0;
	berth_send(rig.a.stack, client, data + before, SIZE - before, 0);
	for (int round = 0; round < 1000 && got_length < SIZE; round++) {
		while (rig.a.sent.head && count < FRAMES_MAX)
			frames[count++] = packet_queue_pop(&rig.a.sent);
		berth_stack_input_many(rig.b.stack, rig.b.link, frames, count, rig.now);
		count = 0;
		if (round % 4 == 3)
			receive_all();
		while (rig.b.sent.head)
			berth_stack_input(rig.a.stack, rig.a.link, packet_queue_pop(&rig.b.sent), rig.now);
		rig.now += 10 * BERTH_MSEC;
		berth_stack_advance(rig.a.stack, rig.now);
		berth_stack_advance(rig.b.stack, rig.now);
	}
	given_all();
}

static size_t offered(void)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	CHECK_EQ(berth_getsockopt(rig.a.stack, client, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info.tcpi_snd_wnd;
}

/* b doesn't read, until its window is so small and a bit more; returns how much fits still, and what was sent. */
static size_t fill_until(size_t left, size_t *ret_sent)
{
	*ret_sent = 0;
	while (offered() > left + SEGMENT) {
		CHECK_EQ(berth_send(rig.a.stack, client, data, SEGMENT, 0), SEGMENT);
		*ret_sent += SEGMENT;
		rig_run(&rig, 200 * BERTH_MSEC);
	}
	return offered();
}

/* a is told of a window that b never offered. */
static void offer_more(void)
{
	struct berth_packet *ack;

	CHECK_EQ(berth_send(rig.a.stack, client, data, 1, 0), 1);
	while (rig.a.sent.head)
		berth_stack_input(rig.b.stack, rig.b.link, packet_queue_pop(&rig.a.sent), rig.now);
	berth_stack_advance(rig.b.stack, rig.now += 50 * BERTH_MSEC);
	ack = packet_queue_pop(&rig.b.sent);
	CHECK(ack && !rig.b.sent.head);
	put_be16(ack->data + 20 + 14, 0xffff);
	berth_stack_input(rig.a.stack, rig.a.link, ack, rig.now);
}

TEST(gather, what_lies_beyond_the_window_is_cut_off_a_run)
{
	static const size_t lefts[] = { 600, 5000 }; /* within the first segment, and within a later one */

	for (size_t i = 0; i < COUNT_OF(lefts); i++) {
		struct berth_packet *frames[FRAMES_MAX];
		size_t count, fits, sent, received = 0;
		ssize_t n;

		given(BERTH_LINK_IP, BERTH_LINK_NO_CHECKSUMS, false);
		fits = fill_until(lefts[i], &sent);
		offer_more();
		CHECK(fits > 1 && fits <= lefts[i] + SEGMENT);
		count = send_all(frames);
		berth_stack_input_many(rig.b.stack, rig.b.link, frames, count, rig.now);
		while ((n = berth_recv(rig.b.stack, server, got, SIZE, 0)) > 0)
			received += (size_t)n;
		/* What was promised, and no more than rounding that up to what the field can say, at two ACKs. */
		CHECK(received >= sent + fits && received < sent + fits + 2 * WINDOW_UNIT);
		CHECK(COUNT(&rig.b, TCP_DROP_OUT_OF_WINDOW) > 0);
		rig_down(&rig);
	}
}

/* One frame, perhaps lost, sent twice, damaged or moved; the stream must be what it was. */
static size_t disturb(struct random *random, struct berth_packet **frames, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t chance = random_below(random, 100);

		if (chance == 0) {
			berth_packet_unref(frames[i]);
			continue;
		}
		if (chance == 1)
			frames[i]->data[random_below(random, frames[i]->length)] ^=
				(uint8_t)(1 << random_below(random, 8));
		frames[kept++] = frames[i];
		if (chance == 2 && kept > 1) {
			struct berth_packet *other = frames[kept - 2];

			frames[kept - 2] = frames[kept - 1];
			frames[kept - 1] = other;
		}
		if (chance == 3 && kept < i) /* there is room where one was lost */
			frames[kept] = packet_clone(frames[kept - 1]), kept++;
	}
	return kept;
}

TEST(gather, a_stream_survives_whatever_a_cable_does_to_its_runs)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct berth_packet *frames[FRAMES_MAX];
		struct random random;
		size_t sent = 0;

		random_init(&random, seed);
		given(seed % 2 ? BERTH_LINK_ETHERNET : BERTH_LINK_IP, 0, seed % 3 == 0);
		for (int round = 0; round < 20000 && got_length < SIZE; round++) {
			size_t count = 0, piece;
			ssize_t n = berth_send(rig.a.stack, client, data + sent, SIZE - sent, 0);

			sent += n > 0 ? (size_t)n : 0;
			while (rig.a.sent.head && count < FRAMES_MAX)
				frames[count++] = packet_queue_pop(&rig.a.sent);
			count = disturb(&random, frames, count);
			for (size_t at = 0; at < count; at += piece) {
				piece = 1 + (size_t)random_below(&random, count - at);
				arrive(frames + at, piece);
			}
			while (rig.b.sent.head)
				berth_stack_input(rig.a.stack, rig.a.link, packet_queue_pop(&rig.b.sent), rig.now);
			rig.now += 5 * BERTH_MSEC;
			berth_stack_advance(rig.a.stack, rig.now);
			berth_stack_advance(rig.b.stack, rig.now);
		}
		given_all();
	}
}
