/* tests/unit/test_prompt_attack.c - every built-in rule finds its examples and leaves its near
 * misses alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "judge.h"

static const struct rules *rules;

static int setup(void **state)
{
	judge_setup(state);
	rules = detect_rules(detect);
	return 0;
}

static unsigned wrong_texts(size_t rule, struct rule_texts texts, int want)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < texts.n; i++) {
		const char *text = rules_listed(rules, texts, i);

		if (detect_rule(detect, rule, span_str(text)) == want)
			continue;
		fprintf(stderr, "%s %s: %s\n", rules_text(rules, rules->rule[rule].id),
			want ? "does not match" : "matches", text);
		wrong++;
	}
	return wrong;
}

static void every_rule(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < rules->n_rules; i++) {
		wrong += wrong_texts(i, rules->rule[i].hits, 1);
		wrong += wrong_texts(i, rules->rule[i].misses, 0);
	}
	assert_int_equal(wrong, 0);
}

static void rows_are_whole(void **state)
{
	(void)state;
	assert_true(rules->n_rules > 50);
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct rule *r = &rules->rule[i];

		assert_true(r->built_in && r->group < GROUP_MAX_ && r->mode == MODE_ALERT);
		assert_true(r->user + r->retrieved > 0 && strlen(rules_text(rules, r->why)) > 10);
		assert_true(r->hits.n && r->misses.n);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(rules_text(rules, rules->rule[k].id),
						rules_text(rules, r->id));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(every_rule),
	};

	return cmocka_run_group_tests(tests, setup, judge_teardown);
}
