/* tests/unit/test_facts.c - the segment cache keeps what was used last, within its bytes. */
#include "detect/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"

static struct hash128 key_of(unsigned n)
{
	struct hash128 k = { { 0 } };

	memcpy(k.b, &n, sizeof(n));
	return k;
}

static struct fact_list *list_of(size_t n)
{
	static struct fact_list l;

	memset(&l, 0, sizeof(l));
	l.n = n;
	for (size_t i = 0; i < n; i++)
		snprintf(l.v[i].type, sizeof(l.v[i].type), "%zu of %zu", i, n);
	return &l;
}

static void gives_back(void **state)
{
	struct facts *f;
	const struct fact_list *got;

	(void)state;
	assert_int_equal(facts_new(&f, 1 << 20), 0);
	for (unsigned i = 0; i < 5; i++) {
		struct hash128 k = key_of(i);

		assert_null(facts_get(f, &k));
		assert_int_equal(facts_put(f, &k, list_of(i)), 0);
	}
	for (unsigned i = 0; i < 5; i++) {
		struct hash128 k = key_of(i);

		got = facts_get(f, &k);
		assert_non_null(got);
		assert_int_equal(got->n, i);
		assert_memory_equal(got->v, list_of(i)->v, i * sizeof(got->v[0]));
	}
	facts_free(&f);
	assert_null(f);
}

static void oldest_goes(void **state)
{
	struct hash128 used = key_of(0);
	struct facts *f;
	size_t gone = 0;
	unsigned n = 0;

	(void)state;
	assert_int_equal(facts_new(&f, 8 * sizeof(struct finding)), 0);
	facts_put(f, &used, list_of(1));
	while (!gone && n < 100) {
		struct hash128 k = key_of(++n);

		gone = facts_put(f, &k, list_of(1));
		assert_non_null(facts_get(f, &used));
	}
	assert_int_equal(gone, 1);
	assert_true(n >= 4 && n <= 8);
	/* The first of those not asked for again. */
	assert_null(facts_get(f, &(struct hash128){ .b = { 1 } }));
	assert_non_null(facts_get(f, &(struct hash128){ .b = { 2 } }));
	/* A long one makes room for itself. */
	assert_true(facts_put(f, &(struct hash128){ .b = { 200 } }, list_of(6)) > 1);
	/* What never fits is not kept and moves nobody. */
	assert_int_equal(facts_put(f, &(struct hash128){ .b = { 201 } }, list_of(FACTS_MAX)), 0);
	assert_null(facts_get(f, &(struct hash128){ .b = { 201 } }));
	assert_non_null(facts_get(f, &(struct hash128){ .b = { 200 } }));
	facts_free(&f);
}

static void keeps_nothing(void **state)
{
	struct hash128 k = key_of(7);
	struct facts *f;

	(void)state;
	assert_int_equal(facts_new(&f, 0), 0);
	assert_int_equal(facts_put(f, &k, list_of(0)), 0);
	assert_null(facts_get(f, &k));
	facts_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back),
		cmocka_unit_test(oldest_goes),
		cmocka_unit_test(keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
