/* tests/unit/test_prompt_attack.c - every rule finds its example and leaves its near miss alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hs/hs.h>

#include "base/own.h"
#include "detect/detect.h"
#include "detect/rules.h"

static struct fold *fold;
static hs_database_t *db;
static hs_scratch_t *scratch;

static void fold_to(struct view *w, const char *text)
{
	*w = (struct view){ .bytes = BUF(64 << 10) };
	assert_int_equal(fold_view(fold, span_str(text), w), 0);
}

static void view_end(struct view *w)
{
	buf_free(&w->bytes);
	free(w->runs);
}

static int setup(void **state)
{
	auto_mem char **text = calloc(n_rules, sizeof(*text));
	auto_mem unsigned *flags = calloc(n_rules, sizeof(*flags)),
			  *ids = calloc(n_rules, sizeof(*ids));
	hs_compile_error_t *error;
	hs_error_t err;

	(void)state;
	assert_int_equal(fold_new(&fold), 0);
	for (unsigned i = 0; i < n_rules; i++) {
		struct view w;

		fold_to(&w, rules[i].pattern);
		text[i] = strndup((char *)w.bytes.p, w.bytes.len);
		view_end(&w);
		flags[i] = HS_FLAG_CASELESS | HS_FLAG_DOTALL;
		ids[i] = i;
	}
	err = hs_compile_multi((const char *const *)text, flags, ids, (unsigned)n_rules,
			       HS_MODE_BLOCK, NULL, &db, &error);
	if (err != HS_SUCCESS)
		fprintf(stderr, "%s: %s\n",
			error->expression >= 0 ? rules[error->expression].id : "", error->message);
	for (unsigned i = 0; i < n_rules; i++)
		free(text[i]);
	return err == HS_SUCCESS && hs_alloc_scratch(db, &scratch) == HS_SUCCESS ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	hs_free_scratch(scratch);
	hs_free_database(db);
	fold_free(&fold);
	return 0;
}

struct wanted {
	unsigned id;
	bool found;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *ctx)
{
	struct wanted *w = ctx;

	(void)from;
	(void)to;
	(void)flags;
	w->found |= id == w->id;
	return 0;
}

static bool matches(unsigned rule, const char *text)
{
	struct wanted want = { .id = rule };
	struct view w;

	fold_to(&w, text);
	assert_int_equal(
	    hs_scan(db, (char *)w.bytes.p, (unsigned)w.bytes.len, 0, scratch, on_match, &want),
	    HS_SUCCESS);
	view_end(&w);
	return want.found;
}

static void every_rule(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (unsigned i = 0; i < n_rules; i++) {
		if (!matches(i, rules[i].hit))
			wrong += fprintf(stderr, "%s does not match: %s\n", rules[i].id,
					 rules[i].hit) > 0;
		if (matches(i, rules[i].miss))
			wrong +=
			    fprintf(stderr, "%s matches: %s\n", rules[i].id, rules[i].miss) > 0;
	}
	assert_int_equal(wrong, 0);
}

static void rows_are_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < n_rules; i++) {
		const struct rule *r = &rules[i];

		assert_true(*r->id && strlen(r->id) < sizeof(((struct finding *)0)->type) &&
			    r->group < GROUP_MAX_);
		assert_true(r->user >= 0 && r->user <= 1 && r->retrieved >= 0 && r->retrieved <= 1);
		assert_true(r->user + r->retrieved > 0 && strlen(r->why) > 10);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(rules[k].id, r->id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(every_rule),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
