/* user/base/scan64.h - 64 bytes of a text as bit masks, with the widest vectors that the processor
 * has: a function that asks for masks is written once, compiled for each kind of processor, and
 * chosen when it is called. Elsewhere than on x86-64, and on old ones, 16 bytes at a time.
 */
#pragma once

#include <stdbool.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/scan.h"

#define SCAN64 64

/* What becomes part of each variant of a function, rather than a function of its own. */
#define SCAN64_INLINE inline __attribute__((always_inline))

/* Without the instruction, which not every x86-64 has, the compiler calls a function for the
 * builtin; with it, it knows this for what it is. */
static SCAN64_INLINE unsigned scan64_count(uint64_t m)
{
	m -= m >> 1 & 0x5555555555555555;
	m = (m & 0x3333333333333333) + (m >> 2 & 0x3333333333333333);
	m = (m + (m >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned)(m * 0x0101010101010101 >> 56);
}

/* A bit for each of 64 bytes: those from first on, n of them, when the bits of set are set. Must be
 * a constant where it is called. */
typedef uint64_t scan64_fn(const uint8_t p[SCAN64], uint8_t set, uint8_t first, uint8_t n);

static SCAN64_INLINE uint64_t scan64_any(const uint8_t p[SCAN64], uint8_t set, uint8_t first,
					 uint8_t n)
{
	uint64_t ret = 0;

	for (unsigned i = 0; i < SCAN64; i += sizeof(scan_v)) {
		scan_v v;

		memcpy(&v, p + i, sizeof(v));
		ret |= (uint64_t)scan_mask((scan_v)((v | set) - first < n)) << i;
	}
	return ret;
}

/* A bit for each byte but the last that may begin a pair: the lower five bits of it, and of the
 * next one, have a bit in common in these tables. A processor that has no such instruction lets all
 * pass.
 */
typedef uint64_t scan64_pairs_fn(const uint8_t p[SCAN64], const uint8_t first[32],
				 const uint8_t second[32]);

static SCAN64_INLINE uint64_t scan64_pairs_any(const uint8_t p[SCAN64], const uint8_t first[32],
					       const uint8_t second[32])
{
	(void)p;
	(void)first;
	(void)second;
	return ~UINT64_C(0) >> 1;
}

#ifdef __x86_64__
#define SCAN64_AVX2   __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define SCAN64_AVX512 __attribute__((target("avx512bw,bmi,bmi2,lzcnt,popcnt")))

static inline bool scan64_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

static inline bool scan64_has_avx512(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
}

SCAN64_AVX2 static SCAN64_INLINE uint64_t scan64_avx2(const uint8_t p[SCAN64], uint8_t set,
						      uint8_t first, uint8_t n)
{
	uint64_t ret = 0;

	for (unsigned i = 0; i < SCAN64; i += sizeof(__m256i)) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(p + i));

		if (set)
			v = _mm256_or_si256(v, _mm256_set1_epi8((char)set));
		if (n == 1) {
			v = _mm256_cmpeq_epi8(v, _mm256_set1_epi8((char)first));
		} else {
			/* Bytes are compared as signed ones. */
			v = _mm256_add_epi8(v, _mm256_set1_epi8((char)(-128 - first)));
			v = _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(-128 + n)), v);
		}
		ret |= (uint64_t)(uint32_t)_mm256_movemask_epi8(v) << i;
	}
	return ret;
}

SCAN64_AVX512 static SCAN64_INLINE uint64_t scan64_avx512(const uint8_t p[SCAN64], uint8_t set,
							  uint8_t first, uint8_t n)
{
	__m512i v = _mm512_loadu_si512(p);

	if (set)
		v = _mm512_or_si512(v, _mm512_set1_epi8((char)set));
	if (n == 1)
		return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8((char)first));
	v = _mm512_sub_epi8(v, _mm512_set1_epi8((char)first));
	return _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8((char)n));
}

/* What the table has for the lower five bits of each byte. */
SCAN64_AVX2 static SCAN64_INLINE __m256i scan64_table_avx2(__m256i v, const uint8_t table[32])
{
	__m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
	__m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + 16)));

	v = _mm256_and_si256(v, _mm256_set1_epi8(31));
	/* Of an index, four bits are looked at. */
	return _mm256_blendv_epi8(_mm256_shuffle_epi8(low, v), _mm256_shuffle_epi8(high, v),
				  _mm256_slli_epi16(v, 3));
}

SCAN64_AVX2 static SCAN64_INLINE uint64_t scan64_pairs_avx2(const uint8_t p[SCAN64],
							    const uint8_t first[32],
							    const uint8_t second[32])
{
	__m256i a = _mm256_loadu_si256((const __m256i *)p);
	__m256i b = _mm256_loadu_si256((const __m256i *)(p + 32));
	__m256i behind_a = _mm256_loadu_si256((const __m256i *)(p + 1));
	__m256i behind_b = _mm256_alignr_epi8(_mm256_permute2x128_si256(b, b, 0x81), b, 1);
	uint64_t none;

	a = _mm256_and_si256(scan64_table_avx2(a, first), scan64_table_avx2(behind_a, second));
	b = _mm256_and_si256(scan64_table_avx2(b, first), scan64_table_avx2(behind_b, second));
	none = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, _mm256_setzero_si256()));
	none |=
	    (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, _mm256_setzero_si256()))
	    << 32;
	return ~none & ~UINT64_C(0) >> 1;
}

SCAN64_AVX512 static SCAN64_INLINE __m512i scan64_table_avx512(__m512i v, const uint8_t table[32])
{
	__m512i low = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
	__m512i high = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(table + 16)));
	__mmask64 upper = _mm512_test_epi8_mask(v, _mm512_set1_epi8(16));

	v = _mm512_and_si512(v, _mm512_set1_epi8(15));
	return _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(low, v), upper, high, v);
}

SCAN64_AVX512 static SCAN64_INLINE uint64_t scan64_pairs_avx512(const uint8_t p[SCAN64],
								const uint8_t first[32],
								const uint8_t second[32])
{
	__m512i v = _mm512_loadu_si512(p);
	__m512i behind = _mm512_maskz_loadu_epi8(~UINT64_C(0) >> 1, p + 1);

	return _mm512_test_epi8_mask(scan64_table_avx512(v, first),
				     scan64_table_avx512(behind, second)) &
	       ~UINT64_C(0) >> 1;
}
#endif

/* name(params) for every processor, from the SCAN64_INLINE function name_with(arguments, what it
 * asks): masks, or masks and pairs. */
#define SCAN64_FUNCTION(type, name, params, ...)                                                   \
	SCAN64_FUNCTIONS(type, name, params, SCAN64_MASKS, __VA_ARGS__)
#define SCAN64_FUNCTION_OF_PAIRS(type, name, params, ...)                                          \
	SCAN64_FUNCTIONS(type, name, params, SCAN64_MASKS_AND_PAIRS, __VA_ARGS__)
#define SCAN64_MASKS(kind)	     scan64_##kind
#define SCAN64_MASKS_AND_PAIRS(kind) scan64_##kind, scan64_pairs_##kind

#ifdef __x86_64__
#define SCAN64_FUNCTIONS(type, name, params, asks, ...)                                            \
	static type name##_any params                                                              \
	{                                                                                          \
		return name##_with(__VA_ARGS__, asks(any));                                        \
	}                                                                                          \
	SCAN64_AVX2 static type name##_avx2 params                                                 \
	{                                                                                          \
		return name##_with(__VA_ARGS__, asks(avx2));                                       \
	}                                                                                          \
	SCAN64_AVX512 static type name##_avx512 params                                             \
	{                                                                                          \
		return name##_with(__VA_ARGS__, asks(avx512));                                     \
	}                                                                                          \
	static type name params                                                                    \
	{                                                                                          \
		if (scan64_has_avx512())                                                           \
			return name##_avx512(__VA_ARGS__);                                         \
		if (scan64_has_avx2())                                                             \
			return name##_avx2(__VA_ARGS__);                                           \
		return name##_any(__VA_ARGS__);                                                    \
	}
#else
#define SCAN64_FUNCTIONS(type, name, params, asks, ...)                                            \
	static type name params                                                                    \
	{                                                                                          \
		return name##_with(__VA_ARGS__, asks(any));                                        \
	}
#endif

/* The 64 bytes at at, those behind the end of the text being zeros: in the text, or in tail. */
static inline const uint8_t *scan64_at(struct span s, size_t at, uint8_t tail[SCAN64])
{
	if (s.len - at >= SCAN64)
		return s.p + at;
	memset(tail, 0, SCAN64);
	memcpy(tail, s.p + at, s.len - at);
	return tail;
}
