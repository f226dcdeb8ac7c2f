/* tests/fuzz/fuzz_image.c - a kept image of patterns that was changed on disk opens or does not,
 * and what opened leads nowhere else. The input: how it is changed (two bits of a byte: the digest
 * is made anew, it is cut), how many changes (a byte), for each where (two bytes, little endian)
 * and to what.
 */
#include <hs/hs.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/own.h"
#include "detect/gate.h"
#include "detect/image.h"
#include "guard.h"

#define PATCH 3 /* bytes */

enum how { MENDED = 1, CUT = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A small one, laid out as large ones are. */
#define N_OWNERS  6
#define N_UNITS	  2
#define N_ANCHORS 3

static uint8_t whole[4096] __attribute__((aligned(IMAGE_ALIGN)));
static size_t whole_len;
static struct guard page;
static struct lexicon *words;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct image_part put(const void *p, size_t len)
{
	struct image_part part = { whole_len, len };

	must(whole_len + len <= sizeof(whole));
	memcpy(whole + whole_len, p, len);
	whole_len = (whole_len + len + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN;
	return part;
}

static struct image_part put_database(const char *expression)
{
	hs_compile_error_t *error;
	hs_database_t *db;
	struct image_part part;
	size_t len;

	must(hs_compile(expression, 0, HS_MODE_BLOCK, NULL, &db, &error) == HS_SUCCESS);
	must(hs_database_size(db, &len) == HS_SUCCESS);
	part = put(db, len);
	hs_free_database(db);
	return part;
}

static void make(void)
{
	static const struct lexicon_word word = { SPAN_LIT("three"), 0, false };
	static const struct image_owner owners[N_OWNERS] = {
		{ .db = 0, .next = 2 }, { .db = 1, .as = 1 },
		{ .db = 0, .next = 3 }, { .db = 0, .as = 0 },
		{ .db = 1, .as = 1 },	{ .db = 0, .as = 5, .len = 2, .literal = true },
	};
	static const struct image_unit units[N_UNITS] = { { .reach = 40, .sets = 2, .db = 1 },
							  { .words = 9, .sets = 1, .db = 1 } };
	static const struct image_anchor anchors[N_ANCHORS] = { { 0, 0 }, { 0, 1 }, { 1, 0 } };
	struct image_head h = {
		.magic = IMAGE_MAGIC, .n_patterns = N_OWNERS, .n_dbs = 2, .n_always = 1
	};
	uint8_t *table; /* as long as the program */
	size_t table_len;

	put(&h, sizeof(h));
	h.rules = put("rules", 5);
	h.owners = put(owners, sizeof(owners));
	h.units = put(units, sizeof(units));
	h.anchors = put(anchors, sizeof(anchors));
	h.words = put("words", 5);
	h.db[0] = put_database("ab");
	h.db[1] = put_database("a.b");
	h.len = whole_len;
	image_platform(h.platform);
	memcpy(whole, &h, sizeof(h));
	page = guard_new(sizeof(whole));
	must(!lexicon_make(&table, &table_len, &word, 1));
	must(!lexicon_new(&words, span_of(table, table_len), 1));
}

/* --- what opened is read, all of it */

static size_t sum_of(const struct image_head *h, struct image_part p)
{
	const uint8_t *base = (const uint8_t *)h;
	size_t sum = 0;

	for (size_t i = 0; i < p.len; i++)
		sum += base[p.at + i];
	return sum;
}

static int on_word(void *ctx, uint32_t id, const struct lexicon_hit *h)
{
	(void)ctx;
	(void)id;
	(void)h;
	return 0;
}

/* Anchors at every word of a text, in turn. */
static void open_windows(const struct image_head *h)
{
	static const char text[] = "one two three four five six seven eight nine ten";
	auto_free(gate) struct gate *g = NULL;
	struct lexicon_hit hit = { .where = { 0, 3 } };
	const struct gate_window *windows;
	size_t n, n_anchors = h->anchors.len / sizeof(struct image_anchor), end = 0;

	must(!gate_new(&g, h));
	must(!lexicon_begin(words, span_str(text)));
	must(!lexicon_until(words, strlen(text), on_word, NULL));
	gate_begin(g, span_str(text), words);
	for (; n_anchors && hit.where.end <= strlen(text); hit.words++) {
		must(!gate_seen(g, (uint32_t)(hit.words % n_anchors), &hit));
		hit.where.begin += 5;
		hit.where.end += 5;
	}
	n = gate_windows(g, &windows);
	for (size_t i = 0; i < n; i++) {
		must(windows[i].db < h->n_dbs);
		must(!i || windows[i].db > windows[i - 1].db || windows[i].where.begin > end);
		end = windows[i].where.end;
		must(windows[i].where.begin <= end && end <= strlen(text));
	}
}

static void walk(const struct image_head *h)
{
	const uint8_t *base = (const uint8_t *)h;
	const struct image_owner *owners = (const struct image_owner *)(base + h->owners.at);
	const struct image_part parts[] = { h->rules, h->owners, h->units, h->anchors, h->words };
	size_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		sum += sum_of(h, parts[i]);
	must(sum <= ARRAY_SIZE(parts) * UINT8_MAX * h->len);
	must(h->n_always <= h->n_dbs && h->n_dbs <= IMAGE_DBS_MAX);
	for (size_t i = 0; i < h->n_dbs; i++) {
		const hs_database_t *db = (const hs_database_t *)(base + h->db[i].at);
		size_t size;

		must(hs_database_size(db, &size) == HS_SUCCESS && size <= h->db[i].len);
	}
	/* As a match is told of. */
	for (size_t i = 0; i < h->n_patterns; i++) {
		size_t at = i, n = 0;

		do {
			must(++n <= h->n_patterns);
			at = owners[at].next;
		} while (at);
		must(owners[i].db < h->n_dbs && owners[i].as < h->n_patterns);
	}
	open_windows(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span_of(data, len), patches;
	const struct image_head *h;
	struct span image;
	uint8_t *p;

	if (len < 2)
		return 0;
	if (!whole_len)
		make();
	patches = span_sub(in, 2, data[1] * PATCH);
	in = span_sub(in, 2 + patches.len, SIZE_MAX);
	image = span_of(whole, whole_len);
	if (data[0] & CUT && in.len)
		image.len -= MIN(image.len, in.p[0] * (size_t)IMAGE_ALIGN);
	image = guard_put(&page, image);
	p = (uint8_t *)image.p;
	for (; patches.len >= PATCH && image.len; patches = span_sub(patches, PATCH, SIZE_MAX))
		p[(patches.p[0] | (size_t)patches.p[1] << 8) % image.len] = patches.p[2];
	if (data[0] & MENDED && image.len >= sizeof(*h)) {
		const size_t from = offsetof(struct image_head, inputs);
		XXH128_hash_t x;
		uint64_t n = image.len;

		memcpy(p + offsetof(struct image_head, len), &n, sizeof(n));
		x = XXH3_128bits(p + from, image.len - from);
		memcpy(p + offsetof(struct image_head, digest), &x, sizeof(x));
	}
	if (!image_open(image, &h))
		walk(h);
	return 0;
}
