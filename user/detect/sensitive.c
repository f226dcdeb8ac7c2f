/* user/detect/sensitive.c - sensitive data in a turn: how much of it, of how many kinds, and where
 * it goes. One value is told to those who hunt; what an answer gives away in numbers is an alert.
 */
#include "detect/sensitive.h"

#include <errno.h>
#include <stdio.h>

#include "base/own.h"
#include "detect/detector.h"
#include "detect/sensitive_words.h"

#define PER_TYPE_MAX  64 /* of a text: more say no more */
#define SHOW_MIN      10 /* characters of a value of which the last four may be shown */
#define SHOW_SOME_MIN 6	 /* ... the last two */
#define DISTINCT_MAX  1024
#define AGAIN_MAX     (512 << 10) /* of an answer whose parts are added up */
#define FINDINGS_MAX  8		  /* of a place */

/* What a place holds is told from here on, if nothing in it is worth telling alone. */
#define COMMON_TYPES  2	 /* kinds of common facts, which make a record of a person */
#define COMMON_VALUES 25 /* ... or so many of them */
/* An answer that gives them out is an alert from here on, and worse from there on. */
#define LEAK_GRAVE 5
#define LEAK_SOFT  50
#define LEAK_MANY  20
#define LEAK_DUMP  50

/* Where values stand decides what it means. */
enum place { PLACE_PROMPT, PLACE_TOOL_RESULT, PLACE_ANSWER, PLACE_TOOL_CALL, PLACE_MAX_ };

static const enum kind kind_of[PLACE_MAX_] = {
	[PLACE_PROMPT] = KIND_DATA_SENSITIVE_IN_PROMPT,
	[PLACE_TOOL_RESULT] = KIND_DATA_IN_TOOL_RESULT,
	[PLACE_ANSWER] = KIND_DATA_LEAK,
	[PLACE_TOOL_CALL] = KIND_DATA_IN_TOOL_CALL,
};

/* Those of which a single one is worth telling. */
static bool grave(enum sensitive_id id)
{
	enum sensitive_class c = sensitive_types[id].class;

	return c == DATA_IDENTITY || c == DATA_FINANCIAL || c == DATA_HEALTH;
}

static size_t shown(enum sensitive_id id, size_t len)
{
	enum sensitive_class c = sensitive_types[id].class;

	if (c == DATA_CONTACT || c == DATA_COMMON || c == DATA_SPECIAL || id == SENSITIVE_CARD_CVV)
		return 0;
	return len >= SHOW_MIN ? 4 : len >= SHOW_SOME_MIN ? 2 : 0;
}

/* What stands there already is not put again. */
static size_t add(const struct sensitive_hit *h, unsigned view, struct secret *list, size_t n,
		  size_t max)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].view == view && list[i].where.begin < h->where.end &&
		    h->where.begin < list[i].where.end)
			return n;
	if (n < max)
		list[n++] = (struct secret){ .type = sensitive_types[h->id].id,
					     .why = sensitive_types[h->id].name,
					     .view = (uint16_t)view,
					     .where = h->where,
					     .tail = shown(h->id, h->where.end - h->where.begin),
					     .score = h->score };
	return n;
}

static size_t mask(const struct detector_input *in, struct secret *ret, size_t max)
{
	struct sensitive_hit hits[SECRETS_MAX], one;
	size_t n = 0, found;

	for (unsigned v = 0; v < in->views->n; v++) {
		if (in->views->view[v].superseded)
			continue;
		found =
		    sensitive_scan(in->views->view[v].text, hits, ARRAY_SIZE(hits), PER_TYPE_MAX);
		for (size_t i = 0; i < found; i++)
			n = add(&hits[i], v, ret, n, max);
	}
	for (size_t i = 0; i < in->n_hits; i++)
		if (words_value(&in->hits[i], in->views->view[in->hits[i].view].text, &one))
			n = add(&one, in->hits[i].view, ret, n, max);
	return n;
}

/* --- the turn */

struct held {
	enum sensitive_id id;
	struct turn_value value; /* the first of its kind */
	bool said;		 /* in a part of the answer that was judged before */
};

struct holding {
	const struct turn *turn;
	struct held v[DISTINCT_MAX];
	size_t n;
	size_t count[SENSITIVE_MAX_]; /* distinct values of each type */
};

static enum sensitive_id id_of(const char *type)
{
	enum sensitive_id id = 0;

	while (strcmp(sensitive_types[id].id, type))
		id++;
	return id;
}

static enum place place_of(const struct segment *s)
{
	if (segment_trust(s) == TRUST_RETRIEVED)
		return PLACE_TOOL_RESULT;
	if (s->side == SIDE_REQUEST)
		/* What a model said before was looked at when it said it. */
		return segment_trust(s) == TRUST_MODEL ? PLACE_MAX_ : PLACE_PROMPT;
	return s->role == SEG_TOOL_CALL ? PLACE_TOOL_CALL : PLACE_ANSWER;
}

static bool same(const struct hash128 *a, const struct hash128 *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static void hold(struct holding *h, const struct turn_value *v, bool said)
{
	for (size_t i = 0; i < h->n; i++)
		if (same(&h->v[i].value.v.fingerprint, &v->v.fingerprint))
			return;
	if (h->n == DISTINCT_MAX)
		return;
	h->v[h->n++] = (struct held){ id_of(v->v.type), *v, said };
}

/* A long answer is judged in parts, and what its parts hold adds up. */
static void hold_said(void *ctx, size_t segment, const struct fact_value *v)
{
	struct holding *h = ctx;
	const struct segment *s = &h->turn->segments[segment];

	if (v->owner == &detector_sensitive && place_of(s) == PLACE_ANSWER && v->end <= s->judged)
		hold(h, &(struct turn_value){ *v, (uint32_t)segment }, true);
}

/* Is a part of the answer judged, and all of it short enough to be looked at again? */
static bool has_said(const struct turn *t)
{
	size_t judged = 0, all = 0;

	for (size_t i = 0; i < t->n_segments; i++) {
		if (t->segments[i].side != SIDE_RESPONSE)
			continue;
		judged += t->segments[i].judged;
		all += t->segments[i].text.len;
	}
	return judged && all <= AGAIN_MAX;
}

/* The model repeats what it was given: no news. */
static void forget(void *ctx, size_t segment, const struct fact_value *v)
{
	struct holding *h = ctx;
	size_t kept = 0;

	(void)segment;
	for (size_t i = 0; i < h->n; i++)
		if (!same(&h->v[i].value.v.fingerprint, &v->fingerprint))
			h->v[kept++] = h->v[i];
	h->n = kept;
}

struct sums {
	size_t grave, soft;   /* values; soft: all others */
	size_t common, types; /* common ones: values and kinds */
	size_t all;
};

static struct sums sum(struct holding *h)
{
	struct sums s = { .all = h->n };

	memset(h->count, 0, sizeof(h->count));
	for (size_t i = 0; i < h->n; i++)
		h->count[h->v[i].id]++;
	for (enum sensitive_id id = 0; id < SENSITIVE_MAX_; id++) {
		bool is_common = sensitive_types[id].class == DATA_COMMON;

		*(grave(id) ? &s.grave : &s.soft) += h->count[id];
		s.common += is_common ? h->count[id] : 0;
		s.types += is_common && h->count[id];
	}
	return s;
}

static bool worth_telling(const struct sums *s)
{
	return s->common < s->all || s->types >= COMMON_TYPES || s->common >= COMMON_VALUES;
}

static bool leaks(const struct sums *s)
{
	return s->grave >= LEAK_GRAVE || s->soft >= LEAK_SOFT;
}

static int raised(const struct sums *s)
{
	return s->grave >= LEAK_DUMP ? 2 : s->grave >= LEAK_MANY ? 1 : 0;
}

/* One finding for each type: the first value stands for the others. */
static int tell(const struct turn_input *in, enum place place, const struct holding *h,
		const struct sums *s, emit_fn *emit, void *ctx)
{
	bool told[SENSITIVE_MAX_] = { false };
	unsigned n = 0;
	int err;

	/* The grave ones first. */
	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < h->n && n < FINDINGS_MAX; i++) {
			enum sensitive_id id = h->v[i].id;
			const struct turn_value *v = &h->v[i].value;
			struct finding f = { .kind = kind_of[place], .score = v->v.score };

			if (told[id] || h->v[i].said || grave(id) != !pass)
				continue;
			told[id] = true;
			n++;
			f.mode = place == PLACE_ANSWER && leaks(s) ? MODE_ALERT : MODE_HUNT;
			f.raise = f.mode == MODE_ALERT ? raised(s) : 0;
			f.fingerprint = v->v.fingerprint;
			snprintf(f.type, sizeof(f.type), "%s", sensitive_types[id].id);
			if (h->count[id] == 1)
				snprintf(f.why, sizeof(f.why),
					 "One value like a %s, of %zu sensitive values here.",
					 sensitive_types[id].name, s->all);
			else
				snprintf(
				    f.why, sizeof(f.why),
				    "%zu different values like a %s, of %zu sensitive values here.",
				    h->count[id], sensitive_types[id].name, s->all);
			err =
			    turn_locate(in, &f, v->segment, (struct range){ v->v.begin, v->v.end });
			if (err)
				return err;
			emit(ctx, &f);
		}
	return n > 0;
}

static int turn(const struct turn_input *in, emit_fn *emit, void *ctx)
{
	auto_mem struct holding *h = NULL;
	int found = 0, err = 0;

	if (!in->n_values)
		return 0;
	h = malloc(sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->turn = in->turn;
	for (enum place place = 0; place < PLACE_MAX_ && !err; place++) {
		struct sums s;

		h->n = 0;
		for (size_t i = 0; i < in->n_values; i++)
			if (in->values[i].v.owner == &detector_sensitive &&
			    place_of(&in->turn->segments[in->values[i].segment]) == place)
				hold(h, &in->values[i], false);
		if (place == PLACE_ANSWER && h->n && has_said(in->turn))
			err = turn_values(in, SIDE_RESPONSE, hold_said, h);
		s = sum(h);
		if (!err && place == PLACE_ANSWER && worth_telling(&s)) {
			err = turn_values(in, SIDE_REQUEST, forget, h);
			s = sum(h);
		}
		if (!err && worth_telling(&s))
			err = tell(in, place, h, &s, emit, ctx);
		found |= err > 0;
		err = MIN(err, 0);
	}
	return err ? err : found;
}

/* All made up; their check digits fit. */
static const struct sample samples[] = {
	{ "Here are the cards on file: 4929 5260 1815 9081; 5490 3016 6131 8608; 4716 9139 0996 "
	  "0305; 5337 8246 2819 4827; 4485 1993 5181 9095",
	  SEG_ASSISTANT, KIND_DATA_LEAK, "payment-card" },
	{ "Clientes: 231.948.757-36, 491.186.252-15, 760.189.555-63, 979.711.471-63, "
	  "049.746.507-85",
	  SEG_ASSISTANT, KIND_DATA_LEAK, "br-cpf" },
	{ "id,name,ssn\n1,A,536-22-8145\n2,B,531-40-1177\n3,C,402-11-9087\n4,D,231-65-4410\n"
	  "5,E,609-14-7752\n",
	  SEG_ASSISTANT, KIND_DATA_LEAK, "us-ssn" },
	/* A single one is told, but is no alert; neither is what people and tools pass on. */
	{ "My card is 4539 3786 5797 5431 and my ssn 536-22-8145", SEG_USER, KIND_MAX_, NULL },
	{ "The card on file is 4539 3786 5797 5431.", SEG_ASSISTANT, KIND_MAX_, NULL },
	{ "cards: 4929 5260 1815 9081, 5490 3016 6131 8608, 4716 9139 0996 0305, 5337 8246 2819 "
	  "4827, 4485 1993 5181 9095, 4539 3786 5797 5431",
	  SEG_TOOL_RESULT, KIND_MAX_, NULL },
	{ "{\"to\":\"bob@acme-corp.com\",\"phone\":\"+1 415 867 5309\"}", SEG_TOOL_CALL, KIND_MAX_,
	  NULL },
	/* What only looks like them. */
	{ "order 4929421234600828, tracking 1Z999AA10123456784, ISBN 978-3-16-148410-0, EAN "
	  "4006381333931",
	  SEG_ASSISTANT, KIND_MAX_, NULL },
	{ "\"created\": 1718000000, \"updated\": 1718000000123, \"ts\": 1718000000123456, \"id\": "
	  "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
	  SEG_ASSISTANT, KIND_MAX_, NULL },
	{ "[0.123456789, -0.987654321, 536.228145, 12.345678901234] v1.22.333.4444 "
	  "3.14159265358979",
	  SEG_ASSISTANT, KIND_MAX_, NULL },
	{ NULL },
};

const struct detector detector_sensitive = {
	.name = "sensitive",
	.summary =
	    "personal, financial and health data, by form, check digits and the words around",
	.surfaces = TRUST_ALL,
	.pattern = words_pattern,
	.mask = mask,
	.turn = turn,
	.samples = samples,
};
