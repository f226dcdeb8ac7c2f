/* user/text/leet.c - w0rd5 with digits and signs for letters. One long word of them, or two, are
 * meant; then those around it are taken for such, too.
 */
#include <assert.h>

#include "base/own.h"
#include "text/maker.h"

#define KNOWN_MIN   3	/* letters of a word that says something */
#define ALONE_MIN   5	/* letters of a word that proves it alone */
#define NEAR	    256 /* bytes around proven words in which others are read like them */
#define TOKENS_MAX  64	/* unproven ones remembered until one is proven */
#define GUESSES_MAX 3	/* signs of one word with two meanings */

/* The letter that a character is or stands for, and another one that it may stand for. */
#define LETTER(c) [c] = { c }, [(c)-0x20] = { c }
static const char letters_of[256][2] = {
	/* clang-format off */
	LETTER('a'), LETTER('b'), LETTER('c'), LETTER('d'), LETTER('e'), LETTER('f'), LETTER('g'),
	LETTER('h'), LETTER('i'), LETTER('j'), LETTER('k'), LETTER('l'), LETTER('m'), LETTER('n'),
	LETTER('o'), LETTER('p'), LETTER('q'), LETTER('r'), LETTER('s'), LETTER('t'), LETTER('u'),
	LETTER('v'), LETTER('w'), LETTER('x'), LETTER('y'), LETTER('z'),
	/* clang-format on */
	['0'] = "o",
	['1'] = "il",
	['2'] = "z",
	['3'] = "e",
	['4'] = "a",
	['5'] = "s",
	['6'] = "gb",
	['7'] = "t",
	['8'] = "b",
	['9'] = "g",
	['@'] = "a",
	['$'] = "s",
	['!'] = "il",
	['|'] = "li",
	['+'] = "t",
};
#undef LETTER

struct token {
	size_t begin, len;
	struct word word; /* what it spells */
	bool known;
};

static bool letter(uint8_t c)
{
	return (uint8_t)((c | 0x20) - 'a') < 26;
}

/* Makes it a known word, if it can be one. */
static bool spell(const struct words *words, struct span raw, struct token *x)
{
	size_t unsure[GUESSES_MAX], n = 0;

	x->word.len = raw.len;
	for (size_t i = 0; i < raw.len; i++) {
		x->word.s[i] = letters_of[raw.p[i]][0];
		if (letters_of[raw.p[i]][1] && n < GUESSES_MAX)
			unsure[n++] = i;
	}
	for (unsigned guess = 0; guess < 1u << n; guess++) {
		for (size_t k = 0; k < n; k++)
			x->word.s[unsure[k]] = letters_of[raw.p[unsure[k]]][guess >> k & 1];
		/* Backwards it is read by the view of that name, behind this one. */
		if (words_known(words, &x->word) ||
		    (raw.len >= ALONE_MIN && words_known_reversed(words, &x->word)))
			return true;
	}
	for (size_t k = 0; k < n; k++)
		x->word.s[unsure[k]] = letters_of[raw.p[unsure[k]]][0];
	return false;
}

/* The next token at or behind at that mixes letters and signs. */
static bool next(const struct reading *r, size_t at, size_t end, struct token *ret)
{
	struct span t = r->text;
	size_t begin, n_letters, n_signs;
	bool word;

	while (at < end) {
		while (at < end && !letters_of[t.p[at]][0])
			at++;
		begin = at;
		for (n_letters = 0; at < t.len && letters_of[t.p[at]][0]; at++)
			n_letters += letter(t.p[at]);
		n_signs = at - begin - n_letters;
		if (!n_signs || at - begin > WORD_LEN_MAX)
			continue;
		*ret = (struct token){ .begin = begin, .len = at - begin };
		word = spell(r->words, span_sub(t, begin, ret->len), ret);
		ret->known = word && ret->len >= KNOWN_MIN;
		/* Mostly signs: a number, if not a word. A short one proves nothing. */
		if (n_signs > 2 * n_letters) {
			if (!word)
				continue;
			ret->known &= n_letters > 0;
			return true;
		}
		/* A sentence may end with the sign. */
		if (!ret->known && t.p[at - 1] == '!') {
			ret->len--;
			if (n_signs == 1)
				continue;
			ret->word.s[ret->len] = 0;
			ret->known = spell(r->words, span_sub(t, begin, ret->len), ret) &&
				     ret->len >= KNOWN_MIN;
		}
		return true;
	}
	return false;
}

/* Writes a token in the case of the letters that are there. */
static void put(const struct token *v, struct span raw, uint8_t *out)
{
	size_t upper = 0, lower = 0;

	for (size_t i = 0; i < raw.len; i++)
		if (letter(raw.p[i]))
			*(raw.p[i] & 0x20 ? &lower : &upper) += 1;
	memcpy(out, v->word.s, raw.len);
	for (size_t i = 0; upper && i < raw.len; i++)
		if (letter(raw.p[i]))
			out[i] = raw.p[i];
		else if (upper > lower)
			out[i] &= (uint8_t)~0x20;
}

/* What was read, as one piece: each letter stands where its sign stood. */
static int flush(struct edit *e, const struct token *v, size_t n)
{
	uint8_t out[TOKENS_MAX * (NEAR + WORD_LEN_MAX)];
	size_t known = 0, letters = 0, longest = 0;
	struct range r;

	for (size_t i = 0; i < n; i++)
		if (v[i].known) {
			known++;
			letters += v[i].len;
			longest = MAX(longest, v[i].len);
		}
	if (longest < ALONE_MIN && (known < 2 || letters < ALONE_MIN + 1))
		return 0;
	/* Among many that are no words it is chance. */
	if (known * 6 < n)
		return 0;
	r = (struct range){ v[0].begin, v[n - 1].begin + v[n - 1].len };
	assert(r.end - r.begin <= sizeof(out));
	memcpy(out, e->text.p + r.begin, r.end - r.begin);
	for (size_t i = 0; i < n; i++)
		put(&v[i], span_sub(e->text, v[i].begin, v[i].len), out + (v[i].begin - r.begin));
	return edit_replace(e, r, span_of(out, r.end - r.begin), false);
}

int leet_view(const struct reading *r, struct view *w)
{
	struct edit e = { .w = w, .text = r->text };
	struct token v[TOKENS_MAX], token;
	struct range where;
	size_t at = 0, n = 0;
	int err = 0;

	while (!err && survey_next(r->survey, SURVEY_MIXED, WORD_LEN_MAX, at, &where)) {
		at = where.begin;
		/* Not from the middle of a word. */
		while (at && at < where.end && letters_of[r->text.p[at - 1]][0])
			at++;
		for (; !err && next(r, at, where.end, &token); at = token.begin + token.len) {
			if (n && (n == TOKENS_MAX || token.begin - v[n - 1].begin > NEAR)) {
				err = flush(&e, v, n);
				n = 0;
			}
			v[n++] = token;
		}
		at = MAX(at, where.end);
	}
	if (!err)
		err = flush(&e, v, n);
	return err ? err : edit_end(&e);
}
