/* tests/unit/test_json_out.c - the writer of JSON, read back by the reader of JSON. */
#include "base/json_out.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/own.h"
#include "parse/json.h"

/* What fn writes in a style; the caller frees it. */
static char *written(void (*fn)(struct json_out *), enum json_out_style style)
{
	char *s = NULL;
	size_t n;
	auto_file FILE *f = open_memstream(&s, &n);
	struct json_out o = JSON_OUT(f, style);

	fn(&o);
	assert_int_equal(json_out_done(&o), 0);
	own_file(&f);
	return s;
}

static void write_all(struct json_out *o)
{
	json_out_object(o);
	json_out_key(o, "list");
	json_out_array(o);
	json_out_u64(o, UINT64_MAX);
	json_out_i64(o, INT64_MIN);
	json_out_array(o);
	json_out_end(o);
	json_out_object(o);
	json_out_end(o);
	json_out_null(o);
	json_out_end(o);
	json_out_key(o, "k\"ey");
	json_out_cstr(o, "v\\al");
	json_out_key(o, "none");
	json_out_cstr(o, NULL);
	json_out_key(o, "deep");
	json_out_object(o);
	json_out_key(o, "yes");
	json_out_bool(o, true);
	json_out_key(o, "no");
	json_out_bool(o, false);
	json_out_end(o);
	json_out_end(o);
}

static void test_styles(void **state)
{
	auto_mem char *compact = written(write_all, JSON_OUT_COMPACT),
		      *pretty = written(write_all, JSON_OUT_PRETTY);

	(void)state;
	assert_string_equal(compact, "{\"list\":[18446744073709551615,-9223372036854775808,[],{},"
				     "null],\"k\\\"ey\":\"v\\\\al\",\"none\":null,"
				     "\"deep\":{\"yes\":true,\"no\":false}}\n");
	assert_string_equal(pretty, "{\n"
				    "  \"list\": [\n"
				    "    18446744073709551615,\n"
				    "    -9223372036854775808,\n"
				    "    [],\n"
				    "    {},\n"
				    "    null\n"
				    "  ],\n"
				    "  \"k\\\"ey\": \"v\\\\al\",\n"
				    "  \"none\": null,\n"
				    "  \"deep\": {\n"
				    "    \"yes\": true,\n"
				    "    \"no\": false\n"
				    "  }\n"
				    "}\n");
}

static void write_text(struct json_out *o)
{
	json_out_str(o, SPAN_LIT("\0\b\n\t\x1b\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xf3\xa0\x81\x81"
				 "\xff\xc3(\"\\/\xc3\xa9\xf0\x9f\x98\x80"));
}

static void test_escaping(void **state)
{
	auto_mem char *s = written(write_text, JSON_OUT_COMPACT);

	(void)state;
	assert_string_equal(s, "\"\\u0000\\u0008\\n\\t\\u001b\\u007f\\u0085\\u2028\\u202e\\udb40\\u"
			       "dc41\xef\xbf\xbd\xef\xbf\xbd(\\\"\\\\/\xc3\xa9"
			       "\xf0\x9f\x98\x80\"\n");
}

static void add(void *ctx, const struct json_event *e)
{
	assert_int_equal(e->kind, JSON_STRING);
	assert_int_equal(buf_add(ctx, e->text), 0);
}

/* Every code point comes back as it was. */
static void test_round_trip(void **state)
{
	(void)state;
	for (uint32_t first = 0; first < 0x110000; first += 0x1000) {
		struct buf text = BUF(1 << 16), back = BUF(1 << 16);
		auto_free(json) struct json *j = NULL;
		auto_mem char *s = NULL;
		size_t n;
		auto_file FILE *f = open_memstream(&s, &n);
		struct json_out o = JSON_OUT(f, JSON_OUT_COMPACT);

		for (uint32_t cp = first; cp < first + 0x1000; cp++) {
			uint8_t c[4];

			assert_int_equal(buf_add(&text, span_of(c, utf8_encode(cp, c))), 0);
		}
		json_out_str(&o, buf_span(&text));
		assert_int_equal(json_out_done(&o), 0);
		assert_int_equal(json_new(&j, 1, add, &back), 0);
		assert_int_equal(json_feed(j, span_of(s, n)), 0);
		assert_int_equal(json_end(j), 0);
		assert_true(span_eq(buf_span(&text), buf_span(&back)));
		assert_ptr_equal(memchr(s, '\n', n), s + n - 1); /* one line */
		buf_free(&text);
		buf_free(&back);
	}
}

static double number;

static void write_number(struct json_out *o)
{
	json_out_f64(o, number);
}

static void test_numbers(void **state)
{
	static const struct {
		double v;
		const char *want;
	} rows[] = { { 0, "0\n" },	    { 0.1, "0.1\n" },	{ 1.0 / 3, "0.3333333333333333\n" },
		     { 1e21, "1e+21\n" },   { -2.5, "-2.5\n" }, { NAN, "null\n" },
		     { INFINITY, "null\n" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_mem char *s = NULL;

		number = rows[i].v;
		s = written(write_number, JSON_OUT_COMPACT);
		assert_string_equal(s, rows[i].want);
		if (isfinite(number))
			assert_true(strtod(s, NULL) == number);
	}
}

/* A stream of documents, and a stream that fails. */
static void test_done(void **state)
{
	auto_mem char *s = NULL;
	size_t n;
	auto_file FILE *f = open_memstream(&s, &n), *full = fopen("/dev/full", "we");
	struct json_out o = JSON_OUT(f, JSON_OUT_COMPACT), bad = JSON_OUT(full, JSON_OUT_COMPACT);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		json_out_u64(&o, i);
		assert_int_equal(json_out_done(&o), 0);
	}
	assert_string_equal(s, "0\n1\n2\n");
	assert_non_null(full);
	json_out_u64(&bad, 1);
	assert_int_equal(json_out_done(&bad), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_styles),	   cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
