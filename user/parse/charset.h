/* user/parse/charset.h - JSON that is not UTF-8: UTF-16 in, UTF-8 out (RFC 4627 section 3 tells
 * them apart; RFC 8259 wants UTF-8, servers accept more). Owns at most four bytes of input. Any
 * split of the same bytes gives the same output, but for where it is cut.
 */
#pragma once

#include "base/span.h"

struct charset {
	enum {
		CHARSET_UNKNOWN,
		CHARSET_UTF8,
		CHARSET_UTF16_LE,
		CHARSET_UTF16_BE,
		CHARSET_UTF32, /* nothing is given out */
	} kind;
	uint8_t head[4]; /* until the kind is known; then the odd byte of a unit */
	size_t n_head;
	uint16_t high;	 /* the first half of a pair, 0: none */
	uint64_t unread; /* bytes that were not given out */
};

typedef void charset_fn(void *ctx, struct span utf8);

/* Consumes all of in. Lone surrogates become U+FFFD; a byte order mark is left out. */
void charset_feed(struct charset *c, struct span in, charset_fn *fn, void *ctx);
/* n bytes are missing here (0: nobody knows how many). */
void charset_gap(struct charset *c, uint64_t n);
/* No more comes: what is held is given out. Ready for another document. */
void charset_end(struct charset *c, charset_fn *fn, void *ctx);
