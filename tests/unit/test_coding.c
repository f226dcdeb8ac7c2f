/* tests/unit/test_coding.c - content codings. Inputs are made with the libraries that everyone
 * uses. */
#include "parse/coding.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brotli/encode.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/own.h"
#include "golden.h"

#define GZIP_BITS (16 + MAX_WBITS)

static void test_goldens(void **state)
{
	(void)state;
	assert_true(golden_run(&driver_coding) >= 20);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_coding);
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

static struct buf packed_br(struct span in, int window, int level)
{
	struct buf ret = BUF(64 << 20);
	size_t len = BrotliEncoderMaxCompressedSize(in.len) + 1024;
	auto_mem uint8_t *out = malloc(len);

	assert_true(
	    BrotliEncoderCompress(level, window, BROTLI_MODE_TEXT, in.len, in.p, &len, out));
	assert_int_equal(buf_add(&ret, span_of(out, len)), 0);
	return ret;
}

static struct buf packed_zstd(struct span in, int window, int level)
{
	struct buf ret = BUF(64 << 20);
	size_t len = ZSTD_compressBound(in.len);
	auto_mem uint8_t *out = malloc(len);
	ZSTD_CCtx *z = ZSTD_createCCtx();

	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, level)));
	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window)));
	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0)));
	len = ZSTD_compress2(z, out, len, in.p, in.len);
	assert_false(ZSTD_isError(len));
	ZSTD_freeCCtx(z);
	assert_int_equal(buf_add(&ret, span_of(out, len)), 0);
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
		enum coding_kind coding;
		int bits;
		struct buf (*pack)(struct span in, int bits, int level);
	} formats[] = {
		{ CODING_GZIP, GZIP_BITS, packed },
		{ CODING_DEFLATE, MAX_WBITS, packed },
		{ CODING_DEFLATE, -MAX_WBITS, packed },
		{ CODING_DEFLATE, -9, packed },
		{ CODING_BR, 16, packed_br },
		{ CODING_BR, 24, packed_br },
		{ CODING_ZSTD, 17, packed_zstd },
		{ CODING_ZSTD, CODING_WINDOW_LOG, packed_zstd },
	};
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
			struct buf in =
			    formats[f].pack(span_of(text, sizeof(text)), formats[f].bits, level);

			for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
				auto_free(coding) struct coding *z = NULL;
				struct buf out = BUF(sizeof(text));

				assert_int_equal(
				    coding_new(&z, formats[f].coding,
					       &(struct coding_limits){ sizeof(text), 1000, NULL },
					       add, &out),
				    0);
				for (size_t i = 0; i < in.len; i += pieces[p])
					assert_int_equal(
					    coding_feed(z, span_sub(buf_span(&in), i, pieces[p])),
					    0);
				assert_int_equal(coding_end(z), 0);
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
	auto_free(coding) struct coding *by_ratio = NULL, *by_size = NULL, *whole = NULL,
					*outer = NULL;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(coding_new(&by_ratio, CODING_GZIP,
				    &(struct coding_limits){ UINT64_MAX, 100, NULL }, count, &n),
			 0);
	assert_int_equal(coding_feed(by_ratio, buf_span(&in)), -E2BIG);
	assert_in_range(n, 64 << 10, 128 << 10);
	assert_int_equal(coding_feed(by_ratio, SPAN_LIT("more")), -E2BIG);
	assert_int_equal(coding_end(by_ratio), -E2BIG);

	n = 0;
	assert_int_equal(coding_new(&by_size, CODING_GZIP,
				    &(struct coding_limits){ 1000000, 10000, NULL }, count, &n),
			 0);
	assert_int_equal(coding_feed(by_size, buf_span(&in)), -E2BIG);
	assert_int_equal(n, 1000000); /* to the byte */

	n = 0;
	assert_int_equal(coding_new(&whole, CODING_GZIP,
				    &(struct coding_limits){ BOMB, 10000, NULL }, count, &n),
			 0);
	assert_int_equal(coding_feed(whole, buf_span(&in)), 0);
	assert_int_equal(coding_end(whole), 0);
	assert_int_equal(n, BOMB);

	/* A bomb in a bomb: only the outer one is removed here, and it stays small. */
	twice = packed(buf_span(&in), GZIP_BITS, 9);
	n = 0;
	assert_int_equal(coding_new(&outer, CODING_GZIP,
				    &(struct coding_limits){ 1 << 20, 100, NULL }, count, &n),
			 0);
	assert_int_equal(coding_feed(outer, buf_span(&twice)), 0);
	assert_int_equal(n, in.len);
	buf_free(&in);
	buf_free(&twice);
}

/* The same of the others: a window is taken only as far as it is used, and never beyond the budget.
 */
static void test_bombs(void **state)
{
	enum { BOMB = 32 << 20 };
	auto_mem uint8_t *zeros = calloc(1, BOMB);
	const struct {
		enum coding_kind coding;
		struct buf in;
	} rows[] = {
		{ CODING_BR, packed_br(span_of(zeros, BOMB), 22, 5) },
		{ CODING_ZSTD, packed_zstd(span_of(zeros, BOMB), CODING_WINDOW_LOG, 5) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t left = 1 << 20, n = 0;
		struct coding_limits limits = { UINT64_MAX, 100, NULL };
		struct buf in = rows[i].in;
		struct coding *z = NULL;

		assert_int_equal(coding_new(&z, rows[i].coding, &limits, count, &n), 0);
		assert_int_equal(coding_feed(z, buf_span(&in)), -E2BIG);
		assert_in_range(n, CODING_RATIO_FREE, 256 << 10);
		coding_free(&z);

		limits.left = &left;
		assert_int_equal(coding_new(&z, rows[i].coding, &limits, count, &n), 0);
		assert_int_equal(coding_feed(z, buf_span(&in)), -ENOMEM);
		assert_in_range(left, 0, 1 << 20);
		coding_free(&z);
		assert_int_equal(left, 1 << 20);
		buf_free(&in);
	}
}

/* A frame that wants more memory than a content coding may is a cap, not an error of ours. */
static void test_wide_window(void **state)
{
	enum { LEN = 32 << 20 };
	auto_mem uint8_t *text = calloc(1, LEN);
	const struct {
		enum coding_kind coding;
		struct buf in;
	} rows[] = {
		{ CODING_ZSTD, packed_zstd(span_of(text, LEN), CODING_WINDOW_LOG + 1, 1) },
		{ CODING_BR, packed_br(span_of(text, LEN), 24, 5) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct coding_limits limits = { UINT64_MAX, 1000, NULL };
		auto_free(coding) struct coding *z = NULL;
		struct buf in = rows[i].in;
		uint64_t n = 0;

		assert_int_equal(coding_new(&z, rows[i].coding, &limits, count, &n), 0);
		assert_int_equal(coding_feed(z, buf_span(&in)), -E2BIG);
		assert_int_equal(n, 0);
		buf_free(&in);
	}
}

static void test_sniff(void **state)
{
	enum coding_kind k = CODING_MAX_;

	(void)state;
	assert_int_equal(coding_sniff(SPAN_LIT("\x1f\x8b\x08\x00"), &k), 1);
	assert_int_equal(k, CODING_GZIP);
	assert_int_equal(coding_sniff(SPAN_LIT("\x28\xb5\x2f\xfd"), &k), 1);
	assert_int_equal(k, CODING_ZSTD);
	assert_int_equal(coding_sniff(SPAN_LIT("\x28\xb5\x2f"), &k), -EAGAIN);
	assert_int_equal(coding_sniff(SPAN_LIT("\x1f"), &k), -EAGAIN);
	assert_int_equal(coding_sniff(SPAN_LIT(""), &k), -EAGAIN);
	assert_int_equal(coding_sniff(SPAN_LIT("("), &k), -EAGAIN);
	assert_int_equal(coding_sniff(SPAN_LIT("(a"), &k), 0);
	assert_int_equal(coding_sniff(SPAN_LIT("{"), &k), 0);
	assert_int_equal(coding_named(SPAN_LIT("ZSTD")), CODING_ZSTD);
	assert_int_equal(coding_named(SPAN_LIT("Base64")), CODING_BASE64);
	assert_int_equal(coding_named(SPAN_LIT("compress")), CODING_MAX_);
}

/* A small text may be as dense as it likes. */
static void test_ratio_needs_size(void **state)
{
	static uint8_t zeros[60000];
	struct buf in = packed(span_of(zeros, sizeof(zeros)), MAX_WBITS, 9);
	auto_free(coding) struct coding *z = NULL;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(
	    coding_new(&z, CODING_DEFLATE, &(struct coding_limits){ 1 << 20, 1, NULL }, count, &n),
	    0);
	assert_int_equal(coding_feed(z, buf_span(&in)), 0);
	assert_int_equal(coding_end(z), 0);
	assert_int_equal(n, sizeof(zeros));
	buf_free(&in);
}

static void test_arguments(void **state)
{
	struct coding *z = NULL;

	(void)state;
	assert_int_equal(
	    coding_new(&z, CODING_GZIP, &(struct coding_limits){ 1, 0, NULL }, count, NULL),
	    -EINVAL);
	assert_null(z);
	coding_free(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),		 cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_round_trip),	 cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_ratio_needs_size), cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_wide_window),	 cmocka_unit_test(test_sniff),
		cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
