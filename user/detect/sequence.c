/* user/detect/sequence.c - follows the words of rules through a text.
 * Owns for each sequence how far it has come, with the latest two places of each step: nearer words
 * stand for farther ones, but for those that lie in the next word.
 */
#include "detect/sequence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/scan.h"
#include "detect/lexicon.h"

/* A list of words stands at a step of a sequence; with what must be known of the sequence until
 * the step is taken. */
struct use {
	uint32_t sequence;
	uint8_t step;
	bool near; /* the step before must be */
	bool last;
};

/* The latest place up to a step; end 0: none in this text. */
struct place {
	uint32_t begin, end;
};

struct sequences {
	const struct rules *rules;
	struct lexicon *lexicon; /* ids from n_patterns on: others */
	lexicon_fn *on_other;
	struct span text;
	uint32_t *pattern;			   /* of each sequence */
	struct place (*at)[SEQUENCE_STEPS_MAX][2]; /* the latest first */
	size_t n;
	uint32_t *first; /* of each list's uses; closed by one more */
	struct use *uses;
	size_t n_lists;
	uint32_t *round; /* of each sequence's places: those of another one are of another text */
	uint32_t now;
	struct {
		size_t from, to;
		size_t halves; /* letters between, twice */
	} gap;		       /* asked for last: many sequences ask for the same */
};

bool sequences_finds(struct span word)
{
	return lexicon_takes(word);
}

int sequences_new(struct sequences **ret, const struct rules *rules, struct span words,
		  size_t n_other, lexicon_fn *on_other)
{
	auto_free(sequences) struct sequences *s = calloc(1, sizeof(*s));
	size_t n_uses = 0, n = 0;
	int err;

	if (!s)
		return -ENOMEM;
	s->rules = rules;
	s->on_other = on_other;
	err = lexicon_new(&s->lexicon, words, (uint32_t)(rules->n_patterns + n_other));
	if (err)
		return err;
	for (size_t i = 0; i < rules->n_patterns; i++) {
		const struct rule_pattern *p = &rules->pattern[i];

		s->n += p->sort == RULE_SEQUENCE;
		n_uses += p->sort == RULE_SEQUENCE ? p->n_steps : 0;
		s->n_lists = MAX(s->n_lists, (size_t)p->words + 1);
		for (size_t k = 0; p->sort == RULE_SEQUENCE && k < p->n_steps; k++)
			s->n_lists = MAX(s->n_lists, (size_t)p->step[k] + 1);
	}
	s->pattern = calloc(s->n + 1, sizeof(*s->pattern));
	s->at = calloc(s->n + 1, sizeof(*s->at));
	s->round = calloc(s->n + 1, sizeof(*s->round));
	s->first = calloc(s->n_lists + 2, sizeof(*s->first));
	s->uses = calloc(n_uses + 1, sizeof(*s->uses));
	if (!s->pattern || !s->at || !s->round || !s->first || !s->uses)
		return -ENOMEM;
	/* Counted, summed up, filled in: later steps first, so that a word is not two of them. */
	for (size_t i = 0; i < rules->n_patterns; i++)
		for (size_t k = 0;
		     rules->pattern[i].sort == RULE_SEQUENCE && k < rules->pattern[i].n_steps; k++)
			s->first[rules->pattern[i].step[k] + 2]++;
	for (size_t i = 2; i < s->n_lists + 2; i++)
		s->first[i] += s->first[i - 1];
	for (size_t i = 0; i < rules->n_patterns; i++) {
		const struct rule_pattern *p = &rules->pattern[i];

		if (p->sort != RULE_SEQUENCE)
			continue;
		s->pattern[n] = (uint32_t)i;
		for (size_t k = p->n_steps; k--;)
			s->uses[s->first[p->step[k] + 1]++] =
			    (struct use){ .sequence = (uint32_t)n,
					  .step = (uint8_t)k,
					  .near = p->near & 1u << k,
					  .last = k + 1 == p->n_steps };
		n++;
	}
	*ret = steal(s);
	return 0;
}

void sequences_free(struct sequences **s)
{
	if (!*s)
		return;
	lexicon_free(&(*s)->lexicon);
	free((*s)->pattern);
	free((*s)->at);
	free((*s)->round);
	free((*s)->first);
	free((*s)->uses);
	free(*s);
	*s = NULL;
}

const struct lexicon *sequences_lexicon(const struct sequences *s)
{
	return s->lexicon;
}

int sequences_begin(struct sequences *s, struct span text)
{
	s->text = text;
	s->gap.to = 0;
	/* All of them are forgotten when the numbers begin again. */
	if (!++s->now) {
		memset(s->round, 0, s->n * sizeof(*s->round));
		s->now = 1;
	}
	return lexicon_begin(s->lexicon, text);
}

/* How many letters these bytes are, twice, for some count one and a half; SIZE_MAX: a sentence ends
 * among them: not at the points of addresses and versions, nor at what parts a link from its query.
 */
static size_t halves_of(struct span between)
{
	size_t halves = 0, i = 0;

	for (; between.len - i > sizeof(scan_v); i += sizeof(scan_v)) {
		scan_v c, next, alnum, end, count;
		uint64_t two[2];

		memcpy(&c, between.p + i, sizeof(c));
		memcpy(&next, between.p + i + 1, sizeof(next));
		alnum = scan_alnums(next);
		end = (scan_v)(c == '!') | (scan_v)(c == '\n') | ((scan_v)(c == '?') & ~alnum) |
		      ((scan_v)(c == '.') & ((scan_v)(next == ' ') | (scan_v)(next == '\t') |
					     (scan_v)(next == '\r') | (scan_v)(next == 0)));
		if (scan_hit(end) >= 0)
			return SIZE_MAX;
		count = ((scan_v)((c < 0x80) | (c >= 0xc0)) & 2) + ((scan_v)(c >= 0xe0) & 1);
		memcpy(two, &count, sizeof(two));
		halves += (two[0] + two[1]) * 0x0101010101010101 >> 56;
	}
	for (; i < between.len; i++) {
		uint8_t c = between.p[i], next = i + 1 < between.len ? between.p[i + 1] : 'x';

		if (c == '!' || c == '\n' || (c == '?' && !ascii_alnum(next)) ||
		    (c == '.' && (next == ' ' || next == '\t' || next == '\r' || !next)))
			return SIZE_MAX;
		if (c < 0x80 || c >= 0xc0)
			halves += c < 0xe0 ? 2 : 3;
	}
	return halves;
}

/* Are words parted by no more than max letters of one sentence? */
static bool close_by(struct sequences *s, size_t from, size_t to, size_t max)
{
	if (to - from > 4 * max)
		return false;
	if (s->gap.from != from || s->gap.to != to) {
		s->gap.halves = halves_of(span_sub(s->text, from, to - from));
		s->gap.from = from;
		s->gap.to = to;
	}
	return s->gap.halves <= 2 * max;
}

/* Words of Latin letters begin where they begin, and end so if the rule says so. */
static bool whole(const struct rule_pattern *p, struct span text, struct range r)
{
	if (p->sort == RULE_WORD && r.begin && ascii_alnum(text.p[r.begin]) &&
	    ascii_alnum(text.p[r.begin - 1]))
		return false;
	return !p->ends || r.end == text.len || !ascii_alnum(text.p[r.end]);
}

static int follow(struct sequences *s, size_t pattern, struct range where, sequence_fn *fn,
		  void *ctx)
{
	const struct rule_pattern *word = &s->rules->pattern[pattern];
	int err;

	for (uint32_t i = s->first[word->words]; i < s->first[word->words + 1]; i++) {
		const struct use *u = &s->uses[i];
		struct place(*at)[2] = s->at[u->sequence];
		struct place here = { (uint32_t)where.begin, (uint32_t)where.end };

		if (s->round[u->sequence] != s->now) {
			if (u->step)
				continue;
			s->round[u->sequence] = s->now;
			memset(at, 0, sizeof(*s->at));
		}
		if (u->step) {
			const struct place *last = at[u->step - 1];

			last += last->end > where.begin;
			if (!last->end || last->end > where.begin ||
			    !close_by(s, last->end, where.begin,
				      (u->near ? SEQUENCE_NEAR : SEQUENCE_GAP) +
					  (word->sort == RULE_WORD_LIKE ? SEQUENCE_LIKE : 0)))
				continue;
			here.begin = last->begin;
		}
		at[u->step][1] = at[u->step][0];
		at[u->step][0] = here;
		if (!u->last)
			continue;
		err = fn(ctx, s->pattern[u->sequence], (struct range){ here.begin, here.end });
		if (err)
			return err;
	}
	return 0;
}

struct following {
	struct sequences *s;
	sequence_fn *fn;
	void *ctx;
};

static int on_word(void *ctx, uint32_t id, const struct lexicon_hit *h)
{
	const struct following *f = ctx;
	uint32_t n = (uint32_t)f->s->rules->n_patterns;

	return id < n ? follow(f->s, id, h->where, f->fn, f->ctx)
		      : f->s->on_other(f->ctx, id - n, h);
}

/* The words of the lexicon up to end. */
static int catch_up(struct sequences *s, size_t end, sequence_fn *fn, void *ctx)
{
	struct following f = { s, fn, ctx };

	return lexicon_until(s->lexicon, end, on_word, &f);
}

int sequences_word(struct sequences *s, size_t pattern, struct range where, sequence_fn *fn,
		   void *ctx)
{
	int err;

	if (!whole(&s->rules->pattern[pattern], s->text, where))
		return 0;
	err = catch_up(s, where.end, fn, ctx);
	return err ? err : follow(s, pattern, where, fn, ctx);
}

int sequences_end(struct sequences *s, sequence_fn *fn, void *ctx)
{
	return catch_up(s, s->text.len, fn, ctx);
}
