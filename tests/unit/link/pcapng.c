/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ip.h"
#include "link/pcapng.h"
#include "test.h"

static uint32_t u32(const struct pcapng *pcapng, size_t at)
{
	uint32_t value;

	memcpy(&value, pcapng->bytes + at, sizeof(value));
	return value;
}

/* Walk the blocks: each has its length at both ends. Returns how many there are, or -1. */
static int blocks(const struct pcapng *pcapng, uint32_t *types, int max)
{
	int count = 0;

	for (size_t at = 0; at < pcapng->length;) {
		uint32_t length = u32(pcapng, at + 4);

		if (length % 4 || length < 12 || length > pcapng->length - at ||
		    u32(pcapng, at + length - 4) != length || count == max)
			return -1;
		types[count++] = u32(pcapng, at);
		at += length;
	}
	return count;
}

TEST(pcapng, is_made_of_whole_blocks)
{
	struct pcapng pcapng;
	struct pcapng_packet packet = { .time = INT64_C(1700000000123456789),
					.bytes = (const uint8_t *)"abcde",
					.length = 9,
					.captured = 5,
					.direction = PCAPNG_OUTBOUND,
					.comment = "dropped" };
	struct berth_ip ip;
	uint32_t types[8];

	pcapng_init(&pcapng, 1 << 20);
	pcapng_section(&pcapng, "test");
	pcapng_interface(&pcapng, &(struct pcapng_interface){ .name = "web", .snap_length = 65535 });
	berth_ip_parse("10.0.0.1", &ip);
	pcapng_name(&pcapng, ip, "web");
	CHECK(pcapng_packet(&pcapng, &packet));
	pcapng_statistics(&pcapng, 0, packet.time, 3, 1);
	CHECK_EQ(blocks(&pcapng, types, 8), 5);
	CHECK(types[0] == 0x0a0d0d0a && types[1] == 1 && types[2] == 4 && types[3] == 6 && types[4] == 5);
	pcapng_fini(&pcapng);
}

TEST(pcapng, packets_say_time_lengths_and_bytes)
{
	struct pcapng pcapng;
	struct pcapng_packet packet = { .interface = 7,
					.time = INT64_C(0x123456789abcdef0),
					.bytes = (const uint8_t *)"abcde",
					.length = 9,
					.captured = 5 };

	pcapng_init(&pcapng, 1 << 20);
	CHECK(pcapng_packet(&pcapng, &packet));
	CHECK_EQ(u32(&pcapng, 8), 7);
	CHECK_EQ(u32(&pcapng, 12), 0x12345678);
	CHECK_EQ(u32(&pcapng, 16), (int64_t)0x9abcdef0);
	CHECK_EQ(u32(&pcapng, 20), 5);
	CHECK_EQ(u32(&pcapng, 24), 9);
	CHECK_BYTES(pcapng.bytes + 28, "abcde\0\0\0", 8);
	pcapng_fini(&pcapng);
}

TEST(pcapng, what_does_not_fit_is_left_out_whole_and_counted)
{
	static uint8_t big[10000];
	struct pcapng pcapng;
	struct pcapng_packet packet = { .bytes = big, .length = sizeof(big), .captured = sizeof(big) };
	uint32_t types[8];
	int written = 0;

	pcapng_init(&pcapng, 40000);
	for (int i = 0; i < 8; i++)
		written += pcapng_packet(&pcapng, &packet);
	CHECK(written >= 2 && written <= 3);
	CHECK_EQ(pcapng.left_out, 8 - written);
	CHECK_EQ(blocks(&pcapng, types, 8), written);
	pcapng_took(&pcapng, pcapng.length);
	CHECK(pcapng_packet(&pcapng, &packet));
	pcapng_fini(&pcapng);
}

TEST(pcapng, blocks_stay_whole_while_they_are_read_in_parts)
{
	static uint8_t bytes[1000];
	struct pcapng_packet packet = { .bytes = bytes, .length = sizeof(bytes), .captured = sizeof(bytes) };
	uint32_t block, taken = 0, written = 0;
	struct pcapng pcapng;

	pcapng_init(&pcapng, 1 << 20);
	for (unsigned turn = 0; turn < 2000; turn++) {
		packet.interface = written;
		written += pcapng_packet(&pcapng, &packet);
		packet.interface = written;
		written += turn % 3 ? pcapng_packet(&pcapng, &packet) : 0;
		for (int i = 0; i < 2 && pcapng.length; i++) {
			memcpy(&block, pcapng_bytes(&pcapng) + 8, sizeof(block));
			CHECK_EQ(block, taken++);
			memcpy(&block, pcapng_bytes(&pcapng) + 4, sizeof(block));
			pcapng_took(&pcapng, block);
		}
	}
	CHECK(written > 3000 && pcapng.room <= 1 << 20);
	pcapng_fini(&pcapng);
}

TEST(pcapng, packets_name_their_process_and_verdict)
{
	static const uint8_t options[] = { 1, 0, 1, 0, 'p', 0, 0, 0, 1, 0, 1, 0,   'c', 0, 0, 0, 7, 0, 9, 0, 1, 2,
					   0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 1, 128, 4,	0, 3, 0, 0, 0, 0, 0, 0, 0 };
	struct pcapng_packet packet = { .bytes = (const uint8_t *)"abcd",
					.length = 4,
					.captured = 4,
					.dropped = true,
					.comment = "c",
					.process_comment = "p",
					.process = 3 };
	struct pcapng pcapng;

	pcapng_init(&pcapng, 1 << 20);
	CHECK(pcapng_process(&pcapng, 77, "curl"));
	CHECK_EQ(u32(&pcapng, 0), 0x80000001);
	CHECK_EQ(u32(&pcapng, 8), 77);
	pcapng_took(&pcapng, pcapng.length);
	CHECK(pcapng_packet(&pcapng, &packet));
	CHECK_BYTES(pcapng.bytes + 32, options, sizeof(options));
	pcapng_fini(&pcapng);
}
