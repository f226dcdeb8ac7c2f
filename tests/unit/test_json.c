/* tests/unit/test_json.c - the streaming JSON reader. */
#include "parse/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "golden.h"

/* Goldens: events, cuts at every size, gaps, the guard page. */
static void test_goldens(void **state)
{
	(void)state;
	assert_true(golden_run(&driver_json) >= 50);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_json);
}

/* clang-format off */
/* RFC 8259, every production and its near misses. Top-level values may follow each other (NDJSON), so "1 2" is accepted. */
static const struct {
	const char *text;
	size_t len;
	bool good;
} verdicts[] = {
#define GOOD(s) { s, sizeof(s) - 1, true }
#define BAD(s) { s, sizeof(s) - 1, false }
	/* structure */
	GOOD(""), GOOD(" "), GOOD("{}"), GOOD("[]"), GOOD("[[]]"), GOOD("[{},[]]"), GOOD("{\"a\":{}}"), GOOD("{\"a\":[],\"b\":{}}"),
	GOOD("[1,2]"), GOOD(" [ 1 , 2 ] "), GOOD("{\"\":0}"), GOOD("{\"a\":1,\"a\":2}"), GOOD("{\"a\" : 1}"), GOOD("\t[\r\n]\n"),
	GOOD("[]\n"), GOOD("[][]"), GOOD("{}{}"), GOOD("1 2"), GOOD("\"a\"\"b\""), GOOD("{}\n{}\n"), GOOD("\xef\xbb\xbf{}"),
	BAD("["), BAD("]"), BAD("{"), BAD("}"), BAD("[[]"), BAD("[]]"), BAD("[}"), BAD("{]"), BAD("[1}"), BAD("{\"a\":1]"), BAD("[1"),
	BAD("[1,"), BAD("[,"), BAD("[,1]"), BAD("[1,]"), BAD("[1,,2]"), BAD("[1 2]"), BAD("[1:2]"), BAD("[\"a\":1]"), BAD("{\"a\"}"),
	BAD("{\"a\":}"), BAD("{\"a\",1}"), BAD("{\"a\":1,}"), BAD("{,\"a\":1}"), BAD("{\"a\":1,,\"b\":2}"), BAD("{\"a\":1 \"b\":2}"),
	BAD("{\"a\"::1}"), BAD("{a:1}"), BAD("{1:1}"), BAD("{'a':1}"), BAD("{null:1}"), BAD("{[]:1}"), BAD("{\"a\":1"), BAD("{\"a\":"),
	BAD("{\"a\""), BAD("{\"a"), BAD(","), BAD(":"), BAD("[\"\"]x"), BAD("x[]"), BAD("[] ,"), BAD("[1];"), BAD("// a\n[]"), BAD("[/**/]"),
	BAD("\xef\xbb[]"), BAD("\xef\xbb\xbf\xef\xbb\xbf[]"), BAD("\xef\xbb"), BAD("[\f]"), BAD("[\v]"), BAD("[\xc2\xa0]"), BAD("\0"), BAD("[\0]"),
	BAD("[]\0"), BAD("<a>"), BAD("[\xe2\x81\xa0]"), BAD("&[]"),
	/* literals */
	GOOD("true"), GOOD("false"), GOOD("null"), GOOD("[true,false,null]"), GOOD("true\n"), BAD("True"), BAD("TRUE"), BAD("tru"), BAD("truee"),
	BAD("true1"), BAD("nul"), BAD("[nul]"), BAD("[truefalse]"), BAD("falsey"), BAD("NaN"), BAD("[NaN]"), BAD("[Infinity]"), BAD("[-Infinity]"),
	BAD("undefined"), BAD("nulltrue"), BAD("t"), BAD("[t"),
	/* numbers */
	GOOD("0"), GOOD("-0"), GOOD("1"), GOOD("-1"), GOOD("10"), GOOD("1.0"), GOOD("0.1"), GOOD("-0.1"), GOOD("1e1"), GOOD("1E1"), GOOD("1e+1"),
	GOOD("1e-1"), GOOD("0e0"), GOOD("0.0e00"), GOOD("1.5E+300"), GOOD("[123456789012345678901234567890]"), GOOD("1e99999"), GOOD("[0]"),
	BAD("-"), BAD("+1"), BAD("01"), BAD("-01"), BAD("00"), BAD("[01]"), BAD(".5"), BAD("-.5"), BAD("1."), BAD("[1.]"), BAD("1.e1"), BAD("1e"),
	BAD("1e+"), BAD("1e1.5"), BAD("1.2.3"), BAD("0x1"), BAD("1x"), BAD("1_000"), BAD("--1"), BAD("- 1"), BAD("1e 1"), BAD("[1e]"), BAD("[-]"),
	BAD("1\"a\""), BAD("1[]"), BAD("1true"), BAD("[1true]"), BAD("\xef\xbc\x91"), BAD("0\xef\xbc\x91"),
	/* strings */
	GOOD("\"\""), GOOD("\"a\""), GOOD("\" \""), GOOD("\"\x7f\""), GOOD("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), GOOD("\"\\u0000\""), GOOD("\"\\uABCD\""),
	GOOD("\"\\uabcd\""), GOOD("\"\\ud83d\\ude00\""), GOOD("\"\\ud83d\""), GOOD("\"\\ude00\""), GOOD("\"\xc3\xa9\""), GOOD("\"\xff\""),
	GOOD("\"\xe2\x80\xa8\""), GOOD("\"/*\""), GOOD("[\"]\"]"),
	BAD("\""), BAD("\"a"), BAD("\"\\"), BAD("\"\\\""), BAD("\"\\u\""), BAD("\"\\u1\""), BAD("\"\\u123\""), BAD("\"\\u123g\""), BAD("\"\\U0041\""),
	BAD("\"\\x41\""), BAD("\"\\'\""), BAD("\"\\0\""), BAD("\"\\ \""), BAD("\"\\\n\""), BAD("\"\n\""), BAD("\"\t\""), BAD("\"\x1f\""), BAD("\"\0\""),
	BAD("'a'"), BAD("\"a\"b"), BAD("[\"a\" b]"), BAD("\"\\\xc3\xa9\""), BAD("\\u0041"), BAD("[\"a\n"), BAD("\"\\ud83d\\u\""), BAD("\"\\a\""),
};
/* clang-format on */

static void ignore(void *ctx, const struct json_event *e)
{
	(void)ctx;
	(void)e;
}

static void test_verdicts(void **state)
{
	auto_free(json) struct json *j = NULL;

	(void)state;
	assert_int_equal(json_new(&j, 8, ignore, NULL), 0);
	assert_true(ARRAY_SIZE(verdicts) > 180);
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct span in = span_of(verdicts[i].text, verdicts[i].len);

		for (size_t piece = 1; piece <= in.len + 1; piece++) {
			int err = 0, end;

			for (size_t at = 0; at < in.len; at += piece)
				err = json_feed(j, span_sub(in, at, piece));
			end = json_end(j);
			if (end != (verdicts[i].good ? 0 : -EBADMSG) || (verdicts[i].good && err))
				fail_msg("row %zu: %s: %d, then %d", i, verdicts[i].text, err, end);
		}
	}
}

/* The verdict comes with the first byte that is wrong, and stays. */
static void test_error_is_kept(void **state)
{
	auto_free(json) struct json *j = NULL;

	(void)state;
	assert_int_equal(json_new(&j, 8, ignore, NULL), 0);
	assert_int_equal(json_feed(j, SPAN_LIT("[1,")), 0);
	assert_int_equal(json_feed(j, SPAN_LIT("}")), -EBADMSG);
	assert_int_equal(json_feed(j, SPAN_LIT("2]")), -EBADMSG);
	assert_int_equal(json_end(j), -EBADMSG);
	assert_int_equal(json_feed(j, SPAN_LIT("[1]")), 0);
	assert_int_equal(json_end(j), 0);
	assert_int_equal(json_feed(j, SPAN_LIT("{\"a\":\"b")), 0);
	json_reset(j);
	assert_int_equal(json_feed(j, SPAN_LIT("[1]")), 0);
	assert_int_equal(json_end(j), 0);
}

static void count_damaged(void *ctx, const struct json_event *e)
{
	*(unsigned *)ctx += e->damaged;
}

/* A loss that cannot be counted is a loss all the same. */
static void test_uncounted_gap(void **state)
{
	auto_free(json) struct json *j = NULL;
	unsigned n = 0;

	(void)state;
	assert_int_equal(json_new(&j, 8, count_damaged, &n), 0);
	assert_int_equal(json_feed(j, SPAN_LIT("[\"a\",\"b")), 0);
	assert_int_equal(n, 0);
	json_gap(j, 0);
	assert_int_equal(json_feed(j, SPAN_LIT("c\"]")), 0);
	assert_int_equal(n, 2); /* the string's rest, the array's end */
}

static void test_arguments(void **state)
{
	struct json *j = NULL;

	(void)state;
	assert_int_equal(json_new(&j, 0, ignore, NULL), -EINVAL);
	assert_int_equal(json_new(&j, 1025, ignore, NULL), -EINVAL);
	assert_null(j);
	json_free(&j);
}

struct seen {
	unsigned n, n_deep, most_depth;
	struct buf text;
	char path[JSON_PATH_MAX];
};

static void see(void *ctx, const struct json_event *e)
{
	struct seen *s = ctx;

	s->n++;
	s->n_deep += e->deep;
	s->most_depth = MAX(s->most_depth, e->depth);
	if (e->kind == JSON_STRING || e->kind == JSON_NUMBER) {
		assert_int_equal(buf_add(&s->text, e->text), 0);
		strcpy(s->path, e->path);
	}
}

/* A million levels: linear time, and only max_depth of them are given. */
static void test_very_deep(void **state)
{
	enum { LEVELS = 1000000, DEPTH = 1024 };
	static const char *const opens[] = { "[", "{\"a\":" }, *const closes[] = { "]", "}" };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(opens); k++) {
		auto_free(json) struct json *j = NULL;
		struct seen s = { .text = BUF(1 << 20) };

		assert_int_equal(json_new(&j, DEPTH, see, &s), 0);
		for (unsigned i = 0; i < LEVELS; i++)
			assert_int_equal(json_feed(j, span_str(opens[k])), 0);
		assert_int_equal(json_feed(j, SPAN_LIT("1")), 0);
		for (unsigned i = 0; i < LEVELS; i++)
			assert_int_equal(json_feed(j, span_str(closes[k])), 0);
		assert_int_equal(json_feed(j, SPAN_LIT("[2]")), 0);
		assert_int_equal(json_end(j), 0);
		assert_int_equal(s.n, 2 * DEPTH + 3);
		assert_int_equal(s.most_depth, DEPTH - 1);
		assert_true(span_eq(buf_span(&s.text), SPAN_LIT("2")));
		assert_true(json_skipped(j) >= 1);
		buf_free(&s.text);
	}
}

static void feed_repeated(struct json *j, const char *s, size_t n)
{
	while (n--)
		assert_int_equal(json_feed(j, span_str(s)), 0);
}

static void test_long_number(void **state)
{
	auto_free(json) struct json *j = NULL;
	struct seen s = { .text = BUF(1 << 20) };

	(void)state;
	assert_int_equal(json_new(&j, 4, see, &s), 0);
	for (size_t len = JSON_NUMBER_MAX - 1; len <= JSON_NUMBER_MAX + 1; len++) {
		char digits[JSON_NUMBER_MAX + 8];

		/* In pieces, and whole. */
		buf_clear(&s.text);
		assert_int_equal(json_feed(j, SPAN_LIT("[")), 0);
		feed_repeated(j, "7", len);
		assert_int_equal(json_feed(j, SPAN_LIT(",")), 0);
		memset(digits, '7', len);
		digits[len] = ']';
		assert_int_equal(json_feed(j, span_of(digits, len + 1)), 0);
		assert_int_equal(json_end(j), 0);
		assert_int_equal(s.text.len, len <= JSON_NUMBER_MAX ? 2 * len : 0);
	}
	assert_int_equal(json_skipped(j), 2);
	buf_free(&s.text);
}

/* A path of exactly the room is given, one byte more is not. */
static void test_long_path(void **state)
{
	(void)state;
	for (size_t len = JSON_PATH_MAX - 2; len <= JSON_PATH_MAX; len++) {
		auto_free(json) struct json *j = NULL;
		struct seen s = { .text = BUF(16) };
		bool fits = len < JSON_PATH_MAX;

		assert_int_equal(json_new(&j, 4, see, &s), 0);
		assert_int_equal(json_feed(j, SPAN_LIT("{\"")), 0);
		feed_repeated(j, "k", len);
		assert_int_equal(json_feed(j, SPAN_LIT("\":1,\"x\":[2]}")), 0);
		assert_int_equal(json_end(j), 0);
		assert_int_equal(s.n_deep, !fits);
		assert_int_equal(json_skipped(j), !fits);
		assert_string_equal(s.path, "x[]"); /* the next key is not affected */
		buf_free(&s.text);
	}
}

/* Text longer than the block for decoded text, with and without something to decode. */
static void test_long_string(void **state)
{
	(void)state;
	for (size_t len = 1000; len < 5000; len += 333) {
		auto_free(json) struct json *j = NULL;
		struct seen s = { .text = BUF(1 << 16) };
		struct buf in = BUF(1 << 16), want = BUF(1 << 16);

		assert_int_equal(buf_add(&in, SPAN_LIT("[\"")), 0);
		for (size_t i = 0; i < len; i++) {
			bool escaped = i % 700 == 600;

			assert_int_equal(
			    buf_add(&in, escaped ? SPAN_LIT("\\u20ac") : SPAN_LIT("x")), 0);
			assert_int_equal(
			    buf_add(&want, escaped ? SPAN_LIT("\xe2\x82\xac") : SPAN_LIT("x")), 0);
		}
		assert_int_equal(buf_add(&in, SPAN_LIT("\"]")), 0);
		assert_int_equal(json_new(&j, 4, see, &s), 0);
		assert_int_equal(json_feed(j, buf_span(&in)), 0);
		assert_int_equal(json_end(j), 0);
		assert_true(span_eq(buf_span(&s.text), buf_span(&want)));
		buf_free(&s.text);
		buf_free(&in);
		buf_free(&want);
	}
}

/* FNV-1a, 32 bits: the published test vectors. */
static void test_hash(void **state)
{
	(void)state;
	assert_int_equal(json_path_hash(""), 0x811c9dc5);
	assert_int_equal(json_path_hash("a"), 0xe40c292c);
	assert_int_equal(json_path_hash("foobar"), 0xbf9cf968);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),	      cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_verdicts),      cmocka_unit_test(test_error_is_kept),
		cmocka_unit_test(test_arguments),     cmocka_unit_test(test_very_deep),
		cmocka_unit_test(test_long_number),   cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_long_string),   cmocka_unit_test(test_hash),
		cmocka_unit_test(test_uncounted_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
