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

/* A list of words stands at a step of a sequence, not the first one; with what must be known of the
 * sequence until the step is taken. */
struct use {
	uint32_t sequence;
	uint16_t next; /* the list of the step behind it; the first list, at step 1, is of the place
			  before */
	uint16_t before;
	uint8_t step;
	bool near; /* the step before must be */
	bool last;
};

/* The latest place up to a step; end 0: none in this text. */
struct place {
	uint32_t begin, end;
};

/* A list, and what is known of it in the text in hand. */
struct list {
	uint32_t first_use, end_use;
	uint32_t first_follower, end_follower; /* lists behind it, where it is the first of a
						  sequence */
	uint32_t awaited;   /* in this round: a sequence has come to a step before one of its own */
	uint32_t round;	    /* of its places */
	struct place at[2]; /* as the first step of sequences, which it is the same for; the latest
			       first */
};

struct sequences {
	const struct rules *rules;
	struct lexicon *lexicon; /* ids: lists; from SEQUENCE_OTHER on: others */
	lexicon_fn *on_other;
	struct span text;
	struct list *lists; /* RULE_WORD_LISTS_MAX of them */
	struct use *uses;
	uint16_t *followers;
	uint32_t *pattern;			   /* of each sequence */
	struct place (*at)[SEQUENCE_STEPS_MAX][2]; /* from step 1 on, the latest first */
	uint32_t *round; /* of each sequence's places: those of another one are of another text */
	size_t n;
	uint32_t now;
	uint64_t changes; /* of what is wanted */
	struct {
		size_t from, to;
		size_t halves; /* letters between, twice */
	} gap;		       /* asked for last: many sequences ask for the same */
};

bool sequences_finds(struct span word)
{
	return lexicon_takes(word);
}

/* The tables: counted, summed up, filled in. */
static void fill(struct sequences *s)
{
	uint32_t n = 0, n_uses = 0, n_followers = 0;

	for (size_t i = 0; i < s->rules->n_patterns; i++) {
		const struct rule_pattern *p = &s->rules->pattern[i];

		if (p->sort != RULE_SEQUENCE)
			continue;
		s->lists[p->step[0]].end_follower++;
		for (size_t k = 1; k < p->n_steps; k++)
			s->lists[p->step[k]].end_use++;
	}
	for (struct list *l = s->lists; l < s->lists + RULE_WORD_LISTS_MAX; l++) {
		l->first_use = n_uses;
		l->first_follower = n_followers;
		n_uses += l->end_use;
		n_followers += l->end_follower;
		l->end_use = l->first_use;
		l->end_follower = l->first_follower;
	}
	for (size_t i = 0; i < s->rules->n_patterns; i++) {
		const struct rule_pattern *p = &s->rules->pattern[i];

		if (p->sort != RULE_SEQUENCE)
			continue;
		s->pattern[n] = (uint32_t)i;
		s->followers[s->lists[p->step[0]].end_follower++] = p->step[1];
		/* Later steps first, so that a word is not two of them. */
		for (size_t k = p->n_steps; --k;)
			s->uses[s->lists[p->step[k]].end_use++] =
			    (struct use){ .sequence = n,
					  .next = k + 1 < p->n_steps ? p->step[k + 1] : 0,
					  .before = p->step[k - 1],
					  .step = (uint8_t)k,
					  .near = p->near & 1u << k,
					  .last = k + 1 == p->n_steps };
		n++;
	}
}

/* Are all lists in the table? */
static bool lists_ok(const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_patterns; i++) {
		const struct rule_pattern *p = &rules->pattern[i];

		if (p->words >= RULE_WORD_LISTS_MAX)
			return false;
		for (size_t k = 0; p->sort == RULE_SEQUENCE && k < p->n_steps; k++)
			if (p->step[k] >= RULE_WORD_LISTS_MAX)
				return false;
	}
	return true;
}

int sequences_new(struct sequences **ret, const struct rules *rules, struct span words,
		  size_t n_other, lexicon_fn *on_other)
{
	auto_free(sequences) struct sequences *s = calloc(1, sizeof(*s));
	size_t n_uses = 0;
	int err;

	if (!s)
		return -ENOMEM;
	s->rules = rules;
	s->on_other = on_other;
	err = lists_ok(rules)
		  ? lexicon_new(&s->lexicon, words, (uint32_t)(SEQUENCE_OTHER + n_other))
		  : -EINVAL;
	if (err)
		return err;
	for (size_t i = 0; i < rules->n_patterns; i++) {
		const struct rule_pattern *p = &rules->pattern[i];

		s->n += p->sort == RULE_SEQUENCE;
		n_uses += p->sort == RULE_SEQUENCE ? p->n_steps : 0;
	}
	s->lists = calloc(RULE_WORD_LISTS_MAX, sizeof(*s->lists));
	s->uses = calloc(n_uses + 1, sizeof(*s->uses));
	s->followers = calloc(s->n + 1, sizeof(*s->followers));
	s->pattern = calloc(s->n + 1, sizeof(*s->pattern));
	s->at = calloc(s->n + 1, sizeof(*s->at));
	s->round = calloc(s->n + 1, sizeof(*s->round));
	if (!s->lists || !s->uses || !s->followers || !s->pattern || !s->at || !s->round)
		return -ENOMEM;
	fill(s);
	*ret = steal(s);
	return 0;
}

void sequences_free(struct sequences **s)
{
	if (!*s)
		return;
	lexicon_free(&(*s)->lexicon);
	free((*s)->lists);
	free((*s)->uses);
	free((*s)->followers);
	free((*s)->pattern);
	free((*s)->at);
	free((*s)->round);
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
	s->changes++;
	/* All of them are forgotten when the numbers begin again. */
	if (!++s->now) {
		memset(s->round, 0, s->n * sizeof(*s->round));
		for (size_t i = 0; i < RULE_WORD_LISTS_MAX; i++)
			s->lists[i].awaited = s->lists[i].round = 0;
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

/* The latest place of the step before a use; of a place that lies in the word, the one before.
 * NULL: it was not taken. */
static const struct place *place_before(const struct sequences *s, const struct use *u,
					size_t begin)
{
	const struct place *last;

	if (u->step == 1) {
		if (s->lists[u->before].round != s->now)
			return NULL;
		last = s->lists[u->before].at;
	} else {
		if (s->round[u->sequence] != s->now)
			return NULL;
		last = s->at[u->sequence][u->step - 1];
	}
	last += last->end > begin;
	return last->end && last->end <= begin ? last : NULL;
}

static void await(struct sequences *s, uint16_t list)
{
	s->changes += s->lists[list].awaited != s->now;
	s->lists[list].awaited = s->now;
}

static void take_step(struct sequences *s, const struct use *u, struct place here)
{
	struct place(*at)[2] = s->at[u->sequence];

	if (s->round[u->sequence] != s->now) {
		s->round[u->sequence] = s->now;
		memset(at, 0, sizeof(*s->at));
	}
	at[u->step][1] = at[u->step][0];
	at[u->step][0] = here;
	if (!u->last)
		await(s, u->next);
}

/* The first step of all sequences that begin with the list. */
static void begin_sequences(struct sequences *s, uint16_t list, struct place here)
{
	struct list *l = &s->lists[list];

	if (l->round != s->now) {
		l->round = s->now;
		l->at[0] = (struct place){ 0 };
		for (uint32_t i = l->first_follower; i < l->end_follower; i++)
			await(s, s->followers[i]);
	}
	l->at[1] = l->at[0];
	l->at[0] = here;
}

/* Can a word of the list be a step, now? */
static inline bool wanted(const struct sequences *s, const struct list *l)
{
	return l->awaited == s->now || l->first_follower < l->end_follower;
}

static int follow(struct sequences *s, uint16_t list, struct range where, size_t like,
		  sequence_fn *fn, void *ctx)
{
	const struct list *l = &s->lists[list];
	struct place here = { (uint32_t)where.begin, (uint32_t)where.end };
	uint32_t end = l->awaited == s->now ? l->end_use : 0;
	int err;

	for (uint32_t i = l->first_use; i < end; i++) {
		const struct use *u = &s->uses[i];
		const struct place *last = place_before(s, u, where.begin);

		if (!last || !close_by(s, last->end, where.begin,
				       (u->near ? SEQUENCE_NEAR : SEQUENCE_GAP) + like))
			continue;
		take_step(s, u, (struct place){ last->begin, here.end });
		if (!u->last)
			continue;
		err = fn(ctx, s->pattern[u->sequence], (struct range){ last->begin, here.end });
		if (err)
			return err;
	}
	if (l->first_follower < l->end_follower)
		begin_sequences(s, list, here);
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

	if (id >= SEQUENCE_OTHER)
		return f->s->on_other(f->ctx, id - SEQUENCE_OTHER, h);
	return wanted(f->s, &f->s->lists[id])
		   ? follow(f->s, (uint16_t)id, h->where, 0, f->fn, f->ctx)
		   : 0;
}

int sequences_until(struct sequences *s, size_t end, sequence_fn *fn, void *ctx)
{
	struct following f = { s, fn, ctx };

	return lexicon_until(s->lexicon, end, on_word, &f);
}

bool sequences_wants(const struct sequences *s, size_t pattern)
{
	return wanted(s, &s->lists[s->rules->pattern[pattern].words]);
}

uint64_t sequences_changes(const struct sequences *s)
{
	return s->changes;
}

int sequences_word(struct sequences *s, size_t pattern, struct range where, sequence_fn *fn,
		   void *ctx)
{
	const struct rule_pattern *p = &s->rules->pattern[pattern];

	return whole(p, s->text, where)
		   ? follow(s, p->words, where, p->sort == RULE_WORD_LIKE ? SEQUENCE_LIKE : 0, fn,
			    ctx)
		   : 0;
}

int sequences_end(struct sequences *s, sequence_fn *fn, void *ctx)
{
	return sequences_until(s, s->text.len, fn, ctx);
}
