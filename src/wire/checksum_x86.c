/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sums of blocks with AVX2 and with SSE2, which every x86-64 has. Both keep
 * lanes of 64 bits and add the two halves of each to lanes of their own: no
 * carry can be lost in less than 2^32 additions.
 */
#include "wire/checksum_ways.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i halves_avx2(__m256i sum, __m256i words)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);

	sum = _mm256_add_epi64(sum, _mm256_and_si256(words, low));
	return _mm256_add_epi64(sum, _mm256_srli_epi64(words, 32));
}

AVX2 static inline uint64_t total_avx2(__m256i a, __m256i b)
{
	__m256i sum = _mm256_add_epi64(a, b);
	uint64_t lanes[4];

	_mm256_storeu_si256((__m256i *)lanes, sum);
	return checksum_carry(checksum_carry(lanes[0], lanes[1]), checksum_carry(lanes[2], lanes[3]));
}

AVX2 uint64_t checksum_add_avx2(const uint8_t *bytes, size_t length)
{
	__m256i a = _mm256_setzero_si256(), b = a;

	for (; length; bytes += CHECKSUM_BLOCK, length -= CHECKSUM_BLOCK) {
		a = halves_avx2(a, _mm256_loadu_si256((const __m256i *)bytes));
		b = halves_avx2(b, _mm256_loadu_si256((const __m256i *)(bytes + 32)));
	}
	return total_avx2(a, b);
}

AVX2 uint64_t checksum_copy_avx2(uint8_t *to, const uint8_t *from, size_t length)
{
	__m256i a = _mm256_setzero_si256(), b = a;

	for (; length; from += CHECKSUM_BLOCK, to += CHECKSUM_BLOCK, length -= CHECKSUM_BLOCK) {
		__m256i x = _mm256_loadu_si256((const __m256i *)from),
			y = _mm256_loadu_si256((const __m256i *)(from + 32));

		_mm256_storeu_si256((__m256i *)to, x);
		_mm256_storeu_si256((__m256i *)(to + 32), y);
		a = halves_avx2(a, x);
		b = halves_avx2(b, y);
	}
	return total_avx2(a, b);
}

static inline __m128i halves_sse2(__m128i sum, __m128i words)
{
	const __m128i low = _mm_set1_epi64x(0xffffffff);

	sum = _mm_add_epi64(sum, _mm_and_si128(words, low));
	return _mm_add_epi64(sum, _mm_srli_epi64(words, 32));
}

static inline uint64_t total_sse2(__m128i a, __m128i b)
{
	uint64_t lanes[2];

	_mm_storeu_si128((__m128i *)lanes, _mm_add_epi64(a, b));
	return checksum_carry(lanes[0], lanes[1]);
}

uint64_t checksum_add_sse2(const uint8_t *bytes, size_t length)
{
	__m128i a = _mm_setzero_si128(), b = a;

	for (; length; bytes += 32, length -= 32) {
		a = halves_sse2(a, _mm_loadu_si128((const __m128i *)bytes));
		b = halves_sse2(b, _mm_loadu_si128((const __m128i *)(bytes + 16)));
	}
	return total_sse2(a, b);
}

uint64_t checksum_copy_sse2(uint8_t *to, const uint8_t *from, size_t length)
{
	__m128i a = _mm_setzero_si128(), b = a;

	for (; length; from += 32, to += 32, length -= 32) {
		__m128i x = _mm_loadu_si128((const __m128i *)from), y = _mm_loadu_si128((const __m128i *)(from + 16));

		_mm_storeu_si128((__m128i *)to, x);
		_mm_storeu_si128((__m128i *)(to + 16), y);
		a = halves_sse2(a, x);
		b = halves_sse2(b, y);
	}
	return total_sse2(a, b);
}
#endif
