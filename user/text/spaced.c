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

/* The same for letters whose neighbours were kept apart from them: a word, unless it is too long
 * for one. */
static size_t spell(const struct words *words, struct span letters, bool apart, uint8_t *out,
		    size_t *ret_len)
{
	size_t vowels = 0;

	if (!apart || letters.len > WORD_LEN_MAX)
		return respell(words, letters, out, ret_len);
	memcpy(out, letters.p, letters.len);
	*ret_len = letters.len;
	for (size_t i = 0; i < letters.len; i++)
		vowels += strchr("aeiouy01348", ascii_lower(letters.p[i])) != NULL;
	return vowels * 5 >= letters.len && vowels * 3 <= letters.len * 2 ? letters.len : 0;
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
 * Returns where they end; 0 when they make no words. */
static size_t singles(const struct reading *r, size_t at, uint8_t *out, size_t *ret_len)
{
	struct span t = r->text;
	uint8_t piece[WORDS_JOINED_MAX], mark = 0;
	size_t n = 0, letters = 0, good = 0, usual = 0, g = 0, last = at, len;
	bool apart = false;

	*ret_len = 0;
	for (;;) {
		bool more = at < t.len && in_word(t.p[at]) && t.p[at] < 0x80 &&
			    (at + 1 >= t.len || !in_word(t.p[at + 1])) &&
			    letters + n < WORDS_JOINED_MAX;
		bool wide = letters + n > 1 && (g > usual || t.p[last] != mark);

		if (n == 1 && !letters) {
			usual = g;
			mark = last < t.len ? t.p[last] : 0;
		}
		apart |= wide;
		if (n && (!more || wide)) {
			good += spell(r->words, span_of(piece, n), apart, out + *ret_len, &len);
			*ret_len += len;
			letters += n;
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
	return letters >= SINGLES_MIN && good * 10 >= letters * 6 ? last : 0;
}

/* The run of letters at at, if it is words without blanks. */
static size_t joined(const struct reading *r, size_t at, uint8_t *out, size_t *ret_len)
{
	struct span t = span_sub(r->text, at, WORDS_JOINED_MAX);
	size_t n = 0, upper = 0, words = 1;

	for (; n < t.len && letter(t.p[n]); n++)
		upper += !(t.p[n] & 0x20);
	/* namesInPrograms are no secret. */
	if (n < JOINED_MIN || (upper != n && upper > !(t.p[0] & 0x20)))
		return 0;
	if (respell(r->words, span_sub(t, 0, n), out, ret_len) * 10 < n * 9)
		return 0;
	for (size_t i = 0; i < *ret_len; i++)
		words += out[i] == ' ';
	return words >= 3 && words * 3 <= n ? at + n : 0;
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
			if (!end)
				continue;
			err = edit_replace(&e, (struct range){ at, end }, span_of(out, len), true);
			at = end - 1;
		}
		at = MAX(at, where.end);
	}
	return err ? err : edit_end(&e);
}
