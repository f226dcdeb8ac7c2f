/* tests/unit/test_engine.c - what matches is found wherever the text lies in memory, and wherever
 * the match lies in the text. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "detect/engine.h"

#define LEN   200
#define ALIGN 64

static int count(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		 void *ctx)
{
	(void)id;
	(void)from;
	(void)to;
	(void)flags;
	++*(unsigned *)ctx;
	return 0;
}

static void found_everywhere(const char *expression, const char *what)
{
	alignas(ALIGN) static char room[ALIGN + LEN];
	hs_compile_error_t *error;
	hs_platform_info_t platform;
	hs_database_t *db;
	hs_scratch_t *scratch = NULL;

	engine_platform(&platform);
	assert_int_equal(hs_compile(expression, HS_FLAG_DOTALL | HS_FLAG_CASELESS, HS_MODE_BLOCK,
				    &platform, &db, &error),
			 HS_SUCCESS);
	assert_int_equal(hs_alloc_scratch(db, &scratch), HS_SUCCESS);
	for (size_t at = 0; at < ALIGN; at++)
		for (size_t i = 0; i + strlen(what) <= LEN; i++) {
			unsigned n = 0;

			memset(room, '.', sizeof(room));
			memcpy(room + at + i, what, strlen(what));
			assert_int_equal(engine_scan(db, room + at, LEN, scratch, count, &n),
					 HS_SUCCESS);
			if (n != 1)
				fail_msg("%s %u times in %s: text at %zu, match at %zu", expression,
					 n, what, at, i);
		}
	hs_free_scratch(scratch);
	hs_free_database(db);
}

static void finds_at_every_alignment(void **state)
{
	(void)state;
	found_everywhere("\\?\\w{1,16}=", "?token=");
	found_everywhere("q\\w+z", "q12z");
	found_everywhere("[ab]\\d+[zx]", "a12345z");
	found_everywhere("password", "PassWord");
	found_everywhere("\\bkeep (?:this )?secret", "keep this secret");
	found_everywhere("send[^.]{1,30}to\\b", "send all of it to");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_at_every_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
