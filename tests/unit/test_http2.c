/* tests/unit/test_http2.c - HTTP/2 frames of one direction. What streams they make, and hostile
 * ones by the megabyte: test_h2.c. */
#include "parse/http2.h"

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
	assert_true(golden_run(&driver_http2) >= 20);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_http2);
}

/* Answers of http2_probe(): NONE 0, REQUEST and RESPONSE 1, MORE -EAGAIN. */
enum answer { NONE, REQUEST, RESPONSE, MORE };

#define BYTES(s)                                                                                   \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}
#define HEAD(L, flags) "\0\0" L "\1" flags "\0\0\0\1"

static void test_probe(void **state)
{
	static const struct {
		struct span in;
		bool midway;
		enum answer want;
	} rows[] = {
		{ BYTES(""), false, MORE },
		{ BYTES("P"), false, MORE },
		{ BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r"), false, MORE },
		{ BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), false, REQUEST },
		{ BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"), true, REQUEST },
		{ BYTES("POST /"), false, NONE },
		{ BYTES("PRI * HTTP/1.1\r\n"), false, NONE },
		{ BYTES("\x16\3\1"), false, NONE },
		/* What a server says first. */
		{ BYTES("\0\0\6\4\0\0\0\0"), false, MORE },
		{ BYTES("\0\0\6\4\0\0\0\0\0"), false, RESPONSE },
		{ BYTES("\0\0\7\4\0\0\0\0\0"), false, NONE },
		{ BYTES("\0\0\0\4\1\0\0\0\0"), false, NONE },
		{ BYTES(HEAD("\3", "\5") "\x82\x87\x84"), false, NONE },
		/* Midway. */
		{ BYTES(HEAD("\3", "\5") "\x82"), true, MORE },
		{ BYTES(HEAD("\3", "\5") "\x82\x87"), true, REQUEST },
		{ BYTES(HEAD("\3", "\5") "\x82\xc5\x44"), true, REQUEST },
		{ BYTES(HEAD("\1", "\4") "\x88"), true, RESPONSE },
		{ BYTES(HEAD("\x7", "\x2c") "\1\0\0\0\0\7\x88"), true, RESPONSE },
		{ BYTES(HEAD("\6", "\5") "\x08\3"
					 "404"),
		  true, RESPONSE },
		{ BYTES(HEAD("\6", "\5") "\x48\3"
					 "40"),
		  true, RESPONSE },
		{ BYTES("\0\0\4\x8\0\0\0\0\0\0\0\1\0" HEAD("\1", "\4") "\x88"), true, RESPONSE },
		{ BYTES(HEAD("\3", "\5") "\xc2\xc3\xc4"), true, MORE },
		{ BYTES(HEAD("\3", "\5") "\x93\x82\x87"), true, MORE },
		{ BYTES(HEAD("\3", "\x45") "\x82\x87\x84"), true, NONE },
		{ BYTES("\0\0\4\x8\0\0\0\0\0\0\0\1\0GET /"), true, NONE },
		{ BYTES("{\"a\": 1}"), true, NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool request;
		int rc = http2_probe(rows[i].in, rows[i].midway, &request);
		enum answer got = rc == -EAGAIN ? MORE : !rc ? NONE : request ? REQUEST : RESPONSE;

		if (got != rows[i].want)
			fail_msg("row %zu: %d, not %d", i, got, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
