/* tests/unit/test_inflate.c - gzip and deflate bodies. Inputs are made with zlib. */
#include "parse/inflate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/own.h"
#include "golden.h"

#define GZIP_BITS (16 + MAX_WBITS)

static void test_goldens(void **state)
{
	(void)state;
	assert_true(golden_run(&driver_inflate) >= 20);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_inflate);
}

/* in compressed; window bits as zlib takes them. */
static struct buf packed(struct span in, int bits, int level)
{
	struct buf ret = BUF(64 << 20);
	uint8_t out[4096];
	z_stream z = { .next_in = (uint8_t *)in.p, .avail_in = (unsigned)in.len };
	int rc;

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	do {
		z.next_out = out;
		z.avail_out = sizeof(out);
		rc = deflate(&z, Z_FINISH);
		assert_int_equal(buf_add(&ret, span_of(out, sizeof(out) - z.avail_out)), 0);
	} while (rc == Z_OK);
	assert_int_equal(rc, Z_STREAM_END);
	deflateEnd(&z);
	return ret;
}

static void add(void *ctx, struct span out)
{
	assert_int_equal(buf_add(ctx, out), 0);
}

/* 300,000 bytes of every format and level, in pieces of many sizes: the same text comes out. */
static void test_round_trip(void **state)
{
	static const struct {
		enum inflate_coding coding;
		int bits;
	} formats[] = { { INFLATE_GZIP, GZIP_BITS },
			{ INFLATE_DEFLATE, MAX_WBITS },
			{ INFLATE_DEFLATE, -MAX_WBITS },
			{ INFLATE_DEFLATE, -9 } };
	static const size_t pieces[] = { 1, 2, 3, 7, 100, 4096, 1 << 20 };
	static uint8_t text[300000];
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		x = x * 1664525 + 1013904223;
		text[i] = i % 1000 < 700 ? (uint8_t) "lorem ipsum dolor "[i % 18] : x >> 24;
	}
	for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
		for (int level = 0; level <= 9; level += 3) {
			struct buf in = packed(span_of(text, sizeof(text)), formats[f].bits, level);

			for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
				auto_free(inflate) struct inflate *z = NULL;
				struct buf out = BUF(sizeof(text));

				assert_int_equal(inflate_new(&z, formats[f].coding, sizeof(text),
							     1000, add, &out),
						 0);
				for (size_t i = 0; i < in.len; i += pieces[p])
					assert_int_equal(
					    inflate_feed(z, span_sub(buf_span(&in), i, pieces[p])),
					    0);
				assert_int_equal(inflate_end(z), 0);
				assert_true(span_eq(buf_span(&out), span_of(text, sizeof(text))));
				buf_free(&out);
			}
			buf_free(&in);
		}
	}
}

static void count(void *ctx, struct span out)
{
	*(uint64_t *)ctx += out.len;
}

/* 16 MiB of zeros in 16 KiB: whichever cap comes first ends it, at once. */
static void test_bomb(void **state)
{
	enum { BOMB = 16 << 20 };
	auto_mem uint8_t *zeros = calloc(1, BOMB);
	struct buf in = packed(span_of(zeros, BOMB), GZIP_BITS, 9), twice;
	auto_free(inflate) struct inflate *by_ratio = NULL, *by_size = NULL, *whole = NULL,
					  *outer = NULL;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(inflate_new(&by_ratio, INFLATE_GZIP, UINT64_MAX, 100, count, &n), 0);
	assert_int_equal(inflate_feed(by_ratio, buf_span(&in)), -E2BIG);
	assert_in_range(n, 64 << 10, 128 << 10);
	assert_int_equal(inflate_feed(by_ratio, SPAN_LIT("more")), -E2BIG);
	assert_int_equal(inflate_end(by_ratio), -E2BIG);

	n = 0;
	assert_int_equal(inflate_new(&by_size, INFLATE_GZIP, 1000000, 10000, count, &n), 0);
	assert_int_equal(inflate_feed(by_size, buf_span(&in)), -E2BIG);
	assert_int_equal(n, 1000000); /* to the byte */

	n = 0;
	assert_int_equal(inflate_new(&whole, INFLATE_GZIP, BOMB, 10000, count, &n), 0);
	assert_int_equal(inflate_feed(whole, buf_span(&in)), 0);
	assert_int_equal(inflate_end(whole), 0);
	assert_int_equal(n, BOMB);

	/* A bomb in a bomb: only the outer one is removed here, and it stays small. */
	twice = packed(buf_span(&in), GZIP_BITS, 9);
	n = 0;
	assert_int_equal(inflate_new(&outer, INFLATE_GZIP, 1 << 20, 100, count, &n), 0);
	assert_int_equal(inflate_feed(outer, buf_span(&twice)), 0);
	assert_int_equal(n, in.len);
	buf_free(&in);
	buf_free(&twice);
}

/* A small text may be as dense as it likes. */
static void test_ratio_needs_size(void **state)
{
	static uint8_t zeros[60000];
	struct buf in = packed(span_of(zeros, sizeof(zeros)), MAX_WBITS, 9);
	auto_free(inflate) struct inflate *z = NULL;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(inflate_new(&z, INFLATE_DEFLATE, 1 << 20, 1, count, &n), 0);
	assert_int_equal(inflate_feed(z, buf_span(&in)), 0);
	assert_int_equal(inflate_end(z), 0);
	assert_int_equal(n, sizeof(zeros));
	buf_free(&in);
}

static void test_arguments(void **state)
{
	struct inflate *z = NULL;

	(void)state;
	assert_int_equal(inflate_new(&z, INFLATE_GZIP, 1, 0, count, NULL), -EINVAL);
	assert_null(z);
	inflate_free(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),		 cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_round_trip),	 cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_ratio_needs_size), cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
