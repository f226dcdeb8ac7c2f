/* tests/unit/test_websocket.c - WebSocket messages. */
#include "parse/websocket.h"

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
	assert_true(golden_run(&driver_websocket) >= 30);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_websocket);
}

#define OBJECT "{\"a\":1}"

static void test_probe(void **state)
{
	static const struct {
		struct span record;
		int is; /* 0, 1: by the server, 2: by the client */
	} rows[] = {
		{ SPAN_LIT("\x81\x07" OBJECT), 1 },
		{ SPAN_LIT("\x82\x07" OBJECT), 1 },
		{ SPAN_LIT("\x81\x87\0\0\0\0" OBJECT), 2 },
		{ SPAN_LIT("\x81\x87\1\1\1\1" OBJECT), 0 },
		/* The first fragment; a frame of which only the beginning is there; two. */
		{ SPAN_LIT("\x01\x7e\x01\x00" OBJECT), 1 },
		{ SPAN_LIT("\x81\x7e\x01\x00" OBJECT), 1 },
		{ SPAN_LIT("\x81\x07" OBJECT "\x89\0"), 1 },
		/* Compressed: up to the end, and nothing else. */
		{ SPAN_LIT("\xc1\x03xyz"), 1 },
		{ SPAN_LIT("\xc1\x83mask..."), 2 },
		{ SPAN_LIT("\x8a\0\xc1\x03xyz\x89\1p"), 1 },
		{ SPAN_LIT("\xc1\x03xy"), 0 },
		{ SPAN_LIT("\xc1\x03xyz.."), 0 },
		{ SPAN_LIT("\xc1\x03xyz\x89\x81mask."), 0 },
		{ SPAN_LIT("\xe1\x03xyz"), 0 },
		{ SPAN_LIT("\xc2\x03xyz"), 0 },
		/* Too little to go by: control frames, texts that are no objects, MQTT. */
		{ SPAN_LIT("\x89\x00"), 0 },
		{ SPAN_LIT("\x81\x05hello"), 0 },
		{ SPAN_LIT("\x82\x05\0\1\0\1a"), 0 },
		{ SPAN_LIT("\x81"), 0 },
		{ SPAN_LIT(""), 0 },
		{ SPAN_LIT("GET / HTTP/1.1\r\n"), 0 },
		{ SPAN_LIT(OBJECT), 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool masked = false;

		assert_int_equal(websocket_probe(rows[i].record, &masked), rows[i].is != 0);
		assert_int_equal(rows[i].is == 2, rows[i].is && masked);
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
