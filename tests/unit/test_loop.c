/* tests/unit/test_loop.c - timers: each in its turn, and those that can be due together are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/own.h"
#include "proc/loop.h"

#define FAST_NS (4 * NS_PER_MS)
#define SLOW_NS (12 * NS_PER_MS)
#define ROUNDS	8

struct timers {
	struct loop *loop;
	uint64_t fast_ns, slow_ns; /* when each fired last */
	unsigned n_fast, n_slow;
};

static void on_fast(void *ctx, uint64_t now_ns)
{
	struct timers *t = ctx;

	assert_true(now_ns / FAST_NS > t->fast_ns / FAST_NS);
	t->fast_ns = now_ns;
	t->n_fast++;
}

static void on_slow(void *ctx, uint64_t now_ns)
{
	struct timers *t = ctx;

	assert_true(now_ns / SLOW_NS > t->slow_ns / SLOW_NS);
	assert_int_equal(now_ns, t->fast_ns); /* one wakeup for both */
	t->slow_ns = now_ns;
	if (++t->n_slow == ROUNDS)
		loop_stop(t->loop);
}

static void test_grid(void **state)
{
	auto_free(loop) struct loop *l = NULL;
	struct timers t = { 0 };

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	t.loop = l;
	t.fast_ns = t.slow_ns = mono_ns();
	assert_int_equal(loop_every(l, FAST_NS, on_fast, &t), 0);
	usleep(3000); /* they began at different times */
	assert_int_equal(loop_every(l, SLOW_NS, on_slow, &t), 0);
	assert_int_equal(loop_run(l), 0);
	assert_true(t.n_fast >= t.n_slow);
}

static void test_full(void **state)
{
	auto_free(loop) struct loop *l = NULL;
	struct timers t = { 0 };
	int n = 0;

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	while (!loop_every(l, NS_PER_SEC, on_fast, &t) && n < 100)
		n++;
	assert_in_range(n, 4, 99);
}

struct once {
	struct loop *loop;
	unsigned n;
	uint64_t begin_ns;
};

static void on_once(void *ctx, uint64_t now_ns)
{
	struct once *o = ctx;

	assert_true(now_ns >= o->begin_ns + FAST_NS);
	o->begin_ns = now_ns;
	if (++o->n == ROUNDS)
		loop_stop(o->loop);
	else
		assert_int_equal(loop_after(o->loop, FAST_NS, on_once, o), 0);
}

/* A timer for once can set itself again, any number of times. */
static void test_once(void **state)
{
	auto_free(loop) struct loop *l = NULL;
	struct once o = { 0 };

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	o = (struct once){ .loop = l, .begin_ns = mono_ns() };
	assert_int_equal(loop_after(l, FAST_NS, on_once, &o), 0);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(o.n, ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_grid),
					    cmocka_unit_test(test_once),
					    cmocka_unit_test(test_full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
