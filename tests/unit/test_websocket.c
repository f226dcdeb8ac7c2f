/* tests/unit/test_websocket.c - WebSocket messages. */
#include "parse/websocket.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <zlib.h>

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

/* --- what is lost stays lost, however often it is repeated */

#define REPEATED 2000 /* messages: far more than the 32 KiB that deflate refers back to */

struct repeated {
	unsigned n, damaged;
};

static void say(unsigned i, char out[96])
{
	snprintf(out, 96, "{\"type\":\"event\",\"text\":\"%s %u\"}", i % 3 ? "one two" : "three",
		 i);
}

static void on_message(void *ctx, const struct websocket_message *m)
{
	struct repeated *r = ctx;
	bool known = r->n != 1 && !memchr(m->data.p, '?', m->data.len);
	char want[96];

	say(r->n, want);
	if (r->n == 1) /* the lost one */
		*want = 0;
	assert_int_equal(m->data.len, strlen(want));
	for (size_t i = 0; i < m->data.len; i++)
		assert_true(m->data.p[i] == '?' || m->data.p[i] == want[i]);
	assert_int_equal(m->damaged, !known);
	r->damaged += m->damaged;
	r->n++;
}

static void test_repeated(void **state)
{
	const struct websocket_opts opts = {
		.deflate = true, .takeover = true, .max_message = 1024, .max_ratio = 100
	};
	auto_free(websocket) struct websocket *w = NULL;
	struct repeated r = { 0 };
	z_stream z = { 0 };

	(void)state;
	assert_int_equal(websocket_new(&w, &opts, on_message, &r), 0);
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	for (unsigned i = 0; i < REPEATED; i++) {
		uint8_t frame[128] = { 0xc1 };
		char text[96];
		size_t len;

		say(i, text);
		z.next_in = (uint8_t *)text;
		z.avail_in = (unsigned)strlen(text);
		z.next_out = frame + 2;
		z.avail_out = sizeof(frame) - 2;
		assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
		len = sizeof(frame) - 2 - z.avail_out - 4; /* without the empty block's length */
		frame[1] = (uint8_t)len;
		assert_int_equal(websocket_feed(w, span_of(frame, i == 1 ? 2 : 2 + len)), 0);
		if (i == 1)
			websocket_gap(w, len);
	}
	deflateEnd(&z);
	assert_int_equal(r.n, REPEATED);
	assert_true(r.damaged > REPEATED / 2);
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
		cmocka_unit_test(test_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
