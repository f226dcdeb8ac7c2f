/* tests/unit/test_rule_pack.c - packs of rules: what is read, what is refused and where, hostile
 * packs and images, and no memory. */
#include "detect/rule_pack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"
#include "nomem.h"

#define HEAD "pack: p\nrules:\n"
#define RULE                                                                                       \
	"  - id: a\n    title: A title\n    severity: low\n    why: is one\n"                      \
	"    patterns: ['abc']\n"
#define OWN HEAD RULE
#define GROUPED                                                                                    \
	HEAD "  - id: a\n    group: topic\n    weight: {user: 0.5}\n    why: is one\n"             \
	     "    patterns: ['abc']\n"

static char errors[4096];

/* Reads one pack. */
static int load(struct span yaml, uint8_t **image, struct rules *ret)
{
	auto_free(rule_packs) struct rule_packs *p = NULL;
	size_t len;
	int err = rule_packs_new(&p);

	*errors = 0;
	*image = NULL;
	if (!err)
		err = rule_packs_add(p, yaml, "f", errors, sizeof(errors));
	if (!err)
		err = rule_packs_image(p, image, &len);
	return err ? err : rules_open(ret, span_of(*image, len));
}

static const struct rule *find(const struct rules *r, const char *id)
{
	for (size_t i = 0; i < r->n_rules; i++)
		if (!strcmp(rules_text(r, r->rule[i].id), id))
			return &r->rule[i];
	fail_msg("no rule %s", id);
	return NULL;
}

static void good(void **state)
{
	static const char yaml[] =
	    "rules:\n"
	    "  - id: own\n"
	    "    title: A title\n"
	    "    severity: critical\n"
	    "    why: says so\n"
	    "    surfaces: [user, system]\n"
	    "    mode: hunt\n"
	    "    patterns: {one: '{AB}c', two: ['x{2}y', '\\{AB}']}\n"
	    "    literals: {three: 'a{AB}'}\n"
	    "    conditions: {all: [one], not: [two], count: {one: 3}, model: ['gpt-*'], app: "
	    "[x]}\n"
	    "    mapping: {atlas: [AML.T0057, AML.T0054], owasp: ['LLM02:2025']}\n"
	    "    hits: [h1, h2]\n"
	    "  - {id: off, title: t, severity: low, why: w, patterns: [zzz], mode: off}\n"
	    "  - {id: ev, group: override, weight: {user: 0.25, retrieved: 1}, why: w, "
	    "patterns: [yyy]}\n"
	    "pack: mine\n"
	    "define: {A: a+, AB: '(?:{A}b)'}\n";
	auto_mem uint8_t *image = NULL;
	const struct rule_pattern *p;
	const struct rule *r;
	struct rules rs;
	size_t n;

	(void)state;
	if (load(span_str(yaml), &image, &rs))
		fail_msg("%s", errors);
	r = find(&rs, "own");
	assert_string_equal(rules_text(&rs, r->pack), "mine");
	assert_string_equal(rules_text(&rs, r->kind), "custom.own");
	assert_string_equal(rules_text(&rs, r->atlas), "AML.T0057 AML.T0054");
	assert_string_equal(rules_text(&rs, r->owasp), "LLM02:2025");
	assert_int_equal(r->severity, SEVERITY_CRITICAL);
	assert_int_equal(r->mode, MODE_HUNT);
	assert_int_equal(r->group, GROUP_MAX_);
	assert_int_equal(r->roles, 1U << SEG_USER | 1U << SEG_SYSTEM | 1U << SEG_DEVELOPER);
	assert_int_equal(r->all, 1);
	assert_int_equal(r->none, 2);
	assert_int_equal(r->any, 0);
	assert_int_equal(r->at_least[0], 3);
	assert_int_equal(r->at_least[1], 1);
	assert_int_equal(r->models.n, 1);
	assert_int_equal(r->providers.n, 0);
	assert_string_equal(rules_listed(&rs, r->apps, 0), "x");
	assert_string_equal(rules_listed(&rs, r->hits, 1), "h2");
	assert_false(r->built_in);
	/* Fragments are put in where they are meant, repeats and what is escaped are left alone. */
	p = rules_patterns(&rs, RULES_OWN, &n);
	assert_int_equal(n, 4); /* none of the one that is off */
	assert_string_equal(rules_text(&rs, p[0].text), "(?:a+b)c");
	assert_string_equal(rules_text(&rs, p[1].text), "x{2}y");
	assert_string_equal(rules_text(&rs, p[2].text), "\\{AB}");
	assert_string_equal(rules_text(&rs, p[3].text), "a{AB}");
	assert_true(p[3].sort == RULE_LITERAL && p[0].sort == RULE_EXPRESSION);
	assert_int_equal(p[0].name, 0);
	assert_int_equal(p[2].name, 1);
	assert_int_equal(p[3].name, 2);
	assert_int_equal(p[0].line, 8);
	r = find(&rs, "ev");
	assert_true(r->user == 0.25F && r->retrieved == 1 && r->group == GROUP_OVERRIDE);
	p = rules_patterns(&rs, RULES_ATTACK, &n);
	assert_ptr_equal(&rs.rule[p[n - 1].rule], r);
	find(&rs, "off");
}

static const struct {
	const char *yaml, *error;
} wrong[] = {
	{ "rules: []", "f:1:1: pack is missing" },
	{ "pack: p\nrule: []", "f:2:1: unknown key 'rule'" },
	{ "pack: p\npack: q", "f:2:1: 'pack' is given twice" },
	{ "pack: P Q", "f:1:7: pack: 'P Q' is not 1 to 63 of small letters" },
	{ "pack: p\nrules: {}", "f:2:8: rules: expected a list, found a mapping" },
	{ "pack: p\nrules: [x]", "f:2:9: rules: expected a mapping, found a value" },
	{ "pack: p\n--- \npack: q", "a second document" },
	{ "pack: 'p", "f:1:9: found unexpected end of stream" },
	{ "\xff", "" },
	{ "pack: p\ndefine: {a: b}", "f:2:10: define: 'a' is no name" },
	{ "pack: p\ndefine: {A: a, A: b}", "f:2:16: define: 'A' is given twice" },
	{ "pack: p\ndefine: {A: '{B}', B: b}", "f:2:13: A: {B} is not defined before this place" },
	{ "pack: p\ndefine: {A: '{A}'}", "f:2:13: A: {A} is not defined before this place" },
	{ OWN "    bogus: 1\n", "f:8:5: unknown key 'bogus' in a rule" },
	{ OWN "    group: nonsense\n", "'nonsense' is none of: override, orders" },
	{ OWN "    weight: {user: 1}\n", "f:3:5: rule a: weight is for rules with a group" },
	{ OWN "    surfaces: [user, moon]\n", "f:8:22: surfaces: 'moon' is none of" },
	{ OWN "    conditions: {all: [x]}\n", "f:8:24: conditions: no pattern is named 'x'" },
	{ OWN "    conditions: {count: {x: 1}}\n", "no pattern is named 'x'" },
	{ OWN "    mapping: {atlas: ['<b>']}\n", "f:8:23: atlas: '<b>' is no id" },
	{ OWN "    hits: 'x'\n", "f:8:11: hits: expected a list, found a value" },
	{ OWN "    hits: ['']\n", "f:8:12: hits: empty" },
	{ OWN "    hits: [\"a\\0b\"]\n", "f:8:12: hits: holds a NUL character" },
	{ OWN "    literals: ['']\n", "f:8:16: literals: empty" },
	{ OWN RULE, "rule a: there is one of this id already" },
	{ OWN "    kind: jailbreak.nonsense\n",
	  "f:8:11: kind: there is no kind 'jailbreak.nonsense'" },
	{ OWN "    kind: custom.x\n", "f:8:11: kind: 'custom.x': leave it out" },
	{ OWN "    kind: jailbreak.rules\n",
	  "f:3:5: rule a: severity is for rules without a kind" },
	{ GROUPED "    kind: jailbreak.rules\n",
	  "f:3:5: rule a: kind is for rules without a group" },
	{ OWN "off: x\n", "f:8:6: off: expected a list, found a value" },
	{ OWN "off: [ignore-previous, nonsense]\n", "f:8:7: off: no built-in rule is called" },
	{ OWN "off: [a]\n", "f:8:7: off: no built-in rule is called 'a'" },
	{ GROUPED "    title: t\n", "f:3:5: rule a: title is for rules without a group" },
	{ HEAD "  - id: a\n", "f:3:5: rule a: it has no patterns" },
	{ HEAD "  - id: a\n", "f:3:5: rule a: severity is missing" },
	{ HEAD "  - id: A\n", "f:3:9: id: 'A' is not 1 to 47 of small letters" },
	{ HEAD "  - {id: a, group: topic, weight: {user: 0}, why: w, patterns: [abc]}",
	  "rule a: it weighs nothing" },
	{ HEAD "  - {id: a, group: topic, weight: {user: 1.5}, why: w, patterns: [abc]}",
	  "user: '1.5' is not a number from 0 to 1" },
	{ "pack: p\nwords: {A: [x]}\nrules: []", "f:2:8: words: there is no rule" },
	{ "pack: p\nwords: {a: [x]}\nrules: [{}]", "f:2:9: words: 'a' is no name" },
	{ "pack: p\nwords: {A: ['$']}\nrules: [{}]", "f:2:13: A: a word is empty" },
	{ "pack: p\nwords: {A: [[[x]]]}\nrules: [{}]", "f:2:14: A: " },
	{ "pack: p\nwords: {A: x}\nrules: [{sequences: [A]}]",
	  "f:3:22: sequences: of 2 to 4 lists of words" },
	{ "pack: p\nwords: {A: x}\nrules: [{sequences: [A A A A A]}]",
	  "f:3:22: sequences: of 2 to 4 lists of words" },
	{ "pack: p\nwords: {A: x}\nrules: [{sequences: [A B]}]",
	  "f:3:22: sequences: no words are named 'B'" },
	{ HEAD "  - {id: a, group: topic, weight: {user: nan}, why: w, patterns: [abc]}",
	  "user: 'nan' is not a number from 0 to 1" },
};

static void bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		auto_mem uint8_t *image = NULL;
		struct rules rs;
		int err = load(span_str(wrong[i].yaml), &image, &rs);

		if (err != -EINVAL || !strstr(errors, wrong[i].error) ||
		    strncmp(errors, "f:", 2) != 0)
			fail_msg("%s\ngave %d: %s\nnot: %s", wrong[i].yaml, err, errors,
				 wrong[i].error);
		assert_null(image);
	}
}

/* n times piece, between head and tail. */
static struct span repeated(struct buf *b, const char *head, const char *piece, size_t n,
			    const char *tail)
{
	*b = BUF(8 << 20);
	assert_int_equal(buf_add(b, span_str(head)), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_add(b, span_str(piece)), 0);
	assert_int_equal(buf_add(b, span_str(tail)), 0);
	return buf_span(b);
}

static void hostile(void **state)
{
	static const struct {
		const char *head, *piece;
		size_t n;
		const char *tail, *error;
		int err;
	} rows[] = {
		{ "pack: ", "[", 100000, "", "f:1:22: more than 16 levels", -EINVAL },
		{ "pack: p\nrules:\n ", "- ", 5000, "x", "f:3:32: more than 16 levels", -EINVAL },
		{ OWN "    literals: [", "'abc',", 65, "]", "literals: more than 64", -EINVAL },
		{ OWN "    hits: [", "'abc',", 257, "]", "hits: more than 256", -EINVAL },
		{ "pack: p\n#", "x", PACK_FILE_MAX, "", "larger than 1 MiB", -E2BIG },
		/* Fragments of fragments grow by powers of two. */
		{ "pack: p\ndefine:\n  A: 'aaaaaaaaaaaaaaaa'\n  B: '", "{A}", 1025, "'",
		  "B: longer than 16384 bytes", -EINVAL },
		/* One long text, named again and again. */
		{ "pack: p\ndefine: {A: &a '", "x", 1 << 10,
		  "'}\nrules:\n  - {id: r, title: t, severity: low, why: w, patterns: [*a, *a, "
		  "*a], "
		  "hits: [*a, *a]}\n",
		  "", 0 },
		{ OWN "    why: '", "x", 200, "'", "'why' is given twice", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_mem uint8_t *image = NULL;
		struct buf b;
		struct rules rs;
		int err = load(repeated(&b, rows[i].head, rows[i].piece, rows[i].n, rows[i].tail),
			       &image, &rs);

		if (err != rows[i].err || !strstr(errors, rows[i].error))
			fail_msg("row %zu gave %d: %s", i, err, errors);
		buf_free(&b);
	}
}

static void too_many_rules(void **state)
{
	struct buf b = BUF(PACK_FILE_MAX);
	auto_mem uint8_t *image = NULL;
	struct rules rs;
	char row[128];

	(void)state;
	assert_int_equal(buf_add(&b, span_str("pack: p\nrules:\n")), 0);
	for (int i = 0; i <= PACK_RULES_MAX; i++) {
		snprintf(row, sizeof(row),
			 "- {id: r%d, title: t, severity: low, why: w, patterns: [abc]}\n", i);
		assert_int_equal(buf_add(&b, span_str(row)), 0);
	}
	assert_int_equal(load(buf_span(&b), &image, &rs), -E2BIG);
	assert_non_null(strstr(errors, "more than 4096 rules"));
	buf_free(&b);
}

static void bundles(void **state)
{
	const struct pack_file file = { .len = sizeof(OWN) - 1, .name = "dir/a.yaml" };
	struct pack_file cut = file, unnamed = file;
	auto_free(rule_packs) struct rule_packs *p = NULL;
	struct buf b = BUF(4096);

	(void)state;
	assert_int_equal(rule_packs_new(&p), 0);
	assert_int_equal(rule_packs_add_bundle(p, span_of(NULL, 0), errors, sizeof(errors)), 0);
	assert_int_equal(rule_packs_add_bundle(p, span_of(&cut, 10), errors, sizeof(errors)),
			 -EBADMSG);
	assert_int_equal(
	    rule_packs_add_bundle(p, span_of(&cut, sizeof(cut)), errors, sizeof(errors)), -EBADMSG);
	memset(unnamed.name, 'x', sizeof(unnamed.name));
	unnamed.len = 0;
	assert_int_equal(
	    rule_packs_add_bundle(p, span_of(&unnamed, sizeof(unnamed)), errors, sizeof(errors)),
	    -EBADMSG);
	buf_add(&b, span_of(&file, sizeof(file)));
	buf_add(&b, span_str(OWN));
	assert_int_equal(rule_packs_add_bundle(p, buf_span(&b), errors, sizeof(errors)), 0);
	/* The same again: its ids are there already. */
	assert_int_equal(rule_packs_add_bundle(p, buf_span(&b), errors, sizeof(errors)), -EINVAL);
	assert_int_equal(strncmp(errors, "dir/a.yaml:3:5: ", 16), 0);
	buf_free(&b);
}

/* Cut anywhere, or with any of its numbers changed, an image is refused or leads nowhere wrong. */
static void damaged_images(void **state)
{
	auto_free(rule_packs) struct rule_packs *p = NULL;
	auto_mem uint8_t *image = NULL;
	struct guard g;
	struct rules rs;
	size_t len, opened = 0;

	(void)state;
	assert_int_equal(rule_packs_new(&p), 0);
	assert_int_equal(rule_packs_add_built_in(p, errors, sizeof(errors)), 0);
	assert_int_equal(rule_packs_image(p, &image, &len), 0);
	g = guard_new(len);
	for (size_t n = 0; n < len; n += n < 512 ? 4 : 1021 * 4)
		assert_int_equal(rules_open(&rs, guard_put(&g, span_of(image, n / 8 * 8))),
				 -EBADMSG);
	for (size_t at = 0; at < len; at += at < 4096 ? 4 : 997 * 4) {
		struct span s = guard_put(&g, span_of(image, len / 8 * 8 == len ? len : len));
		uint8_t *bytes = (uint8_t *)s.p;

		if ((uintptr_t)s.p % 4)
			break;
		memset(bytes + at, 0xff, MIN(4U, len - at));
		if (rules_open(&rs, s))
			continue;
		opened++;
		for (size_t i = 0; i < rs.n_rules; i++)
			for (size_t k = 0; k < rs.rule[i].hits.n; k++)
				assert_true(strlen(rules_listed(&rs, rs.rule[i].hits, k)) <
					    rs.text_len);
	}
	guard_free(&g);
	(void)opened;
}

/* How many patterns a pack leaves of a built-in rule; *ret: the rule. */
static size_t patterns_left(const char *yaml, const char *id, struct rules *rs, uint8_t **image,
			    const struct rule **ret)
{
	auto_free(rule_packs) struct rule_packs *p = NULL;
	size_t len, n = 0;

	assert_int_equal(rule_packs_new(&p), 0);
	assert_int_equal(rule_packs_add_built_in(p, errors, sizeof(errors)), 0);
	if (rule_packs_add(p, span_str(yaml), "f", errors, sizeof(errors)))
		fail_msg("%s", errors);
	assert_int_equal(rule_packs_image(p, image, &len), 0);
	assert_int_equal(rules_open(rs, span_of(*image, len)), 0);
	*ret = find(rs, id);
	for (size_t i = 0; i < rs->n_patterns; i++) {
		const struct rule_pattern *x = &rs->pattern[i];

		n +=
		    &rs->rule[x->rule] == *ret && x->sort != RULE_WORD && x->sort != RULE_WORD_LIKE;
	}
	return n;
}

/* A built-in rule that is off is listed, and nobody looks for it; the words that others of its
 * pack are made of stay. */
static void switched_off(void **state)
{
	auto_mem uint8_t *image = NULL, *again = NULL;
	const struct rule *r;
	struct rules rs;

	(void)state;
	assert_true(patterns_left("pack: p\noff: []\n", "de-ignore-orders", &rs, &image, &r) > 0);
	assert_int_equal(r->mode, MODE_ALERT);
	assert_int_equal(patterns_left("off: [ignore-previous, de-ignore-orders]\npack: p\n",
				       "de-ignore-orders", &rs, &again, &r),
			 0);
	assert_int_equal(r->mode, MODE_OFF);
	assert_int_equal(find(&rs, "ignore-previous")->mode, MODE_OFF);
	assert_int_equal(find(&rs, "ignore-everything")->mode, MODE_ALERT);
}

/* A rule of a kind of the table is as bad as its kind says, and needs no title. */
static void kinds_of_the_table(void **state)
{
	auto_mem uint8_t *image = NULL;
	const struct rule *r;
	struct rules rs;

	(void)state;
	if (load(span_str(HEAD "  - {id: a, kind: jailbreak.rules, why: w, patterns: [abc]}\n"),
		 &image, &rs))
		fail_msg("%s", errors);
	r = find(&rs, "a");
	assert_string_equal(rules_text(&rs, r->kind), "jailbreak.rules");
	assert_string_equal(rules_text(&rs, r->title), "");
}

static int read_one(void *ctx)
{
	auto_mem uint8_t *image = NULL;
	struct rules rs;

	(void)ctx;
	return load(span_str(OWN), &image, &rs);
}

static void no_memory(void **state)
{
	(void)state;
	assert_true(nomem_each(read_one, NULL) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),		cmocka_unit_test(bad),
		cmocka_unit_test(hostile),	cmocka_unit_test(too_many_rules),
		cmocka_unit_test(bundles),	cmocka_unit_test(damaged_images),
		cmocka_unit_test(switched_off), cmocka_unit_test(kinds_of_the_table),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
