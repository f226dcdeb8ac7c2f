/* user/text/reversed.c - text spelled backwards, as a whole or word by word, and text that stands
 * upside down.
 */
#include "base/escape.h"
#include "base/own.h"
#include "base/scan.h"
#include "text/stretch.h"

#define LINE_BYTES  4096
#define FLIPPED_MIN 3 /* characters that only upside-down text has, in one line */

static bool changed(const struct words *w, const struct word *x, unsigned key)
{
	(void)key;
	return words_known_reversed(w, x);
}

/* Characters in reverse order. */
static void turn(struct span s, uint8_t *out)
{
	size_t at = s.len, n;
	uint32_t cp;

	for (size_t i = 0; i < s.len; i += n) {
		n = utf8_decode(span_sub(s, i, 4), &cp);
		n = n ? n : 1;
		at -= n;
		memcpy(out + at, s.p + i, n);
	}
}

/* Each word in reverse, in its place. */
static void turn_words(struct span s, uint8_t *out)
{
	size_t end;

	for (size_t i = 0; i < s.len; i = end) {
		bool word = s.p[i] > ' ';

		for (end = i; end < s.len && (s.p[end] > ' ') == word; end++)
			;
		if (word)
			turn(span_sub(s, i, end - i), out + i);
		else
			memcpy(out + i, s.p + i, end - i);
	}
}

int reversed_view(const struct reading *r, struct view *w)
{
	uint8_t out[2 * STRETCH_MAX + 1]; /* both ways */
	struct slices slices = { r };
	struct range slice, s;
	int err = 0;

	while (!err && slices_next(&slices, &slice))
		while (!err && stretch_next(r, slice, changed, 0, &s)) {
			struct span t =
			    span_sub(r->text, s.begin, MIN(s.end - s.begin, STRETCH_MAX));

			turn(t, out);
			out[t.len] = '\n';
			turn_words(t, out + t.len + 1);
			err = view_piece(w, r->text, s, span_of(out, 2 * t.len + 1));
			slice.begin = s.end;
		}
	return err;
}

/* --- upside down */

/* How it looks upside down, what it is, and whether only such text has it. Ascending. */
static const struct {
	uint16_t cp;
	char c;
	bool sure;
} flipped[] = {
	{ 0x2c, '\'', false }, { 0x39, '6', false },  { 0x4d, 'W', false },  { 0x57, 'M', false },
	{ 0x62, 'q', false },  { 0x64, 'p', false },  { 0x6e, 'u', false },  { 0x70, 'd', false },
	{ 0x71, 'b', false },  { 0x75, 'n', false },  { 0xa1, '!', false },  { 0xbf, '?', false },
	{ 0x131, 'i', false }, { 0x183, 'g', true },  { 0x186, 'C', true },  { 0x18e, 'E', true },
	{ 0x1dd, 'e', true },  { 0x245, 'V', true },  { 0x250, 'a', true },  { 0x254, 'c', true },
	{ 0x25f, 'f', true },  { 0x265, 'h', true },  { 0x26f, 'm', true },  { 0x279, 'r', true },
	{ 0x27e, 'j', true },  { 0x283, 'l', true },  { 0x287, 't', true },  { 0x28c, 'v', true },
	{ 0x28d, 'w', true },  { 0x28e, 'y', true },  { 0x29e, 'k', true },  { 0x2d9, '.', true },
	{ 0x2e5, 'L', true },  { 0x39b, 'V', false }, { 0x500, 'P', true },  { 0x15e1, 'D', true },
	{ 0x1d09, 'i', true }, { 0x1d1a, 'R', true }, { 0x1d77, 'g', true }, { 0x203e, '_', false },
	{ 0x2132, 'F', true }, { 0x2141, 'G', true }, { 0x2144, 'Y', true }, { 0x2200, 'A', true },
	{ 0x2229, 'U', true }, { 0x22a5, 'T', true }, { 0x2534, 'T', true }, { 0xa781, 'l', true },
};

static uint8_t upright(uint32_t cp, bool *ret_sure)
{
	size_t lo = 0, hi = ARRAY_SIZE(flipped);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (flipped[mid].cp == cp) {
			*ret_sure = flipped[mid].sure;
			return (uint8_t)flipped[mid].c;
		}
		*(flipped[mid].cp < cp ? &lo : &hi) = flipped[mid].cp < cp ? mid + 1 : mid;
	}
	*ret_sure = false;
	return cp < 0x80 ? (uint8_t)cp : ' ';
}

/* Turns a line round; how many of its characters only such text has. */
static unsigned flip(struct span line, uint8_t out[LINE_BYTES], size_t *ret_len)
{
	unsigned sure = 0;
	uint32_t cp;
	bool is;

	*ret_len = 0;
	for (size_t i = 0, n; i < line.len; i += n) {
		n = utf8_decode(span_sub(line, i, 4), &cp);
		if (!n) {
			cp = ' ';
			n = 1;
		}
		out[(*ret_len)++] = upright(cp, &is);
		sure += is;
	}
	return sure;
}

/* How many of its words are known. */
static size_t known(const struct reading *r, struct span s)
{
	struct word x;
	size_t n = 0;

	for (size_t at = 0; word_next(s, at, s.len, &x); at = x.begin + x.len)
		n += words_known(r->words, &x);
	return n;
}

/* Nearly all that make it are letters of phonetic and African alphabets: U+0180..U+02BF. */
static bool may_be_flipped(struct span s)
{
	size_t n = 0, i = 0;

	for (; s.len - i >= sizeof(scan_v); i += sizeof(scan_v)) {
		scan_v v;

		memcpy(&v, s.p + i, sizeof(v));
		for (uint32_t m = scan_mask((scan_v)(v - 0xc6 <= 0xca - 0xc6)); m; m &= m - 1)
			n++;
	}
	for (; i < s.len; i++)
		n += (uint8_t)(s.p[i] - 0xc6) <= 0xca - 0xc6;
	return n >= FLIPPED_MIN;
}

int flipped_view(const struct reading *r, struct view *w)
{
	uint8_t plain[LINE_BYTES], turned[LINE_BYTES];
	struct range where;
	size_t at = 0, len;
	int err = 0;

	while (!err && survey_next(r->survey, SURVEY_HIGH, LINE_BYTES / 4, at, &where)) {
		for (at = where.begin; !err && at < where.end;) {
			struct span line = span_sub(r->text, at, MIN(where.end - at, LINE_BYTES));
			const uint8_t *end = memchr(line.p, '\n', line.len);
			struct span s;

			line.len = end ? (size_t)(end - line.p) : line.len;
			if (may_be_flipped(line) && flip(line, plain, &len) >= FLIPPED_MIN) {
				s = span_of(plain, len);
				turn(s, turned);
				/* Some leave the order as it is. */
				if (known(r, s) <= known(r, span_of(turned, len)))
					s.p = turned;
				err =
				    view_piece(w, r->text, (struct range){ at, at + line.len }, s);
			}
			at += line.len + 1;
		}
		at = MAX(at, where.end);
	}
	return err;
}

/* --- written to be shown from right to left */

/* The next U+202E, or end: what is behind it is shown from right to left. */
static size_t next_override(struct span t, size_t at, size_t end)
{
	for (; end - at >= sizeof(scan_v) + 2; at += sizeof(scan_v)) {
		scan_v first, last;
		uint32_t m;

		memcpy(&first, t.p + at, sizeof(first));
		memcpy(&last, t.p + at + 2, sizeof(last));
		m = scan_mask((scan_v)((first == 0xe2) & (last == 0xae)));
		for (; m; m &= m - 1)
			if (t.p[at + (size_t)__builtin_ctz(m) + 1] == 0x80)
				return at + (size_t)__builtin_ctz(m);
	}
	while (end - at >= 3 && memcmp(t.p + at, "\u202e", 3) != 0)
		at++;
	return end - at >= 3 ? at : end;
}

int bidi_view(const struct reading *r, struct view *w)
{
	static const char pop[] = "\u202c";
	uint8_t out[LINE_BYTES];
	struct span t = r->text;
	struct range where;
	size_t at = 0;
	int err = 0;

	while (!err && survey_next(r->survey, SURVEY_HIGH, sizeof(pop), at, &where))
		for (at = where.begin; !err && at < where.end;) {
			const uint8_t *end;
			struct span s;
			size_t begin;

			at = next_override(t, at, where.end);
			if (at == where.end)
				break;
			begin = at + 3;
			s = span_sub(t, begin, LINE_BYTES);
			end = memchr(s.p, '\n', s.len);
			s.len = end ? (size_t)(end - s.p) : s.len;
			end = memmem(s.p, s.len, pop, 3);
			s.len = end ? (size_t)(end - s.p) : s.len;
			turn(s, out);
			if (s.len)
				err = view_piece(w, t, (struct range){ begin, begin + s.len },
						 span_of(out, s.len));
			at = begin + s.len;
		}
	return err;
}
