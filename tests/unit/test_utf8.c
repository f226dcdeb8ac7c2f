/* tests/unit/test_utf8.c - bytes in pieces become UTF-8, the same however they are cut. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"

#define BAD "\xef\xbf\xbd"

static const struct {
	const char *in, *want;
} rows[] = {
	{ "plain", "plain" },
	{ "Gr\xc3\xbc\xc3\x9f"
	  "e \xe2\x82\xac \xf0\x9f\x98\x80",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "\xff\xfe", BAD BAD },
	{ "\xc3x", BAD "x" }, /* the byte that ends one early begins the next */
	{ "\xc3\xc3\xbc", BAD "\xc3\xbc" },
	{ "\xe2\x82", BAD },		 /* cut at the end */
	{ "\xed\xa0\x80", BAD BAD },	 /* a surrogate: its last byte stands for itself */
	{ "\xc0\xaf", BAD BAD },	 /* overlong */
	{ "\xf4\x90\x80\x80", BAD BAD }, /* beyond Unicode */
};

static void test_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span in = span_str(rows[i].in);
		struct guard g = guard_new(in.len);

		in = guard_put(&g, in);
		for (size_t piece = 1; piece <= in.len; piece++) {
			struct utf8 u = { 0 };
			uint8_t out[64];
			size_t len = 0, n;

			for (size_t at = 0; at < in.len; at += piece) {
				struct span some = span_sub(in, at, MIN(piece, in.len - at));

				while ((n = utf8_clean(&u, &some, out + len, UTF8_OUT_MIN)) != 0)
					len += n;
				assert_int_equal(some.len, 0);
			}
			if (utf8_end(&u)) {
				memcpy(out + len, BAD, 3);
				len += 3;
			}
			assert_int_equal(len, strlen(rows[i].want));
			assert_memory_equal(out, rows[i].want, len);
		}
		guard_free(&g);
	}
}

static void test_is_text(void **state)
{
	(void)state;
	assert_true(utf8_is_text(SPAN_LIT("a\tb\r\n\f\xc3\xbc"), false));
	assert_false(utf8_is_text(SPAN_LIT("a\1b"), false));
	assert_false(utf8_is_text(SPAN_LIT("a\xc3"), false));
	assert_true(utf8_is_text(SPAN_LIT("a\xc3"), true));
	assert_false(utf8_is_text(SPAN_LIT("a\xc3 b"), true));
	assert_false(utf8_is_text(SPAN_LIT("\x89PNG\r\n"), true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_is_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
