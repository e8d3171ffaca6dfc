/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"
#include "test.h"

TEST(random, the_same_seed_gives_the_same_numbers)
{
	struct random a, b, c;

	random_init(&a, 42);
	random_init(&b, 42);
	random_init(&c, 43);
	for (int i = 0; i < 100; i++) {
		uint64_t value = random_u64(&a);

		CHECK(value == random_u64(&b));
		CHECK(value != random_u64(&c));
	}
}

TEST(random, below_stays_below_and_reaches_all)
{
	struct random random;
	unsigned seen[7] = { 0 };

	random_init(&random, 1);
	for (int i = 0; i < 7000; i++) {
		uint64_t value = random_below(&random, 7);

		REQUIRE(value < 7);
		seen[value]++;
	}
	for (int i = 0; i < 7; i++)
		CHECK(seen[i] > 800 && seen[i] < 1200);
}

/* The reference vectors of SipHash-2-4: key 00..0f, message 00, 01, 02, …; Aumasson and Bernstein, appendix A. */
TEST(siphash, gives_the_reference_values)
{
	struct hash_key key = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
	uint8_t message[16];

	for (int i = 0; i < 16; i++)
		message[i] = (uint8_t)i;
	CHECK(hash_bytes(key, message, 15) == 0xa129ca6149be45e5u);
	CHECK(hash_bytes(key, message, 0) == 0x726fdb47dd0e0e31u);
	CHECK(hash_bytes(key, message, 8) == 0x93f5f5799a932462u);
}

/* Every bit of input and of the key changes about half of the output's. */
TEST(siphash, of_words_spreads_every_bit)
{
	struct hash_key key = { 1, 2 };
	uint64_t words[2] = { 11, 22 }, plain = hash_words(key, words, 2);

	for (int bit = 0; bit < 128; bit++) {
		uint64_t other[2] = { words[0], words[1] };
		struct hash_key other_key = key;
		int changed, changed_by_key;

		other[bit / 64] ^= UINT64_C(1) << (bit % 64);
		*(bit < 64 ? &other_key.k0 : &other_key.k1) ^= UINT64_C(1) << (bit % 64);
		changed = __builtin_popcountll(plain ^ hash_words(key, other, 2));
		changed_by_key = __builtin_popcountll(plain ^ hash_words(other_key, words, 2));
		CHECK(changed > 12 && changed < 52);
		CHECK(changed_by_key > 12 && changed_by_key < 52);
	}
	CHECK(hash_words(key, words, 1) != plain);
}
