/* tests/unit/test_merge.c - how findings change an alert. */
#include "alert/merge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "keeper.h"

#define KIND "jailbreak.rules"

static Earshot__ToKeeper *said(const struct say *w)
{
	static struct said room;
	struct span s = say(&room, w);

	return earshot__to_keeper__unpack(NULL, s.len, s.p);
}

static int merge(Earshot__Alert **a, const struct say *w, uint64_t when)
{
	Earshot__ToKeeper *m = said(w);
	int change;

	if (!w->kind)
		change = merge_observation(*a, m->observation);
	else if (*a)
		change = merge_finding(*a, m->finding, w->mode, when);
	else
		change = merge_new(a, (const uint8_t *)"0123456789abcdef", m->finding, w->mode, "c",
				   "host", when);
	earshot__to_keeper__free_unpacked(m, NULL);
	return change;
}

#define MERGE(when, ...)                                                                           \
	merge(&a, &(struct say){ .number = 1, .kind = KIND, .evidence = "e", __VA_ARGS__ }, when)
#define OBSERVE(...) merge(&a, &(struct say){ .number = 1, __VA_ARGS__ }, 0)

static Earshot__Severity severity(enum outcome o)
{
	return (Earshot__Severity)kinds[kind_find(KIND)].severity[o];
}

static void test_new(void **state)
{
	const struct kind_row *row = &kinds[kind_find(KIND)];
	Earshot__Alert *a = NULL;

	(void)state;
	assert_int_equal(MERGE(1000, .exchange = 3), 0);
	assert_string_equal(a->kind, KIND);
	assert_string_equal(a->title, row->title);
	assert_string_equal(a->remediation, row->remediation);
	assert_string_equal(a->conversation, "c");
	assert_string_equal(a->host, "host");
	assert_int_equal(a->severity, severity(OUTCOME_UNKNOWN));
	assert_int_equal(a->confidence, 90);
	assert_int_equal(a->count, 1);
	assert_int_equal(a->first_seen_ns, 1000);
	assert_int_equal(a->n_evidence, 1);
	assert_int_equal(a->evidence[0]->time_ns, 1000);
	assert_int_equal(a->pids, 1);
	assert_int_equal(a->mapping->n_atlas, 2);
	assert_string_equal(a->mapping->atlas[0], "AML.T0054");
	assert_int_equal(a->mapping->data_version, KIND_DATA_VERSION);
	earshot__alert__free_unpacked(a, NULL);
	a = NULL;
	assert_int_equal(MERGE(1, .kind = "no.such"), -EBADMSG);
	assert_null(a);
}

static void test_counts(void **state)
{
	Earshot__Alert *a = NULL;

	(void)state;
	MERGE(1000);
	assert_int_equal(MERGE(3000), MERGE_COUNT);
	assert_int_equal(MERGE(2000), MERGE_COUNT);
	assert_int_equal(a->count, 3);
	assert_int_equal(a->first_seen_ns, 1000);
	assert_int_equal(a->last_seen_ns, 3000);
	assert_int_equal(a->n_evidence, 1);
	assert_int_equal(MERGE(4000, .evidence = "f"), MERGE_MATERIAL);
	assert_int_equal(a->n_evidence, 2);
	/* The server's side of the connection. */
	assert_int_equal(MERGE(4000, .pid = 200), MERGE_COUNT);
	assert_int_equal(MERGE(4000, .pid = 200), MERGE_COUNT);
	assert_int_equal(a->pids, 2);
	assert_int_equal(a->others[0]->pid, 200);
	earshot__alert__free_unpacked(a, NULL);
}

/* Much of it is worse, whatever became of it; less of it later makes it no better. */
static void test_raised(void **state)
{
	Earshot__Alert *a = NULL;

	(void)state;
	MERGE(1000);
	assert_int_equal(MERGE(2000, .evidence = "f", .raise = 1), MERGE_MATERIAL);
	assert_int_equal(a->severity, severity(OUTCOME_UNKNOWN) + 1);
	MERGE(3000, .evidence = "g");
	assert_int_equal(a->severity, severity(OUTCOME_UNKNOWN) + 1);
	OBSERVE(.outcome = OUTCOME_BLOCKED);
	assert_int_equal(a->severity, severity(OUTCOME_BLOCKED) + 1);
	MERGE(4000, .evidence = "h", .raise = 100);
	assert_int_equal(a->severity, EARSHOT__SEVERITY__SEVERITY_CRITICAL);
	earshot__alert__free_unpacked(a, NULL);
}

static void test_bounds(void **state)
{
	Earshot__Alert *a = NULL;
	char text[16];

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "text %u", i);
		MERGE(i, .evidence = text, .pid = 1000 + i);
	}
	assert_int_equal(a->n_evidence, MERGE_EVIDENCE_MAX);
	assert_int_equal(a->n_others, MERGE_OTHERS_MAX);
	assert_int_equal(a->count, 100);
	earshot__alert__free_unpacked(a, NULL);
}

/* The worst of its turns, and the severity that goes with it. */
static void test_outcomes(void **state)
{
	Earshot__Alert *a = NULL;

	(void)state;
	MERGE(1, .exchange = 3);
	assert_int_equal(OBSERVE(.exchange = 3, .outcome = OUTCOME_BLOCKED), MERGE_MATERIAL);
	assert_int_equal(a->outcome, EARSHOT__OUTCOME__OUTCOME_BLOCKED);
	assert_int_equal(a->severity, severity(OUTCOME_BLOCKED));
	/* What was captured of its own exchange is known now. */
	assert_int_equal(a->context->completeness->bytes_passed, 20);
	assert_int_equal(OBSERVE(.exchange = 4, .outcome = OUTCOME_TOOL_EXECUTED), MERGE_MATERIAL);
	assert_int_equal(a->severity, severity(OUTCOME_TOOL_EXECUTED));
	assert_int_equal(OBSERVE(.exchange = 5, .outcome = OUTCOME_REFUSED), MERGE_NOTHING);
	assert_int_equal(OBSERVE(.exchange = 5, .outcome = OUTCOME_UNKNOWN), MERGE_NOTHING);
	assert_int_equal(a->outcome, EARSHOT__OUTCOME__OUTCOME_TOOL_EXECUTED);
	earshot__alert__free_unpacked(a, NULL);
}

/* A text of an earlier turn: the answer to this one is no answer to it. */
static void test_history(void **state)
{
	Earshot__Alert *a = NULL;

	(void)state;
	MERGE(1, .outcome = OUTCOME_REFUSED);
	assert_int_equal(MERGE(2, .outcome = OUTCOME_ANSWERED, .history = true), MERGE_COUNT);
	assert_int_equal(a->outcome, EARSHOT__OUTCOME__OUTCOME_REFUSED);
	assert_int_equal(MERGE(3, .outcome = OUTCOME_ANSWERED), MERGE_MATERIAL);
	assert_int_equal(a->outcome, EARSHOT__OUTCOME__OUTCOME_ANSWERED);
	earshot__alert__free_unpacked(a, NULL);
}

static void test_hunt_becomes_alert(void **state)
{
	Earshot__Alert *a = NULL;

	(void)state;
	MERGE(1, .mode = MODE_HUNT);
	assert_int_equal(a->mode, EARSHOT__MODE__MODE_HUNT);
	assert_int_equal(MERGE(2, .mode = MODE_ALERT), MERGE_MATERIAL);
	assert_int_equal(a->mode, EARSHOT__MODE__MODE_ALERT);
	assert_int_equal(MERGE(2, .mode = MODE_HUNT), MERGE_COUNT);
	assert_int_equal(a->mode, EARSHOT__MODE__MODE_ALERT);
	earshot__alert__free_unpacked(a, NULL);
}

static void key_of(const struct say *w, const char *conversation, uint8_t ret[MERGE_KEY_LEN])
{
	Earshot__ToKeeper *m = said(w);

	merge_key(ret, m->finding->kind, m->finding->context, conversation,
		  m->finding->evidence->fingerprint);
	earshot__to_keeper__free_unpacked(m, NULL);
}

static void test_keys(void **state)
{
	const struct say base = { .number = 1, .kind = KIND, .evidence = "e", .key = "k" };
	uint8_t a[MERGE_KEY_LEN], b[MERGE_KEY_LEN];
	struct say other = base;

	(void)state;
	other.evidence = "f";
	key_of(&base, "c", a);
	key_of(&other, "c", b);
	assert_memory_equal(a, b, sizeof(a)); /* one conversation, one alert */
	key_of(&base, "d", b);
	assert_memory_not_equal(a, b, sizeof(a));
	key_of(&base, "", a);
	key_of(&other, "", b);
	assert_memory_not_equal(a, b, sizeof(a)); /* unknown: unrelated attacks stay apart */
	other = base;
	other.key = "l";
	key_of(&other, "c", b);
	key_of(&base, "c", a);
	assert_memory_not_equal(a, b, sizeof(a));
	other = base;
	other.kind = "credential.leak";
	key_of(&other, "c", b);
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_raised),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_hunt_becomes_alert),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
