/* user/text/radix.c - characters as numbers: hexadecimal pairs, bits, decimal and octal codes,
 * places in the alphabet.
 */
#include "base/own.h"
#include "base/scan64.h"
#include "text/maker.h"

#define PIECE	     8192 /* bytes decoded of one run of numbers; the rest is another one */
#define HEX_MIN	     8	  /* bytes; shorter runs are numbers */
#define BITS_MIN     5
#define NUMBERS_MIN  6 /* numbers, and wider gaps behind the second one */
#define NUMBERS_SURE 4 /* numbers that there must be, then */
#define GAP_MAX	     4 /* characters between numbers */

/* Decodes what begins at at. Returns where that ends, decoded or not; *ret_len is 0 when it is
 * nothing. */
typedef size_t decode_fn(const struct reading *r, size_t at, size_t end, uint8_t *out,
			 size_t *ret_len);

#define AHEAD 3 /* bytes behind a place that say whether something may begin there */
#define LOOK  (SCAN64 - AHEAD)

/* In which of 64 bytes may a word begin that a decoder reads? A cheap test, which lets some pass
 * that are none. inside: a word is in front of them. */
typedef uint64_t begins_fn(const uint8_t p[SCAN64], bool inside);

static SCAN64_INLINE uint64_t alnums(const uint8_t p[SCAN64], scan64_fn *of)
{
	return of(p, 0x20, 'a', 26) | of(p, 0, '0', 10);
}

/* What may stand between two numbers, as gap() says. */
static SCAN64_INLINE uint64_t between(const uint8_t p[SCAN64], scan64_fn *of)
{
	return of(p, 0, ' ', 1) | of(p, 0, ',', 1) | of(p, 0, '-', 1) | of(p, 0, ':', 2) |
	       of(p, 0, '|', 1) | of(p, 0, '\t', 2);
}

/* Those of the places from which on at least min of some bytes follow, before one that is no part
 * of numbers and what is between them; or so far that it cannot be seen. */
static SCAN64_INLINE uint64_t enough(uint64_t places, uint64_t some, uint64_t parts, unsigned min)
{
	uint64_t ret = 0;

	for (; places; places &= places - 1) {
		unsigned i = (unsigned)__builtin_ctzll(places);
		uint64_t end = ~parts >> i;

		if (!end || scan64_count(some >> i & ((end & -end) - 1)) >= min)
			ret |= places & -places;
	}
	return ret;
}

/* Places where something may begin. */
struct places {
	begins_fn *begins;
	size_t from;   /* of the bytes looked at */
	uint64_t left; /* those of them that were not asked for */
};

/* The next one at or behind at; end: none before that. */
static size_t next_place(struct places *s, struct span t, size_t at, size_t end)
{
	uint8_t tail[SCAN64];

	if (at - s->from < LOOK)
		s->left &= ~UINT64_C(0) << (at - s->from);
	else
		s->left = 0;
	if (!s->left && at - s->from < LOOK)
		at = s->from + LOOK;
	for (; !s->left && at < end; at += LOOK) {
		s->from = at;
		s->left = s->begins(scan64_at(t, at, tail), at && ascii_alnum(t.p[at - 1])) &
			  ~UINT64_C(0) >> AHEAD;
	}
	return s->left ? MIN(s->from + (size_t)__builtin_ctzll(s->left), end) : end;
}

/* Tries the decoder wherever something may begin, in places that have the sign. */
static int each_run(const struct reading *r, struct view *w, unsigned sign, begins_fn *begins,
		    decode_fn *decode)
{
	struct places places = { begins, SIZE_MAX - LOOK, 0 };
	struct span t = r->text;
	uint8_t out[PIECE];
	struct range where;
	size_t at = 0, end, len;
	int err = 0;

	while (!err && survey_next(r->survey, sign, SURVEY_BLOCK, at, &where)) {
		at = next_place(&places, t, where.begin, where.end);
		while (!err && at < where.end) {
			len = 0;
			end = decode(r, at, t.len, out, &len);
			end = MAX(end, at + 1);
			if (len)
				err = len < PIECE ? view_piece(w, t, (struct range){ at, end },
							       span_of(out, len))
						  : view_put(w, at, span_of(out, len), true);
			/* A long run is decoded piece by piece. */
			at = len && end < where.end && ascii_alnum(t.p[end])
				 ? end
				 : next_place(&places, t, end, where.end);
		}
		at = MAX(at, where.end);
	}
	return err;
}

/* What stands between two numbers: commas and the like, with blanks. Its length. */
static size_t gap(struct span t, size_t at)
{
	size_t n = 0;
	static const bool is[256] = { [' '] = 1, [','] = 1, [';'] = 1,	[':'] = 1,
				      ['-'] = 1, ['|'] = 1, ['\n'] = 1, ['\t'] = 1 };

	while (at + n < t.len && n < GAP_MAX && is[t.p[at + n]])
		n++;
	return n;
}

/* Digits of one number from at on, in pairs; 0x in front is passed over. Looks at no more than it
 * must of what is no such number. */
static size_t hex_digits(struct span t, size_t *at, size_t end)
{
	size_t n = 0;

	if (*at + 2 < end && t.p[*at] == '0' && (t.p[*at + 1] | 0x20) == 'x')
		*at += 2;
	while (*at + n < end && n < 2 * PIECE && ascii_hex(t.p[*at + n]) >= 0)
		n++;
	if (n == 2 * PIECE)
		return n;
	return n % 2 || (*at + n < end && ascii_alnum(t.p[*at + n])) ? 0 : n;
}

static size_t hex_run(const struct reading *r, size_t at, size_t end, uint8_t *out, size_t *ret_len)
{
	struct span t = r->text;
	size_t len = 0, i = at, n, first;

	while (len < PIECE && (n = hex_digits(t, &i, end)) != 0) {
		for (first = i; n && len < PIECE; n -= 2, i += 2) {
			out[len++] = (uint8_t)(ascii_hex(t.p[i]) << 4 | ascii_hex(t.p[i + 1]));
			/* Noise shows soon. */
			if ((len == 2 || len == HEX_MIN) && !is_text(span_of(out, len)))
				return first + n;
		}
		at = i;
		i += gap(t, i);
	}
	if (len >= HEX_MIN && is_prose(span_of(out, len)))
		*ret_len = len;
	return at;
}

/* A pair that is a character of text, with another one behind it or nothing; a prefix. */
static SCAN64_INLINE uint64_t hex_begins_with(const uint8_t p[SCAN64], bool inside, scan64_fn *of)
{
	uint64_t alnum = alnums(p, of), first = alnum & ~(alnum << 1 | inside);
	uint64_t hex = of(p, 0, '0', 10) | of(p, 0x20, 'a', 6), zero = of(p, 0, '0', 1);
	uint64_t x = of(p, 0x20, 'x', 1);
	/* First digits that text has in front of any, and what a line's end has behind a zero. */
	uint64_t leading = of(p, 0, '2', 6) | of(p, 0x20, 'c', 4);
	uint64_t behind_zero = of(p, 0, '9', 1) | of(p, 0x20, 'a', 4);
	uint64_t pair = (leading & hex >> 1) | (zero & behind_zero >> 1);

	first &= (pair & (~alnum >> 2 | (hex >> 2 & hex >> 3))) | (zero & x >> 1);
	return enough(first, hex, hex | x | between(p, of), 2 * HEX_MIN);
}

SCAN64_FUNCTION(uint64_t, hex_begins, (const uint8_t p[SCAN64], bool inside), p, inside)

int hex_view(const struct reading *r, struct view *w)
{
	return each_run(r, w, SURVEY_HEX, hex_begins, hex_run);
}

/* Groups of seven or eight, or bits that are not grouped at all: eight. */
static size_t bit_run(const struct reading *r, size_t at, size_t end, uint8_t *out, size_t *ret_len)
{
	struct span t = r->text;
	size_t len = 0, width = 0, i = at, n;

	while (at + width < end && width <= 8 && (t.p[at + width] & 0xfe) == '0')
		width++;
	if (width < 7)
		return at;
	width = MIN(width, 8);
	while (i + width <= end && len < PIECE) {
		unsigned v = 0;

		for (n = 0; n < width && (t.p[i + n] & 0xfe) == '0'; n++)
			v = v << 1 | (t.p[i + n] & 1);
		if (n < width)
			break;
		out[len++] = (uint8_t)v;
		i += width;
		at = i;
		i += gap(t, i);
	}
	if (len >= BITS_MIN && is_prose(span_of(out, len)))
		*ret_len = len;
	return at;
}

static SCAN64_INLINE uint64_t bits_begin_with(const uint8_t p[SCAN64], bool inside, scan64_fn *of)
{
	uint64_t alnum = alnums(p, of), first = alnum & ~(alnum << 1 | inside);
	uint64_t bit = of(p, 0, '0', 2);

	first &= bit & bit >> 1 & bit >> 2 & bit >> 3;
	return enough(first, bit, bit | between(p, of), 7 * BITS_MIN);
}

SCAN64_FUNCTION(uint64_t, bits_begin, (const uint8_t p[SCAN64], bool inside), p, inside)

int binary_view(const struct reading *r, struct view *w)
{
	return each_run(r, w, SURVEY_BITS, bits_begin, bit_run);
}

/* Reads numbers up to three digits; where they end. A gap of more than the usual separates words
 * of places in the alphabet, and is a 0. */
static size_t read_numbers(struct span t, size_t at, size_t end, uint16_t *ret, size_t max,
			   size_t *ret_n)
{
	size_t usual = 0, g = 0, last = at;
	uint8_t mark = 0;

	*ret_n = 0;
	while (at < end && *ret_n + 2 <= max) {
		size_t n = 0;
		uint16_t v = 0;

		for (; at + n < end && n < 4 && (uint8_t)(t.p[at + n] - '0') < 10; n++)
			v = v * 10 + (t.p[at + n] - '0');
		if (!n || n > 3 || (at + n < end && ascii_alnum(t.p[at + n])))
			break;
		if (*ret_n == 1) {
			usual = g;
			mark = t.p[last];
		}
		if (*ret_n && (g != usual || t.p[last] != mark))
			ret[(*ret_n)++] = 0;
		ret[(*ret_n)++] = v;
		at += n;
		last = at;
		for (g = gap(t, at); at + g < end && g < GAP_MAX && t.p[at + g] == '/'; g++)
			;
		g += gap(t, at + g);
		if (!g)
			break;
		at += g;
	}
	return last;
}

/* What a number stands for, in each of the ways; 0: nothing. */
static uint8_t code(uint16_t v)
{
	return v == 9 || v == 10 || v == 13 || (v >= 32 && v < 256) ? (uint8_t)v : 0;
}

static uint8_t octal_code(uint16_t v)
{
	return v % 10 < 8 && v / 10 % 10 < 8 && v < 200
		   ? code(v / 100 * 64 + v / 10 % 10 * 8 + v % 10)
		   : 0;
}

static uint8_t place(uint16_t v)
{
	return v >= 1 && v <= 26 ? (uint8_t)('a' + v - 1) : v == 27 || !v ? ' ' : 0;
}

static uint8_t place_from_zero(uint16_t v)
{
	return v < 26 ? (uint8_t)('a' + v) : 0;
}

static size_t number_run(const struct reading *r, size_t at, size_t end, uint8_t *out,
			 size_t *ret_len)
{
	static uint8_t (*const ways[])(uint16_t) = { code, octal_code, place, place_from_zero };
	uint16_t v[PIECE / 4];
	size_t n;

	end = read_numbers(r->text, at, end, v, ARRAY_SIZE(v), &n);
	if (n < NUMBERS_MIN)
		return end;
	for (size_t k = 0; k < ARRAY_SIZE(ways); k++) {
		uint8_t joined[WORDS_JOINED_MAX], lens[WORDS_JOINED_MAX + 1];
		size_t len = 0, letters = 0, i;

		for (i = 0; i < n; i++) {
			uint8_t c = ways[k](v[i]);

			/* Gaps mean something between places only. */
			if (!v[i] && ways[k] != place && ways[k] != place_from_zero)
				continue;
			if (!c)
				break;
			out[len++] = c;
			if (c != ' ' && letters < sizeof(joined))
				joined[letters++] = c;
		}
		if (i < n || !is_prose(span_of(out, len)))
			continue;
		*ret_len = len;
		if (words_plausible(r->words, span_of(out, len)))
			return end;
		/* Words that were not kept apart. */
		if (ways[k] == place && letters >= 12 &&
		    words_cut(r->words, span_of(joined, letters), lens) * 5 >= letters * 4) {
			len = 0;
			for (i = 0; lens[i]; i++) {
				memcpy(out + len, joined + len - i, lens[i]);
				len += lens[i];
				out[len++] = ' ';
			}
			*ret_len = len;
			return end;
		}
	}
	/* Not to be tried again from its second number on. */
	*ret_len = 0;
	return end;
}

/* Up to three digits. */
static SCAN64_INLINE uint64_t numbers_begin_with(const uint8_t p[SCAN64], bool inside,
						 scan64_fn *of)
{
	uint64_t alnum = alnums(p, of), first = alnum & ~(alnum << 1 | inside), end = ~alnum;
	uint64_t digit = of(p, 0, '0', 10);

	first &= digit & (end >> 1 | (digit >> 1 & (end >> 2 | (digit >> 2 & end >> 3))));
	return enough(first, digit & ~(digit << 1), digit | of(p, 0, '/', 1) | between(p, of),
		      NUMBERS_SURE);
}

SCAN64_FUNCTION(uint64_t, numbers_begin, (const uint8_t p[SCAN64], bool inside), p, inside)

int numbers_view(const struct reading *r, struct view *w)
{
	return each_run(r, w, SURVEY_NUMBERS, numbers_begin, number_run);
}
