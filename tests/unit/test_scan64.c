/* tests/unit/test_scan64.c - every kind of processor sees the same in the same 64 bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/own.h"
#include "base/scan64.h"
#include "guard.h"

/* As it says in the header, byte by byte. */
static uint64_t plain(const uint8_t p[SCAN64], uint8_t set, uint8_t first, uint8_t n)
{
	uint64_t ret = 0;

	for (unsigned i = 0; i < SCAN64; i++)
		ret |= (uint64_t)((uint8_t)((p[i] | set) - first) < n) << i;
	return ret;
}

static SCAN64_INLINE void masks_with(const uint8_t p[SCAN64], uint64_t ret[6], scan64_fn *of)
{
	ret[0] = of(p, 0, 'x', 1);
	ret[1] = of(p, 0x20, 'x', 1);
	ret[2] = of(p, 0, 'A', 26);
	ret[3] = of(p, 0x20, 'a', 26);
	ret[4] = of(p, 0, 0x80, 0x80);
	ret[5] = of(p, 0, 0, ' ' + 1);
}

SCAN64_FUNCTION(void, masks, (const uint8_t p[SCAN64], uint64_t ret[6]), p, ret)

static void agree(void **state)
{
	uint8_t p[256 + SCAN64];
	uint64_t want[6], got[6];

	(void)state;
	for (unsigned i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)i;
	for (unsigned at = 0; at <= 256; at++) {
		masks_with(p + at, want, plain);
		masks_any(p + at, got);
		assert_memory_equal(got, want, sizeof(want));
#ifdef __x86_64__
		if (scan64_has_avx2()) {
			masks_avx2(p + at, got);
			assert_memory_equal(got, want, sizeof(want));
		}
		if (scan64_has_avx512()) {
			masks_avx512(p + at, got);
			assert_memory_equal(got, want, sizeof(want));
		}
#endif
		masks(p + at, got);
		assert_memory_equal(got, want, sizeof(want));
	}
}

static SCAN64_INLINE uint64_t pairs_with(const uint8_t p[SCAN64], const uint8_t a[32],
					 const uint8_t b[32], scan64_fn *of, scan64_pairs_fn *pairs)
{
	return of(p, 0, 0, 0x80) & pairs(p, a, b);
}

SCAN64_FUNCTION_OF_PAIRS(uint64_t, pairs,
			 (const uint8_t p[SCAN64], const uint8_t a[32], const uint8_t b[32]), p, a,
			 b)

/* The 64 bytes end where nothing may be read any more. */
static void pairs_agree(void **state)
{
	struct guard g = guard_new(SCAN64);
	uint8_t a[32], b[32], *p = g.map + g.room - SCAN64;
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		uint64_t want = 0;

		for (unsigned i = 0; i < 32; i++) {
			a[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24 & 0x81);
			b[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24 & 0x83);
		}
		for (unsigned i = 0; i < SCAN64; i++)
			p[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		for (unsigned i = 0; i + 1 < SCAN64; i++)
			want |= (uint64_t)(p[i] < 0x80 && (a[p[i] & 31] & b[p[i + 1] & 31])) << i;
		assert_int_equal(pairs_any(p, a, b) & want, want);
#ifdef __x86_64__
		if (scan64_has_avx2())
			assert_int_equal(pairs_avx2(p, a, b), want);
		if (scan64_has_avx512())
			assert_int_equal(pairs_avx512(p, a, b), want);
#endif
		assert_int_equal(pairs(p, a, b) & want, want);
	}
	guard_free(&g);
}

static void behind_the_end(void **state)
{
	static const uint8_t text[SCAN64 + 3] = { [SCAN64] = 'a', 'b', 'c' };
	struct span s = span_of(text, sizeof(text));
	uint8_t tail[SCAN64];
	const uint8_t *p;

	(void)state;
	assert_ptr_equal(scan64_at(s, 3, tail), text + 3);
	p = scan64_at(s, SCAN64, tail);
	assert_ptr_equal(p, tail);
	assert_memory_equal(p, "abc", 3);
	for (unsigned i = 3; i < SCAN64; i++)
		assert_int_equal(p[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agree),
		cmocka_unit_test(pairs_agree),
		cmocka_unit_test(behind_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
