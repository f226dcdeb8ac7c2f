/* tests/unit/test_hpack.c - HPACK: goldens, nghttp2 as the oracle, streams joined midway, caps. */
#include "parse/hpack.h"

#include <errno.h>
#include <malloc.h>
#include <nghttp2/nghttp2.h>
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
	assert_true(golden_run(&driver_hpack) >= 20);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_hpack);
}

/* --- blocks as nghttp2 makes them */

#define BLOCK_MAX 65536

static uint64_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

/* A field set like those of an API client: some names and values come again and again. */
static size_t make_fields(uint64_t *seed, nghttp2_nv *nv, char (*texts)[2][400], size_t max)
{
	static const char *const names[] = {
		":method",	 ":path",	 ":authority",	     "content-type",
		"authorization", "x-request-id", "x-stainless-lang", "user-agent",
		"cookie",	 "traceparent",
	};
	size_t n = 1 + random_next(seed) % max;

	for (size_t i = 0; i < n; i++) {
		uint64_t what = random_next(seed);
		size_t len;

		if (what % 4)
			strcpy(texts[i][0], names[what / 4 % ARRAY_SIZE(names)]);
		else
			sprintf(texts[i][0], "x-%u", (unsigned)(random_next(seed) % 60));
		len = (size_t)sprintf(texts[i][1], "value %u", (unsigned)(random_next(seed) % 8));
		if (what % 7 == 0) {
			size_t more = random_next(seed) % (sizeof(texts[i][1]) - 20);

			for (size_t k = 0; k < more; k++)
				texts[i][1][len++] = (char)(1 + random_next(seed) % 255);
			texts[i][1][len] = 0;
		}
		nv[i] = (nghttp2_nv){ (uint8_t *)texts[i][0], (uint8_t *)texts[i][1],
				      strlen(texts[i][0]), len,
				      what % 11 ? 0 : NGHTTP2_NV_FLAG_NO_INDEX };
	}
	return n;
}

struct seen {
	const nghttp2_nv *nv; /* what must come, one after the other */
	size_t n, at;
	unsigned unknown, right;
};

static void on_field(void *ctx, const struct hpack_field *f)
{
	struct seen *s = ctx;
	const nghttp2_nv *want = &s->nv[s->at++];

	assert_true(s->at <= s->n);
	assert_false(f->cut);
	s->unknown += f->name_unknown || f->value_unknown;
	s->right += !f->name_unknown && !f->value_unknown;
	/* Whatever is said to be known is right. */
	if (!f->name_unknown)
		assert_true(span_eq(f->name, span_of(want->name, want->namelen)));
	if (!f->value_unknown)
		assert_true(span_eq(f->value, span_of(want->value, want->valuelen)));
}

/* Blocks of one encoder, `from` on; returns how many of the fields were unknown. */
static unsigned play(uint64_t seed, size_t from, size_t n_blocks, size_t piece)
{
	static uint8_t block[BLOCK_MAX];
	static char texts[40][2][400];
	nghttp2_hd_deflater *deflater;
	nghttp2_nv nv[40];
	auto_free(hpack) struct hpack *h = NULL;
	struct seen s = { .nv = nv };

	assert_int_equal(nghttp2_hd_deflate_new(&deflater, 16384), 0);
	assert_int_equal(hpack_new(&h, on_field, &s), 0);
	if (from)
		hpack_lost(h, false);
	for (size_t i = 0; i < n_blocks; i++) {
		ssize_t len;

		if (random_next(&seed) % 40 == 0)
			nghttp2_hd_deflate_change_table_size(deflater, random_next(&seed) % 16384);
		s.n = make_fields(&seed, nv, texts, ARRAY_SIZE(nv));
		s.at = 0;
		len = nghttp2_hd_deflate_hd(deflater, block, sizeof(block), nv, s.n);
		assert_true(len > 0);
		if (i < from)
			continue;
		for (size_t at = 0; at < (size_t)len; at += piece)
			assert_int_equal(
			    hpack_feed(h, span_sub(span_of(block, (size_t)len), at, piece)), 0);
		assert_int_equal(hpack_end(h), 0);
		assert_int_equal(s.at, s.n);
	}
	nghttp2_hd_deflate_del(deflater);
	assert_int_equal(hpack_stats(h)->broken, 0);
	assert_int_equal(hpack_stats(h)->unknown, s.unknown);
	assert_true(s.right > s.unknown);
	return s.unknown;
}

static void test_nghttp2(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++)
		assert_int_equal(play(seed, 0, 60, 1 + seed % 9), 0);
}

/* Joined anywhere: nothing is invented, and the table heals. */
static void test_midway(void **state)
{
	unsigned unknown = 0;

	(void)state;
	for (size_t from = 1; from < 40; from++)
		unknown += play(from, from, from + 60, SIZE_MAX);
	assert_true(unknown > 0);
}

/* --- hostile blocks */

struct sum {
	size_t fields, bytes, cut;
};

static void add_up(void *ctx, const struct hpack_field *f)
{
	struct sum *s = ctx;

	s->fields++;
	s->bytes += f->name.len + f->value.len;
	s->cut += f->cut;
}

static int feed_bytes(struct hpack *h, const void *p, size_t n)
{
	return hpack_feed(h, span_of(p, n));
}

#define FEED(h, s) assert_int_equal(feed_bytes(h, s, sizeof(s) - 1), 0)

/* An encoder may make its table of whatever size; what we keep has a cap, also with entries as
 * small as they get and as shared as they get. */
static void test_memory(void **state)
{
	auto_free(hpack) struct hpack *h = NULL;
	size_t before = mallinfo2().uordblks;
	struct sum s = { 0 };
	char name[20000];

	(void)state;
	assert_int_equal(hpack_new(&h, add_up, &s), 0);
	FEED(h, "\x3f\xe1\xff\xff\xff\x07"); /* 2^31 and a little */
	for (int i = 0; i < 100000; i++)
		FEED(h, "\x40\x01"
			"a\x01"
			"b");
	assert_int_equal(s.fields, 100000);
	assert_true(mallinfo2().uordblks - before < 256 << 10);
	/* A name of 20,000 bytes, again and again for three bytes each. */
	memset(name, 'n', sizeof(name));
	FEED(h, "\x40\x7f\xa1\x9b\x01"); /* 20000 */
	assert_int_equal(feed_bytes(h, name, sizeof(name)), 0);
	FEED(h, "\x01v");
	for (int i = 0; i < 100000; i++)
		FEED(h, "\x7e\x01w");
	assert_int_equal(s.fields, 200001);
	assert_true(mallinfo2().uordblks - before < 256 << 10);
	assert_int_equal(hpack_end(h), 0);
}

/* A field longer than the cap is cut, not kept, and what follows is read. */
static void test_long_field(void **state)
{
	auto_free(hpack) struct hpack *h = NULL;
	struct sum s = { 0 };
	char block[1 << 16];

	(void)state;
	memset(block, 'v', sizeof(block));
	assert_int_equal(hpack_new(&h, add_up, &s), 0);
	FEED(h, "\x40\x01n\x7f\x81\xff\x3f"); /* 2^20 */
	for (int i = 0; i < 16; i++)
		assert_int_equal(feed_bytes(h, block, sizeof(block)), 0);
	FEED(h, "\x82");
	assert_int_equal(s.fields, 2);
	assert_int_equal(s.cut, 1);
	assert_int_equal(s.bytes, HPACK_TABLE_MAX + sizeof(":methodGET") - 1);
	/* The table is empty, and known to be. */
	assert_int_equal(feed_bytes(h, "\xbe", 1), -EBADMSG);
	assert_int_equal(hpack_end(h), 0);
	assert_int_equal(hpack_stats(h)->cut, 1);
	assert_int_equal(hpack_stats(h)->broken, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_nghttp2), cmocka_unit_test(test_midway),
		cmocka_unit_test(test_memory),	cmocka_unit_test(test_long_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
