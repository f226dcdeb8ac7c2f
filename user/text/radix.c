/* user/text/radix.c - characters as numbers: hexadecimal pairs, bits, decimal and octal codes,
 * places in the alphabet.
 */
#include "base/own.h"
#include "base/scan.h"
#include "text/maker.h"

#define PIECE	    8192 /* bytes decoded of one run of numbers; the rest is another one */
#define HEX_MIN	    8	 /* bytes; shorter runs are numbers */
#define BITS_MIN    5
#define NUMBERS_MIN 6
#define GAP_MAX	    4 /* characters between numbers */

/* Decodes what begins at at. Returns where that ends, decoded or not; *ret_len is 0 when it is
 * nothing. */
typedef size_t decode_fn(const struct reading *r, size_t at, size_t end, uint8_t *out,
			 size_t *ret_len);

/* 64 bytes of a text, zeros behind its end, with a bit for each that is a letter or digit, and for
 * those of them that are the first of a word. */
struct look {
	scan_v v[4];
	uint64_t alnum, first;
};

#define AHEAD                                                                                      \
	3 /* bytes behind one that are looked at to tell whether something may begin there         \
	   */
#define LOOK (64 - AHEAD)

/* Which of the first words in it may begin what a decoder reads? A cheap test, that lets some pass
 * which are none. */
typedef uint64_t begins_fn(const struct look *k);

typedef scan_v is_fn(scan_v v);

static inline __attribute__((always_inline)) uint64_t which(const struct look *k, is_fn *is)
{
	uint64_t ret = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(k->v); i++)
		ret |= (uint64_t)scan_mask(is(k->v[i])) << i * sizeof(scan_v);
	return ret;
}

static struct look look(struct span t, size_t at)
{
	struct look k = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(k.v) && at + i * sizeof(scan_v) < t.len; i++)
		k.v[i] = scan_load(t, at + i * sizeof(scan_v));
	k.alnum = which(&k, scan_alnums);
	k.first = k.alnum & ~(k.alnum << 1 | (at && ascii_alnum(t.p[at - 1])));
	return k;
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
	if (at - s->from < LOOK)
		s->left &= ~UINT64_C(0) << (at - s->from);
	else
		s->left = 0;
	if (!s->left && at - s->from < LOOK)
		at = s->from + LOOK;
	for (; !s->left && at < end; at += LOOK) {
		struct look k = look(t, at);

		s->from = at;
		s->left = s->begins(&k) & ~UINT64_C(0) >> AHEAD;
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
	static const bool between[256] = { [' '] = 1, [','] = 1, [';'] = 1,  [':'] = 1,
					   ['-'] = 1, ['|'] = 1, ['\n'] = 1, ['\t'] = 1 };

	while (at + n < t.len && n < GAP_MAX && between[t.p[at + n]])
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

static scan_v is_hex(scan_v v)
{
	return (scan_v)((v - '0' < 10) | ((v | 0x20) - 'a' < 6));
}

/* A first digit that text has in front of any other. */
static scan_v is_leading(scan_v v)
{
	return (scan_v)((v - '2' < 6) | ((v | 0x20) - 'c' < 4));
}

static scan_v is_zero(scan_v v)
{
	return (scan_v)(v == '0');
}

/* What stands behind a zero: of a line's end, a prefix. */
static scan_v is_behind_zero(scan_v v)
{
	return (scan_v)((v == '9') | ((v | 0x20) - 'a' < 4) | ((v | 0x20) == 'x'));
}

static scan_v is_x(scan_v v)
{
	return (scan_v)((v | 0x20) == 'x');
}

/* A pair that is a character of text, with another one behind it or nothing; a prefix. */
static uint64_t hex_begins(const struct look *k)
{
	uint64_t hex = which(k, is_hex), zero = which(k, is_zero);
	uint64_t pair = (which(k, is_leading) & hex >> 1) | (zero & which(k, is_behind_zero) >> 1);

	return k->first & pair &
	       (~k->alnum >> 2 | (hex >> 2 & hex >> 3) | (zero & which(k, is_x) >> 1));
}

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

static scan_v is_bit(scan_v v)
{
	return (scan_v)((v & 0xfe) == '0');
}

static uint64_t bits_begin(const struct look *k)
{
	uint64_t bit = which(k, is_bit);

	return k->first & bit & bit >> 1 & bit >> 2 & bit >> 3;
}

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

static scan_v is_digit(scan_v v)
{
	return (scan_v)(v - '0' < 10);
}

/* Up to three digits. */
static uint64_t numbers_begin(const struct look *k)
{
	uint64_t digit = which(k, is_digit), end = ~k->alnum;

	return k->first & digit & (end >> 1 | (digit >> 1 & (end >> 2 | (digit >> 2 & end >> 3))));
}

int numbers_view(const struct reading *r, struct view *w)
{
	return each_run(r, w, SURVEY_NUMBERS, numbers_begin, number_run);
}
