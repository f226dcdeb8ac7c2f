/* user/text/spaced.c - i g n o r e, ignoreallprevious and ignore_all_previous: words taken apart,
 * words run together, and words with signs between them where blanks should be.
 */
#include "base/own.h"
#include "base/scan.h"
#include "text/maker.h"

#define SINGLES_MIN  5	/* letters */
#define GAP_MAX	     6	/* characters between them */
#define GAPS_SEEN    12 /* gaps that tell which one is the usual */
#define JOINED_MIN   16
#define NEAR_MIN     6	  /* letters of those behind words that were joined */
#define NEAR	     64	  /* bytes */
#define CAMEL_MIN    24	  /* letters and */
#define HUMPS_MIN    4	  /* words of OneLongName that may be a sentence */
#define FUNCTION_MIN 2	  /* function words in either */
#define FUNCTION_LEN 4	  /* letters of the longest */
#define CHAIN_MAX    1024 /* bytes */
#define CHAIN_MIN    5	  /* signs in it, and known words */
#define CHAIN_LOOK   4	  /* signs behind which it must have shown known words */

static bool in_word(uint8_t c)
{
	return ascii_letter(c) || (uint8_t)(c - '0') < 10 || c >= 0x80;
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

/* The gap that is most usual between the letters from at on: its length and first character. */
static size_t usual_gap(struct span t, size_t at, uint8_t *ret_mark)
{
	size_t lens[GAPS_SEEN], n = 0, best = 0, ret = 0;
	uint8_t marks[GAPS_SEEN];

	*ret_mark = 0;
	for (; n < GAPS_SEEN && at + 1 < t.len && ascii_letter(t.p[at]); n++) {
		lens[n] = gap(t, at + 1);
		marks[n] = t.p[at + 1];
		if (!lens[n])
			break;
		at += 1 + lens[n];
	}
	for (size_t i = 0; i < n; i++) {
		size_t same = 0;

		for (size_t k = i; k < n; k++)
			same += lens[k] == lens[i] && marks[k] == marks[i];
		if (same > best) {
			best = same;
			ret = lens[i];
			*ret_mark = marks[i];
		}
	}
	return ret;
}

/* Letters one by one from at on. A wider gap than the usual one, or another one, ends a word.
 * Returns where they end;
 * *ret_len is 0 when they make no words. */
static size_t singles(const struct reading *r, size_t at, uint8_t *out, size_t *ret_len)
{
	struct span t = r->text;
	uint8_t piece[WORDS_JOINED_MAX], mark;
	size_t n = 0, usual = usual_gap(t, at, &mark), g = 0, last = at;
	struct spelled y = { 0 };
	bool apart = false;

	*ret_len = 0;
	for (;;) {
		bool more = at < t.len && in_word(t.p[at]) && t.p[at] < 0x80 &&
			    (at + 1 >= t.len || !in_word(t.p[at + 1])) &&
			    y.letters + n < WORDS_JOINED_MAX;
		bool wide = y.letters + n && (g > usual || (g && t.p[last] != mark));

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

/* Is it such a word as sentences are held together by, and names of things are not? more: those
 * count that names in hyphens have as well. */
static bool is_function_word(const struct word *x, bool more)
{
	static const char list[][FUNCTION_LEN] = {
		"the",	"and",	"you", "your", "all", "are", "me",  "my",   "not",  "now",
		"this", "that", "is",  "of",   "it",  "do",  "was", "what", "with", "will",
	};
	static const char others[][FUNCTION_LEN] = { "to",   "for", "in",  "if",  "from",
						     "have", "be",  "any", "how", "as" };

	if (x->len > FUNCTION_LEN)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (!memcmp(x->s, list[i], FUNCTION_LEN))
			return true;
	for (size_t i = 0; more && i < ARRAY_SIZE(others); i++)
		if (!memcmp(x->s, others[i], FUNCTION_LEN))
			return true;
	return false;
}

static size_t function_words(struct span s)
{
	size_t n = 0;
	struct word x;

	for (size_t at = 0; word_next(s, at, s.len, &x); at = x.begin + x.len)
		n += is_function_word(&x, false);
	return n;
}

/* Capitals in what has no blanks. */
struct camel {
	size_t end;    /* of what was judged last */
	bool sentence; /* words of a sentence, with its signs, rather than names */
};

/* Judges what stands from at on up to the next blank, unless that is done. */
static void judge_camel(struct camel *c, struct span t, size_t at)
{
	size_t humps = 0, functions = 0, letters = 0, i = at, n;
	bool plain = true;
	struct word x;

	if (at < c->end)
		return;
	for (; i < t.len && t.p[i] > ' ' && i - at < CHAIN_MAX; i += n) {
		n = 1;
		if (!ascii_letter(t.p[i])) {
			plain &= memchr(",.:!?'\"-", t.p[i], 8) || t.p[i] >= 0x80;
			continue;
		}
		while (i + n < t.len && (uint8_t)(t.p[i + n] - 'a') < 26)
			n++;
		letters += n;
		humps += !(t.p[i] & 0x20);
		word_next(span_sub(t, i, n), 0, n, &x);
		functions += is_function_word(&x, true);
	}
	c->end = i;
	c->sentence =
	    plain && letters >= CAMEL_MIN && humps >= HUMPS_MIN && functions >= FUNCTION_MIN;
}

/* The same for a run of letters that is words without blanks; shorter ones count near others. */
static size_t joined(const struct reading *r, size_t at, bool near, struct camel *c, uint8_t *out,
		     size_t *ret_len)
{
	struct span t = span_sub(r->text, at, WORDS_JOINED_MAX);
	size_t n = 0, upper = 0, humps = 1, words = 1, known;
	bool camel;

	*ret_len = 0;
	for (; n < t.len && ascii_letter(t.p[n]); n++) {
		bool tall = !(t.p[n] & 0x20);

		upper += tall;
		humps += tall && n && t.p[n - 1] & 0x20;
	}
	camel = upper != n && humps > 1;
	if (camel) {
		judge_camel(c, r->text, at);
		near |= c->sentence;
	}
	if (n < (near ? NEAR_MIN : JOINED_MIN))
		return at + n;
	/* namesInPrograms are no secret. */
	if (camel && !c->sentence && (n < CAMEL_MIN || humps < HUMPS_MIN))
		return at + n;
	known = respell(r->words, span_sub(t, 0, n), out, ret_len);
	for (size_t i = 0; i < *ret_len; i++)
		words += out[i] == ' ';
	if (known * 10 < n * (n < 2 * JOINED_MIN ? 9 : 8) || words < (near ? 2 : 3) ||
	    words * 3 > n ||
	    (camel && !c->sentence && function_words(span_of(out, *ret_len)) < FUNCTION_MIN))
		*ret_len = 0;
	return at + n;
}

/* Words with one and the same sign between them. */
static size_t chained(const struct reading *r, size_t at, uint8_t *out, size_t *ret_len)
{
	struct span t = span_sub(r->text, at, CHAIN_MAX);
	size_t n = 0, signs = 0, known = 0, of_known = 0, letters = 0;
	struct word x;
	uint8_t mark;

	*ret_len = 0;
	while (n < t.len && ascii_letter(t.p[n]))
		n++;
	mark = n < t.len ? t.p[n] : 0;
	if (!mark || !memchr("_-", mark, 2))
		return at + n;
	memcpy(out, t.p, n);
	for (; n < t.len && t.p[n] > ' '; n++) {
		out[n] = t.p[n] == mark ? ' ' : t.p[n];
		signs += t.p[n] == mark && t.p[n - 1] != mark;
		/* Noise shows soon. */
		if (signs == CHAIN_LOOK && t.p[n] == mark &&
		    !words_made_of(r->words, span_sub(t, 0, n)))
			return at + n;
	}
	if (signs < CHAIN_MIN)
		return at + n;
	for (size_t i = 0; word_next(span_sub(t, 0, n), i, n, &x); i = x.begin + x.len) {
		letters += x.len;
		if (!words_known(r->words, &x))
			continue;
		of_known += x.len;
		known++;
	}
	if (known >= CHAIN_MIN && of_known * 10 >= letters * 7 &&
	    function_words(span_of(out, n)) >= FUNCTION_MIN)
		*ret_len = n;
	return at + n;
}

/* Where the next run begins that starts with a letter, behind none of letters, digits and the like;
 * or end. */
static size_t next_letters(struct span t, size_t at, size_t end)
{
	if (!at && end && !ascii_letter(t.p[at]))
		at++;
	for (; at && at < end && t.len - at >= sizeof(scan_v); at += sizeof(scan_v)) {
		scan_v before, v;
		uint32_t m;

		memcpy(&before, t.p + at - 1, sizeof(before));
		memcpy(&v, t.p + at, sizeof(v));
		m = scan_mask(scan_letters(v) & ~(scan_alnums(before) | (scan_v)(before >= 0x80)));
		if (m)
			return MIN(at + (size_t)__builtin_ctz(m), end);
	}
	while (at < end && (!ascii_letter(t.p[at]) || (at && in_word(t.p[at - 1]))))
		at++;
	return at;
}

#define SIGNS (SURVEY_SINGLES | SURVEY_LONG | SURVEY_NAME)

int spaced_view(const struct reading *r, struct view *w)
{
	struct edit e = { .w = w, .text = r->text };
	uint8_t out[(GAP_MAX + 2) * WORDS_JOINED_MAX];
	struct camel camel = { .end = 0 };
	struct range where;
	size_t at = 0, end, len, near = 0; /* up to where shorter ones count */
	int err = 0;

	static_assert(sizeof(out) >= CHAIN_MAX, "a chain fits, too");
	while (!err && survey_next(r->survey, SIGNS, SURVEY_BLOCK, at, &where)) {
		for (at = next_letters(r->text, where.begin, where.end); !err && at < where.end;
		     at = next_letters(r->text, end, where.end)) {
			bool whole = true;

			if (at + 1 >= r->text.len || !ascii_letter(r->text.p[at + 1]))
				end = singles(r, at, out, &len);
			else
				end = joined(r, at, at < near, &camel, out, &len);
			near = len ? end + NEAR : near;
			if (!len) {
				size_t behind = chained(r, at, out, &len);

				end = MAX(end, behind);
				whole = false;
			}
			if (len)
				err = edit_replace(&e, (struct range){ at, end }, span_of(out, len),
						   whole);
			else
				/* What hides behind noise is found from halfway on. */
				end = at + MAX((end - at) / 2, 1);
		}
		at = MAX(at, where.end);
	}
	return err ? err : edit_end(&e);
}
