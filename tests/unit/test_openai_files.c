/* tests/unit/test_openai_files.c - files, uploads, batches, training jobs and vector stores, as the
 * package sends them, become turns. */
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
	recordings_test("files_");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recordings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
