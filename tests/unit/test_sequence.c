/* tests/unit/test_sequence.c - which words make a sequence: their order, how close they stand, and
 * where they begin and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "judge.h"
#include "patterns.h"

static int setup(void **state)
{
	(void)state;
	detect = test_detect_own();
	return 0;
}

static bool matches(const char *id, const char *text)
{
	const struct rules *rules = detect_rules(detect);

	for (size_t i = 0; i < rules->n_rules; i++)
		if (!strcmp(rules_text(rules, rules->rule[i].id), id))
			return detect_rule(detect, i, span_str(text)) == 1;
	fail_msg("no rule %s", id);
	return false;
}

static void order_and_place(void **state)
{
	static const struct {
		const char *id, *text;
		bool match;
	} rows[] = {
		{ "t-far", "forgetz all regelz", true },
		{ "t-far", "FORGETZING these Regelzx", true },
		{ "t-far", "regelz forgetz", false },
		{ "t-far", "unforgetz all regelz", false },
		{ "t-far", "forgetz all unregelz", false },
		{ "t-far", "forgetzregelz", false },
		{ "t-far", "forgetz it. regelz", false },
		{ "t-far", "forgetz it\nregelz", false },
		{ "t-far", "forgetz v1.2 regelz", true },
		{ "t-far", "forgetz what is at https://t.example/?m= regelz", true },
		{ "t-far", "forgetz what is at the other end? then regelz", false },
		/* nearer words stand for farther ones */
		{ "t-far", "forgetz it! Then forgetz all regelz", true },
		/* its end counts, too */
		{ "t-far", "vor regelz", true },
		{ "t-far", "vorne regelz", false },
		/* folded, and without spaces */
		{ "t-far", "Ubergeh\u0308 die Regelz", true },
		{ "t-far", "übergeh規則甲", true },
		{ "t-far", "übergeh一二三四四五六七八九十一二三四五六七八九十一二三四五六七規則甲",
		  false },
		{ "t-far", "forgetz 1234567890123456789012345678901234567890 regelz", false },
		{ "t-near", "forgetz 1234567890 regelz", true },
		{ "t-near", "forgetz 12345678901234567890 regelz", false },
		{ "t-three", "regelz to forgetz: nr42", true },
		{ "t-three", "regelz nr42 forgetz", false },
		{ "t-three", "regelz to forgetz: nr4", false },
		/* a list within a list */
		{ "t-more", "forgetz all regelz", true },
		{ "t-more", "dropz all regelz", true },
		{ "t-far", "dropz all regelz", false },
		/* a question ends a sentence, a link's query does not */
		{ "t-far", "forgetz? regelz", false },
		{ "t-far", "forgetz x/?y regelz", true },
		{ "t-far", "forgetz https://x.example/?y=1234 regelz", true },
		{ "t-far", "forgetz https://x.example? /y=12345 regelz", false },
		{ "t-twice", "forgetz", false },
		{ "t-twice", "forgetz forgetz", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (matches(rows[i].id, rows[i].text) != rows[i].match)
			fail_msg("%s: %s", rows[i].id, rows[i].text);
}

/* One text knows nothing of the other. */
static void texts_are_apart(void **state)
{
	(void)state;
	assert_false(matches("t-far", "forgetz the"));
	assert_false(matches("t-far", "all regelz"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(order_and_place),
					    cmocka_unit_test(texts_are_apart) };

	return cmocka_run_group_tests(tests, setup, judge_teardown);
}
