/* tests/unit/test_gemini.c - what the packages of user/dialect/gemini.c's APIs send becomes turns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "recording.h"

static void test_recordings(void **state)
{
	(void)state;
	recordings_test("gemini_");
}

static void test_joined(void **state)
{
	(void)state;
	recordings_test_joined("gemini_live");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recordings),
		cmocka_unit_test(test_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
