/* user/text/hidden.c - finds and decodes messages in invisible characters. */
#include "text/hidden.h"

#include <errno.h>

#include "base/escape.h"
#include "base/own.h"
#include "base/scan.h"
#include "text/maker.h"

#define SELECTOR_RUN_MIN                                                                           \
	4 /* neighbours: text has one selector behind a character, never a run of them */
#define BITS_RUN_MIN 16 /* two characters' worth of bits */
#define BITS_MAX     (8 * HIDDEN_MESSAGE_MAX)

#define TAG_BASE   0xe0000
#define TAG_CANCEL 0xe007f
#define BLACK_FLAG 0x1f3f4

static int tag(uint32_t cp)
{
	return cp >= 0xe0000 && cp <= TAG_CANCEL ? (int)(cp - TAG_BASE) : -1;
}

static int selector(uint32_t cp)
{
	if (cp >= 0xfe00 && cp <= 0xfe0f)
		return (int)(cp - 0xfe00);
	if (cp >= 0xe0100 && cp <= 0xe01ef)
		return (int)(cp - 0xe0100) + 16;
	return -1;
}

static int zero_width(uint32_t cp)
{
	return (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2060 && cp <= 0x2064) || cp == 0xfeff ||
		       cp == 0x180e
		   ? (int)cp
		   : -1;
}

/* Is m text? Most of it must be printable, and it must not be the alphabet itself, which test files
 * list. */
static bool readable(const uint8_t *m, size_t len)
{
	size_t good = 0, ascending = 0;
	uint32_t cp;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_decode(span_of(m + i, len - i), &cp);

		if (n && (cp >= 0x20 || cp == '\n' || cp == '\t') && cp != 0x7f)
			good += n;
		ascending += i && m[i] == m[i - 1] + 1;
		i += n ? n : 1;
	}
	return len && good * 10 >= len * 9 && ascending * 2 < len;
}

/* Flags of England, Texas ...: a black flag, two to six tag letters, the cancel tag. Returns its
 * length, 0 when it is none. */
static size_t flag(struct span s)
{
	uint32_t cp;
	size_t at = utf8_decode(s, &cp), n;
	unsigned letters = 0;

	if (!at || cp != BLACK_FLAG)
		return 0;
	while ((n = utf8_decode(span_sub(s, at, 4), &cp)) && tag(cp) > ' ' && cp != TAG_CANCEL &&
	       letters <= 6) {
		at += n;
		letters++;
	}
	return n && cp == TAG_CANCEL && letters >= 2 && letters <= 6 ? at + n : 0;
}

/* Reads on from a tag character: the message goes on over short visible stretches. */
static void read_tags(struct span text, struct hidden *h)
{
	size_t at = h->where.begin, n;
	uint32_t cp;

	for (; at < text.len && at - h->where.end <= HIDDEN_GAP_MAX; at += n) {
		n = flag(span_sub(text, at, text.len));
		if (n)
			continue;
		n = utf8_decode(span_sub(text, at, 4), &cp);
		if (!n) {
			n = 1;
			continue;
		}
		if (tag(cp) < 0)
			continue;
		h->where.end = at + n;
		h->n++;
		if (tag(cp) >= ' ' && cp != TAG_CANCEL && h->len < HIDDEN_MESSAGE_MAX)
			h->message[h->len++] = tag(cp);
	}
}

/* A run of neighbours that the class accepts; their values, at most max. */
static size_t read_run(struct span text, size_t at, int (*class)(uint32_t), int *values, size_t max,
		       size_t *ret_n)
{
	uint32_t cp;
	size_t len;

	*ret_n = 0;
	while ((len = utf8_decode(span_sub(text, at, 4), &cp)) && class(cp) >= 0) {
		if (*ret_n < max)
			values[*ret_n] = class(cp);
		++*ret_n;
		at += len;
	}
	return at;
}

/* Bits as bytes of the given width, the first symbol being first. */
static size_t pack(const int *symbols, size_t n, int zero, unsigned width, uint8_t *ret)
{
	size_t len = 0;

	for (size_t i = 0; i + width <= n && len < HIDDEN_MESSAGE_MAX; i += width) {
		unsigned v = 0;

		for (unsigned b = 0; b < width; b++)
			v = v << 1 | (symbols[i + b] != zero);
		ret[len++] = v;
	}
	return len;
}

/* Two symbols are bits; a third one separates. Tries what is in use: eight or seven bits, either
 * symbol as zero. */
static void read_bits(struct hidden *h, int *symbols, size_t n)
{
	static const unsigned widths[] = { 8, 7 };
	int kinds[3] = { -1, -1, -1 };
	size_t count[3] = { 0 }, kept = 0;
	unsigned rare = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned k = 0;

		while (k < 3 && kinds[k] >= 0 && kinds[k] != symbols[i])
			k++;
		if (k == 3)
			return;
		kinds[k] = symbols[i];
		count[k]++;
	}
	if (kinds[1] < 0)
		return;
	if (kinds[2] >= 0) {
		for (unsigned k = 1; k < 3; k++)
			if (count[k] < count[rare])
				rare = k;
		for (size_t i = 0; i < n; i++)
			if (symbols[i] != kinds[rare])
				symbols[kept++] = symbols[i];
		n = kept;
	}
	for (unsigned k = 0; k < 3; k++)
		for (size_t i = 0;
		     i < ARRAY_SIZE(widths) && kinds[k] >= 0 && (kinds[2] < 0 || k != rare); i++) {
			h->len = pack(symbols, n, kinds[k], widths[i], h->message);
			h->readable = readable(h->message, h->len);
			if (h->readable)
				return;
		}
}

/* May an invisible character, or a black flag, begin with these three bytes? */
static bool may_hide(const uint8_t *p)
{
	switch (p[0]) {
	case 0xe1: /* U+180E */
		return p[1] == 0xa0 && p[2] == 0x8e;
	case 0xe2: /* U+200B..F, U+2060..4; quotes and dashes are their neighbours */
		return (p[1] == 0x80 && p[2] - 0x8bu <= 4) || (p[1] == 0x81 && p[2] - 0xa0u <= 4);
	case 0xef: /* U+FE00..F, U+FEFF */
		return (p[1] == 0xb8 && p[2] < 0x90) || (p[1] == 0xbb && p[2] == 0xbf);
	case 0xf0:
		return p[1] == 0x9f && p[2] == 0x8f;
	default:
		return p[0] == 0xf3;
	}
}

/* Up to the next place where one may. */
static size_t to_hidden(struct span t, size_t at)
{
	for (; t.len - at > sizeof(scan_v) + 1; at += sizeof(scan_v)) {
		scan_v v;
		uint32_t m;

		memcpy(&v, t.p + at, sizeof(v));
		if (!scan_mask((scan_v)(v >= 0x80)))
			continue;
		m = scan_mask(
		    (scan_v)((v == 0xe1) | (v == 0xe2) | (v == 0xef) | (v == 0xf0) | (v == 0xf3)));
		for (; m; m &= m - 1) {
			size_t i = at + (size_t)__builtin_ctz(m);

			if (may_hide(t.p + i))
				return i;
		}
	}
	while (t.len - at > 2 && !may_hide(t.p + at))
		at++;
	return t.len - at > 2 ? at : t.len;
}

int hidden_next(struct span text, size_t *at, struct hidden *ret)
{
	int values[BITS_MAX];
	uint32_t cp;
	size_t len, n;

	while (*at < text.len) {
		*at = to_hidden(text, *at);
		len =
		    *at < text.len && text.p[*at] == 0xf0 ? flag(span_sub(text, *at, text.len)) : 0;
		if (len) {
			*at += len;
			continue;
		}
		len = utf8_decode(span_sub(text, *at, 4), &cp);
		if (!len || (tag(cp) < 0 && selector(cp) < 0 && zero_width(cp) < 0)) {
			*at += len ? len : *at < text.len;
			continue;
		}
		ret->where = (struct range){ *at, *at };
		ret->n = ret->len = 0;
		ret->readable = false;
		if (tag(cp) >= 0) {
			ret->technique = HIDDEN_TAGS;
			read_tags(text, ret);
			ret->readable = readable(ret->message, ret->len);
		} else if (selector(cp) >= 0) {
			ret->technique = HIDDEN_SELECTORS;
			ret->where.end = read_run(text, *at, selector, values, BITS_MAX, &n);
			ret->n = n;
			for (size_t i = 0; i < MIN(n, HIDDEN_MESSAGE_MAX); i++)
				ret->message[ret->len++] = values[i];
			ret->readable = readable(ret->message, ret->len);
		} else {
			ret->technique = HIDDEN_BITS;
			ret->where.end = read_run(text, *at, zero_width, values, BITS_MAX, &n);
			ret->n = n;
			if (n >= BITS_RUN_MIN)
				read_bits(ret, values, MIN(n, BITS_MAX));
		}
		*at = ret->where.end;
		/* Single invisible characters are ordinary typography. */
		if (ret->technique == HIDDEN_TAGS ||
		    (ret->technique == HIDDEN_SELECTORS && ret->n >= SELECTOR_RUN_MIN) ||
		    (ret->technique == HIDDEN_BITS && ret->readable))
			return 1;
	}
	return 0;
}

int hidden_view(const struct reading *r, struct view *w)
{
	struct hidden h;
	size_t at = 0;
	int err = 0;

	while (!err && hidden_next(r->text, &at, &h)) {
		if (!h.readable)
			continue;
		err = view_piece(w, r->text, h.where, span_of(h.message, h.len));
	}
	return err;
}
