/* tests/unit/test_pulse.c - when test calls are due, and when their absence means blindness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proc/pulse.h"

#define SEC UINT64_C(1000000000)

/* Simulates until; a call comes through at once while `works`. Returns how many were made. */
static unsigned run(struct pulse *p, uint64_t *now, uint64_t until, bool works, uint64_t *seen)
{
	unsigned made = 0;

	for (; *now < until; *now += SEC / 4) {
		pulse_look(p, *seen, *now);
		if (pulse_due(p, *now)) {
			made++;
			if (works)
				*seen = *now + 1000;
		}
	}
	pulse_look(p, *seen, *now);
	return made;
}

static void test_life(void **state)
{
	uint64_t now = 100 * SEC, seen = 0;
	struct pulse p;

	(void)state;
	pulse_begin(&p, 20 * SEC, 60 * SEC, now);
	assert_int_equal(p.state, PULSE_WAITING);
	assert_int_equal(run(&p, &now, 103 * SEC, false, &seen), 3); /* once a second */
	assert_int_equal(p.state, PULSE_WAITING);
	run(&p, &now, 105 * SEC, true, &seen);
	assert_int_equal(p.state, PULSE_SEEN);
	assert_int_equal(run(&p, &now, 305 * SEC, true, &seen), 10); /* every 20 s */
	assert_int_equal(p.state, PULSE_SEEN);
	/* It is lost. Blind no later than the limit after the last, and asked more often. */
	run(&p, &now, seen + 59 * SEC, false, &seen);
	assert_int_equal(p.state, PULSE_SEEN);
	run(&p, &now, seen + 61 * SEC, false, &seen);
	assert_int_equal(p.state, PULSE_BLIND);
	assert_true(run(&p, &now, now + 10 * SEC, false, &seen) >= 9);
	assert_int_equal(p.state, PULSE_BLIND);
	/* And back within a second or two. */
	run(&p, &now, now + 2 * SEC, true, &seen);
	assert_int_equal(p.state, PULSE_SEEN);
}

static void test_never(void **state)
{
	uint64_t now = 0, seen = 0;
	struct pulse p;

	(void)state;
	pulse_begin(&p, 20 * SEC, 60 * SEC, now);
	run(&p, &now, 61 * SEC, false, &seen);
	assert_int_equal(p.state, PULSE_BLIND);
	/* What a page holds from before counts as nothing. */
	pulse_begin(&p, 20 * SEC, 60 * SEC, 100 * SEC);
	pulse_look(&p, 50 * SEC, 100 * SEC);
	assert_int_equal(p.state, PULSE_WAITING);
	/* A writer of the page that lies about the future is believed no longer than that. */
	pulse_look(&p, 1000 * SEC, 101 * SEC);
	assert_int_equal(p.state, PULSE_SEEN);
	pulse_look(&p, 1000 * SEC, 1061 * SEC);
	assert_int_equal(p.state, PULSE_BLIND);
}

static void test_hurry(void **state)
{
	uint64_t now = 10 * SEC, seen = 0;
	struct pulse p;

	(void)state;
	pulse_begin(&p, 20 * SEC, 60 * SEC, now);
	run(&p, &now, 12 * SEC, true, &seen);
	assert_false(pulse_due(&p, now));
	pulse_hurry(&p);
	assert_true(pulse_due(&p, now));
	assert_false(pulse_due(&p, now));
}

static void test_off(void **state)
{
	struct pulse p;

	(void)state;
	pulse_begin(&p, 0, 60 * SEC, 0);
	assert_int_equal(pulse_look(&p, 0, 1000 * SEC), PULSE_OFF);
	assert_int_equal(p.state, PULSE_OFF);
	pulse_hurry(&p);
	assert_false(pulse_due(&p, 1000 * SEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
