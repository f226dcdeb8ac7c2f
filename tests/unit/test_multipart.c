/* tests/unit/test_multipart.c - multipart bodies. */
#include "parse/multipart.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "golden.h"

static void test_goldens(void **state)
{
	(void)state;
	assert_true(golden_run(&driver_multipart) >= 16);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_multipart);
}

static void test_boundary(void **state)
{
	static const struct {
		const char *type, *want;
	} rows[] = {
		{ "multipart/form-data; boundary=----WebKitFormBoundary7MA4",
		  "----WebKitFormBoundary7MA4" },
		{ "Multipart/Mixed; charset=\"a;b\"; BOUNDARY=\"a b;c\" ; x=y", "a b;c" },
		{ "multipart/form-data;boundary=x", "x" },
		{ "multipart/form-data", NULL },
		{ "multipart/form-data; boundary=", NULL },
		{ "multipart/form-data; boundary=\"\"", NULL },
		{ "multipart/form-data; boundary=a\x01", NULL },
		{ "multipart/form-data; "
		  "boundary="
		  "12345678901234567890123456789012345678901234567890123456789012345678901",
		  NULL },
		{ "application/json; boundary=x", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span got;

		assert_int_equal(multipart_boundary(span_str(rows[i].type), &got), !!rows[i].want);
		if (rows[i].want)
			assert_true(span_eq(got, span_str(rows[i].want)));
	}
}

struct seen {
	size_t parts, ends, bytes, type;
};

static void see_part(void *ctx, const struct multipart_part *p)
{
	struct seen *s = ctx;

	s->parts++;
	s->type += p->type.len;
}

static void see_data(void *ctx, struct span data)
{
	((struct seen *)ctx)->bytes += data.len;
}

static void see_end(void *ctx, bool damaged)
{
	assert_false(damaged);
	((struct seen *)ctx)->ends++;
}

static const struct multipart_ops see_ops = { see_part, see_data, see_end };

/* A head of megabytes and a million parts: both are cut, counted, and take no memory. */
static void test_caps(void **state)
{
	auto_free(multipart) struct multipart *m = NULL;
	struct seen s = { 0 };

	(void)state;
	assert_int_equal(multipart_new(&m, SPAN_LIT(""), &see_ops, &s), -EINVAL);
	assert_int_equal(multipart_new(&m, SPAN_LIT("b"), &see_ops, &s), 0);
	assert_int_equal(multipart_feed(m, SPAN_LIT("--b\r\nContent-Type: t\r\n")), 0);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(multipart_feed(m, SPAN_LIT("A: 1234567890\r\n")), 0);
	assert_int_equal(multipart_feed(m, SPAN_LIT("\r\nx\r\n")), 0);
	assert_int_equal(s.parts, 1);
	assert_int_equal(s.type, 1);
	assert_int_equal(multipart_stats(m)->cut, 1);
	for (size_t i = 1; i < MULTIPART_PARTS_MAX + 10; i++)
		assert_int_equal(multipart_feed(m, SPAN_LIT("--b\r\n\r\nx\r\n")), 0);
	assert_int_equal(multipart_feed(m, SPAN_LIT("--b--")), 0);
	multipart_end(m);
	assert_int_equal(s.parts, MULTIPART_PARTS_MAX);
	assert_int_equal(s.ends, s.parts);
	assert_int_equal(s.bytes, s.parts);
	assert_int_equal(multipart_stats(m)->cut, 1 + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
