/* tests/unit/test_base64.c - both alphabets, padding, noise. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"

static void test_decode(void **state)
{
	static const struct {
		const char *in;
		struct span out;
	} rows[] = {
		{ "", SPAN_LIT("") },
		{ "Zg==", SPAN_LIT("f") },
		{ "Zm8=", SPAN_LIT("fo") },
		{ "Zm9v", SPAN_LIT("foo") },
		{ "Zm9vYmFy", SPAN_LIT("foobar") },
		{ "+/-_", SPAN_LIT("\xfb\xff\xbf") },
		{ "Zm\r\n9v", SPAN_LIT("foo") },
		{ "Zm9vY", SPAN_LIT("foo") },
		{ "Zg==Zm9v", SPAN_LIT("f") },
		{ "=", SPAN_LIT("") },
		{ "\xff*.", SPAN_LIT("") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guard g = guard_new(strlen(rows[i].in));
		struct span in = guard_put(&g, span_str(rows[i].in));
		uint8_t out[16];
		size_t n = base64_decode(out, in);

		assert_true(span_eq(span_of(out, n), rows[i].out));
		/* Where it stands. */
		n = base64_decode((uint8_t *)in.p, in);
		assert_true(span_eq(span_of(in.p, n), rows[i].out));
		guard_free(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
