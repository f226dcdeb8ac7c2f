/* tests/unit/test_lexicon.c - the words that a lexicon finds, against those that a search for each
 * of them at each place finds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "detect/lexicon.h"
#include "guard.h"
#include "nomem.h"

#define FOUND_MAX 8192

static const struct {
	const char *text;
	bool ends;
} rows[] = {
	{ "ignore", false },
	{ "ignore", true },
	{ "ign", false },
	{ "ig", false },
	{ "ignore all", false },
	{ "all", true },
	{ "al", true },
	{ "prompt", false },
	{ "prompts", true },
	{ " ai", true },
	{ "'ai", true },
	{ "-- ab", false },
	{ "abcd", false },
	{ "abcdefgh", false },
	{ "abcdefghi", false },
	{ "a1", false },
	{ "规则", false },
	{ "规", false },
	{ "правил", false },
	{ "ab规则", true },
	{ "规则ab", true },
	{ "(规则)", false },
	{ "ignore", false },
	{ "x-y z", false },
	{ "abcdefgh ijklmnop qrst", false },
};

struct found {
	uint32_t id;
	struct range where;
};

struct list {
	struct found v[FOUND_MAX];
	size_t n;
};

static struct lexicon *lexicon;
static uint8_t *table;

static bool alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static uint8_t small(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool stands(struct span text, size_t at, const char *word, bool ends)
{
	size_t len = strlen(word);

	if (text.len - at < len || (at && alnum(text.p[at]) && alnum(text.p[at - 1])))
		return false;
	for (size_t i = 0; i < len; i++)
		if (small(text.p[at + i]) != (uint8_t)word[i])
			return false;
	return !ends || at + len == text.len || !alnum(text.p[at + len]);
}

static size_t count_all(struct span text)
{
	size_t n = 0;

	for (size_t at = 0; at < text.len; at++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			n += stands(text, at, rows[i].text, rows[i].ends);
	return n;
}

static int put(void *ctx, uint32_t id, const struct lexicon_hit *h)
{
	struct list *l = ctx;

	assert_true(l->n < FOUND_MAX);
	l->v[l->n++] = (struct found){ id, h->where };
	return 0;
}

static int make_table(uint8_t **ret, size_t *ret_len)
{
	struct lexicon_word words[ARRAY_SIZE(rows)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		words[i] =
		    (struct lexicon_word){ span_str(rows[i].text), (uint32_t)i, rows[i].ends };
	return lexicon_make(ret, ret_len, words, ARRAY_SIZE(words));
}

static int setup(void **state)
{
	size_t len;

	(void)state;
	return make_table(&table, &len) ||
	       lexicon_new(&lexicon, span_of(table, len), ARRAY_SIZE(rows));
}

static int teardown(void **state)
{
	(void)state;
	lexicon_free(&lexicon);
	free(table);
	return 0;
}

/* All that stands there, once, by its end; in whatever steps it is asked for. */
static void check(struct span text, size_t step)
{
	static struct list got;

	got.n = 0;
	assert_int_equal(lexicon_begin(lexicon, text), 0);
	for (size_t to = step; to < text.len; to += step) {
		assert_int_equal(lexicon_until(lexicon, to, put, &got), 0);
		assert_true(!got.n || got.v[got.n - 1].where.end <= to);
	}
	assert_int_equal(lexicon_until(lexicon, text.len, put, &got), 0);
	for (size_t i = 0; i < got.n; i++) {
		const struct found *f = &got.v[i];

		assert_true(stands(text, f->where.begin, rows[f->id].text, rows[f->id].ends));
		assert_int_equal(f->where.end - f->where.begin, strlen(rows[f->id].text));
		if (!i)
			continue;
		assert_true(f->where.end >= f[-1].where.end);
		assert_true(f->where.end > f[-1].where.end || f->where.begin <= f[-1].where.begin);
		assert_true(f->id != f[-1].id || f->where.end != f[-1].where.end);
	}
	assert_int_equal(got.n, count_all(text));
}

static void as_a_search_of_each(void **state)
{
	static const char *const pieces[] = {
		"ignore", "IGNORE", "all", " ",	 " ",	 " ",	 "ai",
		"'",	  "-- ",    "ab",  "c",	 "d",	 "efgh", "i",
		"规则",	  "规",	    "(",   ")",	 "прав", "ил",	 "prompt",
		"s",	  "1",	    "x-y", " z", "\x80", "\xff", "abcdefgh ijklmnop qrs",
		"t",	  "\n",	    "\x0d"
	};
	struct guard g = guard_new(4096);
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		char text[1024];
		size_t n = 0;

		for (unsigned i = 0; i < round % 100; i++) {
			const char *p;

			seed = seed * 1664525 + 1013904223;
			p = pieces[(seed >> 16) % ARRAY_SIZE(pieces)];
			if (n + strlen(p) > sizeof(text))
				break;
			memcpy(text + n, p, strlen(p));
			n += strlen(p);
		}
		check(guard_put(&g, span_of(text, n)), 1 + round % 130);
	}
	guard_free(&g);
}

static void a_flood_of_words(void **state)
{
	static char text[3000];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "ignore all "[i % 11];
	check(span_of(text, sizeof(text)), sizeof(text));
}

static void what_is_not_taken(void **state)
{
	struct lexicon_word word = { span_str("..a"), 0, false };
	uint8_t *made = NULL;
	size_t len;

	(void)state;
	assert_false(lexicon_takes(span_str("")));
	assert_false(lexicon_takes(span_str(" -")));
	assert_false(lexicon_takes(span_str("\x80\x80")));
	assert_true(lexicon_takes(span_str(" ab")));
	assert_int_equal(lexicon_make(&made, &len, &word, 1), -EINVAL);
	assert_null(made);
}

static int count(void *ctx, uint32_t id, const struct lexicon_hit *h)
{
	(void)id;
	*(size_t *)ctx = h->words;
	return 0;
}

/* Opens what is not a table, or finds what is not there, but reads nothing else. */
static void a_damaged_table(void **state)
{
	struct lexicon *l = NULL;
	uint8_t *made;
	size_t len, n = 0, tried = 0, refused = 0;

	(void)state;
	assert_int_equal(make_table(&made, &len), 0);
	assert_int_equal(lexicon_new(&l, span_of(made, len), ARRAY_SIZE(rows) - 1), -EINVAL);
	assert_int_equal(lexicon_new(&l, span_of(NULL, 0), ARRAY_SIZE(rows)), -EINVAL);
	for (size_t less = 1; less <= len; less += 97)
		assert_int_equal(lexicon_new(&l, span_of(made, len - less), ARRAY_SIZE(rows)),
				 -EINVAL);
	for (size_t at = 0; at < len; at += 7, tried++) {
		made[at] ^= 0x81;
		if (lexicon_new(&l, span_of(made, len), ARRAY_SIZE(rows))) {
			refused++;
		} else {
			assert_int_equal(lexicon_begin(l, span_str("all ignore ai -- prompt(")), 0);
			assert_int_equal(lexicon_until(l, 24, count, &n), 0);
		}
		lexicon_free(&l);
		made[at] ^= 0x81;
	}
	assert_true(refused > tried / 2);
	free(made);
}

static int stop(void *ctx, uint32_t id, const struct lexicon_hit *h)
{
	(void)id;
	(void)h;
	return ++*(int *)ctx == 3 ? -EINTR : 0;
}

static void it_stops(void **state)
{
	int n = 0;

	(void)state;
	assert_int_equal(lexicon_begin(lexicon, span_str("all ignore ai")), 0);
	assert_int_equal(lexicon_until(lexicon, 13, stop, &n), -EINTR);
	assert_int_equal(n, 3);
}

static void words_are_counted(void **state)
{
	size_t n = 0;

	(void)state;
	assert_int_equal(lexicon_begin(lexicon, span_str("it's 2 of  -- 规规, ignoring; abcd")), 0);
	assert_int_equal(lexicon_until(lexicon, 36, count, &n), 0);
	assert_int_equal(n, 7);
}

static int making(void *ctx)
{
	struct lexicon *l = NULL;
	uint8_t *made = NULL;
	size_t len;
	int err = make_table(&made, &len);

	(void)ctx;
	if (!err)
		err = lexicon_new(&l, span_of(made, len), ARRAY_SIZE(rows));
	lexicon_free(&l);
	free(made);
	return err;
}

static void short_of_memory(void **state)
{
	(void)state;
	assert_true(nomem_each(making, NULL) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_a_search_of_each),
		cmocka_unit_test(a_flood_of_words),
		cmocka_unit_test(what_is_not_taken),
		cmocka_unit_test(a_damaged_table),
		cmocka_unit_test(it_stops),
		cmocka_unit_test(words_are_counted),
		cmocka_unit_test(short_of_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
