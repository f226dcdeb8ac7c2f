/* user/parse/hpack_data.c - the constants of HPACK (RFC 7541 appendices A and B). */
#include "parse/hpack_data.h"

#include "base/own.h"
#include "parse/hpack.h"

#define ROW(n, v)                                                                                  \
	{                                                                                          \
		SPAN_LIT_(n), SPAN_LIT_(v)                                                         \
	}
#define SPAN_LIT_(s)                                                                               \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}

const struct hpack_pair hpack_static[] = {
	ROW(":authority", ""),
	ROW(":method", "GET"),
	ROW(":method", "POST"),
	ROW(":path", "/"),
	ROW(":path", "/index.html"),
	ROW(":scheme", "http"),
	ROW(":scheme", "https"),
	ROW(":status", "200"),
	ROW(":status", "204"),
	ROW(":status", "206"),
	ROW(":status", "304"),
	ROW(":status", "400"),
	ROW(":status", "404"),
	ROW(":status", "500"),
	ROW("accept-charset", ""),
	ROW("accept-encoding", "gzip, deflate"),
	ROW("accept-language", ""),
	ROW("accept-ranges", ""),
	ROW("accept", ""),
	ROW("access-control-allow-origin", ""),
	ROW("age", ""),
	ROW("allow", ""),
	ROW("authorization", ""),
	ROW("cache-control", ""),
	ROW("content-disposition", ""),
	ROW("content-encoding", ""),
	ROW("content-language", ""),
	ROW("content-length", ""),
	ROW("content-location", ""),
	ROW("content-range", ""),
	ROW("content-type", ""),
	ROW("cookie", ""),
	ROW("date", ""),
	ROW("etag", ""),
	ROW("expect", ""),
	ROW("expires", ""),
	ROW("from", ""),
	ROW("host", ""),
	ROW("if-match", ""),
	ROW("if-modified-since", ""),
	ROW("if-none-match", ""),
	ROW("if-range", ""),
	ROW("if-unmodified-since", ""),
	ROW("last-modified", ""),
	ROW("link", ""),
	ROW("location", ""),
	ROW("max-forwards", ""),
	ROW("proxy-authenticate", ""),
	ROW("proxy-authorization", ""),
	ROW("range", ""),
	ROW("referer", ""),
	ROW("refresh", ""),
	ROW("retry-after", ""),
	ROW("server", ""),
	ROW("set-cookie", ""),
	ROW("strict-transport-security", ""),
	ROW("transfer-encoding", ""),
	ROW("user-agent", ""),
	ROW("vary", ""),
	ROW("via", ""),
	ROW("www-authenticate", ""),
};
static_assert(ARRAY_SIZE(hpack_static) == HPACK_STATIC_TABLE, "RFC 7541 appendix A");

/* The code is canonical: codes of one length are consecutive, in the order of their symbols. */
const struct huffman_row huffman_rows[HUFFMAN_ROWS] = {
	{ .bits = 5, .index = 0, .first = 0x0, .last = 0x4fffffff },
	{ .bits = 6, .index = 10, .first = 0x14, .last = 0xb7ffffff },
	{ .bits = 7, .index = 36, .first = 0x5c, .last = 0xf7ffffff },
	{ .bits = 8, .index = 68, .first = 0xf8, .last = 0xfdffffff },
	{ .bits = 10, .index = 74, .first = 0x3f8, .last = 0xff3fffff },
	{ .bits = 11, .index = 79, .first = 0x7fa, .last = 0xff9fffff },
	{ .bits = 12, .index = 82, .first = 0xffa, .last = 0xffbfffff },
	{ .bits = 13, .index = 84, .first = 0x1ff8, .last = 0xffefffff },
	{ .bits = 14, .index = 90, .first = 0x3ffc, .last = 0xfff7ffff },
	{ .bits = 15, .index = 92, .first = 0x7ffc, .last = 0xfffdffff },
	{ .bits = 19, .index = 95, .first = 0x7fff0, .last = 0xfffe5fff },
	{ .bits = 20, .index = 98, .first = 0xfffe6, .last = 0xfffedfff },
	{ .bits = 21, .index = 106, .first = 0x1fffdc, .last = 0xffff47ff },
	{ .bits = 22, .index = 119, .first = 0x3fffd2, .last = 0xffffafff },
	{ .bits = 23, .index = 145, .first = 0x7fffd8, .last = 0xffffe9ff },
	{ .bits = 24, .index = 174, .first = 0xffffea, .last = 0xfffff5ff },
	{ .bits = 25, .index = 186, .first = 0x1ffffec, .last = 0xfffff7ff },
	{ .bits = 26, .index = 190, .first = 0x3ffffe0, .last = 0xfffffbbf },
	{ .bits = 27, .index = 205, .first = 0x7ffffde, .last = 0xfffffe1f },
	{ .bits = 28, .index = 224, .first = 0xfffffe2, .last = 0xffffffef },
	{ .bits = 30, .index = 253, .first = 0x3ffffffc, .last = 0xffffffff },
};

const uint8_t huffman_symbols[HUFFMAN_SYMBOLS] = {
	48,  49,  50,  97,  99,	 101, 105, 111, 115, 116, 32,  37,  45,	 46,  47,  51,	52,  53,
	54,  55,  56,  57,  61,	 65,  95,  98,	100, 102, 103, 104, 108, 109, 110, 112, 114, 117,
	58,  66,  67,  68,  69,	 70,  71,  72,	73,  74,  75,  76,  77,	 78,  79,  80,	81,  82,
	83,  84,  85,  86,  87,	 89,  106, 107, 113, 118, 119, 120, 121, 122, 38,  42,	44,  59,
	88,  90,  33,  34,  40,	 41,  63,  39,	43,  124, 35,  62,  0,	 36,  64,  91,	93,  126,
	94,  125, 60,  96,  123, 92,  195, 208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161,
	167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154,
	156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232,
	233, 1,	  135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165,
	166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9,	 142, 144, 145, 148, 159,
	171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213,
	218, 219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245,
	246, 247, 248, 250, 251, 252, 253, 254, 2,   3,	  4,   5,   6,	 7,   8,   11,	12,  14,
	15,  16,  17,  18,  19,	 20,  21,  23,	24,  25,  26,  27,  28,	 29,  30,  31,	127, 220,
	249, 10,  13,  22,
};
