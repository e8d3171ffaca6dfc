/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One conversation carries more than 2^32 bytes, from one stack to
 * another by superframes: sequence numbers go once around and more, and each
 * 64-bit word that arrives must be the one of its place. A hash runs along.
 */
#include "tests/test.h"

#include "base/bytes.h"
#include "base/ip.h"

#include <berth/berth.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#define TOTAL ((uint64_t)4400 << 20)
#define DELAY (10 * BERTH_USEC)

enum { WORDS = 65536, CHUNK = WORDS * 8, CABLE = 1024 };

static struct rig {
	struct berth_stack *stacks[2];
	struct berth_link *links[2];
	struct frame {
		struct berth_packet *packet;
		berth_time due;
		int to;
	} frames[CABLE];
	unsigned head, count;
	berth_time now;
	int fd[2];
	struct half {
		uint64_t words[WORDS], position, hash; /* position: bytes before words */
		size_t filled;			       /* bytes of words: to be sent, or that came */
	} halves[2];
} rig;

static void transmit(void *context, struct berth_packet *packet)
{
	CHECK(rig.count < CABLE);
	rig.frames[(rig.head + rig.count++) % CABLE] =
		(struct frame){ packet, rig.now + DELAY, context == &rig.links[0] };
}

static void begin(void)
{
	memset(&rig, 0, sizeof(rig));
	for (int side = 0; side < 2; side++) {
		struct berth_stack_config config = { .seed = (uint64_t)side + 1 };
		struct berth_link_config link = { .name = "cable",
						  .type = BERTH_LINK_IP,
						  .mtu = 1500,
						  .superframe = 65535,
						  .flags = BERTH_LINK_NO_CHECKSUMS,
						  .transmit = transmit,
						  .context = &rig.links[side] };

		rig.stacks[side] = berth_stack_new(&config);
		CHECK_EQ(berth_link_add(rig.stacks[side], &link, &rig.links[side]), 0);
		CHECK_EQ(berth_link_add_address(rig.links[side], ip_from_u32(0x0a000001u + (unsigned)side), 24), 0);
	}
}

static void end(void)
{
	for (; rig.count; rig.count--)
		berth_packet_unref(rig.frames[rig.head++ % CABLE].packet);
	for (int side = 0; side < 2; side++)
		berth_stack_free(rig.stacks[side]);
}

/* To the next thing that happens. */
static void turn(void)
{
	berth_time next = rig.count ? rig.frames[rig.head].due : BERTH_NEVER;

	for (int side = 0; side < 2; side++)
		next = MIN(next, berth_stack_deadline(rig.stacks[side]));
	rig.now = MAX(rig.now, MIN(next, rig.now + BERTH_SEC));
	while (rig.count && rig.frames[rig.head].due <= rig.now) {
		struct frame frame = rig.frames[rig.head];

		rig.head = (rig.head + 1) % CABLE;
		rig.count--;
		berth_stack_input(rig.stacks[frame.to], rig.links[frame.to], frame.packet, rig.now);
	}
	for (int side = 0; side < 2; side++)
		berth_stack_advance(rig.stacks[side], rig.now);
}

static void converse(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(0x0a000002) } };
	int listener = berth_socket(rig.stacks[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(berth_bind(rig.stacks[1], listener, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(berth_listen(rig.stacks[1], listener, 1), 0);
	rig.fd[0] = berth_socket(rig.stacks[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(berth_connect(rig.stacks[0], rig.fd[0], (void *)&name, sizeof(name)), -1);
	CHECK_EQ(errno, EINPROGRESS);
	for (int i = 0; i < 20; i++)
		turn();
	rig.fd[1] = berth_accept(rig.stacks[1], listener, NULL, NULL, SOCK_NONBLOCK);
	REQUIRE(rig.fd[1] >= 0);
}

static void add_hash(struct half *half)
{
	for (size_t i = 0; i < WORDS; i++)
		half->hash = (half->hash ^ half->words[i]) * UINT64_C(0x9e3779b97f4a7c15);
	half->position += CHUNK;
	half->filled = 0;
}

/* The word of a place is its number, mixed. */
static uint64_t word_at(uint64_t place)
{
	return place * UINT64_C(0xd6e8feb86659fd93) ^ place >> 29;
}

static void send_some(struct half *half)
{
	ssize_t n = 1;

	while (n > 0 && half->position < TOTAL) {
		if (!half->filled)
			for (size_t i = 0; i < WORDS; i++)
				half->words[i] = word_at(half->position / 8 + i);
		n = berth_send(rig.stacks[0], rig.fd[0], (uint8_t *)half->words + half->filled, CHUNK - half->filled,
			       0);
		half->filled += n > 0 ? (size_t)n : 0;
		if (half->filled == CHUNK)
			add_hash(half);
	}
	CHECK(n >= 0 || errno == EAGAIN);
}

static void receive_some(struct half *half)
{
	uint64_t wrong = 0;
	ssize_t n;

	while ((n = berth_recv(rig.stacks[1], rig.fd[1], (uint8_t *)half->words + half->filled, CHUNK - half->filled,
			       0)) > 0) {
		half->filled += (size_t)n;
		if (half->filled < CHUNK)
			continue;
		for (size_t i = 0; i < WORDS; i++)
			wrong |= half->words[i] ^ word_at(half->position / 8 + i);
		add_hash(half);
	}
	CHECK_EQ(wrong, 0);
}

TEST(long, more_than_four_gibibytes_arrive_as_they_were_sent)
{
	struct half *out = &rig.halves[0], *in = &rig.halves[1];
	uint64_t last = 0;
	unsigned idle = 0;

	begin();
	converse();
	for (; in->position < TOTAL && idle < 1000; idle = in->position + in->filled == last ? idle + 1 : 0) {
		last = in->position + in->filled;
		send_some(out);
		turn();
		receive_some(in);
	}
	CHECK_EQ(in->position, TOTAL);
	CHECK_EQ(in->hash, out->hash);
	CHECK_EQ(berth_event_count(rig.stacks[0], BERTH_EVENT_TCP_RETRANSMIT), 0);
	berth_close(rig.stacks[0], rig.fd[0]);
	turn();
	turn();
	CHECK_EQ(berth_recv(rig.stacks[1], rig.fd[1], in->words, 1, 0), 0);
	printf("# %llu MiB, %.1f s of virtual time\n", (unsigned long long)(in->position >> 20),
	       (double)rig.now / BERTH_SEC);
	end();
}
