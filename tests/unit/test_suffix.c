/* tests/unit/test_suffix.c - windows of a text: which are measured, what is counted in them, and
 * that nothing is read beyond. What is found and what is not, the detector's samples say. */
#include "detect/suffix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"

#define SOUP                                                                                       \
	"Rope:{ merchantIGN violinsWhen}}) Decemberhouse (* quartzLabel saddle?( coatsSup ]; "     \
	"ladder--Three olives\\+ bread"

static size_t count(struct span text)
{
	struct suffix_windows w;
	size_t n = 0;

	suffix_begin(&w, text);
	while (suffix_next(&w)) {
		float x[SUFFIX_MAX_];

		assert_true(w.at + SUFFIX_WINDOW < text.len);
		suffix_measure(&w, x);
		n++;
	}
	return n;
}

static void prose_is_not_measured(void **state)
{
	char text[4096];
	size_t at = 0;

	(void)state;
	while (at < sizeof(text) - 128)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s",
				       "The garden was quiet, and nobody said a word about it. ");
	assert_int_equal(count(span_of(text, at)), 0);
	/* The last window reaches to the end. */
	memcpy(text + at - 12, "\\+ {ab}(c) ]", 12);
	assert_true(count(span_of(text, at)) > 0);
}

/* Of the first window. */
static bool measure(const char *text, float x[SUFFIX_MAX_])
{
	struct suffix_windows w;

	suffix_begin(&w, span_str(text));
	assert_true(suffix_next(&w));
	return suffix_measure(&w, x);
}

static void measures(void **state)
{
	static const char text[] = "The cat sat near THE Mat [[x]] fooBar fooBar, 12 (34)\n"
				   "quite another sentence stands here, long trousers!";
	float x[SUFFIX_MAX_];

	(void)state;
	assert_true(measure(text, x));
	assert_true(x[SUFFIX_HUMPS] == 2);
	assert_true(x[SUFFIX_LINES] == 1);
	assert_true(x[SUFFIX_DIGITS] == 4);
	assert_true(x[SUFFIX_CAPITALS] == 3);
	assert_int_equal((int)x[SUFFIX_SMALL_WORDS], 2);
	assert_true(x[SUFFIX_HIGH] == 0);
	/* What holds sentences together tells prose from all else. */
	assert_false(measure("what the cat has is a tail [[and]] it will be of use "
			     "to all cats who live with somebody, as you know for sure",
			     x));
	/* Keys and minified code are no candidates, nor is a table of numbers. */
	assert_false(measure("abcdefghijklmnopqrstuvwxyz(abcdefghijklmnopqrstuvwxyz)"
			     "abcdefghijklmnopqrstuvwxyz{abcdefghijklmnopqrstuvwxyz}",
			     x));
	assert_false(measure("1,2,3 4,5,6 7,8,9 1,2,3 4,5,6 7,8,9 1,2,3 4,5,6 7,8,9 "
			     "1,2,3 4,5,6 7,8,9 1,2,3 4,5,6 7,8,9 1,2,3 4,5,6 7,8,9",
			     x));
}

static void every_length(void **state)
{
	static const char soup[] = SOUP SOUP;
	struct guard g = guard_new(sizeof(soup));

	(void)state;
	for (size_t n = 0; n < sizeof(soup); n++) {
		size_t windows = count(guard_put(&g, span_of(soup, n)));

		assert_true(n > SUFFIX_WINDOW ? windows > 0 : !windows);
	}
	guard_free(&g);
}

static void any_bytes(void **state)
{
	uint8_t text[1024];
	struct guard g = guard_new(sizeof(text));
	uint32_t x = 1;

	(void)state;
	for (unsigned round = 0; round < 64; round++) {
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
		count(guard_put(&g, span_of(text, sizeof(text))));
	}
	guard_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prose_is_not_measured),
		cmocka_unit_test(measures),
		cmocka_unit_test(every_length),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
