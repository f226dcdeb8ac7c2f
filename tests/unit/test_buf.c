/* tests/unit/test_buf.c - the growing buffer with a cap. */
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "nomem.h"

static void test_cap(void **state)
{
	struct buf b = BUF(10);

	(void)state;
	assert_int_equal(buf_add(&b, SPAN_LIT("01234567")), 0);
	assert_int_equal(buf_add(&b, SPAN_LIT("890")), -E2BIG);
	assert_true(span_eq(buf_span(&b), SPAN_LIT("01234567"))); /* all or nothing */
	assert_int_equal(buf_add_some(&b, SPAN_LIT("890")), 2);
	assert_int_equal(buf_add_some(&b, SPAN_LIT("x")), 0);
	assert_int_equal(buf_add(&b, span_of(NULL, 0)), 0);
	assert_true(span_eq(buf_span(&b), SPAN_LIT("0123456789")));
	assert_true(b.room <= b.max);
	buf_free(&b);
	assert_null(b.p);
	assert_int_equal(buf_add(&b, SPAN_LIT("again")), 0);
	buf_free(&b);
}

/* Every cap from 0 on, grown byte by byte: exactly the cap fits. */
static void test_growth(void **state)
{
	(void)state;
	for (size_t max = 0; max < 300; max++) {
		struct buf b = BUF(max);

		for (size_t i = 0; i < max; i++) {
			uint8_t c = (uint8_t)i;

			assert_int_equal(buf_add(&b, span_of(&c, 1)), 0);
		}
		assert_int_equal(buf_add(&b, SPAN_LIT("x")), -E2BIG);
		for (size_t i = 0; i < max; i++)
			assert_int_equal(b.p[i], (uint8_t)i);
		buf_free(&b);
	}
}

static void test_drop(void **state)
{
	struct buf b = BUF(100);

	(void)state;
	buf_drop(&b, 5); /* nothing there */
	assert_int_equal(buf_add(&b, SPAN_LIT("0123456789")), 0);
	buf_drop(&b, 0);
	buf_drop(&b, 4);
	assert_true(span_eq(buf_span(&b), SPAN_LIT("456789")));
	/* What was let go is wiped, also behind the end. */
	for (size_t i = 6; i < 10; i++)
		assert_int_equal(b.p[i], 0);
	buf_drop(&b, 100);
	assert_int_equal(b.len, 0);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(b.p[i], 0);
	assert_int_equal(buf_add(&b, SPAN_LIT("secret")), 0);
	buf_clear(&b);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(b.p[i], 0);
	buf_free(&b);
	buf_free(&b); /* twice does no harm */
}

static int grow(void *ctx)
{
	struct buf b = BUF(1000);
	int err = 0;

	(void)ctx;
	for (unsigned i = 0; i < 100 && !err; i++) {
		struct span kept = buf_span(&b);

		err = i % 2 ? buf_add(&b, SPAN_LIT("0123456789"))
			    : (int)buf_add_some(&b, SPAN_LIT("0123456789"));
		if (err > 0)
			err = 0;
		if (err) /* what it held is still there */
			assert_true(span_eq(buf_span(&b), kept));
	}
	buf_free(&b);
	return err;
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_in_range(nomem_each(grow, NULL), 3, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
