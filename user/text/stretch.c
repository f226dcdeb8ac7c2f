/* user/text/stretch.c - finds where a text goes over into words that were changed. */
#include "text/stretch.h"

#include "base/own.h"

#define WORDS_MIN    3
#define PAIR_MIN     12 /* letters of two words that are enough */
#define PLAIN_MAX    2	/* plain words in a row that end a stretch */
#define UNKNOWN_MAX  64 /* letters that are neither, in a row, that do */
#define EVIDENCE_MIN 3	/* letters of a word that says something */
#define NEIGHBOURS   4	/* unknown words at each end that belong to it */

struct tally {
	size_t begin, end; /* from the first to behind the last changed word */
	unsigned words, plain;
	size_t letters, other, pending; /* in changed words, in others, behind the last */
};

static bool enough(const struct tally *y)
{
	return (y->words >= WORDS_MIN || (y->words == 2 && y->letters >= PAIR_MIN)) &&
	       y->letters * 2 >= y->other;
}

/* Are there changed words at all? */
static bool worth_it(const struct reading *r, struct range in, changed_fn *changed, unsigned key)
{
	struct word x;
	unsigned n = 0;

	for (size_t at = in.begin; n < 2 && word_next_long(r->text, at, in.end, EVIDENCE_MIN, &x);
	     at = x.begin + x.len)
		n += changed(r->words, &x, key) && !words_known(r->words, &x);
	return n == 2;
}

/* 1: it is a changed word, -1: a plain one, 0: neither. */
static int judge(const struct words *w, const struct word *x, changed_fn *changed, unsigned key)
{
	if (x->len < EVIDENCE_MIN)
		return 0;
	return words_known(w, x) ? -1 : changed(w, x, key);
}

bool stretch_next(const struct reading *r, struct range in, changed_fn *changed, unsigned key,
		  struct range *ret)
{
	size_t before[NEIGHBOURS + 1] = { 0 }; /* beginnings of unknown words before the stretch */
	struct tally y = { 0 };
	unsigned n_before = 0, behind = 0;
	struct word x;

	if (!worth_it(r, in, changed, key))
		return false;
	for (size_t at = in.begin; word_next(r->text, at, in.end, &x); at = x.begin + x.len) {
		int verdict = judge(r->words, &x, changed, key);

		/* "Backwards: ..." is what is said about it. */
		for (; at < x.begin; at++)
			n_before = r->text.p[at] == ':' ? 0 : n_before;

		if (!y.words) {
			if (verdict > 0) {
				y = (struct tally){ .begin = n_before ? before[0] : x.begin,
						    .end = x.begin + x.len,
						    .words = 1,
						    .letters = x.len };
				continue;
			}
			if (verdict < 0)
				n_before = 0;
			else if (n_before < NEIGHBOURS)
				before[n_before++] = x.begin;
			else
				memmove(before, before + 1, NEIGHBOURS * sizeof(before[0])),
				    before[NEIGHBOURS - 1] = x.begin;
			continue;
		}
		if (verdict > 0) {
			y.other += y.pending;
			y.letters += x.len;
			y.words++;
			y.pending = y.plain = behind = 0;
			y.end = x.begin + x.len;
			continue;
		}
		y.pending += x.len >= EVIDENCE_MIN ? x.len : 0;
		y.plain += verdict < 0;
		if (y.plain >= PLAIN_MAX || y.pending > UNKNOWN_MAX) {
			if (enough(&y))
				break;
			y.words = n_before = 0;
		} else if (!y.plain && enough(&y) && behind < NEIGHBOURS) {
			behind++;
			y.end = x.begin + x.len;
			y.pending -= MIN(y.pending, x.len);
		}
	}
	if (!y.words || !enough(&y))
		return false;
	/* A sentence's last sign belongs to it, and its first one when it is turned round. */
	while (y.end < in.end && memchr(".!?", r->text.p[y.end], 3))
		y.end++;
	while (y.begin > in.begin && memchr(".!?", r->text.p[y.begin - 1], 3))
		y.begin--;
	*ret = (struct range){ y.begin, MIN(y.end, in.end) };
	return true;
}

/* Cuts a piece of about STRETCH_SLICE bytes off the front of *in, at a line's or word's end. */
static struct range cut(struct span text, struct range *in)
{
	struct range ret = *in;
	size_t end = in->begin + STRETCH_SLICE;

	if (end < in->end) {
		/* The end of a word, a line's if there is one. */
		const uint8_t *line = memrchr(text.p + in->begin, '\n', STRETCH_SLICE);

		if (line && line > text.p + in->begin)
			end = (size_t)(line - text.p);
		while (end < in->end && ascii_letter(text.p[end]))
			end++;
		ret.end = end;
	}
	in->begin = ret.end;
	return ret;
}

bool slices_next(struct slices *s, struct range *ret)
{
	const struct survey *y = s->r->survey;
	/* A brief text has too few words to sound odd: enough that they are none. */
	bool all = !(y->all & SURVEY_ODD) && !words_made_of(s->r->words, s->r->text);

	if (s->where.begin >= s->where.end) {
		if (!survey_next(y, all ? SURVEY_BRIEF : SURVEY_ODD, SURVEY_BLOCK, s->at,
				 &s->where))
			return false;
		s->at = s->where.end;
	}
	*ret = cut(s->r->text, &s->where);
	return true;
}
