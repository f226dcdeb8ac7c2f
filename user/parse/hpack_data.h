/* user/parse/hpack_data.h - inside user/parse: the constants of HPACK. */
#pragma once

#include "base/span.h"

#define HUFFMAN_ROWS	21
#define HUFFMAN_SYMBOLS 256

struct hpack_pair {
	struct span name, value;
};
extern const struct hpack_pair hpack_static[]; /* index 1 is [0] */

/* The codes of one length. The next 32 bits of the input hold one of them when they are at most
 * `last`, and more than that of the row before. */
struct huffman_row {
	uint8_t bits;
	uint16_t index; /* of the first one's symbol */
	uint32_t first; /* code */
	uint32_t last;	/* greatest code, followed by ones */
};
extern const struct huffman_row huffman_rows[HUFFMAN_ROWS];
/* In the order of their codes; the one past the end is EOS. */
extern const uint8_t huffman_symbols[HUFFMAN_SYMBOLS];
