/* user/detect/compile.c - the patterns of all detectors and rules into one image (detect/image.h).
 * Slow: seconds.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/own.h"
#include "detect/anchor.h"
#include "detect/detect.h"
#include "detect/engine.h"
#include "detect/gate.h"
#include "detect/image.h"
#include "detect/prepare.h"
#include "detect/rule_check.h"
#include "detect/rule_pack.h"
#include "detect/sequence.h"

#define PATTERNS_MAX	 32768
#define ANCHORS_COST_MAX 0.65F /* what stands more often than that is no anchor */
#define ANCHORS_PAIR_MAX 1.4F  /* ... unless another one must stand near it */
#define SECOND_FROM	 0.05F /* of anchors that are rarer one set does */
#define SECOND_COST_MAX	 3.2F
#define SECOND_PAIR_MAX	 12.0F
#define REACH_MAX	 4096 /* bytes; longer matches are taken for unlimited */
#define ALONE_MAX	 62   /* units that have databases of their own */
#define COST_LEAST	 0.01F
#define WORD_BYTES	 8
#define WINDOW_COST	 100	    /* of a window, beside its bytes */
#define WORDS_BYTES_MAX	 (16 << 20) /* of a lexicon's words, and of their table's rows */

/* One pattern on its way into a database. */
struct source {
	const char *detector;
	char *text;
	unsigned flags;
	const struct rule_pattern *rule; /* NULL: the detector's own */
	bool found;			 /* by sequences: it is in no database */
	unsigned unit;			 /* 1 + the number of the unit that it is; 0: it is none */
};

/* A unit on its way, and how many bytes are read for it, for each word of a text, by a guess. */
struct busy {
	unsigned unit;
	float bytes;
};

struct making {
	struct rules rules;
	struct source *sources;
	struct image_owner *owners;
	size_t n;
	hs_database_t *db[IMAGE_DBS_MAX];
	size_t n_dbs, n_always;
	struct image_unit units[IMAGE_UNITS_MAX];
	struct busy busy[IMAGE_UNITS_MAX];
	bool alone[IMAGE_UNITS_MAX]; /* in a database of its own */
	size_t n_units;
	struct buf anchors;	      /* of struct image_anchor */
	struct buf words, word_texts; /* of struct lexicon_word; their bytes, folded */
	uint8_t *lexicon;
	size_t lexicon_len;
	char *why;
	size_t why_size;
};

/* Where a pattern comes from, for people. */
static void complain(struct making *m, const struct source *s, const char *what)
{
	if (s->rule) {
		const struct rule *r = &m->rules.rule[s->rule->rule];

		snprintf(m->why, m->why_size, "%s:%u:%u: rule %s: %s\n",
			 rules_text(&m->rules, r->file), s->rule->line, s->rule->column,
			 rules_text(&m->rules, r->id), what);
	} else {
		snprintf(m->why, m->why_size, "%s: %s in %s\n", s->detector, what, s->text);
	}
}

/* Its bytes are pointed to when all words are there. */
static int add_word(struct making *m, struct span text, size_t id, bool ends)
{
	struct lexicon_word w = { span_of(NULL, text.len), (uint32_t)id, ends };
	int err = buf_add(&m->word_texts, text);

	return err ? err : buf_add(&m->words, span_of(&w, sizeof(w)));
}

/* A literal word of a rule goes into the lexicon, if it can be found there. */
static int try_word(struct making *m, const struct fold *fold, struct source *s)
{
	struct view folded = PATTERN_VIEW;
	int err = pattern_fold(fold, rules_text(&m->rules, s->rule->text), &folded);

	if (!err && sequences_finds(buf_span(&folded.bytes))) {
		s->found = true;
		err = add_word(m, buf_span(&folded.bytes), s->rule->words, s->rule->ends);
	}
	pattern_view_free(&folded);
	return err;
}

/* Patterns of every detector, each with its number in the order of the tables. */
static int collect(struct making *m)
{
	struct fold *fold = NULL;
	struct pattern p;
	size_t room = 0, n_rule;
	int err = fold_new(&fold);

	for (size_t d = 0; detectors[d] && !err; d++) {
		const struct rule_pattern *rules =
		    rules_patterns(&m->rules, detectors[d]->rules, &n_rule);

		for (size_t i = 0; !err && image_pattern(detectors[d], &m->rules, i, &p); i++) {
			size_t len;

			if (m->n == PATTERNS_MAX) {
				snprintf(m->why, m->why_size, "more than %d patterns in all\n",
					 PATTERNS_MAX);
				err = -E2BIG;
				break;
			}
			if (m->n == room) {
				void *s, *o;

				room = room ? 2 * room : 1024;
				s = reallocarray(m->sources, room, sizeof(*m->sources));
				m->sources = s ? s : m->sources;
				o = reallocarray(m->owners, room, sizeof(*m->owners));
				m->owners = o ? o : m->owners;
				if (!s || !o) {
					err = -ENOMEM;
					break;
				}
			}
			m->sources[m->n] = (struct source){ .detector = detectors[d]->name,
							    .rule = n_rule ? &rules[i] : NULL };
			err = pattern_prepare(fold, &p, &m->sources[m->n].text, &len,
					      &m->sources[m->n].flags);
			if (!err && p.sort == RULE_WORD && n_rule)
				err = try_word(m, fold, &m->sources[m->n]);
			m->owners[m->n] = (struct image_owner){ .detector = (uint16_t)d,
								.index = (uint16_t)i,
								.sort = p.sort,
								.literal = p.literal,
								.len = (uint16_t)len };
			m->n += !err;
		}
	}
	fold_free(&fold);
	return err;
}

/* What others wrote must be fit for it; what is built in was tried by its tests. */
static int check_rules(struct making *m)
{
	char what[256];
	int err = 0;

	for (size_t i = 0; i < m->n && !err; i++) {
		const struct rule_pattern *p = m->sources[i].rule;

		if (!p || m->rules.rule[p->rule].built_in)
			continue;
		err = rule_check(&m->rules, p, NULL, what, sizeof(what));
		if (err == -EINVAL)
			complain(m, &m->sources[i], what);
	}
	return err;
}

/* What goes into one database: words come in the order of the text, so theirs is one. */
enum part {
	PART_ALWAYS,
	PART_UNITS, /* expressions that are tried where their anchors are */
	PART_ALONE, /* from there on those of each unit that has a database of its own */
	PART_NONE = PART_ALONE + IMAGE_UNITS_MAX,
};
static_assert(ALONE_MAX + PART_ALONE <= IMAGE_DBS_MAX, "a database without a place");

static enum part part_of(const struct making *m, size_t i)
{
	const struct source *s = &m->sources[i];

	if (m->owners[i].sort == RULE_SEQUENCE || s->found)
		return PART_NONE;
	if (!s->unit)
		return PART_ALWAYS;
	return m->alone[s->unit - 1] ? PART_ALONE + (s->unit - 1) : PART_UNITS;
}

/* A pattern on its way into a database, sortable. */
struct same {
	const char *text;
	unsigned flags, id;
};

static int by_text(const void *a, const void *b)
{
	const struct same *x = a, *y = b;
	int cmp = strcmp(x->text, y->text);

	if (cmp || x->flags != y->flags)
		return cmp ? cmp : x->flags < y->flags ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_same(const struct same *a, const struct same *b)
{
	return !strcmp(a->text, b->text) && a->flags == b->flags;
}

/* Packs share expressions: each is compiled once, and the others follow it. Returns how many are
 * left of n. */
static unsigned join_same(struct making *m, struct same *s, unsigned n)
{
	unsigned left = 0;

	qsort(s, n, sizeof(*s), by_text);
	for (unsigned i = 0; i < n; i++) {
		struct image_owner *o = &m->owners[s[i].id];

		o->as = s[i].id;
		if (left && is_same(&s[i], &s[i - 1])) {
			o->as = m->owners[s[i - 1].id].as;
			m->owners[s[i - 1].id].next = s[i].id;
		} else {
			s[left++] = s[i];
		}
	}
	return left;
}

static int compile_multi(struct making *m, const char *const *text, const unsigned *flags,
			 const unsigned *ids, unsigned n)
{
	hs_compile_error_t *error = NULL;
	hs_platform_info_t platform;
	hs_error_t hs;

	engine_platform(&platform);
	hs = hs_compile_multi(text, flags, ids, n, HS_MODE_BLOCK, &platform, &m->db[m->n_dbs],
			      &error);

	if (hs == HS_SUCCESS) {
		m->n_dbs++;
		return 0;
	}
	if (error && error->expression >= 0)
		complain(m, &m->sources[ids[error->expression]], error->message);
	else
		snprintf(m->why, m->why_size, "%s\n", error ? error->message : "no memory");
	hs_free_compile_error(error);
	return hs == HS_NOMEM ? -ENOMEM : -EINVAL;
}

/* Those of one part into a database of their own. */
static int compile(struct making *m, enum part which)
{
	auto_mem struct same *same = calloc(m->n + 1, sizeof(*same));
	auto_mem const char **text = calloc(m->n + 1, sizeof(*text));
	auto_mem unsigned *flags = calloc(m->n + 1, sizeof(*flags)),
			  *ids = calloc(m->n + 1, sizeof(*ids));
	unsigned n = 0;

	if (!same || !text || !flags || !ids)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++) {
		if (part_of(m, i) != which)
			continue;
		m->owners[i].db = (uint16_t)m->n_dbs;
		if (m->sources[i].unit)
			m->units[m->sources[i].unit - 1].db = (uint16_t)m->n_dbs;
		same[n++] = (struct same){ m->sources[i].text, m->sources[i].flags, (unsigned)i };
	}
	n = join_same(m, same, n);
	if (!n)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		text[i] = same[i].text;
		flags[i] = same[i].flags;
		ids[i] = same[i].id;
	}
	return compile_multi(m, text, flags, ids, n);
}

/* --- units */

/* Both sets of anchors of the unit that is being made. */
static int put_anchors(struct making *m, const struct anchors sets[2])
{
	int err = 0;

	for (unsigned set = 0; set < 2; set++)
		for (size_t i = 0; i < sets[set].n && !err; i++) {
			const struct anchor_word *w = &sets[set].v[i];
			struct image_anchor a = { (uint16_t)m->n_units, (uint16_t)set };
			size_t id = SEQUENCE_OTHER + m->anchors.len / sizeof(a);

			err = add_word(m, span_of(w->s, w->len), id, false);
			if (!err)
				err = buf_add(&m->anchors, span_of(&a, sizeof(a)));
		}
	return err;
}

/* The longest match in bytes; UINT32_MAX: no limit. */
static uint32_t width_of(const char *text, unsigned flags)
{
	hs_compile_error_t *error = NULL;
	hs_expr_info_t *info = NULL;
	uint32_t width = UINT32_MAX;

	if (hs_expression_info(text, flags, &info, &error) == HS_SUCCESS)
		width = info->max_width;
	hs_free_compile_error(error);
	free(info);
	return width;
}

/* An expression in which single characters that repeat without limit stand once: what it matches
 * has as many words, if less of blanks and signs between them. False: whole groups repeat so. */
static bool stand_once(const char *text, char *ret)
{
	char last = 0;

	for (const char *p = text; *p;) {
		size_t len = *p == '\\' && p[1] ? 2 : 1, end;
		bool open = *p == '*' || *p == '+';

		if (*p == '[') {
			len += strspn(p + len, "^");
			len += p[len] == ']';
			while (p[len] && p[len] != ']')
				len += p[len] == '\\' && p[len + 1] ? 2 : 1;
			len += p[len] == ']';
		} else if (*p == '{') {
			end = strspn(p + 1, "0123456789");
			open = end && p[end + 1] == ',' && p[end + 2] == '}';
			len = open ? end + 3 : 1;
		}
		if (open && (last == ')' || last == '.'))
			return false;
		if (!open)
			ret = mempcpy(ret, p, len);
		else if (*p == '{')
			ret += sprintf(ret, "%.*s}", (int)len - 2, p);
		else if (*p == '*')
			*ret++ = '?';
		last = *p;
		p += len;
		/* It may be lazy, which changes nothing here. */
		p += open && (*p == '?' || *p == '+');
	}
	*ret = 0;
	return true;
}

/* How many words a match has at most: each is a character and what parts it from the next one. */
static uint32_t words_of(const struct source *s)
{
	auto_mem char *once = malloc(strlen(s->text) + 1);

	if (!once || !stand_once(s->text, once))
		return GATE_WORDS;
	return MIN(width_of(once, s->flags) / 2 + 1, GATE_WORDS);
}

/* Makes an expression a unit, if it has anchors that are rare enough. */
static int choose_unit(struct making *m, struct source *s)
{
	struct anchors sets[2];
	struct image_unit *u;
	uint32_t reach;
	bool alone;
	int err = anchors_of(s->text, sets);

	if (err)
		return err == 1 ? 0 : err;
	alone = sets[0].cost <= ANCHORS_COST_MAX;
	/* Looking for a second set costs, too. */
	if (sets[0].cost < SECOND_FROM ||
	    sets[1].cost > (alone ? SECOND_COST_MAX : SECOND_PAIR_MAX))
		sets[1].n = 0;
	if (alone || (sets[0].cost <= ANCHORS_PAIR_MAX && sets[1].n)) {
		err = put_anchors(m, sets);
		reach = width_of(s->text, s->flags);
		u = &m->units[m->n_units];
		*u = (struct image_unit){ .reach = reach > REACH_MAX ? 0 : reach,
					  .words = reach > REACH_MAX ? words_of(s) : 0,
					  .sets = sets[1].n ? 2 : 1 };
		m->busy[m->n_units] = (struct busy){
			(unsigned)m->n_units,
			(sets[0].cost + COST_LEAST) *
			    (float)(WINDOW_COST + (u->reach ? u->reach : u->words * WORD_BYTES))
		};
		s->unit = (unsigned)++m->n_units;
	}
	anchors_free(sets);
	return err;
}

/* Which expressions become units: the first of those that are the same decides for all. */
static int choose_units(struct making *m)
{
	auto_mem struct same *same = calloc(m->n + 1, sizeof(*same));
	unsigned n = 0;
	int err = 0;

	if (!same)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		if (part_of(m, i) == PART_ALWAYS && !m->owners[i].literal &&
		    m->owners[i].sort == RULE_EXPRESSION)
			same[n++] =
			    (struct same){ m->sources[i].text, m->sources[i].flags, (unsigned)i };
	qsort(same, n, sizeof(*same), by_text);
	for (unsigned i = 0; i < n && !err; i++)
		if (i && is_same(&same[i], &same[i - 1]))
			m->sources[same[i].id].unit = m->sources[same[i - 1].id].unit;
		else if (m->n_units < IMAGE_UNITS_MAX)
			err = choose_unit(m, &m->sources[same[i].id]);
	return err;
}

static int by_bytes(const void *a, const void *b)
{
	const struct busy *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* A database of one expression is small and fast; one of many takes less memory in all, and less
 * time to make. */
static int compile_all(struct making *m)
{
	int err = compile(m, PART_ALWAYS);

	m->n_always = m->n_dbs;
	qsort(m->busy, m->n_units, sizeof(m->busy[0]), by_bytes);
	for (size_t i = 0; i < MIN(m->n_units, (size_t)ALONE_MAX); i++)
		m->alone[m->busy[i].unit] = true;
	if (!err)
		err = compile(m, PART_UNITS);
	for (size_t i = 0; i < m->n_units && !err; i++)
		if (m->alone[i])
			err = compile(m, PART_ALONE + (enum part)i);
	return err;
}

static int make_lexicon(struct making *m)
{
	struct lexicon_word *words = (struct lexicon_word *)m->words.p;
	size_t n = m->words.len / sizeof(*words);

	for (size_t i = 0, at = 0; i < n; at += words[i++].text.len)
		words[i].text.p = m->word_texts.p + at;
	return lexicon_make(&m->lexicon, &m->lexicon_len, words, n);
}

static uint64_t aligned(uint64_t at)
{
	return (at + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN;
}

static struct image_part part(uint64_t *end, size_t len)
{
	struct image_part p = { aligned(*end), len };

	*end = p.at + p.len;
	return p;
}

/* A database moves as bytes: its inner alignment depends on where it stands. */
static int place(const hs_database_t *db, uint8_t *to)
{
	char *bytes;
	size_t len;
	hs_error_t hs = hs_serialize_database(db, &bytes, &len);

	if (hs != HS_SUCCESS)
		return -ENOMEM;
	hs = hs_deserialize_database_at(bytes, len, (hs_database_t *)to);
	free(bytes);
	return hs == HS_SUCCESS ? 0 : -EINVAL;
}

/* How this program lays images out: sizes, and a table of words of every sort, which changes with
 * all that a lexicon's table depends on. So no other program's image fits. -ENOMEM. */
static int add_layout(XXH3_state_t *x)
{
	static const uint32_t sizes[] = {
		sizeof(struct image_head),   sizeof(struct image_owner), sizeof(struct image_unit),
		sizeof(struct image_anchor), sizeof(struct rules_head),	 sizeof(struct rule),
		sizeof(struct rule_pattern),
	};
	static const struct lexicon_word words[] = {
		{ SPAN_LIT("in"), 0, true },
		{ SPAN_LIT("and"), 1, false },
		{ SPAN_LIT("your"), 2, false },
		{ SPAN_LIT("system"), 3, true },
		{ SPAN_LIT("instructions"), 4 },
		{ SPAN_LIT("<|end|>"), 5 },
		{ SPAN_LIT("\xe6\x8c\x87\xe4\xbb\xa4"), 6 },
		{ SPAN_LIT("and"), 7, false },
	};
	auto_mem uint8_t *table = NULL;
	size_t len;
	int err = lexicon_make(&table, &len, words, ARRAY_SIZE(words));

	if (err)
		return err;
	XXH3_128bits_update(x, sizes, sizeof(sizes));
	XXH3_128bits_update(x, table, len);
	return 0;
}

/* Of all that the image will depend on, beside the platform. -ENOMEM. */
static int inputs_of(const struct making *m, struct span rules, XXH128_hash_t *ret)
{
	XXH3_state_t x;
	int err;

	XXH3_128bits_reset(&x);
	err = add_layout(&x);
	if (err)
		return err;
	XXH3_128bits_update(&x, rules.p, rules.len);
	for (size_t i = 0; i < m->n; i++) {
		XXH3_128bits_update(&x, m->sources[i].text, strlen(m->sources[i].text) + 1);
		XXH3_128bits_update(&x, &m->sources[i].flags, sizeof(m->sources[i].flags));
		XXH3_128bits_update(&x, &m->owners[i], sizeof(m->owners[i]));
	}
	*ret = XXH3_128bits_digest(&x);
	return 0;
}

/* Is what was kept that which would be made? Whatever else may be wrong with it shows when a judge
 * is made of it. 1, 0, -ENOMEM. */
static int fits(const struct compile_opts *o, const XXH128_hash_t *inputs)
{
	auto_free(detect) struct detect *d = NULL;
	struct detect_opts opts;
	int err;

	if (!image_fits(o->mac, o->cached, (const uint8_t *)inputs))
		return 0;
	detect_default_opts(&opts);
	opts.cache_bytes = 0;
	err = detect_new(&d, &opts, o->cached);
	return err == -EINVAL ? 0 : err ? err : 1;
}

static int lay_out(const struct making *m, const struct compile_opts *o,
		   const XXH128_hash_t *inputs, uint8_t **ret, size_t *ret_len)
{
	struct span rules = o->rules;
	struct image_head h = { .magic = IMAGE_MAGIC, .n_patterns = (uint32_t)m->n };
	uint64_t end = sizeof(h);
	XXH128_hash_t x;
	uint8_t *image;
	int err = 0;

	image_platform(h.platform);
	memcpy(h.inputs, inputs, sizeof(h.inputs));
	h.rules = part(&end, rules.len);
	h.owners = part(&end, m->n * sizeof(*m->owners));
	h.n_dbs = (uint32_t)m->n_dbs;
	h.n_always = (uint32_t)m->n_always;
	h.units = part(&end, m->n_units * sizeof(m->units[0]));
	h.anchors = part(&end, m->anchors.len);
	h.words = part(&end, m->lexicon_len);
	for (size_t i = 0; i < m->n_dbs; i++) {
		size_t size;

		if (hs_database_size(m->db[i], &size) != HS_SUCCESS)
			return -EINVAL;
		h.db[i] = part(&end, size);
	}
	h.len = aligned(end);
	if (h.len > IMAGE_BYTES_MAX) {
		snprintf(m->why, m->why_size, "rules and patterns take %zu MiB, at most %d\n",
			 (size_t)h.len >> 20, IMAGE_BYTES_MAX >> 20);
		return -E2BIG;
	}
	image = aligned_alloc(IMAGE_ALIGN, h.len);
	if (!image)
		return -ENOMEM;
	memset(image, 0, h.len);
	memcpy(image + h.rules.at, rules.p, rules.len);
	memcpy(image + h.owners.at, m->owners, h.owners.len);
	memcpy(image + h.units.at, m->units, h.units.len);
	if (m->anchors.len)
		memcpy(image + h.anchors.at, m->anchors.p, m->anchors.len);
	memcpy(image + h.words.at, m->lexicon, h.words.len);
	for (size_t i = 0; i < m->n_dbs && !err; i++)
		err = place(m->db[i], image + h.db[i].at);
	if (err) {
		free(image);
		return err;
	}
	memcpy(image, &h, sizeof(h));
	x = XXH3_128bits(image + offsetof(struct image_head, inputs),
			 h.len - offsetof(struct image_head, inputs));
	memcpy(image + offsetof(struct image_head, digest), &x, sizeof(x));
	if (o->mac) {
		struct hash128 tag = image_tag(o->mac, span_of(image, h.len));

		memcpy(image + offsetof(struct image_head, tag), &tag, sizeof(tag));
	}
	*ret = image;
	*ret_len = h.len;
	return 0;
}

int detect_compile_rules(const struct compile_opts *o, uint8_t **ret, size_t *ret_len, char *why,
			 size_t why_size)
{
	struct making m = { .why = why,
			    .why_size = why_size,
			    .anchors = BUF(WORDS_BYTES_MAX),
			    .words = BUF(WORDS_BYTES_MAX),
			    .word_texts = BUF(WORDS_BYTES_MAX) };
	XXH128_hash_t inputs;
	int err = rules_open(&m.rules, o->rules);

	*why = 0;
	if (!err)
		err = collect(&m);
	if (!err)
		err = inputs_of(&m, o->rules, &inputs);
	if (!err)
		err = fits(o, &inputs);
	if (!err)
		err = check_rules(&m);
	if (!err)
		err = choose_units(&m);
	if (!err)
		err = make_lexicon(&m);
	if (!err)
		err = compile_all(&m);
	if (!err)
		err = lay_out(&m, o, &inputs, ret, ret_len);
	for (size_t i = 0; i < m.n_dbs; i++)
		hs_free_database(m.db[i]);
	for (size_t i = 0; i < m.n; i++)
		free(m.sources[i].text);
	buf_free(&m.anchors);
	buf_free(&m.words);
	buf_free(&m.word_texts);
	free(m.lexicon);
	free(m.sources);
	free(m.owners);
	return err;
}

int detect_compile(uint8_t **ret, size_t *ret_len, char *why, size_t why_size)
{
	auto_free(rule_packs) struct rule_packs *packs = NULL;
	auto_mem uint8_t *rules = NULL;
	struct compile_opts o = { 0 };
	int err = rule_packs_new(&packs);

	if (!err)
		err = rule_packs_add_built_in(packs, why, why_size);
	if (!err)
		err = rule_packs_image(packs, &rules, &o.rules.len);
	o.rules.p = rules;
	return err ? err : detect_compile_rules(&o, ret, ret_len, why, why_size);
}

int detect_new_default(struct detect **ret, char *why, size_t why_size)
{
	auto_mem uint8_t *image = NULL;
	struct detect_opts opts;
	size_t len;
	int err = detect_compile(&image, &len, why, why_size);

	if (err)
		return err;
	detect_default_opts(&opts);
	err = detect_new(ret, &opts, span_of(image, len));
	if (!err)
		detect_adopt(*ret, steal(image));
	return err;
}
