/* user/detect/anchor.c - finds the anchors of an expression: reads it once from left to right, with
 * the texts that it can match as far as they are few. What it does not understand has no anchors.
 */
#include "detect/anchor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "detect/lexicon.h"
#include "text/words.h"

#define TEXTS_MAX  96 /* that one piece may match, to be joined with those of the next */
#define NESTED_MAX 32
#define COMMON	   0.1F /* of a common word of four letters; longer ones are rarer */
#define EVERYWHERE 4.0F
#define NEXT	   0.025F /* for a word that stands behind another one */
#define NEXT_MAX   0.1F

/* One text that a piece matches; begins: it is known to begin where a word may. */
struct text {
	uint8_t s[ANCHOR_LEN_MAX];
	uint8_t len;
	bool begins;
};

struct texts {
	struct text *v;
	size_t n;
};

/* What is known of a piece of an expression. */
struct piece {
	bool exact;		/* it matches these texts and no others */
	struct texts texts;	/* when exact */
	struct anchors best[2]; /* the rarer first; n 0: none */
	bool after;		/* behind it a word may begin: what is before is of no Latin word */
};

struct reader {
	const char *p;
	unsigned nested;
	int err; /* -ENOMEM; 1: it has what is not understood */
};

/* --- how often */

/* The words that stand in every text. */
static const char everywhere[] =
    " a about after all also an and any are as at back be because been before but by can code "
    "could data day "
    "did do does down each even file first for from get give go good had has have he help her here "
    "him "
    "his how i if in into is it its just know like list look made make many may me more most much "
    "must "
    "my name need new no not now number of on one only or other our out over own please return "
    "right s "
    "said same see set she should show so some such t take text than that the their them then "
    "there "
    "these they this time to two type up us use used user using value very want was way we well "
    "were "
    "what when where which who why will with without word words work would write you your ";

/* How many words of a list, separated by blanks, begin with s, or are it. */
static unsigned count(const char *list, struct span s, bool whole)
{
	unsigned n = 0;

	for (const char *w = list; *w;) {
		size_t len = strcspn(w, " ");

		n += len >= s.len && !memcmp(w, s.p, s.len) && (!whole || len == s.len);
		w += len + (w[len] == ' ');
	}
	return n;
}

/* How often a word begins so, or is it, for each time that a word begins. */
static float often(struct span s, bool whole)
{
	float rare = 1, len = 4 / (float)s.len;

	for (size_t i = 0; i < s.len; i++)
		rare /= 5;
	return rare + COMMON * len * len * (float)count(words_list, s, whole) +
	       EVERYWHERE * (float)count(everywhere, s, whole);
}

float anchor_cost(struct span word)
{
	float cost = 1;
	bool first = true;

	for (size_t at = 0, end; at < word.len; at = end) {
		uint8_t c = word.p[at];
		float f;

		for (end = at; end < word.len && ascii_alnum(word.p[end]); end++)
			;
		if (end > at) {
			f = often(span_sub(word, at, end - at), end < word.len);
			cost *= first ? f : MIN(f * NEXT, NEXT_MAX);
			first = false;
			continue;
		}
		/* Letters of other scripts, counted by their first bytes; signs. */
		end = at + 1;
		cost *= c >= 0xe0   ? 1 / 60.F
			: c >= 0xc0 ? 1 / 8.F
			: c >= 0x80 ? 1
			: c == ' '  ? 0.7F
				    : 0.1F;
	}
	return cost;
}

/* --- texts and anchors */

static void drop(struct anchors *a)
{
	free(a->v);
	*a = (struct anchors){ 0 };
}

void anchors_free(struct anchors ret[2])
{
	drop(&ret[0]);
	drop(&ret[1]);
}

static void piece_free(struct piece *p)
{
	free(p->texts.v);
	anchors_free(p->best);
	*p = (struct piece){ 0 };
}

/* What of a text the lexicon can find: from its first beginning of a word on. Empty: nothing. */
static struct span findable(const struct text *t)
{
	struct span s = span_of(t->s, t->len);

	for (size_t i = 0; i < s.len; i++) {
		struct span rest = span_sub(s, i, s.len);

		if ((s.p[i] >= 0xc0 ||
		     (ascii_alnum(s.p[i]) && (i ? !ascii_alnum(s.p[i - 1]) : t->begins))) &&
		    lexicon_takes(rest))
			return rest;
	}
	return span_of(s.p, 0);
}

static int by_bytes(const void *a, const void *b)
{
	const struct anchor_word *x = a, *y = b;
	int cmp = memcmp(x->s, y->s, MIN(x->len, y->len));

	return cmp ? cmp : x->len < y->len ? -1 : x->len > y->len;
}

/* These texts as anchors, what begins with another one left out. None, when one of them is none. */
static int anchors_make(const struct texts *t, struct anchors *ret)
{
	struct anchor_word *v = calloc(t->n + 1, sizeof(*v));
	size_t n = 0;

	*ret = (struct anchors){ 0 };
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++) {
		struct span s = findable(&t->v[i]);

		if (!s.len) {
			free(v);
			return 0;
		}
		memcpy(v[i].s, s.p, s.len);
		v[i].len = (uint8_t)s.len;
	}
	qsort(v, t->n, sizeof(*v), by_bytes);
	for (size_t i = 0; i < t->n; i++) {
		if (n && v[n - 1].len <= v[i].len && !memcmp(v[n - 1].s, v[i].s, v[n - 1].len))
			continue;
		v[n++] = v[i];
		ret->cost += anchor_cost(span_of(v[n - 1].s, v[n - 1].len));
	}
	ret->v = v;
	ret->n = n;
	return 0;
}

static bool same(const struct anchors *a, const struct anchors *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (by_bytes(&a->v[i], &b->v[i]))
			return false;
	return true;
}

/* The two rarest stay, and what is no longer wanted is freed. */
static void anchors_take(struct anchors best[2], struct anchors *other)
{
	struct anchors a = *other;

	*other = (struct anchors){ 0 };
	for (size_t i = 0; i < 2 && a.n; i++) {
		struct anchors was = best[i];

		if (was.n && same(&was, &a))
			break;
		if (was.n && was.cost <= a.cost)
			continue;
		best[i] = a;
		a = was;
	}
	drop(&a);
}

static int texts_take(struct anchors best[2], const struct texts *t)
{
	struct anchors a;
	int err = anchors_make(t, &a);

	if (!err)
		anchors_take(best, &a);
	return err;
}

/* Both, for a match has one of them. */
static int add(struct anchors *to, const struct anchors *more)
{
	struct anchor_word *v = realloc(to->v, (to->n + more->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	memcpy(v + to->n, more->v, more->n * sizeof(*v));
	to->v = v;
	to->n += more->n;
	to->cost += more->cost;
	return 0;
}

/* The anchors of two alternatives: none when one has none; one that has only one set has it twice.
 */
static int anchors_add(struct anchors to[2], const struct anchors more[2])
{
	int err = 0;

	if (!to[0].n || !more[0].n || to[0].n + more[0].n > ANCHORS_MAX ||
	    MAX(to[0].n, to[1].n) + MAX(more[0].n, more[1].n) > ANCHORS_MAX) {
		anchors_free(to);
		return 0;
	}
	if (!to[1].n && more[1].n)
		err = add(&to[1], &to[0]);
	if (!err && to[1].n)
		err = add(&to[1], &more[more[1].n ? 1 : 0]);
	return err ? err : add(&to[0], &more[0]);
}

static int texts_add(struct texts *to, const struct texts *more)
{
	struct text *v = realloc(to->v, (to->n + more->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	memcpy(v + to->n, more->v, more->n * sizeof(*v));
	to->v = v;
	to->n += more->n;
	return 0;
}

/* Each of these with each of those behind it. 1: they would be too many. */
static int texts_join(struct texts *to, const struct texts *next)
{
	struct texts all = { 0 };

	if (to->n * next->n > TEXTS_MAX)
		return 1;
	all.v = calloc(to->n * next->n + 1, sizeof(*all.v));
	if (!all.v)
		return -ENOMEM;
	for (size_t i = 0; i < to->n; i++)
		for (size_t k = 0; k < next->n; k++) {
			struct text *t = &all.v[all.n++];

			*t = to->v[i].len ? to->v[i] : next->v[k];
			if (!to->v[i].len)
				continue;
			/* A longer one is found by what it begins with. */
			if (t->len + next->v[k].len > ANCHOR_LEN_MAX) {
				free(all.v);
				return 1;
			}
			memcpy(t->s + t->len, next->v[k].s, next->v[k].len);
			t->len += next->v[k].len;
		}
	free(to->v);
	*to = all;
	return 0;
}

static int texts_one(struct texts *ret, const uint8_t *s, size_t len, bool begins)
{
	ret->v = calloc(1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	memcpy(ret->v->s, s, len);
	ret->v->len = (uint8_t)len;
	ret->v->begins = begins;
	ret->n = 1;
	return 0;
}

static bool texts_after(const struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].len ? ascii_alnum(t->v[i].s[t->v[i].len - 1]) : !t->v[i].begins)
			return false;
	return true;
}

/* --- reading */

static void read_alternatives(struct reader *r, bool before, struct piece *ret);

/* One of a set of characters, of which it is known only whether one of them is of Latin words. */
static void set_some(struct piece *ret, bool latin)
{
	*ret = (struct piece){ .after = !latin };
}

static void set_char(struct reader *r, struct piece *ret, uint8_t c, bool before)
{
	c = ascii_lower(c);
	*ret = (struct piece){ .exact = true, .after = !ascii_alnum(c) };
	r->err = texts_one(&ret->texts, &c, 1, before);
}

static void set_empty(struct reader *r, struct piece *ret, bool after)
{
	*ret = (struct piece){ .exact = true, .after = after };
	r->err = texts_one(&ret->texts, (const uint8_t *)"", 0, after);
}

/* What a character stands for behind a backslash; -1: more than one character, or none. */
static int escaped(char c)
{
	static const char from[] = "ntrfave", to[] = "\n\t\r\f\a\v\033";
	const char *at = c ? strchr(from, c) : NULL;

	/* \v is all line ends. */
	if (at)
		return c == 'v' ? -1 : to[at - from];
	return ascii_alnum((uint8_t)c) || !c ? -1 : (uint8_t)c;
}

static void read_escape(struct reader *r, bool before, struct piece *ret)
{
	char c = *r->p++;
	int is = escaped(c);

	if (is >= 0)
		set_char(r, ret, (uint8_t)is, before);
	else if (c == 'b')
		set_empty(r, ret, true);
	else if (c == 'W' || c == 's')
		set_some(ret, false);
	else if (c && strchr("wdSDB", c))
		c == 'B' ? set_empty(r, ret, before) : set_some(ret, true);
	else
		r->err = 1;
}

/* [...]: the characters one by one when they are few. */
static void read_class(struct reader *r, bool before, struct piece *ret)
{
	struct texts all = { 0 };
	bool latin = false, exact = true, first = true;

	if (*r->p == '^') {
		latin = true;
		exact = false;
		r->p++;
	}
	for (; *r->p && (*r->p != ']' || first) && !r->err; first = false) {
		uint8_t c = (uint8_t)*r->p++;
		struct texts one = { 0 };

		if (c == '[' && *r->p == ':') {
			r->err = 1;
		} else if (c == '\\') {
			int is = escaped(*r->p);

			latin |= is < 0 && !strchr("Wsn", *r->p);
			exact &= is >= 0;
			r->err = *r->p ? 0 : 1;
			r->p += *r->p != 0;
			c = (uint8_t)is;
		}
		exact &= c < 0x80 && !(*r->p == '-' && r->p[1] != ']') && all.n < 8;
		/* A range may hold anything. */
		latin |= ascii_alnum(c) || (*r->p == '-' && r->p[1] != ']');
		c = ascii_lower(c);
		if (exact && !r->err) {
			r->err = texts_one(&one, &c, 1, before);
			if (!r->err)
				r->err = texts_add(&all, &one);
			free(one.v);
		}
	}
	if (*r->p != ']' && !r->err)
		r->err = 1;
	r->p += *r->p == ']';
	if (exact && !r->err && all.n) {
		*ret = (struct piece){ .exact = true, .texts = all, .after = !latin };
		return;
	}
	free(all.v);
	set_some(ret, latin);
}

static void read_group(struct reader *r, bool before, struct piece *ret)
{
	if (*r->p == '?') {
		r->p += 1 + strspn(r->p + 1, "imsx-");
		if (*r->p == ')') {
			r->p++;
			set_empty(r, ret, before);
			return;
		}
		if (*r->p++ != ':') {
			r->err = 1;
			return;
		}
	}
	if (++r->nested > NESTED_MAX) {
		r->err = 1;
		return;
	}
	read_alternatives(r, before, ret);
	r->nested--;
	if (!r->err && *r->p++ != ')')
		r->err = 1;
}

static void read_atom(struct reader *r, bool before, struct piece *ret)
{
	char c = *r->p++;

	switch (c) {
	case '(':
		read_group(r, before, ret);
		break;
	case '[':
		read_class(r, before, ret);
		break;
	case '\\':
		read_escape(r, before, ret);
		break;
	case '.':
		set_some(ret, true);
		break;
	case '^':
		set_empty(r, ret, true);
		break;
	case '$':
		set_empty(r, ret, before);
		break;
	default:
		set_char(r, ret, (uint8_t)c, before);
	}
}

/* How often the piece before stands there: at least, at most (-1: any number). False: it stands
 * once. */
static bool read_repeat(struct reader *r, int *least, int *most)
{
	char *end;

	switch (*r->p) {
	case '?':
		*least = 0, *most = 1;
		break;
	case '*':
		*least = 0, *most = -1;
		break;
	case '+':
		*least = 1, *most = -1;
		break;
	case '{':
		if (r->p[1] < '0' || r->p[1] > '9')
			return false;
		*least = *most = (int)strtol(r->p + 1, &end, 10);
		if (*end == ',')
			*most = end[1] == '}' ? -1 : (int)strtol(end + 1, &end, 10);
		r->p = strchr(end, '}') ? strchr(end, '}') : end + strlen(end) - 1;
		break;
	default:
		return false;
	}
	r->p++;
	r->p += *r->p == '?' || *r->p == '+';
	return true;
}

static void repeat(struct reader *r, struct piece *p, int least, int most, bool before)
{
	struct texts none = { 0 };

	if (p->exact && least == 1 && most == 1)
		return;
	if (p->exact && !least && most == 1) {
		r->err = texts_one(&none, (const uint8_t *)"", 0, before);
		if (!r->err)
			r->err = texts_add(&p->texts, &none);
		free(none.v);
		p->after = p->after && before;
		return;
	}
	if (least && p->exact)
		r->err = texts_take(p->best, &p->texts);
	if (!least)
		anchors_free(p->best);
	p->after = p->after && (least || before);
	p->exact = false;
	free(p->texts.v);
	p->texts = none;
}

/* One piece behind others: texts are joined as far as they are few. */
static void append(struct reader *r, struct piece *to, struct texts *run, struct piece *next)
{
	int err = next->exact ? texts_join(run, &next->texts) : 1;

	if (err == 1) {
		to->exact = false;
		err = texts_take(to->best, run);
		free(run->v);
		*run = next->texts;
		next->texts = (struct texts){ 0 };
		if (!err && !next->exact)
			err = texts_one(run, (const uint8_t *)"", 0, next->after);
	}
	anchors_take(to->best, &next->best[0]);
	anchors_take(to->best, &next->best[1]);
	to->after = next->exact ? texts_after(run) : next->after;
	piece_free(next);
	r->err = err;
}

/* A word boundary tells of what follows only. */
static void mark_boundary(struct texts *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (!run->v[i].len)
			run->v[i].begins = true;
}

static void read_sequence(struct reader *r, bool before, struct piece *ret)
{
	struct texts run = { 0 };

	*ret = (struct piece){ .exact = true, .after = before };
	r->err = texts_one(&run, (const uint8_t *)"", 0, before);
	while (!r->err && *r->p && *r->p != '|' && *r->p != ')') {
		bool boundary = r->p[0] == '\\' && r->p[1] == 'b';
		struct piece next = { 0 };
		int least, most;

		read_atom(r, ret->after, &next);
		if (!r->err && read_repeat(r, &least, &most))
			repeat(r, &next, least, most, ret->after);
		if (!r->err)
			append(r, ret, &run, &next);
		piece_free(&next);
		if (boundary) {
			mark_boundary(&run);
			ret->after = true;
		}
	}
	if (!r->err && ret->exact) {
		ret->texts = run;
		return;
	}
	if (!r->err)
		r->err = texts_take(ret->best, &run);
	free(run.v);
}

static void read_alternatives(struct reader *r, bool before, struct piece *ret)
{
	read_sequence(r, before, ret);
	while (!r->err && *r->p == '|') {
		struct piece next = { 0 };

		r->p++;
		read_sequence(r, before, &next);
		ret->after = ret->after && next.after;
		if (!r->err && ret->exact && next.exact &&
		    ret->texts.n + next.texts.n <= TEXTS_MAX) {
			r->err = texts_add(&ret->texts, &next.texts);
			piece_free(&next);
			continue;
		}
		/* From now on only anchors are known. */
		if (!r->err && ret->exact)
			r->err = texts_take(ret->best, &ret->texts);
		ret->exact = false;
		free(ret->texts.v);
		ret->texts = (struct texts){ 0 };
		if (!r->err && next.exact)
			r->err = texts_take(next.best, &next.texts);
		if (!r->err)
			r->err = anchors_add(ret->best, next.best);
		piece_free(&next);
	}
}

int anchors_of(const char *expression, struct anchors ret[2])
{
	struct reader r = { .p = expression };
	struct piece all = { 0 };
	int err;

	ret[0] = ret[1] = (struct anchors){ 0 };
	read_alternatives(&r, false, &all);
	err = r.err ? r.err : *r.p ? 1 : 0;
	if (!err && all.exact)
		err = texts_take(all.best, &all.texts);
	if (!err && !all.best[0].n)
		err = 1;
	for (size_t i = 0; i < 2 && !err; i++) {
		ret[i] = all.best[i];
		all.best[i] = (struct anchors){ 0 };
	}
	piece_free(&all);
	return err;
}
