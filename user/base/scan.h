/* user/base/scan.h - how many bytes of a text can be passed over before one needs a look; 16 bytes
 * a step. Vector extensions of the compiler (SSE2, NEON), no intrinsics. Never reads outside the
 * given run.
 */
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

typedef uint8_t scan_v __attribute__((vector_size(16)));

/* Index of the first byte that the lanes mark, or -1. Little endian, as every machine Earshot runs
 * on. */
static inline int scan_hit(scan_v marked)
{
	uint64_t half[2];

	static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lane order");
	memcpy(half, &marked, sizeof(half));
	if (half[0])
		return __builtin_ctzll(half[0]) >> 3;
	return half[1] ? 8 + (__builtin_ctzll(half[1]) >> 3) : -1;
}

/* A bit for each of the lanes that are marked, all ones. */
static inline uint32_t scan_mask(scan_v marked)
{
#ifdef __SSE2__
	typedef char chars __attribute__((vector_size(16)));

	return (uint32_t)__builtin_ia32_pmovmskb128((chars)marked);
#else
	uint64_t half[2];

	memcpy(half, &marked, sizeof(half));
	for (unsigned i = 0; i < 2; i++)
		half[i] =
		    (half[i] & UINT64_C(0x8040201008040201)) * UINT64_C(0x0101010101010101) >> 56;
	return (uint32_t)(half[0] | half[1] << 8);
#endif
}

/* The lanes of ASCII letters. */
static inline scan_v scan_letters(scan_v v)
{
	return (scan_v)((v | 0x20) - 'a' < 26);
}

/* ... of ASCII letters and digits. */
static inline scan_v scan_alnums(scan_v v)
{
	return scan_letters(v) | (scan_v)(v - '0' < 10);
}

/* Apart, so that a vector read from the text needs no place in memory. */
static __attribute__((noinline, unused)) scan_v scan_load_last(struct span s, size_t at)
{
	scan_v v = { 0 };

	memcpy(&v, s.p + at, s.len - at);
	return v;
}

/* Up to 16 bytes from at, which lies inside, on; zeros behind the end. */
static inline scan_v scan_load(struct span s, size_t at)
{
	scan_v v;

	if (s.len - at < sizeof(v))
		return scan_load_last(s, at);
	memcpy(&v, s.p + at, sizeof(v));
	return v;
}

/* Length of the leading run without CR and LF. */
static inline size_t scan_line(struct span s)
{
	size_t i = 0;

	for (; s.len - i >= sizeof(scan_v); i += sizeof(scan_v)) {
		scan_v v;
		int hit;

		memcpy(&v, s.p + i, sizeof(v));
		hit = scan_hit((scan_v)((v == '\n') | (v == '\r')));
		if (hit >= 0)
			return i + (size_t)hit;
	}
	while (i < s.len && s.p[i] != '\n' && s.p[i] != '\r')
		i++;
	return i;
}

/* Length of the leading run of ASCII that stands for itself in a JSON string: no quote, backslash,
 * control character or DEL. */
static inline size_t scan_json(struct span s)
{
	size_t i = 0;

	for (; s.len - i >= sizeof(scan_v); i += sizeof(scan_v)) {
		scan_v v;
		int hit;

		memcpy(&v, s.p + i, sizeof(v));
		hit = scan_hit((scan_v)((v == '"') | (v == '\\') | (v < 0x20) | (v >= 0x7f)));
		if (hit >= 0)
			return i + (size_t)hit;
	}
	while (i < s.len && s.p[i] != '"' && s.p[i] != '\\' && s.p[i] >= 0x20 && s.p[i] < 0x7f)
		i++;
	return i;
}
