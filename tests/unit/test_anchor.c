/* tests/unit/test_anchor.c - the words of which one stands in every match of an expression. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "detect/anchor.h"
#include "nomem.h"

static void join(const struct anchors *a, char *ret, size_t size)
{
	size_t n = 0;

	*ret = 0;
	for (size_t i = 0; i < a->n && n < size; i++)
		n += (size_t)snprintf(ret + n, size - n, "%s%.*s", i ? "|" : "", a->v[i].len,
				      (const char *)a->v[i].s);
}

static void sets(void **state)
{
	static const struct {
		const char *expression, *first, *second;
	} rows[] = {
		{ "\\bzebra\\b", "zebra", "" },
		{ "\\bzebras?\\b", "zebra", "" },
		{ "\\bZeb(?:ra|u)s?\\W+of\\W+quokka", "quokka", "zebra|zebu" },
		{ "\\b(?:a|the)\\W+zebra", "zebra", "" },
		{ "\\bzebra(?: quokka)?x", "zebra quokkax|zebrax", "" },
		{ "\\bzebra(?:[^.]{0,30}quokka)?", "zebra", "" },
		{ "\\bzebra(?:[^.]{1,30}\\bquokka){1,3}", "quokka", "zebra" },
		{ "\\b(?:zebra|quokka\\W+gnuu)\\W+okapi", "okapi", "zebra|quokka" },
		{ "(?i:zebra)|^quokka", "", "" },
		{ "^(?i:zebra)|^quokka", "quokka|zebra", "" },
		{ "\\bzebr[ao]", "zebra|zebro", "" },
		{ "\\bzebr[a-o]", "zebr", "" },
		{ "\\bze\\.bra", "ze.bra", "" },
		{ "x?\\bzebra", "", "" },
		{ "规则\\S*zebra", "规则", "" },
		{ "\\w+ zebra", "zebra", "" },
		{ "\\w+zebra quokka", "quokka", "" },
		/* where a word may begin in the middle of a longer one, nothing is known */
		{ "zebra", "", "" },
		{ "\\w*zebra", "", "" },
		{ "\\bzebra|.*", "", "" },
		{ "(?:\\bzebra)*", "", "" },
		{ "[^a]{3}", "", "" },
		/* what is not understood */
		{ "\\bzebra\\p{L}", "", "" },
		{ "\\bzebra[[:alpha:]]", "", "" },
		{ "(?=zebra)", "", "" },
		{ "\\bzebra(", "", "" },
		{ "\\bzebra)", "", "" },
		{ "\\bzebra\\", "", "" },
		{ "\\bzebra[", "", "" },
		{ "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct anchors a[2];
		char first[256], second[256];
		int err = anchors_of(rows[i].expression, a);

		join(&a[0], first, sizeof(first));
		join(&a[1], second, sizeof(second));
		if (strcmp(first, rows[i].first) || strcmp(second, rows[i].second))
			fail_msg("%s: %s, %s", rows[i].expression, first, second);
		assert_int_equal(err, !*rows[i].first);
		anchors_free(a);
	}
}

static void rare_words_first(void **state)
{
	(void)state;
	assert_true(anchor_cost(span_str("the")) > anchor_cost(span_str("instruction")));
	assert_true(anchor_cost(span_str("instruction")) > anchor_cost(span_str("zebra")));
	assert_true(anchor_cost(span_str("the zebra")) < anchor_cost(span_str("the")));
	assert_true(anchor_cost(span_str("规则")) < anchor_cost(span_str("the")));
}

static int reading(void *ctx)
{
	struct anchors a[2];
	int err = anchors_of("\\b(?:zebra|gnuu\\W+okapi)s?\\W+(?:quokka|[xy] forest)", a);

	(void)ctx;
	anchors_free(a);
	return err;
}

static void short_of_memory(void **state)
{
	(void)state;
	assert_true(nomem_each(reading, NULL) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets),
		cmocka_unit_test(rare_words_first),
		cmocka_unit_test(short_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
