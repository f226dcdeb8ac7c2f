/* user/detect/sequence.c - follows the words of rules through a text.
 * Owns for each sequence how far it has come, with the latest two places of each step: nearer words
 * stand for farther ones, but for those that lie in the next word.
 */
#include "detect/sequence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

/* A list of words stands at a step of a sequence. */
struct use {
	uint32_t sequence;
	uint8_t step;
};

/* The latest place up to a step; end 0: none in this text. */
struct place {
	uint32_t begin, end;
};

struct sequences {
	const struct rules *rules;
	struct span text;
	uint32_t *pattern;			   /* of each sequence */
	struct place (*at)[SEQUENCE_STEPS_MAX][2]; /* the latest first */
	size_t n;
	uint32_t *first; /* of each list's uses; closed by one more */
	struct use *uses;
	size_t n_lists;
	bool fresh; /* no place is kept */
};

int sequences_new(struct sequences **ret, const struct rules *rules)
{
	auto_free(sequences) struct sequences *s = calloc(1, sizeof(*s));
	size_t n_uses = 0, n = 0;

	if (!s)
		return -ENOMEM;
	s->rules = rules;
	s->fresh = true;
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
	s->first = calloc(s->n_lists + 2, sizeof(*s->first));
	s->uses = calloc(n_uses + 1, sizeof(*s->uses));
	if (!s->pattern || !s->at || !s->first || !s->uses)
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
			    (struct use){ (uint32_t)n, (uint8_t)k };
		n++;
	}
	*ret = steal(s);
	return 0;
}

void sequences_free(struct sequences **s)
{
	if (!*s)
		return;
	free((*s)->pattern);
	free((*s)->at);
	free((*s)->first);
	free((*s)->uses);
	free(*s);
	*s = NULL;
}

void sequences_begin(struct sequences *s, struct span text)
{
	s->text = text;
	if (!s->fresh)
		memset(s->at, 0, s->n * sizeof(*s->at));
	s->fresh = true;
}

/* Do these bytes part two words by no more than max letters of one sentence? */
static bool close_by(struct span between, size_t max)
{
	size_t halves = 0;

	if (between.len > 4 * max)
		return false;
	for (size_t i = 0; i < between.len; i++) {
		uint8_t c = between.p[i];

		/* Not the points of addresses and versions. */
		if (c == '!' || c == '?' || c == '\n' ||
		    (c == '.' && i + 1 < between.len && strchr(" \t\r", between.p[i + 1])))
			return false;
		if (c < 0x80 || c >= 0xc0)
			halves += c < 0xe0 ? 2 : 3;
	}
	return halves <= 2 * max;
}

static bool alnum(uint8_t c)
{
	return (unsigned)(c | 0x20) - 'a' < 26 || (unsigned)c - '0' < 10;
}

/* Words of Latin letters begin where they begin, and end so if the rule says so. */
static bool whole(const struct rule_pattern *p, struct span text, struct range r)
{
	if (p->sort == RULE_WORD && r.begin && alnum(text.p[r.begin]) && alnum(text.p[r.begin - 1]))
		return false;
	return !p->ends || r.end == text.len || !alnum(text.p[r.end]);
}

int sequences_word(struct sequences *s, size_t pattern, struct range where, sequence_fn *fn,
		   void *ctx)
{
	const struct rule_pattern *word = &s->rules->pattern[pattern];
	int err;

	if (!whole(word, s->text, where))
		return 0;
	for (uint32_t i = s->first[word->words]; i < s->first[word->words + 1]; i++) {
		const struct use *u = &s->uses[i];
		const struct rule_pattern *p = &s->rules->pattern[s->pattern[u->sequence]];
		struct place(*at)[2] = s->at[u->sequence];
		struct place here = { (uint32_t)where.begin, (uint32_t)where.end };

		if (u->step) {
			const struct place *last = at[u->step - 1];

			last += last->end > where.begin;
			if (!last->end || last->end > where.begin ||
			    !close_by(span_sub(s->text, last->end, where.begin - last->end),
				      (p->near & 1u << u->step ? SEQUENCE_NEAR : SEQUENCE_GAP) +
					  (word->sort == RULE_WORD_LIKE ? SEQUENCE_LIKE : 0)))
				continue;
			here.begin = last->begin;
		}
		s->fresh = false;
		at[u->step][1] = at[u->step][0];
		at[u->step][0] = here;
		if (u->step + 1u < p->n_steps)
			continue;
		err = fn(ctx, s->pattern[u->sequence], (struct range){ here.begin, here.end });
		if (err)
			return err;
	}
	return 0;
}
