/* user/text/spaced.c - i g n o r e and ignoreallprevious: words taken apart, and words run
 * together.
 */
#include "base/own.h"
#include "text/maker.h"

#define SINGLES_MIN 5 /* letters */
#define GAP_MAX	    6 /* characters between them */
#define JOINED_MIN  16

static bool letter(uint8_t c)
{
	return (uint8_t)((c | 0x20) - 'a') < 26;
}

static bool in_word(uint8_t c)
{
	return letter(c) || (uint8_t)(c - '0') < 10 || c >= 0x80;
}

/* Letters cut into words, with blanks between them. How many of the letters are in known words. */
static size_t respell(const struct words *words, struct span letters, uint8_t *out, size_t *ret_len)
{
	uint8_t lens[WORDS_JOINED_MAX + 1];
	size_t good = words_cut(words, letters, lens), at = 0;

	*ret_len = 0;
	for (size_t i = 0; lens[i]; i++) {
		if (i)
			out[(*ret_len)++] = ' ';
		memcpy(out + *ret_len, letters.p + at, lens[i]);
		*ret_len += lens[i];
		at += lens[i];
	}
	return good;
}

/* Letters that stood one by one, as words. */
struct spelled {
	size_t letters, known; /* all, and those in known words */
	size_t likely;	       /* those in words that at least have vowels */
};

/* The letters of one word, if their neighbours were kept apart from them and there are not too many
 * of them; or else of many. */
static size_t spell(const struct words *words, struct span letters, bool apart, uint8_t *out,
		    struct spelled *y)
{
	size_t vowels = 0, len = letters.len;
	struct word x;

	y->letters += letters.len;
	if (!apart || letters.len > WORD_LEN_MAX) {
		vowels = respell(words, letters, out, &len);
		y->known += vowels;
		y->likely += vowels;
		return len;
	}
	memcpy(out, letters.p, letters.len);
	for (size_t i = 0; i < letters.len; i++)
		vowels += strchr("aeiouy01348", ascii_lower(letters.p[i])) != NULL;
	if (vowels * 5 >= letters.len && vowels * 3 <= letters.len * 2)
		y->likely += letters.len;
	if (word_next(letters, 0, letters.len, &x) && x.len == letters.len &&
	    words_known(words, &x))
		y->known += letters.len;
	return len;
}

static bool makes_words(const struct spelled *y)
{
	if (y->letters < SINGLES_MIN)
		return false;
	return y->known * 10 >= y->letters * 6 ||
	       (y->likely * 10 >= y->letters * 6 && y->known * 5 >= y->letters);
}

/* Bytes that are neither letters nor digits, from at on; 0 when there are too many of them. */
static size_t gap(struct span t, size_t at)
{
	size_t n = 0;

	while (at + n < t.len && n <= GAP_MAX && !in_word(t.p[at + n]))
		n++;
	return n <= GAP_MAX ? n : 0;
}

/* What a gap between words says besides. */
static size_t signs_of(struct span g, uint8_t usual, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < g.len; i++)
		if (g.p[i] != usual && g.p[i] != ' ')
			out[n++] = g.p[i];
	out[n++] = ' ';
	return n;
}

/* Letters one by one from at on. A wider gap than the usual one, or another one, ends a word.
 * Returns where they end;
 * *ret_len is 0 when they make no words. */
static size_t singles(const struct reading *r, size_t at, uint8_t *out, size_t *ret_len)
{
	struct span t = r->text;
	uint8_t piece[WORDS_JOINED_MAX], mark = 0;
	size_t n = 0, usual = 0, g = 0, last = at;
	struct spelled y = { 0 };
	bool apart = false;

	*ret_len = 0;
	for (;;) {
		bool more = at < t.len && in_word(t.p[at]) && t.p[at] < 0x80 &&
			    (at + 1 >= t.len || !in_word(t.p[at + 1])) &&
			    y.letters + n < WORDS_JOINED_MAX;
		bool wide = y.letters + n > 1 && (g > usual || (g && t.p[last] != mark));

		if (n == 1 && !y.letters) {
			usual = g;
			mark = last < t.len ? t.p[last] : 0;
		}
		apart |= wide;
		if (n && (!more || wide)) {
			*ret_len += spell(r->words, span_of(piece, n), apart, out + *ret_len, &y);
			n = 0;
			if (more)
				*ret_len += signs_of(span_sub(t, last, g), mark, out + *ret_len);
		}
		if (!more)
			break;
		piece[n++] = t.p[at];
		last = ++at;
		g = gap(t, at);
		at += g;
	}
	if (!makes_words(&y))
		*ret_len = 0;
	return last;
}

/* The same for a run of letters that is words without blanks. */
static size_t joined(const struct reading *r, size_t at, uint8_t *out, size_t *ret_len)
{
	struct span t = span_sub(r->text, at, WORDS_JOINED_MAX);
	size_t n = 0, upper = 0, words = 1, known;

	*ret_len = 0;
	for (; n < t.len && letter(t.p[n]); n++)
		upper += !(t.p[n] & 0x20);
	/* namesInPrograms are no secret. */
	if (n < JOINED_MIN || (upper != n && upper > !(t.p[0] & 0x20)))
		return at + n;
	known = respell(r->words, span_sub(t, 0, n), out, ret_len);
	for (size_t i = 0; i < *ret_len; i++)
		words += out[i] == ' ';
	if (known * 10 < n * 9 || words < 3 || words * 3 > n)
		*ret_len = 0;
	return at + n;
}

int spaced_view(const struct reading *r, struct view *w)
{
	struct edit e = { .w = w, .text = r->text };
	uint8_t out[(GAP_MAX + 2) * WORDS_JOINED_MAX];
	struct range where;
	size_t at = 0, end, len;
	int err = 0;

	while (!err &&
	       survey_next(r->survey, SURVEY_SINGLES | SURVEY_LONG, SURVEY_BLOCK, at, &where)) {
		for (at = where.begin; !err && at < where.end; at++) {
			if (!letter(r->text.p[at]) || (at && in_word(r->text.p[at - 1])))
				continue;
			end = at + 1 < r->text.len && letter(r->text.p[at + 1])
				  ? joined(r, at, out, &len)
				  : singles(r, at, out, &len);
			if (len)
				err = edit_replace(&e, (struct range){ at, end }, span_of(out, len),
						   true);
			else
				/* What hides behind noise is found from halfway on. */
				end = at + MAX((end - at) / 2, 1);
			at = end - 1;
		}
		at = MAX(at, where.end);
	}
	return err ? err : edit_end(&e);
}
