/* user/detect/features.c - text to symbols, symbols to tokens, tokens to hashes. Owns nothing. */
#include "detect/features.h"

#include <stdbool.h>

/* Symbols: small letters and signs stand for themselves; every other character is hashed into the
 * upper half. */
#define SYMBOL_OTHER 0x80
#define SYMBOL_BLANK ' '
#define STEM	     5 /* symbols, of a longer word */

/* Odd constants, different for each kind of feature, so that kinds do not meet in one bucket by
 * rule. */
#define MIX_WORD 0x85ebca6bu
#define MIX_STEM 0x9e3779b1u
#define MIX_PAIR 0xd6e8feb86659fd93u
#define MIX_RUN	 0x9e3779b97f4a7c15u

/* ASCII as the classifier reads it. */
static const uint8_t symbol_of[128] = {
#define BLANK SYMBOL_BLANK
	BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK,
	BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK,
	BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, BLANK, '!',	'"',   '#',   '$',   '%',   '&',
	'\'',  '(',   ')',   '*',   '+',   ',',	  '-',	 '.',	'/',   '0',   '0',   '0',   '0',
	'0',   '0',   '0',   '0',   '0',   '0',	  ':',	 ';',	'<',   '=',   '>',   '?',   '@',
	'a',   'b',   'c',   'd',   'e',   'f',	  'g',	 'h',	'i',   'j',   'k',   'l',   'm',
	'n',   'o',   'p',   'q',   'r',   's',	  't',	 'u',	'v',   'w',   'x',   'y',   'z',
	'[',   '\\',  ']',   '^',   '_',   '`',	  'a',	 'b',	'c',   'd',   'e',   'f',   'g',
	'h',   'i',   'j',   'k',   'l',   'm',	  'n',	 'o',	'p',   'q',   'r',   's',   't',
	'u',   'v',   'w',   'x',   'y',   'z',	  '{',	 '|',	'}',   '~',   BLANK,
#undef BLANK
};

static inline uint32_t bucket(uint64_t x)
{
	return (uint32_t)(x >> (64 - FEATURE_BITS));
}

static inline enum token kind_of(unsigned symbol)
{
	if (symbol == SYMBOL_BLANK)
		return TOKEN_NONE;
	if (symbol >= SYMBOL_OTHER || (symbol >= 'a' && symbol <= 'z') || symbol == '0')
		return TOKEN_WORD;
	return TOKEN_SIGNS;
}

/* Scripts without blanks between words: Han, kana and their neighbours, those of Thailand, Laos,
 * Burma and Cambodia. */
static bool stands_alone(uint32_t cp)
{
	return (cp >= 0x2e80 && cp < 0xa4d0) || (cp >= 0xf900 && cp < 0xfb00) ||
	       (cp >= 0x20000 && cp < 0x30000) || (cp >= 0xe00 && cp < 0xf00) ||
	       (cp >= 0x1000 && cp < 0x10a0) || (cp >= 0x1780 && cp < 0x1800);
}

/* The token in hand is complete. */
static inline size_t end_token(struct features *f, bool alone, uint32_t *ret)
{
	uint32_t word = f->word * MIX_WORD;
	size_t n = 0;

	if (!f->len)
		return 0;
	ret[n++] = word >> (32 - FEATURE_BITS);
	ret[n++] = bucket((f->last ^ (uint64_t)word << 32) * MIX_PAIR);
	if (alone)
		ret[n++] = bucket(((f->last ^ f->before * 3) ^ (uint64_t)word << 32) * MIX_RUN);
	else if (f->len > STEM)
		ret[n++] = (f->stem * MIX_STEM) >> (32 - FEATURE_BITS);
	f->before = f->last;
	f->last = word;
	f->word = 0;
	f->len = 0;
	return n;
}

/* Inlined into the loop below, where what is known of the text stays in registers. */
static inline __attribute__((always_inline)) size_t add_symbol(struct features *f, unsigned symbol,
							       bool alone, uint32_t *ret)
{
	enum token kind = kind_of(symbol);
	size_t n = 0;

	if (symbol == f->symbol && (symbol == SYMBOL_BLANK || f->twice))
		return 0;
	f->twice = symbol == f->symbol;
	f->symbol = (uint16_t)symbol;
	if (alone || kind != f->kind)
		n = end_token(f, false, ret);
	f->kind = kind;
	if (kind == TOKEN_NONE)
		return n;
	f->word = (f->word ^ symbol) * 0x01000193u + 0x9e37u;
	if (++f->len == STEM)
		f->stem = f->word;
	return alone ? n + end_token(f, true, ret + n) : n;
}

void features_begin(struct features *f)
{
	*f = (struct features){ .symbol = SYMBOL_BLANK };
}

size_t features_add(struct features *f, struct span text, uint32_t *ret)
{
	struct features own = *f; /* which ret cannot point into */
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		if (c < 0x80) {
			own.missing = 0;
			n += add_symbol(&own, symbol_of[c], false, ret + n);
		} else if (c >= 0xc0) {
			own.missing = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
			own.code_point = c & (0x3f >> own.missing);
		} else if (own.missing) {
			own.code_point = own.code_point << 6 | (c & 0x3f);
			if (!--own.missing) {
				uint32_t cp = own.code_point;

				n += add_symbol(&own, SYMBOL_OTHER | (cp * 0x9e3779b1u) >> 17,
						stands_alone(cp), ret + n);
			}
		}
	}
	*f = own;
	return n;
}
