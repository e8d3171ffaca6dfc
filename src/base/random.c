/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <string.h>

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

/* SplitMix64, which xoshiro's authors recommend for spreading a seed. */
static uint64_t split_mix(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void random_init(struct random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->state[i] = split_mix(&seed);
}

uint64_t random_u64(struct random *random)
{
	uint64_t *s = random->state;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
	uint64_t limit = -bound % bound; /* 2^64 mod bound: values below would be too frequent */
	uint64_t value;

	do
		value = random_u64(random);
	while (value < limit);
	return value % bound;
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static struct sip sip_begin(struct hash_key key)
{
	return (struct sip){
		key.k0 ^ 0x736f6d6570736575u,
		key.k1 ^ 0x646f72616e646f6du,
		key.k0 ^ 0x6c7967656e657261u,
		key.k1 ^ 0x7465646279746573u,
	};
}

static inline void sip_word(struct sip *s, uint64_t word, int rounds)
{
	s->v3 ^= word;
	for (int i = 0; i < rounds; i++)
		sip_round(s);
	s->v0 ^= word;
}

static inline uint64_t sip_end(struct sip *s, uint64_t last, int rounds, int last_rounds)
{
	sip_word(s, last, rounds);
	s->v2 ^= 0xff;
	for (int i = 0; i < last_rounds; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static uint64_t load_le64(const uint8_t *p, size_t length)
{
	uint64_t word = 0;

	for (size_t i = 0; i < length; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t hash_bytes(struct hash_key key, const void *bytes, size_t length)
{
	struct sip s = sip_begin(key);
	const uint8_t *p = bytes;
	size_t left = length;

	for (; left >= 8; p += 8, left -= 8)
		sip_word(&s, load_le64(p, 8), 2);
	return sip_end(&s, (uint64_t)length << 56 | load_le64(p, left), 2, 4);
}

uint64_t hash_words(struct hash_key key, const uint64_t *words, size_t count)
{
	struct sip s = sip_begin(key);

	for (size_t i = 0; i < count; i++)
		sip_word(&s, words[i], 1);
	return sip_end(&s, (uint64_t)(count * 8) << 56, 1, 3);
}
