/* tests/unit/test_eventstream.c - AWS event streams. */
#include "parse/eventstream.h"

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
	assert_true(golden_run(&driver_eventstream) >= 15);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_eventstream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
