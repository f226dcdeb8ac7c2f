/* user/base/span.h - a borrowed run of bytes. Never owns; the lender says how long it lives. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t len;
};

#define SPAN_LIT(s) ((struct span){ (const uint8_t *)(s), sizeof(s) - 1 })

static inline struct span span_of(const void *p, size_t len)
{
	return (struct span){ p, len };
}

static inline struct span span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

/* The part from off, at most len bytes; empty when off is past the end. */
static inline struct span span_sub(struct span s, size_t off, size_t len)
{
	if (off > s.len)
		off = s.len;
	if (off) /* the empty span's NULL must not be added to, not even 0 (C17 6.5.6) */
		s.p += off;
	s.len = s.len - off < len ? s.len - off : len;
	return s;
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

static inline bool span_starts(struct span s, struct span with)
{
	return s.len >= with.len && (!with.len || !memcmp(s.p, with.p, with.len));
}

/* Without the blanks around it. */
static inline struct span span_trim(struct span s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_sub(s, 1, s.len);
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* The part of *list before the next sep, without blanks; *list becomes what follows. */
static inline struct span span_token(struct span *list, char sep)
{
	const uint8_t *p = list->len ? memchr(list->p, sep, list->len) : NULL;
	size_t n = p ? (size_t)(p - list->p) : list->len;
	struct span token = span_sub(*list, 0, n);

	*list = span_sub(*list, n + 1, list->len);
	return span_trim(token);
}

static inline uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* The value of a hexadecimal digit, or -1. */
static inline int ascii_hex(uint8_t c)
{
	return (uint8_t)(c - '0') < 10		 ? c - '0'
	       : (uint8_t)((c | 0x20) - 'a') < 6 ? (c | 0x20) - 'a' + 10
						 : -1;
}

/* c: a byte, or a code point. */
static inline bool ascii_letter(uint32_t c)
{
	return (c | 0x20) - 'a' < 26;
}

static inline bool ascii_alnum(uint8_t c)
{
	return ascii_letter(c) || (unsigned)c - '0' < 10;
}

/* Equal but for the case of ASCII letters, as HTTP field names compare (RFC 9110 section 5.1). */
static inline bool span_eq_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}
