/* user/scan/rules_tool.c - lists, tries and checks packs of rules. */
#include "scan/rules_tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_out.h"
#include "base/own.h"
#include "detect/detect.h"
#include "detect/engine.h"
#include "detect/rule_check.h"
#include "detect/rule_pack.h"
#include "scan/patterns.h"

#define FLOOD_BYTES (256 << 10)
#define FLOOD_RUNS  3
/* All rules together are to read the worst texts at 30 MB/s; one that alone is hardly faster takes
 * all of that for itself. */
#define SPEED_MIN_MB 40
#define CELL	     160

/* --- which rules */

struct loaded {
	uint8_t *image;
	struct rules rules;
};

static int load(const char *path, struct loaded *ret, char *why, size_t why_size)
{
	size_t len;
	int err = patterns_rules(path, &ret->image, &len, why, why_size);

	return err ? err : rules_open(&ret->rules, span_of(ret->image, len));
}

/* --- list */

/* What its alerts are called: one of a group adds to those of its family. */
static const char *kind_of(const struct rules *rs, const struct rule *r)
{
	return r->group == GROUP_MAX_ ? rules_text(rs, r->kind) : "attack";
}

/* Does its kind say how bad it is? */
static bool graded_by_kind(const struct rules *rs, const struct rule *r)
{
	return r->group < GROUP_MAX_ || kind_find(rules_text(rs, r->kind)) != KIND_CUSTOM;
}

static const char *severity_of(const struct rules *rs, const struct rule *r)
{
	return r->group < GROUP_MAX_   ? rule_group_names[r->group]
	       : graded_by_kind(rs, r) ? "by kind"
				       : severity_name(r->severity);
}

/* The surfaces that it reads, separated by sep. */
static void surfaces_of(const struct rule *r, char ret[CELL])
{
	const struct {
		const char *name;
		bool on;
	} grouped[] = { { "user", r->user > 0 }, { "retrieved", r->retrieved > 0 } };
	size_t at = 0;

	*ret = 0;
	if (r->group < GROUP_MAX_) {
		for (size_t i = 0; i < ARRAY_SIZE(grouped); i++)
			if (grouped[i].on)
				at += (size_t)snprintf(ret + at, CELL - at, "%s%s", at ? " " : "",
						       grouped[i].name);
		return;
	}
	if (r->roles == (1U << SEG_MAX_) - 1) {
		snprintf(ret, CELL, "all");
		return;
	}
	for (enum segment_role s = 0; s < SEG_MAX_ && at < CELL; s++)
		if (r->roles & 1U << s)
			at += (size_t)snprintf(ret + at, CELL - at, "%s%s", at ? " " : "",
					       segment_role_name(s));
}

enum column { COL_ID, COL_PACK, COL_KIND, COL_SEVERITY, COL_SURFACES, COL_MODE, COL_MAX_ };
static const char *const columns[COL_MAX_] = {
	"ID", "PACK", "KIND", "SEVERITY", "SURFACES", "MODE"
};

static void cells_of(const struct rules *rs, const struct rule *r, char ret[COL_MAX_][CELL])
{
	char surfaces[CELL];
	const char *const texts[COL_MAX_] = {
		[COL_ID] = rules_text(rs, r->id), [COL_PACK] = rules_text(rs, r->pack),
		[COL_KIND] = kind_of(rs, r),	  [COL_SEVERITY] = severity_of(rs, r),
		[COL_SURFACES] = surfaces,	  [COL_MODE] = mode_name(r->mode),
	};

	surfaces_of(r, surfaces);
	for (enum column c = 0; c < COL_MAX_; c++)
		escape_str(ret[c], CELL, span_str(texts[c]));
}

static void print_table(const struct rules *rs, FILE *out)
{
	char cells[COL_MAX_][CELL];
	size_t width[COL_MAX_];

	for (enum column c = 0; c < COL_MAX_; c++)
		width[c] = strlen(columns[c]);
	for (size_t i = 0; i < rs->n_rules; i++) {
		cells_of(rs, &rs->rule[i], cells);
		for (enum column c = 0; c < COL_MAX_; c++)
			width[c] = MAX(width[c], strlen(cells[c]));
	}
	for (enum column c = 0; c < COL_MAX_; c++)
		fprintf(out, "%-*s%s", c + 1 < COL_MAX_ ? (int)width[c] : 0, columns[c],
			c + 1 < COL_MAX_ ? "  " : "\n");
	for (size_t i = 0; i < rs->n_rules; i++) {
		cells_of(rs, &rs->rule[i], cells);
		for (enum column c = 0; c < COL_MAX_; c++)
			fprintf(out, "%-*s%s", c + 1 < COL_MAX_ ? (int)width[c] : 0, cells[c],
				c + 1 < COL_MAX_ ? "  " : "\n");
	}
}

static void print_json(const struct rules *rs, FILE *out)
{
	struct json_out o = JSON_OUT(out, JSON_OUT_PRETTY);

	json_out_array(&o);
	for (size_t i = 0; i < rs->n_rules; i++) {
		const struct rule *r = &rs->rule[i];
		bool own = r->group == GROUP_MAX_;
		char surfaces[CELL];
		const struct {
			const char *key, *value;
		} texts[] = {
			{ "id", rules_text(rs, r->id) },
			{ "pack", rules_text(rs, r->pack) },
			{ "file", rules_text(rs, r->file) },
			{ own ? "kind" : "group",
			  own ? rules_text(rs, r->kind) : rule_group_names[r->group] },
			{ "title", rules_text(rs, r->title) },
			{ "severity", graded_by_kind(rs, r) ? "" : severity_name(r->severity) },
			{ "why", rules_text(rs, r->why) },
			{ "surfaces", surfaces },
			{ "mode", mode_name(r->mode) },
		};

		surfaces_of(r, surfaces);
		json_out_object(&o);
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
			if (!*texts[k].value)
				continue;
			json_out_key(&o, texts[k].key);
			json_out_cstr(&o, texts[k].value);
		}
		json_out_key(&o, "built_in");
		json_out_bool(&o, r->built_in);
		json_out_end(&o);
	}
	json_out_end(&o);
	json_out_done(&o);
}

int rules_list(const struct rules_opts *o, FILE *out, char *why, size_t why_size)
{
	struct loaded l = { 0 };
	int err = load(o->path, &l, why, why_size);

	if (!err)
		(o->json ? print_json : print_table)(&l.rules, out);
	free(l.image);
	return err;
}

/* --- test */

struct testing {
	struct detect *detect;
	const struct rules *rules;
	FILE *out;
	size_t n_texts, n_wrong, n_bare;
};

static int test_texts(struct testing *t, size_t rule, struct rule_texts texts, int want)
{
	const struct rule *r = &t->rules->rule[rule];
	char safe[CELL];

	for (size_t i = 0; i < texts.n; i++) {
		const char *text = rules_listed(t->rules, texts, i);
		int got = detect_rule(t->detect, rule, span_str(text));

		if (got < 0)
			return got;
		t->n_texts++;
		if (got == want)
			continue;
		t->n_wrong++;
		fprintf(t->out, "%s: rule %s %s: %s\n", rules_text(t->rules, r->file),
			rules_text(t->rules, r->id), want ? "misses its hit" : "hits its miss",
			escape_str(safe, sizeof(safe), span_str(text)));
	}
	return 0;
}

int rules_test(const struct rules_opts *o, FILE *out, char *why, size_t why_size)
{
	auto_free(patterns) struct patterns *patterns = NULL;
	struct testing t = { .out = out };
	struct detect_opts opts;
	int err = patterns_open(&patterns, o->path, why, why_size);

	if (err)
		return err;
	detect_default_opts(&opts);
	err = detect_new(&t.detect, &opts, patterns_image(patterns));
	if (err)
		return err;
	t.rules = detect_rules(t.detect);
	for (size_t i = 0; i < t.rules->n_rules && !err; i++) {
		const struct rule *r = &t.rules->rule[i];

		if (r->mode == MODE_OFF)
			continue;
		if (!r->hits.n || !r->misses.n) {
			t.n_bare++;
			fprintf(out, "%s: rule %s has no %s\n", rules_text(t.rules, r->file),
				rules_text(t.rules, r->id), r->hits.n ? "misses" : "hits");
		}
		err = test_texts(&t, i, r->hits, 1);
		if (!err)
			err = test_texts(&t, i, r->misses, 0);
	}
	if (!err)
		fprintf(out, "%zu rules, %zu texts: %zu wrong%s\n", t.rules->n_rules, t.n_texts,
			t.n_wrong, t.n_bare ? "; some rules are not tested in full" : "");
	detect_free(&t.detect);
	return err ? err : (int)MIN(t.n_wrong, 1000U);
}

/* --- check */

/* Fills the buffer with the rule's own texts: hits cut short at every word, then misses. */
static void make_flood(const struct rules *rs, const struct rule *r, struct buf *b)
{
	static const char plain[] = "the quick brown fox jumps over the lazy dog, and so on; ";

	while (b->len < FLOOD_BYTES) {
		size_t before = b->len;

		for (size_t i = 0; i < r->hits.n && b->len < FLOOD_BYTES; i++) {
			const char *text = rules_listed(rs, r->hits, i);

			for (const char *end = text; (end = strchr(end, ' ')); end++)
				buf_add_some(b, span_of(text, (size_t)(end - text) + 1));
		}
		for (size_t i = 0; i < r->misses.n; i++)
			buf_add_some(b, span_str(rules_listed(rs, r->misses, i)));
		buf_add_some(b, span_str(plain));
		if (b->len == before)
			break; /* no memory */
	}
}

static int count_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		       void *ctx)
{
	(void)id;
	(void)from;
	(void)to;
	(void)flags;
	++*(size_t *)ctx;
	return 0;
}

/* How fast the pattern alone reads a flood, MB/s, the best of some runs. */
static int speed(const hs_database_t *db, struct span flood, uint64_t *ret_mb, size_t *ret_matches)
{
	hs_scratch_t *scratch = NULL;
	uint64_t best = UINT64_MAX;

	if (hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
		return -ENOMEM;
	for (unsigned i = 0; i < FLOOD_RUNS; i++) {
		uint64_t begin = cpu_ns();

		*ret_matches = 0;
		engine_scan(db, (const char *)flood.p, (unsigned)flood.len, scratch, count_match,
			    ret_matches);
		best = MIN(best, cpu_ns() - begin);
	}
	hs_free_scratch(scratch);
	*ret_mb = flood.len * 1000 / (best + 1);
	return 0;
}

/* 1: refused, or slow, after a line; 0; -errno. *ret_mb: how fast it is, 0 when it was refused. */
static int check_pattern(const struct rules *rs, const struct rule_pattern *p, uint64_t *ret_mb,
			 FILE *out)
{
	const struct rule *r = &rs->rule[p->rule];
	struct buf flood = BUF(FLOOD_BYTES);
	struct hs_database *db = NULL;
	char why[256];
	uint64_t mb = 0;
	size_t matches = 0;
	int err = rule_check(rs, p, &db, why, sizeof(why));

	if (!err && db) {
		make_flood(rs, r, &flood);
		err = speed(db, buf_span(&flood), &mb, &matches);
		if (!err && mb < SPEED_MIN_MB) {
			snprintf(why, sizeof(why),
				 "it reads near misses at %" PRIu64 " MB/s, less than %d", mb,
				 SPEED_MIN_MB);
			err = -EINVAL;
		}
		hs_free_database(db);
		buf_free(&flood);
	}
	*ret_mb = mb;
	if (err != -EINVAL)
		return err;
	fprintf(out, "%s:%u:%u: rule %s: %s\n", rules_text(rs, r->file), p->line, p->column,
		rules_text(rs, r->id), why);
	return 1;
}

int rules_check(const struct rules_opts *o, FILE *out, char *why, size_t why_size)
{
	struct loaded l = { 0 };
	int err = load(o->path, &l, why, why_size), bad = 0;
	const struct rule_pattern *slowest = NULL;
	uint64_t mb, least = 0;
	size_t n = 0;

	for (size_t i = 0; i < l.rules.n_patterns && !err; i++) {
		const struct rule_pattern *p = &l.rules.pattern[i];
		int got;

		if (o->path && l.rules.rule[p->rule].built_in)
			continue;
		got = check_pattern(&l.rules, p, &mb, out);
		if (got < 0)
			err = got;
		else
			bad += got;
		n++;
		if (mb && (!slowest || mb < least)) {
			slowest = p;
			least = mb;
		}
	}
	if (!err)
		fprintf(out, "%zu patterns: %d refused or slow\n", n, bad);
	if (!err && slowest)
		fprintf(out, "the slowest, of rule %s, reads near misses at %" PRIu64 " MB/s\n",
			rules_text(&l.rules, l.rules.rule[slowest->rule].id), least);
	free(l.image);
	return err ? err : bad;
}
