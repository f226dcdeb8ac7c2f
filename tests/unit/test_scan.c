/* tests/unit/test_scan.c - vector scans against the plain loop, at every length and position, at a
 * guard page. */
#include "base/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"

static bool ends_line(uint8_t c)
{
	return c == '\r' || c == '\n';
}

static bool ends_json(uint8_t c)
{
	return c == '"' || c == '\\' || c < 0x20 || c >= 0x7f;
}

static const struct {
	size_t (*scan)(struct span);
	bool (*ends)(uint8_t);
} scans[] = { { scan_line, ends_line }, { scan_json, ends_json } };

static void test_positions(void **state)
{
	struct guard g = guard_new(70);
	uint8_t text[70];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t k = 0; k < ARRAY_SIZE(scans); k++) {
		for (size_t len = 0; len <= sizeof(text); len++) {
			assert_int_equal(scans[k].scan(guard_put(&g, span_of(text, len))), len);
			for (size_t at = 0; at < len; at++) {
				text[at] = text[len - 1] = '\n'; /* the first of two is found */
				assert_int_equal(scans[k].scan(guard_put(&g, span_of(text, len))),
						 at);
				text[at] = text[len - 1] = 'a';
			}
		}
	}
	guard_free(&g);
}

static void test_bytes(void **state)
{
	uint8_t text[40];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(scans); k++) {
		for (unsigned c = 0; c < 256; c++) {
			memset(text, 'a', sizeof(text));
			text[5] = text[37] = (uint8_t)c; /* in a vector, and behind the last one */
			assert_int_equal(scans[k].scan(span_of(text, sizeof(text))),
					 scans[k].ends((uint8_t)c) ? 5 : sizeof(text));
			text[5] = 'a';
			assert_int_equal(scans[k].scan(span_of(text, sizeof(text))),
					 scans[k].ends((uint8_t)c) ? 37 : sizeof(text));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
