/* tests/unit/test_sse.c - server-sent events. */
#include "parse/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "golden.h"

static void test_goldens(void **state)
{
	(void)state;
	assert_true(golden_run(&driver_sse) >= 20);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_sse);
}

struct seen {
	unsigned n, damaged;
	size_t bytes;
};

static void see(void *ctx, const struct sse_event *e)
{
	struct seen *s = ctx;

	s->n++;
	s->damaged += e->damaged;
	s->bytes += e->data.len;
}

/* A comment, an unknown field and a type of many megabytes cost no memory: the cap is on the event
 * alone. */
static void test_long_lines(void **state)
{
	static const char *const fields[] = { ":", "unknown: ", "unknownwithoutcolon",
					      "id: ", "event: " };
	static char block[1 << 16];

	(void)state;
	memset(block, 'x', sizeof(block));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		auto_free(sse) struct sse *s = NULL;
		struct seen seen = { 0 };

		assert_int_equal(sse_new(&s, 16, see, &seen), 0);
		assert_int_equal(sse_feed(s, span_str(fields[i])), 0);
		for (unsigned k = 0; k < 64; k++)
			assert_int_equal(sse_feed(s, span_of(block, sizeof(block))), 0);
		assert_int_equal(sse_feed(s, SPAN_LIT("\ndata: a\n\n")), 0);
		assert_int_equal(seen.n, 1);
		assert_int_equal(seen.damaged, i == 4); /* its type was cut */
		assert_int_equal(sse_cut(s), i == 4);
		assert_int_equal(seen.bytes, 1);
	}
}

/* An event without end is cut at the cap, given once, and the next one is whole. */
static void test_endless_event(void **state)
{
	auto_free(sse) struct sse *s = NULL;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(sse_new(&s, 1000, see, &seen), 0);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(sse_feed(s, SPAN_LIT("data: 0123456789\n")), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(sse_feed(s, SPAN_LIT("\ndata: x\n\n")), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.damaged, 1);
	assert_int_equal(seen.bytes, 1001);
	assert_int_equal(sse_cut(s), 1);
}

/* After the end the reader is at the beginning of another stream. */
static void test_again(void **state)
{
	auto_free(sse) struct sse *s = NULL;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(sse_new(&s, 100, see, &seen), 0);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(sse_feed(s, SPAN_LIT("\xef\xbb\xbf"
						      "data: a\n\ndata: cut")),
				 0);
		sse_end(s);
		assert_int_equal(seen.n, 2 * i);
		assert_int_equal(seen.damaged, i);
	}
}

/* A loss that cannot be counted is a loss all the same. */
static void test_uncounted_gap(void **state)
{
	auto_free(sse) struct sse *s = NULL;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(sse_new(&s, 100, see, &seen), 0);
	assert_int_equal(sse_feed(s, SPAN_LIT("data: cut")), 0);
	sse_gap(s, 0);
	assert_int_equal(sse_feed(s, SPAN_LIT(" here\ndata: a\n\ndata: whole\n\n")), 0);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.damaged, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),	   cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_long_lines), cmocka_unit_test(test_endless_event),
		cmocka_unit_test(test_again),	   cmocka_unit_test(test_uncounted_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
