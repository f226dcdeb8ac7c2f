/* tests/unit/test_span.c - borrowed runs of bytes. */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_sub(void **state)
{
	struct span s = SPAN_LIT("hello");

	(void)state;
	assert_true(span_eq(span_sub(s, 0, 5), s));
	assert_true(span_eq(span_sub(s, 1, 3), SPAN_LIT("ell")));
	assert_true(span_eq(span_sub(s, 3, 100), SPAN_LIT("lo")));
	assert_int_equal(span_sub(s, 5, 1).len, 0);
	assert_int_equal(span_sub(s, 6, 1).len, 0);
	assert_int_equal(span_sub(s, SIZE_MAX, SIZE_MAX).len, 0);
	assert_int_equal(span_sub(s, 2, SIZE_MAX).len, 3);
	assert_ptr_equal(span_sub(s, 9, 1).p, s.p + 5); /* still inside, or right behind it */
}

static void test_compare(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN_LIT(""), span_of(NULL, 0)));
	assert_false(span_eq(SPAN_LIT("a"), SPAN_LIT("b")));
	assert_false(span_eq(SPAN_LIT("a"), SPAN_LIT("ab")));
	assert_true(span_eq(span_str("abc"), SPAN_LIT("abc")));
	assert_true(span_starts(SPAN_LIT("abc"), SPAN_LIT("ab")));
	assert_true(span_starts(SPAN_LIT("abc"), span_of(NULL, 0)));
	assert_false(span_starts(SPAN_LIT("abc"), SPAN_LIT("abcd")));
	assert_false(span_starts(SPAN_LIT("abc"), SPAN_LIT("b")));
}

/* Only ASCII letters have a case: '@' and '`', '[' and '{' differ in the same bit. */
static void test_token(void **state)
{
	struct span list = SPAN_LIT(" a b\t, ,c,");

	(void)state;
	assert_true(span_eq(span_token(&list, ','), SPAN_LIT("a b")));
	assert_true(span_eq(span_token(&list, ','), SPAN_LIT("")));
	assert_true(span_eq(span_token(&list, ','), SPAN_LIT("c")));
	assert_int_equal(list.len, 0);
	assert_int_equal(span_token(&list, ',').len, 0);
	assert_int_equal(span_trim(SPAN_LIT(" \t ")).len, 0);
}

static void test_nocase(void **state)
{
	(void)state;
	assert_true(span_eq_nocase(SPAN_LIT("Content-Length"), SPAN_LIT("cONTENT-lENGTH")));
	assert_false(span_eq_nocase(SPAN_LIT("@[\\]^"), SPAN_LIT("`{|}~")));
	assert_false(span_eq_nocase(SPAN_LIT("\xc3\x84"), SPAN_LIT("\xc3\xa4")));
	assert_false(span_eq_nocase(SPAN_LIT("a"), SPAN_LIT("aa")));
	for (unsigned c = 0; c < 256; c++)
		assert_int_equal(ascii_lower((uint8_t)c), c >= 'A' && c <= 'Z' ? c + 32 : c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sub),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_nocase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
