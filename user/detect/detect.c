/* user/detect/detect.c - runs the detectors over a turn.
 * Owns the views' buffers and the segment cache; rules and pattern databases are borrowed, so that
 * processes share them. What detectors say about a
 * text depends on the text alone and is kept; what needs the whole turn is decided anew for each
 * turn, from what was kept.
 */
#include "detect/detect.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "detect/classifier.h"
#include "detect/engine.h"
#include "detect/facts.h"
#include "detect/gate.h"
#include "detect/image.h"
#include "detect/own_rule.h"
#include "detect/sequence.h"
#include "intel/index.h"

#define HITS_PER_PATTERN_MAX 1024 /* in one view */
#define MATCH_MIN	     32	  /* bytes of a match tried first */
#define MATCH_MAX	     512  /* bytes of a match; what lies before is not part of its span */
#define NARROWED_MAX                                                                               \
	64 /* hits per segment whose beginning is found; a flood of them proves no more */
#define JUDGED_OVERLAP 1024 /* bytes that are looked at again when a text grew */
#define LOCATE_AROUND  4096 /* bytes read around what is shown, for secrets in them */
#define UNNARROWED     40   /* bytes taken for the length of the others */
#define FOUND_TOLD     1024 /* words found together are told of together: one search after another */

const struct detector *const detectors[] = {
#define DETECTOR(id) &detector_##id,
#include "detect/detectors.def"
#undef DETECTOR
	NULL,
};

#define N_DETECTORS (ARRAY_SIZE(detectors) - 1)

/* A word that a database tells of. */
struct word_found {
	size_t end;
	unsigned id;
};

struct detect {
	struct detect_opts opts;
	struct mac *mac;
	struct viewer *viewer;
	const struct image_head *image; /* borrowed */
	const struct image_owner *owners;
	struct rules rules;
	struct sequences *sequences;
	struct gate *gate;
	uint8_t *own; /* the image, when nobody else owns it */
	hs_scratch_t *scratch;
	unsigned first[N_DETECTORS + 1]; /* where each one's patterns begin */
	unsigned *of_rules;		 /* of each rule's pattern, its number among all */
	/* Of words that a database tells of as one: sequences_changes() when none was wanted. */
	uint64_t *idle;
	uint16_t *counts;	  /* hits of each pattern in the view being scanned */
	struct word_found *found; /* of the view being scanned, not told to sequences yet */
	struct hits {
		struct hit *v;
		size_t n, room;
	} hits[N_DETECTORS];
	struct secret secrets[SECRETS_MAX];
	struct classifier *classifier;
	const struct intel_header *intel; /* borrowed; NULL: none */
	struct facts *facts;
	struct fact_list now;	   /* of the segment being judged */
	struct turn_value *values; /* of the turn, of TURN_VALUES_MAX */
	size_t n_values, values_room;
	float attack; /* the most of the turn's segments */
	struct detect_stats stats;
};

void detect_default_opts(struct detect_opts *o)
{
	memset(o, 0, sizeof(*o));
	o->cache_bytes = 16 << 20;
	for (enum kind k = 0; k < KIND_MAX_; k++)
		o->modes[k] = kinds[k].mode;
}

static const hs_database_t *db_of(const struct detect *d, size_t i)
{
	return (const hs_database_t *)((const uint8_t *)d->image + d->image->db[i].at);
}

/* The image must be of these detectors and their patterns. */
static int open_image(struct detect *d, struct span image)
{
	int err = image_open(image, &d->image);
	struct pattern p;
	unsigned at = 0;
	size_t n;

	if (!err)
		err =
		    rules_open(&d->rules, span_sub(image, d->image->rules.at, d->image->rules.len));
	if (err)
		return -EINVAL;
	d->owners = (const struct image_owner *)(image.p + d->image->owners.at);
	d->of_rules = calloc(d->rules.n_patterns + 1, sizeof(*d->of_rules));
	if (!d->of_rules)
		return -ENOMEM;
	for (size_t k = 0; k < N_DETECTORS; k++) {
		d->first[k] = at;
		for (size_t i = 0; image_pattern(detectors[k], &d->rules, i, &p); i++, at++) {
			if (at >= d->image->n_patterns || d->owners[at].detector != k ||
			    d->owners[at].index != i || d->owners[at].sort != p.sort)
				return -EINVAL;
			if (detectors[k]->rules)
				d->of_rules[rules_patterns(&d->rules, detectors[k]->rules, &n) -
					    d->rules.pattern + (ptrdiff_t)i] = at;
		}
	}
	d->first[N_DETECTORS] = at;
	return at == d->image->n_patterns ? 0 : -EINVAL;
}

static int on_anchor(void *ctx, uint32_t id, const struct lexicon_hit *h);

/* Words of sequences and anchors of expressions, in one pass over a text. */
static int find_words(struct detect *d, struct span image)
{
	const struct image_head *h = d->image;
	int err = gate_new(&d->gate, h);

	return err ? err
		   : sequences_new(&d->sequences, &d->rules,
				   span_sub(image, h->words.at, h->words.len),
				   h->anchors.len / sizeof(struct image_anchor), on_anchor);
}

int detect_new(struct detect **ret, const struct detect_opts *o, struct span image)
{
	auto_free(detect) struct detect *d = calloc(1, sizeof(*d));
	hs_error_t hs = HS_SUCCESS;
	int err;

	if (!d)
		return -ENOMEM;
	d->opts = *o;
	err = open_image(d, image);
	if (err)
		return err;
	d->counts = calloc(d->image->n_patterns + 1, sizeof(*d->counts));
	d->idle = calloc(d->image->n_patterns + 1, sizeof(*d->idle));
	d->found = calloc(d->image->n_patterns + FOUND_TOLD, sizeof(*d->found));
	if (!d->counts || !d->idle || !d->found)
		return -ENOMEM;
	err = mac_new(&d->mac, o->key);
	if (!err)
		err = viewer_new(&d->viewer);
	if (!err)
		err = find_words(d, image);
	if (!err)
		err = facts_new(&d->facts, o->cache_bytes);
	if (!err)
		err = classifier_new(&d->classifier, classifier_model());
	if (err)
		return err;
	for (size_t i = 0; i < d->image->n_dbs && hs == HS_SUCCESS; i++)
		hs = hs_alloc_scratch(db_of(d, i), &d->scratch);
	if (hs != HS_SUCCESS)
		return hs == HS_NOMEM ? -ENOMEM : -EINVAL;
	*ret = steal(d);
	return 0;
}

void detect_adopt(struct detect *d, uint8_t *image)
{
	d->own = image;
}

void detect_free(struct detect **d)
{
	if (!*d)
		return;
	for (size_t i = 0; i < N_DETECTORS; i++)
		free((*d)->hits[i].v);
	free((*d)->values);
	facts_free(&(*d)->facts);
	sequences_free(&(*d)->sequences);
	gate_free(&(*d)->gate);
	free((*d)->of_rules);
	classifier_free(&(*d)->classifier);
	hs_free_scratch((*d)->scratch);
	viewer_free(&(*d)->viewer);
	mac_free(&(*d)->mac);
	free((*d)->own);
	free((*d)->counts);
	free((*d)->idle);
	free((*d)->found);
	explicit_bzero(*d, sizeof(**d));
	free(*d);
	*d = NULL;
}

float detect_attack(const struct detect *d)
{
	return d->attack;
}

void detect_intel(struct detect *d, const struct intel_header *intel)
{
	d->intel = intel;
}

const struct detect_stats *detect_stats(const struct detect *d)
{
	return &d->stats;
}

struct scan {
	struct detect *d;
	unsigned view;
	struct range where; /* of the view's text, is searched */
	size_t n_found;
	int err;
};

static int on_anchor(void *ctx, uint32_t id, const struct lexicon_hit *h)
{
	struct scan *s = ctx;

	s->err = gate_seen(s->d->gate, id, h);
	return s->err;
}

static int keep(struct scan *s, unsigned id, struct range where)
{
	const struct image_owner *o = &s->d->owners[id];
	struct hits *h = &s->d->hits[o->detector];

	if (s->d->counts[id]++ >= HITS_PER_PATTERN_MAX) {
		s->d->counts[id] = HITS_PER_PATTERN_MAX;
		return 0;
	}
	if (h->n == h->room) {
		size_t room = h->room ? 2 * h->room : 64;
		struct hit *v = realloc(h->v, room * sizeof(*v));

		if (!v) {
			s->err = -ENOMEM;
			return 1;
		}
		h->v = v;
		h->room = room;
	}
	h->v[h->n++] = (struct hit){ .pattern = o->index, .view = s->view, .where = where };
	return 0;
}

/* The patterns of rules belong to detectors, in the order of their lists. */
static int on_sequence(void *ctx, size_t pattern, struct range where)
{
	struct scan *s = ctx;

	return keep(s, s->d->of_rules[pattern], where);
}

/* Words are told to sequences, unless no sequence wants any of those that are the same. */
static int on_words(struct scan *s, unsigned id, size_t to)
{
	struct detect *d = s->d;
	unsigned first = id;
	bool wanted = false;
	int err = sequences_until(d->sequences, to, on_sequence, s);

	if (err || d->idle[first] == sequences_changes(d->sequences))
		return err;
	do {
		const struct image_owner *o = &d->owners[id];
		size_t n,
		    pattern =
			(size_t)(rules_patterns(&d->rules, detectors[o->detector]->rules, &n) -
				 d->rules.pattern) +
			o->index;

		if (sequences_wants(d->sequences, pattern)) {
			wanted = true;
			err = sequences_word(d->sequences, pattern,
					     (struct range){ o->literal ? to - o->len : to, to },
					     on_sequence, s);
		}
		id = o->next;
	} while (!err && id);
	if (!wanted)
		d->idle[first] = sequences_changes(d->sequences);
	return err;
}

static int tell_words(struct scan *s)
{
	size_t n = s->n_found;
	int err = 0;

	s->n_found = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = on_words(s, s->d->found[i].id, s->d->found[i].end);
	return err;
}

/* Those of one end by their numbers: the order in which they are found there depends on where the
 * text lies. */
static int add_word(struct scan *s, unsigned id, size_t end)
{
	struct word_found *v = s->d->found;
	size_t i = s->n_found;
	int err = 0;

	if (i >= FOUND_TOLD && v[i - 1].end != end) {
		err = tell_words(s);
		i = 0;
	}
	if (i == s->d->image->n_patterns + FOUND_TOLD)
		return err;
	for (; i && v[i - 1].end == end && v[i - 1].id > id; i--)
		v[i] = v[i - 1];
	v[i] = (struct word_found){ end, id };
	s->n_found++;
	return err;
}

/* Patterns matched up to there: this one, and those that are the same. */
static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *ctx)
{
	struct scan *s = ctx;
	size_t end = s->where.begin + to;
	int err = 0;

	(void)from;
	(void)flags;
	if (s->d->owners[id].sort == RULE_WORD || s->d->owners[id].sort == RULE_WORD_LIKE)
		return add_word(s, id, end);
	do {
		const struct image_owner *o = &s->d->owners[id];

		err = keep(s, id, (struct range){ o->literal ? end - o->len : end, end });
		id = o->next;
	} while (!err && id);
	return err;
}

struct probe {
	unsigned id;
	unsigned long long to;
	bool found;
};

static int on_probe(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *ctx)
{
	struct probe *p = ctx;

	(void)from;
	(void)flags;
	p->found = id == p->id && to == p->to;
	return p->found;
}

/* Does the pattern match up to end, when the text begins at from? */
static bool matches_from(struct detect *d, unsigned id, struct span text, size_t from, size_t end)
{
	struct probe p = { .id = d->owners[id].as, .to = end - from };

	/* A character behind the end: patterns look at it. */
	engine_scan(db_of(d, d->owners[id].db), (const char *)text.p + from,
		    (unsigned)(MIN(end + 1, text.len) - from), d->scratch, on_probe, &p);
	return p.found;
}

/* Finds where a match begins, its end being known: the latest place from which it still matches. */
static size_t narrow(struct detect *d, unsigned id, struct span text, size_t end)
{
	size_t len = MATCH_MIN, lo, hi = end;

	/* Most are short: double the length until it matches, then halve. */
	for (;; len *= 2) {
		lo = end - MIN(end, len);
		if (!lo || len >= MATCH_MAX || matches_from(d, id, text, lo, end))
			break;
		hi = lo;
	}
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		*(matches_from(d, id, text, mid, end) ? &lo : &hi) = mid;
	}
	return lo;
}

static int by_end(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->view != y->view)
		return x->view < y->view ? -1 : 1;
	if (x->where.end != y->where.end)
		return x->where.end < y->where.end ? -1 : 1;
	return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

/* In an order that does not depend on how databases were made. */
static void order(struct hits *h)
{
	for (size_t i = 1; i < h->n; i++)
		if (by_end(&h->v[i - 1], &h->v[i]) > 0) {
			qsort(h->v, h->n, sizeof(*h->v), by_end);
			return;
		}
}

static void narrow_all(struct detect *d, const struct views *vs)
{
	unsigned done = 0;

	for (size_t k = 0; k < N_DETECTORS; k++) {
		order(&d->hits[k]);
		for (size_t i = 0; i < d->hits[k].n; i++) {
			struct hit *h = &d->hits[k].v[i];

			if (h->where.begin == h->where.end)
				h->where.begin = done++ < NARROWED_MAX
						     ? narrow(d, d->first[k] + h->pattern,
							      vs->view[h->view].text, h->where.end)
						     : h->where.end - MIN(h->where.end, UNNARROWED);
		}
	}
}

static int search(struct scan *s, size_t db, struct span text, struct range where)
{
	s->where = where;
	if (where.begin < where.end &&
	    engine_scan(db_of(s->d, db), (const char *)text.p + where.begin,
			(unsigned)(where.end - where.begin), s->d->scratch, on_match,
			s) != HS_SUCCESS)
		return s->err ? s->err : -ENOMEM;
	return tell_words(s) ? s->err : 0;
}

/* Expressions around their anchors, which were found before. */
static int search_windows(struct scan *s, struct span text)
{
	const struct gate_window *windows;
	size_t n = gate_windows(s->d->gate, &windows);
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = search(s, windows[i].db, text, windows[i].where);
	return err;
}

/* Of the patterns that have hits in that view, which is the last one. */
static void forget_counts(struct detect *d, unsigned view)
{
	for (size_t k = 0; k < N_DETECTORS; k++)
		for (size_t i = d->hits[k].n; i && d->hits[k].v[i - 1].view == view; i--)
			d->counts[d->first[k] + d->hits[k].v[i - 1].pattern] = 0;
}

/* Every pattern over every view. */
static int find_hits(struct detect *d, const struct views *vs)
{
	struct scan s = { .d = d };
	int err = 0;

	for (size_t i = 0; i < N_DETECTORS; i++)
		d->hits[i].n = 0;
	for (s.view = 0; s.view < vs->n && !err; s.view++) {
		struct span t = vs->view[s.view].text;

		if (vs->view[s.view].superseded || !t.len)
			continue;
		err = sequences_begin(d->sequences, t);
		gate_begin(d->gate, t, sequences_lexicon(d->sequences));
		for (size_t i = 0; i < d->image->n_always && !err; i++)
			err = search(&s, i, t, (struct range){ 0, t.len });
		if (!err && sequences_end(d->sequences, on_sequence, &s))
			err = s.err;
		if (!err)
			err = search_windows(&s, t);
		forget_counts(d, s.view);
	}
	return err;
}

struct emitting {
	struct fact_list *list;
	const struct detector *detector;
};

static void collect(void *ctx, const struct finding *f)
{
	struct emitting *e = ctx;

	if (e->list->n < FACTS_MAX) {
		e->list->v[e->list->n] = *f;
		e->list->v[e->list->n++].detector = e->detector->name;
	}
}

/* Where what is new in a segment begins, with enough before it that nothing hides across the
 * boundary. */
static size_t new_from(const struct segment *s)
{
	size_t from = s->judged > JUDGED_OVERLAP ? s->judged - JUDGED_OVERLAP : 0;

	while (from && from < s->text.len && (s->text.p[from] & 0xc0) == 0x80)
		from++;
	return from;
}

/* Views, hits and secrets of a text of segment i; the views live until views_clear(). */
static int prepare_input(struct detect *d, const struct turn *t, size_t i, struct span text,
			 struct detector_input *in)
{
	int err;

	*in = (struct detector_input){ .turn = t,
				       .segment = (uint32_t)i,
				       .trust = segment_trust(&t->segments[i]),
				       .secrets = d->secrets,
				       .rules = &d->rules,
				       .mac = d->mac,
				       .classifier = d->classifier,
				       .attack = &d->now.attack,
				       .stats = &d->stats,
				       .intel = d->intel };
	err = views_make(d->viewer, text, &in->views);
	if (!err)
		err = find_hits(d, in->views);
	if (err)
		return err;
	narrow_all(d, in->views);
	for (size_t k = 0; k < N_DETECTORS; k++) {
		size_t n;

		if (!detectors[k]->mask)
			continue;
		in->hits = d->hits[k].v;
		in->n_hits = d->hits[k].n;
		n = detectors[k]->mask(in, d->secrets + in->n_secrets, SECRETS_MAX - in->n_secrets);
		for (; n; n--) {
			struct secret *found = &d->secrets[in->n_secrets++];

			found->owner = detectors[k];
			found->repeated = !views_fresh(in->views, found->view, found->where);
		}
	}
	return 0;
}

/* Equal but for separators and case are the same. */
static struct hash128 value_fingerprint(struct detect *d, const struct secret *s, struct span value)
{
	uint8_t plain[256];
	size_t n = 0;
	struct hash128 h;

	for (size_t i = 0; i < value.len && n < sizeof(plain); i++)
		if (!strchr(" -./()", value.p[i]) || !value.p[i])
			plain[n++] = ascii_lower(value.p[i]);
	mac_begin(d->mac, "value");
	mac_add(d->mac, span_str(s->type));
	mac_add(d->mac, span_of(plain, n));
	h = mac_end(d->mac);
	explicit_bzero(plain, sizeof(plain));
	return h;
}

/* What was masked for detectors that look at whole turns. */
static void keep_values(struct detect *d, const struct detector_input *in)
{
	for (size_t i = 0; i < in->n_secrets && d->now.n_values < VALUES_MAX; i++) {
		const struct secret *s = &in->secrets[i];
		struct range where = views_range(in->views, s->view, s->where, 0);
		struct span value = span_sub(in->views->view[s->view].text, s->where.begin,
					     s->where.end - s->where.begin);

		if (!s->owner->turn)
			continue;
		d->now.values[d->now.n_values++] = (struct fact_value){
			.owner = s->owner,
			.type = s->type,
			.fingerprint = value_fingerprint(d, s, value),
			.begin = (uint32_t)where.begin,
			.end = (uint32_t)where.end,
			.score = s->score,
		};
	}
}

/* Runs every detector on one segment's text; what they say is in d->now. */
static int examine(struct detect *d, const struct turn *t, size_t i, struct span text)
{
	struct detector_input in;
	struct emitting e = { .list = &d->now };
	int err;

	d->now.n = 0;
	d->now.n_values = 0;
	d->now.attack = 0;
	err = prepare_input(d, t, i, text, &in);
	if (!err)
		keep_values(d, &in);
	for (size_t k = 0; k < N_DETECTORS && !err; k++) {
		if (!detectors[k]->scan || !(detectors[k]->surfaces & in.trust))
			continue;
		in.hits = d->hits[k].v;
		in.n_hits = d->hits[k].n;
		e.detector = detectors[k];
		if (detectors[k]->scan(&in, collect, &e) < 0)
			d->stats.errors++;
	}
	views_clear(d->viewer);
	return err;
}

int turn_locate(const struct turn_input *in, struct finding *f, size_t segment, struct range where)
{
	struct span text = buf_span(&in->turn->segments[segment].text);
	size_t from = where.begin - MIN(where.begin, LOCATE_AROUND);
	size_t end = MIN(text.len, where.begin + LOCATE_AROUND);
	struct detector_input seen;
	int err;

	while (from && (text.p[from] & 0xc0) == 0x80)
		from++;
	err = prepare_input(in->detect, in->turn, segment, span_sub(text, from, end - from), &seen);
	if (!err) {
		detect_locate(&seen, f, 0,
			      (struct range){ where.begin - from, MIN(where.end, end) - from });
		f->segment = (uint32_t)segment;
		f->begin = (uint32_t)where.begin;
		f->end = (uint32_t)where.end;
	}
	views_clear(in->detect->viewer);
	return err;
}

/* What is known of a segment's text from `from` on: from the cache, or found out now. Valid until
 * the next call. */
static int judge(struct detect *d, const struct turn *t, size_t i, size_t from,
		 const struct fact_list **ret)
{
	const struct segment *s = &t->segments[i];
	struct span text = span_sub(buf_span(&s->text), from, s->text.len);
	const uint64_t about[] = { s->role,
				   s->origin,
				   s->side,
				   s->damaged || s->missing,
				   DETECT_DATA_VERSION,
				   d->intel ? d->intel->id : 0 };
	struct hash128 key;
	int err;

	mac_begin(d->mac, "segment");
	mac_add(d->mac, text);
	mac_add(d->mac, span_of(about, sizeof(about)));
	key = mac_end(d->mac);
	d->stats.segments++;
	d->stats.bytes += text.len;
	*ret = facts_get(d->facts, &key);
	if (*ret) {
		d->stats.cache_hits++;
		d->stats.cache_hit_bytes += text.len;
		return 0;
	}
	err = examine(d, t, i, text);
	if (err) {
		d->stats.errors++;
		return err;
	}
	d->stats.cache_evicted += facts_put(d->facts, &key, &d->now);
	*ret = &d->now;
	return 0;
}

static bool same(const struct hash128 *a, const struct hash128 *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Did the request hold what the response holds? Asked seldom, so it is looked up again rather than
 * remembered. */
static int request_held(struct detect *d, const struct turn *t, const struct hash128 *fingerprint)
{
	const struct fact_list *facts;
	int err;

	for (size_t i = 0; i < t->n_segments; i++) {
		if (t->segments[i].side != SIDE_REQUEST)
			continue;
		err = judge(d, t, i, 0, &facts);
		if (err)
			return err;
		for (size_t k = 0; k < facts->n; k++)
			if (same(&facts->v[k].fingerprint, fingerprint))
				return 1;
	}
	return 0;
}

int turn_values(const struct turn_input *in, enum side side,
		void (*fn)(void *ctx, size_t segment, const struct fact_value *v), void *ctx)
{
	const struct fact_list *facts;
	int err;

	for (size_t i = 0; i < in->turn->n_segments; i++) {
		if (in->turn->segments[i].side != side)
			continue;
		err = judge(in->detect, in->turn, i, 0, &facts);
		if (err)
			return err;
		for (size_t k = 0; k < facts->n_values; k++)
			fn(ctx, i, &facts->values[k]);
	}
	return 0;
}

/* Those of a text, judged from there on, that are new. */
static int add_values(struct detect *d, const struct segment *s, size_t segment, size_t from,
		      const struct fact_list *facts)
{
	for (size_t i = 0; i < facts->n_values && d->n_values < TURN_VALUES_MAX; i++) {
		struct turn_value *v;

		if (s->judged && from + facts->values[i].end <= s->judged)
			continue;
		if (d->n_values == d->values_room) {
			size_t room = d->values_room ? 2 * d->values_room : 64;

			v = realloc(d->values, room * sizeof(*v));
			if (!v)
				return -ENOMEM;
			d->values = v;
			d->values_room = room;
		}
		v = &d->values[d->n_values++];
		*v = (struct turn_value){ facts->values[i], (uint32_t)segment };
		v->v.begin += (uint32_t)from;
		v->v.end += (uint32_t)from;
	}
	return 0;
}

const struct rules *detect_rules(const struct detect *d)
{
	return &d->rules;
}

int detect_rule(struct detect *d, size_t rule, struct span text)
{
	struct segment s = { .role = SEG_USER, .origin = ORIGIN_USER };
	struct turn t = { .segments = &s, .n_segments = 1 };
	const struct rule *r = &d->rules.rule[rule];
	struct detector_input in;
	int err = prepare_input(d, &t, 0, text, &in);

	for (size_t k = 0; k < N_DETECTORS && !err; k++) {
		in.hits = d->hits[k].v;
		in.n_hits = d->hits[k].n;
		if (detectors[k]->rules == RULES_OWN)
			err = own_rule_matches(&in, r);
		else if (detectors[k]->rules == RULES_ATTACK)
			for (size_t i = 0; i < in.n_hits && !err; i++)
				err = d->rules.pattern[in.hits[i].pattern].rule == rule;
	}
	views_clear(d->viewer);
	return err;
}

/* The row of that name, which is the row's own. */
static const struct detector *detector_find(const char *name)
{
	size_t k = 0;

	while (detectors[k]->name != name)
		k++;
	return detectors[k];
}

struct telling {
	struct detect *d;
	const struct turn_input *whole;
	const struct detector *detector;
	emit_fn *emit;
	void *ctx;
};

/* A finding of the turn in hand goes out, unless it was said before or amend finds it to be none.
 */
static void tell(const struct telling *to, struct finding *f,
		 bool (*amend)(const struct turn_input *in, struct finding *f))
{
	const struct segment *s = &to->whole->turn->segments[f->segment];

	if (s->judged && f->end <= s->judged)
		return;
	if (f->rule && !own_rule_fits(f->rules, f->rule, to->whole->turn))
		return;
	f->role = s->role;
	f->origin = s->origin;
	f->side = s->side;
	f->truncated = s->damaged || s->missing;
	if (amend && !amend(to->whole, f))
		return;
	f->mode = MAX(f->mode, to->d->opts.modes[f->kind]);
	to->d->stats.findings++;
	to->emit(to->ctx, f);
}

static void tell_of_turn(void *ctx, const struct finding *f)
{
	const struct telling *to = ctx;
	struct finding own = *f;

	own.detector = to->detector->name;
	tell(to, &own, NULL);
}

int detect_turn(struct detect *d, const struct turn *t, enum detect_phase phase, emit_fn *emit,
		void *ctx)
{
	enum side side = phase == DETECT_REQUEST ? SIDE_REQUEST : SIDE_RESPONSE;
	struct turn_input whole = { t, phase, d->mac, d, NULL, 0 };
	struct telling to = { d, &whole, NULL, emit, ctx };
	struct finding found[FACTS_MAX];
	const struct fact_list *facts;
	size_t n, from;
	int err;

	d->attack = 0;
	d->n_values = 0;
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *s = &t->segments[i];

		if (s->side != side || (s->judged && s->judged == s->text.len))
			continue;
		from = new_from(s);
		err = judge(d, t, i, from, &facts);
		if (!err)
			err = add_values(d, s, i, from, facts);
		if (err)
			return err;
		/* Copied: asking for the request's facts ends the life of these. */
		d->attack = MAX(d->attack, facts->attack);
		n = facts->n;
		memcpy(found, facts->v, n * sizeof(found[0]));
		for (size_t k = 0; k < n; k++) {
			struct finding *f = &found[k];

			f->begin += (uint32_t)from;
			f->end += (uint32_t)from;
			f->segment = (uint32_t)i;
			err = f->kind == KIND_CREDENTIAL_LEAK ? request_held(d, t, &f->fingerprint)
							      : 0;
			if (err < 0)
				return err;
			/* The model repeats what it was given: the request's finding says it. */
			if (!err)
				tell(&to, f, detector_find(f->detector)->amend);
		}
	}
	whole.values = d->values;
	whole.n_values = d->n_values;
	for (size_t k = 0; k < N_DETECTORS; k++) {
		to.detector = detectors[k];
		if (detectors[k]->turn && detectors[k]->turn(&whole, tell_of_turn, &to) < 0)
			d->stats.errors++;
	}
	return 0;
}

static struct span trim(struct span s)
{
	while (s.len && strchr(" \t\r\n\v\f", s.p[0]) && s.p[0])
		s = span_sub(s, 1, s.len);
	while (s.len && strchr(" \t\r\n\v\f", s.p[s.len - 1]) && s.p[s.len - 1])
		s.len--;
	return s;
}

/* What users and assistants say: the next segment from *i on, in a turn's order; *i moves behind
 * it. NULL: no more. */
static const struct segment *next_said(const struct turn *t, enum side side, size_t *i,
				       struct span *ret)
{
	while (*i < t->n_segments) {
		const struct segment *s = &t->segments[(*i)++];

		*ret = trim(buf_span(&s->text));
		if (s->side == side && (s->role == SEG_USER || s->role == SEG_ASSISTANT) &&
		    ret->len)
			return s;
	}
	return NULL;
}

/* last rolls on over one text more. */
static struct hash128 roll(struct detect *d, const char *label, const struct hash128 *last,
			   uint8_t role, struct span text)
{
	mac_begin(d->mac, label);
	mac_add(d->mac, span_of(last, sizeof(*last)));
	mac_add(d->mac, span_of(&role, sizeof(role)));
	mac_add(d->mac, text);
	return mac_end(d->mac);
}

size_t detect_prefixes(struct detect *d, const struct turn *t, bool with_response,
		       struct hash128 *h, size_t max)
{
	struct hash128 rolling = { { 0 } };
	const struct segment *s;
	struct span text;
	size_t n = 0;

	for (enum side side = SIDE_REQUEST; side <= (with_response ? SIDE_RESPONSE : SIDE_REQUEST);
	     side++)
		for (size_t i = 0; (s = next_said(t, side, &i, &text));) {
			rolling = roll(d, "prefix", &rolling, s->role, text);
			if (max && n == max) {
				memmove(h, h + 1, (max - 1) * sizeof(*h));
				n--;
			}
			if (max)
				h[n++] = rolling;
		}
	return n;
}

bool detect_anchor(struct detect *d, const struct turn *t, bool with_response, struct hash128 *ret)
{
	static const struct hash128 none;
	struct span user = { 0 }, text;
	const struct segment *s;
	bool answered = false, fresh = false;

	for (enum side side = SIDE_REQUEST; side <= (with_response ? SIDE_RESPONSE : SIDE_REQUEST);
	     side++)
		for (size_t i = 0; (s = next_said(t, side, &i, &text));) {
			if (s->role == SEG_USER) {
				user = text;
				fresh = true;
				continue;
			}
			if (!user.len)
				continue;
			if (fresh)
				*ret = roll(d, "anchor", &none, SEG_USER, user);
			fresh = false;
			*ret = roll(d, "anchor", ret, SEG_ASSISTANT, text);
			answered = true;
		}
	return answered;
}
