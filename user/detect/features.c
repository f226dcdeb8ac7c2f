/* user/detect/features.c - text to symbols, symbols to hashes. Owns nothing. */
#include "detect/features.h"

#include <stdbool.h>

#define SHIFT (32 - FEATURE_BITS)

/* Symbols: small letters and signs stand for themselves; every other character is hashed into the
 * upper half. */
#define SYMBOL_OTHER 0x80
#define SYMBOL_BLANK ' '

/* Odd constants, different for each kind of feature, so that kinds do not meet in one bucket by
 * rule. */
#define MIX_3	 0x9e3779b97f4a7c15u
#define MIX_4	 0xc2b2ae3d27d4eb4fu
#define MIX_5	 0x165667b19e3779f9u
#define MIX_LAST 0x27d4eb2f165667c5u
#define MIX_WORD 0x85ebca6bu
#define MIX_PAIR 0xd6e8feb86659fd93u

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

static uint32_t bucket(uint64_t x)
{
	return (uint32_t)(x >> (64 - FEATURE_BITS));
}

static bool in_word(unsigned symbol)
{
	return symbol >= SYMBOL_OTHER || (symbol >= 'a' && symbol <= 'z') || symbol == '0';
}

/* Scripts without blanks between words: Han, kana and their neighbours. */
static bool stands_alone(uint32_t cp)
{
	return (cp >= 0x2e80 && cp < 0xa4d0) || (cp >= 0xf900 && cp < 0xfb00) ||
	       (cp >= 0x20000 && cp < 0x30000);
}

/* The word in hand is complete. */
static inline size_t end_word(struct features *f, uint32_t *ret)
{
	if (!f->word_len)
		return 0;
	f->word *= MIX_WORD;
	ret[0] = f->word >> SHIFT;
	ret[1] = bucket((f->last_word ^ ((uint64_t)f->word << 32)) * MIX_PAIR);
	f->last_word = f->word;
	f->word = 0;
	f->word_len = 0;
	return 2;
}

static void add_to_word(struct features *f, unsigned symbol)
{
	f->word = (f->word ^ symbol) * 0x01000193u + 0x9e37u;
	f->word_len = 1;
}

/* Inlined into the loop below, where what is known of the text stays in registers. */
static inline __attribute__((always_inline)) size_t add_symbol(struct features *f, unsigned symbol,
							       bool alone, uint32_t *ret)
{
	uint64_t r = f->recent;
	unsigned last = r & 0xffff;
	size_t n = 0;

	if (symbol == last && (symbol == SYMBOL_BLANK || symbol == ((r >> 16) & 0xffff)))
		return 0;
	f->fifth = (uint16_t)(r >> 48);
	r = r << 16 | symbol;
	f->recent = r;
	ret[n++] = bucket((r & 0xffffffffffff) * MIX_3);
	ret[n++] = bucket(r * MIX_4);
	ret[n++] = bucket((r ^ f->fifth * MIX_LAST) * MIX_5);
	if (alone || !in_word(symbol))
		n += end_word(f, ret + n);
	if (in_word(symbol))
		add_to_word(f, symbol);
	if (alone)
		n += end_word(f, ret + n);
	return n;
}

void features_begin(struct features *f)
{
	*f = (struct features){ .recent = SYMBOL_BLANK };
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
