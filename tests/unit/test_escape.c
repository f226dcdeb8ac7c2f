/* tests/unit/test_escape.c - hostile text on its way to a terminal. */
#include "base/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"

static void test_rows(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "plain text, {\"json\":1} \\ back", "plain text, {\"json\":1} \\ back" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\nb\tc\rd\x1b[31me\x07\x7f", "a\\x0ab\\x09c\\x0dd\\x1b[31me\\x07\\x7f" },
		{ "\xc2\x9b"
		  "31m",
		  "\\x9b31m" }, /* C1: CSI in one character */
		{ "\x9b\xff\xc3(", "\\x9b\\xff\\xc3(" },
		{ "\xe2\x80\xae"
		  "cod.exe",
		  "\\u{202e}cod.exe" }, /* right-to-left override */
		{ "\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8f", "\\u{2066}\\u{2069}\\u{200f}" },
		{ "a\xe2\x80\x8b"
		  "b\xef\xbb\xbf\xc2\xad",
		  "a\\u{200b}b\\u{feff}\\xad" }, /* invisible */
		{ "\xe2\x80\xa8\xe2\x80\xa9", "\\u{2028}\\u{2029}" },
		{ "\xf3\xa0\x81\x81\xef\xb8\x8f",
		  "\\u{e0041}\\u{fe0f}" }, /* tag characters, variation selectors */
		{ "\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80",
		  "\\xed\\xa0\\x80\\xc0\\xaf\\xf4\\x90\\x80\\x80" },
	};
	struct guard g = guard_new(100);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span in = guard_put(&g, span_str(rows[i].in));
		auto_mem char *written = NULL;
		size_t n_written;
		auto_file FILE *f = open_memstream(&written, &n_written);
		char out[200];

		assert_string_equal(escape_str(out, sizeof(out), in), rows[i].want);
		escape_to(f, in, 0);
		fflush(f);
		assert_string_equal(written, rows[i].want);
	}
	guard_free(&g);
}

/* Every byte and every pair of bytes: nothing comes out that a terminal would act on. */
static void test_nothing_raw(void **state)
{
	char out[64];

	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		uint8_t in[2] = { i >> 8, i & 0xff };
		struct span left;

		escape_str(out, sizeof(out), span_of(in, 2));
		left = span_str(out);
		while (left.len) {
			uint32_t cp;
			size_t n = utf8_decode(left, &cp);

			assert_true(n > 0 && cp >= 0x20 && (cp < 0x7f || cp > 0x9f));
			left = span_sub(left, n, left.len);
		}
	}
}

/* Into any room: NUL-terminated, and whole characters only. */
static void test_room(void **state)
{
	struct span in = SPAN_LIT("a\xe2\x82\xac\x1b"
				  "b");
	const char *whole = "a\xe2\x82\xac\\x1bb";
	static const size_t ends[] = { 0, 0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9 }; /* by room */

	(void)state;
	for (size_t room = 1; room < ARRAY_SIZE(ends); room++) {
		struct guard g = guard_new(room);
		static const char blank[ARRAY_SIZE(ends)];
		char *out = (char *)guard_put(&g, span_of(blank, room)).p;

		escape_str(out, room, in);
		assert_int_equal(strlen(out), ends[room]);
		assert_memory_equal(out, whole, ends[room]);
		guard_free(&g);
	}
}

static void test_max(void **state)
{
	static const struct {
		size_t max;
		const char *want;
	} rows[] = { { 0, "ab\xe2\x82\xac"
			  "c" },
		     { 1, "a..." },
		     { 2, "ab..." },
		     { 3, "ab..." },
		     { 4, "ab..." },
		     { 5, "ab\xe2\x82\xac..." },
		     { 6, "ab\xe2\x82\xac"
			  "c" },
		     { 99, "ab\xe2\x82\xac"
			   "c" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_mem char *written = NULL;
		size_t n_written;
		auto_file FILE *f = open_memstream(&written, &n_written);

		escape_to(f,
			  SPAN_LIT("ab\xe2\x82\xac"
				   "c"),
			  rows[i].max);
		fflush(f);
		assert_string_equal(written, rows[i].want);
	}
}

/* Every code point there and back; every shorter input refused; nothing read past the end. */
static void test_utf8(void **state)
{
	struct guard g = guard_new(4);

	(void)state;
	for (uint32_t cp = 0; cp < 0x110010; cp++) {
		bool valid = cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff);
		uint32_t back;
		uint8_t c[4];
		size_t n = utf8_encode(cp, c);

		assert_int_equal(n > 0, valid);
		if (!valid || (cp > 0x3000 && cp % 97))
			continue;
		assert_int_equal(utf8_decode(guard_put(&g, span_of(c, n)), &back), n);
		assert_int_equal(back, cp);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(utf8_decode(guard_put(&g, span_of(c, i)), &back), 0);
	}
	guard_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_nothing_raw),
		cmocka_unit_test(test_room), cmocka_unit_test(test_max),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
