/* user/detect/sensitive_char.h - what a byte is to the scanners of sensitive data, looked up. */
#pragma once

#include "base/span.h"

enum {
	CHAR_DIGIT = 1 << 0,
	CHAR_UPPER = 1 << 1,
	CHAR_LOWER = 1 << 2,
	CHAR_HEX = 1 << 3,	 /* letters a to f in any case, and digits */
	CHAR_SEPARATOR = 1 << 4, /* between groups of a number */
	CHAR_LOCAL = 1 << 5,	 /* of a mail address before its '@' besides letters and digits */
	CHAR_SIGN = 1 << 6,	 /* beside a group that may be something without a form */
	CHAR_ALPHA = CHAR_UPPER | CHAR_LOWER,
	CHAR_ALNUM = CHAR_ALPHA | CHAR_DIGIT,
};

extern const uint8_t char_kinds[256];

static inline bool is_kind(uint8_t c, unsigned kinds)
{
	return char_kinds[c] & kinds;
}

/* The byte at i; 0 past the end. */
static inline uint8_t byte_at(struct span t, size_t i)
{
	return i < t.len ? t.p[i] : 0;
}
