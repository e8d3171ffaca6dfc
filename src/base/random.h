/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A seeded generator (xoshiro256**, Blackman and Vigna) for choices that must
 * be repeatable, and SipHash (Aumasson and Bernstein) as the keyed hash of
 * everything that a peer can choose.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
/* Uniform in 0 … bound-1, without bias; bound is not 0. */
uint64_t random_below(struct random *random, uint64_t bound);

struct hash_key {
	uint64_t k0, k1;
};
/* SipHash-2-4: where the value itself is seen or has to resist guessing. */
uint64_t hash_bytes(struct hash_key key, const void *bytes, size_t length);
/* SipHash-1-3 over whole words: for tables, where only where it leads is seen. */
uint64_t hash_words(struct hash_key key, const uint64_t *words, size_t count);

#endif
