/* user/base/base64.c - base64 and base64url, decoded as tolerantly as any receiver does. */
#include "base/base64.h"

const uint8_t base64_sextets[256] = {
	['A'] = 1, 2,  3,  4,  5,	   6,  7,  8,	       9,	   10,	       11,
	12,	   13, 14, 15, 16,	   17, 18, 19,	       20,	   21,	       22,
	23,	   24, 25, 26, ['a'] = 27, 28, 29, 30,	       31,	   32,	       33,
	34,	   35, 36, 37, 38,	   39, 40, 41,	       42,	   43,	       44,
	45,	   46, 47, 48, 49,	   50, 51, 52,	       ['0'] = 53, 54,	       55,
	56,	   57, 58, 59, 60,	   61, 62, ['+'] = 63, ['-'] = 63, ['/'] = 64, ['_'] = 64,
};

size_t base64_decode(uint8_t *out, struct span s)
{
	size_t len = 0;
	uint32_t acc = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < s.len && s.p[i] != '='; i++) {
		if (!base64_sextets[s.p[i]])
			continue;
		acc = acc << 6 | (base64_sextets[s.p[i]] - 1u);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[len++] = acc >> bits;
		}
	}
	return len;
}
